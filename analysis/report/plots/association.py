"""Ions that are free, in pairs and in aggregates, and how many anions are about a cation."""

from typing import Any

from analysis.report.formatting import NARROW, format_quantity, join_words, raise_charges
from analysis.report.plots.figure import Figure, Plot, build_layout, css, number_cases, round_column

_KINDS = {"free": "free", "contact_pair": "in contact pairs", "aggregate": "in aggregates"}
_EXPLAIN_KINDS = "; contact pair: one cation and one anion; aggregate: more of either."
_Cases = list[tuple[int, dict[str, Any]]]


def build_association_plots(observables: dict[str, Any]) -> list[Plot]:
    """Shares of cations and of anions by what they are part of, with errors; shares of cations by their anions."""
    cases = number_cases(observables, key="association")
    if not cases:
        return []
    cation, anion = (
        raise_charges(site.partition(" ")[0]) for site in str(cases[0][1]["association"]["label"]).split(", ")
    )
    return [_plot_kinds(cases, ions={"cations": cation, "anions": anion}), _plot_numbers(cases, cation, anion)]


def _plot_kinds(cases: _Cases, *, ions: dict[str, str]) -> Plot:
    columns: dict[str, list[Any]] = {"kind": list(_KINDS.values())}
    figures = []
    for ion, name in ions.items():
        traces = []
        for number, case in cases:
            shares = [case["association"][ion][kind] for kind in _KINDS]
            key, error = f"share ({name}, {case['label']})", f"uncertainty ({name}, {case['label']})"
            columns[key] = round_column([share["value"] for share in shares])
            columns[error] = round_column([share["uncertainty"] for share in shares])
            bar = _build_bar(columns["kind"], columns[key], name=str(case["label"]), number=number)
            # An error of nothing, where no ion changes its kind, is not drawn.
            if any(columns[error]):
                bar["error_y"] = {"type": "data", "array": [half or None for half in columns[error]], "thickness": 2}
            traces.append(bar)
        layout = build_layout(x="", y=f"share of {name}") | {"barmode": "group", "hovermode": "closest"}
        figures.append(Figure(name, tuple(traces), layout))
    words = []
    for _, case in cases:
        shares = case["association"]["cations"]
        listed = [f"{_show_share(shares[kind])} {word}" for kind, word in _KINDS.items()]
        words.append(f"{case['label']}: {join_words(listed)}")
    sentence = f"Shares of {ions['cations']} — {'; '.join(words)}. {_define(cases)}{_EXPLAIN_KINDS}"
    return Plot(
        key="association",
        title="Free ions, pairs and aggregates",
        sentence=sentence,
        alt=f"Shares of ions that are free, in contact pairs and in aggregates. {sentence}",
        columns=columns,
        figures=tuple(figures),
        chooser="Ion",
    )


def _show_share(share: dict[str, Any]) -> str:
    """A share in per cent."""
    numbers = {key: None if share.get(key) is None else 100 * share[key] for key in ("value", "uncertainty")}
    return format_quantity(numbers | {"unit": "%"})


def _plot_numbers(cases: _Cases, cation: str, anion: str) -> Plot:
    width = max(len(case["association"]["distribution"]) for _, case in cases)
    columns: dict[str, list[Any]] = {f"{anion} in contact": list(range(width))}
    traces = []
    for number, case in cases:
        shares = case["association"]["distribution"]
        key = f"share ({case['label']})"
        columns[key] = round_column([*shares, *[0.0] * (width - len(shares))])
        traces.append(_build_bar(list(range(width)), columns[key], name=str(case["label"]), number=number))
    means = [f"{format_quantity(case['association']['anions_per_cation'])} ({case['label']})" for _, case in cases]
    sentence = f"A {cation} is in contact with {join_words(means)} {anion} in the mean. {_define(cases)}."
    layout = build_layout(x=f"{anion} in contact with a {cation}", y=f"share of {cation}")
    layout |= {"barmode": "group", "hovermode": "closest"}
    layout["xaxis"] |= {"dtick": 1}
    return Plot(
        key="anions-per-cation",
        title=f"{anion} about a {cation}",
        sentence=sentence,
        alt=f"Share of {cation} with 0, 1, 2 and more {anion} in contact. {sentence}",
        columns=columns,
        figures=(Figure("", tuple(traces), layout),),
    )


def _build_bar(x: list[Any], y: list[Any], *, name: str, number: int) -> dict[str, Any]:
    patterns = ("", "/", ".", "x", "-")
    return {
        "type": "bar",
        "name": name,
        "x": x,
        "y": y,
        "marker": {"color": css(f"case-{number % 5}"), "pattern": {"shape": patterns[number % len(patterns)]}},
        "hovertemplate": "%{x}: %{y:.3g}<extra></extra>",
    }


def _define(cases: _Cases) -> str:
    """What a contact is, with the distance of each case."""
    reach = {str(case["label"]): f"{case['association']['cutoff_A']:.2f}{NARROW}Å" for _, case in cases}
    words = [f"{cutoff} ({label})" for label, cutoff in reach.items()] if len(set(reach.values())) > 1 else []
    return f"Contact: nearer than {join_words(words) or next(iter(reach.values()))}"
