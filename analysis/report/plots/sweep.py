"""The main numbers of the runs of a sweep over the first axis that has numbers, a line for each value of the others."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.report.plots.figure import DASHES, Figure, Plot, build_layout, css
from analysis.sweep_rows import (
    SweepAxis,
    SweepRow,
    build_columns,
    describe_values,
    find_bar,
    list_quantities,
    show_value,
)

COLOURS = 5


def build_sweep_plots(observables: dict[str, Any]) -> list[Plot]:
    """One plot, with a figure for each main number."""
    sweep: dict[str, Any] = observables.get("sweep") or {}
    rows = [SweepRow.from_json(row) for row in sweep.get("rows") or ()]
    axes = [SweepAxis(one["key"], tuple(one["values"])) for one in sweep.get("axes") or ()]
    names = list_quantities(rows)
    if not names:
        return []
    axis = choose_axis(axes)
    figures = [
        Figure(name, tuple(build_traces(rows, name=name, axis=axis)), _lay_out(name, unit=unit, axis=axis, rows=rows))
        for name, unit in names.items()
    ]
    others = [one.key for one in axes if one is not axis]
    lines = f", a line for each value of {' and '.join(others)}" if others else ""
    sentence = f"Over {axis.key}{lines}. Bars: the error that each run gives; without one there is no bar."
    return [
        Plot(
            key="sweep",
            title="The runs side by side",
            sentence=sentence,
            alt=f"Main numbers of {len(rows)} runs. {sentence}",
            columns=build_columns(rows, axes=axes),
            figures=tuple(figures),
            chooser="Quantity",
            wide=True,
        )
    ]


def choose_axis(axes: Sequence[SweepAxis]) -> SweepAxis:
    """The first axis with numbers alone, else the first."""
    return next((axis for axis in axes if is_numeric(axis)), axes[0])


def is_numeric(axis: SweepAxis) -> bool:
    """Whether all values of an axis are numbers."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in axis.values)


def build_traces(rows: Sequence[SweepRow], *, name: str, axis: SweepAxis) -> list[dict[str, Any]]:
    """A line for each combination of the values of the other axes, along the axis."""
    groups: dict[str, list[SweepRow]] = {}
    for row in rows:
        if name in row.quantities:
            others = {key: value for key, value in row.values.items() if key != axis.key}
            groups.setdefault(describe_values(others), []).append(row)
    return [
        _build_trace(own, name=name, axis=axis, label=label, number=number)
        for number, (label, own) in enumerate(groups.items())
    ]


def _build_trace(rows: Sequence[SweepRow], *, name: str, axis: SweepAxis, label: str, number: int) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda row: axis.values.index(row.values[axis.key]))
    if is_numeric(axis):
        ordered.sort(key=lambda row: float(row.values[axis.key]))
    values = [row.values[axis.key] for row in ordered]
    quantities: list[Mapping[str, Any]] = [row.quantities[name] for row in ordered]
    bars = [find_bar(quantity) for quantity in quantities]
    colour = css(f"case-{number % COLOURS}")
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if is_numeric(axis) else "markers",
        "name": label,
        "x": values if is_numeric(axis) else [show_value(value) for value in values],
        "y": [quantity["value"] for quantity in quantities],
        "line": {"color": colour, "dash": DASHES[number // COLOURS % len(DASHES)]},
        "marker": {"size": 9, "color": colour},
    }
    if any(bar is not None for bar in bars):
        pairs = list(zip(quantities, bars, strict=True))
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [None if bar is None else bar[1] - quantity["value"] for quantity, bar in pairs],
            "arrayminus": [None if bar is None else quantity["value"] - bar[0] for quantity, bar in pairs],
            "color": colour,
        }
    return trace


def _lay_out(name: str, *, unit: str, axis: SweepAxis, rows: Sequence[SweepRow]) -> dict[str, Any]:
    has_others = any(len(row.values) > 1 for row in rows)
    label = name if unit in ("", "1") else f"{name} / {unit}"
    layout = build_layout(x=axis.key, y=label, height=420, showlegend=has_others)
    if not is_numeric(axis):
        layout["xaxis"] |= {"type": "category", "categoryarray": [show_value(value) for value in axis.values]}
    return layout
