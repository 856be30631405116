"""Whether a cheap method ranks structures as a better one does, so that few need the better one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import permutation_test, rankdata, spearmanr

from structures.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEWEST = 3


@dataclass(frozen=True)
class RankingCheck:
    """How a cheap ranking compares with a reference.

    Attributes:
        n: structures that both methods gave an energy of.
        n_best: how many of the lowest by the cheap method would have been taken on.
        spearman: rank correlation, 1 for the same order; None if all energies of one method are equal.
        chance: share of random orders that correlate at least as well; None as above.
        rank_of_lowest: place of the reference's lowest structure in the cheap ranking, from 1.
        lost_eV: energy by the reference of the best one taken on, less the lowest.
    """

    n: int
    n_best: int
    spearman: float | None
    chance: float | None
    rank_of_lowest: int
    lost_eV: float

    @property
    def is_lowest_kept(self) -> bool:
        """Whether the reference's lowest structure was among those taken on."""
        return self.rank_of_lowest <= self.n_best

    @property
    def n_saved(self) -> int:
        """Runs of the reference that the cheap ranking saves."""
        return self.n - self.n_best

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {**asdict(self), "is_lowest_kept": self.is_lowest_kept, "n_saved": self.n_saved}


def compare_rankings(
    cheap_eV: ArrayLike, reference_eV: ArrayLike, *, n_best: int | None = None, seed: int = 1
) -> RankingCheck:
    """Compare the order of structures by a cheap method with that by a reference.

    Args:
        cheap_eV: energies, shape (n,), in eV.
        reference_eV: energies of the same structures, shape (n,), in eV.
        n_best: how many of the lowest by the cheap method are taken on; None: a third of them.
        seed: of the random orders, where there are too many to try all.

    Returns:
        The comparison. Of equal energies by the cheap method the reference's lowest comes last, which is cautious.

    Raises:
        InputError: if there are fewer than three pairs, an energy is no number, or `n_best` is out of range.

    Source:
        10.2307/1412159 (Spearman's rank correlation)
    """
    cheap, reference = np.asarray(cheap_eV, dtype=float), np.asarray(reference_eV, dtype=float)
    if cheap.shape != reference.shape or cheap.ndim != 1 or len(cheap) < FEWEST:
        raise InputError(
            f"the energies have shapes {cheap.shape} and {reference.shape}, need the same structures by both methods, "
            f"at least {FEWEST}."
        )
    if not (np.isfinite(cheap).all() and np.isfinite(reference).all()):
        raise InputError("an energy is not a number; leave structures out that one method did not finish.")
    n_taken = max(1, round(len(cheap) / 3)) if n_best is None else n_best
    if not 1 <= n_taken <= len(cheap):
        raise InputError(f"n_best is {n_taken}, needs 1 to {len(cheap)}, the number of structures.")
    spearman = chance = None
    if np.ptp(cheap) > 0 and np.ptp(reference) > 0:
        spearman = float(spearmanr(cheap, reference).statistic)
        chance = _compute_chance(rankdata(cheap), rankdata(reference), seed=seed)
    lowest = int(np.argmin(reference))
    taken = np.lexsort((-reference, cheap))[:n_taken]
    return RankingCheck(
        n=len(cheap),
        n_best=n_taken,
        spearman=spearman,
        chance=chance,
        rank_of_lowest=int(np.flatnonzero(np.lexsort((-reference, cheap)) == lowest)[0]) + 1,
        lost_eV=float(reference[taken].min() - reference[lowest]),
    )


def _compute_chance(ranks: NDArray[np.float64], others: NDArray[np.float64], *, seed: int) -> float:
    """Share of orders whose rank correlation is as large: of all orders up to seven structures, else of 9999."""
    result = permutation_test(
        (ranks,),
        lambda order, axis: (order * others).sum(axis=axis),  # of given ranks the correlation is linear in it
        permutation_type="pairings",
        alternative="greater",
        n_resamples=9999,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)
