"""Our partial RDF with bands and coordination numbers against MDAnalysis `InterRDF` and plain freud.

python -m benchmarks.rdf_speed [--small]
"""

import argparse
from collections.abc import Callable
from typing import Any

import freud
import numpy as np
from MDAnalysis import Universe
from MDAnalysis.analysis.rdf import InterRDF
from MDAnalysis.coordinates.memory import MemoryReader
from numpy.typing import NDArray

from analysis.rdf import compute_rdfs
from analysis.trajectory import build_universe
from benchmarks.record import Ratio, Record, time_side_by_side
from structures.alloy import build_rotated_alloy, resolve_alloy

R_MAX_A = 10.0
N_BINS = 200
PAIR = ("Bi", "Sb")


def build_thermal_universe(repeats: tuple[int, int, int], *, n_frames: int, seed: int) -> Universe:
    """M-BiSnSb whose atoms are displaced anew in every frame, by 0.15 Å."""
    atoms = build_rotated_alloy(resolve_alloy("M-BiSnSb"), repeats=repeats, seed=seed)
    generator = np.random.default_rng(seed)
    frames = atoms.positions + generator.normal(scale=0.15, size=(n_frames, len(atoms), 3))
    universe = build_universe(atoms)
    dimensions = np.tile(atoms.cell.cellpar(), (n_frames, 1))
    universe.load_new(frames.astype(np.float32), format=MemoryReader, dimensions=dimensions, order="fac")
    return universe


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="RDF against MDAnalysis and freud.")
    parser.add_argument("--small", action="store_true", help="a trial: few atoms and frames, nothing kept")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    repeats, n_frames = ((8, 3, 5), 4) if arguments.small else ((20, 7, 12), 20)
    universe = build_thermal_universe(repeats, n_frames=n_frames, seed=0)
    results: dict[str, NDArray[Any]] = {}
    variants: dict[str, Callable[[], object]] = {
        "alkaliflow": lambda: results.update(ours=run_ours(universe)),
        "MDAnalysis": lambda: results.update(theirs=run_mdanalysis(universe)),
        "freud": lambda: results.update(freud=run_freud(universe)),
    }
    settings = {
        "n_atoms": len(universe.atoms),
        "n_frames": n_frames,
        "r_max_A": R_MAX_A,
        "n_bins": N_BINS,
        "pair": PAIR,
    }
    record = Record("rdf_speed", settings=settings)
    record.timings = time_side_by_side(variants, repeats=1 if arguments.small else arguments.repeats)
    ours, theirs = record.timings["alkaliflow"], record.timings["MDAnalysis"]
    record.ratios["MDAnalysis / alkaliflow"] = Ratio(theirs.median_s / ours.median_s)
    record.ratios["alkaliflow / freud"] = Ratio(ours.median_s / record.timings["freud"].median_s)
    for name in ("theirs", "freud"):
        record.figures[f"largest_difference_of_g_from_{name}"] = float(np.abs(results["ours"] - results[name]).max())
    record.publish(keep=not arguments.small)


def run_ours(universe: Universe) -> NDArray[np.float64]:
    """g(r) of alkaliflow; also makes bands, coordination numbers and the first minimum."""
    return compute_rdfs(universe, pairs=[PAIR], r_max_A=R_MAX_A, bin_A=R_MAX_A / N_BINS)[0].g


def run_mdanalysis(universe: Universe) -> NDArray[np.float64]:
    """g(r) of MDAnalysis."""
    groups = [universe.select_atoms(f"element {element}") for element in PAIR]
    rdf: NDArray[np.float64] = InterRDF(*groups, nbins=N_BINS, range=(0.0, R_MAX_A)).run().results.rdf
    return rdf


def run_freud(universe: Universe) -> NDArray[np.float64]:
    """g(r) of freud, fed with the same frames."""
    groups = [universe.select_atoms(f"element {element}") for element in PAIR]
    rdf = freud.density.RDF(bins=N_BINS, r_max=R_MAX_A)
    for timestep in universe.trajectory:
        box = freud.box.Box.from_matrix(timestep.triclinic_dimensions.T)
        centres, neighbours = (group.positions for group in groups)
        rdf.compute((box, neighbours), query_points=centres, reset=False)
    g: NDArray[np.float64] = np.asarray(rdf.rdf, dtype=np.float64)
    return g


if __name__ == "__main__":
    main()
