"""Energies, forces and stresses of structures with any calculator, by LAMMPS or by ASE."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.calculators.registry import (
    build_ase_calculator,
    build_lammps_potential,
    check_calculator,
    get_capabilities,
)
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.lammps_evaluation import evaluate_structures
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Workspace


@dataclass(frozen=True)
class StaticResult:
    """Energy and its derivatives at one geometry.

    Attributes:
        energy_eV: potential energy.
        forces_eV_per_A: shape (n_atoms, 3).
        stress_GPa: xx, yy, zz, yz, xz, xy, positive under tension; None if the calculator gives none.
    """

    energy_eV: float
    forces_eV_per_A: NDArray[np.float64]
    stress_GPa: NDArray[np.float64] | None

    @property
    def largest_force_eV_per_A(self) -> float:
        """Largest norm of a force."""
        return float(np.linalg.norm(self.forces_eV_per_A, axis=1).max())


def require_inputs(calculation: Calculation, workspace: Workspace) -> tuple[Atoms, CalculatorSpec]:
    """Structure and calculator of a calculation, checked against each other.

    Raises:
        InputError: if one is missing, or the calculator is not installed or lacks an element.
    """
    if calculation.structure is None or calculation.calculator is None:
        raise InputError(f"The recipe {calculation.recipe} needs a structure and a calculator.")
    elements = sorted(set(calculation.structure.symbols))
    check_calculator(calculation.calculator, elements=elements, blob_path=workspace.store.blob_path)
    return calculation.structure, calculation.calculator


def compute_static_results(
    structures: Sequence[Atoms], *, calculation: Calculation, workspace: Workspace
) -> Iterator[StaticResult]:
    """Evaluate structures of the same elements in turn; LAMMPS does so in one process.

    Args:
        structures: geometries.
        calculation: its calculator, ranks and threads are used.
        workspace: scratch and store.

    Yields:
        One result for each structure, in order.
    """
    _, spec = require_inputs(calculation, workspace)
    if get_capabilities(spec.name).engine == "lammps":
        elements = sorted({symbol for atoms in structures for symbol in atoms.symbols})
        evaluations = evaluate_structures(
            structures,
            potential=build_lammps_potential(spec, elements=elements, blob_path=workspace.store.blob_path),
            directory=workspace.directory / "evaluation",
            ranks=calculation.ranks,
            threads=calculation.threads,
        )
        for evaluation in evaluations:
            yield StaticResult(evaluation.energy_eV, evaluation.forces_eV_per_A, evaluation.stress_GPa)
        return
    calculator = build_ase_calculator(spec, threads=calculation.threads)
    for structure in structures:
        atoms = structure.copy()
        atoms.set_constraint()
        atoms.calc = calculator
        energy_eV = float(atoms.get_potential_energy())
        yield StaticResult(energy_eV, atoms.get_forces(), compute_stress_GPa(atoms))


def compute_stress_GPa(atoms: Atoms) -> NDArray[np.float64] | None:
    """Stress of atoms with a calculator, without the kinetic part; None if the calculator gives none."""
    if atoms.cell.rank < 3:  # noqa: PLR2004
        return None
    try:
        return np.asarray(atoms.get_stress(), dtype=np.float64) / units.GPa
    except (PropertyNotImplementedError, NotImplementedError):
        return None
