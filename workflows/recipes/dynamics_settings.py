"""Settings of molecular dynamics and how they divide into stages and segments."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Ensemble = Literal["nvt", "npt", "nve"]
Barostat = Literal["normal", "isotropic", "anisotropic"]
Stage = Literal["heat", "equilibrate", "produce"]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class MolecularDynamicsSettings(BaseModel):
    """Settings of the recipe `molecular_dynamics`.

    Stages follow each other: minimise (at the start of segment 0), heat (from `start_temperature_K` to `temperature_K`,
    thermostatted), equilibrate, produce. All stage lengths are whole multiples of `segment_steps`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    timestep_fs: Annotated[float, Field(gt=0, le=20)] = 3.0
    temperature_K: Positive = 300.0
    start_temperature_K: Positive = 50.0
    minimise: bool = True
    minimise_steps: Annotated[int, Field(gt=0)] = 500
    minimise_force_eV_per_A: Positive = 0.05
    heat_steps: Count = 1000
    equilibrate_steps: Count = 1000
    production_steps: Annotated[int, Field(gt=0)] = 10_000
    segment_steps: Annotated[int, Field(gt=0)] = 1000
    frame_every_steps: Annotated[int, Field(gt=0)] = 50
    thermo_every_steps: Annotated[int, Field(gt=0)] = 10
    ensemble: Ensemble = "nvt"
    thermostat: Literal["nose-hoover", "langevin"] = "nose-hoover"
    thermostat_damping_fs: Positive = 100.0
    barostat: Barostat = "normal"
    barostat_damping_fs: Positive = 1000.0
    fixed_regions: tuple[str, ...] = ()
    thermostatted_regions: tuple[str, ...] = ()
    max_temperature_K: Positive = 3000.0
    max_drift_eV_per_atom: Positive = 0.5
    max_pressure_GPa: Positive = 100.0
    max_energy_change_eV_per_atom: Positive = 5.0

    @model_validator(mode="after")
    def check_lengths(self) -> Self:
        """Stages end with segments, frames and thermodynamics fall on segment borders."""
        for name in ("heat_steps", "equilibrate_steps", "production_steps"):
            steps = getattr(self, name)
            if steps % self.segment_steps:
                fitting = -(-steps // self.segment_steps) * self.segment_steps
                message = (
                    f"{name} is {steps}, needs a whole multiple of segment_steps ({self.segment_steps}), e.g. {fitting}"
                )
                raise ValueError(message)
        for name in ("frame_every_steps", "thermo_every_steps"):
            every = getattr(self, name)
            if self.segment_steps % every:
                message = f"{name} is {every}, needs to divide segment_steps ({self.segment_steps}) without a rest"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def check_regions(self) -> Self:
        """No region is fixed and thermostatted; a barostat moves no fixed atom."""
        both = sorted(set(self.fixed_regions) & set(self.thermostatted_regions))
        if both:
            message = f"region {both[0]!r} is in fixed_regions and in thermostatted_regions: name it in one of the two"
            raise ValueError(message)
        if self.ensemble == "npt" and self.fixed_regions:
            message = f"ensemble is npt, which scales the cell, but fixed_regions is {list(self.fixed_regions)}: use []"
            raise ValueError(message)
        if self.ensemble == "npt" and self.thermostatted_regions and self.thermostat == "nose-hoover":
            message = "ensemble npt with thermostatted_regions needs thermostat: langevin"
            raise ValueError(message)
        return self


@dataclass(frozen=True)
class SegmentPlan:
    """One segment: what is done in it.

    Attributes:
        number: its place in the chain.
        stage: the stage that it belongs to.
        first_step: step that it starts from.
        steps: how many it makes.
        ensemble: of this segment; heating and the equilibration of NVE runs are NVT.
        temperature_from_K: thermostat at its start.
        temperature_to_K: thermostat at its end.
    """

    number: int
    stage: Stage
    first_step: int
    steps: int
    ensemble: Ensemble
    temperature_from_K: float
    temperature_to_K: float

    @property
    def last_step(self) -> int:
        """Step that it ends with."""
        return self.first_step + self.steps


def plan_segments(settings: MolecularDynamicsSettings) -> list[SegmentPlan]:
    """All segments of a run, in order."""
    plans: list[SegmentPlan] = []
    heating = settings.heat_steps // settings.segment_steps
    rise_K = settings.temperature_K - settings.start_temperature_K
    stages: tuple[tuple[Stage, int, Ensemble], ...] = (
        ("heat", settings.heat_steps, "nvt"),
        ("equilibrate", settings.equilibrate_steps, "npt" if settings.ensemble == "npt" else "nvt"),
        ("produce", settings.production_steps, settings.ensemble),
    )
    for stage, steps, ensemble in stages:
        for part in range(steps // settings.segment_steps):
            is_ramp = stage == "heat"
            plans.append(
                SegmentPlan(
                    number=len(plans),
                    stage=stage,
                    first_step=len(plans) * settings.segment_steps,
                    steps=settings.segment_steps,
                    ensemble=ensemble,
                    temperature_from_K=settings.temperature_K - (rise_K * (1 - part / heating) if is_ramp else 0.0),
                    temperature_to_K=settings.temperature_K - (rise_K * (1 - (part + 1) / heating) if is_ramp else 0.0),
                )
            )
    return plans
