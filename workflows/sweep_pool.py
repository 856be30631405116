"""Drives members of a sweep side by side: a driver each, which does not outlive the sweep's own.

Calculations that several members need are computed once, as attempts in the store are claimed by one driver only. A
driver that is killed leaves its workers to finish what they are at, as that of any run.
"""

import multiprocessing.connection
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from structures.errors import InputError
from workflows import run_lock
from workflows.drivers import LOG_FILE, begin_driver, read_last_lines
from workflows.jobs.attempt import SIGN_EVERY_S
from workflows.jobs.store import STORAGE_TROUBLE
from workflows.progress import LINES_APART_S, listen
from workflows.run_state import DRIVEN, read_state, record_state
from workflows.run_survey import RunRow, read_run, survey_run
from workflows.sweep import Member, Sweep

LOOK_EVERY_S = 1.0
_NOT_ENDED = frozenset({*DRIVEN, "interrupted"})


@dataclass
class Signs:
    """Says now and then that the driver of a sweep lives."""

    path: Path
    clock: Callable[[], float] = time.monotonic
    given_s: float = float("-inf")

    def give(self, _event: object = None) -> None:
        """Give a sign of life, if the last one was a while ago."""
        if self.clock() - self.given_s >= SIGN_EVERY_S:
            self.given_s = self.clock()
            run_lock.give_sign(self.path)


@contextmanager
def give_signs(path: Path) -> Iterator[None]:
    """Have a sign of life given whenever a calculation inside moves."""
    with listen(Signs(path).give):
        yield


@dataclass
class Board:
    """A line whenever a member changes its state, and now and then when its counts do.

    Attributes:
        sweep: whose members.
        tell: takes a line.
        clock: seconds, monotonic.
        known: key → state of calculations that have ended.
        shown: member → what was told of it, and when.
    """

    sweep: Sweep
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    known: dict[str, str] = field(default_factory=dict)
    shown: dict[str, tuple[RunRow, float]] = field(default_factory=dict)

    def show(self, member: Member, *, is_last: bool = False) -> None:
        """Tell how a member gets on, if that is news.

        Args:
            member: to look at.
            is_last: whether its driver has ended, so that everything is told.
        """
        try:
            row = survey_run(read_run(self.sweep.directory(member)), known=self.known)
        except InputError:
            return
        before, at_s = self.shown.get(member.name, (None, float("-inf")))
        is_same = before is not None and (row.status, _count(row)) == (before.status, _count(before))
        is_news = before is None or row.status != before.status or before.known == 0 or is_last
        if row.status == "starting" or is_same or not (is_news or self.clock() - at_s >= LINES_APART_S):
            return
        self.shown[member.name] = (row, self.clock())
        values = f" ({member.words})" if before is None else ""
        reason = f"; {row.reason}" if row.reason and row.status != "running" else ""
        self.tell(f"member {member.name}{values}: {row.status}{_count(row)}{reason}")


def _count(row: RunRow) -> str:
    """How many calculations are how far, of those that are known."""
    if row.known == 0:
        return ""
    failed = f", {row.failed} failed" if row.failed else ""
    return f", {row.done} done, {row.running} running, {row.queued} queued{failed}"


def drive_side_by_side(
    sweep: Sweep, *, names: Sequence[str], n_at_a_time: int, cores: int | None, tell: Callable[[str], None]
) -> dict[str, str]:
    """Bring members to their ends, several at a time.

    Args:
        sweep: that this process has.
        names: members to be driven.
        n_at_a_time: how many, at most.
        cores: that may be busy at a time, all members together; None as configured.
        tell: takes a line whenever there is news.

    Returns:
        Name → why, of each member that did not come to its end.

    Raises:
        InputError: if a disk is full or cannot be written, which the others would meet as well.
        KeyboardInterrupt: after the drivers of all members were stopped.
    """
    members = {member.name: member for member in sweep.members if member.name in names}
    waiting = deque(members)
    living: dict[str, subprocess.Popen[bytes]] = {}
    troubles: dict[str, str] = {}
    board, signs = Board(sweep, tell), Signs(sweep.path)
    try:
        while waiting or living:
            while waiting and len(living) < n_at_a_time:
                name = waiting.popleft()
                try:
                    living[name] = _begin(sweep.directory(members[name]), cores=cores)
                except InputError as error:
                    if isinstance(error.__cause__, OSError) and error.__cause__.errno in STORAGE_TROUBLE:
                        raise
                    troubles[name] = str(error)
                    tell(f"member {name} ({members[name].words}): not begun; {error}")
            _wait_for_end(living.values())
            for name in list(living):
                has_ended = living[name].poll() is not None
                if has_ended:
                    trouble = _judge(sweep.directory(members[name]), living.pop(name).returncode)
                    troubles |= {name: trouble} if trouble else {}
                board.show(members[name], is_last=has_ended)
            signs.give()
    except BaseException:
        _stop({sweep.directory(members[name]): process for name, process in living.items()})
        raise
    return troubles


def _begin(path: Path, *, cores: int | None) -> subprocess.Popen[bytes]:
    read_run(path)
    return begin_driver(path, cores=cores, under=os.getpid())


def _wait_for_end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Wait until one of the processes ends, but no longer than `LOOK_EVERY_S`."""
    descriptors = [os.pidfd_open(process.pid) for process in processes]  # none is reaped yet, so each is there
    try:
        multiprocessing.connection.wait(descriptors, timeout=LOOK_EVERY_S)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _judge(path: Path, code: int) -> str:
    """Note how a driver that has ended came to its end, where it could not; gives why it failed, or nothing."""
    if code == 0:
        return ""
    state = read_state(path)
    message = str(state.get("message") or "")
    if state["status"] in _NOT_ENDED and run_lock.is_free(path):
        if code < 0:
            status = "interrupted"
            message = f"its driver was killed ({signal.Signals(-code).name}), which costs nothing that was finished"
        else:
            status, message = "failed", "\n".join(read_last_lines(path / LOG_FILE, count=1))
        record_state(path, status=status, message=message)
    elif state["status"] in ("stopped", "cancelled"):
        return f"it was {state['status']}"
    return message or f"its driver ended with exit code {code}"


def _stop(drivers: dict[Path, subprocess.Popen[bytes]]) -> None:
    """Stop drivers as Ctrl-C does, all at once, and wait until they have ended."""
    for process in drivers.values():
        process.send_signal(signal.SIGINT)
    for path, process in drivers.items():
        process.wait()
        if read_state(path)["status"] in _NOT_ENDED and run_lock.is_free(path):  # it was stopped before it had begun
            record_state(path, status="stopped", message="")
