"""The answer as a picture: depth gained by each case with its interval."""

from typing import Any

from analysis.report.formatting import ABSENT, format_interval, format_quantity, join_words
from analysis.report.plots.figure import Figure, Plot, build_layout, css

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")


def build_contrast_plots(observables: dict[str, Any]) -> list[Plot]:
    """One point a case with its interval, from `contrast` or from each case's own gain."""
    points = find_final_depths(observables)
    points = [(label, quantity) for label, quantity in points if quantity.get("value") is not None]
    if not points:
        return []
    columns: dict[str, list[Any]] = {
        "case": [label for label, _ in points],
        "depth_A": [quantity["value"] for _, quantity in points],
        "low_A": [quantity.get("low") for _, quantity in points],
        "high_A": [quantity.get("high") for _, quantity in points],
        "n_independent": [quantity.get("n_independent") for _, quantity in points],
    }
    traces = [_build_point(label, quantity, number=number) for number, (label, quantity) in enumerate(points)]
    layout = build_layout(x="depth gained / Å", y="", height=150 + 46 * len(points), showlegend=False)
    layout |= {"hovermode": "closest"}
    layout["margin"] = {**layout["margin"], "l": 110, "t": 12}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout["xaxis"] |= {"rangemode": "tozero"}
    sentence = _describe(points, contrast=observables.get("contrast"))
    return [
        Plot(
            key="contrast",
            title="Depth gained since first contact",
            sentence=sentence,
            alt=f"Penetration depth gained by each case with its interval. {sentence}",
            columns=columns,
            figures=(Figure("", tuple(traces), layout),),
            wide=True,
        )
    ]


def find_final_depths(observables: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Depth that each case gained: that of the contrast (over replicas) before that of all its atoms."""
    contrast = observables.get("contrast") or {}
    found = []
    for name, case in (observables.get("cases") or {}).items():
        quantity = contrast.get(f"{name}_gain_A") or (case.get("penetration") or {}).get("gain")
        if isinstance(quantity, dict):
            found.append((str(case.get("label", name)), quantity))
    return found


def _build_point(label: str, quantity: dict[str, Any], *, number: int) -> dict[str, Any]:
    value, low, high = quantity["value"], quantity.get("low"), quantity.get("high")
    colour = css(f"case-{number % 5}")
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": [value],
        "y": [label],
        "name": label,
        "marker": {"size": 13, "color": colour, "symbol": SYMBOLS[number % len(SYMBOLS)]},
        "hovertemplate": f"{format_quantity(quantity)}<extra></extra>",
    }
    if low is not None and high is not None:
        edges = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
        trace["error_x"] = {**edges, "color": colour, "thickness": 3, "width": 9}
    return trace


def _describe(points: list[tuple[str, dict[str, Any]]], *, contrast: dict[str, Any] | None) -> str:
    words = [
        f"{format_quantity(quantity)} ({label}, interval {format_interval(quantity)})"
        if quantity.get("low") is not None
        else f"{format_quantity(quantity)} ({label}, no interval)"
        for label, quantity in points
    ]
    sentence = f"Depth gained since first contact: {join_words(words)}."
    for name, quantity in find_comparisons(contrast):
        interval = format_interval(quantity)
        sentence += f" {name.capitalize()} {format_quantity(quantity)}"
        sentence += "." if interval == ABSENT else f", interval {interval}."
    return sentence if not contrast or contrast.get("resolved") else f"{sentence} The contrast is not resolved."


def find_comparisons(contrast: dict[str, Any] | None) -> list[tuple[str, dict[str, Any]]]:
    """Difference and ratio of the cases, those that are there."""
    contrast = contrast or {}
    found = [("difference", contrast.get("difference_A")), ("ratio", contrast.get("ratio"))]
    return [(name, item) for name, item in found if isinstance(item, dict) and item.get("value") is not None]
