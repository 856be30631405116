"""Where dislocation cores are: the density of the Burgers vector from the local lattice of each atom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from structures.checks import compute_ghosts
from structures.lattice_bonds import LONGEST_BOND_A, find_bonds, select_interior

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from structures.dislocation import DipoleGeometry

SMOOTHING_A = 2.5
CORE_RADIUS_A = 7.0
# A core holds b; thermal noise holds some tenths of it.
SMALLEST_CONTENT = 0.5
_GRID_A = 1.5


@dataclass(frozen=True, kw_only=True)
class Core:
    """A dislocation core: sign of its Burgers vector, position x, y in Å, and the share of b found around it."""

    sign: int
    position_A: tuple[float, float]
    content: float


def find_cores(
    atoms: Atoms, *, geometry: DipoleGeometry, z_range_A: tuple[float, float] | None = None
) -> tuple[Core | None, ...]:
    """Find the dislocation cores of a frame from the density of its Burgers vector.

    The three bond vectors around each atom, F (rows, in Å), map the reference lattice E: dR = dx F⁻¹ E. The field is
    averaged along z with a Gaussian of 2.5 Å in the plane; the Burgers vector enclosed by a loop is −∮ dR, so its
    density is −(∂x A_yx − ∂y A_xx) with A = F⁻¹ E, as in Nye's tensor.

    Args:
        atoms: any frame, relaxed or at temperature; metal atoms and faces are left out.
        geometry: the dislocations as built.
        z_range_A: heights of the alloy to use; its interior if None.

    Returns:
        For each built core the one found, by sign and distance; None for a core that is no longer there.

    Source: Hartley and Mishin 2005, doi:10.1016/j.actamat.2004.11.027.
    """
    interior = select_interior(atoms, z_range_A=z_range_A)
    bond_vectors_A = np.array(geometry.bond_vectors_A)
    positions_A, columns = _reference_gradient(
        interior.positions_A, cell_A=interior.lateral_cell_A, bond_vectors_A=bond_vectors_A
    )
    density, grid = _burgers_density(positions_A, columns=columns, cell_A=interior.lateral_cell_A)
    magnitude_A = float(np.linalg.norm(geometry.burgers_vector_A))
    area_A2 = abs(np.linalg.det(interior.lateral_cell_A)) / density.size
    cores: list[Core] = []
    for sign in (1, -1):
        wanted = geometry.core_signs.count(sign)
        part = sign * density / magnitude_A * area_A2
        cores += _pick_peaks(part, grid=grid, cell_A=interior.lateral_cell_A, sign=sign, n_wanted=wanted)
    return _in_built_order(cores, geometry=geometry, cell_A=interior.lateral_cell_A)


def _reference_gradient(
    positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64], bond_vectors_A: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (n, 2) and the entries (A_xx, A_yx) of each atom that has bonds both ways along all three vectors."""
    from ase import Atoms as Frame

    height_A = float(np.ptp(positions_A[:, 2])) + 4 * LONGEST_BOND_A
    cell = np.zeros((3, 3))
    cell[:2, :2], cell[2, 2] = cell_A, height_A
    lifted = positions_A - [0, 0, positions_A[:, 2].min() - 2 * LONGEST_BOND_A]
    images_A, owners = compute_ghosts(
        Frame(np.ones(len(lifted)), positions=lifted, cell=cell, pbc=[True, True, False]), cutoff_A=LONGEST_BOND_A + 0.1
    )
    bonds = find_bonds(images_A, bond_vectors_A=bond_vectors_A)
    n_atoms = len(positions_A)
    sums = np.zeros((n_atoms, 3, 2, 3))
    counts = np.zeros((n_atoms, 3, 2))
    axis = np.abs(bonds.steps).argmax(axis=1)
    forward = bonds.steps.sum(axis=1) > 0
    vectors = images_A[bonds.second] - images_A[bonds.first]
    for of, direction, vector in ((bonds.first, forward, vectors), (bonds.second, ~forward, -vectors)):
        own = of < n_atoms
        np.add.at(sums, (owners[of[own]], axis[own], direction[own].astype(int)), vector[own])
        np.add.at(counts, (owners[of[own]], axis[own], direction[own].astype(int)), 1)
    whole = (counts == 1).all(axis=(1, 2))
    frames = (sums[whole, :, 1] - sums[whole, :, 0]) / 2
    gradient = np.asarray(np.linalg.solve(frames, np.broadcast_to(bond_vectors_A, frames.shape)), dtype=np.float64)
    return images_A[:n_atoms][whole][:, :2], gradient[:, :2, 0]


