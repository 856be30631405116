"""Calculations through a real queue: arrays, packs, limits, refusals; and commands of Slurm that lie, hang or fail."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from structures.errors import CalculationError
from tests.cluster.conftest import build_queue
from tests.cluster.one_node import OneNodeSlurm, write_wrapper
from workflows.drive import run_calculations
from workflows.jobs.attempt import count_executions, list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.queues import QueueWatch
from workflows.jobs.slurm import RefusedError, Slurm
from workflows.jobs.store import Finished, Store

Event = Mapping[str, Any]


def sums(n: int, **settings: object) -> list[Calculation]:
    return [Calculation("toy_sum", settings={"numbers": (k, 1.0), **settings}) for k in range(n)]


def executions(store: Store, results: list[Finished]) -> list[int]:
    return [count_executions(store.job_directory(result.key)) for result in results]


@pytest.fixture
def wrap(tmp_path: Path, slurm: OneNodeSlurm, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a script before a command of Slurm."""

    def put(name: str, text: str) -> None:
        folder = write_wrapper(tmp_path / "wrappers", name, text=text, environment=slurm.environment)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{slurm.environment['PATH']}")

    return put


def test_calculations_of_one_kind_are_one_array_and_run_once(store: Store) -> None:
    results = run_calculations([*sums(5), Calculation("toy_walk", seed=3)], store=store, executor=build_queue(store))
    assert [result.values["sum"] for result in results[:5]] == [1, 2, 3, 4, 5]
    assert executions(store, results) == [1] * 6
    assert len(list((store.root / "bundles").iterdir())) == 2
    local = Store(store.root.parent / "local")
    (same,) = run_calculations([Calculation("toy_walk", seed=3)], store=local)
    of_queue, of_machine = ([(s / "path.npy").read_bytes() for s in r.segments] for r in (results[5], same))
    assert of_queue == of_machine


def test_a_job_gets_nothing_of_the_environment_but_what_it_needs(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "hidden-7391")
    seen = tmp_path / "seen"
    run_calculations(sums(1), store=store, executor=build_queue(store, setup=[f"env > {seen}"], scratch=str(tmp_path)))
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert {"PATH", "PYTHONPATH", "TMPDIR"} <= names
    assert "PREFECT_API_KEY" not in names
    written = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    assert not any(b"hidden-7391" in content for content in written)
    for bundle in (store.root / "bundles").iterdir():
        assert bundle.stat().st_mode & 0o077 == 0


def test_packed_calculations_share_an_entry_and_one_that_crashes_takes_no_other_with_it(store: Store) -> None:
    wanted = sums(4)
    failing = Calculation("toy_sum", settings={"numbers": (9.0,), "fail": "bug"})
    with pytest.raises(CalculationError, match="ZeroDivisionError"):
        run_calculations([wanted[0], failing, *wanted[1:]], store=store, executor=build_queue(store, pack=5))
    results = [store.result(store.create(calculation)) for calculation in wanted]
    assert [result.values["sum"] for result in results if isinstance(result, Finished)] == [1, 2, 3, 4]
    assert len(list((store.root / "bundles").iterdir())) == 1


def test_no_more_entries_are_in_the_queue_than_the_profile_allows(store: Store, slurm: OneNodeSlurm) -> None:
    most = 0

    def count(_: Event) -> None:
        nonlocal most
        most = max(most, len(slurm.jobs()))

    results = run_calculations(sums(5), store=store, executor=build_queue(store, max_in_queue=2), on_progress=count)
    assert executions(store, results) == [1] * 5
    assert 1 <= most <= 2


def test_what_the_scheduler_refuses_is_said_and_not_tried_again(store: Store) -> None:
    with pytest.raises(CalculationError, match=r"sbatch refuses the job: .*partition.*Mend the cluster's profile"):
        run_calculations(sums(1), store=store, executor=build_queue(store, partition="nowhere"))
    (attempt,) = list_attempts(store.job_directory(store.create(sums(1)[0])))
    assert attempt.is_revoked()


def test_a_reply_that_is_lost_is_found_by_the_name_of_the_job(store: Store, wrap: Callable[..., None]) -> None:
    wrap("sbatch", '"$REAL" "$@" >/dev/null; exec sleep 60')
    ledger = store.root / "ledger"
    results = run_calculations(sums(2, ledger=str(ledger)), store=store, executor=build_queue(store))
    assert executions(store, results) == [1, 1]
    assert len(ledger.read_text().split()) == 2


@pytest.mark.parametrize(
    "text",
    [
        '"$REAL" "$@" >/dev/null; echo "(unreadable)"',
        '"$REAL" "$@" >/dev/null; echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1',
    ],
)
def test_garbage_from_sbatch_submits_nothing_twice(store: Store, wrap: Callable[..., None], text: str) -> None:
    wrap("sbatch", text)
    results = run_calculations(sums(2), store=store, executor=build_queue(store))
    assert executions(store, results) == [1, 1]


def test_a_submission_that_never_arrived_is_made_again(store: Store, wrap: Callable[..., None], tmp_path: Path) -> None:
    mark = tmp_path / "first"
    lost = 'echo "sbatch: error: Unable to contact slurm controller (connect failure)" >&2; exit 1'
    wrap("sbatch", f'[ -e {mark} ] && exec "$REAL" "$@"; : > {mark}; {lost}')
    (result,) = run_calculations(sums(1), store=store, executor=build_queue(store))
    assert executions(store, [result]) == [1]
    first, second = list_attempts(store.job_directory(result.key))
    assert first.is_revoked()
    assert not second.is_revoked()


@pytest.mark.parametrize(
    "text", ["exit 0", 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1', "sleep 60"]
)
def test_a_queue_that_shows_nothing_proves_nothing(store: Store, wrap: Callable[..., None], text: str) -> None:
    """An empty list, an error and silence of squeue, while the job is in the queue: nothing runs twice."""
    wrap("squeue", text)
    ledger = store.root / "ledger"
    results = run_calculations(sums(2, ledger=str(ledger)), store=store, executor=build_queue(store))
    assert len(ledger.read_text().split()) == 2
    assert executions(store, results) == [1, 1]


def test_a_number_that_is_given_again_is_not_taken_for_ours(slurm: OneNodeSlurm) -> None:
    number = slurm.run(
        "sbatch", "--parsable", "--job-name=another", "--output=/dev/null", "--wrap=exit 3"
    ).stdout.strip()
    watch = QueueWatch(Slurm())
    assert watch.scheduler.inspect(number, name="alkaliflow-0123") is None
    record = watch.scheduler.inspect(number, name="another")
    assert record is not None


def test_a_queue_that_is_full_is_waited_for(store: Store, wrap: Callable[..., None], tmp_path: Path) -> None:
    mark = tmp_path / "first"
    full = 'echo "sbatch: error: AssocMaxSubmitJobLimit: Batch job submission failed" >&2; exit 1'
    wrap("sbatch", f'[ -e {mark} ] && exec "$REAL" "$@"; : > {mark}; {full}')
    events: list[Event] = []
    (result,) = run_calculations(sums(1), store=store, executor=build_queue(store), on_progress=events.append)
    assert executions(store, [result]) == [1]
    assert any("takes no more jobs now" in event["reason"] for event in events if event["state"] == "waiting")


def test_refusals_carry_what_sbatch_said(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(RefusedError, match=r"(?i)memory"):
        Slurm().submit(script, name="alkaliflow-x", options=["--mem=900000M"], environment=dict(os.environ))
