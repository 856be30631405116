"""Relaxation by LAMMPS's own minimisers in one process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from structures.errors import CalculationError
from workflows.calculators.lammps_potential import LammpsPotential
from workflows.engines.lammps_files import StandardFrame, read_binary_dump
from workflows.engines.lammps_process import run_lammps
from workflows.engines.lammps_structure import orient_structure, write_structure
from workflows.recipes.lammps_input import PARTS, DynamicsParts
from workflows.recipes.static_energies import StaticResult

INPUT = "relax.in"
_BAR_PER_GPA = 1e4
_THERMO = ("step", "pe", "fmax", "pxx", "pyy", "pzz", "pyz", "pxz", "pxy")
_THERMO_EVERY = 20


def relax_with_lammps(
    atoms: Atoms,
    *,
    potential: LammpsPotential,
    fixed: NDArray[np.bool_],
    force_tolerance_eV_per_A: float,
    max_steps: int,
    algorithm: str,
    relax_cell_z: bool,
    directory: Path,
    ranks: int = 1,
    threads: int = 1,
    report: Callable[..., None] = lambda **_: None,
) -> tuple[Atoms, StaticResult, float, int]:
    """Minimise the energy of atoms and, if asked, the cell's height.

    Args:
        atoms: the structure.
        potential: what forces come from.
        fixed: mask of the atoms that stay.
        force_tolerance_eV_per_A: largest norm of a force at the end.
        max_steps: of each minimisation.
        algorithm: `fire` or `cg`.
        relax_cell_z: whether the cell's height is relaxed to zero stress along z.
        directory: scratch; keeps the input file and the log.
        ranks: MPI processes.
        threads: OpenMP threads.
        report: gets the progress.

    Returns:
        The relaxed structure, energy with forces and stress there, the first energy, the number of steps.

    Raises:
        ConvergenceError: if LAMMPS gives up.
        CalculationError: if it is killed or its files are cut short.
    """
    directory.mkdir(parents=True, exist_ok=True)
    potential.link_files(directory / "models")
    frame = orient_structure(atoms, potential=potential)
    write_structure(directory / "data.lammps", frame.atoms, potential=potential)
    parts = DynamicsParts(fixed=fixed, thermostatted=~fixed)
    if parts.has_fixed:
        (directory / PARTS).write_text(parts.to_text(), encoding="utf-8")
    limits = f"0.0 {force_tolerance_eV_per_A!r} {max_steps} {10 * max_steps}"
    lines = [
        *_prepare(potential, has_fixed=parts.has_fixed),
        *(f"min_style {algorithm}", "min_modify norm max", f"minimize {limits}"),
        *(_relax_cell(len(atoms), force_tolerance_eV_per_A, max_steps) if relax_cell_z else []),
        *(["unfix hold"] if parts.has_fixed else []),
        *_finish(),
    ]
    (directory / INPUT).write_text("\n".join(lines) + "\n", encoding="utf-8")
    reader = _ProgressReader(report, max_steps)
    log = directory / "relax.log"
    run_lammps(directory, input_name=INPUT, log=log, ranks=ranks, threads=threads, on_line=reader.read_line)
    relaxed, result = _collect(directory, atoms, frame=frame, rows=reader.rows)
    return relaxed, result, reader.rows[0][1], reader.n_steps


def _prepare(potential: LammpsPotential, *, has_fixed: bool) -> list[str]:
    lines = [
        f"# Relaxation; units metal (A, ps, eV, bar). By hand: lmp -in {INPUT}",
        "variable models index models",
        *potential.list_preamble("data.lammps"),
        *potential.commands,
    ]
    if has_fixed:
        lines += [
            f"variable part atomfile {PARTS}",
            "variable is_fixed atom v_part==1",
            "group fixed variable is_fixed",
            "fix hold fixed setforce 0.0 0.0 0.0",
            *(["neigh_modify exclude group fixed fixed"] if potential.topology is not None else []),
        ]
    return [
        *lines,
        "timestep 0.001",
        f"thermo {_THERMO_EVERY}",
        f"thermo_style custom {' '.join(_THERMO)}",
        "thermo_modify norm no line one format float %.15g flush yes",
    ]


def _relax_cell(n_atoms: int, force_tolerance_eV_per_A: float, max_steps: int) -> list[str]:
    """Conjugate gradients over atoms and height; of LAMMPS's norms only `two` counts the force on the cell."""
    total = force_tolerance_eV_per_A * n_atoms**0.5 / 3
    return [
        "fix stretch all box/relax z 0.0 vmax 0.001 fixedpoint 0.0 0.0 0.0",
        "min_style cg",
        "min_modify norm two",
        *[f"minimize 0.0 {total!r} {max_steps} {10 * max_steps}"] * 2,
        "unfix stretch",
        "min_modify norm max",
        f"minimize 0.0 {force_tolerance_eV_per_A!r} {max_steps} {10 * max_steps}",
    ]


def _finish() -> list[str]:
    return [
        "dump final all custom 1 final.bin id xu yu zu fx fy fz",
        "dump_modify final sort id",
        "velocity all set 0.0 0.0 0.0",
        "reset_timestep 0",
        "run 0 post no",
    ]


def _collect(
    directory: Path, atoms: Atoms, *, frame: StandardFrame, rows: list[list[float]]
) -> tuple[Atoms, StaticResult]:
    """The relaxed structure and what holds for it, in the structure's own orientation; removes the dump."""
    dumps = list(read_binary_dump(directory / "final.bin"))
    if len(dumps) != 1 or not rows:
        raise CalculationError(f"LAMMPS wrote no complete result in {directory}. Is the disk full?")
    (directory / "final.bin").unlink()
    final, row = dumps[0], rows[-1]
    relaxed = atoms.copy()
    relaxed.set_cell(frame.back(final.cell_A))
    relaxed.set_positions(frame.back(final.take("xu", "yu", "zu")), apply_constraint=False)
    forces = frame.back(final.take("fx", "fy", "fz"))
    return relaxed, StaticResult(row[1], forces, frame.back_stress(-np.array(row[3:]) / _BAR_PER_GPA))


@dataclass
class _ProgressReader:
    """Finds rows of thermodynamics and the number of steps in the engine's output."""

    report: Callable[..., None]
    max_steps: int
    rows: list[list[float]] = field(default_factory=list)
    n_steps: int = 0
    _is_table: bool = False

    def read_line(self, line: str) -> None:
        words = line.split()
        if words[:1] == ["Step"]:
            self._is_table = True
        elif line.startswith("Loop time"):
            self._is_table = False
        elif words[:1] == ["Iterations,"]:
            self.n_steps += int(words[-2])
        elif self._is_table and len(words) == len(_THERMO):
            try:
                self.rows.append([float(word) for word in words])
            except ValueError:
                return
            step, _, largest_force, *_ = self.rows[-1]
            self.report(stage="relax", step=int(step), steps=self.max_steps, largest_force_eV_per_A=largest_force)
