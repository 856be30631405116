from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.contact_geometry import ContactGeometry, compute_alloy_drift
from analysis.density_map import combine_density_maps, compute_density_map
from analysis.penetration import (
    combine_penetrations,
    compute_penetration,
    compute_penetration_depth,
    fit_front_law,
)
from analysis.trajectory import build_universe
from structures.errors import InputError

CELL = np.array([[40.0, 0, 0], [6.0, 36.0, 0], [0, 0, 80.0]])
GEOMETRY = ContactGeometry(40.0, 10.0, lines_A=((10.0, 9.0), (30.0, 27.0)), core_radius_A=4.0)
SPEED_A_PER_FRAME = 1.0
N_FRAMES = 20


def build_channel(*, seed: int = 0, drift_A: float = 0.0, n_metal: int = 400, depth: float = 1.0) -> Universe:
    """An alloy that drifts up, and metal on it of which what stands over the lines goes down a step each frame."""
    rng = np.random.default_rng(seed)
    alloy = rng.uniform(0, 1, (600, 3)) @ np.diag([1, 1, 30 / 80]) @ CELL + [0, 0, 10]
    metal = rng.uniform(0, 1, (n_metal, 3)) @ np.diag([1, 1, 20 / 80]) @ CELL + [0, 0, 40.5]
    lines = np.array(GEOMETRY.lines_A)
    metal[:40, :2] = lines[np.arange(40) % 2] + rng.uniform(-2, 2, (40, 2))
    metal[:40, 2] = 40.0
    atoms = Atoms("Bi600" + f"K{n_metal}", positions=np.vstack([alloy, metal]), cell=CELL, pbc=True)
    atoms.set_array("region", np.array(["alloy"] * 600 + ["potassium"] * n_metal))
    frames = np.tile(atoms.positions, (N_FRAMES, 1, 1))
    steps = np.arange(N_FRAMES) * SPEED_A_PER_FRAME * depth
    frames[:, 600:640, 2] -= steps[:, None]
    frames[:, :, 2] += drift_A * np.arange(N_FRAMES)[:, None]
    # Some metal atoms are written in another periodic image.
    frames[:, 600:610] += CELL[0] - CELL[1]
    universe = build_universe(atoms)
    dimensions = np.tile(universe.dimensions, (N_FRAMES, 1))
    return universe.load_new(frames.astype(np.float32), order="fac", dimensions=dimensions, dt=0.5)


def test_depth_is_that_of_the_nth_deepest_atom_and_smooth_in_n() -> None:
    depths = np.array([-3.0, 7.0, 1.0, 4.0])
    assert compute_penetration_depth(depths, atoms_beyond=1) == 7.0
    assert compute_penetration_depth(depths, atoms_beyond=2.5) == pytest.approx(2.5, rel=1e-12)
    assert compute_penetration_depth(depths, atoms_beyond=4) == 0.0
    assert np.isnan(compute_penetration_depth(depths, atoms_beyond=4.5))
    assert np.isnan(compute_penetration_depth([], atoms_beyond=1))
    with pytest.raises(InputError, match=r"atoms_beyond is 0\.5, needs at least 1"):
        compute_penetration_depth(depths, atoms_beyond=0.5)


def test_depth_does_not_depend_on_how_thick_the_metal_is() -> None:
    # A denser block of metal above the channels: a quantile of all atoms would fall to the interface.
    thin, thick = (compute_penetration(build_channel(n_metal=n), geometry=GEOMETRY) for n in (240, 1440))
    np.testing.assert_allclose(thick.total.depth_A, thin.total.depth_A, rtol=1e-6)
    assert thick.total.final_A[0] == pytest.approx(18.5, abs=1e-3)


