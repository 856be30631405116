"""Poses that touch and do not overlap, each different one once."""

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc100, fcc111, molecule
from ase.constraints import FixAtoms
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from structures.adsorption_sites import Site, find_sites
from structures.cluster_sites import find_cluster_sites
from structures.contact_distances import compute_contact_distances
from structures.errors import InputError
from structures.orientations import build_orientations
from structures.poses import Pose, _agree, _build_candidate, _Candidate, build_poses
from structures.slab_symmetry import find_slab_symmetry
from structures.species import build_species

RANDOM = build_orientations(40, seed=1)


def build_slab(size: tuple[int, int, int] = (3, 3, 3)) -> Atoms:
    slab = fcc111("Cu", size, vacuum=6.0)
    slab.pbc = (True, True, False)
    slab.set_constraint(FixAtoms(indices=[atom.index for atom in slab if atom.tag == size[2]]))
    return slab


def get_site(slab: Atoms, name: str) -> Site:
    return next(site for site in find_sites(slab) if site.name == name)


def turn_about_z(degrees: float) -> NDArray[np.float64]:
    return Rotation.from_rotvec([0, 0, np.radians(degrees)]).as_matrix()


def split(pose: Pose) -> tuple[Atoms, Atoms]:
    mask = pose.atoms.arrays["is_adsorbate"]
    return pose.atoms[~mask], pose.atoms[mask]


def compute_gaps(pose: Pose, *, images: int = 2) -> NDArray[np.float64]:
    """Distances less contact distances of adsorbate atoms to images of substrate atoms, by a plain loop."""
    substrate, adsorbate = split(pose)
    contacts_A = compute_contact_distances(adsorbate.numbers, substrate.numbers)
    gaps_A = np.full(contacts_A.shape, np.inf)
    for i in range(-images, images + 1):
        for j in range(-images, images + 1):
            shifted_A = substrate.positions + i * substrate.cell[0] + j * substrate.cell[1]
            for a, position_A in enumerate(adsorbate.positions):
                gaps_A[a] = np.minimum(gaps_A[a], np.linalg.norm(shifted_A - position_A, axis=1) - contacts_A[a])
    return gaps_A


def test_an_atom_stands_where_the_spheres_say() -> None:
    """On top of an atom at d; in a hollow amid corners ρ away at √(d² − ρ²)."""
    slab = build_slab()
    poses = build_poses(slab, Atoms("Li"), sites=find_sites(slab), rotations=RANDOM, seed=1)
    contact_A = float(compute_contact_distances([3], [29])[0, 0])
    nearest_A = slab.cell.lengths()[0] / 3
    expected_A = {"top": 0, "bridge": nearest_A / 2, "hollow": nearest_A / np.sqrt(3)}
    assert [pose.name for pose in poses] == ["top, 1", "bridge, 1", "fcc hollow, 1", "hcp hollow, 1"]
    for pose in poses:
        assert pose.height_A == pytest.approx(np.sqrt(contact_A**2 - expected_A[pose.site.kind] ** 2), rel=1e-12)
        assert pose.closest_A == pytest.approx(contact_A, rel=1e-12)


@pytest.mark.parametrize(("scale", "expected_A"), [(0.0, 1.32 + 0.66), (1.0, 2.38 + 1.50)])
def test_contact_goes_from_bond_to_van_der_waals(scale: float, expected_A: float) -> None:
    assert compute_contact_distances([29], [8], distance_scale=scale)[0, 0] == pytest.approx(expected_A, rel=1e-12)


def test_every_pose_touches_and_none_overlaps() -> None:
    slab = build_slab((5, 5, 2))
    adsorbate = build_species("TFSI-").atoms
    poses = build_poses(slab, adsorbate, sites=find_sites(slab)[:2], rotations=RANDOM[:8], seed=1)
    assert len(poses) == 16
    for pose in poses:
        assert compute_gaps(pose).min() == pytest.approx(0, abs=1e-9)
        distances_A = split(pose)[1].get_all_distances()
        np.testing.assert_allclose(distances_A, adsorbate.get_all_distances(), rtol=0, atol=1e-9)


