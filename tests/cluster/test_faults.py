"""Death of every process at every edge, limits, memory, nodes: one result, equal to an untouched one, and counted."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from structures.errors import CalculationError
from tests.cluster.conftest import build_queue
from tests.cluster.one_node import OneNodeSlurm, wait_until
from workflows.drive import run_calculations, settle_calculations
from workflows.jobs.attempt import count_executions, derive_state, list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.faults import EDGES
from workflows.jobs.store import Failed, Finished, Store

DRIVER = """
import sys
from pathlib import Path
from tests.cluster.conftest import build_queue
from workflows.drive import run_calculations
from workflows.jobs.store import Store
store = Store(Path(sys.argv[1]))
run_calculations([store.load(key) for key in sys.argv[2:]], store=store, executor=build_queue(store))
"""
DRIVER_EDGES = ("attempt-claimed", "bundle-written", "bundle-accepted", "bundle-submitted")
WORKER_EDGES = tuple(name for name in EDGES if name not in ("calculation-written", "worker-spawned", *DRIVER_EDGES))
DRIVERS: list[subprocess.Popen[bytes]] = []
WALK = Calculation("toy_walk", seed=5)


@pytest.fixture(autouse=True)
def _no_driver_outlives_its_test() -> Iterator[None]:
    yield
    for driver in DRIVERS:
        driver.kill()
        driver.wait()
    DRIVERS.clear()


def read_path(result: Finished) -> np.ndarray:
    return np.concatenate([np.load(segment / "path.npy") for segment in result.segments])


def start_driver(store: Store, *wanted: Calculation, kill_at: str | None = None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ) if kill_at is None else {**os.environ, "ALKALIFLOW_KILL_AT": kill_at}
    keys = [store.create(calculation) for calculation in wanted]
    driver = subprocess.Popen([sys.executable, "-P", "-c", DRIVER, str(store.root), *keys], env=environment)
    DRIVERS.append(driver)
    return driver


def wait_with_administrator(driver: subprocess.Popen[bytes], slurm: OneNodeSlurm) -> int:
    """Exit status of a driver; meanwhile the node is resumed that a controller without memory of its jobs drains."""

    def has_ended() -> bool:
        slurm.heal()
        return driver.poll() is not None

    wait_until(has_ended, what="the end of the driver", timeout_s=180)
    return driver.wait()


def count(store: Store, calculation: Calculation) -> int:
    return count_executions(store.job_directory(store.create(calculation)))


def settle(store: Store, *wanted: Calculation, retries: int = 2, **profile: object) -> list[Finished | Failed]:
    return settle_calculations(wanted, store=store, executor=build_queue(store, **profile), retries=retries)


class Gate:
    """Calculations that wait until the test lets them go."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.fifo, self.ledger, self.store = folder / "fifo", folder / "ledger", store
        os.mkfifo(self.fifo)

    def calculation(self, **settings: object) -> Calculation:
        return Calculation("toy_sum", settings={"wait_for": str(self.fifo), "ledger": str(self.ledger), **settings})

    def wait_for_workers(self, number: int = 1) -> None:
        wait_until(lambda: self.n_started >= number, what=f"{number} workers", timeout_s=90)

    @property
    def n_started(self) -> int:
        return len(self.ledger.read_text().split()) if self.ledger.exists() else 0

    def open(self) -> None:
        self.fifo.open("wb").close()


@pytest.fixture
def gate(tmp_path: Path, store: Store) -> Gate:
    return Gate(tmp_path, store)


@pytest.fixture(scope="module")
def untouched() -> np.ndarray:
    """The path of WALK, by hand."""
    steps = [np.random.default_rng([5, number]).normal(size=(10, 3)) for number in range(4)]
    ends = np.zeros((5, 3))
    parts = []
    for number, part in enumerate(steps):
        parts.append(ends[number] + np.cumsum(part, axis=0))
        ends[number + 1] = parts[-1][-1]
    return np.concatenate(parts)


