"""Results and report of the flow `tfsi-adsorption`, from the energies in the store."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analysis.reaction_energy import (
    RESOLVED_EV,
    NumericalError,
    ReactionEnergy,
    SpeciesEnergy,
    build_reaction_energy,
    check_one_method,
)
from analysis.report import write_report
from analysis.results import Provenance, Results, ResultWarning, build_json_value, write_results
from analysis.tables import write_tables
from structures.reaction import Reaction
from structures.species import ELECTRON, Species
from workflows import catalogue
from workflows.adsorption_species import (
    Fragment,
    build_all_species,
    find_fragments,
    is_shipped,
    list_terms,
    list_variants,
    parse_reactions,
)
from workflows.configuration.resolve import find_structure_files
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.flow_run import read_structure_of
from workflows.jobs.durable import compute_sha256
from workflows.jobs.store import Finished
from workflows.jobs.worker import collect_versions
from workflows.references import collect_electronic_references

# Hirshfeld charges of a true ion pair are well below the formal ones (LiF: 0.5 e), but far from zero.
SMALLEST_CHARGE_SHARE = 0.25
LARGEST_FORCE_EV_PER_A = 0.1
SMALLEST_GAP_EV = 0.3

Energies = Mapping[str, Mapping[str, Finished]]


def publish_results(
    config: TfsiAdsorptionConfig,
    *,
    settings: Mapping[str, Any],
    energies: Energies,
    deformations: Energies,
    keys: Mapping[str, str],
    workdir: Path,
    catalogue_directory: Path,
) -> tuple[str, Path]:
    """Sum up, and write results, tables, catalogue row and report.

    Args:
        config: of the run.
        settings: of the calculator, all of them.
        energies: variant → species → result; the variant "" is the answer.
        deformations: "bent" and "relaxed" → fragment → result.
        keys: what was computed, by a name for people, to key.
        workdir: the run's directory.
        catalogue_directory: the catalogue's folder.

    Returns:
        The answer in one sentence, and the path of the report.
    """
    species = build_all_species(config)
    reactions = sum_up(config, settings=settings, species=species, energies=energies, deformations=deformations)
    base = energies[""]
    observables = build_observables(config, reactions, species=species, base=base, deformations=deformations)
    results = Results(
        flow="tfsi-adsorption",
        status="completed",
        config=config.model_dump(mode="json"),
        system={"method": dict(next(iter(base.values())).values["method"])},
        observables=build_json_value(observables),
        warnings=tuple(
            collect_warnings(
                config,
                settings=settings,
                reactions=reactions,
                energies=energies,
                deformations=deformations,
                species=species,
            )
        ),
        references=collect_electronic_references(config.calculator.name, dispersion=str(settings["dispersion"])),
        provenance=describe_provenance(config, keys=keys, energies=energies),
        methods=describe_methods(config, settings=settings, reactions=reactions),
    )
    results_path = write_results(results, directory=workdir)
    write_tables(results, directory=workdir)
    largest = max(base.values(), key=lambda one: one.values["n_atoms"])
    structure = read_structure_of(largest, file="structure")
    catalogue.record(results, structure=structure, results_path=results_path, directory=catalogue_directory)
    return str(observables["answer"]), write_report(results, viewer=None, directory=workdir)


def build_observables(
    config: TfsiAdsorptionConfig,
    reactions: Sequence[ReactionEnergy],
    *,
    species: Mapping[str, Species],
    base: Mapping[str, Finished],
    deformations: Energies,
) -> dict[str, Any]:
    """The observables of `results.json`."""
    terms = list_terms(parse_reactions(config), species=species)
    return {
        "answer": ". ".join(reaction.sentence for reaction in reactions) + ".",
        "reactions": {
            found.reaction: describe_reaction(found, reaction=reaction, species=species, base=base, bent=deformations)
            for found, reaction in zip(reactions, parse_reactions(config), strict=True)
        },
        "species": {
            name: describe_species(terms[name].species, finished=one, relaxed=config.geometry.relax)
            for name, one in base.items()
        },
    }


def sum_up(
    config: TfsiAdsorptionConfig,
    *,
    settings: Mapping[str, Any],
    species: Mapping[str, Species],
    energies: Energies,
    deformations: Energies,
) -> list[ReactionEnergy]:
    """The energy of each reaction, with its numerical error.

    Where reactants join, ΔE is the energy of joining in the shapes of the product, plus what it costs to bend the
    reactants into them.
    """
    variants, unchecked = list_variants(config, settings=dict(settings))
    terms = {group: {name: read_energy(one) for name, one in of.items()} for group, of in energies.items()}
    found = []
    for reaction in parse_reactions(config):
        fragments = find_fragments(reaction, species=species)
        summed = reaction
        if fragments:
            parts = {fragment.name: -1 for fragment in fragments}
            summed = Reaction(reaction.text, {**parts, **reaction.products})
        energy = build_reaction_energy(
            summed,
            energies=terms[""],
            variants=[(variant.name, variant.change, terms[variant.name]) for variant in variants if variant.name],
            unchecked=unchecked,
            electron_eV=config.electron.energy_eV if ELECTRON in reaction.coefficients else None,
            deformation_eV=sum(compute_deformations(fragments, deformations).values()) if fragments else None,
        )
        errors = (*energy.errors, check_deformation(energy, fragments=fragments, deformations=deformations))
        found.append(replace(energy, statement=reaction.statement, errors=tuple(filter(None, errors))))
    return found


def check_deformation(
    energy: ReactionEnergy, *, fragments: Sequence[Fragment], deformations: Energies
) -> NumericalError | None:
    """How the answer moves with what bending costs, if that was checked."""
    worse = compute_deformations(fragments, deformations, check=", check")
    if not worse:
        return None
    shift_eV = sum(worse.values()) - (energy.deformation_eV or 0.0)
    change = "deformation energies with a worse basis or grid"
    return NumericalError("deformation", change, energy.energy_eV + shift_eV, shift_eV)


def compute_deformations(fragments: Sequence[Fragment], deformations: Energies, *, check: str = "") -> dict[str, float]:
    """What it costs to bend each fragment of more than one atom, in eV.

    Raises:
        InputError: if its two shapes were computed by different methods.
    """
    costs = {}
    for fragment in fragments:
        if fragment.name in deformations.get(f"bent{check}", {}):
            bent, own = (read_energy(deformations[f"{kind}{check}"][fragment.name]) for kind in ("bent", "relaxed"))
            check_one_method({"the bent shape": bent.method, "its own": own.method}, reaction=fragment.name)
            costs[fragment.name] = bent.energy_eV - own.energy_eV
    return costs


def read_energy(finished: Finished) -> SpeciesEnergy:
    """What a sum needs of a stored energy."""
    values = finished.values
    return SpeciesEnergy(values["energy_eV"], method=values["method"], dispersion_eV=values["dispersion_eV"])


def describe_reaction(
    found: ReactionEnergy,
    *,
    reaction: Reaction,
    species: Mapping[str, Species],
    base: Mapping[str, Finished],
    bent: Energies,
) -> dict[str, Any]:
    """A reaction's energy and its parts, as JSON values."""
    document: dict[str, Any] = {
        "label": found.reaction,
        "energy": build_quantity(
            found.energy_eV, unit="eV", uncertainty=found.uncertainty_eV, verdict=found.verdict, method=found.statement
        ),
        **{key: value for key, value in found.to_json().items() if key not in ("energy_eV", "uncertainty_eV")},
    }
    if found.dispersion_eV is not None:
        document["dispersion"] = build_quantity(found.dispersion_eV, unit="eV", method="part of ΔE from D3")
    fragments = find_fragments(reaction, species=species)
    for name, cost_eV in compute_deformations(fragments, bent).items():
        words = f"E({name}) − E(alone), both by the method of relaxations; part of ΔE"
        document.setdefault("deformation", {})[name] = build_quantity(cost_eV, unit="eV", method=words)
    for fragment in fragments:
        charges, formal = base[fragment.product].values["charges_e"], species[fragment.reactant].charge
        if charges is not None:
            total_e = float(np.sum(charges[fragment.part]))
            words = f"sum of Hirshfeld charges; {formal:+d} e when alone"
            document.setdefault("charge", {})[fragment.name] = build_quantity(total_e, unit="e", method=words)
    return document


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


