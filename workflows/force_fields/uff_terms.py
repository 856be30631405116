"""The terms of UFF between atoms of known types: bonds, angles, torsions and inversions."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from ase.units import kcal, mol

from workflows.force_fields.topology import Terms, TermType
from workflows.force_fields.uff_parameters import UFF, get_uff_atom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workflows.force_fields.uff_parameters import UffAtom
    from workflows.force_fields.uff_typing import UffTyping

KCAL_PER_MOL_EV = kcal / mol
COULOMB_KCAL_A = 332.06  # of UFF's force constants, in kcal/mol Å
BOND_ORDER_SLOPE = 0.1332
RESONANCE_SLOPE = 4.18  # of barriers with the logarithm of the bond order
PLANAR_KCAL = 6.0
CARBONYL_KCAL = 50.0
PYRAMIDAL_KCAL = 22.0
_PYRAMIDS_DEG = {"P": 84.4339, "As": 86.9735, "Sb": 87.7047, "Bi": 90.0}
_CHALCOGENS = frozenset({"O", "S", "Se", "Te", "Po"})
_CHALCOGEN_BARRIERS_KCAL = {"O": 2.0}  # the others 6.8
_OTHER_CHALCOGEN_KCAL = 6.8
_FOLDS = {"": 1, "1": 1, "2": 3, "R": 3, "4": 4, "6": 4}  # of the cosine, by the geometry of the middle atom
_SPECIAL_ANGLES_DEG = {1: 180.0, 3: 120.0, 4: 90.0}

Found = tuple[tuple[int, ...], TermType]


def compute_bond_length(first: UffAtom, second: UffAtom, *, order: float) -> float:
    """Natural length of a bond, r = ri + rj + rBO − rEN, in Å.

    rBO = −0.1332 (ri + rj) ln n and rEN = ri rj (√χi − √χj)² / (χi ri + χj rj). The article prints a plus before rEN;
    its own bond lengths need the minus.

    Args:
        first: type of one atom.
        second: type of the other.
        order: of the bond, n.

    Source:
        10.1021/ja00051a040
    """
    radii_A, chi = (
        (first.bond_radius_A, second.bond_radius_A),
        (first.electronegativity_eV, second.electronegativity_eV),
    )
    total_A = sum(radii_A)
    shrink_A = (
        math.prod(radii_A) * (math.sqrt(chi[0]) - math.sqrt(chi[1])) ** 2 / (chi[0] * radii_A[0] + chi[1] * radii_A[1])
    )
    return total_A - BOND_ORDER_SLOPE * total_A * math.log(order) - shrink_A


def find_bonds(typing: UffTyping) -> Terms:
    """Harmonic bonds, E = k/2 (r − r0)² with k = 664.12 Zi* Zj* / r0³ kcal/mol.

    Source:
        10.1021/ja00051a040
    """

    def build() -> Iterator[Found]:
        for (first, second), order in zip(typing.graph.bonds.tolist(), typing.orders, strict=True):
            one, other = _types(typing, first, second)
            length_A = compute_bond_length(one, other, order=float(order))
            stiffness = 2 * COULOMB_KCAL_A * one.effective_charge * other.effective_charge / length_A**3
            yield (first, second), _describe("harmonic", (stiffness * KCAL_PER_MOL_EV, length_A), one, other)

    return _collect(build(), width=2)


def find_angles(typing: UffTyping) -> Terms:
    """Angles, E = K (C0 + C1 cos θ + C2 cos 2θ), or K/n² (1 − cos nθ) where θ0 is 120 (n = 3) or 90 degrees (n = 4).

    C2 = 1 / (4 sin²θ0), C1 = −4 C2 cos θ0, C0 = C2 (2 cos²θ0 + 1); K (1 + cos θ) where θ0 is 180 degrees.
    K = 664.12 Zi* Zk* / rik⁵ (3 rij rjk (1 − cos²θ0) − rik² cos θ0) kcal/mol, with rik from the natural lengths and θ0.

    Source:
        10.1021/ja00051a040
    """
    lengths = _find_lengths(typing)

    def build() -> Iterator[Found]:
        for middle, around in enumerate(typing.graph.neighbours):
            for first, last in itertools.combinations(around, 2):
                one, centre, other = _types(typing, first, middle, last)
                stiffness = compute_angle_stiffness(
                    one, centre, other, lengths_A=(lengths[_sort(first, middle)], lengths[_sort(middle, last)])
                )
                form, coefficients = _shape_angle(centre, stiffness_eV=stiffness)
                yield (first, middle, last), _describe(form, coefficients, one, centre, other)

    return _collect(build(), width=3)


def compute_angle_stiffness(first: UffAtom, middle: UffAtom, last: UffAtom, *, lengths_A: tuple[float, float]) -> float:
    """K of an angle, see `find_angles`, in eV.

    Args:
        first: type of one end.
        middle: type of the middle.
        last: type of the other end.
        lengths_A: natural lengths of its two bonds, in Å.

    Source:
        10.1021/ja00051a040
    """
    cosine = math.cos(math.radians(middle.angle_deg))
    product = math.prod(lengths_A)
    across_A = math.sqrt(lengths_A[0] ** 2 + lengths_A[1] ** 2 - 2 * product * cosine)
    bracket = 3 * product * (1 - cosine**2) - across_A**2 * cosine
    charges = first.effective_charge * last.effective_charge
    return 2 * COULOMB_KCAL_A * charges / across_A**5 * bracket * KCAL_PER_MOL_EV


def _shape_angle(middle: UffAtom, *, stiffness_eV: float) -> tuple[str, tuple[float, ...]]:
    fold = _FOLDS.get(middle.geometry)
    if fold is not None and middle.angle_deg == _SPECIAL_ANGLES_DEG[fold]:
        return "cosine", (stiffness_eV / fold**2, 1.0 if fold == 1 else -1.0, float(fold))
    theta = math.radians(middle.angle_deg)
    second = 1 / (4 * math.sin(theta) ** 2)
    first = -4 * second * math.cos(theta)
    return "fourier", (stiffness_eV, second * (2 * math.cos(theta) ** 2 + 1), first, second)


def find_dihedrals(typing: UffTyping) -> Terms:
    """Torsions, E = V/2 (1 − cos nφ0 cos nφ), V shared equally by all about one bond.

    - sp3–sp3: n = 3, φ0 = 180°, V = √(Vj Vk); both of group 16: n = 2, φ0 = 90°, with V = 2.0 for O and 6.8 for others.
    - sp2–sp2: n = 2, φ0 = 180°, V = 5 √(Uj Uk) (1 + 4.18 ln BO).
    - sp3–sp2: n = 6, φ0 = 0°, V = 1.0; n = 3, φ0 = 180°, V = 2.0 if the end beside the sp2 atom is sp2 itself; as
      sp2–sp2 but φ0 = 90° if the sp3 atom is of group 16 and the sp2 atom is not.

    Bonds of metals, and of linear atoms, have none.

    Source:
        10.1021/ja00051a040
    """
    graph = typing.graph

    def build() -> Iterator[Found]:
        for (second, third), order in zip(graph.bonds.tolist(), typing.orders, strict=True):
            quartets = [
                (first, second, third, fourth)
                for first in graph.neighbours[second]
                for fourth in graph.neighbours[third]
                if first not in {third, fourth} and fourth != second
            ]
            for quartet in quartets:
                ends = _types(typing, *quartet)
                found = _find_torsion(*ends, order=float(order))
                if found is not None:
                    barrier_kcal, fold, flips = found
                    height_eV = barrier_kcal / 2 / len(quartets) * KCAL_PER_MOL_EV
                    if height_eV == 0:
                        continue
                    yield quartet, _describe("cosines", (height_eV, float(fold), 180.0 if flips else 0.0), *ends)

    return _collect(build(), width=4)


def _find_torsion(
    first: UffAtom, second: UffAtom, third: UffAtom, fourth: UffAtom, *, order: float
) -> tuple[float, int, bool] | None:
    """Barrier in kcal/mol, fold n, and whether cos nφ0 is 1, so that the phase is 180 degrees; None for no torsion."""
    kinds = [_find_hybridisation(of) for of in (second, third)]
    chalcogens = [of.element in _CHALCOGENS for of in (second, third)]
    sp2_barrier = 5 * math.sqrt(second.torsion_sp2_kcal_mol * third.torsion_sp2_kcal_mol)
    sp2_barrier *= 1 + RESONANCE_SLOPE * math.log(order)
    if kinds == ["sp3", "sp3"]:
        if all(chalcogens):
            heights = [_CHALCOGEN_BARRIERS_KCAL.get(of.element, _OTHER_CHALCOGEN_KCAL) for of in (second, third)]
            return math.sqrt(math.prod(heights)), 2, False
        return math.sqrt(second.torsion_sp3_kcal_mol * third.torsion_sp3_kcal_mol), 3, False
    if kinds == ["sp2", "sp2"]:
        return sp2_barrier, 2, True
    if set(kinds) == {"sp2", "sp3"}:
        saturated = kinds.index("sp3")
        if chalcogens[saturated] and not chalcogens[1 - saturated]:
            return sp2_barrier, 2, False
        beside = fourth if saturated == 0 else first
        return (2.0, 3, False) if _find_hybridisation(beside) == "sp2" else (1.0, 6, True)
    return None


def _find_hybridisation(of: UffAtom) -> str:
    """Of atoms of the main groups that torsions know; nothing for metals, halogens and hydrogen."""
    main = of.torsion_sp3_kcal_mol > 0 or of.geometry == "R" or of.element in {"B", "C", "N", "O", "S"}
    return {"3": "sp3", "2": "sp2", "R": "sp2"}.get(of.geometry, "") if main else ""


def find_impropers(typing: UffTyping) -> Terms:
    """Inversions of atoms with three neighbours, E = K (C0 + C1 cos ω + C2 cos 2ω), the mean over the three bonds.

    Trigonal carbon and nitrogen: K = 6 kcal/mol, (C0, C1, C2) = (1, −1, 0); K = 50 for carbon with an oxygen that has
    no other neighbour but metals. Phosphorus, As, Sb, Bi: K = 22 where flat, with the minimum at ω0 = 84.4339, 86.9735,
    87.7047, 90 degrees. Oxygen and sulfur have none.

    Source:
        10.1021/ja00051a040
    """
    graph = typing.graph

    def build() -> Iterator[Found]:
        for centre, around in enumerate(graph.neighbours):
            if len(around) == 3:  # noqa: PLR2004 (a plane of them)
                of = _types(typing, centre)[0]
                carbonyl = any(graph.symbols[other] == "O" and len(graph.ligands(other)) == 1 for other in around)
                coefficients = _shape_inversion(of, carbonyl=carbonyl)
                if coefficients is not None:
                    atoms = (centre, *around)
                    yield atoms, _describe("inversion", coefficients, *_types(typing, *atoms))

    return _collect(build(), width=4, reversible=False)


def _shape_inversion(centre: UffAtom, *, carbonyl: bool) -> tuple[float, ...] | None:
    if centre.element in {"C", "N"} and centre.geometry in {"2", "R"}:
        height = CARBONYL_KCAL if carbonyl and centre.element == "C" else PLANAR_KCAL
        return (height * KCAL_PER_MOL_EV, 1.0, -1.0, 0.0)
    if centre.element in _PYRAMIDS_DEG:
        omega = math.radians(_PYRAMIDS_DEG[centre.element])
        first = -4 * math.cos(omega)
        constant = -(first * math.cos(omega) + math.cos(2 * omega))
        return (PYRAMIDAL_KCAL / (constant + first + 1) * KCAL_PER_MOL_EV, constant, first, 1.0)
    return None


def _sort(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)


def _types(typing: UffTyping, *atoms: int) -> list[UffAtom]:
    return [get_uff_atom(typing.types[atom]) for atom in atoms]


def _find_lengths(typing: UffTyping) -> dict[tuple[int, int], float]:
    return {
        (first, second): compute_bond_length(*_types(typing, first, second), order=float(order))
        for (first, second), order in zip(typing.graph.bonds.tolist(), typing.orders, strict=True)
    }


def _describe(form: str, coefficients: tuple[float, ...], *atoms: UffAtom) -> TermType:
    sources = dict.fromkeys(of.source for of in atoms) | {UFF: None}
    return TermType(
        label="-".join(of.name for of in atoms),
        form=form,
        coefficients=tuple(float(f"{value:.12g}") for value in coefficients),  # equal ones are equal in the last digit
        source="; ".join(sources),
    )


def _collect(found: Iterable[Found], *, width: int, reversible: bool = True) -> Terms:
    atoms: list[tuple[int, ...]] = []
    kinds: list[int] = []
    known: dict[TermType, int] = {}
    for members, of in found:
        names = of.label.split("-")
        backwards = reversible and names[::-1] < names
        label = "-".join(names[::-1]) if backwards else of.label
        atoms.append(members[::-1] if backwards else members)
        kinds.append(known.setdefault(replace(of, label=label), len(known)))
    return Terms(np.array(atoms, dtype=np.int64).reshape(-1, width), np.array(kinds, dtype=np.int64), tuple(known))
