"""Work functions of the two faces of a slab, from the electrostatic potential across its vacuum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analysis.array_files import read_arrays, write_arrays
from structures.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

POTENTIAL_FILE = "potential.npz"
_KIND = "planar potential"
_FEWEST_POINTS = 4


@dataclass(frozen=True)
class PlanarPotential:
    """Electrostatic potential of an electron, averaged over planes parallel to a slab's faces.

    Attributes:
        z_A: heights, ascending, shape (n_z,).
        potential_eV: shape (n_z,).
        fermi_eV: Fermi level on the same scale; the higher one if each spin has its own.
        height_A: of the cell.
        atoms_z_A: heights of the atoms, shape (n_atoms,).
    """

    z_A: NDArray[np.float64]
    potential_eV: NDArray[np.float64]
    fermi_eV: float
    height_A: float
    atoms_z_A: NDArray[np.float64]


@dataclass(frozen=True)
class WorkFunction:
    """What it costs to take an electron out through each face.

    Attributes:
        upper_eV: through the face towards +z.
        lower_eV: through the face towards −z.
        flatness_eV: how much the potential still varies on the less flat of the two plateaus.
        upper_z_A: middle of the plateau above.
        lower_z_A: middle of the plateau below.
    """

    upper_eV: float
    lower_eV: float
    flatness_eV: float
    upper_z_A: float
    lower_z_A: float

    @property
    def step_eV(self) -> float:
        """Upper minus lower: the step of the potential that the slab's dipole makes."""
        return self.upper_eV - self.lower_eV

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {
            "upper_eV": self.upper_eV,
            "lower_eV": self.lower_eV,
            "step_eV": self.step_eV,
            "flatness_eV": self.flatness_eV,
            "upper_z_A": self.upper_z_A,
            "lower_z_A": self.lower_z_A,
        }


def compute_work_function(
    potential: PlanarPotential,
    *,
    plateau_A: float = 1.0,
    clearance_A: float = 2.0,
    edge_A: float = 0.75,
    flatness_limit_eV: float = 0.05,
) -> WorkFunction:
    """Work function Φ = V(vacuum) − E_F of both faces of a slab.

    V(vacuum) is the mean over that stretch of the vacuum where the potential varies least.

    Args:
        potential: of the slab, whose atoms lie within the cell.
        plateau_A: length of the stretch.
        clearance_A: vacuum begins this far from the outermost atom.
        edge_A: left out at both ends of the cell, where plane-wave codes put the step of the dipole correction.
        flatness_limit_eV: largest variation on a plateau.

    Raises:
        InputError: if shapes do not fit, there is no room for a plateau, or no stretch is flat.

    Source:
        Dipole correction 10.1103/PhysRevB.59.12301
    """
    z_A, potential_eV, atoms_z_A = potential.z_A, potential.potential_eV, potential.atoms_z_A
    height_A, fermi_eV = potential.height_A, potential.fermi_eV
    if z_A.ndim != 1 or z_A.shape != potential_eV.shape or not (np.diff(z_A) > 0).all():
        raise InputError(
            f"heights {z_A.shape} and potentials {potential_eV.shape} must be of one length, heights rising"
        )
    above = (float(atoms_z_A.max()) + clearance_A, height_A - edge_A)
    below = (edge_A, float(atoms_z_A.min()) - clearance_A)
    found = {}
    for face, (start_A, end_A) in {"upper": above, "lower": below}.items():
        inside = (z_A >= start_A) & (z_A <= end_A)
        if end_A - start_A < plateau_A or inside.sum() < _FEWEST_POINTS:
            raise InputError(
                f"the {face} face has {end_A - start_A + clearance_A + edge_A:.1f} Å of vacuum, {inside.sum()} points "
                f"in it, needs {plateau_A + clearance_A + edge_A:.1f} Å and {_FEWEST_POINTS}. Add vacuum."
            )
        plateau = found[face] = _find_plateau(z_A[inside], potential_eV[inside], length_A=plateau_A)
        if plateau.variation_eV > flatness_limit_eV:
            raise InputError(
                f"the {face} face has no flat vacuum: it varies by {plateau.variation_eV:.3f} eV in {plateau_A:g} Å, "
                f"limit {flatness_limit_eV:g} eV. Use a dipole correction, a neutral cell and more vacuum."
            )
    return WorkFunction(
        upper_eV=found["upper"].level_eV - fermi_eV,
        lower_eV=found["lower"].level_eV - fermi_eV,
        flatness_eV=max(found["upper"].variation_eV, found["lower"].variation_eV),
        upper_z_A=found["upper"].middle_A,
        lower_z_A=found["lower"].middle_A,
    )


def write_potential(path: str | Path, potential: PlanarPotential) -> None:
    """Write a planar potential."""
    write_arrays(
        path,
        kind=_KIND,
        z_A=potential.z_A,
        potential_eV=potential.potential_eV,
        fermi_eV=np.float64(potential.fermi_eV),
        height_A=np.float64(potential.height_A),
        atoms_z_A=potential.atoms_z_A,
    )


def read_potential(path: str | Path) -> PlanarPotential:
    """Read a planar potential.

    Raises:
        InputError: if the file is missing, broken or holds something else.
    """
    arrays = read_arrays(path, kind=_KIND)
    return PlanarPotential(
        z_A=arrays["z_A"],
        potential_eV=arrays["potential_eV"],
        fermi_eV=float(arrays["fermi_eV"]),
        height_A=float(arrays["height_A"]),
        atoms_z_A=arrays["atoms_z_A"],
    )


class _Plateau(NamedTuple):
    variation_eV: float
    level_eV: float
    middle_A: float


def _find_plateau(z_A: NDArray[np.float64], potential_eV: NDArray[np.float64], *, length_A: float) -> _Plateau:
    """The stretch of a length, or of all there is, where the potential varies least."""
    stretches = []
    for first, bottom_A in enumerate(z_A):
        last = int(np.searchsorted(z_A, bottom_A + length_A - 1e-9))
        if last < len(z_A):
            stretches.append(slice(first, last + 1))
    return min(
        _Plateau(float(np.ptp(potential_eV[part])), float(potential_eV[part].mean()), float(z_A[part].mean()))
        for part in stretches or [slice(None)]
    )
