"""What a reader is warned of follows from what was run."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.crystal_order import CrystalOrder
from analysis.penetration import DepthSeries, Penetration
from analysis.region_temperature import RegionTemperature
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_key
from workflows.jobs.store import Finished, Store
from workflows.potassium_cells import build_cells
from workflows.potassium_diffusion import choose_gap
from workflows.potassium_run import RunFacts
from workflows.potassium_warnings import (
    collect_warnings,
    find_doubts,
    judge_depths,
    judge_gap,
    judge_orders,
    judge_relaxation,
    judge_temperatures,
)


def make_order(ratio: float) -> CrystalOrder:
    return CrystalOrder(np.zeros(1), np.full(1, ratio), np.zeros(1), 0.0, 3.0, 9)


def test_a_crystal_needs_no_warning() -> None:
    assert judge_orders({"control": make_order(0.1)}) == []


@pytest.mark.parametrize(("cases", "is_said"), [(("dislocation", "control"), True), (("control",), False)])
def test_dislocations_are_spoken_of_where_there_are_some(cases: tuple[str, ...], *, is_said: bool) -> None:
    warnings = judge_orders({case: make_order(0.3) for case in cases})
    assert [warning.severity for warning in warnings] == ["red"] * len(cases)
    assert all(("dislocations" in warning.text) is is_said for warning in warnings)


def test_a_crystal_on_its_way_out_is_told_softly() -> None:
    (warning,) = judge_orders({"control": make_order(0.15)})
    assert (warning.severity, warning.text) == ("amber", f"Control: {make_order(0.15).sentence}")


@dataclass(frozen=True)
class Judged:
    """What of a case is judged."""

    core: SimpleNamespace | None = None
    guard: dict[str, Any] | None = None


def test_a_run_in_which_the_question_was_lost_gives_its_reasons() -> None:
    good = {"dislocation": Judged(SimpleNamespace(verdict="stays"), {"trustworthy": True}), "control": Judged()}
    crystal, lost = make_order(0.1), make_order(0.3)
    assert find_doubts(good, orders=dict.fromkeys(good, crystal)) == ()  # type: ignore[arg-type]
    assert find_doubts(good, orders=dict.fromkeys(good, lost)) == (  # type: ignore[arg-type]
        "the alloy has lost its crystal order",
    )
    bad = {
        "dislocation": Judged(SimpleNamespace(verdict="unclear")),
        "control": Judged(None, {"trustworthy": False}),
    }
    assert find_doubts(bad, orders={"dislocation": lost, "control": crystal}) == (  # type: ignore[arg-type]
        "the alloy has lost its crystal order (dislocation)",
        "the potential has left the domain it was trained in (control)",
        "the cores cannot be told",
    )


def test_an_unfinished_relaxation_says_how_fast_its_energy_fell(tmp_path: Path) -> None:
    values = {"converged": False, "n_steps": 1500, "largest_force_eV_per_A": 0.135}
    relaxation = Finished("a" * 64, values=values, files={"relaxed": tmp_path / "relaxed.extxyz"})
    (warning,) = judge_relaxation(relaxation, case="control")
    told = "The relaxation of control was not finished: after 1500 steps it ended at 0.14 eV/Å"
    assert warning.text == f"{told}. What was left undone goes on in the dynamics."
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "relax.log").write_text("Step PotEng\n0 1.0\n100 -1.0\n200 -5.25\n", encoding="utf-8")
    (warning,) = judge_relaxation(relaxation, case="control")
    assert warning.text.startswith(f"{told}, while its energy still fell by 4.25 eV per 100 steps.")
    assert judge_relaxation(Finished("a" * 64, values={"converged": True}, files={}), case="control") == []


def test_a_gap_at_the_end_of_its_scan_is_told(tmp_path: Path) -> None:
    values = {"gaps_A": [2.0, 2.5, 5.0], "lowest_gap_A": 2.0, "is_bracketed": False}
    scan = Finished("b" * 64, values=values, files={})
    run = RunFacts(
        config=PotassiumDiffusionConfig(),
        workdir=tmp_path,
        store=Store(tmp_path / "store"),
        calculator=CalculatorSpec("pod"),
        keys={"gap scan": scan.key},
        verified={scan.key: scan},
    )
    texts = [one.text for one in collect_warnings(run, data={}, cases={}, relaxed={}, dynamics={}, proof="")]
    (told,) = [text for text in texts if "gaps" in text]
    assert told.startswith("The scan over gaps from 2 to 5 Å is lowest at its end, 2 Å: no gap of lowest energy")
    assert judge_gap(Finished("b" * 64, values=values | {"is_bracketed": True}, files={})) == []


@pytest.mark.parametrize(
    ("cases", "scanned"),
    [
        (["dislocation", "control"], "control"),
        (["control", "dislocation"], "control"),
        (["dislocation"], "dislocation"),
    ],
)
def test_the_flat_face_is_scanned_in_whatever_order_cases_are(tmp_path: Path, cases: list[str], scanned: str) -> None:
    structure = {"cases": cases, "repeats": [6, 4, 2], "metal_thickness_A": 8.0, "vacuum_A": 12.0, "max_strain": 0.1}
    config = PotassiumDiffusionConfig.model_validate({"structure": structure}, strict=False)
    calculator = CalculatorSpec("pod")
    cell = build_cells(config)[scanned].atoms
    key = compute_key(Calculation("gap_scan", structure=cell, calculator=calculator))
    scan = Finished(key, values={"lowest_gap_A": 2.75}, files={})
    store = Store(tmp_path / "store")
    run = RunFacts(config, tmp_path, store, calculator, is_reading=True, verified={key: scan})
    assert choose_gap(run) == 2.75


def make_penetration(*, core_nm2: float, total_nm2: float, density_per_nm2: float) -> Penetration:
    def make_series(area_nm2: float) -> DepthSeries:
        depths = np.zeros((1, 2))
        return DepthSeries(depths, depths, depths, area_nm2, max(1.0, density_per_nm2 * area_nm2))

    regions = {"core": make_series(core_nm2), "crystal": make_series(total_nm2 - core_nm2)}
    return Penetration(np.arange(2.0), make_series(total_nm2), regions, density_per_nm2)


def test_a_depth_from_few_atoms_is_told() -> None:
    assert judge_depths(make_penetration(core_nm2=20.0, total_nm2=40.0, density_per_nm2=0.5)) == []
    (warning,) = judge_depths(make_penetration(core_nm2=4.52, total_nm2=26.0, density_per_nm2=0.5))
    assert warning.severity == "amber"
    assert "at 0.5 nm⁻² K atoms beyond the depth are 2.3 in the core columns (4.5 nm²)." in warning.text
    assert "one counts" not in warning.text
    (warning,) = judge_depths(make_penetration(core_nm2=1.0, total_nm2=16.5, density_per_nm2=0.5))
    assert "are 8.2 in all (16.5 nm²), 1.0 in the core columns (1.0 nm²), 7.8 outside them (15.5 nm²)" in warning.text
    assert warning.text.endswith("the area in the core columns that this would be 0.50 atoms: there, one counts.")


def test_a_break_in_the_dynamics_is_told(tmp_path: Path) -> None:
    key = "a" * 64
    finished = Finished(key, values={"breaks": ["from segment 3 on: cpu A, now B"]}, files={})
    run = RunFacts(
        config=PotassiumDiffusionConfig(),
        workdir=tmp_path,
        store=Store(tmp_path / "store"),
        calculator=CalculatorSpec("pod"),
        verified={key: finished},
    )
    warnings = collect_warnings(run, data={}, cases={}, relaxed={}, dynamics={"control": [key]}, proof="")
    texts = [warning.text for warning in warnings if warning.severity == "amber"]
    assert "A break in the dynamics of control, from segment 3 on: cpu A, now B." in texts


def build_region(name: str, *, temperature_K: float) -> RegionTemperature:
    return RegionTemperature(name, np.full((1, 4), temperature_K), 300, 50.0, np.ones(4, dtype=bool))


def test_a_region_beyond_three_fluctuations_is_warned_of() -> None:
    hot, calm = build_region("potassium", temperature_K=82.0), build_region("alloy", temperature_K=48.0)
    (warning,) = judge_temperatures({"potassium": hot, "alloy": calm}, case="control", thermostat="nose-hoover")
    assert warning.severity == "amber"
    assert warning.text.startswith("Control: the potassium is at 82 K in production, set are 50 K.")
    assert "5.6 K (potassium)" in warning.text  # 3 * 50 K * sqrt(2 / 897) * sqrt((1 + 1/4) / 2)
    assert "langevin" in warning.text
    assert judge_temperatures({"alloy": calm}, case="control", thermostat="nose-hoover") == []
    # 2.75 fluctuations of one reading, 3.5 of the mean over four.
    warm = build_region("potassium", temperature_K=56.5)
    assert len(judge_temperatures({"potassium": warm}, case="control", thermostat="nose-hoover")) == 1
