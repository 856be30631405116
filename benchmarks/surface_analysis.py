"""Ions at a surface: all distributions, profiles and contacts in one pass, against three tools that take one at a time.

python -m benchmarks.surface_analysis [--small]

The same for all, of the same file: radial distributions of O, N, F, S and the centre of mass of TFSI⁻ about the surface
atoms and of O about Li⁺, profiles of these five sites, the distance of each TFSI⁻ from the surface, and the anions
about each Li⁺; MDAnalysis has no distributions of centres, and solvation-analysis has the last alone. Ours also makes
orientation, bands, and what an ideal gas beside the surface would give.
"""

import argparse
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import freud
import numpy as np
from ase import Atoms
from MDAnalysis import Universe, Writer
from MDAnalysis.analysis.lineardensity import LinearDensity
from MDAnalysis.analysis.rdf import InterRDF
from MDAnalysis.lib.distances import capped_distance
from numpy.typing import NDArray

from analysis.ion_contacts import ContactTally
from analysis.one_pass import add_frames
from analysis.sites import CENTRE, build_axis, build_sites, find_surface
from analysis.surface_approach import SurfaceTally
from analysis.trajectory import build_universe
from benchmarks.record import Ratio, Record, time_side_by_side
from structures.species import build_species

R_MAX_A, N_BINS = 12.0, 240
R_LITHIUM_A, N_LITHIUM_BINS, CUTOFF_A = 8.0, 160, 2.8
SITES = ("O", "N", "F", "S")
Curves = dict[str, NDArray[np.float64]]


