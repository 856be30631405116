"""Runs workers on this machine, within its cores and memory, shared fairly by all runs of this user.

A core is a slot: a file locked by the worker that uses it. The kernel drops the lock when the worker ends in any
way, so no slot is ever lost. Memory counts as the slots that would hold it.
"""

import fcntl
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from structures.errors import InputError
from workflows.jobs.attempt import Attempt, claim_attempt
from workflows.jobs.executor import LOCAL, Delay, Sighting, Task
from workflows.jobs.faults import edge
from workflows.jobs.process import describe_process

OTHERS_COMPUTE = (
    "Other runs of yours hold the core slots of this machine; this one goes on when they give some back. The "
    "environment variable ALKALIFLOW_SLOTS sets the folder of the slots: runs with different ones do not wait for each "
    "other."
)
_BYTES_PER_MB = 1e6
_MB_PER_GB = 1e3


def count_usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _find_machine_memory_MB() -> float:
    return float(psutil.virtual_memory().total / _BYTES_PER_MB)


def _slot_directory() -> Path:
    chosen = os.environ.get("ALKALIFLOW_SLOTS")
    base = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"alkaliflow-{os.getuid()}"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if base.stat().st_uid != os.getuid():
        message = f"{base} belongs to another user; set ALKALIFLOW_SLOTS to a directory of yours."
        raise InputError(message)
    return base


@dataclass
class LocalExecutor:
    """Starts workers as processes of this machine.

    Attributes:
        cores: how many may be used at once, by all runs of this user together.
        memory_MB: likewise; by default what is free when the run starts.
    """

    cores: int = field(default_factory=count_usable_cores)
    memory_MB: float = field(default_factory=lambda: psutil.virtual_memory().available / _BYTES_PER_MB)

    def __post_init__(self) -> None:
        """Check the limits.

        Raises:
            InputError: if there is no core, or more than the machine has.
        """
        most = count_usable_cores()
        if not 1 <= self.cores <= most:
            message = f"cores is {self.cores}, needs 1 to {most} (what this machine has)."
            raise InputError(message)
        self.children: list[tuple[Path, subprocess.Popen[bytes]]] = []

    def check(self, *, cores: int, memory_MB: float) -> None:
        """Check that a calculation fits into this machine and the limits.

        Raises:
            InputError: if it could never run here.
        """
        self.count_slots(cores=cores, memory_MB=memory_MB)

    def count_slots(self, *, cores: int, memory_MB: float) -> int:
        """Slots that a calculation takes.

        Raises:
            InputError: if it could never run here.
        """
        if cores > self.cores:
            most = count_usable_cores()
            fix = f", or allow more with --cores (this machine has {most})" if self.cores < most else ""
            message = (
                f"A calculation needs {cores} cores (ranks x threads), this run may use {self.cores}. "
                f"Set resources.ranks and resources.threads lower{fix}."
            )
            raise InputError(message)
        if memory_MB > self.memory_MB:
            needed_GB, machine_GB = memory_MB / _MB_PER_GB, _find_machine_memory_MB() / _MB_PER_GB
            fix = (
                f"Set resources.memory_GB: {math.ceil(10 * needed_GB) / 10:g} or more"
                if needed_GB <= machine_GB
                else "Make the structure smaller, or take fewer ranks"
            )
            message = (
                f"A calculation needs {needed_GB:.2g} GB of memory, this run may use {self.memory_MB / _MB_PER_GB:.2g} "
                f"GB (memory_GB). {fix}; this machine has {machine_GB:.3g} GB."
            )
            raise InputError(message)
        return min(self.cores, max(cores, math.ceil(memory_MB / (self.memory_MB / self.cores))))

    def acquire(self, count: int) -> list[int] | None:
        """Lock that many slots; returns their open files, or None if too few are free."""
        held: list[int] = []
        directory = _slot_directory()
        for number in range(self.cores):
            descriptor = os.open(directory / f"slot-{number:03d}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            held.append(descriptor)
            if len(held) == count:
                return held
        release(held)
        return None

    def start(self, tasks: Sequence[Task]) -> Mapping[Path, Delay]:
        """Start workers for as many calculations as there are free slots for."""
        delays: dict[Path, Delay] = {}
        for task in tasks:
            slots = self.acquire(self.count_slots(cores=task.cores, memory_MB=task.memory_MB))
            if slots is None:
                hint = "" if self.children or delays else OTHERS_COMPUTE
                delays[task.job] = Delay("for free cores and memory", hint=hint)
                continue
            try:
                attempt = claim_attempt(task.job, target=LOCAL)
                if attempt is not None:
                    edge("attempt-claimed")
                    self.submit(task.job, attempt, slots=slots, threads=task.threads)
            finally:
                release(slots)  # the worker has its own hold on them
        return delays

    def look(self, attempt: Attempt) -> Sighting:
        """Whether the worker of an attempt that was begun by this process is still on its way."""
        if attempt.submission().get("submitter") != describe_process():
            return Sighting("unseen")
        if self.has_worker(attempt.directory.parents[1]):
            return Sighting("waiting")
        return Sighting("gone", "the worker ended before it started", is_certain=True)

    def submit(self, job: Path, attempt: Attempt, *, slots: list[int], threads: int = 1) -> None:
        """Start the worker of an attempt; it holds the slots, which the caller releases, until it ends in any way."""
        token = attempt.submission()["token"]
        command = [sys.executable, "-P", "-m", "workflows.jobs.worker", str(job), "--token", token]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if os.environ.get("PYTHONPATH"):  # the worker starts in another folder
            folders = os.environ["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(folder).absolute()) for folder in folders)
        with (attempt.directory / "worker.log").open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=attempt.directory,
                pass_fds=slots,
                start_new_session=True,
            )
        self.children.append((job, child))
        edge("worker-spawned")

    def poll(self) -> None:
        """Take note of workers that ended."""
        self.children = [(job, child) for job, child in self.children if child.poll() is None]

    def list_processes(self) -> Sequence[int]:
        """The workers started here that have not been taken note of as ended."""
        return [child.pid for _, child in self.children if child.returncode is None]

    def has_worker(self, job: Path) -> bool:
        """Whether a worker started here is still on that calculation."""
        return any(place == job for place, _ in self.children)

    def stop(self, *, patience_s: float = 30.0) -> None:
        """Ask the workers started here to stop, and wait until they have; what they committed stays."""
        for _, child in self.children:
            child.terminate()
        self.wait(patience_s=patience_s)

    def wait(self, *, patience_s: float = 30.0) -> None:
        """Wait until the workers started here have ended; one that outlives the patience is killed."""
        for _, child in self.children:
            try:
                child.wait(timeout=patience_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children.clear()


def build_executor(*, cores: int | None = None, memory_GB: float | None = None) -> LocalExecutor:
    """This machine within the limits that a user gives; None: all that it has.

    Raises:
        InputError: if there is no core, or more than the machine has.
    """
    executor = LocalExecutor() if cores is None else LocalExecutor(cores=cores)
    if memory_GB is not None:
        executor.memory_MB = memory_GB * _MB_PER_GB
    return executor


def release(slots: list[int]) -> None:
    """Close this process's hold on the slots."""
    for descriptor in slots:
        os.close(descriptor)
