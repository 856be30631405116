"""Types of UFF and UFF4MOF from what surrounds an atom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from structures.errors import InputError
from workflows.force_fields.bond_graph import find_bond_graph
from workflows.force_fields.resonance import find_resonance
from workflows.force_fields.uff_overrides import Overrides, resolve_overrides
from workflows.force_fields.uff_parameters import UFF4MOF, find_types_of_element, get_uff_atom

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from workflows.force_fields.bond_graph import BondGraph
    from workflows.force_fields.resonance import Resonance

_FLAT_DEG = 345.0  # sum of three angles
_STRAIGHT_DEG = 150.0  # a square has angles of 180 degrees, a tetrahedron none above 109.5
# Elements with one type: its name and how many neighbours it has at most.
_SINGLE = {
    "F": ("F_", 1), "Cl": ("Cl", 1), "Br": ("Br", 1), "I": ("I_", 1), "Si": ("Si3", 4), "Ge": ("Ge3", 4),
    "As": ("As3+3", 3), "Se": ("Se3+2", 2), "Te": ("Te3+2", 2),
}  # fmt: skip
# Geometry of a metal by the number of its neighbours, four apart.
_GEOMETRIES = {2: "1", 3: "2", 5: "6", 6: "6", 7: "8", 8: "8", 9: "8"}
_ALIKE = {"4": "6", "6": "4"}  # both have angles of 90 and 180 degrees and the same form


@dataclass(frozen=True, eq=False)
class UffTyping:
    """Atoms with their types, and the bonds these rest on.

    Attributes:
        types: of each atom.
        reasons: of each atom, why that type.
        graph: who is bonded to whom.
        orders: of each bond of the graph, shape (n_bonds,).
        notes: what a reader must know.
    """

    types: tuple[str, ...]
    reasons: tuple[str, ...]
    graph: BondGraph
    orders: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    def describe(self) -> dict[str, str]:
        """How many atoms have each type, and why, in the order of the types."""
        counts = Counter(zip(self.types, self.reasons, strict=True))
        lines: dict[str, list[str]] = {}
        for (name, reason), number in sorted(counts.items()):
            lines.setdefault(name, []).append(f"{number} {reason}")
        return {name: "; ".join(parts) for name, parts in lines.items()}


def type_atoms(
    atoms: Atoms,
    *,
    bonds: NDArray[np.int64] | None = None,
    overrides: Overrides | None = None,
    strict: bool = True,
) -> UffTyping:
    """The UFF or UFF4MOF type of every atom of a molecule, ion, framework or metal.

    Types follow from the element, the neighbours, the angles between them and resonance, see `find_resonance`. C_R, N_R
    and O_R, the last with two neighbours, are atoms of π systems of three and more; O_2 is an oxygen with one neighbour
    but metals, also of a carboxylate or nitro group. Oxygen between three metals is O_2_z if flat, as in M3O of MIL-100
    and MIL-101, else O_3_f, as it is between four. A metal has the type of its geometry, of UFF4MOF where there is one;
    with five neighbours it counts as an octahedron that lacks one. An atom without neighbours, an ion or in a metal,
    has the first type of its element: all have the same van der Waals parameters, which is all that such an atom needs.

    Args:
        atoms: whole molecules, or what repeats through boundaries.
        bonds: pairs of atoms, shape (n_bonds, 2); None: from distances, see `find_bond_graph`.
        overrides: types to set, by index, by element, or by SMARTS for the first atom of each match; the index counts
            more than the others, of which the last counts.
        strict: False gives an atom whose surroundings have no type the first type of its element, and says so in notes;
            its van der Waals parameters are right, terms of its bonds would not be.

    Raises:
        InputError: if an atom has no type and strict is set, or a type is not one of its element.
        SetupError: if there is a SMARTS and RDKit is not installed.

    Source:
        10.1021/ja00051a040, 10.1021/ct400952t, 10.1021/acs.jctc.6b00664
    """
    graph = find_bond_graph(atoms, bonds=bonds)
    resonance = find_resonance(graph)
    found = [_find_type(graph, atom, resonance=resonance) for atom in range(len(graph))]
    orders = np.array([resonance.orders[first, second] for first, second in graph.bonds.tolist()], dtype=np.float64)
    for atom, name in resolve_overrides(graph, orders=orders, overrides=overrides or {}).items():
        found[atom] = (name, "set by hand")
    notes = []
    for atom, (name, reason) in enumerate(found):
        symbol = graph.symbols[atom]
        if name or strict:
            _check_type(graph, atom, name=name, reason=reason)
        else:
            first = find_types_of_element(symbol)[0].name
            found[atom] = (first, f"{reason}, for its van der Waals terms alone")
            notes.append(f"UFF: {symbol}, {reason}, has no type; {first} has its van der Waals terms.")
        if " in place of " in reason:
            notes.append(f"UFF: {symbol} is {reason}.")
    if resonance.leftover:
        lonely = ", ".join(f"{graph.symbols[atom]}{atom}" for atom in sorted(resonance.leftover))
        notes.append(f"UFF: no partner for a double bond at {lonely} (radical or carbene): its bonds count as single.")
    return UffTyping(
        types=tuple(name for name, _ in found),
        reasons=tuple(reason for _, reason in found),
        graph=graph,
        orders=orders,
        notes=tuple(dict.fromkeys(notes)),
    )


Found = tuple[str, str]  # type, nothing if there is none, and the reason


def _find_type(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:
    symbol = graph.symbols[atom]
    first_type = find_types_of_element(symbol)[0].name
    if not graph.neighbours[atom]:
        return first_type, "without neighbours"
    if graph.is_metal(atom):
        return _find_metal_type(graph, atom)
    special = {"H": _find_hydrogen, "B": _find_boron, "N": _find_nitrogen, "O": _find_oxygen, "P": _find_phosphorus}
    if symbol == "C":
        return _find_carbon(graph, atom, resonance=resonance)
    if symbol in special:
        return special[symbol](graph, atom, resonance=resonance)
    if symbol == "S":
        return _find_sulfur(graph, atom, resonance=resonance)
    name, most = _SINGLE.get(symbol, (first_type, 0))
    n_ligands = len(graph.ligands(atom))
    return (name if n_ligands <= most else ""), f"with {n_ligands} neighbours but metals"


def _find_hydrogen(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:  # noqa: ARG001 (as the others)
    ligands = graph.ligands(atom)
    if len(ligands) == 2:  # noqa: PLR2004
        return ("H_b" if {graph.symbols[other] for other in ligands} == {"B"} else ""), "between two atoms"
    return ("H_" if len(ligands) <= 1 else ""), f"with {len(ligands)} neighbours"


def _find_boron(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:  # noqa: ARG001
    n_ligands = len(graph.neighbours[atom])
    return {3: "B_2", 4: "B_3"}.get(n_ligands, ""), f"with {n_ligands} neighbours"


def _find_carbon(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:
    if atom in resonance.linear:
        return "C_1", "linear"
    if atom in resonance.trigonal:
        return _name_trigonal("C", atom, resonance=resonance)
    n_neighbours = len(graph.neighbours[atom])
    return ("C_3" if n_neighbours <= 4 else ""), f"sp3 with {n_neighbours} neighbours"  # noqa: PLR2004


def _name_trigonal(symbol: str, atom: int, *, resonance: Resonance) -> Found:
    if atom in resonance.aromatic:
        return f"{symbol}_R", "aromatic"
    if atom in resonance.resonant:
        return f"{symbol}_R", "trigonal, resonant"
    return f"{symbol}_2", "trigonal"


def _find_nitrogen(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:
    ligands = graph.ligands(atom)
    if atom in resonance.linear:
        return "N_1", "linear"
    if len(ligands) == 1:
        linear = ligands[0] in resonance.linear or graph.symbols[ligands[0]] == "N"
        return ("N_1", "at the end of a linear group") if linear else ("N_2", "with one neighbour")
    if atom in resonance.trigonal:
        return _name_trigonal("N", atom, resonance=resonance)
    if atom in resonance.donors:
        return "N_R", "aromatic" if atom in resonance.aromatic else "amine or amide beside a trigonal atom"
    if len(ligands) == 2 and any(graph.symbols[other] in {"S", "P"} for other in ligands):  # noqa: PLR2004
        return "N_R", "imide of sulfur or phosphorus"
    n_neighbours = len(graph.neighbours[atom])
    return ("N_3" if n_neighbours <= 4 else ""), f"sp3 with {n_neighbours} neighbours"  # noqa: PLR2004


def _find_oxygen(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:
    ligands, n_metals, n_neighbours = graph.ligands(atom), len(graph.metals(atom)), len(graph.neighbours[atom])
    if n_neighbours == 2 and ligands and {graph.symbols[other] for other in graph.neighbours[atom]} <= {"Si", "Al"}:  # noqa: PLR2004
        return "O_3_z", "between silicon and silicon or aluminium"
    if n_metals >= 3:  # noqa: PLR2004
        return _find_oxide(graph, atom)
    if atom in resonance.terminal:
        return _find_terminal_oxygen(graph, atom, resonance=resonance)
    if atom in resonance.donors:
        return "O_R", "aromatic" if atom in resonance.aromatic else "beside a trigonal atom"
    if n_metals == 2 and len(ligands) <= 1:  # noqa: PLR2004
        return "O_2", "oxide or hydroxide between two metals"
    fits = bool(ligands) and n_neighbours <= 4  # noqa: PLR2004
    return ("O_3" if fits else ""), f"sp3 with {n_neighbours} neighbours"


def _find_terminal_oxygen(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:
    (other,) = graph.ligands(atom)
    if graph.symbols[other] == "C" and len(graph.neighbours[other]) == 1:
        return "O_1", "in carbon monoxide"
    return ("O_R", "phenolate") if other in resonance.aromatic else ("O_2", "with one neighbour but metals")


def _find_oxide(graph: BondGraph, atom: int) -> Found:
    n_neighbours, n_metals = len(graph.neighbours[atom]), len(graph.metals(atom))
    reason = f"between {n_metals} metals"
    if n_neighbours == 3:  # noqa: PLR2004
        flat = graph.angles_deg(atom).sum() > _FLAT_DEG
        return ("O_2_z", f"{reason}, flat") if flat else ("O_3_f", f"{reason}, not flat")
    return ("O_3_f" if n_neighbours == 4 else ""), reason  # noqa: PLR2004


def _find_sulfur(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:
    ligands = graph.ligands(atom)
    if atom in resonance.aromatic:
        return "S_R", "aromatic"
    if not ligands and len(graph.metals(atom)) == 4:  # noqa: PLR2004
        return "S_3_f", "between 4 metals"
    if atom in resonance.terminal or (len(ligands) >= 2 and resonance.terminal.issuperset(ligands)):  # noqa: PLR2004
        fits = len(ligands) <= 3  # noqa: PLR2004 (SO3)
        return ("S_2" if fits else "S_3+6"), "with double bonds only"
    name = {0: "S_3+2", 1: "S_3+2", 2: "S_3+2", 3: "S_3+4", 4: "S_3+6"}.get(len(ligands), "")
    return name, f"with {len(ligands)} neighbours but metals"


def _find_phosphorus(graph: BondGraph, atom: int, *, resonance: Resonance) -> Found:  # noqa: ARG001
    ligands, metals = len(graph.ligands(atom)), len(graph.metals(atom))
    name = {(3, 0): "P_3+3", (4, 0): "P_3+5", (3, 1): "P_3+q"}.get((ligands, metals), "")
    return name, f"with {ligands + metals} neighbours"


def _find_metal_type(graph: BondGraph, atom: int) -> Found:
    n_neighbours = len(graph.neighbours[atom])
    if graph.metals(atom):
        geometry = "4"  # a paddle wheel, with or without a ligand at its end
    elif n_neighbours == 4:  # noqa: PLR2004
        geometry = "4" if graph.angles_deg(atom)[-1] > _STRAIGHT_DEG else "3"
    else:
        geometry = _GEOMETRIES.get(n_neighbours, "")
    words = {"1": "linear", "2": "trigonal", "3": "tetrahedral", "4": "square", "6": "octahedral", "8": "cubic"}
    reason = f"{words.get(geometry, 'metal')} with {n_neighbours} neighbours"
    of_element = find_types_of_element(graph.symbols[atom])
    for wanted in (geometry, _ALIKE.get(geometry, "")):
        fitting = [of for of in of_element if wanted and of.geometry == wanted]
        if fitting:
            best = next((of for of in reversed(fitting) if of.source == UFF4MOF), fitting[-1])
            others = [of.name for of in fitting if of is not best]
            reason += f", not {' or '.join(others)}" if others else ""
            if wanted != geometry:
                reason += f", {words[wanted]} {best.name} in place of a type that {graph.symbols[atom]} lacks"
            return best.name, reason
    return "", reason


def _check_type(graph: BondGraph, atom: int, *, name: str, reason: str) -> None:
    symbol = graph.symbols[atom]
    if not name:
        around = ", ".join(f"{graph.symbols[other]}{other}" for other in graph.neighbours[atom])
        choices = ", ".join(of.name for of in find_types_of_element(symbol))
        raise InputError(
            f"Atom {atom} ({symbol}, {reason}: {around}) has no type in UFF and UFF4MOF, whose types of {symbol} are "
            f"{choices}. Mend the geometry or the bonds, or set its type by hand, e.g. overrides: {{{atom}: "
            f"{find_types_of_element(symbol)[0].name}}}."
        )
    if get_uff_atom(name).element != symbol:
        raise InputError(
            f"The type {name} is set for atom {atom}, which is {symbol}, needs one of {symbol}: "
            f"{', '.join(of.name for of in find_types_of_element(symbol))}."
        )
