"""Charges by equilibration of electronegativity (QEq), of molecules and of what repeats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree
from scipy.spatial.distance import cdist
from scipy.special import erf, erfc

from structures.errors import InputError
from workflows.force_fields.uff_parameters import find_types_of_element

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from workflows.force_fields.uff_parameters import UffAtom

COULOMB_EV_A = Hartree * Bohr  # e²/(4 π ε0) in eV Å
TOLERANCE = 1e-12  # of both sums of Ewald, of their largest term
SLATER_SCALE = 0.4913  # λ
NOBLE_GASES = (2, 10, 18, 36, 54, 86)
WAVES_AT_ONCE = 4096  # memory is theirs times the atoms
CLOSEST_A = 0.1  # closer atoms share one place


def compute_qeq_charges(atoms: Atoms, *, total_charge_e: float = 0.0) -> NDArray[np.float64]:
    """Charges that make all atoms equally electronegative.

    They minimise E = Σ χi qi + ½ Σ Jii qi² + Σi<j Jij(rij) qi qj under Σ qi = Q, with χ, J and the radii R of Rappé and
    Goddard. Where they take densities of Slater functions ns with ζ = λ (2 n + 1) / (2 R), λ = 0.4913, each atom here
    is the Gaussian of the same ⟨r²⟩, for which the Ewald sum is exact:
    Jij(r) = e²/(4 π ε0) erf(γij r) / r, γij² = ai aj / (ai + aj), ai = 3/2 λ² (2 n + 1) / ((2 n + 2) R²).
    No Gaussian is narrower than that whose repulsion of itself is Jii (this widens hydrogen alone), so that E has one
    minimum whatever the geometry.

    Hydrogen keeps its Jii (13.89 eV) at all charges, where Rappé and Goddard raise it with the charge. QEq knows no
    oxidation states and no bonds: charge also flows between molecules far apart, so that ions in an electrolyte do not
    keep theirs, and ions in a salt come out with more than theirs (1.16 in LiF).

    Args:
        atoms: without boundaries, or periodic in all three directions (slabs with their vacuum).
        total_charge_e: Q; in a periodic cell a uniform background balances it.

    Returns:
        Shape (n_atoms,), in e; its sum is Q.

    Raises:
        InputError: if the structure is periodic in one or two directions, or two atoms share a place.

    Source:
        10.1021/j100161a070 (QEq, χ and J); 10.1021/ja00051a040 (of the other elements)
    """
    if not len(atoms):
        raise InputError("There are no atoms, needs one at least. Give a structure.")
    parameters = [find_types_of_element(symbol)[0] for symbol in atoms.get_chemical_symbols()]
    chi = np.array([of.electronegativity_eV for of in parameters])
    idempotentials_eV = np.array([2 * of.hardness_eV for of in parameters])
    exponents = np.array([_find_exponent(of) for of in parameters])
    hardness = compute_hardness_matrix(atoms, idempotentials_eV=idempotentials_eV, exponents_per_A2=exponents)
    bordered = np.block([[hardness, np.ones((len(atoms), 1))], [np.ones(len(atoms)), 0.0]])  # Lagrange's multiplier
    charges: NDArray[np.float64] = np.linalg.solve(bordered, np.append(-chi, total_charge_e))[:-1]
    charges += (total_charge_e - charges.sum()) / len(atoms)  # what rounding left
    return charges


def _find_exponent(of: UffAtom) -> float:
    """Of the Gaussian density of an atom, see `compute_qeq_charges`, in 1/Å²."""
    shell = 1 + sum(atomic_numbers[of.element] > closed for closed in NOBLE_GASES)
    of_radius = 1.5 * SLATER_SCALE**2 * (2 * shell + 1) / ((2 * shell + 2) * of.radius_A**2)
    return min(of_radius, math.pi / 2 * (2 * of.hardness_eV / COULOMB_EV_A) ** 2)


def compute_hardness_matrix(
    atoms: Atoms, *, idempotentials_eV: NDArray[np.float64], exponents_per_A2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Jij of `compute_qeq_charges` with all images, shape (n_atoms, n_atoms), in eV/e².

    Args:
        atoms: as there.
        idempotentials_eV: Jii of each atom, shape (n_atoms,), in eV.
        exponents_per_A2: of each Gaussian density, shape (n_atoms,), in 1/Å².

    Raises:
        InputError: as there.
    """
    products = np.multiply.outer(exponents_per_A2, exponents_per_A2)
    widths = np.sqrt(products / np.add.outer(exponents_per_A2, exponents_per_A2))  # γ
    if not atoms.pbc.any():
        distances_A = atoms.get_all_distances()
        np.fill_diagonal(distances_A, 1.0)
        _check_distances(distances_A)
        matrix = COULOMB_EV_A * erf(widths * distances_A) / distances_A
        np.fill_diagonal(matrix, idempotentials_eV)
        return np.asarray(matrix)
    if not atoms.pbc.all():
        raise InputError(
            f"The structure is periodic along {atoms.pbc.sum()} of 3 directions, needs none or all three for charge "
            "equilibration. Make a slab periodic in all, with 15 Å or more of vacuum."
        )
    return _sum_images(atoms, widths=widths, idempotentials_eV=idempotentials_eV)


