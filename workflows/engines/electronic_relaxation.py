"""Relaxation inside an electronic-structure process; the geometry of each step is kept."""

from pathlib import Path

from ase import Atoms
from ase.io import write
from ase.optimize import BFGS
from ase.parallel import world

from workflows.engines.electronic_files import Request

FINAL_FILE = "final.extxyz"
STEPS_FILE = "relaxation.log"
_LONGEST_STEP_A = 0.1


def relax_atoms(atoms: Atoms, *, request: Request, directory: Path) -> int | None:
    """Relax in place, if it is asked for.

    Returns:
        Steps taken, 0 without a relaxation; None if the forces did not get below the tolerance.
    """
    if request.force_tolerance_eV_per_A is None:
        return 0

    def keep() -> None:
        if world.rank == 0:
            write(directory / FINAL_FILE, atoms.copy(), format="extxyz")

    with BFGS(atoms, logfile=str(directory / STEPS_FILE), maxstep=_LONGEST_STEP_A) as optimiser:
        optimiser.attach(keep)
        converged = optimiser.run(fmax=request.force_tolerance_eV_per_A, steps=request.max_steps)
        return int(optimiser.nsteps) if converged else None
