"""From where to where molecules come near a surface, how many coordinate it, and how they lie there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.common_cutoff import find_common_cutoff
from analysis.first_minimum import find_first_minimum, find_first_peak
from analysis.rdf import RadialDistribution, combine_rdfs, count_within
from analysis.replica_series import compute_series_average
from analysis.surface_approach import SurfaceApproach
from analysis.uncertainty import Quantity, compute_replica_mean, to_list
from structures.errors import InputError

ONSET_SHARE = 0.1
_ANGLE_BINS = 18


@dataclass(frozen=True)
class ApproachRange:
    """First peak of a distribution about surface atoms: where it begins, is highest and ends.

    Attributes:
        label: species and site.
        onset_A: where g(r) first rises above a tenth of its first peak, in Å.
        peak_A: the first peak, in Å.
        end_A: the first minimum after it, in Å.
        reason: how they were found, in the mean over all replicas, or why there are none.
        n_resolved: replicas whose own distribution shows a first peak and minimum.
    """

    label: str
    onset_A: Quantity | None
    peak_A: Quantity | None
    end_A: Quantity | None
    reason: str
    n_resolved: int

    def to_json(self) -> dict[str, Any]:
        """The range as JSON values."""
        ends = {name: getattr(self, name) for name in ("onset_A", "peak_A", "end_A")}
        return {
            "label": self.label,
            **{name: None if end is None else end.to_json() for name, end in ends.items()},
            "reason": self.reason,
            "n_resolved": self.n_resolved,
        }


def find_first_range(
    r_A: ArrayLike, *, g: ArrayLike, noise: ArrayLike = 0.0
) -> tuple[tuple[float, float, float] | None, str]:
    """Onset, place and end of the first peak of a distribution.

    Args:
        r_A: equally spaced distances, in Å.
        g: distribution at them.
        noise: standard error of g.

    Returns:
        The three in Å, and how the end was found; None and the reason if the first peak has no end.
    """
    radii, curve = np.asarray(r_A, dtype=float), np.nan_to_num(np.asarray(g, dtype=float))
    peak = find_first_peak(radii, g=curve, noise=noise)
    end, reason = find_first_minimum(radii, g=curve, noise=noise)
    if peak is None or end is None:
        return None, reason
    at = int(np.argmax(np.where(radii <= end, curve, -np.inf)))
    below = np.flatnonzero(curve[: at + 1] < ONSET_SHARE * curve[at])
    if below.size == 0:
        return (float(radii[0]), peak, end), reason
    left = int(below[-1])
    onset = np.interp(ONSET_SHARE * curve[at], curve[left : left + 2], radii[left : left + 2])
    return (float(onset), peak, end), reason


def compute_approach_range(distributions: Sequence[RadialDistribution], *, label: str) -> ApproachRange:
    """Range of first approach over replicas.

    Args:
        distributions: of one site about the surface, one for each replica.
        label: species and site.

    Returns:
        The range. Each replica gives its own three distances, whose mean and Student-t interval are told; if not
        all of them resolve a first peak and its end, the mean distribution gives the three without an interval.
    """
    known = [one for one in distributions if np.isfinite(one.g).any()]
    if not known:
        return ApproachRange(label, None, None, None, "there are no pairs within the largest distance", 0)
    whole = combine_rdfs(known)
    found, reason = find_first_range(whole.r_A, g=whole.g, noise=whole.noise)
    each = [find_first_range(one.r_A, g=one.g, noise=one.noise)[0] for one in distributions]
    resolved = [one for one in each if one is not None]
    if found is None:
        return ApproachRange(label, None, None, None, reason, len(resolved))
    if len(resolved) == len(distributions):
        onset, peak, end = (compute_replica_mean(values, unit="Å") for values in zip(*resolved, strict=True))
        return ApproachRange(label, onset, peak, end, reason, len(resolved))
    verdict = f"{len(resolved)} of {len(distributions)} replicas resolve a first peak: no error bar"
    onset, peak, end = (Quantity(value, None, None, None, "Å", "mean distribution", 1, verdict) for value in found)
    return ApproachRange(label, onset, peak, end, reason, len(resolved))


@dataclass(frozen=True)
class SurfaceCoordination:
    """How many of a species coordinate an atom of the surface.

    Attributes:
        label: species and site.
        cutoff_A: the cut-off that was counted to, in Å.
        cutoff_source: where it comes from.
        sites: mean number of sites within the cut-off of a surface atom.
        molecules: mean number of molecules with any atom within the cut-off of a surface atom.
        definition: of both, in words.
    """

    label: str
    cutoff_A: float
    cutoff_source: str
    sites: Quantity
    molecules: Quantity
    definition: str

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "label": self.label,
            "cutoff_A": self.cutoff_A,
            "cutoff_source": self.cutoff_source,
            "sites": self.sites.to_json(),
            "molecules": self.molecules.to_json(),
            "definition": self.definition,
        }


def compute_surface_coordination(
    approaches: Sequence[SurfaceApproach], *, label: str, cutoff_A: float | None = None
) -> SurfaceCoordination | None:
    """Mean number of sites and of molecules about a surface atom, over replicas or stretches of one run.

    Args:
        approaches: one for each replica.
        label: species and site, e.g. "TFSI- O".
        cutoff_A: the cut-off, in Å, the same in cases that are compared; None for the first minimum of g(r).

    Returns:
        The numbers; None if no cut-off is given and g(r) has no first minimum.

    Raises:
        InputError: if there is no such site, or the cut-off is beyond the largest distance.
    """
    rdfs = [get_site(one, label=label) for one in approaches]
    whole, source = combine_rdfs(rdfs), "as asked for"
    if cutoff_A is None:
        cutoff_A, source = find_common_cutoff({"this case": whole})
        if cutoff_A is None:
            return None
    largest_A = float(whole.r_A[-1] + whole.r_A[0])
    if not 0 < cutoff_A <= largest_A:
        raise InputError(f"cutoff_A is {cutoff_A}, needs 0 < cutoff_A <= {largest_A:.2f} Å, the largest distance")
    species = next(name for name in approaches[0].molecules if label == name or label.startswith(f"{name} "))
    molecules = combine_rdfs([one.molecules[species] for one in approaches])
    counted = [count_within(one, cutoff_A=cutoff_A, source=source) for one in (whole, molecules)]
    sites, whole_molecules = (one.coordination_number for one in counted)
    reached_A = counted[0].cutoff_A
    if sites is None or whole_molecules is None or reached_A is None:
        return None
    site, surface = label.removeprefix(f"{species} "), approaches[0].surface
    definition = (
        f"mean number of {site} of {species}, and of {species} with any atom, within {reached_A:.2f} Å of a surface "
        f"{surface}; one that is near several counts at each"
    )
    return SurfaceCoordination(label, reached_A, source, sites, whole_molecules, definition)


def get_site(approach: SurfaceApproach, *, label: str) -> RadialDistribution:
    """The distribution of a site about the surface.

    Raises:
        InputError: if there is no such site.
    """
    if label not in approach.rdfs:
        raise InputError(f"site {label} was not measured, only {', '.join(approach.rdfs)}; name one of these")
    return approach.rdfs[label]


@dataclass(frozen=True)
class Orientation:
    """How an axis of the molecules at a surface lies to its normal, θ the angle between them.

    Attributes:
        axis: species and axis.
        within_A: molecules whose nearest atom is nearer than this to a surface atom count, in Å.
        legendre_2: ⟨(3 cos²θ − 1)/2⟩: 1 upright, −1/2 flat, 0 in all directions alike; None without such molecules.
        cosine: ⟨cos θ⟩, of polar axes.
        angle_deg: middle of the bins of θ, in degrees.
        share: how many times more often than by chance θ lies in the bin.
        n_molecules: mean number of such molecules in a frame.
    """

    axis: str
    within_A: float
    legendre_2: Quantity | None
    cosine: Quantity | None
    angle_deg: NDArray[np.float64]
    share: NDArray[np.float64]
    n_molecules: float

    def to_json(self) -> dict[str, Any]:
        """The orientation as JSON values."""
        return {
            "label": self.axis,
            "within_A": self.within_A,
            "legendre_2": None if self.legendre_2 is None else self.legendre_2.to_json(),
            "cosine": None if self.cosine is None else self.cosine.to_json(),
            "angle_deg": to_list(self.angle_deg),
            "share": to_list(self.share),
            "n_molecules": self.n_molecules,
        }


def compute_orientation(
    approaches: Sequence[SurfaceApproach], *, axis: tuple[str, str], within_A: float
) -> Orientation:
    """Orientation of the molecules that are near the surface, over replicas or stretches of one run.

    Args:
        approaches: one for each replica.
        axis: species and name of the axis, e.g. `("TFSI-", "S to S")`.
        within_A: the nearest atom of a molecule that counts is nearer than this, in Å.

    Returns:
        The orientation.

    Raises:
        InputError: if the axis was not measured.
    """
    if axis not in approaches[0].cosines:
        known = ", ".join(f"{species} {name}" for species, name in approaches[0].cosines) or "none"
        raise InputError(f"axis {axis[0]} {axis[1]} was not measured, only {known}; give it as one of axes")
    near = [one.nearest_A[axis[0]] < within_A for one in approaches]
    cosines = [one.cosines[axis].astype(float) for one in approaches]

    def average(values: Sequence[NDArray[np.float64]]) -> Quantity | None:
        with np.errstate(invalid="ignore"):
            series = [(v * n).sum(axis=1) / n.sum(axis=1) for v, n in zip(values, near, strict=True)]
        return compute_series_average(series, unit="1")

    chosen = np.concatenate([v[n] for v, n in zip(cosines, near, strict=True)])
    edges = np.linspace(0, 180, _ANGLE_BINS + 1)
    counts = np.histogram(np.degrees(np.arccos(np.clip(chosen, -1, 1))), bins=edges)[0]
    by_chance = -np.diff(np.cos(np.radians(edges))) / 2 * max(chosen.size, 1)
    return Orientation(
        f"{axis[0]} {axis[1]}",
        within_A,
        average([1.5 * v**2 - 0.5 for v in cosines]),
        average(cosines),
        0.5 * (edges[1:] + edges[:-1]),
        counts / by_chance,
        float(np.concatenate([n.sum(axis=1) for n in near]).mean()),
    )