def write_trajectory(folder: Path, *, n_pairs: int, n_frames: int, seed: int) -> Universe:
    """Li slab below ions whose molecules are moved as a whole from frame to frame; a DCD file and its universe."""
    rng = np.random.default_rng(seed)
    side, height = 3.44 * 8, 10.0 + n_pairs * 0.45
    ticks = np.arange(8) * 3.44
    flat = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    atoms = Atoms(cell=[side, side, height], pbc=True)
    for z in (1.0, 2.72, 4.44):
        atoms += Atoms(f"Li{len(flat)}", positions=np.column_stack([flat, np.full(len(flat), z)]))
    n_electrode, anion = len(atoms), build_species("TFSI-").atoms
    for _ in range(n_pairs):
        atoms += anion
    atoms += Atoms(f"Li{n_pairs}", positions=np.zeros((n_pairs, 3)))
    sizes = [n_electrode, *[len(anion)] * n_pairs, *[1] * n_pairs]
    atoms.arrays["molecule"] = np.repeat(np.arange(len(sizes)), sizes)
    atoms.arrays["species"] = np.repeat(["electrode", *["TFSI-"] * n_pairs, *["Li+"] * n_pairs], sizes)
    universe = build_universe(atoms)
    places = rng.uniform([0, 0, 7], [side, side, height - 2], (2 * n_pairs, 3))
    shape = anion.positions - anion.positions.mean(axis=0)
    path = folder / "frames.dcd"
    with Writer(str(path), len(atoms), dt=1.0) as writer:
        for _ in range(n_frames):
            places += rng.normal(scale=0.2, size=places.shape)
            places[:, 2] = np.clip(places[:, 2], 7, height - 2)
            moved = (places[:n_pairs, None] + shape).reshape(-1, 3)
            universe.atoms.positions = np.concatenate([atoms.positions[:n_electrode], moved, places[n_pairs:]])
            writer.write(universe.atoms)
    universe.load_new(str(path))
    universe.add_TopologyAttr("charges", np.zeros(len(atoms)))  # which `LinearDensity` asks for
    return universe


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description="Analysis of ions at a surface against three other tools.")
    parser.add_argument("--small", action="store_true", help="a trial: few ions and frames, nothing kept")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    # 3 000 atoms: 192 of the electrode, 15 of each anion, one of each cation.
    n_pairs, n_frames = (40, 40) if arguments.small else (176, 1000)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = write_trajectory(Path(folder), n_pairs=n_pairs, n_frames=n_frames, seed=0)
        results: dict[str, Curves] = {}
        variants: dict[str, Callable[[], object]] = {
            "alkaliflow": lambda: results.update(ours=run_ours(universe)),
            "freud": lambda: results.update(freud=run_freud(universe)),
            "MDAnalysis": lambda: results.update(MDAnalysis=run_mdanalysis(universe)),
            "solvation-analysis": lambda: results.update(solvation=run_solvation(universe)),
        }
        settings = {"n_atoms": len(universe.atoms), "n_frames": n_frames, "r_max_A": R_MAX_A, "n_bins": N_BINS}
        record = Record("surface_analysis", settings=settings)
        record.timings = time_side_by_side(variants, repeats=1 if arguments.small else arguments.repeats)
        ours_s = record.timings["alkaliflow"].median_s
        others = {name: timing.median_s for name, timing in record.timings.items() if name != "alkaliflow"}
        whole = {name: other_s for name, other_s in others.items() if name != "solvation-analysis"}
        for name, other_s in others.items():
            record.ratios[f"{name} / alkaliflow"] = Ratio(other_s / ours_s)
        record.ratios["faster of freud and MDAnalysis / alkaliflow"] = Ratio(min(whole.values()) / ours_s, ">= 5")
        for name in ("freud", "MDAnalysis"):
            apart = [np.abs(results["ours"][key] - curve).max() for key, curve in results[name].items()]
            record.figures[f"largest_difference_from_{name}"] = float(max(apart))
        record.figures["largest_difference_of_coordination_from_solvation-analysis"] = float(
            np.abs(results["ours"]["lithium"] - results["solvation"]["lithium"]).max()
        )
        # Of the whole process, which the others share: the series that ours keeps are in it.
        record.figures["peak_memory_MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
        record.publish(keep=not arguments.small)


def run_ours(universe: Universe) -> Curves:
    """One pass for all."""
    n_frames = len(universe.trajectory)
    surface = find_surface(universe, electrode=universe.select_atoms("resname electrode").indices)
    sites = build_sites(universe, species="TFSI-", names=SITES)
    axes = [build_axis(universe, species="TFSI-", tails="S", heads="S")]
    tallies = (
        SurfaceTally(surface, sites=sites, axes=axes, n_frames=n_frames, r_max_A=R_MAX_A, bin_A=R_MAX_A / N_BINS),
        ContactTally(
            build_sites(universe, species="Li+")[0], binding=sites[0], n_frames=n_frames, r_max_A=R_LITHIUM_A,
            bin_A=R_LITHIUM_A / N_LITHIUM_BINS,
        ),
    )  # fmt: skip
    add_frames(universe, tallies=tallies)
    found, contacts = tallies[0].summarise(), tallies[1].summarise()
    near = contacts.within(CUTOFF_A)
    curves = {site.name: found.rdfs[site.label].coordination for site in sites}
    anions = np.array([near.frames.size / near.n_centres / n_frames])
    nearest = np.where(np.isfinite(found.nearest_A["TFSI-"]), found.nearest_A["TFSI-"], 0.0).ravel()
    return {**curves, "Li-O": contacts.rdf.coordination, "lithium": anions, "nearest": nearest.astype(np.float64)}


def choose(universe: Universe) -> dict[str, tuple[Any, Any]]:
    """Centres and neighbours of each distribution, in the words of MDAnalysis."""
    surface = find_surface(universe, electrode=universe.select_atoms("resname electrode").indices)
    anions = universe.select_atoms("resname TFSI-")
    at = universe.atoms[surface.atoms]
    pairs = {name: (at, anions.select_atoms(f"element {name}")) for name in SITES}
    return {**pairs, "Li-O": (universe.select_atoms("resname Li+"), anions.select_atoms("element O"))}


def run_freud(universe: Universe) -> Curves:
    """Frames read once, a distribution for each pair, and queries for distances and shells."""
    pairs, anions = choose(universe), universe.select_atoms("resname TFSI-")
    rdfs = {
        name: freud.density.RDF(bins=N_LITHIUM_BINS, r_max=R_LITHIUM_A)
        if name == "Li-O"
        else freud.density.RDF(bins=N_BINS, r_max=R_MAX_A)
        for name in (*pairs, CENTRE)
    }
    sums = {name: np.zeros(len(rdf.bin_centers)) for name, rdf in rdfs.items()}
    height = float(universe.dimensions[2])
    profiles = {name: np.zeros(int(height / 0.25)) for name in rdfs}
    rows = np.searchsorted(np.unique(anions.resindices), anions.resindices)
    oxygen_rows = rows[np.isin(anions.indices, pairs["O"][1].indices)]
    is_site = np.isin(anions.elements, SITES)
    nearest, n_shells = [], 0
    for timestep in universe.trajectory:
        box = freud.box.Box.from_matrix(timestep.triclinic_dimensions.T)
        surface = pairs["O"][0].positions
        for name, rdf in rdfs.items():
            if name == CENTRE:
                centres, points = surface, anions.center_of_mass(compound="residues")
            else:
                centres, points = (group.positions for group in pairs[name])
            rdf.compute((box, points), query_points=centres, reset=True)
            sums[name] += np.asarray(rdf.bin_counts) / len(centres)
            profiles[name] += np.histogram(points[:, 2], bins=profiles[name].size, range=(0, height))[0]
        query = freud.locality.AABBQuery(box, surface)
        found = query.query(anions.positions[is_site], {"num_neighbors": 1, "r_max": R_MAX_A}).toNeighborList()
        reach = np.full(rows[-1] + 1, np.inf)
        np.minimum.at(reach, rows[is_site][found.query_point_indices], found.distances)
        nearest.append(np.where(np.isfinite(reach), reach, 0.0))
        lithium, oxygen = (group.positions for group in pairs["Li-O"])
        shell = freud.locality.AABBQuery(box, oxygen).query(lithium, {"r_max": CUTOFF_A}).toNeighborList()
        keys = shell.query_point_indices * len(reach) + oxygen_rows[shell.point_indices]
        n_shells += np.unique(keys).size
    n_frames = len(universe.trajectory)
    curves = {name: np.cumsum(sums[name]) / n_frames for name in pairs}
    n_lithium = len(pairs["Li-O"][0])
    return {**curves, "nearest": np.concatenate(nearest), "lithium": np.array([n_shells / n_lithium / n_frames])}


def run_mdanalysis(universe: Universe) -> Curves:
    """`InterRDF` and `LinearDensity` for each pair, a pass each, and its distances for the rest in another."""
    curves, pairs = {}, choose(universe)
    for name, (centres, points) in pairs.items():
        n_bins, r_max_A = (N_LITHIUM_BINS, R_LITHIUM_A) if name == "Li-O" else (N_BINS, R_MAX_A)
        counts = InterRDF(centres, points, nbins=n_bins, range=(0.0, r_max_A)).run().results.count
        curves[name] = np.cumsum(counts) / len(centres) / len(universe.trajectory)
        if name != "Li-O":
            LinearDensity(points, binsize=0.25).run()
    anions = universe.select_atoms("resname TFSI-")
    anions = anions[np.isin(anions.elements, SITES)]
    rows = np.searchsorted(np.unique(anions.resindices), anions.resindices)
    nearest, n_shells = [], 0
    lithium, oxygen = pairs["Li-O"]
    for timestep in universe.trajectory:
        found, distances = capped_distance(pairs["O"][0].positions, anions.positions, R_MAX_A, box=timestep.dimensions)
        reach = np.full(rows[-1] + 1, np.inf)
        np.minimum.at(reach, rows[found[:, 1]], distances)
        nearest.append(np.where(np.isfinite(reach), reach, 0.0))
        shell = capped_distance(
            lithium.positions, oxygen.positions, CUTOFF_A, box=timestep.dimensions, return_distances=False
        )
        n_shells += np.unique(shell[:, 0] * len(oxygen) + oxygen.resindices[shell[:, 1]]).size
    anions_of_lithium = n_shells / len(lithium) / len(universe.trajectory)
    return {**curves, "nearest": np.concatenate(nearest), "lithium": np.array([anions_of_lithium])}


def run_solvation(universe: Universe) -> Curves:
    """`Solute`: the shells of Li⁺ alone, with a given radius; it knows no surface."""
    from importlib import import_module

    solute_class = import_module("solvation_analysis.solute").Solute
    lithium, oxygen = choose(universe)["Li-O"]
    solute = solute_class.from_atoms(lithium, {"anion": oxygen}, radii={"anion": CUTOFF_A}, skip_rdf=True)
    solute.run()
    return {"lithium": np.array([solute.coordination.coordination_numbers["anion"]])}


if __name__ == "__main__":
    main()
