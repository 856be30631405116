"""Density of potassium seen along the dislocation line."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.report.formatting import format_number, join_words
from analysis.report.plots.figure import Figure, Plot, column, css, round_column

# Of maps that do not tell the radius of their core columns.
NEAR_CORE_A = 5.0
GAP = 0.08


def build_density_map_plots(observables: dict[str, Any]) -> list[Plot]:
    """Maps of all cases side by side with one colour scale; crosses mark the cores."""
    cases = [
        case
        for case in (observables.get("cases") or {}).values()
        if (case.get("density_map") or {}).get("density_per_A3")
    ]
    if not cases:
        return []
    width = (1 - GAP * (len(cases) - 1)) / len(cases)
    highest = max(float(np.nanmax(_density(case), initial=0.0)) for case in cases) or 1.0
    columns: dict[str, list[Any]] = {}
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "height": 430,
        "meta": {"panels": len(cases)},
        "margin": {"l": 56, "r": 10, "t": 40, "b": 52},
        "annotations": [],
        "coloraxis": {
            "colorscale": "Cividis",
            "cmin": 0,
            "cmax": highest,
            "colorbar": {"title": {"text": "K per Å³"}, "thickness": 12, "len": 0.85},
        },
    }
    for number, case in enumerate(cases):
        end = "" if number == 0 else str(number + 1)
        start = number * (width + GAP)
        traces += _build_traces(case, columns=columns, end=end)
        layout[f"xaxis{end}"] = {"title": {"text": "x / Å"}, "domain": [start, start + width], "anchor": f"y{end}"}
        layout[f"yaxis{end}"] = {"scaleanchor": f"x{end}", "anchor": f"x{end}", "constrain": "domain"}
        layout[f"xaxis{end}"]["constrain"] = "domain"
        title = {"text": case["label"], "x": start + width / 2, "y": 1.02, "xref": "paper", "yref": "paper"}
        layout["annotations"].append({**title, "showarrow": False, "yanchor": "bottom", "xanchor": "center"})
    layout["yaxis"]["title"] = {"text": "y / Å"}
    sentence = _describe(cases)
    return [
        Plot(
            key="density-map",
            title="Where the potassium is, seen along the line",
            sentence=sentence,
            alt=f"Maps of the density of K in the plane normal to the dislocation line. {sentence}",
            columns=columns,
            figures=(Figure("", tuple(traces), layout),),
            wide=True,
        )
    ]


def _density(case: dict[str, Any]) -> NDArray[np.float64]:
    return np.array(case["density_map"]["density_per_A3"], dtype=np.float64)


def _build_traces(case: dict[str, Any], *, columns: dict[str, list[Any]], end: str) -> list[dict[str, Any]]:
    label, data = case["label"], case["density_map"]
    density = _density(case)
    # Long form: one row of the CSV file for each point of the map.
    x_A, y_A = np.meshgrid(np.array(data["x_A"], dtype=float), np.array(data["y_A"], dtype=float))
    if x_A.shape != density.shape:
        return []
    names = {key: f"{key} ({label})" for key in ("x_A", "y_A", "density_per_A3")}
    values = (x_A.ravel().tolist(), y_A.ravel().tolist(), density.ravel().tolist())
    columns.update({name: round_column(value) for name, value in zip(names.values(), values, strict=True)})
    axes = {"xaxis": f"x{end}", "yaxis": f"y{end}"}
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "x": column(names["x_A"]),
            "y": column(names["y_A"]),
            "z": column(names["density_per_A3"]),
            "coloraxis": "coloraxis",
            "name": label,
            "hovertemplate": "x %{x:.1f} Å, y %{y:.1f} Å<br>%{z:.4f} Å⁻³<extra></extra>",
            **axes,
        }
    ]
    if cores := data.get("core_positions_A"):
        marker = {"symbol": "cross-thin", "size": 16, "line": {"width": 2.5, "color": css("core")}}
        position = {"x": [core[0] for core in cores], "y": [core[1] for core in cores]}
        traces.append(
            {"type": "scatter", "mode": "markers+text", "name": "core", "showlegend": False, "marker": marker}
            | position
            | axes
            | {"text": [str(number) for number in range(1, len(cores) + 1)], "textposition": "top right"}
            | {"textfont": {"color": css("core")}, "hovertemplate": "core %{text}<extra></extra>"}
        )
    return traces


def _describe(cases: list[dict[str, Any]]) -> str:
    words = []
    for case in cases:
        data, density = case["density_map"], _density(case)
        mean = float(np.nanmean(density))
        if mean <= 0:
            words.append(f"no potassium was found inside ({case['label']})")
            continue
        cores = data.get("core_positions_A") or []
        x_A, y_A = np.meshgrid(np.array(data["x_A"], dtype=float), np.array(data["y_A"], dtype=float))
        if cores and x_A.shape == density.shape:
            distance_A = np.min([np.hypot(x_A - x, y_A - y) for x, y in cores], axis=0)
            radius_A = float(data.get("core_radius_A") or NEAR_CORE_A)
            near = density[distance_A <= radius_A]
            if near.size:
                ratio = format_number(float(np.nanmean(near)) / mean, digits=2)
                words.append(f"within {radius_A:g} Å of a core it is {ratio} times the map's mean ({case['label']})")
                continue
        peak = format_number(float(np.nanmax(density)) / mean, digits=2)
        words.append(f"its largest value is {peak} times the map's mean ({case['label']})")
    return f"Density of potassium below the interface: {join_words(words)}. One colour scale for all maps."
