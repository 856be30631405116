"""Advances the calculations of a run until each has a result: stateless, re-attaches by key."""

import multiprocessing.connection
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from structures.errors import AlkaliflowError, CalculationError, ConvergenceError, InputError
from workflows.jobs.attempt import (
    SILENCE_LIMIT_S,
    Attempt,
    claim_attempt,
    close_if_silent,
    derive_state,
    list_attempts,
)
from workflows.jobs.calculation import Calculation
from workflows.jobs.faults import edge
from workflows.jobs.local import LocalExecutor, release
from workflows.jobs.process import describe_process
from workflows.jobs.registry import find_recipe
from workflows.jobs.store import STORAGE_TROUBLE, Failed, Finished, Store, explain_storage_trouble

_POLL_S = 0.5
_LOG_TAIL_LINES = 12

_OTHERS_COMPUTE = (
    "Other runs of yours hold the core slots of this machine; this one goes on when they give some back. The "
    "environment variable ALKALIFLOW_SLOTS sets the folder of the slots: runs with different ones do not wait for each "
    "other."
)

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


def run_calculations(
    calculations: Sequence[Calculation],
    *,
    store: Store,
    executor: LocalExecutor | None = None,
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
    executor: LocalExecutor | None = None,
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
            executor.reap()
            for pursuit in waiting:
                _advance(pursuit, store, executor, on_progress, retries)
            _wait_for_change([pursuit.job for pursuit in waiting if pursuit.outcome is None])
    except BaseException as error:
        executor.stop()
        if isinstance(error, OSError) and error.errno in STORAGE_TROUBLE:
            raise CalculationError(explain_storage_trouble(error, store.root)) from error
        raise
    executor.wait()
    return [outcome for key in keys if (outcome := pursuits[key].outcome) is not None]


def _advance(pursuit: _Pursuit, store: Store, executor: LocalExecutor, on_progress: Progress, retries: int) -> None:
    state = derive_state(pursuit.job)
    if state == "done":
        pursuit.outcome = store.result(pursuit.key)
        _report(pursuit, "done" if pursuit.outcome is not None else "damaged", on_progress)
    elif state == "running":
        _report(pursuit, state, on_progress)
    elif state == "unknown":
        _report(pursuit, state, on_progress, reason=_explain_unknown(pursuit, store))
    elif state == "silent":
        close_if_silent(pursuit.job)
    elif state == "submitted":
        attempt = list_attempts(pursuit.job)[-1]
        submitted_here = attempt.submission().get("submitter") == describe_process()
        if submitted_here and not executor.has_worker(pursuit.job) and attempt.revoke():
            _count_failure(pursuit, "the worker ended before it started", retries, attempt, store)
    elif state == "abandoned":
        list_attempts(pursuit.job)[-1].revoke()
    elif state in ("lost", "failed", "crashed") and not _is_forgiven(pursuit, store, retries):
        return
    else:
        _submit(pursuit, executor, on_progress)


def _is_forgiven(pursuit: _Pursuit, store: Store, retries: int) -> bool:
    """Whether the attempt that ended badly gets a successor."""
    attempt = list_attempts(pursuit.job)[-1]
    if attempt.number in pursuit.judged:
        return True
    pursuit.judged.add(attempt.number)
    ended = attempt.ended()
    if attempt.submission().get("submitter") != describe_process():
        return True
    if ended is None or ended["status"] in ("done", "lost"):
        return _count_failure(pursuit, "the worker vanished (killed, or out of memory)", retries, attempt, store)
    if not ended["passing"]:
        pursuit.outcome = Failed(pursuit.key, "CalculationError", ended["reason"], attempt.directory)
        return False
    return _count_failure(pursuit, str(ended["reason"]), retries, attempt, store)


def _count_failure(pursuit: _Pursuit, reason: str, retries: int, attempt: Attempt, store: Store) -> bool:
    chain = store.chain(pursuit.calculation)
    segments = len(list((chain.directory / "segments").glob("*"))) if chain is not None else 0
    pursuit.failures = 1 if segments > pursuit.seen_segments else pursuit.failures + 1
    pursuit.seen_segments = max(segments, pursuit.seen_segments)
    if pursuit.failures <= retries:
        return True
    tail = read_log_tail(attempt.directory)
    reason = f"{reason}; {pursuit.failures} attempts without headway" + (
        f". Its last lines:\n{tail}" if tail and reason not in tail else ""
    )
    pursuit.outcome = Failed(pursuit.key, "CalculationError", reason, attempt.directory)
    return False


def _submit(pursuit: _Pursuit, executor: LocalExecutor, on_progress: Progress) -> None:
    calculation = pursuit.calculation
    memory_MB = find_recipe(calculation.recipe).memory_MB(calculation)
    count = executor.count_slots(cores=calculation.ranks * calculation.threads, memory_MB=memory_MB)
    slots = executor.acquire(count)
    if slots is None:
        hint = "" if executor.children else _OTHERS_COMPUTE
        _report(pursuit, "waiting", on_progress, reason="for free cores and memory", hint=hint)
        return
    try:
        attempt = claim_attempt(pursuit.job, target="local")
        if attempt is not None:
            edge("attempt-claimed")
            executor.submit(pursuit.job, attempt, slots=slots, threads=calculation.threads)
    finally:
        release(slots)  # the worker has its own hold on them


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


def _wait_for_change(jobs: Iterable[Path]) -> None:
    """Wait until a worker ends, but no longer than the poll interval."""
    descriptors = []
    for job in jobs:
        attempts = list_attempts(job)
        started = attempts[-1].started() if attempts else None
        if started is None or "process" not in started or derive_state(job) != "running":
            continue
        try:
            descriptors.append(os.pidfd_open(int(started["process"]["pid"])))
        except ProcessLookupError:
            continue
    try:
        multiprocessing.connection.wait(descriptors, timeout=_POLL_S)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def read_log_tail(directory: Path, *, lines: int = _LOG_TAIL_LINES) -> str:
    """The last lines of what an attempt's worker printed."""
    log = directory / "worker.log"
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
