"""Samples a small cell with the potential under training, so that it is taught where it goes by itself.

A run that blows up is no failure here: the frames before it show the teacher what the student has wrong.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from pydantic import BaseModel, ConfigDict, Field

from structures.errors import CalculationError, ConvergenceError, InputError
from workflows.calculators.registry import build_lammps_potential
from workflows.engines.lammps_files import DumpFrame, build_standard_frame, read_binary_dump, write_lammps_data
from workflows.engines.lammps_process import run_lammps
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.recipes.labelled_frames import write_frames

FRAMES_FILE = "frames.extxyz"
_SMALLEST_DISTANCE_A = 1.5  # nearer, the teacher itself has nothing to say
_BAROSTAT_DAMPING_PS = 1.0

Positive = Annotated[float, Field(gt=0)]


class StudentSamplingSettings(BaseModel):
    """Settings of the recipe `student_sampling`.

    Attributes:
        n_frames: frames to take.
        steps_per_frame: time steps between them; long, since the student is cheap.
        timestep_fs: of the dynamics.
        minimise_steps: of the relaxation before it.
        start_temperature_K: of the thermostat at the start.
        end_temperature_K: of the thermostat at the end.
        damping_fs: of the Langevin thermostat.
        free_cell: whether the cell's edges follow their stress, at zero pressure, in relaxation and dynamics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    n_frames: Annotated[int, Field(gt=0)] = 10
    steps_per_frame: Annotated[int, Field(gt=0)] = 400
    timestep_fs: Annotated[float, Field(gt=0, le=10)] = 3.0
    minimise_steps: Annotated[int, Field(ge=0)] = 100
    start_temperature_K: Positive = 300.0
    end_temperature_K: Positive = 600.0
    damping_fs: Positive = 100.0
    free_cell: bool = False


def run_student_sampling(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Run Langevin dynamics with the potential; write its frames.

    Raises:
        InputError: without a structure, calculator or seed.
        ConvergenceError: if the run broke down before its first frame.
    """
    structure, spec = calculation.structure, calculation.calculator
    if structure is None or spec is None or calculation.seed is None:
        raise InputError("student_sampling needs a structure, a calculator that LAMMPS runs and a seed.")
    settings = StudentSamplingSettings.model_validate(dict(calculation.settings))
    directory = workspace.directory
    potential = build_lammps_potential(spec, elements=set(structure.symbols), blob_path=workspace.store.blob_path)
    potential.link_files(directory / "models")
    atoms = build_standard_frame(structure).atoms
    write_lammps_data(directory / "start.data", atoms, type_elements=potential.type_elements)
    text = write_sampling_input(settings, commands=potential.commands, seed=calculation.seed)
    (directory / "sample.in").write_text(text, encoding="utf-8")
    workspace.report_progress(stage="sample", step=0, steps=settings.n_frames * settings.steps_per_frame)
    breakdown = ""
    try:
        run_lammps(directory, input_name="sample.in", log=directory / "log.lammps", variables={"models": "models"})
    except ConvergenceError as error:
        breakdown = str(error)
    frames = _read_sampled(directory / "frames.bin", atoms)
    if not frames:
        raise ConvergenceError(f"The student broke down before its first frame. {breakdown}")
    write_frames(directory / FRAMES_FILE, frames)
    values = {"n_frames": len(frames), "n_wanted": settings.n_frames, "broke_down": bool(breakdown)}
    return Outcome(values=values, files={"frames": FRAMES_FILE, "input": "sample.in"})


def write_sampling_input(settings: StudentSamplingSettings, *, commands: tuple[str, ...], seed: int) -> str:
    """LAMMPS input of the run; `models` is the directory of the potential's files."""
    start_K, end_K = settings.start_temperature_K, settings.end_temperature_K
    lines = ["variable models index models", "units metal", "atom_style atomic", "box tilt large"]
    lines += ["read_data start.data", *commands, f"timestep {settings.timestep_fs / 1000:g}"]
    if settings.minimise_steps:
        if settings.free_cell:
            lines.append("fix cell all box/relax aniso 0.0 vmax 0.01")
        lines.append(f"minimize 0 0.05 {settings.minimise_steps} {2 * settings.minimise_steps}")
        if settings.free_cell:
            lines.append("unfix cell")
        lines.append("reset_timestep 0")
    move = f"nph aniso 0.0 0.0 {_BAROSTAT_DAMPING_PS}" if settings.free_cell else "nve"
    lines += [
        f"velocity all create {start_K:g} {_lammps_seed(seed, 0)} mom yes rot no",
        f"fix move all {move}",
        f"fix bath all langevin {start_K:g} {end_K:g} {settings.damping_fs / 1000:g} {_lammps_seed(seed, 1)}",
        f"dump frames all custom {settings.steps_per_frame} frames.bin id type xu yu zu",
        "dump_modify frames sort id flush yes",
        "thermo 200",
        f"run {settings.n_frames * settings.steps_per_frame}",
    ]
    return "\n".join(lines) + "\n"


def _lammps_seed(seed: int, stream: int) -> int:
    return int(np.random.default_rng([seed, stream]).integers(1, 900_000_000))


def _read_sampled(path: Path, start: Atoms) -> list[Atoms]:
    """Frames up to the first in which atoms have run into each other; the start is not one."""
    sampled: list[Atoms] = []
    if not path.exists():
        return sampled
    dump = read_binary_dump(path)
    while True:
        try:
            frame = next(dump)
        except (StopIteration, CalculationError):  # a run that broke down may leave half a frame
            return sampled
        if frame.step == 0:
            continue
        if len(frame.take("id")) != len(start):  # atoms were lost: the cell has flown apart
            return sampled
        atoms = _to_atoms(frame, start)
        if not np.isfinite(atoms.positions).all() or len(neighbor_list("i", atoms, _SMALLEST_DISTANCE_A)):
            return sampled
        sampled.append(atoms)


def _to_atoms(frame: DumpFrame, start: Atoms) -> Atoms:
    positions = frame.take("xu", "yu", "zu") - frame.origin_A
    atoms = Atoms(numbers=start.numbers, positions=positions, cell=frame.cell_A, pbc=True)
    if np.isfinite(positions).all():
        atoms.wrap()
    return atoms


STUDENT_SAMPLING = Recipe(
    name="student_sampling", version=1, settings=StudentSamplingSettings, run=run_student_sampling
)
