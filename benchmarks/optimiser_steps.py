"""Steps of relaxations from the model Hessian against ASE's BFGS as it is: five adsorbates on surfaces, by GPAW.

Small cells and small bases: it is the shape of the surface that counts. Both start from the same geometry and stop at
the same force; the energies where they end are given, as the two may end in different minima.

    python -m benchmarks.optimiser_steps [--small]
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, bcc100, fcc111, molecule
from ase.constraints import FixAtoms
from ase.optimize import BFGS
from gpaw import GPAW, Mixer
from gpaw_data import datapath

from benchmarks.record import Ratio, Record
from workflows.engines.model_hessian import build_model_hessian

FORCE_EV_PER_A, MOST_STEPS = 0.05, 60
HEIGHT_A = 2.2


def put_on(slab: Atoms, adsorbate: Atoms, *, n_fixed: int, tilt: float = 30.0) -> Atoms:
    """An adsorbate above a hollow, a little off and tilted, the lower atoms of the slab held."""
    adsorbate.rotate(tilt, "x")
    add_adsorbate(
        slab, adsorbate, HEIGHT_A, position="hollow" if "hollow" in slab.info["adsorbate_info"]["sites"] else "fcc"
    )
    slab.positions[-len(adsorbate) :, :2] += (0.2, 0.1)
    slab.center(vacuum=5.0, axis=2)
    slab.pbc = (True, True, False)
    slab.set_constraint(FixAtoms(indices=range(n_fixed)))
    return slab


def list_cases() -> dict[str, Callable[[], Atoms]]:
    """What is relaxed, by name."""
    return {
        "LiF on Li(001)": lambda: put_on(bcc100("Li", (2, 2, 2), a=3.44), molecule("LiF"), n_fixed=4),
        "H2O on Li(001)": lambda: put_on(bcc100("Li", (2, 2, 2), a=3.44), molecule("H2O"), n_fixed=4),
        "SO2 on Li(001)": lambda: put_on(bcc100("Li", (2, 2, 2), a=3.44), molecule("SO2"), n_fixed=4),
        "HF on Li(001)": lambda: put_on(bcc100("Li", (2, 2, 2), a=3.44), molecule("HF"), n_fixed=4),
        "CO on Al(111)": lambda: put_on(fcc111("Al", (2, 2, 2), a=4.05), molecule("CO"), n_fixed=4),
    }


def relax(atoms: Atoms, *, guess: bool) -> tuple[int, float, bool]:
    """Steps, final energy in eV, and whether the forces got there."""
    arguments: dict[str, Any] = {
        "mode": "lcao",
        "basis": "szp(dzp)",
        "h": 0.25,
        "occupations": {"name": "fermi-dirac", "width": 0.1},
        "mixer": Mixer(0.1, 5, 50),
        "poissonsolver": {"dipolelayer": "xy"},
        "txt": None,
    }
    atoms.calc = GPAW(**arguments)
    with BFGS(atoms, logfile=None) as optimiser:
        if guess:
            optimiser.H0 = build_model_hessian(atoms)
        converged = optimiser.run(fmax=FORCE_EV_PER_A, steps=MOST_STEPS)
        return int(optimiser.nsteps), float(atoms.get_potential_energy()), bool(converged)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="Steps of relaxations from the model Hessian against plain BFGS.")
    parser.add_argument("--small", action="store_true", help="a trial: one case, nothing kept")
    arguments = parser.parse_args()
    os.environ.setdefault("GPAW_SETUP_PATH", str(datapath()))
    record = Record("optimiser_steps", settings={"force_eV_per_A": FORCE_EV_PER_A, "basis": "szp(dzp)"})
    shares = []
    for name, build in list(list_cases().items())[: 1 if arguments.small else None]:
        plain, guessed = (relax(build(), guess=guess) for guess in (False, True))
        shares.append(guessed[0] / plain[0])
        record.ratios[f"steps, model Hessian / BFGS, {name}"] = Ratio(shares[-1])
        record.figures[f"steps_bfgs_{name}"] = plain[0]
        record.figures[f"steps_model_{name}"] = guessed[0]
        record.figures[f"energy_model_less_bfgs_eV_{name}"] = round(guessed[1] - plain[1], 3)
        print(name, plain, guessed, flush=True)
    record.ratios["steps, model Hessian / BFGS, geometric mean"] = Ratio(float(np.exp(np.mean(np.log(shares)))), "<= 1")
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
