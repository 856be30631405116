r"""One segment of dynamics with an ASE calculator, integrated here so that every bit of its state is in the checkpoint.

Langevin dynamics in the BAOAB splitting; with friction 0 it is velocity Verlet:
v ← v + f Δt/2m,  x ← x + v Δt/2,  v ← c v + √((1 − c²) kT/m) ξ,  x ← x + v Δt/2,  v ← v + f Δt/2m,  c = exp(−Δt/τ).
The heat of the third step is summed, so that the energy minus this heat is conserved.

Source: Leimkuhler and Matthews, J. Chem. Phys. 138 (2013) 174102, doi:10.1063/1.4802990.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator, PropertyNotImplementedError
from ase.constraints import FixAtoms
from ase.optimize import FIRE
from numpy.typing import NDArray

from structures.errors import ConvergenceError
from workflows.engines.trajectory_files import TRAJECTORY, read_arrays, write_arrays, write_trajectory
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, SegmentPlan
from workflows.recipes.dynamics_watch import Watch
from workflows.recipes.lammps_input import DynamicsParts

CHECKPOINT = "checkpoint.npz"
_XYZ = (0, 1, 2)


@dataclass
class _State:
    """Positions and velocities between steps, and the heat that the thermostat has given (ASE's units)."""

    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    forces: NDArray[np.float64]
    heat_eV: float


@dataclass(frozen=True)
class AseDynamics:
    """Runs the segments of one chain.

    Attributes:
        atoms: the structure.
        make_calculator: gives a fresh calculator.
        parts: which atoms are fixed and which are thermostatted.
        settings: of the dynamics.
        seed: of everything random.
        scratch: directory that the segments are computed in.
        name: of the calculator.
        packages: those whose versions decide the numbers.
    """

    atoms: Atoms
    make_calculator: Callable[[], BaseCalculator]
    parts: DynamicsParts
    settings: MolecularDynamicsSettings
    seed: int
    scratch: Path
    name: str = "ase"
    packages: tuple[str, ...] = ("ase", "numpy")
    _frames: list[tuple[int, NDArray[np.float32]]] = field(default_factory=list)

    def describe_engine(self) -> dict[str, str]:
        """Name and versions of what computes."""
        versions = ", ".join(f"{package} {version(package)}" for package in self.packages)
        return {"engine": self.name, "engine_version": versions}

    def run_segment(
        self, plan: SegmentPlan, *, directory: Path, before: Path | None, watch: Watch
    ) -> dict[str, NDArray[np.float64]]:
        """Compute a segment.

        Args:
            plan: what to do.
            directory: empty; gets the segment's files.
            before: directory of the segment before it, None for segment 0.
            watch: gets the thermodynamics.

        Returns:
            Unwrapped positions, velocities and cell at its end (Å, Å/fs).

        Raises:
            ConvergenceError: if it blows up.
        """
        atoms = self.atoms.copy()
        atoms.calc = self.make_calculator()
        atoms.set_constraint()
        generator = np.random.default_rng([self.seed, plan.number])
        state = self._begin(atoms, plan, watch, generator) if before is None else _resume(atoms, before / CHECKPOINT)
        self._frames.clear()
        watch.stage_begins(plan.stage)
        self._record(atoms, state, plan.first_step, watch, plan)
        for step in range(plan.first_step + 1, plan.last_step + 1):
            share = (step - plan.first_step) / plan.steps
            temperature_K = plan.temperature_from_K + share * (plan.temperature_to_K - plan.temperature_from_K)
            self._step(atoms, state, generator, temperature_K if plan.ensemble == "nvt" else None)
            self._record(atoms, state, step, watch, plan)
        return self._write(atoms, state, plan, directory)

    def _begin(self, atoms: Atoms, plan: SegmentPlan, watch: Watch, generator: np.random.Generator) -> _State:
        """State of the first step: minimised if asked for, velocities drawn unless the structure brings them."""
        if self.settings.minimise:
            watch.stage_begins("minimise")
            atoms.set_constraint(FixAtoms(mask=self.parts.fixed))
            FIRE(atoms, logfile=None).run(
                fmax=self.settings.minimise_force_eV_per_A, steps=self.settings.minimise_steps
            )
            atoms.set_constraint()
        if self.settings.minimise or "momenta" not in self.atoms.arrays:
            velocities = draw_velocities(
                atoms.get_masses(), self.parts.fixed, temperature_K=plan.temperature_from_K, generator=generator
            )
        else:
            velocities = np.where(self.parts.fixed[:, None], 0.0, self.atoms.get_velocities())
        return _State(atoms.positions.copy(), velocities, atoms.get_forces(), heat_eV=0.0)

    def _step(self, atoms: Atoms, state: _State, generator: np.random.Generator, temperature_K: float | None) -> None:
        """One time step; without a temperature it is velocity Verlet."""
        timestep = self.settings.timestep_fs * units.fs
        masses = atoms.get_masses()[:, None]
        mobile = ~self.parts.fixed[:, None]
        state.velocities += np.where(mobile, state.forces / masses, 0.0) * timestep / 2
        state.positions += state.velocities * timestep / 2
        if temperature_K is not None:
            self._exchange_heat(state, masses, generator, temperature_K)
        state.positions += state.velocities * timestep / 2
        if not np.isfinite(state.positions).all():
            raise ConvergenceError("The dynamics blew up: positions are no finite numbers. Try a smaller timestep_fs.")
        atoms.positions = state.positions
        state.forces = atoms.get_forces()
        state.velocities += np.where(mobile, state.forces / masses, 0.0) * timestep / 2

    def _exchange_heat(
        self, state: _State, masses: NDArray[np.float64], generator: np.random.Generator, temperature_K: float
    ) -> None:
        kept = np.exp(-self.settings.timestep_fs / self.settings.thermostat_damping_fs)
        noise = generator.standard_normal(state.velocities.shape)
        mixed = kept * state.velocities + np.sqrt((1 - kept**2) * units.kB * temperature_K / masses) * noise
        before_eV = float((0.5 * masses * state.velocities**2).sum())
        state.velocities = np.where(self.parts.thermostatted[:, None], mixed, state.velocities)
        if not self.parts.has_groups:
            state.velocities -= (masses * state.velocities).sum(axis=0) / masses.sum()
        state.heat_eV += float((0.5 * masses * state.velocities**2).sum()) - before_eV

    def _record(self, atoms: Atoms, state: _State, step: int, watch: Watch, plan: SegmentPlan) -> None:
        """Thermodynamics and frames on the steps that have them."""
        if step % self.settings.frame_every_steps == 0 and (step > plan.first_step or plan.number == 0):
            self._frames.append((step, state.positions.astype(np.float32)))
        if step % self.settings.thermo_every_steps:
            return
        atoms.set_velocities(state.velocities)
        kinetic_eV = float(atoms.get_kinetic_energy())
        potential_eV = float(atoms.get_potential_energy())
        pressure_GPa, pressure_zz_GPa = _pressure(atoms)
        momenta_kept = 0 if self.parts.has_groups else 3
        freedom = 3 * int((~self.parts.fixed).sum()) - momenta_kept
        watch.add(
            {
                "time_ps": step * self.settings.timestep_fs / 1000,
                "step": step,
                "temperature_K": 2 * kinetic_eV / (max(freedom, 1) * units.kB),
                "pressure_GPa": pressure_GPa,
                "pressure_zz_GPa": pressure_zz_GPa,
                "potential_energy_eV": potential_eV,
                "kinetic_energy_eV": kinetic_eV,
                "conserved_eV": potential_eV + kinetic_eV - state.heat_eV,
            }
        )

    def _write(self, atoms: Atoms, state: _State, plan: SegmentPlan, directory: Path) -> dict[str, NDArray[np.float64]]:
        arrays = {"positions": state.positions, "velocities": state.velocities, "cell": atoms.cell.array}
        write_arrays(directory / CHECKPOINT, {**arrays, "heat_eV": state.heat_eV, "step": plan.last_step})
        write_trajectory(
            directory / TRAJECTORY,
            positions_A=[positions for _, positions in self._frames],
            cells_A=[atoms.cell.array] * len(self._frames),
            times_ps=[step * self.settings.timestep_fs / 1000 for step, _ in self._frames],
            n_atoms=len(atoms),
        )
        velocities = state.velocities * units.fs
        return {"positions_A": state.positions, "velocities_A_per_fs": velocities, "cell_A": atoms.cell.array}


def _resume(atoms: Atoms, checkpoint: Path) -> _State:
    arrays = read_arrays(checkpoint)
    positions = arrays["positions"].astype(np.float64)
    atoms.set_cell(arrays["cell"])
    atoms.positions = positions
    velocities = arrays["velocities"].astype(np.float64)
    return _State(positions.copy(), velocities, atoms.get_forces(), float(arrays["heat_eV"].item()))


def draw_velocities(
    masses: NDArray[np.float64], fixed: NDArray[np.bool_], *, temperature_K: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Maxwell–Boltzmann velocities (ASE's units) of exactly this temperature; fixed atoms rest, no total momentum."""
    mobile = ~fixed
    velocities = generator.standard_normal((len(masses), 3)) / np.sqrt(masses)[:, None] * mobile[:, None]
    momentum = (masses[:, None] * velocities).sum(axis=0)
    velocities -= mobile[:, None] * momentum / masses[mobile].sum()
    freedom = max(3 * int(mobile.sum()) - (0 if fixed.any() else 3), 1)
    kinetic = 0.5 * float((masses[:, None] * velocities**2).sum())
    if kinetic > 0:
        velocities *= np.sqrt(0.5 * freedom * units.kB * temperature_K / kinetic)
    return np.asarray(velocities)


def _pressure(atoms: Atoms) -> tuple[float, float]:
    """Pressure and its zz part in GPa, kinetic part included; not a number if the calculator gives no stress."""
    try:
        stress = atoms.get_stress(include_ideal_gas=True)
    except (PropertyNotImplementedError, NotImplementedError):
        return float("nan"), float("nan")
    return -float(stress[list(_XYZ)].mean()) / units.GPa, -float(stress[2]) / units.GPa
