import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from structures.alloy import ALLOYS, build_rotated_alloy
from structures.checks import (
    check_cell_for_cutoff,
    check_smallest_distance,
    compute_ghosts,
    compute_periodic_heights,
    compute_smallest_distance,
)
from structures.errors import InputError


def skewed(seed: int) -> Atoms:
    random = np.random.default_rng(seed)
    cell = np.diag([6.0, 7.0, 8.0]) + random.uniform(-2, 2, (3, 3))
    return Atoms("Bi12", cell=cell, scaled_positions=random.uniform(-1, 2, (12, 3)), pbc=seed % 3 != 0)


@pytest.mark.parametrize("seed", range(6))
def test_smallest_distance_is_ases(seed: int) -> None:
    atoms = skewed(seed)
    if not atoms.pbc.any():
        atoms.wrap(pbc=True)
    expected = neighbor_list("d", atoms, 6.0).min()
    assert compute_smallest_distance(atoms)[0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", [1, 2])
def test_ghosts_are_all_images_within_reach(seed: int) -> None:
    atoms = skewed(seed)
    positions, owners = compute_ghosts(atoms, cutoff_A=5.0)
    pairs = sum(
        int(((np.linalg.norm(positions - positions[i], axis=1) < 5.0) & (np.arange(len(positions)) != i)).sum())
        for i in range(len(atoms))
    )
    assert pairs == len(neighbor_list("i", atoms, 5.0))
    assert set(owners) == set(range(len(atoms)))


def test_own_image_counts() -> None:
    distance, first, second = compute_smallest_distance(bulk("Po", "sc", a=3.35))
    assert distance == pytest.approx(3.35)
    assert (first, second) == (0, 0)


def test_single_atom_in_the_open() -> None:
    assert compute_smallest_distance(Atoms("K"))[0] == np.inf


def test_overlap_is_named() -> None:
    atoms = Atoms("KBi", positions=[[0, 0, 0], [0, 0, 9.5]], cell=[10, 10, 10], pbc=True)
    with pytest.raises(InputError, match=r"atoms 0 \(K\) and 1 \(Bi\) are 0.50 Å apart, needs at least 1.50 Å"):
        check_smallest_distance(atoms, minimum_A=1.5)


def test_heights_of_a_skewed_cell() -> None:
    cell = np.array([[3.0, 0, 0], [3.0, 4.0, 0], [0, 0, 5.0]])
    np.testing.assert_allclose(compute_periodic_heights(cell), [12 / 5, 4, 5])


def test_short_cells_are_refused() -> None:
    with pytest.raises(InputError, match=r"4.41 Å along axis x, needs at least the cut-off, 6.00 Å; repeat it 2 times"):
        check_cell_for_cutoff(build_rotated_alloy(ALLOYS["M-BiSnSb"]), cutoff_A=6.0)
