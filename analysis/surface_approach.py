"""How molecules come near a surface: radial distributions, density profiles, nearest distances, orientation; one pass.

g(r) = Σ_frames n(r) / Σ_frames [ N_surface · ρ · V(r) ]

n(r) counts pairs of a surface atom and a site in the accessible slab (from the mean height of the upper face to the
lower face or to `accessible_A`), ρ is the mean density of the site in that slab, and V(r) the mean volume of a bin's
shell about a surface atom that lies in the slab, exact for plane faces. An ideal gas that fills the slab so has g = 1
at every distance; a layer that fills part of it does not lower V. The running coordination number counts every site
around a surface atom on the side of its face: of one face, none that is near through the electrode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.accessible_volume import AccessibleShells
from analysis.density_profile import DensityProfile, build_profile, combine_profiles
from analysis.near_pairs import find_pairs, open_along_z
from analysis.one_pass import add_frames
from analysis.rdf import PairTally, RadialDistribution, combine_rdfs, summarise_pairs
from analysis.sites import Axis, Site, Surface
from analysis.trajectory import count_frames
from structures.errors import InputError

MOLECULE = "nearest atom"


@dataclass(frozen=True, eq=False)
class SurfaceApproach:
    """What the molecules do at a surface, in one run.

    Attributes:
        surface: name of its atoms.
        normalisation: of the radial distributions, with its numbers.
        rdfs: label of a site to its distribution about the surface atoms.
        molecules: species to the distribution of the atom of a molecule that is nearest to a surface atom; its running
            coordination counts molecules, its g is normalised by the density of molecules and no more than a shape.
        profiles: label of a site to its density against height.
        time_ps: of the frames, shape (n_frames,), in ps.
        nearest_A: species to the distance of each molecule's nearest atom to the nearest surface atom, shape
            (n_frames, n_molecules), in Å; infinite beyond the largest distance of the distributions.
        cosines: species and name of an axis to the cosine of its angle to the normal of the face that is nearest to the
            molecule, out of the electrode, shape (n_frames, n_molecules).
    """

    surface: str
    normalisation: str
    rdfs: Mapping[str, RadialDistribution]
    molecules: Mapping[str, RadialDistribution]
    profiles: Mapping[str, DensityProfile]
    time_ps: NDArray[np.float64]
    nearest_A: Mapping[str, NDArray[np.float32]]
    cosines: Mapping[tuple[str, str], NDArray[np.float32]]

    def to_json(self) -> dict[str, Any]:
        """Curves as JSON values; series are left to what is made of them."""
        return {
            "surface": self.surface,
            "normalisation": self.normalisation,
            "rdf": [{"label": label, **one.to_json()} for label, one in self.rdfs.items()],
            "molecules": [{"label": label, **one.to_json()} for label, one in self.molecules.items()],
            "profiles": [one.to_json() for one in self.profiles.values()],
        }


def compute_surface_approach(
    universe: Universe,
    *,
    surface: Surface,
    sites: Sequence[Site],
    axes: Sequence[Axis] = (),
    r_max_A: float = 12.0,
    bin_A: float = 0.05,
    height_bin_A: float = 0.25,
    frames: slice | Sequence[int] | None = None,
    n_blocks: int = 20,
) -> SurfaceApproach:
    """How the sites of molecules come near a surface, in one pass over the frames.

    A frame at a time is held, with one number a molecule and frame for nearest distances, and one for each axis.

    Args:
        universe: trajectory with cells whose c is along z; positions may be unwrapped.
        surface: its atoms.
        sites: sites of molecules, of one or several species.
        axes: axes of molecules.
        r_max_A: largest distance, in Å; below half of the cell's smallest periodic height.
        bin_A: width of a bin of distances, in Å.
        height_bin_A: width of a bin of heights, in Å.
        frames: which frames; None for all.
        n_blocks: consecutive stretches of the trajectory, whose series gives bands if it is steady.

    Returns:
        Distributions, profiles and series.

    Raises:
        InputError: if there are no frames, sites or cell, or the radius does not fit it.
    """
    tally = SurfaceTally(
        surface, sites=sites, axes=axes, r_max_A=r_max_A, bin_A=bin_A, height_bin_A=height_bin_A, n_blocks=n_blocks,
        n_frames=count_frames(universe, frames=frames),
    )  # fmt: skip
    add_frames(universe, tallies=[tally], frames=frames)
    return tally.summarise()


class SurfaceTally:
    """Counts of all sites about a surface, to which frames are added one by one; see `compute_surface_approach`."""

    def __init__(
        self, surface: Surface, *, sites: Sequence[Site], n_frames: int, axes: Sequence[Axis] = (),
        r_max_A: float = 12.0, bin_A: float = 0.05, height_bin_A: float = 0.25, n_blocks: int = 20,
    ) -> None:  # fmt: skip
        """Number the points of all sites, and the molecules of all species."""
        if n_frames == 0 or not sites or not 0 < bin_A < r_max_A or not height_bin_A > 0:
            raise InputError(
                f"{n_frames} frames, {len(sites)} sites, bins {bin_A} and {height_bin_A} Å and radius {r_max_A} Å; "
                "needs frames, sites and 0 < bin < radius"
            )
        n_blocks = min(n_blocks, n_frames)
        self.surface, self.sites, self.axes, self.r_max_A = surface, tuple(sites), tuple(axes), r_max_A
        self.n_bins, self.n_blocks, self.n_frames = round(r_max_A / bin_A), n_blocks, n_frames
        self.height_bin_A = height_bin_A
        self.edges_A = np.linspace(0, r_max_A, self.n_bins + 1)
        sizes = {site.species: len(site.atoms) for site in self.sites}
        firsts = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
        if unlike := [site.label for site in self.sites if len(site.atoms) != sizes[site.species]]:
            raise InputError(
                f"site {unlike[0]} has another number of molecules than others of it; give it a name apart"
            )
        if unknown := [axis.species for axis in self.axes if axis.species not in sizes]:
            raise InputError(f"an axis is of {unknown[0]}, the sites are of {', '.join(sizes)}; give sites of it too")
        self.rows = {name: slice(firsts[name], firsts[name] + size) for name, size in sizes.items()}
        self.species_of = np.repeat(np.arange(len(sizes)), list(sizes.values()))
        points = [site.molecules.size for site in self.sites]
        self.site_of = np.repeat(np.arange(len(points)), points)
        # Centres of mass are no atoms: they do not count for the nearest one.
        self.molecule_of = np.concatenate(
            [np.full(s.molecules.size, -1) if s.is_centre else s.molecules + firsts[s.species] for s in self.sites]
        )
        n_kinds = len(self.sites) + len(sizes)
        self.pairs, self.all_pairs = np.zeros((2, n_blocks, n_kinds, self.n_bins))
        self.shells = [AccessibleShells(self.edges_A, n_gases=n_kinds) for _ in range(n_blocks)]
        self.heights = np.zeros((n_blocks, len(self.sites), 0))
        self.layers_A3, self.frames_in = np.zeros(n_blocks), np.zeros(n_blocks)
        self.time_ps = np.empty(n_frames)
        self.nearest_A = np.full((n_frames, self.species_of.size), np.inf, dtype=np.float32)
        self.cosines = [np.empty((n_frames, len(axis.tails)), dtype=np.float32) for axis in self.axes]
        self.thickness_A, self._n_added = 0.0, 0

    def add(self, positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64], time_ps: float) -> None:
        """Count one more frame: positions (n_atoms, 3) in Å, cell (3, 3) in Å, time in ps."""
        number, self._n_added = self._n_added, self._n_added + 1
        block = number * self.n_blocks // self.n_frames
        self.time_ps[number] = time_ps
        self.frames_in[block] += 1
        low, thickness, gap = self.surface.measure(positions_A, cell_A=cell_A)
        self.thickness_A += thickness / self.n_frames
        points = np.concatenate([site.locate(positions_A, cell_A=cell_A) for site in self.sites])
        faces = positions_A[self.surface.atoms]
        height = cell_A[2, 2] if self.surface.is_periodic else None
        heights, face_heights = (_measure_heights(z, low_A=low, height_A=height) for z in (points[:, 2], faces[:, 2]))
        inside = (heights >= 0) & (heights <= thickness)
        self._count_heights(heights, block=block, thickness_A=thickness if height is None else height, cell_A=cell_A)
        box = cell_A if self.surface.is_periodic else open_along_z(cell_A, z_A=(points, faces), reach_A=self.r_max_A)
        # With one face, what lies near it through the electrode is at another surface.
        below_A = gap / 2 if gap is not None and not self.surface.lower.size else np.inf
        upward = self._count_pairs(faces, points=points, box_A=box, inside=inside, number=number, below_A=below_A)
        volume = abs(np.linalg.det(cell_A)) / cell_A[2, 2] * thickness
        n_inside = np.bincount(self.site_of[inside], minlength=len(self.sites))
        n_molecules = [self.rows[name].stop - self.rows[name].start for name in self.rows]
        self.shells[block].add(
            face_heights,
            thickness_A=thickness,
            density_per_A3=np.append(n_inside, n_molecules) / volume,
            gap_A=gap if below_A == np.inf else None,
        )
        for axis, cosines in zip(self.axes, self.cosines, strict=True):
            cosines[number] = axis.compute_cosines(positions_A, cell_A=cell_A) * upward[self.rows[axis.species]]

    def _count_heights(
        self, heights_A: NDArray[np.float64], *, block: int, thickness_A: float, cell_A: NDArray[np.float64]
    ) -> None:
        """Add to the profiles; the first frame says how high they go."""
        if self.heights.shape[2] == 0:
            self.heights = np.zeros((*self.heights.shape[:2], max(int(thickness_A / self.height_bin_A), 1)))
        n_bins = self.heights.shape[2]
        bins = np.floor(heights_A / self.height_bin_A).astype(np.intp)
        known = (bins >= 0) & (bins < n_bins)
        flat = self.site_of[known] * n_bins + bins[known]
        self.heights[block] += np.bincount(flat, minlength=len(self.sites) * n_bins).reshape(-1, n_bins)
        self.layers_A3[block] += abs(np.linalg.det(cell_A)) / cell_A[2, 2] * self.height_bin_A

    def _count_pairs(
        self, faces_A: NDArray[np.float64], *, points: NDArray[np.float64], box_A: NDArray[np.float64],
        inside: NDArray[np.bool_], number: int, below_A: float,
    ) -> NDArray[np.int64]:  # fmt: skip
        """Add the pairs of surface atoms with sites and with the nearest atom of each molecule.

        Sites farther below an atom of the surface than `below_A` do not count.

        Returns:
            1 for each molecule that is nearest to the upper face, −1 to the lower one.
        """
        block, n_sites, n_species = number * self.n_blocks // self.n_frames, len(self.sites), len(self.rows)
        centres, others, distances = find_pairs(faces_A, neighbours_A=points, cell_A=box_A, cutoff_A=self.r_max_A)
        if below_A < np.inf:
            rises = points[others, 2] - faces_A[centres, 2]
            above = rises - np.round(rises / box_A[2, 2]) * box_A[2, 2] > -below_A
            centres, others, distances = centres[above], others[above], distances[above]
        counts = self._histogram(distances, rows=self.site_of[others], n_rows=n_sites)
        self.all_pairs[block, :n_sites] += counts
        within = inside[others]
        if not within.all():
            counts = self._histogram(distances[within], rows=self.site_of[others[within]], n_rows=n_sites)
        self.pairs[block, :n_sites] += counts
        molecules = self.molecule_of[others]
        atoms = molecules >= 0
        closest = np.full((len(faces_A), self.species_of.size), np.inf)
        # Of flat indices `minimum.at` is ten times faster than of pairs of them.
        np.minimum.at(closest.ravel(), (centres * self.species_of.size + molecules)[atoms], distances[atoms])
        self.nearest_A[number] = closest.min(axis=0)
        near = np.flatnonzero(closest < np.inf)
        rows = self.species_of[near % self.species_of.size]
        counts = self._histogram(closest.ravel()[near], rows=rows, n_rows=n_species)
        self.all_pairs[block, n_sites:] += counts
        self.pairs[block, n_sites:] += counts
        return np.where(closest.argmin(axis=0) < self.surface.upper.size, 1, -1)

    def _histogram(self, distances_A: NDArray[np.float64], *, rows: NDArray[np.intp], n_rows: int) -> NDArray[np.int64]:
        """Distances of each row, in the bins."""
        bins = np.minimum((distances_A * (self.n_bins / self.r_max_A)).astype(np.intp), self.n_bins - 1)
        return np.bincount(rows * self.n_bins + bins, minlength=n_rows * self.n_bins).reshape(n_rows, -1)

    def summarise(self) -> SurfaceApproach:
        """What the frames gave.

        Raises:
            InputError: if other than the announced number of them was added.
        """
        if self._n_added != self.n_frames:
            raise InputError(f"{self._n_added} frames were added, {self.n_frames} were announced; add them all")
        edges, n_sites = self.edges_A, len(self.sites)
        expected = np.array([shells.expected for shells in self.shells])
        slab = f"slab above {self.surface.name}"

        def distribute(row: int, name: str) -> RadialDistribution:
            tally = PairTally(self.n_blocks, self.n_bins)
            tally.pairs, tally.all_pairs = self.pairs[:, row], self.all_pairs[:, row]
            tally.expected, tally.centres = expected[:, row], self.frames_in * self.surface.atoms.size
            return summarise_pairs(
                tally, pair=(self.surface.name, name), region=slab, edges_A=edges, n_frames=self.n_frames
            )

        rdfs = {site.label: distribute(row, site.name) for row, site in enumerate(self.sites)}
        molecules = {name: distribute(n_sites + row, MOLECULE) for row, name in enumerate(self.rows)}
        height_edges = np.arange(self.heights.shape[2] + 1, dtype=np.float64) * self.height_bin_A
        profiles = {
            site.label: build_profile(
                self.heights[:, row], volumes_A3=self.layers_A3, edges_A=height_edges, site=site.label,
                mass_u=site.mass_u,
            )
            for row, site in enumerate(self.sites)
        }  # fmt: skip
        normalisation = (
            f"the mean density in the {slab}, and the volume of each shell about its {self.surface.atoms.size} "
            "atoms that lies in it; 1 for an ideal gas that fills it"
        )
        return SurfaceApproach(
            self.surface.name, normalisation, rdfs, molecules, profiles, self.time_ps,
            {name: self.nearest_A[:, rows] for name, rows in self.rows.items()},
            {(axis.species, axis.name): values for axis, values in zip(self.axes, self.cosines, strict=True)},
        )  # fmt: skip


def combine_approaches(approaches: Sequence[SurfaceApproach]) -> SurfaceApproach:
    """Replicas of one system as one: distributions and profiles with bands over replicas, series one after another.

    Raises:
        InputError: if they have other sites or bins.
    """
    first = approaches[0]
    if any(one.rdfs.keys() != first.rdfs.keys() or one.cosines.keys() != first.cosines.keys() for one in approaches):
        raise InputError(f"replicas with other sites than {', '.join(first.rdfs)} do not add; compute them alike")
    return SurfaceApproach(
        first.surface,
        first.normalisation,
        {name: combine_rdfs([one.rdfs[name] for one in approaches]) for name in first.rdfs},
        {name: combine_rdfs([one.molecules[name] for one in approaches]) for name in first.molecules},
        {name: combine_profiles([one.profiles[name] for one in approaches]) for name in first.profiles},
        np.concatenate([one.time_ps for one in approaches]),
        {name: np.concatenate([one.nearest_A[name] for one in approaches]) for name in first.nearest_A},
        {name: np.concatenate([one.cosines[name] for one in approaches]) for name in first.cosines},
    )


def _measure_heights(z_A: NDArray[np.float64], *, low_A: float, height_A: float | None) -> NDArray[np.float64]:
    """Heights above the upper face, from 0 to the height of a periodic cell."""
    return z_A - low_A if height_A is None else np.mod(z_A - low_A, height_A)
