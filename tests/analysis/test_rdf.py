import time
from collections.abc import Sequence

import freud
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal
from MDAnalysis import Universe
from MDAnalysis.analysis.rdf import InterRDF
from numpy.typing import NDArray

from analysis.common_cutoff import find_common_cutoff
from analysis.coordination import compute_coordination
from analysis.counting import PairCounter, count_neighbours, largest_radius_A
from analysis.first_minimum import find_first_minimum, find_first_peak
from analysis.rdf import RadialDistribution, combine_rdfs, compute_rdfs, count_within
from analysis.regions import Region
from analysis.trajectory import build_universe
from structures.errors import InputError

TILTED = np.array([[30.0, 0, 0], [7.0, 28.0, 0], [0, 0, 40.0]])


def build_frames(
    frames: Sequence[NDArray[np.float64]], *, symbols: Sequence[str], cell: NDArray[np.float64]
) -> Universe:
    universe = build_universe(Atoms(symbols, positions=frames[0], cell=cell, pbc=True))
    dimensions = np.tile(universe.dimensions, (len(frames), 1))
    universe.load_new(np.array(frames, dtype=np.float32), order="fac", dimensions=dimensions, dt=0.5)
    return universe


def build_gas(region: Region, *, n_atoms: int, n_frames: int, seed: int) -> Universe:
    """Ideal gas of K and Bi in a region of the tilted cell."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_frames):
        points = rng.uniform(0, 1, (20 * n_atoms, 3)) @ TILTED
        frames.append(points[region.contains(points, cell_A=TILTED)][:n_atoms])
    return build_frames(frames, symbols=["K", "Bi"] * (n_atoms // 2), cell=TILTED)


def test_counts_are_those_of_a_naive_loop_in_a_tilted_cell() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-40, 40, (60, 3))
    centres, neighbours = points[:20], points
    lengths = []
    for i, centre in enumerate(centres):
        for j, neighbour in enumerate(neighbours):
            if i == j:
                continue
            delta = (neighbour - centre) @ np.linalg.inv(TILTED)
            delta = (delta - np.round(delta)) @ TILTED
            images = [delta + [a, b, c] @ TILTED for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
            lengths.append(min(np.linalg.norm(image) for image in images))
    expected = np.histogram(lengths, bins=24, range=(0, 12))[0]
    counter = PairCounter(24, r_max_A=12)
    for _ in range(2):
        counts = counter.count(centres, neighbours_A=neighbours, cell_A=TILTED, same=True)
        np.testing.assert_array_equal(counts, expected)
    fine = PairCounter(2400, r_max_A=12).count(centres, neighbours_A=neighbours, cell_A=TILTED, same=True)
    np.testing.assert_array_equal(fine.reshape(24, 100).sum(axis=1), expected)
    numbers = count_neighbours(centres, neighbours_A=neighbours, cell_A=TILTED, cutoff_A=12)
    assert numbers.sum() == expected.sum()


def test_counts_do_not_depend_on_rotation_order_or_wrapping() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 1, (50, 3)) @ TILTED
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    numbers = count_neighbours(points, neighbours_A=points, cell_A=TILTED, cutoff_A=10)
    turned = count_neighbours(points @ turn.T, neighbours_A=points @ turn.T, cell_A=TILTED @ turn.T, cutoff_A=10)
    moved = points + rng.integers(-3, 4, (50, 3)) @ TILTED
    np.testing.assert_array_equal(turned, numbers)
    np.testing.assert_array_equal(count_neighbours(moved, neighbours_A=moved, cell_A=TILTED, cutoff_A=10), numbers)
    order = rng.permutation(50)
    np.testing.assert_array_equal(
        count_neighbours(points[order], neighbours_A=points, cell_A=TILTED, cutoff_A=10), numbers[order]
    )


def test_radius_too_large_for_the_cell_names_the_limit() -> None:
    assert largest_radius_A(np.diag([10.0, 12, 14])) == pytest.approx(5, rel=1e-12)
    points = np.zeros((1, 3))
    with pytest.raises(InputError, match=r"needs 0 < radius < 5\.00"):
        PairCounter(5, r_max_A=5).count(points, neighbours_A=points, cell_A=np.diag([10.0, 12, 14]), same=True)


@pytest.mark.parametrize(
    "region",
    [
        Region(),
        Region("slab", 5, 17),
        Region("core", 5, 25, ((3.0, 4.0), (20.0, 18.0)), 6.0),
        Region("crystal", 30, 50, ((3.0, 4.0), (20.0, 18.0)), 6.0, near_lines=False),
    ],
    ids=lambda region: region.name,
)
def test_ideal_gas_in_its_region_has_g_of_one(region: Region) -> None:
    universe = build_gas(region, n_atoms=400, n_frames=40, seed=3)
    for distribution in compute_rdfs(
        universe, pairs=[("K", "Bi"), ("K", "K")], regions=[region], r_max_A=12, bin_A=0.5
    ):
        far = distribution.r_A > 2
        np.testing.assert_allclose(distribution.g[far], 1.0, atol=0.07)
        assert distribution.g[far].mean() == pytest.approx(1.0, abs=0.01)
        assert distribution.steadiness is not None
        if distribution.steadiness.is_steady:  # white noise looks like a drift one time in ten
            inside = (distribution.g_low <= 1) & (distribution.g_high >= 1)
            assert inside[far].mean() > 0.8
        else:
            assert np.isnan(distribution.g_low).all()


def test_whole_cell_agrees_with_freud_and_mdanalysis() -> None:
    universe = build_gas(Region(), n_atoms=300, n_frames=5, seed=4)
    mixed, same = compute_rdfs(universe, pairs=[("K", "Bi"), ("K", "K")], r_max_A=10, bin_A=0.1)
    k, bi = (universe.select_atoms(f"element {name}") for name in ("K", "Bi"))
    other = InterRDF(k, bi, nbins=100, range=(0, 10)).run()
    np.testing.assert_allclose(mixed.g, other.results.rdf, rtol=2e-3, atol=2e-3)
    plain = freud.density.RDF(bins=100, r_max=10, normalization_mode="finite_size")
    box = freud.box.Box.from_matrix(TILTED.T)
    for _ in universe.trajectory:
        query = {"r_max": 10, "exclude_ii": False}
        plain.compute((box, box.wrap(k.positions)), query_points=box.wrap(k.positions), neighbors=query, reset=False)
    np.testing.assert_allclose(same.g[1:], plain.rdf[1:], rtol=1e-4)


def test_bcc_potassium_has_eight_and_fourteen_neighbours() -> None:
    universe = build_universe(bulk("K", "bcc", a=5.328, cubic=True) * (5, 5, 5))
    (distribution,) = compute_rdfs(universe, pairs=[("K", "K")], r_max_A=10)
    # 8 neighbours at √3/2 a = 4.614 Å, 6 more at a = 5.328 Å.
    assert distribution.first_minimum_A == pytest.approx((4.614 + 5.328) / 2, abs=0.05)
    assert distribution.coordination_number is not None
    assert distribution.coordination_number.value == pytest.approx(8, rel=1e-9)
    assert distribution.coordination[np.searchsorted(distribution.r_A, 4.61 + 0.1)] == pytest.approx(8, rel=1e-9)
    assert distribution.coordination[np.searchsorted(distribution.r_A, 5.5)] == pytest.approx(14, rel=1e-9)
    assert distribution.r_A[np.nanargmax(distribution.g)] == pytest.approx(4.614, abs=0.05)
    for cutoff, number in ((4.97, 8), (5.6, 14)):
        coordination = compute_coordination(universe, pair=("K", "K"), cutoff_A=cutoff)
        assert coordination.mean.tolist() == [number]
        assert coordination.distribution[number] == 1.0


def test_the_cutoff_that_is_named_is_the_one_that_was_counted_to() -> None:
    universe = build_gas(Region(), n_atoms=400, n_frames=1, seed=3)
    (gas,) = compute_rdfs(universe, pairs=[("K", "Bi")], r_max_A=10, bin_A=0.5)
    counted = count_within(gas, cutoff_A=6.2, source="asked for")
    assert counted.cutoff_A == 6.5
    assert counted.coordination_number is not None
    exact = compute_coordination(universe, pair=("K", "Bi"), cutoff_A=6.5).mean[0]
    assert counted.coordination_number.value == pytest.approx(exact, rel=1e-9)
    assert exact > 1.1 * compute_coordination(universe, pair=("K", "Bi"), cutoff_A=6.2).mean[0]
    assert count_within(counted, cutoff_A=counted.cutoff_A, source="").cutoff_A == 6.5


def test_the_first_peak_is_the_one_that_the_minimum_follows() -> None:
    universe = build_universe(bulk("K", "bcc", a=5.328, cubic=True) * (5, 5, 5))
    (found,) = compute_rdfs(universe, pairs=[("K", "K")], r_max_A=10)
    assert found.first_peak_A == pytest.approx(4.614, abs=0.03)
    assert found.first_minimum_reason.startswith(f"lowest point between the peaks at {found.first_peak_A:.2f} and")
    assert found.to_json()["first_peak_A"] == found.first_peak_A
    r = np.arange(0.05, 12, 0.1)
    assert find_first_peak(r, g=np.zeros_like(r)) is None
    # A spike within the noise is no peak, however high the curve is elsewhere.
    spike = np.exp(-(((r - 5) / 0.5) ** 2)) + 0.3 * (np.abs(r - 2) < 0.06)
    assert find_first_peak(r, g=spike, noise=np.where(r < 3, 0.3, 0.0)) == pytest.approx(5.0, abs=0.06)


def test_a7_bismuth_has_three_near_and_three_far_neighbours() -> None:
    a7 = crystal("Bi", [(0, 0, 0.2339)], spacegroup=166, cellpar=[4.546, 4.546, 11.862, 90, 90, 120])
    universe = build_universe(a7 * (5, 5, 2))
    (distribution,) = compute_rdfs(universe, pairs=[("Bi", "Bi")], r_max_A=9)
    # d² = a²/3 + c²(z − 1/6 …)²: 3.07 Å within the bilayer, 3.53 Å across the gap.
    assert distribution.first_minimum_A == pytest.approx(3.3, abs=0.1)
    assert distribution.coordination_number is not None
    assert distribution.coordination_number.value == pytest.approx(3, rel=1e-9)
    far = compute_coordination(universe, pair=("Bi", "Bi"), cutoff_A=4.0)
    assert far.mean.tolist() == [6]


def test_first_minimum_is_found_or_its_absence_explained() -> None:
    r = np.arange(0.025, 10, 0.05)
    liquid = 1 + 1.8 * np.exp(-(((r - 4.5) / 0.5) ** 2)) + 0.3 * np.exp(-(((r - 8.5) / 0.8) ** 2)) - (r < 3.5)
    minimum, _ = find_first_minimum(r, g=liquid)
    assert minimum == pytest.approx(6.2, abs=0.3)
    noisy = liquid + np.random.default_rng(0).normal(0, 0.02, r.size)
    assert find_first_minimum(r, g=noisy, noise=0.02)[0] == pytest.approx(6.2, abs=0.5)
    assert find_first_minimum(r, g=np.zeros_like(r)) == (None, "there are no pairs within the largest distance")
    flat, reason = find_first_minimum(r, g=1 + np.random.default_rng(1).normal(0, 0.2, r.size), noise=0.2)
    assert flat is None
    assert "stands out of the noise" in reason
    single, reason = find_first_minimum(r, g=np.exp(-(((r - 4.5) / 0.5) ** 2)))
    assert single is None
    assert "no second peak" in reason


def test_coordination_in_a_region_counts_neighbours_outside_it() -> None:
    universe = build_universe(bulk("K", "bcc", a=5.328, cubic=True) * (4, 4, 6))
    layer = Region("layer", 10, 11)
    (distribution,) = compute_rdfs(universe, pairs=[("K", "K")], regions=[layer], r_max_A=8)
    assert distribution.region == "layer"
    assert distribution.n_centres == 16
    assert distribution.coordination[np.searchsorted(distribution.r_A, 5.6)] == pytest.approx(14, rel=1e-9)
    assert compute_coordination(universe, pair=("K", "K"), cutoff_A=5.6, region=layer).mean.tolist() == [14]


def test_region_may_change_from_frame_to_frame() -> None:
    atoms = bulk("K", "bcc", a=5.328, cubic=True) * (4, 4, 6)
    frames = [atoms.positions + np.array([0, 0, shift]) for shift in (0.0, 1.5)]
    universe = build_frames(frames, symbols=["K"] * len(atoms), cell=atoms.cell.array)
    still, moving = compute_rdfs(
        universe,
        pairs=[("K", "K")],
        regions=[Region("s", 10, 11), lambda f: Region("m", 10 + 1.5 * f, 11 + 1.5 * f)],
        r_max_A=8,
    )
    assert still.n_centres != 16
    assert moving.n_centres == 16


def test_empty_region_and_replicas_in_json() -> None:
    universe = build_gas(Region("slab", 5, 17), n_atoms=100, n_frames=4, seed=5)
    (empty,) = compute_rdfs(universe, pairs=[("K", "Bi")], regions=[Region("none", 25, 30)], r_max_A=8)
    values = empty.to_json()
    assert set(values["g"]) == {None}
    assert values["coordination_number"] is None
    assert "no K-Bi pairs" in values["verdict"]
    runs = [
        compute_rdfs(build_gas(Region(), n_atoms=300, n_frames=4, seed=seed), pairs=[("K", "Bi")], r_max_A=8)[0]
        for seed in (6, 7, 8)
    ]
    both = combine_rdfs(runs)
    np.testing.assert_allclose(both.g, np.mean([run.g for run in runs], axis=0), rtol=1e-9)
    assert both.to_json()["verdict"] == "band from 3 replicas"
    assert (2 * both.g - both.g_high).min() < 0
    assert both.g_low.min() == 0
    np.testing.assert_allclose(both.r_A, runs[0].r_A)
    with pytest.raises(InputError, match="do not add"):
        combine_rdfs([runs[0], empty])


def build_steps(numbers: Sequence[int]) -> Universe:
    """One K with so many Bi 3 Å away in each frame, and two far shells of Bi that make the first minimum."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(60, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    frames = []
    for number in numbers:
        radii = np.concatenate([np.full(number, 3.0), np.full(20 - number, 14.0), np.full(40, 6.0)])
        frames.append(np.vstack([[20.0, 20, 20], 20 + directions * (radii + rng.normal(0, 0.05, 60))[:, None]]))
    return build_frames(frames, symbols=["K", *["Bi"] * 60], cell=np.diag([40.0, 40, 40]))


