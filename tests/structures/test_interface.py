import io
import re
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from structures.alloy import ALLOYS, build_alloy, build_rotated_alloy, resolve_alloy
from structures.checks import compute_smallest_distance
from structures.dislocation import Arrangement, build_dislocation_dipole
from structures.errors import InputError
from structures.interface import build_contact_cell
from structures.metal import build_potassium
from structures.metal_match import build_fitted_metal, compute_best_match

RECORD = ALLOYS["M-BiSnSb"]


@pytest.fixture(scope="module")
def alloy() -> Atoms:
    return build_dislocation_dipole(RECORD, repeats=(8, 4, 3), seed=0).defective


def strained_lattice(turn_deg: float, strain: NDArray[np.float64]) -> NDArray[np.float64]:
    """A lateral cell made of a known supercell of K(001), turned and strained."""
    turn = np.radians(turn_deg)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    supercell = np.array([[5, 1], [-2, 6]]) * 5.328
    return np.asarray(supercell @ rotation @ (np.eye(2) + strain), dtype=float)


@pytest.mark.parametrize("turn_deg", [0.0, 23.0, -77.0])
def test_best_match_finds_a_planted_one(turn_deg: float) -> None:
    strain = np.array([[0.004, 0.001], [0.001, -0.003]])
    match = compute_best_match(build_potassium(), lateral_cell_A=strained_lattice(turn_deg, strain), faces=((0, 0, 1),))
    assert match.largest_strain <= np.abs(np.linalg.eigvalsh(strain)).max() + 1e-9
    np.testing.assert_allclose(match.strain, [0.004, -0.003, 0.001], atol=1e-6)


def test_fitted_metal_is_the_crystal_under_that_strain() -> None:
    lateral = strained_lattice(11.0, np.zeros((2, 2)))
    match = compute_best_match(build_potassium(), lateral_cell_A=lateral, faces=((0, 0, 1),))
    metal = build_fitted_metal(build_potassium(), match=match, lateral_cell_A=lateral, thickness_A=15.9)
    assert len(metal) == 32 * 2 * 3
    assert np.ptp(metal.positions[:, 2]) == pytest.approx(2.5 * 5.328)
    distances = neighbor_list("d", metal, 5.0)
    assert distances == pytest.approx(5.328 * 3**0.5 / 2)


def test_regions_order_and_axes(alloy: Atoms) -> None:
    cell = build_contact_cell(alloy, metal=build_potassium(), vacuum_A=15.0)
    regions = cell.atoms.arrays["region"]
    assert (regions[: len(alloy)] != "potassium").all()
    assert (regions[len(alloy) :] == "potassium").all()
    heights = cell.atoms.positions[:, 2]
    assert heights[regions == "anchor"].max() < cell.alloy_bottom_z_A + 5.0
    assert heights[regions != "potassium"].max() < cell.interface_z_A < heights[regions == "potassium"].min()
    assert heights[regions == "potassium"].min() - heights[regions != "potassium"].max() == pytest.approx(3.0)
    assert cell.atoms.cell.array[2, 2] - np.ptp(heights) == pytest.approx(15.0)
    np.testing.assert_allclose(cell.atoms.cell.array[:2], alloy.cell.array[:2], atol=1e-9)
    assert cell.strain_alloy == (0, 0, 0)


def test_alloy_keeps_its_places_along_the_interface(alloy: Atoms) -> None:
    cell = build_contact_cell(alloy, metal=build_potassium())
    shift = cell.atoms.positions[: len(alloy)] - alloy.positions
    fractions = np.linalg.solve(alloy.cell.array.T, shift.T).T[:, :2]
    np.testing.assert_allclose(fractions - np.round(fractions), 0, atol=1e-9)


def test_without_vacuum_the_metal_touches_both_faces(alloy: Atoms) -> None:
    cell = build_contact_cell(alloy, metal=build_potassium(), gap_A=2.8)
    heights = cell.atoms.positions[:, 2]
    assert cell.atoms.cell.array[2, 2] - np.ptp(heights) == pytest.approx(2.8)
    assert "anchor" not in cell.atoms.arrays["region"]
    assert cell.atoms.pbc.all()