def test_the_substrate_stays_as_it_was() -> None:
    slab = build_slab()
    slab.set_initial_magnetic_moments(np.arange(len(slab)) * 0.1)
    [pose, *_] = build_poses(slab, molecule("CO"), sites=find_sites(slab), rotations=RANDOM, seed=1)
    substrate, adsorbate = split(pose)
    np.testing.assert_array_equal(substrate.positions, slab.positions)
    np.testing.assert_array_equal(pose.atoms.cell.array, slab.cell.array)
    np.testing.assert_array_equal(pose.atoms.pbc, slab.pbc)
    np.testing.assert_array_equal(substrate.get_initial_magnetic_moments(), slab.get_initial_magnetic_moments())
    np.testing.assert_array_equal(pose.atoms.constraints[0].index, slab.constraints[0].index)
    assert adsorbate.symbols.formula.count() == {"C": 1, "O": 1}
    assert not pose.atoms.arrays["is_adsorbate"][: len(slab)].any()


# Flat water-like V on an fcc(111) top site, turned in the plane: C3v makes φ, φ + 120° and the mirror image equal.
FLAT = Atoms("OHF", positions=[(0, 0, 0), (1.0, 0, 0), (-0.3, 1.2, 0)])


def test_turned_copies_are_one_pose() -> None:
    slab = build_slab((4, 4, 3))
    site = get_site(slab, "top")
    thirds = np.array([turn_about_z(10.0 + angle) for angle in (0, 120, 240)])
    assert len(build_poses(slab, FLAT, sites=[site], rotations=thirds, seed=1, anchor=0, tolerance_A=0.01)) == 1
    others = np.array([turn_about_z(10.0 + angle) for angle in (0, 60, 180)])
    assert len(build_poses(slab, FLAT, sites=[site], rotations=others, seed=1, anchor=0, tolerance_A=0.01)) == 2


def test_mirrored_copies_are_one_pose() -> None:
    """On fcc(111) of ASE, rows along x, a mirror takes φ to 180° − φ, so with thirds of a turn φ ~ 60° − φ."""
    slab = build_slab((4, 4, 3))
    rod = Atoms("CO", positions=[(0, 0, 0), (1.15, 0, 0)])
    turns = np.array([turn_about_z(angle) for angle in range(0, 360, 20)])
    poses = build_poses(slab, rod, sites=[get_site(slab, "top")], rotations=turns, seed=1, anchor=0, tolerance_A=0.01)
    assert [pose.rotation * 20 for pose in poses] == [0, 20, 80]  # 60 ~ 0, 40 ~ 20, 100 ~ 80, others by thirds


def test_swapped_equal_atoms_are_one_pose() -> None:
    slab = build_slab()
    half_turn = np.array([np.eye(3), turn_about_z(180.0)])
    site = get_site(slab, "bridge")
    for adsorbate, n_poses in ((Atoms("N2", positions=[(0, 0, 0), (1.1, 0, 0)]), 1), (FLAT, 2)):
        poses = build_poses(slab, adsorbate, sites=[site], rotations=half_turn, seed=1, tolerance_A=0.01)
        assert len(poses) == n_poses


def test_poses_kept_are_those_that_no_operation_of_the_slab_relates() -> None:
    """A second way: count orbits under the plane group that keeps the site and the cell, atom by atom."""
    slab = build_slab((4, 4, 3))
    site = get_site(slab, "fcc hollow")
    turns = np.concatenate([np.array([turn_about_z(angle) for angle in (0, 120, 240, 75, 315)]), RANDOM[:6]])
    adsorbate = molecule("CH3OH")
    poses = build_poses(slab, adsorbate, sites=[site], rotations=turns, seed=1, tolerance_A=0.02)
    every = [
        build_poses(slab, adsorbate, sites=[site], rotations=turn[None], seed=1, tolerance_A=0.02)[0] for turn in turns
    ]
    classes: list[Pose] = []
    for pose in every:
        if not any(are_related(pose, other, slab=slab) for other in classes):
            classes.append(pose)
    assert len(poses) == len(classes) == 8
    for pose, other in zip(poses, classes, strict=True):
        np.testing.assert_allclose(pose.atoms.positions, other.atoms.positions, rtol=0, atol=1e-9)


