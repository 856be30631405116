"""One process at a time on a run directory: a lock that the kernel drops when its holder ends in any way."""

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from structures.errors import InputError
from workflows.jobs.process import describe_process, is_alive

LOCK_FILE = "run.lock"
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


def release(directory: Path) -> None:
    """Give the run back."""
    stream = _HELD.pop((directory / LOCK_FILE).resolve(), None)
    if stream is not None:
        stream.close()


def find_holder(directory: Path) -> Holder | None:
    """The process that works on a run now, as far as can be told from here."""
    try:
        process = json.loads((directory / LOCK_FILE).read_text(encoding="utf-8"))
        alive = is_alive(process)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if alive is False else Holder(host=str(process["host"]), pid=int(process["pid"]))
