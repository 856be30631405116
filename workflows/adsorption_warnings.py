"""What a reader must know before using a number of the flow `tfsi-adsorption`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.bonds import compare_bonds
from analysis.reaction_energy import RESOLVED_EV, ReactionEnergy
from analysis.results import ResultWarning
from structures.reaction import Reaction
from structures.species import ELECTRON
from workflows.adsorption_analyses import SMALLEST_CHARGE_SHARE
from workflows.adsorption_poses import PoseSearch
from workflows.adsorption_species import is_shipped, parse_reactions
from workflows.adsorption_steps import Step, find_fragments
from workflows.adsorption_sums import FoundEnergies
from workflows.configuration.tfsi_adsorption import ON, TfsiAdsorptionConfig
from workflows.jobs.store import Finished

LARGEST_FORCE_EV_PER_A = 0.1
SMALLEST_GAP_EV = 0.3
LARGEST_MOMENT_ERROR = 0.1


def collect_warnings(
    config: TfsiAdsorptionConfig,
    *,
    settings: Mapping[str, Any],
    reactions: Sequence[ReactionEnergy],
    found: FoundEnergies,
) -> list[ResultWarning]:
    """Everything that speaks against the numbers of a run."""
    warnings = []
    for reaction in reactions:
        uncertainty = reaction.uncertainty_eV
        if uncertainty is None or uncertainty > RESOLVED_EV:
            warnings.append(ResultWarning("amber", f"{reaction.reaction}: {reaction.verdict}."))
    if settings.get("mode") == "lcao":
        text = (
            "Atomic orbitals: what parts gain from each other's orbitals is taken out (counterpoise), what the basis "
            "lacks is not; that may be tenths of an eV."
        )
        warnings.append(ResultWarning("amber", text))
    if "-SR-" in str(settings.get("basis")):
        text = (
            "Short-ranged Gaussians hold too little of an anion and of a lone atom: LiF binds 0.55 eV too strongly, "
            "H is 0.9 eV too high (DZVP); no counterpoise correction is made."
        )
        warnings.append(ResultWarning("amber", text))
    if config.calculator.name == "xtb":
        text = "Tight binding is for geometries: Li+ + TFSI- -> LiTFSI comes out 1.7 eV too low (GFN2-xTB)."
        warnings.append(ResultWarning("red", text))
    for search in found.searches.values():
        warnings += judge_search(search)
    warnings += judge_relaxations(found)
    for written, steps in zip(parse_reactions(config), found.steps, strict=True):
        warnings += judge_sum(written, steps=steps, settings=settings)
    for name, one in list_geometries(found).items():
        warnings += judge_forces(config, name, finished=one)
    warnings += judge_states(found)
    return warnings + judge_charges(config, found=found)


def list_geometries(found: FoundEnergies) -> dict[str, Finished]:
    """The energy that tells of the forces at each geometry: by the method of relaxations, where there is one."""
    steps = [step for group in found.steps for step in group]
    joined = {term.frame.name for step in steps for term in step.terms if term.frame is not None}
    kinds = ("sum", "adsorption", "joining")
    alone = {
        term.name: found.energies[term.name]
        for step in steps
        if step.kind in kinds
        for term in step.terms
        if term.frame is None and (step.kind != "joining" or term.name not in joined)
    }
    shapes = {
        term.species.name: found.energies[term.name]
        for step in steps
        if step.kind == "deformation"
        for term in step.terms
        if term.name.endswith(", relaxed")
    }
    return alone | shapes


def judge_search(search: PoseSearch) -> list[ResultWarning]:
    """What became of the poses of an adsorbate."""
    warnings = []
    best, full = search.best, [pose for pose in search.poses if pose.energy_eV is not None]
    if best.state is not None and best.state.state != "adsorbed":
        text = f"{search.name}: no pose stayed adsorbed; the lowest {best.state.state}: {best.state.reason}."
        warnings.append(ResultWarning("red", text))
    lost = [pose for pose in full if pose.state is not None and pose.state.state != "adsorbed" and pose is not best]
    for pose in lost:
        text = f"{search.name}, {pose.name}: {pose.state.state if pose.state else ''}; it is not averaged with others."
        lower = best.energy_eV is not None and pose.energy_eV is not None and pose.energy_eV < best.energy_eV
        warnings.append(ResultWarning("red" if lower else "amber", f"{text}{' It is lower.' if lower else ''}"))
    unrelaxed = [pose.name for pose in full if pose.is_relaxed is False]
    if unrelaxed:
        text = (
            f"{search.name}: the relaxation of {', '.join(unrelaxed)} ran out of steps. Set geometry.max_steps higher."
        )
        warnings.append(ResultWarning("amber", text))
    failed = [pose for pose in search.poses if pose.trouble]
    if failed:
        text = f"{search.name}: {len(failed)} of {len(search.poses)} poses failed; the first: {failed[0].trouble}"
        warnings.append(ResultWarning("amber", text))
    return warnings


def judge_relaxations(found: FoundEnergies) -> list[ResultWarning]:
    """Molecules that fell apart while they relaxed: their energy is that of something else."""
    warnings = []
    for name, before in found.built.items():
        after = found.species[name].atoms
        if ON in name or before.atoms.pbc.any() or len(after) == 1:
            continue
        broken = [one.sentence for one in compare_bonds(before.atoms, after).broken]
        if broken:
            text = f"{name} fell apart while it was relaxed ({', '.join(broken)}): its energy is that of its pieces."
            warnings.append(ResultWarning("red", text))
    return warnings


def judge_sum(reaction: Reaction, *, steps: Sequence[Step], settings: Mapping[str, Any]) -> list[ResultWarning]:
    """Species that may have joined, of which the parts were not found in the whole."""
    sides = (reaction.products, reaction.reactants)
    joins = any(list(one.values()) == [1] and sum(other.values()) > 1 for one, other in (sides, sides[::-1]))
    if steps[0].kind != "sum" or not joins or ELECTRON in reaction.coefficients:
        return []
    lost = "no counterpoise correction was made" if settings.get("mode", "lcao") == "lcao" else "the grid's error stays"
    text = (
        f"{reaction.text}: parts were not found in the whole, so this is a plain sum, and {lost}. Put the atoms of "
        "each part one after the other, in the order of its own file."
    )
    return [ResultWarning("amber", text)]


def judge_forces(config: TfsiAdsorptionConfig, name: str, *, finished: Finished) -> list[ResultWarning]:
    """Whether a species stands where its energy is lowest, or on a grid that is too coarse to tell."""
    force, net = (finished.values.get(f"{kind}_force_eV_per_A") or 0.0 for kind in ("largest", "net"))
    if net > LARGEST_FORCE_EV_PER_A:
        method = finished.values["method"]
        parameter = "cutoff_eV higher" if method.get("mode") == "pw" else "spacing_A lower"
        finer = f"calculator.overrides.{'density_cutoff_Ry higher' if method['code'] == 'cp2k' else parameter}"
        text = (
            f"{name}: its forces add up to {net:.2f} eV/Å in place of zero: the grid is too coarse for forces, and the "
            f"energy has an error of the same origin, which the checks estimate. Set {finer}."
        )
        return [ResultWarning("amber", text)]
    if force <= LARGEST_FORCE_EV_PER_A:
        return []
    where = "at the shipped geometry" if is_shipped(name, config=config) else "at the geometry given"
    relax = "" if config.geometry.relax else " Relax it: geometry.relax: true."
    by = config.geometry.calculator
    if config.geometry.relax and by is not None:
        where = f"where it was relaxed by {by.name} ({by.protocol})"
        relax = " To relax it by the method of the energies: geometry.calculator: null."
    text = f"{name}: forces of up to {force:.2f} eV/Å remain {where}, limit {LARGEST_FORCE_EV_PER_A}.{relax}"
    return [ResultWarning("amber", text)]


def judge_states(found: FoundEnergies) -> list[ResultWarning]:
    """Stubborn energies, and molecules whose closed shell may not be their ground state."""
    warnings = []
    terms = {term.name: term for steps in found.all_steps for step in steps for term in step.terms}
    for name, term in terms.items():
        values = found.energies[name].values
        gap_eV = values["gap_eV"]
        if values["helped"]:
            warnings.append(ResultWarning("amber", f"{name}: its SCF converged only with {values['helped']}."))
        moment = values.get("moment")
        is_slab = term.species.atoms.pbc.any()
        asked = term.species.multiplicity - 1
        if moment is not None and not is_slab and abs(abs(moment) - asked) > LARGEST_MOMENT_ERROR:
            text = f"{name}: {moment:.2f} electrons are unpaired in the end, {asked} were asked for."
            warnings.append(ResultWarning("amber", text))
        if gap_eV is not None and gap_eV < SMALLEST_GAP_EV and term.species.multiplicity == 1 and not is_slab:
            text = f"{name}: the gap is {gap_eV:.2f} eV, so that the closed shell may not be its ground state."
            warnings.append(ResultWarning("amber", text))
    return warnings


def judge_charges(config: TfsiAdsorptionConfig, *, found: FoundEnergies) -> list[ResultWarning]:
    """Whether ions are still ions in the product: "TFSI-" that is TFSI would be another reaction."""
    warnings = []
    for reaction in parse_reactions(config):
        for fragment in find_fragments(reaction, species=found.species):
            charges = found.energies[fragment.product].values["charges_e"]
            formal = found.species[fragment.reactant].charge
            if charges is None or formal == 0:
                continue
            charge = float(np.sum(charges[fragment.part]))
            if charge / formal < SMALLEST_CHARGE_SHARE:
                text = (
                    f"{fragment.reactant} has a Hirshfeld charge of {charge:+.2f} e in {fragment.product}, "
                    f"{formal:+d} e when alone: it has lost its charge, and the reaction is another."
                )
                warnings.append(ResultWarning("red", text))
    return warnings