def test_tilt_of_the_cell_is_followed(alloy: Atoms) -> None:
    cell = build_contact_cell(alloy, metal=build_potassium(), vacuum_A=15.0)
    metal = cell.atoms[cell.atoms.arrays["region"] == "potassium"]
    assert compute_smallest_distance(metal)[0] > 4.3
    counts = np.bincount(neighbor_list("i", metal, 5.0), minlength=len(metal))
    middle = np.abs(metal.positions[:, 2] - metal.positions[:, 2].mean()) < 4
    assert (counts[middle] == 8).all()
    assert max(np.abs(cell.strain_metal)) <= cell.match.largest_strain <= 0.05


@pytest.mark.parametrize("vacuum_A", [0.0, 15.0])
@pytest.mark.parametrize(
    ("alloy_name", "arrangement", "repeats"),
    [
        ("M-BiSnSb", "dipole", (8, 3, 2)),
        ("M-BiSnSb", "quadrupole", (8, 4, 3)),
        ("M-BiSnSb", "quadrupole", (9, 5, 3)),
        ("M-BiSnSb", "quadrupole", (12, 6, 4)),
        ("S-BiSnSb", "quadrupole", (6, 6, 3)),
        ("Bi", "quadrupole", (12, 6, 2)),
        ("Sb", "dipole", (12, 6, 2)),
    ],
)
def test_dislocation_and_control_differ_in_the_dislocations_alone(
    alloy_name: str, arrangement: Arrangement, repeats: tuple[int, int, int], vacuum_A: float
) -> None:
    dipole = build_dislocation_dipole(resolve_alloy(alloy_name), repeats=repeats, seed=0, arrangement=arrangement)
    dislocated, control = (
        build_contact_cell(atoms, metal=build_potassium(), reference=dipole.perfect, vacuum_A=vacuum_A, max_strain=0.1)
        for atoms in (dipole.defective, dipole.perfect)
    )
    for name in ("region", "numbers"):
        np.testing.assert_array_equal(dislocated.atoms.arrays[name], control.atoms.arrays[name])
    np.testing.assert_allclose(dislocated.atoms.cell.array, control.atoms.cell.array, atol=1e-9)
    assert dislocated.interface_z_A == pytest.approx(control.interface_z_A)
    assert dislocated.alloy_bottom_z_A == pytest.approx(control.alloy_bottom_z_A)
    shift_z_A = (dislocated.atoms.positions - control.atoms.positions)[:, 2]
    assert (np.abs(shift_z_A) < 1.0).all()  # no atom has changed sides, far below a layer's period
    is_potassium = control.atoms.arrays["region"] == "potassium"
    np.testing.assert_allclose(
        dislocated.atoms.positions[is_potassium], control.atoms.positions[is_potassium], atol=1e-9
    )


def test_a_reference_of_another_cell_is_refused(alloy: Atoms) -> None:
    other = alloy.copy()
    other.set_cell(alloy.cell.array * 1.01)
    with pytest.raises(InputError, match="give the same cell without defects"):
        build_contact_cell(alloy, metal=build_potassium(), reference=other)


def test_extended_xyz_round_trip(alloy: Atoms) -> None:
    cell = build_contact_cell(alloy, metal=build_potassium(), vacuum_A=15.0)
    stream = io.StringIO()
    write(stream, cell.atoms, format="extxyz")
    stream.seek(0)
    back = read(stream, format="extxyz")
    np.testing.assert_array_equal(back.arrays["region"], cell.atoms.arrays["region"])
    np.testing.assert_allclose(back.cell.array, cell.atoms.cell.array, atol=1e-7)
    assert set(back.arrays) == {"numbers", "positions", "region"}


