import numpy as np
import pytest
from ase import units
from numpy.typing import NDArray

from analysis.region_temperature import RegionTemperature, compute_region_temperatures, summarise_region_temperatures
from structures.errors import InputError

MASSES_U = np.repeat([39.1, 209.0, 209.0], [300, 500, 100])
REGIONS = np.repeat(["potassium", "alloy", "anchor"], [300, 500, 100])
TIMES_PS = np.arange(1.0, 9.0)


def draw_velocities(temperatures_K: dict[str, float], *, seed: int, drift: float = 0.0) -> NDArray[np.float64]:
    """Maxwell-Boltzmann velocities in Å/fs, each region at its temperature, and a common drift of the potassium."""
    rng = np.random.default_rng(seed)
    kT = np.array([temperatures_K[name] for name in REGIONS]) * units.kB
    velocities = rng.normal(size=(TIMES_PS.size, MASSES_U.size, 3)) * np.sqrt(kT / MASSES_U)[:, None] * units.fs
    velocities[:, REGIONS == "potassium", 2] += drift
    return velocities


def test_planted_temperatures_come_back_and_the_hot_side_is_named() -> None:
    velocities = [draw_velocities({"potassium": 80.0, "alloy": 50.0, "anchor": 0.0}, seed=s) for s in range(2)]
    found = compute_region_temperatures(velocities, masses_u=MASSES_U, regions=REGIONS, time_ps=TIMES_PS, set_K=50.0)
    assert set(found) == {"potassium", "alloy"}
    assert found["potassium"].mean.value == pytest.approx(80, rel=0.03)
    assert found["alloy"].mean.value == pytest.approx(50, rel=0.03)
    assert found["potassium"].fluctuation_K == pytest.approx(50 * np.sqrt(2 / (3 * 299)), rel=1e-12)
    assert found["potassium"].is_off
    assert not found["alloy"].is_off
    values = summarise_region_temperatures(found, time_ps=TIMES_PS)
    assert len(values["potassium_K"]) == len(values["time_ps"])
    assert "in the replica farthest off of 2: potassium 78.6 K" in values["sentence"]


def test_the_spread_of_readings_is_the_canonical_one() -> None:
    velocities = [draw_velocities({"potassium": 50.0, "alloy": 50.0, "anchor": 0.0}, seed=s) for s in range(50)]
    found = compute_region_temperatures(velocities, masses_u=MASSES_U, regions=REGIONS, time_ps=TIMES_PS, set_K=50.0)
    for part in found.values():
        assert part.temperature_K.std() == pytest.approx(part.fluctuation_K, rel=0.1)
        assert not part.is_off


@pytest.mark.parametrize("n_times", [1, 4, 16])
def test_the_mean_of_a_harmonic_region_fluctuates_as_far(n_times: int) -> None:
    # Its energy is canonical and constant in a run, E/kT ~ Gamma(f); kinetic is Beta(f/2, f/2) of it at each reading.
    rng, n_atoms, n_runs = np.random.default_rng(0), 40, 20_000
    f = 3 * n_atoms - 3
    energy_kT = rng.gamma(f, size=(n_runs, 1))
    readings_K = 50.0 * 2 / f * energy_kT * rng.beta(f / 2, f / 2, size=(n_runs, n_times))
    region = RegionTemperature("potassium", readings_K, n_atoms, 50.0, np.ones(n_times, dtype=bool))
    assert region.replica_means_K.std() == pytest.approx(region.error_of_mean_K, rel=0.02)
    assert region.replica_means_K.mean() == pytest.approx(50.0, rel=1e-3)


def test_a_slab_that_moves_as_a_whole_is_not_hot() -> None:
    still = draw_velocities({"potassium": 50.0, "alloy": 50.0, "anchor": 0.0}, seed=1)
    moving = draw_velocities({"potassium": 50.0, "alloy": 50.0, "anchor": 0.0}, seed=1, drift=0.01)
    both = [
        compute_region_temperatures([run], masses_u=MASSES_U, regions=REGIONS, time_ps=TIMES_PS, set_K=50.0)
        for run in (still, moving)
    ]
    np.testing.assert_allclose(both[1]["potassium"].temperature_K, both[0]["potassium"].temperature_K, rtol=1e-9)


def test_heating_does_not_count_for_the_mean() -> None:
    velocities = draw_velocities({"potassium": 50.0, "alloy": 50.0, "anchor": 0.0}, seed=1)
    velocities[:4] = 0.0
    found = compute_region_temperatures(
        [velocities], masses_u=MASSES_U, regions=REGIONS, time_ps=TIMES_PS, set_K=50.0, from_ps=4.0
    )
    assert found["alloy"].mean.value == pytest.approx(50, rel=0.03)


def test_no_velocities_are_refused() -> None:
    with pytest.raises(InputError, match="needs replicas, times"):
        compute_region_temperatures([], masses_u=MASSES_U, regions=REGIONS, time_ps=TIMES_PS, set_K=50.0)
