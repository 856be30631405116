"""One GPAW calculation with analyses, in a process of its own: `[mpiexec -n 2] python DRIVER DIRECTORY`."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from ase.parallel import world
from ase.units import Ha
from gpaw import GPAW
from gpaw.dos import DOSCalculator

from structures.errors import InputError
from workflows.engines.gpaw_analyses import write_analyses

DOS_WIDTH_EV = 0.2


def main() -> None:
    warnings.simplefilter("error")
    directory = Path(sys.argv[1])
    settings = json.loads((directory / "settings.json").read_text(encoding="utf-8"))
    atoms = read(directory / "structure.extxyz")
    assert isinstance(atoms, Atoms)
    calculator = GPAW(**settings["arguments"], xc="PBE", txt=str(directory / "scf.txt"))
    atoms.calc = calculator
    wanted = settings["wanted"]
    try:
        energy_eV = atoms.get_potential_energy() if "refuse" not in settings else 0.0
        found = write_analyses(calculator, atoms=atoms, directory=directory, wanted=wanted)
    except InputError as error:
        (directory / "refused.txt").write_text(str(error), encoding="utf-8")
        return
    (directory / f"found-{world.rank}.json").write_text(json.dumps(found), encoding="utf-8")

    extras = {"energy_eV": energy_eV, "forces_eV_per_A": atoms.get_forces().tolist()}
    if "potential" in wanted:
        extras["work_functions_eV"] = (calculator.hamiltonian.get_workfunctions(calculator.wfs) * Ha).tolist()
    if "density-of-states" in wanted and "spinpol" not in settings["arguments"]:
        energies_eV = np.array(settings["energies_eV"])
        states = DOSCalculator.from_calculator(calculator)
        extras["dos"] = states.raw_dos(energies_eV, width=DOS_WIDTH_EV).tolist()
        extras["pdos"] = [states.raw_pdos(energies_eV, 0, ell, width=DOS_WIDTH_EV).tolist() for ell in range(3)]
    if world.rank == 0:
        (directory / "extras.json").write_text(json.dumps(extras), encoding="utf-8")


if __name__ == "__main__":
    main()
