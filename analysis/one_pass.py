"""Several measurements of one trajectory, which is read once and held a frame at a time."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.trajectory import iterate_frames
from structures.errors import InputError


class Tally(Protocol):
    """What frames can be added to."""

    def add(self, positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64], time_ps: float) -> None:
        """Count one more frame: positions (n_atoms, 3) in Å, cell (3, 3) in Å, time in ps."""


def add_frames(universe: Universe, *, tallies: Iterable[Tally], frames: slice | Sequence[int] | None = None) -> None:
    """Give every frame of a trajectory to every tally.

    Args:
        universe: trajectory with cells.
        tallies: such as `SurfaceTally`, `ContactTally` and `HydrogenBondTally`, made for as many frames.
        frames: which frames; None for all.

    Raises:
        InputError: if a frame has no cell.
    """
    each = tuple(tallies)
    for timestep in iterate_frames(universe, frames=frames):
        if timestep.dimensions is None:
            raise InputError(f"frame {timestep.frame} has no cell; set universe.dimensions")
        positions_A = np.asarray(timestep.positions, dtype=np.float64)
        cell_A = np.asarray(timestep.triclinic_dimensions, dtype=np.float64)
        for tally in each:
            tally.add(positions_A, cell_A=cell_A, time_ps=float(timestep.time))
