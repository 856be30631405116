"""Displacements of periodic arrays of straight dislocations in an anisotropic crystal.

Stroh's solution for one dislocation is a sum over three complex coordinates η = x + p y, of which each carries ln η.
A row of dislocations at distance L along x turns ln η into ln sin(πη/L), and for a pair of opposite dislocations on one
slip plane the rows above and below converge exponentially. So the periodic field is summed to machine precision in
linear time; what direct sums over images need, hundreds of images and a fit of their linear error, is not needed.
atomman solves the same problem and is the second code of the tests; it is not used here, since its dipole corrects the
mean strain of screws only, and its import takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from structures.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ELASTIC_SOURCE = (
    "experimental constants of Bi (Eckstein, Lawson and Reneker 1960, doi:10.1063/1.1735888) and "
    "Sb (Epstein and deBretteville 1965, doi:10.1103/PhysRev.138.A771), averaged; they shape the starting field only"
)
# Rows: x, y and z of the cell in the crystal's standard axes. The sense of the standard y axis decides the sign of C14,
# which is positive in the tables; of the two senses this is the one in which stretching the bonds of A7, along which
# the crystal is stiff, gives a positive C14 as well.
_AXES = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
_CHUNK = 65_536
_PRECISION = 1e-14


@dataclass(frozen=True, kw_only=True)
class TrigonalElasticity:
    """Six elastic constants of a crystal of class -3m, in GPa, with x1 along the two-fold axis and x3 along c."""

    c11_GPa: float
    c12_GPa: float
    c13_GPa: float
    c14_GPa: float
    c33_GPa: float
    c44_GPa: float
    source: str


BISMUTH = TrigonalElasticity(
    c11_GPa=63.5, c12_GPa=24.7, c13_GPa=24.5, c14_GPa=7.2, c33_GPa=38.1, c44_GPa=11.3, source="doi:10.1063/1.1735888"
)
ANTIMONY = TrigonalElasticity(
    c11_GPa=99.4,
    c12_GPa=30.9,
    c13_GPa=26.4,
    c14_GPa=21.6,
    c33_GPa=44.5,
    c44_GPa=39.5,
    source="doi:10.1103/PhysRev.138.A771",
)
MEAN_OF_BI_AND_SB = TrigonalElasticity(
    c11_GPa=81.45, c12_GPa=27.8, c13_GPa=25.45, c14_GPa=14.4, c33_GPa=41.3, c44_GPa=25.4, source=ELASTIC_SOURCE
)


@dataclass(frozen=True, kw_only=True)
class StrohModes:
    """Roots p, shape (6,), and weights of the logarithms in the displacement, shape (6, 3), in Å."""

    roots: NDArray[np.complex128]
    weights_A: NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two opposite dislocations on the slip plane y, of Burgers vectors sign·b at x_first and −sign·b at x_second.

    Between them the crystal above has slipped by −sign·b against the crystal below.
    """

    x_first_A: float
    x_second_A: float
    y_A: float
    sign: int = 1


def compute_stiffness(elasticity: TrigonalElasticity) -> NDArray[np.float64]:
    """Stiffness tensor in the axes of the cell: x ∥ [11-20], y ∥ c, z ∥ [1-100].

    Args:
        elasticity: elastic constants in the crystal's standard axes.

    Returns:
        The tensor C_ijkl, shape (3, 3, 3, 3), in GPa.

    Raises:
        InputError: if the constants are not those of a stable crystal.

    Source: Nye, Physical Properties of Crystals, 1985, table 9 (class -3m).
    """
    e = elasticity
    shear = (e.c11_GPa - e.c12_GPa) / 2
    voigt = np.array(
        [
            [e.c11_GPa, e.c12_GPa, e.c13_GPa, e.c14_GPa, 0, 0],
            [e.c12_GPa, e.c11_GPa, e.c13_GPa, -e.c14_GPa, 0, 0],
            [e.c13_GPa, e.c13_GPa, e.c33_GPa, 0, 0, 0],
            [e.c14_GPa, -e.c14_GPa, 0, e.c44_GPa, 0, 0],
            [0, 0, 0, 0, e.c44_GPa, e.c14_GPa],
            [0, 0, 0, 0, e.c14_GPa, shear],
        ]
    )
    if np.linalg.eigvalsh(voigt).min() <= 0:
        raise InputError(f"{elasticity} is no stable crystal: the matrix of the constants needs positive eigenvalues")
    index = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    standard = voigt[index[:, :, None, None], index[None, None, :, :]]
    stiffness: NDArray[np.float64] = np.einsum("ai,bj,ck,dl,ijkl->abcd", _AXES, _AXES, _AXES, _AXES, standard)
    return stiffness


