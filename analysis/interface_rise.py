"""How far an alloy has come up through the plane that depths are measured from.

Depth is measured from the plane midway between alloy and metal as they were built. The plane moves with the alloy's
deep third alone: where the alloy swells or takes metal up, its own atoms rise above the plane, and part of a depth is
that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.contact_geometry import ContactGeometry
from analysis.headline import START, show_length
from analysis.penetration import list_gain_frames

NEAR_A = 3.0
"""Atoms of the alloy built as near to the plane are followed."""
_ALLOY = ("alloy", "anchor")


@dataclass(frozen=True)
class InterfaceRise:
    """Atoms of the alloy above the plane of the interface as built; means over replicas.

    Attributes:
        n_above_start: how many there are in the first frame, the relaxed cell.
        n_above_end: how many there are over the last tenth of the time.
        rise_start_A: mean rise of the atoms built within 3 Å of the plane, from there to the first frame, in Å; NaN if
            there is none.
        rise_end_A: the same to the last tenth of the time, in Å.
        n_near: atoms built within 3 Å of the plane.
    """

    n_above_start: float
    n_above_end: float
    rise_start_A: float
    rise_end_A: float
    n_near: int

    @property
    def sentence(self) -> str:
        """What a reader of a depth must know of its plane."""
        text = (
            f"Alloy atoms above that plane, which is the one of the alloy as built: {self.n_above_start:.0f} in {START}"
            f", {self.n_above_end:.0f} at the end"
        )
        if not np.isfinite(self.rise_end_A):
            return f"{text}."
        start, end = show_length(self.rise_start_A), show_length(self.rise_end_A)
        return (
            f"{text}; the {self.n_near} built within {NEAR_A:g} Å of it rose by {start} Å until the start and by {end} "
            "Å until the end."
        )

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "n_above_start": self.n_above_start,
            "n_above_end": self.n_above_end,
            "rise_start_A": _finite(self.rise_start_A),
            "rise_end_A": _finite(self.rise_end_A),
            "near_A": NEAR_A,
            "n_near": self.n_near,
            "sentence": self.sentence,
        }


def compute_interface_rise(
    universe: Universe, *, geometry: ContactGeometry, built_A: ArrayLike, drift_A: NDArray[np.float64]
) -> InterfaceRise:
    """Atoms of the alloy above the plane of the interface in one run, and how far those near it have risen.

    Args:
        universe: trajectory with unwrapped positions and the segments `alloy` or `anchor`.
        geometry: where the plane is.
        built_A: positions as built, shape (n_atoms, 3), in Å.
        drift_A: displacement of the alloy's deep third in each frame, shape (n_frames, 3), in Å.

    Returns:
        Numbers at the start and at the end.
    """
    chosen = np.isin(np.asarray(universe.atoms.segids, dtype=str), _ALLOY)
    depths = []
    for frame in list_gain_frames(len(universe.trajectory)):
        timestep = universe.trajectory[frame]
        heights = timestep.positions[chosen, 2].astype(float) - drift_A[frame, 2]
        depths.append(geometry.compute_depths(heights, height_A=float(timestep.triclinic_dimensions[2, 2])))
    height_A = float(universe.trajectory[0].triclinic_dimensions[2, 2])
    built = geometry.compute_depths(np.asarray(built_A, dtype=float)[chosen, 2], height_A=height_A)
    near = np.abs(built) <= NEAR_A
    rises = [float((built - depth)[near].mean()) if near.any() else float("nan") for depth in depths]
    above = [int((depth < 0).sum()) for depth in depths]
    return InterfaceRise(above[0], float(np.mean(above[1:])), rises[0], float(np.mean(rises[1:])), int(near.sum()))


def combine_interface_rises(runs: Sequence[InterfaceRise]) -> InterfaceRise:
    """Means over the replicas of one case."""
    names = ("n_above_start", "n_above_end", "rise_start_A", "rise_end_A")
    above_start, above_end, start_A, end_A = (float(np.mean([getattr(run, name) for run in runs])) for name in names)
    return InterfaceRise(above_start, above_end, start_A, end_A, runs[0].n_near)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
