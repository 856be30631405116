import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe

from analysis.contact_geometry import ContactGeometry
from analysis.crystal_order import compute_crystal_order, judge_ratio
from analysis.trajectory import build_universe
from structures.errors import InputError

GEOMETRY = ContactGeometry(40.0, 0.0, lines_A=((10.0, 10.0),), core_radius_A=4.0, interface_width_A=6.0)
N_FRAMES = 20


def build_run(*, spread_A: float, drift_A: float = 0.0, stirred: bool = False) -> tuple[Universe, Atoms]:
    """Atoms about their sites with a known spread; near the interface and the core they may be stirred."""
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(2.0, 38.0, 4.0)] * 3), axis=-1).reshape(-1, 3)
    atoms = Atoms(f"Bi{len(grid)}", positions=grid, cell=[40, 40, 60], pbc=True)
    atoms.set_array("region", np.full(len(grid), "alloy"))
    frames = grid + rng.normal(scale=spread_A, size=(N_FRAMES, *grid.shape))
    frames += drift_A * np.arange(N_FRAMES)[:, None, None]
    if stirred:
        # Above the deep third, from which the drift is taken.
        near = (grid[:, 2] > 34) | ((np.hypot(*(grid[:, :2] - 10).T) < 4) & (grid[:, 2] > 14))
        frames[:, near] += 5.0
    universe = build_universe(atoms)
    universe.load_new(frames.astype(np.float32), order="fac", dimensions=np.tile(universe.dimensions, (N_FRAMES, 1)))
    return universe, atoms


@pytest.mark.parametrize("drift_A", [0.0, 0.3])
def test_the_planted_spread_comes_back(drift_A: float) -> None:
    universe, atoms = build_run(spread_A=0.2, drift_A=drift_A)
    found = compute_crystal_order(universe, geometry=GEOMETRY, reference_A=atoms.positions, neighbour_distance_A=4.0)
    assert found.final_ratio == pytest.approx(0.2 * np.sqrt(3) / 4, rel=0.05)
    assert found.verdict == "crystal"


def test_what_happens_at_the_interface_and_in_the_cores_does_not_count() -> None:
    quiet, atoms = build_run(spread_A=0.2)
    stirred, _ = build_run(spread_A=0.2, stirred=True)
    ratios = [
        compute_crystal_order(
            universe, geometry=GEOMETRY, reference_A=atoms.positions, neighbour_distance_A=4.0
        ).final_ratio
        for universe in (quiet, stirred)
    ]
    assert ratios[1] == pytest.approx(ratios[0], rel=1e-6)


def test_verdicts_follow_the_limits() -> None:
    assert [judge_ratio(ratio) for ratio in (0.05, 0.12, 0.13, 0.20, 0.21)] == [
        "crystal",
        "crystal",
        "disordering",
        "disordering",
        "lost",
    ]


def test_a_molten_alloy_is_named() -> None:
    universe, atoms = build_run(spread_A=1.0)
    found = compute_crystal_order(universe, geometry=GEOMETRY, reference_A=atoms.positions, neighbour_distance_A=4.0)
    assert found.verdict == "lost"
    assert "has lost its crystal order" in found.sentence
    assert found.to_json()["final_ratio"] == found.final_ratio


def test_a_slab_without_an_inside_is_refused() -> None:
    universe, atoms = build_run(spread_A=0.1)
    thin = ContactGeometry(40.0, 0.0, lines_A=(), interface_width_A=60.0)
    with pytest.raises(InputError, match="deeper than 60 Å"):
        compute_crystal_order(universe, geometry=thin, reference_A=atoms.positions, neighbour_distance_A=4.0)
