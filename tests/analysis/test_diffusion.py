import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.diffusion import combine_msds, compute_displacements, compute_msd
from analysis.diffusivity import compute_diffusivity, compute_exponent, judge_halves
from analysis.regions import Region
from analysis.trajectory import build_universe
from structures.errors import InputError

STEP_PS = 0.5
DIFFUSIVITY_A2_PER_PS = 0.2


def walk(n_frames: int, n_atoms: int, *, seed: int) -> NDArray[np.float64]:
    kicks = np.random.default_rng(seed).normal(0, np.sqrt(2 * DIFFUSIVITY_A2_PER_PS * STEP_PS), (n_frames, n_atoms, 3))
    return np.cumsum(kicks, axis=0)


def build_walkers(positions: NDArray[np.float64], *, symbols: list[str]) -> Universe:
    universe = build_universe(Atoms(symbols, positions=positions[0], cell=[20.0, 22.0, 24.0], pbc=True))
    dimensions = np.tile(universe.dimensions, (len(positions), 1))
    return universe.load_new(positions.astype(np.float32), order="fac", dimensions=dimensions, dt=STEP_PS)


def test_msd_is_that_of_a_naive_loop() -> None:
    positions = walk(20, 7, seed=0) + 1000
    found = compute_msd(positions, time_ps=np.arange(20) * STEP_PS, species="K", n_blocks=1)
    naive = [np.mean([np.sum((positions[i + k] - positions[i]) ** 2, -1) for i in range(20 - k)]) for k in range(20)]
    np.testing.assert_allclose(found.msd_A2, naive, rtol=1e-9, atol=1e-9)
    assert found.verdict == "one sample: no error band"
    assert found.to_json()["low_A2"][1] is None


def test_uniform_motion_grows_with_the_square_of_time() -> None:
    times = np.arange(30) * STEP_PS
    positions = np.array([3.0, 0, 4.0]) * times[:, None, None]
    for from_start in (True, False):
        found = compute_msd(positions, time_ps=times, species="K", n_blocks=3, from_start=from_start)
        np.testing.assert_allclose(found.msd_A2, 25 * found.time_ps**2, rtol=1e-9, atol=1e-9)


def test_band_of_a_random_walk_holds_the_known_line() -> None:
    inside = []
    for seed in range(20):
        found = compute_msd(walk(500, 20, seed=seed), time_ps=np.arange(500) * STEP_PS, species="K", n_blocks=8)
        exact = 6 * DIFFUSIVITY_A2_PER_PS * found.time_ps
        inside.append((found.low_A2 <= exact + 1e-9) & (exact - 1e-9 <= found.high_A2))
    assert 0.85 < np.mean(inside) <= 1.0


def test_replicas_give_the_band_of_a_run_without_blocks() -> None:
    times = np.arange(50) * STEP_PS
    runs = [
        compute_msd(walk(50, 40, seed=s), time_ps=times, species="K", from_start=True, verdict="v") for s in range(6)
    ]
    both = combine_msds(runs)
    np.testing.assert_allclose(both.msd_A2, np.mean([run.msd_A2 for run in runs], axis=0), rtol=1e-12)
    assert both.verdict == "v"
    assert np.isfinite(both.high_A2).all()
    assert both.to_json()["n_independent"] == 6
    late = compute_msd(walk(50, 4, seed=0), time_ps=times * 2, species="K", from_start=True)
    with pytest.raises(InputError, match="different times"):
        combine_msds([runs[0], late])


def test_bad_input_is_refused() -> None:
    times = np.arange(6.0)
    with pytest.raises(InputError, match="Take fewer blocks"):
        compute_msd(walk(6, 2, seed=0), time_ps=times, species="K", n_blocks=5)
    with pytest.raises(InputError, match="not equally spaced"):
        compute_msd(walk(6, 2, seed=0), time_ps=times**2, species="K", n_blocks=1)
    with pytest.raises(InputError, match=r"needs \(n_frames, n_atoms, 3\)"):
        compute_msd(walk(6, 2, seed=0), time_ps=times[:-1], species="K")


def test_atoms_are_chosen_by_where_they_start_and_drift_is_taken_off() -> None:
    positions = np.zeros((4, 3, 3))
    positions[:, :, 2] = [1.0, 5.0, 9.0]
    positions += np.arange(4)[:, None, None]
    universe = build_walkers(positions, symbols=["K", "K", "Bi"])
    drift = np.arange(4)[:, None] * np.ones(3)
    times, chosen = compute_displacements(universe, species="K", region=Region("top", 4, 6), drift_A=drift)
    assert chosen.shape == (4, 1, 3)
    np.testing.assert_allclose(chosen[:, 0], [[0, 0, 5.0]] * 4, atol=1e-6)
    np.testing.assert_allclose(times, [0, 0.5, 1.0, 1.5])
    with pytest.raises(InputError, match="no atom of K starts in region far"):
        compute_displacements(universe, species="K", region=Region("far", 15, 16))


