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


def relax_atoms(atoms: Atoms, *, request: Request, directory: Path) -> tuple[int, bool | None]:
    """Relax in place, if it is asked for.

    Returns:
        Steps taken, and whether the forces got below the tolerance; None without a relaxation.
    """
    if request.force_tolerance_eV_per_A is None:
        return 0, None

    def keep() -> None:
        if world.rank == 0:
            write(directory / FINAL_FILE, atoms.copy(), format="extxyz")

    with BFGS(atoms, logfile=str(directory / STEPS_FILE), maxstep=_LONGEST_STEP_A) as optimiser:
        optimiser.attach(keep)
        converged = optimiser.run(fmax=request.force_tolerance_eV_per_A, steps=request.max_steps)
        return int(optimiser.nsteps), bool(converged)


def explain_unrelaxed(request: Request, *, is_relaxed: bool | None) -> str:
    """Why a relaxation is no answer; empty if it is one."""
    if is_relaxed is not False or request.accept_unconverged:
        return ""
    return f"forces were not below {request.force_tolerance_eV_per_A} eV/Å after {request.max_steps} steps"
