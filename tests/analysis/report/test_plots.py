"""Plots hold the data they were given, and their sentences are true of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis.headline import define_depth
from analysis.report.plots import BLOCKS, Conservation, Plot, build_plots
from analysis.results import Results, build_json_value


@pytest.fixture(scope="module")
def observables(make_results: Callable[..., Results]) -> dict[str, Any]:
    plain: dict[str, Any] = build_json_value(make_results().observables)
    return plain


@pytest.fixture(scope="module")
def plots(observables: dict[str, Any]) -> dict[str, Plot]:
    return {plot.key: plot for plot in build_plots(observables)}


def find_references(node: object) -> set[str]:
    if isinstance(node, str):
        return {node.removeprefix("@col:")} if node.startswith("@col:") else set()
    items = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return set().union(*(find_references(item) for item in items))


def test_all_blocks_are_there_once(plots: dict[str, Plot]) -> None:
    assert list(plots) == [
        "contrast",
        "penetration",
        "penetration-by-region",
        "density-map",
        "rdf-K-Bi",
        "rdf-K-Sn",
        "rdf-K-Sb",
        "rdf-K-K",
        "msd",
        "core-dislocation",
        "thermodynamics",
    ]


def test_every_reference_has_its_column(plots: dict[str, Plot]) -> None:
    for plot in plots.values():
        for figure in plot.figures:
            assert find_references(list(figure.data)) <= set(plot.columns), plot.key


def test_columns_hold_the_data(plots: dict[str, Plot], observables: dict[str, Any]) -> None:
    depth = observables["cases"]["control"]["penetration"]["depth_A"]
    np.testing.assert_allclose(plots["penetration"].columns["depth_A (control)"], depth, rtol=1e-4, atol=1e-12)


def test_what_a_reader_would_stumble_over_is_explained(plots: dict[str, Plot]) -> None:
    assert "atoms can be inside at 0 ps" in plots["penetration"].sentence
    assert ["does not tend to 1" in plots[f"rdf-K-{element}"].sentence for element in ("Bi", "Sn", "Sb", "K")] == [
        True,
        False,
        False,
        False,
    ]
    (marks,) = [trace for trace in plots["density-map"].figures[0].data if trace["name"] == "core"]
    assert marks["text"] == [str(number) for number in range(1, len(marks["x"]) + 1)]


def test_the_depth_says_what_became_of_its_plane(observables: dict[str, Any]) -> None:
    cases = {name: case | {"interface": {"sentence": f"{name} rose."}} for name, case in observables["cases"].items()}
    (plot,) = [plot for plot in build_plots({"cases": cases}) if plot.key == "penetration"]
    assert "as built, and stays there." in plot.sentence
    assert " Dislocation: dislocation rose. Control: control rose." in plot.sentence


def test_the_temperature_leaves_the_heating_out() -> None:
    heated = {"time_ps": [float(n) for n in range(8)], "temperature_K": [10.0, 100, 200, 300, 399, 401, 399, 401]}
    (plot,) = build_plots({"cases": {"control": {"label": "control", "thermodynamics": heated}}})
    assert "second half of the run, mean and spread: 400 ± 1\u202fK (control)" in plot.sentence


def test_each_depth_has_one_value_and_its_name(plots: dict[str, Plot]) -> None:
    assert plots["contrast"].sentence.startswith("Depth gained, core columns: 14.20 ± 2.10\u202fÅ (dislocation")
    assert "6.30 ± 1.80\u202fÅ (control" in plots["contrast"].sentence
    assert plots["penetration"].sentence.startswith("Depth, all K (")
    assert (
        "last tenth: 14.90 ± 2.10\u202fÅ (dislocation) and 7.00 ± 1.80\u202fÅ (control)"
        in plots["penetration"].sentence
    )
    assert "dislocation: 14.20 ± 2.10\u202fÅ (core columns)" in plots["penetration-by-region"].sentence


@pytest.mark.parametrize("key", ["penetration", "rdf-K-Bi", "msd"])
def test_both_cases_are_in_one_plot_with_bands(plots: dict[str, Plot], key: str) -> None:
    data = plots[key].figures[0].data
    assert {trace["name"] for trace in data if trace.get("showlegend")} == {"dislocation", "control"}
    assert sum("fill" in trace for trace in data) == 2


def test_cases_differ_in_dash_as_well_as_colour(plots: dict[str, Plot]) -> None:
    lines = [trace["line"] for trace in plots["msd"].figures[0].data if trace.get("showlegend")]
    assert len({line["dash"] for line in lines}) == len({line["color"] for line in lines}) == 2


def test_axes_have_titles_with_units(plots: dict[str, Plot]) -> None:
    layout = plots["penetration"].figures[0].layout
    assert (layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]) == ("time / ps", "depth / Å")


def test_sentences_follow_the_data(observables: dict[str, Any]) -> None:
    control = observables["cases"]["control"]
    rising = control["penetration"] | {"depth_A": [0.1 * n for n in range(121)], "low_A": [], "high_A": []}
    changed = observables | {"cases": {"control": control | {"penetration": rising}}}
    (plot,) = [plot for plot in build_plots(changed) if plot.key == "penetration"]
    assert "7.00 ± 1.80\u202fÅ (control)" in plot.sentence
    assert "Still rising at the end: control" in plot.sentence
    assert "no band" in plot.sentence
    flat = control["penetration"] | {"depth_A": [3.0] * 121}
    (plot,) = [
        plot
        for plot in build_plots({"cases": {"control": control | {"penetration": flat}}})
        if plot.key == "penetration"
    ]
    assert "rising" not in plot.sentence


def test_a_missing_first_minimum_is_told(observables: dict[str, Any]) -> None:
    control = observables["cases"]["control"]
    entry = control["rdf"][0] | {
        "first_minimum_A": None,
        "cutoff_A": None,
        "coordination_number": None,
        "cutoff_source": "too flat",
    }
    (plot,) = [
        plot for plot in build_plots({"cases": {"control": control | {"rdf": [entry]}}}) if plot.key == "rdf-K-Bi"
    ]
    assert "No coordination number for control (too flat)" in plot.sentence
    empty = entry | {"g": [0.0] * len(entry["g"])}
    (plot,) = [
        plot for plot in build_plots({"cases": {"control": control | {"rdf": [empty]}}}) if plot.key == "rdf-K-Bi"
    ]
    assert plot.sentence.startswith("No K–Bi neighbours were found")


def test_density_near_the_core_is_compared_with_the_mean() -> None:
    grid = [float(n) for n in range(20)]
    x, y = np.meshgrid(grid, grid)
    density = np.where(np.hypot(x - 10, y - 10) <= 5.0, 0.02, 0.0)
    case = {"label": "a", "density_map": {"x_A": grid, "y_A": grid, "density_per_A3": density.tolist()}}
    case["density_map"]["core_positions_A"] = [[10.0, 10.0]]  # type: ignore[index]
    (plot,) = build_plots({"cases": {"a": case}})
    assert f"{0.02 / density.mean():.2g} times the map's mean" in plot.sentence
    assert "within 5 Å of a core" in plot.sentence
    near = np.where(np.hypot(x - 10, y - 10) <= 6.0, density, np.nan)
    case["density_map"]["core_radius_A"] = 6.0  # type: ignore[index]
    (plot,) = build_plots({"cases": {"a": case}})
    assert f"within 6 Å of a core it is {np.nanmean(near) / density.mean():.2g} times" in plot.sentence
    nothing = {"x_A": [0.0, 1.0], "y_A": [0.0], "density_per_A3": [[0.0, 0.0]], "core_positions_A": []}
    (plot,) = build_plots({"cases": {"a": {"label": "a", "density_map": nothing}}})
    assert "no potassium was found inside (a)" in plot.sentence


def test_unresolved_contrast_is_told(make_results: Callable[..., Results]) -> None:
    plots = build_plots(build_json_value(make_results(resolved=False).observables))
    assert "not resolved" in plots[0].sentence
    assert "error_x" not in plots[0].figures[0].data[0]


@pytest.mark.parametrize("observables", [{}, {"cases": {}}, {"cases": {"a": {"label": "a"}}}, {"contrast": None}])
def test_nothing_to_draw_gives_no_plot(observables: dict[str, Any]) -> None:
    assert [plot for block in BLOCKS for plot in block(observables)] == []


def test_way_of_a_core_starts_at_its_first_known_place() -> None:
    core = {"time_ps": [0, 1, 2], "positions_A": [[[None, None], [0, 0]], [[1, 1], [3, 4]], [[1, 2], [0, 1]]]}
    (plot,) = build_plots({"cases": {"a": {"label": "a", "core": core | {"verdict": "glides"}}}})
    assert plot.columns["way_A (core 1)"] == [None, 0.0, 1.0]
    assert plot.columns["way_A (core 2)"] == [0.0, 5.0, 1.0]


def test_way_of_a_core_is_drawn_only_where_the_circuits_close() -> None:
    core = {"time_ps": [0, 1, 2], "positions_A": [[[0, 0]], [[9, 9]], [[0, 1]]], "verdict": "unclear"}
    cases = {"a": {"label": "a", "core": core | {"burgers_ok": [True, False, True]}}}
    (plot,) = build_plots({"cases": cases})
    assert plot.columns["way_A (core 1)"] == [0.0, None, 1.0]
    assert "as they should" not in plot.sentence
    assert build_plots({"cases": {"a": {"label": "a", "core": core | {"burgers_ok": [False] * 3}}}}) == []


def test_elements_keep_their_capitals_at_the_start_of_a_sentence() -> None:
    gain = {"value": -1.5, "uncertainty": None, "low": None, "high": None, "unit": "Å"}
    case = {"label": "a", "penetration": {"time_ps": [], "gain": gain}}
    (plot,) = [plot for plot in build_plots({"cases": {"a": case}}) if plot.key == "contrast"]
    assert plot.sentence.startswith("Depth gained, all K: −1.50\u202fÅ (a, no interval).")
    assert define_depth({"cases": {"a": case}}).startswith("Depth gained, all K: the depth")
    assert "less its value in the relaxed cell. It is no path of single atoms" in define_depth({"cases": {"a": case}})


def test_peak_cutoff_and_frames_are_those_of_the_results() -> None:
    entry = {"pair": "K-Bi", "region": "all", "r_A": [1.0, 2.0, 3.0, 4.0], "g": [0.0, 1.5, 0.2, 2.0]}
    number = {"value": 1.0, "uncertainty": 0.1, "unit": "1"}
    full = entry | {"first_peak_A": 2.1, "first_minimum_A": 3.0, "cutoff_A": 3.5, "coordination_number": number}
    (plot,) = build_plots({"cases": {"a": {"label": "a", "rdf": [full | {"n_frames": 41}]}}})
    assert plot.sentence.startswith(
        "g(r) of K–Bi has its first peak at 2.1\u202fÅ (a). Coordination number 1.00 ± 0.10 "
    )
    assert " up to 3.5\u202fÅ (a)" in plot.sentence
    assert "Counted in 41 (a) frames." in plot.sentence
    (plot,) = build_plots({"cases": {"a": {"label": "a", "rdf": [full | {"first_peak_A": None}]}}})
    assert "has no peak that stands out" in plot.sentence
    assert "Counted in" not in plot.sentence


def test_a_pressure_with_vacuum_in_it_says_so() -> None:
    run = {"time_ps": [0.0, 1.0], "pressure_GPa": [0.1, 0.2], "temperature_K": [50.0, 52.0]}
    observables = {"cases": {"a": {"label": "a", "thermodynamics": run}}}
    (plot,) = build_plots(observables, conservation=Conservation(has_vacuum=True))
    assert [figure.label for figure in plot.figures] == ["temperature", "pressure, vacuum included"]
    assert "over the whole cell, its vacuum included" in plot.sentence
    (plot,) = build_plots(observables)
    assert [figure.label for figure in plot.figures] == ["temperature", "pressure"]
    assert "vacuum" not in plot.sentence


def test_crystal_order_is_shown_from_both_kinds_of_sites() -> None:
    order = {"time_ps": [0.0, 1.0], "displacement_ratio": [0.2, 0.3], "displacement_ratio_from_relaxed": [0.0, 0.1]}
    (plot,) = build_plots({"cases": {"a": {"label": "a", "crystal_order": order | {"sentence": "It is lost."}}}})
    assert [figure.label for figure in plot.figures] == ["sites as built", "sites as relaxed"]
    assert plot.columns["displacement_ratio_from_relaxed (a)"] == [0.0, 0.1]
    assert "A: It is lost." in plot.sentence


def test_thermodynamics_says_which_replica_it_shows() -> None:
    run = {"time_ps": [0.0, 1.0], "temperature_K": [50.0, 52.0], "conserved_eV": [-1.0, -0.5]}
    (plot,) = build_plots({"cases": {"a": {"label": "a", "thermodynamics": run | {"replica": 2, "replicas": 5}}}})
    assert "Shown is replica 2 of 5 (a), in which it moved most in the second half." in plot.sentence


def test_conserved_quantity_is_judged_after_heating_and_per_atom() -> None:
    run = {"time_ps": [0.0, 1.0, 1.5, 2.0, 9.0], "conserved_eV": [0.0, -6.0, -6.1, None, -6.096]}
    observables = {"cases": {"a": {"label": "a", "thermodynamics": run}}}
    known = Conservation(from_ps=1.5, n_atoms=2000, limit_eV_per_atom=0.5)
    (plot,) = build_plots(observables, conservation=known)
    assert plot.sentence == (
        "The conserved quantity moved by 2 × 10⁻⁶\u202feV/atom (a) from the end of heating at 1.5\u202fps "
        "to the last value (a run is aborted at 0.5\u202feV/atom; far below it is no proof of quality)."
    )
    (plain,) = build_plots(observables)
    assert "moved by −6.1\u202feV (a) from the first to the last value." in plain.sentence
