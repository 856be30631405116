"""Files that LAMMPS reads and writes: data files from Atoms, binary dumps into arrays."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from ase import Atoms, units
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from structures.errors import CalculationError, InputError

ANGSTROM_PER_PS = 1.0 / (1000.0 * units.fs)
"""ASE's velocities times 1/ANGSTROM_PER_PS are LAMMPS's (metal units)."""

_TILT_TOLERANCE_A = 1e-9
_DUMP_MAGIC = b"DUMPCUSTOM"
_DUMP_REVISION = 2
_RESTART_MAGIC = b"LammpS RestartT\0"
_MIN_VACUUM_A = 10.0


@dataclass(frozen=True)
class DumpFrame:
    """One frame of a binary dump.

    Attributes:
        step: time step.
        cell_A: box vectors as rows, lower triangular.
        origin_A: lower corner of the box.
        columns: names of the columns.
        values: one row an atom, in the order of atom numbers.
    """

    step: int
    cell_A: NDArray[np.float64]
    origin_A: NDArray[np.float64]
    columns: tuple[str, ...]
    values: NDArray[np.float64]

    def take(self, *names: str) -> NDArray[np.float64]:
        """The columns of these names, shape (n_atoms, len(names))."""
        return self.values[:, [self.columns.index(name) for name in names]]


@dataclass(frozen=True)
class StandardFrame:
    """A structure turned so that a ∥ x and b lies in the xy plane, as LAMMPS needs it.

    Attributes:
        atoms: the turned structure.
        rotation: Q with turned = original @ Q.T, shape (3, 3).
    """

    atoms: Atoms
    rotation: NDArray[np.float64]

    def back(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vectors (rows) of the turned frame in the original one."""
        return vectors @ self.rotation

    def back_stress(self, stress: NDArray[np.float64]) -> NDArray[np.float64]:
        """A stress (xx, yy, zz, yz, xz, xy) of the turned frame in the original one."""
        turned = voigt_6_to_full_3x3_stress(stress)
        return np.asarray(full_3x3_to_voigt_6_stress(self.rotation.T @ turned @ self.rotation))


def build_standard_frame(atoms: Atoms) -> StandardFrame:
    """Turn a structure into LAMMPS's orientation; one that already is in it stays as it is to the last bit.

    Raises:
        InputError: if there is no three-dimensional cell, it is left-handed, or a direction that is not periodic
            lacks vacuum.
    """
    cell = atoms.cell.array
    if atoms.cell.rank < 3:  # noqa: PLR2004
        raise InputError(
            f"The structure's cell has {atoms.cell.rank} vectors, LAMMPS needs 3. "
            "Give it a cell, e.g. atoms.center(vacuum=10)."
        )
    if np.linalg.det(cell) < 0:
        raise InputError("The structure's cell is left-handed; exchange two cell vectors.")
    scaled = atoms.get_scaled_positions(wrap=False)
    for axis in np.flatnonzero(~atoms.pbc):
        free_A = float((1.0 - np.ptp(scaled[:, axis])) * atoms.cell.cellpar()[axis])
        if free_A < _MIN_VACUUM_A:
            raise InputError(
                f"The structure is not periodic along cell vector {axis} and has {free_A:.1f} Å of vacuum there; "
                f"LAMMPS runs it as periodic and needs at least {_MIN_VACUUM_A:.0f} Å. "
                f"Use atoms.center(vacuum={_MIN_VACUUM_A / 2:.0f}, axis={axis})."
            )
    if np.abs(cell[np.triu_indices(3, k=1)]).max() < _TILT_TOLERANCE_A and (np.diag(cell) > 0).all():
        return StandardFrame(atoms, np.eye(3))
    _, rotation = atoms.cell.standard_form()
    turned = atoms.copy()
    turned.set_constraint()
    turned.set_cell(np.tril(cell @ rotation.T))
    turned.positions = atoms.positions @ rotation.T
    if "momenta" in atoms.arrays:
        turned.set_momenta(atoms.get_momenta() @ rotation.T)
    return StandardFrame(turned, rotation)


