"""Molecules at a surface: the answer comes first, beside what is published, and every sentence is made of the data."""

from typing import Any

import numpy as np
import pytest

from analysis.report.plots import Plot, build_plots
from tests.analysis.report.interface_example import LABELS, build_observables, change


@pytest.fixture(scope="module")
def observables() -> dict[str, Any]:
    return build_observables()


def find_plot(observables: dict[str, Any], key: str) -> Plot:
    (plot,) = [plot for plot in build_plots(observables) if plot.key == key]
    return plot


def test_the_answer_is_the_first_plot(observables: dict[str, Any]) -> None:
    plots = build_plots(observables)
    assert [plot.key for plot in plots] == [
        "surface-coordination",
        "first-approach",
        "density-profile",
        "rdf-surface Li",
        "rdf-Li+ Li",
        "association",
        "anions-per-cation",
        "residence",
        "orientation",
    ]
    answer = plots[0]
    assert answer.sentence == (
        "O of TFSI⁻: 0.140 ± 0.050 (bare electrode, interval 0.090 – 0.190) and 0.420 ± 0.050 (with the layer, "
        "interval 0.370 – 0.470). Difference 0.280 ± 0.080, interval 0.200 – 0.360. TFSI⁻ with any atom: "
        "0.070 ± 0.050 (bare electrode, interval 0.020 – 0.120) and 0.210 ± 0.050 (with the layer, interval 0.160 – "
        "0.260). Counted: mean number of O of TFSI⁻ within 3.50 Å of a surface Li. Crosses: Zhen et al. 2025 "
        "(doi:10.1039/d5ee01219h) give 0.13 (bare electrode) and 0.42 (with the layer); how they were counted the "
        "paper does not say."
    )
    assert answer.columns["value"] == [0.14, 0.42, 0.07, 0.21, 0.13, 0.42]
    assert answer.figures[0].data[-1]["y"] == ["Zhen et al. 2025,<br>with the layer"]
    assert answer.columns["what"][-1] == "Zhen et al. 2025, with the layer"
    assert sum("error_x" in trace for trace in answer.figures[0].data) == 4


def test_one_run_has_no_interval_and_says_what_it_takes() -> None:
    plot = find_plot(build_observables(n_replicas=1), "surface-coordination")
    assert "0.42 (with the layer, no interval)" in plot.sentence
    assert "Not resolved: one replica has no error bar. Run at least 5 replicas of each case." in plot.sentence
    assert not any("error_x" in trace for trace in plot.figures[0].data)


def test_without_published_values_none_are_named(observables: dict[str, Any]) -> None:
    plain = observables | {"published": None}
    for key in ("surface-coordination", "first-approach"):
        assert "Zhen" not in find_plot(plain, key).sentence
        assert all("Zhen" not in str(trace["name"]) for trace in find_plot(plain, key).figures[0].data)


def test_a_case_keeps_its_colour_where_the_other_has_nothing(observables: dict[str, Any]) -> None:
    open_end = observables["cases"]["bare"]["approach"][1] | {"end_A": None, "reason": "no second peak follows"}
    ranges = find_plot(change(observables, "bare", approach=[open_end]), "first-approach")
    assert "Bare electrode: no second peak follows." in ranges.sentence
    assert ranges.columns["case"] == ["with the layer", *(f"Zhen et al. 2025, {label}" for label in LABELS.values())]
    assert ranges.figures[0].data[0]["line"]["color"] == "@css:--case-1"
    parts: dict[str, Any] = {"residence": None, "orientation": None, "association": None, "profiles": []}
    plots = build_plots(change(observables, "bare", **parts))
    for key in ("residence", "orientation", "association", "density-profile"):
        (plot,) = [plot for plot in plots if plot.key == key]
        traces = plot.figures[0].data
        colours = [
            (trace.get("line") or {}).get("color") or (trace.get("marker") or {}).get("color") for trace in traces
        ]
        assert set(filter(None, colours)) == {"@css:--case-1"}, key


def test_ranges_run_from_onset_to_end_beside_the_published(observables: dict[str, Any]) -> None:
    plot = find_plot(observables, "first-approach")
    assert plot.columns["onset_A"] == [2.0, 2.0, 2.4, 1.8]
    assert plot.columns["peak_A"] == [2.4, 2.4, None, None]
    assert plot.columns["end_A"] == [3.3, 3.3, 8.0, 4.0]
    assert "give 2.4 to 8\u202fÅ (bare electrode) and 1.8 to 4\u202fÅ (with the layer)." in plot.sentence


