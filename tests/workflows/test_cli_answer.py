"""The terminal's table has columns for what the observables hold."""

from pathlib import Path
from typing import Any

from analysis.results import Provenance, Results, write_results
from workflows.cli.answer import build_answer
from workflows.run_directory import RunDirectory


def tell(directory: Path, **observables: Any) -> list[str]:  # noqa: ANN401 - JSON
    results = Results(
        flow="any", status="completed", config={}, system={}, observables=observables, warnings=(), references=(),
        provenance=Provenance(),
    )  # fmt: skip
    write_results(results, directory=directory)
    return build_answer(RunDirectory(directory, "any", directory / "store", "0" * 64, "now", "0.1.0")).lines()


def test_molecules_at_a_surface(tmp_path: Path) -> None:
    number = {"value": 0.42, "uncertainty": 0.05, "unit": "1"}
    near = {"label": "TFSI- O", "onset_A": {"value": 2.1, "uncertainty": None, "unit": "Å"}}
    shell = {"label": "TFSI- O", "about": "Li+ Li", "first_peak_A": 2.05, "coordination_number": number}
    coordination = {"label": "TFSI- O", "cutoff_A": 3.5, "sites": number, "molecules": number | {"value": 0.2}}
    cases = {
        "bare": {"label": "bare", "replicas": 5, "coordination": None, "approach": [], "rdf": []},
        "layer": {
            "label": "with it",
            "replicas": 5,
            "coordination": coordination,
            "approach": [near | {"label": "Li+ Li"}, near],
            "rdf": [shell | {"about": "surface Li"}, shell],
        },
    }
    table = [line.split("  ") for line in tell(tmp_path, cases=cases)]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in table]
    assert cells[3] == [
        "case", "replicas", "TFSI- O within 3.50 Å", "TFSI- within 3.50 Å", "TFSI- O from (Å)", "Li+ to TFSI- O (Å)",
        "of these",
    ]  # fmt: skip
    assert cells[5] == ["bare", "5", "-", "-", "-", "-", "-"]
    assert cells[6] == ["with it", "5", "0.42 ± 0.05", "0.20 ± 0.05", "2.10", "2.05", "0.42 ± 0.05"]


def test_depths_and_guards(tmp_path: Path) -> None:
    depth = {"value": 14.2, "uncertainty": 2.1, "unit": "Å"}
    penetration = {"gain": depth, "n_inside": [0.0, 12.0]}
    case = {"label": "control", "replicas": 5, "penetration": penetration, "guard": {"fraction": 0.015}}
    lines = tell(tmp_path, cases={"control": case})
    assert lines[3].startswith("case     replicas  depth gained, all K (Å)  K inside at the end  frames outside")
    assert lines[5].split("  ")[-1].strip() == "1.5 %"
    assert "14.20 ± 2.10" in lines[5]


def test_no_cases_have_no_table(tmp_path: Path) -> None:
    assert tell(tmp_path, answer="It is 3 eV.")[:3] == ["", "It is 3 eV.", ""]
