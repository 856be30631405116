"""Ways out of atoms of molecules and nodes, against symmetry."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111, molecule
from ase.cluster import Icosahedron
from scipy.spatial.transform import Rotation

from structures.cluster_sites import find_cluster_sites
from structures.errors import InputError

RIGHT_ANGLES = np.vstack([np.eye(3), -np.eye(3)])


def build_iron(n_oxygen: int) -> Atoms:
    """Iron with oxygen at 2 Å at the first corners of an octahedron, the last of which is −z."""
    return Atoms(f"FeO{n_oxygen}", positions=np.vstack([np.zeros(3), 2.0 * RIGHT_ANGLES[:n_oxygen]]))


def test_open_metal_site_is_found_where_the_ligand_is_missing() -> None:
    site = find_cluster_sites(build_iron(5), elements=("Fe",))[0]
    assert site.neighbours == (0,)
    assert site.multiplicity == 1
    assert site.normal @ (0, 0, -1) > np.cos(np.radians(4))
    np.testing.assert_allclose(np.linalg.norm(site.normal), 1, rtol=1e-12)


def test_the_ways_between_six_ligands_are_equal_and_narrow() -> None:
    [gap] = find_cluster_sites(build_iron(6), elements=("Fe",))
    assert gap.multiplicity == 8  # faces of the octahedron
    assert np.abs(gap.normal) == pytest.approx(np.full(3, 1 / np.sqrt(3)), abs=0.07)


def test_an_atom_inside_cannot_be_touched() -> None:
    cluster = Icosahedron("Cu", 2)
    centre = int(np.argmin(np.linalg.norm(cluster.positions - cluster.positions.mean(axis=0), axis=1)))
    cluster.symbols[centre] = "Ni"
    with pytest.raises(InputError, match="lies open to an oxygen atom"):
        find_cluster_sites(cluster, elements=("Ni",))
    [corner] = find_cluster_sites(cluster)
    assert corner.multiplicity == 12


def test_square_planar_metal_is_open_on_both_faces() -> None:
    complex_ = Atoms("CoN4", positions=[(0, 0, 0), (1.92, 0, 0), (-1.92, 0, 0), (0, 1.92, 0), (0, -1.92, 0)])
    [site] = find_cluster_sites(complex_, elements=("Co",))
    assert site.multiplicity == 2
    assert abs(site.normal[2]) > np.cos(np.radians(4))


def test_atoms_of_a_ring_are_equal() -> None:
    found = {site.name: site for site in find_cluster_sites(molecule("C6H6"))}
    assert {name: site.multiplicity for name, site in found.items()} == {"top H": 6, "top C": 12}
    assert abs(found["top C"].normal[2]) > np.cos(np.radians(20))
    outwards = found["top H"].position_A / np.linalg.norm(found["top H"].position_A)
    assert found["top H"].normal @ outwards > np.cos(np.radians(4))


@pytest.mark.parametrize("name", ["C6H6", "H2O", "CH4"])
def test_turn_and_order_change_no_count(name: str) -> None:
    rng = np.random.default_rng(3)
    still = molecule(name)
    turned = still[rng.permutation(len(still))]
    turned.positions = turned.positions @ Rotation.from_quat(rng.normal(size=4)).as_matrix().T + (3, 1, -2)
    counts = [
        sorted((site.name, site.multiplicity) for site in find_cluster_sites(one) if "C" not in site.name)
        for one in (still, turned)
    ]
    assert counts[0] == counts[1]
    assert counts[0]


def test_one_atom_is_touched_from_above() -> None:
    [site] = find_cluster_sites(Atoms("Li", positions=[(1, 2, 3)]))
    np.testing.assert_array_equal(site.normal, (0, 0, 1))
    np.testing.assert_array_equal(site.position_A, (1, 2, 3))


def test_slabs_and_absent_elements_are_refused() -> None:
    slab = fcc111("Cu", (1, 1, 3), vacuum=5.0)
    slab.pbc = (True, True, False)
    with pytest.raises(InputError, match="use find_sites"):
        find_cluster_sites(slab)
    with pytest.raises(InputError, match="the cluster is OH2"):
        find_cluster_sites(molecule("H2O"), elements=("Fe",))
