"""One process at a time on a run directory: a lock that the kernel drops when its holder ends in any way."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from structures.errors import InputError
from workflows.jobs.process import describe_process, is_alive

LOCK_FILE = "run.lock"
# Where a driver finds the lock that its starter holds for it: number of the open file, and the path of the lock.
HANDED_OVER = "ALKALIFLOW_RUN_LOCK"
_PATIENCE_S = 0.3
_HELD: dict[Path, IO[str]] = {}


@dataclass(frozen=True)
class Holder:
    """Who works on a run."""

    host: str
    pid: int


def acquire(directory: Path) -> None:
    """Take the run for this process; taking it twice in one process is no conflict.

    Raises:
        InputError: if another process has it; names that process.
    """
    path = (directory / LOCK_FILE).resolve()
    if path in _HELD:
        return
    stream = _adopt(path)
    if stream is None:
        stream = path.open("a+", encoding="utf-8")
        try:
            _lock(stream, directory)
        except BaseException:
            stream.close()
            raise
    stream.seek(0)
    stream.truncate()
    stream.write(json.dumps(describe_process()) + "\n")
    stream.flush()
    _HELD[path] = stream


def _lock(stream: IO[str], directory: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            who = find_holder(directory)
            process = f"process {who.pid} on {who.host}" if who is not None else "another process"
            stop = f", stop it with: kill -INT {who.pid}" if who is not None and who.host == os.uname().nodename else ""
            raise InputError(
                f"{directory}: {process} is working on this run, needs to be free. Wait for it{stop}, or choose "
                "another directory with --workdir."
            ) from None
        return


def describe_handover(directory: Path) -> tuple[int, dict[str, str]]:
    """What a process that is started must inherit to hold the lock of a run that this one holds.

    The lock belongs to the open file: it stays held, without a gap, when this process gives the run back.

    Returns:
        number of the open file, and the environment variable that tells the new process of it.
    """
    path = (directory / LOCK_FILE).resolve()
    number = _HELD[path].fileno()
    return number, {HANDED_OVER: f"{number}:{path}"}


def _adopt(path: Path) -> IO[str] | None:
    """The open file of a lock that the starter of this process holds for it."""
    number, _, of = os.environ.get(HANDED_OVER, "").partition(":")
    if of != str(path):
        return None
    del os.environ[HANDED_OVER]
    try:
        if not os.path.samestat(os.fstat(int(number)), path.stat()):
            return None
    except (ValueError, OSError):
        return None
    fcntl.fcntl(int(number), fcntl.F_SETFD, fcntl.FD_CLOEXEC)  # the lock ends with this process, not with its workers
    return os.fdopen(int(number), "a+", encoding="utf-8")


def release(directory: Path) -> None:
    """Give the run back."""
    stream = _HELD.pop((directory / LOCK_FILE).resolve(), None)
    if stream is not None:
        stream.close()


def is_held_here(directory: Path) -> bool:
    """Whether this process has the run."""
    return (directory / LOCK_FILE).resolve() in _HELD


def is_free(directory: Path) -> bool:
    """Whether no process on any host holds the lock, as far as the file system tells."""
    if is_held_here(directory):
        return False
    try:
        with (directory / LOCK_FILE).open("r+", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def give_sign(directory: Path) -> None:
    """Say that the holder lives, by the time of the lock's file."""
    with contextlib.suppress(OSError):  # a file server that is away for a moment ends no work
        os.utime(directory / LOCK_FILE)


def read_process(directory: Path) -> Mapping[str, Any] | None:
    """The process that took the run last, alive or not; None if none did."""
    try:
        process = json.loads((directory / LOCK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return process if isinstance(process, dict) else None


def find_holder(directory: Path) -> Holder | None:
    """The process that works on a run now, as far as can be told from here."""
    process = read_process(directory)
    try:
        if process is None or is_alive(process) is False:
            return None
        return Holder(host=str(process["host"]), pid=int(process["pid"]))
    except (KeyError, TypeError, ValueError):
        return None
