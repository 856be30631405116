"""What may be deleted and what may not: after a cleaning every result reads and every analysis repeats."""

import fcntl
import json
import shutil
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from structures.errors import InputError
from workflows.cleaning import (
    HOMES,
    LEFTOVER_S,
    LEFTOVERS,
    QUARANTINE,
    QUARANTINE_S,
    SCRATCH,
    find_idle_homes,
    find_waste,
    measure_bytes,
    remove,
)
from workflows.cli import app
from workflows.drive import run_calculations, settle_calculations
from workflows.jobs.attempt import Attempt, claim_attempt
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store

GOOD = Calculation("toy_sum", settings={"numbers": [1.0, 2.0]})
WALK = Calculation("toy_walk", settings={"steps": 40}, seed=3)
BAD = Calculation("toy_sum", settings={"fail": "science"})
LATER_S = QUARANTINE_S + LEFTOVER_S


_COMPUTED: list[Path] = []


@pytest.fixture
def filled(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A good sum, dynamics and a failure, each with scratch; all kinds of leftovers."""
    if not _COMPUTED:
        _COMPUTED.append(tmp_path_factory.mktemp("computed"))
        settle_calculations([GOOD, WALK, BAD], store=Store(_COMPUTED[0]))
    shutil.copytree(_COMPUTED[0], store.root, dirs_exist_ok=True)
    for calculation in (GOOD, WALK, BAD):
        attempt = job(store, calculation) / "attempts" / "000"
        (attempt / "engine").mkdir()
        (attempt / "engine" / "wavefunction.gpw").write_bytes(b"0" * 1000)
        (attempt / "engine" / "relax.log").write_text("Step Energy\n")
    (store.root / "jobs" / f".new-{'0' * 32}").mkdir()
    (store.root / "jobs" / f".new-{'0' * 32}" / "structure.extxyz").write_bytes(b"0" * 10)
    (job(store, GOOD) / f".result.json.{'1' * 32}").write_bytes(b"0" * 20)
    (job(store, GOOD) / "attempts" / f".claim-{'2' * 32}").mkdir()
    (job(store, GOOD) / "attempts" / "000" / ".progress.json.123").write_bytes(b"0" * 30)
    (store.root / "quarantine").mkdir()
    (store.root / "quarantine" / "0a1b-result.json-12345678").write_bytes(b"0" * 40)
    return store


def job(store: Store, calculation: Calculation) -> Path:
    return store.job_directory(store.create(calculation))


def list_files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_only_scratch_beside_a_good_result_goes_at_once(filled: Store) -> None:
    waste = find_waste(filled.root)
    good, walk = (job(filled, each) / "attempts" / "000" / "engine" / "wavefunction.gpw" for each in (GOOD, WALK))
    assert {(one.kind, one.path, one.size_bytes) for one in waste} == {(SCRATCH, good, 1000), (SCRATCH, walk, 1000)}


def test_old_leftovers_and_old_quarantine_go_too(filled: Store) -> None:
    waste = find_waste(filled.root, now_s=time.time() + LATER_S)
    sizes = {kind: sum(one.size_bytes for one in waste if one.kind == kind) for kind in (LEFTOVERS, QUARANTINE)}
    assert sizes == {LEFTOVERS: 10 + 20 + 30, QUARANTINE: 40}
    assert sum(1 for one in waste if one.kind == LEFTOVERS) == 4
    a_day_later = find_waste(filled.root, now_s=time.time() + LEFTOVER_S + 60)
    assert {one.kind for one in a_day_later} == {SCRATCH, LEFTOVERS}


def test_after_a_cleaning_every_result_reads_and_nothing_else_is_gone(filled: Store) -> None:
    keys = list(filled.keys())
    before = [filled.result(key) for key in keys]
    files, segments = list_files(filled.root), list_files(filled.root / "chains")
    waste = find_waste(filled.root, now_s=time.time() + LATER_S)
    assert sum(remove(one) for one in waste) == sum(one.size_bytes for one in waste) == 2100
    assert [filled.result(key) for key in keys] == before
    assert sorted(type(result).__name__ for result in before) == ["Failed", "Finished", "Finished"]
    gone = {str(one.path.relative_to(filled.root)) for one in waste}
    assert files - list_files(filled.root) == {name for name in files if any(name.startswith(path) for path in gone)}
    assert list_files(filled.root / "chains") == segments != set()
    again = run_calculations([GOOD, WALK], store=filled)
    assert [(result.reused, result.executions) for result in again] == [(True, 1), (True, 1)]
    assert find_waste(filled.root, now_s=time.time() + LATER_S) == []


def test_a_running_attempt_and_a_calculation_without_a_result_keep_everything(filled: Store) -> None:
    for calculation in (GOOD, Calculation("toy_sum", settings={"numbers": [5.0]})):
        attempt = claim_attempt(job(filled, calculation), target="by hand")
        assert attempt is not None
        assert attempt.start(None)  # this process is its worker
        (attempt.directory / "wavefunction.gpw").write_bytes(b"0" * 7)
        assert attempt.directory not in {one.path.parent for one in find_waste(filled.root)}
    attempt = Attempt(1, job(filled, GOOD) / "attempts" / "001")
    attempt.end("lost", reason="revoked by hand", passing=True)
    assert attempt.directory not in {one.path.parent for one in find_waste(filled.root)}  # its worker still lives
    started = json.loads((attempt.directory / "started.json").read_text())
    started["process"]["start_ticks"] = "-1"
    (attempt.directory / "started.json").write_text(json.dumps(started))
    assert attempt.directory / "wavefunction.gpw" in {one.path for one in find_waste(filled.root)}


def test_a_damaged_result_protects_its_calculation(filled: Store) -> None:
    path = job(filled, GOOD) / "result.json"
    path.write_text(path.read_text().replace("done", "dome"))
    assert not any(one.path.is_relative_to(path.parent) for one in find_waste(filled.root))


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no store"):
        find_waste(tmp_path)


def test_homes_of_prefect_go_when_nobody_holds_them(tmp_path: Path) -> None:
    for number in range(2):
        home = tmp_path / "prefect-3" / str(number)
        home.mkdir(parents=True)
        (home / "prefect.db").write_bytes(b"0" * 50)
        home.with_name(f"{number}.lock").touch()
    waste = find_idle_homes(tmp_path)
    assert [(one.kind, one.path.name, one.size_bytes) for one in waste] == [(HOMES, "0", 50), (HOMES, "1", 50)]
    with (tmp_path / "prefect-3" / "1.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert [one.path.name for one in find_idle_homes(tmp_path)] == ["0"]
        assert [remove(one) for one in waste] == [50, 0]
    assert measure_bytes(tmp_path) == 50


def test_the_command_deletes_nothing_until_it_is_told_to(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ALKALIFLOW_STORE", str(filled.root))
    files = list_files(filled.root)
    listed = CliRunner().invoke(app, ["clean"])
    assert listed.exit_code == 0, listed.output
    assert "scratch of finished calculations  2       0.002 MB" in listed.output
    assert listed.output.endswith("Nothing was deleted. To free 0.002 MB: the same with --yes\n")
    assert list_files(filled.root) == files
    document = json.loads(CliRunner().invoke(app, ["clean", "--store", str(filled.root), "--json"]).output)
    assert (len(document["waste"]), document["freed_bytes"]) == (2, 0)
    assert CliRunner().invoke(app, ["clean", "--yes"]).output.endswith("Freed 0.002 MB.\n")
    assert len(files - list_files(filled.root)) == 2
    assert "There is nothing to delete." in CliRunner().invoke(app, ["clean"]).output
