from typing import Any

import pytest

from structures.errors import ConvergenceError
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, plan_segments
from workflows.recipes.dynamics_watch import Continuity, Watch

SETTINGS = MolecularDynamicsSettings(heat_steps=1000, equilibrate_steps=1000, production_steps=1000)


def make_watch(number: int = 1, **fields: Any) -> Watch:  # noqa: ANN401
    plan = plan_segments(SETTINGS)[number]
    return Watch(plan=plan, settings=SETTINGS, n_atoms=10, last_step=3000, **{"before": Continuity(), **fields})


def make_row(step: float, **values: float) -> dict[str, float]:
    row = dict.fromkeys(("temperature_K", "pressure_GPa", "pressure_zz_GPa", "kinetic_energy_eV"), 1.0)
    row |= {"time_ps": step * 0.003, "step": step, "potential_energy_eV": -30.0, "conserved_eV": -29.0}
    return row | values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"temperature_K": 4000.0},
            r"at step 1010 \(3.030 ps, stage equilibrate\): temperature is 4000 K, limit 3000 K",
        ),
        ({"pressure_GPa": -200.0}, "pressure is -200 GPa, limit 100 GPa"),
        ({"potential_energy_eV": 40.0}, "potential energy changed by 7 eV/atom, limit 5 eV/atom"),
        ({"conserved_eV": -23.0}, "conserved quantity drifted by 0.6 eV/atom, limit 0.5"),
        ({"kinetic_energy_eV": float("nan")}, "kinetic_energy_eV is nan, no finite number"),
        ({"pressure_zz_GPa": float("inf")}, "pressure_zz_GPa is inf"),
    ],
)
def test_what_blows_up_is_stopped_with_step_and_reason(values: dict[str, float], message: str) -> None:
    watch = make_watch()
    watch.add(make_row(1000))
    with pytest.raises(ConvergenceError, match=message):
        watch.add(make_row(1010, **values))


def test_drift_is_not_counted_while_heating() -> None:
    watch = make_watch(0)
    watch.add(make_row(0))
    watch.add(make_row(10, conserved_eV=100.0))
    assert watch.continuity() == Continuity(conserved_eV=100.0, reference_eV=None)


def test_conserved_quantity_goes_on_from_the_segment_before() -> None:
    watch = make_watch(2, before=Continuity(conserved_eV=-20.0, reference_eV=-20.5))
    watch.add(make_row(2000, conserved_eV=-29.0))
    watch.add(make_row(2010, conserved_eV=-28.9))
    assert [row["conserved_eV"] for row in watch.rows] == [-20.0, pytest.approx(-19.9, rel=1e-12)]
    assert watch.rows_to_keep() == watch.rows[1:]
    assert watch.continuity().reference_eV == -20.5


def test_slow_drift_over_segments_is_caught() -> None:
    watch = make_watch(2, before=Continuity(conserved_eV=-20.0, reference_eV=-24.9))
    watch.add(make_row(2000, conserved_eV=3.0))
    with pytest.raises(ConvergenceError, match=r"drifted by 0\.51 eV/atom"):
        watch.add(make_row(2010, conserved_eV=3.2))


def test_calculator_without_stress_is_not_stopped_for_it() -> None:
    watch = make_watch(stops_on_pressure=False)
    watch.add(make_row(1000, pressure_GPa=float("nan"), pressure_zz_GPa=float("nan")))
    assert len(watch.rows) == 1


def test_progress_says_stage_step_and_speed() -> None:
    reports: list[dict[str, Any]] = []
    watch = make_watch(report=lambda **fields: reports.append(fields))
    watch.stage_begins("equilibrate")
    watch.add(make_row(1000))
    watch.add(make_row(2000))
    assert reports[0] == {"stage": "equilibrate", "step": 1000, "steps": 3000, "segment": 1}
    assert reports[-1]["step"] == 2000
    rate = reports[-1]["ns_per_day"] / reports[-1]["steps_per_s"]
    assert rate == pytest.approx(3e-6 * 86400, rel=1e-12)