def test_the_site_that_answers_is_picked_first(observables: dict[str, Any]) -> None:
    about = find_plot(observables, "rdf-surface Li")
    assert [figure.label for figure in about.figures] == ["O of TFSI⁻", "Li⁺"]
    assert (about.title, about.chooser) == ("Structure about surface Li", "Site")
    assert about.sentence.startswith("g(r) of O of TFSI⁻ about surface Li has its first peak at 2.4\u202fÅ")
    assert about.sentence.count("expected of the mean density in the slab above Li.") == 1
    assert "potassium" not in about.sentence
    shell = find_plot(observables, "rdf-Li+ Li")
    assert shell.title == "Structure: O of TFSI⁻ about Li⁺"
    assert "expected of" not in shell.sentence


def test_normalisations_that_differ_are_all_told(observables: dict[str, Any]) -> None:
    plot = find_plot(change(observables, "layer", normalisation="its own density"), "rdf-surface Li")
    assert "the mean density in the slab above Li (bare electrode); its own density (with the layer)." in plot.sentence


def test_mass_is_that_of_whole_molecules_and_ions(observables: dict[str, Any]) -> None:
    plot = find_plot(observables, "density-profile")
    assert [figure.label for figure in plot.figures] == ["O of TFSI⁻", "Li⁺", "centre of mass of TFSI⁻", "mass of all"]
    density = np.array(observables["cases"]["bare"]["profiles"][0]["density_per_nm3"])
    expected = density * (6.94 + 280.1) / 602.2
    np.testing.assert_allclose(plot.columns["density_g_per_cm3 (bare electrode)"], expected, rtol=1e-4)
    assert "O of TFSI⁻ is densest at 3.1\u202fÅ, 14\u202fnm⁻³ (bare electrode)" in plot.sentence
    assert sum("fill" in trace for trace in plot.figures[0].data) == 2


def test_a_profile_without_a_band_says_why(observables: dict[str, Any]) -> None:
    assert find_plot(observables, "density-profile").sentence.endswith("Bands are 95 % intervals.")
    none = [None] * 60
    profile = observables["cases"]["bare"]["profiles"][1] | {"low_per_nm3": none, "verdict": "one short run"}
    plot = find_plot(change(observables, "bare", profiles=[profile]), "density-profile")
    assert plot.sentence.endswith("Bands are 95 % intervals. No band: one short run (bare electrode).")


def test_populations_are_shares_with_errors(observables: dict[str, Any]) -> None:
    plot = find_plot(observables, "association")
    assert "bare electrode: 10.0 ± 5.0\u202f% free, 20.0 ± 5.0\u202f% in contact pairs" in plot.sentence
    assert "Contact: nearer than 3.10\u202fÅ; contact pair: one cation and one anion" in plot.sentence
    assert [figure.label for figure in plot.figures] == ["Li⁺", "TFSI⁻"]
    assert plot.figures[0].data[0]["error_y"]["array"] == [0.05, 0.05, 0.05]
    numbers = find_plot(observables, "anions-per-cation")
    assert numbers.columns["share (with the layer)"] == [0.1, 0.9, 0.0, 0.0]
    assert numbers.sentence.startswith("A Li⁺ is in contact with 2.900 ± 0.050 (bare electrode) and")


def test_a_residence_time_without_interval_says_what_is_known() -> None:
    plot = find_plot(build_observables(n_replicas=1), "residence")
    assert "75\u202fps (bare electrode; longer than 25.7 ps is all that can be said)" in plot.sentence
    assert "half of the trajectory, 9.5 ps" in plot.sentence
    observables = build_observables(n_replicas=1)
    endless = observables["cases"]["bare"]["residence"]
    endless["residence_time_ps"] |= {"value": None, "verdict": "0 contacts ended"}
    assert "last 0 contacts ended (bare electrode)" in find_plot(observables, "residence").sentence


def test_nobody_at_the_surface_has_no_orientation(observables: dict[str, Any]) -> None:
    gone = observables
    for name in LABELS:
        gone = change(gone, name, orientation=observables["cases"][name]["orientation"] | {"n_molecules": 0.0})
    assert "orientation" not in [plot.key for plot in build_plots(gone)]


def test_one_case_alone_has_its_numbers_and_no_difference(observables: dict[str, Any]) -> None:
    alone = {"cases": {"layer": observables["cases"]["layer"]}, "published": observables["published"]}
    plots = {plot.key: plot for plot in build_plots(alone)}
    assert plots["surface-coordination"].columns["value"] == [0.42, 0.21, 0.42]
    assert "Difference" not in plots["surface-coordination"].sentence
    assert plots["first-approach"].columns["case"] == ["with the layer", "Zhen et al. 2025, with the layer"]


def test_without_a_first_shell_there_is_no_answer_to_draw(observables: dict[str, Any]) -> None:
    bare = observables["cases"]["bare"] | {"coordination": None}
    keys = [plot.key for plot in build_plots({"cases": {"bare": bare}})]
    assert keys[0] == "density-profile"
    assert "surface-coordination" not in keys
    assert "first-approach" not in keys
