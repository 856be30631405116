"""Partial radial distribution functions with running coordination numbers."""

from dataclasses import replace
from typing import Any

from analysis.report.formatting import format_number, format_pair, format_quantity, format_site, join_words
from analysis.report.plots.figure import (
    Figure,
    Plot,
    build_band,
    build_line,
    build_stacked_layout,
    has_band,
    round_column,
)


def build_rdf_plots(observables: dict[str, Any]) -> list[Plot]:
    """One plot a pair, of which the reader picks the region; or one for what sites lie about, who picks the site."""
    cases: dict[str, dict[str, Any]] = observables.get("cases") or {}
    entries = [
        (number, str(case["label"]), entry)
        for number, case in enumerate(cases.values())
        for entry in case.get("rdf") or []
        if entry.get("r_A")
    ]
    groups = dict.fromkeys(_name_group(entry) for _, _, entry in entries)
    answering = [(case.get("coordination") or {}).get("label") for case in cases.values()]
    plots = [
        _build_plot(
            # The site that answers is what a reader sees first.
            sorted(
                (item for item in entries if _name_group(item[2]) == group),
                key=lambda item: item[2].get("label") not in answering,
            )
        )
        for group in groups
    ]
    note = _describe_normalisation(cases)
    return [replace(plot, sentence=plot.sentence + note) if plot is plots[0] else plot for plot in plots]


def _name_group(entry: dict[str, Any]) -> str:
    """What shares a plot: all sites about the same, or all regions of a pair."""
    return str(entry.get("about") or entry["pair"])


def _name_choice(entry: dict[str, Any]) -> str:
    return format_site(str(entry["label"])) if "about" in entry else str(entry.get("region", "all"))


def _name_pair(entry: dict[str, Any]) -> str:
    """What a distribution is of, as in a sentence."""
    if "about" not in entry:
        return format_pair(str(entry["pair"]))
    return f"{format_site(str(entry['label']))} about {format_site(str(entry['about']))}"


def _describe_normalisation(cases: dict[str, dict[str, Any]]) -> str:
    """What g(r) is normalised by, told once if it is the same in all cases."""
    told = {str(case["label"]): str(case["normalisation"]) for case in cases.values() if case.get("normalisation")}
    if not told:
        return ""
    start = " Here and below: g(r) is the number of pairs over that expected of "
    if len(set(told.values())) == 1:
        return f"{start}{next(iter(told.values()))}. The coordination number counts atoms and needs no normalisation."
    words = "; ".join(f"{text} ({label})" for label, text in told.items())
    return f"{start}{words}. The coordination number counts atoms and needs no normalisation."


def _build_plot(entries: list[tuple[int, str, dict[str, Any]]]) -> Plot:
    first = entries[0][2]
    columns: dict[str, list[Any]] = {}
    figures: list[Figure] = []
    choices = list(dict.fromkeys(_name_choice(entry) for _, _, entry in entries))
    for choice in choices:
        traces: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        for number, label, entry in entries:
            if _name_choice(entry) != choice:
                continue
            names = _add_columns(columns, entry=entry, suffix=f"({label}, {choice})")
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
        figures.append(Figure(choice, tuple(traces), {**layout, "shapes": lines}))
    sentence = _describe([item for item in entries if _name_choice(item[2]) == choices[0]])
    chooser = "Site" if "about" in first else "Region"
    if len(choices) > 1:
        sentence += f" ({chooser}: {choices[0]}; pick another below.)"
    name = f": {_name_pair(first)}" if len(choices) == 1 or "about" not in first else f" about {first['about']}"
    return Plot(
        key=f"rdf-{_name_group(first)}",
        title=f"Structure{name}",
        sentence=sentence,
        alt=f"Radial distribution function and running coordination number{name}. {sentence}",
        columns=columns,
        figures=tuple(figures),
        chooser=chooser,
    )


def _add_columns(columns: dict[str, list[Any]], *, entry: dict[str, Any], suffix: str) -> dict[str, str]:
    names = {key: f"{key} {suffix}" for key in ("r_A", "g", "g_low", "g_high", "coordination")}
    columns.update({name: round_column(entry[key]) for key, name in names.items() if entry.get(key)})
    return names


def _mark_cutoff(radius_A: float, *, number: int) -> dict[str, Any]:
    line = {"color": f"@css:--case-{number % 5}", "width": 1, "dash": "dot"}
    return {"type": "line", "x0": radius_A, "x1": radius_A, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _describe(entries: list[tuple[int, str, dict[str, Any]]]) -> str:
    pair = _name_pair(entries[0][2])
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
        return f"No {pair} neighbours were found in this region."
    sentence = f"g(r) of {pair} "
    sentence += f"has its first peak at {join_words(peaks)}." if peaks else "has no peak that stands out."
    if numbers:
        sentence += f" Coordination number {join_words(numbers)}; dotted lines mark the cut-off."
    if missing:
        sentence += f" No coordination number for {join_words(missing)}."
    return sentence + _count_frames(entries)


def _count_frames(entries: list[tuple[int, str, dict[str, Any]]]) -> str:
    """How many frames were counted in; nothing if that is not known."""
    counts = [f"{entry['n_frames']} ({label})" for _, label, entry in entries if entry.get("n_frames")]
    return f" Counted in {join_words(counts)} frames." if counts else ""
