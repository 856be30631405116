"""relax, md, single-point and job show on a real, small calculation."""

import json
import os
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import read
from typer.testing import CliRunner, Result

from workflows.calculators.spec import CalculatorSpec
from workflows.cli import app
from workflows.jobs.attempt import claim_attempt, derive_state
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store

EMT = ("--calculator", "ase", "--potential", "ase.calculators.emt:EMT", "--set", "calculator.trust_code=true")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def _copper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALKALIFLOW_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(tmp_path / "slots"))
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.write("cu.extxyz")


def test_single_point_prints_values_and_uses_the_store_the_second_time() -> None:
    first = call("single-point", "cu.extxyz", *EMT, "--json")
    assert first.exit_code == 0, first.output
    document = json.loads(first.stdout)
    assert document["values"]["n_atoms"] == 4
    assert document["reused"] is False
    again = json.loads(call("single-point", "cu.extxyz", *EMT, "--json").stdout)
    assert again["reused"] is True
    assert again["values"] == document["values"]


def test_job_show_finds_it_by_the_first_letters() -> None:
    key = json.loads(call("single-point", "cu.extxyz", *EMT, "--json").stdout)["key"]
    result = call("job", "show", key[:8])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("single_point of cu.extxyz (single_point): done\n")
    assert f"key        {key}" in result.output
    assert "attempt 0  done" in result.output
    document = json.loads(call("job", "show", key[:8], "--json").output)
    assert (document["state"], document["executions"], document["input"]) == ("done", 1, None)
    assert call("job", "show", "zzz").exit_code == 2


def test_job_revoke_closes_an_attempt_that_cannot_be_seen_and_leaves_one_that_lives(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    key = store.create(Calculation("single_point", bulk("Cu"), CalculatorSpec("ase")))
    attempt = claim_attempt(store.job_directory(key), target="test")
    assert attempt is not None
    attempt.start(None)
    refused = call("job", "revoke", key[:8])
    assert refused.exit_code == 2
    assert f"is running here as process {os.getpid()}" in refused.output
    started = attempt.directory / "started.json"
    started.write_text(started.read_text().replace('"host": "', '"host": "not-'))
    result = call("job", "revoke", key[:8])
    assert result.exit_code == 0, result.output
    assert derive_state(store.job_directory(key)) == "lost"


def test_relax_writes_the_structure_in_the_format_of_its_name(tmp_path: Path) -> None:
    result = call("relax", "cu.extxyz", *EMT, "--max-force", "0.05", "-o", "relaxed.vasp")
    assert result.exit_code == 0, result.output
    assert "written                     relaxed.vasp" in result.output
    relaxed = read(tmp_path / "relaxed.vasp")
    assert len(relaxed) == 4
    result = call("relax", "cu.extxyz", *EMT, "--max-force", "0.05", "-o", "relaxed.nonsense")
    assert result.exit_code == 2
    assert "Choose a name such as relaxed.extxyz" in result.output


def test_md_of_a_few_steps() -> None:
    lengths = (
        "--length-ps",
        "0.3",
        "--set",
        "heat_steps=0",
        "--set",
        "equilibrate_steps=0",
        "--set",
        "segment_steps=100",
    )
    result = call("md", "cu.extxyz", *EMT, *lengths, "--set", "production_steps=200", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["values"]["last_step"] == 200
    assert len(document["trajectories"]) == 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("md", "cu.extxyz", "--temperature-K", "-5"), "alkaliflow md: temperature_K is -5, needs a value above 0 K"),
        (("md", "cu.extxyz", "--timestep-fs", "0"), "timestep_fs is 0, needs a value above 0 fs"),
        (("single-point", "cu.extxyz", "--calculator", "emt"), "There is no calculator 'emt'"),
        (("single-point", "cu.extxyz", "--calculator", "ase", "--potential", "ase.calculators.emt:EMT"), "trust_code"),
        (("single-point", "cu.extxyz", *EMT, "--set", "nonsense"), "needs the form section.key=value"),
        (("single-point", "cu.extxyz", *EMT, "-o", "gone/x.extxyz"), "its folder does not exist"),
        (("relax", "cu.extxyz", *EMT, "--set", "max_stepz=3"), "max_stepz"),
        (("relax", "empty.cif", *EMT), "empty.cif is empty"),
        (("relax", "binary.cif", *EMT), "binary.cif is a binary file"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], part: str, tmp_path: Path) -> None:
    (tmp_path / "empty.cif").write_bytes(b"")
    (tmp_path / "binary.cif").write_bytes(b"data_\0\0")
    result = call(*arguments)
    assert part in result.output
    assert result.exit_code == 2
    assert "Traceback" not in result.output
