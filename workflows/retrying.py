"""Gives failed calculations a new chance; what their failure left behind is moved to quarantine, never deleted."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from structures.errors import InputError
from workflows import run_lock
from workflows.jobs.attempt import derive_state, list_attempts
from workflows.jobs.durable import read_sealed_json
from workflows.run_state import is_sweep
from workflows.run_survey import RunFacts, read_run
from workflows.sweep_survey import read_sweep


@dataclass(frozen=True)
class Failure:
    """A calculation that failed.

    Attributes:
        label: for people.
        key: of the calculation.
        reason: why it failed.
    """

    label: str
    key: str
    reason: str


def set_failures_aside(directory: Path) -> list[Failure]:
    """Have the failed calculations of a run, or of all members of a sweep, be done again by the next driver.

    A failure that is a result is moved to the store's quarantine. One whose attempts are used up has no result, and
    gets new attempts by itself.

    Raises:
        InputError: if another process works on the run, or none of its calculations has failed.
    """
    if is_sweep(directory):
        runs = {f"{name}, ": run for name, run in read_sweep(directory).read_members().items()}
        run_lock.acquire(directory)
        try:
            failures = [one for prefix, run in runs.items() for one in _set_aside(run, prefix=prefix)]
        finally:
            run_lock.release(directory)
    else:
        runs = {"": read_run(directory)}
        failures = _set_aside(runs[""])
    if not failures:
        n_calculations = sum(len(run.keys) for run in runs.values())
        raise InputError(
            f"{directory}: none of its {n_calculations} calculations has failed, needs one that did. To go on: "
            f"alkaliflow submit {directory}"
        )
    return failures


def _set_aside(run: RunFacts, *, prefix: str = "") -> list[Failure]:
    """The failures of a run, whose results that are failures are moved to quarantine."""
    failures = []
    run_lock.acquire(run.path)
    try:
        for label, key in run.keys.items():
            job = run.find_job(key)
            result = read_sealed_json(job / "result.json")
            if result is not None and result.get("status") == "failed":
                quarantine = run.store / "quarantine"
                quarantine.mkdir(exist_ok=True)
                (job / "result.json").rename(quarantine / f"{key[:12]}-result.json-{uuid.uuid4().hex[:8]}")
                failures.append(Failure(prefix + label, key, str(result.get("reason", ""))))
            elif result is None and derive_state(job) in ("failed", "crashed", "lost"):
                ended = list_attempts(job)[-1].ended() or {"reason": "the worker vanished (killed, or out of memory)"}
                failures.append(Failure(prefix + label, key, str(ended["reason"])))
    finally:
        run_lock.release(run.path)
    return failures
