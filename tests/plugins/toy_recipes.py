"""Recipes as a user would add them: cheap work with the life of the real ones, to test the store with."""

import os
import time
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from structures.errors import CalculationError, ConvergenceError
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace


class SumSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    numbers: tuple[float, ...] = (1.0, 2.0)
    fail: str = ""
    ledger: str = ""
    wait_for: str = ""
    megabytes: int = 0


def run_sum(calculation: Calculation, workspace: Workspace) -> Outcome:
    settings = SumSettings.model_validate(calculation.settings)
    if settings.ledger:
        with Path(settings.ledger).open("a") as stream:
            stream.write(f"{os.getpid()}\n")
    held = np.ones(settings.megabytes * 125_000)
    if settings.wait_for:
        with Path(settings.wait_for).open("rb") as fifo:  # returns when the test opens the other end
            fifo.read()
    if settings.fail == "passing":
        raise CalculationError("the node went away")
    if settings.fail == "science":
        raise ConvergenceError("the SCF did not converge in 100 iterations")
    if settings.fail == "bug":
        raise ZeroDivisionError
    (workspace.directory / "numbers.txt").write_text("\n".join(map(str, settings.numbers)))
    del held
    return Outcome(values={"sum": sum(settings.numbers)}, files={"numbers": "numbers.txt"})


class WalkSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    steps: int = 40
    segment_steps: int = 10
    work_s: float = 0.0
    ledger: str = ""


def run_walk(calculation: Calculation, workspace: Workspace) -> Outcome:
    settings = WalkSettings.model_validate(calculation.settings)
    if settings.ledger:
        with Path(settings.ledger).open("a") as stream:
            stream.write(f"{os.getpid()}\n")
    assert workspace.chain is not None
    segments = workspace.chain.committed()
    while len(segments) < settings.steps // settings.segment_steps:
        number = len(segments)
        if workspace.time_left_s() < settings.work_s and segments:
            raise CalculationError(f"{workspace.time_left_s():.0f} s are left, too few for segment {number}")
        time.sleep(settings.work_s)
        position = np.load(segments[-1].directory / "checkpoint.npy") if segments else np.zeros(3)
        steps = np.random.default_rng([calculation.seed or 0, number]).normal(size=(settings.segment_steps, 3))
        path = position + np.cumsum(steps, axis=0)
        scratch = workspace.directory / f"segment-{number}"
        scratch.mkdir()
        np.save(scratch / "path.npy", path)
        np.save(scratch / "checkpoint.npy", path[-1])
        segments.append(workspace.chain.commit(number, scratch, {"steps": settings.segment_steps}))
        segments = workspace.chain.committed()
    return Outcome(values={"n_segments": settings.steps // settings.segment_steps})


SUM = Recipe(name="toy_sum", version=1, settings=SumSettings, run=run_sum)
WALK = Recipe(name="toy_walk", version=1, settings=WalkSettings, run=run_walk, length_field="steps")
