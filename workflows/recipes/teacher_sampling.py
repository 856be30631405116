"""Samples a small cell with the teacher itself: a few steps of relaxation, then Langevin dynamics, each frame labelled.

The run takes seconds, so it is no chain of segments: a run that was killed is made again.
"""

import warnings
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import FIRE
from pydantic import BaseModel, ConfigDict, Field

from structures.errors import ConvergenceError, InputError
from workflows.calculators.registry import build_ase_calculator
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.recipes.labelled_frames import (
    LABELLED_FILE,
    Trajectory,
    describe_trajectories,
    is_usable,
    with_labels,
    write_trajectories,
)

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class TeacherSamplingSettings(BaseModel):
    """Settings of the recipe `teacher_sampling`.

    Attributes:
        kind: of the configuration; goes with the frames.
        trajectory: name of this run in its set.
        relax_steps: steps of FIRE before the dynamics; the start and every fourth step give a frame.
        n_frames: frames of the dynamics.
        steps_per_frame: time steps between them.
        timestep_fs: of the dynamics.
        start_temperature_K: of the thermostat at the first frame.
        end_temperature_K: of the thermostat at the last frame.
        friction_per_fs: of the thermostat.
        max_force_eV_per_A: frames with a larger force are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str
    trajectory: str
    relax_steps: Count = 0
    n_frames: Count = 12
    steps_per_frame: Annotated[int, Field(gt=0)] = 10
    timestep_fs: Annotated[float, Field(gt=0, le=10)] = 4.0
    start_temperature_K: Positive = 300.0
    end_temperature_K: Positive = 300.0
    friction_per_fs: Positive = 0.02
    max_force_eV_per_A: Positive = 25.0


_RELAX_FRAME_EVERY = 4
_MAX_STEP_A = 0.15


def run_teacher_sampling(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Relax and move a structure with the teacher; write the labelled frames.

    Raises:
        InputError: without a structure, calculator or seed.
        ConvergenceError: if no frame is usable.
    """
    if calculation.structure is None or calculation.calculator is None or calculation.seed is None:
        raise InputError("teacher_sampling needs a structure, a calculator that ASE runs and a seed.")
    settings = TeacherSamplingSettings.model_validate(dict(calculation.settings))
    atoms = calculation.structure.copy()
    atoms.pbc = True
    atoms.calc = build_ase_calculator(calculation.calculator, threads=calculation.threads)
    total = settings.relax_steps + settings.n_frames * settings.steps_per_frame
    frames: list[Atoms] = []
    n_sampled = 0
    for step, stage in _sample(atoms, settings, seed=calculation.seed):
        labelled = with_labels(atoms, energy_eV=atoms.get_potential_energy(), forces_eV_per_A=atoms.get_forces())
        n_sampled += 1
        if is_usable(labelled, max_force_eV_per_A=settings.max_force_eV_per_A):
            frames.append(labelled)
        workspace.report_progress(stage=stage, step=step, steps=total)
    if not frames:
        raise ConvergenceError(
            f"{settings.trajectory}: none of {n_sampled} frames has forces below {settings.max_force_eV_per_A:g} eV/Å; "
            "raise relax_steps or max_force_eV_per_A, or mend the structure."
        )
    trajectories = [Trajectory(settings.trajectory, settings.kind, tuple(frames))]
    write_trajectories(workspace.directory / LABELLED_FILE, trajectories)
    values = describe_trajectories(trajectories, n_left_out=n_sampled - len(frames), n_evaluations=total + 1)
    return Outcome(values=values, files={"labelled": LABELLED_FILE})


def _sample(atoms: Atoms, settings: TeacherSamplingSettings, *, seed: int) -> Iterator[tuple[int, str]]:
    """Move the atoms on; yields step and stage whenever a frame is due."""
    if settings.relax_steps:
        optimiser = FIRE(atoms, logfile=None, maxstep=_MAX_STEP_A)
        yield 0, "relax"
        for step in range(1, settings.relax_steps + 1):
            optimiser.run(fmax=1e-3, steps=1)
            if step % _RELAX_FRAME_EVERY == 0:
                yield step, "relax"
    if settings.n_frames == 0:
        return
    rng = np.random.default_rng(seed)
    thermalize_momenta(atoms, settings.start_temperature_K, rng=rng)
    with warnings.catch_warnings():
        # ASE warns that holding the centre of mass is no strict NVT: training frames need none, and no drift either.
        warnings.simplefilter("ignore", FutureWarning)
        dynamics = Langevin(
            atoms,
            settings.timestep_fs * units.fs,
            temperature_K=settings.start_temperature_K,
            friction=settings.friction_per_fs / units.fs,
            fixcm=True,
            rng=rng,
        )
    rise_K = settings.end_temperature_K - settings.start_temperature_K
    for frame in range(settings.n_frames):
        share = frame / max(1, settings.n_frames - 1)
        dynamics.set_temperature(temperature_K=settings.start_temperature_K + rise_K * share)
        dynamics.run(settings.steps_per_frame)
        yield settings.relax_steps + (frame + 1) * settings.steps_per_frame, "sample"


TEACHER_SAMPLING = Recipe(
    name="teacher_sampling",
    version=1,
    settings=TeacherSamplingSettings,
    run=run_teacher_sampling,
    memory_MB=lambda calculation: 1500.0 + 5.0 * len(calculation.structure or ()),
)
