"""Bonds of a framework, and what its file lacks: hydrogens that X-rays do not see, ligands of metals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.neighborlist import natural_cutoffs, neighbor_list

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

NONMETALS = frozenset(["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se", "Br", "Te", "I"])
_LONGEST_BOND = 1.2  # times the sum of covalent radii
_TRIPLE_BOND_A = 1.25
_LINEAR_DEG = 155.0
_PLANAR_DEG = 345.0  # sum of three angles
_FEWEST_LIGANDS = 4
_MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class Bonds:
    """Bonds, each from both of its ends.

    Attributes:
        first: atom that it starts from, in rising order, shape (n,).
        second: atom that it leads to, shape (n,).
        vectors_A: from one to the other, shape (n, 3), in Å.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    vectors_A: NDArray[np.float64]

    @property
    def lengths_A(self) -> NDArray[np.float64]:
        """Shape (n,), in Å."""
        lengths_A: NDArray[np.float64] = np.linalg.norm(self.vectors_A, axis=1)
        return lengths_A


def find_metals(atoms: Atoms) -> NDArray[np.bool_]:
    """Which atoms are metals, shape (n_atoms,)."""
    return np.array([symbol not in NONMETALS for symbol in atoms.symbols], dtype=bool)


def find_bonds(atoms: Atoms) -> Bonds:
    """Bonds up to 1.2 times the sum of covalent radii, images included; none between metals."""
    first, second, vectors_A = neighbor_list("ijD", atoms, natural_cutoffs(atoms, mult=_LONGEST_BOND))
    metals = find_metals(atoms)
    kept = ~(metals[first] & metals[second])
    return Bonds(first[kept], second[kept], vectors_A[kept])


def check_hydrogens(atoms: Atoms, *, bonds: Bonds, name: str) -> None:
    """Raise if carbon or nitrogen lacks hydrogen, by the number of its bonds and the angles between them.

    Lacking are carbon and nitrogen with one bond longer than a triple bond, bent carbon with two bonds, and pyramidal
    carbon with three.

    Raises:
        InputError: with the number of such atoms and the first of them.
    """
    starts = np.searchsorted(bonds.first, np.arange(len(atoms) + 1))
    lacking = [
        index
        for index in np.flatnonzero(np.isin(atoms.numbers, (6, 7)))
        if _lacks_hydrogen(str(atoms.symbols[index]), bonds.vectors_A[starts[index] : starts[index + 1]])
    ]
    if lacking:
        first = ", ".join(f"{index} ({atoms.symbols[index]})" for index in lacking[:_MOST_NAMED])
        raise InputError(
            f"{name} lacks hydrogen at {len(lacking)} of its C and N atoms, needs it at 0: atoms {first}"
            f"{' …' if len(lacking) > _MOST_NAMED else ''}. Add hydrogens, for example with Avogadro or Mercury, and "
            "give that file."
        )


def _lacks_hydrogen(symbol: str, vectors_A: NDArray[np.float64]) -> bool:
    lengths_A = np.linalg.norm(vectors_A, axis=1)
    if len(vectors_A) == 1:
        return bool(lengths_A[0] > _TRIPLE_BOND_A)
    units = vectors_A / lengths_A[:, None]
    rows, columns = np.triu_indices(len(units), k=1)
    angles = np.degrees(np.arccos(np.clip((units[rows] * units[columns]).sum(axis=1), -1, 1)))
    if symbol == "C" and len(angles) == 1:
        return bool(angles[0] < _LINEAR_DEG)
    return symbol == "C" and len(vectors_A) == 3 and bool(angles.sum() < _PLANAR_DEG)  # noqa: PLR2004 three bonds


def describe_gaps(atoms: Atoms, *, bonds: Bonds) -> tuple[str, ...]:
    """What may be missing and is left as it is: metals with fewer than four ligands, bare oxygen on metals."""
    counts = np.bincount(bonds.first, minlength=len(atoms))
    metals = find_metals(atoms)
    few = Counter(
        f"{atoms.symbols[index]} with {counts[index]}" for index in np.flatnonzero(metals & (counts < _FEWEST_LIGANDS))
    )
    on_metal = np.zeros(len(atoms), dtype=bool)
    on_metal[bonds.first[metals[bonds.second]]] = True
    bare = int(((atoms.numbers == 8) & on_metal & (counts == 1)).sum())  # noqa: PLR2004 oxygen
    notes = [f"{n} {what} ligands, fewer than {_FEWEST_LIGANDS}" for what, n in few.items()]
    if bare:
        notes.append(f"{bare} oxygen atoms at one metal each, without hydrogen: oxide, or water or hydroxide cut short")
    return tuple(notes)
