from dataclasses import replace

import numpy as np
import pytest
from MDAnalysis import Universe
from MDAnalysis.analysis.rdf import InterRDF
from MDAnalysis.lib.distances import distance_array
from numpy.typing import NDArray

from analysis.accessible_volume import AccessibleShells, compute_beyond
from analysis.approach_range import (
    compute_approach_range,
    compute_orientation,
    compute_surface_coordination,
    find_first_range,
)
from analysis.density_profile import combine_profiles
from analysis.first_approach import compute_first_approach
from analysis.sites import CENTRE, Surface, build_axis, build_sites, find_surface, get_molecules
from analysis.surface_approach import SurfaceApproach, combine_approaches, compute_surface_approach
from structures.errors import InputError
from tests.analysis.electrolyte import ANION, CELL_A, ELECTRODE_TOP_A, build_system, draw_frames

N_ANIONS, N_CATIONS = 40, 30
FEW = {"n_anions": N_ANIONS, "n_cations": N_CATIONS}


def measure(
    universe: Universe, *, r_max_A: float = 10.0, bin_A: float = 0.05, height_bin_A: float = 0.25
) -> SurfaceApproach:
    surface = find_surface(universe, electrode=np.arange(50))
    sites = [*build_sites(universe, species="TFSI-"), *build_sites(universe, species="Li+")]
    axes = [build_axis(universe, species="TFSI-", tails="N", heads="S")]
    return compute_surface_approach(
        universe, surface=surface, sites=sites, axes=axes, r_max_A=r_max_A, bin_A=bin_A, height_bin_A=height_bin_A
    )


# Volumes


def test_part_of_a_shell_beyond_a_plane_is_that_of_points_drawn_at_random() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-3, 3, (400_000, 3))
    radii = np.linalg.norm(points, axis=1)
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    for height in (-2.5, -0.7, 0.0, 0.4, 1.5, 4.0):
        drawn = np.histogram(radii[points[:, 2] > height], bins=edges)[0] * 6**3 / len(points)
        np.testing.assert_allclose(compute_beyond(height, edges_A=edges)[0], drawn, atol=0.35)


def test_half_of_a_shell_is_beyond_a_plane_through_its_centre_and_all_of_it_beyond_a_far_one() -> None:
    edges = np.linspace(0, 5, 11)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    np.testing.assert_allclose(compute_beyond([0.0, -9.0, 9.0], edges_A=edges), [shells / 2, shells, 0 * shells])


def test_shells_in_a_periodic_slab_are_those_of_points_drawn_at_random() -> None:
    rng = np.random.default_rng(1)
    edges = np.linspace(0, 9, 4)
    heights = np.array([0.0, 3.21, 19.99, 22.0])
    shells = AccessibleShells(edges, n_gases=2)
    shells.add(heights, thickness_A=16.0, density_per_A3=[1.0, 0.5], gap_A=8.0)
    points = rng.uniform(-9, 9, (400_000, 3))
    radii = np.linalg.norm(points, axis=1)
    drawn = np.zeros(3)
    for height in heights:
        inside = np.mod(points[:, 2] + height, 24.0) <= 16.0
        drawn += np.histogram(radii[inside], bins=edges)[0] * 18**3 / len(points)
    np.testing.assert_allclose(shells.expected, [drawn, drawn / 2], rtol=0.01)


# Closed forms


def test_ideal_gas_beside_an_electrode_has_g_of_one_and_a_flat_profile() -> None:
    universe = build_system(draw_frames(n_frames=300, n_anions=30, n_cations=150, seed=2), n_anions=30, n_cations=150)
    found = measure(universe, bin_A=0.5, height_bin_A=1.0)
    for label, accuracy in (("Li+ Li", 0.06), ("TFSI- N", 0.12)):
        rdf, profile = found.rdfs[label], found.profiles[label]
        far = rdf.r_A > 2
        np.testing.assert_allclose(rdf.g[far], 1.0, atol=accuracy)
        assert rdf.g[far].mean() == pytest.approx(1.0, abs=0.01)
        n_points = 150 if label == "Li+ Li" else 30
        density = n_points / (26 * 25 * 38) * 1e3
        np.testing.assert_allclose(profile.density_per_nm3[:38], density, rtol=3.5 / np.sqrt(n_points * 300 / 38))
        assert profile.density_per_nm3[38:].sum() == 0
    # n(r) of a gas above a plane: half a ball, until it reaches through the electrode, 2 Å thick, to the gas below.
    rdf = found.rdfs["Li+ Li"]
    assert rdf.coordination[3] == pytest.approx(150 / (26 * 25 * 38) * 2 / 3 * np.pi * 2**3, rel=0.1)


