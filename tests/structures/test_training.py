"""Training configurations: every kind builds, is seeded, holds together, and shows what its name says."""

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from structures.errors import InputError
from structures.training import KINDS, TrainingConfiguration, build_training_set

CHEAP = [kind for kind in KINDS if "dislocation" not in kind]


def smallest_distance(atoms: Atoms) -> float:
    return float(neighbor_list("d", atoms, 4.6).min())


@pytest.fixture(scope="module")
def one_of_each() -> dict[str, TrainingConfiguration]:
    return {c.kind: c for c in build_training_set(dict.fromkeys(KINDS, 1), seed=3)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_small_sound_periodic_cell(one_of_each: dict[str, TrainingConfiguration], kind: str) -> None:
    configuration = one_of_each[kind]
    atoms = configuration.atoms
    assert configuration.name == f"{kind}-00"
    assert 24 <= len(atoms) <= 320
    assert atoms.pbc.all()
    assert set(atoms.arrays) == {"numbers", "positions"}
    assert set(atoms.symbols) <= {"K", "Bi", "Sb", "Sn"}
    assert np.allclose(atoms.cell.array, np.tril(atoms.cell.array))
    assert smallest_distance(atoms) > 1.6
    low, high = sorted(configuration.temperatures_K)
    assert 20 <= low <= high <= 1200


@pytest.mark.parametrize("kind", CHEAP)
def test_a_configuration_does_not_depend_on_how_many_others_there_are(kind: str) -> None:
    alone = build_training_set({kind: 2}, seed=5)[1]
    among_others = next(c for c in build_training_set({"melt": 1, kind: 3}, seed=5) if c.name == alone.name)
    np.testing.assert_array_equal(alone.atoms.numbers, among_others.atoms.numbers)
    np.testing.assert_array_equal(alone.atoms.positions, among_others.atoms.positions)


@pytest.mark.parametrize("kind", ["alloy", "strained", "melt", "mixture", "intercalated", "interface", "close_contact"])
def test_another_seed_gives_another_configuration(kind: str) -> None:
    one, other = (build_training_set({kind: 2}, seed=seed)[1].atoms for seed in (5, 6))
    same_numbers = len(one) == len(other) and np.array_equal(one.numbers, other.numbers)
    assert not (same_numbers and np.allclose(one.positions, other.positions))


def test_mixtures_spread_over_the_whole_range_of_potassium() -> None:
    shares = [
        c.atoms.get_chemical_symbols().count("K") / len(c.atoms) for c in build_training_set({"mixture": 18}, seed=1)
    ]
    assert min(shares) < 0.1
    assert max(shares) > 0.88
    assert np.diff(sorted(shares)).max() < 0.15


def test_elements_take_turns() -> None:
    symbols = [c.atoms.get_chemical_symbols()[0] for c in build_training_set({"element": 3}, seed=1)]
    assert symbols == ["Bi", "Sb", "Sn"]


def test_close_contacts_are_closer_than_anything_else_and_do_not_move() -> None:
    contacts = build_training_set({"close_contact": 4}, seed=2)
    assert all(smallest_distance(c.atoms) < 2.7 for c in contacts)
    assert not any(c.dynamics for c in contacts)


def test_interfaces_have_potassium_above_the_alloy() -> None:
    for configuration in build_training_set({"interface": 3}, seed=4):
        atoms = configuration.atoms
        is_potassium = atoms.symbols == "K"
        assert atoms.positions[is_potassium, 2].min() > np.quantile(atoms.positions[~is_potassium, 2], 0.95)


def test_axial_strain_changes_the_axial_ratio_far_beyond_what_heat_does() -> None:
    cells = [c.atoms.cell.lengths() for c in build_training_set({"axial_strain": 6}, seed=1)]
    ratios = [c_A / a_A for a_A, _, c_A in cells]
    unstrained = 11.7094 / (3 * 4.4073)
    assert min(ratios) < 0.75 * unstrained
    assert max(ratios) > 1.1 * unstrained


def test_cold_slabs_are_bare_or_covered_and_have_free_faces() -> None:
    bare, covered = (c.atoms for c in build_training_set({"slab": 2}, seed=1))
    assert "K" not in set(bare.symbols)
    assert "K" in set(covered.symbols)
    assert bare.cell.lengths()[2] - np.ptp(bare.positions[:, 2]) > 7.5


def test_only_free_cells_are_free() -> None:
    configurations = build_training_set({"crystal": 1, "free_cell": 1}, seed=1)
    assert [c.free_cell for c in configurations] == [False, True]


def test_larger_size_makes_larger_mixtures() -> None:
    small, large = (build_training_set({"mixture": 1}, seed=1, size=size)[0].atoms for size in (1, 2))
    assert len(large) == 2 * len(small)


def test_another_set_of_elements() -> None:
    for configuration in build_training_set(dict.fromkeys(CHEAP, 2), seed=1, elements=("Bi", "Pb")):
        assert set(configuration.atoms.symbols) <= {"K", "Bi", "Pb"}


def test_dislocation_cells_with_potassium_have_it_at_the_cores(one_of_each: dict[str, TrainingConfiguration]) -> None:
    bare, filled = one_of_each["dislocation"].atoms, one_of_each["dislocation_potassium"].atoms
    assert "K" not in set(bare.symbols)
    assert list(filled.symbols).count("K") == 4


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"aloy": 1}, r"'aloy' is no kind of configuration, needs one of alloy"),
        ({"alloy": -1}, r"is -1, needs 0 or more"),
    ],
)
def test_wrong_counts_are_refused(counts: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_training_set(counts, seed=1)