def _burgers_density(
    positions_A: NDArray[np.float64], *, columns: NDArray[np.float64], cell_A: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Density in 1/Å on a periodic grid, and the grid's points as fractions; derivatives and smoothing by Fourier."""
    shape = tuple(max(8, int(np.ceil(np.linalg.norm(row) / _GRID_A))) for row in cell_A)
    fractions = (positions_A @ np.linalg.inv(cell_A)) % 1.0
    bins = tuple(np.minimum((fractions[:, k] * shape[k]).astype(int), shape[k] - 1) for k in range(2))
    wave = [2j * np.pi * np.fft.fftfreq(n, d=1 / n) for n in shape]
    reciprocal = np.linalg.inv(cell_A)
    gx = reciprocal[0, 0] * wave[0][:, None] + reciprocal[0, 1] * wave[1][None, :]
    gy = reciprocal[1, 0] * wave[0][:, None] + reciprocal[1, 1] * wave[1][None, :]
    kernel = np.exp(0.5 * SMOOTHING_A**2 * (gx**2 + gy**2).real)

    def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros(shape)
        np.add.at(total, bins, values)
        result: NDArray[np.float64] = np.fft.ifft2(np.fft.fft2(total) * kernel).real
        return result

    weight = np.maximum(smooth(np.ones(len(positions_A))), 1e-6)
    a_xx = np.fft.fft2(smooth(columns[:, 0]) / weight)
    a_yx = np.fft.fft2(smooth(columns[:, 1]) / weight)
    density: NDArray[np.float64] = -np.fft.ifft2(gx * a_yx - gy * a_xx).real
    grid = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n for n in shape), indexing="ij"), axis=-1)
    return density, grid


def _pick_peaks(
    part: NDArray[np.float64], *, grid: NDArray[np.float64], cell_A: NDArray[np.float64], sign: int, n_wanted: int
) -> list[Core]:
    """Peaks of one sign, one by one: centroid of what lies around the densest point."""
    left = part.copy()
    cores: list[Core] = []
    for _ in range(n_wanted):
        center = grid[np.unravel_index(left.argmax(), left.shape)]
        for _repeat in range(3):
            offsets = grid - center
            offsets -= np.round(offsets)
            near = (np.linalg.norm(offsets @ cell_A, axis=-1) < CORE_RADIUS_A) & (left > 0)
            if not near.any():
                return cores
            center = center + (left[near][:, None] * offsets[near]).sum(axis=0) / left[near].sum()
        disc = np.linalg.norm(offsets @ cell_A, axis=-1) < CORE_RADIUS_A
        content = float(left[disc].sum())
        if content < SMALLEST_CONTENT:
            return cores
        position = (center % 1.0) @ cell_A
        cores.append(Core(sign=sign, position_A=(float(position[0]), float(position[1])), content=content))
        left[disc] = 0
    return cores


def compute_separation(
    start_A: tuple[float, float], end_A: tuple[float, float], *, cell_A: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shortest vector from one point of the plane to the images of another.

    Args:
        start_A: x and y of the first point, in Å.
        end_A: x and y of the second point, in Å.
        cell_A: lateral cell, vectors as rows, shape (2, 2), in Å.

    Returns:
        The vector, shape (2,), in Å.
    """
    fraction = (np.array(end_A) - np.array(start_A)) @ np.linalg.inv(cell_A)
    fraction -= np.round(fraction)
    shifts = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(-1, 2)
    images = (fraction + shifts) @ cell_A
    nearest: NDArray[np.float64] = images[np.linalg.norm(images, axis=1).argmin()]
    return nearest


def _in_built_order(
    cores: list[Core], *, geometry: DipoleGeometry, cell_A: NDArray[np.float64]
) -> tuple[Core | None, ...]:
    left = list(cores)
    ordered: list[Core | None] = []
    for sign, built_A in zip(geometry.core_signs, geometry.core_positions_A, strict=True):
        same = [core for core in left if core.sign == sign]
        distances_A = [np.linalg.norm(compute_separation(built_A, c.position_A, cell_A=cell_A)) for c in same]
        ordered.append(same[int(np.argmin(distances_A))] if same else None)
        if same:
            left.remove(same[int(np.argmin(distances_A))])
    return tuple(ordered)
