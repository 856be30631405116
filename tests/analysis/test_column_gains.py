"""Columns elsewhere and of other radii: the same depths as those of the core columns, and a fair null."""

import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.column_gains import (
    ColumnRun,
    compute_column_gains,
    compute_place_null,
    compute_sensitivity,
    draw_places,
    find_largest_radius_A,
    read_column_run,
)
from analysis.contact_geometry import ContactGeometry, compute_alloy_drift
from analysis.penetration import compute_penetration
from analysis.trajectory import build_universe
from structures.errors import InputError

CELL = np.array([[40.0, 0, 0], [6.0, 36.0, 0], [0, 0, 80.0]])
GEOMETRY = ContactGeometry(40.0, 10.0, lines_A=((10.0, 9.0), (30.0, 27.0)), core_radius_A=5.0)
N_FRAMES, N_METAL, CHANNEL_RADIUS_A = 20, 600, 2.0


def build_universe_of(frames: NDArray[np.float64], *, alloy: NDArray[np.float64]) -> Universe:
    """An alloy that stays, and metal in given positions, shape (n_frames, n_metal, 3)."""
    atoms = Atoms(f"Bi{len(alloy)}K{frames.shape[1]}", positions=np.vstack([alloy, frames[0]]), cell=CELL, pbc=True)
    atoms.set_array("region", np.array(["alloy"] * len(alloy) + ["potassium"] * frames.shape[1]))
    universe = build_universe(atoms)
    whole = np.concatenate([np.tile(alloy, (len(frames), 1, 1)), frames], axis=1)
    dimensions = np.tile(universe.dimensions, (len(frames), 1))
    return universe.load_new(whole.astype(np.float32), order="fac", dimensions=dimensions, dt=0.5)


def build_front(*, seed: int, channel_A: float = 0.0) -> Universe:
    """A front of uneven depth that goes in evenly; over the lines it goes farther by `channel_A`."""
    rng = np.random.default_rng(seed)
    alloy = rng.uniform(0, 1, (200, 3)) @ np.diag([1, 1, 30 / 80]) @ CELL + [0, 0, 10]
    metal = rng.uniform(0, 1, (N_METAL, 3)) @ np.diag([1, 1, 20 / 80]) @ CELL + [0, 0, 38.0]
    lateral = metal[:, None, :2] - np.array(GEOMETRY.lines_A)
    lateral -= np.round(lateral @ np.linalg.inv(CELL[:2, :2])) @ CELL[:2, :2]
    over = np.linalg.norm(lateral, axis=-1).min(axis=1) < CHANNEL_RADIUS_A
    way = np.linspace(0, 1, N_FRAMES)[:, None] * (rng.gamma(2.0, 2.0, N_METAL) + channel_A * over)
    frames = np.tile(metal, (N_FRAMES, 1, 1))
    frames[:, :, 2] -= way
    # Some atoms are written in another periodic image.
    frames[:, :50] += CELL[0] - CELL[1]
    return build_universe_of(frames, alloy=alloy)


def read_run(universe: Universe, geometry: ContactGeometry = GEOMETRY) -> ColumnRun:
    drift = compute_alloy_drift(universe, geometry=geometry)
    return read_column_run(universe, geometry=geometry, drift_A=drift)


@pytest.mark.parametrize(("radius_A", "density_per_nm2"), list(product((4.0, 6.5), (0.5, 1.3))))
def test_columns_are_measured_as_the_penetration_is(radius_A: float, density_per_nm2: float) -> None:
    universe = build_front(seed=1, channel_A=5.0)
    shifts = np.array([[0.0, 0.0], [7.0, -3.0], [25.0, 40.0]])
    gains = compute_column_gains(
        read_run(universe), areal_density_per_nm2=density_per_nm2, radius_A=radius_A, shifts_A=shifts
    )
    for shift, gain in zip(shifts, gains, strict=True):
        lines = tuple((x + shift[0], y + shift[1]) for x, y in GEOMETRY.lines_A)
        geometry = ContactGeometry(40.0, 10.0, lines_A=lines, core_radius_A=radius_A)
        found = compute_penetration(universe, geometry=geometry, areal_density_per_nm2=density_per_nm2)
        assert gain == pytest.approx(found.by_region["core"].gain_A[0], rel=1e-9)


def test_too_few_atoms_give_no_gain() -> None:
    (gain,) = compute_column_gains(read_run(build_front(seed=1)), areal_density_per_nm2=500.0)
    assert np.isnan(gain)


def test_no_place_does_as_well_as_a_planted_channel() -> None:
    dislocation, control = (read_run(build_front(seed=3, channel_A=depth)) for depth in (9.0, 0.0))
    found = compute_place_null([dislocation], control=[control], areal_density_per_nm2=0.5)
    assert found is not None
    assert found.n_places == 200
    assert found.place_share < 0.05
    assert compute_place_null([dislocation], control=[control], areal_density_per_nm2=0.5) == found


