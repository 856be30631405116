"""Drivers without a terminal: a process of its own session for each run, whose words go to the run's driver.log."""

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structures.errors import CalculationError, InputError
from workflows import run_lock
from workflows.jobs.attempt import SILENCE_LIMIT_S
from workflows.jobs.process import describe_process, is_alive
from workflows.run_state import DRIVEN, is_sweep, now, read_state, record_state

LOG_FILE = "driver.log"
START_TIMEOUT_S = 60.0
_LOOK_EVERY_S = 0.05
_TAIL_LINES = 12
_PR_SET_PDEATHSIG = 1
# Kept, as a handle that is dropped would warn of the driver that outlives it, which is what a driver is for.
_STARTED: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Driver:
    """A driver that was started.

    Attributes:
        run: directory of its run.
        host: that it runs on.
        pid: its process.
        log: what it prints.
    """

    run: Path
    host: str
    pid: int
    log: Path

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"run": str(self.run), "host": self.host, "process": self.pid, "log": str(self.log)}


def build_command(
    run: Path, *, cores: int | None = None, accept_break: bool = False, under: int | None = None
) -> list[str]:
    """What a driver is: `alkaliflow resume`, with nothing on its command line that others may not read."""
    command = [sys.executable, "-P", "-m", "workflows.cli", "resume", str(run.absolute())]
    command += [] if cores is None else ["--cores", str(cores)]
    command += [] if under is None else ["--under", str(under)]
    return [*command, "--accept-break"] if accept_break else command


def begin_driver(
    run: Path, *, cores: int | None = None, accept_break: bool = False, under: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a driver of a run that nobody works on; `await_driver` tells whether it got the run.

    Args:
        run: directory of a run or a sweep.
        cores: that may be busy at a time, if not as configured.
        accept_break: see `alkaliflow resume`.
        under: process that it may not outlive; None if it stands alone.

    Raises:
        InputError: if another process works on the run, which is named, or the run cannot be written.
    """
    try:
        process = _spawn(run, cores=cores, accept_break=accept_break, under=under)
    except OSError as error:
        from workflows.jobs.store import explain_storage_trouble

        raise InputError(explain_storage_trouble(error, run)) from error
    _STARTED.append(process)
    return process


def _spawn(run: Path, *, cores: int | None, accept_break: bool, under: int | None) -> subprocess.Popen[bytes]:
    run_lock.acquire(run)
    try:
        command = build_command(run, cores=cores, accept_break=accept_break, under=under)
        record_state(run, status="starting", message="", waits="")
        with (run / LOG_FILE).open("ab") as log:
            log.write(f"{now()} {shlex.join(command)}\n".encode())
            log.flush()
            lock, variable = run_lock.describe_handover(run)
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
                env={**os.environ, **variable},
            )
    finally:
        run_lock.release(run)


def await_driver(run: Path, process: subprocess.Popen[bytes], *, timeout_s: float = START_TIMEOUT_S) -> Driver:
    """Wait until a driver has taken its run, or has already brought it to its end.

    Raises:
        CalculationError: if it ended without success; with its last lines.
    """
    driver = Driver(run=run, host=str(describe_process()["host"]), pid=process.pid, log=run / LOG_FILE)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended = process.poll()
        holder = run_lock.find_holder(run)
        if ended == 0 or (holder is not None and holder.pid == process.pid):
            break
        if ended is not None:
            raise CalculationError(
                f"{run}: the driver ended at once, with exit code {ended}. Its last lines ({driver.log}):\n"
                + "\n".join(read_last_lines(driver.log, count=_TAIL_LINES))
            )
        time.sleep(_LOOK_EVERY_S)
    return driver


def start_driver(run: Path, *, cores: int | None = None, accept_break: bool = False) -> Driver:
    """Start a driver of a run and wait until it has it.

    Raises:
        InputError: if another process works on the run; names it.
        CalculationError: if the driver ended without success; with its last lines.
    """
    return await_driver(run, begin_driver(run, cores=cores, accept_break=accept_break))


def check_orphaned(run: Path) -> None:
    """Check that a run was being driven and that its driver is gone.

    A driver that cannot be seen from here is gone if the lock is free and it gave no sign of life for
    `SILENCE_LIMIT_S`: not every file system tells one host of the locks of another.

    Raises:
        InputError: if it was not, or the driver lives or may live; says what is so.
    """
    status, process = find_status(run), run_lock.read_process(run)
    if status not in {*DRIVEN, "interrupted"}:
        raise InputError(f"{run}: is {status}, needs to be interrupted. Start it with: alkaliflow submit {run}")
    if process is None or status == "interrupted":
        return
    who = f"process {process.get('pid')} on {process.get('host')}"
    if is_alive(process) or not run_lock.is_free(run):
        raise InputError(f"{run}: {who} is working on this run, needs to be free. Wait for it.")
    silence_s = find_silence_s(run)
    if silence_s < SILENCE_LIMIT_S:
        raise InputError(
            f"{run}: {who} gave a sign of life {silence_s:.0f} s ago, counts as gone after {SILENCE_LIMIT_S:.0f} s. "
            "Ask again then."
        )


@dataclass
class Resumption:
    """What became of runs that were interrupted.

    Attributes:
        started: their new drivers.
        left: run → why it was left alone.
        troubles: why drivers could not be started.
    """

    started: list[Driver] = field(default_factory=list)
    left: dict[Path, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        left = {str(path): why for path, why in self.left.items()}
        return {"started": [driver.to_json() for driver in self.started], "left": left, "troubles": self.troubles}


def resume_interrupted(runs: list[Path], *, cores: int | None = None, accept_break: bool = False) -> Resumption:
    """Start a driver for each run or sweep whose driver is gone; completed ones are passed over."""
    done, begun = Resumption(), {}
    for run in runs:
        if find_status(run) == "completed":
            continue
        try:
            check_orphaned(run)
            begun[run] = begin_driver(run, cores=cores, accept_break=accept_break)
        except InputError as error:
            done.left[run] = str(error)
    for run, process in begun.items():
        try:
            done.started.append(await_driver(run, process))
        except CalculationError as error:
            done.troubles.append(str(error))
    return done


def find_status(path: Path) -> str:
    """How far a run or a sweep came."""
    if not is_sweep(path):
        return str(read_state(path)["status"])
    from workflows.sweep_survey import read_sweep

    try:
        return read_sweep(path).status
    except InputError:
        return "damaged"


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the one that started it ends in any way; workers go on, as ever.

    Args:
        parent: process that started this one.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the kernel knew
        os.kill(os.getpid(), signal.SIGKILL)


def find_silence_s(run: Path) -> float:
    """Seconds since the driver of a run gave its last sign of life."""
    return time.time() - (run / run_lock.LOCK_FILE).stat().st_mtime


def read_last_lines(path: Path, *, count: int) -> list[str]:
    """The last lines of a log; none if there is no such file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return [line.rstrip("\n") for line in deque(stream, maxlen=count)]
    except FileNotFoundError:
        return []
