"""Whether the alloy is still a crystal: distance of its atoms from the sites they started on.

A dislocation is a statement about a crystal. Where the atoms have left their sites, neither the dislocated cell nor its
control means what it was built for, and a contrast between the two says nothing about dislocations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.contact_geometry import ContactGeometry, compute_alloy_drift
from analysis.trajectory import iterate_frames
from analysis.uncertainty import to_list
from structures.errors import InputError

# Crystals melt near 0.10 to 0.15 (Lindemann ratio); beyond the upper bound there is no crystal to speak of.
CRYSTAL_LIMIT, LOST_LIMIT = 0.12, 0.20
_LAST_SHARE = 5

Verdict = Literal["crystal", "disordering", "lost"]


@dataclass(frozen=True)
class CrystalOrder:
    """Root mean square distance from the starting sites over the distance of neighbours.

    Attributes:
        time_ps: shape (n_frames,), in ps.
        ratio: shape (n_frames,).
        final_ratio: mean over the last fifth of the frames.
        neighbour_distance_A: mean distance of nearest neighbours at the start, in Å.
        n_atoms: atoms looked at.
        verdict: "crystal" to 0.12, "disordering" to 0.20, "lost" above.
        sentence: the verdict with its number.
    """

    time_ps: NDArray[np.float64]
    ratio: NDArray[np.float64]
    final_ratio: float
    neighbour_distance_A: float
    n_atoms: int
    verdict: Verdict
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "time_ps": to_list(self.time_ps),
            "displacement_ratio": to_list(self.ratio),
            "final_ratio": self.final_ratio,
            "neighbour_distance_A": self.neighbour_distance_A,
            "atoms": self.n_atoms,
            "verdict": self.verdict,
            "sentence": self.sentence,
        }


def compute_crystal_order(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    reference_A: ArrayLike,
    neighbour_distance_A: float,
    frames: slice | Sequence[int] | None = None,
) -> CrystalOrder:
    """How far the alloy's atoms are from their sites, away from the interface and from the cores.

    δ(t) = √⟨|r(t) − r₀ − drift|²⟩ / d over alloy atoms that started deeper than the interface region, outside the core
    columns, and are not held fixed.

    Args:
        universe: trajectory with unwrapped positions and regions.
        geometry: interface, and core columns, in the coordinates of `reference_A`.
        reference_A: the sites, shape (n_atoms, 3), in Å.
        neighbour_distance_A: d, in Å.
        frames: which frames; None for all.

    Returns:
        The finding.

    Raises:
        InputError: if no atom of the alloy is so deep.

    Source: Lindemann 1910, Phys. Z. 11, 609.
    """
    reference = np.asarray(reference_A, dtype=float)
    universe.trajectory[0]
    cell = np.asarray(universe.trajectory.ts.triclinic_dimensions, dtype=float)
    regions = np.asarray(universe.atoms.segids, dtype=str)
    deep = find_deep_atoms(reference, regions=regions, cell_A=cell, geometry=geometry)
    drift = compute_alloy_drift(universe, geometry=geometry, reference_A=reference, frames=frames)
    times, ratios = [], []
    for timestep, shift in zip(iterate_frames(universe, frames=frames), drift, strict=True):
        offset = np.asarray(timestep.positions[deep], dtype=float) - reference[deep] - shift
        times.append(float(timestep.time))
        ratios.append(float(np.sqrt((offset**2).sum(axis=1).mean())) / neighbour_distance_A)
    final = float(np.mean(ratios[-max(1, len(ratios) // _LAST_SHARE) :]))
    verdict = judge_ratio(final)
    return CrystalOrder(
        time_ps=np.array(times),
        ratio=np.array(ratios),
        final_ratio=final,
        neighbour_distance_A=neighbour_distance_A,
        n_atoms=int(deep.sum()),
        verdict=verdict,
        sentence=_SENTENCES[verdict].format(ratio=final, crystal=CRYSTAL_LIMIT, lost=LOST_LIMIT),
    )


def find_deep_atoms(
    positions_A: ArrayLike, *, regions: ArrayLike, cell_A: ArrayLike, geometry: ContactGeometry
) -> NDArray[np.bool_]:
    """Which atoms are the inside of the alloy: mobile, below the interface region, outside the core columns.

    Args:
        positions_A: shape (n_atoms, 3), in Å.
        regions: region of each atom.
        cell_A: cell vectors as rows, shape (3, 3), in Å.
        geometry: interface and core columns.

    Returns:
        Mask, shape (n_atoms,).

    Raises:
        InputError: if there is no such atom.
    """
    positions, cell = np.asarray(positions_A, dtype=float), np.asarray(cell_A, dtype=float)
    depths = geometry.compute_depths(positions[:, 2], height_A=float(cell[2, 2]))
    mobile = np.asarray(regions) == "alloy"
    deep: NDArray[np.bool_] = (
        mobile & (depths > geometry.interface_width_A) & ~geometry.near_core(positions, cell_A=cell)
    )
    if not deep.any():
        raise InputError(
            f"no mobile alloy atom is deeper than {geometry.interface_width_A:g} Å and outside the core columns; "
            "make the alloy thicker, or the anchor, the interface width or the core radius smaller"
        )
    return deep


def judge_ratio(ratio: float) -> Verdict:
    """The verdict on a ratio of displacement and neighbour distance."""
    if ratio <= CRYSTAL_LIMIT:
        return "crystal"
    return "disordering" if ratio <= LOST_LIMIT else "lost"


_SENTENCES: dict[Verdict, str] = {
    "crystal": "The alloy is a crystal: its atoms are {ratio:.2f} neighbour distances from their sites "
    "(up to {crystal:.2f} counts as crystal).",
    "disordering": "The alloy is losing its order: its atoms are {ratio:.2f} neighbour distances from their sites "
    "(up to {crystal:.2f} counts as crystal).",
    "lost": "The alloy has lost its crystal order: its atoms are {ratio:.2f} neighbour distances from their sites "
    "(beyond {lost:.2f} there is no crystal).",
}
