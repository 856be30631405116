"""The driver with real workers: reuse, retries, attachment, and death at every edge of a calculation's life."""

import json
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from structures.errors import CalculationError, ConvergenceError, InputError
from workflows.drive import run_calculations
from workflows.jobs.attempt import claim_attempt, count_executions, list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.durable import compute_sha256
from workflows.jobs.faults import EDGES
from workflows.jobs.local import LocalExecutor, count_usable_cores, release
from workflows.jobs.store import Finished, Store

DRIVER = """
import sys
from pathlib import Path
from workflows.drive import run_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store
run_calculations([Calculation(sys.argv[2], seed=7)], store=Store(Path(sys.argv[1])))
"""


def start_driver(store: Store, recipe: str, *, kill_at: str | None = None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ) if kill_at is None else {**os.environ, "ALKALIFLOW_KILL_AT": kill_at}
    return subprocess.Popen([sys.executable, "-c", DRIVER, str(store.root), recipe], env=environment)


def digest_segments(result: Finished) -> list[str]:
    return [compute_sha256(segment / "path.npy") for segment in result.segments]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("untouched")


def test_results_come_in_the_order_asked_for_and_equal_ones_are_computed_once(store: Store) -> None:
    wanted = [Calculation("toy_sum", settings={"numbers": (n, n)}) for n in (3, 1, 3)]
    results = run_calculations(wanted, store=store)
    assert [result.values["sum"] for result in results] == [6, 2, 6]
    assert results[0].key == results[2].key
    assert results[0].executions == 1


def test_a_second_run_computes_nothing(store: Store) -> None:
    run_calculations([Calculation("toy_walk")], store=store)
    events: list[Mapping[str, Any]] = []
    (result,) = run_calculations([Calculation("toy_walk")], store=store, on_progress=events.append)
    assert result.reused
    assert [event["state"] for event in events] == ["reused"]


def test_a_failure_that_may_pass_gets_its_budget_and_no_more(store: Store) -> None:
    calculation = Calculation("toy_sum", settings={"fail": "passing"}, label="the sum")
    with pytest.raises(CalculationError, match=r"the sum .* failed: the node went away; 3 attempts without headway"):
        run_calculations([calculation], store=store, retries=2)
    assert count_executions(store.job_directory(store.create(calculation))) == 3


def test_a_failure_of_the_science_is_not_repeated(store: Store) -> None:
    calculation = Calculation("toy_sum", settings={"fail": "science"})
    for _ in range(2):
        with pytest.raises(ConvergenceError, match="did not converge in 100 iterations"):
            run_calculations([calculation], store=store)
    assert count_executions(store.job_directory(store.create(calculation))) == 1


def test_a_bug_shows_its_traceback(store: Store) -> None:
    with pytest.raises(CalculationError, match=r"(?s)Traceback.*ZeroDivisionError.*Its files: .*attempts/000"):
        run_calculations([Calculation("toy_sum", settings={"fail": "bug"})], store=store)


@pytest.mark.parametrize("recipe", ["toy_sum", "toy_walk"])
@pytest.mark.parametrize("edge", EDGES)
def test_death_at_every_edge_loses_and_doubles_nothing(store: Store, untouched: Path, recipe: str, edge: str) -> None:
    if recipe == "toy_sum" and edge.startswith("segment"):
        recipe = "toy_walk"
        edge += ":3"
    driver = start_driver(store, recipe, kill_at=edge)
    driver.wait(timeout=120)
    calculation = Calculation(recipe, seed=7)
    job = store.job_directory(store.create(calculation))
    executions = count_executions(job)
    (result,) = run_calculations([calculation], store=store)
    (expected,) = run_calculations([calculation], store=Store(untouched))
    assert result.values == expected.values
    assert digest_segments(result) == digest_segments(expected)
    assert count_executions(job) <= executions + 1
    killed = [a for a in list_attempts(job) if a.started() and not a.is_revoked() and a.ended() is None]
    is_worker_edge = EDGES.index(edge.partition(":")[0]) >= EDGES.index("started")
    assert bool(killed) == (is_worker_edge and edge != "exit-written")


