"""Tight binding (xTB, by tblite) in a process of its own: `python -P -m workflows.engines.xtb_process DIRECTORY`."""

import sys
from importlib.metadata import version
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import CalculatorError
from tblite.ase import TBLite

from workflows.engines.electronic_files import LOG_FILE, Answer, Request, read_request, write_answer
from workflows.engines.electronic_relaxation import explain_unrelaxed, relax_atoms, write_final


def build_calculator(request: Request) -> TBLite:
    """The calculator of a request; unpaired electrons gain from each other (spin polarisation)."""
    settings = request.settings
    return TBLite(
        method=settings["hamiltonian"],
        charge=request.charge,
        multiplicity=request.multiplicity,
        electronic_temperature=settings["electronic_temperature_K"],
        accuracy=settings["accuracy"],
        spin_polarization=1.0 if request.multiplicity > 1 else None,
        verbosity=0,
    )


def compute(request: Request, *, atoms: Atoms, directory: Path) -> Answer:
    """Energy and forces; dispersion is a part of the Hamiltonian."""
    atoms.calc = build_calculator(request)
    try:
        n_steps, is_relaxed = relax_atoms(atoms, request=request, directory=directory)
        energy_eV = float(atoms.get_potential_energy())
    except CalculatorError as error:
        return Answer(status="unconverged", reason=f"the SCF of {atoms.symbols.formula} failed: {error}")
    if reason := explain_unrelaxed(request, is_relaxed=is_relaxed):
        return Answer(status="unconverged", reason=reason)
    is_wanted = request.forces or request.force_tolerance_eV_per_A is not None
    return Answer(
        status="done",
        energy_eV=energy_eV,
        forces_eV_per_A=atoms.get_forces(apply_constraint=False).tolist() if is_wanted else None,
        method={
            "code": "xtb",
            "version": version("tblite"),
            "functional": request.settings["hamiltonian"],
            "dispersion": "its own",
            "electronic_temperature_K": request.settings["electronic_temperature_K"],
            "accuracy": request.settings["accuracy"],
        },
        n_steps=n_steps,
        is_relaxed=is_relaxed,
    )


def main() -> int:
    """Entry point of the process."""
    directory = Path(sys.argv[1])
    request, atoms = read_request(directory)
    answer = compute(request, atoms=atoms, directory=directory)
    energy = "" if answer.energy_eV is None else f"{answer.energy_eV:.6f} eV after {answer.n_steps} steps"
    (directory / LOG_FILE).write_text(f"tblite {version('tblite')}: {answer.status} {answer.reason}{energy}\n")
    write_final(atoms, directory=directory)
    write_answer(directory, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