@pytest.mark.parametrize("edge", DRIVER_EDGES)
def test_a_driver_that_dies_at_an_edge_leaves_nothing_to_run_twice(
    store: Store, untouched: np.ndarray, edge: str
) -> None:
    driver = start_driver(store, WALK, kill_at=edge)
    assert driver.wait(timeout=60) == -signal.SIGKILL
    (result,) = settle(store, WALK)
    assert isinstance(result, Finished)
    assert np.array_equal(read_path(result), untouched)
    assert result.executions == 1


@pytest.mark.parametrize("edge", WORKER_EDGES)
def test_a_worker_that_dies_at_an_edge_gets_one_successor(store: Store, untouched: np.ndarray, edge: str) -> None:
    (first,) = settle(store, WALK, retries=0, setup=[f"export ALKALIFLOW_KILL_AT={edge}"])
    has_result = edge in ("result-linked", "exit-written")
    assert isinstance(first, Finished if has_result else Failed)
    if isinstance(first, Failed):
        assert "SIGKILL" in first.reason or "ended without a word" in first.reason or "failed" in first.reason
    (result,) = settle(store, WALK)
    assert isinstance(result, Finished)
    assert np.array_equal(read_path(result), untouched)
    assert count(store, WALK) == (1 if has_result or edge == "worker-entered" else 2)


def test_a_driver_that_is_killed_is_followed_by_one_that_attaches(store: Store, gate: Gate) -> None:
    wanted = gate.calculation()
    driver = start_driver(store, wanted)
    gate.wait_for_workers()
    driver.kill()
    driver.wait()
    second = start_driver(store, wanted)
    third = start_driver(store, wanted)
    gate.open()
    assert [second.wait(timeout=60), third.wait(timeout=60)] == [0, 0]
    assert gate.n_started == count(store, wanted) == 1


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_stopped_leaves_its_jobs_to_go_on(store: Store, gate: Gate, signal_number: int) -> None:
    wanted = gate.calculation()
    driver = start_driver(store, wanted)
    gate.wait_for_workers()
    driver.send_signal(signal_number)
    assert driver.wait(timeout=30) != 0
    gate.open()
    (result,) = settle(store, wanted)
    assert isinstance(result, Finished)
    assert gate.n_started == result.executions == 1


def test_a_controller_that_dies_loses_no_running_job(store: Store, gate: Gate, slurm: OneNodeSlurm) -> None:
    wanted = gate.calculation()
    driver = start_driver(store, wanted)
    gate.wait_for_workers()
    slurm.kill("slurmctld")
    try:
        gate.open()
        assert driver.wait(timeout=60) == 0  # the result is in the store; nobody has to be asked
    finally:
        slurm.start_controller()
    assert gate.n_started == count(store, wanted) == 1


def test_a_controller_that_is_away_when_a_job_is_handed_in_is_waited_for(store: Store, slurm: OneNodeSlurm) -> None:
    slurm.kill("slurmctld")
    try:
        driver = start_driver(store, WALK)
        wait_until(lambda: list_attempts(store.job_directory(store.create(WALK))), what="the attempt")
    finally:
        slurm.start_controller()
    assert wait_with_administrator(driver, slurm) == 0
    assert count(store, WALK) == 1


def test_a_node_daemon_that_dies_takes_no_worker_with_it(store: Store, gate: Gate, slurm: OneNodeSlurm) -> None:
    wanted = gate.calculation()
    driver = start_driver(store, wanted)
    gate.wait_for_workers()
    slurm.kill("slurmd")
    gate.open()
    assert driver.wait(timeout=60) == 0
    slurm.start_node()
    assert gate.n_started == count(store, wanted) == 1


def test_a_node_that_fails_is_a_reason_and_its_calculations_run_again(
    store: Store, gate: Gate, slurm: OneNodeSlurm
) -> None:
    wanted = gate.calculation()
    driver = start_driver(store, wanted)
    gate.wait_for_workers()
    slurm.run("scontrol", "update", "nodename=node0", "state=down", "reason=test")
    first = list_attempts(store.job_directory(store.create(wanted)))[0]
    wait_until(first.ended, what="the end of the first attempt")
    slurm.heal()
    gate.wait_for_workers(2)
    gate.open()
    assert driver.wait(timeout=60) == 0
    assert count(store, wanted) == gate.n_started == 2


