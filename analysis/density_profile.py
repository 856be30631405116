"""Density of sites against the height above a surface."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import units
from numpy.typing import NDArray

from analysis.uncertainty import Steadiness, compute_band, compute_steady_half_width, judge_steadiness, to_list
from structures.errors import InputError

_A3_PER_NM3 = 1e3
# g/cm³ of one u in a nm³.
_DENSITY_OF_U = 1e24 / units.mol / 1e3


@dataclass(frozen=True, eq=False)
class DensityProfile:
    """Number density of a site against height, its mean over x and y.

    Attributes:
        site: species and site, e.g. "TFSI- O".
        height_A: middle of the bins above the mean height of the surface's upper face, in Å.
        density_per_nm3: mean density, in 1/nm³.
        low_per_nm3: lower end of the 95 % band; NaN where there is none.
        high_per_nm3: upper end of the band.
        mass_u: mass of a point of the site, in u.
        verdict: what the band is good for.
        samples: density of each stretch of one run, or of each replica, shape (n_samples, n_bins), in 1/nm³.
    """

    site: str
    height_A: NDArray[np.float64]
    density_per_nm3: NDArray[np.float64]
    low_per_nm3: NDArray[np.float64]
    high_per_nm3: NDArray[np.float64]
    mass_u: float
    verdict: str
    samples: NDArray[np.float64] = field(repr=False)

    @property
    def density_g_per_cm3(self) -> NDArray[np.float64]:
        """The density as mass, in g/cm³."""
        return np.asarray(self.density_per_nm3 * self.mass_u * _DENSITY_OF_U)

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON values."""
        names = ("height_A", "density_per_nm3", "low_per_nm3", "high_per_nm3", "density_g_per_cm3")
        curves = {name: to_list(getattr(self, name)) for name in names}
        return {"label": self.site, **curves, "mass_u": self.mass_u, "verdict": self.verdict}


def build_profile(
    counts: NDArray[np.float64], *, volumes_A3: NDArray[np.float64], edges_A: NDArray[np.float64], site: str,
    mass_u: float,
) -> DensityProfile:  # fmt: skip
    """A profile from counts in stretches of one run; with a band if its mean height does not drift.

    Args:
        counts: points in each bin, summed over the frames of each stretch, shape (n_stretches, n_bins).
        volumes_A3: volume of a bin, summed over the frames of each stretch, shape (n_stretches,), in Å³.
        edges_A: edges of the bins, shape (n_bins + 1,), in Å.
        site: its label.
        mass_u: of a point, in u.
    """
    heights = 0.5 * (edges_A[1:] + edges_A[:-1])
    samples = counts / volumes_A3[:, None] * _A3_PER_NM3
    mean = counts.sum(axis=0) / volumes_A3.sum() * _A3_PER_NM3
    found = counts.sum(axis=1)
    centres = (counts @ heights)[found > 0] / found[found > 0]
    none = Steadiness(is_steady=False, n_independent=0.0, verdict=f"no {site} between the faces")
    steadiness = judge_steadiness(centres) if centres.size else none
    half = np.full(heights.size, np.nan)
    if steadiness.is_steady:
        half = compute_steady_half_width(samples, n_independent=steadiness.n_independent)
    return DensityProfile(
        site, heights, mean, np.maximum(mean - half, 0), mean + half, mass_u, f"mean height: {steadiness.verdict}",
        samples,
    )  # fmt: skip


def combine_profiles(profiles: Sequence[DensityProfile]) -> DensityProfile:
    """The profile of several replicas, up to the lowest: mean and Student-t 95 % band over them.

    Raises:
        InputError: if they are of other sites or bins.
    """
    first = profiles[0]
    n_bins = min(one.height_A.size for one in profiles)
    heights = first.height_A[:n_bins]
    if any(one.site != first.site or not np.allclose(one.height_A[:n_bins], heights) for one in profiles):
        raise InputError(f"profiles of other sites or bins do not add to {first.site}; compute them alike")
    if len(profiles) == 1:
        return first
    samples = np.array([one.density_per_nm3[:n_bins] for one in profiles])
    mean, low, high = compute_band(samples)
    verdict = f"band from {len(profiles)} replicas"
    return replace(
        first, height_A=heights, density_per_nm3=mean, low_per_nm3=np.maximum(low, 0), high_per_nm3=high,
        verdict=verdict, samples=samples,
    )  # fmt: skip
