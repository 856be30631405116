"""What was simulated in a run of the flow `potassium-diffusion`, with what, and where its numbers come from."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ase import Atoms

from analysis.results import Provenance
from structures.alloy import format_lattice
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.configuration.resolve import find_structure_files, replace_value
from workflows.configuration.sections import CalculatorSection
from workflows.jobs.durable import compute_sha256
from workflows.jobs.worker import collect_versions
from workflows.known_limits import describe_lattice, read_potential_card
from workflows.potassium_cells import count_elements, find_alloy, name_alloy
from workflows.potassium_run import CaseData, RunFacts

_MEV_PER_EV = 1000.0
# Of held-out data on a card: what a slab below a metal has.
_KINDS = ("interface", "slab", "surface", "dislocation")


def describe_config(run: RunFacts) -> dict[str, Any]:
    """The resolved configuration; files in the run's directory are named from there, as its `config.yaml` does."""
    document = run.config.model_dump(mode="json")
    here = run.workdir.resolve()
    for location, path in find_structure_files(run.config).items():
        if path.is_relative_to(here):
            replace_value(document, location, value=str(path.relative_to(here)))
    return document


def describe_sides(config: PotassiumDiffusionConfig, *, atoms: Atoms) -> dict[str, Any]:
    """What stands on either side of the interface, as counted in the cell that was used, and where it came from."""
    structure, is_metal = config.structure, atoms.arrays["region"] == "potassium"
    built: dict[str, dict[str, Any]] = {"alloy": {}, "metal": {"name": "potassium", "origin": "bcc"}}
    if (record := find_alloy(structure)) is not None:
        decoration = ", random decoration" if len(set(atoms.symbols[~is_metal])) > 1 else ""
        built["alloy"] = {
            "name": name_alloy(structure),
            "origin": f"A7 structure, {format_lattice(record)}{decoration}",
            "lattice": describe_lattice(config.calculator, alloy=record),
        }
    files = {"alloy": structure.alloy_file, "metal": structure.potassium_file}
    sides = {}
    for side, chosen in (("alloy", ~is_metal), ("metal", is_metal)):
        path = files[side]
        facts = built[side] if path is None else {"file": Path(path).name, "sha256": compute_sha256(Path(path))}
        sides[side] = {
            "formula": "".join(f"{name}{number}" for name, number in count_elements(atoms[chosen]).items()),
            **facts,
        }
    return sides


def describe_system(data: Mapping[str, CaseData], *, gap_A: float, proof: str) -> dict[str, Any]:
    """What was simulated, for the results and the report."""
    part = data[next(iter(data))]
    cell = part.cell
    return {
        "n_atoms": len(part.relaxed),
        "composition": count_elements(part.relaxed),
        "cell_A": cell.atoms.cell.array.round(4).tolist(),
        "alloy_thickness_A": round(cell.interface_z_A - cell.gap_A / 2 - cell.alloy_bottom_z_A, 3),
        "gap_A": gap_A,
        "strain_alloy": list(cell.strain_alloy),
        "strain_metal": list(cell.strain_metal),
        "largest_strain_metal": cell.match.largest_strain,
        "control_shear_strain": next(
            (d.cell.geometry.control_shear_strain for d in data.values() if d.cell.geometry), 0.0
        ),
        "metal_face": str(cell.match.face),
        "dislocation": next((d.cell.geometry.to_json() for d in data.values() if d.cell.geometry), None),
        "burgers_circuits": proof,
    }


def describe_potential(calculator: CalculatorSection) -> dict[str, Any]:
    """Name, teacher and errors of an embedded potential, from its card; nothing for other calculators.

    Errors are given for all held-out data, and for the kinds of structures that a slab with an interface is made of.
    """
    card = read_potential_card(calculator)
    if card is None:
        return {}
    errors: dict[str, dict[str, Any]] = {entry["kind"]: entry for entry in card["errors"]["held_out"]}
    overall = errors.get("all", {})
    force_eV_per_A = overall.get("force_rmse_eV_per_A")
    return {
        "potential": {
            "name": card["name"],
            "teacher": card["teacher"]["model"],
            "energy_rmse_meV_per_atom": overall.get("energy_rmse_meV_per_atom"),
            "force_rmse_meV_per_A": None if force_eV_per_A is None else _MEV_PER_EV * force_eV_per_A,
            "force_rmse_share": overall.get("relative_force_error"),
            "force_errors_by_kind": {
                kind: {
                    "force_rmse_meV_per_A": _MEV_PER_EV * errors[kind]["force_rmse_eV_per_A"],
                    "force_rmse_share": errors[kind]["relative_force_error"],
                    "n_frames": errors[kind]["n_frames"],
                }
                for kind in _KINDS
                if kind in errors
            },
        }
    }


def describe_provenance(run: RunFacts, *, dynamics: Mapping[str, Sequence[str]]) -> Provenance:
    """Where the numbers come from."""
    walls = {name: run.finished(key).wall_time_s for name, key in run.keys.items()}
    engine = run.finished(next(iter(dynamics.values()))[0]).values.get("engine", {})
    structure = run.config.structure
    files = {Path(path).name: compute_sha256(path) for path in find_structure_files(run.config).values()}
    decoration = {"decoration": structure.seed} if structure.alloy_file is None else {}
    return Provenance(
        versions=collect_versions() | {"engine": f"{engine.get('engine')} {engine.get('engine_version')}"},
        checksums={**run.calculator.models, **files},
        seeds={**decoration, "velocities": list(run.config.seeds)},
        keys=dict(run.keys),
        wall_times_s=walls,
        machine={"host": platform.node(), "processor": engine.get("cpu"), "cores": os.cpu_count()},
        command="alkaliflow run potassium-diffusion config.yaml",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
