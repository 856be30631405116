"""The answer as a picture: depth gained by each case with its interval."""

from typing import Any

from analysis.headline import START, begin_sentence, find_comparisons, find_final_depths, name_depth, name_verdict
from analysis.report.formatting import ABSENT, format_interval, format_quantity, join_words
from analysis.report.plots.figure import Figure, Plot, build_layout, build_point


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
    traces = [build_point(quantity, row=label, number=number) for number, (label, quantity) in enumerate(points)]
    layout = build_layout(x=f"{name_depth(observables)} / Å", y="", height=150 + 46 * len(points), showlegend=False)
    layout |= {"hovermode": "closest"}
    layout["margin"] = {**layout["margin"], "l": 110, "t": 12}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout["xaxis"] |= {"rangemode": "tozero"}
    contrast = observables.get("contrast")
    sentence = _describe(points, name=name_depth(observables), contrast=contrast)
    return [
        Plot(
            key="contrast",
            title=f"Depth gained since {START}",
            sentence=sentence,
            alt=f"Penetration depth gained by each case with its interval. {sentence}",
            columns=columns,
            figures=(Figure("", tuple(traces), layout),),
            wide=True,
        )
    ]


def _describe(points: list[tuple[str, dict[str, Any]]], *, name: str, contrast: dict[str, Any] | None) -> str:
    words = [
        f"{format_quantity(quantity)} ({label}, interval {format_interval(quantity)})"
        if quantity.get("low") is not None
        else f"{format_quantity(quantity)} ({label}, no interval)"
        for label, quantity in points
    ]
    sentence = f"{begin_sentence(name)}: {join_words(words)}."
    for comparison, quantity in find_comparisons(contrast):
        interval = format_interval(quantity)
        sentence += f" {begin_sentence(comparison)} {format_quantity(quantity)}"
        sentence += "." if interval == ABSENT else f", interval {interval}."
    verdict = name_verdict(contrast) if contrast else "resolved"
    return sentence if verdict == "resolved" else f"{sentence} The contrast is {verdict}."
