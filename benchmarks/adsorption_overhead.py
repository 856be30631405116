"""What a run of `tfsi-adsorption` spends outside the electronic-structure code, one calculation at a time.

The demo, in a store of its own. Inside is the time that GPAW gives for itself at the end of each log; outside is all
else: the flow, its server, the store, workers, and imports of every process.

    python -m benchmarks.adsorption_overhead [--small]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import Ratio, Record, Timing

_TOTAL = re.compile(r"^Total:\s+([\d.]+)", re.MULTILINE)
_SMALL = ("reactions=['Li+ + F- -> LiF']", "checks.grid_factor=1", "checks.box_A=0")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="Time outside the electronic-structure code in a run.")
    parser.add_argument("--small", action="store_true", help="a trial: lithium fluoride, nothing kept")
    arguments = parser.parse_args()
    overrides = [part for setting in (_SMALL if arguments.small else ()) for part in ("--set", setting)]
    program = str(Path(sys.executable).with_name("alkaliflow"))
    command = [program, "run", "tfsi-adsorption", "--preset", "demo", "--cores", "1"]
    record = Record("adsorption_overhead", settings={"preset": "demo", "cores": 1})
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "ALKALIFLOW_STORE": str(folder / "store"),
            "ALKALIFLOW_SLOTS": str(folder / "slots"),
        }
        begin_s = time.perf_counter()
        subprocess.run([*command, *overrides, "--workdir", "run"], cwd=folder, env=environment, check=True)
        wall_s = time.perf_counter() - begin_s
        logs = [path.read_text(encoding="utf-8") for path in (folder / "store").rglob("scf.txt")]
    inside = tuple(float(match.group(1)) for log in logs if (match := _TOTAL.search(log)))
    record.timings |= {"the whole run": Timing((wall_s,)), "inside GPAW, all calculations": Timing((sum(inside),))}
    record.figures["calculations"] = len(inside)
    record.figures["outside_s_per_calculation"] = round((wall_s - sum(inside)) / len(inside), 2)
    record.ratios["outside the code / whole run"] = Ratio((wall_s - sum(inside)) / wall_s, "<= 0.02")
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
