"""How the electrons rearrange when parts come together: the density of the whole minus those of its parts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase.io.cube
import numpy as np
from ase import units

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from analysis.electron_density import ElectronDensity

_SAME_CELL_A = 1e-4
_SAME_PLACE_A = 1e-3


@dataclass(frozen=True)
class DensityDifference:
    """Δρ = ρ(whole) − Σ ρ(part), with its profile along the third axis of the cell.

    Attributes:
        difference_e_per_A3: electrons gained count positive, shape (n_x, n_y, n_z).
        atoms: the whole.
        z_A: heights of the profile, shape (n_z,).
        profile_e_per_A: Δρ integrated over each plane, shape (n_z,).
        net_e: integral of Δρ; 0 if the parts hold as many electrons as the whole.
        moved_e: electrons that changed their place, ½ ∫ |Δρ|.
    """

    difference_e_per_A3: NDArray[np.float64]
    atoms: Atoms
    z_A: NDArray[np.float64]
    profile_e_per_A: NDArray[np.float64]
    net_e: float
    moved_e: float

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`, without the grid."""
        return {
            "z_A": self.z_A.tolist(),
            "profile_e_per_A": self.profile_e_per_A.tolist(),
            "net_e": self.net_e,
            "moved_e": self.moved_e,
        }


def compute_density_difference(whole: ElectronDensity, *, parts: Sequence[ElectronDensity]) -> DensityDifference:
    """Density of the whole minus the densities of its parts, each computed in the place that it has in the whole.

    Args:
        whole: density of all.
        parts: densities of its parts, in the same cell on the same grid.

    Raises:
        InputError: if there are no parts, cells or grids differ, or the parts' atoms are not those of the whole.
    """
    if not parts:
        raise InputError("there are 0 parts, needs 1 or more")
    for number, part in enumerate(parts):
        _check_same_grid(whole, part=part, number=number)
    _check_same_atoms(whole, parts=parts)
    difference = whole.density_e_per_A3.astype(np.float64)
    for part in parts:
        difference -= part.density_e_per_A3
    n_z = difference.shape[2]
    height_A = float(abs(np.linalg.det(whole.cell_A)) / np.linalg.norm(np.cross(whole.cell_A[0], whole.cell_A[1])))
    profile = difference.sum(axis=(0, 1)) * whole.voxel_A3 / (height_A / n_z)
    return DensityDifference(
        difference_e_per_A3=difference,
        atoms=whole.atoms,
        z_A=np.arange(n_z) * height_A / n_z,
        profile_e_per_A=profile,
        net_e=float(difference.sum()) * whole.voxel_A3,
        moved_e=float(np.abs(difference).sum()) * whole.voxel_A3 / 2,
    )


def write_cube(path: str | Path, difference: DensityDifference) -> None:
    """Write Δρ as a Gaussian cube file in e/bohr³, as viewers expect it, whole or not at all."""
    file = Path(path)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with aside.open("w", encoding="ascii") as stream:
        ase.io.cube.write_cube(
            stream,
            difference.atoms,
            data=difference.difference_e_per_A3 * units.Bohr**3,
            comment="density difference, whole minus parts, e/bohr^3",
        )
    aside.replace(file)


def _check_same_grid(whole: ElectronDensity, *, part: ElectronDensity, number: int) -> None:
    if part.density_e_per_A3.shape != whole.density_e_per_A3.shape:
        raise InputError(
            f"part {number} is on a grid of {part.density_e_per_A3.shape} points and the whole on "
            f"{whole.density_e_per_A3.shape}; compute both with the same grid points"
        )
    apart_A = float(np.abs(part.cell_A - whole.cell_A).max())
    if apart_A > _SAME_CELL_A:
        raise InputError(
            f"the cell of part {number} differs from that of the whole by {apart_A:g} Å, "
            f"limit {_SAME_CELL_A:g} Å; compute the parts in the cell of the whole"
        )


def _check_same_atoms(whole: ElectronDensity, *, parts: Sequence[ElectronDensity]) -> None:
    """Each atom of the parts must be one of the whole, at its place, once; images count as one place."""
    numbers = np.concatenate([part.numbers for part in parts])
    positions_A = np.concatenate([part.positions_A for part in parts])
    if len(numbers) != len(whole.numbers):
        raise InputError(f"the parts have {len(numbers)} atoms and the whole {len(whole.numbers)}; each needs a part")
    apart = (positions_A[:, None] - whole.positions_A[None]) @ np.linalg.inv(whole.cell_A)
    apart -= np.round(apart) * np.asarray(whole.pbc)
    lengths_A = np.linalg.norm(apart @ whole.cell_A, axis=-1)
    same = (lengths_A < _SAME_PLACE_A) & (numbers[:, None] == whole.numbers[None])
    if not (same.sum(axis=0) == 1).all():
        lost = int(np.flatnonzero(same.sum(axis=0) != 1)[0])
        raise InputError(
            f"atom {lost} of the whole is in {same.sum(axis=0)[lost]} of the parts, needs 1; compute the parts "
            f"in the places that they have in the whole (within {_SAME_PLACE_A:g} Å)"
        )
