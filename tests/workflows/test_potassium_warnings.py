"""What a reader is warned of."""

import numpy as np

from analysis.region_temperature import RegionTemperature
from workflows.potassium_warnings import judge_temperatures


def build_region(name: str, *, temperature_K: float) -> RegionTemperature:
    return RegionTemperature(name, np.full((1, 4), temperature_K), 300, 50.0, np.ones(4, dtype=bool))


def test_a_region_beyond_three_fluctuations_is_warned_of() -> None:
    hot, calm = build_region("potassium", temperature_K=82.0), build_region("alloy", temperature_K=48.0)
    (warning,) = judge_temperatures({"potassium": hot, "alloy": calm}, case="control", thermostat="nose-hoover")
    assert warning.severity == "amber"
    assert warning.text.startswith("Control: the potassium is at 82 K in production, set are 50 K.")
    assert "7.1 K (potassium)" in warning.text
    assert "langevin" in warning.text
    assert judge_temperatures({"alloy": calm}, case="control", thermostat="nose-hoover") == []
