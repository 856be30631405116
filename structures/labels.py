"""Electrode, layer and electrolyte in one cell: which region, molecule and species each atom belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

from structures.checks import compute_ghosts
from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

ELECTRODE = "electrode"
LAYER = "layer"
ELECTROLYTE = "electrolyte"


def label_atoms(atoms: Atoms, *, region: str, species: str, n_molecules: int = 1) -> Atoms:
    """Atoms with the arrays `region`, `molecule` (from 0) and `species`, and nothing else on them.

    Args:
        atoms: of equal molecules, one after the other.
        region: of all.
        species: name of the species.
        n_molecules: how many there are.
    """
    labelled = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    labelled.set_array("region", np.full(len(atoms), region))
    labelled.set_array("molecule", np.repeat(np.arange(n_molecules), len(atoms) // max(1, n_molecules)))
    labelled.set_array("species", np.full(len(atoms), species))
    return labelled


def join_labelled(parts: Sequence[Atoms]) -> Atoms:
    """Labelled atoms one after the other, their molecules counted on; cell and periodicity of the first."""
    joined = Atoms(
        np.concatenate([part.numbers for part in parts]),
        positions=np.concatenate([part.positions for part in parts]),
        cell=parts[0].cell,
        pbc=parts[0].pbc,
    )
    for name in ("region", "species"):
        joined.set_array(name, np.concatenate([part.arrays[name] for part in parts]))
    first, molecules = 0, []
    for part in parts:
        molecules.append(part.arrays["molecule"] + first)
        first = int(molecules[-1].max()) + 1 if len(part) else first
    joined.set_array("molecule", np.concatenate(molecules).astype(np.int64))
    return joined


def compute_smallest_contact(atoms: Atoms, *, limit_A: float = 4.0) -> tuple[float, int, int]:
    """Smallest distance between atoms of different molecules, images included, with the two atoms.

    Args:
        atoms: with the array `molecule`.
        limit_A: distances beyond this are not looked for, in Å.

    Returns:
        Distance in Å and the indices of the atoms; infinity and −1, −1 if none is within the limit.
    """
    positions_A, owners = compute_ghosts(atoms, cutoff_A=limit_A)
    pairs = cKDTree(positions_A).query_pairs(limit_A, output_type="ndarray")
    molecules = atoms.arrays["molecule"][owners]
    pairs = pairs[(pairs[:, 0] < len(atoms)) & (molecules[pairs[:, 0]] != molecules[pairs[:, 1]])]
    if len(pairs) == 0:
        return float("inf"), -1, -1
    distances_A = np.linalg.norm(positions_A[pairs[:, 0]] - positions_A[pairs[:, 1]], axis=1)
    closest = int(np.argmin(distances_A))
    first, second = sorted(int(index) for index in owners[pairs[closest]])
    return float(distances_A[closest]), first, second


def check_smallest_contact(atoms: Atoms, *, minimum_A: float) -> float:
    """Raise if atoms of different molecules are closer than a minimum.

    Args:
        atoms: with the arrays `molecule`, `region` and `species`.
        minimum_A: smallest allowed distance, in Å.

    Returns:
        The smallest distance found, in Å; infinity beyond 4 Å.

    Raises:
        InputError: with the two atoms, their regions and their distance.
    """
    distance_A, *pair = compute_smallest_contact(atoms, limit_A=max(4.0, minimum_A))
    if distance_A < minimum_A:
        names, regions = atoms.arrays["species"], atoms.arrays["region"]
        first, second = (f"atom {n} ({atoms.symbols[n]} of {names[n]}, {regions[n]})" for n in pair)
        raise InputError(
            f"{first} and {second} are {distance_A:.2f} Å apart, needs at least {minimum_A:.2f} Å between molecules. "
            "Widen the gap between the regions, or pack at a lower density."
        )
    return distance_A
