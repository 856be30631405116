"""Advances the calculations of a run until each has a result: stateless, re-attaches by key."""

import multiprocessing.connection
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from structures.errors import AlkaliflowError, CalculationError, ConvergenceError, InputError
from workflows.jobs.attempt import (
    SILENCE_LIMIT_S,
    VANISHED,
    Attempt,
    close_if_silent,
    derive_state,
    list_attempts,
)
from workflows.jobs.calculation import Calculation
from workflows.jobs.executor import Executor, Sighting, Task
from workflows.jobs.local import LocalExecutor
from workflows.jobs.process import describe_process
from workflows.jobs.queues import QueueExecutor, QueueWatch
from workflows.jobs.registry import find_recipe
from workflows.jobs.store import STORAGE_TROUBLE, Failed, Finished, Store, explain_storage_trouble

_POLL_S = 0.5
# Looking at a calculation costs about a millisecond, more on a file server; a driver of many looks less often.
_POLL_S_PER_CALCULATION = 0.005
_LOG_TAIL_LINES = 12
# So long a scheduler is given to say what ended a job whose worker is seen to be dead.
_EXPLANATION_S = 15.0

_ERRORS: dict[str, type[AlkaliflowError]] = {"ConvergenceError": ConvergenceError, "InputError": InputError}

Progress = Callable[[Mapping[str, Any]], None]


@dataclass
class _Pursuit:
    """One calculation on its way: what this driver remembers of it, which is never more than a retry budget."""

    key: str
    calculation: Calculation
    job: Path
    failures: int = 0
    seen_segments: int = 0
    outcome: Finished | Failed | None = None
    judged: set[int] = field(default_factory=set)
    lost_since_s: dict[int, float] = field(default_factory=dict)


@dataclass
class _Watcher:
    """Where a driver looks for what became of an attempt, and how patient it is.

    Attributes:
        store: where the calculations are.
        executor: what starts workers here.
        retries: failures that may pass which a calculation is forgiven.
        queue: of a scheduler that other drivers handed calculations to; looked at only if there are any.
    """

    store: Store
    executor: Executor
    retries: int
    queue: QueueWatch = field(default_factory=QueueWatch)

    def look(self, attempt: Attempt) -> Sighting:
        """What became of an attempt."""
        if not attempt.queue or isinstance(self.executor, QueueExecutor):
            return self.executor.look(attempt)
        self.queue.poll()
        return self.queue.look(attempt)


def run_calculations(
    calculations: Sequence[Calculation],
    *,
    store: Store,
    executor: Executor | None = None,
    on_progress: Progress = lambda _: None,
    retries: int = 2,
) -> list[Finished]:
    """As `settle_calculations`, where every result is needed.

    Raises:
        ConvergenceError: if one failed for a reason of the science.
        CalculationError: if one failed in another way and its attempts are used up.
        KeyboardInterrupt: after the workers were stopped; what they committed stays.
    """
    outcomes = settle_calculations(
        calculations, store=store, executor=executor, on_progress=on_progress, retries=retries
    )
    for calculation, outcome in zip(calculations, outcomes, strict=True):
        if isinstance(outcome, Failed):
            label = calculation.label or calculation.recipe
            message = f"{label} ({outcome.key[:12]}) failed: {outcome.reason}\nIts files: {outcome.directory}"
            raise _ERRORS.get(outcome.kind, CalculationError)(message)
    return [outcome for outcome in outcomes if isinstance(outcome, Finished)]


