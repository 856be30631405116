"""Bond orders and resonance from geometry and bonds alone: no charges, no formal valences need be known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflows.force_fields.aromatic_rings import find_aromatic_rings

if TYPE_CHECKING:
    from workflows.force_fields.bond_graph import BondGraph

AMIDE_ORDER = 1.41
AROMATIC_ORDER = 1.5
METAL_LIGAND_ORDER = 0.5
METAL_METAL_ORDER = 0.25
_PLANAR_DEG = 345.0  # sum of the three angles, 360 in a plane and 328 in a tetrahedron
_LINEAR_DEG = 155.0
_VALENCES = {("S", 4): 6, ("S", 3): 4, ("S", 2): 4, ("Se", 4): 6, ("Se", 3): 4, ("P", 4): 5, ("As", 4): 5}

Bond = tuple[int, int]


@dataclass(frozen=True)
class Resonance:
    """What the bonds of a graph are like.

    Attributes:
        orders: of each bond, the lower index first.
        linear: atoms with two π bonds.
        trigonal: carbons, and nitrogens with two neighbours or the oxygens of a nitro group, that give one π electron.
        donors: nitrogens, oxygens and sulfurs beside them that give a lone pair.
        terminal: oxygens and sulfurs whose one neighbour but metals is not hydrogen or an sp3 carbon.
        aromatic: atoms of aromatic rings.
        resonant: atoms of π systems of three and more.
        leftover: atoms whose π electron found no partner.
    """

    orders: dict[Bond, float]
    linear: frozenset[int]
    trigonal: frozenset[int]
    donors: frozenset[int]
    terminal: frozenset[int]
    aromatic: frozenset[int]
    resonant: frozenset[int]
    leftover: frozenset[int]


def find_resonance(graph: BondGraph) -> Resonance:
    """Hybridisation, aromatic rings and bond orders.

    Bonds of aromatic rings, see `find_aromatic_rings`, have order 1.5. Oxygens at one atom share what it has to give
    (carboxylate and nitro 1.5, nitrate 4/3, SO2 2). The other double and triple bonds go to the shortest bonds first; a
    π electron left over is shared among all its π neighbours (phthalocyanine, guanidinium). The C–N bond of an amide
    has 1.41. Bonds of metals with oxygen have 0.5, with metals 0.25, with others 1; so has that with a terminal
    hydroxide or alkoxide.

    Source:
        10.1021/ja00051a040 (1.41, 1.5), 10.1021/ct400952t (0.25, 0.5)
    """
    linear = frozenset(atom for atom in range(len(graph)) if _is_linear(graph, atom))
    trigonal = _find_trigonal(graph) - linear
    terminal = frozenset(atom for atom in range(len(graph)) if _is_terminal(graph, atom, unsaturated=linear | trigonal))
    donors = frozenset(
        atom
        for atom in range(len(graph))
        if atom not in trigonal | linear and _gives_lone_pair(graph, atom, trigonal=trigonal)
    )
    rings = find_aromatic_rings(graph, trigonal=trigonal, donors=donors, terminal=terminal)
    aromatic = frozenset(atom for ring in rings for atom in ring)
    orders = _start_orders(graph)
    for ring in rings:
        orders |= {
            _sort(first, second): AROMATIC_ORDER for first, second in zip(ring, ring[1:] + ring[:1], strict=True)
        }
    free = dict.fromkeys(linear, 2) | dict.fromkeys(trigonal - aromatic, 1)
    free |= {
        atom: 2 if len(graph.neighbours[graph.ligands(atom)[0]]) == 1 else 1  # carbon monoxide has a triple bond
        for atom in terminal
        if not aromatic.intersection(graph.ligands(atom))
    }
    free |= {
        atom: 2
        for atom in range(len(graph))
        if graph.symbols[atom] == "N" and len(graph.ligands(atom)) == 1 and not graph.metals(atom)
    }
    _share_among_oxygens(graph, orders=orders, free=free, terminal=terminal)
    _pair_electrons(graph, orders=orders, free=free)
    conjugated = trigonal | donors
    leftover = _share_leftovers(graph, orders=orders, free=free, trigonal=trigonal, conjugated=conjugated)
    _set_amides(graph, orders=orders, donors=donors - aromatic, trigonal=trigonal - aromatic, terminal=terminal)
    pi_atoms = conjugated | linear | frozenset(atom for atom in terminal if trigonal.intersection(graph.ligands(atom)))
    return Resonance(
        orders=orders,
        linear=linear,
        trigonal=trigonal,
        donors=donors,
        terminal=terminal,
        aromatic=aromatic,
        resonant=aromatic | _find_large_components(graph, members=pi_atoms - linear),
        leftover=leftover,
    )


def _sort(first: int, second: int) -> Bond:
    return (first, second) if first < second else (second, first)


def _is_linear(graph: BondGraph, atom: int) -> bool:
    symbol, ligands = graph.symbols[atom], graph.ligands(atom)
    if symbol == "C" and len(ligands) == 1:
        return True
    return (
        symbol in {"C", "N"}
        and len(ligands) == 2  # noqa: PLR2004 (a chain)
        and not graph.metals(atom)
        and graph.angles_deg(atom)[0] > _LINEAR_DEG
    )


def _find_trigonal(graph: BondGraph) -> frozenset[int]:
    found = set()
    for atom, symbol in enumerate(graph.symbols):
        around = graph.neighbours[atom]
        if symbol == "C" and len(around) == 3:  # noqa: PLR2004 (in a plane)
            if graph.angles_deg(atom).sum() > _PLANAR_DEG:
                found.add(atom)
        elif symbol == "C" and len(around) == 2:  # noqa: PLR2004 (a carbene)
            found.add(atom)
        elif symbol == "N":
            ligands = graph.ligands(atom)
            bare = sum(graph.symbols[other] == "O" and len(graph.ligands(other)) == 1 for other in ligands)
            if len(ligands) == 2 or (len(ligands) == 3 and bare >= 1):  # noqa: PLR2004
                found.add(atom)
    return frozenset(
        atom for atom in found if graph.symbols[atom] == "C" or _has_pi_partner(graph, atom, trigonal=found)
    )


def _has_pi_partner(graph: BondGraph, nitrogen: int, *, trigonal: set[int]) -> bool:
    """Whether a neighbour can share a π bond, as it can in an imine and cannot in an amide ion."""
    return any(
        other in trigonal
        or (graph.symbols[other] == "O" and len(graph.ligands(other)) == 1)
        or _is_linear(graph, other)
        for other in graph.ligands(nitrogen)
    )


def _is_terminal(graph: BondGraph, atom: int, *, unsaturated: frozenset[int]) -> bool:
    if graph.symbols[atom] not in {"O", "S", "Se"} or len(graph.ligands(atom)) != 1:
        return False
    other = graph.ligands(atom)[0]
    return other in unsaturated or (graph.symbols[other], len(graph.ligands(other))) in _VALENCES


def _gives_lone_pair(graph: BondGraph, atom: int, *, trigonal: frozenset[int]) -> bool:
    size = {"N": 3, "O": 2, "S": 2, "Se": 2}.get(graph.symbols[atom])
    if size is None or len(graph.ligands(atom)) != size or (graph.symbols[atom] == "N" and graph.metals(atom)):
        return False
    return bool(trigonal.intersection(graph.ligands(atom)))


def _start_orders(graph: BondGraph) -> dict[Bond, float]:
    orders: dict[Bond, float] = {}
    for first, second in graph.bonds.tolist():
        metals = [atom for atom in (first, second) if graph.is_metal(atom)]
        if len(metals) == 2:  # noqa: PLR2004 (both)
            orders[first, second] = METAL_METAL_ORDER
        elif metals:
            other = second if metals[0] == first else first
            orders[first, second] = METAL_LIGAND_ORDER if _is_half_bonded(graph, other) else 1.0
        else:
            orders[first, second] = 1.0
    return orders


def _is_half_bonded(graph: BondGraph, atom: int) -> bool:
    if graph.symbols[atom] != "O":
        return False
    ligands = graph.ligands(atom)
    saturated = len(ligands) == 1 and (
        graph.symbols[ligands[0]] == "H" or len(graph.neighbours[ligands[0]]) == 4  # noqa: PLR2004 (sp3)
    )
    return not (len(graph.metals(atom)) == 1 and (not ligands or saturated))


def _share_among_oxygens(
    graph: BondGraph, *, orders: dict[Bond, float], free: dict[int, int], terminal: frozenset[int]
) -> None:
    for centre, symbol in enumerate(graph.symbols):
        ligands = graph.ligands(centre)
        bare = [other for other in ligands if other in terminal]
        valence = _VALENCES.get((symbol, len(ligands)))
        if valence is not None and bare and centre not in terminal:
            share = min(2.0, (valence - len(ligands) + len(bare)) / len(bare))
        elif len(bare) >= 2 and free.get(centre) == 1:  # noqa: PLR2004 (one double bond for several)
            share = 1 + 1 / len(bare)
        else:
            continue
        orders |= {_sort(centre, other): share for other in bare}
        for atom in (centre, *bare):
            free.pop(atom, None)


def _pair_electrons(graph: BondGraph, *, orders: dict[Bond, float], free: dict[int, int]) -> None:
    """Double and triple bonds, the shortest for its elements first; takes what it pairs from `free`."""
    candidates = [(first, second) for first, second in graph.bonds.tolist() if {first, second} <= free.keys()]
    candidates.sort(key=lambda bond: (round(_shortness(graph, *bond), 2), bond))
    for first, second in candidates:
        paired = min(free[first], free[second])
        orders[first, second] += paired
        free[first] -= paired
        free[second] -= paired


def _shortness(graph: BondGraph, first: int, second: int) -> float:
    typical_A = {"C": 0.76, "N": 0.71, "O": 0.66, "S": 1.05}
    return graph.length_A(first, second) / sum(typical_A.get(graph.symbols[atom], 1.0) for atom in (first, second))


def _share_leftovers(
    graph: BondGraph,
    *,
    orders: dict[Bond, float],
    free: dict[int, int],
    trigonal: frozenset[int],
    conjugated: frozenset[int],
) -> frozenset[int]:
    lonely = set()
    for atom in sorted(atom for atom, number in free.items() if number == 1 and atom in trigonal):
        partners = [other for other in graph.ligands(atom) if other in conjugated]
        for other in partners:
            orders[_sort(atom, other)] += 1 / len(partners)
        if not partners:
            lonely.add(atom)
    return frozenset(lonely)


def _set_amides(
    graph: BondGraph,
    *,
    orders: dict[Bond, float],
    donors: frozenset[int],
    trigonal: frozenset[int],
    terminal: frozenset[int],
) -> None:
    for nitrogen in donors:
        for carbon in trigonal.intersection(graph.ligands(nitrogen)):
            bare = [other for other in graph.ligands(carbon) if other in terminal and graph.symbols[other] == "O"]
            if graph.symbols[nitrogen] == "N" and len(bare) == 1:
                orders[_sort(nitrogen, carbon)] = AMIDE_ORDER


def _find_large_components(graph: BondGraph, *, members: frozenset[int]) -> frozenset[int]:
    """Members in connected groups of three and more."""
    found: set[int] = set()
    seen: set[int] = set()
    for start in sorted(members):
        if start in seen:
            continue
        group, edge = {start}, [start]
        while edge:
            new = members.intersection(graph.neighbours[edge.pop()]) - group
            group |= new
            edge.extend(new)
        seen |= group
        found |= group if len(group) >= 3 else set()  # noqa: PLR2004
    return frozenset(found)
