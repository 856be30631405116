"""Checks that builders end in and that flows run before anything starts: each raises with value, limit and fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray


def compute_periodic_heights(cell_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances between opposite faces of a cell: volume over the area of each face.

    Args:
        cell_A: the cell, vectors as rows, shape (3, 3), in Å.

    Returns:
        Heights along the normals of the faces, shape (3,), in Å.
    """
    volume_A3 = abs(np.linalg.det(cell_A))
    areas_A2 = np.linalg.norm(np.cross(np.roll(cell_A, -1, axis=0), np.roll(cell_A, -2, axis=0)), axis=1)
    heights_A: NDArray[np.float64] = volume_A3 / areas_A2
    return heights_A


def compute_ghosts(atoms: Atoms, *, cutoff_A: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Atoms with their periodic images within a distance of the cell, for neighbour searches in linear time.

    Args:
        atoms: any structure with a cell along its periodic directions.
        cutoff_A: how far around the cell images are needed, in Å.

    Returns:
        Positions, shape (m, 3), in Å, of which the first are the atoms wrapped into the cell, and the atom of each.
    """
    fractions = atoms.get_scaled_positions(wrap=True) if atoms.cell.rank == 3 else None  # noqa: PLR2004 three axes
    if fractions is None:
        return np.array(atoms.positions), np.arange(len(atoms))
    owners = np.arange(len(atoms))
    margins = cutoff_A / compute_periodic_heights(atoms.cell.array)
    for axis in np.flatnonzero(atoms.pbc):
        reach = int(np.ceil(margins[axis]))
        shifted, of = [fractions], [owners]
        for image in [*range(-reach, 0), *range(1, reach + 1)]:
            moved = fractions[:, axis] + image
            near = (moved > -margins[axis]) & (moved < 1 + margins[axis])
            copy = fractions[near].copy()
            copy[:, axis] += image
            shifted.append(copy)
            of.append(owners[near])
        fractions, owners = np.vstack(shifted), np.concatenate(of)
    return fractions @ atoms.cell.array, owners


def compute_smallest_distance(atoms: Atoms, *, limit_A: float = 6.0) -> tuple[float, int, int]:
    """Smallest distance between two atoms, images included, with the two atoms.

    Args:
        atoms: any structure.
        limit_A: distances beyond this are not looked for, in Å.

    Returns:
        Distance in Å and the indices of the atoms; infinity and −1, −1 if none is within the limit.
    """
    positions_A, owners = compute_ghosts(atoms, cutoff_A=limit_A)
    n_atoms = len(atoms)
    distances_A, partners = cKDTree(positions_A).query(
        positions_A[:n_atoms], k=min(2, len(positions_A)), distance_upper_bound=limit_A
    )
    if distances_A.ndim == 1:
        return float("inf"), -1, -1
    closest = int(np.argmin(distances_A[:, 1]))
    if not np.isfinite(distances_A[closest, 1]):
        return float("inf"), -1, -1
    return float(distances_A[closest, 1]), int(owners[closest]), int(owners[partners[closest, 1]])


def check_smallest_distance(atoms: Atoms, *, minimum_A: float) -> float:
    """Raise if two atoms are closer than a minimum.

    Args:
        atoms: any structure.
        minimum_A: smallest allowed distance, in Å.

    Returns:
        The smallest distance found, in Å.

    Raises:
        InputError: with the two atoms and their distance.
    """
    distance_A, first, second = compute_smallest_distance(atoms, limit_A=max(6.0, minimum_A))
    if distance_A < minimum_A:
        symbols = atoms.symbols
        message = (
            f"atoms {first} ({symbols[first]}) and {second} ({symbols[second]}) are {distance_A:.2f} Å apart, needs at "
            f"least {minimum_A:.2f} Å; check the structure for overlaps or widen the gap"
        )
        raise InputError(message)
    return distance_A


def check_cell_for_cutoff(atoms: Atoms, *, cutoff_A: float) -> None:
    """Raise if a periodic direction is so short that an atom would meet its own image within the cut-off.

    Args:
        atoms: any structure.
        cutoff_A: cut-off of the interaction, in Å.

    Raises:
        InputError: with the height of the cell and the number of repeats that would do.
    """
    for axis, height_A in enumerate(compute_periodic_heights(atoms.cell.array)):
        if atoms.pbc[axis] and height_A < cutoff_A:
            message = (
                f"the cell is {height_A:.2f} Å along axis {'xyz'[axis]}, needs at least the cut-off, {cutoff_A:.2f} Å; "
                f"repeat it {int(np.ceil(cutoff_A / height_A))} times along {'xyz'[axis]}"
            )
            raise InputError(message)
