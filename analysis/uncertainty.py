"""Uncertainty of a number: blocks within one run, and the spread over replicas."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structures.errors import InputError

CONFIDENCE = 0.95
MIN_REPLICAS = 5
MIN_SAMPLES = 5
MIN_STEADY_SAMPLES = 10
_MIN_BLOCKS = 4
_FIFTHS = 5
# Two-sided 90 %: a run that drifts without being noticed costs more than one whose error bar is withheld.
_TREND_LIMIT = 1.645
_LARGEST_CORRELATION = 0.98
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Quantity:
    """A number with its error bar and where that comes from.

    Attributes:
        value: best estimate, in `unit`.
        uncertainty: half the width of the 95 % interval, in `unit`; None where one sample gives none.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        unit: unit of the four numbers above.
        method: how value and interval were estimated.
        n_independent: independent samples behind the interval.
        verdict: what the number is good for, in a few words.
    """

    value: float
    uncertainty: float | None
    low: float | None
    high: float | None
    unit: str
    method: str
    n_independent: float
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """The quantity as JSON values; None for what is not finite, as JSON needs."""
        values = asdict(self)
        return {key: None if isinstance(x, float) and not isfinite(x) else x for key, x in values.items()}


def student_factor(n_samples: float) -> float:
    """Two-sided 95 % factor of Student's t for the mean of n samples; infinite below two."""
    if n_samples < 2:  # noqa: PLR2004 - one sample has no spread
        return float("inf")
    from scipy.stats import t as student_t  # half a second, which commands that only look need not wait for

    return float(student_t.ppf(0.5 + CONFIDENCE / 2, n_samples - 1))


def compute_statistical_inefficiency(series: ArrayLike) -> float:
    """How many correlated samples of a series count as one independent sample.

    g = 1 + 2 Σ_t (1 − t/N) C(t), with the normalised autocorrelation C summed up to the first lag past which
    it is no longer positive. Deterministic; 1 for white noise and for a constant series.

    Args:
        series: equally spaced samples, shape (n,).

    Returns:
        g, between 1 and n.

    Raises:
        InputError: if the series is empty or not finite.

    Source: Chodera et al. 2007, 10.1021/ct0502864.
    """
    values = _as_series(series)
    n = values.size
    deviation = values - values.mean()
    variance = float(np.mean(deviation**2))
    if variance <= (1e-12 * max(abs(float(values.mean())), 1e-300)) ** 2:
        return 1.0
    padded = np.fft.rfft(deviation, 2 * n)
    correlation = np.fft.irfft(padded * np.conj(padded), 2 * n)[:n] / (np.arange(n, 0, -1) * variance)
    lags = np.arange(1, n)
    below = np.flatnonzero(correlation[1:] <= 0)
    last = int(below[0]) if below.size else n - 1
    g = 1 + 2 * float(np.sum((1 - lags[:last] / n) * correlation[1 : last + 1]))
    return min(max(g, 1.0), float(n))


def compute_blocked_error(series: ArrayLike) -> tuple[float, bool]:
    """Standard error of the mean of a correlated series, by pairwise blocking.

    The series is halved by averaging neighbours until four blocks are left. The error rises with block length
    until blocks are independent; the first level whose rise to the next lies within its own error is the plateau.

    Args:
        series: equally spaced samples, shape (n,).

    Returns:
        Standard error, and whether a plateau was reached (if not, the error is a lower bound).

    Source: Flyvbjerg and Petersen 1989, 10.1063/1.457480.
    """
    values = _as_series(series)
    errors: list[tuple[float, float]] = []
    while values.size >= _MIN_BLOCKS:
        n = values.size
        error = sqrt(float(values.var(ddof=1)) / n)
        errors.append((error, error / sqrt(2 * (n - 1))))
        values = 0.5 * (values[0 : n - n % 2 : 2] + values[1:n:2])
    if not errors:
        return float("inf"), False
    for (error, spread), (following, _) in pairwise(errors):
        if following <= error + spread:
            return max(error, following), True
    return max(error for error, _ in errors), False