def are_related(one: Pose, other: Pose, *, slab: Atoms) -> bool:
    symmetry = find_slab_symmetry(slab)
    first, second = split(one)[1], split(other)[1]
    lattice_A, cell = symmetry.lattice_A, slab.cell.array[:2, :2]
    shifts = np.array([(i, j) for i in range(4) for j in range(4)])
    for rotation, translation in zip(symmetry.rotations, symmetry.translations, strict=True):
        for shift in shifts:  # by the primitive lattice within the cell; the image must lie in the same cell
            plane_A = (first.positions[:, :2] @ np.linalg.inv(lattice_A) @ rotation + translation + shift) @ lattice_A
            apart = (plane_A[:, None] - second.positions[None, :, :2]) @ np.linalg.inv(cell)
            apart_A = (apart - np.round(apart)) @ cell
            near = np.hypot(
                np.linalg.norm(apart_A, axis=-1), np.subtract.outer(first.positions[:, 2], second.positions[:, 2])
            )
            if ((near < 0.02) & (first.numbers[:, None] == second.numbers)).any(axis=1).all():
                return True
    return False


def test_a_cell_that_breaks_the_symmetry_keeps_more() -> None:
    """In a cell of 5 × 3 the images lie otherwise about a molecule that is turned by 120°."""
    thirds = np.array([turn_about_z(10.0 + angle) for angle in (0, 120, 240)])
    slab = build_slab((5, 3, 2))
    site = get_site(slab, "top")
    assert len(build_poses(slab, FLAT, sites=[site], rotations=thirds, seed=1, anchor=0, tolerance_A=0.01)) == 3


def test_square_surfaces_have_four_turns_and_mirrors() -> None:
    slab = fcc100("Cu", (4, 4, 3), vacuum=6.0)
    slab.pbc = (True, True, False)
    turns = np.array([turn_about_z(angle) for angle in range(0, 360, 15)])
    rod = Atoms("CO", positions=[(0, 0, 0), (1.15, 0, 0)])
    poses = build_poses(slab, rod, sites=[get_site(slab, "top")], rotations=turns, seed=1, anchor=0, tolerance_A=0.01)
    assert [pose.rotation for pose in poses] == [0, 1, 2, 3]  # 0°, 15°, 30°, 45°


def test_the_anchor_is_on_the_axis() -> None:
    slab = build_slab()
    site = get_site(slab, "top")
    for anchor in (0, 1):
        [pose, *_] = build_poses(slab, molecule("CO"), sites=[site], rotations=RANDOM, seed=1, anchor=anchor)
        apart_A = split(pose)[1].positions[anchor] - site.position_A
        np.testing.assert_allclose(apart_A, (0, 0, pose.height_A), rtol=0, atol=1e-9)
    [flat] = build_poses(slab, molecule("C6H6"), sites=[site], rotations=np.eye(3)[None], seed=1)
    np.testing.assert_allclose(split(flat)[1].positions.mean(axis=0)[:2], site.position_A[:2], rtol=0, atol=1e-9)
    [upright] = build_poses(slab, molecule("CO"), sites=[site], rotations=np.eye(3)[None], seed=1)
    lowest = int(np.argmin(split(upright)[1].positions[:, 2]))
    np.testing.assert_allclose(split(upright)[1].positions[lowest, :2], site.position_A[:2], rtol=0, atol=1e-9)


