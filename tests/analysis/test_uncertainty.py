import numpy as np
import pytest

from analysis.uncertainty import (
    compute_band,
    compute_blocked_error,
    compute_replica_mean,
    compute_series_mean,
    compute_statistical_inefficiency,
    compute_steady_mean,
    compute_trend,
    judge_steadiness,
    student_factor,
    to_list,
)
from structures.errors import InputError


def autoregressive(n: int, *, memory: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    series = np.empty(n)
    series[0] = rng.normal() / np.sqrt(1 - memory**2)
    for i, kick in enumerate(rng.normal(size=n - 1)):
        series[i + 1] = memory * series[i] + kick
    return series


def test_student_factor_is_that_of_tables() -> None:
    assert student_factor(5) == pytest.approx(2.7764, rel=1e-4)
    assert student_factor(1) == np.inf


def test_replica_mean_is_closed_form() -> None:
    quantity = compute_replica_mean([1.0, 2.0, 3.0, 4.0, 5.0], unit="Å")
    half = 2.7764451 * np.sqrt(2.5 / 5)
    assert quantity.value == pytest.approx(3.0, rel=1e-12)
    assert quantity.uncertainty == pytest.approx(half, rel=1e-6)
    assert quantity.low == pytest.approx(3 - half, rel=1e-6)
    assert quantity.n_independent == 5
    assert quantity.verdict == "5 replicas"


def test_one_replica_has_no_error_bar_in_json() -> None:
    values = compute_replica_mean([7.0], unit="Å").to_json()
    assert values["value"] == 7.0
    assert values["uncertainty"] is values["low"] is values["high"] is None
    assert "no error bar" in values["verdict"]


def test_white_noise_is_independent_and_memory_is_not() -> None:
    # A first-order autoregressive series has g = (1 + a)/(1 − a).
    assert compute_statistical_inefficiency(autoregressive(20000, memory=0.0, seed=1)) == pytest.approx(1, abs=0.1)
    assert compute_statistical_inefficiency(autoregressive(50000, memory=0.8, seed=2)) == pytest.approx(9, rel=0.2)
    assert compute_statistical_inefficiency(np.full(10, 3.0)) == 1.0


def test_blocked_error_of_a_correlated_series_is_the_true_one() -> None:
    series = autoregressive(2**15, memory=0.8, seed=3)
    error, plateau = compute_blocked_error(series)
    exact = np.sqrt(1 / (1 - 0.8**2) * 9 / series.size)
    assert plateau
    assert error == pytest.approx(exact, rel=0.2)
    assert error > 2 * series.std() / np.sqrt(series.size)


def test_interval_of_a_correlated_mean_covers_zero_nineteen_times_in_twenty() -> None:
    covered = 0
    for seed in range(100):
        quantity = compute_series_mean(autoregressive(2000, memory=0.7, seed=seed), unit="1")
        assert quantity.low is not None
        assert quantity.high is not None
        covered += quantity.low <= 0 <= quantity.high
    assert 88 <= covered <= 100


def test_short_series_says_so() -> None:
    quantity = compute_series_mean(np.linspace(0, 1, 50), unit="1")
    assert "not converged" in quantity.verdict or "no error bar" in quantity.verdict


def test_discard_leaves_the_start_out() -> None:
    series = np.concatenate([np.full(50, 100.0), np.random.default_rng(0).normal(size=50)])
    assert abs(compute_series_mean(series, unit="1", discard=0.5).value) < 1
    with pytest.raises(InputError, match=r"discard is 1\.5, needs 0 <= discard < 1"):
        compute_series_mean(series, unit="1", discard=1.5)


@pytest.mark.parametrize("series", [[], [[1.0, 2.0]], [1.0, float("nan")]])
def test_bad_series_is_refused(series: list[float]) -> None:
    with pytest.raises(InputError, match="a series has"):
        compute_statistical_inefficiency(series)


def test_band_leaves_out_what_is_unknown() -> None:
    mean, low, high = compute_band([[1.0, 1.0, np.nan], [3.0, np.nan, np.nan]])
    np.testing.assert_allclose(mean, [2.0, 1.0, np.nan])
    np.testing.assert_allclose([low[0], high[0]], [2 - 12.7062, 2 + 12.7062], rtol=1e-5)
    assert np.isnan(low[1:]).all()


def test_lists_have_no_nan() -> None:
    assert to_list([[1.23456789, np.nan], [np.inf, 0.0]], digits=3) == [[1.23, None], [None, 0.0]]


@pytest.mark.parametrize("n", [20, 40, 100])
@pytest.mark.parametrize("memory", [0.0, 0.3, 0.6, 0.8, 0.9, 0.95])
def test_hardly_an_error_bar_of_one_run_misses_the_mean(n: int, memory: float) -> None:
    missed = 0
    for seed in range(200):
        found = compute_steady_mean(autoregressive(n, memory=memory, seed=1000 + seed), unit="1")
        if found.low is not None and found.high is not None:
            missed += not found.low <= 0 <= found.high
    # One in twenty, and three standard deviations of 200 draws.
    assert missed <= 10 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_white_noise_mostly_gets_its_error_bar_and_covers_the_mean() -> None:
    found = [compute_steady_mean(autoregressive(40, memory=0.0, seed=seed), unit="1") for seed in range(200)]
    given = [quantity for quantity in found if quantity.low is not None and quantity.high is not None]
    assert len(given) > 160
    covered = sum(q.low <= 0 <= q.high for q in given if q.low is not None and q.high is not None)
    assert covered / len(given) > 0.9


def test_a_ramp_is_drifting_and_its_ends_are_told() -> None:
    ramp = np.linspace(1.5, 2.0, 20) + np.random.default_rng(0).normal(0, 0.02, 20)
    found = judge_steadiness(ramp)
    assert not found.is_steady
    assert found.verdict.startswith("drifting: no error bar from one run; 1.5")
    assert compute_trend(ramp) > 3
    assert compute_trend(-ramp) == pytest.approx(-compute_trend(ramp), rel=1e-9)
    quantity = compute_steady_mean(ramp, unit="1")
    assert (quantity.uncertainty, quantity.low) == (None, None)
    assert quantity.value == pytest.approx(ramp.mean(), rel=1e-12)


def test_five_blocks_and_a_constant() -> None:
    assert "5 samples of one run, needs 10" in judge_steadiness([1.56, 1.62, 1.75, 1.85, 1.91]).verdict
    constant = compute_steady_mean(np.full(20, 8.0), unit="1")
    assert (constant.value, constant.uncertainty) == (8.0, 0.0)
