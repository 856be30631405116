"""Attempts at a calculation: claimed, submitted, started and ended by files that are created once."""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows.jobs.durable import create_json, publish_directory, read_json, write_json
from workflows.jobs.process import describe_process, is_alive

SIGN_EVERY_S = 20.0
SILENCE_LIMIT_S = 600.0
VANISHED = "the worker vanished (killed, or out of memory)"


@dataclass(frozen=True)
class Attempt:
    """One try at a calculation, in its own directory.

    Attributes:
        number: from 0.
        directory: scratch of the worker, and the files that tell the attempt's state.
    """

    number: int
    directory: Path

    def submission(self) -> Mapping[str, Any]:
        """Token, target and submitter; for a queue, the bundle it travels in and its place there."""
        return read_json(self.directory / "submission.json") or {}

    @property
    def queue(self) -> str:
        """Name of the cluster whose queue it was handed to; empty if this is no business of a queue."""
        return str(self.submission().get("target", "")).partition(":")[2]

    def started(self) -> Mapping[str, Any] | None:
        """The worker that has it, or a note that it was revoked; None if no worker has started, {} if damaged."""
        return _read_if_there(self.directory / "started.json")

    def ended(self) -> Mapping[str, Any] | None:
        """How it ended (`status`, `reason`, `passing`); None if it has not. Damaged, it counts as lost."""
        document = _read_if_there(self.directory / "exit.json")
        if document is None:
            return None
        return {"status": "lost", "reason": "its exit.json is damaged", "passing": True, **document}

    def progress(self) -> Mapping[str, Any]:
        """What the worker last said of its progress."""
        return read_json(self.directory / "progress.json") or {}

    def is_revoked(self) -> bool:
        """Whether it was closed before any worker started."""
        started = self.started()
        return started is not None and "revoked_by" in started

    def start(self, token: str | None) -> bool:
        """Take the attempt for this process; only the first caller gets it, and only with the right token."""
        if token is not None and self.submission().get("token") != token:
            return False
        return create_json(self.directory / "started.json", {"token": token, "process": describe_process()})

    def revoke(self) -> bool:
        """Close an attempt that no worker has started, so that none ever will.

        Returns:
            Whether it is closed now; if not, a worker was faster and has it.
        """
        create_json(self.directory / "started.json", {"revoked_by": describe_process()})
        return self.is_revoked()

    def end(self, status: str, *, reason: str = "", passing: bool = False) -> None:
        """Write down how the attempt ended: `done`, `stopped`, `failed`, `crashed` or, by another process, `lost`."""
        create_json(self.directory / "exit.json", {"status": status, "reason": reason, "passing": passing})

    def give_sign(self) -> bool:
        """Say that the worker lives, by the time of `started.json`; returns whether the attempt is still its own."""
        if (self.directory / "exit.json").exists():
            return False
        with contextlib.suppress(OSError):  # a file server that is away for a moment ends no work
            os.utime(self.directory / "started.json")
        return True

    def silence_s(self) -> float | None:
        """Seconds since the last sign of life, by the clock of the store's file system; None if it cannot be told."""
        signs = [self.directory / name for name in ("submission.json", "started.json")]
        try:
            with tempfile.TemporaryFile(dir=self.directory) as stream:
                os.utime(stream.fileno())
                now_s = os.fstat(stream.fileno()).st_mtime
            return now_s - max(sign.stat().st_mtime for sign in signs if sign.exists())
        except (OSError, ValueError):
            return None

    def is_silent(self) -> bool:
        """Whether it has given no sign of life for so long that it counts as lost."""
        silence_s = self.silence_s()
        return silence_s is not None and silence_s > SILENCE_LIMIT_S

    def find_host(self) -> str:
        """Name of the host that has it, as far as it can be read."""
        started = self.started()
        process = self.submission().get("submitter") if started is None else started.get("process")
        return str((process or {}).get("host", "unknown"))


