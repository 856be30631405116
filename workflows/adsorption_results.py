"""Results and report of the flow `tfsi-adsorption`, from the energies in the store."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import write

from analysis.bonds import compare_bonds
from analysis.reaction_energy import ReactionEnergy
from analysis.report import REPORT_FILE, write_report
from analysis.report.viewer_data import MAX_FRAMES, ViewerCase, ViewerData
from analysis.results import Provenance, Results, build_json_value, read_results, write_results
from analysis.tables import write_tables
from structures.reaction import Reaction
from structures.species import Species
from workflows import catalogue
from workflows.adsorption_analyses import analyse_electrons
from workflows.adsorption_calculation import AdsorptionRun
from workflows.adsorption_methods import describe_methods
from workflows.adsorption_poses import PoseSearch, TriedPose
from workflows.adsorption_species import list_pairs, parse_reactions
from workflows.adsorption_steps import Step, find_fragments
from workflows.adsorption_sums import FoundEnergies, build_quantity, read_energy, sum_up
from workflows.adsorption_surface_sums import sum_up_surfaces
from workflows.adsorption_warnings import collect_warnings
from workflows.configuration.resolve import find_structure_files
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.flow_run import read_structure_of
from workflows.jobs.durable import compute_sha256
from workflows.jobs.worker import collect_versions
from workflows.published import is_published, note_published
from workflows.references import collect_electronic_references

POSES_FOLDER = "poses"


def publish_once(run: AdsorptionRun, *, found: FoundEnergies) -> tuple[str, Path]:
    """As `publish_results`; what the run's directory holds already is not made again."""
    if is_published(run.workdir, made_from=describe_making(run, found=found)):
        return str(read_results(run.workdir).observables["answer"]), run.workdir / REPORT_FILE
    return publish_results(run, found=found)


def describe_making(run: AdsorptionRun, *, found: FoundEnergies) -> dict[str, Any]:
    """All that results and report depend on, but for the code."""
    made_from = {
        "config": run.config.model_dump(mode="json"),
        "structures": {Path(path).name: compute_sha256(path) for path in find_structure_files(run.config).values()},
        "keys": run.keys,
        "poses": {name: [pose.key for pose in search.poses] for name, search in found.searches.items()},
        "versions": collect_versions(),
    }
    plain: dict[str, Any] = build_json_value(made_from)
    return plain


def publish_results(run: AdsorptionRun, *, found: FoundEnergies) -> tuple[str, Path]:
    """Sum up, and write results, tables, structures, catalogue row and report.

    Args:
        run: what all stages share.
        found: species, poses, steps and energies.

    Returns:
        The answer in one sentence, and the path of the report.
    """
    config, settings = run.config, run.settings
    reactions = sum_up(config, found=found)
    electrons, trouble = analyse_electrons(config, found=found, directory=run.workdir)
    surfaces, doubts = sum_up_surfaces(config, surfaces=found.surfaces, energies=found.energies)
    observables = build_observables(config, reactions=reactions, found=found) | electrons
    if surfaces:
        observables["surface_energies"] = surfaces
    results = Results(
        flow="tfsi-adsorption",
        status="completed",
        config=config.model_dump(mode="json"),
        system={"method": dict(find_base(found)[0].values["method"])},
        observables=build_json_value(observables),
        warnings=(*collect_warnings(config, settings=settings, reactions=reactions, found=found), *trouble, *doubts),
        references=collect_electronic_references(config.codes, dispersion=str(settings.get("dispersion"))),
        provenance=describe_provenance(config, keys=run.keys, found=found),
        methods=describe_methods(config, settings=settings, reactions=reactions, found=found),
    )
    write_poses(found.searches, directory=run.workdir / POSES_FOLDER)
    results_path = write_results(results, directory=run.workdir)
    write_tables(results, directory=run.workdir)
    largest = max(find_base(found), key=lambda one: one.values["n_atoms"])
    structure = read_structure_of(largest, file="structure")
    catalogue.record(results, structure=structure, results_path=results_path, directory=run.store.root / "catalogue")
    report = write_report(results, viewer=build_viewer(found), directory=run.workdir)
    note_published(run.workdir, made_from=describe_making(run, found=found))
    return str(observables["answer"]), report


def find_base(found: FoundEnergies) -> list[Any]:
    """Results of the answer itself, without those of the checks."""
    return [found.energies[term.name] for steps in found.steps for term in steps[0].terms]


