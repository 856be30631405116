"""What spheres about centres near the faces of a slab see of it: the volume accessible to what may only be inside.

Of a ball of radius r about a centre at the distance h from a plane, the cap π(r − h)²(2r + h)/3 lies beyond the plane,
so of a shell the difference of two caps. A slab takes away what is beyond its two planes; in a cell that is periodic
along z its images give back what is beyond theirs, a gap farther on.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STEP_A = 0.02


def compute_beyond(distances_A: ArrayLike, *, edges_A: ArrayLike) -> NDArray[np.float64]:
    """Volume of spherical shells that lies beyond a plane.

    Args:
        distances_A: of the centre from the plane, shape (n,), in Å; negative for a centre beyond it.
        edges_A: radii of the shells, shape (n_bins + 1,), in Å.

    Returns:
        Volumes in Å³, shape (n, n_bins).
    """
    radii = np.asarray(edges_A, dtype=float)
    heights = np.clip(np.atleast_1d(np.asarray(distances_A, dtype=float))[:, None], -radii, radii)
    caps = np.pi / 3 * (radii - heights) ** 2 * (2 * radii + heights)
    return np.diff(caps, axis=1)


class AccessibleShells:
    """Pairs that ideal gases in a slab would have with centres about it, summed over frames.

    Centres are gathered by their distance from each plane, on a grid of 0.02 Å between whose points volumes are
    taken as linear, so that a frame costs four histograms. Of a slab in a periodic cell the nearest images count, which
    is all of them up to a radius of half the cell.

    Args:
        edges_A: edges of the bins, shape (n_bins + 1,), in Å.
        n_gases: how many gases there are.
    """

    def __init__(self, edges_A: NDArray[np.float64], *, n_gases: int = 1) -> None:
        """Start with no centres."""
        self.edges_A = edges_A
        self._reach = float(edges_A[-1]) + _STEP_A
        self._grid = np.linspace(-self._reach, self._reach, round(2 * self._reach / _STEP_A) + 1)
        self._planes = np.zeros((n_gases, self._grid.size))
        self._whole = np.zeros(n_gases)

    def add(
        self, heights_A: NDArray[np.float64], *, thickness_A: float, density_per_A3: ArrayLike, gap_A: float | None
    ) -> None:
        """Add the centres of a frame.

        Args:
            heights_A: of the centres above the lower plane of the slab, shape (n,), in Å; they may lie outside.
            thickness_A: of the slab, in Å.
            density_per_A3: of each gas, shape (n_gases,), in 1/Å³.
            gap_A: from the slab to its image along z, in Å; None if there is none.
        """
        densities = np.asarray(density_per_A3, dtype=float)
        below, above = heights_A, thickness_A - heights_A
        planes = -self._gather(below) - self._gather(above)
        if gap_A is not None:
            planes += self._gather(below + gap_A) + self._gather(above + gap_A)
        self._planes += np.multiply.outer(densities, planes)
        self._whole += densities * len(heights_A)

    def _gather(self, distances_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Centres at each point of the grid; each is shared between the two points about its distance."""
        position = (np.clip(distances_A, -self._reach, self._reach) - self._grid[0]) / (self._grid[1] - self._grid[0])
        left = np.minimum(position.astype(np.intp), self._grid.size - 2)
        share = position - left
        ends = np.concatenate([left, left + 1])
        weights = np.concatenate([1 - share, share])
        return np.bincount(ends, weights=weights, minlength=self._grid.size).astype(np.float64)

    @property
    def expected(self) -> NDArray[np.float64]:
        """Number of pairs in each bin, shape (n_gases, n_bins)."""
        shells = 4 / 3 * np.pi * np.diff(self.edges_A**3)
        used = np.flatnonzero(self._planes.any(axis=0))
        beyond = self._planes[:, used] @ compute_beyond(self._grid[used], edges_A=self.edges_A)
        return np.asarray(np.multiply.outer(self._whole, shells) + beyond)
