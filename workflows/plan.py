"""What a flow will do, found out by building and checking everything and starting nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

_S_PER_HOUR = 3600.0
LONG_DAYS = 2.0


@dataclass(frozen=True)
class Piece:
    """A part of a run's work that other runs may have as well; equal ones are computed once.

    Attributes:
        identity: equal for equal work, as far as that can be told before anything is computed.
        core_hours: expected.
        n_steps: time steps; of two lengths of one dynamics the shorter is a part of the longer.
        disk_GB: expected.
    """

    identity: str
    core_hours: float
    n_steps: int = 0
    disk_GB: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The size of a run.

    Attributes:
        system: one line: alloy, cells, cases, potassium, gap, strain.
        calculator: one line: what gives the forces.
        n_atoms: atoms of the largest cell.
        n_runs: runs of dynamics.
        n_steps: time steps of all runs together.
        n_segments: segments of all runs together; 0 if there are none.
        core_hours: expected, of all that is not in the store yet.
        disk_GB: expected size of the stored files.
        cores: cores that can be busy at a time.
        counted: what the expected time holds beside dynamics.
        warnings: what to read before starting, e.g. that potassium is liquid.
        details: further numbers for `--json`.
        pieces: the parts of the work that other runs may share.
    """

    system: str
    calculator: str
    n_atoms: int
    n_steps: int
    core_hours: float
    disk_GB: float
    n_runs: int = 1
    n_segments: int = 0
    cores: int = 1
    counted: str = ""
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()

    @property
    def expected_s(self) -> float:
        """Expected wall time on the plan's cores."""
        return self.core_hours * _S_PER_HOUR / max(1, min(self.cores, self.n_runs))

    def lines(self) -> list[str]:
        """What to print before anything starts."""
        runs = (
            f"{self.n_runs} runs of {self.n_steps // self.n_runs} steps" if self.n_runs > 1 else f"{self.n_steps} steps"
        )
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        work = "; ".join(part for part in (f"{self.core_hours:.2g} core-hours", self.counted) if part)
        time = f"{show_duration(self.expected_s)} on {cores} ({work})"
        return [
            f"system      {self.system}",
            f"atoms       {self.n_atoms}",
            f"dynamics    {runs}",
            f"calculator  {self.calculator}",
            f"expected    {time}, {self.disk_GB:.2g} GB of disk",
            *(f"note        {warning}" for warning in self.warnings),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        numbers = {name: value for name, value in asdict(self).items() if name != "pieces"}
        return {**numbers, "warnings": list(self.warnings), "expected_s": round(self.expected_s)}


def show_duration(seconds: float) -> str:
    """A time as people say it: 40 s, 3 min, 2.5 h, 3.0 days."""
    for limit_s, divisor_s, unit in ((90.0, 1.0, "s"), (7200.0, 60.0, "min")):
        if seconds < limit_s:
            return f"{seconds / divisor_s:.0f} {unit}"
    days = seconds / (24 * _S_PER_HOUR)
    return f"{days:.1f} days" if days >= LONG_DAYS else f"{seconds / _S_PER_HOUR:.1f} h"
