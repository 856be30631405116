"""The runs of a sweep in one table: main numbers by what results hold, error bars, warnings, and the plot."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.headline import find_headlines
from analysis.report import write_report
from analysis.report.plots.sweep import build_sweep_plots, choose_axis
from analysis.report.trust import compute_trust
from analysis.results import Reference, Results, ResultWarning, build_json_value, read_results, write_results
from analysis.sweep import build_sweep_results, leave_out, read_row, sum_warnings, write_sentence
from analysis.sweep_rows import (
    SweepAxis,
    SweepRow,
    build_columns,
    describe_values,
    find_bar,
    group_alike,
    list_quantities,
    write_table,
)
from structures.errors import InputError

TEMPERATURE = SweepAxis("dynamics.temperature_K", (100, 200, 300))
CASES = SweepAxis("case", ("flat", "rough"))
AXES = (CASES, TEMPERATURE)
DEPTH = "depth"


def quantity(value: float, half: float | None = None) -> dict[str, Any]:
    ends = {"low": None, "high": None} if half is None else {"low": value - half, "high": value + half}
    return {"value": value, "uncertainty": half, **ends, "unit": "Å", "n_independent": 5}


def build_rows(*, half: float | None = 0.5) -> list[SweepRow]:
    """Depth = temperature / 100, and one more on the rough face; the last run failed."""
    pairs = [(case, kelvin) for case in CASES.values for kelvin in TEMPERATURE.values]
    rows = [
        SweepRow(
            f"{number:03d}",
            f"members/{number:03d}",
            {"case": case, "dynamics.temperature_K": kelvin},
            "completed",
            answer=f"It is {kelvin}.",
            trust="Checks passed",
            quantities={DEPTH: quantity(kelvin / 100 + (case == "rough"), half)},
            warnings=(("amber", f"It is {kelvin} K."),),
            results_sha256="a" * 64,
        )
        for number, (case, kelvin) in enumerate(pairs, start=1)
    ]
    last = SweepRow("006", "members/006", rows[-1].values, "failed", reason="the SCF did not converge\nlog: …")
    return [*rows[:-1], last]


def build_results(rows: list[SweepRow]) -> Results:
    config = {"dynamics": {"temperature_K": 100, "heat_ps": 1.0}, "case": "flat", "replicas": 5}
    return build_sweep_results(rows, axes=AXES, flow="potassium-diffusion", config=config)


def test_main_numbers_are_found_by_what_there_is() -> None:
    depth, other = quantity(2.0, 1.0), quantity(0.5, 1.0)
    cases = {name: {"label": name, "penetration": {"gain": depth}} for name in ("dislocation", "control")}
    contrast = {
        "region": "core columns",
        "dislocation_gain_A": depth,
        "control_gain_A": other,
        "difference_A": quantity(1.4999, 1.0),
        "ratio": {"value": None},
    }
    found = find_headlines({"cases": cases, "contrast": contrast})
    assert {name: item["value"] for name, item in found.items()} == {
        "depth gained, core columns, dislocation": 2.0,
        "depth gained, core columns, control": 0.5,
        "depth gained, core columns, difference": 1.5,  # of the two as shown
    }
    (energy,) = find_headlines({"reactions": {"Li+ + A- -> LiA": {"energy": quantity(-5.0)}}}).items()
    assert energy == ("ΔE, Li⁺ + A⁻ → LiA", quantity(-5.0))
    errors = [
        {"kind": "alloy", "energy_rmse_meV_per_atom": 9.0, "force_rmse_eV_per_A": 0.9},
        {"kind": "all", "energy_rmse_meV_per_atom": 6.5, "force_rmse_eV_per_A": 0.08},
    ]
    assert find_headlines({"card": {"errors": {"held_out": errors}}}) == {
        "energy error, held out": {"value": 6.5, "unit": "meV/atom"},
        "force error, held out": {"value": 0.08, "unit": "eV/Å"},
    }
    assert find_headlines({}) == {}


def test_a_row_is_what_the_results_of_a_run_say(tmp_path: Path) -> None:
    results = Results(
        flow="tfsi-adsorption",
        status="completed",
        observables={"answer": "So it is.", "reactions": {"A -> B": {"energy": quantity(-1.0, 0.1)}}},
        warnings=(ResultWarning("red", "No."), ResultWarning("amber", "Perhaps.")),
        references=(Reference("A paper.", doi="10.1/x"),),
    )
    path = write_results(results, directory=tmp_path)
    row, references = read_row(path, member="001", directory="members/001", values={"x": 1}, sha256="f")
    assert (row.status, row.answer, row.trust) == ("completed", "So it is.", "Do not use")
    assert row.quantities == {"ΔE, A → B": quantity(-1.0, 0.1)}
    assert row.warnings == (("red", "No."), ("amber", "Perhaps."))
    assert references == results.references
    assert SweepRow.from_json(json.loads(json.dumps(build_json_value(row)))) == row


def test_the_table_has_a_row_a_run_and_each_number_with_its_error(tmp_path: Path) -> None:
    rows = build_rows()
    path = write_table(rows, axes=AXES, directory=tmp_path)
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [line["member"] for line in lines] == [f"{number:03d}" for number in range(1, 7)]
    for line in lines[:-1]:
        value = int(line["dynamics.temperature_K"]) / 100 + (line["case"] == "rough")
        assert float(line["depth (Å)"]) == value
        assert float(line["depth (Å), low"]) == value - 0.5
        assert float(line["depth (Å), high"]) == value + 0.5
        assert (line["depth (Å), uncertainty"], line["depth, n"], line["warnings"]) == ("0.5", "5", "1")
    assert (lines[-1]["status"], lines[-1]["depth (Å)"], lines[-1]["warnings"]) == ("failed", "", "")
    assert lines[-1]["reason"].startswith("the SCF did not converge")
    assert {len(column) for column in build_columns(rows, axes=AXES).values()} == {6}


@pytest.mark.parametrize(("half", "judged"), [(0.5, "do not overlap"), (2.0, "overlap"), (None, "they tell no trend")])
def test_the_sentence_names_the_ends_and_what_their_errors_allow(half: float | None, judged: str) -> None:
    sentence = write_sentence(build_rows(half=half), axes=AXES)
    assert sentence.startswith(
        "5 of 6 runs over case and dynamics.temperature_K completed, 1 failed. Depth: lowest 1.00"
    )
    # 3 Å are reached twice; the first of them is named
    assert "(case = flat, dynamics.temperature_K = 100), highest 3.00" in sentence
    assert sentence.endswith(f"{judged}.")


def test_the_sentence_counts_what_must_not_be_used() -> None:
    rows = [SweepRow(str(n), "", {"x": n}, "completed", trust="Do not use") for n in range(2)]
    axes = [SweepAxis("x", (0, 1))]
    assert write_sentence(rows, axes=axes) == (
        "2 of 2 runs over x completed. All 2 say in their own report: do not use."
    )
    assert write_sentence(rows[:1], axes=axes).endswith("1 says in its own report: do not use.")


@pytest.mark.parametrize(
    ("numbers", "bar"),
    [
        ({"value": 3.0, "low": 1.0, "high": 4.0, "uncertainty": 1.5}, (1.0, 4.0)),
        ({"value": 3.0, "uncertainty": 0.5}, (2.5, 3.5)),
        ({"value": 3.0, "uncertainty": 0.0}, (3.0, 3.0)),
        ({"value": 3.0, "uncertainty": None, "low": None, "high": None}, None),
    ],
)
def test_a_bar_is_the_interval_or_the_uncertainty(numbers: dict[str, Any], bar: tuple[float, float] | None) -> None:
    assert find_bar(numbers) == bar


def test_warnings_are_counted_and_red_ones_come_first() -> None:
    rows = build_rows()
    rows[1] = SweepRow("002", "", {}, "completed", warnings=(("red", "Lost."), ("amber", "It is 200 K.")))
    texts = [(warning.severity, warning.text) for warning in sum_warnings(rows)]
    assert texts == [("red", "run 002: Lost."), ("amber", "5 of 6 runs, here 001: It is 100 K.")]
    assert group_alike([("a", "Same."), ("b", "Same.")], n_runs=3) == ["2 of 3 runs: Same."]


def test_the_settings_are_those_that_all_runs_share() -> None:
    config = {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
    assert leave_out(config, keys=["a.b.c", "e", "x.y"]) == {"a": {"b": {"d": 2}}}
    assert config["a"] == {"b": {"c": 1, "d": 2}}
    assert build_results(build_rows()).config == {"dynamics": {"heat_ps": 1.0}, "replicas": 5}


def test_values_are_shown_as_a_file_has_them() -> None:
    assert describe_values({"a": 1e-5, "b": 300.0, "c": True, "d": None, "e": [8, 4]}) == (
        "a = 1e-05, b = 300, c = true, d = null, e = [8, 4]"
    )


def test_the_plot_runs_over_the_axis_with_numbers_and_has_a_line_for_each_other_value() -> None:
    (plot,) = build_sweep_plots(build_json_value(build_results(build_rows()).observables))
    (figure,) = plot.figures
    flat, rough = figure.data
    assert (flat["name"], rough["name"]) == ("case = flat", "case = rough")
    assert (flat["x"], flat["y"]) == ([100, 200, 300], [1.0, 2.0, 3.0])
    assert (rough["x"], rough["y"]) == ([100, 200], [2.0, 3.0])  # the third has no number
    assert flat["error_y"]["array"] == flat["error_y"]["arrayminus"] == [0.5, 0.5, 0.5]
    assert figure.layout["xaxis"]["title"]["text"] == "dynamics.temperature_K"
    assert figure.layout["yaxis"]["title"]["text"] == "depth / Å"
    assert build_sweep_plots({}) == []


def test_words_are_categories_and_a_number_without_an_error_has_no_bar() -> None:
    rows = [
        SweepRow(str(n), "", {"x": word}, "completed", quantities={DEPTH: quantity(n)}) for n, word in enumerate("ba")
    ]
    results = build_sweep_results(rows, axes=[SweepAxis("x", ("b", "a"))], flow="f", config={})
    (plot,) = build_sweep_plots(build_json_value(results.observables))
    (trace,) = plot.figures[0].data
    assert (trace["mode"], trace["x"], trace["y"]) == ("markers", ["b", "a"], [0, 1])
    assert "error_y" not in trace
    assert plot.figures[0].layout["xaxis"]["type"] == "category"


def test_truths_are_no_numbers() -> None:
    assert choose_axis([SweepAxis("a", (True, False)), SweepAxis("b", (2, 1))]).key == "b"
    assert choose_axis([SweepAxis("a", (True, False)), SweepAxis("b", ("x",))]).key == "a"


def test_the_report_shows_all_runs_and_what_failed(tmp_path: Path) -> None:
    results = build_results(build_rows())
    assert results.status == "partial"
    assert list_quantities(build_rows()) == {DEPTH: "Å"}
    write_results(results, directory=tmp_path)
    page = write_report(read_results(tmp_path), viewer=None, directory=tmp_path).read_text()
    assert "The runs side by side" in page
    assert "failed: the SCF did not converge</td>" in page
    items = [(item.level, item.title, item.text) for item in compute_trust(read_results(tmp_path)).items]
    assert ("amber", "Run 006", "failed: the SCF did not converge") in items
    assert ("green", "Checks passed", "5 of 6 runs say so in their own reports: 001, 002, 003, 004, 005.") in items


def test_a_newer_results_file_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(InputError, match="this alkaliflow reads up to"):
        read_row(tmp_path / "results.json", member="1", directory="", values={}, sha256="")
