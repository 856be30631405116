"""How many coordinate a surface and how near they come, each case with its interval, beside published values."""

from typing import Any

from analysis.headline import begin_sentence
from analysis.report.formatting import (
    ABSENT,
    NARROW,
    format_interval,
    format_number,
    format_quantity,
    format_site,
    join_words,
    raise_charges,
)
from analysis.report.plots.figure import Figure, Plot, build_point, build_row_layout, css, round_column

_LEFT_MARGIN = 130
# Names of rows have two lines, so that a phone has room for what they name.
_BREAK = "<br>"
_ENDS = ("onset_A", "peak_A", "end_A")
_EXPLAIN_ENDS = "Onset: where g(r) rises above a tenth of its first peak; end: the first minimum after it."


def build_surface_coordination_plots(observables: dict[str, Any]) -> list[Plot]:
    """The answer as points with intervals, and from where to where molecules first come near the surface."""
    cases: dict[str, dict[str, Any]] = observables.get("cases") or {}
    published: dict[str, Any] = observables.get("published") or {}
    plots = []
    if any(case.get("coordination") for case in cases.values()):
        plots.append(_plot_numbers(cases, contrast=observables.get("contrast") or {}, published=published))
    if any(_is_resolved(find_answering_range(case)) for case in cases.values()):
        plots.append(_plot_ranges(cases, published=published))
    return plots


def find_answering_range(case: dict[str, Any]) -> dict[str, Any] | None:
    """Range of first approach of the site that answers; None if it was not measured."""
    label = (case.get("coordination") or {}).get("label")
    return next((found for found in case.get("approach") or [] if found["label"] == label), None)


def _is_resolved(found: dict[str, Any] | None) -> bool:
    return found is not None and all(found.get(end) is not None for end in _ENDS)


def _plot_numbers(cases: dict[str, dict[str, Any]], *, contrast: dict[str, Any], published: dict[str, Any]) -> Plot:
    numbered = [(number, name, case) for number, (name, case) in enumerate(cases.items()) if case.get("coordination")]
    cases = {name: case for _, name, case in numbered}
    first = next(iter(cases.values()))["coordination"]
    site, species = format_site(first["label"]), raise_charges(str(first["label"]).partition(" ")[0])
    rows = [
        (f"{name},{_BREAK}{case['label']}", case["coordination"][kind], number)
        for kind, name in (("sites", site), ("molecules", f"{species}, any atom"))
        for number, _, case in numbered
    ]
    traces = [build_point(quantity, row=row, number=number) for row, quantity, number in rows]
    source, numbers = str(published.get("source", "")), published.get("coordination_number") or {}
    for number, name, case in numbered:
        if name in numbers:
            row = f"{source},{_BREAK}{case['label']}"
            trace = build_point({"value": numbers[name], "unit": "1"}, row=row, number=number)
            traces.append(trace | {"marker": {**trace["marker"], "symbol": "x-thin-open", "line": {"width": 3}}})
            rows.append((row, {"value": numbers[name]}, number))
    sentence = f"{site}: {_list_numbers(cases, kind='sites')}. {_describe_contrast(contrast)}"
    sentence += f" {species} with any atom: {_list_numbers(cases, kind='molecules')}."
    sentence += f" {_list_definitions(cases)}{_cite_numbers(cases, published=published)}"
    return Plot(
        key="surface-coordination",
        title="How many coordinate the surface",
        sentence=sentence,
        alt=f"Coordination number of the surface in each case with its interval. {sentence}",
        columns={
            "what": [row.replace(_BREAK, " ") for row, _, _ in rows],
            **{key: round_column([quantity.get(key) for _, quantity, _ in rows]) for key in ("value", "low", "high")},
        },
        figures=(
            Figure(
                "", tuple(traces), build_row_layout(x="number per surface atom", n_rows=len(rows), left=_LEFT_MARGIN)
            ),
        ),
        wide=True,
    )


def _list_numbers(cases: dict[str, dict[str, Any]], *, kind: str) -> str:
    words = []
    for case in cases.values():
        quantity = case["coordination"][kind]
        interval = format_interval(quantity)
        tail = "no interval" if interval == ABSENT else f"interval {interval}"
        words.append(f"{format_quantity(quantity)} ({case['label']}, {tail})")
    return join_words(words)