def write_lammps_data(path: Path, atoms: Atoms, *, type_elements: Sequence[str]) -> None:
    """Write a data file (units metal, atom_style atomic); momenta become velocities.

    Args:
        path: of the file.
        atoms: in the orientation of `build_standard_frame`.
        type_elements: element of each atom type, in order; a type may be absent from the structure.
    """
    symbols = atoms.symbols
    types = np.array([type_elements.index(symbol) + 1 for symbol in symbols])
    cell = atoms.cell.array
    tilts = (cell[1, 0], cell[2, 0], cell[2, 1])
    lines = ["alkaliflow structure", "", f"{len(atoms)} atoms", f"{len(type_elements)} atom types", ""]
    lines += [f"0.0 {float(cell[i, i])!r} {axis}lo {axis}hi" for i, axis in enumerate("xyz")]
    if max(abs(tilt) for tilt in tilts) > _TILT_TOLERANCE_A:
        lines.append(" ".join(repr(float(tilt)) for tilt in tilts) + " xy xz yz")
    lines += ["", "Masses", ""]
    lines += [f"{i + 1} {mass:.10g}  # {type_elements[i]}" for i, mass in enumerate(_masses(atoms, type_elements))]
    lines += ["", "Atoms  # atomic", ""]
    lines += [
        f"{i + 1} {kind} {x!r} {y!r} {z!r}"
        for i, (kind, (x, y, z)) in enumerate(zip(types.tolist(), atoms.positions.tolist(), strict=True))
    ]
    if "momenta" in atoms.arrays:
        velocities = atoms.get_velocities() / ANGSTROM_PER_PS
        lines += ["", "Velocities", ""]
        lines += [f"{i + 1} {x!r} {y!r} {z!r}" for i, (x, y, z) in enumerate(velocities.tolist())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _masses(atoms: Atoms, type_elements: Sequence[str]) -> list[float]:
    """Mass of each type in u; the structure's own where it has the element."""
    masses = []
    for element in type_elements:
        present = atoms.get_masses()[atoms.symbols == element]
        if len(present) and np.ptp(present) > 0:
            raise InputError(
                f"Atoms of {element} have masses from {present.min():g} to {present.max():g} u; LAMMPS runs one mass "
                "an element here. Give them the same."
            )
        masses.append(float(present[0]) if len(present) else float(Atoms(element).get_masses()[0]))
    return masses


def read_binary_dump(path: Path) -> Iterator[DumpFrame]:
    """Frames of a file written by `dump custom FILE.bin`, one at a time.

    Raises:
        CalculationError: if the file is cut short, as by a full disk.
    """
    with path.open("rb") as stream:
        while start := stream.read(8):
            try:
                yield _read_frame(stream, start)
            except (struct.error, ValueError) as error:
                raise CalculationError(f"{path} is cut short: is the disk full?") from error


def check_restart_whole(path: Path) -> None:
    """Check that a binary restart file has its last bytes.

    Raises:
        CalculationError: if it is cut short, as by a full disk.
    """
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - len(_RESTART_MAGIC)))
        if stream.read() != _RESTART_MAGIC:
            raise CalculationError(f"{path} is cut short: is the disk full?")


def _unpack(stream: BinaryIO, layout: str) -> tuple[int | float, ...]:
    return struct.unpack(f"<{layout}", stream.read(struct.calcsize(f"<{layout}")))


def _read_frame(stream: BinaryIO, start: bytes) -> DumpFrame:
    (length,) = struct.unpack("<q", start)
    if length >= 0 or stream.read(int(-length)) != _DUMP_MAGIC:
        message = "not a binary dump"
        raise ValueError(message)
    _, revision, step, n_atoms, triclinic = _unpack(stream, "iiqqi")
    if revision < _DUMP_REVISION:
        message = f"binary dump of revision {revision}"
        raise ValueError(message)
    stream.read(6 * 4)
    bounds = np.array(_unpack(stream, "6d")).reshape(3, 2)
    tilts = np.array(_unpack(stream, "3d")) if triclinic else np.zeros(3)
    (n_columns, units_length) = _unpack(stream, "ii")
    stream.read(int(units_length))
    if stream.read(1) != b"\0":
        stream.read(8)
    (names_length,) = _unpack(stream, "i")
    columns = tuple(stream.read(int(names_length)).decode().rstrip("\0").split())
    (n_chunks,) = _unpack(stream, "i")
    pieces = []
    for _ in range(int(n_chunks)):
        (count,) = _unpack(stream, "i")
        pieces.append(np.frombuffer(stream.read(8 * int(count)), dtype="<f8", count=int(count)))
    values = np.concatenate(pieces).reshape(int(n_atoms), int(n_columns))
    cell_A, origin_A = _box(bounds, tilts)
    if "id" in columns:
        values = values[np.argsort(values[:, columns.index("id")], kind="stable")]
    return DumpFrame(int(step), cell_A, origin_A, columns, values)


def _box(
    bounds_A: NDArray[np.float64], tilts_A: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell and origin from the bounding box that dumps of tilted cells give."""
    xy, xz, yz = tilts_A
    lower = bounds_A[:, 0] - np.array([min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0])
    upper = bounds_A[:, 1] - np.array([max(0.0, xy, xz, xy + xz), max(0.0, yz), 0.0])
    cell = np.diag(upper - lower)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell, lower
