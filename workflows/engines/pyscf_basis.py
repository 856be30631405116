"""Gaussian basis sets of PySCF, and the effective core potentials that heavy elements have in them."""

import warnings
from collections.abc import Collection
from typing import Any

from ase.data import atomic_numbers
from pyscf.gto.basis import load, load_ecp
from pyscf.lib.exceptions import BasisNotFoundError

# Steepest exponent over Z²: 1.59 in STO-3G (He), 9 and more in others; 0.99 at most where a potential holds the core.
_SMALLEST_OF_CORE = 1.3


def load_core_potentials(basis: str, *, elements: Collection[str]) -> dict[str, list[Any]]:
    """Effective core potential of each element that has one in a basis, as PySCF takes it.

    Source: those of the def2 sets, from rubidium on, 10.1039/b508541a
    """
    found = {}
    for element in sorted(set(elements)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # names a package that would bring more of them
                potential = load_ecp(basis, element)
        except (BasisNotFoundError, KeyError, OSError, RuntimeError, TypeError):
            continue  # so PySCF says that it has none by this name
        if potential:
            found[element] = potential
    return found


def count_core_electrons(basis: str, *, elements: Collection[str]) -> dict[str, int]:
    """Electrons that a potential stands for, for each element that has one."""
    return {element: int(of[0]) for element, of in load_core_potentials(basis, elements=elements).items()}


def count_functions(basis: str, *, elements: Collection[str]) -> int:
    """Contracted functions of a basis, summed over elements that it has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shells = [shell for element in elements for shell in load(basis, element)]
    return sum((2 * shell[0] + 1) * (len(shell[-1]) - 1) for shell in shells)


def find_basis_trouble(basis: str, *, element: str) -> str:
    """What keeps an element from being computed in a basis; empty if nothing does.

    A basis that was made for a core potential lacks the steep functions of the core: with all electrons it gives
    energies that are wrong by thousands of eV.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shells = load(basis, element)
    except (BasisNotFoundError, KeyError):
        return f"which PySCF does not have for {element}"
    if load_core_potentials(basis, elements=[element]) or _has_core(shells, element=element):
        return ""
    return f"which is made for a core potential of {element} that PySCF does not find under this name"


def _has_core(shells: list[Any], *, element: str) -> bool:
    steepest = max(primitive[0] for shell in shells for primitive in shell[1:] if not isinstance(primitive, int))
    return bool(steepest > _SMALLEST_OF_CORE * atomic_numbers[element] ** 2)
