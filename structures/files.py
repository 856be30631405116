"""Structures from a user's own files: CIF, POSCAR, extended XYZ and whatever else ASE reads."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.formats import UnknownFileTypeError

from structures.errors import InputError
from structures.ghosts import find_ghosts

LARGEST_FILE_MB = 512
LARGEST_STRUCTURE = 2_000_000
_BYTES_SNIFFED = 4096
_FULL_SITE = 0.999


def read_structure(path: str | Path) -> Atoms:
    """Read the last structure of a file, with nothing on it but elements, positions, cell, periodicity and regions.

    Args:
        path: CIF, POSCAR/CONTCAR, extended XYZ, LAMMPS data or another format of ASE, told by its name and content.

    Returns:
        The structure. Arrays, constraints and results of the file's writer are dropped; the array "region" is kept,
        unless it names ghosts, which are atoms like the others in a file.

    Raises:
        InputError: if the file is missing, empty, binary, too large, broken, disordered, or holds no atoms or numbers
            that are not finite.
    """
    file = Path(path)
    _check_file(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers warn of every unusual tag; what matters is checked below
            read_atoms = read(file)
    except UnknownFileTypeError as error:
        raise InputError(
            f"{file} is of no known format; give a CIF, a POSCAR or an extended XYZ file, named so (.cif, .vasp, .xyz)"
        ) from error
    except Exception as error:
        why = f"{type(error).__name__}: {error}" if str(error) else "it ends before the structure is whole"
        raise InputError(
            f"{file} cannot be read ({why}); check that it is complete, for example by opening it in OVITO or VESTA"
        ) from error
    if not isinstance(read_atoms, Atoms) or len(read_atoms) == 0:
        raise InputError(f"{file} holds no atoms, needs at least 1; check that it is the file you mean")
    _check_atoms(read_atoms, file=file)
    return _strip(read_atoms)


def _check_file(file: Path) -> None:
    if not file.exists():
        raise InputError(f"{file} does not exist; check the path (it is relative to {Path.cwd()})")
    if not file.is_file():
        raise InputError(f"{file} is a folder or device, needs a file")
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(_BYTES_SNIFFED)
    except OSError as error:
        raise InputError(f"{file} cannot be opened ({error.strerror}); check its permissions") from error
    if not start.strip():
        raise InputError(f"{file} is empty ({size} bytes), needs a structure")
    if size > LARGEST_FILE_MB * 1_000_000:
        raise InputError(f"{file} has {size / 1e6:.0f} MB, limit {LARGEST_FILE_MB} MB; cut the structure down")
    if b"\0" in start:
        raise InputError(f"{file} is a binary file, needs text; convert it to CIF, POSCAR or extended XYZ")


def _check_atoms(atoms: Atoms, *, file: Path) -> None:
    if len(atoms) > LARGEST_STRUCTURE:
        raise InputError(f"{file} holds {len(atoms)} atoms, limit {LARGEST_STRUCTURE}; cut the structure down")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise InputError(f"{file} holds positions or a cell that are no finite numbers; correct them")
    if (atoms.numbers == 0).any():
        raise InputError(
            f"{file} holds {int((atoms.numbers == 0).sum())} atoms of no known element; name the elements in the file"
        )
    for site, shares in atoms.info.get("occupancy", {}).items():
        if len(shares) > 1 or sum(shares.values()) < _FULL_SITE:
            raise InputError(
                f"{file} is disordered: site {site} holds {shares}, needs one element fully; decorate the structure "
                f"first, or give the alloy by its composition"
            )


def _strip(atoms: Atoms) -> Atoms:
    plain = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if "region" in atoms.arrays and atoms.arrays["region"].dtype.kind in "UO" and not find_ghosts(atoms).any():
        plain.set_array("region", atoms.arrays["region"].astype("<U9"))
    return plain
