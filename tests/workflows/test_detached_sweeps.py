"""Sweeps whose members run side by side, in the foreground and in the background, on real drivers and workers."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.detached_runs import PATIENCE_S, Place, open_place
from workflows import run_lock
from workflows.cli.sweep_members import choose_width
from workflows.jobs.attempt import count_executions, derive_state
from workflows.jobs.ending import send_signal, wait_until_ended
from workflows.run_state import read_state
from workflows.sweep_survey import read_sweep

HERE = socket.gethostname()
SWEEP = Path("runs/s")


class SweepPlace(Place):
    """As `Place`, for sweeps of the sums of a toy."""

    def write(self, *members: dict[str, dict[str, Any]]) -> str:
        """A file with a member for each mapping of sums."""
        path = self.folder / "sums.yaml"
        path.write_text(json.dumps({"sweep": {"sums": list(members)}}))
        return path.name

    def member(self, number: int) -> Path:
        return SWEEP / "members" / f"{number:03d}"

    def submit_sweep(self, *members: dict[str, dict[str, Any]], options: tuple[str, ...] = ("--members", "2")) -> None:
        given = [self.write(*members), "--workdir", str(SWEEP), "--quiet", *options]
        result = self.call("submit", "toy", *given)
        assert result.exit_code == 0, result.output

    def statuses(self) -> list[str]:
        return [member.status for member in read_sweep(SWEEP).members]

    def read_table(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads((SWEEP / "results.json").read_text())["observables"]["sweep"]["rows"]
        return rows

    def driver(self, path: Path) -> dict[str, Any]:
        process = run_lock.read_process(path)
        assert process is not None
        return dict(process)

    @contextlib.contextmanager
    def follow(self) -> Iterator["Follower"]:
        """What the sweep and its members print."""
        with self.start("logs", str(SWEEP), "-f", "-n", "1000") as process:
            try:
                yield Follower(process)
            finally:
                process.terminate()

    def end_all(self) -> None:
        for lock in self.folder.rglob(run_lock.LOCK_FILE):
            run_lock.release(lock.parent)
            if (process := run_lock.read_process(lock.parent) or {}).get("pid") != os.getpid():
                send_signal(process, signal.SIGKILL)
        super().end_all()


class Follower:
    """Reads lines up to those that are waited for, whichever of them comes first."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def wait_for(self, *patterns: str) -> None:
        missing = [pattern for pattern in patterns if not any(re.search(pattern, line) for line in self.lines)]
        assert self.process.stdout is not None
        while missing:
            line = self.process.stdout.readline()
            assert line, f"{missing} did not come, but:\n{''.join(self.lines)}"
            self.lines.append(line)
            missing = [pattern for pattern in missing if not re.search(pattern, line)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SweepPlace]:
    with open_place(SweepPlace, folder=tmp_path, monkeypatch=monkeypatch) as made:
        yield made


def test_members_side_by_side_compute_what_they_share_once(place: SweepPlace) -> None:
    fifo = place.make_fifo("gate")
    shared = {"numbers": [1, 2], "wait_for": fifo}
    place.submit_sweep({"a": shared}, {"b": shared, "c": {"numbers": [5, 6]}})
    driver = place.driver(SWEEP)
    with Path(fifo).open("wb"), place.follow() as follower:  # one worker is there, and both drivers wait for it
        follower.wait_for(
            r"001 driver: a: running",
            r"002 driver: b: running",
            r"member 001( \(sums = .*\))?: running, 0 done, 1 running, 0 queued$",
        )
        members = [place.driver(place.member(number)) for number in (1, 2)]
        assert len({driver["pid"], *(member["pid"] for member in members)}) == 3
        parents = [Path(f"/proc/{member['pid']}/stat").read_text().rpartition(")")[2].split()[1] for member in members]
        assert parents == [str(driver["pid"])] * 2
        line = Path(f"/proc/{members[0]['pid']}/cmdline").read_text().rstrip("\0").split("\0")
        directory = str(place.folder / place.member(1))
        assert line[1:] == ["-P", "-m", "workflows.cli", "resume", directory, "--under", str(driver["pid"])]
        ((row),) = json.loads(place.call("status", "--json").output)
        assert (row["run"], row["flow"], row["status"]) == ("runs/s", "sweep of toy", "running")
        counts = [row[name] for name in ("done", "running", "queued", "failed", "known", "counted")]
        assert counts == [0, 2, 0, 0, 2, "members"]
        assert row["driver"] == f"{driver['pid']} on {HERE}"
        assert row["sign_s_ago"] < PATIENCE_S
        rows = json.loads(place.call("status", str(SWEEP), "--json").output)
        assert [one["member"] for one in rows] == ["001", "002"]
        assert [one["driver"] for one in rows] == [f"{member['pid']} on {HERE}" for member in members]
        assert rows[1]["values"] == {"sums": {"b": shared, "c": {"numbers": [5, 6]}}}
        assert re.search(r"^001 +sums = .* running ", place.call("status", str(SWEEP)).output, re.MULTILINE)
        taken = place.call("submit", str(SWEEP))
        assert f"process {driver['pid']} on {HERE} is working on this run" in taken.output
    assert wait_until_ended(driver, timeout_s=PATIENCE_S)
    assert place.statuses() == ["completed", "completed"]
    assert place.job(place.member(1), "a") == place.job(place.member(2), "b")
    assert count_executions(place.job(place.member(1), "a")) == 1
    assert len(place.attempts(place.member(1), "a")) == 1
    assert [row["answer"] for row in place.read_table()] == ["The sums are [3.0].", "The sums are [3.0, 11.0]."]
    words = (SWEEP / "driver.log").read_text()
    assert re.search(r"^member 002: completed, 2 done, 0 running, 0 queued$", words, re.MULTILINE)
    assert "a: running" not in words
    assert "is completed, needs a run with something left to do" in place.call("submit", str(SWEEP)).output


