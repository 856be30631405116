"""What is said of runs from their files alone: states, counts, reasons; and that thousands of them take no time."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from structures.errors import InputError
from workflows import run_lock
from workflows.jobs.durable import create_json, seal, write_json
from workflows.jobs.process import describe_process
from workflows.run_lock import give_sign, is_free, is_held_here
from workflows.run_state import record_state
from workflows.run_survey import (
    find_readable_runs,
    find_state,
    is_driver_alive,
    list_calculations,
    read_run,
    survey_run,
)

HERE = describe_process()
GONE = {**HERE, "pid": 1, "start_ticks": "-1"}
ELSEWHERE = {**HERE, "host": "elsewhere"}
DONE = {"schema_version": 1, "status": "done", "values": {}, "attempt": "attempts/002", "executions": 2}
FAILED = {"schema_version": 1, "status": "failed", "kind": "ConvergenceError", "reason": "no SCF", "attempt": "x/000"}


def make_run(path: Path, *, status: str = "running", **keys: str) -> Path:
    path.mkdir(parents=True)
    write_json(path / "run.json", {"flow": "toy", "store": str(path.parent / "store"), "created": "2026"})
    record_state(path, status=status, keys=keys)
    return path


def make_key(label: str) -> str:
    return hashlib.sha256(label.encode()).hexdigest()


def make_job(path: Path, label: str, *, result: dict[str, object] | None = None) -> Path:
    key = make_key(label)
    job = path.parent / "store" / "jobs" / key[:2] / key
    job.mkdir(parents=True)
    if result is not None:
        (job / "result.json").write_text(json.dumps(seal(result), indent=1) + "\n")
    return job


def make_attempt(job: Path, *, process: object = None, number: int = 0, **ended: object) -> Path:
    attempt = job / "attempts" / f"{number:03d}"
    attempt.mkdir(parents=True)
    create_json(attempt / "submission.json", {"token": "t", "target": "local", "submitter": HERE})
    if process is not None:
        create_json(attempt / "started.json", {"token": "t", "process": process})
    if ended:
        create_json(attempt / "exit.json", ended)
    return attempt


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that this process drives, with a calculation of each kind."""
    labels = ("done", "failed", "running", "elsewhere", "crashed", "lost", "new", "gone")
    path = make_run(tmp_path / "r", **{label: make_key(label) for label in labels})
    (path / "run.lock").write_text(json.dumps(HERE))
    make_job(path, "done", result=DONE)
    make_job(path, "failed", result=FAILED)
    attempt = make_attempt(make_job(path, "running"), process=HERE)
    write_json(attempt / "progress.json", {"stage": "produce", "step": 3, "steps": 9})
    make_attempt(make_job(path, "elsewhere"), process=ELSEWHERE)
    reason = "Traceback (most recent call last):\n  File\nZeroDivisionError: oh\n"
    make_attempt(make_job(path, "crashed"), process=GONE, status="crashed", reason=reason)
    make_attempt(make_job(path, "lost"), process=GONE)
    make_job(path, "new")
    return path


def test_a_run_is_counted_by_what_becomes_of_its_calculations(run: Path) -> None:
    row = survey_run(read_run(run))
    assert (row.done, row.running, row.queued, row.failed, row.known) == (1, 2, 3, 1, 8)
    assert row.driver == f"{os.getpid()} on {HERE['host']}"
    assert row.reason == "failed: no SCF"
    assert row.is_moving
    (run / "run.lock").write_text(json.dumps(GONE))
    row = survey_run(read_run(run))
    assert (row.status, row.queued, row.failed) == ("interrupted", 2, 2)
    assert row.driver == "none"


def test_each_calculation_says_its_state_attempts_and_reason(run: Path) -> None:
    rows = {row.label: row for row in list_calculations(read_run(run))}
    told = {label: (row.state, row.attempts, row.executions, row.reason) for label, row in rows.items()}
    assert told == {
        "done": ("done", 3, 2, ""),
        "failed": ("failed", 0, 0, "no SCF"),
        "running": ("running", 1, 1, ""),
        "elsewhere": ("unknown", 1, 1, "on host elsewhere, which cannot be seen from here"),
        "crashed": ("crashed", 1, 1, "ZeroDivisionError: oh"),
        "lost": ("lost", 1, 1, "the worker vanished (killed, or out of memory)"),
        "new": ("new", 0, 0, "waits for its turn"),
        "gone": ("gone", 0, 0, ""),
    }
    assert rows["running"].progress == {"stage": "produce", "step": 3, "steps": 9}


