"""Sections of user files that several flows share: calculator, dynamics, guard, resources.

The models are frozen and refuse unknown keys. Each description becomes the comment of `alkaliflow init` and the text of
the JSON Schema; the unit of a value is the ending of its name.
"""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FS_PER_PS = 1000.0
SHORTEST_TIMESTEP_FS = 0.1
SHORTEST_DAMPING_STEPS = 10

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Region = Literal["alloy", "potassium", "anchor"]


class ConfigModel(BaseModel):
    """Base of everything a person writes: frozen, unknown keys and non-finite numbers refused, no silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class CalculatorSection(ConfigModel):
    """What gives energies and forces."""

    name: Literal["pod", "lammps", "chgnet", "ase"] = Field(
        default="pod",
        description="pod: the embedded potential; lammps: a pair style from your file; chgnet: needs the extra 'mlip'; "
        "ase: any ASE calculator by import path (runs your code)",
    )
    potential: str = Field(
        default="k-bi-sn-sb",
        min_length=1,
        description="pod: a shipped potential or the folder of yours; lammps: file with pair_style and pair_coeff; "
        "ase: 'package.module:factory'; chgnet: not used",
        json_schema_extra={"format": "path-or-name"},
    )
    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="what to set otherwise; lammps: elements: [K, Bi] in the order of types; ase: trust_code: true, "
        "arguments: {sigma: 3.4}",
    )


class DynamicsLimits(ConfigModel):
    """Beyond these a run has blown up: it stops early and says at which step and why."""

    temperature_K: float = Field(default=3000.0, gt=0, description="highest temperature over the mobile atoms")
    drift_eV_per_atom: float = Field(default=0.5, gt=0, description="largest drift of the conserved quantity")
    pressure_GPa: float = Field(default=100.0, gt=0, description="largest pressure")
    energy_change_eV_per_atom: float = Field(
        default=5.0, gt=0, description="largest change of the potential energy in a segment"
    )


class DynamicsSection(ConfigModel):
    """Stages of the dynamics, after the relaxation: heat, equilibrate, produce; stored in segments."""

    timestep_fs: float = Field(default=3.0, gt=0, le=20, description="time step")
    temperature_K: float = Field(default=300.0, gt=0, description="temperature; potassium melts at 337 K")
    start_temperature_K: float = Field(
        default=50.0, gt=0, description="temperature at which heating starts, at most temperature_K"
    )
    ensemble: Literal["nvt", "npt", "nve"] = Field(
        default="nvt", description="ensemble of production; npt: zero stress as barostat says, constant temperature"
    )
    barostat: Literal["normal", "isotropic", "anisotropic"] = Field(
        default="normal",
        description="what npt changes; normal: the height of the cell along z, for interfaces; isotropic: its volume; "
        "anisotropic: its three lengths",
    )
    heat_ps: float = Field(default=6.0, ge=0, description="time from start_temperature_K to temperature_K")
    equilibrate_ps: float = Field(default=6.0, ge=0, description="time at temperature_K before anything is counted")
    production_ps: float = Field(default=50.0, gt=0, description="time at temperature after that")
    segment_ps: float = Field(
        default=3.0,
        gt=0,
        description="stretch between checkpoints; stages are rounded up to whole segments",
    )
    frame_every_ps: float = Field(default=0.15, gt=0, description="time between stored frames")
    thermo_every_ps: float = Field(default=0.03, gt=0, description="time between stored temperatures and pressures")
    thermostat: Literal["nose-hoover", "langevin"] = Field(
        default="nose-hoover", description="nose-hoover or langevin (friction, which slows diffusion)"
    )
    thermostat_damping_fs: float = Field(default=100.0, gt=0, description="relaxation time of the thermostat")
    barostat_damping_fs: float = Field(default=1000.0, gt=0, description="relaxation time of the barostat (npt)")
    fixed_regions: tuple[Region, ...] = Field(default=("anchor",), description="regions whose atoms do not move")
    thermostatted_regions: tuple[Region, ...] = Field(
        default=(), description="regions that the thermostat acts on; empty: all that move"
    )
    limits: DynamicsLimits = Field(default=DynamicsLimits(), description="beyond these the run is stopped as blown up")

    @model_validator(mode="after")
    def check_times(self) -> Self:
        """Frames and thermodynamics must fall on segment borders, else their spacing would jump there."""
        for name in ("frame_every_ps", "thermo_every_ps"):
            every_ps = getattr(self, name)
            if every_ps * FS_PER_PS < self.timestep_fs * 0.999:
                raise ValueError(
                    f"{name} is {every_ps:g}, needs at least one timestep ({self.timestep_fs / FS_PER_PS:g} ps). "
                    f"Set it, e.g. {name}: {10 * self.timestep_fs / FS_PER_PS:g}."
                )
            steps = self.steps_of(every_ps)
            if self.segment_steps % steps:
                fitting_ps = math.ceil(self.segment_steps / steps) * steps * self.timestep_fs / FS_PER_PS
                raise ValueError(
                    f"segment_ps is {self.segment_ps:g} ({self.segment_steps} steps), needs a whole multiple of {name} "
                    f"({steps} steps). Set it, e.g. segment_ps: {fitting_ps:g}."
                )
        return self

    @model_validator(mode="after")
    def check_timestep(self) -> Self:
        """A step far below what any solid needs is a time in another unit."""
        if self.timestep_fs < SHORTEST_TIMESTEP_FS:
            raise ValueError(
                f"timestep_fs is {self.timestep_fs:g}, needs {SHORTEST_TIMESTEP_FS:g} to 20 fs (fs, not ps). "
                "Set it, e.g. timestep_fs: 3."
            )
        return self

    @model_validator(mode="after")
    def check_damping(self) -> Self:
        """A thermostat that is quicker than the integrator blows up; one slower than the run is none."""
        shortest_fs = SHORTEST_DAMPING_STEPS * self.timestep_fs
        longest_fs = max(FS_PER_PS, FS_PER_PS * (self.heat_ps + self.equilibrate_ps + self.production_ps))
        if not shortest_fs <= self.thermostat_damping_fs <= longest_fs:
            raise ValueError(
                f"thermostat_damping_fs is {self.thermostat_damping_fs:g}, needs {SHORTEST_DAMPING_STEPS} time steps "
                f"({shortest_fs:g} fs) to the length of the run ({longest_fs:g} fs). Set it, e.g. "
                f"thermostat_damping_fs: {max(100.0, shortest_fs):g}."
            )
        return self

    @model_validator(mode="after")
    def check_temperatures(self) -> Self:
        """Heating goes up, and no temperature lies where a run counts as blown up."""
        if self.heat_ps > 0 and self.start_temperature_K > self.temperature_K:
            raise ValueError(
                f"start_temperature_K is {self.start_temperature_K:g}, needs at most temperature_K "
                f"({self.temperature_K:g} K), which is heated to. Set it, e.g. start_temperature_K: "
                f"{self.temperature_K / 5:g}, or heat_ps: 0 to start at temperature_K."
            )
        if self.temperature_K >= self.limits.temperature_K:
            raise ValueError(
                f"temperature_K is {self.temperature_K:g}, needs to be below limits.temperature_K "
                f"({self.limits.temperature_K:g} K), at which a run is stopped as blown up. Set it lower, or "
                f"limits.temperature_K: {2 * self.temperature_K:g}."
            )
        return self

    @model_validator(mode="after")
    def check_regions(self) -> Self:
        """A region can be fixed or thermostatted, not both, and something must move."""
        both = sorted(set(self.fixed_regions) & set(self.thermostatted_regions))
        if both:
            raise ValueError(
                f"thermostatted_regions names {both[0]!r}, which fixed_regions holds still. Name it in one only."
            )
        if {"alloy", "potassium"} <= set(self.fixed_regions):
            raise ValueError("fixed_regions holds everything still, needs a region that moves. Set it, e.g. [anchor].")
        if self.ensemble == "npt" and self.fixed_regions:
            raise ValueError(
                f"fixed_regions is {list(self.fixed_regions)}, but ensemble npt scales the whole cell. "
                "Set fixed_regions: [], or ensemble: nvt."
            )
        if self.ensemble == "npt" and self.thermostatted_regions and self.thermostat == "nose-hoover":
            raise ValueError("thermostatted_regions with ensemble npt needs thermostat: langevin. Set it.")
        return self

    def steps_of(self, time_ps: float) -> int:
        """Number of time steps in a time, rounded to the nearest whole step."""
        return round(time_ps * FS_PER_PS / self.timestep_fs)

    def _whole_segments(self, time_ps: float) -> int:
        exact = time_ps * FS_PER_PS / self.timestep_fs
        return math.ceil(exact / self.segment_steps - 1e-6) * self.segment_steps

    @property
    def segment_steps(self) -> int:
        """Time steps of one segment."""
        return max(1, self.steps_of(self.segment_ps))

    @property
    def frame_every_steps(self) -> int:
        """Time steps between stored frames."""
        return self.steps_of(self.frame_every_ps)

    @property
    def thermo_every_steps(self) -> int:
        """Time steps between stored thermodynamics."""
        return self.steps_of(self.thermo_every_ps)

    @property
    def heat_steps(self) -> int:
        """Time steps of heating, whole segments."""
        return self._whole_segments(self.heat_ps)

    @property
    def equilibrate_steps(self) -> int:
        """Time steps of equilibration, whole segments."""
        return self._whole_segments(self.equilibrate_ps)

    @property
    def production_steps(self) -> int:
        """Time steps of production, whole segments."""
        return self._whole_segments(self.production_ps)

    @property
    def total_steps(self) -> int:
        """Time steps of all stages of one run."""
        return self.heat_steps + self.equilibrate_steps + self.production_steps

    def recipe_settings(self) -> dict[str, Any]:
        """The same as settings of the recipe `molecular_dynamics`, times turned into steps."""
        same = (
            *("timestep_fs", "temperature_K", "start_temperature_K", "heat_steps", "equilibrate_steps"),
            *("production_steps", "segment_steps", "frame_every_steps", "thermo_every_steps", "ensemble", "thermostat"),
            *("thermostat_damping_fs", "barostat", "barostat_damping_fs", "fixed_regions", "thermostatted_regions"),
        )
        limits = {f"max_{name}": value for name, value in self.limits.model_dump().items()}
        return {name: getattr(self, name) for name in same} | limits


class OneFileDynamics(DynamicsSection):
    """Dynamics of a structure file: minimise, heat, equilibrate, produce."""

    heat_ps: float = Field(default=3.0, ge=0, description="time from start_temperature_K to temperature_K")
    equilibrate_ps: float = Field(default=3.0, ge=0, description="time at temperature_K before production")
    production_ps: float = Field(default=12.0, gt=0, description="time of production, as --length-ps")
    # a file's regions have names of their own
    fixed_regions: tuple[str, ...] = Field(  # type: ignore[assignment]
        default=(), description="regions of the file whose atoms do not move"
    )
    thermostatted_regions: tuple[str, ...] = Field(  # type: ignore[assignment]
        default=(), description="regions that the thermostat acts on; empty: all that move"
    )
    minimise: bool = Field(default=True, description="whether the forces are minimised first")

    def recipe_settings(self) -> dict[str, Any]:
        """The same as settings of the recipe `molecular_dynamics`, times turned into steps."""
        return {**super().recipe_settings(), "minimise": self.minimise}

    def explain_rounding(self) -> str:
        """What runs longer than was asked for, because segments are whole, and how to have it exactly; else empty."""
        longer = []
        for name in ("heat", "equilibrate", "production"):
            asked_ps = getattr(self, f"{name}_ps")
            runs_ps = getattr(self, f"{name}_steps") * self.timestep_fs / FS_PER_PS
            if not math.isclose(asked_ps, runs_ps, rel_tol=1e-3):
                longer.append(f"{name}: asked {asked_ps:g} ps, runs {runs_ps:g} ps")
        if not longer:
            return ""
        segment_ps = self.segment_steps * self.timestep_fs / FS_PER_PS
        segments = f"whole segments of {self.segment_steps} steps, {segment_ps:g} ps, which a longer run goes on from"
        exact_ps = self._find_exact_segment_ps()
        return f"{'; '.join(longer)} ({segments})." + (f" Exactly: --set segment_ps={exact_ps:g}" if exact_ps else "")

    def _find_exact_segment_ps(self) -> float | None:
        """The longest segment that divides all stages and holds whole numbers of frames, if there is one."""
        stages = [self.steps_of(time_ps) for time_ps in (self.heat_ps, self.equilibrate_ps, self.production_ps)]
        longest = math.gcd(*stages)
        unit = math.lcm(self.frame_every_steps, self.thermo_every_steps)
        fitting = [steps for steps in range(unit, min(longest, self.segment_steps) + 1, unit) if longest % steps == 0]
        return fitting[-1] * self.timestep_fs / FS_PER_PS if fitting else None


class GuardSection(ConfigModel):
    """The guard counts frames that lie outside what the potential was trained on."""

    limit: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="share of frames outside the trained domain that is still trusted",
    )


class ResourcesSection(ConfigModel):
    """Where the calculations run, and what they may use."""

    executor: str = Field(
        default="local",
        pattern=r"^(local|slurm(:[A-Za-z0-9_.@+-]+)?)$",
        description="local: this machine; slurm, or slurm:NAME of a cluster that is described in clusters.yaml",
    )

    cores: int | None = Field(default=None, gt=0, description="cores that may be busy at a time; null: all")
    ranks: int = Field(default=1, gt=0, description="MPI ranks of one calculation")
    threads: int = Field(default=1, gt=0, description="OpenMP threads of one rank")
    memory_GB: float | None = Field(
        default=None, gt=0, description="memory that may be used; null: what is free when the run starts"
    )

    @model_validator(mode="after")
    def check_cores(self) -> Self:
        """One calculation must fit."""
        if self.cores is not None and self.ranks * self.threads > self.cores:
            raise ValueError(
                f"ranks x threads is {self.ranks} x {self.threads} = {self.ranks * self.threads}, needs at most cores "
                f"({self.cores}). Set it, e.g. cores: {self.ranks * self.threads}."
            )
        return self
