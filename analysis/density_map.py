"""Density of a species in an alloy, seen along the dislocation line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.contact_geometry import ContactGeometry, LinesOfFrame, compute_alloy_drift
from analysis.regions import check_cell
from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import Steadiness, compute_band, judge_steadiness, to_list
from structures.errors import InputError


@dataclass(frozen=True)
class DensityMap:
    """Number density in the alloy, averaged along z and over frames.

    Attributes:
        x_A: middle of the columns of the map, in Å.
        y_A: middle of the rows, in Å.
        density_per_A3: density of shape (n_y, n_x), in Å⁻³.
        error_per_A3: half the 95 % interval over samples, same shape; NaN with one sample.
        core_positions_A: x, y of the lines in the map, in Å.
        n_frames: frames averaged over.
        what: what the samples are: blocks of one run, or replicas.
        steadiness: whether one run allows an error, from the number of atoms in the alloy; None for replicas.
        samples: maps of independent samples, shape (n_samples, n_y, n_x).
        core_radius_A: how far the core columns reach from the lines, in Å; None if not known.
    """

    x_A: NDArray[np.float64]
    y_A: NDArray[np.float64]
    density_per_A3: NDArray[np.float64]
    error_per_A3: NDArray[np.float64]
    core_positions_A: tuple[tuple[float, float], ...]
    n_frames: int
    what: str
    samples: NDArray[np.float64] = field(repr=False)
    steadiness: Steadiness | None = None
    core_radius_A: float | None = None

    @property
    def verdict(self) -> str:
        """What the map is good for."""
        if not self.density_per_A3.any():
            return "none of the species is in the alloy"
        if self.steadiness is not None:
            return f"number of atoms in the alloy: {self.steadiness.verdict}"
        return f"error from {len(self.samples)} {self.what}"

    def to_json(self) -> dict[str, Any]:
        """The map as JSON values."""
        return {
            "x_A": to_list(self.x_A),
            "y_A": to_list(self.y_A),
            "density_per_A3": to_list(self.density_per_A3, digits=4),
            "error_per_A3": to_list(self.error_per_A3, digits=2),
            "core_radius_A": self.core_radius_A,
            "core_positions_A": [list(line) for line in self.core_positions_A],
            "n_frames": self.n_frames,
            "n_independent": len(self.samples) if self.steadiness is None else self.steadiness.n_independent,
            "verdict": self.verdict,
        }


def compute_density_map(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    species: str = "K",
    bin_A: float = 1.0,
    n_blocks: int = 4,
    lines: LinesOfFrame | None = None,
    reference_A: ArrayLike | None = None,
    frames: slice | Sequence[int] | None = None,
) -> DensityMap:
    """Density of a species between the interface and the alloy's end, as a map over x and y.

    ρ(x, y) = N(x, y) / (n_frames Δx Δy h), with the thickness h of the alloy. The map is the rectangle a_x × b_y, which
    holds every atom once also in a tilted cell. Atoms follow the drift of the alloy and, with `lines`, the glide of the
    line nearest to them, so that the map stays relative to the cores.

    Args:
        universe: trajectory with unwrapped positions, elements and the segments `alloy` or `anchor`.
        geometry: interface and lines, in the coordinates of the starting structure.
        species: element.
        bin_A: largest width of a bin, in Å.
        n_blocks: consecutive stretches whose spread gives the error, if the number of atoms in the alloy is steady.
        lines: x, y of the lines in a frame, in the order of the geometry's; None if they stay.
        reference_A: positions of the starting structure, shape (n_atoms, 3); None for the first frame.
        frames: which frames; None for all.

    Returns:
        The map.

    Raises:
        InputError: if the bin is not above zero or a frame has no cell.
    """
    if not bin_A > 0:
        raise InputError(f"bin_A is {bin_A}, needs a width above 0 Å")
    chosen = get_elements(universe) == species
    drift = compute_alloy_drift(universe, geometry=geometry, reference_A=reference_A, frames=frames)
    universe.trajectory[0]
    if universe.dimensions is None:
        raise InputError("the first frame has no cell; set universe.dimensions")
    cell = check_cell(universe.trajectory.ts.triclinic_dimensions)
    shape = (int(np.ceil(cell[1, 1] / bin_A)), int(np.ceil(cell[0, 0] / bin_A)))
    blocks = np.zeros((min(n_blocks, len(drift)), *shape))
    volume = cell[0, 0] * cell[1, 1] * geometry.thickness_A / (shape[0] * shape[1])
    counts, inside = np.zeros(len(blocks)), np.zeros(len(drift))
    walk = iterate_frames(universe, frames=frames)
    counting = _count_frames(walk, chosen=chosen, drift=drift, geometry=geometry, lines=lines, shape=shape)
    for number, counted in enumerate(counting):
        block = number * len(blocks) // len(drift)
        inside[number] = counted.sum()
        blocks[block] += counted / volume
        counts[block] += 1
    middles = [(np.arange(n) + 0.5) / n for n in shape]
    density = np.tensordot(counts, blocks / counts[:, None, None], 1) / counts.sum()
    found = _finish(
        middles[1] * cell[0, 0],
        y_A=middles[0] * cell[1, 1],
        density=density,
        samples=blocks / counts[:, None, None],
        lines_A=tuple((float(x * cell[0, 0]), float(y * cell[1, 1])) for x, y in _fold(geometry.lines_A, cell_A=cell)),
        n_frames=len(drift),
        what="blocks",
        steadiness=judge_steadiness(inside),
    )
    return replace(found, core_radius_A=geometry.core_radius_A)


def _count_frames(
    walk: Iterable[Any],
    *,
    chosen: NDArray[np.bool_],
    drift: NDArray[np.float64],
    geometry: ContactGeometry,
    lines: LinesOfFrame | None,
    shape: tuple[int, int],
) -> Iterator[NDArray[np.float64]]:
    for shift_A, timestep in zip(drift, walk, strict=True):
        yield _count_atoms(
            timestep.positions[chosen].astype(float) - shift_A,
            geometry=geometry,
            cell_A=np.asarray(timestep.triclinic_dimensions, dtype=float),
            lines_A=np.asarray(lines(timestep.frame)) - shift_A[:2] if lines is not None else None,
            shape=shape,
        )


def _count_atoms(
    positions_A: NDArray[np.float64],
    *,
    geometry: ContactGeometry,
    cell_A: NDArray[np.float64],
    lines_A: NDArray[np.float64] | None,
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Atoms below the interface in each bin (rows y, columns x), moved back with the lines that have glided."""
    positions = positions_A[geometry.compute_depths(positions_A[:, 2], height_A=cell_A[2, 2]) > 0]
    if lines_A is not None and geometry.lines_A:
        start_A = np.array(geometry.lines_A)
        positions[:, :2] -= _follow_glide(positions, moved_A=lines_A, start_A=start_A, cell_A=cell_A)
    fractional = _fold(positions, cell_A=cell_A)
    edges = [np.linspace(0, 1, n + 1) for n in shape]
    return np.histogram2d(fractional[:, 1], fractional[:, 0], bins=edges)[0]