def test_columns_put_elsewhere_hold_no_line() -> None:
    run = read_run(build_front(seed=1))
    lines, places = np.array(GEOMETRY.lines_A), draw_places(run, n_places=200, seed=0)
    assert places.shape == (200, 2)
    apart = lines[:, None, None] + places[:, None] - lines[:, None, None, :].swapaxes(0, 2)
    images = np.array(list(product((-2, -1, 0, 1, 2), repeat=2))) @ CELL[:2, :2]
    assert np.linalg.norm(apart[..., None, :] + images, axis=-1).min() >= GEOMETRY.core_radius_A
    shares = places @ np.linalg.inv(CELL[:2, :2])
    counts = np.histogram2d(shares[:, 0], shares[:, 1], bins=3)[0]
    assert counts.min() > 0
    assert counts.max() < 2 * counts.mean()
    wide = replace(run, geometry=replace(GEOMETRY, core_radius_A=20.0))
    assert compute_place_null([wide], control=[wide], areal_density_per_nm2=0.5) is None


def test_of_a_front_without_channels_half_of_the_places_are_as_far_from_zero() -> None:
    shares = []
    for seed in range(12):
        runs = [read_run(build_front(seed=2 * seed + offset)) for offset in (100, 101)]
        found = compute_place_null(runs[:1], control=runs[1:], areal_density_per_nm2=0.5, n_places=100)
        assert found is not None
        assert abs(found.place_mean_A) < 3 * found.place_spread_A
        shares.append(found.place_share)
    # Evenly spread between 0 and 1: the mean of twelve has a standard deviation of 0.083.
    assert np.mean(shares) == pytest.approx(0.5, abs=0.25)


def test_places_are_looked_at_within_seconds() -> None:
    runs = [read_run(build_front(seed=seed)) for seed in (1, 2)]
    start = time.process_time()
    compute_place_null(runs[:1], control=runs[1:], areal_density_per_nm2=0.5)
    assert time.process_time() - start < 5


def test_replicas_are_averaged_and_too_few_atoms_say_nothing() -> None:
    runs = [read_run(build_front(seed=seed)) for seed in (1, 2, 3)]
    both = compute_sensitivity(runs[:2], control=runs[2:], areal_density_per_nm2=0.5)
    each = [compute_sensitivity([run], control=runs[2:], areal_density_per_nm2=0.5) for run in runs[:2]]
    np.testing.assert_allclose(both.difference_A, np.mean([one.difference_A for one in each], axis=0), rtol=1e-12)
    assert compute_place_null(runs[:1], control=runs[1:2], areal_density_per_nm2=500.0) is None


def test_radii_and_densities_are_those_that_fit_and_the_runs_own() -> None:
    runs = [read_run(build_front(seed=seed, channel_A=depth)) for seed, depth in ((1, 6.0), (2, 0.0))]
    found = compute_sensitivity(runs[:1], control=runs[1:], areal_density_per_nm2=0.7)
    assert sorted(set(found.core_radius_A)) == [4.0, 5.0, 6.0, 7.0, 8.0]
    assert sorted(set(found.areal_density_per_nm2)) == [0.25, 0.5, 0.7, 1.0, 2.0]
    (own,) = np.flatnonzero(found.is_configured)
    assert (found.core_radius_A[own], found.areal_density_per_nm2[own]) == (5.0, 0.7)
    gains = [compute_column_gains(run, areal_density_per_nm2=0.7)[0] for run in runs]
    assert found.difference_A[own] == pytest.approx(gains[0] - gains[1], rel=1e-12)
    np.testing.assert_allclose(found.difference_A, found.dislocation_gain_A - found.control_gain_A, rtol=1e-12)
    values = found.to_json()
    assert len({len(column) for column in values.values()}) == 1
    assert values["difference_A"][own] == found.difference_A[own]
    near = ContactGeometry(40.0, 10.0, lines_A=((10.0, 9.0), (10.0, 20.0)), core_radius_A=5.0)
    assert find_largest_radius_A(near, cell_A=CELL) == pytest.approx(5.5, rel=1e-12)
    assert find_largest_radius_A(ContactGeometry(40.0, 10.0, lines_A=((1.0, 2.0),)), cell_A=CELL) == pytest.approx(
        0.5 * np.hypot(6.0, 36.0), rel=1e-12
    )


def test_lines_and_a_density_are_needed() -> None:
    bare = ContactGeometry(40.0, 10.0)
    with pytest.raises(InputError, match="0 lines"):
        compute_column_gains(read_run(build_front(seed=1), bare), areal_density_per_nm2=0.5)
    with pytest.raises(InputError, match="areal_density_per_nm2 0"):
        compute_column_gains(read_run(build_front(seed=1)), areal_density_per_nm2=0.0)