def test_masses_of_the_profiles_add_to_those_of_the_molecules() -> None:
    found = measure(build_system(draw_frames(n_frames=3, seed=3, **FEW), **FEW))
    atoms = sum(found.profiles[f"TFSI- {name}"].density_g_per_cm3.sum() for name in "NSO")
    # 1 u in 1 Å³ is 1.66054 g/cm³; the bins are 0.25 Å high.
    whole = N_ANIONS * ANION.get_masses().sum() / (26 * 25 * 0.25) * 1.66054
    assert atoms == pytest.approx(whole, rel=1e-5)
    assert found.profiles[f"TFSI- {CENTRE}"].density_g_per_cm3.sum() == pytest.approx(whole, rel=1e-5)


def test_molecules_at_known_places_give_known_distances_numbers_and_angles() -> None:
    frame = draw_frames(n_frames=1, n_anions=2, n_cations=1, seed=0)[0]
    flat = ANION.positions @ np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    below = ANION.positions @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    # O of the first 2 Å above a surface atom; the other hangs as far below the electrode, through the boundary.
    face, lower = frame[30], frame[5]
    frame[50:57] = flat + face + [1.0, -1.0, 2.0]
    frame[57:64] = below + lower + [1.0, -1.0, -2.0 + 40.0]
    frame[64] = [0, 0, 20]
    found = measure(build_system([frame], n_anions=2, n_cations=1))
    reach = distance_array(
        frame[50:64].astype(np.float32), frame[:50].astype(np.float32), box=np.array([26, 25.495, 40, 90, 90, 78.690])
    )
    np.testing.assert_allclose(found.nearest_A["TFSI-"][0], reach.min(axis=1).reshape(2, 7).min(axis=1), atol=2e-3)
    # From N to the midpoint of S the first points up and away from its face, the second down and away from the other.
    np.testing.assert_allclose(found.cosines["TFSI-", "N to S"][0], [1, 1], rtol=1e-5)
    near = compute_orientation([found], axis=("TFSI-", "N to S"), within_A=4.0)
    assert near.legendre_2 is not None
    assert near.legendre_2.value == pytest.approx(1, rel=1e-5)
    assert near.n_molecules == 2
    assert near.share[0] == pytest.approx(2 / (1 - np.cos(np.radians(10))), rel=1e-9)
    number = compute_surface_coordination([found], label="TFSI- O", cutoff_A=3.5)
    assert number is not None
    oxygen = np.tile(ANION.numbers == 8, 2)
    assert number.sites.value == pytest.approx((reach[oxygen] < 3.5).sum() / 50, rel=1e-9)
    molecules = (reach.reshape(2, 7, 50).min(axis=1) < 3.5).sum()
    assert number.molecules.value == pytest.approx(molecules / 50, rel=1e-9)
    assert molecules < (reach < 3.5).sum()


def test_random_axes_have_no_order() -> None:
    found = measure(build_system(draw_frames(n_frames=400, seed=5, **FEW), **FEW))
    # All count: of those near the surface more point to it, since that is how their nearest atom comes near.
    found = replace(found, nearest_A={"TFSI-": np.zeros((400, N_ANIONS), dtype=np.float32)})
    order = compute_orientation([found], axis=("TFSI-", "N to S"), within_A=5.0)
    assert order.legendre_2 is not None
    assert order.cosine is not None
    n = order.n_molecules * 400
    assert abs(order.legendre_2.value) < 4 / np.sqrt(5 * n)
    assert abs(order.cosine.value) < 4 / np.sqrt(3 * n)
    assert n == 400 * N_ANIONS
    np.testing.assert_allclose(order.share[2:-2], 1, atol=0.25)
    assert order.legendre_2.method.startswith("mean over 20 stretches of one run")


