"""Packs molecules into a cell with Packmol, which runs as a child in a folder of its own.

Source: Martínez, Andrade, Birgin & Martínez 2009, 10.1002/jcc.21224.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from ase.io import write

from structures.errors import CalculationError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

PRECISION = 0.01  # of squared lengths in Å²: what Packmol takes for fulfilled
HEIGHT_MARGIN_A = math.sqrt(PRECISION)
MOST_LOOPS = 60  # of optimisation for each species and for all: what packs does so in about 20
_LARGEST_SEED = 2**31 - 1
_NOT_PACKED = 173  # exit status
_LAST_LINES = 8


@dataclass(frozen=True, eq=False)
class Template:
    """A geometry and how many copies of it are wanted.

    Attributes:
        atoms: of one molecule.
        count: how many.
        centre_heights_A: lowest and highest place of the atom nearest to the middle, in Å; None: as for all atoms.
    """

    atoms: Atoms
    count: int
    centre_heights_A: tuple[float, float] | None = None

    @property
    def centre(self) -> int:
        """Atom nearest to the middle."""
        away_A = self.atoms.positions - self.atoms.positions.mean(axis=0)
        return int(np.argmin(np.linalg.norm(away_A, axis=1)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Packing:
    """What Packmol is to do.

    Attributes:
        templates: what to pack, in this order.
        fixed: atoms that stay where they are, inside the cell; may be none.
        lengths_A: edges of the cell, periodic along x, y and z, shape (3,), in Å.
        heights_A: lowest and highest place of an atom along z, in Å.
        distance_A: smallest distance between atoms of different molecules, images included, in Å.
        seed: of the random places to begin with, 0 or more.
    """

    templates: Sequence[Template]
    fixed: Atoms
    lengths_A: NDArray[np.float64]
    heights_A: tuple[float, float]
    distance_A: float
    seed: int


def find_packmol() -> Path:
    """The Packmol executable: of this environment, else on the path.

    Raises:
        SetupError: if there is none.
    """
    found = shutil.which("packmol", path=str(Path(sys.executable).parent)) or shutil.which("packmol")
    if found is None:
        raise SetupError("Packmol is not installed here, which electrolytes are packed with: pip install packmol")
    return Path(found)


def run_packmol(packing: Packing, *, timeout_s: float) -> NDArray[np.float64] | None:
    """Places of all atoms of all copies, template by template.

    Args:
        packing: what to pack.
        timeout_s: when to give up.

    Returns:
        Positions, shape (n_atoms, 3), in Å; each molecule is whole; None if it did not find room in its loops or in
        the time.

    Raises:
        SetupError: if Packmol is not installed.
        CalculationError: if it ends in another way, with its last lines.
    """
    executable = find_packmol()
    with TemporaryDirectory(prefix="packmol-") as folder:
        _write_input(packing, folder=Path(folder))
        try:
            run = subprocess.run(
                [str(executable), "-i", "input"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            return None
        if run.returncode == _NOT_PACKED:
            return None
        packed = Path(folder) / "packed.xyz"
        if run.returncode != 0 or not packed.exists():
            last = "\n".join((run.stdout + run.stderr).strip().splitlines()[-_LAST_LINES:])
            raise CalculationError(f"{executable} ended with status {run.returncode}:\n{last}")
        positions_A: NDArray[np.float64] = np.loadtxt(packed, skiprows=2, usecols=(1, 2, 3), ndmin=2)
    return positions_A[: sum(len(one.atoms) * one.count for one in packing.templates)]


def _write_input(packing: Packing, *, folder: Path) -> None:
    """Packmol's input; its molecules lie in the folder. What is fixed comes last, as it does in the output."""
    seed = int(np.random.default_rng(packing.seed).integers(1, _LARGEST_SEED))
    lines = [
        "filetype xyz",
        "output packed.xyz",
        f"tolerance {math.sqrt(packing.distance_A**2 + PRECISION):.6f}",
        f"precision {PRECISION}",
        f"seed {seed}",
        f"nloop {MOST_LOOPS}",
        "pbc 0.0 0.0 0.0 " + " ".join(f"{length:.6f}" for length in packing.lengths_A),
    ]
    for number, template in enumerate(packing.templates):
        write(folder / f"{number}.xyz", template.atoms, format="xyz")
        lines += [f"structure {number}.xyz", f"  number {template.count}", *_write_planes(packing.heights_A)]
        if template.centre_heights_A is not None:
            lines += [f"  atoms {template.centre + 1}", *_write_planes(template.centre_heights_A), "  end atoms"]
        lines.append("end structure")
    if len(packing.fixed):
        held = packing.fixed.copy()
        held.set_cell(np.diag(packing.lengths_A))
        held.pbc = True
        held.wrap(eps=0)
        write(folder / "fixed.xyz", held, format="xyz")
        lines += ["structure fixed.xyz", "  number 1", "  fixed 0.0 0.0 0.0 0.0 0.0 0.0", "end structure"]
    (folder / "input").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_planes(heights_A: tuple[float, float]) -> list[str]:
    """Atoms lie between two heights, even where Packmol takes a little beyond for fulfilled."""
    return [
        f"    above plane 0.0 0.0 1.0 {heights_A[0] + HEIGHT_MARGIN_A:.6f}",
        f"    below plane 0.0 0.0 1.0 {heights_A[1] - HEIGHT_MARGIN_A:.6f}",
    ]