def test_a_drifting_coordination_number_has_no_error_bar() -> None:
    ramp = [round(x) for x in np.linspace(5, 15, 40)]
    (found,) = compute_rdfs(build_steps(ramp), pairs=[("K", "Bi")], r_max_A=10, bin_A=0.1)
    number = found.coordination_number
    assert number is not None
    assert number.value == pytest.approx(np.mean(ramp), rel=1e-6)
    assert number.uncertainty is None
    assert number.verdict.startswith("drifting: no error bar from one run; 6")
    assert "in its first fifth, 14" in number.verdict
    assert np.isnan(found.g_low).all()
    assert found.to_json()["verdict"].startswith("drifting")


def test_a_steady_coordination_number_has_one() -> None:
    steady = np.random.default_rng(3).integers(8, 13, 40)
    (found,) = compute_rdfs(build_steps(steady.tolist()), pairs=[("K", "Bi")], r_max_A=10, bin_A=0.1)
    number = found.coordination_number
    assert number is not None
    assert number.uncertainty == pytest.approx(2.1 * steady.std() / np.sqrt(40), rel=0.5)
    assert number.verdict.startswith("steady, ")


def test_cases_share_one_cutoff_also_where_one_resolves_none() -> None:
    def analyse(numbers: Sequence[int], far_A: float = 10.0) -> RadialDistribution:
        return compute_rdfs(build_steps(numbers), pairs=[("K", "Bi")], r_max_A=far_A, bin_A=0.1)[0]

    both = {"a": analyse([10] * 20), "b": analyse([12] * 20)}
    cutoff_A, source = find_common_cutoff(both)
    assert cutoff_A == pytest.approx(4.5, abs=0.8)
    assert source.startswith("first minimum of g(r) pooled over a and b: ")
    # Within 5 Å there is no second peak: the pooled curve is as blind as the short one, which the long one is not.
    mixed = {"long": both["a"], "short": analyse([12] * 20, 5.0)}
    assert mixed["short"].coordination_number is None
    shared_A, source = find_common_cutoff(mixed)
    assert shared_A == both["a"].first_minimum_A
    assert source.startswith("first minimum of g(r) of long, which resolves it")
    counted = count_within(mixed["short"], cutoff_A=shared_A, source=source)
    assert counted.coordination_number is not None
    assert counted.coordination_number.value == pytest.approx(12, rel=1e-6)
    assert counted.to_json()["cutoff_source"] == source
    nothing, reason = find_common_cutoff({"short": mixed["short"]})
    assert nothing is None
    assert "g(r) of short has none: no second peak" in reason


def test_absent_element_is_named() -> None:
    universe = build_gas(Region(), n_atoms=10, n_frames=1, seed=0)
    with pytest.raises(InputError, match="pair names Na, but the system has Bi, K"):
        compute_rdfs(universe, pairs=[("Na", "K")])
    with pytest.raises(InputError, match="pair names Na"):
        compute_coordination(universe, pair=("K", "Na"), cutoff_A=4)


def test_counting_is_as_fast_as_freud() -> None:
    n_atoms, cell = 8000, np.diag([58.5, 58.5, 58.5])
    rng = np.random.default_rng(0)
    universe = build_frames([rng.uniform(0, 58.5, (n_atoms, 3))] * 2, symbols=["K"] * n_atoms, cell=cell)
    start = time.perf_counter()
    for timestep in universe.trajectory:
        box = freud.box.Box(58.5, 58.5, 58.5)
        freud.density.RDF(bins=200, r_max=10).compute((box, box.wrap(timestep.positions)))
    plain_s = time.perf_counter() - start
    start = time.perf_counter()
    compute_rdfs(universe, pairs=[("K", "K")], r_max_A=10)
    assert time.perf_counter() - start < 3 * plain_s + 0.5
