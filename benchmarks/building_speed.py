"""Building cells of 10³ to 10⁶ atoms: time and memory an atom should not grow with the number of atoms.

python -m benchmarks.building_speed [--small]
"""

import argparse
import math
import tracemalloc
from collections.abc import Callable

from ase import Atoms

from benchmarks.record import Ratio, Record, time_side_by_side
from structures.alloy import build_rotated_alloy, resolve_alloy
from structures.dislocation import build_dislocation_dipole
from structures.interface import build_contact_cell
from structures.metal import build_potassium

ATOMS_PER_CELL = 12
# From n to 1000 n atoms a linear builder takes 1000 times as long; caches of the processor may cost a factor of two.
AIM_GROWTH = "<= 2"


def build_decorated_alloy(n_atoms: int) -> Atoms:
    """A crystal that grows in all directions."""
    edge = (n_atoms / ATOMS_PER_CELL) ** (1 / 3)
    repeats = (round(edge * 1.7), round(edge * 0.65), max(1, round(edge / 1.1)))
    return build_rotated_alloy(resolve_alloy("M-BiSnSb"), repeats=repeats, seed=0)


def build_dipole(n_atoms: int) -> Atoms:
    """A dislocation dipole that grows along all directions."""
    edge = (n_atoms / ATOMS_PER_CELL) ** (1 / 3)
    repeats = (max(12, round(edge * 1.7)), max(4, round(edge * 0.65)), max(1, round(edge / 1.1)))
    return build_dislocation_dipole(resolve_alloy("M-BiSnSb"), repeats=repeats, seed=0).defective


def build_contact(n_atoms: int) -> Atoms:
    """A contact cell with potassium as thick as the alloy."""
    alloy = build_dipole(round(n_atoms * 0.75))
    return build_contact_cell(alloy, metal=build_potassium(), metal_thickness_A=alloy.cell.lengths()[2]).atoms


BUILDERS: dict[str, Callable[[int], Atoms]] = {
    "alloy": build_decorated_alloy,
    "dipole": build_dipole,
    "contact": build_contact,
}


def measure_memory_MB(builder: Callable[[int], Atoms], *, n_atoms: int) -> float:
    """Peak of what Python and numpy allocate while building, in MB."""
    tracemalloc.start()
    builder(n_atoms)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="Building 10³ to 10⁶ atoms.")
    parser.add_argument("--small", action="store_true", help="a trial: to 10⁴ atoms, nothing kept")
    arguments = parser.parse_args()
    sizes = [10**3, 10**4] if arguments.small else [10**3, 10**4, 10**5, 10**6]
    record = Record("building_speed", settings={"sizes": sizes})
    for name, builder in BUILDERS.items():
        built: dict[int, int] = {}
        for size in sizes:
            timings = time_side_by_side({name: lambda: built.update({size: len(builder(size))})}, repeats=3)  # noqa: B023 called at once
            record.timings[f"{name}, {built[size]} atoms"] = timings[name]
            record.figures[f"{name}_{built[size]}_atoms_peak_MB"] = round(measure_memory_MB(builder, n_atoms=size), 1)
        times = [record.timings[f"{name}, {built[size]} atoms"].median_s / built[size] for size in sizes]
        record.ratios[f"{name}: time an atom, largest cell / second smallest"] = Ratio(times[-1] / times[1], AIM_GROWTH)
        power = math.log(times[-1] / times[1]) / math.log(built[sizes[-1]] / built[sizes[1]]) if len(sizes) > 2 else 0  # noqa: PLR2004
        record.figures[f"{name}_exponent"] = round(1 + power, 3)
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
