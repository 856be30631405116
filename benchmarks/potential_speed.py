"""Atom-steps a second of the embedded potential against CHGNet, on one core each; needs the extra `mlip`.

Both do NVE dynamics from the same contact cell; what is timed is the steps, not the start. CHGNet gets fewer of them.
The ratio is of processor time, which hardly feels who else uses the machine.

    python -m benchmarks.potential_speed [--small] [--potential DIR]
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

from ase import Atoms, units
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from numpy.random import default_rng

from benchmarks.record import POTENTIAL, Ratio, Record, Timing, time_side_by_side
from benchmarks.systems import build_contact, build_pod_spec
from workflows.calculators.chgnet import build_chgnet_calculator
from workflows.calculators.registry import build_lammps_potential, get_capabilities
from workflows.engines.lammps_files import build_standard_frame, write_lammps_data
from workflows.engines.lammps_process import run_lammps
from workflows.jobs.store import Store

AIM = ">= 40"
TIMESTEP_FS = 3.0
TEMPERATURE_K = 300.0


def run_pod(atoms: Atoms, *, directory: Path, potential: Path, n_steps: int) -> tuple[float, float]:
    """Wall and processor time of the loop over the steps, in s, as LAMMPS gives them."""
    directory.mkdir()
    store = Store(directory / "store")
    spec = build_pod_spec(store, potential=potential)
    pair = build_lammps_potential(spec, elements=sorted(set(atoms.symbols)), blob_path=store.blob_path)
    pair.link_files(directory / "models")
    standard = build_standard_frame(atoms).atoms
    write_lammps_data(directory / "data.lammps", standard, type_elements=pair.type_elements)
    lines = ["units metal", "atom_style atomic", "boundary p p p", "box tilt large", "read_data data.lammps"]
    lines += ["neighbor 1.5 bin", "neigh_modify every 2 delay 0 check yes", *pair.commands]
    lines += [f"velocity all create {TEMPERATURE_K} 1 mom yes", f"timestep {TIMESTEP_FS / 1000}", "fix 1 all nve"]
    lines += ["run 5", f"run {n_steps}"]
    (directory / "in.lammps").write_text("\n".join(lines) + "\n", encoding="utf-8")
    walls_s, shares = [0.0], [0.0]

    def read_line(line: str) -> None:
        if line.startswith("Loop time of "):
            walls_s.append(float(line.split()[3]))
        elif "% CPU use with" in line:
            shares.append(float(line.split("%", maxsplit=1)[0]) / 100)

    variables = {"models": str(directory / "models")}
    run_lammps(directory, input_name="in.lammps", log=directory / "log", variables=variables, on_line=read_line)
    return walls_s[-1], walls_s[-1] * shares[-1]


def build_chgnet_run(atoms: Atoms, *, n_steps: int) -> Callable[[], None]:
    """A function that makes steps with CHGNet; one step is made before, so that nothing is loaded in it."""
    moving = atoms.copy()
    moving.calc = build_chgnet_calculator(threads=1)
    thermalize_momenta(moving, temperature_K=TEMPERATURE_K, rng=default_rng(1))
    dynamics = VelocityVerlet(moving, timestep=TIMESTEP_FS * units.fs)
    dynamics.run(1)
    return lambda: dynamics.run(n_steps)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="Atom-steps a second of the embedded potential against CHGNet.")
    parser.add_argument("--small", action="store_true", help="a trial: one small cell, nothing kept")
    parser.add_argument("--potential", type=Path, default=POTENTIAL)
    arguments = parser.parse_args()
    capabilities = get_capabilities("chgnet")
    if capabilities.missing_modules():
        raise SystemExit(f"CHGNet is not installed here: {capabilities.install}")
    sizes = [300] if arguments.small else [500, 2000, 8000]
    record = Record("potential_speed", settings={"sizes": sizes, "cores": 1, "dynamics": "NVE, 3 fs, 300 K"})
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        for size in sizes:
            measure(record, size=size, scratch=Path(name), potential=arguments.potential)
    record.publish(keep=not arguments.small)


def measure(record: Record, *, size: int, scratch: Path, potential: Path) -> None:
    """Time one size and put it on record."""
    atoms = build_contact(size)
    n_steps = {"pod": max(50, 400_000 // len(atoms)), "chgnet": max(2, 4000 // len(atoms))}
    run_chgnet = build_chgnet_run(atoms, n_steps=n_steps["chgnet"])
    numbers, loops = itertools.count(1), []

    def run_and_note() -> None:
        directory = scratch / f"{size}-{next(numbers)}"
        loops.append(run_pod(atoms, directory=directory, potential=potential, n_steps=n_steps["pod"]))

    timings = time_side_by_side({"chgnet": run_chgnet, "pod": run_and_note}, repeats=3)
    timings["pod"] = Timing(wall_s=tuple(wall for wall, _ in loops), cpu_s=tuple(cpu for _, cpu in loops))
    speeds = {kind: n_steps[kind] * len(atoms) / timings[kind].median_cpu_s for kind in n_steps}
    record.timings |= {f"{kind}, {len(atoms)} atoms, {n_steps[kind]} steps": timings[kind] for kind in n_steps}
    record.ratios[f"pod / chgnet, {len(atoms)} atoms"] = Ratio(speeds["pod"] / speeds["chgnet"], AIM)
    for kind, speed in speeds.items():
        record.figures[f"{kind}_atom_steps_per_core_s_{len(atoms)}_atoms"] = round(speed)


if __name__ == "__main__":
    main()