def describe_species(one: Species, *, finished: Finished, relaxed: bool) -> dict[str, Any]:
    """What was computed for a species, as JSON values."""
    values = finished.values
    return {
        "label": one.name,
        "formula": one.atoms.symbols.formula.format("metal"),
        "charge": one.charge,
        "multiplicity": one.multiplicity,
        "n_electrons": one.n_electrons,
        "geometry": f"{one.source}, relaxed" if relaxed and len(one.atoms) > 1 else one.source,
        "energy_eV": values["energy_eV"],
        "gap_eV": values["gap_eV"],
        "largest_force_eV_per_A": values.get("largest_force_eV_per_A"),
        "net_force_eV_per_A": values.get("net_force_eV_per_A"),
        "n_scf": values["n_scf"],
        "helped": values["helped"],
    }


def collect_warnings(
    config: TfsiAdsorptionConfig,
    *,
    settings: Mapping[str, Any],
    reactions: list[ReactionEnergy],
    energies: Energies,
    deformations: Energies,
    species: Mapping[str, Species],
) -> list[ResultWarning]:
    """What a reader must know before using a number."""
    found = []
    for reaction in reactions:
        uncertainty = reaction.uncertainty_eV
        if uncertainty is None or uncertainty > RESOLVED_EV:
            found.append(ResultWarning("amber", f"{reaction.reaction}: {reaction.verdict}."))
    if settings.get("mode") == "lcao":
        text = "Atomic orbitals bind too strongly by tenths of an eV, and no counterpoise correction is made."
        found.append(ResultWarning("amber", text))
    terms = list_terms(parse_reactions(config), species=species)
    joined = {term.frame.name for term in terms.values() if term.frame is not None}
    alone = {name: one for name, one in energies[""].items() if terms[name].frame is None and name not in joined}
    shapes = {name.split(" in ", maxsplit=1)[0]: one for name, one in deformations.get("relaxed", {}).items()}
    found += [warning for name, one in (alone | shapes).items() for warning in judge_forces(config, name, finished=one)]
    for name, one in energies[""].items():
        values, gap_eV = one.values, one.values["gap_eV"]
        if values["helped"]:
            found.append(ResultWarning("amber", f"{name}: its SCF converged only with {values['helped']}."))
        if gap_eV is not None and gap_eV < SMALLEST_GAP_EV and terms[name].species.multiplicity == 1:
            text = f"{name}: the gap is {gap_eV:.2f} eV, so that the closed shell may not be its ground state."
            found.append(ResultWarning("amber", text))
    return found + judge_charges(config, energies=energies, species=species)


