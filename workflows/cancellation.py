"""Ends a run that somebody else drives: its driver, then the workers that would go on without it."""

import signal
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from structures.errors import CalculationError, InputError
from workflows import run_lock
from workflows.drivers import find_silence_s
from workflows.jobs import queues
from workflows.jobs.attempt import SILENCE_LIMIT_S, Attempt, list_attempts
from workflows.jobs.ending import send_signal, wait_until_ended
from workflows.jobs.executor import BY_HAND
from workflows.run_notes import close_flow_run
from workflows.run_state import find_sweep_of, now, read_state, record_state
from workflows.run_survey import ENDED_STATES, RunFacts, find_readable_runs, find_state, is_driver_alive, read_run
from workflows.sweep_survey import find_readable_sweeps, read_sweep

PATIENCE_S = 90.0
"""A driver gives its workers 30 s to end their step."""
_IDLE_STATES = ENDED_STATES | {"new", "gone", "done", "abandoned"}


@dataclass
class Cancellation:
    """What was stopped and what was not.

    Attributes:
        driver: what became of the driver; empty if there was none.
        stopped: what became of each calculation that was stopped.
        left: each that was left alone, with the reason.
    """

    driver: str = ""
    stopped: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def cancel_run(directory: Path, *, names: list[str] | None = None) -> Cancellation:
    """Stop the driver of a run and the workers of its calculations; nothing that was committed is lost.

    A calculation that another living run wants, or that is not among `names`, goes on: then the driver is killed, as
    one that is asked to stop takes its workers along.

    Args:
        directory: of the run.
        names: keys (or how they begin) or labels of calculations; all if None.

    Raises:
        InputError: if no calculation has such a name, or the driver works on another host.
        CalculationError: if the driver does not end.
    """
    run = read_run(directory)
    done = Cancellation()
    active = _find_active(run)
    chosen = _choose(run, names=names)
    place = (find_sweep_of(run.path) or run.path.absolute()).parent
    wanted = _find_wanted(place, store=run.store, ours={run.path.resolve()})
    for label, key in active.items():
        if key in wanted:
            done.left[label] = f"{wanted[key]} wants it too"
        elif label not in chosen:
            done.left[label] = "not asked for, goes on without a driver"
    _stop_driver(run, done, is_sparing=bool(done.left))
    _stop_calculations(run, active, done)
    return done


def cancel_sweep(directory: Path) -> Cancellation:
    """Stop the driver of a sweep, those of its members and the workers of their calculations, as `cancel_run` does.

    Members that were not begun, and those that came to their ends, stay as they are.

    Raises:
        InputError: if a driver works on another host.
        CalculationError: if a driver does not end.
    """
    sweep = read_sweep(directory)
    runs, done = sweep.read_members(), Cancellation()
    active = {name: found for name, run in runs.items() if (found := _find_active(run))}
    ours = {run.path.resolve() for run in runs.values()}
    wanted = _find_wanted(sweep.path.absolute().parent, store=sweep.store, ours=ours)
    for name, found in active.items():
        done.left |= {
            f"{name}, {label}": f"{wanted[key]} wants it too" for label, key in found.items() if key in wanted
        }
    _stop_driver(sweep.as_run, done, is_sparing=bool(done.left))
    run_lock.acquire(directory)
    try:
        for name, run in runs.items():
            if name in active or run.is_driven or run.state["status"] == "interrupted":
                own = Cancellation(driver=done.driver)
                _stop_driver(run, own, is_sparing=bool(done.left))  # if it has outlived that of the sweep
                _stop_calculations(run, active.get(name, {}), own, spared=set(wanted))
                done.driver = done.driver or own.driver
                done.stopped |= {f"{name}, {label}": how for label, how in own.stopped.items()}
                done.left |= {f"{name}, {label}": why for label, why in own.left.items()}
        status = read_sweep(directory).status
        if status not in ("completed", "failed") and (done.driver or status != "stopped"):
            record_state(directory, status="cancelled", message="")
    finally:
        run_lock.release(directory)
    return done


def _find_active(run: RunFacts) -> dict[str, str]:
    """Label → key of the calculations that go on, or may."""
    return {label: key for label, key in run.keys.items() if find_state(run, key) not in _IDLE_STATES}


