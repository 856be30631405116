"""Labels frames that something cheaper than the teacher has sampled: one evaluation a frame, no dynamics.

Several trajectories go together, since the teacher takes seconds to load.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from structures.errors import ConvergenceError, InputError
from workflows.calculators.registry import build_ase_calculator
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.jobs.store import Finished
from workflows.recipes.labelled_frames import (
    LABELLED_FILE,
    Trajectory,
    describe_trajectories,
    is_usable,
    label_frame,
    read_frames,
    write_trajectories,
)

Positive = Annotated[float, Field(gt=0)]


class LabelFramesSettings(BaseModel):
    """Settings of the recipe `label_frames`.

    Attributes:
        kinds: name of each input → kind of the configuration that it was sampled from.
        max_force_eV_per_A: frames with a larger force are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kinds: Annotated[dict[str, str], Field(min_length=1)]
    max_force_eV_per_A: Positive = 25.0


def run_label_frames(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Evaluate the teacher on the frames of the finished calculations that `inputs` name.

    Raises:
        InputError: if one of them, or the calculator, is missing.
        ConvergenceError: if no frame is usable.
    """
    settings = LabelFramesSettings.model_validate(dict(calculation.settings))
    if calculation.calculator is None or set(settings.kinds) != set(calculation.inputs):
        raise InputError("label_frames needs a calculator that ASE runs, and a kind for each of its inputs.")
    sources = {}
    for name, key in sorted(calculation.inputs.items()):
        result = workspace.store.result(key)
        if not isinstance(result, Finished) or "frames" not in result.files:
            raise InputError(f"label_frames: the input {name} ({key[:12]}) is no finished calculation with frames.")
        sources[name] = read_frames(result.files["frames"])
    calculator = build_ase_calculator(calculation.calculator, threads=calculation.threads)
    total = sum(len(frames) for frames in sources.values())
    trajectories, done = [], 0
    for name, frames in sources.items():
        usable = []
        for frame in frames:
            labelled = label_frame(frame, calculator=calculator)
            if is_usable(labelled, max_force_eV_per_A=settings.max_force_eV_per_A):
                usable.append(labelled)
            done += 1
            workspace.report_progress(stage="label", step=done, steps=total)
        if usable:
            trajectories.append(Trajectory(name, settings.kinds[name], tuple(usable)))
    if not trajectories:
        raise ConvergenceError(
            f"none of {total} frames has forces below {settings.max_force_eV_per_A:g} eV/Å by the teacher: the "
            "student has left what the teacher knows. Raise max_force_eV_per_A or widen round 1."
        )
    write_trajectories(workspace.directory / LABELLED_FILE, trajectories)
    kept = sum(len(trajectory.frames) for trajectory in trajectories)
    values = describe_trajectories(trajectories, n_left_out=total - kept, n_evaluations=total)
    return Outcome(values=values, files={"labelled": LABELLED_FILE})


LABEL_FRAMES = Recipe(
    name="label_frames",
    version=1,
    settings=LabelFramesSettings,
    run=run_label_frames,
    memory_MB=lambda _: 3000.0,
)
