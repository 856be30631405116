from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe

from analysis.contact_geometry import ContactGeometry
from analysis.crystal_order import (
    combine_crystal_orders,
    compute_crystal_order,
    compute_neighbour_distance,
    judge_ratio,
)
from analysis.trajectory import build_universe
from structures.alloy import build_rotated_alloy, resolve_alloy
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
    found = compute_crystal_order(universe, geometry=GEOMETRY, built_A=atoms.positions, neighbour_distance_A=4.0)
    assert found.final_ratio == pytest.approx(0.2 * np.sqrt(3) / 4, rel=0.05)
    assert found.verdict == "crystal"


def test_what_happens_at_the_interface_and_in_the_cores_does_not_count() -> None:
    quiet, atoms = build_run(spread_A=0.2)
    stirred, _ = build_run(spread_A=0.2, stirred=True)
    ratios = [
        compute_crystal_order(
            universe, geometry=GEOMETRY, built_A=atoms.positions, neighbour_distance_A=4.0
        ).final_ratio
        for universe in (quiet, stirred)
    ]
    assert ratios[1] == pytest.approx(ratios[0], rel=1e-6)


def test_the_order_is_told_by_depth_and_hangs_on_no_width_of_the_interface() -> None:
    universe, atoms = build_run(spread_A=0.2, stirred=True)
    orders = [
        compute_crystal_order(
            universe,
            geometry=replace(GEOMETRY, interface_width_A=width_A),
            built_A=atoms.positions,
            neighbour_distance_A=4.0,
        )
        for width_A in (6.0, 30.0)
    ]
    assert orders[0].to_json() == orders[1].to_json()
    layers = orders[0].layers
    assert [layer.depth_A[0] for layer in layers[:3]] == [6.0, 9.0, 12.0]  # planes are 6, 10, 14 Å deep
    assert sum(layer.n_atoms for layer in layers) > orders[0].n_atoms


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
    found = compute_crystal_order(universe, geometry=GEOMETRY, built_A=atoms.positions, neighbour_distance_A=4.0)
    assert found.verdict == "lost"
    assert "has lost its crystal order" in found.sentence
    assert found.to_json()["final_ratio"] == found.final_ratio


def test_a_slab_without_an_inside_is_refused() -> None:
    universe, atoms = build_run(spread_A=0.1)
    thin = ContactGeometry(40.0, 0.0, lines_A=((20.0, 20.0),), core_radius_A=60.0)
    with pytest.raises(InputError, match="no mobile alloy atom"):
        compute_crystal_order(universe, geometry=thin, built_A=atoms.positions, neighbour_distance_A=4.0)


def test_a_crystal_that_collapses_before_dynamics_and_stays_there_is_no_crystal() -> None:
    universe, atoms = build_run(spread_A=0.05)
    # The run holds its sites; those the cell was built on were elsewhere, with the deep third's mean where it was.
    moves = np.random.default_rng(1).normal(scale=0.8, size=(len(atoms), 3))
    found = compute_crystal_order(
        universe,
        geometry=GEOMETRY,
        built_A=atoms.positions - moves,
        relaxed_A=atoms.positions,
        neighbour_distance_A=4.0,
    )
    assert found.relaxed_final_ratio < 0.03
    assert found.relaxation_ratio == pytest.approx(0.8 * np.sqrt(3) / 4, rel=0.1)
    assert found.built_final_ratio == pytest.approx(found.relaxation_ratio, rel=0.02)
    assert found.verdict == "lost"
    assert f"the relaxation moved them by {found.relaxation_ratio:.2f}, dynamics by 0.02" in found.sentence


def test_neither_another_image_nor_a_shift_of_the_whole_alloy_is_a_displacement() -> None:
    universe, atoms = build_run(spread_A=0.05)
    built = atoms.positions + np.array([0.4, 0.0, -0.4])
    built[::3] += [40.0, -40.0, 0.0]
    found = compute_crystal_order(
        universe, geometry=GEOMETRY, built_A=built, relaxed_A=atoms.positions, neighbour_distance_A=4.0
    )
    assert found.relaxation_ratio == pytest.approx(0, abs=1e-9)
    assert found.verdict == "crystal"


def test_the_worst_replica_decides() -> None:
    orders = []
    for spread_A in (0.1, 1.0, 0.2):
        universe, atoms = build_run(spread_A=spread_A)
        orders.append(
            compute_crystal_order(universe, geometry=GEOMETRY, built_A=atoms.positions, neighbour_distance_A=4.0)
        )
    worst = combine_crystal_orders(orders)
    assert (worst.verdict, worst.replica, worst.n_replicas) == ("lost", 2, 3)
    assert "in replica 2, the worst of 3" in worst.sentence


def test_neighbour_distance_is_that_of_the_first_shell_alone() -> None:
    record = resolve_alloy("M-BiSnSb")
    alloy = build_rotated_alloy(record, repeats=(4, 1, 2))
    # A7: three neighbours at 2.994 Å within the bilayer, the next three at 3.448 Å across the gap.
    assert compute_neighbour_distance(alloy) == pytest.approx(2.994, abs=0.002)
    with pytest.raises(InputError, match="no two of 1 atoms"):
        compute_neighbour_distance(Atoms("Bi", cell=[20, 20, 20]))
