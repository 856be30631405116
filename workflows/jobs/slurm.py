"""Slurm by its own commands: argument lists, no shell; every job is known by the name that we gave it.

A number is given again some day, and a reply can be lost. So a job is found by its name, which holds a random token,
never by its number alone.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from structures.errors import CalculationError

NAME_PREFIX = "alkaliflow-"
_TIMEOUT_S = 60.0
_WORKING_STATES = frozenset({"RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SIGNALING", "STOPPED", "SUSPENDED"})
_WAITING_STATES = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"})
_ENDS = {
    "BOOT_FAIL": "the node did not boot",
    "CANCELLED": "was cancelled in the queue",
    "COMPLETED": "ended without a word",
    "DEADLINE": "ran into its deadline",
    "FAILED": "failed",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "needed more memory than it had asked for",
    "PREEMPTED": "was preempted by another job",
    "REVOKED": "was revoked",
    "TIMEOUT": "ran into its wall-time limit",
}
# What the controller says when it may or may not have taken the job.
_DOUBT = re.compile(
    r"timed? ?out|unable to contact|connection (refused|reset)|zero bytes|communication|temporarily|try again"
    r"|slurm_receive|not responding|invalid authentication|protocol|backup controller|in standby",
    re.IGNORECASE,
)
_QUEUE_FULL = re.compile(r"SubmitJobs?Limit|MaxSubmit|job limit|too many jobs|job array size", re.IGNORECASE)


class SchedulerError(CalculationError):
    """The scheduler does not answer, or not so that it can be understood; it may later."""


class RefusedError(CalculationError):
    """The scheduler refuses a job for what it asks for."""


class QueueFullError(CalculationError):
    """The scheduler takes no more jobs of this user now."""


@dataclass(frozen=True)
class Record:
    """What the controller remembers of a job, for some minutes after its end.

    Attributes:
        state: the scheduler's word.
        end: how it ended, in words; empty if it has not.
    """

    state: str
    end: str = ""


@dataclass(frozen=True)
class Entry:
    """A job, or one of an array, as the queue has it.

    Attributes:
        name: as it was given at submission.
        number: the scheduler's own; with `_N` for the N-th of an array.
        index: which one of an array; 0 without one.
        state: the scheduler's word.
        reason: why it waits, in the scheduler's words.
    """

    name: str
    number: str
    index: int
    state: str
    reason: str

    @property
    def is_working(self) -> bool:
        """Whether it has its node."""
        return self.state in _WORKING_STATES

    @property
    def is_waiting(self) -> bool:
        """Whether it will still get one."""
        return self.state in _WAITING_STATES


@dataclass(frozen=True)
class Slurm:
    """The scheduler Slurm.

    Attributes:
        timeout_s: how long one of its commands may take.
    """

    timeout_s: float = _TIMEOUT_S

    def submit(
        self,
        script: Path,
        *,
        name: str,
        options: Sequence[str] = (),
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Hand in a script under a name; returns the job's number.

        Args:
            script: what runs.
            name: of the job.
            options: of sbatch.
            arguments: of the script.
            environment: variables of sbatch; `options` says which of them the job gets.

        Raises:
            RefusedError: if it asks for what there is not.
            QueueFullError: if no more jobs are taken now.
            SchedulerError: if nobody knows whether it was taken; look for its name.
        """
        command = ["sbatch", "--parsable", f"--job-name={name}", *options, str(script), *arguments]
        ended = self._call(command, environment=environment, folder=script.parent)
        if ended.returncode != 0:
            said = _shorten(ended.stderr or ended.stdout)
            if _QUEUE_FULL.search(said):
                raise QueueFullError(f"sbatch takes no more jobs now: {said}")
            if _DOUBT.search(said) or not said:
                raise SchedulerError(f"sbatch failed, and may have submitted all the same: {said}")
            raise RefusedError(f"sbatch refuses the job: {said}")
        number = ended.stdout.strip().partition(";")[0]
        if not number.isdigit():
            raise SchedulerError(f"sbatch answered {_shorten(ended.stdout)!r}, needs the number of a job")
        return number

    def poll(self) -> list[Entry]:
        """All jobs of this user that we named and that are in the queue.

        Raises:
            SchedulerError: if squeue does not answer.
        """
        ended = self._call(["squeue", "--me", "--array", "--noheader", "--format=%A|%F|%K|%T|%r|%j"])
        if ended.returncode != 0:
            raise SchedulerError(f"squeue failed: {_shorten(ended.stderr or ended.stdout)}")
        return list(_read_queue(ended.stdout))

    def find(self, name: str) -> list[Entry]:
        """The jobs of that name in the queue.

        Raises:
            SchedulerError: if squeue does not answer.
        """
        return [entry for entry in self.poll() if entry.name == name]

    def inspect(self, number: str, *, name: str) -> Record | None:
        """What the controller has on record of a job; None if it knows none of that number and name.

        Raises:
            SchedulerError: if scontrol does not answer.
        """
        ended = self._call(["scontrol", "--oneliner", "show", "job", number])
        if ended.returncode != 0:
            said = _shorten(ended.stderr or ended.stdout)
            if "invalid job id" in said.lower():
                return None
            raise SchedulerError(f"scontrol failed: {said}")
        fields = dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", ended.stdout))
        if fields.get("JobName") != name:
            return None
        state = fields.get("JobState", "")
        return Record(state, end=_describe_end(fields) if state in _ENDS else "")

    def cancel(self, numbers: Sequence[str]) -> None:
        """Take jobs out of the queue, running or not.

        Raises:
            SchedulerError: if scancel does not answer.
        """
        if not numbers:
            return
        ended = self._call(["scancel", "--quiet", *numbers])
        if ended.returncode != 0 and "invalid job id" not in ended.stderr.lower():
            raise SchedulerError(f"scancel failed: {_shorten(ended.stderr or ended.stdout)}")

    def _call(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                env=environment,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SchedulerError(f"{command[0]} did not answer within {self.timeout_s:g} s") from None
        except OSError as error:
            raise SchedulerError(f"{command[0]} cannot be started: {error.strerror}") from error


def _read_queue(text: str) -> Iterator[Entry]:
    """The lines of squeue that tell of a job of ours; what cannot be read is no job."""
    for line in text.splitlines():
        fields = line.strip().split("|", maxsplit=5)
        if len(fields) != 6 or not fields[5].startswith(NAME_PREFIX):  # noqa: PLR2004 (as many as were asked for)
            continue
        single, array, index, state, reason, name = fields
        number = f"{array}_{index}" if index.isdigit() else single
        reason = "" if reason == "None" else reason
        yield Entry(name, number, int(index) if index.isdigit() else 0, state, reason)


def _describe_end(fields: Mapping[str, str]) -> str:
    """What ended a job, with what scontrol knows beside."""
    words = _ENDS[fields["JobState"]]
    status, _, by_signal = fields.get("ExitCode", "0:0").partition(":")
    details = [f"exit status {status}"] if status not in ("0", "") else []
    details += [f"signal {by_signal}"] if by_signal not in ("0", "") else []
    if fields["JobState"] == "TIMEOUT":
        details = [f"limit {fields.get('TimeLimit', '?')}"]
    reason = fields.get("Reason", "None")
    details += [reason] if reason not in ("None", "NonZeroExitCode", "TimeLimit", "OutOfMemory") else []
    node = fields.get("BatchHost")
    return f"the job {words}" + (f" ({', '.join(details)})" if details else "") + (f" on {node}" if node else "")


def _shorten(text: str) -> str:
    """What a command said, on one line."""
    return " ".join(text.split())[:400]
