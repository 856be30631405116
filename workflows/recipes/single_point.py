"""Energy, forces and stress of one structure as it is."""

from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from pydantic import BaseModel, ConfigDict

from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.recipes.static_energies import compute_static_results, require_inputs


class SinglePointSettings(BaseModel):
    """The recipe `single_point` has no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def run_single_point(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Evaluate the structure once.

    Args:
        calculation: structure and calculator.
        workspace: scratch directory.

    Returns:
        Values: energy, largest force, stress (xx, yy, zz, yz, xz, xy; null if the calculator gives none).
        File `evaluated`: the structure with energy and forces (extxyz).

    Raises:
        InputError: if the calculator lacks an element, or LAMMPS cannot take the cell.
    """
    structure, _ = require_inputs(calculation, workspace)
    workspace.report_progress(stage="single point", step=0, steps=1)
    (result,) = compute_static_results([structure], calculation=calculation, workspace=workspace)
    evaluated = structure.copy()
    evaluated.set_constraint()
    evaluated.calc = SinglePointCalculator(evaluated, energy=result.energy_eV, forces=result.forces_eV_per_A)
    write(workspace.directory / "evaluated.extxyz", evaluated, format="extxyz")
    values = {
        "energy_eV": result.energy_eV,
        "energy_eV_per_atom": result.energy_eV / len(structure),
        "largest_force_eV_per_A": result.largest_force_eV_per_A,
        "stress_GPa": [float(value) for value in result.stress_GPa] if result.stress_GPa is not None else None,
        "n_atoms": len(structure),
    }
    return Outcome(values=values, files={"evaluated": "evaluated.extxyz"})


SINGLE_POINT = Recipe(name="single_point", version=1, settings=SinglePointSettings, run=run_single_point)
