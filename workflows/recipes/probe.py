"""The recipe that computes nothing: it says where it was."""

import os
import socket

from pydantic import BaseModel, ConfigDict

from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace


class ProbeSettings(BaseModel):
    """It has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def run_probe(calculation: Calculation, workspace: Workspace) -> Outcome:  # noqa: ARG001 (a recipe's signature)
    """Say which machine this is and what is installed on it."""
    from workflows.jobs.worker import collect_versions

    values = {"host": socket.gethostname(), "cores": len(os.sched_getaffinity(0)), "versions": collect_versions()}
    return Outcome(values=values)


PROBE = Recipe(name="probe", version=1, settings=ProbeSettings, run=run_probe, memory_MB=lambda _: 200.0)
