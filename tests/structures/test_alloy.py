import math

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from structures.alloy import ALLOYS, build_alloy, build_rotated_alloy, resolve_alloy
from structures.decoration import compute_composition, compute_counts, decorate
from structures.errors import InputError


def test_published_lattices() -> None:
    record = resolve_alloy("M-BiSnSb")
    assert (record.a_A, record.c_A, record.estimated) == (4.4073, 11.7094, False)
    assert ALLOYS["S-BiSnSb"].a_A == 4.5327
    assert "estimated" in ALLOYS["BiSnSbZn"].source


def test_estimate_recovers_bismuth_within_a_percent() -> None:
    estimate = resolve_alloy({"Bi": 3})
    assert estimate.a_A == pytest.approx(4.546, rel=0.01)
    assert estimate.c_A == pytest.approx(11.862, rel=0.01)
    assert estimate.composition == {"Bi": 1.0}


def test_users_lattice_wins() -> None:
    record = resolve_alloy("BiSbPb", a_A=4.6, c_A=11.9, z=0.25)
    assert (record.a_A, record.c_A, record.z, record.estimated) == (4.6, 11.9, 0.25, False)
    assert "given by the user" in record.source


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("M-BiSnSB", "did you mean 'M-BiSnSb'"),
        ({"Bi": 1, "Fe": 1}, "'Fe' has no place"),
        ({"Bi": 0.0}, "share of Bi is 0.0"),
        ({"Bi": float("nan")}, "share of Bi is nan"),
        ({}, "composition is empty"),
    ],
)
def test_unknown_alloys_are_refused(name: str | dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_alloy(name)


@pytest.mark.parametrize(("key", "value"), [("a_A", 0.0), ("c_A", -11.0), ("z", 0.5)])
def test_lattices_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{key} of M-BiSnSb is {value}"):
        resolve_alloy("M-BiSnSb", **{key: value})


@pytest.mark.parametrize("repeats", [(0, 1, 1), (1, -2, 1), (1, 1, 1.5)])
def test_repeats_out_of_range_are_refused(repeats: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="whole numbers of cells"):
        build_alloy(ALLOYS["Bi"], repeats=repeats)


def test_bond_lengths_are_those_of_a7() -> None:
    record = ALLOYS["Bi"]
    distances = np.sort(neighbor_list("d", build_alloy(record), 3.9))
    flat = record.a_A / math.sqrt(3)
    near = math.hypot(flat, (2 * record.z - 1 / 3) * record.c_A)
    far = math.hypot(flat, (2 / 3 - 2 * record.z) * record.c_A)
    np.testing.assert_allclose(distances, np.repeat([near, far], 18), rtol=1e-12)


def test_rotated_cell_is_the_same_crystal() -> None:
    record = ALLOYS["M-BiSnSb"]
    hexagonal = build_alloy(record, repeats=(2, 1, 1))
    rotated = build_rotated_alloy(record)
    assert rotated.cell.volume == pytest.approx(hexagonal.cell.volume)
    for cutoff in (4.0, 5.0, 7.0):
        np.testing.assert_allclose(
            np.sort(neighbor_list("d", rotated, cutoff)), np.sort(neighbor_list("d", hexagonal, cutoff)), rtol=1e-9
        )


def test_rotated_axes() -> None:
    record = ALLOYS["M-BiSnSb"]
    atoms = build_rotated_alloy(record, repeats=(3, 2, 1))
    np.testing.assert_allclose(
        atoms.cell.array, np.diag([3 * record.a_A, 2 * record.c_A, math.sqrt(3) * record.a_A]), rtol=1e-12
    )
    assert len(atoms) == 72
    assert set(atoms.arrays["region"]) == {"alloy"}


def test_stoichiometry_is_exact() -> None:
    atoms = build_rotated_alloy(ALLOYS["M-BiSnSb"], repeats=(2, 1, 1), seed=5)
    assert dict(atoms.symbols.formula.count()) == {"Bi": 8, "Sb": 8, "Sn": 8}
    assert compute_composition(atoms) == pytest.approx({"Sn": 1 / 3, "Sb": 1 / 3, "Bi": 1 / 3})


@pytest.mark.parametrize("n_sites", [10, 11, 97])
def test_largest_remainder(n_sites: int) -> None:
    composition = {"Bi": 5, "Sb": 3, "Sn": 1.7}
    counts = compute_counts(composition, n_sites=n_sites)
    assert sum(counts.values()) == n_sites
    for element, share in composition.items():
        assert abs(counts[element] - n_sites * share / 9.7) < 1


def test_too_few_sites_are_refused() -> None:
    with pytest.raises(InputError, match="leave no atom of Zn"):
        compute_counts({"Bi": 100, "Zn": 1}, n_sites=12)


def test_decoration_depends_on_the_seed_alone() -> None:
    atoms = build_rotated_alloy(ALLOYS["M-BiSnSb"], repeats=(3, 2, 1))
    composition = ALLOYS["M-BiSnSb"].composition
    first = decorate(atoms, composition=composition, seed=1)
    moved = atoms.copy()
    moved.rattle(0.1, seed=0)
    np.testing.assert_array_equal(first.numbers, decorate(moved, composition=composition, seed=1).numbers)
    assert (first.numbers != decorate(atoms, composition=composition, seed=2).numbers).any()


def test_decoration_is_random() -> None:
    atoms = build_rotated_alloy(ALLOYS["M-BiSnSb"], repeats=(10, 4, 3), seed=0)
    first, second = neighbor_list("ij", atoms, 3.7)
    like = np.mean(atoms.numbers[first] == atoms.numbers[second])
    assert like == pytest.approx(1 / 3, abs=0.02)
