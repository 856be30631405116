"""What the flow `potassium-diffusion` says in its results, on real files."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from analysis.crystal_order import CrystalOrder
from analysis.uncertainty import Quantity
from workflows.calculators.resolve import find_potential_folder
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.configuration.sections import CalculatorSection
from workflows.jobs.store import Finished, Store
from workflows.potassium_description import describe_potential
from workflows.potassium_results import describe_making, mark_energy
from workflows.potassium_run import RunFacts


def test_errors_of_the_shipped_card_reach_the_results() -> None:
    card = json.loads((find_potential_folder("k-bi-sn-sb") / "card.json").read_text(encoding="utf-8"))
    (overall,) = [entry for entry in card["errors"]["held_out"] if entry["kind"] == "all"]
    potential = describe_potential(CalculatorSection())["potential"]
    assert potential["force_rmse_meV_per_A"] == pytest.approx(1000 * overall["force_rmse_eV_per_A"], rel=1e-12)
    assert potential["energy_rmse_meV_per_atom"] == overall["energy_rmse_meV_per_atom"]
    assert potential["force_rmse_share"] == overall["relative_force_error"]
    by_kind = potential["force_errors_by_kind"]
    assert list(by_kind) == ["interface", "slab", "surface", "dislocation"]
    (slab,) = [entry for entry in card["errors"]["held_out"] if entry["kind"] == "slab"]
    assert by_kind["slab"]["force_rmse_share"] == slab["relative_force_error"]
    assert by_kind["slab"]["force_rmse_meV_per_A"] == pytest.approx(1000 * slab["force_rmse_eV_per_A"], rel=1e-12)


def test_a_calculator_without_a_card_has_no_errors() -> None:
    assert describe_potential(CalculatorSection(name="chgnet")) == {}


@dataclass(frozen=True)
class Measured:
    """What of a case is marked."""

    energy_released: Quantity | None


def test_the_energy_released_names_what_is_no_reaction(tmp_path: Path) -> None:
    released = Quantity(32.3, None, None, None, "eV", "fall", 1, "no error bar")
    orders = [CrystalOrder(np.zeros(1), np.full(1, ratio), np.zeros(1), 0.0, 3.0, 9) for ratio in (0.1, 0.3)]
    relaxed = [
        Finished("a" * 64, values={"converged": done}, files={"relaxed": tmp_path / "x"}) for done in (True, False)
    ]

    def mark(order: CrystalOrder, relaxation: Finished) -> str:
        case = mark_energy(Measured(released), order=order, relaxation=relaxation)  # type: ignore[arg-type]
        assert case.energy_released is not None
        assert case.energy_released.value == 32.3
        return case.energy_released.verdict

    assert mark(orders[0], relaxed[0]) == "no error bar"
    assert mark(orders[0], relaxed[1]) == "includes what the relaxation left undone; no error bar"
    assert mark(orders[1], relaxed[1]) == (
        "includes what the relaxation left undone and the loss of the crystal; no error bar"
    )


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
