"""Counting of pairs by distance in a periodic cell of any shape, done by freud."""

from typing import Any

import freud
import numpy as np
from ase.cell import Cell
from numpy.typing import ArrayLike, NDArray

from structures.checks import compute_periodic_heights
from structures.errors import InputError

_SELF_A = 1e-3
_MOST_BINS = 250
_TRIANGULAR = 1e-6


def largest_radius_A(cell_A: ArrayLike) -> float:
    """Half the smallest distance between opposite faces of the cell: no atom has two images nearer than this, in Å."""
    return float(0.5 * compute_periodic_heights(np.asarray(cell_A, dtype=float)).min())


class PairCounter:
    """Histograms of pair distances with one set of bins; made once and used for many frames.

    Args:
        n_bins: number of equal bins.
        r_max_A: distances below this are counted, in Å.
    """

    def __init__(self, n_bins: int, *, r_max_A: float) -> None:
        """Set up freud's histogram, if the bins are few enough for it."""
        self.n_bins, self.r_max_A = n_bins, r_max_A
        # freud 3.4 allocates bins³ numbers for a histogram (4 GB for 1 000 bins): many bins are counted from its pairs.
        self._histogram = freud.density.RDF(bins=n_bins, r_max=r_max_A) if n_bins <= _MOST_BINS else None

    def count(
        self, centres_A: ArrayLike, *, neighbours_A: ArrayLike, cell_A: ArrayLike, same: bool
    ) -> NDArray[np.int64]:
        """Ordered pairs of centres and neighbours in each bin, nearest images, self pairs left out.

        Args:
            centres_A: shape (n_centres, 3), in Å, wrapped or not.
            neighbours_A: shape (n_neighbours, 3), in Å.
            cell_A: cell vectors as rows, shape (3, 3), in Å.
            same: whether every centre is among the neighbours.

        Returns:
            Counts, shape (n_bins,).

        Raises:
            InputError: if the cell is too small for the radius.
        """
        if len(np.asarray(centres_A)) == 0 or len(np.asarray(neighbours_A)) == 0:
            return np.zeros(self.n_bins, dtype=np.int64)
        box, (centres, neighbours) = prepare_box(cell_A, radius_A=self.r_max_A, sets=(centres_A, neighbours_A))
        query = {"r_max": self.r_max_A, "exclude_ii": False}
        if self._histogram is None:
            pairs = freud.locality.AABBQuery(box, neighbours).query(centres, query).toNeighborList()
            bins = (pairs.distances * (self.n_bins / self.r_max_A)).astype(np.int64)
            counts = np.bincount(bins, minlength=self.n_bins)[: self.n_bins]
        else:
            self._histogram.compute((box, neighbours), query_points=centres, neighbors=query)
            counts = np.array(self._histogram.bin_counts, dtype=np.int64)
        if same:
            counts[0] -= len(centres)
        return counts


def count_neighbours(
    centres_A: ArrayLike, *, neighbours_A: ArrayLike, cell_A: ArrayLike, cutoff_A: float
) -> NDArray[np.int64]:
    """Neighbours of each centre within a cut-off, nearest images, the centre itself left out.

    Args:
        centres_A: shape (n_centres, 3), in Å, wrapped or not.
        neighbours_A: shape (n_neighbours, 3), in Å.
        cell_A: cell vectors as rows, shape (3, 3), in Å.
        cutoff_A: cut-off in Å.

    Returns:
        Number of neighbours, shape (n_centres,).

    Raises:
        InputError: if the cell is too small for the cut-off.
    """
    n_centres = len(np.asarray(centres_A))
    if n_centres == 0 or len(np.asarray(neighbours_A)) == 0:
        return np.zeros(n_centres, dtype=np.int64)
    box, (centres, neighbours) = prepare_box(cell_A, radius_A=cutoff_A, sets=(centres_A, neighbours_A))
    query = {"r_max": cutoff_A, "r_min": _SELF_A, "exclude_ii": False}
    pairs = freud.locality.AABBQuery(box, neighbours).query(centres, query).toNeighborList()
    return np.bincount(pairs.query_point_indices, minlength=n_centres).astype(np.int64)


def prepare_box(
    cell_A: ArrayLike, *, radius_A: float, sets: tuple[ArrayLike, ...]
) -> tuple[Any, list[NDArray[np.float32]]]:
    """Freud's box for the cell, and the positions turned with it and wrapped.

    Raises:
        InputError: if the cell is too small for the radius.
    """
    cell = np.asarray(cell_A, dtype=float)
    # Single precision in freud: a radius that is just below half of the cell would be refused there.
    limit = largest_radius_A(cell) * (1 - 1e-6)
    if not 0 < radius_A < limit:
        raise InputError(f"radius is {radius_A} Å, needs 0 < radius < {limit:.2f} Å here; lower it or repeat the cell")
    positions = [np.asarray(points, dtype=float) for points in sets]
    if np.abs(np.triu(cell, 1)).max() > _TRIANGULAR or np.diag(cell).min() <= 0:
        fractional = [points @ np.linalg.inv(cell) for points in positions]
        cell = np.asarray(Cell(cell).standard_form()[0])
        positions = [points @ cell for points in fractional]
    box = freud.box.Box.from_matrix(cell.T)
    return box, [box.wrap(points) for points in positions]
