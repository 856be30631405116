"""Is random M-BiSnSb a crystal for the potential's teacher? A free slab and the bulk, relaxed and moved; needs `mlip`.

    python examples/crystal_of_the_teacher.py [RESULTS.json]     half an hour on one core; goes on where it was killed

Three questions: how far CHGNet itself relaxes the alloy from its sites; whether what the potential makes of it in 6 ps
at 50 K lies higher or lower for CHGNet; and how far the atoms go in dynamics with CHGNet alone.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms

from structures.alloy import build_rotated_alloy, resolve_alloy
from structures.files import read_structure
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.drive import run_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Finished, Store

RELAXATION = {"force_tolerance_eV_per_A": 0.05, "max_steps": 1000}
DYNAMICS = {"heat_steps": 0, "equilibrate_steps": 0, "segment_steps": 200, "frame_every_steps": 50}
POTENTIAL_STEPS, TEACHER_STEPS = 2000, 1000
TEACHER_TEMPERATURES_K = (75.0, 150.0, 300.0)


def build_systems() -> dict[str, Atoms]:
    """A free slab of 288 atoms, 23 Å thick, and periodic crystals of 192 and 96 atoms, of one seed."""
    alloy = resolve_alloy("M-BiSnSb")
    slab = build_rotated_alloy(alloy, repeats=(4, 2, 3), seed=1)
    slab.center(vacuum=6.0, axis=2)
    return {
        "free slab": slab,
        "bulk": build_rotated_alloy(alloy, repeats=(4, 2, 2), seed=1),
        "small bulk": build_rotated_alloy(alloy, repeats=(4, 2, 1), seed=1),
    }


def relax(store: Store, atoms: Atoms, *, calculator: CalculatorSpec, label: str) -> Finished:
    """Relax at fixed cell."""
    (finished,) = run_calculations([Calculation("relaxation", atoms, calculator, RELAXATION, label=label)], store=store)
    return finished


def move(store: Store, atoms: Atoms, *, calculator: CalculatorSpec, temperature_K: float, n_steps: int) -> Finished:
    """Dynamics at a temperature, without a relaxation before it."""
    settings = {"temperature_K": temperature_K, "start_temperature_K": temperature_K, "minimise": False}
    settings |= {**DYNAMICS, "production_steps": n_steps}
    label = f"{calculator.name}, {len(atoms)} atoms, {temperature_K:g} K"
    (finished,) = run_calculations(
        [Calculation("molecular_dynamics", atoms, calculator, settings, seed=1, label=label)], store=store
    )
    return finished


def compute_distance_A(atoms: Atoms, *, sites: Atoms) -> float:
    """Root mean square distance from the sites, the drift of all atoms removed."""
    moved = atoms.positions - sites.positions
    return float(np.sqrt(((moved - moved.mean(axis=0)) ** 2).sum(axis=1).mean()))


def describe(finished: Finished, *, file: str, sites: Atoms) -> dict[str, float]:
    """Distance from the sites, and the energy where there is one."""
    found = {"distance_A": compute_distance_A(read_structure(finished.files[file]), sites=sites)}
    names = ("energy_eV_per_atom", "largest_force_eV_per_A", "n_steps")
    return found | {name: finished.values[name] for name in names if name in finished.values}


def main(results: str = "crystal_of_the_teacher.json") -> None:
    """Compute what is not in the store yet, print and write all of it."""
    store = Store(Path("runs/example-store"))
    teacher = build_calculator_spec("chgnet", add_blob=store.add_blob)
    potential = build_calculator_spec("pod", add_blob=store.add_blob, potential="k-bi-sn-sb")
    systems, found = build_systems(), {}
    for name in ("free slab", "bulk"):
        sites = systems[name]
        relaxed = relax(store, sites, calculator=teacher, label=f"{name}, from its sites")
        fitted = relax(store, sites, calculator=potential, label=f"{name}, with the potential")
        start = read_structure(fitted.files["relaxed"])
        moved = move(store, start, calculator=potential, temperature_K=50.0, n_steps=POTENTIAL_STEPS)
        last = read_structure(moved.files["final"])
        again = relax(store, last, calculator=teacher, label=f"{name}, from the potential's dynamics")
        found[name] = {
            "atoms": len(sites),
            "relaxed by the teacher": describe(relaxed, file="relaxed", sites=sites),
            "relaxed by the potential": describe(fitted, file="relaxed", sites=sites),
            "6 ps at 50 K with the potential": describe(moved, file="final", sites=sites),
            "the same, relaxed by the teacher": describe(again, file="relaxed", sites=sites),
        }
        print(json.dumps({name: found[name]}, indent=1), flush=True)
    sites = systems["small bulk"]
    relaxed = relax(store, sites, calculator=teacher, label="small bulk, from its sites")
    found["small bulk"] = {
        "atoms": len(sites),
        "relaxed by the teacher": describe(relaxed, file="relaxed", sites=sites),
    }
    for temperature_K in TEACHER_TEMPERATURES_K:
        start = read_structure(relaxed.files["relaxed"])
        moved = move(store, start, calculator=teacher, temperature_K=temperature_K, n_steps=TEACHER_STEPS)
        what = f"3 ps at {temperature_K:g} K with the teacher"
        found["small bulk"][what] = describe(moved, file="final", sites=sites)
        print(json.dumps({what: found["small bulk"][what]}, indent=1), flush=True)
    Path(results).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
