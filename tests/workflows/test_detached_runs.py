"""submit, status, watch, logs, cancel, retry and resume --all, on real drivers and workers."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from structures.errors import InputError
from tests.workflows.detached_runs import PATIENCE_S, Place, open_place
from workflows import run_lock
from workflows.drivers import await_driver, begin_driver
from workflows.jobs.attempt import count_executions, derive_state
from workflows.jobs.durable import compute_sha256
from workflows.jobs.ending import wait_until_ended
from workflows.jobs.store import Finished
from workflows.prefect_settings import PrivateServer
from workflows.run_state import read_state, record_state

HERE = socket.gethostname()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with open_place(Place, folder=tmp_path, monkeypatch=monkeypatch) as made:
        yield made


# submit


def test_a_submitted_run_needs_no_terminal_and_ends_by_itself(place: Place) -> None:
    fifo = place.make_fifo("gate")
    sums = json.dumps({"a": {"numbers": [1, 2], "wait_for": fifo}, "b": {"numbers": [3, 4]}})
    with place.start("submit", "toy", "--set", f"sums={sums}", "--cores", "1") as command:
        told = command.communicate(timeout=PATIENCE_S)[0]
    assert command.returncode == 0, told
    run = Path("runs/toy-standard-1")
    match = re.match(rf"{run} runs as process (\d+) on {HERE}; this terminal may be closed\.\n", told)
    assert match is not None, told
    assert f"alkaliflow watch {run}\n" in told
    pid = int(match[1])
    with Path(fifo).open("wb"):  # its worker is there
        assert os.getsid(pid) == pid
        streams = [Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)]
        assert streams == [Path("/dev/null"), place.folder / run / "driver.log", place.folder / run / "driver.log"]
        line = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
        assert line[1:] == ["-P", "-m", "workflows.cli", "resume", str(place.folder / run), "--cores", "1"]
        again = place.call("submit", str(run))
        assert again.exit_code == 2
        assert f"{run}: process {pid} on {HERE} is working on this run" in again.output
        ((row),) = json.loads(place.call("status", "--json").output)
        assert (row["status"], row["running"], row["known"], row["driver"]) == ("running", 1, 2, f"{pid} on {HERE}")
        assert row["sign_s_ago"] < PATIENCE_S
    assert place.await_driver_end(run) == "completed"
    ((row),) = json.loads(place.call("status", "--json").output)
    assert [row[name] for name in ("status", "done", "running", "queued", "failed", "driver")] == [
        *("completed", 2, 0, 0, 0, "none")
    ]
    assert "The sums are [3.0, 7.0]." in place.call("logs", str(run)).output
    assert "is completed, needs a run with something left to do" in place.call("submit", str(run)).output


def test_what_run_would_refuse_is_refused_before_anything_starts(place: Place) -> None:
    for arguments, part in (
        (["submit", "toyy"], "toyy is not a flow"),
        (["submit", "toy", "--set", "sum=1"], "sum"),
        (["submit", "toy", "gone.yaml"], "gone.yaml: there is no such file"),
        (["submit", "gone/run"], "gone/run is not a flow"),
    ):
        result = place.call(*arguments)
        assert result.exit_code == 2, result.output
        assert part in result.output
    assert not (place.folder / "runs").exists()


def test_a_driver_that_cannot_take_its_run_is_told_with_its_words(place: Place) -> None:
    run = place.submit("r", a={})
    assert place.await_driver_end(run) == "completed"
    record_state(run, status="stopped")
    (run / "config.yaml").write_text("sums: {}\nspeed: 3\n")
    result = place.call("submit", str(run))
    assert result.exit_code == 1
    assert "r: the driver ended at once, with exit code 2. Its last lines" in result.output
    assert "speed" in result.output
    given = place.call("submit", str(run), "--workdir", "other")
    assert "is a run with a configuration of its own, --workdir cannot change it" in given.output


def test_a_run_that_fails_while_it_is_prepared_says_so_and_is_not_begun_for_ever(place: Place) -> None:
    run = place.submit("r", a={})
    place.await_driver_end(run)
    document = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**document, "input_files": {"gone.pod": "0" * 64}}))
    record_state(run, status="running")
    assert place.call("resume", "--all").exit_code in (0, 1)  # by whether it has ended when it is looked at
    assert place.await_driver_end(run) == "failed"
    assert "gone.pod: is missing" in read_state(run)["message"]
    assert "left alone: runs/r: is failed" in place.call("resume", "--all").output


# resume --all


def test_runs_whose_driver_died_go_on_and_their_workers_are_found_again(place: Place) -> None:
    fifo = place.make_fifo("gate")
    run = place.submit("r", a={"wait_for": fifo})
    with Path(fifo).open("wb"):
        place.kill_driver(run)
        assert read_state(run)["status"] == "interrupted"
        ((row),) = json.loads(place.call("status", "--json").output)
        assert (row["status"], row["running"], row["driver"]) == ("interrupted", 1, "none")
        assert row["reason"] == "its driver is gone; go on with: alkaliflow submit runs/r"
        result = place.call("resume", "--all")
        assert re.fullmatch(rf"runs/r: goes on as process \d+ on {HERE}\n", result.output)
        again = place.call("resume", "--all", "runs")
        assert re.fullmatch(
            r"left alone: runs/r: process \d+ on .* is working on this run, needs to be free\. Wait for it\.\n",
            again.output,
        )
    assert place.await_driver_end(run) == "completed"
    assert count_executions(place.job(run, "a")) == 1


def test_two_timers_at_once_start_one_driver(place: Place) -> None:
    fifo = place.make_fifo("gate")
    run = place.submit("r", a={"wait_for": fifo})
    with Path(fifo).open("wb"):
        place.kill_driver(run)
        timers = [place.start("resume", "--all", "--json") for _ in range(2)]
        told = [json.loads(timer.communicate(timeout=PATIENCE_S)[0]) for timer in timers]
        assert [timer.returncode for timer in timers] == [0, 0]
        assert sorted(len(document["started"]) for document in told) == [0, 1]
    assert place.await_driver_end(run) == "completed"
    assert count_executions(place.job(run, "a")) == 1


def test_a_run_is_never_free_between_its_starter_and_its_driver(place: Place) -> None:
    fifo = place.make_fifo("gate")
    run = place.submit("r", a={"wait_for": fifo})
    with Path(fifo).open("wb"):
        place.kill_driver(run)
        process = begin_driver(run)
        assert not run_lock.is_free(run)  # long before it has read what it is to do
        with pytest.raises(InputError, match="is working on this run"):
            begin_driver(run)
        assert await_driver(run, process).pid == process.pid
    assert place.await_driver_end(run) == "completed"
    assert run_lock.is_free(run)
    assert count_executions(place.job(run, "a")) == 1


def test_only_interrupted_runs_go_on(place: Place) -> None:
    for status in ("created", "stopped", "cancelled", "failed", "completed"):
        run = Path("runs") / status
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"flow": "toy", "store": "store", "created": "2026"}))
        record_state(run, status=status)
    result = place.call("resume", "--all")
    assert result.exit_code == 0
    assert [line.split(",")[0] for line in result.output.splitlines()] == [
        f"left alone: runs/{status}: is {status}" for status in ("cancelled", "created", "failed", "stopped")
    ]
    shutil.rmtree("runs")
    assert place.call("resume", "--all").output == "Nothing to go on with below runs.\n"
    assert "resume needs the directory of a run, or --all" in place.call("resume").output


def test_a_driver_on_another_host_is_gone_when_it_is_silent_and_the_lock_is_free(place: Place) -> None:
    run = place.submit("r", a={})
    assert place.await_driver_end(run) == "completed"
    record_state(run, status="running")
    process = json.loads((run / "run.lock").read_text())
    (run / "run.lock").write_text(json.dumps({**process, "host": "elsewhere"}))
    ((row),) = json.loads(place.call("status", "--json").output)
    assert (row["status"], row["driver"]) == ("running", f"{process['pid']} on elsewhere")
    assert re.search(r"on elsewhere gave a sign of life \d+ s ago", place.call("resume", "--all").output)
    cancelled = place.call("cancel", "runs/r")
    assert cancelled.exit_code == 2
    assert f"its driver is process {process['pid']} on elsewhere, needs to be on this host" in cancelled.output
    os.utime(run / "run.lock", (0, 0))
    with place.start("resume", "--all") as timer:
        assert "runs/r: goes on as process" in timer.communicate(timeout=PATIENCE_S)[0]
    assert place.await_driver_end(run) == "completed"


def test_several_runs_are_resumed_one_after_the_other_and_one_that_is_broken_does_not_stop_the_rest(
    place: Place,
) -> None:
    runs = [place.submit(name, a={}) for name in ("x", "y")]
    for run in runs:
        place.await_driver_end(run)
        record_state(run, status="stopped")
    result = place.call("resume", "gone", *map(str, runs))
    assert result.exit_code == 2
    assert "gone: there is no such directory" in result.output
    assert [read_state(run)["status"] for run in runs] == ["completed", "completed"]
    assert not any(run_lock.is_held_here(run) for run in runs)


# cancel


def test_a_cancelled_run_leaves_no_process_and_goes_on_when_told(place: Place) -> None:
    fifo = place.make_fifo("gate")
    run = place.submit("r", a={"wait_for": fifo})
    with Path(fifo).open("wb"):
        (attempt,) = place.attempts(run, "a")
        started = attempt.started()
        assert started is not None
        result = place.call("cancel", "runs/r")
        assert result.exit_code == 0, result.output
        assert re.match(rf"driver: process \d+ on {HERE} stopped\na: stopped with the driver\n", result.output)
        assert wait_until_ended(started["process"], timeout_s=0)
    assert read_state(run)["status"] == "cancelled"
    assert derive_state(place.job(run, "a")) == "stopped"
    assert "left alone: runs/r: is cancelled" in place.call("resume", "--all").output
    assert "There was nothing to stop." in place.call("cancel", "runs/r").output
    assert place.call("submit", "runs/r").exit_code == 0
    with Path(fifo).open("wb"):
        pass
    assert place.await_driver_end(run) == "completed"
    assert count_executions(place.job(run, "a")) == 2


def test_workers_without_a_driver_are_stopped_too(place: Place) -> None:
    fifo = place.make_fifo("gate")
    run = place.submit("r", a={"wait_for": fifo})
    with Path(fifo).open("wb"):
        place.kill_driver(run)
        (attempt,) = place.attempts(run, "a")
        pid = (attempt.started() or {})["process"]["pid"]
        result = place.call("cancel", "runs/r", "--json")
        assert json.loads(result.output) == {"driver": "", "stopped": {"a": f"process {pid} stopped"}, "left": {}}
    assert read_state(run)["status"] == "cancelled"
    ended = attempt.ended()
    assert ended is not None
    assert ended["status"] == "stopped"


def test_a_calculation_that_another_living_run_wants_goes_on(place: Place) -> None:
    fifo = place.make_fifo("gate")
    first = place.submit("first", a={"wait_for": fifo})
    with Path(fifo).open("wb"):
        second = place.submit("second", b={"wait_for": fifo})
        with place.start("logs", str(second), "-f") as follower:
            assert follower.stdout is not None
            assert any(line == "driver: b: running\n" for line in follower.stdout)
            result = place.call("cancel", "runs/first")
            assert "a: left alone, runs/second wants it too\n" in result.output.replace(f"{place.folder}/", "")
            (attempt,) = place.attempts(first, "a")
            assert derive_state(place.job(first, "a")) == "running"
            assert read_state(first)["status"] == "cancelled"
            follower.terminate()
    assert place.await_driver_end(second) == "completed"
    assert count_executions(place.job(second, "b")) == 1
    ended = attempt.ended()
    assert ended is not None
    assert ended["status"] == "done"


def test_of_named_calculations_only_those_are_stopped(place: Place) -> None:
    fifos = {label: place.make_fifo(label) for label in ("a", "b")}
    run = place.submit("r", **{label: {"wait_for": fifo} for label, fifo in fifos.items()})
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    with Path(fifos["a"]).open("wb"), Path(fifos["b"]).open("wb"):
        assert "none of its 2 calculations is called z" in place.call("cancel", "runs/r", "z").output  # no key has a z
        result = place.call("cancel", "runs/r", "a")
        assert "b: left alone, not asked for, goes on without a driver\n" in result.output
        assert derive_state(place.job(run, "a")) == "stopped"
        (attempt,) = place.attempts(run, "b")
        worker = (attempt.started() or {})["process"]
    assert wait_until_ended(worker, timeout_s=PATIENCE_S)
    assert derive_state(place.job(run, "b")) == "done"


# logs and watch


def test_logs_are_followed_until_the_run_ends(place: Place) -> None:
    fifo = place.make_fifo("gate")
    run = place.submit("r", a={"wait_for": fifo})
    with place.start("logs", str(run), "-f") as follower, place.start("watch", str(run)) as watcher:
        assert follower.stdout is not None
        assert watcher.stdout is not None
        with Path(fifo).open("wb"):
            assert any(line == "driver: a: running\n" for line in follower.stdout)
            told = "runs/r: running, 0 done, 1 running, 0 queued, 0 failed of 1\n"
            assert any(line == told for line in watcher.stdout)
            (attempt,) = place.attempts(run, "a")
            with (attempt.directory / "worker.log").open("a") as log:
                log.write("step 12\n")
            assert follower.stdout.readline() == "a: step 12\n"
        assert "driver: The sums are [3.0].\n" in follower.stdout.read()
        assert watcher.stdout.read() == "runs/r: completed, 1 done, 0 running, 0 queued, 0 failed of 1\n"
    assert (follower.returncode, watcher.returncode) == (0, 0)


def read_until(terminal: int, part: bytes) -> bytes:
    """What a process shows in its terminal, up to some words."""
    shown = b""
    while part not in shown:
        assert select.select([terminal], [], [], PATIENCE_S)[0], shown
        shown += os.read(terminal, 4096)
    return shown


def test_watching_in_a_terminal_is_live_and_ctrl_c_stops_nothing(place: Place) -> None:
    try:
        ours, theirs = os.openpty()
    except OSError as error:
        pytest.skip(f"there are no pseudo-terminals here ({error.strerror}); mount devpts at /dev/pts")
    fifo = place.make_fifo("gate")
    run = place.submit("r", a={"wait_for": fifo})
    command = [sys.executable, "-P", "-m", "workflows.cli", "watch"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with Path(fifo).open("wb"):
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as watcher:
            os.close(theirs)
            try:
                assert b"sign of life" in read_until(ours, b"runs/r")
                watcher.send_signal(signal.SIGINT)
                assert b"To watch again: alkaliflow watch runs" in read_until(ours, b"watch runs\r\n")
            except BaseException:
                watcher.kill()
                raise
        os.close(ours)
        assert watcher.returncode == 0
        assert read_state(run)["status"] == "running"
    assert place.await_driver_end(run) == "completed"


def test_the_log_of_a_failed_calculation_is_shown_by_run_and_by_key(place: Place) -> None:
    run = place.submit("r", a={"fail": "bug"}, b={"numbers": [9]})
    assert place.await_driver_end(run) == "failed"
    assert "a: ZeroDivisionError" in place.call("logs", "runs/r").output
    key = place.job(run, "a").name
    assert "ZeroDivisionError" in place.call("logs", key[:10], "--lines", "2").output
    rows = {row["label"]: row for row in json.loads(place.call("status", "runs/r", "--json").output)}
    assert (rows["a"]["state"], rows["a"]["executions"], rows["a"]["reason"]) == ("crashed", 1, "ZeroDivisionError")
    assert (rows["b"]["state"], rows["b"]["attempts"], rows["b"]["executions"]) == ("done", 1, 1)
    shown = place.call("status", "runs/r").output
    assert re.search(r"^a +crashed +1 +1 +ZeroDivisionError +\w{12}$", shown, re.MULTILINE)
    assert re.search(r"a \(\w{12}\) failed: ZeroDivisionError$", place.call("status").output, re.MULTILINE)
    assert "gone: there is no such directory" in place.call("status", "gone").output


# retry


def test_failures_get_a_new_chance_and_good_results_stay(place: Place) -> None:
    run = place.submit("r", a={"fail": "science"}, b={"numbers": [9]})
    assert place.await_driver_end(run) == "failed"
    failed, good = place.job(run, "a") / "result.json", place.job(run, "b") / "result.json"
    digest, before = compute_sha256(failed), good.stat()
    assert "retry needs --failed" in place.call("retry", "runs/r").output
    result = place.call("retry", "runs/r", "--failed")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("a: again; it failed: the SCF did not converge in 100 iterations\nruns/r runs as")
    assert place.await_driver_end(run) == "failed"
    (kept,) = (place.folder / "store" / "quarantine").iterdir()
    assert compute_sha256(kept) == digest
    assert len(place.attempts(run, "a")) == 2
    assert failed.exists()
    assert (good.stat().st_ino, good.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_run_without_failures_is_not_retried(place: Place) -> None:
    run = place.submit("r", a={})
    assert place.await_driver_end(run) == "completed"
    result = place.call("retry", "runs/r", "--failed")
    assert result.exit_code == 2
    assert "none of its 1 calculations has failed" in result.output
    assert isinstance(place.store().result(place.job(run, "a").name), Finished)


def test_a_calculation_whose_attempts_are_used_up_is_retried_in_the_foreground(place: Place) -> None:
    run = place.submit("r", a={"fail": "passing"})
    assert place.await_driver_end(run) == "failed"
    n_attempts = len(place.attempts(run, "a"))
    assert n_attempts == 3
    result = place.call("retry", "runs/r", "--failed", "--foreground")
    assert "a: again; it failed: the node went away" in result.output
    assert result.exit_code == 1
    assert len(place.attempts(run, "a")) == 2 * n_attempts


# clean


def test_an_analysis_repeats_after_a_cleaning(place: Place) -> None:
    run = place.submit("r", a={}, b={"numbers": [9]})
    assert place.await_driver_end(run) == "completed"
    answer = (run / "results.json").read_text()
    (attempt,) = place.attempts(run, "a")
    (attempt.directory / "wavefunction.gpw").write_bytes(b"0" * 1000)
    result = place.call("clean", "--yes")
    assert result.output.splitlines()[0] == f"store {place.folder / 'store'}"
    assert "Freed 0.001 MB." in result.output
    assert {path.name for path in attempt.directory.iterdir()} >= {"numbers.txt", "worker.log", "started.json"}
    assert place.call("analyse", "runs/r").exit_code == 0
    assert json.loads((run / "results.json").read_text())["observables"] == json.loads(answer)["observables"]


# Prefect


@pytest.fixture
def server(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Prefect server as a user would start one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    application = ["--factory", "prefect.server.api.server:create_app", "--lifespan", "on", "--log-level", "error"]
    command = [sys.executable, "-P", "-m", "uvicorn", *application, "--host", "127.0.0.1", "--port", str(port)]
    environment |= {"PREFECT_HOME": str(place.folder / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with (place.folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    PrivateServer(url=url, process=process, log=place.folder / "server.log").wait_until_ready()
    yield url
    process.terminate()
    process.wait()


def ask(url: str, flow_run: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/flow_runs/{flow_run}", timeout=60) as answer:  # noqa: S310 (a server of this test)
        document: dict[str, Any] = json.loads(answer.read())
    return document


@pytest.mark.slow
def test_the_flow_of_a_driver_that_died_is_crashed_on_the_users_server(place: Place, server: str) -> None:
    fifo = place.make_fifo("gate")
    sums = json.dumps({"a": {"wait_for": fifo}})
    with place.start("submit", "toy-prefect", "--workdir", "runs/r", "--set", f"sums={sums}") as command:
        assert command.wait(timeout=PATIENCE_S) == 0
    run = Path("runs/r")
    with Path(fifo).open("wb"):
        place.kill_driver(run)
        first = read_state(run)["flow_run"]
        assert ask(server, first)["state_type"] == "RUNNING"  # as the server would have it for ever
        with place.start("resume", "--all") as command:
            assert command.wait(timeout=PATIENCE_S) == 0
    assert place.await_driver_end(run) == "completed"
    last = read_state(run)["flow_run"]
    assert (ask(server, first)["state_type"], ask(server, last)["state_type"]) == ("CRASHED", "COMPLETED")
    assert "Its process died" in ask(server, first)["state"]["message"]
    assert count_executions(place.job(run, "a")) == 1
