"""Relaxation of atoms and, if asked, of the cell along z, until forces are below a tolerance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.io import write
from ase.optimize import FIRE, LBFGS
from ase.optimize.optimize import Optimizer
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from structures.errors import InputError
from workflows.calculators.registry import build_ase_calculator, build_lammps_potential, get_capabilities
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.recipes.lammps_input import find_parts
from workflows.recipes.lammps_relaxation import relax_with_lammps
from workflows.recipes.static_energies import StaticResult, compute_stress_GPa, require_inputs

_STRESS_TOLERANCE_GPA = 0.02
_CELL_WEIGHT = 0.1  # of an atom's degrees of freedom; with ASE's own a soft metal keeps 0.1 GPa
_ZZ = 2


class RelaxationSettings(BaseModel):
    """Settings of the recipe `relaxation`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    force_tolerance_eV_per_A: float = Field(default=0.02, gt=0, description="largest force at the end, as --max-force")
    max_steps: int = Field(default=1000, gt=0, description="steps at most, as --max-steps")
    algorithm: Literal["fire", "cg"] = Field(default="fire", description="fire, or conjugate gradients")
    relax_cell_z: bool = Field(default=False, description="whether the height of the cell along z relaxes, too")
    fixed_regions: tuple[str, ...] = Field(default=(), description="regions of the structure whose atoms do not move")


@dataclass(frozen=True)
class Relaxed:
    """A relaxed structure with what holds at its geometry, and the steps it took."""

    atoms: Atoms
    result: StaticResult
    first_energy_eV: float
    n_steps: int


def run_relaxation(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Relax the structure; whether it converged is a value, for the flow to judge.

    Args:
        calculation: structure, calculator, settings (`RelaxationSettings`); `FixAtoms` constraints hold too.
        workspace: scratch directory.

    Returns:
        Values: converged, energy, largest force on an atom that may move, stress, steps. File `relaxed`: the structure
        in the same order of atoms, with its regions (extxyz).

    Raises:
        InputError: if the calculator lacks an element, a region is not there, or the cell is to relax with fixed atoms.
    """
    structure, spec = require_inputs(calculation, workspace)
    settings = RelaxationSettings.model_validate(dict(calculation.settings))
    fixed = find_parts(structure, fixed_regions=settings.fixed_regions, thermostatted_regions=()).fixed
    if settings.relax_cell_z and fixed.any():
        raise InputError(
            f"relax_cell_z stretches the cell, but {int(fixed.sum())} atoms are fixed: leave one of the two out."
        )
    if get_capabilities(spec.name).engine == "lammps":
        elements = sorted(set(structure.symbols))
        relaxed = Relaxed(
            *relax_with_lammps(
                structure,
                potential=build_lammps_potential(spec, elements=elements, blob_path=workspace.store.blob_path),
                fixed=fixed,
                force_tolerance_eV_per_A=settings.force_tolerance_eV_per_A,
                max_steps=settings.max_steps,
                algorithm=settings.algorithm,
                relax_cell_z=settings.relax_cell_z,
                directory=workspace.directory / "engine",
                ranks=calculation.ranks,
                threads=calculation.threads,
                report=workspace.report_progress,
            )
        )
    else:
        calculator = build_ase_calculator(spec, threads=calculation.threads)
        atoms = structure.copy()
        atoms.calc = calculator
        relaxed = relax_with_ase(atoms, settings, fixed=fixed, report=workspace.report_progress)
    write(workspace.directory / "relaxed.extxyz", relaxed.atoms, format="extxyz")
    return Outcome(values=_summarise(relaxed, settings, fixed), files={"relaxed": "relaxed.extxyz"})


def relax_with_ase(
    atoms: Atoms, settings: RelaxationSettings, *, fixed: NDArray[np.bool_], report: Callable[..., None]
) -> Relaxed:
    """Relax atoms that have a calculator, with FIRE or (for `cg`) LBFGS."""
    constraints = atoms.constraints
    atoms.set_constraint(FixAtoms(mask=fixed))
    first_energy_eV = float(atoms.get_potential_energy())
    target: Any = atoms  # a filter passes for atoms
    if settings.relax_cell_z:
        weight = _CELL_WEIGHT * len(atoms)
        target = FrechetCellFilter(atoms, mask=[False, False, True, False, False, False], exp_cell_factor=weight)
    algorithm: type[Optimizer] = FIRE if settings.algorithm == "fire" else LBFGS
    optimizer = algorithm(target, logfile=None)
    optimizer.attach(
        lambda: report(stage="relax", step=optimizer.nsteps, steps=settings.max_steps),
        interval=max(1, settings.max_steps // 100),
    )
    optimizer.run(fmax=settings.force_tolerance_eV_per_A, steps=settings.max_steps)
    result = StaticResult(
        float(atoms.get_potential_energy()), atoms.get_forces(apply_constraint=False), compute_stress_GPa(atoms)
    )
    relaxed = atoms.copy()
    relaxed.set_constraint(constraints)
    return Relaxed(relaxed, result, first_energy_eV, int(optimizer.nsteps))


def _summarise(relaxed: Relaxed, settings: RelaxationSettings, fixed: NDArray[np.bool_]) -> dict[str, Any]:
    forces = relaxed.result.forces_eV_per_A[~fixed]
    largest_eV_per_A = float(np.linalg.norm(forces, axis=1).max())
    stress_GPa = relaxed.result.stress_GPa
    is_stress_free = not settings.relax_cell_z or (
        stress_GPa is not None and abs(float(stress_GPa[_ZZ])) <= _STRESS_TOLERANCE_GPA
    )
    return {
        "converged": bool(largest_eV_per_A <= settings.force_tolerance_eV_per_A and is_stress_free),
        "energy_eV": relaxed.result.energy_eV,
        "energy_eV_per_atom": relaxed.result.energy_eV / len(relaxed.atoms),
        "energy_gained_eV": relaxed.first_energy_eV - relaxed.result.energy_eV,
        "largest_force_eV_per_A": largest_eV_per_A,
        "stress_GPa": [float(value) for value in stress_GPa] if stress_GPa is not None else None,
        "n_steps": relaxed.n_steps,
        "n_atoms": len(relaxed.atoms),
    }


RELAXATION = Recipe(name="relaxation", version=1, settings=RelaxationSettings, run=run_relaxation)