def _read_if_there(path: Path) -> Mapping[str, Any] | None:
    """The document in a file, {} if it is damaged, None if there is no file."""
    document = read_json(path)
    return {} if document is None and path.exists() else document


def list_attempts(job: Path) -> list[Attempt]:
    """The attempts at a calculation, oldest first; asked for one by one, as a file server may list new names late."""
    found: list[Attempt] = []
    while (directory := job / "attempts" / f"{len(found):03d}").is_dir():
        found.append(Attempt(len(found), directory))
    return found


def count_executions(job: Path) -> int:
    """How often a worker has started on a calculation."""
    return sum(1 for attempt in list_attempts(job) if attempt.started() is not None and not attempt.is_revoked())


def claim_attempt(job: Path, *, target: str, details: Mapping[str, Any] | None = None) -> Attempt | None:
    """Claim the next attempt, its submission already written; None if another process claimed it first.

    Args:
        job: directory of the calculation.
        target: where it goes: `local`, `by hand`, or `slurm:CLUSTER`.
        details: what else the submission says.
    """
    attempts = list_attempts(job)
    number = attempts[-1].number + 1 if attempts else 0
    (job / "attempts").mkdir(exist_ok=True)
    aside = job / "attempts" / f".claim-{uuid.uuid4().hex}"
    aside.mkdir(mode=0o700)
    try:
        submission = {"token": uuid.uuid4().hex, "target": target, "submitter": describe_process()}
        submission |= details or {}
        write_json(aside / "submission.json", submission)
        directory = job / "attempts" / f"{number:03d}"
        return Attempt(number, directory) if publish_directory(aside, directory) else None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def derive_state(job: Path) -> str:
    """State of a calculation from the files that exist.

    Returns:
        One of `new`, `submitted` (no worker has started), `queued` (the same, and a scheduler has it, whether or not
        its submitter lives), `abandoned` (its submitter died before a worker started),
        `running`, `unknown` (on another host or in another container, where it cannot be seen), `silent` (the same,
        without a sign of life for `SILENCE_LIMIT_S`), `lost`, `stopped`, `failed`, `crashed`, `done` (a result is
        there; whether it is sound is for the store to say).
    """
    if (job / "result.json").exists():
        return "done"
    attempts = list_attempts(job)
    if not attempts:
        return "new"
    attempt = attempts[-1]
    started, ended = attempt.started(), attempt.ended()
    if started is None:
        return _derive_submitted(attempt)
    if "revoked_by" in started:
        return "new"
    if ended is not None:
        return "lost" if ended["status"] == "done" else str(ended["status"])
    alive = is_alive(started.get("process"))
    unseen = "silent" if alive is None and attempt.is_silent() else "unknown"
    return {True: "running", False: "lost", None: unseen}[alive]


def _derive_submitted(attempt: Attempt) -> str:
    """State of an attempt without a worker; closing it too early costs nothing, as the worker then finds it closed."""
    if attempt.queue:
        return "queued"
    submission = attempt.submission()
    alive = is_alive(submission.get("submitter"))
    if alive:
        return "submitted"
    return "unknown" if submission and alive is None and not attempt.is_silent() else "abandoned"


def close_if_silent(job: Path) -> None:
    """Close the newest attempt as lost if it is silent; its worker, if it lives after all, sees that and stops."""
    if derive_state(job) == "silent":
        reason = f"no sign of life from host {list_attempts(job)[-1].find_host()} for {SILENCE_LIMIT_S:.0f} s"
        list_attempts(job)[-1].end("lost", reason=reason, passing=True)


def revoke_newest(job: Path) -> bool:
    """Close the newest attempt on a person's word that its worker is gone.

    Returns:
        Whether it is closed now; if not, its process is seen to live.
    """
    state = derive_state(job)
    if state not in ("submitted", "queued", "abandoned", "unknown", "silent"):
        return state != "running"
    attempt = list_attempts(job)[-1]
    if attempt.started() is None:
        return attempt.revoke()
    attempt.end("lost", reason="revoked by hand", passing=True)
    return True
