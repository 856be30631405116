"""Adsorption sites on the upper face of a slab: minima, saddles and maxima of the distance to its top atoms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase.geometry import find_mic, minkowski_reduce
from scipy.spatial import Delaunay

from structures.errors import InputError
from structures.slab_symmetry import check_slab, find_slab_symmetry

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

SiteKind = Literal["top", "bridge", "hollow"]
KINDS: tuple[SiteKind, ...] = ("top", "bridge", "hollow")
SAME_HOLLOW_A = 0.3  # nearer circumcentres are one hollow of more corners: the two halves of a square
ROUNDING = 1e-6
FAR_A = 1e6
EDGE = 1e-4  # in fractions of the cell: sites of high symmetry lie on its edges
BELOW_A = 0.3  # an atom that misses the axis of a hollow by less lies below it
LAYER_A = 0.4  # atoms that differ less in height are of one layer
SAME_LENGTH_A = 0.05
CLOSE_PACKED = "hollow of a close-packed plane"
UPWARD = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class Site:
    """A place on a substrate where an adsorbate may sit.

    Attributes:
        kind: above one atom, between two, or amid more.
        position_A: of the atom, or amid its neighbours, shape (3,), in Å.
        multiplicity: sites in the cell that symmetry makes equal to it, itself included.
        normal: away from the substrate, length 1, shape (3,).
        neighbours: atoms that touch it, nearest images included, so that one may come more than once.
        name: its kind with what tells it from the others: `short bridge`, `fcc hollow`, `top Ti`.
    """

    kind: SiteKind
    position_A: NDArray[np.float64]
    multiplicity: int
    normal: NDArray[np.float64]
    neighbours: tuple[int, ...]
    name: str


def find_sites(slab: Atoms, *, height_A: float = 0.9, tolerance_A: float = 0.1) -> list[Site]:
    """Find one site of each set that the symmetry of the whole slab makes equal, so fcc and hcp hollows are two.

    Seen from above, the distance to the nearest top atom is least on an atom (top), has a saddle between two (bridge)
    and is largest amid three or more (hollow): corners of the Delaunay triangulation, midpoints of its edges with no
    atom nearer, and centres of circumcircles. So in a cell n(top) − n(bridge) + n(hollow) = 0, as on every torus.

    Args:
        slab: periodic along its first two vectors, which lie in the plane z = 0.
        height_A: atoms at most this far below the highest one are top atoms; more for rough surfaces, in Å.
        tolerance_A: by which an atom may miss its image under a symmetry, in Å.

    Returns:
        Sites: top, bridge, hollow; of each kind the most frequent last, then by distance to their neighbours and depth.

    Raises:
        InputError: if the structure is no slab with normal z, or `height_A` is not positive.

    Source:
        10.1038/s41524-017-0017-z (sites from a Delaunay triangulation), 10.2307/2412323 (edges with no atom nearer)
    """
    check_slab(slab)
    if height_A <= 0:
        raise InputError(f"height_A is {height_A:g}, needs more than 0 Å; about 0.9 Å for flat surfaces.")
    candidates = _find_candidates(slab, height_A=height_A)
    symmetry = find_slab_symmetry(slab, tolerance_A=tolerance_A)
    sites = []
    for kind in KINDS:
        of_kind = [site for site in candidates if site.kind == kind]
        points_A = np.array([site.position_A for site in of_kind]).reshape(-1, 3)
        labels = symmetry.label_orbits(points_A, tolerance_A=2 * tolerance_A)
        orbits = [(of_kind[label], int((labels == label).sum())) for label in np.unique(labels)]
        found = [replace(site, multiplicity=count) for site, count in orbits]
        sites += sorted(found, key=lambda site: _order(site, slab=slab))
    return sorted(_name_sites(sites, slab=slab), key=lambda site: (*_order(site, slab=slab), site.name))


def _find_candidates(slab: Atoms, *, height_A: float) -> list[Site]:
    """All sites of the cell, by kind; each counts once."""
    top = np.flatnonzero(slab.positions[:, 2] > slab.positions[:, 2].max() - height_A)
    cell_A = slab.cell.array.copy()
    cell_A[2] = UPWARD
    lattice_A = minkowski_reduce(cell_A, slab.pbc)[0][:2, :2]
    points_A, owners = _repeat(slab.positions[top], lattice_A=lattice_A)
    plane_A, owners = points_A[:, :2], top[owners]

    def build(kind: SiteKind, centre_A: NDArray[np.float64], corners: NDArray[np.int64]) -> Site:
        position_A = np.append(centre_A, points_A[corners, 2].mean())
        name = CLOSE_PACKED if _is_close_packed(points_A[corners] - position_A) else kind
        return Site(kind, position_A, 1, UPWARD, tuple(int(one) for one in np.sort(owners[corners])), name)

    centres_A, edges = _find_maxima_and_saddles(plane_A, lattice_A=lattice_A)
    hollows = []
    for centre_A in centres_A:
        away_A = np.linalg.norm(plane_A - centre_A, axis=1)
        hollows.append(build("hollow", centre_A, np.flatnonzero(away_A < away_A.min() + SAME_HOLLOW_A)))
    at_home = np.flatnonzero(_are_home(plane_A, lattice_A=lattice_A))
    tops = [build("top", plane_A[index], np.array([index])) for index in at_home]
    return [*tops, *(build("bridge", plane_A[edge].mean(axis=0), edge) for edge in edges), *hollows]


def _find_maxima_and_saddles(
    plane_A: NDArray[np.float64], *, lattice_A: NDArray[np.float64]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.int64]]]:
    """Of the distance to the nearest point: centres of triangles without obtuse angle, edges that face none.

    Near maxima are one, without the saddles between them.
    """
    mesh = Delaunay(plane_A)
    corners_A = plane_A[mesh.simplices]
    facing = np.stack([(corners_A[:, k - 1] + corners_A[:, k - 2]) / 2 for k in range(3)], axis=1)
    halves_A = np.stack(
        [np.linalg.norm(corners_A[:, k - 1] - corners_A[:, k - 2], axis=1) / 2 for k in range(3)], axis=1
    )
    is_acute = np.linalg.norm(corners_A - facing, axis=-1) > halves_A - ROUNDING  # angle of each corner, at most 90°
    centres_A = _compute_circumcentres(corners_A)
    labels = np.full(len(centres_A), -1)
    maxima = []
    for index in np.flatnonzero(_are_home(centres_A, lattice_A=lattice_A)):
        if labels[index] >= 0:
            continue
        apart_A = _find_shortest(centres_A - centres_A[index], lattice_A=lattice_A)
        group = (np.linalg.norm(apart_A, axis=1) < SAME_HOLLOW_A) & (labels < 0)
        labels[group] = index
        if (largest := group & is_acute.all(axis=1)).any():
            maxima.append(centres_A[index] + apart_A[largest].mean(axis=0))
    saddles = []
    for triangle, k in np.argwhere(is_acute & _are_home(facing, lattice_A=lattice_A)):
        other = mesh.neighbors[triangle, k]
        apart = np.linalg.norm(centres_A[other] - centres_A[triangle])
        if other < triangle or (labels[other] == labels[triangle] and apart < 2 * SAME_HOLLOW_A):
            continue  # met already, or amid one hollow and not between it and its image
        if is_acute[other, np.flatnonzero(mesh.neighbors[other] == triangle)[0]]:
            saddles.append(mesh.simplices[triangle, [k - 1, k - 2]])
    return maxima, saddles


def _repeat(
    positions_A: NDArray[np.float64], *, lattice_A: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points wrapped into the cell with so many images that no empty circle around it reaches beyond them."""
    fractions = positions_A[:, :2] @ np.linalg.inv(lattice_A)
    fractions -= np.floor(fractions + EDGE)
    heights_A = abs(np.linalg.det(lattice_A)) / np.linalg.norm(lattice_A, axis=1)[::-1]
    reach = np.ceil(np.linalg.norm(lattice_A, axis=1).sum() / 2 / heights_A).astype(int) + 1
    shifts = np.array([(i, j) for i in range(-reach[0], reach[0] + 1) for j in range(-reach[1], reach[1] + 1)])
    shifts = shifts[np.argsort(np.abs(shifts).sum(axis=1), kind="stable")]  # the cell itself first
    plane_A = (fractions[None] + shifts[:, None]).reshape(-1, 2) @ lattice_A
    heights = np.tile(positions_A[:, 2], len(shifts))
    return np.column_stack([plane_A, heights]), np.tile(np.arange(len(positions_A)), len(shifts))