def test_columns_and_crystal_are_measured_alike() -> None:
    # The same flux everywhere: one atom each 0.5 nm², evenly, at one depth, gives that depth in columns and elsewhere.
    rng = np.random.default_rng(5)
    universe = build_channel(n_metal=400)
    frames = universe.trajectory.get_array().copy()
    frames[:, 640:] = np.append(rng.uniform(0, 1, (360, 2)) @ CELL[:2, :2], np.full((360, 1), 33.0), axis=1)
    frames[:, 600:640] = frames[:, 640:680]
    universe.load_new(frames, order="fac", dimensions=np.tile(universe.dimensions, (N_FRAMES, 1)), dt=0.5)
    found = compute_penetration(universe, geometry=GEOMETRY)
    np.testing.assert_allclose([found.by_region[name].final_A[0] for name in ("core", "crystal")], 7.0, atol=1e-4)
    areas = [found.by_region[name].area_nm2 for name in ("core", "crystal")]
    assert areas == pytest.approx([2 * np.pi * 0.16, 14.4 - 2 * np.pi * 0.16], rel=1e-3)
    assert sum(areas) == pytest.approx(found.total.area_nm2, rel=1e-9)
    # 0.5 nm⁻² in the columns is half an atom: one counts.
    assert found.by_region["core"].atoms_beyond == 1.0
    assert found.by_region["crystal"].atoms_beyond == pytest.approx(0.5 * areas[1], rel=1e-9)


def test_what_was_inside_at_first_contact_is_no_gain() -> None:
    universe = build_channel()
    frames = universe.trajectory.get_array().copy()
    frames[:, 600:640, 2] -= 2.5
    universe.load_new(frames, order="fac", dimensions=np.tile(universe.dimensions, (N_FRAMES, 1)), dt=0.5)
    series = compute_penetration(universe, geometry=GEOMETRY).by_region["core"]
    assert series.final_A[0] == pytest.approx(21.0, abs=1e-3)
    assert series.gain_A[0] == pytest.approx(18.5, abs=1e-3)
    values = series.to_json()
    assert values["gain"]["value"] == pytest.approx(18.5, abs=1e-3)
    assert "less the first frame" in values["gain"]["method"]


def test_depth_counts_from_the_nearer_of_two_faces() -> None:
    one = ContactGeometry(40.0, 10.0)
    z = np.array([45.0, 38.0, 12.0, 5.0, -35.0, 92.0])
    np.testing.assert_allclose(one.compute_depths(z, height_A=80), 40 - z)
    two = ContactGeometry(40.0, 10.0, two_faces=True)
    np.testing.assert_allclose(two.compute_depths(z, height_A=80), [-5, 2, 2, -5, -5, 2])
    np.testing.assert_allclose(two.compute_depths(z + 3, height_A=80, drift_A=3), [-5, 2, 2, -5, -5, 2])


@pytest.mark.parametrize("drift_A", [0.0, 0.3])
def test_planted_channel_is_found_in_the_core_only(drift_A: float) -> None:
    universe = build_channel(drift_A=drift_A)
    np.testing.assert_allclose(
        compute_alloy_drift(universe, geometry=GEOMETRY)[:, 2], drift_A * np.arange(N_FRAMES), atol=1e-4
    )
    found = compute_penetration(universe, geometry=GEOMETRY)
    steps = np.arange(N_FRAMES) * SPEED_A_PER_FRAME
    np.testing.assert_allclose(found.by_region["core"].depth_A[0], steps, atol=1e-3)
    np.testing.assert_allclose(found.total.deepest_A[0], steps, atol=1e-3)
    np.testing.assert_array_equal(found.by_region["crystal"].depth_A[0], 0)
    assert found.by_region["core"].n_inside[0, 1:].tolist() == [40] * (N_FRAMES - 1)
    assert found.by_region["crystal"].n_inside[0].tolist() == [0] * N_FRAMES
    np.testing.assert_allclose(found.time_ps, 0.5 * np.arange(N_FRAMES))


