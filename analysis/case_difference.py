"""Whether a quantity differs between two cases: difference and ratio over replicas, and what would resolve them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

from analysis.uncertainty import CONFIDENCE, MIN_REPLICAS, Quantity, compute_replica_mean

_MOST_REPLICAS = 200


@dataclass(frozen=True)
class CaseDifference:
    """One quantity in two cases.

    Attributes:
        difference: first minus second.
        ratio: first over second, of the geometric means; None if a value is not above zero.
        first: mean over the replicas of the first case.
        second: mean over those of the second.
        n_replicas: replicas of the case that has fewer.
        resolved: at least five replicas, the interval of the difference excludes zero, and nothing speaks against it.
        advice: what would resolve it; empty if it is resolved.
    """

    difference: Quantity
    ratio: Quantity | None
    first: Quantity
    second: Quantity
    n_replicas: int
    resolved: bool
    advice: str

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {
            "difference": self.difference.to_json(),
            "ratio": None if self.ratio is None else self.ratio.to_json(),
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "n_replicas": self.n_replicas,
            "resolved": self.resolved,
            "advice": self.advice,
        }


def compare_cases(first: ArrayLike, *, second: ArrayLike, unit: str, doubts: Sequence[str] = ()) -> CaseDifference:
    """Compare a quantity that was measured in each replica of two cases.

    The interval of the difference is Welch's (unequal variances); that of the ratio is Welch's for the logarithms,
    which needs every value above zero.

    Args:
        first: one number a replica of the first case, shape (n,).
        second: the same of the second case, shape (m,).
        unit: of the numbers.
        doubts: why the difference is no result, however many replicas there are.

    Returns:
        The comparison; with fewer than five replicas or with a doubt it is never resolved.

    Raises:
        InputError: if a case has no replicas or a number is not finite.

    Source: Welch 1947, 10.1093/biomet/34.1-2.28.
    """
    means = [compute_replica_mean(values, unit=unit) for values in (first, second)]
    one, other = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (first, second))
    n_replicas = min(one.size, other.size)
    value, low, high = _welch(one, other)
    excludes_zero = low is not None and high is not None and (low > 0 or high < 0)
    resolved = bool(excludes_zero and n_replicas >= MIN_REPLICAS and not doubts)
    verdict = "resolved" if resolved else "not resolved"
    advice = f"Not resolved: {'; '.join(doubts)}." if doubts else ""
    if not resolved and not doubts:
        advice = _advise(one, other, n_replicas=n_replicas, low=low, high=high)
    half = None if low is None or high is None else (high - low) / 2
    method = f"Welch's t over {one.size} and {other.size} replicas, 95 %"
    return CaseDifference(
        Quantity(value, half, low, high, unit, method, n_replicas, verdict),
        _compute_ratio(one, other, verdict=verdict),
        means[0],
        means[1],
        n_replicas,
        resolved,
        advice,
    )


def _welch(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float | None, float | None]:
    """Difference of two means with Welch's 95 % interval; None where one sample has no spread."""
    value = float(first.mean() - second.mean())
    if min(first.size, second.size) < 2:  # noqa: PLR2004 - one sample has no spread
        return value, None, None
    parts = [float(sample.var(ddof=1)) / sample.size for sample in (first, second)]
    if sum(parts) <= 0:
        return value, value, value
    freedom = sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, (first.size, second.size), strict=True))
    half = float(student_t.ppf(0.5 + CONFIDENCE / 2, freedom)) * sqrt(sum(parts))
    return value, value - half, value + half


def _compute_ratio(first: NDArray[np.float64], second: NDArray[np.float64], *, verdict: str) -> Quantity | None:
    """Ratio of the geometric means with Welch's interval of the logarithms; None if a value is not above zero."""
    if min(first.min(), second.min()) <= 0:
        return None
    value, low, high = (None if x is None else exp(x) for x in _welch(np.log(first), np.log(second)))
    half = None if low is None or high is None else (high - low) / 2
    n_replicas = min(first.size, second.size)
    method = "geometric means, Welch's t for the logarithms, 95 %"
    return Quantity(value or float("nan"), half, low, high, "1", method, n_replicas, verdict)


def _advise(
    first: NDArray[np.float64], second: NDArray[np.float64], *, n_replicas: int, low: float | None, high: float | None
) -> str:
    """Why the difference is not resolved, and what would resolve it."""
    if low is None or high is None:
        return f"Not resolved: one replica has no error bar. Run at least {MIN_REPLICAS} replicas of each case."
    needed = _compute_replicas_needed(first, second)
    if n_replicas < MIN_REPLICAS:
        more = max(MIN_REPLICAS, needed or MIN_REPLICAS)
        return f"Not resolved: fewer than {MIN_REPLICAS} replicas. About {more} replicas of each case would tell."
    if needed is None:
        return "Not resolved: the interval includes zero. A longer run or a larger cell would tell, not replicas alone."
    return (
        f"Not resolved: the interval includes zero. About {needed} replicas of each case, or a longer run, would tell."
    )


def _compute_replicas_needed(first: NDArray[np.float64], second: NDArray[np.float64]) -> int | None:
    """Replicas of each case at which a difference as found would exclude zero; None above 200."""
    value = abs(float(first.mean() - second.mean()))
    spread = sqrt(float(first.var(ddof=1)) + float(second.var(ddof=1)))
    if value <= 0:
        return None
    for n in range(2, _MOST_REPLICAS + 1):
        if float(student_t.ppf(0.5 + CONFIDENCE / 2, 2 * (n - 1))) * spread / sqrt(n) < value:
            return n
    return None
