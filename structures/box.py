"""One box for all species of a reaction: their energies are comparable only in the same cell on the same grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ase import Atoms
    from numpy.typing import NDArray

GRID_MULTIPLE = 4  # preconditioners halve a grid twice


def orient_along_axes(atoms: Atoms) -> Atoms:
    """The same geometry with its longest extent along x and its shortest along z, without a mirror image."""
    turned: Atoms = atoms.copy()
    if len(atoms) == 1:
        return turned
    centred = atoms.positions - atoms.positions.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=True)
    if np.linalg.det(axes) < 0:
        axes[2] *= -1
    turned.positions = centred @ axes.T
    return turned


def find_box_lengths(molecules: Iterable[Atoms], *, vacuum_A: float, spacing_A: float) -> NDArray[np.float64]:
    """Edges of the smallest box that holds each molecule with vacuum around it, whole in steps of the grid.

    Args:
        molecules: oriented geometries.
        vacuum_A: smallest distance of an atom to a wall, in Å.
        spacing_A: of the grid, in Å.

    Returns:
        Edges, shape (3,), in Å; multiples of four grid spacings.

    Raises:
        InputError: if there is no vacuum.
    """
    if vacuum_A <= 0:
        raise InputError(f"vacuum_A is {vacuum_A:g}, needs more than 0 Å around a molecule. Set it, e.g. vacuum_A: 5.")
    extents = np.max([np.ptp(atoms.positions, axis=0) for atoms in molecules], axis=0)
    unit_A = GRID_MULTIPLE * spacing_A
    return np.array([unit_A * math.ceil((extent + 2 * vacuum_A) / unit_A - 1e-9) for extent in extents])


def put_in_box(
    atoms: Atoms, *, lattice_A: NDArray[np.float64], periodic: tuple[bool, bool, bool] = (False, False, False)
) -> Atoms:
    """The molecule in the middle of a cell, shape (3, 3), that is open unless said otherwise."""
    boxed: Atoms = atoms.copy()
    boxed.set_cell(lattice_A)
    boxed.center()
    boxed.pbc = periodic
    return boxed