def judge_forces(config: TfsiAdsorptionConfig, name: str, *, finished: Finished) -> list[ResultWarning]:
    """Whether a species stands where its energy is lowest, or on a grid that is too coarse to tell."""
    force, net = (finished.values.get(f"{kind}_force_eV_per_A") or 0.0 for kind in ("largest", "net"))
    if net > LARGEST_FORCE_EV_PER_A:
        is_in_plane_waves = finished.values["method"].get("mode") == "pw"
        finer = f"calculator.overrides.{'cutoff_eV higher' if is_in_plane_waves else 'spacing_A lower'}"
        text = (
            f"{name}: its forces add up to {net:.2f} eV/Å in place of zero: the grid is too coarse for forces, and the "
            f"energy has an error of the same origin, which the checks estimate. Set {finer}."
        )
        return [ResultWarning("amber", text)]
    if force <= LARGEST_FORCE_EV_PER_A:
        return []
    where = "at the shipped geometry" if is_shipped(name, config=config) else "at the geometry given"
    relax = "" if config.geometry.relax else " Relax it: geometry.relax: true."
    text = f"{name}: forces of up to {force:.2f} eV/Å remain {where}, limit {LARGEST_FORCE_EV_PER_A}.{relax}"
    return [ResultWarning("amber", text)]


