"""How deep the potassium is, over time: all of it, in the columns about the cores and outside them."""

from typing import Any

from analysis.headline import begin_sentence
from analysis.report.formatting import format_quantity, join_words
from analysis.report.plots.figure import (
    Figure,
    Plot,
    build_band,
    build_line,
    build_stacked_layout,
    has_band,
    last_number,
    round_column,
)

TREND_SAMPLES = 8
NAMES = {"core": "core columns", "crystal": "outside them"}
START = (
    " The interface is the plane midway between alloy and potassium as built, and stays there. Time starts with the "
    "relaxed cell, in which the two have already moved towards each other: so atoms can be inside at 0 ps."
)


def build_penetration_plots(observables: dict[str, Any]) -> list[Plot]:
    """Depth and number of atoms inside over time; below it the same by region."""
    cases = [
        case for case in (observables.get("cases") or {}).values() if (case.get("penetration") or {}).get("time_ps")
    ]
    if not cases:
        return []
    plots = [_build_depth_plot(cases)]
    by_region = [case for case in cases if case["penetration"].get("by_region")]
    if by_region:
        plots.append(_build_region_plot(by_region))
    return plots


def _build_depth_plot(cases: list[dict[str, Any]]) -> Plot:
    columns: dict[str, list[Any]] = {}
    traces: list[dict[str, Any]] = []
    for number, case in enumerate(cases):
        label, data = case["label"], case["penetration"]
        names = {key: f"{key} ({label})" for key in ("time_ps", "depth_A", "low_A", "high_A", "n_inside")}
        columns |= {name: round_column(data[key]) for key, name in names.items() if data.get(key)}
        if has_band(data.get("low_A"), data.get("high_A")):
            traces += build_band(
                x=names["time_ps"], low=names["low_A"], high=names["high_A"], name=label, number=number
            )
        traces.append(build_line(x=names["time_ps"], y=names["depth_A"], name=label, number=number))
        if data.get("n_inside"):
            traces.append(
                build_line(x=names["time_ps"], y=names["n_inside"], name=label, number=number, axis=2, legend=False)
            )
    layout = build_stacked_layout(x="time / ps", upper="depth / Å", lower="K atoms inside")
    sentence = _describe_depth(cases)
    return Plot(
        key="penetration",
        title="Depth over time, all K",
        sentence=sentence,
        alt=f"Depth below the interface and number of K atoms inside against time. {sentence}",
        columns=columns,
        figures=(Figure("", tuple(traces), layout),),
    )


def _describe_depth(cases: list[dict[str, Any]]) -> str:
    data = cases[0]["penetration"]
    end_ps = last_number(data["time_ps"])
    finals = [(case["label"], case["penetration"].get("final")) for case in cases]
    depths = join_words([f"{format_quantity(final)} ({label})" for label, final in finals if final])
    density = data.get("areal_density_per_nm2")
    beyond = f" (beyond it lie {density:.3g} atoms on each nm² of the interface)" if density else ""
    sentence = f"Depth, all K{beyond}, until {end_ps:.4g} ps"
    sentence += f"; mean over the last tenth: {depths}." if depths else "."
    sentence += START
    rises = [(case["label"], case["interface"]["sentence"]) for case in cases if case.get("interface")]
    sentence += "".join(f" {begin_sentence(label)}: {told}" for label, told in rises)
    rising = [case["label"] for case in cases if _is_rising(case["penetration"])]
    if rising:
        sentence += f" Still rising at the end: {', '.join(rising)}; a longer run would give a larger depth."
    bands = any(has_band(case["penetration"].get("low_A"), case["penetration"].get("high_A")) for case in cases)
    return sentence + (" Bands are 95 % intervals." if bands else " One run has no band; replicas would give one.")


def _is_rising(data: dict[str, Any]) -> bool:
    """Whether the last quarter lies above the one before by more than half the band's width."""
    depth = [value for value in data["depth_A"] if value is not None]
    quarter = len(depth) // 4
    if quarter < TREND_SAMPLES // 4:
        return False
    rise = sum(depth[-quarter:]) / quarter - sum(depth[-2 * quarter : -quarter]) / quarter
    low, high = last_number(data.get("low_A")), last_number(data.get("high_A"))
    width = (high - low) / 2 if low is not None and high is not None else 0.0
    return bool(rise > max(width, 0.02 * abs(depth[-1]), 0.05))


def _build_region_plot(cases: list[dict[str, Any]]) -> Plot:
    columns: dict[str, list[Any]] = {}
    figures: list[Figure] = []
    words: list[str] = []
    for case in cases:
        data, label = case["penetration"], case["label"]
        time = f"time_ps ({label})"
        columns[time] = round_column(data["time_ps"])
        traces: list[dict[str, Any]] = []
        ends: list[str] = []
        for number, (region, series) in enumerate(data["by_region"].items()):
            names = {key: f"{key} ({label}, {region})" for key in ("depth_A", "low_A", "high_A", "n_inside")}
            columns |= {name: round_column(series[key]) for key, name in names.items() if series.get(key)}
            if series.get("final"):
                ends.append(f"{format_quantity(series['final'])} ({NAMES.get(region, region)})")
            if has_band(series.get("low_A"), series.get("high_A")):
                traces += build_band(x=time, low=names["low_A"], high=names["high_A"], name=region, number=number)
            for axis, key in ((1, "depth_A"), (2, "n_inside")):
                if series.get(key):
                    traces.append(
                        build_line(x=time, y=names[key], name=region, number=number, axis=axis, legend=axis == 1)
                    )
        layout = build_stacked_layout(x="time / ps", upper="depth / Å", lower="K atoms inside")
        figures.append(Figure(label, tuple(traces), layout))
        if ends:
            words.append(f"{label}: {join_words(ends)}")
    sentence = f"Depth by region, mean over the last tenth — {'; '.join(words)}." if words else "Depth by region."
    return Plot(
        key="penetration-by-region",
        title="Depth in the core columns and outside them",
        sentence=sentence,
        alt=f"Depth in the columns about the cores and outside them, against time. {sentence}",
        columns=columns,
        figures=tuple(figures),
        chooser="Case",
    )
