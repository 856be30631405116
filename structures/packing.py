"""Puts atoms where there is room: at random, or into the largest voids of a crystal."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

_TRIALS = 400
_SHRINK = 0.97
_GRID_SPACING_A = 0.6


def compute_nearest_distances(
    points_A: NDArray[np.float64], *, positions_A: NDArray[np.float64], cell_A: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of each point to the nearest atom or image of one, in a periodic cell.

    Args:
        points_A: shape (n, 3), in Å.
        positions_A: positions of the atoms, shape (m, 3), in Å.
        cell_A: cell vectors as rows, in Å.

    Returns:
        Shape (n,), in Å; infinite without atoms.
    """
    if len(positions_A) == 0:
        return np.full(len(points_A), np.inf)
    inverse = np.linalg.inv(cell_A)
    wrapped = (positions_A @ inverse % 1.0) @ cell_A
    shifts = np.array(list(product((-1, 0, 1), repeat=3))) @ cell_A
    images = (wrapped[None] + shifts[:, None]).reshape(-1, 3)
    distances, _ = cKDTree(images).query((points_A @ inverse % 1.0) @ cell_A)
    return np.asarray(distances, dtype=np.float64)


def pack_atoms(
    atoms: Atoms,
    *,
    symbols: Sequence[str],
    smallest_distance_A: float,
    rng: np.random.Generator,
    heights: tuple[float, float] = (0.0, 1.0),
    region: str = "potassium",
) -> Atoms:
    """Add atoms at random places, none nearer to another than a distance.

    Where no place is found the distance is reduced by 3 %, so that the packing always ends.

    Args:
        atoms: the cell, which may be empty.
        symbols: elements of the atoms to add, in this order.
        smallest_distance_A: distance that each added atom keeps, in Å.
        rng: source of the places.
        heights: lowest and highest place along the third cell vector, as fractions of it.
        region: name of the added atoms' region.

    Returns:
        A copy with the atoms appended.
    """
    cell = atoms.cell.array
    positions = np.array(atoms.positions)
    distance_A = smallest_distance_A
    for _ in symbols:
        while True:
            scaled = rng.random((_TRIALS, 3))
            scaled[:, 2] = heights[0] + (heights[1] - heights[0]) * scaled[:, 2]
            nearest = compute_nearest_distances(scaled @ cell, positions_A=positions, cell_A=cell)
            fitting = np.flatnonzero(nearest > distance_A)
            if len(fitting):
                break
            distance_A *= _SHRINK
        positions = np.vstack([positions, scaled[fitting[0]] @ cell])
    return _append(atoms, symbols=symbols, positions_A=positions[len(atoms) :], region=region)


def fill_voids(
    atoms: Atoms,
    *,
    symbols: Sequence[str],
    smallest_void_A: float,
    rng: np.random.Generator,
    near_xy_A: tuple[float, float] | None = None,
    radius_A: float = math.inf,
) -> Atoms:
    """Add atoms to the largest voids, the largest first; nearly equal ones are taken in random order.

    Args:
        atoms: the crystal.
        symbols: elements of the atoms to add.
        smallest_void_A: distance to the nearest atom that a void must have, in Å.
        rng: source of the random order.
        near_xy_A: fill only near the line along z through this point.
        radius_A: how near.

    Returns:
        A copy with the atoms appended, in region "potassium".

    Raises:
        InputError: if there are fewer voids than atoms.
    """
    cell = atoms.cell.array
    counts = [max(2, math.ceil(length / _GRID_SPACING_A)) for length in atoms.cell.lengths()]
    scaled = np.stack(np.meshgrid(*[np.arange(n) / n for n in counts], indexing="ij"), axis=-1).reshape(-1, 3)
    points = scaled @ cell
    if near_xy_A is not None:
        offset = (points[:, :2] - near_xy_A) @ np.linalg.inv(cell[:2, :2])
        offset -= np.round(offset)
        points = points[np.linalg.norm(offset @ cell[:2, :2], axis=1) < radius_A]
    nearest = compute_nearest_distances(points, positions_A=atoms.positions, cell_A=cell)
    order = np.argsort(-(nearest + 0.1 * rng.random(len(nearest))))
    chosen: list[NDArray[np.float64]] = []
    for index in order[nearest[order] >= smallest_void_A]:
        if len(chosen) == len(symbols):
            break
        apart = compute_nearest_distances(points[index][None], positions_A=np.array(chosen).reshape(-1, 3), cell_A=cell)
        if apart[0] >= smallest_void_A:
            chosen.append(points[index])
    if len(chosen) < len(symbols):
        raise InputError(
            f"{len(chosen)} voids lie {smallest_void_A:g} Å or more from every atom, {len(symbols)} are wanted; "
            "widen the cell or reduce smallest_void_A"
        )
    return _append(atoms, symbols=symbols, positions_A=np.array(chosen), region="potassium")


def add_vacuum(atoms: Atoms, *, height_A: float) -> Atoms:
    """A copy whose third cell vector is longer by so much; the atoms stay where they are."""
    whole: Atoms = atoms.copy()
    cell = whole.cell.array.copy()
    cell[2] *= 1 + height_A / np.linalg.norm(cell[2])
    whole.set_cell(cell)
    return whole


def _append(atoms: Atoms, *, symbols: Sequence[str], positions_A: NDArray[np.float64], region: str) -> Atoms:
    from ase import Atoms as AseAtoms

    added = AseAtoms(list(symbols), positions=positions_A.reshape(-1, 3))
    regions = [str(name) for name in atoms.arrays["region"]] if "region" in atoms.arrays else [""] * len(atoms)
    whole: Atoms = atoms.copy()
    if "region" in whole.arrays:
        del whole.arrays["region"]
    whole.extend(added)
    whole.set_array("region", np.array([*regions, *[region] * len(added)], dtype="<U9"))
    return whole