def test_molecules_too_long_for_the_cell_are_refused() -> None:
    slab = build_slab((2, 2, 3))
    with pytest.raises(InputError, match=r"adsorbate is 7\.\d Å across.*cell of 4\.4 × 4\.4 Å"):
        build_poses(slab, build_species("TFSI-").atoms, sites=find_sites(slab), rotations=RANDOM[:5], seed=1)
    narrow = build_slab((3, 3, 2))
    poses = build_poses(narrow, molecule("C6H6"), sites=find_sites(narrow)[:1], rotations=RANDOM, seed=1)
    for pose in poses:
        doubled = split(pose)[1]
        own_A = compute_contact_distances(doubled.numbers, doubled.numbers)
        for i, j in ((1, 0), (0, 1), (1, 1), (1, -1)):
            shift_A = i * narrow.cell[0] + j * narrow.cell[1]
            apart_A = np.linalg.norm(doubled.positions[:, None] + shift_A - doubled.positions[None], axis=-1)
            assert (apart_A >= own_A).all()
    assert 0 < len({pose.rotation for pose in poses}) < len(RANDOM)


def test_poses_agree_atom_by_atom_and_element_by_element() -> None:
    """Distances to Cu and Au at x = ∓2 Å: once 3, 3 and 4, 4 Å, once 3, 4 and 4, 3 Å; each list alone is the same."""
    substrate = Atoms("CuAu", positions=[(-2, 0, 0), (2, 0, 0)])
    site = Site("top", np.zeros(3), 1, np.array([0.0, 0, 1]), (0,), "between")

    def place(*points: tuple[float, float], length_A: float = 2.0) -> NDArray[np.float64]:
        """Points with x and distance from the x axis, turned about it to be a length apart."""
        (x, r), (other_x, other_r) = points
        cosine = (r**2 + other_r**2 + (x - other_x) ** 2 - length_A**2) / (2 * r * other_r)
        return np.array([(x, r, 0), (other_x, other_r * cosine, other_r * np.sqrt(1 - cosine**2))])

    def build(positions_A: NDArray[np.float64]) -> _Candidate:
        return _build_candidate(substrate, Atoms("N2"), positions_A=positions_A, pose=(site, 0, 1.0))

    radius_A = np.sqrt(9 - 1.125**2)
    together, crossed = (
        build(place((0, np.sqrt(5)), (0, np.sqrt(12)))),
        build(place((-0.875, radius_A), (0.875, radius_A))),
    )
    np.testing.assert_allclose(together.summary_A, crossed.summary_A, rtol=1e-12)
    assert not _agree(together, crossed, tolerance_A=0.3)
    assert _agree(crossed, build(crossed.pose.atoms.positions[:1:-1]), tolerance_A=1e-6)
    nearer_copper, nearer_gold = (build(place((sign * 1.0, 2.5), (sign * 1.0, 4.0))) for sign in (-1, 1))
    assert not _agree(nearer_copper, nearer_gold, tolerance_A=0.3)


def test_a_limited_choice_takes_the_most_different() -> None:
    """Two nearly upright rods and one upside down: the last is in every choice of two."""
    slab = build_slab()
    tilts = Rotation.from_rotvec([[0, 0, 0], [0.5, 0, 0], [np.pi, 0, 0]]).as_matrix()
    for seed in range(5):
        chosen = build_poses(slab, molecule("CO"), sites=find_sites(slab)[:1], rotations=tilts, seed=seed, limit=2)
        assert len({pose.rotation for pose in chosen}) == 2
        assert 2 in {pose.rotation for pose in chosen}


