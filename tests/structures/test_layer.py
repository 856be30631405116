"""Layers of nodes and slabs of frameworks."""

import math
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.data.vdw_alvarez import vdw_radii
from ase.io import write
from ase.neighborlist import natural_cutoffs, neighbor_list
from ase.spacegroup import crystal

from structures.errors import InputError
from structures.files import read_structure
from structures.framework_layer import cut_layer, find_plane_basis
from structures.labels import compute_smallest_contact
from structures.layer import Orientation, build_layer, compute_coverage
from structures.species import Species, build_species

NODE = build_species("NH2-MIL-node")
LATERAL_A = (28.22, 28.22)
MOF5_A = 25.8849


@pytest.fixture(scope="module")
def mof5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Zn4O(O2C-C6H4-CO2)3, Fm-3m, after Li et al. 1999 (10.1038/46248), 424 atoms."""
    sites = {
        "Zn": (0.2934, 0.2066, 0.2066),
        "O": (0.25, 0.25, 0.25),
        "O ": (0.2804, 0.2196, 0.1340),
        "C": (0.25, 0.25, 0.1113),
        "C ": (0.25, 0.25, 0.0537),
        "C  ": (0.2829, 0.2171, 0.0268),
        "H": (0.3049, 0.1951, 0.0448),
    }
    atoms = crystal(
        [site.strip() for site in sites], list(sites.values()), spacegroup=225, cellpar=[MOF5_A] * 3 + [90] * 3
    )
    path = tmp_path_factory.mktemp("frameworks") / "mof5.extxyz"
    write(path, Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True))
    return path


@pytest.mark.parametrize("orientation", ["flat", "standing"])
def test_four_nodes_cover_the_papers_cell(orientation: Orientation) -> None:
    layer = build_layer(NODE, lateral_A=LATERAL_A, orientation=orientation)
    assert (layer.n_units, len(layer.atoms)) == (4, 4 * 105)
    assert layer.atoms.symbols.formula.count() == {"Fe": 12, "O": 60, "C": 168, "N": 24, "H": 156}
    assert layer.lateral_A == LATERAL_A
    assert layer.areal_density_per_nm2 == pytest.approx(4 / 2.822**2, rel=1e-9)
    mass_mg = 4 * NODE.atoms.get_masses().sum() * 1.66053906660e-24 * 1e3
    assert layer.areal_mass_mg_per_m2 == pytest.approx(mass_mg / (28.22e-10) ** 2, rel=1e-6)
    assert 0.5 < layer.coverage < 0.8
    assert layer.atoms.positions[:, 2].min() == pytest.approx(0, abs=1e-12)
    assert set(layer.atoms.arrays["region"]) == {"layer"}
    assert not layer.atoms.arrays["molecule"].any()
    assert layer.orientation.startswith(orientation)


def test_orientation_is_that_of_the_plane_of_the_irons() -> None:
    for orientation, spread in (("flat", 0.0), ("standing", 1.5 * 1.92)):
        layer = build_layer(NODE, lateral_A=LATERAL_A, orientation=orientation)  # type: ignore[arg-type]
        irons = layer.atoms[layer.atoms.symbols == "Fe"].positions[:3]
        # A triangle about the oxide, Fe-O 1.92 Å: as high as 3/2 of that if it stands on an edge.
        assert np.ptp(irons[:, 2]) == pytest.approx(spread, abs=1e-6)


def test_smallest_distance_is_that_between_nodes() -> None:
    layer = build_layer(NODE, lateral_A=LATERAL_A)
    apart = layer.atoms.copy()
    apart.arrays["molecule"][:] = np.repeat(range(4), 105)
    assert compute_smallest_contact(apart, limit_A=5.0)[0] == pytest.approx(layer.smallest_distance_A, rel=1e-6)
    single = build_layer(NODE, lateral_A=(14.11, 14.11))
    assert single.n_units == 1
    assert single.smallest_distance_A == pytest.approx(layer.smallest_distance_A, rel=1e-6)


def test_nodes_keep_their_geometry() -> None:
    layer = build_layer(NODE, lateral_A=LATERAL_A, orientation="standing")
    for first in range(0, 420, 105):
        found_A = layer.atoms[first : first + 105].get_all_distances()
        np.testing.assert_allclose(found_A, NODE.atoms.get_all_distances(), rtol=0, atol=1e-9)


def test_coverage_of_discs() -> None:
    radius_A = vdw_radii[6]
    for places in ([(5, 5, 0)], [(0, 0, 0)], [(5, 5, 0), (5, 5, 9)], [(2, 2, 0), (2, 7, 0)]):
        n_discs = len({place[:2] for place in places})
        body = Atoms(f"C{len(places)}", places, cell=[10, 12, 5])
        assert compute_coverage(body) == pytest.approx(n_discs * math.pi * radius_A**2 / 120, rel=0.02)


def test_a_grid_may_be_chosen() -> None:
    assert build_layer(NODE, lateral_A=LATERAL_A, grid=(1, 2)).n_units == 2
    with pytest.raises(
        InputError, match=r"3 × 2 molecules .* within 0\.\d+ Å .* at least 2\.3 Å\. Take at most grid: \(2, 2\)"
    ):
        build_layer(NODE, lateral_A=LATERAL_A, grid=(3, 2))
    with pytest.raises(InputError, match=r"grid is \(0, 2\)"):
        build_layer(NODE, lateral_A=LATERAL_A, grid=(0, 2))


def test_charged_molecules_and_narrow_cells_are_refused() -> None:
    with pytest.raises(InputError, match=r"MIL-node\+ has charge \+1 e, needs 0"):
        build_layer(build_species("MIL-node+"), lateral_A=LATERAL_A)
    with pytest.raises(InputError, match=r"1 × 1 molecules .* Take a larger lateral_A"):
        build_layer(NODE, lateral_A=(9.0, 9.0))


def test_atoms_close_up_to_a_square_lattice() -> None:
    argon = Species("Ar", Atoms("Ar"))
    layer = build_layer(argon, lateral_A=(20.0, 12.0), clearance_A=3.9)
    assert layer.n_units == 15
    assert layer.smallest_distance_A == pytest.approx(4.0)


def test_half_a_cell_of_mof5_is_cut_between_carboxylate_and_ring(mof5: Path) -> None:
    layer = cut_layer(mof5, thickness_A=MOF5_A / 2, lateral_A=(MOF5_A, MOF5_A))
    # Four linkers cross each face; their C-C bond to a carboxylate is the one that costs least.
    assert layer.atoms.symbols.formula.count() == {"Zn": 16, "O": 52, "C": 96, "H": 48 + 8}
    assert layer.notes == ("8 cut bonds between nonmetals, capped with hydrogen",)
    assert layer.n_units == 1
    assert layer.strain == pytest.approx((0, 0), abs=1e-9)
    bonds = neighbor_list("i", layer.atoms, natural_cutoffs(layer.atoms, mult=1.2))
    counts = np.bincount(bonds, minlength=len(layer.atoms))
    expected = {"Zn": {4}, "C": {3}, "H": {1}, "O": {2, 4}}
    for symbol, found in expected.items():
        assert set(counts[layer.atoms.symbols == symbol].tolist()) == found


@pytest.mark.parametrize("facet", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, -1)])
def test_equal_facets_of_a_cubic_crystal_give_equal_layers(mof5: Path, facet: tuple[int, int, int]) -> None:
    layer = cut_layer(mof5, thickness_A=10, lateral_A=(26.0, 26.0), facet=facet)
    reference = cut_layer(mof5, thickness_A=10, lateral_A=(26.0, 26.0))
    assert layer.atoms.symbols.formula.count() == reference.atoms.symbols.formula.count()
    assert layer.thickness_A == pytest.approx(reference.thickness_A, abs=1e-5)
    assert layer.coverage == pytest.approx(reference.coverage, abs=0.01)
    assert layer.strain == pytest.approx([26.0 / MOF5_A - 1] * 2, rel=1e-6)


def test_other_facets_are_rectangular_and_as_dense(mof5: Path) -> None:
    lateral_A = (MOF5_A, MOF5_A * math.sqrt(2))
    layer = cut_layer(mof5, thickness_A=40.0, lateral_A=lateral_A, facet=(1, 1, 0))
    assert layer.lateral_A == pytest.approx(lateral_A, rel=1e-9)
    n_hydrogens = next(int(note.split()[0]) for note in layer.notes if "capped" in note)
    framework = (len(layer.atoms) - n_hydrogens) / (math.prod(lateral_A) * 40.0)
    assert framework == pytest.approx(424 / MOF5_A**3, rel=0.05)


def test_what_is_cut_at_metals_is_named(mof5: Path) -> None:
    layer = cut_layer(mof5, thickness_A=3.0, lateral_A=(26.0, 26.0))
    assert any("capped" in note or "left open" in note for note in layer.notes)
    thin = cut_layer(mof5, thickness_A=13.0, lateral_A=(36.6, 25.9), facet=(1, 1, 0))
    assert any(note.startswith("8 cut bonds of metals, left open: 8 at O") for note in thin.notes)


def test_missing_hydrogens_are_refused(mof5: Path, tmp_path: Path) -> None:
    atoms = read_structure(mof5)
    bare = atoms[[index for index in range(len(atoms)) if index not in np.flatnonzero(atoms.symbols == "H")[:3]]]
    write(tmp_path / "bare.extxyz", bare)
    with pytest.raises(
        InputError, match=r"bare\.extxyz lacks hydrogen at 3 of its C and N atoms, needs it at 0: atoms"
    ):
        cut_layer(tmp_path / "bare.extxyz", thickness_A=13, lateral_A=(26, 26))


def test_metals_and_oxygens_short_of_ligands_are_named(mof5: Path, tmp_path: Path) -> None:
    atoms = read_structure(mof5)
    zinc = int(np.flatnonzero(atoms.symbols == "Zn")[0])
    distances_A = atoms.get_distances(zinc, range(len(atoms)), mic=True)
    oxide = next(n for n in np.argsort(distances_A) if atoms.symbols[n] == "O" and abs(distances_A[n] - 1.945) < 0.003)
    write(tmp_path / "open.extxyz", atoms[[n for n in range(len(atoms)) if n != oxide]])
    layer = cut_layer(tmp_path / "open.extxyz", thickness_A=MOF5_A, lateral_A=(26, 26))
    assert "4 Zn with 3 ligands, fewer than 4" in layer.notes


def test_partly_occupied_sites_are_refused(tmp_path: Path) -> None:
    text = """data_x