def judge_charges(
    config: TfsiAdsorptionConfig, *, energies: Energies, species: Mapping[str, Species]
) -> list[ResultWarning]:
    """Whether ions are still ions in the product: "TFSI-" that is TFSI would be another reaction."""
    found = []
    for reaction in parse_reactions(config):
        for fragment in find_fragments(reaction, species=species):
            charges = energies[""][fragment.product].values["charges_e"]
            formal = species[fragment.reactant].charge
            if charges is None or formal == 0:
                continue
            charge = float(np.sum(charges[fragment.part]))
            if charge / formal < SMALLEST_CHARGE_SHARE:
                text = (
                    f"{fragment.reactant} has a Hirshfeld charge of {charge:+.2f} e in {fragment.product}, "
                    f"{formal:+d} e when alone: it has lost its charge, and the reaction is another."
                )
                found.append(ResultWarning("red", text))
    return found


def describe_methods(
    config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any], reactions: list[ReactionEnergy]
) -> tuple[str, ...]:
    """Paragraphs for a method section."""
    if config.calculator.name == "gpaw":
        expansion = {
            "fd": f"on a real-space grid with a spacing of {settings['spacing_A']:g} Å",
            "pw": f"in plane waves up to {settings['cutoff_eV']:g} eV",
            "lcao": f"in atomic orbitals ({settings['basis']}) with a grid spacing of {settings['spacing_A']:g} Å",
        }[str(settings["mode"])]
        how = (
            f"Energies were computed with the projector augmented-wave method as implemented in GPAW, {expansion}. All "
            f"species were put in the middle of one box with open boundaries, at least {config.geometry.vacuum_A:g} Å "
            "from its walls; the monopole, dipole and quadrupole of the density were taken out of the Poisson equation "
            "and added back in closed form."
        )
    else:
        how = f"Energies were computed with Gaussian basis sets ({settings['basis']}) as implemented in PySCF."
    dispersion = {"none": "No dispersion correction was added", "d3zero": "D3 dispersion with zero damping was added"}
    d3 = dispersion.get(str(settings["dispersion"]), "D3 dispersion with Becke-Johnson damping was added")
    in_plane_waves = f"in plane waves up to {settings.get('cutoff_eV', 0):g} eV in the same box, with periodic images,"
    where = in_plane_waves if settings.get("mode") == "fd" else "with the same method"
    geometry = (
        f"Each species was relaxed {where} until forces were below {config.geometry.force_tolerance_eV_per_A:g} eV/Å"
        if config.geometry.relax
        else "Geometries were taken as given"
    )
    joining = (
        "Where reactants join to one product, they were computed where they lie in it, so that the error of the grid "
        "cancels, and what it costs to bend them into that shape was computed by the method of relaxations. "
    )
    error = joining + (
        "The numerical error is the sum of the sizes of the shifts of ΔE when each numerical parameter is made worse "
        "in turn; the error of the functional, zero-point energies and entropies are not in it."
    )
    sums = " ".join(f"{reaction.statement}." for reaction in reactions)
    return (f"{how} The functional was {settings['xc']}. {d3}. {geometry}.", f"{sums} {error}")


def describe_provenance(config: TfsiAdsorptionConfig, *, keys: Mapping[str, str], energies: Energies) -> Provenance:
    """Where the numbers come from."""
    first = next(iter(energies[""].values()))
    method = first.values["method"]
    files = {Path(path).name: compute_sha256(path) for path in find_structure_files(config).values()}
    walls = {
        f"{name}, {group} check" if group else name: one.wall_time_s
        for group, of in energies.items()
        for name, one in of.items()
    }
    return Provenance(
        versions=collect_versions() | {str(method["code"]): str(method["version"])},
        checksums=files,
        keys=dict(keys),
        wall_times_s=walls,
        machine={"host": platform.node(), "cores": os.cpu_count()},
        command="alkaliflow run tfsi-adsorption config.yaml",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
