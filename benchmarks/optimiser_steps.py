"""Steps of relaxations from the model Hessian against plain BFGS: five molecules on surfaces, by tight binding.

The surfaces are a flake of graphene and a phthalocyanine, their rims held. Tight binding has forces without noise, so
that steps are those of the optimiser. Both start from the same geometry and stop at the same force, where the energy
may be flat and not yet low, and perhaps in different minima. So beside the steps to the end stand the steps after which
the energy is as low as where plain BFGS ended (within 5 meV), and the difference of the last energies.

    python -m benchmarks.optimiser_steps [--small]
"""

import argparse
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import graphene, molecule
from ase.constraints import FixAtoms
from ase.neighborlist import neighbor_list
from ase.optimize import BFGS
from tblite.ase import TBLite

from benchmarks.record import Ratio, Record
from structures.contact_distances import compute_contact_distances
from structures.species import build_species
from workflows.engines.model_hessian import build_model_hessian

FORCE_EV_PER_A, MOST_STEPS = 0.05, 500
LONGEST_STEP_A = 0.2
AS_LOW_EV = 0.005
CARBON_HYDROGEN_A = 1.09
N_FLAKE = 6


@dataclass(frozen=True)
class Case:
    """An adsorbate on a surface.

    Attributes:
        adsorbate: name in alkaliflow or in ASE.
        surface: flake, or a species' name.
        multiplicity: 2 S + 1 of both together.
        charge: of both together, in e.
    """

    adsorbate: str
    surface: str
    multiplicity: int = 1
    charge: int = 0


CASES = (
    Case("H2O", "flake"),
    Case("LiF", "flake"),
    Case("LiTFSI", "flake"),
    Case("TFSI-", "flake", charge=-1),
    Case("TFSI-", "CoPc", multiplicity=2, charge=-1),
)


def build_flake() -> Atoms:
    """A round flake of graphene with hydrogen at its rim, which is held."""
    sheet = graphene(size=(N_FLAKE, N_FLAKE, 1), vacuum=5.0)
    sheet.pbc = False
    middle = sheet.positions.mean(axis=0)
    sheet = sheet[np.linalg.norm(sheet.positions - middle, axis=1) < N_FLAKE]
    while (lonely := np.bincount(neighbor_list("i", sheet, 1.6), minlength=len(sheet)) < 2).any():  # noqa: PLR2004
        sheet = sheet[~lonely]
    first, apart_A = neighbor_list("iD", sheet, 1.6)
    rim = np.flatnonzero(np.bincount(first, minlength=len(sheet)) == 2)  # noqa: PLR2004
    for atom in rim:
        outward = -apart_A[first == atom].sum(axis=0)
        sheet += Atoms("H", [sheet.positions[atom] + outward / np.linalg.norm(outward) * CARBON_HYDROGEN_A])
    sheet.set_constraint(FixAtoms(indices=[*rim, *np.flatnonzero(sheet.numbers == 1)]))
    flake: Atoms = sheet
    return flake


def build_case(case: Case) -> Atoms:
    """The adsorbate above the middle of the surface, turned, at van-der-Waals contact."""
    if case.surface == "flake":
        surface = build_flake()
    else:
        surface = build_species(case.surface).atoms.copy()
        surface.set_constraint(FixAtoms(indices=np.flatnonzero(surface.numbers == 1)))
    guest = molecule(case.adsorbate) if case.adsorbate in ("H2O", "LiF") else build_species(case.adsorbate).atoms.copy()
    guest.rotate(40, (1, 2, 3))
    guest.positions += surface.positions.mean(axis=0) - guest.positions.mean(axis=0) + (0.3, 0.2, 12.0)
    wanted_A = compute_contact_distances(guest.numbers, surface.numbers, distance_scale=1.0)
    while True:
        apart_A = np.linalg.norm(guest.positions[:, None] - surface.positions[None], axis=2)
        if (apart_A - wanted_A).min() < 0.0:
            break
        guest.positions[:, 2] -= 0.05
    both: Atoms = surface + guest
    both.pbc = False
    both.info.clear()
    both.set_initial_magnetic_moments(None)
    return both


def relax(case: Case, *, guess: bool) -> list[float]:
    """Energies from the start to the end, in eV, one a step.

    Raises:
        RuntimeError: if the forces do not get there.
    """
    atoms = build_case(case)
    atoms.calc = TBLite(
        method="GFN2-xTB",
        charge=case.charge,
        multiplicity=case.multiplicity,
        spin_polarization=1.0 if case.multiplicity > 1 else None,
        verbosity=0,
    )
    energies_eV = list[float]()
    with BFGS(atoms, logfile=None, maxstep=LONGEST_STEP_A) as optimiser:
        optimiser.attach(lambda: energies_eV.append(float(atoms.get_potential_energy())))
        if guess:
            optimiser.H0 = build_model_hessian(atoms)
        if not optimiser.run(fmax=FORCE_EV_PER_A, steps=MOST_STEPS):
            raise RuntimeError(f"{case} is not relaxed after {MOST_STEPS} steps")
    return energies_eV


def find_first(energies_eV: list[float], *, below_eV: float) -> int:
    """The first step whose energy is that low; all steps if none is."""
    return next((step for step, energy in enumerate(energies_eV) if energy <= below_eV), len(energies_eV) - 1)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="Steps of relaxations from the model Hessian against plain BFGS.")
    parser.add_argument("--small", action="store_true", help="a trial: one case, nothing kept")
    arguments = parser.parse_args()
    record = Record("optimiser_steps", settings={"force_eV_per_A": FORCE_EV_PER_A, "hamiltonian": "GFN2-xTB"})
    ends, lows = list[float](), list[float]()
    for case in CASES[: 1 if arguments.small else None]:
        plain, guessed = (relax(case, guess=guess) for guess in (False, True))
        name = f"{case.adsorbate} on {case.surface}"
        n_low = find_first(guessed, below_eV=plain[-1] + AS_LOW_EV)
        ends.append((len(guessed) - 1) / (len(plain) - 1))
        lows.append(n_low / find_first(plain, below_eV=plain[-1] + AS_LOW_EV))
        record.figures[f"steps_bfgs_{name}"] = len(plain) - 1
        record.figures[f"steps_model_{name}"] = len(guessed) - 1
        record.figures[f"steps_model_as_low_as_bfgs_{name}"] = n_low
        record.figures[f"energy_model_less_bfgs_eV_{name}"] = round(guessed[-1] - plain[-1], 3)
        print(name, record.figures, flush=True)
    for words, shares in (("to the force", ends), ("to the energy where BFGS ended", lows)):
        mean = float(np.exp(np.mean(np.log(shares))))
        record.ratios[f"steps {words}, model Hessian / BFGS, geometric mean"] = Ratio(mean, "<= 1")
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
