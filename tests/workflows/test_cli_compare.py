"""The command compare, on results of the flow's own shape."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from analysis.results import Results, write_results
from workflows.cli import app

PAIR = "Li+ + TFSI- -> LiTFSI"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    directories = []
    for name, dispersion, value, error in (
        ("a", "none", -6.0, 0.02),
        ("b", "d3zero", -6.2, 0.03),
        ("c", "none", -6.0, None),
    ):
        method = {"code": "gpaw", "version": "25.7.0", "functional": "PBE", "dispersion": dispersion, "mode": "fd"}
        energy = {"value": value, "uncertainty": error, "unit": "eV"}
        results = Results(
            flow="tfsi-adsorption",
            status="completed",
            system={"method": method},
            observables={"reactions": {PAIR: {"energy": energy}}},
        )
        write_results(results, directory=tmp_path / name)
        directories.append(tmp_path / name)
    return directories


def test_the_table_says_who_agrees(runs: list[Path]) -> None:
    result = call(*runs)
    assert result.exit_code == 0, result.output
    assert "Li⁺ + TFSI⁻ → LiTFSI" in result.output
    rows = [" ".join(line.split()) for line in result.output.splitlines() if "gpaw" in line]
    assert rows == [
        f"{runs[0]} gpaw, PBE, no dispersion, fd −6.000 ± 0.020 - -",
        f"{runs[1]} gpaw, PBE, d3zero, fd −6.200 ± 0.030 −0.200 no (0.050 eV)",
        f"{runs[2]} gpaw, PBE, no dispersion, fd −6.000 +0.000 an error is not estimated",
    ]
    assert "that of the functional is not in them" in result.output


def test_json_and_csv_are_for_programs(runs: list[Path], tmp_path: Path) -> None:
    result = call(*runs, "--json", "--csv", tmp_path / "table.csv")
    assert result.exit_code == 0, result.output
    energies = json.loads(result.output)["reactions"][PAIR]
    assert [energy["agrees"] for energy in energies] == [True, False, None]
    with (tmp_path / "table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["energy_eV"]) for row in rows] == [energy["energy_eV"] for energy in energies]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone", "gone2"], "gone does not exist"),
        (["."], "there are 1 runs to compare"),
        ([".", "gone"], "results.json"),
    ],
)
def test_mistakes_end_with_2(arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_directory_without_results_is_named(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = call(runs[0], tmp_path / "empty", "--csv", tmp_path / "table.csv")
    assert result.exit_code == 2
    assert f"{tmp_path / 'empty' / 'results.json'} does not exist. Give a run directory" in result.output
    assert not (tmp_path / "table.csv").exists()
