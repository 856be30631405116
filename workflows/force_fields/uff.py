"""UFF and UFF4MOF: from a structure to all that acts in it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from structures.errors import InputError
from workflows.force_fields.topology import AtomType, Topology
from workflows.force_fields.uff_parameters import get_uff_atom
from workflows.force_fields.uff_terms import (
    KCAL_PER_MOL_EV,
    find_angles,
    find_bonds,
    find_dihedrals,
    find_impropers,
)
from workflows.force_fields.uff_typing import UffTyping, type_atoms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from workflows.force_fields.bond_graph import BondGraph
    from workflows.force_fields.uff_overrides import Overrides

SMALLEST_CELL_A = 10.0  # three bonds
SIXTH_ROOT_OF_2 = 2 ** (1 / 6)
WITHOUT_CHARGES = "UFF has no charges of its own: all are 0. Give charges, e.g. of charge equilibration."


def type_with_uff(
    atoms: Atoms,
    *,
    charges_e: Sequence[float] | NDArray[np.float64] | None = None,
    bonded: bool = True,
    charge_scale: float = 1.0,
    overrides: Overrides | None = None,
    typing: UffTyping | None = None,
) -> Topology:
    """A structure as UFF, with UFF4MOF for metals and their oxides, sees it.

    Van der Waals: E = D ((x/r)¹² − 2 (x/r)⁶), so that σ = x / 2^(1/6) and ε = D, both mixed geometrically; pairs that a
    bond or an angle joins do not interact, all others fully. The bonded terms are in `uff_terms`.

    Args:
        atoms: molecules, a framework or a metal.
        charges_e: of each atom, shape (n_atoms,), in e; None: all 0, which a note says.
        bonded: False leaves out all bonded terms, and so all exclusions, for what does not move; cells may be small
            then, and atoms without a type of their own take the van der Waals parameters of their element.
        charge_scale: factor of all charges, e.g. for the screening by electrons that a fixed charge lacks.
        overrides: types set by hand, see `type_atoms`.
        typing: types that are known already; None: found here.

    Returns:
        The topology; molecules are what bonds connect, or all atoms one if nothing is bonded here.

    Raises:
        InputError: if an atom has no type, or the charges are not finite or not one for each atom.

    Source:
        10.1021/ja00051a040, 10.1021/ct400952t, 10.1021/acs.jctc.6b00664
    """
    n_atoms = len(atoms)
    if typing is None:
        typing = type_atoms(atoms, overrides=overrides) if bonded else _type_unbonded(atoms, overrides=overrides)
    charges = _check_charges(charges_e, n_atoms=n_atoms) * charge_scale
    types = typing.types[:n_atoms]
    names = list(dict.fromkeys(types))
    notes = typing.notes if charges_e is not None else (*typing.notes, WITHOUT_CHARGES)
    unbonded = Topology(
        atom_types=tuple(_build_atom_type(name) for name in names),
        kinds=np.array([names.index(name) for name in types], dtype=np.int64),
        charges_e=charges,
        molecules=np.zeros(n_atoms, dtype=np.int64),
        notes=notes,
    )
    if not bonded:
        return unbonded
    return replace(
        unbonded,
        molecules=_number_molecules(typing.graph),
        bonds=find_bonds(typing),
        angles=find_angles(typing),
        dihedrals=find_dihedrals(typing),
        impropers=find_impropers(typing),
    )


def _type_unbonded(atoms: Atoms, *, overrides: Overrides | None) -> UffTyping:
    """Types of the atoms, and after them of images in a cell so large that no atom is bonded to its own image."""
    faces_A2 = np.linalg.norm(np.cross(atoms.cell.array[[1, 2, 0]], atoms.cell.array[[2, 0, 1]]), axis=1)
    repeats = [
        math.ceil(SMALLEST_CELL_A * face_A2 / atoms.cell.volume) if periodic else 1
        for face_A2, periodic in zip(faces_A2, atoms.pbc, strict=True)
    ]
    return type_atoms(atoms.repeat(repeats), overrides=overrides, strict=False)


def _build_atom_type(name: str) -> AtomType:
    of = get_uff_atom(name)
    return AtomType(
        name=name,
        element=of.element,
        mass_u=float(atomic_masses[atomic_numbers[of.element]]),
        sigma_A=of.vdw_distance_A / SIXTH_ROOT_OF_2,
        epsilon_eV=of.vdw_well_kcal_mol * KCAL_PER_MOL_EV,
        source=of.source,
    )


def _check_charges(charges_e: Sequence[float] | NDArray[np.float64] | None, *, n_atoms: int) -> NDArray[np.float64]:
    if charges_e is None:
        return np.zeros(n_atoms)
    charges = np.asarray(charges_e, dtype=np.float64)
    if charges.shape != (n_atoms,) or not np.isfinite(charges).all():
        n_finite = int(np.isfinite(charges).sum())
        raise InputError(
            f"charges_e has the shape {charges.shape} with {n_finite} finite values, needs one finite charge for each "
            f"of {n_atoms} atoms. Mend them."
        )
    return charges


def _number_molecules(graph: BondGraph) -> NDArray[np.int64]:
    """Number of each atom's molecule, in the order of their first atoms."""
    numbers = np.full(len(graph), -1, dtype=np.int64)
    found = 0
    for start in range(len(graph)):
        if numbers[start] >= 0:
            continue
        edge = [start]
        numbers[start] = found
        while edge:
            for other in graph.neighbours[edge.pop()]:
                if numbers[other] < 0:
                    numbers[other] = found
                    edge.append(other)
        found += 1
    return numbers