def combine_density_maps(maps: Sequence[DensityMap]) -> DensityMap:
    """Maps of replicas as one: mean and error over replicas.

    Raises:
        InputError: if they differ in shape.
    """
    first = maps[0]
    if len(maps) == 1:
        return first
    if len({part.density_per_A3.shape for part in maps}) != 1:
        raise InputError("maps of replicas have different shapes; start the replicas from one cell")
    samples = np.stack([part.density_per_A3 for part in maps])
    n_frames = sum(part.n_frames for part in maps)
    found = _finish(
        first.x_A, y_A=first.y_A, density=samples.mean(axis=0), samples=samples, lines_A=first.core_positions_A,
        n_frames=n_frames, what="replicas",
    )  # fmt: skip
    return replace(found, core_radius_A=first.core_radius_A)


def _finish(
    x_A: NDArray[np.float64],
    *,
    y_A: NDArray[np.float64],
    density: NDArray[np.float64],
    samples: NDArray[np.float64],
    lines_A: tuple[tuple[float, float], ...],
    n_frames: int,
    what: str,
    steadiness: Steadiness | None = None,
) -> DensityMap:
    """The map with the error from its samples, unless they are of one run that is not steady."""
    _, low, high = compute_band(samples)
    half = 0.5 * (high - low)
    if steadiness is not None and not steadiness.is_steady:
        half = np.full_like(half, np.nan)
    return DensityMap(x_A, y_A, density, half, lines_A, n_frames, what, samples, steadiness)


def _fold(positions_A: ArrayLike, *, cell_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of a_x and b_y, in [0, 1), of the image in the rectangle a_x × b_y; shape (n, 2)."""
    points = np.asarray(positions_A, dtype=float).reshape(-1, np.shape(positions_A)[-1] if np.size(positions_A) else 2)
    rows = np.floor(points[:, 1] / cell_A[1, 1])
    y = points[:, 1] / cell_A[1, 1] - rows
    x = (points[:, 0] - rows * cell_A[1, 0]) / cell_A[0, 0]
    return np.stack([np.mod(x, 1.0), np.minimum(y, 1.0)], axis=1)


def _follow_glide(
    positions_A: NDArray[np.float64],
    *,
    moved_A: NDArray[np.float64],
    start_A: NDArray[np.float64],
    cell_A: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far the line nearest to each position has moved; shape (n, 2)."""
    plane = cell_A[:2, :2]
    glide = moved_A - start_A
    glide -= np.round(glide @ np.linalg.inv(plane)) @ plane
    delta = positions_A[:, None, :2] - moved_A
    delta -= np.round(delta @ np.linalg.inv(plane)) @ plane
    return np.asarray(glide[np.argmin((delta**2).sum(-1), axis=1)])
