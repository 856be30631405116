"""Energies of ions, pairs and molecules binding to each other, such as Li⁺ and TFSI⁻ (10.1039/d5ee01219h).

Read the flow from top to bottom: it is the method section.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow as prefect_flow
from prefect.artifacts import create_markdown_artifact

from structures.errors import InputError
from structures.species import Species
from workflows.adsorption_calculation import AdsorptionRun, build_calculation
from workflows.adsorption_cells import (
    build_slab_cell,
    find_relaxation_cell,
    find_relaxation_settings,
    find_slab_settings,
    frame_molecules,
)
from workflows.adsorption_plan import plan as plan  # noqa: PLC0414 (a flow's module offers its plan)
from workflows.adsorption_poses import search_poses, take_best_poses
from workflows.adsorption_results import publish_once, publish_results
from workflows.adsorption_species import build_all_species, list_pairs
from workflows.adsorption_spins import settle_spins
from workflows.adsorption_steps import Wanted, list_all_steps, list_energies
from workflows.adsorption_sums import FoundEnergies
from workflows.adsorption_surfaces import build_reservoirs, list_surfaces
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.flow_run import read_structure_of
from workflows.jobs.durable import read_json, write_json
from workflows.jobs.store import Finished, Store
from workflows.prefect_stage import run_stage

SALT_FILE = "salt.json"


def relax_parts(run: AdsorptionRun, *, species: dict[str, Species]) -> dict[str, Species]:
    """Relax each molecule of more than one atom by itself, in a box of its own, and each slab in its cell.

    A box of its own does not hang on what else is in the run: other runs find the relaxed molecule in the store.
    A real-space grid falsifies forces, since it does not move with the atoms; plane waves do not, and the images and
    the background that they bring hardly bend a molecule. So geometries are found in plane waves, unless the user names
    a cheaper calculator for them.
    """
    if not run.config.geometry.relax:
        return species
    geometry, by, calculations = run.config.geometry, run.while_atoms_move(), {}
    for name, one in species.items():
        if len(one.atoms) == 1 or name in list_pairs(run.config):
            continue
        if one.atoms.pbc.any():
            cell = build_slab_cell(one.atoms)
            changes = find_slab_settings(by.config, name=name, settings=by.settings, species=species)
        else:
            cell = find_relaxation_cell(by.config, settings=by.settings, start={name: one})
            changes = find_relaxation_settings(by.settings)
        calculations[name] = build_calculation(
            by,
            cell.place(one),
            label=f"relax {name}",
            changes=changes,
            force_tolerance_eV_per_A=geometry.force_tolerance_eV_per_A,
            max_steps=geometry.max_steps,
        )
    relaxed = dict(species)
    for name, finished in zip(calculations, run.compute(list(calculations.values())), strict=True):
        run.keep_key(f"relax {name}", finished)
        atoms = read_structure_of(finished, file="structure")
        atoms.pbc = species[name].atoms.pbc
        relaxed[name] = replace(species[name], atoms=atoms, source=f"{species[name].source}, relaxed")
    return relaxed


def compute_energies(run: AdsorptionRun, *, wanted: dict[str, Wanted]) -> dict[str, Finished]:
    """Every energy of every step, for the answer and for each check, by its label."""
    calculations = [
        build_calculation(run, one.species, label=name, changes=one.changes, analyses=one.analyses)
        for name, one in wanted.items()
    ]
    energies = dict(zip(wanted, run.compute(calculations), strict=True))
    for name, finished in energies.items():
        run.keep_key(name, finished)
    return energies


@prefect_flow(name="tfsi-adsorption", retries=0, persist_result=False, validate_parameters=False)
def tfsi_adsorption(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> str:
    """Energies of reactions: build, check, relax, search poses, compute, estimate the numerical error, report.

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
    write_json(run.workdir / SALT_FILE, {"salt": salt})
    found = find_energies(run, run_stage=run_stage)
    answer, report_path = run_stage(publish_once, run, found=found)
    create_markdown_artifact(f"{answer}\n\nReport: {report_path}", key="tfsi-adsorption")
    return str(report_path)


flow = tfsi_adsorption


def find_energies(run: AdsorptionRun, *, run_stage: Callable[..., Any]) -> FoundEnergies:
    """All stages up to the energies; what the store has is not computed again.

    Args:
        run: what all stages share.
        run_stage: calls a stage with its arguments: shown in Prefect, or plainly.
    """
    start = build_all_species(run.config)
    settled, spins = run_stage(settle_spins, run, species=start)
    parts = run_stage(relax_parts, run, species=settled)
    searches = run_stage(search_poses, run, species=parts, start=start)
    species = take_best_poses(run, searches=searches, species=parts)
    framed = frame_molecules(start, species=parts, pairs=list_pairs(run.config))
    for search in searches.values():
        framed |= search.framed
    steps = list_all_steps(run.config, settings=run.settings, species=species, start=framed)
    reservoirs = build_reservoirs(run.config)
    relaxed = run_stage(relax_parts, run, species=reservoirs) if reservoirs else {}
    surfaces = list_surfaces(
        run.config, settings=run.settings, species={**species, **relaxed}, start={**start, **reservoirs}
    )
    wanted = list_energies([*steps, *(one.steps for one in surfaces)])
    energies = run_stage(compute_energies, run, wanted=wanted)
    return FoundEnergies(
        species=species, built=start, spins=spins, searches=searches, steps=steps, energies=energies, surfaces=surfaces
    )


def analyse(config: dict[str, Any], *, workdir: str, store: str) -> str:
    """Results and report again from the stored energies; computes nothing.

    Raises:
        InputError: if the run has not come so far, or a result is gone.
    """
    noted = read_json(Path(workdir) / SALT_FILE)
    if noted is None:
        raise InputError(f"{workdir} has no energies yet. Go on with it: alkaliflow resume {workdir}")
    run = replace(open_run_facts(config, workdir=workdir, store=store, salt=noted["salt"]), is_reading=True)
    found = find_energies(run, run_stage=lambda stage, *parts, **named: stage(*parts, **named))
    return str(publish_results(run, found=found)[1])


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
