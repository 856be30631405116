"""Dislocation against control: how much more the depth grew, by how many times, and whether that is resolved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.case_difference import compare_cases
from analysis.column_gains import PlaceNull, Sensitivity
from analysis.headline import ALL_ATOMS, START, show_length, state_doubts, subtract_as_shown
from analysis.uncertainty import Quantity, compute_replica_mean
from structures.errors import InputError


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
    compared = compare_cases(with_line, second=without, unit="Å", doubts=doubts)
    elsewhere = None if elsewhere_A is None else compute_replica_mean(elsewhere_A, unit="Å")
    found = Contrast(
        compared.difference, compared.ratio, compared.first, compared.second, elsewhere,
        None if depths_A is None else _average(depths_A), compared.n_replicas, compared.resolved, "", region,
        tuple(doubts), place, sensitivity,
    )  # fmt: skip
    sentence = _write_sentence(found, time_ps=time_ps, temperature_K=temperature_K, wording=wording)
    return replace(found, sentence=f"{sentence} {state_doubts(doubts) or compared.advice}".rstrip())


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


def _average(depths_A: tuple[ArrayLike, ArrayLike]) -> tuple[Quantity, Quantity]:
    return compute_replica_mean(depths_A[0], unit="Å"), compute_replica_mean(depths_A[1], unit="Å")


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