def _stop_calculations(
    run: RunFacts, active: Mapping[str, str], done: Cancellation, *, spared: AbstractSet[str] = frozenset()
) -> None:
    """Stop the calculations of a run whose driver is stopped, and note that it was cancelled.

    Args:
        run: that nobody drives any more.
        active: label → key of what went on before.
        done: takes what becomes of each; what is in its `left` is not touched.
        spared: keys that are not to be touched either.
    """
    run_lock.acquire(run.path)  # no timer starts another driver between here and the note
    try:
        for label, key in active.items():
            if label not in done.left and key not in spared:
                _stop_calculation(run.find_job(key), label=label, state=find_state(run, key), done=done)
        status = read_state(run.path)["status"]
        if status not in ("completed", "failed") and (done.driver or status != "stopped"):
            record_state(run.path, status="cancelled", message="", waits="", ended=now())
    finally:
        run_lock.release(run.path)
    if done.driver:
        close_flow_run(run.state, reason="It was cancelled.")


def _choose(run: RunFacts, *, names: list[str] | None) -> set[str]:
    """Labels of the calculations that are named."""
    if not names:
        return set(run.keys)
    chosen: set[str] = set()
    for name in names:
        matches = {name} & set(run.keys) or {label for label, key in run.keys.items() if key.startswith(name)}
        if not matches:
            raise InputError(
                f"{run.path}: none of its {len(run.keys)} calculations is called {name} or has a key that begins so. "
                f"See: alkaliflow status {run.path}"
            )
        chosen |= matches
    return chosen


def _find_wanted(place: Path, *, store: Path, ours: AbstractSet[Path]) -> dict[str, Path]:
    """Key → another living run below a directory, or member of a sweep there, that wants it."""
    members = [run for sweep in find_readable_sweeps(place) for run in sweep.read_members().values()]
    others = [run for run in [*find_readable_runs(place), *members] if run.is_driven and run.store == store]
    return {key: run.path for run in others if run.path.resolve() not in ours for key in run.keys.values()}


def _stop_driver(run: RunFacts, done: Cancellation, *, is_sparing: bool) -> None:
    """Stop the driver of a run, if it has one."""
    process = run_lock.read_process(run.path)
    alive = is_driver_alive(run.path)
    is_free = run_lock.is_free(run.path)
    if process is None or alive is False or (is_free and not run.is_driven):
        return
    if alive is None and is_free and find_silence_s(run.path) > SILENCE_LIMIT_S:
        return
    who = f"process {process.get('pid')} on {process.get('host')}"
    if alive is None:
        raise InputError(
            f"{run.path}: its driver is {who}, needs to be on this host to be stopped from here. There: "
            f"alkaliflow cancel {run.path.absolute()}"
        )
    send_signal(process, signal.SIGKILL if is_sparing else signal.SIGINT)
    if not wait_until_ended(process, timeout_s=PATIENCE_S):
        raise CalculationError(
            f"{run.path}: its driver ({who}) was asked to stop and still does after {PATIENCE_S:.0f} s. Wait for it: "
            f"alkaliflow watch {run.path}"
        )
    done.driver = who


def _stop_calculation(job: Path, *, label: str, state: str, done: Cancellation) -> None:
    """Stop the newest attempt at a calculation, if the driver has not done so."""
    if state in _IDLE_STATES and state != "abandoned":
        done.stopped[label] = "stopped with the driver" if state != "done" else "has finished in between"
        return
    attempt = list_attempts(job)[-1]
    if attempt.submission().get("target") == BY_HAND:
        done.left[label] = "its worker was started by hand"
    elif attempt.queue:
        done.stopped[label] = queues.cancel(attempt)
    elif state in ("submitted", "abandoned") and attempt.revoke():
        done.stopped[label] = "was not begun"
    else:
        _stop_worker(attempt, label=label, done=done)


def _stop_worker(attempt: Attempt, *, label: str, done: Cancellation) -> None:
    process = (attempt.started() or {}).get("process") or {}
    if not send_signal(process, signal.SIGTERM):
        done.left[label] = f"its worker is on host {attempt.find_host()}, stop it there"
    elif wait_until_ended(process, timeout_s=PATIENCE_S):
        done.stopped[label] = f"process {process['pid']} stopped"
    else:
        done.left[label] = f"process {process['pid']} was asked to stop and has not ended yet"
