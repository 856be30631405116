"""Partial radial distribution functions by region, with running coordination numbers and their first minimum.

g(r) = Σ_frames n(r) / Σ_frames [ N_A · ρ_B · (4π/3)((r + Δ/2)³ − (r − Δ/2)³) · f(r) ]

n(r) counts pairs of a centre A and a neighbour B that both lie in the region, ρ_B = (N_B − δ_AB)/V is the density of B
in the region of volume V, Δ the width of a bin, and f(r) the share of a sphere of radius r about a centre that lies in
the region (1 in a full periodic cell). An ideal gas confined to the region so has g = 1. The running coordination
number counts every B around the centres in the region, wherever it lies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.counting import PairCounter
from analysis.first_minimum import find_first_minimum, find_first_peak
from analysis.regions import Region, compute_visible_share
from analysis.trajectory import count_frames, get_elements, iterate_frames
from analysis.uncertainty import (
    Quantity,
    Steadiness,
    compute_band,
    compute_replica_mean,
    compute_steady_half_width,
    compute_steady_mean,
    judge_steadiness,
    to_list,
)
from structures.errors import InputError

RegionOfFrame = Region | Callable[[int], Region]

STRETCHES = "stretches of one run"
_CENTRES = 2000
_SHARE_STEP_A = 0.25


@dataclass(frozen=True)
class RadialDistribution:
    """Partial radial distribution function of one pair in one region.

    Attributes:
        pair: centre and neighbour, e.g. "K-Bi".
        region: name of the region.
        r_A: middle of the bins, in Å.
        g: distribution; NaN where there was nothing to count.
        g_low: lower end of the 95 % band, NaN with a single sample.
        g_high: upper end of the band.
        coordination: neighbours of a centre within the outer edge of each bin.
        first_minimum_A: first minimum in Å; None if there is none.
        first_minimum_reason: why there is none, or how it was found.
        coordination_number: neighbours within the cut-off; None without one.
        cutoff_A: the cut-off that was counted to, in Å: outer edge of the bin that holds the first minimum, unless
            `count_within` was given another.
        cutoff_source: where the cut-off comes from.
        n_frames: frames counted.
        n_centres: mean number of centres in the region.
        samples: g and running coordination of each independent sample, shape (n_samples, 2, n_bins).
        noise: standard error of g, from which peaks must stand out, shape (n_bins,).
        what: what the samples are: stretches of one run, or replicas.
        steadiness: why stretches of one run give a band or none; None for replicas.
        first_peak_A: first peak that stands out, of the smoothed curve that gave the minimum, in Å; None if none does.
    """

    pair: str
    region: str
    r_A: NDArray[np.float64]
    g: NDArray[np.float64]
    g_low: NDArray[np.float64]
    g_high: NDArray[np.float64]
    coordination: NDArray[np.float64]
    first_minimum_A: float | None
    first_minimum_reason: str
    coordination_number: Quantity | None
    cutoff_A: float | None
    cutoff_source: str
    n_frames: int
    n_centres: float
    samples: NDArray[np.float64] = field(repr=False)
    noise: NDArray[np.float64] = field(repr=False)
    what: str = STRETCHES
    steadiness: Steadiness | None = None
    first_peak_A: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The distribution as JSON values."""
        number = self.coordination_number
        curves = {name: to_list(getattr(self, name)) for name in ("r_A", "g", "g_low", "g_high", "coordination")}
        return {
            "pair": self.pair,
            "region": self.region,
            **curves,
            "first_peak_A": self.first_peak_A,
            "first_minimum_A": self.first_minimum_A,
            "first_minimum_reason": self.first_minimum_reason,
            "coordination_number": None if number is None else number.to_json(),
            "cutoff_A": self.cutoff_A,
            "cutoff_source": self.cutoff_source,
            "n_frames": self.n_frames,
            "n_centres": round(self.n_centres, 3),
            "n_independent": len(self.samples) if self.steadiness is None else self.steadiness.n_independent,
            "verdict": self.verdict,
        }

    @property
    def verdict(self) -> str:
        """What the curve is good for."""
        if not np.isfinite(self.g).any():
            return f"no {self.pair} pairs to count in region {self.region}"
        if self.steadiness is not None:
            return self.steadiness.verdict
        return f"band from {len(self.samples)} {self.what}"