def settle_calculations(
    calculations: Sequence[Calculation],
    *,
    store: Store,
    executor: Executor | None = None,
    on_progress: Progress = lambda _: None,
    retries: int = 2,
) -> list[Finished | Failed]:
    """Bring calculations to their ends, using what the store has and computing what it lacks.

    Args:
        calculations: what is wanted; equal ones are computed once.
        store: where they are and stay.
        executor: what starts workers; this machine with all its cores by default.
        on_progress: gets an event (`key`, `label`, `state`, and what the worker reports) whenever something moves.
        retries: further attempts that a calculation gets after failures that may pass, if it makes no headway.

    Returns:
        A result or a failure for each of `calculations`, in their order.

    Raises:
        CalculationError: if the disk is full, or cannot be written.
        KeyboardInterrupt: after the workers were stopped; what they committed stays.
    """
    executor = executor if executor is not None else LocalExecutor()
    watcher = _Watcher(store=store, executor=executor, retries=retries)
    keys = [store.create(calculation) for calculation in calculations]
    pursuits: dict[str, _Pursuit] = {}
    for key, calculation in zip(keys, calculations, strict=True):
        pursuits.setdefault(key, _Pursuit(key=key, calculation=calculation, job=store.job_directory(key)))
    for pursuit in pursuits.values():
        result = store.result(pursuit.key)
        pursuit.outcome = replace(result, reused=True) if isinstance(result, Finished) else result
        _report(pursuit, "new" if result is None else "reused", on_progress)
    try:
        while waiting := [pursuit for pursuit in pursuits.values() if pursuit.outcome is None]:
            executor.poll()
            _start([pursuit for pursuit in waiting if _advance(pursuit, watcher, on_progress)], executor, on_progress)
            _wait_for_change([pursuit.job for pursuit in waiting if pursuit.outcome is None], executor)
    except BaseException as error:
        executor.stop()
        if isinstance(error, OSError) and error.errno in STORAGE_TROUBLE:
            raise CalculationError(explain_storage_trouble(error, store.root)) from error
        raise
    executor.wait()
    return [outcome for key in keys if (outcome := pursuits[key].outcome) is not None]


def _advance(pursuit: _Pursuit, watcher: _Watcher, on_progress: Progress) -> bool:
    """Take note of what happened to a calculation; returns whether it needs an attempt now."""
    state = derive_state(pursuit.job)
    if state == "done":
        pursuit.outcome = watcher.store.result(pursuit.key)
        _report(pursuit, "done" if pursuit.outcome is not None else "damaged", on_progress)
        return False
    if state == "running":
        _report(pursuit, state, on_progress)
        return False
    if state in ("submitted", "queued"):
        return _wait_for_worker(pursuit, state, watcher, on_progress)
    if state in ("unknown", "silent"):
        return _wait_for_sign(pursuit, state, watcher, on_progress)
    if state == "abandoned":
        list_attempts(pursuit.job)[-1].revoke()
        return False
    return state not in ("lost", "failed", "crashed") or _is_forgiven(pursuit, watcher)


def _wait_for_worker(pursuit: _Pursuit, state: str, watcher: _Watcher, on_progress: Progress) -> bool:
    """An attempt without a worker: wait, or close it if none will come."""
    attempt = list_attempts(pursuit.job)[-1]
    sighting = watcher.look(attempt)
    if sighting.state != "gone":
        if state == "queued":
            _report(pursuit, state, on_progress, reason=sighting.reason)
        return False
    if attempt.revoke():
        _count_failure(pursuit, sighting.reason, attempt, watcher)
    return False


def _wait_for_sign(pursuit: _Pursuit, state: str, watcher: _Watcher, on_progress: Progress) -> bool:
    """An attempt whose worker cannot be seen from here: wait, or close it if it is known, or bound, to be gone."""
    attempt = list_attempts(pursuit.job)[-1]
    sighting = watcher.look(attempt) if attempt.queue else None
    if sighting is not None and sighting.state == "gone" and sighting.is_certain:
        attempt.end("lost", reason=sighting.reason, passing=True)
    elif state == "silent":
        close_if_silent(pursuit.job)
    elif sighting is not None and sighting.state == "running":
        _report(pursuit, "running", on_progress)
    else:
        _report(pursuit, state, on_progress, reason=_explain_unknown(pursuit, watcher.store))
    return False


def _is_forgiven(pursuit: _Pursuit, watcher: _Watcher) -> bool:
    """Whether the attempt that ended badly gets a successor."""
    attempt = list_attempts(pursuit.job)[-1]
    if attempt.number in pursuit.judged:
        return True
    if _may_be_explained(pursuit, attempt, watcher):
        return False
    pursuit.judged.add(attempt.number)
    ended = attempt.ended()
    if attempt.submission().get("submitter") != describe_process():
        return True
    if ended is None or ended["status"] in ("done", "lost"):
        return _count_failure(pursuit, _explain_loss(attempt, watcher), attempt, watcher)
    if not ended["passing"]:
        pursuit.outcome = Failed(pursuit.key, "CalculationError", ended["reason"], attempt.directory)
        return False
    return _count_failure(pursuit, str(ended["reason"]), attempt, watcher)


def _may_be_explained(pursuit: _Pursuit, attempt: Attempt, watcher: _Watcher) -> bool:
    """Whether a scheduler, which sees a worker's death later than we, is still to say why."""
    if not attempt.queue or attempt.ended() is not None:
        return False
    since_s = pursuit.lost_since_s.setdefault(attempt.number, time.monotonic())
    sighting = watcher.look(attempt)
    return not sighting.is_certain and time.monotonic() - since_s < _EXPLANATION_S


