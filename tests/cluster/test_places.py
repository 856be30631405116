"""Stores on several hosts, on slow, full and vanishing file systems."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from structures.errors import CalculationError
from tests.cluster.conftest import build_queue
from tests.cluster.one_node import wait_until
from workflows.drive import run_calculations
from workflows.jobs.attempt import count_executions, derive_state, list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store

LOCAL_DRIVER = """
import sys
from pathlib import Path
from workflows.drive import run_calculations
from workflows.jobs.store import Store
store = Store(Path(sys.argv[1]))
run_calculations([store.load(key) for key in sys.argv[2:]], store=store)
"""
WALK = Calculation("toy_walk", seed=5)


def run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check)


def need(*command: str) -> None:
    """Run a command that a container may forbid; the test is left out if it does."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        pytest.skip(f"{command[0]} is not allowed here: {ended.stderr.strip()}; a machine of its own allows it")


def start(store: Store, key: str, *, before: tuple[str, ...] = (), **variables: str) -> subprocess.Popen[bytes]:
    command = [*before, sys.executable, "-P", "-c", LOCAL_DRIVER, str(store.root), key]
    return subprocess.Popen(command, env={**os.environ, **variables})


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    need("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    yield folder
    run("umount", "--lazy", str(folder))


def test_a_worker_under_another_host_name_and_in_another_pid_namespace_is_waited_for(
    store: Store, tmp_path: Path
) -> None:
    need("unshare", "--uts", "--pid", "--fork", "--mount-proc", "true")
    fifo, ledger = tmp_path / "fifo", tmp_path / "ledger"
    os.mkfifo(fifo)
    wanted = Calculation("toy_sum", settings={"wait_for": str(fifo), "ledger": str(ledger)})
    key = store.create(wanted)
    job = store.job_directory(key)
    there = ("unshare", "--uts", "--pid", "--fork", "--mount-proc", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh")
    first = start(store, key, before=there, ALKALIFLOW_SLOTS=str(tmp_path / "slots-there"))
    wait_until(ledger.exists, what="the worker there")
    assert list_attempts(job)[0].find_host() == "elsewhere"
    assert derive_state(job) == "unknown"
    second = start(store, key)
    third = subprocess.Popen([sys.executable, "-P", "-m", "workflows.jobs.worker", str(job)])
    assert third.wait(timeout=60) == 0  # a worker by hand finds that another one may have it
    fifo.open("wb").close()
    assert [first.wait(timeout=60), second.wait(timeout=60)] == [0, 0]
    assert len(ledger.read_text().split()) == count_executions(job) == 1


def test_listings_that_are_late_make_nothing_run_twice(store: Store) -> None:
    key = store.create(WALK)
    layer = str(Path(__file__).parent / "delayed_listings")
    path = os.pathsep.join([layer, os.environ["PYTHONPATH"]])
    drivers = [start(store, key, PYTHONPATH=path, DELAYED_LISTINGS_S="4") for _ in range(3)]
    assert [driver.wait(timeout=120) for driver in drivers] == [0, 0, 0]
    assert count_executions(store.job_directory(key)) == 1


def test_a_full_disk_is_named_and_the_queue_goes_on_when_there_is_space(mount: Path) -> None:
    store = Store(mount / "store")
    store.create(WALK)
    free = shutil.disk_usage(mount).free
    (mount / "ballast").write_bytes(bytes(free - 4096))
    with pytest.raises(CalculationError, match="is full: free some space"):
        run_calculations([WALK], store=store, executor=build_queue(store))
    (mount / "ballast").unlink()
    (result,) = run_calculations([WALK], store=store, executor=build_queue(store))
    assert len(result.segments) == 4
    assert result.executions == 1


def test_a_store_that_becomes_read_only_is_named_and_gone_on_with(mount: Path) -> None:
    store = Store(mount / "store")
    store.create(WALK)
    need("mount", "-o", "remount,ro", str(mount))
    with pytest.raises(CalculationError, match="is on a read-only file system"):
        run_calculations([WALK], store=store, executor=build_queue(store))
    run("mount", "-o", "remount,rw", str(mount))
    (result,) = run_calculations([WALK], store=store, executor=build_queue(store))
    assert result.executions == 1


def test_a_store_that_vanishes_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    real, seen = tmp_path / "real", tmp_path / "seen"
    real.mkdir()
    seen.mkdir()
    need("mount", "--bind", str(real), str(seen))
    try:
        store = Store(seen / "store")
        fifo, ledger = tmp_path / "fifo", tmp_path / "ledger"
        os.mkfifo(fifo)
        key = store.create(Calculation("toy_sum", settings={"wait_for": str(fifo), "ledger": str(ledger)}))
        driver = start(store, key)
        wait_until(ledger.exists, what="the worker")
        run("umount", "--lazy", str(seen))
        fifo.open("wb").close()
        assert driver.wait(timeout=60) != -signal.SIGKILL
    finally:
        run("umount", "--lazy", str(seen), check=False)
    run("mount", "--bind", str(real), str(seen))
    try:
        again = start(store, key)
        wait_until(lambda: len(ledger.read_text().split()) == 2 or again.poll() is not None, what="the second worker")
        if again.poll() is None:
            fifo.open("wb").close()
        assert again.wait(timeout=60) == 0
        assert count_executions(store.job_directory(key)) <= 2
    finally:
        run("umount", "--lazy", str(seen))
