"""Spin arrangements of open-shell species: each is computed, the lowest kept, all reported."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from structures.errors import ConvergenceError, InputError
from structures.species import Species, has_antiparallel_moments
from workflows.adsorption_calculation import AdsorptionRun, build_calculation
from workflows.adsorption_cells import find_relaxation_cell, find_relaxation_settings
from workflows.jobs.store import Failed

_KNOW_MOMENTS = ("gpaw", "cp2k", "pyscf")


@dataclass(frozen=True)
class SpinSearch:
    """Energies of a species from several starting moments.

    Attributes:
        name: of the species.
        energies_eV: of each arrangement; None if its SCF failed.
        spins: of each atom in the end, by arrangement.
        best: the lowest.
        keys: arrangement → key.
    """

    name: str
    energies_eV: Mapping[str, float | None]
    spins: Mapping[str, list[float] | None]
    best: str
    keys: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`; energies above the lowest."""
        lowest = self.energies_eV[self.best] or 0.0
        return {
            "best": self.best,
            "arrangements": {
                name: {
                    "above_lowest_eV": None if energy is None else energy - lowest,
                    "spins": self.spins[name],
                    "key": self.keys[name],
                }
                for name, energy in self.energies_eV.items()
            },
        }


def start_with(one: Species, *, arrangement: str) -> Species:
    """The species with the moments of an arrangement to start from."""
    atoms = one.atoms.copy()
    atoms.set_initial_magnetic_moments(one.starting_moments[arrangement])
    return replace(one, atoms=atoms)


def settle_spins(
    run: AdsorptionRun, *, species: Mapping[str, Species]
) -> tuple[dict[str, Species], dict[str, SpinSearch]]:
    """Give each species with starting moments those that lead to the lowest energy.

    Raises:
        InputError: if the code cannot start from moments.
        ConvergenceError: if no arrangement of a species converges.
    """
    check_moments_possible(run.config.calculator.name, species=species)
    settled = dict(species)
    several = {}
    for name, one in species.items():
        if one.starting_moments:
            settled[name] = start_with(one, arrangement=next(iter(one.starting_moments)))
        if len(one.starting_moments) > 1:
            several[name] = one
    searches = {name: compare_arrangements(run, one) for name, one in several.items()}
    for name, search in searches.items():
        settled[name] = start_with(species[name], arrangement=search.best)
    return settled, searches


def check_moments_possible(code: str, *, species: Mapping[str, Species]) -> None:
    """Check that the code can start from the moments of every species.

    Raises:
        InputError: if moments of both signs are needed, and the code does not take them.
    """
    for name, one in species.items():
        options = [*one.starting_moments.values(), one.atoms.get_initial_magnetic_moments()]
        both = [moments for moments in options if has_antiparallel_moments(moments)]
        if both and code not in _KNOW_MOMENTS:
            parallel = 1 + round(float(np.abs(both[0]).sum()))
            raise InputError(
                f"{name} has antiparallel spins, which calculator {code} cannot start from here. Set calculator.name: "
                f"{', '.join(_KNOW_MOMENTS[:-1])} or {_KNOW_MOMENTS[-1]}, or have the spins parallel: "
                f"species.{name}.multiplicity: {parallel}."
            )


def compare_arrangements(run: AdsorptionRun, one: Species) -> SpinSearch:
    """Energies of the arrangements, by the method of relaxations, in a box of the species' own."""
    cell = find_relaxation_cell(run.config, settings=run.settings, start={one.name: one})
    changes = find_relaxation_settings(run.settings)
    calculations = [
        build_calculation(
            run,
            cell.place(start_with(one, arrangement=name)),
            label=f"{one.name}, spins {name}",
            changes=changes,
            forces=False,
        )
        for name in one.starting_moments
    ]
    outcomes = dict(zip(one.starting_moments, run.try_each(calculations), strict=True))
    values = {name: None if isinstance(found, Failed) else found.values for name, found in outcomes.items()}
    energies = {name: None if of is None else float(of["energy_eV"]) for name, of in values.items()}
    known = {name: energy for name, energy in energies.items() if energy is not None}
    if not known:
        first = next(found.reason for found in outcomes.values() if isinstance(found, Failed))
        raise ConvergenceError(f"{one.name}: none of its spin arrangements converged. The first: {first}")
    return SpinSearch(
        one.name,
        energies,
        spins={name: None if of is None else of["spins"] for name, of in values.items()},
        best=min(known, key=known.__getitem__),
        keys={name: found.key for name, found in outcomes.items()},
    )
