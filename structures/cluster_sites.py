"""Where an adsorbate can touch a molecule, a node or an oligomer: directions in which an atom lies open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from structures.adsorption_sites import UPWARD, Site
from structures.contact_distances import HALFWAY, compute_contact_distances
from structures.errors import InputError
from structures.orientations import build_directions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

SEPARATION = np.cos(np.radians(60.0))  # of two directions in which one atom lies open
PLATEAU_A = 0.1  # clearances that differ less are equal: the directions are a grid
N_DIRECTIONS = 1000


def find_cluster_sites(
    cluster: Atoms,
    *,
    elements: Sequence[str] | None = None,
    distance_scale: float = HALFWAY,
    tolerance_A: float = 0.3,
) -> list[Site]:
    """Find the directions in which an oxygen atom can touch an atom without coming too near to another.

    The clearance of a direction u of atom i is the least |r_i + d_i u − r_j| − d_j over the other atoms, with d the
    contact distances to oxygen. A site is a direction of largest clearance within 60°, if that is positive. Sites
    whose touching points have the same distances to all atoms are one, mirror images too.

    Args:
        cluster: open in all directions.
        elements: of the atoms to look at; None: all.
        distance_scale: of the contact distances, see `compute_contact_distances`.
        tolerance_A: by which distances of equal sites may differ, in Å.

    Returns:
        Sites on atoms, the most open first; their position is that of the atom.

    Raises:
        InputError: if the structure is periodic, lacks the elements, or no atom of them lies open.

    Source:
        10.1016/0022-2836(73)90011-9 (test points around atoms)
    """
    if cluster.pbc.any():
        raise InputError(
            f"the cluster has pbc {tuple(bool(one) for one in cluster.pbc)}, needs none; for a slab use find_sites."
        )
    chosen = [i for i, symbol in enumerate(cluster.symbols) if elements is None or symbol in elements]
    if not chosen:
        raise InputError(f"elements is {elements}, but the cluster is {cluster.symbols.formula}; name some of its own.")
    contacts_A = compute_contact_distances(cluster.numbers, [atomic_numbers["O"]], distance_scale=distance_scale)[:, 0]
    open_places = [
        (clearance_A, atom, normal)
        for atom in chosen
        for clearance_A, normal in _find_open_directions(cluster.positions, atom=atom, contacts_A=contacts_A)
    ]
    if not open_places:
        raise InputError(
            f"no atom of {cluster.symbols.formula} among elements {elements} lies open to an oxygen atom; name others, "
            f"or lower distance_scale, which is {distance_scale:g}."
        )
    groups: list[tuple[NDArray[np.float64], list[tuple[int, NDArray[np.float64]]]]] = []
    for _, atom, normal in sorted(open_places, key=lambda place: -round(place[0], 2)):
        fingerprint_A = _describe_point(cluster, cluster.positions[atom] + contacts_A[atom] * normal)
        same = [
            members
            for known_A, members in groups
            if cluster.numbers[members[0][0]] == cluster.numbers[atom]
            and np.abs(known_A - fingerprint_A).max() < tolerance_A
        ]
        if same:
            same[0].append((atom, normal))
        else:
            groups.append((fingerprint_A, [(atom, normal)]))
    return _name_cluster_sites(cluster, [members for _, members in groups])


def _find_open_directions(
    positions_A: NDArray[np.float64], *, atom: int, contacts_A: NDArray[np.float64]
) -> list[tuple[float, NDArray[np.float64]]]:
    """Clearance in Å and direction of each way out of an atom."""
    others = np.arange(len(positions_A)) != atom
    if not others.any():
        return [(np.inf, UPWARD)]
    directions = build_directions(N_DIRECTIONS)
    points_A = positions_A[atom] + contacts_A[atom] * directions
    apart_A = np.linalg.norm(points_A[:, None] - positions_A[others][None], axis=-1) - contacts_A[others]
    clearances_A = apart_A.min(axis=1)
    near = directions @ directions.T > SEPARATION
    highest_A = np.where(near, clearances_A, -np.inf).max(axis=1)
    found: list[tuple[float, NDArray[np.float64]]] = []
    taken: list[int] = []
    for index in np.argsort(-clearances_A, kind="stable"):
        if clearances_A[index] <= 0:
            break
        if clearances_A[index] < highest_A[index] - PLATEAU_A or near[index, taken].any():
            continue
        taken.append(int(index))
        plateau = near[index] & (clearances_A > clearances_A[index] - PLATEAU_A / 2)
        mean = directions[plateau].mean(axis=0)
        found.append((float(clearances_A[index]), mean / np.linalg.norm(mean)))
    return found


def _describe_point(cluster: Atoms, point_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from a point to all atoms, sorted within each element: the same for equivalent points."""
    apart_A = np.linalg.norm(cluster.positions - point_A, axis=1)
    ordered: NDArray[np.float64] = apart_A[np.lexsort((apart_A, cluster.numbers))]
    return ordered


def _name_cluster_sites(cluster: Atoms, groups: list[list[tuple[int, NDArray[np.float64]]]]) -> list[Site]:
    """The first of each group as a site; numbered if there are several of an element."""
    symbols = [str(cluster.symbols[members[0][0]]) for members in groups]
    sites = []
    for index, members in enumerate(groups):
        atom, normal = members[0]
        symbol = symbols[index]
        number = f" {1 + symbols[:index].count(symbol)}" if symbols.count(symbol) > 1 else ""
        sites.append(
            Site("top", cluster.positions[atom].copy(), len(members), normal, (atom,), f"top {symbol}{number}")
        )
    return sites
