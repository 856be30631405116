"""Aromatic rings, from geometry and bonds alone."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflows.force_fields.bond_graph import BondGraph

LONGEST_CARBONYL_A = 1.30  # a phenolate at a metal has 1.32 and more
_FLAT_A = 0.3  # how far an atom may lie from the plane of its ring
_RING_SIZES = (5, 6)
_PI_ELECTRONS = 6


def find_aromatic_rings(
    graph: BondGraph, *, trigonal: frozenset[int], donors: frozenset[int], terminal: frozenset[int]
) -> list[list[int]]:
    """Rings of five and six atoms that are flat and have six π electrons, each in the order of its atoms.

    Five electrons do too where a nitrogen with two neighbours can take a charge (imidazolate, phthalocyanine), seven
    where one with three can give it (imidazolium). A ring with a double bond to an oxygen outside is none (quinone);
    the oxygen of a phenolate, at a metal or farther away than 1.30 Å, does no harm. Double bonds to carbon outside are
    not seen, so that a p-quinodimethane counts as aromatic.

    Args:
        graph: who is bonded to whom.
        trigonal: atoms that give one π electron.
        donors: atoms that give two.
        terminal: oxygens and sulfurs with one neighbour but metals.
    """
    rings = []
    for ring in _walk_rings(graph, members=trigonal | donors):
        electrons = sum(1 if atom in trigonal else 2 for atom in ring)
        takes = any(graph.symbols[atom] == "N" and atom in trigonal for atom in ring)
        gives = any(graph.symbols[atom] == "N" and atom in donors for atom in ring)
        fitting = (
            {_PI_ELECTRONS} | ({_PI_ELECTRONS - 1} if takes else set()) | ({_PI_ELECTRONS + 1} if gives else set())
        )
        quinoid = any(
            other in terminal and not graph.metals(other) and graph.length_A(atom, other) < LONGEST_CARBONYL_A
            for atom in ring
            for other in graph.neighbours[atom]
        )
        if electrons in fitting and not quinoid and _is_flat(graph, ring):
            rings.append(ring)
    return rings


def _walk_rings(graph: BondGraph, *, members: frozenset[int]) -> Iterator[list[int]]:
    """Every ring of five or six members once: from its lowest atom, towards the lower of that atom's two neighbours."""

    def extend(path: list[int]) -> Iterator[list[int]]:
        for other in graph.neighbours[path[-1]]:
            if other == path[0] and len(path) in _RING_SIZES and path[1] < path[-1]:
                yield list(path)
            elif other > path[0] and other in members and other not in path and len(path) < max(_RING_SIZES):
                yield from extend([*path, other])

    for start in sorted(members):
        yield from extend([start])


def _is_flat(graph: BondGraph, ring: list[int]) -> bool:
    steps = [graph.vectors_A[first][graph.neighbours[first].index(second)] for first, second in pairwise(ring)]
    positions = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
    centred = positions - positions.mean(axis=0)
    normal = np.linalg.svd(centred)[2][2]
    return bool(np.abs(centred @ normal).max() < _FLAT_A)
