"""How long contacts last: survival functions."""

from typing import Any

from analysis.report.formatting import format_quantity, format_site, join_words
from analysis.report.plots.figure import (
    Figure,
    Plot,
    build_band,
    build_layout,
    build_line,
    has_band,
    number_cases,
    round_column,
)

_KINDS = {"continuous": "without a break", "intermittent": "breaks allowed"}


def build_residence_plots(observables: dict[str, Any]) -> list[Plot]:
    """Share of contacts that are still there after a time, without a break or whatever happened between."""
    known = number_cases(observables, key="residence")
    cases = [(number, case) for number, case in known if case["residence"]["time_ps"]]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    figures = []
    for kind, name in _KINDS.items():
        traces: list[dict[str, Any]] = []
        for number, case in cases:
            label, data = str(case["label"]), case["residence"]
            time, key = f"time_ps ({label})", f"{kind} ({label})"
            low, high = f"{kind}_low ({label})", f"{kind}_high ({label})"
            columns |= {time: round_column(data["time_ps"]), key: round_column(data[kind])}
            if has_band(data.get(f"{kind}_low"), data.get(f"{kind}_high")):
                columns |= {low: round_column(data[f"{kind}_low"]), high: round_column(data[f"{kind}_high"])}
                traces += build_band(x=time, low=low, high=high, name=label, number=number)
            traces.append(build_line(x=time, y=key, name=label, number=number))
        figures.append(Figure(name, tuple(traces), build_layout(x="time / ps", y="share of contacts")))
    sentence = _describe([case for _, case in cases])
    return [
        Plot(
            key="residence",
            title="How long contacts last",
            sentence=sentence,
            alt=f"Share of contacts that are still there after a time. {sentence}",
            columns=columns,
            figures=tuple(figures),
            chooser="Contact",
        )
    ]


def _describe(cases: list[dict[str, Any]]) -> str:
    data = cases[0]["residence"]
    first, second = (format_site(site) for site in str(data["label"]).split(", "))
    times = []
    for case in cases:
        found = case["residence"]["residence_time_ps"]
        doubt = "" if found["uncertainty"] is not None else f"; {found['verdict']}"
        if found["value"] is None:
            times.append(f"{found['verdict']} ({case['label']})")
        else:
            times.append(f"{format_quantity(found)} ({case['label']}{doubt})")
    reach = data["time_ps"][-1]
    return (
        f"Contacts of {first} with {second} last {join_words(times)}: the time until one ends, from those seen to end "
        f"and the time all were watched. Curves go up to half of the trajectory, {reach:.4g} ps."
    )
