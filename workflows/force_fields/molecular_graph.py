"""Bonds of a molecule by distance, and the angles and dihedrals that follow from them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from ase.neighborlist import natural_cutoffs, neighbor_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

LONGEST_BOND = 1.2  # times the sum of covalent radii
Neighbours = tuple[tuple[int, ...], ...]


def find_neighbours(atoms: Atoms) -> Neighbours:
    """Indices of the atoms bound to each one, rising; what repeats is bound across the boundary."""
    first, second = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=LONGEST_BOND))
    return tuple(tuple(sorted({int(j) for j in second[first == i]})) for i in range(len(atoms)))


def list_bonds(neighbours: Neighbours) -> Iterator[tuple[int, int]]:
    """Bound pairs, each once."""
    return ((i, j) for i, bound in enumerate(neighbours) for j in bound if i < j)


def list_angles(neighbours: Neighbours) -> Iterator[tuple[int, int, int]]:
    """Pairs of bonds of one atom, which stands in the middle, each once."""
    return ((i, j, k) for j, bound in enumerate(neighbours) for i, k in combinations(bound, 2))


def list_dihedrals(neighbours: Neighbours) -> Iterator[tuple[int, int, int, int]]:
    """Chains of four different atoms, each once."""
    return (
        (i, j, k, m)
        for j, k in list_bonds(neighbours)
        for i in neighbours[j]
        for m in neighbours[k]
        if len({i, j, k, m}) == 4  # noqa: PLR2004
    )


def separate_pairs(bonds: Sequence[Sequence[int]], *, n_atoms: int) -> dict[tuple[int, int], int]:
    """Pairs of atoms that one, two or three bonds part, and how many at least.

    Args:
        bonds: pairs of atoms.
        n_atoms: of the system.

    Returns:
        (i, j) with i < j → 1, 2 or 3.
    """
    bound: list[list[int]] = [[] for _ in range(n_atoms)]
    for i, j in bonds:
        bound[i].append(j)
        bound[j].append(i)
    found: dict[tuple[int, int], int] = {}
    for start in range(n_atoms):
        reached, front = {start}, {start}
        for steps in (1, 2, 3):
            front = {k for j in front for k in bound[j]} - reached
            reached |= front
            found.update({(start, k): steps for k in front if k > start})
    return found
