"""Packing and voids: closed forms on simple lattices, a naive loop on random ones."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from structures.errors import InputError
from structures.packing import add_vacuum, compute_nearest_distances, fill_voids, pack_atoms


def test_nearest_distance_of_the_body_centre_of_a_cube() -> None:
    distances = compute_nearest_distances(
        np.array([[2.0, 2.0, 2.0], [0.0, 0.0, 1.0]]), positions_A=np.zeros((1, 3)), cell_A=4.0 * np.eye(3)
    )
    np.testing.assert_allclose(distances, [2 * np.sqrt(3), 1.0], rtol=1e-12)


def test_nearest_distances_agree_with_a_naive_loop_in_a_tilted_cell() -> None:
    rng = np.random.default_rng(1)
    cell = np.array([[9.0, 0, 0], [-4.0, 8.0, 0], [1.0, 2.0, 10.0]])
    positions, points = rng.random((12, 3)) @ cell, (3 * rng.random((20, 3)) - 1) @ cell
    shifts = [np.array([i, j, k]) @ cell for i in range(-3, 4) for j in range(-3, 4) for k in range(-3, 4)]
    naive = [min(np.linalg.norm(p - q - s) for q in positions for s in shifts) for p in points]
    np.testing.assert_allclose(compute_nearest_distances(points, positions_A=positions, cell_A=cell), naive, rtol=1e-10)


def test_without_atoms_every_distance_is_infinite() -> None:
    assert np.isinf(compute_nearest_distances(np.zeros((1, 3)), positions_A=np.zeros((0, 3)), cell_A=np.eye(3))).all()


def test_packed_atoms_keep_their_distance_and_their_height() -> None:
    cell = Atoms(cell=[12.0, 12.0, 24.0], pbc=True)
    packed = pack_atoms(
        cell, symbols=["K"] * 10, smallest_distance_A=3.0, rng=np.random.default_rng(2), heights=(0.5, 0.9)
    )
    distances = packed.get_all_distances(mic=True)[np.triu_indices(10, k=1)]
    assert distances.min() > 3.0
    assert ((packed.positions[:, 2] >= 12.0) & (packed.positions[:, 2] <= 21.6)).all()


def test_packing_always_ends_by_giving_way() -> None:
    packed = pack_atoms(
        Atoms(cell=[5.0] * 3, pbc=True), symbols=["K"] * 8, smallest_distance_A=9.0, rng=np.random.default_rng(3)
    )
    assert len(packed) == 8
    assert packed.get_all_distances(mic=True)[np.triu_indices(8, k=1)].min() > 1.5


def test_the_largest_void_of_a_cube_is_its_centre() -> None:
    crystal = Atoms("Bi", cell=[4.2] * 3, pbc=True)
    crystal.set_array("region", np.array(["alloy"], dtype="<U9"))
    filled = fill_voids(crystal, symbols=["K"], smallest_void_A=3.0, rng=np.random.default_rng(4))
    np.testing.assert_allclose(filled.positions[1], [2.1] * 3, atol=0.31)
    assert list(filled.arrays["region"]) == ["alloy", "potassium"]


def test_voids_near_a_line_only() -> None:
    crystal = bulk("Sb", "sc", a=4.2).repeat((4, 4, 1))
    filled = fill_voids(
        crystal,
        symbols=["K"],
        smallest_void_A=3.0,
        rng=np.random.default_rng(5),
        near_xy_A=(14.7, 2.1),
        radius_A=1.0,
    )
    np.testing.assert_allclose(filled.positions[-1, :2], [14.7, 2.1], atol=0.7)


def test_more_atoms_than_voids_are_refused() -> None:
    with pytest.raises(InputError, match=r"1 voids lie 3 Å or more from every atom, 2 are wanted; widen"):
        fill_voids(
            Atoms("Bi", cell=[4.2] * 3, pbc=True), symbols=["K", "K"], smallest_void_A=3.0, rng=np.random.default_rng(0)
        )


def test_vacuum_lengthens_the_third_cell_vector_only() -> None:
    crystal = bulk("Sb", "sc", a=4.0)
    crystal.set_cell([[4.0, 0, 0], [0, 4.0, 0], [0, 3.0, 4.0]], scale_atoms=True)
    taller = add_vacuum(crystal, height_A=5.0)
    np.testing.assert_allclose(taller.cell.lengths(), [4.0, 4.0, 10.0], rtol=1e-12)
    np.testing.assert_allclose(taller.cell.angles(), crystal.cell.angles(), rtol=1e-12)
    np.testing.assert_array_equal(taller.positions, crystal.positions)
