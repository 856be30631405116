"""The report of reaction energies: tile, plots, trust and table, from a results container."""

from typing import Any

from analysis.report import build_report_html
from analysis.report.plots import build_plots
from analysis.report.trust import compute_trust
from analysis.results import Results

ERRORS = [
    {"name": "grid", "change": "grid spacing about 0.22 Å", "energy_eV": -7.87, "shift_eV": 0.03},
    {"name": "box", "change": "1 Å less vacuum", "energy_eV": -7.95, "shift_eV": -0.05},
]
SPECIES = {
    "LiF": {
        "label": "LiF",
        "formula": "LiF",
        "charge": 0,
        "multiplicity": 1,
        "n_electrons": 12,
        "geometry": "lif.xyz",
        "energy_eV": -7.15,
        "gap_eV": 4.6,
        "largest_force_eV_per_A": 0.04,
    }
}


def build_results(verdict: str, *, name: str = "Li+ + F- -> LiF") -> Results:
    energy = {"value": -7.9, "uncertainty": 0.08, "low": -7.98, "high": -7.82, "unit": "eV", "verdict": verdict}
    reaction: dict[str, Any] = {"label": name, "energy": energy, "errors": ERRORS}
    observables = {"answer": "Li⁺ + F⁻ → LiF: ΔE = −7.90 eV.", "reactions": {name: reaction}, "species": SPECIES}
    return Results(flow="tfsi-adsorption", status="completed", observables=observables)


def test_trust_follows_the_numerical_error() -> None:
    good = compute_trust(build_results("converged: numerical error 0.08 eV, aim 0.1 eV"))
    assert good.level == "green"
    assert any(item.text == "Converged: numerical error 0.08 eV, aim 0.1 eV." for item in good.items)
    bad = compute_trust(build_results("not converged: numerical error 0.3 eV, aim 0.1 eV"))
    assert bad.level == "amber"
    assert bad.items[0].title == "Convergence, Li⁺ + F⁻ → LiF"


def test_plots_show_energy_and_what_its_error_is_made_of() -> None:
    energies, errors = build_plots(build_results("converged").observables)
    assert energies.columns == {"reaction": ["Li+ + F- -> LiF"], "energy_eV": [-7.9], "uncertainty_eV": [0.08]}
    assert energies.figures[0].data[0]["error_x"]["array"] == [0.08]
    assert errors.columns["shift_eV"] == [0.03, -0.05]
    assert "−0.050 eV with 1 Å less vacuum (Li⁺ + F⁻ → LiF)" in errors.sentence


def test_the_page_holds_answer_tile_and_species_and_escapes_names() -> None:
    page = build_report_html(build_results("converged", name="<b>X</b> -> Y"), viewer=None)
    assert "<b>X</b>" not in page
    assert "&lt;b&gt;X&lt;/b&gt; → Y" in page
    assert "± numerical error" in page
    assert "lif.xyz" in page
    assert "−7.1500" in page
