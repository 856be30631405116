"""Density of states as levels and weights, so that the broadening is chosen when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.array_files import read_arrays, write_arrays
from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DENSITY_OF_STATES_FILE = "density_of_states.npz"
ORBITALS = "spd"
_KIND = "density of states"


@dataclass(frozen=True)
class DensityOfStates:
    """Levels, how full they are, and what they are made of.

    Attributes:
        energies_eV: levels relative to the Fermi level, shape (n_spins, n_k, n_bands).
        occupations: between 0 and 1, same shape.
        k_weights: they add up to 1, shape (n_k,).
        projections: |⟨p|ψ⟩|² on the atoms' s, p and d states, shape (n_spins, n_k, n_bands, n_atoms, 3). Spheres
            overlap and leave gaps, so that they do not add up to 1.
        numbers: atomic numbers, shape (n_atoms,).
        fermi_eV: the Fermi level on the code's own scale; the higher one if each spin has its own.
    """

    energies_eV: NDArray[np.float64]
    occupations: NDArray[np.float64]
    k_weights: NDArray[np.float64]
    projections: NDArray[np.float32]
    numbers: NDArray[np.int64]
    fermi_eV: float

    @property
    def weights(self) -> NDArray[np.float64]:
        """Electrons that each level holds when full, shape (n_spins, n_k, n_bands)."""
        per_k = 2 / len(self.energies_eV) * self.k_weights
        return np.broadcast_to(per_k[None, :, None], self.energies_eV.shape)

    @property
    def n_electrons(self) -> float:
        """Electrons in all levels that were computed."""
        return float((self.weights * self.occupations).sum())


@dataclass(frozen=True)
class Band:
    """Moments of a band that was cut out of the density of states.

    Attributes:
        centre_eV: first moment, relative to the Fermi level.
        width_eV: root of the second moment about the centre.
        filling: share of the band that is occupied, in [0, 1].
        n_states: electrons that the band holds when full.
        window_eV: levels that were counted.
    """

    centre_eV: float
    width_eV: float
    filling: float
    n_states: float
    window_eV: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {
            "centre_eV": self.centre_eV,
            "width_eV": self.width_eV,
            "filling": self.filling,
            "n_states": self.n_states,
            "window_eV": list(self.window_eV),
        }


def compute_band_centre(
    states: DensityOfStates,
    *,
    atoms: Sequence[int] | NDArray[np.integer],
    orbital: str = "d",
    window_eV: tuple[float, float] = (-10.0, 5.0),
) -> Band:
    """Centre, width and filling of the band that some atoms' orbitals make, ε = Σ w P ε / Σ w P.

    Args:
        states: levels and projections.
        atoms: indices of the atoms.
        orbital: s, p or d.
        window_eV: levels that count, relative to the Fermi level. The tail far above depends on how many empty
            bands were computed, so that bands of two calculations are compared in one window.

    Raises:
        InputError: if there is no such atom or orbital, or no weight in the window.

    Source:
        10.1016/0039-6028(96)80007-0
    """
    low_eV, high_eV = window_eV
    is_inside = (states.energies_eV >= low_eV) & (states.energies_eV <= high_eV)
    weights = _select(states, atoms=atoms, orbital=orbital) * is_inside
    total = float(weights.sum())
    if total <= 0:
        raise InputError(
            f"atoms {list(atoms)} have no {orbital} states between {low_eV:g} and {high_eV:g} eV; widen window_eV or "
            "take another orbital"
        )
    centre_eV = float((weights * states.energies_eV).sum()) / total
    return Band(
        centre_eV=centre_eV,
        width_eV=float(np.sqrt((weights * (states.energies_eV - centre_eV) ** 2).sum() / total)),
        filling=float((weights * states.occupations).sum()) / total,
        n_states=total,
        window_eV=(float(low_eV), float(high_eV)),
    )


def broaden(
    states: DensityOfStates,
    *,
    energies_eV: NDArray[np.float64],
    width_eV: float,
    atoms: Sequence[int] | NDArray[np.integer] | None = None,
    orbital: str | None = None,
    spin: int | None = None,
) -> NDArray[np.float64]:
    """Density of states with each level as a normalised Gaussian.

    Args:
        states: levels and projections.
        energies_eV: where, relative to the Fermi level, shape (n_energies,).
        width_eV: standard deviation of the Gaussian.
        atoms: projected on these atoms; None: the total, or with an orbital that of all atoms.
        orbital: s, p or d; None: all three, or with no atoms the total.
        spin: 0 or 1; None: both.

    Returns:
        States per eV, shape (n_energies,).

    Raises:
        InputError: if the width is not positive, or there is no such atom, orbital or spin.
    """
    if not width_eV > 0:
        raise InputError(f"width_eV is {width_eV}, needs a number above 0; 0.1 suits most")
    n_spins = len(states.energies_eV)
    if spin is not None and spin not in range(n_spins):
        raise InputError(f"spin is {spin}, the calculation has {n_spins}; give None or one below {n_spins}")
    weights = _select(states, atoms=atoms, orbital=orbital)
    chosen = slice(None) if spin is None else slice(spin, spin + 1)
    levels, heights = states.energies_eV[chosen].ravel(), weights[chosen].ravel()
    curve: NDArray[np.float64] = np.zeros(len(energies_eV))
    for start in range(0, len(levels), 4096):
        distance = (np.asarray(energies_eV)[:, None] - levels[None, start : start + 4096]) / width_eV
        curve += np.exp(-0.5 * distance**2) @ heights[start : start + 4096] / (width_eV * np.sqrt(2 * np.pi))
    return curve


def write_density_of_states(path: str | Path, states: DensityOfStates) -> None:
    """Write levels and weights."""
    write_arrays(
        path,
        kind=_KIND,
        energies_eV=states.energies_eV,
        occupations=states.occupations,
        k_weights=states.k_weights,
        projections=states.projections.astype(np.float32),
        numbers=states.numbers,
        fermi_eV=np.float64(states.fermi_eV),
    )


def read_density_of_states(path: str | Path) -> DensityOfStates:
    """Read levels and weights.

    Raises:
        InputError: if the file is missing, broken or holds something else.
    """
    arrays = read_arrays(path, kind=_KIND)
    fermi_eV = float(arrays.pop("fermi_eV"))
    return DensityOfStates(**arrays, fermi_eV=fermi_eV)


def _select(
    states: DensityOfStates, *, atoms: Sequence[int] | NDArray[np.integer] | None, orbital: str | None
) -> NDArray[np.float64]:
    """Weight of each level in a projection, shape (n_spins, n_k, n_bands)."""
    if atoms is None and orbital is None:
        return np.asarray(states.weights)
    if orbital is not None and (len(orbital) != 1 or orbital not in ORBITALS):
        raise InputError(f"orbital is {orbital!r}, needs one of {', '.join(ORBITALS)}")
    n_atoms = len(states.numbers)
    chosen = np.arange(n_atoms) if atoms is None else np.asarray(atoms, dtype=int)
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= n_atoms:
        raise InputError(f"atoms are {chosen.tolist()}, needs one or more indices from 0 to {n_atoms - 1}")
    columns = slice(None) if orbital is None else [ORBITALS.index(orbital)]
    shares = states.projections[..., chosen, :].astype(np.float64)[..., columns].sum(axis=(-2, -1))
    return np.asarray(states.weights * shares)
