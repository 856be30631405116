"""How runs and their calculations get on, read from the files that exist: cheaply, as there may be thousands.

A result says in its first bytes whether it is one or a failure; only calculations without a result are looked at
more closely. Nothing is verified here: whether a result is sound is for the store to say.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structures.errors import InputError
from workflows import run_lock
from workflows.jobs.attempt import VANISHED, Attempt, count_executions, derive_state, list_attempts
from workflows.jobs.durable import read_json
from workflows.jobs.process import is_alive
from workflows.run_state import DRIVEN, RUN_FILE, STATE_FILE, find_run_paths, read_state

RUNNING_STATES = frozenset({"running", "unknown", "silent"})
ENDED_STATES = frozenset({"failed", "crashed", "lost", "stopped"})
_HEAD_BYTES = 96
_HEAD = re.compile(rb'"status": "(\w+)"')
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True)
class RunFacts:
    """What a run is, and how far it came.

    Attributes:
        path: its directory.
        flow: name of the flow.
        store: root of its store.
        created: ISO 8601 time.
        state: see `workflows.run_state.read_state`.
    """

    path: Path
    flow: str
    store: Path
    created: str
    state: Mapping[str, Any]

    @property
    def keys(self) -> dict[str, str]:
        """Label → key of the calculations that are known."""
        keys: dict[str, str] = self.state["keys"]
        return keys

    @property
    def is_driven(self) -> bool:
        """Whether a process works on it, as far as can be told from here."""
        return self.state["status"] in DRIVEN

    def find_job(self, key: str) -> Path:
        """Directory of a calculation in the store."""
        return self.store / "jobs" / key[:2] / key


@dataclass(frozen=True)
class CalculationRow:
    """A calculation of a run.

    Attributes:
        label: for people.
        key: of the calculation.
        state: as `derive_state`, `failed` also where a failure is the result, `gone` if the store has none.
        attempts: how many there are.
        executions: how often a worker has started on it.
        progress: what the worker said last.
        reason: why it failed, or what it waits for.
    """

    label: str
    key: str
    state: str
    attempts: int = 0
    executions: int = 0
    progress: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {**vars(self), "progress": dict(self.progress)}


@dataclass(frozen=True)
class RunRow:
    """A run at a glance.

    Attributes:
        run: its directory.
        flow: name of the flow.
        status: created, starting, running, queued (nothing runs, something waits), interrupted (its driver is gone),
            completed, failed, stopped or cancelled.
        done: calculations with a result.
        running: calculations that a worker has.
        queued: calculations that are to be begun, or begun again.
        failed: calculations that failed.
        known: calculations that the driver has come to so far.
        driver: process and host, or "none".
        sign_s_ago: seconds since driver or workers gave the last sign of life; None if there was none.
        reason: why something failed, or what is waited for.
        counted: what the numbers are of: the calculations of a run, or the members of a sweep.
    """

    run: str
    flow: str
    status: str
    done: int
    running: int
    queued: int
    failed: int
    known: int
    driver: str
    sign_s_ago: float | None
    reason: str
    counted: str = "calculations"

    @property
    def is_moving(self) -> bool:
        """Whether something may still change by itself."""
        return self.driver != "none" or self.running > 0


def read_run(path: Path) -> RunFacts:
    """What a run directory says about itself.

    Raises:
        InputError: if it is missing, no run, or damaged.
    """
    if not path.is_dir():
        raise InputError(f"{path}: there is no such directory, needs one of a run. See: alkaliflow status")
    document = read_json(path / RUN_FILE)
    if document is None or not {"flow", "store", "created"} <= set(document):
        what = "is damaged" if (path / RUN_FILE).exists() else "is missing"
        raise InputError(f"{path}: {RUN_FILE} {what}, needs the directory of a run. See: alkaliflow status")
    state = read_state(path)
    return RunFacts(path, str(document["flow"]), Path(document["store"]), str(document["created"]), state)


def find_readable_runs(root: Path) -> list[RunFacts]:
    """The runs at or below a directory, newest first; what cannot be read is passed over."""
    runs = []
    for path in find_run_paths(root):
        try:
            runs.append(read_run(path))
        except InputError:
            continue
    return sorted(runs, key=lambda run: run.created, reverse=True)


def find_state(run: RunFacts, key: str, *, known: dict[str, str] | None = None) -> str:
    """State of a calculation, as in `CalculationRow`.

    Args:
        run: that knows it.
        key: of the calculation.
        known: key → state of earlier looks; results are looked up in it and added, as they are never replaced.
    """
    if known is not None and key in known:
        return known[key]
    job = run.find_job(key)
    status = _peek_result(f"{job}/result.json")
    if status is None:
        return derive_state(job) if job.is_dir() else "gone"
    if known is not None:
        known[key] = status
    return status


def _peek_result(path: str) -> str | None:
    """`done` or `failed` from the first bytes of a result; None if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        match = _HEAD.search(os.read(descriptor, _HEAD_BYTES))
    finally:
        os.close(descriptor)
    return "failed" if match is not None and match[1] == b"failed" else "done"


