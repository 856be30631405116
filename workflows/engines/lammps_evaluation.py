"""Energies, forces, stresses and per-atom quantities of given structures, many of them in one LAMMPS process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from structures.errors import CalculationError
from workflows.calculators.lammps_potential import LammpsPotential
from workflows.engines.lammps_files import read_binary_dump
from workflows.engines.lammps_process import run_lammps
from workflows.engines.lammps_structure import orient_structure, write_structure

_BATCH_ATOMS = 50_000
_BAR_PER_GPA = 1e4
_THERMO = ("pe", "pxx", "pyy", "pzz", "pyz", "pxz", "pxy")


@dataclass(frozen=True)
class Evaluation:
    """What LAMMPS says of one structure.

    Attributes:
        energy_eV: potential energy.
        forces_eV_per_A: shape (n_atoms, 3), in the structure's own orientation.
        stress_GPa: xx, yy, zz, yz, xz, xy; positive under tension; in the same orientation.
        per_atom: what was asked for besides, shape (n_atoms, n).
    """

    energy_eV: float
    forces_eV_per_A: NDArray[np.float64]
    stress_GPa: NDArray[np.float64]
    per_atom: NDArray[np.float64]


def evaluate_structures(
    structures: Sequence[Atoms],
    *,
    potential: LammpsPotential,
    directory: Path,
    per_atom_compute: str = "",
    ranks: int = 1,
    threads: int = 1,
) -> Iterator[Evaluation]:
    """Evaluate structures one after the other; files are removed as they are read.

    Args:
        structures: of any sizes; elements that the potential knows.
        potential: what to evaluate.
        directory: scratch.
        per_atom_compute: style and arguments of a LAMMPS compute whose columns are wanted, or nothing.
        ranks: MPI processes.
        threads: OpenMP threads.

    Yields:
        One evaluation for each structure, in order.
    """
    directory.mkdir(parents=True, exist_ok=True)
    potential.link_files(directory / "models")
    remaining = iter(structures)
    while batch := _take_batch(remaining):
        yield from _evaluate_batch(
            batch, potential, directory, per_atom_compute=per_atom_compute, ranks=ranks, threads=threads
        )


def _take_batch(structures: Iterator[Atoms]) -> list[Atoms]:
    batch = list(islice(structures, 1))
    while batch and sum(map(len, batch)) + len(batch[0]) <= _BATCH_ATOMS:
        more = list(islice(structures, 1))
        if not more:
            break
        batch += more
    return batch


def _evaluate_batch(
    batch: Sequence[Atoms],
    potential: LammpsPotential,
    directory: Path,
    *,
    per_atom_compute: str,
    ranks: int,
    threads: int,
) -> Iterator[Evaluation]:
    frames = [orient_structure(atoms, potential=potential) for atoms in batch]
    lines = ["variable models index models"]
    for i, frame in enumerate(frames):
        resting = frame.atoms.copy()
        resting.arrays.pop("momenta", None)
        write_structure(directory / f"structure-{i}.data", resting, potential=potential)
        lines += _structure_commands(i, potential, per_atom_compute)
    (directory / "evaluate.in").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows: list[list[float]] = []
    reader = _RowReader(rows)
    run_lammps(
        directory,
        input_name="evaluate.in",
        log=directory / "evaluate.log",
        ranks=ranks,
        threads=threads,
        on_line=reader.read_line,
    )
    if len(rows) != len(batch):
        raise CalculationError(f"LAMMPS evaluated {len(rows)} of {len(batch)} structures; see {directory}/evaluate.log")
    for i, (frame, row) in enumerate(zip(frames, rows, strict=True)):
        (dump,) = read_binary_dump(directory / f"structure-{i}.bin")
        (directory / f"structure-{i}.bin").unlink()
        (directory / f"structure-{i}.data").unlink()
        yield Evaluation(
            energy_eV=row[0],
            forces_eV_per_A=frame.back(dump.take("fx", "fy", "fz")),
            stress_GPa=frame.back_stress(-np.array(row[1:]) / _BAR_PER_GPA),
            per_atom=dump.values[:, 4:],
        )


def _structure_commands(number: int, potential: LammpsPotential, per_atom_compute: str) -> list[str]:
    columns = "id fx fy fz"
    lines = ["clear", *potential.list_preamble(f"structure-{number}.data"), *potential.commands]
    if per_atom_compute:
        lines.append(f"compute wanted all {per_atom_compute}")
        columns += " c_wanted[*]"
    return [
        *lines,
        f"thermo_style custom {' '.join(_THERMO)}",
        "thermo_modify norm no line one format float %.15g",
        f"dump result all custom 1 structure-{number}.bin {columns}",
        "dump_modify result sort id",
        'print "stage: evaluate"',
        "run 0 post no",
        "undump result",
    ]


@dataclass
class _RowReader:
    """Takes the one row of thermodynamics of each structure."""

    rows: list[list[float]]
    _is_next: bool = False

    def read_line(self, line: str) -> None:
        words = line.split()
        if words[:1] == ["PotEng"]:
            self._is_next = True
        elif self._is_next and len(words) == len(_THERMO):
            self.rows.append([float(word) for word in words])
            self._is_next = False
