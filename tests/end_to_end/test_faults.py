"""Death at every edge and at random moments in dynamics: nothing lost, nothing doubled, the same bytes."""

import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.end_to_end.conftest import Argon, find_reasons, observe, wait_for
from workflows.cli.looking import find_engine_input
from workflows.jobs.attempt import count_executions, list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.faults import EDGES

Untouched = Callable[[Argon], dict[str, Any]]

# In the middle of the dynamics, where a segment stands on others and others stand on it.
MIDDLE = {"segment-computed": "segment-computed:3", "segment-committed": "segment-committed:3"}
FIRST_OF_WORKER = EDGES.index("worker-entered")
# What happens in the driver does not depend on the engine.
# Long enough segments to be killed in; which are killed is drawn once.
LONG: dict[str, dict[str, Any]] = {
    "lammps": {"segment_steps": 48000, "frame_every_steps": 6000, "thermo_every_steps": 1200},
    "ase": {"segment_steps": 100, "frame_every_steps": 50, "thermo_every_steps": 10},
}
# Killed among the first; the many after them give a busy machine time to see the last one that is to be killed.
N_SEGMENTS, N_EARLY, N_KILLS = 24, 6, 3
WALKS = [("lammps", edge) for edge in EDGES] + [("ase", edge) for edge in EDGES[FIRST_OF_WORKER:]]


@pytest.mark.parametrize(("engine", "edge"), WALKS)
def test_death_at_an_edge_changes_no_byte(argon: Argon, untouched: Untouched, edge: str) -> None:
    expected = untouched(argon)
    calculation = argon.calculation()
    number = EDGES.index(edge)
    with argon.drive(calculation, kill_at=MIDDLE.get(edge, edge), retries=0) as driver:
        driver.communicate(timeout=120)
    assert (driver.returncode == -signal.SIGKILL) == (number < FIRST_OF_WORKER)
    job = argon.job(calculation)
    executions = count_executions(job)
    assert observe(argon.run(calculation)) == expected
    assert count_executions(job) <= executions + 1
    started = [attempt for attempt in list_attempts(job) if attempt.started() and not attempt.is_revoked()]
    killed = [attempt.number for attempt in started if attempt.ended() is None]
    assert killed == ([0] if EDGES.index("started") <= number < EDGES.index("exit-written") else [])


@pytest.mark.parametrize("engine", ["lammps"])
@pytest.mark.parametrize("death", ["segment-computed", "segment-computed:3"])
def test_the_input_of_a_segment_that_died_runs_by_hand(argon: Argon, death: str, tmp_path: Path) -> None:
    calculation = argon.calculation()
    with argon.drive(calculation, kill_at=death, retries=0) as driver:
        driver.communicate(timeout=120)
    job = argon.job(calculation)
    engine = find_engine_input(argon.store, key=job.name, attempts=list_attempts(job))
    assert engine is not None
    assert engine.path.is_relative_to(job)
    ended = subprocess.run(
        ["/bin/sh", "-e", "-c", engine.command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-500:] + ended.stderr
    assert "Total wall time" in ended.stdout


def draw_moments(seed: int) -> list[int]:
    """Segments in which something is killed, in order."""
    chosen = np.random.default_rng(seed).choice(N_EARLY, size=N_KILLS, replace=False)
    return sorted(int(number) for number in chosen)


def make_long(argon: Argon) -> Argon:
    settings = {**argon.settings, **LONG[argon.engine]}
    steps = settings["segment_steps"]
    lengths = {"heat_steps": steps, "equilibrate_steps": steps, "production_steps": (N_SEGMENTS - 2) * steps}
    return Argon(argon.store, argon.engine, {**settings, **lengths})


def find_worker_in(argon: Argon, calculation: Calculation, *, segment: int) -> psutil.Process | None:
    """The worker, once so many segments are committed; what it says of itself comes too seldom for short ones."""
    worker = argon.find_worker(calculation)
    chain = argon.store.chain(calculation)
    assert chain is not None
    committed = len(list((chain.directory / "segments").glob("[0-9]*")))
    return worker if committed >= segment else None


def test_workers_killed_in_the_middle_of_dynamics_change_no_byte(argon: Argon, untouched: Untouched) -> None:
    argon = make_long(argon)
    calculation = argon.calculation()
    with argon.drive(calculation) as driver:
        for segment in draw_moments(seed=1):
            find = partial(find_worker_in, argon, calculation, segment=segment)
            worker = wait_for(find, what=f"segment {segment}", driver=driver)
            children = worker.children()
            worker.kill()
            psutil.wait_procs([worker, *children], timeout=30)
            assert not any(child.is_running() for child in children)
        assert driver.wait(timeout=120) == 0
    (result,) = [argon.run(calculation)]
    assert observe(result) == untouched(argon)
    assert result.reused
    assert result.executions == N_KILLS + 1


def is_engine(process: psutil.Process) -> bool:
    try:
        return "segment.in" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


@pytest.mark.parametrize("engine", ["lammps"])
def test_engines_killed_in_the_middle_of_dynamics_change_no_byte(argon: Argon, untouched: Untouched) -> None:
    argon = make_long(argon)
    calculation = argon.calculation()

    def find_engine(segment: int) -> psutil.Process | None:
        worker = find_worker_in(argon, calculation, segment=segment)
        children = worker.children() if worker is not None else []
        return next((child for child in children if is_engine(child)), None)

    with argon.drive(calculation) as driver:
        for segment in draw_moments(seed=2):
            wait_for(partial(find_engine, segment), what=f"an engine in segment {segment}", driver=driver).kill()
        assert driver.wait(timeout=120) == 0
    reasons = find_reasons(argon.job(calculation))
    assert ["ended by signal SIGKILL" in reason for reason in reasons] == [True] * N_KILLS + [False]
    assert observe(argon.run(calculation)) == untouched(argon)


@pytest.mark.parametrize("engine", ["lammps"])
def test_two_drivers_on_one_key_compute_it_once(argon: Argon, untouched: Untouched) -> None:
    calculation = argon.calculation()
    drivers = [argon.drive(calculation) for _ in range(2)]
    for driver in drivers:
        driver.communicate(timeout=120)
    assert [driver.returncode for driver in drivers] == [0, 0]
    assert len(list_attempts(argon.job(calculation))) == 1
    assert observe(argon.run(calculation)) == untouched(argon)