def _sum_images(
    atoms: Atoms, *, widths: NDArray[np.float64], idempotentials_eV: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Ewald's sum, split at the width of the softest pair, whose part in real space is then nothing."""
    split = float(widths.min())
    reach = math.sqrt(-math.log(TOLERANCE))
    matrix = np.zeros_like(widths)
    positions_A = atoms.get_positions(wrap=True)
    for shift_A in _find_shifts(atoms.cell.array, reach_A=reach / split):
        distances_A = cdist(positions_A, positions_A + shift_A)
        if not shift_A.any():
            np.fill_diagonal(distances_A, np.inf)
        _check_distances(distances_A)
        near = distances_A < reach / split
        close_A = distances_A[near]
        matrix[near] += (erfc(split * close_A) - erfc(widths[near] * close_A)) / close_A
    waves = _find_waves(atoms.cell.array, longest=2 * split * reach)
    for some in np.array_split(waves, max(1, len(waves) // WAVES_AT_ONCE)):
        squares = (some**2).sum(axis=1)
        weights = 4 * math.pi / atoms.cell.volume * np.exp(-squares / (4 * split**2)) / squares
        phases = atoms.positions @ some.T
        for part in (np.cos(phases), np.sin(phases)):
            matrix += 2 * (part * weights) @ part.T  # each wave stands for its opposite too
    matrix -= math.pi / (split**2 * atoms.cell.volume)  # the uniform background
    matrix[np.diag_indices_from(matrix)] -= 2 * split / math.sqrt(math.pi)
    matrix *= COULOMB_EV_A
    matrix[np.diag_indices_from(matrix)] += idempotentials_eV
    return matrix


def _find_shifts(lattice_A: NDArray[np.float64], *, reach_A: float) -> NDArray[np.float64]:
    """Shifts of images of a cell, and of the cell itself, that may lie within reach, shape (n_shifts, 3), in Å."""
    heights_A = 1 / np.linalg.norm(np.linalg.inv(lattice_A), axis=0)
    most = np.ceil(reach_A / heights_A).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1)
    return np.asarray(grid.reshape(-1, 3) @ lattice_A)


def _find_waves(lattice_A: NDArray[np.float64], *, longest: float) -> NDArray[np.float64]:
    """Vectors of the reciprocal lattice up to a length in 1/Å, one of each pair of opposites, shape (n_waves, 3)."""
    reciprocal = 2 * math.pi * np.linalg.inv(lattice_A).T
    most = np.floor(longest * np.linalg.norm(lattice_A, axis=1) / (2 * math.pi)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1).reshape(-1, 3)
    half = grid[len(grid) // 2 + 1 :]  # the middle is the wave of length 0
    waves = half @ reciprocal
    return np.asarray(waves[(waves**2).sum(axis=1) <= longest**2])


def _check_distances(distances_A: NDArray[np.float64]) -> None:
    if distances_A.size and distances_A.min() < CLOSEST_A:
        raise InputError(
            f"Two atoms are {distances_A.min():.3f} Å apart, needs {CLOSEST_A} Å at least. Remove the double ones."
        )
