"""One segment of dynamics with LAMMPS: a process that is a function of the checkpoint before it and of a seed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from numpy.typing import NDArray

from structures.errors import CalculationError, ConvergenceError
from workflows.calculators.lammps_potential import LammpsPotential
from workflows.engines.lammps_files import ANGSTROM_PER_PS, check_restart_whole, read_binary_dump
from workflows.engines.lammps_process import find_lammps, run_lammps
from workflows.engines.lammps_structure import write_structure
from workflows.engines.trajectory_files import TRAJECTORY, write_trajectory
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, SegmentPlan
from workflows.recipes.dynamics_watch import Watch
from workflows.recipes.lammps_input import (
    CHECKPOINT,
    DATA,
    FINAL_DUMP,
    INPUT,
    PARTS,
    THERMO_KEYWORDS,
    TRAJECTORY_DUMP,
    DynamicsParts,
    write_segment_input,
)

_BAR_PER_GPA = 1e4
_LARGEST_SEED = 900_000_000


@dataclass(frozen=True)
class LammpsDynamics:
    """Runs the segments of one chain.

    Attributes:
        atoms: the structure, in LAMMPS's orientation.
        potential: what forces come from.
        parts: which atoms are fixed and which are thermostatted.
        settings: of the dynamics.
        seed: of everything random.
        scratch: directory that the segments are computed in.
        ranks: MPI processes.
        threads: OpenMP threads.
    """

    atoms: Atoms
    potential: LammpsPotential
    parts: DynamicsParts
    settings: MolecularDynamicsSettings
    seed: int
    scratch: Path
    ranks: int = 1
    threads: int = 1

    def describe_engine(self) -> dict[str, str]:
        """Name, version and checksum of what computes."""
        engine = find_lammps()
        return {"engine": "lammps", "engine_version": engine.version, "engine_sha256": engine.sha256}

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
            ConvergenceError: if it blows up or LAMMPS gives up.
            CalculationError: if LAMMPS is killed or its files are cut short.
        """
        models = self.scratch / "models"
        self.potential.link_files(models)
        if before is None:
            write_structure(directory / DATA, self.atoms, potential=self.potential)
            if self.parts.has_groups:
                (directory / PARTS).write_text(self.parts.to_text(), encoding="utf-8")
        write_segment_input(
            directory / INPUT,
            plan,
            settings=self.settings,
            potential=self.potential,
            parts=self.parts,
            seeds=(
                derive_seed(self.seed, plan.number, "velocities"),
                derive_seed(self.seed, plan.number, "thermostat"),
            ),
            has_velocities="momenta" in self.atoms.arrays,
        )
        variables = {"models": str(models.absolute())}
        if before is not None:
            variables["start"] = str((before / CHECKPOINT).absolute())
        try:
            run_lammps(
                directory,
                input_name=INPUT,
                log=self.scratch / f"segment-{plan.number:06d}.log",
                variables=variables,
                ranks=self.ranks,
                threads=self.threads,
                on_line=ThermoReader(watch, timestep_fs=self.settings.timestep_fs).read_line,
            )
        except ConvergenceError as error:
            raise watch.explain_engine_error(error) from error
        return self._collect(plan, directory, watch)

    def _collect(self, plan: SegmentPlan, directory: Path, watch: Watch) -> dict[str, NDArray[np.float64]]:
        """Turn LAMMPS's files into the segment's and remove what is not kept."""
        settings = self.settings
        check_restart_whole(directory / CHECKPOINT)
        frames = [
            frame
            for frame in read_binary_dump(directory / TRAJECTORY_DUMP)
            if frame.step > plan.first_step or plan.number == 0
        ]
        expected = plan.steps // settings.frame_every_steps + (plan.number == 0)
        n_rows = plan.steps // settings.thermo_every_steps + 1
        final = list(read_binary_dump(directory / FINAL_DUMP))
        if len(frames) != expected or len(watch.rows) != n_rows or len(final) != 1:
            raise CalculationError(
                f"segment {plan.number} has {len(frames)} frames and {len(watch.rows)} rows of thermodynamics, needs "
                f"{expected} and {n_rows}: its files in {directory} are cut short. Is the disk full?"
            )
        write_trajectory(
            directory / TRAJECTORY,
            positions_A=[frame.take("xu", "yu", "zu").astype(np.float32) for frame in frames],
            cells_A=[frame.cell_A for frame in frames],
            times_ps=[frame.step * settings.timestep_fs / 1000 for frame in frames],
            n_atoms=len(self.atoms),
        )
        (directory / TRAJECTORY_DUMP).unlink()
        (directory / FINAL_DUMP).unlink()
        return {
            "positions_A": final[0].take("xu", "yu", "zu"),
            "velocities_A_per_fs": final[0].take("vx", "vy", "vz") * ANGSTROM_PER_PS * units.fs,
            "cell_A": final[0].cell_A,
        }


@dataclass
class ThermoReader:
    """Finds the rows of thermodynamics in the engine's output."""

    watch: Watch
    timestep_fs: float
    _is_table: bool = False

    def read_line(self, line: str) -> None:
        """Take one line; a row goes to the watch, which may raise."""
        words = line.split()
        if line.startswith("stage: "):
            self.watch.stage_begins(words[1])
        elif words[:1] == ["Step"]:
            self._is_table = self.watch.is_dynamics
        elif line.startswith("Loop time"):
            self._is_table = False
        elif self._is_table and len(words) == len(THERMO_KEYWORDS):
            self._read_row(words)

    def _read_row(self, words: list[str]) -> None:
        try:
            step, temperature, pressure, pressure_zz, potential, kinetic, conserved = map(float, words)
        except ValueError:
            return  # a warning with as many words as the table has columns
        self.watch.add(
            {
                "time_ps": step * self.timestep_fs / 1000,
                "step": step,
                "temperature_K": temperature,
                "pressure_GPa": pressure / _BAR_PER_GPA,
                "pressure_zz_GPa": pressure_zz / _BAR_PER_GPA,
                "potential_energy_eV": potential,
                "kinetic_energy_eV": kinetic,
                "conserved_eV": conserved,
            }
        )


def derive_seed(seed: int, segment: int, purpose: str) -> int:
    """Seed of one purpose in one segment, in the range that LAMMPS takes."""
    digest = hashlib.sha256(f"{seed}:{segment}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _LARGEST_SEED + 1
