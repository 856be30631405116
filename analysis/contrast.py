"""Dislocation against control: how much more the depth grew, by how many times, and whether that is resolved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

from analysis.column_gains import PlaceNull, Sensitivity
from analysis.headline import ALL_ATOMS, START, show_length, state_doubts, subtract_as_shown
from analysis.uncertainty import CONFIDENCE, MIN_REPLICAS, Quantity, compute_replica_mean
from structures.errors import InputError

_MOST_REPLICAS = 200


@dataclass(frozen=True)
class Contrast:
    """By how much the depth grew in two cases since the relaxed cell, compared over replicas.

    The depth is that beyond which a given number of atoms lie on each nm²; its gain is no path of single atoms.
    All numbers are as computed. A sentence rounds gains to 0.01 Å, and shows the difference of the rounded ones.

    Attributes:
        difference: gain with the dislocation minus that of the control, in Å.
        ratio: the former divided by the latter; None if a gain is not above zero.
        dislocation_gain: gain with the dislocation, in Å.
        control_gain: gain of the control, in Å.
        elsewhere_gain: gain outside the core columns in the same runs as `dislocation_gain`, in Å; None if not known.
        depths: final depths with the dislocation and of the control, in Å; None if not known.
        n_replicas: replicas of the case that has fewer.
        resolved: at least five replicas, the interval of the difference excludes zero, and nothing speaks against it.
        sentence: the answer in one sentence, with what would resolve it.
        region: whose depths these are, see `analysis.headline`.
        doubts: why the numbers are no result about dislocations, however many replicas there are.
        place: the same difference for columns put elsewhere; None if it was not looked for.
        sensitivity: the same difference at other radii and areal densities; None if it was not looked for.
    """

    difference: Quantity
    ratio: Quantity | None
    dislocation_gain: Quantity
    control_gain: Quantity
    elsewhere_gain: Quantity | None
    depths: tuple[Quantity, Quantity] | None
    n_replicas: int
    resolved: bool
    sentence: str
    region: str
    doubts: tuple[str, ...] = ()
    place: PlaceNull | None = None
    sensitivity: Sensitivity | None = None

    def to_json(self) -> dict[str, Any]:
        """The contrast as JSON values; estimate, low and high are those of the difference."""
        return {
            "estimate": self.difference.value,
            "low": self.difference.low,
            "high": self.difference.high,
            "unit": "Å",
            "quantity": f"difference of the depths gained since {START}",
            "region": self.region,
            "n_replicas": self.n_replicas,
            "resolved": self.resolved,
            "doubts": list(self.doubts),
            "sentence": self.sentence,
            "difference_A": self.difference.to_json(),
            "ratio": None if self.ratio is None else self.ratio.to_json(),
            "dislocation_gain_A": self.dislocation_gain.to_json(),
            "control_gain_A": self.control_gain.to_json(),
            "elsewhere_gain_A": None if self.elsewhere_gain is None else self.elsewhere_gain.to_json(),
            **({} if self.place is None else self.place.to_json()),
            "sensitivity": None if self.sensitivity is None else self.sensitivity.to_json(),
            "dislocation_depth_A": None if self.depths is None else self.depths[0].to_json(),
            "control_depth_A": None if self.depths is None else self.depths[1].to_json(),
        }


@dataclass(frozen=True)
class Wording:
    """What the sentence of a contrast says beside its numbers.

    Attributes:
        where: where the gain of the dislocated case was taken.
        where_control: where that of the control was taken.
        note: what else a reader must know.
        scope: what the replicas have in common, so that the answer is about it alone, e.g. "for this decoration".
    """

    where: str = "in the core columns"
    where_control: str = "in the same columns of the control"
    note: str = ""
    scope: str = ""


def compute_contrast(
    dislocation_A: ArrayLike,
    *,
    control_A: ArrayLike,
    time_ps: float,
    temperature_K: float,
    elsewhere_A: ArrayLike | None = None,
    depths_A: tuple[ArrayLike, ArrayLike] | None = None,
    region: str = ALL_ATOMS,
    wording: Wording = Wording(),
    doubts: Sequence[str] = (),
    place: PlaceNull | None = None,
    sensitivity: Sensitivity | None = None,
) -> Contrast:
    """Compare the depths that replicas with a dislocation and their control gained since the relaxed cell.

    The interval of the difference is Welch's (unequal variances); that of the ratio is Welch's for the logarithms,
    which needs every gain above zero.

    Args:
        dislocation_A: depth gained in each replica with the dislocation, shape (n,), in Å.
        control_A: depth gained in each replica of the control, shape (m,), in Å.
        time_ps: simulated time, in ps.
        temperature_K: temperature, in K.
        elsewhere_A: depth gained outside the core columns in the replicas with the dislocation, shape (n,), in Å.
        depths_A: final depths of the replicas with the dislocation and of the control, in Å; passed on.
        region: whose depths these are, see `analysis.headline`.
        wording: what the sentence says beside numbers.
        doubts: why the numbers are no result about dislocations, e.g. "the alloy has lost its crystal order".
        place: the same difference for columns put elsewhere.
        sensitivity: the same difference at other radii and areal densities; passed on.

    Returns:
        The contrast; with fewer than five replicas or with a doubt it is never resolved.

    Raises:
        InputError: if a case has no replicas or a depth is not finite.

    Source: Welch 1947, 10.1093/biomet/34.1-2.28.
    """
    with_line, without = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (dislocation_A, control_A))
    if with_line.size == 0 or without.size == 0:
        raise InputError(f"{with_line.size} replicas with and {without.size} without a dislocation; needs one of each")
    gains = [compute_replica_mean(values, unit="Å") for values in (with_line, without)]
    elsewhere = None if elsewhere_A is None else compute_replica_mean(elsewhere_A, unit="Å")
    n_replicas = min(with_line.size, without.size)
    _, low, high = _welch(with_line, without)
    excludes_zero = low is not None and high is not None and (low > 0 or high < 0)
    resolved = bool(excludes_zero and n_replicas >= MIN_REPLICAS and not doubts)
    verdict = "resolved" if resolved else "not resolved"
    difference = _build_difference(with_line, without, verdict=verdict)
    ratio = _compute_ratio(with_line, without, verdict=verdict)
    found = Contrast(
        difference, ratio, gains[0], gains[1], elsewhere, None if depths_A is None else _average(depths_A), n_replicas,
        resolved, "", region, tuple(doubts), place, sensitivity,
    )  # fmt: skip
    advice = "" if resolved else _advise(with_line, without, n_replicas=n_replicas, low=low, high=high)
    sentence = _write_sentence(found, time_ps=time_ps, temperature_K=temperature_K, wording=wording)
    return replace(found, sentence=f"{sentence} {state_doubts(doubts) or advice}".rstrip())


def _write_sentence(found: Contrast, *, time_ps: float, temperature_K: float, wording: Wording) -> str:
    """The numbers in words."""
    elsewhere = found.elsewhere_gain
    beside = "" if elsewhere is None else f", elsewhere in the same run by {show_depth(elsewhere)}"
    facts = f"{count_replicas(found.n_replicas)}, {temperature_K:.4g} K{f'; {wording.note}' if wording.note else ''}"
    numbers = _describe(found.difference, gains=(found.dislocation_gain, found.control_gain), ratio=found.ratio)
    return (
        f"The depth of potassium {wording.where} grew by {show_depth(found.dislocation_gain)}{beside} and "
        f"{wording.where_control} by {show_depth(found.control_gain)} within {time_ps:.4g} ps from {START} on"
        f"{f', {wording.scope}' if wording.scope else ''} ({facts}): {numbers}{_describe_place(found.place)}."
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


def _build_difference(with_line: NDArray[np.float64], without: NDArray[np.float64], *, verdict: str) -> Quantity:
    value, low, high = _welch(with_line, without)
    method = f"Welch's t over {with_line.size} and {without.size} replicas, 95 %"
    half = None if low is None or high is None else (high - low) / 2
    return Quantity(value, half, low, high, "Å", method, min(with_line.size, without.size), verdict)


def _average(depths_A: tuple[ArrayLike, ArrayLike]) -> tuple[Quantity, Quantity]:
    return compute_replica_mean(depths_A[0], unit="Å"), compute_replica_mean(depths_A[1], unit="Å")


def _compute_ratio(first: NDArray[np.float64], second: NDArray[np.float64], *, verdict: str) -> Quantity | None:
    """Ratio of the geometric means with Welch's interval of the logarithms; None if a depth is zero."""
    if min(first.min(), second.min()) <= 0:
        return None
    value, low, high = (None if x is None else exp(x) for x in _welch(np.log(first), np.log(second)))
    half = None if low is None or high is None else (high - low) / 2
    n_replicas = min(first.size, second.size)
    method = "geometric means, Welch's t for the logarithms, 95 %"
    return Quantity(value or float("nan"), half, low, high, "1", method, n_replicas, verdict)