def _are_home(points_A: NDArray[np.float64], *, lattice_A: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points lie in the cell; one on an edge belongs to it once."""
    fractions = points_A @ np.linalg.inv(lattice_A) + EDGE
    inside: NDArray[np.bool_] = np.logical_and.reduce((fractions >= 0) & (fractions < 1), axis=-1)
    return inside


def _find_shortest(vectors_A: NDArray[np.float64], *, lattice_A: NDArray[np.float64]) -> NDArray[np.float64]:
    fractions = vectors_A @ np.linalg.inv(lattice_A)
    shortest_A: NDArray[np.float64] = (fractions - np.round(fractions)) @ lattice_A
    return shortest_A


def _compute_circumcentres(corners_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centres of the circles through the corners of triangles, shape (n, 3, 2); far away for flat ones."""
    sides = corners_A[:, 1:] - corners_A[:, :1]
    flat = np.abs(np.linalg.det(sides)) < ROUNDING
    sides[flat] = np.eye(2)
    halves = (sides**2).sum(axis=-1) / 2
    centres_A: NDArray[np.float64] = corners_A[:, 0] + np.linalg.solve(sides, halves[..., None])[..., 0]
    centres_A[flat] = FAR_A
    return centres_A


def _is_close_packed(apart_A: NDArray[np.float64]) -> bool:
    """Whether vectors to neighbours end on a flat triangle of equal sides."""
    radius_A = np.linalg.norm(apart_A, axis=1).mean()
    offset_A = np.linalg.norm(apart_A.mean(axis=0))
    return len(apart_A) == 3 and bool(offset_A < 0.05 * radius_A) and bool(np.ptp(apart_A[:, 2]) < LAYER_A)  # noqa: PLR2004


def _name_sites(sites: list[Site], *, slab: Atoms) -> list[Site]:
    """The same sites with names that differ."""
    elements = {index for site in sites if site.kind == "top" for index in site.neighbours}
    mixed = len(set(slab.symbols[sorted(elements)])) > 1
    names = [_describe(site, slab=slab, mixed=mixed) for site in sites]
    lengths_A = [2 * _measure(site, slab=slab) for site in sites]
    named = []
    for index, (site, name) in enumerate(zip(sites, names, strict=True)):
        if names.count(name) == 1:
            new = name
        else:
            twins_A = [length_A for length_A, other in zip(lengths_A, names, strict=True) if other == name]
            if site.kind == "bridge" and len(twins_A) == 2 and np.ptp(twins_A) > SAME_LENGTH_A:  # noqa: PLR2004 (a pair)
                new = f"{'short' if lengths_A[index] < np.mean(twins_A) else 'long'} {name}"
            else:
                new = f"{name} {1 + names[:index].count(name)}"
        named.append(replace(site, name=new))
    return named


def _order(site: Site, *, slab: Atoms) -> tuple[int, int, float, float]:
    depth_A = slab.positions[:, 2].max() - site.position_A[2]
    return KINDS.index(site.kind), site.multiplicity, _measure(site, slab=slab), round(float(depth_A), 2)


def _measure(site: Site, *, slab: Atoms) -> float:
    """Distance from a site to its nearest atom, in Å: half the length of a bridge."""
    apart_A = slab.positions[list(site.neighbours)] - site.position_A
    return round(float(find_mic(apart_A, slab.cell, slab.pbc)[1].min()), 2)


def _describe(site: Site, *, slab: Atoms, mixed: bool) -> str:
    """Kind of a site with its elements, and what lies below a hollow of three atoms."""
    symbols = [slab.symbols[index] for index in site.neighbours]
    if site.kind != "hollow":
        return f"{site.kind} {'–'.join(sorted(symbols))}" if mixed else site.kind
    if site.name != CLOSE_PACKED:
        return "hollow"
    below = _find_below(site, slab=slab)
    if set(slab.symbols) == set(symbols) and np.ptp(slab.positions[:, 2]) > LAYER_A:
        return "hcp hollow" if below is not None and below[0] == 2 else "fcc hollow"  # noqa: PLR2004 (second layer)
    return "hollow" if below is None else f"hollow over {below[1]}"


def _find_below(site: Site, *, slab: Atoms) -> tuple[int, str] | None:
    """Layer (the site's own is the first) and element of the highest atom on the axis below a site."""
    heights = slab.positions[:, 2]
    sideways = slab.positions - site.position_A
    sideways[:, 2] = 0
    sideways = find_mic(sideways, slab.cell, slab.pbc)[0]
    under = np.flatnonzero((np.linalg.norm(sideways, axis=1) < BELOW_A) & (heights < site.position_A[2] - LAYER_A))
    if not len(under):
        return None
    highest = under[np.argmax(heights[under])]
    between = np.sort(heights[(heights >= heights[highest] - LAYER_A) & (heights < site.position_A[2] - LAYER_A)])
    return 2 + int((np.diff(between) > LAYER_A).sum()), str(slab.symbols[highest])