def test_diffusivity_of_walkers_is_the_known_one() -> None:
    positions = np.concatenate([walk(300, 60, seed=5), np.tile(walk(300, 1, seed=6), (1, 4, 1))], axis=1)
    positions[:, :60] += positions[:, 60:61]
    universe = build_walkers(positions, symbols=["K"] * 60 + ["Bi"] * 4)
    found = compute_diffusivity(universe, species="K", fit_from_ps=1.0, seed=1)
    exact = DIFFUSIVITY_A2_PER_PS * 1e-8
    assert found.diffusivity.value == pytest.approx(exact, rel=0.05)
    assert found.diffusivity.low is not None
    assert found.diffusivity.high is not None
    assert found.diffusivity.low < exact < found.diffusivity.high
    assert found.diffusivity.verdict == "diffusive"
    assert found.to_json()["diffusivity_m2_per_s"]["unit"] == "m²/s"
    np.random.seed(42)  # noqa: NPY002 - the global state that kinisi draws from must be left as it was
    after_seed = np.random.random()  # noqa: NPY002
    np.random.seed(42)  # noqa: NPY002
    along_z = compute_diffusivity(universe, species="K", dimensions="z", fit_from_ps=1.0, seed=1)
    assert np.random.random() == after_seed  # noqa: NPY002
    assert along_z.diffusivity.value == pytest.approx(exact, rel=0.2)
    assert (
        compute_diffusivity(universe, species="K", dimensions="z", fit_from_ps=1.0, seed=1).diffusivity
        == along_z.diffusivity
    )


def test_drift_of_a_walk_is_taken_out() -> None:
    moving = walk(300, 60, seed=5) + np.array([0.0, 0.0, 0.5]) * np.arange(300)[:, None, None]
    universe = build_walkers(np.concatenate([moving, np.zeros((300, 4, 3))], axis=1), symbols=["K"] * 60 + ["Bi"] * 4)
    found = compute_diffusivity(universe, species="K", fit_from_ps=1.0)
    assert found.diffusivity.verdict == "diffusive"
    assert found.diffusivity.value == pytest.approx(DIFFUSIVITY_A2_PER_PS * 1e-8, rel=0.05)
    assert found.drift_A == pytest.approx(0.5 * 299, rel=0.05)
    assert f"of K, {found.drift_A:.2f} Å in all, is taken out" in found.diffusivity.method
    kept = compute_diffusivity(universe, species="K", fit_from_ps=1.0, remove_drift=False)
    assert kept.diffusivity.verdict.startswith("superdiffusive: msd grows as t^1.")
    assert kept.to_json()["exponent"] - kept.to_json()["exponent_error"] > 1.1
    with pytest.raises(InputError, match="remove_drift is true with 1 atom"):
        compute_diffusivity(build_walkers(moving[:, :1], symbols=["K"]), species="K", dimensions="z", remove_drift=True)


def test_ballistic_motion_is_no_diffusion() -> None:
    rng = np.random.default_rng(2)
    shaking, times = rng.normal(0, 0.2, (100, 30, 3)), np.arange(100)[:, None, None]
    block = compute_diffusivity(build_walkers(shaking + 0.3 * times, symbols=["K"] * 30), species="K")
    assert "no diffusion seen" in block.diffusivity.verdict
    assert block.drift_A == pytest.approx(0.3 * np.sqrt(3) * 99, rel=0.02)
    gas = compute_diffusivity(
        build_walkers(shaking + rng.normal(0, 0.3, (30, 3)) * times, symbols=["K"] * 30), species="K"
    )
    assert gas.diffusivity.verdict.startswith("superdiffusive")
    assert gas.exponent == pytest.approx(2, abs=0.05)


def test_atoms_that_turn_back_do_not_diffuse_yet() -> None:
    steps = np.diff(walk(400, 120, seed=4), axis=0)
    for number in range(1, len(steps)):
        steps[number] -= 0.0025 * steps[:number].sum(axis=0)
    found = compute_diffusivity(build_walkers(np.cumsum(steps, axis=0), symbols=["K"] * 120), species="K")
    assert 0.8 < found.exponent < 0.9
    assert found.exponent + found.exponent_error < 1
    assert found.diffusivity.verdict.startswith("not diffusive yet: msd grows as t^0.8")


def test_walk_that_grows_faster_is_drifting() -> None:
    steps = np.diff(walk(301, 40, seed=3), axis=0) * np.linspace(0.5, 1.5, 300)[:, None, None]
    found = compute_diffusivity(build_walkers(np.cumsum(steps, axis=0), symbols=["K"] * 40), species="K")
    assert found.diffusivity.verdict.startswith("drifting: msd over")


def test_random_walks_are_seldom_called_anything_else() -> None:
    lags = np.arange(10, 101, 2)
    verdicts = []
    for seed in range(100):
        positions = walk(200, 40, seed=seed)
        exponent, error = compute_exponent(positions, lags=lags)
        verdicts.append((bool(judge_halves(positions, lag=10)), abs(exponent - 1) > max(0.1, error)))
        assert error > 0
    assert np.mean(verdicts, axis=0).max() <= 0.06


def test_exponent_of_one_atom_has_no_error() -> None:
    positions = np.array([1.0, 0, 0]) * np.arange(50)[:, None, None]
    exponent, error = compute_exponent(positions, lags=[2, 4, 8])
    assert exponent == pytest.approx(2, rel=1e-9)
    assert np.isnan(error)
    assert judge_halves(positions, lag=2) == ""


def test_vibration_is_no_diffusion() -> None:
    positions = 10 + 0.3 * np.random.default_rng(0).normal(size=(60, 10, 3))
    found = compute_diffusivity(build_walkers(positions, symbols=["K"] * 10), species="K")
    assert "no diffusion seen" in found.diffusivity.verdict
    with pytest.raises(InputError, match="needs letters of xyz"):
        compute_diffusivity(build_walkers(positions, symbols=["K"] * 10), species="K", dimensions="w")
    with pytest.raises(InputError, match="needs 20 at equal times"):
        compute_diffusivity(build_walkers(positions[:9], symbols=["K"] * 10), species="K")
    with pytest.raises(InputError, match=r"fit_from_ps is 500\.0"):
        compute_diffusivity(build_walkers(positions, symbols=["K"] * 10), species="K", fit_from_ps=500.0)
