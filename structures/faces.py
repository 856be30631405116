"""Whether the two faces of a slab are the same."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

FACE_TOLERANCE_A = 0.05


def has_equal_faces(slab: Atoms) -> bool:
    """Whether an operation that turns a slab over maps it onto itself: inversion, mirror, an axis in the plane.

    Args:
        slab: atoms in a cell whose first two vectors are reduced and lie in the plane, normal along z.
    """
    lateral = slab.cell.array[:2, :2]
    fractions = slab.positions[:, :2] @ np.linalg.inv(lateral)
    heights_A = slab.positions[:, 2] - (slab.positions[:, 2].max() + slab.positions[:, 2].min()) / 2
    unlike = (slab.numbers[:, None] != slab.numbers) | (np.abs(heights_A[:, None] + heights_A) > FACE_TOLERANCE_A)
    if unlike.all(axis=1).any():
        return False
    return any(
        _is_mapped(fractions @ operation, onto=fractions, lateral=lateral, unlike=unlike)
        for operation in _find_lattice_operations(lateral)
    )


def _find_lattice_operations(lateral: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Whole-number matrices of the rotations and mirrors of a plane lattice; its vectors must be reduced."""
    metric = lateral @ lateral.T
    matrices = [np.array(entries).reshape(2, 2) for entries in product((-1, 0, 1), repeat=4)]
    scale = FACE_TOLERANCE_A * np.sqrt(metric.max())
    return [matrix for matrix in matrices if np.abs(matrix @ metric @ matrix.T - metric).max() < scale]


def _is_mapped(
    moved: NDArray[np.float64], *, onto: NDArray[np.float64], lateral: NDArray[np.float64], unlike: NDArray[np.bool_]
) -> bool:
    """Whether some shift in the plane brings every moved site onto a site that is not unlike it."""
    reference = int(np.argmin((~unlike).sum(axis=1)))
    for partner in np.flatnonzero(~unlike[reference]):
        away = (moved + onto[partner] - moved[reference])[:, None] - onto
        distances_A = np.linalg.norm((away - np.round(away)) @ lateral, axis=-1)
        if np.where(unlike, np.inf, distances_A).min(axis=1).max() < FACE_TOLERANCE_A:
            return True
    return False
