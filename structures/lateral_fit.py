"""Rectangular lateral cells of surfaces, and how often they repeat to fit a wanted size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from ase.build import make_supercell

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

Pair = tuple[float, float]
_REACH = 5  # coefficients of lattice vectors that are tried
_SQUARE = 1e-3  # largest cosine of a right angle: positions in files are rounded


@dataclass(frozen=True, kw_only=True)
class LateralFit:
    """How a rectangular cell repeats along x and y.

    Attributes:
        is_turned: the second edge of the cell lies along x.
        repeats: along x and y.
        strain: that stretches the repeated cell to the wanted size, along x and y; negative: compressed.
    """

    is_turned: bool
    repeats: tuple[int, int]
    strain: Pair

    @property
    def largest_strain(self) -> float:
        """Largest strain by amount."""
        return max(map(abs, self.strain))


def find_rectangular_vectors(lattice_A: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole-number combinations of two vectors that span the smallest rectangular cell of their lattice.

    Args:
        lattice_A: two vectors as rows, shape (2, 2) or (2, 3), in Å.

    Returns:
        Rows of coefficients, right-handed, shape (2, 2); the shorter edge first.

    Raises:
        InputError: if no two short vectors of the lattice are at right angles.
    """
    coefficients = np.array([one for one in product(range(-_REACH, _REACH + 1), repeat=2) if math.gcd(*one) == 1])
    vectors_A = coefficients @ lattice_A
    lengths_A = np.linalg.norm(vectors_A, axis=1)
    order = np.lexsort((-coefficients[:, 1], -coefficients[:, 0], lengths_A.round(6)))
    coefficients, vectors_A, lengths_A = coefficients[order], vectors_A[order], lengths_A[order]
    cosines = vectors_A @ vectors_A.T / np.outer(lengths_A, lengths_A)
    areas = coefficients[:, None, 0] * coefficients[None, :, 1] - coefficients[:, None, 1] * coefficients[None, :, 0]
    fits = (np.abs(cosines) < _SQUARE) & (areas > 0)
    if not fits.any():
        angle = math.degrees(math.acos(cosines_of(lattice_A)))
        raise InputError(
            f"The surface's vectors are {np.linalg.norm(lattice_A, axis=1).round(3).tolist()} Å long at {angle:.1f}°; "
            f"no two of their combinations with coefficients up to {_REACH} are at right angles, which the cell needs. "
            "Take another facet, or give a file with a rectangular slab."
        )
    first, second = np.unravel_index(int(np.argmin(np.where(fits, areas, np.iinfo(np.int64).max))), areas.shape)
    if lengths_A[first] > lengths_A[second] + 1e-6:
        first, second = second, first
        return np.array([coefficients[first], -coefficients[second]])
    return np.array([coefficients[first], coefficients[second]])


def cosines_of(lattice_A: NDArray[np.float64]) -> float:
    """Cosine of the angle between two vectors, the rows."""
    return float(lattice_A[0] @ lattice_A[1] / np.linalg.norm(lattice_A, axis=1).prod())


def fit_repeats(edges_A: Pair, *, lateral_A: Pair) -> LateralFit:
    """Repeats and turn of a rectangle that fit a wanted size with the smallest largest strain.

    Args:
        edges_A: of the rectangle, in Å.
        lateral_A: wanted size along x and y, in Å.
    """
    options = [
        LateralFit(
            is_turned=is_turned,
            repeats=repeats,
            strain=(lateral_A[0] / (repeats[0] * along_x) - 1, lateral_A[1] / (repeats[1] * along_y) - 1),
        )
        for is_turned, (along_x, along_y) in ((False, edges_A), (True, edges_A[::-1]))
        for repeats in product(_list_near(lateral_A[0] / along_x), _list_near(lateral_A[1] / along_y))
    ]
    return min(options, key=lambda fit: (round(fit.largest_strain, 9), round(sum(map(abs, fit.strain)), 9)))


def _list_near(ratio: float) -> tuple[int, ...]:
    low = max(1, math.floor(ratio))
    return low, low + 1


def check_strain(fit: LateralFit, *, edges_A: Pair, max_strain: float, what: str) -> None:
    """Raise if a fit strains more than allowed.

    Raises:
        InputError: with the strain, the limit, and the sizes next to the wanted one that need none.
    """
    if fit.largest_strain <= max_strain:
        return
    edges = edges_A[::-1] if fit.is_turned else edges_A
    wanted = [n * edge * (1 + strain) for n, edge, strain in zip(fit.repeats, edges, fit.strain, strict=True)]
    near = [
        " or ".join(f"{n * edge:.2f}" for n in _list_near(size / edge))
        for size, edge in zip(wanted, edges, strict=True)
    ]
    raise InputError(
        f"{what} would be strained by {100 * fit.strain[0]:+.1f} % along x and {100 * fit.strain[1]:+.1f} % along y to "
        f"{wanted[0]:.2f} × {wanted[1]:.2f} Å, limit {100 * max_strain:g} %. Sizes without strain: {near[0]} Å along "
        f"x, {near[1]} Å along y. Set lateral_A to such a size, or raise max_strain."
    )


def build_fitted_slab(slab: Atoms, *, vectors: NDArray[np.int64], fit: LateralFit, is_strained: bool = True) -> Atoms:
    """A slab repeated as a fit says, and stretched to the wanted size unless it is to keep its lattice.

    Args:
        slab: two vectors in the plane xy, the third along z.
        vectors: of the rectangular cell, from `find_rectangular_vectors`.
        fit: from `fit_repeats`.
        is_strained: stretch it.

    Returns:
        The slab in an upright cell with its edges along x, y and z; not strained along z.
    """
    rows = np.array([vectors[1], -vectors[0]]) if fit.is_turned else vectors
    matrix = np.eye(3, dtype=int)
    matrix[:2, :2] = rows * np.array(fit.repeats)[:, None]
    wide: Atoms = make_supercell(slab, matrix)
    first = wide.cell.array[0]
    wide.rotate(-math.degrees(math.atan2(first[1], first[0])), "z", rotate_cell=True)
    stretch = 1 + np.array(fit.strain) if is_strained else np.ones(2)
    lengths_A = wide.cell.lengths()
    wide.set_cell(np.diag([*(lengths_A[:2] * stretch), lengths_A[2]]), scale_atoms=True)
    wide.pbc = (True, True, False)
    wide.wrap(eps=1e-6)
    return wide
