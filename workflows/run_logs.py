"""What a run prints: the log of its driver, and those of the newest attempts at what runs or failed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workflows import run_lock
from workflows.drivers import LOG_FILE
from workflows.jobs.attempt import list_attempts
from workflows.jobs.process import is_alive
from workflows.run_state import DRIVEN
from workflows.run_survey import ENDED_STATES, RUNNING_STATES, RunFacts, find_state, read_run
from workflows.sweep_survey import GONE, SweepFacts, read_sweep

WORKER_LOG = "worker.log"
DRIVER = "driver"
_SILENT_STATUSES = frozenset({"created", "completed", GONE})
_SHOWN_STATES = RUNNING_STATES | ENDED_STATES


@dataclass(frozen=True)
class Log:
    """A log with a name for people."""

    label: str
    path: Path


def find_run_logs(run: RunFacts) -> list[Log]:
    """The driver's log, and the newest attempt's of every calculation that runs or failed."""
    logs = [Log(DRIVER, run.path / LOG_FILE)]
    for label, key in run.keys.items():
        if find_state(run, key) in _SHOWN_STATES:
            logs += find_job_logs(run.find_job(key), label=label)
    return [log for log in logs if log.path.exists()]


def find_sweep_logs(sweep: SweepFacts) -> list[Log]:
    """The log of the sweep's driver, and those of every member that was begun and has no results."""
    logs = [Log(DRIVER, sweep.path / LOG_FILE)]
    runs = sweep.read_members()
    for member in sweep.members:
        if member.status not in _SILENT_STATUSES:
            found = find_run_logs(runs[member.name])
            logs += [Log(f"{member.name} {log.label}", log.path) for log in found]
    return [log for log in logs if log.path.exists()]


def find_job_logs(job: Path, *, label: str) -> list[Log]:
    """The log of the newest attempt at a calculation, if there is one."""
    paths = [attempt.directory / WORKER_LOG for attempt in list_attempts(job)[-1:]]
    return [Log(label, path) for path in paths if path.exists()]


def is_run_over(path: Path) -> bool:
    """Whether neither a driver nor a worker of a run will print anything more."""
    run = read_run(path)
    if run.is_driven or not run_lock.is_free(path):  # a driver prints its answer after it noted its end
        return False
    return not any(find_state(run, key) in RUNNING_STATES for key in run.keys.values())


def is_sweep_over(path: Path) -> bool:
    """Whether neither the sweep's driver nor one of its members will print anything more."""
    sweep = read_sweep(path)
    if sweep.state["status"] in DRIVEN or not run_lock.is_free(path):
        return False
    return all(is_run_over(member.path) for member in sweep.members if member.status != GONE)


def is_job_over(job: Path) -> bool:
    """Whether a calculation has its result, or nobody is left who would bring it there."""
    attempts = list_attempts(job)
    if (job / "result.json").exists() or not attempts:
        return True
    newest, started = attempts[-1], attempts[-1].started() or {}
    is_begun = newest.ended() is None and "process" in started
    holders = [newest.submission().get("submitter")] + ([started["process"]] if is_begun else [])
    return all(is_alive(process) is False for process in holders)


@dataclass
class Follower:
    """Reads logs that come and go, and what is added to them.

    Attributes:
        find_logs: the logs that matter now.
        is_labelled: whether each line begins with the label of its log.
        read_bytes: log → how far it was read.
        labels: log → its label, of all logs that ever mattered.
    """

    find_logs: Callable[[], list[Log]]
    is_labelled: bool = True
    read_bytes: dict[Path, int] = field(default_factory=dict)
    labels: dict[Path, str] = field(default_factory=dict)

    def read_tails(self, *, count: int) -> list[str]:
        """The last lines that each log has now; what comes later is for `read`."""
        self.labels |= {log.path: log.label for log in self.find_logs()}
        return [line for path in self.labels for line in self._read_one(path, is_last=False)[-count:] if count]

    def read(self, *, is_last: bool = False) -> list[str]:
        """Lines that were added since, of logs that ended in between as well.

        Args:
            is_last: read a line without an end as well.
        """
        self.labels |= {log.path: log.label for log in self.find_logs()}
        lines = []
        for path in self.labels:
            lines += self._read_one(path, is_last=is_last)
        return lines

    def _read_one(self, path: Path, *, is_last: bool) -> list[str]:
        """Whole lines that were not read yet, labelled."""
        try:
            with path.open("rb") as stream:
                stream.seek(self.read_bytes.get(path, 0))
                added = stream.read()
        except FileNotFoundError:
            return []
        whole = added if is_last else added[: added.rfind(b"\n") + 1]
        self.read_bytes[path] = self.read_bytes.get(path, 0) + len(whole)
        label = f"{self.labels[path]}: " if self.is_labelled else ""
        return [label + line for line in whole.decode("utf-8", errors="replace").splitlines()]

    def follow(self, *, is_over: Callable[[], bool], wait: Callable[[], object]) -> Iterator[str]:
        """Lines as they come, until it is over."""
        while not is_over():
            yield from self.read()
            wait()
        yield from self.read(is_last=True)
