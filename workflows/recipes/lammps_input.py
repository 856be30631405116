"""The input file of one segment of dynamics; it can be read, and run by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.calculators.lammps_potential import LammpsPotential
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, SegmentPlan

INPUT = "segment.in"
DATA = "data.lammps"
PARTS = "parts.txt"
CHECKPOINT = "checkpoint.restart"
TRAJECTORY_DUMP = "trajectory.bin"
FINAL_DUMP = "final.bin"
THERMO_KEYWORDS = ("step", "temp", "press", "pzz", "pe", "ke", "econserve")

_FS_PER_PS = 1000.0
_BAROSTATS = {"normal": "z", "isotropic": "iso", "anisotropic": "aniso"}
_FIXED, _THERMOSTATTED = 1, 2


@dataclass(frozen=True, eq=False)
class DynamicsParts:
    """Which atoms do not move and which a thermostat acts on.

    Attributes:
        fixed: mask over the atoms.
        thermostatted: mask over the atoms.
    """

    fixed: NDArray[np.bool_]
    thermostatted: NDArray[np.bool_]

    @property
    def has_fixed(self) -> bool:
        """Whether some atoms are held."""
        return bool(self.fixed.any())

    @property
    def thermostats_all(self) -> bool:
        """Whether the thermostat acts on all that moves."""
        return bool(self.thermostatted[~self.fixed].all())

    @property
    def has_groups(self) -> bool:
        """Whether some atoms are treated unlike others."""
        return self.has_fixed or not self.thermostats_all

    @property
    def mobile_group(self) -> str:
        """Name of the group of atoms that move."""
        return "mobile" if self.has_groups else "all"

    def to_text(self) -> str:
        """A file for LAMMPS's atomfile variable: 1 is fixed, 2 is thermostatted, 0 is free."""
        kinds = np.where(self.fixed, _FIXED, np.where(self.thermostatted, _THERMOSTATTED, 0))
        lines = ["# atom and part: 0 free, 1 fixed, 2 thermostatted", str(len(kinds))]
        return "\n".join(lines + [f"{i + 1} {kind}" for i, kind in enumerate(kinds)]) + "\n"


def find_parts(atoms: Atoms, *, fixed_regions: Sequence[str], thermostatted_regions: Sequence[str]) -> DynamicsParts:
    """Masks from the names of regions and from `FixAtoms` constraints.

    Raises:
        InputError: if a region is not in the structure, or nothing can move.
    """
    regions = atoms.arrays.get("region", np.full(len(atoms), ""))
    present = sorted({str(name) for name in regions if name})
    for field, names in (("fixed_regions", fixed_regions), ("thermostatted_regions", thermostatted_regions)):
        for name in names:
            if name not in present:
                known = ", ".join(present) or "none"
                raise InputError(f"{field} names {name!r}, but the structure's regions are: {known}.")
    fixed = np.isin(regions, list(fixed_regions))
    for constraint in atoms.constraints:
        fixed[constraint.index] = True
    if fixed.all():
        raise InputError(f"All {len(atoms)} atoms are fixed: leave some free to move.")
    thermostatted = (
        np.isin(regions, list(thermostatted_regions)) if thermostatted_regions else np.ones(len(atoms), bool)
    )
    return DynamicsParts(fixed=fixed, thermostatted=thermostatted & ~fixed)


def write_segment_input(
    path: Path,
    plan: SegmentPlan,
    *,
    settings: MolecularDynamicsSettings,
    potential: LammpsPotential,
    parts: DynamicsParts,
    seeds: tuple[int, int],
    has_velocities: bool,
) -> None:
    """Write the input of a segment.

    Args:
        path: of the file.
        plan: what the segment does.
        settings: of the dynamics.
        potential: pair commands.
        parts: fixed and thermostatted atoms.
        seeds: of the first velocities and of a Langevin thermostat.
        has_velocities: whether the data file has velocities; they stay unless the dynamics minimises first.
    """
    lines = [
        f"# Segment {plan.number}: {plan.stage}, steps {plan.first_step} to {plan.last_step}; units A, ps, eV, bar.",
        f"# By hand: lmp -in {INPUT} -var models DIRECTORY (of the potential's files)",
        "variable models index ../models",
    ]
    if plan.number == 0:
        lines += _begin(potential, parts)
        lines += _minimise(settings, parts) if settings.minimise else []
        if settings.minimise or not has_velocities:
            drawn = f"{plan.temperature_from_K!r} {seeds[0]} mom yes rot no dist gaussian"
            lines.append(f"velocity {parts.mobile_group} create {drawn}")
        if parts.has_fixed:
            lines.append("velocity fixed set 0.0 0.0 0.0")
    else:
        lines += [f"variable start index ../{plan.number - 1:06d}/{CHECKPOINT}", "read_restart ${start}"]
        lines += [*_interactions(potential), *_bound(potential, parts)]
    lines += _integrate(plan, settings, parts, seed=seeds[1])
    lines += _output(plan, settings, temperature="mobile_temperature" if parts.has_groups else "thermo_temp")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _begin(potential: LammpsPotential, parts: DynamicsParts) -> list[str]:
    lines = [*potential.list_preamble(DATA), *_interactions(potential)]
    if parts.has_groups:
        lines += [f"variable part atomfile {PARTS}"]
        for name, kind in (("fixed", _FIXED), ("thermostatted", _THERMOSTATTED)):
            lines += [f"variable is_{name} atom v_part=={kind}", f"group {name} variable is_{name}"]
        lines += ["group mobile subtract all fixed", "group free subtract mobile thermostatted"]
    return [*lines, *_bound(potential, parts)]


