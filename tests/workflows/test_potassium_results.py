"""What the flow `potassium-diffusion` says in its results, on real files."""

import json

import pytest

from workflows.calculators.resolve import find_potential_folder
from workflows.configuration.sections import CalculatorSection
from workflows.potassium_results import describe_potential


def test_errors_of_the_shipped_card_reach_the_results() -> None:
    card = json.loads((find_potential_folder("k-bi-sn-sb") / "card.json").read_text(encoding="utf-8"))
    (overall,) = [entry for entry in card["errors"]["held_out"] if entry["kind"] == "all"]
    potential = describe_potential(CalculatorSection())["potential"]
    assert potential["force_rmse_meV_per_A"] == pytest.approx(1000 * overall["force_rmse_eV_per_A"], rel=1e-12)
    assert potential["energy_rmse_meV_per_atom"] == overall["energy_rmse_meV_per_atom"]
    assert potential["force_rmse_share"] == overall["relative_force_error"]


def test_a_calculator_without_a_card_has_no_errors() -> None:
    assert describe_potential(CalculatorSection(name="chgnet")) == {}
