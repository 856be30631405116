"""What analysed cases of metal on alloy say: the contrast of two, or the depth of one, in a sentence."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.column_gains import compute_place_null, compute_sensitivity
from analysis.contact import ContactCase
from analysis.contrast import Contrast, Wording, compute_contrast, count_replicas, show_depth
from analysis.headline import ALL_ATOMS, CORE_COLUMNS, START, judge_gain
from analysis.penetration import compute_gain


def compare_contact_cases(
    dislocation: ContactCase,
    *,
    control: ContactCase,
    temperature_K: float,
    scope: str = "",
    doubts: Sequence[str] = (),
) -> Contrast:
    """Contrast of the growth of the depth in the core columns, which are the same columns in both cases.

    Args:
        dislocation: case with a dislocation.
        control: same cell without.
        temperature_K: temperature of both, in K.
        scope: what the replicas have in common, e.g. "for this decoration".
        doubts: why the numbers are no result about dislocations.

    Returns:
        The contrast; of the depth gained by all atoms if the columns of a case hold none.
    """
    times = dislocation.penetration.time_ps
    pair = [case.penetration.by_region.get("core") for case in (dislocation, control)]
    columns = [series for series in pair if series is not None and np.isfinite(series.gain_A).all()]
    in_core = len(columns) == len(pair)
    chosen = columns if in_core else [case.penetration.total for case in (dislocation, control)]
    elsewhere = dislocation.penetration.by_region.get("crystal") if in_core else None
    looks_around = in_core and dislocation.columns and control.columns
    beside: dict[str, Any] = {
        "control": control.columns,
        "areal_density_per_nm2": dislocation.penetration.areal_density_per_nm2,
    }
    tracked = dislocation.core is None or dislocation.core.verdict != "unclear"
    note = "" if tracked or not in_core else "the cores were not tracked"
    places = () if in_core else ("with the dislocation", "in the control")
    wording = replace(Wording(*places), note=note, scope=scope)
    return compute_contrast(
        chosen[0].gain_A,
        control_A=chosen[1].gain_A,
        elsewhere_A=elsewhere.gain_A if elsewhere is not None and np.isfinite(elsewhere.gain_A).all() else None,
        depths_A=(chosen[0].final_A, chosen[1].final_A),
        time_ps=float(times[-1] - times[0]),
        temperature_K=temperature_K,
        region=CORE_COLUMNS if in_core else ALL_ATOMS,
        wording=wording,
        doubts=doubts,
        place=compute_place_null(dislocation.columns, **beside) if looks_around else None,
        sensitivity=compute_sensitivity(dislocation.columns, **beside) if looks_around else None,
    )


def describe_contact_case(
    case: ContactCase, *, temperature_K: float, scope: str = "", doubts: Sequence[str] = ()
) -> str:
    """What a case alone says: the depth that all its atoms gained, in a sentence, with what would give it an error bar.

    Args:
        case: the case.
        temperature_K: its temperature, in K.
        scope: what the replicas have in common, e.g. "for this decoration".
        doubts: why this is no depth in the crystal.

    Returns:
        The sentence.
    """
    times, gain = case.penetration.time_ps, compute_gain(case.penetration.total)
    sentence = (
        f"The depth of potassium grew by {show_depth(gain)} ({case.label}, {ALL_ATOMS}) within "
        f"{float(times[-1] - times[0]):.4g} ps from {START} on{f', {scope}' if scope else ''} "
        f"({count_replicas(case.n_replicas)}, {temperature_K:.4g} K)."
    )
    doubt = judge_gain(n_replicas=gain.n_independent, low=gain.low, high=gain.high, doubts=doubts)
    return f"{sentence} {doubt}".rstrip()
