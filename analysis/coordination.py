"""Coordination numbers: neighbours within a cut-off, counted for each atom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.counting import count_neighbours
from analysis.rdf import RegionOfFrame
from analysis.regions import Region
from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import Quantity, compute_series_mean, to_list
from structures.errors import InputError


@dataclass(frozen=True)
class Coordination:
    """Coordination of the centres in a region over a trajectory.

    Attributes:
        pair: centre and neighbour, e.g. "K-Bi".
        region: name of the region.
        cutoff_A: neighbours are nearer than this, in Å.
        time_ps: time of the frames in which the region held a centre, in ps.
        mean: mean coordination number of each of these frames.
        distribution: share of centres with 0, 1, 2 … neighbours.
        coordination_number: mean over the run with its interval; None if the region never held a centre.
    """

    pair: str
    region: str
    cutoff_A: float
    time_ps: NDArray[np.float64]
    mean: NDArray[np.float64]
    distribution: NDArray[np.float64]
    coordination_number: Quantity | None

    def to_json(self) -> dict[str, Any]:
        """The coordination as JSON values."""
        number = self.coordination_number
        return {
            "pair": self.pair,
            "region": self.region,
            "cutoff_A": self.cutoff_A,
            "time_ps": to_list(self.time_ps),
            "mean": to_list(self.mean),
            "distribution": to_list(self.distribution),
            "coordination_number": None if number is None else number.to_json(),
        }


def compute_coordination(
    universe: Universe,
    *,
    pair: tuple[str, str],
    cutoff_A: float,
    region: RegionOfFrame | None = None,
    frames: slice | Sequence[int] | None = None,
) -> Coordination:
    """Coordination number of the centres in a region; neighbours count wherever they are.

    Args:
        universe: trajectory with elements and cells.
        pair: elements of centre and neighbour.
        cutoff_A: neighbours are nearer than this; take the first minimum of g(r), in Å.
        region: where centres are taken from, or a function giving it for a frame number; None for everywhere.
        frames: which frames; None for all.

    Returns:
        Series, distribution and mean.

    Raises:
        InputError: if an element is absent or the cut-off does not fit the cell.
    """
    elements = get_elements(universe)
    for element in pair:
        if element not in elements:
            raise InputError(f"pair names {element}, but the system has {', '.join(sorted(set(elements)))}")
    centres, neighbours = elements == pair[0], elements == pair[1]
    times: list[float] = []
    means: list[float] = []
    histogram = np.zeros(1)
    name = "all"
    for timestep in iterate_frames(universe, frames=frames):
        if timestep.dimensions is None:
            raise InputError(f"frame {timestep.frame} has no cell; set universe.dimensions")
        current = region(timestep.frame) if callable(region) else region or Region()
        name, cell = current.name, np.asarray(timestep.triclinic_dimensions, dtype=float)
        chosen = timestep.positions[centres]
        chosen = chosen[current.contains(chosen, cell_A=cell)]
        if len(chosen) == 0:
            continue
        counts = count_neighbours(chosen, neighbours_A=timestep.positions[neighbours], cell_A=cell, cutoff_A=cutoff_A)
        times.append(float(timestep.time))
        means.append(float(counts.mean()))
        bins = np.bincount(counts, minlength=histogram.size).astype(float)
        bins[: histogram.size] += histogram
        histogram = bins
    number = compute_series_mean(means, unit="1") if means else None
    return Coordination(
        "-".join(pair), name, cutoff_A, np.array(times), np.array(means), histogram / max(histogram.sum(), 1.0), number
    )
