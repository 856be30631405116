"""Relaxation inside an electronic-structure process; the geometry of each step is kept."""

from pathlib import Path

from ase import Atoms
from ase.io import write
from ase.optimize import BFGS
from ase.parallel import world

from workflows.engines.electronic_files import Request
from workflows.engines.model_hessian import build_model_hessian

FINAL_FILE = "final.extxyz"
STEPS_FILE = "relaxation.log"
_LONGEST_STEP_A = 0.2


def relax_atoms(atoms: Atoms, *, request: Request, directory: Path) -> tuple[int, bool | None]:
    """Relax in place, if it is asked for: BFGS from a model of the Hessian.

    Returns:
        Steps taken, and whether the forces got below the tolerance; None without a relaxation.
    """
    if request.force_tolerance_eV_per_A is None:
        return 0, None

    def keep() -> None:
        if world.rank == 0:
            write_final(atoms, directory=directory)

    with BFGS(atoms, logfile=str(directory / STEPS_FILE), maxstep=_LONGEST_STEP_A) as optimiser:
        optimiser.H0 = build_model_hessian(atoms)
        optimiser.attach(keep)
        converged = optimiser.run(fmax=request.force_tolerance_eV_per_A, steps=request.max_steps)
        return int(optimiser.nsteps), bool(converged)


def write_final(atoms: Atoms, *, directory: Path) -> None:
    """Write the geometry, whole or not at all: a later attempt may go on from it."""
    aside = directory / f".{FINAL_FILE}"
    write(aside, atoms.copy(), format="extxyz", parallel=False)  # rank 0 is alone here
    aside.replace(directory / FINAL_FILE)


def explain_unrelaxed(request: Request, *, is_relaxed: bool | None) -> str:
    """Why a relaxation is no answer; empty if it is one."""
    if is_relaxed is not False or request.accept_unconverged:
        return ""
    return f"forces were not below {request.force_tolerance_eV_per_A} eV/Å after {request.max_steps} steps"
