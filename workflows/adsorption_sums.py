"""From the energies of a run of `tfsi-adsorption` to the energies of its reactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.reaction_energy import Electron, ReactionEnergy, SpeciesEnergy, build_reaction_energy, join_steps
from analysis.work_function import WorkFunction, compute_work_function, read_potential
from structures.errors import InputError
from structures.reaction import Reaction
from structures.species import ELECTRON, Species
from workflows.adsorption_poses import PoseSearch
from workflows.adsorption_species import list_slabs, parse_reactions
from workflows.adsorption_spins import SpinSearch
from workflows.adsorption_steps import Step, label
from workflows.adsorption_surfaces import CleanSurface
from workflows.configuration.tfsi_adsorption import ON, TfsiAdsorptionConfig
from workflows.jobs.store import Finished


@dataclass(frozen=True)
class FoundEnergies:
    """What the stages of a run found.

    Attributes:
        species: all species in the geometries that count.
        spins: name of each species with several spin arrangements → their energies.
        searches: name of each adsorbed species → its poses.
        steps: of each reaction, in their order.
        energies: label → result.
        surfaces: what the surface energies of the clean slabs are made of.
        built: species before relaxation.
    """

    species: Mapping[str, Species]
    spins: Mapping[str, SpinSearch]
    searches: Mapping[str, PoseSearch]
    steps: Sequence[Sequence[Step]]
    energies: Mapping[str, Finished]
    surfaces: Sequence[CleanSurface] = ()
    built: Mapping[str, Species] = field(default_factory=dict)

    @property
    def all_steps(self) -> list[Sequence[Step]]:
        """The steps of the reactions, then those of the surfaces."""
        return [*self.steps, *(one.steps for one in self.surfaces)]


def read_energy(finished: Finished) -> SpeciesEnergy:
    """What a sum needs of a stored energy."""
    values = finished.values
    return SpeciesEnergy(values["energy_eV"], method=values["method"], dispersion_eV=values["dispersion_eV"])


def sum_up(config: TfsiAdsorptionConfig, *, found: FoundEnergies) -> list[ReactionEnergy]:
    """The energy of each reaction, with its numerical error: the sum of its steps.

    Raises:
        InputError: if energies of different methods would be subtracted.
    """
    return [
        join_steps(
            reaction,
            steps={
                step.kind: sum_step(step, reaction=reaction, energies=found.energies) for step in steps if step.counts
            },
            electron=find_electron(config, reaction=reaction, found=found),
        )
        for reaction, steps in zip(parse_reactions(config), found.steps, strict=True)
    ]


def sum_step(step: Step, *, reaction: Reaction, energies: Mapping[str, Finished]) -> ReactionEnergy:
    """The energy of a step, with the shifts of its checks."""
    by_variant = {
        variant.name: {term.name: read_energy(energies[label(term.name, variant=variant)]) for term in step.terms}
        for variant in step.variants
    }
    return build_reaction_energy(
        Reaction(reaction.text, {term.name: term.number for term in step.terms}),
        energies=by_variant[""],
        variants=[(one.name, one.change, by_variant[one.name]) for one in step.checks],
        unchecked=step.unchecked,
    )


def find_electron(config: TfsiAdsorptionConfig, *, reaction: Reaction, found: FoundEnergies) -> Electron | None:
    """Where the electron of a reaction is; None if there is none.

    Raises:
        InputError: if the Fermi level is asked for, and the reaction has no slab, or its work function cannot be told.
    """
    if ELECTRON not in reaction.coefficients:
        return None
    section = config.electron
    if section.energy_eV is None:
        host = find_host(reaction, species=found.species)
        energy_eV = -read_work_function(found.energies[host]).upper_eV
        return Electron(f"Fermi level of {host}", energy_eV, is_computed=True)
    words = {
        "vacuum": "the vacuum level",
        "work-function": "minus the work function given",
        "lithium": f"an electrode at {section.potential_V:g} V against Li/Li⁺",
    }
    return Electron(words[section.reference], section.energy_eV)


def find_host(reaction: Reaction, *, species: Mapping[str, Species]) -> str:
    """The clean slab of a reaction, whose Fermi level its electrons have.

    Raises:
        InputError: if there is none.
    """
    clean = [name for name in list_slabs(reaction.coefficients, species=species) if ON not in name]
    if not clean:
        raise InputError(
            f"electron.reference is fermi-level, but reaction {reaction.text!r} has no clean slab. Set another, e.g. "
            "vacuum."
        )
    return clean[0]


def read_work_function(finished: Finished) -> WorkFunction:
    """Work function from the potential that was stored with the energy of a slab."""
    return compute_work_function(read_potential(finished.files["potential"]))


def build_quantity(
    value: float, *, unit: str, uncertainty: float | None = None, verdict: str = "", method: str = ""
) -> dict[str, Any]:
    """A number as results and report know it; its uncertainty is numerical, not statistical."""
    return {
        "value": value,
        "uncertainty": uncertainty,
        "low": None if uncertainty is None else value - uncertainty,
        "high": None if uncertainty is None else value + uncertainty,
        "unit": unit,
        "method": method,
        "n_independent": None,
        "verdict": verdict,
    }
