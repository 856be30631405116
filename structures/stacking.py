"""One molecule above another along z."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from structures.errors import InputError

CLOSEST_STACK_A = 1.5  # no two molecules touch closer without a bond: a strong hydrogen bond has 1.6


def stack_atoms(
    lower: Atoms, upper: Atoms, *, distance_A: float, slip_A: tuple[float, float] = (0.0, 0.0)
) -> tuple[Atoms, Atoms]:
    """The lower molecule where it lies and the upper one above it, as two structures in one frame.

    Neither is turned: a planar molecule has to lie in the xy plane, and a lump shows the side that it has upwards.

    Args:
        lower: geometry, shape (n, 3).
        upper: geometry, shape (m, 3).
        distance_A: along z from the topmost atom of the lower to the lowest of the upper, in Å.
        slip_A: along x and y from the centre (mean position) of the lower to that of the upper, in Å.

    Raises:
        InputError: if they would touch.
    """
    if distance_A < CLOSEST_STACK_A:
        raise InputError(
            f"distance_A is {distance_A:g} between the stacked molecules, needs at least {CLOSEST_STACK_A} Å; aromatic "
            "rings lie 3.4 Å apart. Set it, e.g. distance_A: 3.4."
        )
    raised: Atoms = upper.copy()
    shift = lower.positions.mean(axis=0) - upper.positions.mean(axis=0)
    shift[:2] += slip_A
    shift[2] = np.max(lower.positions[:, 2]) + distance_A - np.min(upper.positions[:, 2])
    raised.positions += shift
    return lower.copy(), raised