_cell_length_a 10
_cell_length_b 10
_cell_length_c 10
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Zn1 Zn 0 0 0 1.0
O1 O 0.2 0 0 0.5
"""
    (tmp_path / "partial.cif").write_text(text)
    with pytest.raises(InputError, match=r"partial\.cif is disordered: site .*0\.5"):
        cut_layer(tmp_path / "partial.cif", thickness_A=5, lateral_A=(10, 10))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"thickness_A": 0}, "thickness_A is 0"),
        (
            {"lateral_A": (30.0, 26.0)},
            r"layer \(mof5\.extxyz\) would be strained by \+15\.9 % .* 25\.88 or 51\.77 Å along x",
        ),
        ({"facet": (0, 0, 0)}, "miller is"),
        ({"facet": (11, 9, 7)}, r"facet is \(11, 9, 7\), needs indices up to about 3"),
    ],
)
def test_impossible_cuts_are_refused(mof5: Path, settings: dict[str, object], said: str) -> None:
    request: dict[str, object] = {"thickness_A": 13.0, "lateral_A": (26.0, 26.0)} | settings
    with pytest.raises(InputError, match=said):
        cut_layer(mof5, **request)  # type: ignore[arg-type]


@pytest.mark.parametrize("facet", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (0, -1, 2), (-2, 0, 2), (3, 1, 2)])
def test_bases_of_lattice_planes(facet: tuple[int, int, int]) -> None:
    lattice_A = np.array([[4.0, 0, 0], [0.7, 5.1, 0], [-0.4, 1.3, 6.2]])
    basis = find_plane_basis(facet, cell_A=lattice_A)
    assert round(np.linalg.det(basis)) == 1
    normal = np.linalg.inv(lattice_A) @ np.array(facet)  # of the reciprocal lattice
    along_A = basis @ lattice_A @ normal
    np.testing.assert_allclose(along_A, [0, 0, math.gcd(*facet)], rtol=0, atol=1e-9)