# Invariance


@pytest.mark.parametrize("change", ["moved", "wrapped", "permuted"])
def test_distances_do_not_depend_on_place_wrapping_or_order(change: str) -> None:
    frames = draw_frames(n_frames=2, seed=6, **FEW)
    found = measure(build_system(frames, **FEW))
    rng = np.random.default_rng(7)
    order = rng.permutation(N_ANIONS)

    def alter(frame: NDArray[np.float64]) -> NDArray[np.float64]:
        if change == "moved":
            return frame + np.array([3.0, -40.0, 23.5])
        if change == "wrapped":
            return frame + rng.integers(-2, 3, frame.shape) @ CELL_A
        anions = frame[50 : 50 + 7 * N_ANIONS].reshape(N_ANIONS, 7, 3)[order]
        return np.concatenate([frame[:50], anions.reshape(-1, 3), frame[50 + 7 * N_ANIONS :]])

    other = measure(build_system([alter(frame) for frame in frames], **FEW))
    rows = order if change == "permuted" else slice(None)
    np.testing.assert_allclose(other.nearest_A["TFSI-"], found.nearest_A["TFSI-"][:, rows], atol=1e-4)
    np.testing.assert_allclose(other.cosines["TFSI-", "N to S"], found.cosines["TFSI-", "N to S"][:, rows], atol=1e-4)
    for label, rdf in found.rdfs.items():
        # In single precision a pair in ten thousand may lie on the other side of an edge of a bin.
        np.testing.assert_allclose(other.rdfs[label].coordination, rdf.coordination, atol=0.041)
        profile = other.profiles[label].density_per_nm3 - found.profiles[label].density_per_nm3
        assert np.abs(np.cumsum(profile)).max() * 26 * 25 * 0.25 / 1e3 < 1.01


# Naive loop and second code


def test_pairs_are_those_of_mdanalysis_and_of_a_naive_loop() -> None:
    frames = draw_frames(n_frames=3, seed=8, **FEW)
    universe = build_system(frames, **FEW)
    found = measure(universe, bin_A=0.1)
    surface, oxygens = universe.select_atoms("segid electrode"), universe.select_atoms("resname TFSI- and element O")
    other = InterRDF(surface, oxygens, nbins=100, range=(0, 10), norm="none").run()
    theirs = np.cumsum(other.results.rdf) / 50
    np.testing.assert_allclose(found.rdfs["TFSI- O"].coordination, theirs, atol=0.05)
    lengths = []
    for frame in frames:
        for centre in frame[:50]:
            for point in frame[50 + 7 * N_ANIONS :]:
                delta = (point - centre) @ np.linalg.inv(CELL_A)
                delta = (delta - np.round(delta)) @ CELL_A
                images = [delta + [a, b, 0] @ CELL_A for a in (-1, 0, 1) for b in (-1, 0, 1)]
                lengths.append(min(np.linalg.norm(image) for image in images))
    naive = np.cumsum(np.histogram(lengths, bins=100, range=(0, 10))[0]) / 150
    np.testing.assert_allclose(found.rdfs["Li+ Li"].coordination, naive, atol=0.021)


def test_a_cell_open_along_z_knows_no_images_through_its_faces() -> None:
    frames = draw_frames(n_frames=2, seed=9, **FEW)
    universe = build_system(frames, **FEW)
    surface = find_surface(universe, electrode=np.arange(50), both=False, accessible_A=36.0, is_periodic=False)
    assert surface.upper.tolist() == list(range(25, 50))
    assert surface.lower.size == 0
    sites = build_sites(universe, species="Li+")
    found = compute_surface_approach(universe, surface=surface, sites=sites, r_max_A=12.4)
    box = np.array([26, 25.495, 400, 90, 90, 78.690])
    for number, frame in enumerate(frames):
        reach = distance_array(frame[-N_CATIONS:].astype(np.float32), frame[25:50].astype(np.float32), box=box).min(1)
        known = reach < 12.4
        np.testing.assert_allclose(found.nearest_A["Li+"][number][known], reach[known], atol=2e-3)
        assert np.isinf(found.nearest_A["Li+"][number][~known]).all()


