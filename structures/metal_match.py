"""Which supercell of a metal's surface fits the lateral cell of another crystal with the least strain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.build import surface

from structures.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Face = tuple[int, int, int]
DEFAULT_FACES: tuple[Face, ...] = ((1, 1, 0), (0, 0, 1))
_MAX_CANDIDATES = 2_000
_LENGTH_TOLERANCE = 0.25


@dataclass(frozen=True, kw_only=True)
class MetalMatch:
    """A supercell of a surface: face, whole-number matrix of its vectors, strain to fit, and turn in the plane."""

    face: Face
    supercell: tuple[tuple[int, int], tuple[int, int]]
    strain: tuple[float, float, float]
    largest_strain: float
    rotation_deg: float


def compute_best_match(
    metal: Atoms, *, lateral_cell_A: NDArray[np.float64], faces: tuple[Face, ...] = DEFAULT_FACES
) -> MetalMatch:
    """Surface, supercell and turn of a metal that fit a lateral cell with the smallest largest principal strain.

    Every vector of the surface's lattice about as long as the cell's first is tried as the first of the supercell; the
    second is the lattice point nearest to where the cell's second lies after the same turn. So the cost grows with the
    area, and all turns in the plane are covered.

    Args:
        metal: conventional cell of the metal.
        lateral_cell_A: the cell to fit, vectors as rows, shape (2, 2), in Å.
        faces: Miller indices of the surfaces to try.

    Returns:
        The best match; `strain` holds the components xx, yy, xy of the stretch minus one.

    Raises:
        InputError: if no supercell exists, as the lateral cell is smaller than the metal's.
    """
    best: MetalMatch | None = None
    for face in faces:
        basis_A = np.array(surface(metal, face, 1).cell.array[:2, :2])
        match = _match_face(face, basis_A=basis_A, target_A=lateral_cell_A)
        if match is not None and (best is None or match.largest_strain < best.largest_strain - 1e-9):
            best = match
    if best is None:
        lengths_A = np.linalg.norm(lateral_cell_A, axis=1)
        message = (
            f"the metal fits no cell of {lengths_A[0]:.1f} × {lengths_A[1]:.1f} Å; enlarge the alloy's cell to at "
            "least a few lattice constants of the metal"
        )
        raise InputError(message)
    return best


def _match_face(face: Face, *, basis_A: NDArray[np.float64], target_A: NDArray[np.float64]) -> MetalMatch | None:
    first = _vectors_of_length(basis_A, length_A=float(np.linalg.norm(target_A[0])))
    turns = _angle(first @ basis_A) - _angle(target_A[:1])
    cosines, sines = np.cos(turns), np.sin(turns)
    scale = np.linalg.norm(first @ basis_A, axis=1) / np.linalg.norm(target_A[0])
    wanted = [
        np.stack(
            [cosines * target_A[1, 0] - sines * target_A[1, 1], sines * target_A[1, 0] + cosines * target_A[1, 1]], 1
        )
        * factor
        for factor in (np.ones_like(scale)[:, None], scale[:, None])
    ]
    second = np.round(np.vstack(wanted) @ np.linalg.inv(basis_A)).astype(int)
    matrices = np.stack([np.vstack([first, first]), second], axis=1)
    matrices = matrices[np.linalg.det(matrices) > 0.5]  # noqa: PLR2004 whole numbers: right-handed, not flat
    if len(matrices) == 0:
        return None
    gradients = np.linalg.solve(matrices @ basis_A, np.broadcast_to(target_A, matrices.shape))
    left, stretch, right = np.linalg.svd(np.swapaxes(gradients, 1, 2))
    largest = np.abs(stretch - 1).max(axis=1)
    order = np.lexsort((*(np.abs(matrices).reshape(len(matrices), 4).T), np.round(largest, 9)))
    pick = order[0]
    strain = (left[pick] * stretch[pick]) @ left[pick].T - np.eye(2)
    rotation = left[pick] @ right[pick]
    return MetalMatch(
        face=face,
        supercell=tuple(tuple(int(n) for n in row) for row in matrices[pick]),  # type: ignore[arg-type]
        strain=(float(strain[0, 0]), float(strain[1, 1]), float(strain[0, 1])),
        largest_strain=float(largest[pick]),
        rotation_deg=math.degrees(math.atan2(rotation[1, 0], rotation[0, 0])),
    )


def _angle(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    angles: NDArray[np.float64] = np.arctan2(vectors[:, 1], vectors[:, 0])
    return angles


def _vectors_of_length(basis_A: NDArray[np.float64], *, length_A: float) -> NDArray[np.int64]:
    """Whole-number vectors nearest in length to the wanted one, within the tolerance, the best ones first."""
    area_A2 = abs(np.linalg.det(basis_A))
    reach = np.ceil(1.3 * length_A * np.linalg.norm(basis_A[::-1], axis=1) / area_A2).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 2)
    misfit = np.abs(np.linalg.norm(grid @ basis_A, axis=1) / length_A - 1)
    near = np.flatnonzero(misfit < _LENGTH_TOLERANCE)
    best: NDArray[np.int64] = grid[near[np.argsort(misfit[near], kind="stable")][:_MAX_CANDIDATES]]
    return best


def build_fitted_metal(
    metal: Atoms, *, match: MetalMatch, lateral_cell_A: NDArray[np.float64], thickness_A: float
) -> Atoms:
    """Layers of a metal in the supercell of a match, strained to the lateral cell; not strained along z.

    Args:
        metal: conventional cell of the metal.
        match: what `compute_best_match` found.
        lateral_cell_A: the cell to fit, vectors as rows, shape (2, 2), in Å.
        thickness_A: least thickness, in Å; whole layers are added until it is reached.

    Returns:
        The metal, lowest atom at z = 0, in a cell that is as high as its layers.
    """
    layer_A = float(surface(metal, match.face, 1, periodic=True).cell.array[2, 2])
    n_layers = max(1, math.ceil(thickness_A / layer_A - 1e-6))
    block = surface(metal, match.face, n_layers)
    basis_A = np.array(block.cell.array[:2, :2])
    points = _lattice_points(np.array(match.supercell))
    copies_A = np.zeros((len(points), 3))
    copies_A[:, :2] = points @ basis_A
    positions_A = (copies_A[:, None, :] + block.positions[None, :, :]).reshape(-1, 3)
    gradient = np.linalg.solve(np.array(match.supercell) @ basis_A, lateral_cell_A)
    positions_A[:, :2] = positions_A[:, :2] @ gradient
    positions_A[:, 2] -= positions_A[:, 2].min()
    cell = np.zeros((3, 3))
    cell[:2, :2] = lateral_cell_A
    cell[2, 2] = n_layers * layer_A
    fitted = Atoms(np.tile(block.numbers, len(points)), positions=positions_A, cell=cell, pbc=[True, True, False])
    fitted.wrap()
    return fitted


def _lattice_points(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """One point of each class of the plane's lattice modulo a supercell: a box, by the matrix's Hermite normal form."""
    (a, b), (c, d) = ((int(n) for n in row) for row in matrix)
    while c:
        quotient = a // c
        a, b, c, d = c, d, a - quotient * c, b - quotient * d
    grid = np.meshgrid(np.arange(abs(a)), np.arange(abs(d)), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 2)