def build_observables(
    config: TfsiAdsorptionConfig, *, reactions: Sequence[ReactionEnergy], found: FoundEnergies
) -> dict[str, Any]:
    """The observables of `results.json`."""
    groups = zip(reactions, parse_reactions(config), found.steps, strict=True)
    observables: dict[str, Any] = {
        "answer": ". ".join(reaction.sentence for reaction in reactions) + ".",
        "reactions": {
            energy.reaction: describe_reaction(energy, reaction=reaction, steps=steps, found=found)
            for energy, reaction, steps in groups
        },
        "species": {
            term.name: describe_species(term.species, found=found, name=term.name)
            for steps in found.all_steps
            for step in steps
            if step.kind not in ("deformation", "counterpoise")
            for term in step.terms
        },
    }
    if found.spins:
        observables["spin_states"] = {name: search.to_json() for name, search in found.spins.items()}
    if found.searches:
        observables["poses"] = {
            name: describe_search(search, config=config, found=found) for name, search in found.searches.items()
        }
    return observables


def describe_reaction(
    energy: ReactionEnergy, *, reaction: Reaction, steps: Sequence[Step], found: FoundEnergies
) -> dict[str, Any]:
    """A reaction's energy and its parts, as JSON values."""
    document: dict[str, Any] = {
        "label": energy.reaction,
        "energy": build_quantity(
            energy.energy_eV,
            unit="eV",
            uncertainty=energy.uncertainty_eV,
            verdict=energy.verdict,
            method=energy.statement,
        ),
        **{key: value for key, value in energy.to_json().items() if key not in ("energy_eV", "uncertainty_eV")},
    }
    if energy.dispersion_eV is not None:
        document["dispersion"] = build_quantity(energy.dispersion_eV, unit="eV", method="part of ΔE from D3")
    if energy.counterpoise_eV is not None:
        words = "part of ΔE: what the parts gain from each other's orbitals, taken out (Boys and Bernardi)"
        document["counterpoise"] = build_quantity(energy.counterpoise_eV, unit="eV", method=words)
    costs = {name: cost for step in steps for name, cost in compute_deformations(step, found=found).items()}
    for name, (cost_eV, words) in costs.items():
        document.setdefault("deformation", {})[name] = build_quantity(cost_eV, unit="eV", method=words)
    for fragment in find_fragments(reaction, species=found.species):
        charges = found.energies[fragment.product].values["charges_e"]
        if charges is not None:
            total_e, formal = float(np.sum(charges[fragment.part])), found.species[fragment.reactant].charge
            words = f"sum of Hirshfeld charges; {formal:+d} e when alone"
            document.setdefault("charge", {})[fragment.name] = build_quantity(total_e, unit="e", method=words)
    return document


def compute_deformations(step: Step, *, found: FoundEnergies) -> dict[str, tuple[float, str]]:
    """What it costs to bend each part into the shape that it has in the product, in eV, and what that is in words."""
    energy_eV = {term.name: read_energy(found.energies[term.name]).energy_eV for term in step.terms}
    if step.kind == "deformation":
        words = "E(bent) − E(alone), both by the method of relaxations; part of ΔE"
        names = [name.removesuffix(", bent") for name in energy_eV if name.endswith(", bent")]
        return {name: (energy_eV[f"{name}, bent"] - energy_eV[f"{name}, relaxed"], words) for name in names}
    if step.kind != "shapes":
        return {}
    words, costs = "E(bent) − E(alone), both in the cell of the slab; part of ΔE", {}
    own = [term for steps in found.steps for other in steps if other.kind == "adsorption" for term in other.terms]
    for shape in step.terms:
        alone = next((term for term in own if term.species.name == shape.species.name), None)
        if alone is not None:
            before_eV = read_energy(found.energies[alone.name]).energy_eV
            costs[shape.name] = energy_eV[shape.name] - before_eV, words
    return costs


def describe_species(one: Species, *, found: FoundEnergies, name: str) -> dict[str, Any]:
    """What was computed for a species, as JSON values."""
    values = found.energies[name].values
    return {
        "label": name,
        "formula": one.atoms.symbols.formula.format("metal"),
        "charge": one.charge,
        "multiplicity": one.multiplicity,
        "n_electrons": one.n_electrons,
        "geometry": one.source,
        "energy_eV": values["energy_eV"],
        "gap_eV": values["gap_eV"],
        "largest_force_eV_per_A": values.get("largest_force_eV_per_A"),
        "net_force_eV_per_A": values.get("net_force_eV_per_A"),
        "n_scf": values["n_scf"],
        "helped": values["helped"],
    }