class PairTally:
    """Counts of one pair in one region, summed over the frames of each block.

    Attributes:
        pairs: pairs within the region, shape (n_blocks, n_bins).
        all_pairs: pairs with neighbours wherever they are, same shape.
        expected: pairs that an ideal gas in the region would have, same shape.
        centres: centres in the region, shape (n_blocks,).
    """

    def __init__(self, n_blocks: int, n_bins: int) -> None:
        """Start at zero."""
        self.pairs = np.zeros((n_blocks, n_bins))
        self.all_pairs = np.zeros((n_blocks, n_bins))
        self.expected = np.zeros((n_blocks, n_bins))
        self.centres = np.zeros(n_blocks)


def compute_rdfs(
    universe: Universe,
    *,
    pairs: Sequence[tuple[str, str]],
    regions: Sequence[RegionOfFrame] = (Region(),),
    r_max_A: float = 10.0,
    bin_A: float = 0.05,
    frames: slice | Sequence[int] | None = None,
    n_blocks: int = 20,
    seed: int = 0,
) -> list[RadialDistribution]:
    """Partial radial distribution functions of a trajectory, read once.

    Args:
        universe: trajectory with elements and cells; positions may be unwrapped.
        pairs: centre and neighbour elements, e.g. `[("K", "Bi")]`.
        regions: regions, or functions that give the region of a frame number (for drift and glide).
        r_max_A: largest distance, in Å; below half of the cell's smallest height.
        bin_A: width of a bin, in Å.
        frames: which frames; None for all.
        n_blocks: consecutive stretches of the trajectory; their series gives the band if it is steady.
        seed: seed of the sampling of the accessible volume.

    Returns:
        One distribution a region and pair, regions outermost.

    Raises:
        InputError: if an element is absent, the radius does not fit the cell or there are no frames.
    """
    elements = get_elements(universe)
    for element in {element for pair in pairs for element in pair}:
        if element not in elements:
            raise InputError(f"pair names {element}, but the system has {', '.join(sorted(set(elements)))}")
    n_frames = count_frames(universe, frames=frames)
    if n_frames == 0 or not 0 < bin_A < r_max_A:
        raise InputError(f"{n_frames} frames, bin {bin_A} Å and radius {r_max_A} Å; needs frames and 0 < bin < radius")
    n_bins, n_blocks = round(r_max_A / bin_A), min(n_blocks, n_frames)
    edges = np.linspace(0, r_max_A, n_bins + 1)
    members = {element: elements == element for pair in pairs for element in pair}
    tallies = {(i, pair): PairTally(n_blocks, n_bins) for i in range(len(regions)) for pair in pairs}
    names, counter = [""] * len(regions), PairCounter(n_bins, r_max_A=r_max_A)
    for number, timestep in enumerate(iterate_frames(universe, frames=frames)):
        if timestep.dimensions is None:
            raise InputError(f"frame {timestep.frame} has no cell; set universe.dimensions")
        for i, given in enumerate(regions):
            region = given(timestep.frame) if callable(given) else given
            names[i] = region.name
            frame = _Frame(
                timestep, region=region, edges_A=edges, members=members, seed=seed + number, n_frames=n_frames
            )
            for pair in pairs:
                frame.count(pair, counter=counter, tally=tallies[i, pair], block=number * n_blocks // n_frames)
    return [
        summarise_pairs(tally, pair=pair, region=names[i], edges_A=edges, n_frames=n_frames)
        for (i, pair), tally in tallies.items()
    ]


class _Frame:
    """One frame seen through one region."""

    def __init__(
        self, timestep: Any, *, region: Region, edges_A: NDArray[np.float64],  # noqa: ANN401 - MDAnalysis has no types
        members: dict[str, NDArray[np.bool_]], seed: int, n_frames: int,
    ) -> None:  # fmt: skip
        self.cell = np.asarray(timestep.triclinic_dimensions, dtype=float)
        self.region, self.edges, self.seed = region, edges_A, seed
        self.max_centres = max(16, _CENTRES // n_frames)
        self.positions = {element: timestep.positions[mask] for element, mask in members.items()}
        self.inside = {e: region.contains(points, cell_A=self.cell) for e, points in self.positions.items()}
        self.volume = region.volume_A3(cell_A=self.cell)
        self.shares: dict[str, NDArray[np.float64]] = {}

    def count(self, pair: tuple[str, str], *, counter: PairCounter, tally: PairTally, block: int) -> None:
        """Add the pairs of this frame to the tally."""
        a, b = pair
        centres = self.positions[a][self.inside[a]]
        if len(centres) == 0:
            return
        same = a == b

        def histogram(neighbours: NDArray[np.float32]) -> NDArray[np.int64]:
            return counter.count(centres, neighbours_A=neighbours, cell_A=self.cell, same=same)

        counts = histogram(self.positions[b])
        within = counts if self.inside[b].all() else histogram(self.positions[b][self.inside[b]])
        density = (int(self.inside[b].sum()) - same) / self.volume
        shells = 4 / 3 * np.pi * np.diff(self.edges**3)
        tally.pairs[block] += within
        tally.all_pairs[block] += counts
        tally.expected[block] += len(centres) * density * shells * self._share(a, centres)
        tally.centres[block] += len(centres)

    def _share(self, element: str, centres: NDArray[np.float32]) -> NDArray[np.float64]:
        """Share of the shells about the element's centres that lies in the region."""
        if element not in self.shares:
            radii = np.linspace(0, self.edges[-1], round(self.edges[-1] / _SHARE_STEP_A) + 2)
            known = compute_visible_share(
                centres,
                region=self.region,
                cell_A=self.cell,
                radii_A=radii,
                max_centres=self.max_centres,
                seed=self.seed,
            )
            self.shares[element] = np.interp(0.5 * (self.edges[1:] + self.edges[:-1]), radii, known)
        return self.shares[element]


def summarise_pairs(
    tally: PairTally, *, pair: tuple[str, str], region: str, edges_A: NDArray[np.float64], n_frames: int
) -> RadialDistribution:
    """The distribution from the counts of its blocks, in bins with these edges."""
    with np.errstate(divide="ignore", invalid="ignore"):
        g = np.where(tally.expected.sum(0) > 0, tally.pairs.sum(0) / tally.expected.sum(0), np.nan)
        blocks = np.where(tally.expected > 0, tally.pairs / tally.expected, np.nan)
        running = np.cumsum(tally.all_pairs, axis=1) / np.where(tally.centres > 0, tally.centres, np.nan)[:, None]
        total = np.cumsum(tally.all_pairs.sum(0)) / (tally.centres.sum() or np.nan)
    return _finish(
        g, coordination=total, samples=np.stack([blocks, running], axis=1), pair="-".join(pair), region=region,
        edges_A=edges_A, n_frames=n_frames, n_centres=float(tally.centres.sum() / n_frames), what=STRETCHES,
        poisson=g / np.sqrt(np.maximum(tally.pairs.sum(0), 1)),
    )  # fmt: skip


def combine_rdfs(distributions: Sequence[RadialDistribution]) -> RadialDistribution:
    """The distribution of several replicas of one system: mean, band over replicas, first minimum of the mean.

    Raises:
        InputError: if they differ in pair, region or bins.
    """
    first = distributions[0]
    if len({(d.pair, d.region, d.r_A.size, float(d.r_A[-1])) for d in distributions}) != 1:
        raise InputError(f"distributions of other pairs, regions or bins do not add to {first.pair}, {first.region}")
    if len(distributions) == 1:
        return first
    samples = np.stack([np.stack([d.g, d.coordination]) for d in distributions])
    mean = compute_band(samples)[0]
    half = first.r_A[0]
    return _finish(
        mean[0], coordination=mean[1], samples=samples, pair=first.pair, region=first.region,
        edges_A=np.append(first.r_A - half, first.r_A[-1] + half), n_frames=sum(d.n_frames for d in distributions),
        n_centres=float(np.mean([d.n_centres for d in distributions])), what="replicas", poisson=np.zeros_like(half),
    )  # fmt: skip


def _finish(
    g: NDArray[np.float64], *, coordination: NDArray[np.float64], samples: NDArray[np.float64], pair: str, region: str,
    edges_A: NDArray[np.float64], n_frames: int, n_centres: float, what: str, poisson: ArrayLike,
) -> RadialDistribution:  # fmt: skip
    """Band (of a density, so not below zero), first minimum and coordination number of a curve and its samples."""
    r = 0.5 * (edges_A[1:] + edges_A[:-1])
    _, low, high = compute_band(samples[:, 0])
    half = 0.5 * (high - low)
    noise = np.where(np.isfinite(half), half / 2, poisson)
    minimum, reason = find_first_minimum(r, g=g, noise=noise)
    steadiness = None
    if what == STRETCHES:
        at = -1 if minimum is None else _find_bin(edges_A, radius_A=minimum)
        steadiness = judge_steadiness(_take_known(samples[:, 1, at]))
        known = samples[np.isfinite(samples[:, 1, -1]), 0]
        half = np.full(r.size, np.nan)
        if steadiness.is_steady:
            half = compute_steady_half_width(known, n_independent=steadiness.n_independent)
    distribution = RadialDistribution(
        pair, region, r, g, np.maximum(g - half, 0), g + half, coordination, minimum, reason, None, None, reason,
        n_frames, n_centres, samples, noise, what, steadiness, find_first_peak(r, g=g, noise=noise),
    )  # fmt: skip
    return count_within(distribution, cutoff_A=minimum, source=reason)


def count_within(distribution: RadialDistribution, *, cutoff_A: float | None, source: str) -> RadialDistribution:
    """The distribution with the coordination number within a cut-off.

    Args:
        distribution: of a pair in a region.
        cutoff_A: the cut-off, in Å; None for none.
        source: where it comes from, or why there is none.

    Returns:
        The same, its coordination number with an error over replicas, or over stretches of one run that is steady. It
        is counted to the outer edge of the bin that holds the cut-off, and `cutoff_A` is that edge.
    """
    number = None
    if cutoff_A is not None:
        half = distribution.r_A[0]
        edges = np.append(distribution.r_A - half, distribution.r_A[-1] + half)
        at = _find_bin(edges, radius_A=cutoff_A)
        cutoff_A = round(float(edges[at + 1]), 6)
        series = distribution.samples[:, 1, at]
        if np.isfinite(series).any():
            known = series[np.isfinite(series)]
            replicas = distribution.what != STRETCHES
            number = compute_replica_mean(known, unit="1") if replicas else compute_steady_mean(known, unit="1")
    return replace(distribution, coordination_number=number, cutoff_A=cutoff_A, cutoff_source=source)


def _find_bin(edges_A: NDArray[np.float64], *, radius_A: float) -> int:
    """The bin whose outer edge is at the radius or just beyond it."""
    return min(int(np.searchsorted(edges_A[1:], radius_A - 1e-9)), edges_A.size - 2)


def _take_known(series: NDArray[np.float64]) -> NDArray[np.float64]:
    known = series[np.isfinite(series)]
    return known if known.size else np.zeros(1)