def test_rotations_count_from_the_normal() -> None:
    """A rod that lies flat on a slab lies flat on every side of a cluster."""
    cluster = Atoms("Cu")
    flat = Rotation.from_rotvec([np.pi / 2, 0, 0]).as_matrix()
    for normal in (np.array([1.0, 0, 0]), np.array([0, 0, -1.0]), np.array([0, 0.6, 0.8])):
        site = Site("top", np.zeros(3), 1, normal, (0,), "side")
        poses = build_poses(cluster, molecule("CO"), sites=[site], rotations=np.array([flat, np.eye(3)]), seed=1)
        axes = [np.subtract(*split(pose)[1].positions) for pose in poses]
        assert axes[0] @ normal == pytest.approx(0, abs=1e-9)
        assert abs(axes[1] @ normal) == pytest.approx(np.linalg.norm(axes[1]), rel=1e-9)


def test_a_limited_choice_is_varied_and_repeatable() -> None:
    slab = build_slab()
    every = build_poses(slab, molecule("CO"), sites=find_sites(slab), rotations=RANDOM, seed=1)
    choices = [
        build_poses(slab, molecule("CO"), sites=find_sites(slab), rotations=RANDOM, seed=seed, limit=6)
        for seed in (1, 1, 2)
    ]
    assert len(every) > 12
    assert [len(one) for one in choices] == [6, 6, 6]
    keys = [[(pose.site.name, pose.rotation) for pose in one] for one in choices]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert all(key in [(pose.site.name, pose.rotation) for pose in every] for key in keys[0])
    assert len({pose.name for pose in choices[0]}) == 6


def test_poses_on_a_molecule_touch_it_from_outside() -> None:
    ring = molecule("C6H6")
    sites = find_cluster_sites(ring)
    poses = build_poses(ring, molecule("CO"), sites=sites, rotations=RANDOM[:6], seed=1)
    assert {pose.site.name for pose in poses} == {"top H", "top C"}
    for pose in poses:
        assert compute_gaps(pose, images=0).min() == pytest.approx(0, abs=1e-9)
        assert pose.height_A > 0


def test_equal_sites_of_a_molecule_give_equal_poses() -> None:
    """Above and below benzene: the mirror plane makes them one."""
    ring = molecule("C6H6")
    faces = [Site("top", np.zeros(3), 1, np.array([0, 0, z]), (0,), "face") for z in (1.0, -1.0)]
    poses = build_poses(ring, Atoms("Li"), sites=faces, rotations=np.eye(3)[None], seed=1)
    assert len(poses) == 1
    ring.symbols[0] = "N"
    ring.positions[0] += (0, 0, 0.4)
    assert len(build_poses(ring, Atoms("Li"), sites=faces, rotations=np.eye(3)[None], seed=1, tolerance_A=0.05)) == 2


def test_an_atom_finds_the_pore_rather_than_the_outside() -> None:
    """Inside a wide ring the first free place above a wall atom is in the ring."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = Atoms("C24", positions=np.stack([6 * np.cos(angles), 6 * np.sin(angles), 0 * angles], axis=1))
    inwards = Site("top", ring.positions[0], 1, np.array([-1.0, 0, 0]), (0,), "wall")
    [pose] = build_poses(ring, Atoms("He"), sites=[inwards], rotations=np.eye(3)[None], seed=1)
    assert np.linalg.norm(split(pose)[1].positions[0]) < 6
    assert compute_gaps(pose, images=0).min() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sites": []}, "there are 0 sites"),
        ({"anchor": 2}, "anchor is 2, needs indices of the adsorbate's atoms: 0 to 1"),
        ({"limit": 0}, "limit is 0"),
        ({"distance_scale": -0.1}, "distance_scale is -0.1"),
    ],
)
def test_wrong_input_is_named(changes: dict[str, Any], said: str) -> None:
    slab = build_slab()
    arguments: dict[str, Any] = {"sites": find_sites(slab), "rotations": RANDOM[:1], "seed": 1} | changes
    with pytest.raises(InputError, match=said):
        build_poses(slab, molecule("CO"), **arguments)


def test_elements_without_a_radius_are_refused() -> None:
    with pytest.raises(InputError, match="Po has no van-der-Waals radius"):
        compute_contact_distances([84], [8])