def survey_run(run: RunFacts, *, known: dict[str, str] | None = None) -> RunRow:
    """A run at a glance."""
    states = {key: find_state(run, key, known=known) for key in run.keys.values()}
    counts = Counter(_find_column(state, is_driven=run.is_driven) for state in states.values())
    status = str(run.state["status"])
    if status == "running" and counts["queued"] and not counts["running"]:
        status = "queued"
    is_held = run.is_driven or not run_lock.is_free(run.path)
    holder = run_lock.find_holder(run.path) if is_held else None
    return RunRow(
        run=str(run.path),
        flow=run.flow,
        status=status,
        done=counts["done"],
        running=counts["running"],
        queued=counts["queued"],
        failed=counts["failed"],
        known=len(states),
        driver="none" if holder is None else f"{holder.pid} on {holder.host}",
        sign_s_ago=_find_sign(run, [key for key, state in states.items() if state in RUNNING_STATES]),
        reason=_explain_run(run, status=status, states=states),
    )


def _find_column(state: str, *, is_driven: bool) -> str:
    """What a calculation counts as; one that ended badly gets another attempt while there is a driver."""
    if state in ("done", "gone"):
        return state
    if state in RUNNING_STATES:
        return "running"
    return "failed" if state == "failed" or (state == "crashed" and not is_driven) else "queued"


def _find_sign(run: RunFacts, running: list[str]) -> float | None:
    """Seconds since the last sign of life of driver or workers."""
    places = [run.path / run_lock.LOCK_FILE, run.path / STATE_FILE]
    for key in running:
        newest = list_attempts(run.find_job(key))[-1].directory
        places += [newest / "started.json", newest / "progress.json"]
    signs = [place.stat().st_mtime for place in places if place.exists()]
    return max(0.0, time.time() - max(signs)) if signs else None


def _explain_run(run: RunFacts, *, status: str, states: Mapping[str, str]) -> str:
    """Why it failed or what it waits for, in a line."""
    message = str(run.state.get("message") or "")
    if message:
        return shorten_reason(message)
    if status == "interrupted":
        return f"its driver is gone; go on with: alkaliflow submit {run.path}"
    failed = [key for key, state in states.items() if state == "failed"]
    if failed:
        labels = {key: label for label, key in run.keys.items()}
        first = f"{labels[failed[0]]}: {_explain_calculation(run.find_job(failed[0]), state='failed')}"
        return first if len(failed) == 1 else f"{first} (and {len(failed) - 1} more)"
    is_waiting = run.is_driven and not RUNNING_STATES & set(states.values())
    return str(run.state.get("waits") or "") if is_waiting else ""


def list_calculations(run: RunFacts) -> list[CalculationRow]:
    """The calculations of a run that are known."""
    return [_describe(run, label=label, key=key) for label, key in run.keys.items()]


def _describe(run: RunFacts, *, label: str, key: str) -> CalculationRow:
    job, state = run.find_job(key), find_state(run, key)
    if state == "done":
        result = read_json(job / "result.json") or {}
        attempts = int(str(result.get("attempt", "attempts/0")).rpartition("/")[2]) + 1
        return CalculationRow(label, key, state, attempts, int(result.get("executions", 1)))
    attempts_there = list_attempts(job)
    return CalculationRow(
        label=label,
        key=key,
        state=state,
        attempts=len(attempts_there),
        executions=count_executions(job),
        progress=attempts_there[-1].progress() if attempts_there else {},
        reason=_explain_calculation(job, state=state, attempts=attempts_there, waits=run.is_driven),
    )


def _explain_calculation(job: Path, *, state: str, attempts: list[Attempt] | None = None, waits: bool = False) -> str:
    """Why a calculation failed, or what it waits for."""
    result = read_json(job / "result.json") if state == "failed" else None
    if result is not None:
        return shorten_reason(str(result.get("reason", "")))
    newest = (list_attempts(job) if attempts is None else attempts)[-1:]
    if state in ENDED_STATES and newest:
        return shorten_reason(str((newest[0].ended() or {}).get("reason") or VANISHED))
    if state in ("unknown", "silent", "submitted") and newest:
        target = str(newest[0].submission().get("target", "local"))
        if target != "local":
            return f"begun on: {target}"
        return f"on host {newest[0].find_host()}, which cannot be seen from here" if state != "submitted" else ""
    return "waits for its turn" if state == "new" and waits else ""


def shorten_reason(reason: str) -> str:
    """The line that says it: the first one, with the last one of a traceback in the traceback's place."""
    lines = [line for line in reason.splitlines() if line.strip() and not line.startswith("Its files: ")]
    first = lines[0] if lines else ""
    before, traceback, _ = first.partition(_TRACEBACK)
    return before + lines[-1] if traceback else first


def is_driver_alive(path: Path) -> bool | None:
    """Whether the process that took a run last lives; None if it cannot be told from here."""
    process = run_lock.read_process(path)
    return False if process is None else is_alive(process)
