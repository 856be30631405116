"""Sends calculations through a scheduler's queue, and finds out there what became of them.

What is true lies in the store. The queue is asked for three things only: whether a job still waits, whether it was
lost, and why. A job that is absent from it proves nothing by itself; an attempt without a worker is closed before
another is made, so that a job which turns up after all finds it closed and ends.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from structures.errors import InputError
from workflows.configuration.clusters import MARGIN_S, ClusterProfile, JobRequest
from workflows.jobs.attempt import Attempt, claim_attempt
from workflows.jobs.bundle import SCRIPT, Bundle, find_bundle, new_token, write_bundle
from workflows.jobs.contract import ACCEPT_BREAK
from workflows.jobs.executor import Delay, Sighting, Task
from workflows.jobs.faults import edge
from workflows.jobs.process import is_alive
from workflows.jobs.slurm import Entry, QueueFullError, RefusedError, SchedulerError, Slurm

_MB_PER_GB = 1e3
# Looks at the queue in which a job is absent before it counts as gone.
_GRACE_POLLS = 2
_SLOWEST_POLL_S = 120.0
# A controller is asked so seldom that it is busy with us for at most a tenth of its time.
_POLL_SHARE = 0.1
# What a job gets of the environment of whoever submits; nothing else, as it may hold secrets.
_PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH"),
    *("SLURM_CONF", "GPAW_SETUP_PATH", "CP2K_DATA_DIR", ACCEPT_BREAK),
)
_UNANSWERED = "the scheduler does not answer"


@dataclass
class QueueWatch:
    """What a scheduler's queue holds of ours, looked at now and then, for all calculations at once.

    Attributes:
        scheduler: whose queue.
        poll_s: seconds between two looks, at least.
        grace_s: how long a job that was handed in may be absent from the queue before it counts as gone.
    """

    scheduler: Slurm = field(default_factory=Slurm)
    poll_s: float = 10.0
    grace_s: float = 20.0
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    trouble: str = ""
    _polled_s: float = field(default=-1e9)
    _interval_s: float = field(default=0.0)
    _absent: dict[Path, tuple[float, int]] = field(default_factory=dict)
    _closer: dict[Path, Sighting] = field(default_factory=dict)
    _polls: int = 0

    def poll(self) -> None:
        """Look at the queue if it is time; a controller that is slow, or does not answer, is asked less often."""
        begin = time.monotonic()
        if begin - self._polled_s < max(self.poll_s, self._interval_s):
            return
        try:
            entries = self.scheduler.poll()
        except SchedulerError as error:
            self.trouble = str(error)
            self._interval_s = min(_SLOWEST_POLL_S, max(self.poll_s, 2 * self._interval_s))
        else:
            self.trouble = ""
            self._closer.clear()
            self.entries = {(entry.name, entry.index): entry for entry in entries}
            self._interval_s = min(_SLOWEST_POLL_S, (time.monotonic() - begin) / _POLL_SHARE)
            self._polls += 1
        self._polled_s = time.monotonic()

    def look(self, attempt: Attempt) -> Sighting:
        """What became of an attempt that went through a queue."""
        bundle = find_bundle(attempt)
        if bundle is None:
            return Sighting("unseen", "its submission is damaged")
        index = int(attempt.submission().get("entry", 0))
        entry = self.entries.get((bundle.name, index))
        if entry is not None and bundle.number_of(index) is None:
            bundle.keep_number(entry.number.partition("_")[0])
        if self.trouble:
            return Sighting("unseen", f"{_UNANSWERED}: {self.trouble}")
        if entry is not None and entry.is_waiting:
            self._absent.pop(attempt.directory, None)
            return Sighting("waiting", f"in the queue ({entry.reason})" if entry.reason else "in the queue")
        if entry is not None and entry.is_working and not self._has_ended_here(attempt):
            self._absent.pop(attempt.directory, None)
            return Sighting("running", f"job {entry.number}")
        if attempt.directory not in self._closer:  # the controller is asked once a look at the queue
            self._closer[attempt.directory] = self._look_closer(attempt, bundle, index=index)
        return self._closer[attempt.directory]

    def _has_ended_here(self, attempt: Attempt) -> bool:
        """Whether its worker is known to have died, though the job may still be listed."""
        started = attempt.started()
        return started is not None and is_alive(started.get("process")) is False

    def _look_closer(self, attempt: Attempt, bundle: Bundle, *, index: int) -> Sighting:
        """Of a job that the queue does not list: how it ended, or that it is not to be found."""
        number = bundle.number_of(index)
        if number is not None:
            try:
                record = self.scheduler.inspect(number, name=bundle.name)
            except SchedulerError as error:
                return Sighting("unseen", f"{_UNANSWERED}: {error}")
            if record is not None and record.end:
                said = bundle.read_last_words(index)
                return Sighting("gone", f"{record.end}: {said}" if said else record.end, is_certain=True)
            if record is not None:
                return Sighting("waiting", f"in the queue ({record.state.lower()})")
        since_s, first = self._absent.setdefault(attempt.directory, (time.monotonic(), self._polls))
        if time.monotonic() - since_s < self.grace_s or self._polls - first < _GRACE_POLLS:
            return Sighting("unseen", "not in the queue, or not yet")
        return Sighting("gone", "the job is unknown to the scheduler")


@dataclass
class QueueExecutor:
    """Has workers started by a scheduler; they go on when the driver ends.

    Attributes:
        cluster: name of the profile.
        profile: what jobs ask for.
        store: root of the store.
        watch: of the queue.
    """

    cluster: str
    profile: ClusterProfile
    store: Path
    watch: QueueWatch

    def check(self, *, cores: int, memory_MB: float) -> None:
        """Any size may be asked for: the scheduler refuses what it does not have, when it is asked."""

    def poll(self) -> None:
        """Look at the queue if it is time."""
        self.watch.poll()

    def look(self, attempt: Attempt) -> Sighting:
        """What became of an attempt."""
        return self.watch.look(attempt)

    def list_processes(self) -> Sequence[int]:
        """None: workers are on other machines, and seen by their files."""
        return ()

    def stop(self) -> None:
        """Jobs stay in the queue: whoever resumes the run finds them."""

    def wait(self) -> None:
        """Nothing to wait for."""

    def start(self, tasks: Sequence[Task]) -> Mapping[Path, Delay]:
        """Hand calculations in, those that ask for the same as one array; as many as the queue may hold of ours."""
        delays: dict[Path, Delay] = {}
        for request, group in self._group(tasks):
            entries = list(_cut(group, request.pack or 1))
            room = max(0, self.profile.max_in_queue - len(self.watch.entries))
            delays |= self._submit(request, entries[:room])
            waiting = [task for entry in entries[room:] for task in entry]
            reason = f"for room in the queue ({self.profile.max_in_queue} jobs of yours at most: max_in_queue)"
            delays |= {task.job: Delay(reason) for task in waiting}
        return delays

    def _group(self, tasks: Sequence[Task]) -> Iterator[tuple[JobRequest, list[Task]]]:
        """Tasks whose jobs would ask for the same, with what they ask for."""
        groups: dict[tuple[str, int, int, float], list[Task]] = {}
        for task in tasks:
            asked = self.profile.find_request(task.recipe).memory_GB
            memory_GB = asked if asked is not None else task.memory_MB / _MB_PER_GB
            groups.setdefault((task.recipe, task.ranks, task.threads, memory_GB), []).append(task)
        for (recipe, _, _, memory_GB), group in groups.items():
            yield self.profile.find_request(recipe).model_copy(update={"memory_GB": memory_GB}), group

    def _submit(self, request: JobRequest, wanted: Sequence[Sequence[Task]]) -> dict[Path, Delay]:
        """Claim an attempt for each task, write the bundle down, then ask the scheduler."""
        token = new_token()
        entries: list[list[Attempt]] = []
        for tasks in wanted:
            details = {"bundle": token, "entry": len(entries)}
            claims = [claim_attempt(task.job, target=f"slurm:{self.cluster}", details=details) for task in tasks]
            if any(claims):
                entries.append([claim for claim in claims if claim is not None])
        if not entries:
            return {}
        edge("attempt-claimed")
        first = wanted[0][0]
        limit_s = 60.0 * (request.time_min or self.profile.time_min) - MARGIN_S
        bundle = write_bundle(
            self.store,
            token=token,
            entries=entries,
            setup=self.profile.setup,
            python=self.profile.python or sys.executable,
            environment=_build_job_environment(self.profile, threads=first.threads),
            limit_s=limit_s,
        )
        return self._hand_in(bundle, entries, options=self._list_options(request, first, n_entries=len(entries)))

    def _hand_in(self, bundle: Bundle, entries: list[list[Attempt]], *, options: list[str]) -> dict[Path, Delay]:
        """Ask the scheduler; what it refuses is closed, what is in doubt is looked for later."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if environment.get("PYTHONPATH"):  # jobs start in another folder
            folders = environment["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(folder).absolute()) for folder in folders)
        options = [*options, f"--export={','.join(environment)}"]
        attempts = [attempt for entry in entries for attempt in entry]
        try:
            number = self.watch.scheduler.submit(
                bundle.directory / SCRIPT, name=bundle.name, options=options, environment=environment
            )
        except (RefusedError, QueueFullError) as error:
            for attempt in attempts:
                attempt.revoke()
            is_final = isinstance(error, RefusedError)
            fix = " Mend the cluster's profile, or what the calculation asks for (resources)." if is_final else ""
            return {attempt.directory.parents[1]: Delay(f"{error}.{fix}", is_final=is_final) for attempt in attempts}
        except SchedulerError as error:
            return {attempt.directory.parents[1]: Delay(str(error)) for attempt in attempts}
        edge("bundle-accepted")
        bundle.keep_number(number)
        edge("bundle-submitted")
        for index in range(len(entries)):  # until the next look
            known = Entry(bundle.name, number, index, "PENDING", "")
            self.watch.entries[(bundle.name, index)] = known
        return {}

    def _list_options(self, request: JobRequest, task: Task, *, n_entries: int) -> list[str]:
        """What sbatch is asked for."""
        output = "%a.log" if n_entries > 1 else "0.log"
        options = [
            "--no-requeue",
            "--nodes=1",
            f"--ntasks={task.ranks}",
            f"--cpus-per-task={task.threads}",
            f"--time={request.time_min or self.profile.time_min}",
            f"--mem={max(1, round((request.memory_GB or 1) * _MB_PER_GB))}M",
            f"--comment=alkaliflow {task.recipe}",
            f"--output={output}",
        ]
        if n_entries > 1:
            options.append(f"--array=0-{n_entries - 1}")
        named = {name: getattr(request, name) for name in ("partition", "account", "qos")}
        options += [f"--{name}={value}" for name, value in named.items() if value is not None]
        return [*options, *request.options]


def _build_job_environment(profile: ClusterProfile, *, threads: int) -> dict[str, str]:
    """Variables that the job's script sets."""
    # MPICH would have srun start ranks on nodes of its own choice; a calculation stays on its node
    environment = {"OMP_NUM_THREADS": str(threads), "HYDRA_LAUNCHER": "fork"}
    if profile.scratch is not None:
        environment["TMPDIR"] = profile.scratch
    return environment


def _cut(tasks: Sequence[Task], size: int) -> Iterator[Sequence[Task]]:
    """Tasks in stretches of a size."""
    for begin in range(0, len(tasks), size):
        yield tasks[begin : begin + size]


def cancel(attempt: Attempt, *, scheduler: Slurm | None = None) -> str:
    """End an attempt that went through a queue: one that waits is closed, one that runs is taken out of the queue.

    Returns:
        What was done, in words.

    Raises:
        InputError: if it went through no queue.
        SchedulerError: if the scheduler does not answer.
    """
    bundle = find_bundle(attempt)
    if bundle is None:
        raise InputError(f"{attempt.directory} went through no queue, needs an attempt of a cluster's job.")
    scheduler = scheduler or Slurm()
    index = int(attempt.submission().get("entry", 0))
    was_waiting = attempt.started() is None and attempt.revoke()
    fellows = bundle.entries()[index] if index < len(bundle.entries()) else []
    is_needed = any(fellow.ended() is None and not fellow.is_revoked() for fellow in fellows if fellow != attempt)
    if was_waiting and is_needed:
        return "closed; its job goes on with other calculations"
    try:
        numbers = [entry.number for entry in scheduler.find(bundle.name) if entry.index == index]
        scheduler.cancel(numbers)
    except SchedulerError as error:
        if was_waiting:  # its job, if it ever starts, finds it closed
            return f"closed; {error}"
        raise
    if not was_waiting:
        attempt.end("stopped", reason="cancelled", passing=True)
    return f"cancelled job {', '.join(numbers)}" if numbers else "closed; it was not in the queue any more"
