"""Energies of ions, pairs and molecules binding to each other, such as Li⁺ and TFSI⁻ (10.1039/d5ee01219h).

Read the flow from top to bottom: it is the method section.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow as prefect_flow
from prefect.artifacts import create_markdown_artifact

from structures.errors import InputError
from structures.species import Species
from workflows.adsorption_plan import plan as plan  # noqa: PLC0414 (a flow's module offers its plan)
from workflows.adsorption_results import publish_results
from workflows.adsorption_species import (
    Variant,
    build_all_species,
    find_box,
    find_fragments,
    find_relaxation_settings,
    list_relaxation_settings,
    list_terms,
    list_variants,
    parse_reactions,
    place,
)
from workflows.calculators.electronic import build_electronic_spec, keep_telling_settings
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.flow_run import FlowRun, read_structure_of
from workflows.jobs.calculation import Calculation
from workflows.jobs.durable import read_json, write_json
from workflows.jobs.store import Finished, Store
from workflows.prefect_stage import run_stage

KEYS_FILE = "keys.json"


class AdsorptionRun(FlowRun[TfsiAdsorptionConfig]):
    """A run of the flow `tfsi-adsorption`."""

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the calculator."""
        return dict(self.calculator.overrides)


def relax_species(run: AdsorptionRun, *, species: dict[str, Species]) -> dict[str, Species]:
    """Relax each species of more than one atom by itself, in the box that all share.

    A real-space grid falsifies forces, since it does not move with the atoms; plane waves do not, and the images and
    the background that they bring hardly bend a molecule. So geometries are found in plane waves.
    """
    if not run.config.geometry.relax:
        return species
    lengths_A = find_box(run.config, species=species, settings=run.settings)
    geometry = run.config.geometry
    wanted = {name: one for name, one in species.items() if len(one.atoms) > 1}
    calculations = [
        build_calculation(
            run,
            with_images(place(one, lengths_A=lengths_A), run=run),
            label=f"relax {name}",
            changes=find_relaxation_settings(run.settings),
            force_tolerance_eV_per_A=geometry.force_tolerance_eV_per_A,
            max_steps=geometry.max_steps,
        )
        for name, one in wanted.items()
    ]
    relaxed = dict(species)
    for name, finished in zip(wanted, run.compute(calculations), strict=True):
        run.keep_key(f"relax {name}", finished)
        relaxed[name] = replace(
            species[name],
            atoms=read_structure_of(finished, file="structure"),
            source=f"{species[name].source}, relaxed",
        )
    return relaxed


def with_images(one: Species, *, run: AdsorptionRun) -> Species:
    """The species with periodic images, where it is relaxed in plane waves."""
    if not find_relaxation_settings(run.settings):
        return one
    atoms = one.atoms.copy()
    atoms.pbc = True
    return replace(one, atoms=atoms)


def compute_energies(run: AdsorptionRun, *, species: dict[str, Species]) -> dict[str, dict[str, str]]:
    """Energies of all terms in one box on one grid, for the answer and for each check; gives variant → term → key."""
    terms = list_terms(parse_reactions(run.config), species=species)
    variants, _ = list_variants(run.config, settings=run.settings)
    wanted = []
    for variant in variants:
        lengths_A = find_box(run.config, species=species, settings=run.settings, less_vacuum_A=variant.less_vacuum_A)
        wanted += [(variant, name, term.place(lengths_A=lengths_A)) for name, term in terms.items()]
    calculations = [
        build_calculation(run, placed, label=label(name, variant=variant), changes=variant.settings)
        for variant, name, placed in wanted
    ]
    keys: dict[str, dict[str, str]] = {variant.name: {} for variant in variants}
    for (variant, name, _), finished in zip(wanted, run.compute(calculations), strict=True):
        keys[variant.name][name] = finished.key
        run.keep_key(label(name, variant=variant), finished)
    return keys