def test_gliding_columns_are_followed() -> None:
    universe = build_channel()
    away = compute_penetration(universe, geometry=GEOMETRY, lines=lambda _: np.array([[20.0, 18.0], [0.0, 0.0]]))
    assert away.by_region["core"].n_inside[0].tolist() == [0] * N_FRAMES
    kept = compute_penetration(universe, geometry=GEOMETRY, lines=lambda _: np.array(GEOMETRY.lines_A))
    assert kept.by_region["core"].n_inside[0, -1] == 40


def test_json_of_one_run_and_of_replicas() -> None:
    runs = [compute_penetration(build_channel(seed=s, depth=1 + 0.1 * s), geometry=GEOMETRY) for s in range(3)]
    single = runs[0].to_json()
    assert set(single["low_A"]) == {None}
    assert single["final"]["uncertainty"] is None
    both = combine_penetrations(runs)
    values = both.to_json()
    assert both.n_replicas == 3
    assert (
        len(values["time_ps"]) == len(values["depth_A"]) == len(values["low_A"]) == len(values["n_inside"]) == N_FRAMES
    )
    assert set(values["by_region"]) == {"core", "crystal"}
    finals = [18.5, 18.5 * 1.1, 18.5 * 1.2]
    np.testing.assert_allclose(both.by_region["core"].final_A, finals, atol=1e-3)
    assert values["by_region"]["core"]["final"]["value"] == pytest.approx(np.mean(finals), abs=1e-3)
    assert values["by_region"]["core"]["final"]["n_independent"] == 3
    assert "last tenth" in values["final"]["method"]


def test_band_of_a_depth_ends_at_the_interface() -> None:
    series = compute_penetration(build_channel(), geometry=GEOMETRY).total
    depths = np.array([[0.0, 1.0], [0.0, 9.0]])
    values = replace(series, depth_A=depths, deepest_A=depths, n_inside=depths).to_json()
    assert values["low_A"] == [0.0, 0.0]
    assert values["depth_A"] == [0.0, 5.0]
    assert 2 * values["depth_A"][1] - values["high_A"][1] < 0


def test_replicas_are_cut_to_the_shortest_and_must_match() -> None:
    universe = build_channel()
    whole = compute_penetration(universe, geometry=GEOMETRY)
    short = compute_penetration(universe, geometry=GEOMETRY, frames=slice(0, 12))
    assert combine_penetrations([whole, short]).time_ps.size == 12
    sparse = compute_penetration(universe, geometry=GEOMETRY, frames=slice(0, None, 2))
    with pytest.raises(InputError, match="different times"):
        combine_penetrations([whole, sparse])
    with pytest.raises(InputError, match="replicas differ"):
        combine_penetrations([whole, compute_penetration(universe, geometry=GEOMETRY, areal_density_per_nm2=1.0)])


def test_bad_geometry_and_species_are_refused() -> None:
    with pytest.raises(InputError, match="interface_z_A is 5"):
        ContactGeometry(5.0, 10.0)
    with pytest.raises(InputError, match=r"core radius -1\.0"):
        ContactGeometry(15.0, 10.0, core_radius_A=-1.0)
    with pytest.raises(InputError, match="species is Na, but the system has Bi, K"):
        compute_penetration(build_channel(), geometry=GEOMETRY, species="Na")
    with pytest.raises(InputError, match="areal_density_per_nm2 is 0"):
        compute_penetration(build_channel(), geometry=GEOMETRY, areal_density_per_nm2=0)
    with pytest.raises(InputError, match="no atoms of segments alloy or anchor"):
        compute_alloy_drift(build_channel(), geometry=ContactGeometry(9.0, -1000.0, two_faces=True))


def test_front_law_finds_the_planted_exponent() -> None:
    times = np.linspace(0, 10, 50)
    depths = np.array([3 * times**0.5, 2 * times**0.5])
    assert fit_front_law(times, depth_A=depths).value == pytest.approx(0.5, rel=1e-9)
    with pytest.raises(InputError, match="run longer"):
        fit_front_law(times, depth_A=np.zeros(50))


