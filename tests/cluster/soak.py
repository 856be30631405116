"""Random faults over hundreds of short jobs on a real Slurm: `python -P -m tests.cluster.soak FOLDER [--minutes 30]`.

Drivers come and go, workers, daemons and nodes are killed, jobs are cancelled. Each job writes a line into a ledger of
its own when it runs. In the end every calculation must have one result, the right one, and every further execution an
attempt before it that was lost.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tests.cluster.one_node import OneNodeSlurm
from workflows.jobs.attempt import count_executions, list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Finished, Store

ROOT = Path(__file__).parents[2]
DRIVER = """
import sys
from pathlib import Path
from tests.cluster.conftest import build_queue
from workflows.drive import settle_calculations
from workflows.jobs.store import Store
store = Store(Path(sys.argv[1]))
executor = build_queue(store, pack=int(sys.argv[2]), poll_s=2.0)
settle_calculations([store.load(key) for key in sys.stdin.read().split()], store=store, executor=executor, retries=50)
"""
BATCH = 40
N_DRIVERS = 2
FAULTS = (
    *("kill a driver", "stop a driver", "kill a worker", "kill a job's process", "cancel a job"),
    *("kill slurmctld", "kill slurmd", "take the node down"),
)


@dataclass
class Soak:
    """A store under fire.

    Attributes:
        folder: of everything.
        slurm: the cluster.
        store: of the calculations.
        wanted: key → what its result must say.
        drivers: at work.
        faults: what was done, and how often.
    """

    folder: Path
    slurm: OneNodeSlurm
    store: Store
    random: random.Random
    wanted: dict[str, object] = field(default_factory=dict)
    drivers: list[subprocess.Popen[str]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    n_drivers_begun: int = 0

    def add_batch(self) -> None:
        """More calculations: sums, and walks in segments."""
        ledgers = self.folder / "ledger"
        ledgers.mkdir(exist_ok=True)
        for _ in range(BATCH):
            number = len(self.wanted)
            if number % 10 == 9:
                walk = Calculation(
                    "toy_walk", settings={"ledger": str(ledgers / str(number)), "work_s": 0.5}, seed=number
                )
                self.wanted[self.store.create(walk)] = 4
            else:
                settings = {"numbers": (number, 1.0), "ledger": str(ledgers / str(number))}
                self.wanted[self.store.create(Calculation("toy_sum", settings=settings))] = number + 1.0

    def open_keys(self) -> list[str]:
        """Calculations without a result."""
        return [key for key in self.wanted if not (self.store.job_directory(key) / "result.json").exists()]

    def keep_drivers(self) -> None:
        """Two drivers at a time, each over everything that is open."""
        self.drivers = [driver for driver in self.drivers if driver.poll() is None]
        keys = self.open_keys()
        while keys and len(self.drivers) < N_DRIVERS:
            environment = {**os.environ, **self.slurm.environment}
            environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "plugins"), str(ROOT)])
            with (self.folder / "drivers.log").open("ab") as log:
                command = [sys.executable, "-P", "-c", DRIVER, str(self.store.root), str(self.random.choice((1, 3)))]
                driver = subprocess.Popen(
                    command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True
                )
            assert driver.stdin is not None
            driver.stdin.write("\n".join(keys))
            driver.stdin.close()
            self.drivers.append(driver)
            self.n_drivers_begun += 1

    def harm(self) -> None:
        """One fault, by chance."""
        fault = self.random.choice(FAULTS)
        jobs = [name for name, state in self.slurm.jobs() if state == "RUNNING"]
        workers = self._find_processes()
        if "driver" in fault and self.drivers:
            victim = self.random.choice(self.drivers)
            victim.send_signal(signal.SIGKILL if fault == "kill a driver" else signal.SIGINT)
            victim.wait()
        elif fault == "cancel a job" and jobs:
            self.slurm.run("scancel", f"--name={self.random.choice(jobs)}", check=False)
        elif fault in ("kill a worker", "kill a job's process") and workers:
            bundle = self.random.choice(workers)
            try:
                children = bundle.children() if fault == "kill a worker" else [bundle]
                for process in children:
                    process.kill()
            except psutil.NoSuchProcess:  # it ended in between
                children = []
            fault = fault if children else ""
        elif fault == "kill slurmctld":
            self.slurm.kill("slurmctld")
            self.slurm.start_controller()
        elif fault == "kill slurmd":
            self.slurm.kill("slurmd")
            self.slurm.start_node()
        elif fault == "take the node down":
            self.slurm.run("scontrol", "update", "nodename=node0", "state=down", "reason=soak", check=False)
            self.slurm.run("scontrol", "update", "nodename=node0", "state=resume", check=False)
        else:
            fault = ""
        if fault:
            self.faults[fault] += 1

    def _find_processes(self) -> list[psutil.Process]:
        """Bundles at work on this store."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter(["cmdline", "ppid"]):
            words = process.info["cmdline"] or []
            is_child = process.info["ppid"] in {other.pid for other in found}
            if "workflows.jobs.bundle" in words and str(self.store.root) in " ".join(words) and not is_child:
                found.append(process)
        return found