def test_one_face_of_a_periodic_electrode_counts_nothing_through_it() -> None:
    frames = draw_frames(n_frames=40, seed=10, **FEW)
    universe = build_system(frames, **FEW)
    electrode = frames[0][:50]
    gap_A = float(np.ptp(electrode[:, 2]))
    surface = find_surface(universe, electrode=np.arange(50), both=False, accessible_A=CELL_A[2, 2] - gap_A)
    found = compute_surface_approach(
        universe, surface=surface, sites=build_sites(universe, species="Li+"), r_max_A=10.0, bin_A=0.1
    )
    counts = np.zeros(100)
    inverse = np.linalg.inv(CELL_A)
    for frame in frames:
        apart = frame[None, -N_CATIONS:] - frame[25:50, None]
        apart -= np.round(apart @ inverse) @ CELL_A
        lengths = np.linalg.norm(apart, axis=2)[apart[:, :, 2] > -gap_A / 2]
        counts += np.histogram(lengths, bins=100, range=(0, 10))[0]
    rdf = found.rdfs["Li+ Li"]
    np.testing.assert_allclose(rdf.coordination, np.cumsum(counts) / (25 * len(frames)), atol=0.03)
    far = rdf.r_A > 5
    assert rdf.g[far].mean() == pytest.approx(1.0, abs=0.1)  # ions are drawn anywhere in the slab


# Ranges


def test_range_of_a_known_peak() -> None:
    r = np.arange(0.025, 10, 0.05)
    g = 3 * np.exp(-0.5 * ((r - 2.2) / 0.2) ** 2) + 1.5 * np.exp(-0.5 * ((r - 5.0) / 0.5) ** 2)
    found, reason = find_first_range(r, g=g)
    assert found is not None
    # exp(−x²/2) is a tenth at x = √(2 ln 10).
    assert found[0] == pytest.approx(2.2 - 0.2 * np.sqrt(2 * np.log(10)), abs=0.01)
    assert found[1] == pytest.approx(2.2, abs=0.06)
    assert 3.0 < found[2] < 3.6
    assert reason.startswith("lowest point")
    assert find_first_range(r, g=np.zeros(r.size))[0] is None


def test_replicas_give_an_interval_and_a_gas_none() -> None:
    parts = [measure(build_system(draw_frames(n_frames=2, seed=seed, **FEW), **FEW)) for seed in range(3)]
    nothing = compute_approach_range([part.rdfs["Li+ Li"] for part in parts], label="Li+ Li")
    assert nothing.peak_A is None or nothing.peak_A.uncertainty is None
    whole = combine_approaches(parts)
    mean = np.mean([part.rdfs["TFSI- O"].coordination for part in parts], axis=0)
    np.testing.assert_allclose(whole.rdfs["TFSI- O"].coordination, mean, rtol=1e-9)
    assert whole.nearest_A["TFSI-"].shape == (6, N_ANIONS)
    number = compute_surface_coordination(parts, label="TFSI- O", cutoff_A=4.0)
    assert number is not None
    assert number.sites.n_independent == 3
    assert number.sites.uncertainty is not None
    assert number.molecules.value <= number.sites.value * 7
    assert combine_profiles([part.profiles["TFSI- O"] for part in parts]).verdict == "band from 3 replicas"


