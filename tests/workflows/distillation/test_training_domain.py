"""The trained domain: distances against closed forms, smallest distances against a naive loop."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.recipes.training_domain import compute_domain_distances, compute_smallest_distances, fit_domain


def make_frame(
    symbols: list[str], positions: Sequence[Sequence[float]] | NDArray[np.float64], edge_A: float = 20.0
) -> Atoms:
    return Atoms(symbols, positions=positions, cell=[edge_A] * 3, pbc=True)


def test_distance_is_the_number_of_standard_deviations() -> None:
    distances = compute_domain_distances(
        np.array([[1.0, 2.0], [1.0, 2.0 + 3 * 0.5], [1.0 + 4 * 2.0, 2.0]]),
        mean=np.array([1.0, 2.0]),
        inverse_covariance=np.diag([1 / 2.0**2, 1 / 0.5**2]),
    )
    np.testing.assert_allclose(distances, [0.0, 3.0, 4.0], rtol=1e-12)


def test_domain_of_normal_descriptors_is_a_sphere_in_standard_deviations() -> None:
    rng = np.random.default_rng(1)
    mixing = np.array([[2.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.3, 0.1]])
    descriptors = rng.normal(size=(4000, 3)) @ mixing.T + [5.0, -1.0, 0.0]
    frame = make_frame(["K"] * 4000, rng.random((4000, 3)) * 200, edge_A=200.0)
    domain = fit_domain([frame], descriptors=[descriptors], elements=["K"], inside_fraction=0.99)
    # √χ²₃ at 99 %
    np.testing.assert_allclose(domain.threshold, [3.368], rtol=0.03)
    np.testing.assert_allclose(domain.mean[0], [5.0, -1.0, 0.0], atol=0.1)
    distances = compute_domain_distances(
        descriptors, mean=domain.mean[0], inverse_covariance=domain.inverse_covariance[0]
    )
    np.testing.assert_allclose(np.mean(distances > domain.threshold[0]), 0.01, atol=1e-3)


def test_a_descriptor_that_never_varies_does_no_harm() -> None:
    rng = np.random.default_rng(2)
    descriptors = np.hstack([rng.normal(size=(50, 1)), np.ones((50, 1))])
    domain = fit_domain([make_frame(["K"] * 50, rng.random((50, 3)))], descriptors=[descriptors], elements=["K"])
    assert np.isfinite(domain.inverse_covariance).all()


def test_smallest_distances_of_each_pair_over_all_frames() -> None:
    frames = [
        make_frame(["K", "Bi"], [[0, 0, 0], [0, 0, 3.0]]),
        make_frame(["K", "Bi", "Bi"], [[0, 0, 0], [0, 0, 2.5], [0, 0, 5.0]]),
    ]
    smallest = compute_smallest_distances(frames, elements=["K", "Bi"])
    np.testing.assert_allclose(smallest, [[np.nan, 2.5], [2.5, 2.5]], rtol=1e-12)


def test_periodic_images_count() -> None:
    smallest = compute_smallest_distances([Atoms("K", cell=[4.0] * 3, pbc=True)], elements=["K"])
    np.testing.assert_allclose(smallest, [[4.0]], rtol=1e-12)


def test_written_arrays_need_no_pickle(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = make_frame(["K", "Bi"] * 20, rng.random((40, 3)) * 20)
    domain = fit_domain([frame], descriptors=[rng.normal(size=(40, 4))], elements=["Bi", "K"])
    domain.write(tmp_path / "domain.npz")
    with np.load(tmp_path / "domain.npz", allow_pickle=False) as stored:
        assert list(stored["elements"]) == ["Bi", "K"]
        assert stored["schema_version"] == 1
        np.testing.assert_array_equal(stored["mean"], domain.mean)
        assert stored["inverse_covariance"].shape == (2, 4, 4)
        assert stored["smallest_distance_A"].shape == (2, 2)
        assert 0 < stored["outside_fraction_limit"] < 1
    assert [path.name for path in tmp_path.iterdir()] == ["domain.npz"]


def test_equal_domains_have_equal_bytes(tmp_path: Path) -> None:
    frame = make_frame(["K"] * 10, np.random.default_rng(4).random((10, 3)) * 20)
    for name in ("a.npz", "b.npz"):
        domain = fit_domain([frame], descriptors=[np.random.default_rng(5).normal(size=(10, 2))], elements=["K"])
        domain.write(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_an_element_without_atoms_is_refused() -> None:
    with pytest.raises(InputError, match=r"has 0 atoms of Sb, needs 2 or more"):
        fit_domain([make_frame(["K"] * 2, np.eye(3)[:2])], descriptors=[np.eye(2)], elements=["K", "Sb"])
