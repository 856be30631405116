from typing import Any

import pytest
from pydantic import ValidationError

from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, plan_segments


def test_segments_follow_each_other_through_the_stages() -> None:
    plans = plan_segments(
        MolecularDynamicsSettings(heat_steps=2000, equilibrate_steps=1000, production_steps=3000, ensemble="npt")
    )
    assert [plan.stage for plan in plans] == ["heat", "heat", "equilibrate", "produce", "produce", "produce"]
    assert [plan.ensemble for plan in plans] == ["nvt", "nvt", "npt", "npt", "npt", "npt"]
    assert [plan.first_step for plan in plans] == [0, 1000, 2000, 3000, 4000, 5000]
    assert [(plan.temperature_from_K, plan.temperature_to_K) for plan in plans[:3]] == [
        (50, 175),
        (175, 300),
        (300, 300),
    ]


def test_nve_is_equilibrated_with_a_thermostat() -> None:
    plans = plan_segments(MolecularDynamicsSettings(ensemble="nve", production_steps=1000))
    assert [plan.ensemble for plan in plans] == ["nvt", "nvt", "nve"]


def test_longer_production_starts_with_the_same_segments() -> None:
    short = plan_segments(MolecularDynamicsSettings(production_steps=2000))
    long = plan_segments(MolecularDynamicsSettings(production_steps=9000))
    assert long[: len(short)] == short


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heat_steps": 1500}, "heat_steps is 1500, needs a whole multiple of segment_steps .1000., e.g. 2000"),
        ({"frame_every_steps": 30}, "frame_every_steps is 30, needs to divide segment_steps .1000."),
        ({"fixed_regions": ["a"], "thermostatted_regions": ["a"]}, "region 'a' is in fixed_regions and"),
        ({"fixed_regions": ["a"], "ensemble": "npt"}, "scales the cell, but fixed_regions"),
        ({"thermostatted_regions": ["a"], "ensemble": "npt"}, "needs thermostat: langevin"),
        ({"timestep_fs": 0}, "greater than 0"),
        ({"temperature_K": -5}, "greater than 0"),
        ({"temprature_K": 300}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MolecularDynamicsSettings.model_validate(settings)
