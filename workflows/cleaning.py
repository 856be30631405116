"""Finds what may be deleted: never what a result needs, never a running attempt, never a segment.

Logs, structures, inputs and JSON files of attempts stay, as they tell how a result was made; so does every file of a
calculation without a result, and the attempt that a failure names.
"""

import contextlib
import fcntl
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from structures.errors import InputError
from workflows.jobs.attempt import Attempt, list_attempts
from workflows.jobs.durable import read_sealed_json
from workflows.jobs.process import is_alive

LEFTOVER_S = 24 * 3600.0
QUARANTINE_S = 30 * LEFTOVER_S
KEPT_SUFFIXES = frozenset({".json", ".log", ".in", ".inp", ".out", ".txt", ".lammps", ".extxyz"})
_LEFTOVER = re.compile(r"\.(new|claim)-[0-9a-f]{32}|\.([^/]+\.)?[0-9a-f]{32}|\.progress\.json\.\d+")
_LEFTOVER_PLACES = ("jobs/.*", "jobs/??/*/.*", "jobs/??/*/attempts/.*", "jobs/??/*/attempts/*/.*", "blobs/??/.*")
SCRATCH, LEFTOVERS, QUARANTINE, HOMES = (
    "scratch of finished calculations",
    "leftovers of processes that were killed",
    "quarantine",
    "homes of private Prefect servers",
)


@dataclass(frozen=True)
class Waste:
    """Something that nobody needs.

    Attributes:
        kind: why it may go.
        path: file or directory.
        size_bytes: what it takes.
    """

    kind: str
    path: Path
    size_bytes: int


def find_waste(store: Path, *, now_s: float | None = None) -> list[Waste]:
    """What may go from a store.

    Args:
        store: its root.
        now_s: the time that ages are taken from, in seconds since 1970; now if None.

    Raises:
        InputError: if there is no store.
    """
    if not (store / "store.json").exists():
        raise InputError(f"{store}: there is no store, needs that of your runs. Name it with --store.")
    now_s = time.time() if now_s is None else now_s
    waste = [one for job in sorted((store / "jobs").glob("??/*")) for one in _find_scratch(job)]
    left = (path for pattern in _LEFTOVER_PLACES for path in sorted(store.glob(pattern)))
    old = [path for path in left if _LEFTOVER.fullmatch(path.name) and _find_age_s(path, now_s=now_s) > LEFTOVER_S]
    waste += [Waste(LEFTOVERS, path, measure_bytes(path)) for path in old]
    old = [path for path in sorted((store / "quarantine").glob("*")) if _find_age_s(path, now_s=now_s) > QUARANTINE_S]
    return waste + [Waste(QUARANTINE, path, measure_bytes(path)) for path in old]


def _find_scratch(job: Path) -> Iterator[Waste]:
    """Files beside a sound result that it does not name, of attempts that have ended."""
    result = read_sealed_json(job / "result.json")
    if result is None:
        return
    is_failure = result.get("status") == "failed"
    named = set() if is_failure else {(job / entry["path"]).resolve() for entry in result["files"].values()}
    for attempt in list_attempts(job):
        if not _has_ended(attempt) or (is_failure and f"attempts/{attempt.directory.name}" == result.get("attempt")):
            continue
        for path in sorted(attempt.directory.rglob("*")):
            is_plain = path.is_file() and not path.is_symlink()
            is_kept = path.resolve() in named or path.suffix in KEPT_SUFFIXES or _LEFTOVER.fullmatch(path.name)
            if is_plain and not is_kept:
                yield Waste(SCRATCH, path, path.stat().st_size)


def _has_ended(attempt: Attempt) -> bool:
    """Whether no worker can be in an attempt any more."""
    started = attempt.started()
    if attempt.ended() is not None:
        return not is_alive((started or {}).get("process"))  # it writes its end before it ends
    return started is not None and ("revoked_by" in started or is_alive(started.get("process")) is False)


def find_idle_homes(cache: Path) -> list[Waste]:
    """Homes of private Prefect servers that no run uses; the next run makes another."""
    waste = []
    for lock in sorted(cache.glob("prefect-*/*.lock")):
        home = lock.with_suffix("")
        with _claimed(lock) as is_idle:
            if is_idle and home.is_dir():
                waste.append(Waste(HOMES, home, measure_bytes(home)))
    return waste


def remove(waste: Waste) -> int:
    """Delete it, if that is still allowed; returns the bytes that were freed."""
    if waste.kind == HOMES:
        with _claimed(waste.path.with_name(f"{waste.path.name}.lock")) as is_idle:
            return _delete(waste) if is_idle else 0
    return _delete(waste)


def _delete(waste: Waste) -> int:
    try:
        if waste.path.is_dir() and not waste.path.is_symlink():
            shutil.rmtree(waste.path)
        else:
            waste.path.unlink()
    except FileNotFoundError:
        return 0
    return waste.size_bytes


@contextlib.contextmanager
def _claimed(lock: Path) -> Iterator[bool]:
    """Whether nobody else holds a lock; held inside, so that nobody takes it meanwhile."""
    with lock.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def measure_bytes(path: Path) -> int:
    """Size of a file, or of all files in a directory."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(inner.lstat().st_size for inner in path.rglob("*") if not inner.is_dir() or inner.is_symlink())


def _find_age_s(path: Path, *, now_s: float) -> float:
    """Seconds since it was written or came to its place; a renaming changes the second time only."""
    status = path.lstat()
    return now_s - max(status.st_mtime, status.st_ctime)
