"""Rotations that are rotations, evenly spread, and fewer of them for adsorbates with symmetry."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from structures.errors import InputError
from structures.orientations import (
    PSI,
    build_directions,
    build_orientations,
    compute_lateral_extent,
    reduce_orientations,
)

N = 300


def compute_smallest_angle_deg(matrices: NDArray[np.float64]) -> float:
    traces = np.einsum("aij,bij->ab", matrices, matrices)
    np.fill_diagonal(traces, -1)
    return float(np.degrees(np.arccos(np.clip((traces.max() - 1) / 2, -1, 1))))


def build_random(n: int, *, seed: int) -> NDArray[np.float64]:
    return Rotation.from_quat(np.random.default_rng(seed).normal(size=(n, 4))).as_matrix()


def test_all_are_rotations() -> None:
    matrices = build_orientations(N, seed=1)
    np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1), np.tile(np.eye(3), (N, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, rtol=1e-12)


def test_the_constant_solves_its_equation() -> None:
    assert pytest.approx(PSI + 4, rel=1e-15) == PSI**4


def test_no_two_are_near_and_no_place_is_far() -> None:
    matrices = build_orientations(N, seed=1)
    randoms = [build_random(N, seed=seed) for seed in range(20)]
    assert compute_smallest_angle_deg(matrices) > 3 * max(compute_smallest_angle_deg(one) for one in randoms)
    probes = build_random(2000, seed=99)
    worst = [
        np.degrees(np.arccos((np.einsum("aij,bij->ab", probes, one).max(axis=1) - 1) / 2)).max()
        for one in (matrices, *randoms)
    ]
    assert worst[0] < min(worst[1:])


def test_the_mean_vanishes() -> None:
    """The average over all rotations is 0; of random ones its elements are of size 1/√(3 n)."""
    mean = np.abs(build_orientations(N, seed=1).mean(axis=0)).max()
    assert mean < 0.2 / np.sqrt(3 * N)


def test_the_seed_turns_the_whole() -> None:
    first, again, other = (build_orientations(7, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    between = other @ first.transpose(0, 2, 1)
    np.testing.assert_allclose(between, np.tile(between[0], (7, 1, 1)), atol=1e-12)
    assert np.abs(between[0] - np.eye(3)).max() > 0.1


def test_an_atom_needs_one() -> None:
    assert reduce_orientations(Atoms("Li"), build_orientations(N, seed=1)).tolist() == [0]


@pytest.mark.parametrize(
    ("name", "order"), [("CO", 1), ("N2", 1), ("C6H6", 12), ("CH4", 12), ("H2O", 2), ("CH3CH2OH", 1)]
)
def test_rotations_of_the_adsorbate_onto_itself_are_one(name: str, order: int) -> None:
    """A set of rotations times the adsorbate's rotation group is no longer than the set."""
    adsorbate = molecule(name)
    group = {
        12: Rotation.create_group("D6" if name == "C6H6" else "T").as_matrix(),
        2: Rotation.create_group("C2").as_matrix(),
        1: np.eye(3)[None],
    }[order]
    if name in {"CO", "N2"}:  # about its axis, z
        group = Rotation.from_rotvec(np.outer(np.linspace(0, 6, 5), [0, 0, 1])).as_matrix()
    if name == "N2":
        group = np.concatenate([group, group @ np.diag([1.0, -1.0, -1.0])])
    rotations = build_orientations(6, seed=4)
    alone = reduce_orientations(adsorbate, rotations, tolerance_A=0.01)
    assert len(alone) == 6
    every = np.einsum("aij,bjk->abik", rotations, group).reshape(-1, 3, 3)
    kept = reduce_orientations(adsorbate, every, tolerance_A=0.01)
    np.testing.assert_array_equal(kept, np.arange(6) * len(group))


def test_mirror_images_of_a_chiral_adsorbate_are_not_reached() -> None:
    """Half a turn of a molecule without symmetry is another orientation, though its atoms' distances agree."""
    chiral = Atoms("CHFClBr", positions=[(0, 0, 0), (1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
    group = Rotation.create_group("T").as_matrix()
    assert len(reduce_orientations(chiral, group)) == 12
    assert len(reduce_orientations(Atoms("CH4", positions=chiral.positions), group)) == 1


def test_directions_are_even() -> None:
    directions = build_directions(1000)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)
    assert np.abs(directions.mean(axis=0)).max() < 0.002
    np.testing.assert_allclose(directions.T @ directions / 1000, np.eye(3) / 3, atol=0.002)


def test_extent_is_that_of_the_longest_shadow() -> None:
    adsorbate = molecule("C6H6")
    shadows = [
        np.linalg.norm((turned[:, None] - turned[None])[..., :2], axis=-1).max()
        for turned in np.einsum("nij,aj->nai", build_orientations(2000, seed=1), adsorbate.positions)
    ]
    extent_A = compute_lateral_extent(adsorbate)
    assert max(shadows) <= extent_A + 1e-12
    assert max(shadows) == pytest.approx(extent_A, rel=0.01)
    assert compute_lateral_extent(Atoms("Li")) == 0


def test_none_is_refused() -> None:
    with pytest.raises(InputError, match="0 orientations"):
        build_orientations(0, seed=1)
