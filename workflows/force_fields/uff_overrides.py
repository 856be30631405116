"""Types that a person sets, by index, element or SMARTS."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers

from structures.errors import InputError, SetupError
from workflows.force_fields.resonance import AROMATIC_ORDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workflows.force_fields.bond_graph import BondGraph

Overrides = Mapping[int, str] | Mapping[str, str] | Mapping[int | str, str]


def resolve_overrides(graph: BondGraph, *, orders: NDArray[np.float64], overrides: Overrides) -> dict[int, str]:
    """Type of each atom that is named by its index, its element, or a SMARTS of which it is the first atom.

    Args:
        graph: who is bonded to whom.
        orders: of each bond, shape (n_bonds,).
        overrides: types; an index counts more than the others, of which the last counts.

    Raises:
        InputError: if one matches no atom.
        SetupError: if there is a SMARTS and RDKit is not installed.
    """
    chosen: dict[int, str] = {}
    for key, name in overrides.items():
        if isinstance(key, str):
            matched = (
                [atom for atom, symbol in enumerate(graph.symbols) if symbol == key]
                if key in atomic_numbers
                else _match_smarts(graph, orders=orders, smarts=key)
            )
            if not matched:
                raise InputError(
                    f"The type {name} is set for {key!r}, which matches none of {len(graph)} atoms, needs one at "
                    "least. Mend the element or SMARTS, or leave it out."
                )
            chosen |= dict.fromkeys(matched, name)
    for key, name in overrides.items():
        if isinstance(key, int):
            if not 0 <= key < len(graph):
                raise InputError(f"The type {name} is set for atom {key}, needs an atom from 0 to {len(graph) - 1}.")
            chosen[key] = name
    return chosen


def _match_smarts(graph: BondGraph, *, orders: NDArray[np.float64], smarts: str) -> list[int]:
    try:
        chem, logger = importlib.import_module("rdkit.Chem"), importlib.import_module("rdkit.RDLogger")
    except ModuleNotFoundError as error:
        raise SetupError("A SMARTS needs RDKit, which is not installed here: see alkaliflow doctor") from error
    logger.DisableLog("rdApp.*")
    pattern = chem.MolFromSmarts(smarts)
    if pattern is None:
        raise InputError(f"{smarts!r} is neither an element nor a SMARTS. Mend it, e.g. [NX3;H2] for an amine.")
    kinds = {1: chem.BondType.SINGLE, 2: chem.BondType.DOUBLE, 3: chem.BondType.TRIPLE}
    molecule = chem.RWMol()
    for symbol in graph.symbols:
        atom = chem.Atom(symbol)
        atom.SetNoImplicit(True)  # noqa: FBT003 (of RDKit)
        molecule.AddAtom(atom)
    for (first, second), order in zip(graph.bonds.tolist(), orders, strict=True):
        aromatic = np.isclose(order, AROMATIC_ORDER) and all(
            graph.symbols[atom] in {"C", "N", "S"} for atom in (first, second)
        )
        kind = chem.BondType.AROMATIC if aromatic else kinds[max(1, min(3, round(order)))]
        molecule.AddBond(first, second, kind)
        if aromatic:
            molecule.GetAtomWithIdx(first).SetIsAromatic(True)  # noqa: FBT003
            molecule.GetAtomWithIdx(second).SetIsAromatic(True)  # noqa: FBT003
    molecule.UpdatePropertyCache(strict=False)
    chem.FastFindRings(molecule)
    matches = molecule.GetSubstructMatches(pattern, uniquify=False, maxMatches=len(graph) * 100)
    return sorted({match[0] for match in matches})
