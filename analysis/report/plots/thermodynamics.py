"""Temperature, pressure and energies: was the dynamics well behaved?"""

import math
import statistics
from dataclasses import dataclass
from typing import Any

from analysis.report.formatting import format_number, join_words
from analysis.report.plots.figure import Figure, Plot, build_layout, build_line, round_column

_SAME_PS = 1e-6
PANELS = {
    "temperature_K": "temperature / K",
    "pressure_GPa": "pressure / GPa",
    "potential_energy_eV": "potential energy / eV",
    "conserved_eV": "conserved quantity / eV",
}


@dataclass(frozen=True)
class Conservation:
    """What the conserved quantity is judged by, and the pressure.

    Attributes:
        from_ps: end of heating, which does work on the atoms; time 0 is the relaxed cell.
        n_atoms: atoms of the system; None if not known.
        limit_eV_per_atom: drift at which a run is aborted; None if not known.
        has_vacuum: whether the cell, over whose volume the pressure is taken, has vacuum in it.
    """

    from_ps: float = 0.0
    n_atoms: int | None = None
    limit_eV_per_atom: float | None = None
    has_vacuum: bool = False

    def describe_drift(self, time_ps: list[float], *, conserved_eV: list[float]) -> str:
        """How far it moved after heating, per atom if their number is known; nothing with fewer than two values."""
        settled = [value for time, value in zip(time_ps, conserved_eV, strict=True) if time >= self.from_ps - _SAME_PS]
        if len(settled) < len(("first", "last")):
            return ""
        moved_eV = settled[-1] - settled[0]
        if self.n_atoms is None:
            return f"{format_number(moved_eV, digits=2)}\u202feV"
        return f"{format_number(moved_eV / self.n_atoms, digits=2)}\u202feV/atom"

    def describe_span(self) -> str:
        """From when to when it is judged, and against what."""
        start = f"from the end of heating at {self.from_ps:.4g}\u202fps" if self.from_ps > 0 else "from the first"
        if self.n_atoms is None or self.limit_eV_per_atom is None:
            return f"{start} to the last value"
        limit = f"a run is aborted at {self.limit_eV_per_atom:g}\u202feV/atom; far below it is no proof of quality"
        return f"{start} to the last value ({limit})"


def build_thermodynamics_plots(
    observables: dict[str, Any],
    *,
    conservation: Conservation = Conservation(),
) -> list[Plot]:
    """One plot in which the reader picks the quantity, all cases in it."""
    cases = [
        case for case in (observables.get("cases") or {}).values() if (case.get("thermodynamics") or {}).get("time_ps")
    ]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    figures: list[Figure] = []
    panels = PANELS | ({"pressure_GPa": "pressure, vacuum included / GPa"} if conservation.has_vacuum else {})
    for key, title in panels.items():
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
    sentence = _describe(cases, conservation=conservation)
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


def _describe(cases: list[dict[str, Any]], *, conservation: Conservation) -> str:
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
        time_ps, conserved_eV = _finite_pairs(data.get("time_ps"), data.get("conserved_eV"))
        if drift := conservation.describe_drift(time_ps, conserved_eV=conserved_eV):
            drifts.append(f"{drift} ({label})")
    sentence = (
        f"Temperature in the second half of the run, mean and spread: {join_words(temperatures)}."
        if temperatures
        else ""
    )
    if drifts:
        sentence += f" The conserved quantity moved by {join_words(drifts)} {conservation.describe_span()}."
    if conservation.has_vacuum and any(_finite(case["thermodynamics"].get("pressure_GPa")) for case in cases):
        sentence += " The pressure is over the whole cell, its vacuum included: it is not that of the solid."
    if chosen:
        sentence += f" Shown is replica {join_words(chosen)}, in which it moved most in the second half."
    return sentence.strip() or "Thermodynamic quantities against time."


def _finite_pairs(first: list[Any] | None, second: list[Any] | None) -> tuple[list[float], list[float]]:
    """Values of two columns in the rows in which both are finite."""
    rows = [row for row in zip(first or (), second or (), strict=False) if len(_finite(list(row))) == len(row)]
    return [float(row[0]) for row in rows], [float(row[1]) for row in rows]


def _finite(values: list[Any] | None) -> list[float]:
    return [float(value) for value in values or () if isinstance(value, int | float) and math.isfinite(value)]