def judge(soak: Soak) -> dict[str, object]:
    """Whether the ledger balances."""
    wrong, unexplained, executions, reasons = [], [], Counter[int](), Counter[str]()
    n_lines = 0
    for number, (key, expected) in enumerate(soak.wanted.items()):
        job, result = soak.store.job_directory(key), soak.store.result(key)
        values = result.values if isinstance(result, Finished) else {}
        is_right = values.get("sum", values.get("n_segments")) == expected
        if isinstance(result, Finished) and result.segments:
            is_right &= np.array_equal(_read_path(result), _walk_by_hand(number))
        if not is_right:
            wrong.append(key)
        times = count_executions(job)
        executions[times] += 1
        ledger = soak.folder / "ledger" / str(number)
        lines = len(ledger.read_text().split()) if ledger.exists() else 0
        n_lines += lines
        began = [one for one in list_attempts(job) if one.started() is not None and not one.is_revoked()]
        for attempt in began[:-1]:
            ended = attempt.ended() or {"status": "lost", "reason": "the worker vanished (killed, or out of memory)"}
            reasons[str(ended["reason"]).split(" on vm")[0]] += 1
            if ended["status"] == "done":
                unexplained.append(key)
        if not 0 < lines <= times:
            unexplained.append(key)
    return {
        "calculations": len(soak.wanted),
        "wrong_or_missing": wrong,
        "executions": {str(times): n for times, n in sorted(executions.items())},
        "lines_in_the_ledger": n_lines,
        "losses": dict(reasons.most_common()),
        "unexplained": unexplained,
        "faults": dict(soak.faults.most_common()),
        "drivers": soak.n_drivers_begun,
        "balances": not wrong and not unexplained,
    }


def _read_path(result: Finished) -> np.ndarray:
    return np.concatenate([np.load(segment / "path.npy") for segment in result.segments])


def _walk_by_hand(seed: int) -> np.ndarray:
    """The path of `toy_walk` as one piece."""
    ends, parts = np.zeros(3), []
    for number in range(4):
        parts.append(ends + np.cumsum(np.random.default_rng([seed, number]).normal(size=(10, 3)), axis=0))
        ends = parts[-1][-1]
    return np.concatenate(parts)


def main() -> int:
    """Run the soak and write its ledger down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every-s", type=float, default=8.0, help="seconds between two faults, on average")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    folder = arguments.folder.absolute()
    sys.path.insert(0, str(ROOT / "tests" / "plugins"))
    slurm = OneNodeSlurm(folder / "slurm")
    soak = Soak(folder, slurm, Store(folder / "store"), random.Random(arguments.seed))  # noqa: S311 (faults, no secrets)
    begin = time.monotonic()
    try:
        slurm.start()
        deadline = begin + 60 * arguments.minutes
        while time.monotonic() < deadline:
            if len(soak.open_keys()) < BATCH // 2:
                soak.add_batch()
            soak.keep_drivers()
            time.sleep(soak.random.expovariate(1 / arguments.every_s))  # faults come by chance
            soak.harm()
            slurm.heal()
        while soak.open_keys() and time.monotonic() < deadline + 600:
            soak.keep_drivers()
            slurm.heal()
            time.sleep(1)
        result = {"minutes": round((time.monotonic() - begin) / 60, 1), "seed": arguments.seed, **judge(soak)}
    finally:
        for driver in soak.drivers:
            driver.kill()
            driver.wait()
        slurm.stop()
    text = json.dumps(result, indent=1)
    (folder / "soak.json").write_text(text + "\n")
    sys.stdout.write(text + "\n")
    return 0 if result["balances"] else 1


if __name__ == "__main__":
    sys.exit(main())