def test_first_layer_of_molecules_at_a_known_distance() -> None:
    rng = np.random.default_rng(12)
    frames = draw_frames(n_frames=40, seed=12, **FEW)
    for frame in frames:
        # A third of the anions with N at 3 ± 0.15 Å above surface atoms, the others 9 Å and more away.
        for anion in range(N_ANIONS):
            rows = slice(50 + 7 * anion, 57 + 7 * anion)
            place = frame[25 + anion % 25] + [0, 0, rng.normal(3.0, 0.15) if anion < 13 else rng.uniform(9.5, 12)]
            frame[rows] = np.abs(ANION.positions) * [1, 1, 0.5] + place
    parts = [measure(build_system(part, **FEW), r_max_A=12.0) for part in (frames[:20], frames[20:])]
    found = compute_first_approach(parts, species="TFSI-")
    assert found.onset_A is not None
    assert found.peak_A is not None
    assert found.end_A is not None
    assert found.onset_A == pytest.approx(3.0 - 0.15 * np.sqrt(2 * np.log(10)), abs=0.12)
    assert found.peak_A == pytest.approx(3.0, abs=0.1)
    assert 3.4 < found.end_A < 9.5
    assert found.n_in_contact is not None
    assert found.n_in_contact.value == 13
    assert found.n_per_A[found.distance_A < found.end_A].sum() * 0.05 == pytest.approx(13, rel=1e-9)
    assert found.closest_A is not None
    # The smallest of 13 normal deviates is 1.668 standard deviations below their mean.
    assert found.closest_A.value == pytest.approx(3.0 - 1.668 * 0.15, abs=0.05)
    assert found.smallest_A == pytest.approx(min(part.nearest_A["TFSI-"].min() for part in parts), rel=1e-6)
    with pytest.raises(InputError, match=r"species PF6- was not measured, only TFSI-, Li\+"):
        compute_first_approach(parts, species="PF6-")


# Bad input


def test_what_does_not_fit_is_refused_with_its_value() -> None:
    universe = build_system(draw_frames(n_frames=1, seed=0, **FEW), **FEW)
    with pytest.raises(InputError, match=r"species is PF6-, but the system has electrode, TFSI-, Li\+"):
        get_molecules(universe, species="PF6-")
    with pytest.raises(InputError, match=r"site F is not in TFSI-, which has N, S, O"):
        build_sites(universe, species="TFSI-", names=["F"])
    with pytest.raises(InputError, match=r"TFSI- has one atom N, needs two"):
        build_axis(universe, species="TFSI-", tails="N", heads="N")
    with pytest.raises(InputError, match=r"the electrode has 0 atoms"):
        find_surface(universe, electrode=[])
    with pytest.raises(InputError, match=r"no accessible_A"):
        Surface("Li", np.arange(3), np.arange(0))
    with pytest.raises(InputError, match=r"radius is 13\.0 Å, needs 0 < radius < 12\.\d+ Å"):
        measure(universe, r_max_A=13.0)
    found = measure(universe)
    with pytest.raises(InputError, match=r"site TFSI- F was not measured"):
        compute_surface_coordination([found], label="TFSI- F")
    with pytest.raises(InputError, match=r"cutoff_A is 20, needs 0 < cutoff_A <= 10\.00 Å"):
        compute_surface_coordination([found], label="TFSI- O", cutoff_A=20)
    with pytest.raises(InputError, match=r"axis TFSI- S to S was not measured, only TFSI- N to S"):
        compute_orientation([found], axis=("TFSI-", "S to S"), within_A=4)


def test_the_surface_is_that_of_the_slab_where_it_is_cut_by_the_boundary() -> None:
    frames = draw_frames(n_frames=1, seed=0, **FEW)
    for shift in (0.0, -2.0, 20.0, 38.0):
        moved = frames[0] + [0, 0, shift]
        moved[:50, 2] %= 40
        surface = find_surface(build_system([moved], **FEW), electrode=np.arange(50))
        assert surface.upper.tolist() == list(range(25, 50))
        assert surface.lower.tolist() == list(range(25))
        low, thickness, gap = surface.measure(moved, cell_A=CELL_A)
        assert low % 40 == pytest.approx((ELECTRODE_TOP_A + shift) % 40, abs=1e-6)
        assert thickness == pytest.approx(38)
        assert gap == pytest.approx(2)
