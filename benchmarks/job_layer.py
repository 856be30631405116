"""What the store, the attempts and the queue cost beside the work itself.

Locally: calculations that do nothing, one after the other, against as many processes that import the same and do the
same. On Slurm (`--slurm`, as root: a one-node Slurm of its own is started): such calculations against a plain job
array whose tasks import the same and write the same file, and against executorlib's `SlurmClusterExecutor`, whose
functions do, too (`--executorlib PYTHON`: an environment that has it, pysqa and what alkaliflow imports). In the store:
how long a driver takes to find that everything is done, and `alkaliflow status` to say so, as the store grows
(`--large`: to a hundred thousand).

    python -m benchmarks.job_layer [--small] [--slurm] [--executorlib PYTHON] [--large]
"""

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

from benchmarks.record import Ratio, Record, Timing, time_side_by_side
from workflows.configuration.clusters import ClusterProfile
from workflows.drive import run_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.durable import write_json
from workflows.jobs.local import LocalExecutor
from workflows.jobs.queues import QueueExecutor, QueueWatch
from workflows.jobs.store import Store
from workflows.jobs.worker import work
from workflows.run_state import record_state

ROOT = Path(__file__).parents[1]
AIM_S = 0.030
PLAIN = """
import json, sys
from pathlib import Path
import workflows.jobs.worker
from workflows.jobs.calculation import Calculation
from workflows.jobs.registry import find_recipe
from workflows.jobs.contract import Workspace
from workflows.jobs.store import Store
folder = Path(sys.argv[1])
outcome = find_recipe("probe").run(Calculation("probe"), Workspace(folder, Store(folder)))
(folder / f"{sys.argv[2]}.json").write_text(json.dumps(outcome.values))
"""

EXECUTORLIB = """
import sys
from executorlib import SlurmClusterExecutor
def probe(folder, number, plain):
    import sys
    sys.argv = ["-c", folder, str(number)]
    exec(plain, {})
if __name__ == "__main__":
    folder, count, plain = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    needs = {"cores": 1, "partition": "main", "memory_max": 1}
    with SlurmClusterExecutor(cache_directory=folder + "/cache", resource_dict=needs) as executor:
        futures = [executor.submit(probe, folder, number, plain) for number in range(count)]
        [future.result() for future in futures]
"""


def build_probes(n: int, *, name: str) -> list[Calculation]:
    """Calculations that do nothing, each with a key of its own."""
    return [Calculation("probe", salt=f"{name}-{number}") for number in range(n)]


def measure_local(record: Record, *, scratch: Path, n: int, repeats: int) -> None:
    """Calculations on one core against processes of the same content."""
    store, numbers = Store(scratch / "local"), itertools.count()

    def plain() -> None:
        for number in range(n):
            subprocess.run([sys.executable, "-P", "-c", PLAIN, str(scratch / "local"), str(number)], check=True)

    def ours() -> None:
        run_calculations(build_probes(n, name=str(next(numbers))), store=store, executor=LocalExecutor(cores=1))

    timings = time_side_by_side({f"{n} processes": plain, f"{n} calculations": ours}, repeats=repeats)
    record.timings |= timings
    processes, calculations = timings.values()
    record.ratios["job layer a calculation, processor time in s"] = Ratio(
        (calculations.median_cpu_s - processes.median_cpu_s) / n, f"<= {AIM_S}"
    )
    record.ratios["job layer a calculation, wall time in s"] = Ratio(
        (calculations.median_s - processes.median_s) / n, f"<= {AIM_S}"
    )