def describe_search(search: PoseSearch, *, config: TfsiAdsorptionConfig, found: FoundEnergies) -> dict[str, Any]:
    """Poses of an adsorbate as JSON values, the lowest first; energies above that of the lowest."""
    _, host = list_pairs(config)[search.name]
    n_host = len(found.species[host].atoms)
    full = [pose.energy_eV for pose in search.poses if pose.energy_eV is not None]
    cheap = [pose.cheap_eV for pose in search.poses if pose.cheap_eV is not None]
    return {
        "label": search.name,
        "best": search.best.name,
        "n_poses": len(search.poses),
        "n_full": len(full),
        "n_saved": len(search.poses) - len(full),
        "ranking": None if search.ranking is None else search.ranking.to_json(),
        "bonds": compare_bonds(search.best.start.atoms, search.best.atoms).to_json(),
        "poses": [
            describe_pose(pose, n_host=n_host, lowest_eV=min(full), lowest_cheap_eV=min(cheap, default=0.0))
            for pose in search.poses
        ],
    }


def describe_pose(pose: TriedPose, *, n_host: int, lowest_eV: float, lowest_cheap_eV: float) -> dict[str, Any]:
    """A pose as JSON values."""
    between_A = pose.atoms.get_all_distances(mic=True)[:n_host, n_host:]
    first, second = np.unravel_index(int(between_A.argmin()), between_A.shape)
    symbols = pose.atoms.symbols
    return {
        "name": pose.name,
        "file": f"{POSES_FOLDER}/{name_file(pose)}",
        "above_lowest_eV": None if pose.energy_eV is None else pose.energy_eV - lowest_eV,
        "cheap_above_lowest_eV": None if pose.cheap_eV is None else pose.cheap_eV - lowest_cheap_eV,
        "state": "not computed by the full method" if pose.state is None else pose.state.state,
        "reason": pose.trouble or ("" if pose.state is None else pose.state.reason),
        "is_relaxed": pose.is_relaxed,
        "closest_A": float(between_A.min()),
        "closest_pair": f"{symbols[int(second) + n_host]}–{symbols[int(first)]}",
        "key": pose.key,
    }


def name_file(pose: TriedPose) -> str:
    """Name of the structure file of a pose."""
    return "".join(letter if letter.isalnum() else "-" for letter in pose.name) + ".extxyz"


def write_poses(searches: Mapping[str, PoseSearch], *, directory: Path) -> None:
    """Write every pose as it ended, one file each, below a folder for each adsorbed species."""
    for search in searches.values():
        for pose in search.poses:
            directory.mkdir(parents=True, exist_ok=True)
            bare = pose.atoms.copy()
            bare.info = {"species": search.name, "pose": pose.name}
            write(directory / name_file(pose), bare, format="extxyz")


def build_viewer(found: FoundEnergies) -> ViewerData:
    """Every product of a reaction to look at; of adsorbed species all poses, the lowest first."""
    cases = {}
    products = [term.species for steps in found.steps for term in steps[0].terms if term.number > 0]
    for one in products:
        search = found.searches.get(one.name)
        frames = {one.name: one.atoms} if search is None else {pose.name: pose.atoms for pose in search.poses}
        frames = dict(list(frames.items())[:MAX_FRAMES])
        is_adsorbate = search.best.start.atoms.arrays["is_adsorbate"] if search is not None else [True] * len(one.atoms)
        cases[one.name] = ViewerCase(
            label=one.name,
            elements=tuple(one.atoms.symbols),
            regions=tuple("adsorbate" if flag else "substrate" for flag in is_adsorbate),
            positions_A=np.array([atoms.positions for atoms in frames.values()]),
            cell_A=one.atoms.cell.array,
            time_ps=np.arange(len(frames), dtype=float),
            frame_names=tuple(frames),
        )
    return ViewerData(cases)


def describe_provenance(config: TfsiAdsorptionConfig, *, keys: Mapping[str, str], found: FoundEnergies) -> Provenance:
    """Where the numbers come from."""
    method = find_base(found)[0].values["method"]
    files = {Path(path).name: compute_sha256(path) for path in find_structure_files(config).values()}
    return Provenance(
        versions=collect_versions() | {str(method["code"]): str(method["version"])},
        checksums=files,
        keys=dict(keys),
        wall_times_s={name: one.wall_time_s for name, one in found.energies.items()},
        machine={"host": platform.node(), "cores": os.cpu_count()},
        command="alkaliflow run tfsi-adsorption config.yaml",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
