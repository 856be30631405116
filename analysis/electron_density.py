"""Electron density on the grid of a periodic or open cell, as an electronic-structure code leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from analysis.array_files import read_arrays, write_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

DENSITY_FILE = "density.npz"
_KIND = "electron density"


@dataclass(frozen=True)
class ElectronDensity:
    """All-electron density with the structure that it belongs to.

    Point (i, j, k) lies at i/n_x a + j/n_y b + k/n_z c.

    Attributes:
        density_e_per_A3: electrons count positive, shape (n_x, n_y, n_z).
        cell_A: rows are a, b and c, shape (3, 3).
        numbers: atomic numbers, shape (n_atoms,).
        positions_A: shape (n_atoms, 3).
        pbc: shape (3,).
        spin_density_e_per_A3: up minus down, same shape; None if it was not polarised.
    """

    density_e_per_A3: NDArray[np.float32]
    cell_A: NDArray[np.float64]
    numbers: NDArray[np.int64]
    positions_A: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    spin_density_e_per_A3: NDArray[np.float32] | None = None

    @property
    def voxel_A3(self) -> float:
        """Volume of one point, in Å³."""
        return float(abs(np.linalg.det(self.cell_A))) / self.density_e_per_A3.size

    @property
    def n_electrons(self) -> float:
        """Integral of the density."""
        return float(self.density_e_per_A3.sum(dtype=np.float64)) * self.voxel_A3

    @property
    def atoms(self) -> Atoms:
        """The structure."""
        return Atoms(self.numbers, positions=self.positions_A, cell=self.cell_A, pbc=self.pbc)


def write_density(path: str | Path, density: ElectronDensity) -> None:
    """Write a density in single precision, which keeps 7 digits."""
    spin = density.spin_density_e_per_A3
    write_arrays(
        path,
        kind=_KIND,
        density_e_per_A3=density.density_e_per_A3.astype(np.float32),
        cell_A=density.cell_A,
        numbers=density.numbers,
        positions_A=density.positions_A,
        pbc=density.pbc,
        **({} if spin is None else {"spin_density_e_per_A3": spin.astype(np.float32)}),
    )


def read_density(path: str | Path) -> ElectronDensity:
    """Read a density.

    Raises:
        InputError: if the file is missing, broken or holds something else.
    """
    return ElectronDensity(**read_arrays(path, kind=_KIND))
