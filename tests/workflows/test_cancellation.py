"""What cancel does with calculations that are in a queue, on another host, begun by hand, or not begun."""

import json
from pathlib import Path

import pytest

from workflows.cancellation import cancel_run
from workflows.jobs.attempt import Attempt, claim_attempt, derive_state
from workflows.jobs.durable import create_json, write_json
from workflows.jobs.process import describe_process
from workflows.run_state import read_state, record_state

HERE = describe_process()
GONE = {**HERE, "start_ticks": "-1"}


class Place:
    """A run whose driver is gone, with one calculation that was given to a target."""

    def __init__(self, path: Path, *, target: str, **details: str) -> None:
        key = "ab" * 32
        self.run, self.job = path / "r", path / "store" / "jobs" / "ab" / key
        self.run.mkdir()
        self.job.mkdir(parents=True)
        write_json(self.run / "run.json", {"flow": "toy", "store": str(path / "store"), "created": "2026"})
        record_state(self.run, status="running", keys={"a": key})
        (self.run / "run.lock").write_text(json.dumps(GONE))
        claimed = claim_attempt(self.job, target=target, details=details)
        assert claimed is not None
        self.attempt: Attempt = claimed

    def begin(self, process: object) -> None:
        create_json(self.attempt.directory / "started.json", {"process": process})


def test_a_calculation_that_waits_in_a_queue_is_closed_even_if_the_scheduler_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, target="slurm:main", bundle="0123abcd")
    monkeypatch.setenv("PATH", str(tmp_path))
    (words,) = cancel_run(place.run).stopped.values()
    assert words.startswith("closed; squeue cannot be started")
    assert place.attempt.is_revoked()
    assert read_state(place.run)["status"] == "cancelled"


def test_an_attempt_that_no_worker_has_begun_is_closed(tmp_path: Path) -> None:
    place = Place(tmp_path, target="local")
    assert cancel_run(place.run).stopped == {"a": "was not begun"}
    assert place.attempt.is_revoked()
    assert derive_state(place.job) == "new"


def test_a_worker_on_another_host_and_one_begun_by_hand_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    elsewhere, by_hand = Place(tmp_path / "x", target="local"), Place(tmp_path / "y", target="by hand")
    elsewhere.begin({**HERE, "host": "elsewhere"})
    assert cancel_run(elsewhere.run).left == {"a": "its worker is on host elsewhere, stop it there"}
    by_hand.begin(HERE)
    done = cancel_run(by_hand.run)
    assert (done.left, done.stopped) == ({"a": "its worker was started by hand"}, {})
    assert derive_state(by_hand.job) == "running"


def test_what_has_ended_stays_as_it_ended(tmp_path: Path) -> None:
    place = Place(tmp_path, target="local")
    place.attempt.revoke()
    for status in ("completed", "failed", "stopped"):
        record_state(place.run, status=status, message="why")
        done = cancel_run(place.run)
        assert (done.driver, done.stopped, done.left) == ("", {}, {})
        assert (read_state(place.run)["status"], read_state(place.run)["message"]) == (status, "why")
