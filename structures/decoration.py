"""Compositions, and random decorations of exact stoichiometry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

# Volume per atom of the elements at room temperature, in Å³, for estimates of lattices nobody has published.
ATOMIC_VOLUMES_A3 = {"Bi": 35.38, "Sb": 30.19, "Sn": 27.05, "Pb": 30.34, "Zn": 15.21}


def normalise_composition(composition: Mapping[str, float]) -> dict[str, float]:
    """Shares of the elements that sum to 1.

    Args:
        composition: shares of the elements, of any scale.

    Returns:
        Element → share.

    Raises:
        InputError: if there is no element, one has no place in these alloys, or a share is not a finite number > 0.
    """
    if not composition:
        message = "the composition is empty; give at least one element, for example {'Bi': 1, 'Sn': 1, 'Sb': 1}"
        raise InputError(message)
    for element, share in composition.items():
        if element not in ATOMIC_VOLUMES_A3:
            message = f"{element!r} has no place in these A7 alloys; choose among {', '.join(ATOMIC_VOLUMES_A3)}"
            raise InputError(message)
        if not (math.isfinite(share) and share > 0):
            message = f"the share of {element} is {share}, needs a finite number > 0; leave the element out for none"
            raise InputError(message)
    total = sum(composition.values())
    return {element: share / total for element, share in composition.items()}


def compute_counts(composition: Mapping[str, float], *, n_sites: int) -> dict[str, int]:
    """Whole numbers of atoms nearest to a composition, by the method of the largest remainder.

    Args:
        composition: shares of the elements, of any scale.
        n_sites: number of sites to share out.

    Returns:
        Atoms of each element; the sum is `n_sites`, and no element is off its share by one atom or more.

    Raises:
        InputError: if an element would get no atom at all.
    """
    shares = normalise_composition(composition)
    quotas = {element: share * n_sites for element, share in shares.items()}
    counts = {element: math.floor(quota + 1e-9) for element, quota in quotas.items()}
    left = n_sites - sum(counts.values())
    for element in sorted(quotas, key=lambda key: (counts[key] - quotas[key], key))[:left]:
        counts[element] += 1
    missing = [element for element, count in counts.items() if count == 0]
    if missing:
        message = f"{n_sites} sites leave no atom of {', '.join(missing)}; enlarge the cell or change the composition"
        raise InputError(message)
    return counts


def decorate(atoms: Atoms, *, composition: Mapping[str, float], seed: int) -> Atoms:
    """Put the elements at random on all sites, in exact stoichiometry.

    Args:
        atoms: the crystal; its elements are replaced.
        composition: shares of the elements, of any scale; rounded to whole atoms as in `compute_counts`.
        seed: seed of the random order.

    Returns:
        A decorated copy; the same seed gives the same decoration on any structure of as many sites.

    Raises:
        InputError: if an element is none of these alloys' or would get no atom.
    """
    counts = compute_counts(composition, n_sites=len(atoms))
    numbers = np.repeat([atomic_numbers[element] for element in sorted(counts)], [counts[e] for e in sorted(counts)])
    decorated: Atoms = atoms.copy()
    decorated.set_atomic_numbers(np.random.default_rng(seed).permutation(numbers))
    return decorated


def compute_composition(atoms: Atoms) -> dict[str, float]:
    """Share of each element among the atoms, in the order of the atomic numbers.

    Args:
        atoms: any structure.

    Returns:
        Element → share; the shares sum to 1, and differ from what was asked for by the rounding to whole atoms.
    """
    numbers, counts = np.unique(atoms.numbers, return_counts=True)
    return {chemical_symbols[n]: float(count) / len(atoms) for n, count in zip(numbers, counts, strict=True)}
