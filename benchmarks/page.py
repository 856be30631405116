"""Writes docs/performance.md from the records in results/, so that the page says what was measured and nothing else.

python -m benchmarks.page
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
TITLES = {
    "dynamics_overhead": "The worker's dynamics against raw LAMMPS on the same input",
    "potential_speed": "The embedded potential against CHGNet",
    "job_layer": "The store, the attempts and the queue, beside plain processes, a plain job array and executorlib",
    "start_up": "From the command to the first engine step, and a calculation that does nothing",
    "rdf_speed": "Radial distribution functions",
    "surface_analysis": "Ions at a surface",
    "building_speed": "Building cells",
    "adsorption_overhead": "Time of an adsorption run outside the electronic-structure code",
    "gpaw_ranks": "GPAW on two ranks against one",
    "screening_savings": "Energies that the ranking of poses saves",
    "optimiser_steps": "Steps of a relaxation, from a model Hessian against plain BFGS",
}
HEAD = """# Measured speeds

Written by `python -m benchmarks.page` from `benchmarks/results/`; how each is measured stands at the top of its
script in `benchmarks/`. Wall times depend on the machine and on what else it did (its load average before the run is
given); ratios are of the medians of runs that took turns. Lowest to highest: of the processor time where there is one.
"""


def format_record(document: Mapping[str, Any]) -> str:
    """One section of the page."""
    machine, versions = document["machine"], document["versions"]
    lines = [
        f"## {TITLES[document['benchmark']]}",
        "",
        f"{document['date']}; {machine['processor']}, {machine['cores']} cores, {machine['memory_GB']} GB, "
        f"load {machine['load_before']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f". `python -m benchmarks.{document['benchmark']}`, "
        + ", ".join(f"{name} = {value}" for name, value in document["settings"].items())
        + ".",
        "",
        "| ratio | value | aim | |",
        "|---|---|---|---|",
    ]
    verdicts = {True: "met", False: "**missed**", None: ""}
    for name, ratio in document["ratios"].items():
        aim = ratio["aim"].replace("<=", "≤").replace(">=", "≥")
        lines.append(f"| {name} | {ratio['value']:.3g} | {aim} | {verdicts[ratio['met']]} |")
    lines += ["", "| timed | wall, s | processor, s | lowest to highest | repeats |", "|---|---|---|---|---|"]
    for name, timing in document["timings"].items():
        cpu = "" if timing["median_cpu_s"] is None else f"{timing['median_cpu_s']:.4g}"
        repeats = timing["cpu_s"] or timing["wall_s"]
        spread = f"{min(repeats):.3g} to {max(repeats):.3g}" if len(repeats) > 1 else ""
        lines.append(f"| {name} | {timing['median_s']:.4g} | {cpu} | {spread} | {len(timing['wall_s'])} |")
    if document["figures"]:
        lines += ["", "| figure | value |", "|---|---|"]
        lines += [f"| `{name}` | {value:g} |" for name, value in document["figures"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page from the records that are there."""
    found = [RESULTS / f"{name}.json" for name in TITLES if (RESULTS / f"{name}.json").is_file()]
    if not found:
        raise SystemExit(f"There is no record in {RESULTS}; run one first, e.g. python -m benchmarks.rdf_speed.")
    sections = [format_record(json.loads(path.read_text(encoding="utf-8"))) for path in found]
    PAGE.write_text("\n".join([HEAD, *sections]), encoding="utf-8")
    print(f"Wrote {PAGE} from {len(found)} records.")


if __name__ == "__main__":
    main()
