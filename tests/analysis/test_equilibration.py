import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.equilibration import find_equilibrated_start, judge_equilibration
from structures.errors import InputError

N_FRAMES = 2000
TIME_PS = np.arange(N_FRAMES) * 0.5


def remember(*, memory: float, seed: int) -> NDArray[np.float64]:
    """Autoregressive noise of unit variance."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=N_FRAMES)
    values = np.empty(N_FRAMES)
    values[0] = noise[0]
    for i in range(1, N_FRAMES):
        values[i] = memory * values[i - 1] + np.sqrt(1 - memory**2) * noise[i]
    return values


def test_what_relaxes_is_left_out() -> None:
    relaxing = remember(memory=0.5, seed=0) + 30 * np.exp(-np.arange(N_FRAMES) / 50)
    start = find_equilibrated_start(relaxing)
    assert 100 <= start <= 500
    found = judge_equilibration([relaxing], time_ps=[TIME_PS], name="potential energy", unit="eV")
    assert found.is_settled
    assert found.kept_from_ps == pytest.approx(start * 0.5, rel=1e-12)
    assert found.mean.value == pytest.approx(0, abs=0.2)
    assert found.mean.uncertainty is not None
    assert find_equilibrated_start(remember(memory=0.0, seed=1)) <= 300


def test_drift_is_told() -> None:
    drifting = remember(memory=0.5, seed=2) + np.arange(N_FRAMES) * 3e-3
    found = judge_equilibration([drifting], time_ps=[TIME_PS], name="height", unit="Å")
    assert not found.is_settled
    assert found.verdict.startswith(
        "replica 1: settles after its middle at best; drifting: no error bar from one run; 0."
    )
    assert found.mean.uncertainty is None
    assert found.change > 0.5


def test_replicas_that_disagree_depend_on_their_preparation() -> None:
    same = [remember(memory=0.5, seed=seed) for seed in range(3, 8)]
    times = [TIME_PS] * 5
    found = judge_equilibration(same, time_ps=times, name="first approach", unit="Å")
    assert found.is_settled, found.verdict
    assert found.spread_ratio is not None
    assert found.spread_ratio < 2
    apart = [one + shift for one, shift in zip(same, (0, 1, 2, 3, 4), strict=True)]
    other = judge_equilibration(apart, time_ps=times, name="first approach", unit="Å")
    assert not other.is_settled
    assert "depends on how they were prepared" in other.verdict
    assert other.mean.value == pytest.approx(found.mean.value + 2, abs=0.1)


def test_agreeing_replicas_are_rarely_said_to_disagree() -> None:
    wrong = 0
    for trial in range(40):
        runs = [remember(memory=0.8, seed=100 + 4 * trial + k) for k in range(4)]
        found = judge_equilibration(runs, time_ps=[TIME_PS] * 4, name="x", unit="1")
        wrong += "prepared" in found.verdict
    assert wrong <= 3


def test_series_and_times_of_unlike_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"energy: \[3\] values at \[2\] times"):
        judge_equilibration([np.zeros(3)], time_ps=[np.zeros(2)], name="energy", unit="eV")
