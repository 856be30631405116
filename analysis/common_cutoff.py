"""One cut-off a pair for all cases, so that their coordination numbers can be compared."""

from collections.abc import Mapping

import numpy as np

from analysis.first_minimum import find_first_minimum
from analysis.rdf import RadialDistribution


def find_common_cutoff(distributions: Mapping[str, RadialDistribution]) -> tuple[float | None, str]:
    """First minimum of g(r) pooled over cases, else of a case that resolves one.

    Args:
        distributions: case to the distribution of one pair in one region.

    Returns:
        The cut-off in Å and where it comes from, or None and why there is none.
    """
    known = {name: part for name, part in distributions.items() if np.isfinite(part.g).any()}
    if not known:
        return None, "there are no pairs to count in any case"
    n_bins = min(part.r_A.size for part in known.values())
    weights = np.array([part.n_centres * part.n_frames for part in known.values()])
    weights /= weights.sum()
    curves = np.array([np.nan_to_num(part.g[:n_bins]) for part in known.values()])
    errors = np.array([np.nan_to_num(part.noise[:n_bins]) for part in known.values()])
    radii = next(iter(known.values())).r_A[:n_bins]
    noise = np.sqrt(((weights[:, None] * errors) ** 2).sum(axis=0))
    minimum, reason = find_first_minimum(radii, g=weights @ curves, noise=noise)
    names = " and ".join(known)
    if minimum is not None:
        over = f"pooled over {names}" if len(known) > 1 else f"of {names}"
        return minimum, f"first minimum of g(r) {over}: {reason}"
    for name, part in known.items():
        if part.first_minimum_A is not None:
            return (
                part.first_minimum_A,
                f"first minimum of g(r) of {name}, which resolves it: {part.first_minimum_reason}",
            )
    return None, f"g(r) of {names} has none: {reason}"
