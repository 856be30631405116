"""Whether a quantity has settled: from when on, whether it still drifts, and whether replicas started apart agree."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from analysis.replica_series import average_stretches
from analysis.uncertainty import (
    Quantity,
    Steadiness,
    compute_replica_mean,
    compute_statistical_inefficiency,
    compute_steady_mean,
    judge_steadiness,
    student_factor,
)
from structures.errors import InputError

_STARTS = 20
_LATEST_SHARE = 0.5
_SIGNIFICANCE = 0.01
_STRETCHES = 50


@dataclass(frozen=True)
class Equilibration:
    """What the series of a quantity say about equilibrium.

    Attributes:
        name: of the quantity.
        mean: over what was kept, over replicas or stretches of one run.
        kept_from_ps: since when the quantity is kept, the latest of all replicas, in ps.
        change: mean of the last half of what was kept less that of its first half, mean over replicas, in its unit.
        spread_ratio: spread of the means of replicas over what their own errors allow (1 if they agree); None with one
            replica, or without errors.
        is_settled: whether every replica is steady from before its middle on, and replicas agree.
        verdict: the reason.
    """

    name: str
    mean: Quantity
    kept_from_ps: float
    change: float
    spread_ratio: float | None
    is_settled: bool
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "label": self.name,
            "mean": self.mean.to_json(),
            "kept_from_ps": self.kept_from_ps,
            "change": self.change,
            "spread_ratio": self.spread_ratio,
            "is_settled": self.is_settled,
            "verdict": self.verdict,
        }


def find_equilibrated_start(series: ArrayLike) -> int:
    """The first sample of a series to keep: the start that leaves the most independent samples.

    Args:
        series: equally spaced samples, shape (n,).

    Returns:
        Its number, a multiple of a twentieth of the series.

    Source: Chodera 2016, 10.1021/acs.jctc.5b00784.
    """
    values = np.asarray(series, dtype=float)
    starts = np.unique(np.arange(_STARTS) * values.size // _STARTS)
    left = [(values.size - start) / compute_statistical_inefficiency(values[start:]) for start in starts]
    return int(starts[int(np.argmax(left))])


def judge_equilibration(
    series: Sequence[ArrayLike], *, time_ps: Sequence[ArrayLike], name: str, unit: str
) -> Equilibration:
    """Whether a quantity has settled in every replica, and to the same value.

    Each replica is kept from the start that leaves it the most independent samples, and averaged over fifty stretches,
    whose drift is tested as for any error bar. Means of replicas with errors of their own must agree: their weighted
    squares are distributed as χ² with one degree of freedom less than there are replicas, and what is rarer than one in
    a hundred says that the state depends on how it was prepared.

    Args:
        series: one for each replica, at equal times, shape (n_frames,) each.
        time_ps: of the frames of each replica, same shapes, in ps.
        name: of the quantity.
        unit: of its values.

    Returns:
        The verdict.

    Raises:
        InputError: if there is no replica, series and times differ in length, or a value is not finite.
    """
    values = [np.asarray(one, dtype=float) for one in series]
    times = [np.asarray(one, dtype=float) for one in time_ps]
    if not values or [one.shape for one in values] != [one.shape for one in times] or not values[0].size:
        raise InputError(
            f"{name}: {[one.size for one in values]} values at {[one.size for one in times]} times; needs as many of "
            "both, for at least one replica"
        )
    starts = [find_equilibrated_start(one) for one in values]
    kept = [average_stretches(one[start:], n_stretches=_STRETCHES) for one, start in zip(values, starts, strict=True)]
    found = [judge_steadiness(one) for one in kept]
    mean = compute_replica_mean([one.mean() for one in kept], unit=unit)
    if len(kept) == 1:
        mean = compute_steady_mean(kept[0], unit=unit)
    ratio, agree = _compare_replicas(kept, found=found)
    for number, (one, start) in enumerate(zip(values, starts, strict=True)):
        if start > _LATEST_SHARE * one.size:
            whole = judge_steadiness(average_stretches(one, n_stretches=_STRETCHES))
            found[number] = replace(
                whole, is_steady=False, verdict=f"settles after its middle at best; {whole.verdict}"
            )
    reasons = [f"replica {number + 1}: {one.verdict}" for number, one in enumerate(found) if not one.is_steady]
    if not agree:
        reasons.append(
            f"means of replicas differ {ratio:.1f} times as much as their errors: it depends on how they were prepared"
        )
    settled = f"settled in {len(kept)} of {len(kept)} replicas"
    if ratio is not None:
        settled += f", which agree (spread {ratio:.1f} of what their errors allow)"
    return Equilibration(
        name,
        mean,
        max(float(time[start] - time[0]) for time, start in zip(times, starts, strict=True)),
        float(np.mean([one[one.size // 2 :].mean() - one[: max(one.size // 2, 1)].mean() for one in kept])),
        ratio,
        not reasons,
        "; ".join(reasons) or settled,
    )


def _compare_replicas(kept: Sequence[NDArray[np.float64]], *, found: Sequence[Steadiness]) -> tuple[float | None, bool]:
    """Birge's ratio of the means of steady replicas, and whether they agree; one replica always does."""
    steady = [(part, one) for part, one in zip(kept, found, strict=True) if one.is_steady]
    errors = np.array([part.std(ddof=1) / sqrt(one.n_independent) for part, one in steady])
    if len(steady) < 2 or errors.min() <= 0:  # noqa: PLR2004 - one mean agrees with itself
        return None, True
    # Errors of few samples are themselves uncertain, which Student's factor allows for.
    errors *= student_factor(min(one.n_independent for _, one in steady)) / student_factor(1e6)
    means = np.array([part.mean() for part, _ in steady])
    centre = np.average(means, weights=errors**-2)
    squares = float((((means - centre) / errors) ** 2).sum())
    freedom = len(steady) - 1
    return sqrt(squares / freedom), bool(chi2.sf(squares, freedom) > _SIGNIFICANCE)
