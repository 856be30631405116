"""Energy of a species from an electronic-structure code, as it is or relaxed, with what says what the number means."""

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from pydantic import BaseModel, ConfigDict, Field

from structures.errors import InputError
from workflows.calculators.electronic import check_method_installed
from workflows.engines.electronic_files import LOG_FILE, Request, write_request
from workflows.engines.electronic_process import run_electronic_code
from workflows.engines.electronic_relaxation import FINAL_FILE
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace

_MB_PER_GRID_POINT = 1.5e-3
_DENSEST_SPACING_A = 0.16


class ElectronicEnergySettings(BaseModel):
    """Settings of the recipe `electronic_energy`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    force_tolerance_eV_per_A: float | None = Field(default=None, gt=0)
    max_steps: int = Field(default=200, gt=0)
    forces: bool = True
    accept_unconverged: bool = False
    analyses: tuple[str, ...] = ()


def run_electronic_energy(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Compute the energy of one species.

    Args:
        calculation: structure in its cell, calculator with every setting, charge and multiplicity.
        workspace: scratch directory.

    Returns:
        Values: energy and its dispersion part, largest force and sum of all forces, charges and spins of atoms, gap,
        and `method`: all that two energies must agree in to be subtracted. Files: the final structure and the code's
        log.

    Raises:
        InputError: if structure, calculator or multiplicity is missing.
        ConvergenceError: if the SCF or the relaxation does not converge.
        CalculationError: if the code crashes.
    """
    structure, spec, multiplicity = calculation.structure, calculation.calculator, calculation.multiplicity
    if structure is None or spec is None or multiplicity is None:
        raise InputError("The recipe electronic_energy needs a structure, a calculator and a multiplicity.")
    check_method_installed(spec.name)
    settings = ElectronicEnergySettings.model_validate(dict(calculation.settings))
    request = Request(
        code=spec.name,
        settings=dict(spec.overrides),
        charge=calculation.charge,
        multiplicity=multiplicity,
        **settings.model_dump(),
    )
    reached = find_last_geometry(workspace.directory, structure=structure) if is_relaxing(request) else None
    write_request(workspace.directory, request, atoms=structure if reached is None else reached)
    workspace.report_progress(stage=f"{spec.name}, SCF", step=0, steps=1)
    answer = run_electronic_code(spec.name, directory=workspace.directory, ranks=calculation.ranks)
    values: dict[str, Any] = answer.model_dump(exclude={"status", "reason", "forces_eV_per_A"})
    values["n_atoms"] = len(structure)
    values["is_continued"] = reached is not None
    if answer.forces_eV_per_A is not None:
        fixed = [index for constraint in structure.constraints for index in constraint.index]
        free = np.delete(np.asarray(answer.forces_eV_per_A), fixed, axis=0)
        values["largest_force_eV_per_A"] = float(np.linalg.norm(free, axis=1).max(initial=0.0))
        # zero in truth: what is left tells how far a grid that does not move with the atoms falsifies the forces
        values["net_force_eV_per_A"] = float(np.linalg.norm(np.sum(answer.forces_eV_per_A, axis=0)))
    files = {"structure": FINAL_FILE, "log": LOG_FILE}
    files |= {path.stem: path.name for path in sorted(workspace.directory.glob("*.npz"))}
    return Outcome(values=values, files=files)


def is_relaxing(request: Request) -> bool:
    """Whether atoms move."""
    return request.force_tolerance_eV_per_A is not None


def find_last_geometry(directory: Path, *, structure: Atoms) -> Atoms | None:
    """The structure where an earlier, killed attempt at the same relaxation left it; None if there was none.

    The minimum is the same; only the steps to it are not counted together.
    """
    for attempt in sorted(directory.absolute().parent.iterdir(), reverse=True):
        path = attempt / FINAL_FILE
        if attempt.name >= directory.name or not path.is_file():
            continue
        try:
            reached = read(path, format="extxyz")
        except (OSError, ValueError, KeyError, IndexError):
            continue  # damaged; an earlier one, or the start, serves as well
        if isinstance(reached, Atoms) and np.array_equal(reached.numbers, structure.numbers):
            moved: Atoms = structure.copy()
            moved.positions = reached.positions
            return moved
    return None


def estimate_memory_MB(calculation: Calculation) -> float:
    """Rough need: grids and wave functions go with the volume."""
    atoms = calculation.structure
    if atoms is None or atoms.cell.rank < 3:  # noqa: PLR2004 (three axes)
        return 1500.0
    return 600.0 + _MB_PER_GRID_POINT * float(atoms.cell.volume) / _DENSEST_SPACING_A**3


ELECTRONIC_ENERGY = Recipe(
    name="electronic_energy",
    version=1,
    settings=ElectronicEnergySettings,
    run=run_electronic_energy,
    memory_MB=estimate_memory_MB,
)
