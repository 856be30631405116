"""The parts from Python, without a flow: build, relax, run, measure.

    python examples/parts_from_python.py [POTENTIAL]     a shipped potential's name or a folder; about a minute

What it computes stays in the store given below: run it again, and it only reads.
"""

import sys
from pathlib import Path

from analysis.rdf import compute_rdfs
from analysis.trajectory import read_trajectory
from structures.alloy import build_rotated_alloy, resolve_alloy
from structures.files import read_structure
from structures.interface import build_contact_cell
from structures.metal import build_potassium
from workflows.calculators.resolve import build_calculator_spec
from workflows.drive import run_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store


def main(potential: str = "k-bi-sn-sb") -> None:
    """Potassium on M-BiSnSb at 300 K: what is around a potassium atom."""
    alloy = build_rotated_alloy(resolve_alloy("M-BiSnSb"), repeats=(6, 2, 3), seed=1)
    cell = build_contact_cell(alloy, metal=build_potassium(), metal_thickness_A=15.0, max_strain=0.1)
    print(f"{len(cell.atoms)} atoms, the metal strained by {cell.match.largest_strain:.1%} at most")

    store = Store(Path("runs/example-store"))
    calculator = build_calculator_spec("pod", add_blob=store.add_blob, potential=potential)
    (relaxed,) = run_calculations([Calculation("relaxation", cell.atoms, calculator)], store=store)

    atoms = read_structure(relaxed.files["relaxed"])
    settings = {"temperature_K": 300.0, "heat_steps": 500, "equilibrate_steps": 500, "production_steps": 1000}
    (dynamics,) = run_calculations(
        [Calculation("molecular_dynamics", atoms, calculator, {**settings, "segment_steps": 500}, seed=1)],
        store=store,
    )
    produced = dynamics.segments[int(dynamics.values["first_production_segment"]) :]
    universe = read_trajectory([segment / "trajectory.nc" for segment in produced], topology=atoms)
    for rdf in compute_rdfs(universe, pairs=[("K", "K"), ("K", "Bi"), ("K", "Sn"), ("K", "Sb")], r_max_A=8.0):
        number = rdf.coordination_number
        if number is None:
            print(f"{rdf.pair}: {rdf.first_minimum_reason}")
            continue
        # A run that drifts, or is short, has no error bar; the verdict says which.
        interval = "" if number.low is None else f"95 % interval {number.low:.2f} to {number.high:.2f}, "
        print(f"{rdf.pair}: {number.value:.2f} neighbours within {rdf.cutoff_A:.2f} Å ({interval}{number.verdict})")


if __name__ == "__main__":
    main(*sys.argv[1:])
