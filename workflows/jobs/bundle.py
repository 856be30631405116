"""Calculations that travel through a queue together: `python -P -m workflows.jobs.bundle BUNDLE [--limit-s N]`.

A bundle is one entry of the queue, or an array of them. Each entry does its calculations one after the other, each in
a process of its own, so that one that crashes takes no other with it.
"""

import argparse
import os
import re
import shlex
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from workflows.jobs.attempt import Attempt
from workflows.jobs.durable import create_json, publish_directory, read_json, write_json
from workflows.jobs.faults import edge
from workflows.jobs.slurm import NAME_PREFIX
from workflows.jobs.worker import StoppedError, work

SCRIPT = "job.sh"
_MANIFEST = "manifest.json"
_RECEIPT = "submitted.json"
_SCHEMA_VERSION = 1
_SCHEDULERS_WORDS = re.compile(r"^slurmstepd\S*: error: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Bundle:
    """What was, or will be, handed to a scheduler at once.

    Attributes:
        directory: below `bundles` in the store; named by its token.
    """

    directory: Path

    @property
    def token(self) -> str:
        """Random, and never used again."""
        return self.directory.name

    @property
    def name(self) -> str:
        """Name of its jobs in the queue."""
        return NAME_PREFIX + self.token

    @property
    def store(self) -> Path:
        """Root of the store that it lies in."""
        return self.directory.parents[1]

    def entries(self) -> list[list[Attempt]]:
        """The attempts of each entry of the queue, in the order of work; empty if it was never written whole."""
        manifest = read_json(self.directory / _MANIFEST) or {}
        return [
            [Attempt(int(number), self.store / "jobs" / job / "attempts" / f"{number:03d}") for job, number in entry]
            for entry in manifest.get("entries", [])
        ]

    def keep_number(self, number: str) -> None:
        """Write down the number that the scheduler gave it."""
        create_json(self.directory / _RECEIPT, {"number": number, "is_array": len(self.entries()) > 1})

    def number_of(self, index: int) -> str | None:
        """The number that the scheduler gave one of its entries, if its reply arrived."""
        receipt = read_json(self.directory / _RECEIPT)
        if receipt is None:
            return None
        return f"{receipt['number']}_{index}" if receipt["is_array"] else str(receipt["number"])

    def read_last_words(self, index: int) -> str:
        """What the scheduler's own processes last wrote into the log of an entry; empty if nothing."""
        try:
            text = (self.directory / f"{index}.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        said = _SCHEDULERS_WORDS.findall(text)
        return str(said[-1]).strip(" *") if said else ""


def new_token() -> str:
    """A token for a bundle to be."""
    return uuid.uuid4().hex


def find_bundle(attempt: Attempt) -> Bundle | None:
    """The bundle that an attempt travels in, if it goes through a queue."""
    token = str(attempt.submission().get("bundle", ""))
    if not token.isalnum():
        return None
    return Bundle(attempt.directory.parents[4] / "bundles" / token)


def write_bundle(
    store: Path,
    *,
    token: str,
    entries: Sequence[Sequence[Attempt]],
    setup: Sequence[str] = (),
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    limit_s: float,
) -> Bundle:
    """Write a bundle down, with the script that the scheduler runs.

    Args:
        store: root of the store.
        token: which the attempts' submissions name.
        entries: attempts, by entry of the queue.
        setup: lines of shell before the work.
        python: interpreter of the jobs.
        environment: variables that the script sets.
        limit_s: seconds that an entry may take from the start of its script.
    """
    bundle = Bundle(store / "bundles" / token)
    aside = store / "bundles" / f".new-{token}"
    aside.mkdir(parents=True, mode=0o700)
    places = [[[_locate(attempt), attempt.number] for attempt in entry] for entry in entries]
    write_json(aside / _MANIFEST, {"schema_version": _SCHEMA_VERSION, "entries": places})
    exports = [f"export {name}={shlex.quote(value)}" for name, value in (environment or {}).items()]
    command = [python, "-P", "-m", "workflows.jobs.bundle", str(bundle.directory)]
    lines = [
        "#!/bin/sh",
        "# Written by alkaliflow; a calculation starts only if it waits for this very job.",
        "begin=$(date +%s)",
        *exports,
        *setup,
        f'exec {shlex.join(command)} --limit-s "$(({limit_s:.0f} - $(date +%s) + begin))"',
    ]
    (aside / SCRIPT).write_text("\n".join(lines) + "\n", encoding="utf-8")
    publish_directory(aside, bundle.directory)
    edge("bundle-written")
    return bundle


def _locate(attempt: Attempt) -> str:
    """Where the calculation of an attempt lies, below the store's `jobs`."""
    job = attempt.directory.parents[1]
    return f"{job.parent.name}/{job.name}"


def run_entry(bundle: Bundle, *, index: int, limit_s: float) -> int:
    """Do the calculations of one entry, while there is time; gives back what it does not come to.

    Returns:
        Exit status: 1 if a worker could not be run, else 0 (how a calculation ended is said by its own files).
    """
    deadline = time.monotonic() + limit_s
    entries = bundle.entries()
    if not 0 <= index < len(entries):
        sys.stderr.write(f"{bundle.directory} has no entry {index}\n")
        return 1
    waiting = list(entries[index])
    status = 0
    try:
        while waiting and deadline > time.monotonic():
            attempt = waiting.pop(0)
            status |= _run_apart(attempt, limit_s=deadline - time.monotonic())
    finally:
        for attempt in waiting:
            attempt.revoke()
    return status


def _run_apart(attempt: Attempt, *, limit_s: float) -> int:
    """Do one calculation in a process of its own, which need not import anything again."""
    child = os.fork()
    if child == 0:
        os._exit(_become_worker(attempt, limit_s=limit_s))

    def pass_on(number: int, _frame: FrameType | None) -> NoReturn:
        os.kill(child, number)
        os.waitpid(child, 0)
        raise StoppedError(signal.Signals(number).name)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        if attempt.started() is not None and not attempt.is_revoked():
            attempt.end("lost", reason=f"its process was killed by {name}", passing=True)
        return 1
    return 0


def _become_worker(attempt: Attempt, *, limit_s: float) -> int:
    """The child's life: the log as its output, then a worker as any other."""
    try:
        with (attempt.directory / "worker.log").open("ab") as log:
            os.dup2(log.fileno(), sys.stdout.fileno())
            os.dup2(log.fileno(), sys.stderr.fileno())
        os.chdir(attempt.directory)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        token: Any = attempt.submission().get("token")
        status = work(attempt.directory.parents[1], token=str(token), limit_s=limit_s)
    except BaseException:  # noqa: BLE001 (a forked child must never return to its parent's code)
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise StoppedError(signal.Signals(number).name)


def main() -> int:
    """Entry point of a job in a queue."""
    parser = argparse.ArgumentParser(description="Do the calculations of one entry of a bundle.")
    parser.add_argument("bundle", type=Path, help="directory of the bundle in the store")
    parser.add_argument("--limit-s", type=float, default=float("inf"), help="wall time that is left")
    arguments = parser.parse_args()
    index = int(os.environ.get("SLURM_ARRAY_TASK_ID") or 0)
    try:
        return run_entry(Bundle(arguments.bundle.absolute()), index=index, limit_s=arguments.limit_s)
    except StoppedError as error:
        sys.stderr.write(f"asked to stop by {error}\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
