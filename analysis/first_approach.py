"""How near whole molecules come to a surface: the distance of each one's nearest atom, and how many are in contact."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.approach_range import find_first_range
from analysis.replica_series import compute_series_average
from analysis.surface_approach import SurfaceApproach
from analysis.uncertainty import Quantity, compute_band, to_list
from structures.errors import InputError


@dataclass(frozen=True)
class FirstApproach:
    """Distances of the molecules of a species from a surface, of each its nearest atom to the nearest surface atom.

    Attributes:
        species: name of the species.
        closest_A: of the molecule that is nearest, mean over frames, in Å; None if none is ever within the largest
            distance.
        smallest_A: smallest distance in any frame, in Å.
        onset_A: where the first layer of molecules begins, in Å, in the mean over replicas; None without a first layer.
        peak_A: where it is densest, in Å.
        end_A: the first minimum after it, in Å.
        reason: how the three were found, or why there are none.
        n_in_contact: molecules nearer than `contact_A` in a frame; None without a first layer or a given distance.
        contact_A: the end of the first layer, unless another distance was given, in Å.
        distance_A: middle of the bins, in Å.
        n_per_A: mean number of molecules at a distance, per Å.
        low_per_A: lower end of its 95 % band over replicas; NaN with one.
        high_per_A: upper end.
    """

    species: str
    closest_A: Quantity | None
    smallest_A: float | None
    onset_A: float | None
    peak_A: float | None
    end_A: float | None
    reason: str
    n_in_contact: Quantity | None
    contact_A: float | None
    distance_A: NDArray[np.float64]
    n_per_A: NDArray[np.float64]
    low_per_A: NDArray[np.float64]
    high_per_A: NDArray[np.float64]

    def to_json(self) -> dict[str, Any]:
        """The distances as JSON values."""
        quantities = {"closest_A": self.closest_A, "n_in_contact": self.n_in_contact}
        numbers = ("smallest_A", "onset_A", "peak_A", "end_A", "contact_A", "reason")
        curves = ("distance_A", "n_per_A", "low_per_A", "high_per_A")
        return {
            "label": self.species,
            **{name: None if one is None else one.to_json() for name, one in quantities.items()},
            **{name: getattr(self, name) for name in numbers},
            **{name: to_list(getattr(self, name)) for name in curves},
        }


def compute_first_approach(
    approaches: Sequence[SurfaceApproach], *, species: str, contact_A: float | None = None, bin_A: float = 0.05
) -> FirstApproach:
    """Distances of the molecules of a species from the surface, over replicas or stretches of one run.

    Args:
        approaches: one for each replica.
        species: name of the species.
        contact_A: molecules nearer than this are in contact, in Å, the same in cases that are compared; None for the
            end of the first layer.
        bin_A: width of a bin, in Å.

    Returns:
        The distances.

    Raises:
        InputError: if there is no replica, or the species was not measured.
    """
    if not approaches or species not in approaches[0].nearest_A:
        known = ", ".join(approaches[0].nearest_A) if approaches else "no replica"
        raise InputError(f"species {species} was not measured, only {known}; give sites of it")
    series = [one.nearest_A[species].astype(float) for one in approaches]
    closest = [one.min(axis=1) for one in series]
    smallest = min(float(one.min()) for one in closest)
    r_max_A = float(next(iter(approaches[0].molecules.values())).r_A[[0, -1]].sum())
    edges = np.linspace(0, r_max_A, round(r_max_A / bin_A) + 1)
    counts = np.array([np.histogram(one, bins=edges)[0] / len(one) / np.diff(edges) for one in series])
    mean, low, high = compute_band(counts)
    r = 0.5 * (edges[1:] + edges[:-1])
    # Counts of molecules that come and go; within one run they are correlated, so this is what they err at least.
    n_counted = np.maximum(mean * sum(map(len, series)) * np.diff(edges), 1)
    found, reason = find_first_range(r, g=mean, noise=mean / np.sqrt(n_counted))
    onset, peak, end = found or (None, None, None)
    contact_A = end if contact_A is None else contact_A
    in_contact = None
    if contact_A is not None:
        in_contact = compute_series_average([(one < contact_A).sum(axis=1) for one in series], unit="1")
    return FirstApproach(
        species,
        compute_series_average([np.where(np.isfinite(one), one, np.nan) for one in closest], unit="Å"),
        smallest if np.isfinite(smallest) else None,
        onset,
        peak,
        end,
        reason,
        in_contact,
        contact_A,
        r,
        mean,
        np.maximum(low, 0),
        high,
    )
