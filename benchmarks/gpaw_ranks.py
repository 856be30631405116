"""GPAW on two ranks against one: the energy of CF3- in open boundaries on the grid of the protocol `moderate`.

Both start the code as the worker does, its imports and the reading of PAW data included.

    python -m benchmarks.gpaw_ranks [--small]
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.record import Ratio, Record, time_side_by_side
from structures.box import find_box_lengths, put_in_box
from structures.species import build_species
from workflows.calculators.electronic import build_electronic_spec
from workflows.engines.electronic_files import Request, write_request
from workflows.engines.electronic_process import run_electronic_code

NAME, VACUUM_A = "CF3-", 4.0


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="GPAW on two ranks against one.")
    parser.add_argument("--small", action="store_true", help="a trial: a coarse grid, one repeat, nothing kept")
    arguments = parser.parse_args()
    settings = dict(build_electronic_spec("gpaw", protocol="moderate", overrides={}).overrides)
    if arguments.small:
        settings["spacing_A"] = 0.3
    one = build_species(NAME)
    lengths_A = find_box_lengths([one.atoms], vacuum_A=VACUUM_A, spacing_A=settings["spacing_A"])
    atoms = put_in_box(one.atoms, lattice_A=np.diag(lengths_A))
    request = Request(code="gpaw", settings=settings, charge=one.charge, multiplicity=one.multiplicity, forces=False)
    record = Record("gpaw_ranks", settings={"species": NAME, "spacing_A": settings["spacing_A"]})
    numbers = itertools.count()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:

        def run(ranks: int) -> None:
            directory = Path(name) / str(next(numbers))
            directory.mkdir()
            write_request(directory, request, atoms=atoms)
            run_electronic_code("gpaw", directory=directory, ranks=ranks)

        variants = {"1 rank": lambda: run(1), "2 ranks": lambda: run(2)}
        record.timings |= time_side_by_side(variants, repeats=1 if arguments.small else 3)
    one_s, two_s = (record.timings[kind].median_s for kind in variants)
    record.ratios["2 ranks / 1 rank, wall time"] = Ratio(two_s / one_s)
    record.publish(keep=not arguments.small)


if __name__ == "__main__":
    main()
