"""Poses of an adsorbate: let down on each site in many orientations until it touches, each different one kept once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import find_mic
from scipy.spatial.transform import Rotation

from structures.adsorption_sites import UPWARD, Site
from structures.checks import compute_periodic_heights
from structures.contact_distances import HALFWAY, compute_contact_distances
from structures.errors import InputError
from structures.orientations import compute_lateral_extent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

FOOT_A = 0.5  # atoms at most this far above the lowest one stand on the site together
SAME_POSE_A = 0.3


@dataclass(frozen=True, eq=False)
class Pose:
    """An adsorbate on a substrate before relaxation.

    Attributes:
        atoms: substrate, then adsorbate, which is whole; array `is_adsorbate` tells them apart.
        site: below it.
        rotation: index of the rotation that it was built with.
        height_A: of the anchor above the site along its normal, in Å.
        closest_A: smallest distance of an adsorbate atom to a substrate atom, in Å.
        name: of the site, and its number there.
    """

    atoms: Atoms
    site: Site
    rotation: int
    height_A: float
    closest_A: float
    name: str


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A pose with the distances by which it is compared with others."""

    pose: Pose
    fingerprints_A: NDArray[np.float64]  # for each adsorbate atom its distances, sorted within each element
    summary_A: NDArray[np.float64]  # those of all atoms of one element, sorted; never farther apart than the former


def build_poses(
    substrate: Atoms,
    adsorbate: Atoms,
    *,
    sites: Sequence[Site],
    rotations: NDArray[np.float64],
    seed: int,
    distance_scale: float = HALFWAY,
    anchor: int | Sequence[int] | None = None,
    limit: int | None = None,
    tolerance_A: float = SAME_POSE_A,
) -> list[Pose]:
    """Let an adsorbate down on each site in each orientation until the first two atoms touch.

    Touching is a distance of d_cov + s (d_vdW − d_cov), see `compute_contact_distances`. On a slab the adsorbate comes
    from far above; on a cluster it takes the first free place outwards, which may lie in a pore. Left out are poses
    in which the adsorbate would touch its own periodic images, and all but the first of those that agree in all
    distances between atoms of given elements: copies by the symmetry of the substrate and of the adsorbate.

    Args:
        substrate: slab with normal z and pbc (True, True, False), or a cluster without periodic directions.
        adsorbate: the rigid atoms.
        sites: of the substrate.
        rotations: of the adsorbate, z being the normal of the site, shape (n, 3, 3).
        seed: of the pose with which the choice of a limited number begins.
        distance_scale: s; 0 is a covalent bond, 1 a van-der-Waals contact.
        anchor: atoms whose centre comes on the axis of the site; None: those that stand lowest.
        limit: largest number of poses; each chosen one is the most different from those chosen before.
        tolerance_A: by which the distances of poses that agree may differ, in Å.

    Returns:
        Poses in the order of the sites and rotations.

    Raises:
        InputError: if there are no sites, rotations or poses, or the anchor or the limit is out of range.
    """
    _check_input(adsorbate, sites=sites, rotations=rotations, anchor=anchor, limit=limit)
    contacts_A = compute_contact_distances(adsorbate.numbers, substrate.numbers, distance_scale=distance_scale)
    own_A = compute_contact_distances(adsorbate.numbers, adsorbate.numbers, distance_scale=distance_scale)
    kept: list[_Candidate] = []
    for site in sites:
        frame = Rotation.align_vectors([site.normal], [UPWARD])[0].as_matrix()
        for index, rotation in enumerate(rotations):
            shape_A = (adsorbate.positions - adsorbate.positions.mean(axis=0)) @ (frame @ rotation).T
            if _touches_own_images(shape_A, substrate=substrate, contacts_A=own_A):
                continue
            feet = _find_feet(shape_A @ site.normal, anchor=anchor)
            start_A = shape_A - shape_A[feet].mean(axis=0) + site.position_A
            height_A = _find_height(start_A, substrate=substrate, normal=site.normal, contacts_A=contacts_A)
            end_A = start_A + height_A * site.normal
            candidate = _build_candidate(substrate, adsorbate, positions_A=end_A, pose=(site, index, height_A))
            if not any(_agree(candidate, other, tolerance_A=tolerance_A) for other in kept):
                kept.append(candidate)
    if not kept:
        heights_A = compute_periodic_heights(substrate.cell.complete().array)[:2]
        raise InputError(
            f"no pose is left: the adsorbate is {compute_lateral_extent(adsorbate):.1f} Å across and would touch its "
            f"own images in a cell of {heights_A[0]:.1f} × {heights_A[1]:.1f} Å. Repeat the slab along x and y."
        )
    return _name_poses(_choose(kept, limit=limit, seed=seed))


def _check_input(
    adsorbate: Atoms,
    *,
    sites: Sequence[Site],
    rotations: NDArray[np.float64],
    anchor: int | Sequence[int] | None,
    limit: int | None,
) -> None:
    if not len(sites) or not len(rotations) or not len(adsorbate):
        raise InputError(
            f"there are {len(sites)} sites, {len(rotations)} rotations and {len(adsorbate)} atoms of the adsorbate; "
            "needs at least one of each."
        )
    if anchor is not None and not all(0 <= one < len(adsorbate) for one in np.atleast_1d(anchor)):
        raise InputError(f"anchor is {anchor}, needs indices of the adsorbate's atoms: 0 to {len(adsorbate) - 1}.")
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}, needs at least 1 pose; None keeps all.")


