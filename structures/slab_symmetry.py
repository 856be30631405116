"""Symmetry of a slab seen from above: the plane group that leaves every atom at its height."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import minkowski_reduce

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

SAME_LENGTH_A = 0.02  # lattice vectors that a rotation may map on each other


@dataclass(frozen=True, eq=False)
class SlabSymmetry:
    """Plane group of a slab on its primitive lattice: x ↦ x W + t in fractions of its vectors.

    Attributes:
        lattice_A: primitive lattice vectors in the plane as rows, shape (2, 2), in Å.
        rotations: W, whole numbers, shape (n, 2, 2).
        translations: t, shape (n, 2).
    """

    lattice_A: NDArray[np.float64]
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]

    def __len__(self) -> int:
        """Operations modulo the primitive lattice."""
        return len(self.rotations)

    def label_orbits(self, points_A: NDArray[np.float64], *, tolerance_A: float) -> NDArray[np.int64]:
        """Which points are equivalent.

        Args:
            points_A: shape (n, 3), in Å.
            tolerance_A: within which two points are one, in Å.

        Returns:
            For each point the index of the first one that is equivalent, shape (n,).
        """
        fractions = points_A[:, :2] @ np.linalg.inv(self.lattice_A)
        labels = np.arange(len(points_A))
        for rotation, translation in zip(self.rotations, self.translations, strict=True):
            images = fractions @ rotation + translation
            near = _find_coincidences(
                images, fractions, heights=(points_A[:, 2],) * 2, lattice_A=self.lattice_A, tolerance_A=tolerance_A
            )
            for first, second in np.argwhere(near):
                low, high = sorted((labels[first], labels[second]))
                labels[labels == high] = low
        return labels


def check_slab(slab: Atoms) -> None:
    """Check that a structure is periodic along two vectors in the plane z = 0, and open along z.

    Raises:
        InputError: says what is wrong.
    """
    if tuple(slab.pbc) != (True, True, False):
        raise InputError(
            f"the substrate has pbc {tuple(bool(one) for one in slab.pbc)}, needs (True, True, False) for a slab; set "
            "it, or pass a cluster without periodic directions."
        )
    vectors_A = slab.cell.array[:2]
    if np.abs(vectors_A[:, 2]).max() > 1e-6 or np.linalg.norm(np.cross(*vectors_A)) < 1e-6:  # noqa: PLR2004 (zero)
        raise InputError(
            f"the slab's first two cell vectors are {vectors_A.round(3).tolist()}, need to span the plane z = 0; turn "
            "the slab so that its surface normal is z."
        )


def find_slab_symmetry(slab: Atoms, *, tolerance_A: float = 0.1) -> SlabSymmetry:
    """Find all operations in the plane that map a slab on itself; none of them turns it upside down.

    Args:
        slab: periodic along its first two vectors, which lie in the plane z = 0.
        tolerance_A: by which an atom may miss its image, in Å.

    Returns:
        The plane group on the primitive lattice of the slab, which its cell may repeat.

    Raises:
        InputError: if it is no such slab.
    """
    check_slab(slab)
    cell = slab.cell.array.copy()
    cell[2] = (0.0, 0.0, 1.0)
    lattice_A = minkowski_reduce(cell, slab.pbc)[0][:2, :2]
    pure = _find_translations(slab, np.eye(2), lattice_A=lattice_A, atoms=np.arange(len(slab)), tolerance_A=tolerance_A)
    lattice_A = _reduce_lattice(lattice_A, pure, tolerance_A=tolerance_A)
    kept = _keep_one_of_each(slab, lattice_A=lattice_A, tolerance_A=tolerance_A)
    pairs = [
        (rotation, translation)
        for rotation in _find_lattice_rotations(lattice_A)
        for translation in _find_translations(slab, rotation, lattice_A=lattice_A, atoms=kept, tolerance_A=tolerance_A)
    ]
    return SlabSymmetry(lattice_A, *(np.array(part) for part in zip(*pairs, strict=True)))


def _find_translations(
    slab: Atoms,
    rotation: NDArray[np.float64],
    *,
    lattice_A: NDArray[np.float64],
    atoms: NDArray[np.int64],
    tolerance_A: float,
) -> list[NDArray[np.float64]]:
    """Translations that, after a rotation, map some atoms on themselves, modulo a lattice."""
    fractions = slab.positions[atoms, :2] @ np.linalg.inv(lattice_A)
    heights, numbers = slab.positions[atoms, 2], slab.numbers[atoms]
    values, counts = np.unique(numbers, return_counts=True)
    start = int(np.flatnonzero(numbers == values[np.argmin(counts)])[0])
    same = numbers[:, None] == numbers
    found = []
    for target in np.flatnonzero(same[start] & (np.abs(heights - heights[start]) < tolerance_A)):
        translation = fractions[target] - fractions[start] @ rotation
        near = _find_coincidences(
            fractions @ rotation + translation,
            fractions,
            heights=(heights, heights),
            lattice_A=lattice_A,
            tolerance_A=tolerance_A,
        )
        if (near & same).any(axis=1).all():
            found.append(translation)
    return found


def _find_coincidences(
    images: NDArray[np.float64],
    fractions: NDArray[np.float64],
    *,
    heights: tuple[NDArray[np.float64], NDArray[np.float64]],
    lattice_A: NDArray[np.float64],
    tolerance_A: float,
) -> NDArray[np.bool_]:
    """Whether image i lies on point j, modulo the lattice, which is reduced."""
    apart = images[:, None] - fractions[None]
    in_plane_A = (apart - np.round(apart)) @ lattice_A
    squared = (in_plane_A**2).sum(axis=-1) + (heights[0][:, None] - heights[1][None]) ** 2
    near: NDArray[np.bool_] = squared < tolerance_A**2
    return near


def _reduce_lattice(
    lattice_A: NDArray[np.float64], translations: list[NDArray[np.float64]], *, tolerance_A: float
) -> NDArray[np.float64]:
    """Two shortest vectors of the lattice that pure translations span with the cell."""
    order = len(translations)  # of the group, so that each translation is a whole number of 1/order
    snapped = np.round(np.array(translations) * order) / order
    if np.linalg.norm((snapped - translations) @ lattice_A, axis=1).max() > 2 * tolerance_A:
        order, snapped = 1, np.zeros((1, 2))  # nearly periodic within the tolerance only: no group
    shifts = np.array(list(product(range(-2, 3), repeat=2)))
    vectors_A = (snapped[:, None] + shifts[None]).reshape(-1, 2) @ lattice_A
    vectors_A = vectors_A[np.argsort(np.linalg.norm(vectors_A, axis=1).round(6), kind="stable")]
    area_A2 = abs(np.linalg.det(lattice_A)) / order
    first = vectors_A[np.linalg.norm(vectors_A, axis=1) > SAME_LENGTH_A][0]
    areas_A2 = np.abs(first[0] * vectors_A[:, 1] - first[1] * vectors_A[:, 0])
    second = vectors_A[areas_A2 > area_A2 / 2][0]
    return np.array([first, second])


def _keep_one_of_each(slab: Atoms, *, lattice_A: NDArray[np.float64], tolerance_A: float) -> NDArray[np.int64]:
    """One atom of each set that primitive translations map on each other."""
    fractions, heights = slab.positions[:, :2] @ np.linalg.inv(lattice_A), slab.positions[:, 2]
    near = _find_coincidences(
        fractions, fractions, heights=(heights, heights), lattice_A=lattice_A, tolerance_A=2 * tolerance_A
    )
    same = near & (slab.numbers[:, None] == slab.numbers)
    kept: list[int] = []
    for index in range(len(slab)):
        if not same[index, kept].any():
            kept.append(index)
    return np.array(kept)


def _find_lattice_rotations(lattice_A: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Whole-numbered W that keep all lengths of a reduced lattice: its rotations and mirrors."""
    vectors = np.array(list(product(range(-2, 3), repeat=2)), dtype=float)
    lengths_A = np.linalg.norm(vectors @ lattice_A, axis=1)
    first_A, second_A = np.linalg.norm(lattice_A, axis=1)
    sum_A = float(np.linalg.norm(lattice_A.sum(axis=0)))
    return [
        np.array([first, second])
        for first in vectors[np.abs(lengths_A - first_A) < SAME_LENGTH_A]
        for second in vectors[np.abs(lengths_A - second_A) < SAME_LENGTH_A]
        if abs(abs(np.linalg.det([first, second])) - 1) < SAME_LENGTH_A
        and abs(np.linalg.norm((first + second) @ lattice_A) - sum_A) < SAME_LENGTH_A
    ]
