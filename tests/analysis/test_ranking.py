"""Rankings whose correlation is known in closed form."""

import json
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.ranking import compare_rankings
from structures.errors import InputError

REFERENCE_EV = np.array([-2.0, -1.5, -1.1, -0.4, -0.3, 0.2])


def test_the_same_order_is_one_and_the_reverse_minus_one() -> None:
    same = compare_rankings(np.exp(REFERENCE_EV), REFERENCE_EV)
    assert same.spearman == pytest.approx(1, rel=1e-12)
    assert (same.rank_of_lowest, same.lost_eV) == (1, 0)
    assert same.chance == pytest.approx(1 / 720, rel=1e-12)  # one order of 6!
    assert (same.n, same.n_best, same.n_saved, same.is_lowest_kept) == (6, 2, 4, True)
    reverse = compare_rankings(-REFERENCE_EV, REFERENCE_EV)
    assert reverse.spearman == pytest.approx(-1, rel=1e-12)
    assert reverse.chance == pytest.approx(1, rel=1e-12)
    assert (reverse.rank_of_lowest, reverse.is_lowest_kept) == (6, False)
    assert reverse.lost_eV == pytest.approx(2.0 - 0.3, rel=1e-12)


def test_without_ties_it_is_the_sum_of_squared_rank_differences() -> None:
    """ρ = 1 − 6 Σ d² / (n (n² − 1))."""
    order = np.array([2, 0, 1, 5, 3, 4])
    found = compare_rankings(order, REFERENCE_EV)
    squares = ((order - np.arange(6)) ** 2).sum()
    assert found.spearman == pytest.approx(1 - 6 * squares / (6 * 35), rel=1e-12)
    assert found.rank_of_lowest == 3
    assert found.lost_eV == pytest.approx(0.5, rel=1e-12)
    assert compare_rankings(order, REFERENCE_EV, n_best=3).is_lowest_kept


def test_chance_is_that_of_a_loop_over_all_orders() -> None:
    cheap = np.array([0.1, 0.3, 0.2, 0.2, 0.9])
    reference = REFERENCE_EV[:5]
    found = compare_rankings(cheap, reference)
    assert found.spearman is not None
    values = [spearmanr(order, reference).statistic for order in permutations(cheap)]
    assert found.chance == pytest.approx(np.mean(np.array(values) >= found.spearman - 1e-9), rel=1e-12)


def test_many_structures_are_sampled_repeatably() -> None:
    rng = np.random.default_rng(1)
    reference = rng.normal(size=30)
    cheap = reference + rng.normal(size=30)
    first, again = (compare_rankings(cheap, reference, seed=3) for _ in range(2))
    assert first == again
    assert first.chance is not None
    assert first.chance < 0.01


def test_equal_energies_give_no_correlation_and_the_cautious_rank() -> None:
    found = compare_rankings(np.zeros(6), REFERENCE_EV)
    assert (found.spearman, found.chance) == (None, None)
    assert found.rank_of_lowest == 6
    assert found.lost_eV == pytest.approx(2.0 - 0.3, rel=1e-12)
    assert not found.is_lowest_kept


def test_order_of_the_structures_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    cheap = REFERENCE_EV + rng.normal(size=6)
    order = rng.permutation(6)
    one, other = compare_rankings(cheap, REFERENCE_EV), compare_rankings(cheap[order], REFERENCE_EV[order])
    assert one.to_json() == pytest.approx(other.to_json(), rel=1e-12)


def test_values_are_those_of_json() -> None:
    found = compare_rankings(REFERENCE_EV, REFERENCE_EV)
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    assert {"spearman", "n_saved", "is_lowest_kept", "lost_eV"} <= found.to_json().keys()


@pytest.mark.parametrize(
    ("cheap", "reference", "n_best", "said"),
    [
        ([1.0, 2.0], [1.0, 2.0], None, "at least 3"),
        ([1.0, 2.0, 3.0], [1.0, 2.0], None, r"shapes \(3,\) and \(2,\)"),
        ([1.0, np.nan, 3.0], [1.0, 2.0, 3.0], None, "not a number"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 4, "n_best is 4, needs 1 to 3"),
    ],
)
def test_wrong_input_is_named(cheap: list[float], reference: list[float], n_best: int | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        compare_rankings(cheap, reference, n_best=n_best)