def test_a_member_whose_driver_is_killed_stops_no_other(place: SweepPlace) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    fifos = [place.make_fifo(name) for name in ("one", "two")]
    place.submit_sweep({"a": {"wait_for": fifos[0]}}, {"b": {"wait_for": fifos[1]}}, {"c": {"numbers": [7]}})
    driver = place.driver(SWEEP)
    with place.follow() as follower:
        with Path(fifos[0]).open("wb"):
            place.kill_driver(place.member(1))
        follower.wait_for(r"member 003( \(.*\))?: completed")
        assert read_state(place.member(1))["message"].startswith("its driver was killed (SIGKILL)")
        ((row),) = json.loads(place.call("status", "--json").output)
        assert [row[name] for name in ("done", "failed", "status")] == [1, 1, "running"]
        assert row["reason"].startswith("member 001: its driver was killed (SIGKILL)")
        with Path(fifos[1]).open("wb"):
            pass
        assert wait_until_ended(driver, timeout_s=PATIENCE_S)
    assert place.statuses() == ["interrupted", "completed", "completed"]
    assert [row["status"] for row in place.read_table()] == ["interrupted", "completed", "completed"]
    words = (SWEEP / "driver.log").read_text()
    assert "1 of 3 members have no results (001). What failed is tried again by: alkaliflow resume" in words
    assert re.search(r"^left alone: runs/s: is failed", place.call("resume", "--all").output)
    (attempt,) = place.attempts(place.member(1), "a")
    worker = (attempt.started() or {})["process"]
    assert wait_until_ended(worker, timeout_s=PATIENCE_S)  # it went on, and what it found is used
    with place.start("resume", str(SWEEP)) as command:
        told = command.communicate(timeout=PATIENCE_S)[0]
    assert command.returncode == 0, told
    assert place.statuses() == ["completed"] * 3
    assert count_executions(place.job(place.member(1), "a")) == 1


def test_ctrl_c_stops_all_members_and_says_how_to_go_on(place: SweepPlace) -> None:
    fifos = [place.make_fifo(name) for name in ("one", "two")]
    file = place.write({"a": {"wait_for": fifos[0]}}, {"b": {"wait_for": fifos[1]}}, {"c": {}})
    with place.start("run", "toy", file, "--workdir", str(SWEEP), "--members", "2") as command:
        with contextlib.ExitStack() as gates:
            for fifo in fifos[: min(2, len(os.sched_getaffinity(0)))]:
                gates.enter_context(Path(fifo).open("wb"))
            drivers = [place.driver(place.member(number)) for number in (1, 2)]
            command.send_signal(signal.SIGINT)
            told = command.communicate(timeout=PATIENCE_S)[0]
        assert command.returncode == 130, told
    assert "members     3, 2 at a time in one store; each adds" in told
    stopped = "Stopped: 0 of 3 members are completed. Nothing is lost. Continue with: alkaliflow resume runs/s\n"
    assert stopped in told
    assert all(wait_until_ended(driver, timeout_s=0) for driver in drivers)
    assert place.statuses() == ["stopped", "stopped", "created"]
    assert derive_state(place.job(place.member(1), "a")) == "stopped"
    assert read_state(SWEEP)["members"] == 2  # for the next driver


