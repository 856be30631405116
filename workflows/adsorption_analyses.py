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
    if "density-difference" in config.analyses:
        observables["density_differences"] = compare_densities(found, directory=directory / CUBES_FOLDER)
    return observables, trouble


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