def compute_deformations(
    run: AdsorptionRun, *, species: dict[str, Species], relaxed: dict[str, Species]
) -> dict[str, dict[str, str]]:
    """What it costs to bend reactants into the shape that they have in the product, by the method of relaxations.

    Both shapes have one charge and one box, so that images and background cancel.

    Returns:
        "bent", "relaxed" and, with a worse numerical parameter, "bent, check" and "relaxed, check" → term → key.
    """
    lengths_A = find_box(run.config, species=species, settings=run.settings)
    pairs: dict[str, tuple[Species, Species]] = {}
    for reaction in parse_reactions(run.config):
        for fragment in find_fragments(reaction, species=relaxed):
            own = relaxed[fragment.reactant]
            if len(own.atoms) > 1:
                bent = replace(own, atoms=relaxed[fragment.product].atoms[fragment.part])
                pairs[fragment.name] = bent, own
    wanted = [
        (f"{shape}{check}", name, one, changes)
        for check, changes in list_relaxation_settings(run.config, settings=run.settings).items()
        for name, both in pairs.items()
        for shape, one in zip(("bent", "relaxed"), both, strict=True)
    ]
    calculations = [
        build_calculation(
            run, with_images(place(one, lengths_A=lengths_A), run=run), label=f"{name}, {kind}", changes=changes
        )
        for kind, name, one, changes in wanted
    ]
    keys: dict[str, dict[str, str]] = {}
    for (kind, name, _, _), finished in zip(wanted, run.compute(calculations), strict=True):
        keys.setdefault(kind, {})[name] = finished.key
        run.keep_key(f"{name}, {kind}", finished)
    return keys


@prefect_flow(name="tfsi-adsorption", retries=0, persist_result=False, validate_parameters=False)
def tfsi_adsorption(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> str:
    """Energies of reactions: build, check, relax, compute, estimate the numerical error, report.

    Args:
        config: as a TfsiAdsorptionConfig dumps it.
        workdir: the run's directory; results and report go there.
        store: where calculations are and stay.
        cores: cores that may be busy at a time; None as configured.
        salt: sets a recomputation apart from equal runs.

    Returns:
        Path of the report.
    """
    run = open_run_facts(config, workdir=workdir, store=store, cores=cores, salt=salt)
    species = build_all_species(run.config)
    relaxed = run_stage(relax_species, run, species=species)
    energies = run_stage(compute_energies, run, species=relaxed)
    deformations = run_stage(compute_deformations, run, species=species, relaxed=relaxed)
    write_json(Path(workdir) / KEYS_FILE, {"energies": energies, "deformations": deformations, "all": run.keys})
    answer, report_path = run_stage(publish, run, energies=energies, deformations=deformations)
    create_markdown_artifact(f"{answer}\n\nReport: {report_path}", key="tfsi-adsorption")
    return str(report_path)


flow = tfsi_adsorption


def analyse(config: dict[str, Any], *, workdir: str, store: str) -> str:
    """Results and report again from the stored energies; computes nothing.

    Raises:
        InputError: if the run has not come so far, or a result is gone.
    """
    keys = read_json(Path(workdir) / KEYS_FILE)
    if keys is None:
        raise InputError(f"{workdir} has no finished energies yet. Go on with it: alkaliflow resume {workdir}")
    run = open_run_facts(config, workdir=workdir, store=store)
    run.keys.update(keys["all"])
    _, report_path = publish(run, energies=keys["energies"], deformations=keys["deformations"])
    return str(report_path)


def publish(
    run: AdsorptionRun, *, energies: dict[str, dict[str, str]], deformations: dict[str, dict[str, str]]
) -> tuple[str, Path]:
    """Sum up, and write results, tables and report."""

    def read_all(keys: dict[str, dict[str, str]]) -> dict[str, dict[str, Finished]]:
        return {group: {name: run.finished(key) for name, key in of.items()} for group, of in keys.items()}

    return publish_results(
        run.config,
        settings=run.settings,
        energies=read_all(energies),
        deformations=read_all(deformations),
        keys=run.keys,
        workdir=run.workdir,
        catalogue_directory=run.store.root / "catalogue",
    )


def open_run_facts(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> AdsorptionRun:
    """What all stages of a run share."""
    resolved = TfsiAdsorptionConfig.model_validate(config, strict=False)
    Path(workdir).mkdir(parents=True, exist_ok=True)
    section = resolved.calculator
    return AdsorptionRun(
        config=resolved,
        workdir=Path(workdir),
        store=Store(Path(store)),
        calculator=build_electronic_spec(section.name, protocol=section.protocol, overrides=section.overrides),
        cores=cores,
        salt=salt,
    )


def build_calculation(
    run: AdsorptionRun,
    one: Species,
    *,
    label: str,
    changes: Mapping[str, Any],
    **settings: Any,  # noqa: ANN401 (settings of the recipe)
) -> Calculation:
    """The energy of one species as a calculation, some settings of the calculator changed."""
    spec = replace(run.calculator, overrides=keep_telling_settings(run.settings | dict(changes)))
    return Calculation(
        "electronic_energy",
        structure=one.atoms,
        calculator=spec,
        settings=settings,
        charge=one.charge,
        multiplicity=one.multiplicity,
        label=label,
        **run.layout,
    )


def label(name: str, *, variant: Variant) -> str:
    """Name of an energy for people."""
    return f"{name}, {variant.name} check" if variant.name else name
