"""Attempts at a calculation: claimed, submitted, started and ended by files that are created once."""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows.jobs.durable import create_json, publish_directory, read_json, write_json
from workflows.jobs.process import describe_process, is_alive


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
        """Token, target and submitter."""
        return read_json(self.directory / "submission.json") or {}

    def started(self) -> Mapping[str, Any] | None:
        """The worker that has it, or a note that it was revoked; None if no worker has started."""
        return read_json(self.directory / "started.json")

    def ended(self) -> Mapping[str, Any] | None:
        """How it ended and why; None if it has not, or was lost."""
        return read_json(self.directory / "exit.json")

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
        """Write down how the attempt ended: `done`, `stopped`, `failed` or `crashed`."""
        create_json(self.directory / "exit.json", {"status": status, "reason": reason, "passing": passing})


def list_attempts(job: Path) -> list[Attempt]:
    """The attempts at a calculation, oldest first."""
    names = sorted(path for path in (job / "attempts").glob("[0-9]*") if path.is_dir())
    return [Attempt(number=int(path.name), directory=path) for path in names]


def count_executions(job: Path) -> int:
    """How often a worker has started on a calculation."""
    return sum(1 for attempt in list_attempts(job) if attempt.started() is not None and not attempt.is_revoked())


def claim_attempt(job: Path, *, target: str) -> Attempt | None:
    """Claim the next attempt, its submission already written; None if another process claimed it first."""
    attempts = list_attempts(job)
    number = attempts[-1].number + 1 if attempts else 0
    (job / "attempts").mkdir(exist_ok=True)
    aside = job / "attempts" / f".claim-{uuid.uuid4().hex}"
    aside.mkdir(mode=0o700)
    try:
        submission = {"token": uuid.uuid4().hex, "target": target, "submitter": describe_process()}
        write_json(aside / "submission.json", submission)
        directory = job / "attempts" / f"{number:03d}"
        return Attempt(number, directory) if publish_directory(aside, directory) else None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def derive_state(job: Path) -> str:
    """State of a calculation from the files that exist.

    Returns:
        One of `new`, `submitted` (no worker has started), `abandoned` (its submitter died before a worker started),
        `running`, `unknown` (on another host, where it cannot be seen), `lost`, `stopped`, `failed`, `crashed`,
        `done` (a result is there; whether it is sound is for the store to say).
    """
    if (job / "result.json").exists():
        return "done"
    attempts = list_attempts(job)
    if not attempts:
        return "new"
    attempt = attempts[-1]
    started, ended = attempt.started(), attempt.ended()
    if started is None:
        return "abandoned" if is_alive(attempt.submission()["submitter"]) is False else "submitted"
    if "revoked_by" in started:
        return "new"
    if ended is not None:
        return "lost" if ended["status"] == "done" else str(ended["status"])
    return {True: "running", False: "lost", None: "unknown"}[is_alive(started["process"])]
