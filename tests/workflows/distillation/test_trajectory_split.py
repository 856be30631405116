"""Splits keep trajectories whole; errors by kind against numbers worked out by hand."""

import numpy as np
import pytest
from ase import Atoms

from structures.errors import InputError
from workflows.recipes.labelled_frames import Trajectory, with_labels
from workflows.recipes.trajectory_split import compute_kind_errors, split_trajectories


def make(name: str, kind: str, n_frames: int = 2) -> Trajectory:
    atoms = Atoms("K2", positions=[[0, 0, 0], [0, 0, 4.0]], cell=[9.0] * 3, pbc=True)
    frames = [with_labels(atoms, energy_eV=-1.0, forces_eV_per_A=np.array([[0, 0, 1.0], [0, 0, -1.0]]))] * n_frames
    return Trajectory(name, kind, tuple(frames))


def make_set(n_alloy: int, n_melt: int) -> list[Trajectory]:
    return [make(f"alloy-{i}", "alloy") for i in range(n_alloy)] + [make(f"melt-{i}", "melt") for i in range(n_melt)]


def names(trajectories: list[Trajectory]) -> set[str]:
    return {trajectory.name for trajectory in trajectories}


def test_no_trajectory_is_in_both_parts_and_none_is_lost() -> None:
    everything = make_set(10, 7)
    training, held_out = split_trajectories(everything, held_out_fraction=0.2, seed=1)
    assert not names(training) & names(held_out)
    assert names(training) | names(held_out) == names(everything)


def test_the_split_is_stratified_by_kind() -> None:
    _, held_out = split_trajectories(make_set(10, 5), held_out_fraction=0.2, seed=1)
    kinds = [trajectory.kind for trajectory in held_out]
    assert (kinds.count("alloy"), kinds.count("melt")) == (2, 1)


def test_every_kind_of_three_gives_one_and_smaller_ones_give_none() -> None:
    _, held_out = split_trajectories(make_set(3, 2), held_out_fraction=0.05, seed=1)
    assert [trajectory.kind for trajectory in held_out] == ["alloy"]


def test_the_split_depends_on_the_seed_and_not_on_the_order() -> None:
    everything = make_set(12, 0)
    chosen = [names(split_trajectories(everything, held_out_fraction=0.25, seed=seed)[1]) for seed in range(5)]
    assert len({frozenset(part) for part in chosen}) > 1
    assert names(split_trajectories(everything[::-1], held_out_fraction=0.25, seed=0)[1]) == chosen[0]


def test_nothing_is_held_out_if_nothing_is_asked_for() -> None:
    training, held_out = split_trajectories(make_set(4, 4), held_out_fraction=0.0, seed=1)
    assert (len(training), held_out) == (8, [])


def test_wrong_share_and_doubled_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"held_out_fraction is 1, needs 0 to below 1"):
        split_trajectories(make_set(3, 0), held_out_fraction=1.0, seed=1)
    with pytest.raises(InputError, match=r"'a' occurs twice"):
        split_trajectories([make("a", "alloy"), make("a", "melt")], held_out_fraction=0.1, seed=1)


def test_errors_by_kind_worked_out_by_hand() -> None:
    trajectories = [make("a", "alloy"), make("m", "melt", n_frames=1)]
    reference = trajectories[0].frames[0].get_forces()
    shift = np.zeros((2, 3))
    shift[0, 0] = 0.6
    errors = compute_kind_errors(
        trajectories,
        energies_eV={"a": [-1.0 + 0.006, -1.0 - 0.008], "m": [-1.0]},
        forces_eV_per_A={"a": [reference + shift, reference], "m": [reference]},
    )
    alloy, melt, everything = errors
    assert [entry.kind for entry in errors] == ["alloy", "melt", "all"]
    # 3 and −4 meV/atom; one of twelve components is off by 0.6; two of six are ±1
    np.testing.assert_allclose(alloy.energy_rmse_meV_per_atom, np.sqrt((9 + 16) / 2), rtol=1e-9)
    np.testing.assert_allclose(alloy.force_rmse_eV_per_A, np.sqrt(0.36 / 12), rtol=1e-9)
    np.testing.assert_allclose(alloy.rms_force_eV_per_A, np.sqrt(1 / 3), rtol=1e-9)
    np.testing.assert_allclose(alloy.relative_force_error, 0.3, rtol=1e-9)
    assert (melt.energy_rmse_meV_per_atom, melt.force_rmse_eV_per_A) == (0.0, 0.0)
    assert (everything.n_trajectories, everything.n_frames, everything.n_atoms) == (2, 3, 6)


def test_a_perfect_crystal_has_no_relative_error() -> None:
    atoms = Atoms("K", cell=[4.0] * 3, pbc=True)
    still = Trajectory("k", "potassium", (with_labels(atoms, energy_eV=0.0, forces_eV_per_A=np.zeros((1, 3))),))
    errors = compute_kind_errors([still], energies_eV={"k": [0.1]}, forces_eV_per_A={"k": [np.zeros((1, 3))]})
    assert errors[0].to_json()["relative_force_error"] is None
