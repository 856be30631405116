"""Temperature, pressure and energies: was the dynamics well behaved?"""

import math
import statistics
from typing import Any

from analysis.report.formatting import format_number, join_words
from analysis.report.plots.figure import Figure, Plot, build_layout, build_line, round_column

PANELS = {
    "temperature_K": "temperature / K",
    "pressure_GPa": "pressure / GPa",
    "potential_energy_eV": "potential energy / eV",
    "conserved_eV": "conserved quantity / eV",
}


def build_thermodynamics_plots(observables: dict[str, Any]) -> list[Plot]:
    """One plot in which the reader picks the quantity, all cases in it."""
    cases = [
        case for case in (observables.get("cases") or {}).values() if (case.get("thermodynamics") or {}).get("time_ps")
    ]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    figures: list[Figure] = []
    for key, title in PANELS.items():
        traces: list[dict[str, Any]] = []
        for number, case in enumerate(cases):
            label, data = case["label"], case["thermodynamics"]
            if not any(value is not None for value in data.get(key) or ()):
                continue
            time, name = f"time_ps ({label})", f"{key} ({label})"
            columns[time], columns[name] = round_column(data["time_ps"]), round_column(data[key])
            traces.append(build_line(x=time, y=name, name=label, number=number))
        if traces:
            figures.append(Figure(title.split(" / ")[0], tuple(traces), build_layout(x="time / ps", y=title)))
    if not figures:
        return []
    sentence = _describe(cases)
    return [
        Plot(
            key="thermodynamics",
            title="Was the dynamics well behaved?",
            sentence=sentence,
            alt=f"Temperature, pressure and energies against time. {sentence}",
            columns=columns,
            figures=tuple(figures),
            chooser="Quantity",
        )
    ]


def _describe(cases: list[dict[str, Any]]) -> str:
    temperatures, drifts, chosen = [], [], []
    for case in cases:
        data, label = case["thermodynamics"], case["label"]
        values = _finite(data.get("temperature_K"))
        values = values[len(values) // 2 :]
        if len(values) > 1:
            mean, spread = statistics.fmean(values), statistics.stdev(values)
            temperatures.append(f"{mean:.0f} ± {spread:.0f}\u202fK ({label})")
        if (n_replicas := data.get("replicas", 1)) > 1:
            chosen.append(f"{data['replica']} of {n_replicas} ({label})")
        conserved, time_ps = _finite(data.get("conserved_eV")), _finite(data.get("time_ps"))
        if len(conserved) > 1 and time_ps[-1] > time_ps[0]:
            drifts.append(f"{format_number(conserved[-1] - conserved[0], digits=2)}\u202feV ({label})")
    sentence = (
        f"Temperature in the second half of the run, mean and spread: {join_words(temperatures)}."
        if temperatures
        else ""
    )
    if drifts:
        sentence += f" The conserved quantity moved by {join_words(drifts)} from the first to the last value."
    if chosen:
        sentence += f" Shown is replica {join_words(chosen)}, in which it moved most."
    return sentence.strip() or "Thermodynamic quantities against time."


def _finite(values: list[Any] | None) -> list[float]:
    return [float(value) for value in values or () if isinstance(value, int | float) and math.isfinite(value)]