def measure_slurm(record: Record, *, scratch: Path, n: int, executorlib: str | None) -> None:
    """Calculations through a queue against a plain job array and, if there is one, another tool."""
    from tests.cluster.one_node import OneNodeSlurm, wait_until

    slurm = OneNodeSlurm(scratch / "slurm", cores=len(os.sched_getaffinity(0)))
    os.environ |= {**slurm.environment, "PYTHONPATH": str(ROOT)}
    timings: dict[str, float] = {}
    try:
        slurm.start()
        plain = scratch / "plain"
        plain.mkdir()
        command = f"exec {sys.executable} -P -c '{PLAIN}' {plain} $SLURM_ARRAY_TASK_ID"
        (plain / "job.sh").write_text(f"#!/bin/sh\n{command}\n")
        script = str(plain / "job.sh")
        array = ("sbatch", "--parsable", f"--array=0-{n - 1}", "--mem=200M", "--output=/dev/null", script)
        begin = time.monotonic()
        slurm.run(*array)
        n_files = n + 1  # the one of the store that it makes, too
        wait_until(lambda: len(list(plain.glob("*.json"))) >= n_files, what="the array", timeout_s=3600)
        timings["plain job array"] = time.monotonic() - begin
        for pack in (1, 10):
            store = Store(scratch / f"queue-{pack}")
            profile = ClusterProfile(memory_GB=0.2, pack=pack, max_in_queue=10 * n, poll_s=10)
            executor = QueueExecutor("one-node", profile, store=store.root, watch=QueueWatch())
            begin = time.monotonic()
            run_calculations(build_probes(n, name="queue"), store=store, executor=executor)
            timings[f"calculations, {pack} an entry"] = time.monotonic() - begin
        if executorlib is not None:
            other = scratch / "executorlib"
            other.mkdir()
            begin = time.monotonic()
            subprocess.run(
                [executorlib, "-c", EXECUTORLIB, str(other), str(n), PLAIN],
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=other,
            )
            timings["executorlib"] = time.monotonic() - begin
    finally:
        slurm.stop()
    record.timings |= {f"{n} through Slurm, {name}": Timing((seconds,)) for name, seconds in timings.items()}
    for pack in (1, 10):
        record.ratios[f"throughput beside a plain job array, {pack} an entry"] = Ratio(
            timings["plain job array"] / timings[f"calculations, {pack} an entry"], ">= 0.9"
        )
        if "executorlib" in timings:
            record.ratios[f"throughput beside executorlib, {pack} an entry"] = Ratio(
                timings["executorlib"] / timings[f"calculations, {pack} an entry"]
            )


def show_status(runs: Path) -> None:
    """The command `alkaliflow status`."""
    command = [sys.executable, "-P", "-m", "workflows.cli", "status", str(runs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure_growth(record: Record, *, scratch: Path, sizes: list[int]) -> None:
    """A driver over finished calculations, and `status`, as the store grows."""
    store = Store(scratch / "growth")
    run = scratch / "runs" / "r"
    run.mkdir(parents=True)
    probes = build_probes(sizes[-1], name="growth")
    done = 0
    for size in sizes:
        with mock.patch("os.fsync"):  # making the store is not what is timed
            for probe in probes[done:size]:
                work(store.job_directory(store.create(probe)))
        done = size
        facts = {"flow": "probe", "store": str(store.root), "created": "2026", "config_sha256": "", "version": "0"}
        write_json(run / "run.json", {"schema_version": 1, **facts})
        record_state(run, status="completed", keys={probe.salt: store.create(probe) for probe in probes[:size]})
        variants: dict[str, Callable[[], object]] = {
            f"replay of {size} finished calculations": partial(run_calculations, probes[:size], store=store),
            f"status of {size} calculations": partial(show_status, run.parent),
        }
        record.timings |= time_side_by_side(variants, repeats=3)
        peak_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        record.figures[f"peak memory of a driver of {size}, MB"] = round(peak_MB)
    files = sum(len(names) for _, _, names in os.walk(store.root))
    record.figures["files a calculation"] = round(files / done, 1)
    for what, limit_s in (("status of {} calculations", 1), ("replay of {} finished calculations", 2)):
        timing = record.timings[what.format(sizes[1])]
        record.ratios[f"{what.format(sizes[1])}, processor time in s"] = Ratio(timing.median_cpu_s, f"<= {limit_s}")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="The cost of the job layer.")
    parser.add_argument("--small", action="store_true", help="a trial with few calculations, nothing kept")
    parser.add_argument("--slurm", action="store_true", help="through a one-node Slurm as well; needs root")
    parser.add_argument("--executorlib", metavar="PYTHON", help="Python of an environment with executorlib and pysqa")
    parser.add_argument("--large", action="store_true", help="a store of a hundred thousand calculations as well")
    arguments = parser.parse_args()
    n_local, n_slurm, sizes = (3, 10, [30, 60]) if arguments.small else (20, 200, [1000, 10_000])
    sizes += [100_000] if arguments.large else []
    record = Record("job_layer", settings={"local": n_local, "slurm": n_slurm, "sizes": sizes})
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as name:
        measure_growth(record, scratch=Path(name), sizes=sizes)
        measure_local(record, scratch=Path(name), n=n_local, repeats=2 if arguments.small else 3)
        if arguments.slurm:
            measure_slurm(record, scratch=Path(name), n=n_slurm, executorlib=arguments.executorlib)
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