def _bound(potential: LammpsPotential, parts: DynamicsParts) -> list[str]:
    """What molecules need beside forces.

    Fixed atoms do not interact at short range: it is constant, and of a rigid layer without meaning. Where the cell
    ends, what flies off is sent back.
    """
    if potential.topology is None:
        return []
    lines = ["neigh_modify exclude group fixed fixed"] if parts.has_fixed else []
    ends = potential.boundary.endswith("f")
    return [*lines, f"fix ends {parts.mobile_group} wall/reflect zlo EDGE zhi EDGE"] if ends else lines


def _interactions(potential: LammpsPotential) -> list[str]:
    # POD's cost grows with the atoms within its cut-off, hardly with the skin: few rebuilds are the better buy.
    return ["neighbor 1.5 bin", "neigh_modify every 2 delay 0 check yes", *potential.commands]


def _minimise(settings: MolecularDynamicsSettings, parts: DynamicsParts) -> list[str]:
    steps = settings.minimise_steps
    return [
        'print "stage: minimise"',
        *(["fix hold fixed setforce 0.0 0.0 0.0"] if parts.has_fixed else []),
        "timestep 0.001",
        "min_style fire",
        "min_modify norm max",
        "thermo 50",
        f"minimize 0.0 {settings.minimise_force_eV_per_A!r} {steps} {10 * steps}",
        *(["unfix hold"] if parts.has_fixed else []),
        "reset_timestep 0",
    ]


def _integrate(plan: SegmentPlan, settings: MolecularDynamicsSettings, parts: DynamicsParts, *, seed: int) -> list[str]:
    """Integrator and thermostat.

    Momentum: drawn velocities have none in total, and Nosé–Hoover and NVE keep it so; Langevin's random forces are
    made to add up to zero when it acts on all atoms. With fixed or unthermostatted atoms momentum is exchanged with
    them, so that three more degrees of freedom count in the temperature.
    """
    start_K, stop_K = plan.temperature_from_K, plan.temperature_to_K
    damping_ps = settings.thermostat_damping_fs / _FS_PER_PS
    barostat = f"{_BAROSTATS[settings.barostat]} 0.0 0.0 {settings.barostat_damping_fs / _FS_PER_PS!r}"
    mobile = parts.mobile_group
    thermostatted = mobile if parts.thermostats_all else "thermostatted"
    lines = [f"timestep {settings.timestep_fs / _FS_PER_PS!r}"]
    if parts.has_groups:
        lines += [f"compute mobile_temperature {mobile} temp", "compute_modify mobile_temperature extra/dof 0"]
    if plan.ensemble == "nve":
        return [*lines, f"fix integrate {mobile} nve"]
    if settings.thermostat == "langevin":
        is_nph = plan.ensemble == "npt"
        lines.append(f"fix integrate {mobile} {f'nph {barostat} fixedpoint 0.0 0.0 0.0' if is_nph else 'nve'}")
        zero = "no" if parts.has_groups else "yes"
        bath = f"{start_K!r} {stop_K!r} {damping_ps!r} {seed} tally yes zero {zero}"
        lines.append(f"fix thermostat {thermostatted} langevin {bath}")
        return lines
    ramp = f"temp {start_K!r} {stop_K!r} {damping_ps!r}"
    if plan.ensemble == "npt":
        return [*lines, f"fix integrate {mobile} npt {ramp} {barostat} fixedpoint 0.0 0.0 0.0"]
    lines.append(f"fix integrate {thermostatted} nvt {ramp}")
    if parts.has_groups:
        lines.append("compute_modify integrate_temp extra/dof 0")
    if not parts.thermostats_all:
        lines.append("fix move_free free nve")
    return lines


def _output(plan: SegmentPlan, settings: MolecularDynamicsSettings, *, temperature: str) -> list[str]:
    every = settings.frame_every_steps
    return [
        f"thermo {settings.thermo_every_steps}",
        f"thermo_style custom {' '.join(THERMO_KEYWORDS)}",
        f"thermo_modify temp {temperature} norm no lost error line one format float %.15g flush yes",
        f"dump trajectory all custom {every} {TRAJECTORY_DUMP} id xu yu zu",
        "dump_modify trajectory sort id",
        f'print "stage: {plan.stage}"',
        f"run {plan.steps}",
        f"write_dump all custom {FINAL_DUMP} id xu yu zu vx vy vz modify sort id",
        f"write_restart {CHECKPOINT}",
    ]
