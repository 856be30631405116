"""Atoms and the molecules that bind them, frame by frame: radial distribution and every contact, in one pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.accessible_volume import AccessibleShells
from analysis.near_pairs import find_pairs, open_along_z
from analysis.one_pass import add_frames
from analysis.rdf import PairTally, RadialDistribution, summarise_pairs
from analysis.sites import Site, Surface
from analysis.trajectory import count_frames
from structures.errors import InputError

_Found = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Contacts:
    """Which centres and molecules are near each other in one run, each pair with its shortest distance.

    Attributes:
        label: site of the centres and site of the molecules that binds them, e.g. "Li+ Li, TFSI- O".
        rdf: distribution of the binding sites about the centres.
        time_ps: of the frames, shape (n_frames,), in ps.
        frames: number of the frame of each contact, rising, shape (n_contacts,).
        centres: row of the centre, same shape.
        molecules: row of the molecule, same shape.
        distances_A: from the centre to the nearest binding atom of the molecule, same shape, in Å.
        n_centres: how many centres there are.
        n_molecules: how many molecules there are.
        longest_A: contacts are kept up to this distance, in Å.
    """

    label: str
    rdf: RadialDistribution
    time_ps: NDArray[np.float64]
    frames: NDArray[np.int32] = field(repr=False)
    centres: NDArray[np.int32] = field(repr=False)
    molecules: NDArray[np.int32] = field(repr=False)
    distances_A: NDArray[np.float32] = field(repr=False)
    n_centres: int
    n_molecules: int
    longest_A: float

    def within(self, cutoff_A: float) -> "Contacts":
        """The contacts nearer than a cut-off.

        Raises:
            InputError: if contacts were kept up to less.
        """
        if not 0 < cutoff_A <= self.longest_A:
            raise InputError(
                f"cutoff_A is {cutoff_A}, needs 0 < cutoff_A <= {self.longest_A} Å, up to where contacts of "
                f"{self.label} were kept; raise longest_A"
            )
        near = self.distances_A < cutoff_A
        columns = {name: getattr(self, name)[near] for name in ("frames", "centres", "molecules", "distances_A")}
        return replace(self, **columns, longest_A=cutoff_A)

    def iterate(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """Centres and molecules in contact, for each frame."""
        bounds = np.searchsorted(self.frames, np.arange(self.time_ps.size + 1))
        for first, last in pairwise(bounds.tolist()):
            yield self.centres[first:last], self.molecules[first:last]


def compute_contacts(
    universe: Universe,
    *,
    centres: Site,
    binding: Site,
    surface: Surface | None = None,
    r_max_A: float = 8.0,
    bin_A: float = 0.05,
    longest_A: float = 4.0,
    frames: slice | Sequence[int] | None = None,
    n_blocks: int = 20,
) -> Contacts:
    """Radial distribution of binding sites about centres, and all contacts, in one pass.

    Args:
        universe: trajectory with cells; positions may be unwrapped.
        centres: e.g. Li⁺, or Fe of a layer; each point is a centre of its own.
        binding: atoms of molecules that bind them, e.g. O of TFSI⁻.
        surface: of the slab that holds both, for the normalisation of g(r); None for the whole cell.
        r_max_A: largest distance of g(r), in Å.
        bin_A: width of its bins, in Å.
        longest_A: contacts are kept up to this distance, in Å; above the cut-off that will be asked for; 0 for none.
        frames: which frames; None for all.
        n_blocks: consecutive stretches of the trajectory, whose series gives bands if it is steady.

    Returns:
        Distribution and contacts; a contact takes 16 bytes.

    Raises:
        InputError: if there are no frames or cell, or a distance does not fit.
    """
    tally = ContactTally(
        centres, binding=binding, surface=surface, r_max_A=r_max_A, bin_A=bin_A, longest_A=longest_A,
        n_blocks=n_blocks, n_frames=count_frames(universe, frames=frames),
    )  # fmt: skip
    add_frames(universe, tallies=[tally], frames=frames)
    return tally.summarise()


class ContactTally:
    """Pairs and contacts, to which frames are added one by one; see `compute_contacts`."""

    def __init__(
        self, centres: Site, *, binding: Site, n_frames: int, surface: Surface | None = None, r_max_A: float = 8.0,
        bin_A: float = 0.05, longest_A: float = 4.0, n_blocks: int = 20,
    ) -> None:  # fmt: skip
        """Start with no frames."""
        if n_frames == 0 or not 0 < bin_A < r_max_A or not 0 <= longest_A <= r_max_A:
            raise InputError(
                f"{n_frames} frames, bin {bin_A} Å, contacts up to {longest_A} Å and radius {r_max_A} Å; needs frames, "
                "0 < bin < radius and 0 <= contacts <= radius"
            )
        self.centres, self.binding, self.surface = centres, binding, surface
        self.r_max_A, self.longest_A, self.n_frames = r_max_A, longest_A, n_frames
        self.n_bins, self.n_blocks = round(r_max_A / bin_A), min(n_blocks, n_frames)
        self.edges_A = np.linspace(0, r_max_A, self.n_bins + 1)
        self.tally = PairTally(self.n_blocks, self.n_bins)
        self.shells = [AccessibleShells(self.edges_A) for _ in range(self.n_blocks)]
        self.kept: list[_Found] = []
        self.time_ps = np.empty(n_frames)
        # An atom that is both a centre and binds is no neighbour of itself.
        is_centre = centres.is_centre or binding.is_centre
        self.n_own = 0 if is_centre else np.intersect1d(centres.atoms, binding.atoms).size

    def add(self, positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64], time_ps: float) -> None:
        """Count one more frame: positions (n_atoms, 3) in Å, cell (3, 3) in Å, time in ps."""
        number = len(self.kept)
        block = number * self.n_blocks // self.n_frames
        self.time_ps[number] = time_ps
        frame = _Frame(
            positions_A, centres=self.centres, binding=self.binding, surface=self.surface, cell_A=cell_A,
            reach_A=self.r_max_A, n_own=self.n_own,
        )  # fmt: skip
        bins = np.minimum((frame.distances_A * (self.n_bins / self.r_max_A)).astype(np.intp), self.n_bins - 1)
        self.tally.all_pairs[block] += np.bincount(bins, minlength=self.n_bins)
        self.tally.pairs[block] += np.bincount(bins[frame.inside[frame.others]], minlength=self.n_bins)
        self.tally.centres[block] += frame.n_centres
        frame.add_to(self.shells[block])
        self.kept.append(frame.find_contacts(self.longest_A, molecules=self.binding.molecules, number=number))

    def summarise(self) -> Contacts:
        """What the frames gave.

        Raises:
            InputError: if other than the announced number of them was added.
        """
        if len(self.kept) != self.n_frames:
            raise InputError(f"{len(self.kept)} frames were added, {self.n_frames} were announced; add them all")
        self.tally.expected = np.array([one.expected[0] for one in self.shells])
        region = "cell" if self.surface is None else f"slab above {self.surface.name}"
        pair = (self.centres.name, self.binding.name)
        rdf = summarise_pairs(self.tally, pair=pair, region=region, edges_A=self.edges_A, n_frames=self.n_frames)
        at, rows, molecules, distances = (np.concatenate(column) for column in zip(*self.kept, strict=True))
        return Contacts(
            f"{self.centres.label}, {self.binding.label}", rdf, self.time_ps, at, rows, molecules, distances,
            self.centres.molecules.size, len(self.binding.atoms), self.longest_A,
        )  # fmt: skip


class _Frame:
    """Pairs of one frame."""

    def __init__(
        self, positions_A: NDArray[np.float64], *, centres: Site, binding: Site, surface: Surface | None,
        cell_A: NDArray[np.float64], reach_A: float, n_own: int,
    ) -> None:  # fmt: skip
        at, points = (site.locate(positions_A, cell_A=cell_A) for site in (centres, binding))
        self.n_centres, self.inside = len(at), np.ones(len(points), dtype=bool)
        self.volume_A3, self.heights_A, box = float(abs(np.linalg.det(cell_A))), None, cell_A
        if surface is not None:
            low, self.thickness_A, self.gap_A = surface.measure(positions_A, cell_A=cell_A)
            height = cell_A[2, 2]
            self.heights_A, heights = at[:, 2] - low, points[:, 2] - low
            if surface.is_periodic:
                self.heights_A, heights = np.mod(self.heights_A, height), np.mod(heights, height)
            else:
                box = open_along_z(cell_A, z_A=(at, points), reach_A=reach_A)
            self.inside = (heights >= 0) & (heights <= self.thickness_A)
            self.volume_A3 *= self.thickness_A / height
        self.at, self.others, self.distances_A = find_pairs(at, neighbours_A=points, cell_A=box, cutoff_A=reach_A)
        self.n_own = n_own
        if n_own:
            other = centres.atoms.ravel()[self.at] != binding.atoms.ravel()[self.others]
            self.at, self.others, self.distances_A = self.at[other], self.others[other], self.distances_A[other]

    def add_to(self, shells: AccessibleShells) -> None:
        """Add the pairs that an ideal gas would have."""
        density = [(self.inside.sum() - self.n_own / self.n_centres) / self.volume_A3]
        if self.heights_A is None:
            far = np.full(self.n_centres, 2 * shells.edges_A[-1])
            shells.add(far, thickness_A=2 * far[0], density_per_A3=density, gap_A=None)
        else:
            shells.add(self.heights_A, thickness_A=self.thickness_A, density_per_A3=density, gap_A=self.gap_A)

    def find_contacts(self, longest_A: float, *, molecules: NDArray[np.int64], number: int) -> _Found:
        """Frame, centre, molecule and shortest distance of each contact."""
        near = self.distances_A < longest_A
        keys = self.at[near] * (molecules.max() + 1) + molecules[self.others[near]]
        distances = self.distances_A[near]
        order = np.lexsort((distances, keys))
        found, first = np.unique(keys[order], return_index=True)
        rows, columns = np.divmod(found, molecules.max() + 1)
        return (
            np.full(found.size, number, dtype=np.int32),
            rows.astype(np.int32),
            columns.astype(np.int32),
            distances[order][first].astype(np.float32),
        )
