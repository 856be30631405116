"""What every plot is made of: columns of data, figures that refer to them, and one sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.report.formatting import format_number, format_quantity

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SIGNIFICANT_DIGITS = 5


@dataclass(frozen=True)
class Figure:
    """One Plotly figure; an array of a trace is a reference made by `column`."""

    label: str
    data: tuple[dict[str, Any], ...]
    layout: dict[str, Any]


@dataclass(frozen=True)
class Plot:
    """A block of the report.

    Args:
        key: identity in the page and name of the files a reader saves.
        title: heading.
        sentence: what to see, made from the data.
        alt: description for a reader who does not see it.
        columns: data by column name; also what the CSV file holds.
        figures: the figure, or several of which the reader picks one.
        chooser: what the reader picks by, e.g. "Region".
        wide: whether it takes the whole width of the page.
    """

    key: str
    title: str
    sentence: str
    alt: str
    columns: dict[str, list[Any]]
    figures: tuple[Figure, ...]
    chooser: str = ""
    wide: bool = False
    level: str = field(default="")


def column(name: str) -> str:
    """Reference to a column; the page puts the data in its place."""
    return f"@col:{name}"


def css(name: str) -> str:
    """Reference to a colour of the page's theme."""
    return f"@css:--{name}"


def round_column(values: Sequence[Any] | None) -> list[Any]:
    """Numbers to five significant digits, so that the page stays small; what is no finite number becomes None."""
    rounded: list[Any] = []
    for value in values if values is not None else []:
        if isinstance(value, bool | str):
            rounded.append(value)
        elif isinstance(value, int | float) and math.isfinite(value):
            rounded.append(float(f"{value:.{SIGNIFICANT_DIGITS}g}"))
        else:
            rounded.append(None)
    return rounded


def build_line(
    *, x: str, y: str, name: str, number: int, axis: int = 1, legend: bool = True, group: str | None = None
) -> dict[str, Any]:
    """A line in the colour and dash of the case with that number."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": column(x),
        "y": column(y),
        "name": name,
        "legendgroup": group or name,
        "showlegend": legend,
        "line": {"color": css(f"case-{number % 5}"), "width": 2.2, "dash": DASHES[number % len(DASHES)]},
        **_axes(axis),
    }


def build_band(*, x: str, low: str, high: str, name: str, number: int, axis: int = 1) -> list[dict[str, Any]]:
    """A band of uncertainty between two columns, in the case's colour."""
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": column(x),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": name,
        **_axes(axis),
    }
    fill = {"fill": "tonexty", "fillcolor": css(f"case-{number % 5}-band")}
    return [{**edge, "y": column(low)}, {**edge, "y": column(high), **fill}]


def build_point(quantity: dict[str, Any], *, row: str, number: int) -> dict[str, Any]:
    """A quantity with its interval on a row, in the colour and with the symbol of the case with that number."""
    value, low, high = quantity["value"], quantity.get("low"), quantity.get("high")
    colour = css(f"case-{number % 5}")
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": [value],
        "y": [row],
        "name": row,
        "marker": {"size": 13, "color": colour, "symbol": SYMBOLS[number % len(SYMBOLS)]},
        "hovertemplate": f"{format_quantity(quantity)}<extra></extra>",
    }
    if low is not None and high is not None:
        edges = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
        trace["error_x"] = {**edges, "color": colour, "thickness": 3, "width": 9}
    return trace


def build_row_layout(*, x: str, n_rows: int, left: int) -> dict[str, Any]:
    """A layout whose rows are names, the first on top."""
    layout = build_layout(x=x, y="", height=150 + 46 * n_rows, showlegend=False) | {"hovermode": "closest"}
    layout["margin"] = {**layout["margin"], "l": left, "t": 12}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    layout["xaxis"] |= {"rangemode": "tozero"}
    return layout


def build_layout(*, x: str, y: str, height: int = 360, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - Plotly's own
    """A layout with titled axes."""
    return {
        "height": height,
        "margin": {"l": 62, "r": 16, "t": 34, "b": 52},
        "hovermode": "x unified",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "xaxis": {"title": {"text": x}},
        "yaxis": {"title": {"text": y}},
        **more,
    }


def build_stacked_layout(*, x: str, upper: str, lower: str, height: int = 470) -> dict[str, Any]:
    """Two panels above each other that share their x axis."""
    return build_layout(
        x=x,
        y=upper,
        height=height,
        xaxis={"title": {"text": x}, "anchor": "y2"},
        yaxis={"title": {"text": upper}, "domain": [0.46, 1.0]},
        yaxis2={"title": {"text": lower}, "domain": [0.0, 0.36], "anchor": "x"},
    )


def has_band(low: Sequence[Any] | None, high: Sequence[Any] | None) -> bool:
    """Whether both edges of a band are there and hold a number."""
    return bool(low) and bool(high) and any(value is not None for value in low or ())


def number_cases(observables: dict[str, Any], *, key: str) -> list[tuple[int, dict[str, Any]]]:
    """Cases that have an observable, each with its number among all cases, so that its colour stays the same."""
    cases: dict[str, dict[str, Any]] = observables.get("cases") or {}
    return [(number, case) for number, case in enumerate(cases.values()) if case.get(key)]


def last_number(values: Sequence[Any] | None) -> float | None:
    """The last finite number of a series."""
    numbers = [value for value in values or () if isinstance(value, int | float) and math.isfinite(value)]
    return float(numbers[-1]) if numbers else None


def format_case_numbers(values: list[tuple[str, float | None]], *, unit: str) -> str:
    """Numbers of all cases in words: "14.2 Å (dislocation) and 6.3 Å (control)"."""
    known = [f"{format_number(value, digits=3)}\u202f{unit} ({label})" for label, value in values if value is not None]
    if len(known) <= 1:
        return "".join(known)
    return f"{', '.join(known[:-1])} and {known[-1]}"


def _axes(axis: int) -> dict[str, str]:
    return {"xaxis": "x", "yaxis": "y" if axis == 1 else f"y{axis}"}
