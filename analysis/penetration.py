"""Depth of a metal's atoms in an alloy: over time, in the columns about the cores and in the crystal.

The depth is that beyond which a given number of atoms lie on each nm² of the interface. So it does not depend on how
thick the metal is, and columns about the cores and the crystal between them, of other areas, are measured alike. Its
change is no path of atoms: one that comes into a column from beside it counts as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from MDAnalysis import Universe
from MDAnalysis.coordinates.timestep import Timestep
from numpy.typing import ArrayLike, NDArray

from analysis.contact_geometry import ContactGeometry, LinesOfFrame, compute_alloy_drift
from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import Quantity, compute_band, compute_replica_mean, to_list
from structures.errors import InputError

_FINAL_SHARE = 0.1
_SAME_TIME_PS = 1e-3
DEFAULT_AREAL_DENSITY_PER_NM2 = 0.5


@dataclass(frozen=True)
class DepthSeries:
    """Depth over time in one region; arrays of shape (n_replicas, n_frames).

    Attributes:
        depth_A: depth beyond which `atoms_beyond` atoms lie, in Å; 0 if that is above the interface.
        deepest_A: depth of the deepest atom, in Å.
        n_inside: atoms below the interface.
        area_nm2: area of the interface that the region has, in nm².
        atoms_beyond: number of atoms that lie beyond the depth: areal density times area, at least one.
    """

    depth_A: NDArray[np.float64]
    deepest_A: NDArray[np.float64]
    n_inside: NDArray[np.float64]
    area_nm2: float
    atoms_beyond: float

    @property
    def final_A(self) -> NDArray[np.float64]:
        """Mean depth over the last tenth of the time, one a replica, in Å."""
        last = count_final_frames(self.depth_A.shape[1])
        return np.asarray(self.depth_A[:, -last:].mean(axis=1))

    @property
    def gain_A(self) -> NDArray[np.float64]:
        """Depth at the end less that in the first frame, the relaxed cell; one a replica, in Å."""
        return np.asarray(self.final_A - self.depth_A[:, 0])

    def to_json(self) -> dict[str, Any]:
        """Means over replicas as JSON values."""
        depth, low, high = compute_band(self.depth_A)
        return {
            "depth_A": to_list(depth),
            "low_A": to_list(np.maximum(low, 0)),
            "high_A": to_list(high),
            "deepest_A": to_list(self.deepest_A.max(axis=0)),
            "n_inside": to_list(self.n_inside.mean(axis=0)),
            "area_nm2": self.area_nm2,
            "atoms_beyond": self.atoms_beyond,
            "final": compute_final_depth(self).to_json(),
            "gain": compute_gain(self).to_json(),
        }


@dataclass(frozen=True)
class Penetration:
    """Penetration of a species over time, in all replicas of a case.

    Attributes:
        time_ps: time, shape (n_frames,), in ps.
        total: all atoms of the species.
        by_region: "core": those in the columns about the lines, at any height; "crystal": the others.
        areal_density_per_nm2: atoms beyond the depth on each nm² of the interface, in nm⁻².
        species: what penetrates.
    """

    time_ps: NDArray[np.float64]
    total: DepthSeries
    by_region: dict[str, DepthSeries] = field(default_factory=dict)
    areal_density_per_nm2: float = DEFAULT_AREAL_DENSITY_PER_NM2
    species: str = "K"

    @property
    def n_replicas(self) -> int:
        """Number of replicas."""
        return int(self.total.depth_A.shape[0])

    def to_json(self) -> dict[str, Any]:
        """The penetration as JSON values; the bands are empty (null) with a single replica."""
        return {
            "time_ps": to_list(self.time_ps),
            **self.total.to_json(),
            "areal_density_per_nm2": self.areal_density_per_nm2,
            "species": self.species,
            "by_region": {name: series.to_json() for name, series in self.by_region.items()},
        }


def list_gain_frames(n_frames: int) -> list[int]:
    """Numbers of the frames that a gain is made of: the first, and those of the last tenth of the time."""
    return [0, *range(n_frames - count_final_frames(n_frames), n_frames)]


def count_final_frames(n_frames: int) -> int:
    """Frames of the last tenth of the time: those that a final depth is the mean of."""
    return max(1, round(_FINAL_SHARE * n_frames))


def compute_penetration_depth(depths_A: ArrayLike, *, atoms_beyond: float) -> float:
    """Depth beyond which a number of atoms lie: that of the n-th deepest, in between those of its neighbours in rank.

    Args:
        depths_A: depth of each atom below the interface, positive in the solid, shape (n_atoms,), in Å.
        atoms_beyond: number of atoms, at least 1; need not be whole.

    Returns:
        Depth in Å; 0 if it would lie above the interface, NaN if there are fewer atoms.

    Raises:
        InputError: if the number is below 1.
    """
    if not atoms_beyond >= 1:
        raise InputError(f"atoms_beyond is {atoms_beyond}, needs at least 1")
    deepest_first = np.sort(np.asarray(depths_A, dtype=float))[::-1]
    if deepest_first.size < atoms_beyond:
        return float("nan")
    return max(0.0, float(np.interp(atoms_beyond, np.arange(1, deepest_first.size + 1), deepest_first)))


def compute_penetration(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    species: str = "K",
    areal_density_per_nm2: float = DEFAULT_AREAL_DENSITY_PER_NM2,
    lines: LinesOfFrame | None = None,
    reference_A: ArrayLike | None = None,
    frames: slice | Sequence[int] | None = None,
) -> Penetration:
    """Penetration of a species in one run, corrected for the drift of the alloy.

    Args:
        universe: trajectory with unwrapped positions, elements and the segments `alloy` or `anchor`.
        geometry: interface and lines, in the coordinates of the starting structure.
        species: element that penetrates.
        areal_density_per_nm2: atoms beyond the depth on each nm² of the interface, in nm⁻²; where that makes less than
            one atom in a region, one counts.
        lines: x, y of the lines in a frame (cores that glide); None for where the geometry has them.
        reference_A: positions of the starting structure, shape (n_atoms, 3); None for the first frame.
        frames: which frames; None for all.

    Returns:
        The penetration, with one replica.

    Raises:
        InputError: if the species is absent, the areal density is not above zero or a frame has no cell.
    """
    if not areal_density_per_nm2 > 0:
        raise InputError(f"areal_density_per_nm2 is {areal_density_per_nm2}, needs a value above 0")
    chosen = get_elements(universe) == species
    if not chosen.any():
        raise InputError(f"species is {species}, but the system has {', '.join(sorted(set(get_elements(universe))))}")
    drift = compute_alloy_drift(universe, geometry=geometry, reference_A=reference_A, frames=frames)
    universe.trajectory[0]
    areas = geometry.compute_areas_nm2(cell_A=_read_cell(universe.trajectory.ts))
    beyond = {name: max(1.0, areal_density_per_nm2 * area) for name, area in areas.items()}
    times: list[float] = []
    rows: dict[str, list[tuple[float, float, int]]] = {name: [] for name in areas}
    for shift, timestep in zip(drift, iterate_frames(universe, frames=frames), strict=True):
        cell = _read_cell(timestep)
        positions = timestep.positions[chosen].astype(float) - shift
        depths = geometry.compute_depths(positions[:, 2], height_A=cell[2, 2])
        where = None if lines is None else np.asarray(lines(timestep.frame)) - shift[:2]
        core = geometry.near_core(positions, cell_A=cell, lines_A=where)
        times.append(float(timestep.time))
        parts = {"total": depths, "core": depths[core], "crystal": depths[~core]}
        for name, part in ((name, parts[name]) for name in areas):
            depth = compute_penetration_depth(part, atoms_beyond=beyond[name])
            rows[name].append((depth, max(0.0, float(part.max(initial=0.0))), int((part > 0).sum())))
    series = {
        name: _build_series(np.array(row, dtype=float).T[:, None], area_nm2=areas[name], atoms_beyond=beyond[name])
        for name, row in rows.items()
    }
    total = series.pop("total")
    return Penetration(np.array(times), total, series, areal_density_per_nm2, species)


def _build_series(columns: NDArray[np.float64], *, area_nm2: float, atoms_beyond: float) -> DepthSeries:
    """A series from depth, deepest atom and atoms inside, shape (3, n_replicas, n_frames)."""
    return DepthSeries(columns[0], columns[1], columns[2], area_nm2, atoms_beyond)


def _read_cell(timestep: Timestep) -> NDArray[np.float64]:
    """Cell vectors of a frame as rows, in Å."""
    if timestep.dimensions is None:
        raise InputError(f"frame {timestep.frame} has no cell; set universe.dimensions")
    return np.asarray(timestep.triclinic_dimensions, dtype=float)


def combine_penetrations(runs: Sequence[Penetration]) -> Penetration:
    """Replicas of one case as one, cut to the time that all of them have reached.

    Raises:
        InputError: if they were written at other times or differ in species or areal density.
    """
    first = runs[0]
    n_frames = min(run.time_ps.size for run in runs)
    for run in runs:
        kinds = [f"{part.species} at {part.areal_density_per_nm2} per nm²" for part in (run, first)]
        if kinds[0] != kinds[1]:
            raise InputError(f"replicas differ: {kinds[0]} and {kinds[1]}")
        if np.abs(run.time_ps[:n_frames] - first.time_ps[:n_frames]).max() > _SAME_TIME_PS:
            raise InputError("replicas have frames at different times; write frames equally often in all of them")

    def join(parts: Sequence[DepthSeries]) -> DepthSeries:
        runs = [np.stack([part.depth_A, part.deepest_A, part.n_inside])[:, :, :n_frames] for part in parts]
        joined = np.concatenate(runs, axis=1)
        return _build_series(joined, area_nm2=parts[0].area_nm2, atoms_beyond=parts[0].atoms_beyond)

    regions = {name: join([run.by_region[name] for run in runs]) for name in first.by_region}
    total = join([run.total for run in runs])
    return Penetration(first.time_ps[:n_frames], total, regions, first.areal_density_per_nm2, first.species)


def compute_final_depth(series: DepthSeries) -> Quantity:
    """Depth at the end: mean over the last tenth of the time, interval over replicas."""
    return _average(series.final_A, method="last tenth of the time")


def compute_gain(series: DepthSeries) -> Quantity:
    """Depth gained since the relaxed cell: the last tenth of the time less the first frame, interval over replicas."""
    return _average(series.gain_A, method="last tenth of the time less the first frame")


def _average(values_A: NDArray[np.float64], *, method: str) -> Quantity:
    known = values_A[np.isfinite(values_A)]
    if known.size == 0:
        return Quantity(float("nan"), None, None, None, "Å", method, 0, "too few atoms in this region")
    mean = compute_replica_mean(known, unit="Å")
    return replace(mean, method=f"{method}; {mean.method}")


def fit_front_law(time_ps: ArrayLike, *, depth_A: ArrayLike) -> Quantity:
    """Exponent n of a front that moves as depth ∝ tⁿ: ½ if diffusion limits it, 1 if the reaction does.

    A straight line through log depth against log time from the first crossing on, one a replica.

    Args:
        time_ps: time since contact, shape (n_frames,), in ps.
        depth_A: depth gained since contact, shape (n_replicas, n_frames), in Å: one that starts above zero is no
            power of time.

    Returns:
        The exponent and its interval over replicas.

    Raises:
        InputError: if no replica has three frames with a depth above zero.
    """
    times = np.asarray(time_ps, dtype=float)
    slopes = []
    for depth in np.atleast_2d(np.asarray(depth_A, dtype=float)):
        known = (times > 0) & (depth > 0)
        if known.sum() > 2:  # noqa: PLR2004 - two points make any line
            slopes.append(np.polyfit(np.log(times[known]), np.log(depth[known]), 1)[0])
    if not slopes:
        raise InputError("the front law needs three frames with a depth above 0 Å; run longer")
    return compute_replica_mean(slopes, unit="1")
