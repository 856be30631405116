"""Energies of reactions with their numerical error, and what that error is made of."""

from typing import Any

from analysis.reaction_energy import RESOLVED_EV, show_reaction
from analysis.report.formatting import format_quantity, join_words
from analysis.report.plots.figure import Figure, Plot, build_layout, css

_LEFT_MARGIN = 210


def build_reaction_plots(observables: dict[str, Any]) -> list[Plot]:
    """One point a reaction with its error; one bar for each parameter that was made worse."""
    reactions: dict[str, Any] = observables.get("reactions") or {}
    if not reactions:
        return []
    plots = [_plot_energies(reactions)]
    if any(reaction.get("errors") for reaction in reactions.values()):
        plots.append(_plot_shifts(reactions))
    return plots


def _plot_energies(reactions: dict[str, Any]) -> Plot:
    quantities = {show_reaction(name): reaction["energy"] for name, reaction in reactions.items()}
    traces = []
    for number, (name, quantity) in enumerate(quantities.items()):
        colour = css(f"case-{number % 5}")
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "markers",
            "x": [quantity["value"]],
            "y": [name],
            "marker": {"size": 13, "color": colour},
            "hovertemplate": f"{format_quantity(quantity)}<extra></extra>",
        }
        if quantity.get("uncertainty") is not None:
            trace["error_x"] = {"type": "data", "array": [quantity["uncertainty"]], "color": colour, "thickness": 3}
        traces.append(trace)
    sentence = f"{join_words([f'{name} {format_quantity(quantity)}' for name, quantity in quantities.items()])}."
    return Plot(
        key="reaction-energies",
        title="Reaction energies",
        sentence=f"{sentence} Bars: numerical error; that of the functional is not in it.",
        alt=f"Energy of each reaction with its numerical error. {sentence}",
        columns={
            "reaction": list(reactions),
            "energy_eV": [quantity["value"] for quantity in quantities.values()],
            "uncertainty_eV": [quantity.get("uncertainty") for quantity in quantities.values()],
        },
        figures=(Figure("", tuple(traces), _lay_out("ΔE / eV", n_rows=len(traces))),),
    )


def _plot_shifts(reactions: dict[str, Any]) -> Plot:
    rows = [
        (show_reaction(name), error["name"], error["change"], error["shift_eV"])
        for name, reaction in reactions.items()
        for error in reaction["errors"]
    ]
    traces = []
    for number, kind in enumerate(dict.fromkeys(row[1] for row in rows)):
        own = [row for row in rows if row[1] == kind]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": kind,
                "x": [row[3] for row in own],
                "y": [row[0] for row in own],
                "marker": {"color": css(f"case-{number % 5}")},
                "hovertemplate": "%{x:.3f} eV<extra></extra>",
            }
        )
    words = [f"{shift:+.3f} eV with {change} ({name})" for name, _, change, shift in rows]
    sentence = f"ΔE moves by {join_words(words)}. The aim is {RESOLVED_EV} eV for the sum of their sizes."
    layout = _lay_out("shift of ΔE / eV", n_rows=len(rows)) | {"barmode": "group", "showlegend": True}
    layout["margin"] = {**layout["margin"], "t": 34}
    return Plot(
        key="numerical-errors",
        title="What the numerical error is made of",
        sentence=sentence.replace("-", "−"),
        alt=f"Shift of each reaction's energy when a numerical parameter is made worse. {sentence}",
        columns={
            "reaction": [row[0] for row in rows],
            "parameter": [row[1] for row in rows],
            "change": [row[2] for row in rows],
            "shift_eV": [row[3] for row in rows],
        },
        figures=(Figure("", tuple(traces), layout),),
    )


def _lay_out(x: str, *, n_rows: int) -> dict[str, Any]:
    layout = build_layout(x=x, y="", height=150 + 46 * n_rows, showlegend=False) | {"hovermode": "closest"}
    layout["margin"] = {**layout["margin"], "l": _LEFT_MARGIN, "t": 12}
    layout["yaxis"] |= {"type": "category", "autorange": "reversed", "showgrid": False}
    return layout