def test_users_own_sides() -> None:
    slab = bulk("Cu", cubic=True).repeat((6, 6, 4))
    slab.center(vacuum=10.0, axis=2)
    cell = build_contact_cell(slab, metal=bulk("Na", cubic=True), max_strain=0.08)
    assert set(cell.atoms.get_chemical_symbols()) == {"Cu", "Na"}
    bottom = cell.atoms.positions[cell.atoms.numbers == 29, 2]
    assert np.ptp(bottom) == pytest.approx(3.5 * 3.61)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gap_A": 0.0}, "gap_A is 0.0"),
        ({"metal_thickness_A": -3.0}, "metal_thickness_A is -3.0"),
        ({"vacuum_A": 3.0}, "vacuum_A is 3.0"),
        ({"vacuum_A": 15.0, "anchor_thickness_A": 99.0}, "anchor_thickness_A is 99.0"),
        ({"max_strain": 1e-5}, "limit 0.0 %"),
        ({"max_strain": float("nan")}, "max_strain is nan"),
    ],
)
def test_wrong_numbers_are_refused(alloy: Atoms, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_contact_cell(alloy, metal=build_potassium(), **arguments)


def test_overlap_in_the_users_alloy_is_refused() -> None:
    alloy = build_rotated_alloy(RECORD, repeats=(8, 4, 3), seed=0)
    alloy.positions[5] = alloy.positions[6] + [0, 0, 0.4]
    with pytest.raises(InputError, match=r"0\.40 Å apart"):
        build_contact_cell(alloy, metal=build_potassium())


def test_leaning_cells_are_refused() -> None:
    alloy = build_rotated_alloy(RECORD, repeats=(8, 4, 3), seed=0)
    alloy.set_cell(alloy.cell.array + np.array([[0, 0, 0], [0, 0, 0], [2, 0, 0]]), scale_atoms=True)
    with pytest.raises(InputError, match="leans by"):
        build_contact_cell(alloy, metal=build_potassium())


@pytest.mark.parametrize(("axis", "which"), [(0, "first"), (1, "second")])
def test_a_vacuum_along_the_interface_is_refused(axis: int, which: str) -> None:
    alloy = build_rotated_alloy(RECORD, repeats=(8, 4, 3), seed=0)
    span_A = np.ptp(alloy.positions[:, axis])
    cell = alloy.cell.array
    cell[axis, axis] = span_A + 16.0
    alloy.set_cell(cell)
    with pytest.raises(InputError, match=rf"empty over 16\.0 Å along its {which} cell vector, needs at most 6 Å"):
        build_contact_cell(alloy, metal=build_potassium(), max_strain=0.2)
    cell[axis, axis] = span_A + 5.9
    alloy.set_cell(cell)
    assert build_contact_cell(alloy, metal=build_potassium(), max_strain=0.2).atoms.cell.array[axis, axis] > span_A


def test_a_vacuum_along_a_slanted_interface_is_measured_along_its_normal() -> None:
    alloy = build_alloy(ALLOYS["Bi"], repeats=(6, 6, 2))
    alloy.set_cell(alloy.cell.array * np.array([[1], [2], [1]]))
    # Six cells of height a √3/2 are filled and six empty; atoms lie a third of a cell apart.
    empty_A = (6 + 1 / 3) * ALLOYS["Bi"].a_A * 3**0.5 / 2
    with pytest.raises(InputError, match=rf"empty over {empty_A:.1f} Å along its second cell vector"):
        build_contact_cell(alloy, metal=build_potassium())


def test_a_cell_that_does_not_fit_is_refused_with_a_size_that_does() -> None:
    hexagonal = build_alloy(ALLOYS["Bi"], repeats=(1, 1, 2))
    metal = build_potassium()
    with pytest.raises(
        InputError, match=r"to fit the alloy's 4\.5 x 4\.5 Å at (60|120)°, limit 6\.0 %; make"
    ) as caught:
        build_contact_cell(hexagonal, metal=metal, max_strain=0.06)
    found = re.search(r"make the alloy (\d) x (\d) times as large .* \((\d\.\d) %\)", str(caught.value))
    assert found is not None
    cell = build_contact_cell(hexagonal * (int(found[1]), int(found[2]), 1), metal=metal, max_strain=0.06)
    assert f"{100 * cell.match.largest_strain:.1f}" == found[3]


def test_empty_alloy_is_refused() -> None:
    with pytest.raises(InputError, match="0 atoms"):
        build_contact_cell(Atoms(), metal=build_potassium())


def test_cells_smaller_than_the_metal_are_refused() -> None:
    with pytest.raises(InputError, match="the metal"):
        build_contact_cell(build_rotated_alloy(RECORD, repeats=(1, 1, 1), seed=0), metal=build_potassium(a_A=6.5))
