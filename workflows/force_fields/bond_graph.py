"""Which atoms are bonded, from their distances; through periodic boundaries too."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.geometry import find_mic
from ase.neighborlist import natural_cutoffs, neighbor_list

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

NONMETALS = frozenset(
    [
        "H",
        "He",
        "B",
        "C",
        "N",
        "O",
        "F",
        "Ne",
        "Si",
        "P",
        "S",
        "Cl",
        "Ar",
        "Ge",
        "As",
        "Se",
        "Br",
        "Kr",
        "Te",
        "I",
        "Xe",
    ]
)
ALKALI_METALS = frozenset(["Li", "Na", "K", "Rb", "Cs", "Fr"])
_LONGEST_BOND = 1.2  # times the sum of covalent radii
_LONGEST_HYDROGEN_BOND = 1.35  # the same of hydrogen, which vibrates most
_LONGEST_METAL_BOND = 1.1  # the same of two metals
_PADDLE_BLADES = {4, 5}  # nonmetals at each metal of a paddle wheel, without and with one at its end


@dataclass(frozen=True, eq=False)
class BondGraph:
    """Atoms and who is bonded to whom.

    Attributes:
        symbols: chemical symbol of each atom.
        bonds: pairs with the lower index first, sorted, shape (n_bonds, 2).
        neighbours: of each atom, ascending.
        vectors_A: from each atom to its neighbours in that order, shape (n_neighbours, 3), in Å.
    """

    symbols: tuple[str, ...]
    bonds: NDArray[np.int64]
    neighbours: tuple[tuple[int, ...], ...]
    vectors_A: tuple[NDArray[np.float64], ...]

    def __len__(self) -> int:
        """How many atoms there are."""
        return len(self.symbols)

    def is_metal(self, atom: int) -> bool:
        """Whether it is a metal; semimetals that form covalent bonds (B, Si, Ge, As, Te) are none."""
        return self.symbols[atom] not in NONMETALS

    def ligands(self, atom: int) -> tuple[int, ...]:
        """Its neighbours that are no metals."""
        return tuple(other for other in self.neighbours[atom] if not self.is_metal(other))

    def metals(self, atom: int) -> tuple[int, ...]:
        """Its neighbours that are metals."""
        return tuple(other for other in self.neighbours[atom] if self.is_metal(other))

    def angles_deg(self, atom: int) -> NDArray[np.float64]:
        """Between each two bonds of an atom, ascending, shape (n (n − 1) / 2,), in degrees."""
        vectors = self.vectors_A[atom]
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        first, second = np.triu_indices(len(units), k=1)
        cosines = np.einsum("ij,ij->i", units[first], units[second])
        return np.sort(np.degrees(np.arccos(np.clip(cosines, -1, 1))))

    def length_A(self, first: int, second: int) -> float:
        """Of the bond between two atoms."""
        return float(np.linalg.norm(self.vectors_A[first][self.neighbours[first].index(second)]))


def find_bond_graph(atoms: Atoms, *, bonds: NDArray[np.int64] | None = None) -> BondGraph:
    """Bonds of atoms closer than 1.2 times the sum of their covalent radii.

    Hydrogen has one bond, to the nearest within 1.35 times that sum. Alkali metals form none: in salts and electrolytes
    they are ions. Two metals are bonded in paddle wheels only, where each has four or five nonmetals; a metal is not
    bonded to the carbon or hydrogen of a ligand whose other atom it holds.

    Args:
        atoms: molecule or framework.
        bonds: pairs of atoms, shape (n_bonds, 2), if they are known; through a boundary the nearest image counts.

    Raises:
        InputError: if a bond names an atom that is not there, or two images of an atom are bonded to the same atom.
    """
    found = _find_pairs(atoms) if bonds is None else _take_pairs(atoms, bonds=np.asarray(bonds, dtype=np.int64))
    pairs: dict[tuple[int, int], NDArray[np.float64]] = {}
    for first, second, vector in found:
        if first == second or (first, second) in pairs:
            raise InputError(
                f"Atoms {first} and {second} ({atoms.symbols[first]}, {atoms.symbols[second]}) are bonded through a "
                "boundary more than once, needs a cell in which each bond is between two atoms of their own. Repeat "
                "the cell, e.g. 2 × 2 × 2."
            )
        pairs[first, second] = vector
    around: list[dict[int, NDArray[np.float64]]] = [{} for _ in range(len(atoms))]
    for (first, second), vector in pairs.items():
        around[first][second], around[second][first] = vector, -vector
    return BondGraph(
        symbols=tuple(atoms.get_chemical_symbols()),
        bonds=np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2),
        neighbours=tuple(tuple(sorted(of)) for of in around),
        vectors_A=tuple(np.array([of[other] for other in sorted(of)]).reshape(-1, 3) for of in around),
    )


Pair = tuple[int, int, "NDArray[np.float64]"]


def _take_pairs(atoms: Atoms, *, bonds: NDArray[np.int64]) -> list[Pair]:
    pairs = np.sort(bonds.reshape(-1, 2), axis=1)
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= len(atoms)):
        raise InputError(
            f"bonds names atom {pairs.max() if pairs.min() >= 0 else pairs.min()}, needs atoms from 0 to "
            f"{len(atoms) - 1}. Mend the bonds."
        )
    vectors, _ = find_mic(atoms.positions[pairs[:, 1]] - atoms.positions[pairs[:, 0]], atoms.cell, atoms.pbc)
    return [(int(first), int(second), vector) for (first, second), vector in zip(pairs, vectors, strict=True)]


def _find_pairs(atoms: Atoms) -> list[Pair]:
    symbols = np.array(atoms.get_chemical_symbols())
    radii_A = np.array(natural_cutoffs(atoms))
    first, second, vectors, distances_A = neighbor_list("ijDd", atoms, _LONGEST_HYDROGEN_BOND * radii_A)
    is_metal = ~np.isin(symbols, list(NONMETALS))
    never = np.isin(symbols, list(ALKALI_METALS))
    n_metals = is_metal[first].astype(int) + is_metal[second]
    hydrogen = (symbols[first] == "H") | (symbols[second] == "H")
    reach = np.where(hydrogen & (n_metals == 0), _LONGEST_HYDROGEN_BOND, _LONGEST_BOND)
    reach[n_metals == 2] = _LONGEST_METAL_BOND  # noqa: PLR2004 (both)
    kept = ~(never[first] | never[second]) & (distances_A <= reach * (radii_A[first] + radii_A[second]))
    for atom in (first, second):  # hydrogen has one bond, to the nearest, but between borons
        other = second if atom is first else first
        nearest_A = np.full(len(symbols), np.inf)
        np.minimum.at(nearest_A, atom, distances_A)
        kept &= (symbols[atom] != "H") | (symbols[other] == "B") | (distances_A <= nearest_A[atom])
    first, second, vectors = first[kept], second[kept], vectors[kept]
    nonmetals: dict[int, set[int]] = defaultdict(set)
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        if not is_metal[other]:
            nonmetals[one].add(other)

    def holds(metal: int, other: int) -> bool:
        """Whether a metal and an atom near it are bonded."""
        if is_metal[other]:
            return {len(nonmetals[metal]), len(nonmetals[other])} <= _PADDLE_BLADES
        return symbols[other] not in {"C", "H"} or not (nonmetals[metal] & nonmetals[other])

    pairs: list[Pair] = []
    for one, other, vector in zip(first.tolist(), second.tolist(), vectors, strict=True):
        if one < other or (one == other and tuple(vector) > (0.0, 0.0, 0.0)):
            metal, near = (one, other) if is_metal[one] else (other, one)
            if not is_metal[metal] or holds(metal, near):
                pairs.append((one, other, vector))
    return pairs