def test_a_run_of_which_nothing_runs_but_something_waits_is_queued(tmp_path: Path) -> None:
    path = make_run(tmp_path / "r", new=make_key("new"))
    (path / "run.lock").write_text(json.dumps(HERE))
    make_job(path, "new")
    record_state(path, waits="waiting for free cores and memory")
    row = survey_run(read_run(path))
    assert (row.status, row.reason) == ("queued", "waiting for free cores and memory")


def test_the_last_sign_of_life_is_the_newest_of_driver_and_workers(run: Path) -> None:
    now_s = time.time()
    for path in (run / "run.lock", run / "state.json", *run.parent.rglob("*/attempts/*/*.json")):
        os.utime(path, (now_s - 500, now_s - 500))
    sign_s_ago = survey_run(read_run(run)).sign_s_ago
    assert sign_s_ago is not None
    assert 500 <= sign_s_ago < 560
    give_sign(run)
    sign_s_ago = survey_run(read_run(run)).sign_s_ago
    assert sign_s_ago is not None
    assert sign_s_ago < 60


def test_results_are_looked_at_once(run: Path) -> None:
    known: dict[str, str] = {}
    facts = read_run(run)
    before = survey_run(facts, known=known)
    assert set(known.values()) == {"done", "failed"}
    for result in run.parent.rglob("result.json"):
        result.unlink()
    assert survey_run(facts, known=known).done == before.done
    assert find_state(facts, make_key("done")) == "new"


def test_thousands_of_calculations_are_surveyed_within_a_second(tmp_path: Path) -> None:
    labels = [f"c{number}" for number in range(10_000)]
    path = make_run(tmp_path / "r", status="completed", **{label: make_key(label) for label in labels})
    jobs, text = tmp_path / "store" / "jobs", json.dumps({**DONE, "values": {"x": list(range(200))}}, indent=1)
    for number in range(256):
        (jobs / f"{number:02x}").mkdir(parents=True)
    for label in labels:
        job = jobs / make_key(label)[:2] / make_key(label)
        job.mkdir()
        (job / "result.json").write_text(text)
    begin_s = time.process_time()
    row = survey_run(read_run(path))
    assert time.process_time() - begin_s < 1.0
    assert (row.done, row.known) == (10_000, 10_000)


@pytest.mark.parametrize(("command", "place"), [("status", ".."), ("status", "."), ("watch", "..")])
def test_looking_loads_nothing_heavy(run: Path, command: str, place: str) -> None:
    record_state(run, status="completed")
    shutil.rmtree(run.parent / "store")
    code = (
        "import atexit, sys; from workflows.cli import main; heavy = {'prefect', 'numpy', 'ase', 'MDAnalysis'}; "
        "atexit.register(lambda: print(*sorted(heavy & set(sys.modules)), file=sys.stderr)); main()"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code, command, place], cwd=run, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "\n")
    assert ("gone" if place == "." else "completed") in ended.stdout


def test_what_is_no_run_is_refused_or_passed_over(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_text("{")
    assert [found.path.name for found in find_readable_runs(tmp_path)] == ["a"]
    with pytest.raises(InputError, match=r"b: run\.json is damaged"):
        read_run(tmp_path / "b")
    with pytest.raises(InputError, match=r"c: there is no such directory"):
        read_run(tmp_path / "c")


# The lock


def test_the_lock_tells_whether_it_is_free_without_taking_it(tmp_path: Path) -> None:
    assert is_free(tmp_path)
    assert is_driver_alive(tmp_path) is False
    run_lock.acquire(tmp_path)
    assert is_held_here(tmp_path)
    assert not is_free(tmp_path)
    assert is_driver_alive(tmp_path) is True
    run_lock.release(tmp_path)
    assert is_free(tmp_path)
    run_lock.acquire(tmp_path)
    run_lock.release(tmp_path)
    (tmp_path / "run.lock").write_text("{")
    assert run_lock.read_process(tmp_path) is None
    assert run_lock.find_holder(tmp_path) is None