def test_members_die_with_the_driver_of_the_sweep_which_is_started_again_as_one(place: SweepPlace) -> None:
    fifos = [place.make_fifo(name) for name in ("one", "two")]
    place.submit_sweep({"a": {"wait_for": fifos[0]}}, {"b": {"wait_for": fifos[1]}})
    with place.follow() as follower:
        with Path(fifos[0]).open("wb"):
            follower.wait_for(r"001 driver: a: running", r"002 driver: b: ")
            drivers = [place.driver(place.member(number)) for number in (1, 2)]
            place.kill_driver(SWEEP)
            assert all(wait_until_ended(driver, timeout_s=PATIENCE_S) for driver in drivers)
            ((row),) = json.loads(place.call("status", "--json").output)
            assert (row["status"], row["driver"], row["failed"]) == ("interrupted", "none", 0)
            assert row["reason"] == "its driver is gone; go on with: alkaliflow submit runs/s"
            result = place.call("resume", "--all")
            assert re.fullmatch(rf"runs/s: goes on as process \d+ on {HERE}\n", result.output)
            again = place.call("resume", "--all", str(SWEEP))
            assert re.fullmatch(r"left alone: runs/s: process \d+ on .* is working on this run.*\n", again.output)
        with Path(fifos[1]).open("wb"):
            pass
        driver = place.driver(SWEEP)
        assert wait_until_ended(driver, timeout_s=PATIENCE_S)
    assert place.statuses() == ["completed", "completed"]
    assert count_executions(place.job(place.member(1), "a")) == 1  # its worker was found again


def test_cancel_stops_driver_members_and_workers(place: SweepPlace) -> None:
    fifo = place.make_fifo("one")
    place.submit_sweep({"a": {"wait_for": fifo}}, {"b": {"wait_for": fifo}}, {"c": {}})
    with Path(fifo).open("wb"), place.follow() as follower:
        follower.wait_for(r"001 driver: a: running", r"002 driver: b: running")
        drivers = [place.driver(SWEEP), *(place.driver(place.member(number)) for number in (1, 2))]
        (attempt,) = place.attempts(place.member(1), "a")
        named = place.call("cancel", str(SWEEP), "a")
        assert "runs/s: is a sweep, a cannot be found in it" in named.output
        result = place.call("cancel", str(SWEEP), "--json")
        assert result.exit_code == 0, result.output
        done = json.loads(result.output)
        assert done["driver"] == f"process {drivers[0]['pid']} on {HERE}"
        assert done["stopped"] == {"001, a": "stopped with the driver", "002, b": "stopped with the driver"}
        assert all(wait_until_ended(driver, timeout_s=0) for driver in drivers)
        assert wait_until_ended((attempt.started() or {})["process"], timeout_s=0)
    assert place.statuses() == ["cancelled", "cancelled", "created"]
    assert read_sweep(SWEEP).status == "cancelled"
    assert "left alone: runs/s: is cancelled" in place.call("resume", "--all").output
    assert "There was nothing to stop." in place.call("cancel", str(SWEEP)).output


def test_what_another_living_run_wants_goes_on_when_a_sweep_is_cancelled(place: SweepPlace) -> None:
    fifo = place.make_fifo("one")
    place.submit_sweep({"a": {"wait_for": fifo}}, {"b": {"wait_for": fifo}})
    with Path(fifo).open("wb"):
        with place.follow() as follower:
            follower.wait_for(r"001 driver: a: running", r"002 driver: b: running")
        other = place.submit("other", x={"wait_for": fifo})
        with place.start("logs", str(other), "-f") as words:
            assert words.stdout is not None
            assert any(line == "driver: x: running\n" for line in words.stdout)
            words.terminate()
        result = place.call("cancel", str(SWEEP))
        assert "001, a: left alone, " in result.output
        assert "runs/other wants it too" in result.output
        assert place.statuses() == ["cancelled", "cancelled"]
        assert derive_state(place.job(other, "x")) == "running"
    assert place.await_driver_end(other) == "completed"
    assert count_executions(place.job(other, "x")) == 1


def test_failures_of_members_are_retried_together(place: SweepPlace) -> None:
    place.submit_sweep({"a": {"fail": "science"}}, {"b": {"numbers": [9]}}, options=("--members", "2", "--cores", "1"))
    assert wait_until_ended(place.driver(SWEEP), timeout_s=PATIENCE_S)
    assert place.statuses() == ["failed", "completed"]
    shown = place.call("logs", str(SWEEP)).output
    assert "001 driver: " in shown
    assert "the SCF did not converge" in shown
    result = place.call("retry", str(SWEEP), "--failed")
    assert result.output.startswith(
        "001, a: again; it failed: the SCF did not converge in 100 iterations\nruns/s runs as process"
    ), result.output
    assert wait_until_ended(place.driver(SWEEP), timeout_s=PATIENCE_S)
    assert place.statuses() == ["failed", "completed"]
    assert len(place.attempts(place.member(1), "a")) == 2
    assert len(place.attempts(place.member(2), "b")) == 1
    assert place.call("clean").output.startswith(f"store {place.folder / 'store'}\n")


