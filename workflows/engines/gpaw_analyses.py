"""What a converged GPAW calculation knows beyond its energy: charges, density, states and potential."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.parallel import world
from ase.units import Ha
from gpaw.analyse.hirshfeld import HirshfeldPartitioning
from gpaw.dos import get_projector_numbers
from numpy.typing import NDArray

from analysis.density_of_states import (
    DENSITY_OF_STATES_FILE,
    ORBITALS,
    DensityOfStates,
    write_density_of_states,
)
from analysis.electron_density import DENSITY_FILE, ElectronDensity, write_density
from analysis.work_function import POTENTIAL_FILE, PlanarPotential, write_potential
from structures.errors import InputError

ANALYSES = ("hirshfeld", "density", "density-of-states", "potential")
_ALONG_Z_A = 1e-6


def write_analyses(
    calculator: Any,  # noqa: ANN401 (GPAW is untyped)
    *,
    atoms: Atoms,
    directory: Path,
    wanted: Collection[str],
) -> dict[str, Any]:
    """Compute analyses of a converged calculation on all ranks, and write their files on the first.

    Args:
        calculator: GPAW after its SCF.
        atoms: as computed.
        directory: gets `density.npz`, `density_of_states.npz` and `potential.npz`.
        wanted: of `ANALYSES`. The potential is for slabs: periodic along x and y, open along z.

    Returns:
        JSON values, one entry for each analysis; the same on all ranks.

    Raises:
        InputError: if an analysis is unknown, or does not suit the periodicity.
    """
    check_wanted(wanted, atoms=atoms)
    found: dict[str, Any] = {}
    if "hirshfeld" in wanted:
        charges = [float(value) for value in HirshfeldPartitioning(calculator).get_charges()]
        found["hirshfeld"] = {"charges_e": charges, "missing_e": sum(charges) - float(calculator.parameters.charge)}
    if "density" in wanted:
        density = compute_density(calculator, atoms=atoms)
        found["density"] = {
            "file": DENSITY_FILE,
            "shape": list(density.density_e_per_A3.shape),
            "n_electrons": density.n_electrons,
        }
        if world.rank == 0:
            write_density(directory / DENSITY_FILE, density)
    if "density-of-states" in wanted:
        states = compute_density_of_states(calculator, atoms=atoms)
        found["density-of-states"] = {
            "file": DENSITY_OF_STATES_FILE,
            "shape": list(states.energies_eV.shape),
            "fermi_eV": states.fermi_eV,
            "n_electrons": states.n_electrons,
        }
        if world.rank == 0:
            write_density_of_states(directory / DENSITY_OF_STATES_FILE, states)
    if "potential" in wanted:
        potential = compute_potential(calculator, atoms=atoms)
        found["potential"] = {"file": POTENTIAL_FILE, "fermi_eV": potential.fermi_eV}
        if world.rank == 0:
            write_potential(directory / POTENTIAL_FILE, potential)
    return found


def check_wanted(wanted: Collection[str], *, atoms: Atoms) -> None:
    """Check that there are such analyses, and that they suit the structure.

    Raises:
        InputError: names the analysis and what it needs.
    """
    unknown = sorted(set(wanted) - set(ANALYSES))
    if unknown:
        raise InputError(f"there is no analysis {unknown[0]!r}; take of {', '.join(ANALYSES)}")
    if "potential" in wanted:
        if atoms.pbc.tolist() != [True, True, False]:
            raise InputError(
                f"the structure is periodic along {atoms.pbc.tolist()}, the potential across a slab needs "
                "[True, True, False] with a dipole correction; make it so, or leave the analysis out"
            )
        if np.abs(atoms.cell.array[2, :2]).max() > _ALONG_Z_A or np.abs(atoms.cell.array[:2, 2]).max() > _ALONG_Z_A:
            raise InputError(
                f"the cell's third vector is {atoms.cell.array[2].round(3).tolist()} Å, the potential across a slab "
                "needs it along z and the other two across; turn the cell"
            )


def compute_density(calculator: Any, *, atoms: Atoms) -> ElectronDensity:  # noqa: ANN401 (GPAW is untyped)
    """All-electron density on the fine grid, twice as dense as that of the wave functions.

    A grid is too coarse for the cusps at nuclei: GPAW puts what the sum over points misses, or has too much, on the
    point nearest to the nucleus, so that the integral is the number of electrons.

    Args:
        calculator: after its SCF.
        atoms: as computed.
    """
    n_spins = calculator.get_number_of_spins()
    spins = [calculator.get_all_electron_density(spin=spin, gridrefinement=2) for spin in range(n_spins)]
    is_polarised = n_spins > 1
    density = spins[0] + spins[1] if is_polarised else 2 * spins[0]
    return ElectronDensity(
        density_e_per_A3=density.astype(np.float32),
        cell_A=atoms.cell.array.copy(),
        numbers=atoms.numbers.copy(),
        positions_A=atoms.positions.copy(),
        pbc=atoms.pbc.copy(),
        spin_density_e_per_A3=(spins[0] - spins[1]).astype(np.float32) if is_polarised else None,
    )


def compute_density_of_states(calculator: Any, *, atoms: Atoms) -> DensityOfStates:  # noqa: ANN401 (GPAW is untyped)
    """Levels, occupations and projections on bound s, p and d states of the atoms.

    Only k-points that differ by symmetry are computed; a projection is averaged over the atoms that symmetry makes
    equal, which is what the sum over all k-points gives.

    Args:
        calculator: after its SCF.
        atoms: as computed.
    """
    descriptor = calculator.wfs.kd
    shape = (calculator.get_number_of_spins(), descriptor.nibzkpts, calculator.get_number_of_bands())
    spins_and_k = [(spin, k) for spin in range(shape[0]) for k in range(shape[1])]
    levels = np.array([calculator.get_eigenvalues(kpt=k, spin=spin) for spin, k in spins_and_k]).reshape(shape)
    held = np.array([calculator.get_occupation_numbers(kpt=k, spin=spin) for spin, k in spins_and_k]).reshape(shape)
    fermi_eV = find_fermi_level(calculator)
    k_weights = np.array(descriptor.weight_k, dtype=float)
    return DensityOfStates(
        energies_eV=levels - fermi_eV,
        occupations=held / (2 / shape[0] * k_weights[None, :, None]),
        k_weights=k_weights,
        projections=_compute_projections(calculator, shape=(*shape, len(atoms), len(ORBITALS))),
        numbers=atoms.numbers.copy(),
        fermi_eV=fermi_eV,
    )


def _compute_projections(calculator: Any, *, shape: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ANN401 (GPAW is untyped)
    shares = np.zeros(shape)
    bands = calculator.wfs.bd.get_slice()
    columns = [[get_projector_numbers(setup, ell) for ell in range(len(ORBITALS))] for setup in calculator.setups]
    for states in calculator.wfs.kpt_u:
        for atom, projections in states.projections.items():
            for ell, chosen in enumerate(columns[atom]):
                shares[states.s, states.k, bands, atom, ell] = (abs(projections[:, chosen]) ** 2).sum(axis=1)
    calculator.world.sum(shares)
    images = calculator.wfs.kd.symmetry.a_sa
    averaged: NDArray[np.float64] = np.mean([shares[..., image, :] for image in images], axis=0)
    return averaged.astype(np.float32)


def compute_potential(calculator: Any, *, atoms: Atoms) -> PlanarPotential:  # noqa: ANN401 (GPAW is untyped)
    """Electrostatic potential of an electron averaged over planes; it is the true one outside of the atoms only.

    Args:
        calculator: after its SCF.
        atoms: a slab, as computed.
    """
    potential = calculator.get_electrostatic_potential()
    height_A = float(atoms.cell.array[2, 2])
    return PlanarPotential(
        z_A=np.arange(potential.shape[2]) * height_A / potential.shape[2],
        potential_eV=potential.mean(axis=(0, 1)),
        fermi_eV=find_fermi_level(calculator),
        height_A=height_A,
        atoms_z_A=atoms.positions[:, 2].copy(),
    )


def find_fermi_level(calculator: Any) -> float:  # noqa: ANN401 (GPAW is untyped)
    """The Fermi level, in eV; the higher one if the spins are kept apart."""
    return float(np.max(calculator.wfs.fermi_levels)) * Ha
