"""Bonds of a strained, thermally moving A7 crystal, each told which bond vector of the perfect lattice it is.

A7 is a simple cubic lattice pulled along one body diagonal: each atom has six neighbours, three near and three far,
along plus and minus three vectors at about 90° to each other. So a bond is known by its direction alone, with some
45° to spare: neither the labels of the atoms nor their elements matter, and thermal motion does not either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

LONGEST_BOND_A = 4.3
LARGEST_MISFIT_A = 1.5
# Layers of the alloy left out at a face towards metal or vacuum: it reconstructs, melts or reacts.
SURFACE_DEPTH_A = 4.0
METAL_DEPTH_A = 6.0
_ALLOY_REGIONS = ("alloy", "anchor")
_ALKALI = (3, 11, 19, 37, 55)
_SMALLEST_GAP_A = 2.2


@dataclass(frozen=True, kw_only=True)
class Interior:
    """Atoms of the alloy's interior: wrapped positions, shape (n, 3), and the lateral cell, shape (2, 2), in Å."""

    positions_A: NDArray[np.float64]
    lateral_cell_A: NDArray[np.float64]


def select_interior(atoms: Atoms, *, z_range_A: tuple[float, float] | None = None) -> Interior:
    """Alloy atoms away from its faces, or all of them if the alloy is periodic along z.

    Args:
        atoms: any frame; the alloy is what has the region "alloy" or "anchor", or, without regions, is no alkali metal.
        z_range_A: heights to keep; found from the atoms if None.

    Returns:
        Positions and lateral cell.

    Raises:
        InputError: if no alloy atom is left.
    """
    if "region" in atoms.arrays:
        chosen = np.isin(atoms.arrays["region"], _ALLOY_REGIONS)
    else:
        chosen = ~np.isin(atoms.numbers, _ALKALI)
    cell_A = atoms.cell.array
    fractions = np.linalg.solve(cell_A.T, atoms.positions[chosen].T).T
    fractions[:, :2] %= 1.0
    # Along z the atoms are gathered around their circular mean, so that a slab is never cut by the boundary.
    center = np.angle(np.exp(2j * np.pi * fractions[:, 2]).sum()) / (2 * np.pi) % 1.0
    fractions[:, 2] = (fractions[:, 2] - center + 0.5) % 1.0 - 0.5 + center
    positions_A = fractions @ cell_A
    if z_range_A is None and len(positions_A):
        z_range_A = _interior_heights(positions_A[:, 2], period_A=float(cell_A[2, 2]), bulk=bool(chosen.all()))
    if z_range_A is not None:
        positions_A = positions_A[(positions_A[:, 2] >= z_range_A[0]) & (positions_A[:, 2] <= z_range_A[1])]
    if len(positions_A) == 0:
        message = f"no alloy atom among {len(atoms)} atoms within heights {z_range_A}; check regions and heights"
        raise InputError(message)
    return Interior(positions_A=positions_A, lateral_cell_A=np.array(cell_A[:2, :2]))


def _interior_heights(heights_A: NDArray[np.float64], *, period_A: float, bulk: bool) -> tuple[float, float]:
    """From the 2 % quantile up, so that single atoms gone into the metal do not move the limits."""
    low, high = (float(q) for q in np.quantile(heights_A, (0.02, 0.98)))
    if bulk and period_A - (heights_A.max() - heights_A.min()) < _SMALLEST_GAP_A:
        return float(heights_A.min()), float(heights_A.max())
    thickness = high - low
    bottom, top = (min(depth, thickness / 4) for depth in (SURFACE_DEPTH_A, METAL_DEPTH_A))
    return low + bottom, high - top


@dataclass(frozen=True, kw_only=True)
class Bonds:
    """Bonds of the lattice: atoms i and j, step along the three bond vectors (n, 3) and misfit to it in Å."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    steps: NDArray[np.int64]
    misfit_A: NDArray[np.float64]


def find_bonds(positions_A: NDArray[np.float64], *, bond_vectors_A: NDArray[np.float64]) -> Bonds:
    """Pairs of atoms that are bonds of the lattice, each mapped to plus or minus a bond vector.

    Args:
        positions_A: positions without periodicity, shape (n, 3), in Å.
        bond_vectors_A: the three bond vectors of the perfect lattice, shape (3, 3), in Å.

    Returns:
        Each bond once.
    """
    pairs = cKDTree(positions_A).query_pairs(LONGEST_BOND_A, output_type="ndarray").astype(np.int64)
    first, second = pairs[:, 0], pairs[:, 1]
    bonds_A = positions_A[second] - positions_A[first]
    candidates = np.vstack([bond_vectors_A, -bond_vectors_A])
    misfits_A = np.linalg.norm(bonds_A[:, None, :] - candidates[None, :, :], axis=2)
    kind = misfits_A.argmin(axis=1)
    misfit_A = np.take_along_axis(misfits_A, kind[:, None], axis=1)[:, 0]
    kept = misfit_A < LARGEST_MISFIT_A
    steps = np.vstack([np.eye(3, dtype=np.int64), -np.eye(3, dtype=np.int64)])[kind[kept]]
    return Bonds(first=first[kept], second=second[kept], steps=steps, misfit_A=misfit_A[kept])