def _find_feet(heights_A: NDArray[np.float64], *, anchor: int | Sequence[int] | None) -> NDArray[np.int64]:
    if anchor is not None:
        return np.atleast_1d(anchor)
    return np.flatnonzero(heights_A < heights_A.min() + FOOT_A)


def _touches_own_images(shape_A: NDArray[np.float64], *, substrate: Atoms, contacts_A: NDArray[np.float64]) -> bool:
    """Whether an atom comes nearer to an image of the adsorbate than atoms that touch."""
    if not substrate.pbc.any():
        return False
    apart_A = shape_A[:, None] - shape_A[None]
    reach_A = np.linalg.norm(apart_A, axis=-1).max() + contacts_A.max()
    reach = np.ceil(reach_A / compute_periodic_heights(substrate.cell.complete().array)).astype(int) * substrate.pbc
    shifts = [shift for shift in product(*(range(-one, one + 1) for one in reach)) if any(shift)]
    images_A = np.array(shifts) @ substrate.cell.array
    return bool((np.linalg.norm(apart_A[None] + images_A[:, None, None], axis=-1) < contacts_A).any())


def _find_height(
    start_A: NDArray[np.float64],
    *,
    substrate: Atoms,
    normal: NDArray[np.float64],
    contacts_A: NDArray[np.float64],
) -> float:
    """Height at which the adsorbate touches; each pair forbids the heights between −v·n ∓ √(d² − |v − (v·n) n|²)."""
    apart_A = _compute_apart(start_A, substrate=substrate)
    along_A = apart_A @ normal
    aside_A2 = (apart_A**2).sum(axis=-1) - along_A**2
    meets = aside_A2 < contacts_A**2
    if not meets.any():
        return float(contacts_A.max())  # over a hole that is wider than the adsorbate
    half_A = np.sqrt(contacts_A[meets] ** 2 - aside_A2[meets])
    lowest_A, highest_A = -along_A[meets] - half_A, -along_A[meets] + half_A
    if substrate.pbc.any():
        return float(highest_A.max())
    ways_out_A = np.sort(highest_A[highest_A > 0])
    free = [
        height_A for height_A in ways_out_A if not ((lowest_A < height_A - 1e-9) & (highest_A > height_A + 1e-9)).any()
    ]
    return float(free[0])


def _compute_apart(positions_A: NDArray[np.float64], *, substrate: Atoms) -> NDArray[np.float64]:
    """Vectors from each substrate atom's nearest image to each position, shape (n, n_substrate, 3)."""
    apart_A = positions_A[:, None] - substrate.positions[None]
    nearest: NDArray[np.float64] = find_mic(apart_A.reshape(-1, 3), substrate.cell, substrate.pbc)[0]
    return nearest.reshape(apart_A.shape)


def _build_candidate(
    substrate: Atoms, adsorbate: Atoms, *, positions_A: NDArray[np.float64], pose: tuple[Site, int, float]
) -> _Candidate:
    placed = adsorbate.copy()
    placed.positions = positions_A
    atoms = substrate.copy()
    atoms.extend(placed)
    atoms.set_array("is_adsorbate", np.arange(len(atoms)) >= len(substrate))
    vectors_A = _compute_apart(positions_A, substrate=atoms)
    distances_A = np.linalg.norm(vectors_A, axis=-1)
    kinds = atoms.numbers + 1000 * atoms.arrays["is_adsorbate"]
    order = np.lexsort((distances_A, np.broadcast_to(kinds, distances_A.shape)), axis=-1)
    fingerprints_A = np.take_along_axis(distances_A, order, axis=1)
    numbers = adsorbate.numbers
    summary_A = np.concatenate([np.sort(fingerprints_A[numbers == one], axis=0).ravel() for one in np.unique(numbers)])
    site, rotation, height_A = pose
    closest_A = float(distances_A[:, : len(substrate)].min())
    return _Candidate(Pose(atoms, site, rotation, height_A, closest_A, site.name), fingerprints_A, summary_A)


def _agree(one: _Candidate, other: _Candidate, *, tolerance_A: float) -> bool:
    """Whether each adsorbate atom has one of its element with the same distances in the other pose."""
    if np.abs(one.summary_A - other.summary_A).max() >= tolerance_A:
        return False
    numbers = one.pose.atoms.numbers[one.pose.atoms.arrays["is_adsorbate"]]
    apart_A = np.abs(one.fingerprints_A[:, None] - other.fingerprints_A[None]).max(axis=-1)
    same = (apart_A < tolerance_A) & (numbers[:, None] == numbers)
    return bool(same.any(axis=0).all() and same.any(axis=1).all())


def _choose(candidates: list[_Candidate], *, limit: int | None, seed: int) -> list[Pose]:
    """All poses, or a limited number of them, each the farthest from those chosen before."""
    if limit is None or limit >= len(candidates):
        return [candidate.pose for candidate in candidates]
    fingerprints = np.array([one.summary_A for one in candidates])
    chosen = [int(np.random.default_rng(seed).integers(len(candidates)))]
    nearest = np.linalg.norm(fingerprints - fingerprints[chosen[0]], axis=1)
    while len(chosen) < limit:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(fingerprints - fingerprints[chosen[-1]], axis=1))
    return [candidates[index].pose for index in sorted(chosen)]


def _name_poses(poses: list[Pose]) -> list[Pose]:
    """The same poses, numbered on each site."""
    names = [pose.site.name for pose in poses]
    return [
        replace(pose, name=f"{names[index]}, {1 + names[:index].count(names[index])}")
        for index, pose in enumerate(poses)
    ]
