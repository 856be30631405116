"""How deep a metal's atoms have gone into an alloy: over time, along the core and in the crystal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.contact_geometry import ContactGeometry, LinesOfFrame, compute_alloy_drift
from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import Quantity, compute_band, compute_replica_mean, to_list
from structures.errors import InputError

_FINAL_SHARE = 0.1
_SAME_TIME_PS = 1e-3


@dataclass(frozen=True)
class DepthSeries:
    """Depth over time in one region; arrays of shape (n_replicas, n_frames).

    Attributes:
        depth_A: depth that the quantile of the atoms has reached, in Å; 0 where none is below the interface.
        deepest_A: depth of the deepest atom, in Å.
        n_inside: atoms below the interface.
    """

    depth_A: NDArray[np.float64]
    deepest_A: NDArray[np.float64]
    n_inside: NDArray[np.float64]

    @property
    def final_A(self) -> NDArray[np.float64]:
        """Mean depth over the last tenth of the time, one a replica, in Å."""
        last = max(1, round(_FINAL_SHARE * self.depth_A.shape[1]))
        return np.asarray(self.depth_A[:, -last:].mean(axis=1))

    def to_json(self) -> dict[str, Any]:
        """Means over replicas as JSON values."""
        depth, low, high = compute_band(self.depth_A)
        return {
            "depth_A": to_list(depth),
            "low_A": to_list(low),
            "high_A": to_list(high),
            "deepest_A": to_list(self.deepest_A.max(axis=0)),
            "n_inside": to_list(self.n_inside.mean(axis=0)),
            "final": compute_final_depth(self).to_json(),
        }


@dataclass(frozen=True)
class Penetration:
    """Penetration of a species over time, in all replicas of a case.

    Attributes:
        time_ps: time, shape (n_frames,), in ps.
        total: all atoms of the species.
        by_region: "core": those in the columns about the lines, at any height; "crystal": the others.
        quantile: share of the atoms at or above the depth.
        species: what penetrates.
    """

    time_ps: NDArray[np.float64]
    total: DepthSeries
    by_region: dict[str, DepthSeries] = field(default_factory=dict)
    quantile: float = 0.99
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
            "quantile": self.quantile,
            "species": self.species,
            "by_region": {name: series.to_json() for name, series in self.by_region.items()},
        }


def compute_penetration_depth(depths_A: ArrayLike, *, quantile: float = 0.99) -> float:
    """Depth that a quantile of the atoms has reached.

    Args:
        depths_A: depth of each atom below the interface, positive in the solid, shape (n_atoms,), in Å.
        quantile: share of atoms at or above the depth, in (0, 1].

    Returns:
        Depth in Å; 0 if the quantile lies above the interface, NaN without atoms.

    Raises:
        InputError: if the quantile is outside (0, 1].
    """
    if not 0 < quantile <= 1:
        raise InputError(f"quantile is {quantile}, needs 0 < quantile <= 1")
    depths = np.asarray(depths_A, dtype=float)
    return max(0.0, float(np.quantile(depths, quantile))) if depths.size else float("nan")


def compute_penetration(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    species: str = "K",
    quantile: float = 0.99,
    lines: LinesOfFrame | None = None,
    reference_A: ArrayLike | None = None,
    frames: slice | Sequence[int] | None = None,
) -> Penetration:
    """Penetration of a species in one run, corrected for the drift of the alloy.

    Args:
        universe: trajectory with unwrapped positions, elements and the segments `alloy` or `anchor`.
        geometry: interface and lines, in the coordinates of the starting structure.
        species: element that penetrates.
        quantile: share of atoms at or above the depth, in (0, 1].
        lines: x, y of the lines in a frame (cores that glide); None for where the geometry has them.
        reference_A: positions of the starting structure, shape (n_atoms, 3); None for the first frame.
        frames: which frames; None for all.

    Returns:
        The penetration, with one replica.

    Raises:
        InputError: if the species is absent or a frame has no cell.
    """
    chosen = get_elements(universe) == species
    if not chosen.any():
        raise InputError(f"species is {species}, but the system has {', '.join(sorted(set(get_elements(universe))))}")
    drift = compute_alloy_drift(universe, geometry=geometry, reference_A=reference_A, frames=frames)
    times: list[float] = []
    rows: dict[str, list[tuple[float, float, int]]] = {"total": [], "core": [], "crystal": []}
    for shift, timestep in zip(drift, iterate_frames(universe, frames=frames), strict=True):
        if timestep.dimensions is None:
            raise InputError(f"frame {timestep.frame} has no cell; set universe.dimensions")
        cell = np.asarray(timestep.triclinic_dimensions, dtype=float)
        positions = timestep.positions[chosen].astype(float) - shift
        depths = geometry.compute_depths(positions[:, 2], height_A=cell[2, 2])
        where = None if lines is None else np.asarray(lines(timestep.frame)) - shift[:2]
        core = geometry.near_core(positions, cell_A=cell, lines_A=where)
        times.append(float(timestep.time))
        for name, part in (("total", depths), ("core", depths[core]), ("crystal", depths[~core])):
            depth = compute_penetration_depth(part, quantile=quantile)
            rows[name].append((depth, max(0.0, float(part.max(initial=0.0))), int((part > 0).sum())))
    series = {
        name: DepthSeries(*(np.array(column)[None] for column in zip(*row, strict=True))) for name, row in rows.items()
    }
    total = series.pop("total")
    return Penetration(np.array(times), total, series if geometry.lines_A else {}, quantile, species)


def combine_penetrations(runs: Sequence[Penetration]) -> Penetration:
    """Replicas of one case as one, cut to the time that all of them have reached.

    Raises:
        InputError: if they were written at other times or differ in species or quantile.
    """
    first = runs[0]
    n_frames = min(run.time_ps.size for run in runs)
    for run in runs:
        if (run.species, run.quantile) != (first.species, first.quantile):
            raise InputError(
                f"replicas differ: {run.species} at {run.quantile} and {first.species} at {first.quantile}"
            )
        if np.abs(run.time_ps[:n_frames] - first.time_ps[:n_frames]).max() > _SAME_TIME_PS:
            raise InputError("replicas have frames at different times; write frames equally often in all of them")

    def stack(parts: Sequence[DepthSeries]) -> DepthSeries:
        names = ("depth_A", "deepest_A", "n_inside")
        return DepthSeries(*(np.vstack([getattr(part, name)[:, :n_frames] for part in parts]) for name in names))

    regions = {name: stack([run.by_region[name] for run in runs]) for name in first.by_region}
    total = stack([run.total for run in runs])
    return Penetration(first.time_ps[:n_frames], total, regions, first.quantile, first.species)


def compute_final_depth(series: DepthSeries) -> Quantity:
    """Depth at the end: mean over the last tenth of the time, interval over replicas."""
    finals = series.final_A[np.isfinite(series.final_A)]
    if finals.size == 0:
        method = "mean over the last tenth of the time"
        return Quantity(float("nan"), None, None, None, "Å", method, 0, "no atoms in this region")
    mean = compute_replica_mean(finals, unit="Å")
    method = f"last tenth of the time; {mean.method}"
    return Quantity(mean.value, mean.uncertainty, mean.low, mean.high, "Å", method, mean.n_independent, mean.verdict)


def fit_front_law(time_ps: ArrayLike, *, depth_A: ArrayLike) -> Quantity:
    """Exponent n of a front that moves as depth ∝ tⁿ: ½ if diffusion limits it, 1 if the reaction does.

    A straight line through log depth against log time from the first crossing on, one a replica.

    Args:
        time_ps: time since contact, shape (n_frames,), in ps.
        depth_A: depth, shape (n_replicas, n_frames), in Å.

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
