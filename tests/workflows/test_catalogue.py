"""The catalogue takes results in, finds them, never blocks, and can be made again."""

import fcntl
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.db import connect

from analysis.results import Provenance, Results
from structures.errors import InputError
from workflows.catalogue import DATABASE, ENTRIES, build_key_values, rebuild, record, search


@pytest.fixture
def atoms() -> Atoms:
    atoms = Atoms("KBi", positions=[[0, 0, 0], [0, 0, 3]], cell=[5, 5, 9], pbc=True)
    atoms.set_array("region", [["potassium"], ["alloy"]], str)
    return atoms


def make(temperature_K: float = 300.0, **observables: Any) -> Results:  # noqa: ANN401 - JSON
    return Results(
        flow="potassium-diffusion",
        status="completed",
        config={"dynamics": {"temperature_K": temperature_K}, "structure": {"alloy": {"Bi": 1}}, "seed": 1},
        observables=observables,
        provenance=Provenance(created="2026-01-01"),
    )


def test_a_result_is_found_by_what_it_is(atoms: Atoms, tmp_path: Path) -> None:
    for number, temperature_K in enumerate((300.0, 350.0)):
        path = tmp_path / f"run{number}" / "results.json"
        assert record(make(temperature_K), structure=atoms, results_path=path, directory=tmp_path / "c")
    assert [row["temperature_K"] for row in search(directory=tmp_path / "c")] == [300.0, 350.0]
    (row,) = search("flow=potassium-diffusion,temperature_K>310,K=1", directory=tmp_path / "c")
    assert row["run"] == str(tmp_path / "run1" / "results.json")
    assert (row["n_atoms"], row["formula"]) == (2, "BiK")