def test_a_killed_driver_is_followed_by_one_that_attaches(store: Store, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    calculation = Calculation("toy_sum", settings={"wait_for": str(fifo), "ledger": str(tmp_path / "ledger")})
    by_settings = "Calculation('toy_sum', settings=__import__('json').loads(sys.argv[2]))"
    code = DRIVER.replace("Calculation(sys.argv[2], seed=7)", by_settings)
    settings = json.dumps(dict(calculation.settings))
    driver = subprocess.Popen([sys.executable, "-c", code, str(store.root), settings])
    with fifo.open("wb"):  # returns when the worker waits at the other end
        driver.kill()
        driver.wait()
        results: list[Finished] = []
        attached = threading.Event()

        def on_progress(event: Mapping[str, Any]) -> None:
            if event["state"] == "running":
                attached.set()

        second = threading.Thread(
            target=lambda: results.extend(run_calculations([calculation], store=store, on_progress=on_progress))
        )
        second.start()
        assert attached.wait(timeout=60)
    second.join(timeout=60)
    assert results[0].values["sum"] == 3
    assert len((tmp_path / "ledger").read_text().splitlines()) == 1


def test_two_drivers_on_one_calculation_run_it_once(store: Store) -> None:
    drivers = [start_driver(store, "toy_walk") for _ in range(3)]
    assert [driver.wait(timeout=120) for driver in drivers] == [0, 0, 0]
    (key,) = store.keys()
    assert count_executions(store.job_directory(key)) == 1


def test_a_killed_worker_gets_a_successor(store: Store, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    calculation = Calculation("toy_sum", settings={"wait_for": str(fifo)})
    results: list[Finished] = []
    driver = threading.Thread(target=lambda: results.extend(run_calculations([calculation], store=store)))
    driver.start()
    job = store.job_directory(store.create(calculation))
    with fifo.open("wb"):
        started = list_attempts(job)[-1].started()
        assert started is not None
        process = os.pidfd_open(started["process"]["pid"])
        signal.pidfd_send_signal(process, signal.SIGKILL)
        assert multiprocessing.connection.wait([process], timeout=60)
        os.close(process)
    with fifo.open("wb"):  # returns when the successor waits at the other end
        pass
    driver.join(timeout=60)
    assert results[0].executions == 2


def test_a_worker_on_another_host_is_named_and_given_up_when_it_is_silent(store: Store) -> None:
    calculation = Calculation("toy_sum")
    job = store.job_directory(store.create(calculation))
    attempt = claim_attempt(job, target="test")
    assert attempt is not None
    attempt.start(None)
    path = attempt.directory / "started.json"
    path.write_text(path.read_text().replace('"host": "', '"host": "not-'))
    events: list[Mapping[str, Any]] = []

    def on_progress(event: Mapping[str, Any]) -> None:
        events.append(event)
        if event["state"] == "unknown":
            os.utime(path, (0, 0))
            os.utime(attempt.directory / "submission.json", (0, 0))

    (result,) = run_calculations([calculation], store=store, on_progress=on_progress)
    waited = next(event for event in events if event["state"] == "unknown")
    assert f"alkaliflow job revoke {result.key[:12]} --store {store.root}" in waited["reason"]
    assert "on host not-" in waited["reason"]
    assert result.executions == 2
    ended = attempt.ended()
    assert ended is not None
    assert (ended["status"], ended["reason"][:21]) == ("lost", "no sign of life from ")


def test_who_waits_for_cores_of_another_run_is_told_so_and_goes_on(store: Store) -> None:
    other = LocalExecutor(cores=1).acquire(1)
    assert other is not None
    events: list[Mapping[str, Any]] = []

    def on_progress(event: Mapping[str, Any]) -> None:
        events.append(event)
        if event["state"] == "waiting" and other:
            release(other)
            other.clear()

    wanted = [Calculation("toy_sum", settings={"numbers": (n, n)}) for n in (1, 2)]
    run_calculations(wanted, store=store, executor=LocalExecutor(cores=1), on_progress=on_progress)
    hints = [event["hint"] for event in events if event["state"] == "waiting"]
    assert hints[0].startswith("Other runs of yours hold the core slots of this machine")
    assert "ALKALIFLOW_SLOTS" in hints[0]
    # Later the run waits for its own worker.
    assert not any(hints[1:])


def test_slots_keep_within_the_cores_and_come_back() -> None:
    executor = LocalExecutor(cores=1)
    held = executor.acquire(1)
    assert held is not None
    assert LocalExecutor(cores=1).acquire(1) is None
    release(held)
    again = executor.acquire(1)
    assert again is not None
    release(again)


def test_memory_counts_as_slots() -> None:
    executor = LocalExecutor(cores=count_usable_cores(), memory_MB=1000.0)
    assert executor.count_slots(cores=1, memory_MB=999.0) == executor.cores
    with pytest.raises(
        InputError, match=r"needs 2 GB of memory, this run may use 1 GB .*Set resources.memory_GB: 2 or"
    ):
        executor.count_slots(cores=1, memory_MB=2000.0)
    with pytest.raises(InputError, match=r"needs 99 cores .*may use \d+\. Set resources.ranks and resources.threads"):
        executor.count_slots(cores=99, memory_MB=1.0)
    with pytest.raises(InputError, match=r"needs 1e\+06 GB of memory.* Make the structure smaller"):
        executor.count_slots(cores=1, memory_MB=1e9)


def test_memory_is_what_is_free_when_the_run_starts() -> None:
    memory = psutil.virtual_memory()
    assert LocalExecutor().memory_MB < 0.999 * memory.total / 1e6
    assert LocalExecutor().memory_MB == pytest.approx(memory.available / 1e6, rel=0.5)


def test_more_cores_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match=r"cores is 9999, needs 1 to"):
        LocalExecutor(cores=9999)
