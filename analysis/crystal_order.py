"""Whether the alloy is still a crystal: distance of its atoms from the sites they were built on.

A dislocation is a statement about a crystal. Where the atoms have left their sites, neither the dislocated cell nor its
control means what it was built for, and a contrast between the two says nothing about dislocations.

A relaxation can destroy a crystal before dynamics starts, and dynamics one that was relaxed well: the distance is
measured from the sites as built (in a dislocated cell those displaced by the dislocations) and from the relaxed ones.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.contact_geometry import ContactGeometry, compute_alloy_drift, find_deep_third
from analysis.trajectory import iterate_frames
from analysis.uncertainty import to_list
from structures.errors import InputError

# Crystals melt where thermal motion reaches 0.10 to 0.15 neighbour distances (Lindemann). A random alloy also has real
# static displacements: its bonds differ by some 5 %, which adds in squares and leaves a cold solid below 0.12. Beyond
# 0.20 even both together at the melting point are exceeded.
CRYSTAL_LIMIT, LOST_LIMIT = 0.12, 0.20
DEEP_A = 6.0  # the reaction front lies above; a slab thinner than twice that is looked at in its lower half
LAYER_A = 3.0
_LAST_SHARE = 5
_NEIGHBOUR_SEARCH_A = 5.0

Verdict = Literal["crystal", "disordering", "lost"]


@dataclass(frozen=True)
class LayerOrder:
    """The distance from the sites as built in one layer of the alloy, outside the core columns.

    Attributes:
        depth_A: of the layer's upper and lower border below the interface, as built, in Å.
        n_atoms: mobile atoms in it.
        final_ratio: mean over the last fifth of the frames.
    """

    depth_A: tuple[float, float]
    n_atoms: int
    final_ratio: float


@dataclass(frozen=True)
class CrystalOrder:
    """Root mean square distance from the sites over the distance of neighbours, in one run.

    Attributes:
        time_ps: shape (n_frames,), in ps.
        ratio: from the sites as built, shape (n_frames,).
        relaxed_ratio: from the relaxed sites, where dynamics started, shape (n_frames,).
        relaxation_ratio: of the relaxed sites from those as built: what the relaxation alone did.
        neighbour_distance_A: mean distance of an atom's nearest neighbour as built, in Å.
        n_atoms: atoms looked at.
        replica: which replica this is, from 1: the worst one.
        n_replicas: replicas looked at.
        layers: the same by depth, from the interface to the held atoms: a slab that melts from its face differs from
            one that has no order anywhere.
    """

    time_ps: NDArray[np.float64]
    ratio: NDArray[np.float64]
    relaxed_ratio: NDArray[np.float64]
    relaxation_ratio: float
    neighbour_distance_A: float
    n_atoms: int
    replica: int = 1
    n_replicas: int = 1
    layers: tuple[LayerOrder, ...] = ()

    @property
    def built_final_ratio(self) -> float:
        """Distance from the sites as built, mean over the last fifth of the frames."""
        return _average_end(self.ratio)

    @property
    def relaxed_final_ratio(self) -> float:
        """Distance from the relaxed sites, mean over the last fifth of the frames: what dynamics did."""
        return _average_end(self.relaxed_ratio)

    @property
    def final_ratio(self) -> float:
        """The worst of the three: it decides the verdict."""
        return max(self.relaxation_ratio, self.built_final_ratio, self.relaxed_final_ratio)

    @property
    def verdict(self) -> Verdict:
        """The verdict: "crystal" to 0.12, "disordering" to 0.20, "lost" above."""
        return judge_ratio(self.final_ratio)

    @property
    def sentence(self) -> str:
        """The verdict with its numbers."""
        lost = self.verdict == "lost"
        limit = f"beyond {LOST_LIMIT:.2f} there is no crystal" if lost else f"up to {CRYSTAL_LIMIT:.2f} is a crystal"
        which = f", in replica {self.replica}, the worst of {self.n_replicas}" if self.n_replicas > 1 else ""
        by_depth = ", ".join(f"{layer.final_ratio:.2f}" for layer in self.layers)
        layers = f"; by depth, every {LAYER_A:g} Å from the interface on: {by_depth}" if self.layers else ""
        numbers = (
            f"its atoms are {self.built_final_ratio:.2f} neighbour distances from the sites they were built on{which}; "
            f"the relaxation moved them by {self.relaxation_ratio:.2f}, dynamics by {self.relaxed_final_ratio:.2f} "
            f"({limit}){layers}"
        )
        return f"{_VERDICTS[self.verdict]}: {numbers}."

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "time_ps": to_list(self.time_ps),
            "displacement_ratio": to_list(self.ratio),
            "displacement_ratio_from_relaxed": to_list(self.relaxed_ratio),
            "relaxation_ratio": self.relaxation_ratio,
            "built_final_ratio": self.built_final_ratio,
            "relaxed_final_ratio": self.relaxed_final_ratio,
            "final_ratio": self.final_ratio,
            "neighbour_distance_A": self.neighbour_distance_A,
            "atoms": self.n_atoms,
            "replica": self.replica,
            "replicas": self.n_replicas,
            "layers": [asdict(layer) for layer in self.layers],
            "verdict": self.verdict,
            "sentence": self.sentence,
        }


def compute_crystal_order(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    built_A: ArrayLike,
    relaxed_A: ArrayLike | None = None,
    neighbour_distance_A: float,
    frames: slice | Sequence[int] | None = None,
) -> CrystalOrder:
    """How far the alloy's atoms are from their sites, away from the interface and from the cores.

    δ(t) = √⟨|r(t) − r₀ − drift|²⟩ / d over alloy atoms that were built deeper than 6 Å (in a thin slab: in the lower
    half), outside the core columns, and are not held fixed; r₀ once as built and once as relaxed.

    Args:
        universe: trajectory with unwrapped positions and regions.
        geometry: interface, and core columns, in the coordinates of `built_A`.
        built_A: the sites as built, shape (n_atoms, 3), in Å.
        relaxed_A: the sites as relaxed, shape (n_atoms, 3), in Å; None if nothing was relaxed.
        neighbour_distance_A: d, in Å; see `compute_neighbour_distance`.
        frames: which frames; None for all.

    Returns:
        The finding.

    Raises:
        InputError: if no atom of the alloy is so deep.

    Source: Lindemann 1910, Phys. Z. 11, 609.
    """
    built = np.asarray(built_A, dtype=float)
    relaxed = built if relaxed_A is None else np.asarray(relaxed_A, dtype=float)
    universe.trajectory[0]
    cell = np.asarray(universe.trajectory.ts.triclinic_dimensions, dtype=float)
    regions = np.asarray(universe.atoms.segids, dtype=str)
    inside, depths = find_inside(built, regions=regions, cell_A=cell, geometry=geometry)
    deep, layers = choose_deep(depths, inside=inside), divide_by_depth(depths, inside=inside)
    moved = find_mic(relaxed - built, cell)[0]  # a relaxation may have put an atom into another image of the cell
    moved -= moved[find_deep_third(built, regions=regions, geometry=geometry)].mean(axis=0)
    drift = compute_alloy_drift(universe, geometry=geometry, reference_A=relaxed, frames=frames)
    times, from_built, from_relaxed, by_layer = [], [], [], []
    for timestep, shift in zip(iterate_frames(universe, frames=frames), drift, strict=True):
        offset = (np.asarray(timestep.positions, dtype=float) - relaxed - shift) / neighbour_distance_A
        from_site = offset + moved / neighbour_distance_A
        times.append(float(timestep.time))
        from_relaxed.append(_root_mean_square(offset[deep]))
        from_built.append(_root_mean_square(from_site[deep]))
        by_layer.append([_root_mean_square(from_site[mask]) for mask in layers.values()])
    return CrystalOrder(
        time_ps=np.array(times),
        ratio=np.array(from_built),
        relaxed_ratio=np.array(from_relaxed),
        relaxation_ratio=_root_mean_square(moved[deep]) / neighbour_distance_A,
        neighbour_distance_A=neighbour_distance_A,
        n_atoms=int(deep.sum()),
        layers=tuple(
            LayerOrder((LAYER_A * number, LAYER_A * (number + 1)), int(mask.sum()), _average_end(series))
            for (number, mask), series in zip(layers.items(), np.array(by_layer).T, strict=True)
        ),
    )


def combine_crystal_orders(orders: Sequence[CrystalOrder]) -> CrystalOrder:
    """The worst of several replicas."""
    worst = max(range(len(orders)), key=lambda number: orders[number].final_ratio)
    return replace(orders[worst], replica=worst + 1, n_replicas=len(orders))


def compute_neighbour_distance(atoms: Atoms) -> float:
    """Mean distance of each atom to its nearest neighbour, in Å.

    Raises:
        InputError: if no two atoms are within 5 Å.
    """
    first, lengths = neighbor_list("id", atoms, _NEIGHBOUR_SEARCH_A)
    nearest: NDArray[np.float64] = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, first, lengths)
    if not np.isfinite(nearest).any():
        raise InputError(f"no two of {len(atoms)} atoms are within {_NEIGHBOUR_SEARCH_A:g} Å; give atoms of a solid")
    return float(nearest[np.isfinite(nearest)].mean())


def divide_by_depth(depths_A: NDArray[np.float64], *, inside: NDArray[np.bool_]) -> dict[int, NDArray[np.bool_]]:
    """Masks of the layers of 3 Å that hold an atom, by their number from the interface on."""
    numbers = (depths_A / LAYER_A).astype(int)
    return {int(number): inside & (numbers == number) for number in np.unique(numbers[inside])}


def choose_deep(depths_A: NDArray[np.float64], *, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the atoms inside tell whether the alloy is a crystal: those 6 Å deep or deeper.

    In a slab that is thinner than twice that, its lower half. The choice hangs on no setting of the analysis.
    """
    deep: NDArray[np.bool_] = inside & (depths_A > min(DEEP_A, float(depths_A[inside].max()) / 2))
    return deep


