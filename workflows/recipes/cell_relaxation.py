"""Relaxes a crystal's atoms and the lengths of its cell, with an ASE calculator or with LAMMPS: lattice constants."""

from typing import Annotated

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.io import write
from ase.optimize import FIRE
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from structures.errors import ConvergenceError, InputError
from workflows.calculators.registry import build_ase_calculator, build_lammps_potential, get_capabilities
from workflows.engines.lammps_files import build_standard_frame, read_binary_dump, write_lammps_data
from workflows.engines.lammps_process import run_lammps
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace

RELAXED_FILE = "relaxed.extxyz"


class CellRelaxationSettings(BaseModel):
    """Settings of the recipe `cell_relaxation`: the angles of the cell stay, its lengths relax.

    Attributes:
        max_force_eV_per_A: largest force at the end.
        max_steps: of the relaxation.
        isotropic: scale all lengths alike; else a and b alike, c by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_force_eV_per_A: Annotated[float, Field(gt=0)] = 0.02
    max_steps: Annotated[int, Field(gt=0)] = 300
    isotropic: bool = False


def run_cell_relaxation(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Relax; give the lengths of the cell and the energy.

    Raises:
        InputError: without a structure or calculator.
        ConvergenceError: if the cell collapsed or grew beyond reason.
    """
    structure, spec = calculation.structure, calculation.calculator
    if structure is None or spec is None:
        raise InputError("cell_relaxation needs a structure and a calculator.")
    settings = CellRelaxationSettings.model_validate(dict(calculation.settings))
    workspace.report_progress(stage="relax", step=0, steps=settings.max_steps)
    if get_capabilities(spec.name).engine == "ase":
        atoms, energy_eV, max_force = _relax_with_ase(calculation, settings, workspace)
    else:
        atoms, energy_eV, max_force = _relax_with_lammps(calculation, settings, workspace)
    ratio = atoms.get_volume() / structure.get_volume()
    low, high = 0.5, 2.0
    if not low < ratio < high:
        raise ConvergenceError(
            f"the cell's volume changed by a factor {ratio:.2f} (limits {low} and {high}): it fell apart"
        )
    write(workspace.directory / RELAXED_FILE, atoms, format="extxyz")
    lengths = [float(length) for length in atoms.cell.lengths()]
    values = {
        "lengths_A": lengths,
        "volume_A3_per_atom": float(atoms.get_volume()) / len(atoms),
        "energy_eV_per_atom": energy_eV / len(atoms),
        "max_force_eV_per_A": max_force,
        "converged": max_force <= settings.max_force_eV_per_A,
    }
    return Outcome(values=values, files={"relaxed": RELAXED_FILE})


def _relax_with_ase(
    calculation: Calculation, settings: CellRelaxationSettings, workspace: Workspace
) -> tuple[Atoms, float, float]:
    if calculation.structure is None or calculation.calculator is None:
        raise InputError("cell_relaxation needs a structure and a calculator.")
    atoms = calculation.structure.copy()
    atoms.pbc = True
    atoms.calc = build_ase_calculator(calculation.calculator, threads=calculation.threads)
    cell = FrechetCellFilter(atoms, mask=[True, True, True, False, False, False], hydrostatic_strain=settings.isotropic)
    optimiser = FIRE(cell, logfile=None, maxstep=0.1)
    for step, _ in enumerate(optimiser.irun(fmax=settings.max_force_eV_per_A, steps=settings.max_steps)):
        workspace.report_progress(stage="relax", step=step, steps=settings.max_steps)
    return _bare(atoms), float(atoms.get_potential_energy()), _largest(atoms.get_forces())


def _relax_with_lammps(
    calculation: Calculation, settings: CellRelaxationSettings, workspace: Workspace
) -> tuple[Atoms, float, float]:
    structure, spec = calculation.structure, calculation.calculator
    if structure is None or spec is None:
        raise InputError("cell_relaxation needs a structure and a calculator.")
    directory = workspace.directory
    potential = build_lammps_potential(spec, elements=set(structure.symbols), blob_path=workspace.store.blob_path)
    potential.link_files(directory / "models")
    standard = build_standard_frame(structure)
    write_lammps_data(directory / "start.data", standard.atoms, type_elements=potential.type_elements)
    box = "iso 0.0" if settings.isotropic else "aniso 0.0 couple xy"
    force, steps = settings.max_force_eV_per_A, settings.max_steps
    lines = ["units metal", "atom_style atomic", "box tilt large", "read_data start.data", *potential.commands]
    # LAMMPS measures strain from the cell at the start: a second run removes what the first leaves behind.
    for number in range(3):
        lines += [f"fix box{number} all box/relax {box} vmax 0.002", f"minimize 0 {force / 4:g} {steps} {4 * steps}"]
        lines += [f"unfix box{number}", f"minimize 0 {force / 4:g} {steps} {4 * steps}"]
    lines += ["dump end all custom 1 end.bin id xu yu zu fx fy fz", "run 0 post no"]
    lines += ['print "$(pe:%.12f)" file energy.txt screen no']
    (directory / "relax.in").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_lammps(directory, input_name="relax.in", log=directory / "log.lammps", variables={"models": "models"})
    frame = list(read_binary_dump(directory / "end.bin"))[-1]
    atoms = Atoms(
        numbers=structure.numbers, positions=frame.take("xu", "yu", "zu") - frame.origin_A, cell=frame.cell_A, pbc=True
    )
    energy_eV = float((directory / "energy.txt").read_text(encoding="utf-8"))
    return _bare(atoms), energy_eV, _largest(frame.take("fx", "fy", "fz"))


def _largest(forces: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(forces, axis=1).max())


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)


CELL_RELAXATION = Recipe(
    name="cell_relaxation",
    version=1,
    settings=CellRelaxationSettings,
    run=run_cell_relaxation,
    memory_MB=lambda _: 2000.0,
)