def compute_series_mean(series: ArrayLike, *, unit: str, discard: float = 0.0) -> Quantity:
    """Mean of a correlated series of one run, with the error of its independent samples.

    Args:
        series: equally spaced samples, shape (n,).
        unit: unit of the samples.
        discard: share of the start that is left out, in [0, 1).

    Returns:
        Mean with a Student-t interval; the standard error is the larger of two estimates, statistical inefficiency
        and pairwise blocking.

    Raises:
        InputError: if the series is empty or not finite, or discard lies outside [0, 1).
    """
    if not 0 <= discard < 1:
        raise InputError(f"discard is {discard}, needs 0 <= discard < 1")
    values = _as_series(series)
    values = values[int(discard * values.size) :]
    independent = values.size / compute_statistical_inefficiency(values)
    method = "mean of one run; statistical inefficiency and pairwise blocking, Student t, 95 %"
    mean = float(values.mean())
    if independent < 2:  # noqa: PLR2004 - one sample has no spread
        return Quantity(mean, None, None, None, unit, method, independent, "one independent sample: no error bar")
    blocked, plateau = compute_blocked_error(values)
    error = sqrt(float(values.var(ddof=1)) / independent)
    half = student_factor(independent) * (max(error, blocked) if plateau else error)
    if independent < MIN_SAMPLES:
        verdict = f"not converged: {independent:.1f} independent samples, needs {MIN_SAMPLES}"
    elif not plateau:
        verdict = "blocks reach no plateau: run longer"
    else:
        verdict = "converged within this run"
    return Quantity(mean, half, mean - half, mean + half, unit, method, independent, verdict)


@dataclass(frozen=True)
class Steadiness:
    """Whether a series of one run allows an error bar.

    Attributes:
        is_steady: no trend, and at least ten independent samples.
        n_independent: independent samples.
        verdict: the reason, with the values at both ends if the series drifts.
    """

    is_steady: bool
    n_independent: float
    verdict: str


