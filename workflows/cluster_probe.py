"""Finds out whether jobs get through to a cluster's nodes and back, step by step, and says what to mend."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from structures.errors import InputError
from workflows.configuration.clusters import ClusterProfile, find_profile, list_profile_files
from workflows.doctor import Finding
from workflows.drive import settle_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.queues import QueueExecutor, QueueWatch
from workflows.jobs.slurm import SchedulerError, Slurm
from workflows.jobs.store import Finished, Store

_COMMANDS = ("sbatch", "squeue", "scontrol", "scancel")
_POLL_S = 2.0


def examine_cluster(
    name: str | None, *, store: Path, on_wait: Callable[[str], None] = lambda _: None, patience_s: float = 600.0
) -> Iterator[Finding]:
    """Look at a cluster from here, then send a probe through its queue.

    Args:
        name: of its profile; None for the only one.
        store: where the probe's files go: where runs would put theirs.
        on_wait: is told what the probe waits for.
        patience_s: how long the probe may take.

    Yields:
        Findings, the first that is bad being the last.
    """
    try:
        name, profile = find_profile(name)
    except InputError as error:
        yield Finding("Cluster", "profile", "bad", str(error))
        return
    where = ", ".join(str(path) for path in list_profile_files() if path.exists()) or "no file; Slurm's own defaults"
    yield Finding("Cluster", "profile", "ok", f"{name} ({where})")
    missing = [command for command in _COMMANDS if shutil.which(command) is None]
    if missing:
        fix = "load Slurm's module, or run this on a login node"
        yield Finding("Cluster", "commands", "bad", f"not in PATH: {', '.join(missing)}", fix)
        return
    try:
        begin = time.monotonic()
        n_jobs = len(Slurm().poll())
        detail = f"answered in {time.monotonic() - begin:.2f} s; {n_jobs} jobs of alkaliflow are in it"
        yield Finding("Cluster", "queue", "ok", detail)
    except SchedulerError as error:
        yield Finding("Cluster", "queue", "bad", str(error), "is slurmctld up? try: scontrol ping")
        return
    yield from _send_probe(name, profile, store=store, on_wait=on_wait, patience_s=patience_s)


def _send_probe(
    name: str, profile: ClusterProfile, *, store: Path, on_wait: Callable[[str], None], patience_s: float
) -> Iterator[Finding]:
    """A calculation that takes no time, there and back."""
    begin = time.monotonic()
    waits: list[str] = []

    def note(event: Mapping[str, object]) -> None:
        reason = str(event.get("reason") or event.get("state"))
        if not waits or waits[-1] != reason:
            waits.append(reason)
            on_wait(reason)
        if time.monotonic() - begin > patience_s:
            raise TimeoutError

    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="probe-", dir=store, ignore_cleanup_errors=True) as folder:
        opened = Store(Path(folder))
        watch = QueueWatch(poll_s=_POLL_S)
        executor = QueueExecutor(name, profile, store=opened.root, watch=watch)
        try:
            (outcome,) = settle_calculations(
                [Calculation("probe")],
                store=opened,
                executor=executor,
                on_progress=note,
                retries=0,
            )
        except TimeoutError:
            fix = "free the queue, or ask for less: partition, time_min, memory_GB of the profile"
            watch.scheduler.cancel([entry.number for entry in watch.entries.values()])
            last = waits[-1] if waits else "nothing"
            yield Finding("Cluster", "probe", "bad", f"not back after {patience_s:.0f} s; last: {last}", fix)
            return
        logs = "\n".join(path.read_text(errors="replace") for path in opened.root.glob("bundles/*/*.log")).strip()
        if isinstance(outcome, Finished):
            values = outcome.values
            detail = f"back in {time.monotonic() - begin:.1f} s from {values['host']}, {values['cores']} cores"
            yield Finding("Cluster", "probe", "ok", detail)
            yield _judge_versions(values["versions"])
            return
        said = f"; the job said: {logs.splitlines()[-1]}" if logs else ""
        yield Finding("Cluster", "probe", "bad", f"{outcome.reason}{said}", _find_fix(outcome.reason, logs=logs))


def _judge_versions(there: Mapping[str, str]) -> Finding:
    """Whether the nodes have what is here."""
    from workflows.jobs.worker import collect_versions

    here = collect_versions()
    different = [
        f"{name} {there.get(name, 'none')} (here {here[name]})" for name in here if there.get(name) != here[name]
    ]
    if different:
        fix = "dynamics refuses to go on with another engine: use one environment, python: in the profile"
        return Finding("Cluster", "versions", "bad", f"other versions on the node: {', '.join(different)}", fix)
    return Finding("Cluster", "versions", "ok", "the same as here")


def _find_fix(reason: str, *, logs: str) -> str:
    """What usually helps."""
    text = f"{reason} {logs}"
    for sign, fix in {
        "No module named": "the nodes' Python lacks alkaliflow: set python: of the profile to one that has it",
        "not found": "is the Python of the profile on a file system that the nodes see?",
        "No such file": "is the store on a file system that the nodes see? choose another with --store",
        "Permission denied": "may the nodes write the store? choose another with --store",
        "partition": "name a partition of yours: sinfo lists them",
        "ccount": "name an account of yours: sacctmgr show associations",
        "emory": "ask for less: memory_GB of the profile; sinfo --format=%m lists what nodes have",
        "time limit": "ask for less: time_min of the profile; sinfo --format=%l lists the limits",
    }.items():
        if sign in text:
            return fix
    return "see the lines above; the profile's setup lines run before the worker does"
