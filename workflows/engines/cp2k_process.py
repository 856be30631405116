"""CP2K in processes of its own: `python -P -m workflows.engines.cp2k_process DIRECTORY`.

One run of the program for each geometry, from the wave function of the last one: each leaves a whole input and output,
and an SCF that did not converge, or a crash, is told apart by them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from structures.errors import InputError, SetupError
from workflows.calculators.cp2k_installation import POTENTIAL, check_program, check_release, read_release
from workflows.calculators.written_settings import Cp2kSettings
from workflows.engines.cp2k_files import INPUT_FILE, OUTPUT_FILE, RESTART_FILES, build_input, read_outputs
from workflows.engines.cp2k_sections import SCF_HELP, find_open_solver
from workflows.engines.electronic_files import LOG_FILE, Answer, Request, read_request, write_answer
from workflows.engines.electronic_relaxation import explain_unrelaxed, relax_atoms, write_final
from workflows.engines.lammps_process import die_with_parent
from workflows.engines.written_inputs import find_boundary

_ENVIRONMENT = {"OMPI_MCA_ess_singleton_isolated": "1"}  # else Open MPI starts a daemon of its own beside one process

_NOISE = "Dipole correction needs more vacuum"


class ScfError(RuntimeError):
    """The SCF did not converge."""


class ProgramError(RuntimeError):
    """The program crashed."""


class Cp2kCalculator(Calculator):
    """An ASE calculator that runs CP2K on our input, with help for a stubborn SCF before it counts as failed."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as ASE declares it)

    def __init__(self, request: Request, *, directory: Path, program: str) -> None:
        """Take the settings of a request."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.request = request
        self.settings = Cp2kSettings.model_validate(request.settings, strict=False)
        self.folder = directory
        self.program = program
        self.stage = 0
        self.answer = Answer(status="unconverged")

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Energy and, unless the request wants none, forces.

        Raises:
            ScfError: if the SCF does not converge, also with all help.
            ProgramError: if CP2K crashes.
        """
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        geometry = Atoms(self.atoms)
        with_forces = self.request.forces or "forces" in properties
        while True:
            self.answer = self.run_stage(geometry, with_forces=with_forces)
            if self.answer.status == "done":
                break
            if self.stage + 1 == len(SCF_HELP):
                formula, help_given = geometry.symbols.formula, SCF_HELP[self.stage][0]
                raise ScfError(f"the SCF of {formula} did not converge, also with {help_given}: {self.answer.reason}")
            self.stage += 1
            self.forget_wave_function()
        self.results["energy"] = self.answer.energy_eV
        if self.answer.forces_eV_per_A is not None:
            self.results["forces"] = np.asarray(self.answer.forces_eV_per_A)

    def run_stage(self, atoms: Atoms, *, with_forces: bool) -> Answer:
        """One run with the help that is given now; of a slab from a rough density, where there is none to start from.

        Raises:
            ProgramError: if CP2K crashes.
        """
        is_slab = self.settings.dipole_correction and find_boundary(atoms, settings=self.settings) == "slab"
        if is_slab and not self.has_wave_function():
            self.run_program(atoms, with_forces=False, is_first=True)
        try:
            return self.run_program(atoms, with_forces=with_forces)
        except ProgramError as error:
            if not is_slab or _NOISE not in str(error):
                raise
        self.run_program(atoms, with_forces=False, is_first=True)
        return self.run_program(atoms, with_forces=with_forces)

    def run_program(self, atoms: Atoms, *, with_forces: bool, is_first: bool = False) -> Answer:
        """One run of CP2K, and what it found.

        Raises:
            ProgramError: if it crashes; what it said last is in the message.
        """
        moments = atoms.get_initial_magnetic_moments()
        text = build_input(
            atoms,
            charge=self.request.charge,
            multiplicity=self.request.multiplicity,
            settings=self.settings,
            run="forces" if with_forces else "energy",
            moments=moments.tolist() if moments.any() else None,
            stage=self.stage,
            is_restart=self.has_wave_function(),
            is_first=is_first,
        )
        output = self.folder / OUTPUT_FILE
        (self.folder / INPUT_FILE).write_text(text, encoding="utf-8")
        with output.open("w", encoding="utf-8") as stream:
            done = subprocess.run(
                [self.program, "-i", INPUT_FILE],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_ENVIRONMENT},
                preexec_fn=die_with_parent(),
                check=False,
            )
        said = output.read_text(encoding="utf-8", errors="replace")
        with (self.folder / LOG_FILE).open("a", encoding="utf-8") as log:
            log.write(said)
        if done.returncode != 0:
            raise ProgramError(f"CP2K ended with status {done.returncode}. {find_last_words(said)}")
        return read_outputs(self.folder)

    def has_wave_function(self) -> bool:
        """Whether there is one to start from."""
        return any((self.folder / name).is_file() for name in RESTART_FILES)

    def forget_wave_function(self) -> None:
        """The next run starts from atoms."""
        for name in RESTART_FILES:
            (self.folder / name).unlink(missing_ok=True)


