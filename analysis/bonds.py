"""Bonds by distance, and what became of them between two structures of the same atoms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import find_mic
from ase.neighborlist import natural_cutoffs, neighbor_list

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

BOND_SCALE = 1.2
SLACK = 0.15  # so that a bond at the limit, which trembles, is neither broken nor made
CHANGED_A = 0.01

Pair = tuple[int, int]


@dataclass(frozen=True)
class BondChange:
    """A bond before and after.

    Attributes:
        atoms: their indices, rising.
        elements: of these atoms.
        before_A: their distance before, in Å.
        after_A: and after.
    """

    atoms: Pair
    elements: tuple[str, str]
    before_A: float
    after_A: float

    @property
    def sentence(self) -> str:
        """The change in words."""
        return f"{'–'.join(self.elements)} {self.before_A:.2f} → {self.after_A:.2f} Å"

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "atoms": list(self.atoms), "elements": list(self.elements)}


@dataclass(frozen=True)
class BondChanges:
    """What became of the bonds.

    Attributes:
        made: bonds that are there only after.
        broken: bonds that were there only before.
        changed: bonds there at both times, whose length changed; the largest change first.
    """

    made: tuple[BondChange, ...] = ()
    broken: tuple[BondChange, ...] = ()
    changed: tuple[BondChange, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {name: [one.to_json() for one in getattr(self, name)] for name in ("made", "broken", "changed")}


def find_bonds(atoms: Atoms, *, scale: float = BOND_SCALE) -> dict[Pair, float]:
    """Pairs of atoms nearer than a multiple of the sum of their covalent radii.

    Args:
        atoms: any structure; of several images of a pair the nearest counts, and no atom is bonded to its own image.
        scale: the multiple.

    Returns:
        Indices of each pair, rising, to the distance in Å.

    Raises:
        InputError: if the scale is not positive.

    Source:
        10.1039/b801115j (covalent radii)
    """
    if scale <= 0:
        raise InputError(f"scale is {scale:g}, needs more than 0; 1.2 finds most bonds.")
    first, second, distances_A = neighbor_list("ijd", atoms, natural_cutoffs(atoms, mult=scale))
    bonds: dict[Pair, float] = {}
    for i, j, distance_A in zip(first.tolist(), second.tolist(), distances_A.tolist(), strict=True):
        if i < j:
            bonds[i, j] = min(distance_A, bonds.get((i, j), distance_A))
    return dict(sorted(bonds.items()))


def compare_bonds(
    before: Atoms,
    after: Atoms,
    *,
    scale: float = BOND_SCALE,
    slack: float = SLACK,
    changed_A: float = CHANGED_A,
) -> BondChanges:
    """Find bonds made, broken and changed between two structures of the same atoms in the same order.

    A bond breaks when its length passes scale · (1 + slack) sums of covalent radii, and one is made when a pair from
    beyond that comes within scale sums; between lies no change but of length.

    Args:
        before: the first structure.
        after: the second one.
        scale: multiple of the sum of covalent radii within which atoms are bonded.
        slack: share of it by which a bond must lengthen more to be broken.
        changed_A: smallest change of a length that is told, in Å.

    Returns:
        The changes.

    Raises:
        InputError: if the two have other atoms.
    """
    check_same_atoms(before, after)
    near = [find_bonds(atoms, scale=scale) for atoms in (before, after)]
    wide = [find_bonds(atoms, scale=scale * (1 + slack)) for atoms in (before, after)]

    def build(pairs: set[Pair]) -> tuple[BondChange, ...]:
        ordered = sorted(pairs)
        lengths_A = [_compute_lengths(atoms, ordered) for atoms in (before, after)]
        return tuple(
            BondChange(pair, (before.symbols[pair[0]], before.symbols[pair[1]]), *map(float, both))
            for pair, *both in zip(ordered, *lengths_A, strict=True)
        )

    changed = [one for one in build(near[0].keys() & wide[1].keys()) if abs(one.after_A - one.before_A) >= changed_A]
    return BondChanges(
        made=build(near[1].keys() - wide[0].keys()),
        broken=build(near[0].keys() - wide[1].keys()),
        changed=tuple(sorted(changed, key=lambda one: -abs(one.after_A - one.before_A))),
    )


def check_same_atoms(before: Atoms, after: Atoms) -> None:
    """Check that two structures have the same elements in the same order.

    Raises:
        InputError: if not.
    """
    if not np.array_equal(before.numbers, after.numbers):
        raise InputError(
            f"the structures are {before.symbols.formula} before and {after.symbols.formula} after, need the same "
            "atoms in the same order; compare a structure with what it was relaxed to."
        )


def _compute_lengths(atoms: Atoms, pairs: list[Pair]) -> list[float]:
    if not pairs:
        return []
    first, second = np.array(pairs).T
    lengths_A: list[float] = find_mic(atoms.positions[second] - atoms.positions[first], atoms.cell, atoms.pbc)[
        1
    ].tolist()
    return lengths_A
