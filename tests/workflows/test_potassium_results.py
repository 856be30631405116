"""What the flow `potassium-diffusion` says in its results, on real files."""

import json
import shutil
from pathlib import Path

import pytest

from workflows.calculators.resolve import find_potential_folder
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.configuration.sections import CalculatorSection
from workflows.jobs.store import Store
from workflows.potassium_results import describe_making, describe_potential
from workflows.potassium_run import RunFacts


def test_errors_of_the_shipped_card_reach_the_results() -> None:
    card = json.loads((find_potential_folder("k-bi-sn-sb") / "card.json").read_text(encoding="utf-8"))
    (overall,) = [entry for entry in card["errors"]["held_out"] if entry["kind"] == "all"]
    potential = describe_potential(CalculatorSection())["potential"]
    assert potential["force_rmse_meV_per_A"] == pytest.approx(1000 * overall["force_rmse_eV_per_A"], rel=1e-12)
    assert potential["energy_rmse_meV_per_atom"] == overall["energy_rmse_meV_per_atom"]
    assert potential["force_rmse_share"] == overall["relative_force_error"]


def test_a_calculator_without_a_card_has_no_errors() -> None:
    assert describe_potential(CalculatorSection(name="chgnet")) == {}


def test_a_new_card_asks_for_a_new_report(tmp_path: Path) -> None:
    for name in ("potential.pod", "coefficients.pod", "card.json"):
        shutil.copy(find_potential_folder("k-bi-sn-sb") / name, tmp_path)
    config = PotassiumDiffusionConfig.model_validate({"calculator": {"potential": str(tmp_path)}})
    run = RunFacts(config, workdir=tmp_path, store=Store(tmp_path / "store"), calculator=CalculatorSpec("pod"))
    before = describe_making(run, gap_A=2.5)
    assert describe_making(run, gap_A=2.5) == before
    card = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    (tmp_path / "card.json").write_text(json.dumps(card | {"crystal_order": []}), encoding="utf-8")
    assert describe_making(run, gap_A=2.5) != before