def find_last_words(text: str) -> str:
    """What CP2K says beside its drawing of an abort, in one line; else the last lines of the text."""
    found = re.findall(r"\[ABORT\](.*?)\n \*{20,}", text, flags=re.DOTALL)
    if not found:
        return "\n".join(text.splitlines()[-8:])
    lines = [re.sub(r"^[\s*|\\/_O]+|[\s*]+$", "", line) for line in found[-1].splitlines()]
    return " ".join(line for line in lines if line)


def compute(request: Request, *, atoms: Atoms, directory: Path) -> Answer:
    """Energy, forces and charges."""
    try:
        program = check_program()
        check_release(read_release(program))
    except SetupError as error:
        return Answer(status="refused", reason=str(error))
    calculator = Cp2kCalculator(request, directory=directory, program=program)
    calculator.forget_wave_function()
    atoms.calc = calculator
    try:
        n_steps, is_relaxed = relax_atoms(atoms, request=request, directory=directory)
        atoms.get_potential_energy()
    except ScfError as error:
        return Answer(status="unconverged", reason=str(error))
    except InputError as error:
        return Answer(status="refused", reason=str(error))
    if reason := explain_unrelaxed(request, is_relaxed=is_relaxed):
        return Answer(status="unconverged", reason=reason)
    return calculator.answer.model_copy(
        update={
            "moment": None if calculator.answer.spins is None else sum(calculator.answer.spins),
            "method": describe_method(calculator, atoms=atoms),
            "n_steps": n_steps,
            "is_relaxed": is_relaxed,
            "helped": SCF_HELP[calculator.stage][0],
        }
    )


def describe_method(calculator: Cp2kCalculator, *, atoms: Atoms) -> dict[str, object]:
    """What two energies must agree in to be subtracted."""
    settings = calculator.settings
    return {
        "code": "cp2k",
        "version": calculator.answer.method["version"],
        "functional": settings.xc,
        "dispersion": settings.dispersion,
        "basis": settings.basis,
        "potential": POTENTIAL,
        "resolution": {
            "density_cutoff_Ry": settings.density_cutoff_Ry,
            "relative_cutoff_Ry": settings.relative_cutoff_Ry,
        },
        "cell_A": [round(float(length), 6) for length in atoms.cell.lengths()],
        "periodic": [bool(flag) for flag in atoms.pbc],
        "poisson_solver": None if atoms.pbc.any() else find_open_solver(atoms, settings=settings),
        "dipole_correction": settings.dipole_correction if atoms.pbc.any() else None,
        "k_points": list(settings.k_points) if atoms.pbc.any() else None,
        "smearing_eV": settings.smearing_eV,
        "hubbard_U_eV": settings.hubbard_U_eV or None,
    }


def main() -> int:
    """Entry point of the process."""
    directory = Path(sys.argv[1])
    request, atoms = read_request(directory)
    try:
        answer = compute(request, atoms=atoms, directory=directory)
    except ProgramError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    write_final(atoms, directory=directory)
    write_answer(directory, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
