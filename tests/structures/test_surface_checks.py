"""What surfaces with adsorbates are refused for, and the lateral cell that an adsorbate needs."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.lattice.hexagonal import Graphite
from hypothesis import given, settings
from hypothesis import strategies as st

from structures.errors import InputError
from structures.surface import Surface
from structures.surface_checks import check_crystal, check_surface, choose_repeats, compute_image_distance
from structures.surface_library import build_substrate


def put_on(surface: Surface, *, adsorbate: Atoms, height_A: float) -> Atoms:
    placed = adsorbate.copy()
    placed.positions[:, :2] += surface.atoms.cell.array[:2, :2].sum(axis=0) / 2 - placed.positions[:, :2].mean(axis=0)
    placed.positions[:, 2] += surface.atoms.positions[:, 2].max() + height_A - placed.positions[:, 2].min()
    return placed


def test_a_molecule_on_a_wide_surface_passes() -> None:
    surface = build_substrate("Cu(111)", repeats=(3, 3))
    check_surface(surface, adsorbate=put_on(surface, adsorbate=molecule("CO"), height_A=2.0))


def test_a_molecule_that_uses_up_the_vacuum_is_refused() -> None:
    surface = build_substrate("Cu(111)", repeats=(3, 3), vacuum_A=8.0)
    check_surface(surface)
    with pytest.raises(InputError, match=r"leaves 4\.8 Å of vacuum, needs at least 6 Å .*Raise vacuum_A from 8 Å"):
        check_surface(surface, adsorbate=put_on(surface, adsorbate=molecule("CO"), height_A=2.0))


def test_a_molecule_outside_of_the_cell_is_refused() -> None:
    surface = build_substrate("Cu(111)", repeats=(3, 3), vacuum_A=20.0)
    with pytest.raises(InputError, match="all atoms inside"):
        check_surface(surface, adsorbate=put_on(surface, adsorbate=molecule("CO"), height_A=9.5))


def test_a_molecule_in_the_surface_is_refused() -> None:
    surface = build_substrate("Li(001)", repeats=(3, 3))
    top = surface.atoms.positions[-1]
    with pytest.raises(InputError, match=r"0\.30 Å apart"):
        check_surface(surface, adsorbate=Atoms("H", positions=[top + np.array([0, 0, 0.3])]))


def test_a_molecule_wider_than_the_cell_is_refused_with_the_repeats_that_do() -> None:
    surface = build_substrate("Cu(111)", repeats=(2, 2))
    benzene = put_on(surface, adsorbate=molecule("C6H6"), height_A=3.0)
    with pytest.raises(InputError, match=r"5\.0 Å wide, .*own image on Cu\(111\).*Take repeats: \(4, 4\)"):
        check_surface(surface, adsorbate=benzene)
    larger = build_substrate("Cu(111)", repeats=(4, 4))
    check_surface(larger, adsorbate=put_on(larger, adsorbate=molecule("C6H6"), height_A=3.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_layers": 0}, "n_layers is 0"),
        ({"fixed_layers": 7}, "fixed_layers is 7"),
        ({"repeats": (0, 1)}, "repeats is"),
    ],
)
def test_a_surface_made_by_hand_is_checked_too(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_surface(replace(build_substrate("Li(001)"), **change))


def test_a_crystal_fills_its_cell() -> None:
    for name in ("Li", "Cs", "C", "NaCl"):
        crystal = bulk(name, "rocksalt", a=5.64) if name == "NaCl" else bulk(name)
        check_crystal(crystal, name=name)
    check_crystal(Graphite("C", latticeconstant=(2.46, 6.71)), name="graphite")
    slab = fcc111("Cu", (1, 1, 3), vacuum=8, periodic=True)
    slab.positions[:, 2] += 7  # in two pieces, above and below the boundary
    slab.wrap()
    with pytest.raises(InputError, match=r"mine: its cell has a gap of 16\.0 Å without atoms along axis c, limit 5 Å"):
        check_crystal(slab, name="mine")
    water = molecule("H2O", vacuum=4.0, pbc=True)
    with pytest.raises(InputError, match=r"gap of 8\.\d Å"):
        check_crystal(water, name="mine")


def test_atoms_on_top_of_each_other_are_refused() -> None:
    surface = build_substrate("Li(001)", repeats=(2, 2))
    surface.atoms.positions[1] = surface.atoms.positions[0] + 0.1
    with pytest.raises(InputError, match=r"0\.17 Å apart"):
        check_surface(surface)


def test_image_distance_of_a_single_atom_is_the_shortest_vector() -> None:
    lateral_A = np.array([[3.0, 0, 0], [5.5, 2.0, 0]])  # its shortest vector is the second less twice the first
    assert compute_image_distance(Atoms("H"), lateral_A=lateral_A) == pytest.approx(math.hypot(0.5, 2), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(2, 6),
    st.floats(2, 6),
    st.floats(35, 145),
    st.floats(0, 9),
    st.floats(0.5, 5),
)
def test_repeats_are_the_smallest_that_keep_all_images_away(
    a_A: float, b_A: float, angle_deg: float, extent_A: float, clearance_A: float
) -> None:
    angle = math.radians(angle_deg)
    cell = np.array([[a_A, 0], [b_A * math.cos(angle), b_A * math.sin(angle)]])
    chosen = choose_repeats(cell, extent_A=extent_A, clearance_A=clearance_A)
    needed_A = extent_A + clearance_A
    assert _find_nearest_image(cell, repeats=chosen) >= needed_A - 1e-5
    for first, second in itertools.product(range(1, chosen[0] * chosen[1] + 1), repeat=2):
        if first * second < chosen[0] * chosen[1]:
            assert _find_nearest_image(cell, repeats=(first, second)) < needed_A


def _find_nearest_image(cell: np.ndarray, *, repeats: tuple[int, int]) -> float:
    """By trial of all images around."""
    shifts = [np.array(n) for n in itertools.product(range(-8, 9), repeat=2) if any(n)]
    return min(float(np.linalg.norm((n * repeats) @ cell)) for n in shifts)


def test_repeats_of_a_hexagonal_cell() -> None:
    copper = build_substrate("Cu(111)")
    edge_A = 3.615 / math.sqrt(2)
    assert choose_repeats(copper, extent_A=0.0, clearance_A=edge_A) == (1, 1)
    assert choose_repeats(copper, extent_A=4.97, clearance_A=5.0) == (4, 4)
    assert choose_repeats(copper, extent_A=4 * edge_A - 1, clearance_A=1.01) == (5, 5)


def test_repeats_of_a_long_cell_widen_its_short_side() -> None:
    assert choose_repeats(np.diag([3.0, 12.0, 20.0]), extent_A=8.0, clearance_A=3.5) == (4, 1)


def test_of_equal_areas_the_one_with_farther_images_wins() -> None:
    angle = math.radians(136)
    skew = np.array([[3.4, 0.0], [4.3 * math.cos(angle), 4.3 * math.sin(angle)]])
    both = {repeats: _find_nearest_image(skew, repeats=repeats) for repeats in [(2, 3), (3, 2)]}
    assert both == {(2, 3): pytest.approx(6.8, rel=1e-9), (3, 2): pytest.approx(7.197, rel=1e-3)}
    assert choose_repeats(skew, extent_A=4.0, clearance_A=2.5) == (3, 2)


def test_repeats_count_from_the_surface_as_it_is() -> None:
    assert choose_repeats(build_substrate("Cu(111)", repeats=(2, 2)), extent_A=4.97, clearance_A=5.0) == (2, 2)


@pytest.mark.parametrize(("extent_A", "clearance_A"), [(-1.0, 5.0), (1.0, -1.0), (0.0, 0.0), (math.nan, 1.0)])
def test_lengths_that_are_none_are_refused(extent_A: float, clearance_A: float) -> None:
    with pytest.raises(InputError, match="needs lengths in Å"):
        choose_repeats(build_substrate("Cu(111)"), extent_A=extent_A, clearance_A=clearance_A)
