"""Reaction energies over the values of a numerical parameter, less the energy at the best one."""

from typing import Any

from analysis.reaction_energy import RESOLVED_EV, show_reaction
from analysis.report.plots.figure import Figure, Plot, build_layout, css


def build_convergence_plots(observables: dict[str, Any]) -> list[Plot]:
    """One plot for each parameter that was varied."""
    series: list[dict[str, Any]] = observables.get("convergence") or []
    return [
        _plot_parameter(parameter, [one for one in series if one["parameter"] == parameter])
        for parameter in dict.fromkeys(one["parameter"] for one in series)
    ]


def _plot_parameter(parameter: str, series: list[dict[str, Any]]) -> Plot:
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": show_reaction(one["reaction"]),
            "x": one["values"],
            "y": one["shifts_eV"],
            "line": {"color": css(f"case-{number % 5}")},
            "marker": {"size": 9},
            "hovertemplate": "%{x}: %{y:.3f} eV<extra></extra>",
        }
        for number, one in enumerate(series)
    ]
    layout = build_layout(x=parameter, y="ΔE less that at the last value / eV", showlegend=len(series) > 1)
    layout["xaxis"] |= {"type": "category"}
    layout["shapes"] = [
        {
            "type": "rect",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": -RESOLVED_EV,
            "y1": RESOLVED_EV,
            "line": {"width": 0},
            "fillcolor": css("case-2-band"),
            "layer": "below",
        }
    ]
    words = [f"{show_reaction(one['reaction'])} {_judge(one['converged_at'])}" for one in series]
    sentence = f"Shaded: {RESOLVED_EV} eV about the energy at the last value. {'; '.join(words)}."
    return Plot(
        key=f"convergence-{''.join(letter if letter.isalnum() else '-' for letter in parameter)}",
        title=f"Convergence with {parameter}",
        sentence=sentence,
        alt=f"Reaction energies over {parameter}. {sentence}",
        columns={
            "value": [value for one in series for value in one["values"]],
            "reaction": [one["reaction"] for one in series for _ in one["values"]],
            "energy_eV": [energy for one in series for energy in one["energies_eV"]],
        },
        figures=(Figure("", tuple(traces), layout),),
    )


def _judge(converged_at: str | None) -> str:
    return "is not within it before the last value" if converged_at is None else f"is within it from {converged_at} on"
