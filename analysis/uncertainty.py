"""Uncertainty of a number: blocks within one run, and the spread over replicas."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

from structures.errors import InputError

CONFIDENCE = 0.95
MIN_REPLICAS = 5
MIN_SAMPLES = 5
_MIN_BLOCKS = 4


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
