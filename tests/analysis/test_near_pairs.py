import numpy as np
import pytest
from numpy.typing import NDArray

from analysis import near_pairs
from analysis.near_pairs import find_pairs
from structures.errors import InputError

LEANING = np.array([[24.0, 0, 0], [7.0, 28.0, 0], [-3.0, 5.0, 31.0]])
ORTHORHOMBIC = np.diag([23.0, 26.0, 40.0])


def sort(pairs: near_pairs.Pairs) -> tuple[list[list[int]], NDArray[np.float64]]:
    order = np.lexsort((pairs[1], pairs[0]))
    return np.column_stack([pairs[0], pairs[1]])[order].tolist(), pairs[2][order]


@pytest.mark.parametrize("cell", [LEANING, ORTHORHOMBIC], ids=["leaning", "orthorhombic"])
@pytest.mark.parametrize(("n_centres", "n_neighbours"), [(30, 200), (200, 30), (1, 1), (150, 150)])
def test_pairs_are_those_of_freud_and_of_a_naive_loop(
    cell: NDArray[np.float64], n_centres: int, n_neighbours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(n_centres)
    centres, neighbours = (rng.uniform(-60, 60, (n, 3)) for n in (n_centres, n_neighbours))
    images = np.array([[a, b, c] for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]) @ cell
    apart = neighbours[None] - centres[:, None]
    apart -= np.round(apart @ np.linalg.inv(cell)) @ cell
    lengths = np.linalg.norm(apart[:, :, None] + images, axis=-1).min(axis=-1)
    expected = np.argwhere(lengths < 9.5)
    pairs, distances = sort(find_pairs(centres, neighbours_A=neighbours, cell_A=cell, cutoff_A=9.5))
    assert pairs == expected.tolist()
    np.testing.assert_allclose(distances, lengths[tuple(expected.T)], atol=1e-7)
    monkeypatch.setattr(near_pairs, "_MOST_DISTANCES", 0)
    by_freud = sort(find_pairs(centres, neighbours_A=neighbours, cell_A=cell, cutoff_A=9.5))
    assert by_freud[0] == pairs
    np.testing.assert_allclose(by_freud[1], distances, atol=2e-5)


def test_points_pair_with_themselves_at_no_distance() -> None:
    points = np.array([[0.0, 0, 0], [23.0, 26.0, -1.0], [5.0, 5.0, 5.0]])
    pairs, distances = sort(find_pairs(points, neighbours_A=points, cell_A=ORTHORHOMBIC, cutoff_A=2.0))
    assert pairs == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 2]]
    np.testing.assert_allclose(distances, [0, 1, 1, 0, 0], atol=1e-6)


def test_nothing_is_near_nothing_and_a_large_radius_is_refused() -> None:
    nothing, points = np.empty((0, 3)), np.zeros((2, 3))
    for sets in ((nothing, points), (points, nothing), (points, points + 20)):
        assert find_pairs(sets[0], neighbours_A=sets[1], cell_A=ORTHORHOMBIC, cutoff_A=5.0)[0].size == 0
    with pytest.raises(InputError, match=r"radius is 11\.5 Å, needs 0 < radius < 11\.50 Å"):
        find_pairs(points, neighbours_A=points, cell_A=ORTHORHOMBIC, cutoff_A=11.5)
