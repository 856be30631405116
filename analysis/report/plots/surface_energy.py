"""Surface energies of the clean slabs over the chemical potential of what they exchange, all in one figure."""

from typing import Any

from analysis.report.formatting import format_quantity, join_words
from analysis.report.plots.figure import Figure, Plot, build_band, build_layout, build_line, css, round_column
from analysis.surface_energy import J_PER_M2


def build_surface_energy_plots(observables: dict[str, Any]) -> list[Plot]:
    """One line a slab; where no slab exchanges atoms, one point each."""
    surfaces: dict[str, Any] = observables.get("surface_energies") or {}
    if not surfaces:
        return []
    exchanged = [one["reservoir"] for one in surfaces.values() if one["reservoir"]]
    return [_plot_lines(surfaces, exchanged=list(dict.fromkeys(exchanged))) if exchanged else _plot_points(surfaces)]


def _plot_lines(surfaces: dict[str, Any], *, exchanged: list[str]) -> Plot:
    """γ over Δμ; a slab that exchanges nothing is level over the whole range."""
    lowest = min(one["delta_mu_eV"][0] for one in surfaces.values())
    columns: dict[str, list[Any]] = {}
    traces: list[dict[str, Any]] = []
    for number, (name, one) in enumerate(surfaces.items()):
        x, y = f"delta_mu_eV ({name})", f"gamma_J_per_m2 ({name})"
        gamma = one["gamma_J_per_m2"] if one["reservoir"] else one["gamma_J_per_m2"] * 2
        columns |= {x: round_column(one["delta_mu_eV"] if one["reservoir"] else [lowest, 0.0]), y: round_column(gamma)}
        if one["uncertainty_eV_per_A2"] is not None:
            error = one["uncertainty_eV_per_A2"] * J_PER_M2
            low, high = f"low_J_per_m2 ({name})", f"high_J_per_m2 ({name})"
            columns |= {low: round_column([value - error for value in gamma])}
            columns |= {high: round_column([value + error for value in gamma])}
            traces += build_band(x=x, low=low, high=high, name=name, number=number)
        traces.append(build_line(x=x, y=y, name=name, number=number))
    of = f"({exchanged[0]})" if len(exchanged) == 1 else ""
    words = [_describe(name, one) for name, one in surfaces.items()]
    sentence = f"{'; '.join(words)}. {_EXPLAIN} {_find_lowest(surfaces)}{_explain_error(surfaces)}"
    return Plot(
        key="surface-energies",
        title=f"Surface energies over Δμ{of}",
        sentence=sentence,
        alt=f"Surface energy of each slab against the chemical potential of what it exchanges. {sentence}",
        columns=columns,
        figures=(Figure("", tuple(traces), build_layout(x=f"Δμ{of} / eV", y="γ / J/m²")),),
    )


def _plot_points(surfaces: dict[str, Any]) -> Plot:
    """γ of slabs that are all composed as their crystals."""
    traces = []
    for number, (name, one) in enumerate(surfaces.items()):
        colour = css(f"case-{number % 5}")
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers",
            "x": [one["gamma"]["value"]],
            "y": [name],
            "marker": {"size": 13, "color": colour},
            "hovertemplate": f"{format_quantity(one['gamma'])}<extra></extra>",
        }
        if one["gamma"]["uncertainty"] is not None:
            trace["error_x"] = {"type": "data", "array": [one["gamma"]["uncertainty"]], "color": colour, "thickness": 3}
        traces.append(trace)
    sentence = f"{join_words([_describe(name, one) for name, one in surfaces.items()])}.{_explain_error(surfaces)}"
    layout = build_layout(x="γ / J/m²", y="", height=150 + 46 * len(traces), showlegend=False)
    layout |= {"hovermode": "closest", "margin": {**layout["margin"], "l": 140, "t": 12}}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    return Plot(
        key="surface-energies",
        title="Surface energies",
        sentence=sentence,
        alt=f"Surface energy of each slab. {sentence}",
        columns={
            "slab": list(surfaces),
            "gamma_J_per_m2": [one["gamma"]["value"] for one in surfaces.values()],
            "uncertainty_J_per_m2": [one["gamma"]["uncertainty"] for one in surfaces.values()],
        },
        figures=(Figure("", tuple(traces), layout),),
    )


_EXPLAIN = "At the left the crystal falls into its elements; at Δμ = 0 it is in equilibrium with the reservoir."


def _describe(name: str, one: dict[str, Any]) -> str:
    if not one["reservoir"]:
        return f"{name} {format_quantity(one['gamma'])}"
    poor, rich = format_quantity(one["poor"]), format_quantity(one["rich"])
    start = f"{one['delta_mu_eV'][0]:.2f}".replace("-", "−")
    return f"{name} {poor} at Δμ({one['reservoir']}) = {start} eV and {rich} at 0 ({one['reference']})"


def _find_lowest(surfaces: dict[str, Any]) -> str:
    """Which slab is lowest at both ends, if there are several of one crystal's."""
    formulas = [one["formula"] for one in surfaces.values()]
    if len(formulas) == 1 or any(formula != formulas[0] for formula in formulas):
        return ""
    first, last = (
        min(surfaces, key=lambda name, end=end: surfaces[name]["gamma_J_per_m2"][end])  # type: ignore[misc]
        for end in (0, -1)
    )
    return f"{first} is the lowest throughout." if first == last else f"{first} is the lowest at the left, {last} at 0."


def _explain_error(surfaces: dict[str, Any]) -> str:
    has_errors = any(one["uncertainty_eV_per_A2"] is not None for one in surfaces.values())
    return (
        " ± and bands: numerical error; that of the functional is not in it."
        if has_errors
        else " The numerical error is not estimated."
    )
