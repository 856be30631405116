import dataclasses
import json

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from structures.alloy import ALLOYS
from structures.burgers_vector import read_burgers_vector
from structures.checks import compute_smallest_distance
from structures.dislocation import DipoleGeometry, build_dislocation_dipole
from structures.errors import InputError

RECORD = ALLOYS["M-BiSnSb"]


def test_control_has_the_same_cell_atoms_and_decoration() -> None:
    dipole = build_dislocation_dipole(RECORD, repeats=(10, 4, 2), seed=3)
    np.testing.assert_array_equal(dipole.perfect.cell.array, dipole.defective.cell.array)
    np.testing.assert_array_equal(dipole.perfect.numbers, dipole.defective.numbers)
    assert len(dipole.perfect) == 12 * 10 * 4 * 2
    assert dict(dipole.perfect.symbols.formula.count()) == {"Bi": 320, "Sb": 320, "Sn": 320}


def test_same_order_means_atoms_moved_little() -> None:
    dipole = build_dislocation_dipole(RECORD, repeats=(12, 4, 1), seed=0)
    fractions = dipole.defective.get_scaled_positions() - dipole.perfect.get_scaled_positions()
    moved = (fractions - np.round(fractions)) @ dipole.perfect.cell.array
    assert np.linalg.norm(moved, axis=1).max() < RECORD.a_A


def test_control_is_a_sheared_crystal() -> None:
    dipole = build_dislocation_dipole(RECORD, repeats=(12, 4, 1), seed=0)
    tilt = dipole.perfect.cell.array[1, 0]
    assert abs(tilt) == pytest.approx(RECORD.a_A / 2)
    assert dipole.geometry.control_shear_strain == pytest.approx(tilt / (4 * RECORD.c_A))
    near = neighbor_list("i", dipole.perfect, 4.0)
    assert len(near) == 6 * len(dipole.perfect)


def test_quadrupole_leaves_its_control_unstrained() -> None:
    dipole = build_dislocation_dipole(RECORD, repeats=(8, 6, 1), seed=0, arrangement="quadrupole")
    assert dipole.geometry.control_shear_strain == pytest.approx(0, abs=1e-9)
    assert dipole.geometry.core_signs == (1, -1, -1, 1)
    assert dipole.perfect.cell.angles() == pytest.approx([90, 90, 90])


def test_slip_planes_lie_between_bilayers() -> None:
    dipole = build_dislocation_dipole(RECORD, repeats=(8, 5, 1), seed=0)
    heights = dipole.perfect.positions[:, 1] / RECORD.c_A
    plane = dipole.geometry.core_positions_A[0][1] / RECORD.c_A
    widest = (2 / 3 - 2 * RECORD.z) / 2
    assert np.abs(heights - plane).min() == pytest.approx(widest, rel=1e-6)


def test_no_overlap_before_relaxation() -> None:
    dipole = build_dislocation_dipole(RECORD, repeats=(12, 4, 1), seed=0)
    assert compute_smallest_distance(dipole.defective)[0] > 2.3  # of 2.99 in the perfect crystal


def test_along_the_line_the_crystal_repeats() -> None:
    thin = build_dislocation_dipole(RECORD, repeats=(8, 3, 1), seed=0).defective
    thick = build_dislocation_dipole(RECORD, repeats=(8, 3, 2), seed=0).defective
    np.testing.assert_allclose(thick.positions[: len(thin), :2], thin.positions[:, :2], atol=1e-9)


def test_geometry_survives_json() -> None:
    geometry = build_dislocation_dipole(RECORD, repeats=(8, 3, 1), seed=0).geometry
    assert DipoleGeometry.from_json(json.loads(json.dumps(geometry.to_json()))) == geometry


def test_bond_vectors_span_the_burgers_vector() -> None:
    geometry = build_dislocation_dipole(RECORD, repeats=(8, 3, 1), seed=0).geometry
    steps = np.linalg.solve(np.array(geometry.bond_vectors_A).T, geometry.burgers_vector_A)
    np.testing.assert_allclose(steps, [-1, 1, 0], atol=1e-12)


@pytest.mark.parametrize(("repeats", "message"), [((4, 3, 1), "too small for the cores"), ((8, 0, 1), "whole numbers")])
def test_small_cells_are_refused(repeats: tuple[int, int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_dislocation_dipole(RECORD, repeats=repeats, seed=0)


@pytest.mark.parametrize(
    ("text", "vector"),
    [
        ("1/3[11-20]", [1, 1, 0]),
        ("1/3 [2 -1 -1 0]", [1, 0, 0]),
        ("1/3<10-11>", [2 / 3, 1 / 3, 1 / 3]),
        ("[0001]", [0, 0, 1]),
        ("1/3[11\u221220]", [1, 1, 0]),
    ],
)
def test_reading_burgers_vectors(text: str, vector: list[float]) -> None:
    np.testing.assert_allclose(read_burgers_vector(text), vector, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1/3[10-10]", "no lattice vector of R-3m"),
        ("1/2[11-20]", "no lattice vector of R-3m"),
        ("1/3[0001]", "no lattice vector of R-3m"),
        ("[0000]", "not all zero"),
        ("1/3[1120]", "write t = -2"),
        ("b", "not of the form"),
        ("1/0[11-20]", "not of the form"),
        ("1/3[10-11]", "only the basal"),
        ("2/3[11-20]", "only the basal"),
    ],
)
def test_wrong_burgers_vectors_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_dislocation_dipole(RECORD, repeats=(8, 3, 1), seed=0, burgers_vector=text)


def test_any_basal_variant_gives_the_same_cell() -> None:
    first = build_dislocation_dipole(RECORD, repeats=(8, 3, 1), seed=0)
    second = build_dislocation_dipole(RECORD, repeats=(8, 3, 1), seed=0, burgers_vector="1/3[2-1-10]")
    np.testing.assert_array_equal(first.defective.positions, second.defective.positions)
    assert dataclasses.replace(second.geometry, burgers_vector="1/3[11-20]") == first.geometry
