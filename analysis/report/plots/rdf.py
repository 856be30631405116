"""Partial radial distribution functions with running coordination numbers."""

from dataclasses import replace
from typing import Any

from analysis.report.formatting import format_number, format_pair, format_quantity, join_words
from analysis.report.plots.figure import (
    Figure,
    Plot,
    build_band,
    build_line,
    build_stacked_layout,
    has_band,
    round_column,
)

NORMALISATION = (
    " Here and below: g(r) is the number of pairs over that of evenly spread neighbours of the region's mean density, "
    "in the part of each shell that lies in the region. Alloy and potassium are not spread evenly but lie side by "
    "side, so g(r) does not tend to 1 within this range: it stays below for elements on opposite sides of the "
    "interface and above for those on one side. The coordination number counts atoms and needs no normalisation."
)


def build_rdf_plots(observables: dict[str, Any]) -> list[Plot]:
    """One plot a pair with all cases in it; the reader picks the region."""
    entries = [
        (number, str(case["label"]), entry)
        for number, case in enumerate((observables.get("cases") or {}).values())
        for entry in case.get("rdf") or []
        if entry.get("r_A")
    ]
    pairs = dict.fromkeys(str(entry["pair"]) for _, _, entry in entries)
    plots = [_build_pair_plot(pair, entries=[item for item in entries if item[2]["pair"] == pair]) for pair in pairs]
    return [replace(plot, sentence=plot.sentence + NORMALISATION) if plot is plots[0] else plot for plot in plots]


def _build_pair_plot(pair: str, *, entries: list[tuple[int, str, dict[str, Any]]]) -> Plot:
    columns: dict[str, list[Any]] = {}
    figures: list[Figure] = []
    regions = list(dict.fromkeys(str(entry.get("region", "all")) for _, _, entry in entries))
    for region in regions:
        traces: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        for number, label, entry in entries:
            if str(entry.get("region", "all")) != region:
                continue
            names = _add_columns(columns, entry=entry, suffix=f"({label}, {region})")
            if has_band(entry.get("g_low"), entry.get("g_high")):
                traces += build_band(
                    x=names["r_A"], low=names["g_low"], high=names["g_high"], name=label, number=number
                )
            traces.append(build_line(x=names["r_A"], y=names["g"], name=label, number=number))
            if entry.get("coordination"):
                traces.append(
                    build_line(x=names["r_A"], y=names["coordination"], name=label, number=number, axis=2, legend=False)
                )
            if entry.get("cutoff_A") is not None:
                lines.append(_mark_cutoff(float(entry["cutoff_A"]), number=number))
        layout = build_stacked_layout(x="r / Å", upper="g(r)", lower="atoms within r")
        figures.append(Figure(region, tuple(traces), {**layout, "shapes": lines}))
    sentence = _describe([item for item in entries if str(item[2].get("region", "all")) == regions[0]], pair=pair)
    if len(regions) > 1:
        sentence += f" (Region: {regions[0]}; pick another below.)"
    return Plot(
        key=f"rdf-{pair}",
        title=f"Structure: {format_pair(pair)}",
        sentence=sentence,
        alt=f"Radial distribution function and running coordination number of {format_pair(pair)}. {sentence}",
        columns=columns,
        figures=tuple(figures),
        chooser="Region",
    )


def _add_columns(columns: dict[str, list[Any]], *, entry: dict[str, Any], suffix: str) -> dict[str, str]:
    names = {key: f"{key} {suffix}" for key in ("r_A", "g", "g_low", "g_high", "coordination")}
    columns.update({name: round_column(entry[key]) for key, name in names.items() if entry.get(key)})
    return names


def _mark_cutoff(radius_A: float, *, number: int) -> dict[str, Any]:
    line = {"color": f"@css:--case-{number % 5}", "width": 1, "dash": "dot"}
    return {"type": "line", "x0": radius_A, "x1": radius_A, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _describe(entries: list[tuple[int, str, dict[str, Any]]], *, pair: str) -> str:
    peaks, numbers, missing = [], [], []
    for _, label, entry in entries:
        peak_A = entry.get("first_peak_A")
        if peak_A is not None:
            peaks.append(f"{format_number(peak_A, digits=3)}\u202fÅ ({label})")
        quantity, cutoff = entry.get("coordination_number"), entry.get("cutoff_A")
        if quantity and quantity.get("value") is not None and cutoff is not None:
            why = "" if quantity.get("uncertainty") is not None else f", {quantity.get('verdict')}"
            numbers.append(f"{format_quantity(quantity)} up to {format_number(cutoff, digits=3)}\u202fÅ ({label}{why})")
        else:
            reason = entry.get("cutoff_source")
            missing.append(f"{label} ({reason})" if reason and cutoff is None else label)
    if not any(value for _, _, entry in entries for value in entry["g"]):
        return f"No {format_pair(pair)} neighbours were found in this region."
    sentence = f"g(r) of {format_pair(pair)} "
    sentence += f"has its first peak at {join_words(peaks)}." if peaks else "has no peak that stands out."
    if numbers:
        sentence += f" Coordination number {join_words(numbers)}; dotted lines mark the cut-off."
    if missing:
        sentence += f" No coordination number for {join_words(missing)}."
    return sentence + _count_frames(entries)


def _count_frames(entries: list[tuple[int, str, dict[str, Any]]]) -> str:
    """How many frames were counted in; nothing if that is not known."""
    counts = [f"{entry['n_frames']} ({label})" for _, label, entry in entries if entry.get("n_frames")]
    return f" Counted in {join_words(counts)} frames, of the second half of each run." if counts else ""
