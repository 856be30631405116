"""Orientations of a rigid adsorbate, spread evenly over all rotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

PHI = np.sqrt(2.0)
PSI = 1.533751168755204288118041  # positive root of ψ⁴ = ψ + 4
GOLDEN = (1 + np.sqrt(5.0)) / 2
SAME_ATOMS_A = 0.3


def build_orientations(n: int, *, seed: int) -> NDArray[np.float64]:
    """Rotations spread evenly: a super-Fibonacci spiral of unit quaternions, turned as a whole at random.

    With s = i + ½, t = s/n: q = (√t sin(2πs/φ), √t cos(2πs/φ), √(1−t) sin(2πs/ψ), √(1−t) cos(2πs/ψ)).

    Args:
        n: how many.
        seed: of the rotation of the whole.

    Returns:
        Rotation matrices, shape (n, 3, 3); x ↦ R x.

    Raises:
        InputError: if none is asked for.

    Source:
        10.1109/CVPR52688.2022.00811
    """
    if n < 1:
        raise InputError(f"{n} orientations were asked for, needs at least 1.")
    s = np.arange(n) + 0.5
    inner, outer = np.sqrt(s / n), np.sqrt(1 - s / n)
    alpha, beta = 2 * np.pi * s / PHI, 2 * np.pi * s / PSI
    quaternions = np.stack(
        [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)], axis=1
    )
    whole = Rotation.from_quat(np.random.default_rng(seed).normal(size=4))
    matrices: NDArray[np.float64] = (whole * Rotation.from_quat(quaternions)).as_matrix()
    return matrices


def reduce_orientations(
    adsorbate: Atoms, rotations: NDArray[np.float64], *, tolerance_A: float = SAME_ATOMS_A
) -> NDArray[np.int64]:
    """Indices of the rotations that give different atoms, the first of each set that agrees.

    Two agree if each atom of one lies within the tolerance of an atom of its element of the other: so the symmetry of
    the adsorbate counts, one orientation is left of an atom, and of a rod only those with different axes.

    Args:
        adsorbate: the rigid atoms, which turn about their centre.
        rotations: shape (n, 3, 3).
        tolerance_A: should be less than half the distance of two atoms of one element, in Å.

    Returns:
        Indices in rising order, shape (m,).
    """
    centred_A = adsorbate.positions - adsorbate.positions.mean(axis=0)
    turned_A = np.einsum("nij,aj->nai", rotations, centred_A)
    others = adsorbate.numbers[:, None] != adsorbate.numbers
    kept: list[int] = []
    for index, atoms_A in enumerate(turned_A):
        apart_A = np.linalg.norm(turned_A[kept][:, :, None] - atoms_A[None, None], axis=-1)
        near = (apart_A < tolerance_A) & ~others
        if not (near.any(axis=1).all(axis=1) & near.any(axis=2).all(axis=1)).any():
            kept.append(index)
    return np.array(kept)


def build_directions(n: int) -> NDArray[np.float64]:
    """Directions spread evenly over a sphere along a Fibonacci spiral, shape (n, 3).

    Source:
        10.1007/s11004-009-9257-x
    """
    steps = np.arange(n)
    heights = 1 - (2 * steps + 1) / n
    radii, angles = np.sqrt(1 - heights**2), 2 * np.pi * steps / GOLDEN
    return np.stack([radii * np.cos(angles), radii * np.sin(angles), heights], axis=1)


def compute_lateral_extent(adsorbate: Atoms) -> float:
    """Longest shadow of an adsorbate over all rotations, the largest distance of two of its atoms, in Å."""
    return float(pdist(adsorbate.positions).max()) if len(adsorbate) > 1 else 0.0