def compute_stroh_modes(elasticity: TrigonalElasticity, *, burgers_vector_A: NDArray[np.float64]) -> StrohModes:
    """Solve Stroh's problem for a line along z ∥ [1-100], with x ∥ [11-20] and the slip plane's normal y ∥ c.

    The ansatz u = a f(x + p y) turns equilibrium into N (a, l) = p (a, l) with the 6 × 6 matrix N of the stiffness;
    the weights of ln(x + p y) are ± a (l·b) / (2πi · 2 a·l), the sign that of Im p.

    Args:
        elasticity: elastic constants in the crystal's standard axes.
        burgers_vector_A: Burgers vector in the axes x, y, z of the cell, shape (3,), in Å.

    Returns:
        Roots and weights, so that u = Re Σ w ln(x + p y) for a single dislocation.

    Raises:
        InputError: if the constants are not those of a stable trigonal crystal.

    Source: Stroh 1958, doi:10.1080/14786435808565804.
    """
    stiffness = compute_stiffness(elasticity)
    q, r, t = stiffness[:, 0, :, 0], stiffness[:, 0, :, 1], stiffness[:, 1, :, 1]
    inverse = np.linalg.inv(t)
    matrix = np.block([[-inverse @ r.T, inverse], [r @ inverse @ r.T - q, -r @ inverse]])
    roots, vectors = np.linalg.eig(matrix)
    shapes, forces = vectors[:3].T, vectors[3:].T
    norms = 2 * np.einsum("si,si->s", shapes, forces)
    strengths = np.sign(roots.imag) * (forces @ burgers_vector_A) / (2j * np.pi * norms)
    return StrohModes(roots=roots, weights_A=strengths[:, None] * shapes)


def compute_periodic_displacement(
    points_A: NDArray[np.float64],
    *,
    modes: StrohModes,
    pairs: tuple[Pair, ...],
    length_A: float,
    height_A: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Displacement of points in a crystal with periodic dislocation pairs, at zero mean stress.

    The pairs repeat by (length, 0) and (0, height) before, and by (length, 0) and (tilt, height) after it.
    The tilt is the mean plastic slip, −b Σ sign (x_second − x_first) / length, which the cell must follow for the mean
    elastic strain to vanish.

    Args:
        points_A: coordinates x, y of the atoms in the perfect crystal, shape (n, 2), in Å.
        modes: Stroh's solution for the Burgers vector of the pairs' first dislocation.
        pairs: the pairs of opposite dislocations.
        length_A: period along x, in Å.
        height_A: period along y, in Å.

    Returns:
        Displacements, shape (n, 3), and tilt of the upper edge of the cell, shape (3,), in Å.
    """
    modes_rows = _rows_needed(modes, length_A=length_A, height_A=height_A)
    displacement_A = np.empty((len(points_A), 3))
    for start in range(0, len(points_A), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        displacement_A[chunk] = sum(
            _pair_displacement(points_A[chunk], modes=modes, pair=pair, periods_A=(length_A, height_A), rows=modes_rows)
            for pair in pairs
        )
    tilt_A = np.zeros(3)
    linear_A = np.zeros(3)
    for pair in pairs:
        slip_A, climb_A = _slip_and_shift(modes, pair=pair, periods_A=(length_A, height_A), rows=modes_rows)
        tilt_A += slip_A * (pair.x_second_A - pair.x_first_A) / length_A
        linear_A += climb_A
    displacement_A += np.outer(points_A[:, 1] / height_A, tilt_A - linear_A)
    displacement_A -= displacement_A.mean(axis=0)
    return displacement_A, tilt_A


def _rows_needed(modes: StrohModes, *, length_A: float, height_A: float) -> int:
    decay = 2 * np.pi * np.abs(modes.roots.imag).min() * height_A / length_A
    return int(np.ceil(-np.log(_PRECISION) / decay)) + 1


def _pair_displacement(
    points_A: NDArray[np.float64], *, modes: StrohModes, pair: Pair, periods_A: tuple[float, float], rows: int
) -> NDArray[np.float64]:
    """Sum over the rows of the pair's images, each row closed to a ratio of sines."""
    length_A, height_A = periods_A
    total = np.zeros((len(points_A), 3))
    x, y = points_A[:, 0], points_A[:, 1] - pair.y_A
    for root, weight in zip(modes.roots, modes.weights_A, strict=True):
        logarithm = np.zeros(len(points_A), dtype=np.complex128)
        for row in range(-rows, rows + 1):
            height = y - row * height_A
            logarithm += _log_ratio(
                np.pi * (x - pair.x_first_A + root * height) / length_A,
                np.pi * (x - pair.x_second_A + root * height) / length_A,
            )
        total += (logarithm[:, None] * weight).real
    return pair.sign * total


def _log_ratio(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """ln(sin(first) / sin(second)) without overflow; its cut is the slip plane between the two dislocations."""
    side = np.where(first.imag > 0, 1.0, -1.0)
    ratio = np.exp(1j * side * (second - first)) * np.expm1(2j * side * first) / np.expm1(2j * side * second)
    result: NDArray[np.complex128] = np.log(ratio)
    return result


def _slip_and_shift(
    modes: StrohModes, *, pair: Pair, periods_A: tuple[float, float], rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Jump across the slip plane between the cores, and what the bare sum shifts over one period along y."""
    length_A, height_A = periods_A
    middle = 0.5 * (pair.x_first_A + pair.x_second_A)
    tiny = 1e-9 * height_A
    outside = middle + 0.5 * length_A
    probes = np.array(
        [
            [middle, pair.y_A + tiny],
            [middle, pair.y_A - tiny],
            [outside, pair.y_A + 0.5 * height_A],
            [outside, pair.y_A - 0.5 * height_A],
        ]
    )
    above, below, top, bottom = _pair_displacement(probes, modes=modes, pair=pair, periods_A=periods_A, rows=rows)
    return above - below, top - bottom
