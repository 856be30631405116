"""Where the calculations of a run go: this machine's cores, or a cluster's queue."""

import os
from pathlib import Path

from structures.errors import InputError
from workflows.configuration.clusters import ClusterProfile, find_profile
from workflows.configuration.sections import ResourcesSection
from workflows.jobs.executor import LOCAL, Executor
from workflows.jobs.local import build_executor
from workflows.jobs.queues import QueueExecutor, QueueWatch

EXECUTOR = "ALKALIFLOW_EXECUTOR"
"""Environment variable; `local`, `slurm` or `slurm:CLUSTER`, over what a configuration says."""

SLURM = "slurm"


def check_executor(wanted: str) -> tuple[str, ClusterProfile]:
    """The cluster that an executor names, with its profile; of `local` it is not asked for.

    Raises:
        InputError: if there is no such executor or cluster.
    """
    kind, _, cluster = wanted.partition(":")
    if wanted != LOCAL and kind != SLURM:
        raise InputError(f"executor is {wanted!r}, needs local, slurm or slurm:CLUSTER. Set it, e.g. --executor slurm")
    return (LOCAL, ClusterProfile()) if wanted == LOCAL else find_profile(cluster or None)


def choose_executor(resources: ResourcesSection, *, store: Path, cores: int | None = None) -> Executor:
    """What starts the workers of a run.

    Args:
        resources: as configured; `slurm` alone is the only cluster that is described, or Slurm's own defaults.
        store: root of the store; on a cluster it lies on a file system that the nodes see.
        cores: that may be busy at a time on this machine, if not as configured.

    Raises:
        InputError: if there is no such executor or cluster.
    """
    wanted = os.environ.get(EXECUTOR) or resources.executor
    if wanted == LOCAL:
        return build_executor(cores=cores or resources.cores, memory_GB=resources.memory_GB)
    name, profile = check_executor(wanted)
    return QueueExecutor(name, profile, store=store, watch=QueueWatch(poll_s=profile.poll_s))
