"""relax, md, single-point and job show on a real, small calculation."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from ase.io import read
from typer.testing import CliRunner, Result

from workflows.calculators.spec import CalculatorSpec
from workflows.cli import app
from workflows.cli.one_file_settings import COMMANDS, find_settings_model
from workflows.configuration.sections import OneFileDynamics
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
    assert "Choose a name such as -o relaxed.extxyz" in result.output


def test_md_of_a_few_steps() -> None:
    sets = ("--set", "heat_ps=0", "--set", "equilibrate_ps=0", "--set", "segment_ps=0.3", "--set", "minimise=false")
    result = call("md", "cu.extxyz", *EMT, "--length-ps", "0.6", *sets, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["values"]["last_step"] == 200
    assert len(document["trajectories"]) == 2
    assert "note:" not in result.stderr


def test_dynamics_that_lasts_longer_than_asked_for_says_so() -> None:
    section = OneFileDynamics(production_ps=0.3)
    assert section.explain_rounding() == (
        "production: asked 0.3 ps, runs 3 ps (whole segments of 1000 steps, 3 ps, which a longer run goes on from). "
        "Exactly: --set segment_ps=0.3"
    )
    exact = OneFileDynamics(production_ps=0.3, segment_ps=0.3)
    assert exact.explain_rounding() == ""
    assert exact.production_steps * exact.timestep_fs == pytest.approx(300)
    assert OneFileDynamics().explain_rounding() == ""
    odd = OneFileDynamics(production_ps=2.0, timestep_fs=2.0)
    assert odd.explain_rounding().startswith("production: asked 2 ps, runs 3 ps (whole segments of 1500 steps, 3 ps,")
    assert "Exactly" not in odd.explain_rounding()


def test_notes_of_dynamics_stand_before_it_starts() -> None:
    result = call("md", "cu.extxyz", "--length-ps", "0.3", "--ensemble", "npt")
    assert result.exit_code == 2  # pod knows no copper
    assert "note: production: asked 0.3 ps, runs 3 ps" in result.stderr
    assert "note: npt keeps the stress along z at zero" in result.stderr
    assert "--barostat isotropic" in result.stderr
    isotropic = call("md", "cu.extxyz", "--ensemble", "npt", "--barostat", "isotropic")
    assert "note:" not in isotropic.stderr


def test_an_edited_factory_is_computed_anew_and_fresh_computes_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from ase.calculators.lj import LennardJones\nmake = lambda: LennardJones(sigma=2.3, epsilon=0.1)\n"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ".", prepend=":")
    arguments = (
        "--calculator",
        "ase",
        "--potential",
        "edited_on_cli:make",
        "--set",
        "calculator.trust_code=true",
        "--json",
    )

    def compute(*more: str) -> dict[str, Any]:
        result = call("single-point", "cu.extxyz", *arguments, *more)
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    (tmp_path / "edited_on_cli.py").write_text(code)
    first = compute()
    (tmp_path / "edited_on_cli.py").write_text(code.replace("0.1", "0.2"))
    second = compute()
    assert second["values"]["energy_eV"] == pytest.approx(2 * first["values"]["energy_eV"], rel=1e-9)
    again = compute("--fresh")
    assert (again["reused"], again["values"]) == (False, second["values"])
    assert again["key"] != second["key"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_what_can_be_set(command: str) -> None:
    result = call(command, "--help")
    for name in find_settings_model(command).model_fields:
        assert name in result.output
    for name in ("calculator.elements", "calculator.trust_code", "calculator.arguments"):
        assert f"\n{name}: " in result.output
    assert ("3 ps of heating and 3 ps of equilibration" in " ".join(result.output.split())) is (command == "md")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("md", "cu.extxyz", "--temperature-K", "-5"), "alkaliflow md: temperature_K is -5, needs a value above 0 K"),
        (("md", "cu.extxyz", "--timestep-fs", "0"), "timestep_fs is 0, needs a value above 0 fs"),
        (("single-point", "cu.extxyz", "--calculator", "emt"), "There is no calculator 'emt'"),
        (("single-point", "cu.extxyz", "--calculator", "ase", "--potential", "ase.calculators.emt:EMT"), "trust_code"),
        (("single-point", "cu.extxyz", *EMT, "--set", "nonsense"), "needs the form section.key=value"),
        (("single-point", "cu.extxyz", *EMT, "-o", "gone/x.extxyz"), "its folder does not exist"),
        (
            ("relax", "cu.extxyz", *EMT, "--set", "max_stepz=3"),
            "--set: max_stepz is not a known key. Did you mean max_",
        ),
        (("single-point", "cu.extxyz", *EMT, "--set", "x=3"), "--set: x is not a known key: nothing can be set here"),
        (("md", "cu.extxyz", *EMT, "--set", "heat=1"), "Did you mean heat_ps?"),
        (("relax", "cu.extxyz", *EMT, "--set", "calculator.sigma=4"), "Did you mean calculator.arguments.sigma?"),
        (("relax", "cu.extxyz", *EMT, "-o", "/proc/x.extxyz"), "/proc/x.extxyz: cannot be written ("),
        (("relax", "cu.extxyz", *EMT, "-o", "out.foo"), "out.foo: no format that can be written has such a name"),
        (("relax", "cu.extxyz", *EMT, "-o", "."), ".: is a folder, needs the name of a file"),
        (("relax", "cu.extxyz", "--calculator", "ase", "--potential", "nowhere:make"), "export PYTHONPATH=FOLDER_OF_"),
        (("relax", "cu.extxyz"), "use --calculator chgnet"),
        (
            ("relax", "cu.extxyz", "--calculator", "lammps", "--potential", "x.pair"),
            "--set 'calculator.elements=[K, Bi]'",
        ),
        (("relax", "empty.cif", *EMT), "empty.cif is empty"),
        (("relax", "binary.cif", *EMT), "binary.cif is a binary file"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], part: str, tmp_path: Path) -> None:
    (tmp_path / "empty.cif").write_bytes(b"")
    (tmp_path / "binary.cif").write_bytes(b"data_\0\0")
    (tmp_path / "x.pair").write_text("pair_style lj/cut 3\npair_coeff * * 1 1\n")
    result = call(*arguments)
    assert part in result.output
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert not (tmp_path / "store").exists()
