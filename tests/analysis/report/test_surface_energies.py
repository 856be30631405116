"""The plot of surface energies: lines over a chemical potential, or points where nothing is exchanged."""

from typing import Any

import pytest

from analysis.report import build_report_html
from analysis.report.plots import build_plots
from analysis.results import Results
from analysis.surface_energy import J_PER_M2


def build_quantity(value: float, *, uncertainty: float | None) -> dict[str, Any]:
    return {"value": value, "uncertainty": uncertainty, "low": None, "high": None, "unit": "J/m²", "verdict": ""}


def build_line(poor: float, rich: float, *, error: float | None = 0.1) -> dict[str, Any]:
    return {
        "formula": {"Ti": 1, "N": 1},
        "reservoir": "N",
        "reference": "N₂",
        "delta_mu_eV": [-3.4, -1.7, 0.0],
        "gamma_J_per_m2": [poor, (poor + rich) / 2, rich],
        "uncertainty_eV_per_A2": None if error is None else error / J_PER_M2,
        "poor": build_quantity(poor, uncertainty=error),
        "rich": build_quantity(rich, uncertainty=error),
    }


def build_level(gamma: float, *, formula: dict[str, int], error: float | None = None) -> dict[str, Any]:
    return {
        "formula": formula,
        "reservoir": None,
        "delta_mu_eV": [0.0],
        "gamma_J_per_m2": [gamma],
        "uncertainty_eV_per_A2": None if error is None else error / J_PER_M2,
        "gamma": build_quantity(gamma, uncertainty=error),
    }


def build_observables(surfaces: dict[str, Any]) -> dict[str, Any]:
    return {"surface_energies": surfaces}


def test_every_slab_is_a_line_over_the_same_range() -> None:
    surfaces = {
        "TiN(111)-Ti": build_line(2.0, 5.0),
        "TiN(111)-N": build_line(6.0, 3.0),
        "TiN(001)": build_level(2.5, formula={"Ti": 1, "N": 1}),
    }
    (plot,) = build_plots(build_observables(surfaces))
    assert plot.columns["delta_mu_eV (TiN(001))"] == [-3.4, 0.0]
    assert plot.columns["gamma_J_per_m2 (TiN(001))"] == [2.5, 2.5]
    assert plot.columns["gamma_J_per_m2 (TiN(111)-N)"] == [6.0, 4.5, 3.0]
    assert plot.columns["high_J_per_m2 (TiN(111)-N)"] == pytest.approx([6.1, 4.6, 3.1])
    lines = [trace["name"] for trace in plot.figures[0].data if "fill" not in trace and trace["line"]["width"]]
    assert lines == list(surfaces)
    assert plot.title == "Surface energies over Δμ(N)"
    assert "TiN(111)-N 6.00 ± 0.10\u202fJ/m² at Δμ(N) = −3.40 eV and 3.00 ± 0.10\u202fJ/m² at 0 (N₂)" in plot.sentence
    assert "TiN(111)-Ti is the lowest at the left, TiN(001) at 0." in plot.sentence


def test_slabs_that_exchange_nothing_are_points() -> None:
    surfaces = {
        "Li(001)": build_level(0.46, formula={"Li": 1}, error=0.02),
        "Cu(111)": build_level(1.34, formula={"Cu": 1}),
    }
    (plot,) = build_plots(build_observables(surfaces))
    assert plot.columns["gamma_J_per_m2"] == [0.46, 1.34]
    assert plot.columns["uncertainty_J_per_m2"] == [0.02, None]
    assert plot.figures[0].data[0]["error_x"]["array"] == [0.02]
    assert "error_x" not in plot.figures[0].data[1]
    assert "lowest" not in plot.sentence
    assert build_plots(build_observables({})) == []


def test_the_page_holds_the_plot_and_the_numbers_at_both_ends() -> None:
    observables = build_observables({"<b>TiN</b>": build_line(2.0, 5.0, error=None)})
    page = build_report_html(Results(flow="tfsi-adsorption", status="completed", observables=observables), viewer=None)
    assert "Surface energies over Δμ(N)" in page
    assert "The numerical error is not estimated." in page
    assert "<b>TiN" not in page
    assert "5\u202fJ/m²" in page