def _list_definitions(cases: dict[str, dict[str, Any]]) -> str:
    """What is counted, once if it is the same in all cases."""
    told = {str(case["label"]): raise_charges(str(case["coordination"]["definition"])) for case in cases.values()}
    if len(set(told.values())) == 1:
        return f"Counted: {next(iter(told.values()))}."
    return f"Counted: {'; '.join(f'{text} ({label})' for label, text in told.items())}."


def _describe_contrast(contrast: dict[str, Any]) -> str:
    difference = (contrast.get("sites") or {}).get("difference")
    if not difference:
        return ""
    interval = format_interval(difference)
    shown = "" if interval == ABSENT else f", interval {interval}"
    verdict = "" if contrast.get("resolved") else f". {contrast['advice']}"
    return f"Difference {format_quantity(difference)}{shown}{verdict}".rstrip(".") + "."


def _cite_numbers(cases: dict[str, dict[str, Any]], *, published: dict[str, Any]) -> str:
    numbers: dict[str, float] = published.get("coordination_number") or {}
    words = [f"{numbers[name]:g} ({case['label']})" for name, case in cases.items() if name in numbers]
    if not words:
        return ""
    return f" Crosses: {published['source']} (doi:{published['doi']}) give {join_words(words)}; {published['note']}."


def _plot_ranges(cases: dict[str, dict[str, Any]], *, published: dict[str, Any]) -> Plot:
    """A bar from onset to end with a mark at the peak, with intervals, and the bars that are published."""
    traces: list[dict[str, Any]] = []
    columns: dict[str, list[Any]] = {"case": [], **{end: [] for end in _ENDS}}
    words, without = [], []
    site = ""
    for number, case in enumerate(cases.values()):
        label, found = str(case["label"]), find_answering_range(case)
        if found is None:
            continue
        site = format_site(str(found["label"]))
        if not _is_resolved(found):
            without.append(f" {begin_sentence(label)}: {found['reason']}.")
            continue
        ends = [found[end]["value"] for end in _ENDS]
        traces.append(_build_bar(ends[0], ends[2], row=label, number=number, dash="solid"))
        traces += [build_point(found[end], row=label, number=number) for end in _ENDS]
        _add_row(columns, label, *ends)
        reach = [format_quantity(found[end]) for end in _ENDS]
        words.append(f"from {reach[0]} over its peak at {reach[1]} to {reach[2]} ({label})")
    cited: dict[str, list[float]] = published.get("range_A") or {}
    told = []
    for number, (name, case) in enumerate(cases.items()):
        if name in cited:
            row = f"{published['source']},{_BREAK}{case['label']}"
            traces.append(_build_bar(*cited[name], row=row, number=number, dash="dot"))
            _add_row(columns, row.replace(_BREAK, " "), cited[name][0], None, cited[name][1])
            told.append(f"{cited[name][0]:g} to {cited[name][1]:g}{NARROW}Å ({case['label']})")
    sentence = f"{site} comes first near surface atoms {join_words(words)}.{''.join(without)} {_EXPLAIN_ENDS}"
    if told:
        sentence += f" Dotted: {published['source']} (doi:{published['doi']}) give {join_words(told)}."
    layout = build_row_layout(x="distance to a surface atom / Å", n_rows=len(columns["case"]), left=_LEFT_MARGIN)
    return Plot(
        key="first-approach",
        title="How near they come",
        sentence=sentence,
        alt=f"Range of first approach to the surface in each case. {sentence}",
        columns={key: values if key == "case" else round_column(values) for key, values in columns.items()},
        figures=(Figure("", tuple(traces), layout),),
        wide=True,
    )


def _add_row(columns: dict[str, list[Any]], *row: float | str | None) -> None:
    for values, value in zip(columns.values(), row, strict=True):
        values.append(value)


def _build_bar(low_A: float, high_A: float, *, row: str, number: int, dash: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [low_A, high_A],
        "y": [row, row],
        "name": row,
        "line": {"color": css(f"case-{number % 5}"), "width": 9 if dash == "solid" else 4, "dash": dash},
        "opacity": 0.4 if dash == "solid" else 1.0,
        "hovertemplate": f"{format_number(low_A, digits=3)} – {format_number(high_A, digits=3)} Å<extra></extra>",
    }
