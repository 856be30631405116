"""How molecules at a surface lie."""

from typing import Any

from analysis.report.formatting import format_number, format_quantity, join_words, raise_charges
from analysis.report.plots.figure import Figure, Plot, build_layout, build_line, css, number_cases, round_column


def build_orientation_plots(observables: dict[str, Any]) -> list[Plot]:
    """How many times more often than by chance an axis of a molecule stands at an angle to the surface's normal."""
    known = number_cases(observables, key="orientation")
    cases = [(number, case) for number, case in known if case["orientation"]["n_molecules"] > 0]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    traces = []
    for number, case in cases:
        data, label = case["orientation"], str(case["label"])
        x, y = f"angle_deg ({label})", f"share ({label})"
        columns |= {x: round_column(data["angle_deg"]), y: round_column(data["share"])}
        trace = build_line(x=x, y=y, name=label, number=number)
        traces.append(trace | {"line": {**trace["line"], "shape": "hvh"}})
    layout = build_layout(x="angle to the normal / °", y="times as often as by chance")
    layout["xaxis"] |= {"range": [0, 180], "dtick": 30}
    layout["yaxis"] |= {"rangemode": "tozero"}
    chance = {"color": css("muted"), "width": 1, "dash": "dot"}
    layout["shapes"] = [{"type": "line", "x0": 0, "x1": 180, "y0": 1, "y1": 1, "line": chance}]
    sentence = _describe([case for _, case in cases])
    return [
        Plot(
            key="orientation",
            title="How the anion lies at the surface",
            sentence=sentence,
            alt=f"Distribution of the angle between an axis of the anion and the normal. {sentence}",
            columns=columns,
            figures=(Figure("", tuple(traces), layout),),
        )
    ]


def _describe(cases: list[dict[str, Any]]) -> str:
    words = []
    for case in cases:
        order, label = case["orientation"]["legendre_2"], case["label"]
        count = f"{format_number(case['orientation']['n_molecules'], digits=3)} molecules a frame"
        told = "no number" if order is None else format_quantity(order)
        doubt = "" if order is None or order["uncertainty"] is not None else f"; {order['verdict']}"
        words.append(f"{told} ({label}, {count}{doubt})")
    data = cases[0]["orientation"]
    return (
        f"Axis {raise_charges(str(data['label']))} of molecules within {data['within_A']:.2f}\u202fÅ of a surface "
        f"atom: ⟨P₂⟩ is {join_words(words)}; 1 is upright, 0 any direction, −0.5 flat. Dotted: by chance."
    )