def find_inside(
    positions_A: ArrayLike, *, regions: ArrayLike, cell_A: ArrayLike, geometry: ContactGeometry
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which atoms are mobile, of the alloy, below the interface and outside the core columns; and the depth of each.

    Args:
        positions_A: shape (n_atoms, 3), in Å.
        regions: region of each atom.
        cell_A: cell vectors as rows, shape (3, 3), in Å.
        geometry: interface and core columns.

    Returns:
        Mask and depths, both of shape (n_atoms,); depths in Å.

    Raises:
        InputError: if there is no such atom.
    """
    positions, cell = np.asarray(positions_A, dtype=float), np.asarray(cell_A, dtype=float)
    depths = geometry.compute_depths(positions[:, 2], height_A=float(cell[2, 2]))
    inside: NDArray[np.bool_] = (
        (np.asarray(regions) == "alloy") & (depths > 0) & ~geometry.near_core(positions, cell_A=cell)
    )
    if not inside.any():
        raise InputError(
            "no mobile alloy atom lies below the interface and outside the core columns; make the alloy thicker, or "
            "the anchor or the core radius smaller"
        )
    return inside, depths


def judge_ratio(ratio: float) -> Verdict:
    """The verdict on a ratio of displacement and neighbour distance."""
    if ratio <= CRYSTAL_LIMIT:
        return "crystal"
    return "disordering" if ratio <= LOST_LIMIT else "lost"


def _average_end(series: NDArray[np.float64]) -> float:
    return float(series[-max(1, series.size // _LAST_SHARE) :].mean())


def _root_mean_square(vectors: NDArray[np.float64]) -> float:
    return float(np.sqrt((vectors**2).sum(axis=1).mean()))


_VERDICTS: dict[Verdict, str] = {
    "crystal": "The alloy is a crystal",
    "disordering": "The alloy is losing its order",
    "lost": "The alloy has lost its crystal order",
}
