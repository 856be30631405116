"""From the command to the first step of the engine, and what a calculation costs that does nothing.

Warm: imports and databases have been used once before. The flow starts a Prefect server of its own, the one-file
command does not; plain Python is a script with ASE that writes the same input and starts the same engine. A calculation
that does nothing is stored, claimed, computed by a worker process and published; the same again is only looked up.

    python -m benchmarks.start_up [--small] [--potential DIR]
"""

import argparse
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ase.io import write

from benchmarks.record import POTENTIAL, Ratio, Record, Timing, time_side_by_side
from benchmarks.systems import build_contact
from workflows.drive import run_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store

AIM_S = 20
PLUGINS = Path(__file__).parents[1] / "tests" / "plugins"
PATIENCE_S = 120.0
_FIRST_ROW = re.compile(r"^\s*Step\b.*\n\s*\d", re.MULTILINE)
_PLAIN = """
import sys
from pathlib import Path
from ase.io import read
from workflows.calculators.pod import COEFFICIENTS_FILE, DESCRIPTOR_FILE, read_pod_elements
from workflows.engines.lammps_files import build_standard_frame, write_lammps_data
from workflows.engines.lammps_process import run_lammps
cell, potential, directory = map(Path, sys.argv[1:])
elements = read_pod_elements(potential / DESCRIPTOR_FILE)
write_lammps_data(directory / "data.lammps", build_standard_frame(read(cell)).atoms, type_elements=elements)
(directory / "in.lammps").write_text(f'''units metal
atom_style atomic
box tilt large
read_data data.lammps
pair_style pod
pair_coeff * * {potential / DESCRIPTOR_FILE} {potential / COEFFICIENTS_FILE} {' '.join(elements)}
velocity all create 300 1
fix 1 all nve
thermo 1
run 1000000
''')
run_lammps(directory, input_name="in.lammps", log=directory / "engine.log")
"""


def time_to_first_step(command: list[str], *, directory: Path) -> float:
    """Seconds from the start of a command until an engine's log in a directory has a row; the command is then ended.

    Raises:
        SystemExit: if it ends before, or takes too long.
    """
    directory.mkdir()
    environment = {**os.environ, "ALKALIFLOW_STORE": str(directory / "store")}
    begin_s = time.monotonic()
    with (directory / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        while time.monotonic() - begin_s < PATIENCE_S:
            if has_first_row(directory):
                return time.monotonic() - begin_s
            if process.poll() is not None:
                break
            time.sleep(0.02)
        raise SystemExit(f"no engine's step after {PATIENCE_S} s:\n{(directory / 'output.txt').read_text()[-2000:]}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def has_first_row(directory: Path) -> bool:
    """Whether a LAMMPS log below a directory has a row of thermodynamics."""
    logs = (path for pattern in ("*.log", "log", "log.*") for path in directory.rglob(pattern))
    return any(_FIRST_ROW.search(path.read_text(encoding="utf-8", errors="replace")) for path in logs)


def measure_first_step(record: Record, *, scratch: Path, potential: Path, repeats: int) -> None:
    """Time the flow, the one-file command and plain Python to their first engine step."""
    cell = scratch / "cell.extxyz"
    write(cell, build_contact(500), format="extxyz")
    program = str(Path(sys.executable).with_name("alkaliflow"))
    numbers = itertools.count(1)
    found: dict[str, list[float]] = {"flow": [], "one-file command": [], "plain Python": []}
    for repeat in range(repeats + 1):
        for name, times in found.items():
            directory = scratch / f"start-{next(numbers)}"
            command = {
                "flow": [
                    program,
                    "run",
                    "potassium-diffusion",
                    "--preset",
                    "demo",
                    "--set",
                    f"calculator.potential={potential}",
                ],
                "one-file command": [program, "md", str(cell), "--calculator", "pod", "--potential", str(potential)],
                "plain Python": [sys.executable, "-P", "-c", _PLAIN, str(cell), str(potential), str(directory)],
            }[name]
            seconds = time_to_first_step(command, directory=directory)
            if repeat > 0:  # the first of each warms
                times.append(seconds)
    for name, times in found.items():
        record.timings[f"{name} to the first engine step"] = Timing(wall_s=tuple(times))
    flow, plain = (record.timings[f"{name} to the first engine step"].median_s for name in ("flow", "plain Python"))
    record.ratios["flow to the first engine step, in s"] = Ratio(flow, f"<= {AIM_S}")
    record.ratios["flow / plain Python, first engine step"] = Ratio(flow / plain)


def measure_noop(record: Record, *, scratch: Path, repeats: int) -> None:
    """Time a calculation that does nothing against a Python process that does nothing."""
    sys.path.insert(0, str(PLUGINS))
    os.environ["PYTHONPATH"] = str(PLUGINS)
    store, numbers = Store(scratch / "noop"), itertools.count(1)

    def compute(number: int) -> None:
        run_calculations([Calculation(recipe="toy_sum", settings={"numbers": [1.0, float(number)]})], store=store)

    compute(0)
    timings = time_side_by_side(
        {
            "Python process": lambda: subprocess.run([sys.executable, "-P", "-c", "pass"], check=True),
            "Python process that imports ase": lambda: subprocess.run(
                [sys.executable, "-P", "-c", "import ase.io, ase.constraints"], check=True
            ),
            "no-op calculation": lambda: compute(next(numbers)),
            "no-op calculation, stored before": lambda: compute(0),
        },
        repeats=repeats,
    )
    record.timings |= timings
    imports = timings["Python process that imports ase"]
    record.ratios["no-op / Python process that imports ase"] = Ratio(
        timings["no-op calculation"].median_s / imports.median_s
    )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="Start-up times.")
    parser.add_argument("--small", action="store_true", help="a trial: the no-op calculation alone, nothing kept")
    parser.add_argument("--potential", type=Path, default=POTENTIAL)
    arguments = parser.parse_args()
    repeats = 2 if arguments.small else 5
    record = Record("start_up", settings={"repeats": repeats, "flow": "potassium-diffusion, preset demo"})
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        measure_noop(record, scratch=Path(name), repeats=repeats)
        if not arguments.small:
            measure_first_step(record, scratch=Path(name), potential=arguments.potential.absolute(), repeats=repeats)
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