def test_watching_a_sweep_shows_it_and_its_members_until_the_end(place: SweepPlace) -> None:
    fifo = place.make_fifo("one")
    place.submit_sweep({"a": {"wait_for": fifo}}, {"b": {"numbers": [4]}})
    with place.start("watch", str(SWEEP)) as watcher:
        assert watcher.stdout is not None
        with Path(fifo).open("wb"):
            told = "runs/s/members/001: running, 0 done, 1 running, 0 queued, 0 failed of 1\n"
            assert any(line == told for line in watcher.stdout)
        rest = watcher.stdout.read()
    assert "runs/s: completed, 2 done, 0 running, 0 queued, 0 failed of 2 members\n" in rest


def test_a_sweep_keeps_its_executor_and_its_width(place: SweepPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = place.make_fifo("one")
    options = ("--members", "3", "--executor", "local")
    place.submit_sweep({"a": {"wait_for": fifo}}, {"b": {"numbers": [4]}}, options=options)
    monkeypatch.delenv("ALKALIFLOW_EXECUTOR", raising=False)  # the command ran in this process
    with Path(fifo).open("wb"):
        state = read_state(SWEEP)
        assert (state["executor"], state["members"]) == ("local", 3)
        pid = place.driver(place.member(1))["pid"]
        assert b"ALKALIFLOW_EXECUTOR=local" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        place.kill_driver(SWEEP)
        assert place.call("resume", "--all").exit_code == 0
    assert wait_until_ended(place.driver(SWEEP), timeout_s=PATIENCE_S)
    assert place.statuses() == ["completed", "completed"]
    assert [read_state(place.member(number))["executor"] for number in (1, 2)] == ["local", "local"]


def test_what_run_would_refuse_is_refused_before_anything_starts(place: SweepPlace) -> None:
    for arguments, part in (
        (["submit", "toy", "--sweep", "sum=1,2"], "sum"),
        (["submit", "toy", "--members", "2"], "--members is 2, needs a sweep"),
        (["run", "toy", "--members", "2"], "--members is 2, needs a sweep"),
        (["resume", "--all", "--members", "2"], "--members is 2, needs a sweep"),
        (["submit", "toy", place.write({"a": {}}, {"a": {}})], "twice"),
    ):
        result = place.call(*arguments)
        assert result.exit_code == 2, result.output
        assert part in result.output
    assert not (place.folder / "runs").exists()


def test_on_a_cluster_members_fill_the_queue_and_here_they_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALKALIFLOW_EXECUTOR", raising=False)
    for asked, configured, expected in ((None, "local", 1), (None, "slurm:big", 8), (3, "slurm", 3), (2, "local", 2)):
        assert choose_width(asked, configured=configured) == expected
    monkeypatch.setenv("ALKALIFLOW_EXECUTOR", "slurm")
    assert choose_width(None, configured="local") == 8
    monkeypatch.setenv("ALKALIFLOW_EXECUTOR", "local")
    assert choose_width(None, configured="slurm") == 1


@pytest.mark.slow
def test_members_side_by_side_use_one_private_server(place: SweepPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = place.make_fifo("one")
    file = place.write({"a": {"wait_for": fifo}}, {"b": {"wait_for": fifo}})
    for name in [name for name in os.environ if name.startswith("PREFECT")]:
        monkeypatch.delenv(name)
    with place.start("submit", "toy-prefect", file, "--workdir", str(SWEEP), "--members", "2") as command:
        assert command.wait(timeout=PATIENCE_S) == 0
    driver = place.driver(SWEEP)
    with place.follow() as follower, Path(fifo).open("wb"):
        follower.wait_for(r"001 driver: a: running", r"002 driver: b: running")
        pids = [place.driver(place.member(number))["pid"] for number in (1, 2)]
        urls = {
            next(line for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"PREFECT_API_URL=" in line)
            for pid in pids
        }
        assert len(urls) == 1
        assert len(list((place.folder / "cache").rglob("server.log"))) == 1
    assert wait_until_ended(driver, timeout_s=PATIENCE_S)
    assert place.statuses() == ["completed", "completed"]
    assert count_executions(place.job(place.member(1), "a")) == 1
