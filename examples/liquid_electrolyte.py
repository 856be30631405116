"""A liquid electrolyte in the bulk: pack, give it a force field, anneal, let the cell find its volume, measure.

    python examples/liquid_electrolyte.py Li+=16 TFSI-=16 DME=COCCOC*32 --hot 450 --ps 40

A species is built in (Li+=16) or a SMILES with a number (DME=COCCOC*32). The liquid is held at no pressure first at the
temperature it is annealed at, then at that asked for. What it computes stays in the store: run it again, and it only
reads; with a longer --ps it goes on from there.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from ase import Atoms
from MDAnalysis import Universe

from analysis.ion_association import compute_association
from analysis.ion_contacts import compute_contacts
from analysis.rdf import compute_rdfs, count_within
from analysis.replica_series import average_stretches
from analysis.sites import build_sites
from analysis.trajectory import iterate_frames, read_trajectory
from analysis.uncertainty import compute_series_mean, judge_steadiness
from structures.composition import compute_density_g_per_cm3, find_volume_A3
from structures.electrolyte import pack_electrolyte
from structures.files import read_structure
from structures.species import Species, build_from_smiles, build_species
from workflows.calculators.force_field import build_force_field_spec
from workflows.drive import run_calculations
from workflows.force_fields.clp import type_molecule
from workflows.force_fields.topology import join_topologies
from workflows.jobs.calculation import Calculation
from workflows.jobs.local import LocalExecutor
from workflows.jobs.store import Finished, Store

CUTOFF_A = 3.0  # of Li–O where the distribution has no first minimum
Molecules = list[tuple[Species, int]]


def read_arguments() -> argparse.Namespace:
    """What to simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("molecules", nargs="+", help="NAME=NUMBER or NAME=SMILES*NUMBER")
    parser.add_argument("--pack-density", type=float, default=1.2, help="g/cm³ that is packed, below the liquid's")
    parser.add_argument("--hot", type=float, default=500.0, help="K of annealing")
    parser.add_argument("--hot-ps", type=float, default=10.0, help="ps of it, after which as much is discarded again")
    parser.add_argument("--temperature", type=float, default=298.0, help="K")
    parser.add_argument("--ps", type=float, default=20.0, help="ps at that temperature that are counted")
    parser.add_argument("--timestep-fs", type=float, default=1.0)
    parser.add_argument("--cutoff-A", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--charge-scale", type=float, default=1.0, help="factor on the charges of ions")
    parser.add_argument("--store", type=Path, default=Path("runs/example-store"))
    return parser.parse_args()


def list_molecules(words: list[str]) -> Molecules:
    """Species and their numbers."""
    found = []
    for name, _, told in (word.partition("=") for word in words):
        smiles, _, number = told.rpartition("*")
        found.append((build_from_smiles(name, smiles=smiles) if smiles else build_species(name), int(number)))
    return found


def build_liquid(molecules: Molecules, *, density_g_per_cm3: float, seed: int) -> Atoms:
    """A cubic cell, packed at random."""
    edge_A = find_volume_A3(molecules, density_g_per_cm3=density_g_per_cm3) ** (1 / 3)
    return pack_electrolyte(molecules, lateral_A=(edge_A, edge_A), heights_A=(0.0, edge_A), period_A=edge_A, seed=seed)


def plan_dynamics(asked: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of annealing and of what is measured."""
    steps_of_ps = 1000.0 / float(asked.timestep_fs)
    segment: int = round(steps_of_ps)

    def count_steps(time_ps: float) -> int:
        return math.ceil(time_ps) * segment

    common = {
        "timestep_fs": asked.timestep_fs, "minimise": False, "ensemble": "npt", "barostat": "isotropic",
        "segment_steps": segment, "frame_every_steps": segment // 10, "thermo_every_steps": segment // 20,
        "heat_steps": count_steps(2.0), "equilibrate_steps": count_steps(asked.hot_ps),
    }  # fmt: skip
    hot = {"start_temperature_K": 100.0, "temperature_K": asked.hot, "production_steps": count_steps(asked.hot_ps)}
    cold = {"start_temperature_K": asked.hot, "temperature_K": asked.temperature}
    return common | hot, common | cold | {"production_steps": count_steps(asked.ps)}


def measure_density(universe: Universe, *, molecules: Molecules) -> dict[str, Any]:
    """Mass density with the error of correlated frames, and whether it drifts."""
    densities = [
        compute_density_g_per_cm3(molecules, volume_A3=float(frame.volume)) for frame in iterate_frames(universe)
    ]
    steady = judge_steadiness(average_stretches(densities))
    return compute_series_mean(densities, unit="g/cm³").to_json() | {"steadiness": steady.verdict}


def measure_lithium(universe: Universe) -> dict[str, Any]:
    """Oxygen around lithium: all of it, that of the anions, and what the ions make together; nothing without LiTFSI."""
    if not {"Li+", "TFSI-"} <= set(universe.residues.resnames):
        return {}
    reach_A = min(float(frame.dimensions[:3].min()) for frame in iterate_frames(universe)) / 2
    (rdf,) = compute_rdfs(universe, pairs=[("Li", "O")], r_max_A=math.floor(10 * reach_A) / 10 - 0.1)
    if rdf.cutoff_A is None:
        rdf = count_within(rdf, cutoff_A=CUTOFF_A, source=f"{CUTOFF_A:g} Å; {rdf.first_minimum_reason}")
    found: dict[str, Any] = {"first_peak_A": rdf.first_peak_A, "cutoff_A": rdf.cutoff_A, "how": rdf.cutoff_source}
    number = rdf.coordination_number
    if number is None or rdf.cutoff_A is None:
        return found
    (lithium,) = build_sites(universe, species="Li+")
    oxygen = build_sites(universe, species="TFSI-", names=["O"], centre=False)[0]
    contacts = compute_contacts(universe, centres=lithium, binding=oxygen, r_max_A=6.0, longest_A=4.0)
    anion = count_within(contacts.rdf, cutoff_A=rdf.cutoff_A, source="as of all oxygen").coordination_number
    association = compute_association([contacts], cutoff_A=rdf.cutoff_A)
    return found | {
        "oxygen": number.to_json(),
        "oxygen_of_anions": None if anion is None else anion.to_json(),
        "share_of_anions": None if anion is None else anion.value / number.value,
        "anions_per_cation": association.anions_per_cation.to_json(),
        "cations": {kind: share.to_json() for kind, share in association.cations.items()},
    }


def measure(dynamics: Finished, *, atoms: Atoms, molecules: Molecules) -> dict[str, Any]:
    """What the counted part of a run says."""
    produced = dynamics.segments[int(dynamics.values["first_production_segment"]) :]
    universe = read_trajectory([segment / "trajectory.nc" for segment in produced], topology=atoms)
    return {
        "production_ps": dynamics.values["production_ps"],
        "mean_temperature_K": dynamics.values["mean_temperature_K"],
        "density": measure_density(universe, molecules=molecules),
        "Li-O": measure_lithium(universe),
    }


def main() -> None:
    """Run, or read what was run, and print it as JSON."""
    asked = read_arguments()
    molecules = list_molecules(asked.molecules)
    store, executor = Store(asked.store), LocalExecutor(cores=1)
    packed = build_liquid(molecules, density_g_per_cm3=asked.pack_density, seed=asked.seed)
    parts = [(type_molecule(of, charge_scale=asked.charge_scale), count) for of, count in molecules]
    calculator = build_force_field_spec(
        join_topologies(parts), add_blob=store.add_blob, cutoff_A=asked.cutoff_A, force_error=1e-4, tail=True
    )
    settings = {"algorithm": "cg", "force_tolerance_eV_per_A": 0.5}
    relaxing = Calculation("relaxation", packed, calculator, settings, label="relaxation")
    (relaxed,) = run_calculations([relaxing], store=store, executor=executor)
    start = read_structure(relaxed.files["relaxed"])
    anneal, settle = plan_dynamics(asked)
    before: str | None = None
    for label, plan in (("hot", anneal), ("cold", settle)):
        wanted = Calculation(
            "molecular_dynamics",
            start,
            calculator,
            plan,
            seed=asked.seed,
            continue_from=before,
            label=label,
        )
        (dynamics,) = run_calculations([wanted], store=store, executor=executor)
        before = dynamics.key
        found = measure(dynamics, atoms=packed, molecules=molecules)
        print(json.dumps({"at_K": plan["temperature_K"]} | found, indent=2, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
