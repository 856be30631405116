"""Watches running dynamics: stops what blows up, says where it is, keeps the thermodynamics."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from analysis.thermodynamics_columns import COLUMNS
from structures.errors import ConvergenceError
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, SegmentPlan

_REPORT_EVERY_S = 0.5
_NS_PER_DAY = 86_400e-6


@dataclass(frozen=True)
class Continuity:
    """What the thermodynamics of a segment carries over from the one before it.

    Attributes:
        conserved_eV: the conserved quantity at the end of the one before; None at the start.
        reference_eV: the conserved quantity that drift is counted from; None while the thermostat still heats.
    """

    conserved_eV: float | None = None
    reference_eV: float | None = None


@dataclass
class Watch:
    """Takes each row of thermodynamics as it comes.

    Attributes:
        plan: the segment.
        settings: of the dynamics; they hold the limits.
        n_atoms: number of atoms.
        before: carried over from the segment before.
        report: gets the progress, at most twice a second.
        last_step: of the whole run, for the progress.
        rows: the rows so far, that of the segment's first step included.
        has_stopped: whether a row was beyond a limit.
        stops_on_pressure: whether the calculator gives a pressure at all.
    """

    plan: SegmentPlan
    settings: MolecularDynamicsSettings
    n_atoms: int
    before: Continuity
    last_step: int
    report: Callable[..., None] = lambda **_: None
    stops_on_pressure: bool = True
    rows: list[dict[str, float]] = field(default_factory=list)
    _started_s: float = field(default_factory=time.monotonic)
    _reported_s: float = 0.0
    has_stopped: bool = False
    _shift_eV: float = 0.0
    _phase: str = ""

    def add(self, row: Mapping[str, float]) -> None:
        """Check a row and keep it.

        The conserved quantity is shifted so that it goes on from the segment before: engines count a thermostat's
        work from the start of each process.

        Raises:
            ConvergenceError: if a value is not finite or beyond its limit.
        """
        kept = dict(row)
        if self.rows:
            kept["conserved_eV"] += self._shift_eV
        elif self.before.conserved_eV is not None:
            self._shift_eV = self.before.conserved_eV - kept["conserved_eV"]
            kept["conserved_eV"] = self.before.conserved_eV
        self._check(kept)
        self.rows.append(kept)
        self._report(kept)

    @property
    def is_dynamics(self) -> bool:
        """Whether rows belong to the dynamics, not to the minimisation before it."""
        return self._phase == self.plan.stage

    def stage_begins(self, name: str) -> None:
        """Take note that a stage has begun: `minimise`, or that of the segment."""
        self._phase = name
        self._started_s = time.monotonic()
        self.report(stage=name, step=self.plan.first_step, steps=self.last_step, segment=self.plan.number)

    @property
    def reference_eV(self) -> float | None:
        """What drift is counted from: the conserved quantity where heating ended."""
        if self.plan.stage == "heat":
            return None
        if self.before.reference_eV is not None:
            return self.before.reference_eV
        return self.rows[0]["conserved_eV"] if self.rows else None

    def rows_to_keep(self) -> list[dict[str, float]]:
        """The rows that the segment's file holds: those after its first step, and that one in segment 0."""
        return self.rows if self.plan.number == 0 else self.rows[1:]

    def continuity(self) -> Continuity:
        """What the next segment carries over."""
        last_eV = self.rows[-1]["conserved_eV"]
        return Continuity(conserved_eV=last_eV, reference_eV=self.reference_eV)

    def _check(self, row: Mapping[str, float]) -> None:
        for name in COLUMNS:
            if not math.isfinite(row[name]) and (self.stops_on_pressure or not name.startswith("pressure")):
                self._stop(row, f"{name} is {row[name]}, no finite number")
        settings = self.settings
        if row["temperature_K"] > settings.max_temperature_K:
            self._stop(row, f"temperature is {row['temperature_K']:.0f} K, limit {settings.max_temperature_K:g} K")
        if abs(row["pressure_GPa"]) > settings.max_pressure_GPa:
            self._stop(row, f"pressure is {row['pressure_GPa']:.3g} GPa, limit {settings.max_pressure_GPa:g} GPa")
        if self.rows:
            change_eV = (row["potential_energy_eV"] - self.rows[0]["potential_energy_eV"]) / self.n_atoms
            if abs(change_eV) > settings.max_energy_change_eV_per_atom:
                limit = f"limit {settings.max_energy_change_eV_per_atom:g} eV/atom in a segment"
                self._stop(row, f"potential energy changed by {change_eV:.3g} eV/atom, {limit}")
        if self.reference_eV is not None:
            drift_eV = (row["conserved_eV"] - self.reference_eV) / self.n_atoms
            if abs(drift_eV) > settings.max_drift_eV_per_atom:
                limit = f"limit {settings.max_drift_eV_per_atom:g} eV/atom"
                self._stop(row, f"conserved quantity drifted by {drift_eV:.3g} eV/atom, {limit}")

    def explain_engine_error(self, error: ConvergenceError) -> ConvergenceError:
        """The engine's own error with the step that it came after; an error of this watch stays as it is."""
        if self.has_stopped or not self.rows:
            return error
        row = self.rows[-1]
        return ConvergenceError(
            f"The dynamics blew up after step {int(row['step'])} ({row['time_ps']:.3f} ps, stage {self.plan.stage}; "
            f"temperature then {row['temperature_K']:.0f} K). Try a smaller timestep_fs (now "
            f"{self.settings.timestep_fs:g}), minimise first, or a lower temperature. {error}"
        )

    def _stop(self, row: Mapping[str, float], why: str) -> None:
        self.has_stopped = True
        message = (
            f"The dynamics blew up at step {int(row['step'])} ({row['time_ps']:.3f} ps, stage {self.plan.stage}): "
            f"{why}. "
            f"Try a smaller timestep_fs (now {self.settings.timestep_fs:g}), minimise first, or a lower temperature; "
            "and check that the potential was made for such configurations."
        )
        raise ConvergenceError(message)

    def _report(self, row: Mapping[str, float]) -> None:
        now_s = time.monotonic()
        if now_s - self._reported_s < _REPORT_EVERY_S and int(row["step"]) != self.plan.last_step:
            return
        self._reported_s = now_s
        rate = (row["step"] - self.plan.first_step) / max(now_s - self._started_s, 1e-9)
        self.report(
            stage=self.plan.stage,
            step=int(row["step"]),
            steps=self.last_step,
            steps_per_s=rate,
            ns_per_day=rate * self.settings.timestep_fs * _NS_PER_DAY,
            temperature_K=row["temperature_K"],
            segment=self.plan.number,
        )