def judge_steadiness(series: ArrayLike) -> Steadiness:
    """Whether a series of one run is steady and long enough for an error bar of its mean.

    A trend is found by Mann and Kendall's test, whose variance is multiplied by the statistical inefficiency of the
    series less a straight line. The inefficiency of short series is the larger of two estimates, that by the
    autocorrelation and (1 + a)/(1 − a) with the lag-one correlation a corrected for its bias. So an error bar that
    misses the mean is given in at most one of twenty first-order autoregressive series, of any length and memory.

    Args:
        series: equally spaced samples, shape (n,).

    Returns:
        The verdict.

    Source: Hamed and Rao 1998, 10.1016/S0022-1694(97)00125-X.
    """
    values = _as_series(series)
    n = values.size
    if n < MIN_STEADY_SAMPLES:
        few = f"{n} samples of one run, needs {MIN_STEADY_SAMPLES}: no error bar"
        return Steadiness(is_steady=False, n_independent=float(n), verdict=few)
    independent = n / _compute_short_inefficiency(values)
    if abs(compute_trend(values)) > _TREND_LIMIT:
        first, last = (float(part.mean()) for part in (values[: n // _FIFTHS], values[-(n // _FIFTHS) :]))
        ends = f"{first:.3g} in its first fifth, {last:.3g} in its last"
        drift = f"drifting: no error bar from one run; {ends}"
        return Steadiness(is_steady=False, n_independent=independent, verdict=drift)
    if independent < MIN_STEADY_SAMPLES:
        few = f"{independent:.1f} independent samples of one run, needs {MIN_STEADY_SAMPLES}: no error bar"
        return Steadiness(is_steady=False, n_independent=independent, verdict=few)
    steady = f"steady, {independent:.0f} independent samples of one run"
    return Steadiness(is_steady=True, n_independent=independent, verdict=steady)


def compute_trend(series: ArrayLike) -> float:
    """Mann and Kendall's statistic of a trend, in standard deviations; its variance allows for correlated samples."""
    values = _as_series(series)
    n = values.size
    if n <= _MIN_BLOCKS or float(np.ptp(values)) <= 0:
        return 0.0
    order = np.sign(values[None, :] - values[:, None])
    score = float(np.triu(order, 1).sum())
    line = np.polyval(np.polyfit(np.arange(n), values, 1), np.arange(n))
    residual = values - line
    # What is left of a straight line itself is rounding, not memory.
    noisy = float(residual.var()) > _ROUNDING * float(values.var())
    inefficiency = _compute_short_inefficiency(residual) if noisy else 1.0
    return score / sqrt(n * (n - 1) * (2 * n + 5) / 18 * inefficiency)


def compute_steady_mean(series: ArrayLike, *, unit: str) -> Quantity:
    """Mean of a series of one run; with an interval only if the series is steady (`judge_steadiness`)."""
    values = _as_series(series)
    found = judge_steadiness(values)
    mean = float(values.mean())
    method = f"mean over {values.size} stretches of one run"
    if not found.is_steady:
        return Quantity(mean, None, None, None, unit, method, found.n_independent, found.verdict)
    half = float(compute_steady_half_width(values, n_independent=found.n_independent))
    method += ", statistical inefficiency, Student t, 95 %"
    return Quantity(mean, half, mean - half, mean + half, unit, method, found.n_independent, found.verdict)


def compute_steady_half_width(samples: ArrayLike, *, n_independent: float) -> NDArray[np.float64]:
    """Half the Student-t 95 % interval of means of correlated samples, shape (n_samples, …) to (…)."""
    values = np.asarray(samples, dtype=float)
    known = np.isfinite(values).all(axis=0)
    spread = np.where(known, np.where(known, values, 0.0).std(axis=0, ddof=1), np.nan)
    return np.asarray(student_factor(n_independent) * spread / sqrt(n_independent))


def _compute_short_inefficiency(values: NDArray[np.float64]) -> float:
    """Statistical inefficiency of a series that may be short, from above."""
    n, deviation = values.size, values - values.mean()
    variance = float(np.sum(deviation**2))
    if variance <= 0 or n <= _MIN_BLOCKS:
        return 1.0
    lag_one = float(np.sum(deviation[1:] * deviation[:-1])) / variance
    corrected = min(max((n * lag_one + 1) / (n - 4), 0.0), _LARGEST_CORRELATION)
    return min(max(compute_statistical_inefficiency(values), (1 + corrected) / (1 - corrected)), float(n))


def compute_replica_mean(values: ArrayLike, *, unit: str, what: str = "replicas") -> Quantity:
    """Mean over independent runs with a Student-t 95 % interval.

    Args:
        values: one number a replica, shape (n,).
        unit: unit of the numbers.
        what: what the independent samples are, for the method text.

    Returns:
        The mean; without an interval for one replica.

    Raises:
        InputError: if there are no values or one is not finite.
    """
    samples = _as_series(values)
    n = samples.size
    mean = float(samples.mean())
    method = f"mean over {n} {what}, Student t, 95 %"
    if n < 2:  # noqa: PLR2004 - one sample has no spread
        return Quantity(mean, None, None, None, unit, method, n, f"one of the {what}: no error bar")
    half = student_factor(n) * sqrt(float(samples.var(ddof=1)) / n)
    verdict = f"{n} {what}" if n >= MIN_REPLICAS else f"few {what}: {n}, needs {MIN_REPLICAS} to be resolved"
    return Quantity(mean, half, mean - half, mean + half, unit, method, n, verdict)


def compute_band(samples: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean and Student-t 95 % band of curves from independent samples.

    Args:
        samples: curves, shape (n_samples, …); NaN marks a point that a sample lacks.

    Returns:
        Mean, lower and upper curve, each of shape (…); the band is NaN where fewer than two samples are known.
    """
    curves = np.asarray(samples, dtype=float)
    known = np.isfinite(curves)
    count = known.sum(axis=0)
    filled = np.where(known, curves, 0.0)
    mean = np.where(count > 0, filled.sum(axis=0) / np.maximum(count, 1), np.nan)
    squares = np.where(known, (curves - mean) ** 2, 0.0).sum(axis=0)
    factors = np.array([np.nan, np.nan, *(student_factor(n) for n in range(2, curves.shape[0] + 1))])
    half = factors[count] * np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return mean, mean - half, mean + half


def to_list(values: ArrayLike, *, digits: int = 6) -> list[Any]:
    """Nested lists of a float array, rounded to significant digits, with None for NaN and infinity, as JSON needs."""
    array = np.asarray(values, dtype=float)
    if array.ndim > 1:
        return [to_list(row, digits=digits) for row in array]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in array]


def _as_series(series: ArrayLike | Sequence[float]) -> NDArray[np.float64]:
    """The series as a flat float array, checked."""
    values = np.atleast_1d(np.asarray(series, dtype=float))
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"a series has shape {values.shape}, needs one dimension and at least one value")
    if not np.isfinite(values).all():
        raise InputError(f"a series has {int((~np.isfinite(values)).sum())} values that are not finite; leave them out")
    return values
