"""How reaction energies move with a parameter: from the results of runs that differ in it alone."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.reaction_energy import RESOLVED_EV
from analysis.results import read_results, write_text_atomically
from structures.errors import InputError


@dataclass(frozen=True)
class ConvergenceSeries:
    """Energies of one reaction over the values of one parameter.

    Attributes:
        parameter: its key in the configuration.
        reaction: as written.
        values: in the order asked for, the last one the best.
        energies_eV: ΔE at each, shape (n,).
    """

    parameter: str
    reaction: str
    values: tuple[str, ...]
    energies_eV: tuple[float, ...]

    @property
    def shifts_eV(self) -> tuple[float, ...]:
        """ΔE at each value less that at the last one."""
        return tuple(energy - self.energies_eV[-1] for energy in self.energies_eV)

    @property
    def converged_at(self) -> str | None:
        """The first value from which on ΔE stays within 0.1 eV of the last; None if the last two differ by more."""
        held = None
        for value, shift in zip(self.values[:-1][::-1], self.shifts_eV[:-1][::-1], strict=True):
            if abs(shift) > RESOLVED_EV:
                break
            held = value
        return held

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        last = f"{self.energies_eV[-1]:.3f} eV at {self.values[-1]}".replace("-", "−")
        if self.converged_at is None:
            return f"{self.reaction}: not within {RESOLVED_EV} eV of {last} before that value of {self.parameter}"
        return f"{self.reaction}: within {RESOLVED_EV} eV of {last} from {self.parameter} = {self.converged_at} on"

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {
            "parameter": self.parameter,
            "reaction": self.reaction,
            "values": list(self.values),
            "energies_eV": list(self.energies_eV),
            "shifts_eV": list(self.shifts_eV),
            "converged_at": self.converged_at,
        }


def read_series(parameter: str, *, directories: Mapping[str, Path]) -> list[ConvergenceSeries]:
    """One series for each reaction of the runs.

    Args:
        parameter: its key in the configuration.
        directories: value of the parameter → directory of the run, the best value last.

    Raises:
        InputError: if a run has no reactions, or others than the first.
    """
    found = [read_results(directory).observables.get("reactions") or {} for directory in directories.values()]
    names = list(found[0])
    for directory, reactions in zip(directories.values(), found, strict=True):
        if not reactions or list(reactions) != names:
            told = ", ".join(reactions) or "none"
            raise InputError(f"{directory}: has the reactions {told}, needs {', '.join(names)}. Compute it anew.")
    return [
        ConvergenceSeries(
            parameter,
            name,
            tuple(directories),
            tuple(float(reactions[name]["energy"]["value"]) for reactions in found),
        )
        for name in names
    ]


def write_series(series: Sequence[ConvergenceSeries], *, path: Path) -> Path:
    """Write all series as one CSV table."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("parameter", "value", "reaction", "energy_eV", "less_the_last_eV"))
    for one in series:
        for value, energy, shift in zip(one.values, one.energies_eV, one.shifts_eV, strict=True):
            writer.writerow((one.parameter, value, one.reaction, f"{energy:.6f}", f"{shift:.6f}"))
    return write_text_atomically(path, text=stream.getvalue())
