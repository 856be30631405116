"""The force field CL&P of ions, with OPLS-AA ethers and alkanes: types by SMARTS, terms from its table.

Source:
    10.1021/jp0476545 (TFSI⁻, triflate), 10.1021/ja9621760 (OPLS-AA); the rest in data/README.md
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np

from structures.errors import InputError, SetupError
from workflows.force_fields.fftool_table import ForceFieldTable, read_force_field
from workflows.force_fields.molecular_graph import (
    Neighbours,
    find_neighbours,
    list_angles,
    list_bonds,
    list_dihedrals,
)
from workflows.force_fields.topology import KINDS, Terms, TermType, Topology

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

    from structures.species import Species

TABLES = ("clp.il.ff", "clp-additions.ff")
SCALE_14 = 0.5  # OPLS-AA, of both Lennard-Jones and Coulomb
_CHARGE_TOLERANCE_E = 1e-6
_TRANS_DEG = 135.0  # between the 90° and the 180° of an octahedron
_MOST_MATCHES = 100_000
_TETRAHEDRAL = 4
_PLANAR = 3


@dataclass(frozen=True)
class TypedAtom:
    """A row of a report on typing.

    Attributes:
        index: of the atom.
        element: chemical symbol.
        type: name of the type.
        charge_e: in e.
        source: table and citation.
    """

    index: int
    element: str
    type: str
    charge_e: float
    source: str


@cache
def load_tables() -> ForceFieldTable:
    """The shipped table of CL&P with what is added to it."""
    table: ForceFieldTable | None = None
    for name in TABLES:
        with as_file(files("workflows.force_fields").joinpath("data").joinpath(name)) as path:
            table = read_force_field(path, base=table)
    if table is None:
        raise SetupError("The tables of CL&P are missing from this installation: install alkaliflow anew.")
    return table


def type_molecule(
    species: Species, *, charge_scale: float = 1.0, force_field: ForceFieldTable | None = None
) -> Topology:
    """Types, charges and terms of a molecule or ion.

    Args:
        species: one molecule or ion; its geometry tells its bonds.
        charge_scale: of an ion's charges, in (0, 1]; neutral molecules keep theirs.
        force_field: table to take parameters from, e.g. one of the user's that adds to `load_tables`; None: the
            shipped ones.

    Returns:
        The topology, atoms in the order of the species.

    Raises:
        InputError: if an atom fits no pattern, the table lacks a term, or the charges do not add up to that of the
            species: names them all.
        SetupError: if RDKit is not installed.

    Source:
        10.1021/acs.jpclett.9b02652 (scaled charges of ions)
    """
    if not 0 < charge_scale <= 1:
        raise InputError(f"charge_scale is {charge_scale:g}, needs more than 0 and at most 1. Set it, e.g. 0.8.")
    table = load_tables() if force_field is None else force_field
    atoms = species.atoms.copy()
    atoms.pbc = False
    neighbours = find_neighbours(atoms)
    rows = [table.atoms[name] for name in _find_types(species, neighbours, table=table)]
    charges_e = np.array([row.charge_e for row in rows])
    if abs(charges_e.sum() - species.charge) > _CHARGE_TOLERANCE_E:
        raise InputError(
            f"species.{species.name}: its charges by CL&P add up to {charges_e.sum():+.4f} e, needs "
            f"{species.charge:+d} e. Mend the charge of the species, or take another force field for it."
        )
    scale = charge_scale if species.charge else 1.0
    atom_types = tuple(dict.fromkeys(row.type for row in rows))
    names = [row.bonded_name for row in rows]
    return Topology(
        atom_types=atom_types,
        kinds=np.array([atom_types.index(row.type) for row in rows], dtype=np.int64),
        charges_e=charges_e * scale,
        molecules=np.zeros(len(atoms), dtype=np.int64),
        mixing="geometric",
        lennard_jones_scale_14=SCALE_14,
        coulomb_scale_14=SCALE_14,
        notes=_take_notes(species, table=table, names=names, neighbours=neighbours, scale=scale),
        **_build_terms(species, table=table, names=names, neighbours=neighbours),
    )


def describe_typing(topology: Topology, *, atoms: Atoms) -> tuple[TypedAtom, ...]:
    """What each atom became, one row an atom."""
    rows = zip(atoms.symbols, topology.types_of_atoms, topology.charges_e, strict=True)
    return tuple(TypedAtom(i, symbol, of.name, float(charge), of.source) for i, (symbol, of, charge) in enumerate(rows))


def _find_types(species: Species, neighbours: Neighbours, *, table: ForceFieldTable) -> list[str]:
    """Name of the type of each atom."""
    molecule, chem = _build_graph(species.atoms, neighbours)
    types: dict[int, str] = {}
    for smarts, name in table.patterns:
        pattern = chem.MolFromSmarts(smarts)
        if pattern is None or name not in table.atoms:
            raise InputError(
                f"{table.name}: PATTERNS has the row {smarts!r} {name!r}, needs a SMARTS and a type of ATOMS. Mend it."
            )
        for match in molecule.GetSubstructMatches(pattern, uniquify=False, maxMatches=_MOST_MATCHES):
            types.setdefault(match[0], name)
    lost = [i for i in range(len(species.atoms)) if i not in types]
    if lost:
        symbols = species.atoms.symbols
        shown = [f"{i} ({symbols[i]} with {', '.join(symbols[list(neighbours[i])]) or 'no bond'})" for i in lost[:6]]
        raise InputError(
            f"species.{species.name}: CL&P has no type for {len(lost)} of {len(symbols)} atoms, needs one for each: "
            f"{'; '.join(shown)}{'; …' if len(lost) > len(shown) else ''}. It knows TFSI-, FSI-, PF6-, BF4-, triflate, "
            "nitrate, halides, alkali ions, ethers and acetals, each as a species of its own. Take force_field: uff, "
            "or give a table with what is missing."
        )
    return [types[i] for i in range(len(species.atoms))]


def _build_graph(atoms: Atoms, neighbours: Neighbours) -> tuple[Any, Any]:
    """A molecule of RDKit in which every bond is single: the patterns ask for elements and numbers of bonds only."""
    try:
        chem = importlib.import_module("rdkit.Chem")
    except ModuleNotFoundError as error:
        raise SetupError("Typing needs RDKit, which is not installed here: see alkaliflow doctor") from error
    molecule = chem.RWMol()
    for number in atoms.numbers:
        atom = chem.Atom(int(number))
        atom.SetNoImplicit(True)  # noqa: FBT003  its only form
        molecule.AddAtom(atom)
    for i, j in list_bonds(neighbours):
        molecule.AddBond(i, j, chem.BondType.SINGLE)
    molecule.UpdatePropertyCache(strict=False)
    return molecule, chem


def _build_terms(
    species: Species, *, table: ForceFieldTable, names: Sequence[str], neighbours: Neighbours
) -> dict[str, Terms]:
    """Terms of each kind.

    Raises:
        InputError: names every term that the table lacks.
    """
    chains: dict[str, Iterable[tuple[int, ...]]] = {
        "bonds": list_bonds(neighbours),
        "angles": (angle for angle in list_angles(neighbours) if not _is_trans(species.atoms, angle, neighbours)),
        "dihedrals": list_dihedrals(neighbours),
        "impropers": (
            _order_improper(table, names, (*bound, i)) for i, bound in enumerate(neighbours) if len(bound) == _PLANAR
        ),
    }
    missing: dict[str, tuple[int, ...]] = {}
    terms: dict[str, Terms] = {}
    for kind, width in KINDS.items():
        found: list[tuple[tuple[int, ...], TermType]] = []
        for chain in chains[kind]:
            labels = tuple(names[i] for i in chain)
            term = table.find(kind, labels)
            if term is None:
                missing.setdefault(f"{kind[:-1]} {'-'.join(min(labels, labels[::-1]))}", chain)
            else:
                found.append((chain, term))
        types = tuple(dict.fromkeys(term for _, term in found))
        terms[kind] = Terms(
            np.array([chain for chain, _ in found], dtype=np.int64).reshape(-1, width),
            np.array([types.index(term) for _, term in found], dtype=np.int64),
            types,
        )
    if missing:
        shown = "; ".join(f"{label} (atoms {', '.join(map(str, chain))})" for label, chain in missing.items())
        raise InputError(
            f"species.{species.name}: CL&P lacks {len(missing)} terms, needs all of them: {shown}. Take force_field: "
            "uff for this species, or give a table with what is missing."
        )
    return terms


def _is_trans(atoms: Atoms, angle: tuple[int, int, int], neighbours: Neighbours) -> bool:
    """Whether the ends of an angle face each other across an atom with more than four bonds, as in PF6⁻."""
    return len(neighbours[angle[1]]) > _TETRAHEDRAL and bool(atoms.get_angle(*angle) > _TRANS_DEG)


def _order_improper(table: ForceFieldTable, names: Sequence[str], chain: tuple[int, ...]) -> tuple[int, ...]:
    """The three atoms round a centre, which comes last, in the order of the table, in which it is the third."""
    *outer, centre = chain
    for row in table.terms["impropers"]:
        wanted = [row[0], row[1], row[3]]
        if row[2] == names[centre] and sorted(wanted) == sorted(names[i] for i in outer):
            left = list(outer)
            first, second, fourth = (left.pop([names[i] for i in left].index(name)) for name in wanted)
            return first, second, centre, fourth
    return outer[0], outer[1], centre, outer[2]


def _take_notes(
    species: Species, *, table: ForceFieldTable, names: Sequence[str], neighbours: Neighbours, scale: float
) -> tuple[str, ...]:
    notes = []
    if scale != 1:
        notes.append(f"{species.name}: charges scaled by {scale:g}.")
    constrained = {(names[i], names[j]) for i, j in list_bonds(neighbours)}
    constrained = {pair for pair in constrained if {pair, pair[::-1]} & table.constrained}
    if constrained:
        bonds = ", ".join(sorted({"–".join(sorted(pair)) for pair in constrained}))
        notes.append(f"{species.name}: bonds {bonds}, which CL&P constrains, are springs with the table's constant.")
    if any(_is_trans(species.atoms, angle, neighbours) for angle in list_angles(neighbours)):
        notes.append(f"{species.name}: atoms that face each other across the centre have no angle term.")
    return tuple(notes)