def show_depth(depth: Quantity) -> str:
    """Depth with its interval, as in a sentence."""
    value = show_length(depth.value)
    return f"{value} Å" if depth.uncertainty is None else f"{value} ± {show_length(depth.uncertainty)} Å"


def count_replicas(n_replicas: int) -> str:
    """Number of replicas in words."""
    return "1 replica" if n_replicas == 1 else f"{n_replicas} replicas"


def _describe(difference: Quantity, *, gains: Sequence[Quantity], ratio: Quantity | None) -> str:
    """Difference and ratio with their intervals."""
    text = f"the difference to the control is {show_length(subtract_as_shown(gains[0].value, gains[1].value))} Å"
    if difference.low is not None and difference.high is not None:
        text += f", 95 % interval {show_length(difference.low)} to {show_length(difference.high)} Å"
    if ratio is None or not isfinite(ratio.value):
        return text
    if ratio.low is None:
        return f"{text}; ratio {ratio.value:.2f}"
    return f"{text}; ratio of geometric means {ratio.value:.2f}, 95 % interval {ratio.low:.2f} to {ratio.high:.2f}"


def _describe_place(place: PlaceNull | None) -> str:
    """What the same columns give where there are no cores."""
    if place is None:
        return ""
    return (
        f"; columns put elsewhere give {show_length(place.place_mean_A)} ± {show_length(place.place_spread_A)} Å, "
        f"{100 * place.place_share:.0f} % of them at least as far from zero"
    )


def _advise(
    first: NDArray[np.float64], second: NDArray[np.float64], *, n_replicas: int, low: float | None, high: float | None
) -> str:
    """Why the contrast is not resolved, and what would resolve it."""
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
