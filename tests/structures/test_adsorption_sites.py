"""Sites of slabs whose number is known, whatever the cell, the turn and the order of the atoms."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bcc100, bcc110, bulk, fcc100, fcc110, fcc111, graphene, hcp0001, surface

from structures.adsorption_sites import Site, find_sites
from structures.errors import InputError
from structures.slab_symmetry import find_slab_symmetry


def open_along_z(slab: Atoms) -> Atoms:
    slab.pbc = (True, True, False)
    return slab


def build_nitride(miller: tuple[int, int, int]) -> Atoms:
    return open_along_z(surface(bulk("TiN", "rocksalt", a=4.24, cubic=True), miller, 2, vacuum=6.0))


SLABS: dict[str, Atoms] = {
    "fcc111": open_along_z(fcc111("Cu", (1, 1, 4), vacuum=6.0)),
    "fcc100": open_along_z(fcc100("Cu", (1, 1, 4), vacuum=6.0)),
    "fcc110": open_along_z(fcc110("Cu", (1, 1, 4), vacuum=6.0)),
    "bcc110": open_along_z(bcc110("Fe", (1, 1, 4), vacuum=6.0)),
    "hcp0001": open_along_z(hcp0001("Ti", (1, 1, 4), vacuum=6.0)),
    "bcc100": open_along_z(bcc100("Fe", (1, 1, 4), vacuum=6.0)),
    "graphene": open_along_z(graphene(vacuum=6.0)),
    "rocksalt001": build_nitride((0, 0, 1)),
    "rocksalt111": build_nitride((1, 1, 1)),
}
# For each primitive cell in the plane: how often each site comes.
EXPECTED: dict[str, dict[str, int]] = {
    "fcc111": {"top": 1, "bridge": 3, "fcc hollow": 1, "hcp hollow": 1},
    "fcc100": {"top": 1, "bridge": 2, "hollow": 1},
    "fcc110": {"top": 1, "short bridge": 1, "long bridge": 1, "hollow": 1},
    "bcc110": {"top": 1, "short bridge": 2, "long bridge": 1, "hollow": 2},
    "hcp0001": {"top": 1, "bridge": 3, "fcc hollow": 1, "hcp hollow": 1},
    "bcc100": {"top": 1, "bridge": 2, "hollow": 1},
    "graphene": {"top": 2, "bridge": 3, "hollow": 1},
    "rocksalt001": {"top N": 1, "top Ti": 1, "bridge N–Ti": 4, "hollow": 2},
    "rocksalt111": {"top": 1, "bridge": 3, "hollow over N": 1, "hollow over Ti": 1},
}
OPERATIONS = {"fcc111": 6, "fcc100": 8, "fcc110": 4, "bcc110": 4, "bcc100": 8, "graphene": 12, "rocksalt001": 8}


def count(sites: list[Site]) -> dict[str, int]:
    return {site.name: site.multiplicity for site in sites}


def count_cells(slab: Atoms) -> int:
    """Primitive cells in the plane."""
    area_A2 = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    primitive_A2 = abs(np.linalg.det(find_slab_symmetry(slab).lattice_A))
    return round(float(area_A2 / primitive_A2))


@pytest.mark.parametrize("name", list(SLABS))
@pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 2, 1), (3, 2, 1)])
def test_known_sites_are_found_in_every_cell(name: str, repeat: tuple[int, int, int]) -> None:
    slab = SLABS[name].repeat(repeat)
    cells = count_cells(slab)
    assert cells == count_cells(SLABS[name]) * repeat[0] * repeat[1]
    assert count(find_sites(slab)) == {key: number * cells for key, number in EXPECTED[name].items()}


@pytest.mark.parametrize(("name", "operations"), list(OPERATIONS.items()))
def test_plane_groups_have_their_order(name: str, operations: int) -> None:
    """p3m1 (6), p4mm (8), p2mm and c2mm (4), p6mm (12)."""
    assert len(find_slab_symmetry(SLABS[name].repeat((3, 2, 1)))) == operations


@pytest.mark.parametrize("name", list(SLABS))
def test_tops_less_bridges_and_hollows_cancel(name: str) -> None:
    """Minima − saddles + maxima of a function on a torus is 0."""
    totals: Counter[str] = Counter()
    for site in find_sites(SLABS[name].repeat((2, 1, 1))):
        totals[site.kind] += site.multiplicity
    assert totals["top"] - totals["bridge"] + totals["hollow"] == 0


@pytest.mark.parametrize("name", ["fcc111", "bcc110", "rocksalt111", "graphene"])
def test_turn_shift_and_order_change_nothing(name: str) -> None:
    rng = np.random.default_rng(5)
    slab = SLABS[name].repeat((3, 2, 1))
    turned = slab[rng.permutation(len(slab))]
    turned.rotate(37.0, "z", rotate_cell=True)
    turned.positions += (1.3, -0.7, 0.4)
    turned.wrap()
    assert count(find_sites(turned)) == count(find_sites(slab))


def test_other_cells_of_one_slab_have_the_same_sites() -> None:
    slab = SLABS["fcc111"].repeat((2, 2, 1))
    slab.set_cell([slab.cell[0], slab.cell[1] + 2 * slab.cell[0], slab.cell[2]])
    assert count(find_sites(slab)) == {key: 4 * number for key, number in EXPECTED["fcc111"].items()}


def test_small_noise_makes_no_new_sites_and_large_noise_does() -> None:
    rng = np.random.default_rng(2)
    slab = SLABS["fcc100"].repeat((2, 2, 1))
    slab.positions += rng.uniform(-0.01, 0.01, size=slab.positions.shape)
    assert count(find_sites(slab)) == {"top": 4, "bridge": 8, "hollow": 4}
    slab.positions += rng.uniform(-0.2, 0.2, size=slab.positions.shape)
    assert len(find_sites(slab)) > 3


def test_an_atom_below_breaks_the_symmetry_above() -> None:
    slab = SLABS["fcc111"].repeat((2, 2, 1))
    assert len(find_sites(slab)) == 4
    slab.numbers[0] = 28  # in the lowest layer
    assert count_cells(slab) == 1
    sites = find_sites(slab)
    assert len(sites) > 4
    assert sum(site.multiplicity for site in sites) == 4 * 6


@pytest.mark.parametrize(("pattern", "cells"), [("NiCuCuAuNiCuCuAu", 2), ("NiCuCuAuNiCuAuAu", 1)])
def test_elements_take_part_in_the_symmetry(pattern: str, cells: int) -> None:
    """A row of eight atoms, shifted by four: the rarest element alone does not tell."""
    slab = Atoms(pattern, positions=[(2.5 * i, 0, 0) for i in range(8)], cell=(20, 2.5, 0), pbc=(True, True, False))
    assert count_cells(slab) == cells


@pytest.mark.parametrize("seed", range(6))
def test_irregular_layers_have_as_many_bridges_as_tops_and_hollows(seed: int) -> None:
    """Atoms at random, at least 2 Å apart: obtuse triangles have no hollow and their longest side no bridge."""
    rng = np.random.default_rng(seed)
    slab = Atoms(cell=[(14, 0, 0), (3, 12, 0), (0, 0, 0)], pbc=(True, True, False))
    while len(slab) < 9:
        trial = slab + Atoms("Cu", positions=[[*(rng.uniform(size=2) @ slab.cell.array[:2, :2]), 0]])
        if len(trial) == 1 or trial.get_distances(-1, range(len(slab)), mic=True).min() > 2.0:
            slab = trial
    totals: Counter[str] = Counter()
    for site in find_sites(slab):
        totals[site.kind] += site.multiplicity
    assert totals["top"] == 9
    assert totals["top"] - totals["bridge"] + totals["hollow"] == 0


def test_sites_lie_amid_their_neighbours_above_the_right_layer() -> None:
    slab = SLABS["fcc111"].repeat((2, 2, 1))
    nearest_A = slab.cell.lengths()[0] / 2
    expected_A = {"top": 0, "bridge": nearest_A / 2, "hollow": nearest_A / np.sqrt(3)}
    for site in find_sites(slab):
        probe = slab + Atoms("H", positions=[site.position_A])
        distances_A = probe.get_distances(-1, list(site.neighbours), mic=True)
        np.testing.assert_allclose(distances_A, expected_A[site.kind], rtol=0, atol=1e-9)
        assert len(site.neighbours) == {"top": 1, "bridge": 2, "hollow": 3}[site.kind]
        np.testing.assert_array_equal(site.normal, (0, 0, 1))


@pytest.mark.parametrize(("name", "ase_name"), [("fcc hollow", "fcc"), ("hcp hollow", "hcp"), ("bridge", "bridge")])
def test_sites_are_those_of_ase(name: str, ase_name: str) -> None:
    """ASE's own table of positions on fcc(111), up to the symmetry of the slab."""
    slab = fcc111("Cu", (2, 2, 4), vacuum=6.0)
    with_atom = slab.copy()
    add_adsorbate(with_atom, "H", 0.0, ase_name)
    [site] = [site for site in find_sites(open_along_z(slab)) if site.name == name]
    points_A = np.array([site.position_A, with_atom.positions[-1]])
    assert len(set(find_slab_symmetry(slab).label_orbits(points_A, tolerance_A=0.01))) == 1
    others_A = np.array([one.position_A for one in find_sites(slab) if one.name != name] + [with_atom.positions[-1]])
    assert len(set(find_slab_symmetry(slab).label_orbits(others_A, tolerance_A=0.01))) == 4


def test_deeper_atoms_count_if_asked_for() -> None:
    slab = SLABS["fcc110"]
    assert {site.kind for site in find_sites(slab, height_A=1.5)} == {"top", "bridge", "hollow"}
    assert sum(site.multiplicity for site in find_sites(slab, height_A=1.5) if site.kind == "top") == 2


def test_what_is_no_slab_is_refused() -> None:
    slab = SLABS["fcc111"].copy()
    with pytest.raises(InputError, match="height_A is 0"):
        find_sites(slab, height_A=0.0)
    slab.pbc = True
    with pytest.raises(InputError, match=r"needs \(True, True, False\)"):
        find_sites(slab)
    tilted = SLABS["fcc111"].copy()
    tilted.rotate(20.0, "x", rotate_cell=True)
    with pytest.raises(InputError, match="need to span the plane z = 0"):
        find_sites(tilted)