def test_a_job_that_is_cancelled_has_that_reason_and_a_successor(store: Store, gate: Gate, slurm: OneNodeSlurm) -> None:
    wanted = gate.calculation()
    driver = start_driver(store, wanted)
    gate.wait_for_workers()
    ((name, _),) = slurm.jobs()
    slurm.run("scancel", f"--name={name}")
    first = list_attempts(store.job_directory(store.create(wanted)))[0]
    wait_until(first.ended, what="the end of the first attempt")
    ended = first.ended()
    assert ended is not None
    assert "SIGTERM" in ended["reason"] or "cancelled" in ended["reason"]
    gate.wait_for_workers(2)
    gate.open()
    assert driver.wait(timeout=60) == 0
    assert count(store, wanted) == gate.n_started == 2


def test_a_job_that_slurm_requeues_starts_no_second_worker_in_the_same_attempt(
    store: Store, gate: Gate, slurm: OneNodeSlurm
) -> None:
    wanted = gate.calculation()
    driver = start_driver(store, wanted)
    gate.wait_for_workers()
    number = slurm.run("squeue", "--noheader", "--me", "--states=running", "--format=%A").stdout.strip()
    slurm.run("scontrol", "update", f"jobid={number}", "requeue=1")
    slurm.run("scontrol", "requeue", number)
    gate.wait_for_workers(2)
    gate.open()
    assert driver.wait(timeout=90) == 0
    attempts = list_attempts(store.job_directory(store.create(wanted)))
    assert [attempt.started() is not None for attempt in attempts] == [True, True]
    assert count(store, wanted) == gate.n_started == 2


def test_too_little_memory_is_the_reason_that_is_given(store: Store, gate: Gate) -> None:
    wanted = gate.calculation(megabytes=900)
    (outcome,) = settle(store, wanted, retries=0, memory_GB=0.4)
    assert isinstance(outcome, Failed)
    assert "memory" in outcome.reason


def test_the_limit_of_a_job_is_passed_through_segment_by_segment(store: Store) -> None:
    walk = Calculation("toy_walk", settings={"steps": 60, "segment_steps": 10, "work_s": 8.0}, seed=5)
    (result,) = settle(store, walk, time_min=1)
    assert isinstance(result, Finished)
    plain = Calculation("toy_walk", settings={"steps": 60, "segment_steps": 10}, seed=5)
    (local,) = run_calculations([plain], store=Store(store.root.parent / "local"))
    assert np.array_equal(read_path(result), read_path(local))
    assert result.executions >= 2


def test_a_limit_that_no_segment_fits_into_is_said(store: Store) -> None:
    walk = Calculation("toy_walk", settings={"steps": 10, "segment_steps": 10, "work_s": 100.0}, seed=5)
    (outcome,) = settle(store, walk, time_min=1, retries=0)
    assert isinstance(outcome, Failed)
    assert re.search(r"limit too short for a segment of [23]\d s", outcome.reason)
    assert derive_state(store.job_directory(outcome.key)) == "failed"


def test_ten_drivers_share_their_calculations(store: Store, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    wanted = [Calculation("toy_sum", settings={"numbers": (n,), "ledger": str(ledger)}) for n in range(4)]
    drivers = [start_driver(store, *wanted) for _ in range(10)]
    assert [driver.wait(timeout=180) for driver in drivers] == [0] * 10
    assert len(ledger.read_text().split()) == 4
    assert [count(store, calculation) for calculation in wanted] == [1] * 4


def test_a_scratch_that_has_vanished_is_a_failure_that_may_pass(store: Store) -> None:
    with pytest.raises(CalculationError, match="attempts without headway"):
        run_calculations([WALK], store=store, executor=build_queue(store, python="/nowhere/python"), retries=1)