def _explain_loss(attempt: Attempt, watcher: _Watcher) -> str:
    """Why a worker is gone: by its files, by the scheduler, or unknown."""
    ended = attempt.ended()
    if ended is not None and ended["status"] == "lost" and ended["reason"]:
        return str(ended["reason"])
    sighting = watcher.look(attempt) if attempt.queue else None
    if sighting is not None and sighting.state == "gone" and sighting.is_certain:
        attempt.end("lost", reason=sighting.reason, passing=True)
        return sighting.reason
    return VANISHED


def _count_failure(pursuit: _Pursuit, reason: str, attempt: Attempt, watcher: _Watcher) -> bool:
    chain = watcher.store.chain(pursuit.calculation)
    segments = len(list((chain.directory / "segments").glob("*"))) if chain is not None else 0
    pursuit.failures = 1 if segments > pursuit.seen_segments else pursuit.failures + 1
    pursuit.seen_segments = max(segments, pursuit.seen_segments)
    if pursuit.failures <= watcher.retries:
        return True
    tail = read_log_tail(attempt.directory)
    reason = f"{reason}; {pursuit.failures} attempts without headway" + (
        f". Its last lines:\n{tail}" if tail and reason not in tail else ""
    )
    pursuit.outcome = Failed(pursuit.key, "CalculationError", reason, attempt.directory)
    return False


def _start(ready: Sequence[_Pursuit], executor: Executor, on_progress: Progress) -> None:
    """Have workers started for calculations that need one."""
    tasks = [
        Task(
            job=pursuit.job,
            recipe=pursuit.calculation.recipe,
            label=pursuit.calculation.label or pursuit.calculation.recipe,
            ranks=pursuit.calculation.ranks,
            threads=pursuit.calculation.threads,
            memory_MB=find_recipe(pursuit.calculation.recipe).memory_MB(pursuit.calculation),
        )
        for pursuit in ready
    ]
    delays = executor.start(tasks) if tasks else {}
    for pursuit in ready:
        delay = delays.get(pursuit.job)
        if delay is None:
            continue
        if delay.is_final:
            pursuit.outcome = Failed(pursuit.key, "CalculationError", delay.reason, pursuit.job)
        _report(pursuit, "failed" if delay.is_final else "waiting", on_progress, reason=delay.reason, hint=delay.hint)


def _explain_unknown(pursuit: _Pursuit, store: Store) -> str:
    """What is waited for, for how long, and how a person ends it."""
    attempt = list_attempts(pursuit.job)[-1]
    return (
        f"waits for its worker on host {attempt.find_host()}, which cannot be seen from here; without a sign of life "
        f"for {SILENCE_LIMIT_S:.0f} s (now {attempt.silence_s() or 0:.0f} s) it counts as lost. If you know that it is "
        f"gone: alkaliflow job revoke {pursuit.key[:12]} --store {store.root}"
    )


def _report(pursuit: _Pursuit, state: str, on_progress: Progress, *, reason: str = "", hint: str = "") -> None:
    attempts = list_attempts(pursuit.job)
    progress = attempts[-1].progress() if attempts else {}
    label = pursuit.calculation.label or pursuit.calculation.recipe
    on_progress({**progress, "key": pursuit.key, "label": label, "state": state, "reason": reason, "hint": hint})


def _wait_for_change(jobs: Sequence[Path], executor: Executor) -> None:
    """Wait until a worker ends, one of ours or of another driver's, but no longer than the poll interval."""
    interval_s = max(_POLL_S, _POLL_S_PER_CALCULATION * len(jobs))
    descriptors = []
    for pid in {*executor.list_processes(), *_list_workers(jobs)}:
        try:
            descriptors.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    try:
        multiprocessing.connection.wait(descriptors, timeout=interval_s)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _list_workers(jobs: Iterable[Path]) -> Iterable[int]:
    """Processes of this machine that are at work on calculations."""
    for job in jobs:
        attempts = list_attempts(job)
        started = attempts[-1].started() if attempts else None
        if started is not None and "process" in started and derive_state(job) == "running":
            yield int(started["process"]["pid"])


def read_log_tail(directory: Path, *, lines: int = _LOG_TAIL_LINES) -> str:
    """The last lines of what an attempt's worker printed."""
    log = directory / "worker.log"
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
