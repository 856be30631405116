"""Pairs of points nearer than a cut-off in a periodic cell: few points by matrix products, many by freud's tree."""

from collections.abc import Sequence

import freud
import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.counting import prepare_box
from structures.errors import InputError

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]

# Below so many distances they are cheaper than freud's tree and its list of pairs.
_MOST_DISTANCES = 4e6
# Products larger than this BLAS spreads over threads, which cost more than they save.
_MOST_AT_ONCE = 50_000
_MARGIN = 1.01


def find_pairs(centres_A: ArrayLike, *, neighbours_A: ArrayLike, cell_A: ArrayLike, cutoff_A: float) -> Pairs:
    """Pairs of centres and neighbours nearer than a cut-off, nearest images; a point pairs with itself if in both sets.

    Args:
        centres_A: shape (n_centres, 3), in Å, wrapped or not.
        neighbours_A: shape (n_neighbours, 3), in Å.
        cell_A: cell vectors as rows, shape (3, 3), in Å.
        cutoff_A: cut-off in Å.

    Returns:
        Row of the centre, row of the neighbour and distance in Å of each pair, shape (n_pairs,) each, in no order.

    Raises:
        InputError: if the cell is too small for the cut-off.
    """
    centres, neighbours = (np.asarray(points, dtype=float).reshape(-1, 3) for points in (centres_A, neighbours_A))
    cell = np.asarray(cell_A, dtype=float)
    limit = 0.5 / float(_invert_heights(cell).max()) * (1 - 1e-6)
    if not 0 < cutoff_A < limit:
        raise InputError(f"radius is {cutoff_A} Å, needs 0 < radius < {limit:.2f} Å here; lower it or repeat the cell")
    if not len(centres) or not len(neighbours):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), np.empty(0)
    if len(centres) * len(neighbours) > _MOST_DISTANCES:
        return _search_tree(centres, neighbours=neighbours, cell_A=cell, cutoff_A=cutoff_A)
    if len(neighbours) < len(centres):
        second, first, distances = _multiply(neighbours, neighbours=centres, cell_A=cell, cutoff_A=cutoff_A)
        return first, second, distances
    return _multiply(centres, neighbours=neighbours, cell_A=cell, cutoff_A=cutoff_A)


def open_along_z(
    cell_A: NDArray[np.float64], *, z_A: Sequence[NDArray[np.float64]], reach_A: float
) -> NDArray[np.float64]:
    """The cell made so high that no two of these positions meet through its z faces within a distance."""
    z = np.concatenate([points[:, 2] for points in z_A])
    box = cell_A.copy()
    box[2] = (0.0, 0.0, max(float(np.ptp(z)) + reach_A, 2 * reach_A) * _MARGIN)
    return box


def _multiply(
    centres: NDArray[np.float64], *, neighbours: NDArray[np.float64], cell_A: NDArray[np.float64], cutoff_A: float
) -> Pairs:
    """Squared distances of centres and their images, sorted along c, as |a|² + |b|² − 2 a·b, for a chunk at a time."""
    inverse = np.linalg.inv(cell_A)
    reach = cutoff_A * _invert_heights(cell_A)
    fractions, others = centres @ inverse, neighbours @ inverse
    fractions -= np.floor(fractions)
    others -= np.floor(others)
    rows, images = _repeat(fractions, reach=reach)
    order, other_order = np.argsort(images[:, 2]), np.argsort(others[:, 2])
    rows, images, others = rows[order], images[order], others[other_order]
    lows = np.searchsorted(others[:, 2], images[:, 2] - reach[2]).tolist()
    highs = np.searchsorted(others[:, 2], images[:, 2] + reach[2], "right").tolist()
    # From the middle of the cell, so that squares stay small and their difference exact to 1e-12 Å².
    points, near = (images - 0.5) @ cell_A, (others - 0.5) @ cell_A
    left = np.column_stack([-points, np.ones(len(points)), 0.5 * np.einsum("ij,ij->i", points, points)])
    right = np.column_stack([near, 0.5 * np.einsum("ij,ij->i", near, near), np.ones(len(near))]).T.copy()
    found: list[Pairs] = []
    stop = 0
    while stop < len(rows):
        start, low = stop, lows[stop]
        stop = min(start + max(_MOST_AT_ONCE // max(highs[start] - low, 1), 1), len(rows))
        # The last row of a chunk may reach much farther than the first.
        stop = min(stop, start + max(_MOST_AT_ONCE // max(highs[stop - 1] - low, 1), 1))
        high = highs[stop - 1]
        half_squares = left[start:stop] @ right[:, low:high]
        flat = np.flatnonzero(half_squares < 0.5 * cutoff_A**2)
        if flat.size:
            first, second = np.divmod(flat, high - low)
            squares = 2 * half_squares.ravel()[flat]
            found.append((rows[start:stop][first], other_order[low:high][second], np.sqrt(np.maximum(squares, 0))))
    if not found:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), np.empty(0)
    first, second, distances = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, distances


def _invert_heights(cell_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """One over each height of a cell: the length of a column of its inverse, in 1/Å."""
    return np.asarray(np.sqrt((np.linalg.inv(cell_A) ** 2).sum(axis=0)))


def _repeat(
    fractions: NDArray[np.float64], *, reach: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Points in the cell and all their images within a reach of it: row of the point, and place in fractions."""
    rows = np.arange(len(fractions))
    for axis, far in enumerate(reach):
        column = fractions[:, axis]
        before, after = np.flatnonzero(column >= 1 - far), np.flatnonzero(column <= far)
        chosen = np.concatenate([np.arange(len(fractions)), before, after])
        fractions, rows = fractions[chosen], rows[chosen]
        n_own = column.size
        fractions[n_own : n_own + before.size, axis] -= 1
        fractions[n_own + before.size :, axis] += 1
    return rows, fractions


def _search_tree(
    centres: NDArray[np.float64], *, neighbours: NDArray[np.float64], cell_A: NDArray[np.float64], cutoff_A: float
) -> Pairs:
    """The same by freud."""
    box, (points, others) = prepare_box(cell_A, radius_A=cutoff_A, sets=(centres, neighbours))
    query = {"r_max": cutoff_A, "exclude_ii": False}
    pairs = freud.locality.AABBQuery(box, points).query(others, query).toNeighborList()
    return (
        np.asarray(pairs.point_indices, dtype=np.intp),
        np.asarray(pairs.query_point_indices, dtype=np.intp),
        np.asarray(pairs.distances, dtype=float),
    )