def test_density_map_shows_the_channels_and_keeps_the_number_of_atoms() -> None:
    found = compute_density_map(build_channel(), geometry=GEOMETRY, frames=slice(1, None))
    assert found.density_per_A3.shape == (found.y_A.size, found.x_A.size) == (36, 40)
    area = (found.x_A[1] - found.x_A[0]) * (found.y_A[1] - found.y_A[0])
    assert found.density_per_A3.sum() * area * GEOMETRY.thickness_A == pytest.approx(40, rel=1e-6)
    assert found.core_positions_A == pytest.approx(np.array(GEOMETRY.lines_A))
    x, y = np.meshgrid(found.x_A, found.y_A)
    near = np.min([np.hypot(x - a, y - b) for a, b in found.core_positions_A], axis=0) < 4
    assert found.density_per_A3[near].sum() == pytest.approx(found.density_per_A3.sum(), rel=1e-9)
    values = found.to_json()
    assert len(values["density_per_A3"]) == len(values["y_A"])
    assert len(values["density_per_A3"][0]) == len(values["x_A"])


def test_density_map_follows_a_glide() -> None:
    universe = build_channel()
    frames: NDArray[np.float32] = universe.trajectory.get_array().copy()
    frames[:, :, 0] += np.arange(N_FRAMES)[:, None] * 3.0
    dimensions = np.tile(universe.dimensions, (N_FRAMES, 1))
    universe.load_new(frames, order="fac", dimensions=dimensions, dt=0.5)
    still = compute_density_map(build_channel(), geometry=GEOMETRY)
    # The alloy moves with the lines here, so its drift alone keeps the map in place.
    moved = compute_density_map(universe, geometry=GEOMETRY, lines=lambda f: np.add(GEOMETRY.lines_A, [3.0 * f, 0]))
    np.testing.assert_allclose(moved.density_per_A3.sum(), still.density_per_A3.sum(), rtol=1e-6)
    x, y = np.meshgrid(moved.x_A, moved.y_A)
    near = np.min([np.hypot(x - a, y - b) for a, b in moved.core_positions_A], axis=0) < 4
    assert moved.density_per_A3[near].sum() == pytest.approx(moved.density_per_A3.sum(), rel=1e-6)


def test_a_map_of_one_run_has_an_error_only_if_the_number_inside_is_steady() -> None:
    universe = build_channel()
    frames = universe.trajectory.get_array().copy()
    for number in range(N_FRAMES):
        frames[number, 600 : 600 + 2 * number, 2] = 35.0
        frames[number, 600 + 2 * number : 640, 2] = 45.0
    universe.load_new(frames, order="fac", dimensions=np.tile(universe.dimensions, (N_FRAMES, 1)), dt=0.5)
    drifting = compute_density_map(universe, geometry=GEOMETRY)
    assert np.isnan(drifting.error_per_A3).all()
    assert drifting.verdict == (
        "number of atoms in the alloy: drifting: no error bar from one run; 3 in its first fifth, 35 in its last"
    )


def test_maps_of_replicas_have_an_error() -> None:
    maps = [compute_density_map(build_channel(seed=seed), geometry=GEOMETRY, bin_A=3.0) for seed in range(3)]
    both = combine_density_maps(maps)
    np.testing.assert_allclose(both.density_per_A3, np.mean([m.density_per_A3 for m in maps], axis=0), rtol=1e-12)
    assert np.isfinite(both.error_per_A3).all()
    assert both.verdict == "error from 3 replicas"
    assert both.to_json()["core_radius_A"] == maps[0].core_radius_A == GEOMETRY.core_radius_A
    with pytest.raises(InputError, match="different shapes"):
        combine_density_maps([maps[0], compute_density_map(build_channel(), geometry=GEOMETRY)])
    with pytest.raises(InputError, match="bin_A is 0"):
        compute_density_map(build_channel(), geometry=GEOMETRY, bin_A=0)