def test_the_same_run_has_one_row(atoms: Atoms, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for temperature_K in (300.0, 400.0):
        assert record(make(temperature_K), structure=atoms, results_path=path, directory=tmp_path)
    assert [row["temperature_K"] for row in search(directory=tmp_path)] == [400.0]


def test_an_empty_catalogue_is_no_error(tmp_path: Path) -> None:
    assert search(directory=tmp_path / "nothing") == []
    assert rebuild(tmp_path / "nothing") == 0


def test_contrast_is_searchable(atoms: Atoms, tmp_path: Path) -> None:
    contrast = {"resolved": True, "difference_A": {"value": 7.9, "unit": "Å"}, "ratio": {"value": None, "unit": "1"}}
    record(make(contrast=contrast), structure=atoms, results_path=tmp_path / "r", directory=tmp_path)
    (row,) = search("resolved=1,contrast_difference_A>7", directory=tmp_path)
    assert "contrast_ratio" not in row


def test_values_that_ase_refuses_are_made_fit() -> None:
    pairs = build_key_values(Results("3.5", "completed", config={"structure": {"alloy": {"Bi": 1}}, "replicas": None}))
    assert pairs["flow"] == "_3.5"
    assert pairs["alloy"] == '{"Bi": 1}'
    assert "replicas" not in pairs


def test_what_became_of_the_crystal_can_be_searched_for() -> None:
    cases = {name: {"crystal_order": {"verdict": word}} for name, word in (("a", "crystal"), ("b", "lost"))}
    assert build_key_values(Results("f", "completed", observables={"cases": cases}))["crystal_order"] == "lost"
    assert "crystal_order" not in build_key_values(Results("f", "completed", observables={"cases": {"a": {}}}))


def test_an_alloy_of_ones_own_is_found_by_its_formula_and_its_file() -> None:
    own = {"formula": "Bi120Sb120", "file": "bisb.vasp", "sha256": "3f" * 32}
    pairs = build_key_values(Results("f", "completed", system={"alloy": own}, config={"structure": {}}))
    assert (pairs["alloy"], pairs["alloy_file"]) == ("Bi120Sb120", "bisb.vasp")


@pytest.mark.parametrize("kind", ["lock file", "sqlite"])
def test_a_lock_of_another_delays_but_never_blocks(kind: str, atoms: Atoms, tmp_path: Path) -> None:
    record(make(300.0), structure=atoms, results_path=tmp_path / "a", directory=tmp_path)
    if kind == "lock file":
        stream = (tmp_path / ".lock").open("a")
        fcntl.flock(stream, fcntl.LOCK_EX)
        release = stream.close
    else:
        connection = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        release = connection.close
    started = time.monotonic()
    assert not record(make(350.0), structure=atoms, results_path=tmp_path / "b", directory=tmp_path, timeout_s=0.3)
    assert time.monotonic() - started < 5
    release()
    assert len(search(directory=tmp_path)) == 1
    assert record(make(400.0), structure=atoms, results_path=tmp_path / "c", directory=tmp_path)
    assert sorted(row["temperature_K"] for row in search(directory=tmp_path)) == [300.0, 350.0, 400.0]


def test_rebuild_says_when_another_holds_the_lock(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(InputError, match=r"in use for more than 0.2 s"):
            rebuild(tmp_path, timeout_s=0.2)


def test_a_killed_writer_leaves_no_lock(atoms: Atoms, tmp_path: Path) -> None:
    script = (
        "import fcntl, sqlite3, sys, time\n"
        "stream = open(sys.argv[1] + '/.lock', 'a'); fcntl.flock(stream, fcntl.LOCK_EX)\n"
        "connection = sqlite3.connect(sys.argv[1] + '/catalogue.db', isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); time.sleep(600)\n"
    )
    record(make(300.0), structure=atoms, results_path=tmp_path / "a", directory=tmp_path)
    # What ASE's own lock would wait for, for ever.
    (tmp_path / f"{DATABASE}.lock").touch()
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        process.kill()
    assert record(make(350.0), structure=atoms, results_path=tmp_path / "b", directory=tmp_path, timeout_s=5)
    assert len(search(directory=tmp_path)) == 2


def test_rebuild_after_loss_and_damage(atoms: Atoms, tmp_path: Path) -> None:
    for number in range(3):
        record(make(300.0 + number), structure=atoms, results_path=tmp_path / str(number), directory=tmp_path)
    expected = search(directory=tmp_path)
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 100)
    assert not record(make(400.0), structure=atoms, results_path=tmp_path / "3", directory=tmp_path)
    assert rebuild(tmp_path) == 4
    assert search(directory=tmp_path)[:3] == expected
    (tmp_path / DATABASE).unlink()
    assert record(make(500.0), structure=atoms, results_path=tmp_path / "4", directory=tmp_path)
    assert len(search(directory=tmp_path)) == 5
    stored = connect(str(tmp_path / DATABASE), use_lock_file=False).get(temperature_K=301.0).toatoms()
    assert stored.get_chemical_symbols() == ["K", "Bi"]
    assert stored.cell.lengths() == pytest.approx([5, 5, 9])


def test_a_broken_or_newer_entry_hides_no_other(atoms: Atoms, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record(make(), structure=atoms, results_path=tmp_path / "a", directory=tmp_path)
    (tmp_path / ENTRIES / "broken.json").write_text("{", encoding="utf-8")
    (tmp_path / ENTRIES / "newer.json").write_text(json.dumps({"schema_version": 99}), encoding="utf-8")
    assert rebuild(tmp_path) == 1
    assert "broken.json cannot be read" in caplog.text
    assert "newer.json is of a newer alkaliflow" in caplog.text


def test_an_entry_that_the_database_refuses_stops_no_other(
    atoms: Atoms, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(make(), structure=atoms, results_path=tmp_path / "bad" / "results.json", directory=tmp_path)
    (path,) = (tmp_path / ENTRIES).glob("*.json")
    entry = json.loads(path.read_text())
    entry["key_values"]["calculator"] = "pod"
    path.write_text(json.dumps(entry))
    assert record(make(350.0), structure=atoms, results_path=tmp_path / "good" / "results.json", directory=tmp_path)
    assert 350.0 in [row["temperature_K"] for row in search(directory=tmp_path)]
    assert "cannot take" in caplog.text


def test_a_folder_that_cannot_be_written_is_told(atoms: Atoms, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="are safe"):
        record(make(), structure=atoms, results_path=tmp_path / "a", directory=tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
