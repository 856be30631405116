"""What is known of the electrons beside the energies: charges, work functions, density differences, states."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.bader import compute_bader_charges
from analysis.density_difference import compute_density_difference, write_cube
from analysis.density_of_states import compute_band_centre, read_density_of_states
from analysis.electron_density import ElectronDensity, read_density
from analysis.results import ResultWarning
from structures.errors import InputError
from workflows.adsorption_sums import FoundEnergies, read_work_function
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.jobs.store import Finished

CUBES_FOLDER = "densities"
# Hirshfeld charges of a true ion are well below the formal ones (LiF: 0.5 e), but far from zero.
SMALLEST_CHARGE_SHARE = 0.25


def analyse_electrons(
    config: TfsiAdsorptionConfig, *, found: FoundEnergies, directory: Path
) -> tuple[dict[str, Any], list[ResultWarning]]:
    """Everything that was asked for, as JSON values, and what went wrong with it."""
    observables: dict[str, Any] = {}
    trouble: list[ResultWarning] = []
    for name, finished in list_named(found).items():
        if "potential" in finished.files:
            try:
                observables.setdefault("work_functions", {})[name] = read_work_function(finished).to_json()
            except InputError as error:
                trouble.append(ResultWarning("amber", f"{name}: no work function: {error}"))
        charges = finished.values.get("analyses", {}).get("hirshfeld")
        if charges is not None:
            observables.setdefault("charges", {})[name] = {"hirshfeld_e": charges["charges_e"]}
        if "bader" in config.analyses and "density" in finished.files:
            bader = compute_bader(read_density(finished.files["density"]))
            observables.setdefault("charges", {}).setdefault(name, {})["bader_e"] = bader
        if "density-of-states" in config.analyses and "density_of_states" in finished.files:
            observables.setdefault("band_centres", {})[name] = compute_d_band(finished)
    for name, kinds in observables.get("charges", {}).items():
        if name in found.searches:
            is_adsorbate = np.asarray(found.searches[name].best.start.atoms.arrays["is_adsorbate"], dtype=bool)
            of_adsorbate = {kind: float(np.asarray(values)[is_adsorbate].sum()) for kind, values in kinds.items()}
            observables.setdefault("adsorbate_charges", {})[name] = of_adsorbate
    trouble += judge_adsorbed_ions(found, charges=observables.get("adsorbate_charges", {}))
    if "density-difference" in config.analyses:
        observables["density_differences"] = compare_densities(found, directory=directory / CUBES_FOLDER)
    return observables, trouble


def judge_adsorbed_ions(found: FoundEnergies, *, charges: Mapping[str, Mapping[str, float]]) -> list[ResultWarning]:
    """Whether an ion that came to a slab with an electron given to it, or taken, is still an ion there."""
    warnings = []
    for steps in found.steps:
        formal = sum(
            -term.number * term.species.charge for step in steps if step.kind == "charging" for term in step.terms
        )
        for term in steps[0].terms:
            charge_e = charges.get(term.name, {}).get("hirshfeld_e")
            if formal and charge_e is not None and charge_e / formal < SMALLEST_CHARGE_SHARE:
                text = (
                    f"{term.name}: the adsorbate has a Hirshfeld charge of {charge_e:+.2f} e, {formal:+d} e as the ion "
                    "that the reaction starts from: it is no ion there, and the reaction is another."
                )
                warnings.append(ResultWarning("red", text))
    return warnings


def list_named(found: FoundEnergies) -> Mapping[str, Finished]:
    """Energies of the answer itself by the name of their term."""
    return {term.name: found.energies[term.name] for steps in found.steps for step in steps for term in step.terms}


def compute_bader(density: ElectronDensity) -> list[float]:
    """Bader charge of each atom, in e."""
    charges = compute_bader_charges(
        density.density_e_per_A3,
        cell_A=density.cell_A,
        numbers=density.numbers,
        positions_A=density.positions_A,
        pbc=density.pbc,
    )
    return [float(value) for value in charges.charges_e]


def compute_d_band(finished: Finished) -> dict[str, Any] | None:
    """Centre of the d band of the transition metals of a structure; None if it has none."""
    states = read_density_of_states(finished.files["density_of_states"])
    atoms = np.flatnonzero([_is_transition_metal(int(number)) for number in states.numbers])
    return None if len(atoms) == 0 else compute_band_centre(states, atoms=atoms, orbital="d").to_json()


def _is_transition_metal(number: int) -> bool:
    return 21 <= number <= 30 or 39 <= number <= 48 or 72 <= number <= 80  # noqa: PLR2004 (Sc–Zn, Y–Cd, Hf–Hg)


def compare_densities(found: FoundEnergies, *, directory: Path) -> dict[str, Any]:
    """How the density of each adsorbed or joined species differs from that of its parts; writes a cube file each."""
    parts: dict[str, list[str]] = {}
    for steps in found.steps:
        for step in steps:
            for term in step.terms:
                if term.frame is not None and step.kind in ("shapes", "joining"):
                    parts.setdefault(term.frame.name, []).append(term.name)
    differences = {}
    for whole, names in parts.items():
        if all("density" in found.energies[name].files for name in (whole, *names)):
            read = {name: read_density(found.energies[name].files["density"]) for name in (whole, *names)}
            difference = compute_density_difference(read[whole], parts=[read[name] for name in names])
            directory.mkdir(parents=True, exist_ok=True)
            file = "".join(letter if letter.isalnum() else "-" for letter in whole) + ".cube"
            write_cube(directory / file, difference)
            differences[whole] = {**difference.to_json(), "file": f"{CUBES_FOLDER}/{file}"}
    return differences
