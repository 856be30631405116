"""The worker's dynamics against raw LAMMPS on the same input.

The worker makes segments, watches the thermodynamics, converts trajectories, writes checksums and commits; raw LAMMPS
runs the input of the worker's first segment with the whole length in one go. Processor time is the figure to trust on
a machine that others use, too.

    python -m benchmarks.dynamics_overhead [--small] [--potential DIR]
"""

import argparse
import itertools
import re
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.record import POTENTIAL, Ratio, Record, time_side_by_side
from benchmarks.systems import build_contact, build_pod_spec
from workflows.calculators.pod import COEFFICIENTS_FILE, DESCRIPTOR_FILE
from workflows.engines.lammps_process import run_lammps
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store
from workflows.jobs.worker import work

AIM = "<= 1.02"


def build_calculation(store: Store, *, potential: Path, n_atoms: int, n_steps: int, seed: int) -> Calculation:
    """Dynamics of a contact cell, in segments, without minimisation or heating."""
    return Calculation(
        recipe="molecular_dynamics",
        structure=build_contact(n_atoms),
        calculator=build_pod_spec(store, potential=potential),
        settings={
            "minimise": False,
            "start_temperature_K": 300.0,
            "heat_steps": 0,
            "equilibrate_steps": 0,
            "production_steps": n_steps,
            "segment_steps": n_steps // 5,
            "frame_every_steps": 50,
        },
        seed=seed,
    )


def run_worker(store: Store, calculation: Calculation) -> None:
    """What the worker process does, from taking the attempt to the result.

    Raises:
        SystemExit: if it fails.
    """
    if work(store.job_directory(store.create(calculation))) != 0:
        raise SystemExit("the worker failed, see above")


def run_raw(directory: Path, *, first_segment: Path, potential: Path, n_steps: int) -> None:
    """Raw LAMMPS on the input of the first segment, made as long as all segments."""
    directory.mkdir()
    text = (first_segment / "segment.in").read_text(encoding="utf-8")
    text, n_replaced = re.subn(r"(?m)^run \d+$", f"run {n_steps}", text)
    if n_replaced != 1:
        raise SystemExit(f"{first_segment}/segment.in has {n_replaced} lines 'run N', needs 1")
    (directory / "segment.in").write_text(text, encoding="utf-8")
    shutil.copy(first_segment / "data.lammps", directory)
    models = directory / "models"
    models.mkdir()
    for name in (DESCRIPTOR_FILE, COEFFICIENTS_FILE):
        shutil.copy(potential / name, models)
    run_lammps(directory, input_name="segment.in", log=directory / "log", variables={"models": str(models)})


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="The worker's dynamics against raw LAMMPS.")
    parser.add_argument("--small", action="store_true", help="a trial: few atoms and steps, nothing kept")
    parser.add_argument("--potential", type=Path, default=POTENTIAL)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    n_atoms, n_steps = (400, 250) if arguments.small else (2000, 5000)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        scratch = Path(name)
        store, numbers = Store(scratch / "store"), itertools.count(1)

        def build(n_steps: int) -> Calculation:
            return build_calculation(
                store, potential=arguments.potential, n_atoms=n_atoms, n_steps=n_steps, seed=next(numbers)
            )

        # The input for raw LAMMPS; it also warms imports and caches.
        warm = build(250)
        run_worker(store, warm)
        chain = store.chain(warm)
        if chain is None:
            sys.exit("dynamics has no chain of segments")
        first = chain.segment_directory(0)
        calculations = [build(n_steps) for _ in range(arguments.repeats)]
        n_built = len(calculations[0].structure or ())
        record = Record("dynamics_overhead", settings={"n_atoms": n_built, "n_steps": n_steps, "n_segments": 5})
        todo = iter(calculations)
        record.timings = time_side_by_side(
            {
                "raw LAMMPS": lambda: run_raw(
                    scratch / f"raw-{next(numbers)}",
                    first_segment=first,
                    potential=arguments.potential,
                    n_steps=n_steps,
                ),
                "worker": lambda: run_worker(store, next(todo)),
            },
            repeats=arguments.repeats,
        )
    worker, raw = record.timings["worker"], record.timings["raw LAMMPS"]
    record.ratios["worker / raw, processor time"] = Ratio(worker.median_cpu_s / raw.median_cpu_s, AIM)
    record.ratios["worker / raw, wall time"] = Ratio(worker.median_s / raw.median_s, AIM)
    record.figures["raw_atom_steps_per_s"] = round(n_built * n_steps / raw.median_s)
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
