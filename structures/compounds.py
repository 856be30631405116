"""Compounds of potassium with Bi, Sb and Sn, and their simple prototypes, as small periodic cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ase import Atoms
from ase.spacegroup import crystal

from structures.decoration import ATOMIC_VOLUMES_A3
from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

POTASSIUM_VOLUME_A3 = 45.0  # of an atom of K in K3Bi, K3Sb and KBi2, less that of the partner's element


@dataclass(frozen=True, kw_only=True)
class Prototype:
    """A crystal structure of K and a partner X.

    Attributes:
        name: formula and structure type.
        n_potassium: atoms of K a formula unit.
        n_partner: atoms of X a formula unit.
        spacegroup: number in the International Tables.
        sites: role (`K` or `X`) and fractional coordinates of each inequivalent site.
        axial_ratio: c/a, 1 for cubic ones.
        repeats: cells that make 30 to 70 atoms.
        known: partner → a in Å where the compound is known in this structure.
        source: of the structure.
    """

    name: str
    n_potassium: int
    n_partner: int
    spacegroup: int
    sites: tuple[tuple[str, tuple[float, float, float]], ...]
    repeats: tuple[int, int, int]
    source: str
    axial_ratio: float = 1.0
    known: Mapping[str, float] | None = None


PROTOTYPES: tuple[Prototype, ...] = (
    Prototype(
        name="K3X, Na3As type",
        n_potassium=3,
        n_partner=1,
        spacegroup=194,
        sites=(("K", (0, 0, 0.25)), ("K", (1 / 3, 2 / 3, 0.583)), ("X", (1 / 3, 2 / 3, 0.25))),
        axial_ratio=1.773,
        repeats=(2, 2, 1),
        known={"Bi": 6.191, "Sb": 6.037},
        source="Brauer and Zintl 1937, Z. Phys. Chem. 37B, 323",
    ),
    Prototype(
        name="K3X, BiF3 type",
        n_potassium=3,
        n_partner=1,
        spacegroup=225,
        sites=(("X", (0, 0, 0)), ("K", (0.5, 0.5, 0.5)), ("K", (0.25, 0.25, 0.25))),
        repeats=(1, 1, 2),
        known={"Bi": 8.805, "Sb": 8.493},
        source="Sangster and Pelton 1993, J. Phase Equilib. 14, 510",
    ),
    Prototype(
        name="KX2, MgCu2 type",
        n_potassium=1,
        n_partner=2,
        spacegroup=227,
        sites=(("K", (0, 0, 0)), ("X", (0.625, 0.625, 0.625))),
        repeats=(1, 1, 2),
        known={"Bi": 9.501},
        source="Zintl and Harder 1932, Z. Phys. Chem. 16B, 206; other partners are hypothetical",
    ),
    Prototype(
        name="KX, NaCl type",
        n_potassium=1,
        n_partner=1,
        spacegroup=225,
        sites=(("K", (0, 0, 0)), ("X", (0.5, 0.5, 0.5))),
        repeats=(2, 2, 2),
        source="hypothetical: a simple prototype of 1:1",
    ),
    Prototype(
        name="KX, CsCl type",
        n_potassium=1,
        n_partner=1,
        spacegroup=221,
        sites=(("K", (0, 0, 0)), ("X", (0.5, 0.5, 0.5))),
        repeats=(3, 3, 3),
        source="hypothetical: a simple prototype of 1:1",
    ),
    Prototype(
        name="K2X, CaF2 type",
        n_potassium=2,
        n_partner=1,
        spacegroup=225,
        sites=(("X", (0, 0, 0)), ("K", (0.25, 0.25, 0.25))),
        repeats=(2, 2, 1),
        source="hypothetical: a simple prototype of 2:1",
    ),
)


def build_compound(prototype: Prototype, *, partner: str) -> Atoms:
    """Crystal of potassium and a partner.

    Args:
        prototype: its structure.
        partner: element on the sites of X.

    Returns:
        Periodic cell with the known lattice constant, or one estimated from the elements' volumes.

    Raises:
        InputError: if the partner's volume is not known.
    """
    if partner not in ATOMIC_VOLUMES_A3:
        raise InputError(f"the partner is {partner!r}, needs one of {', '.join(ATOMIC_VOLUMES_A3)}")
    known = prototype.known or {}
    symbols = [partner if role == "X" else "K" for role, _ in prototype.sites]
    basis = [site for _, site in prototype.sites]
    a_A = known.get(partner) or _estimate_a_A(prototype, symbols=symbols, basis=basis, partner=partner)
    whole: Atoms = _build(prototype, symbols=symbols, basis=basis, a_A=a_A).repeat(prototype.repeats)
    return whole


def _build(prototype: Prototype, *, symbols: list[str], basis: list[tuple[float, float, float]], a_A: float) -> Atoms:
    gamma = 120 if prototype.spacegroup in range(143, 195) else 90
    cellpar = [a_A, a_A, a_A * prototype.axial_ratio, 90, 90, gamma]
    built = crystal(symbols, basis, spacegroup=prototype.spacegroup, cellpar=cellpar)
    return Atoms(numbers=built.numbers, positions=built.positions, cell=built.cell, pbc=True)


def _estimate_a_A(
    prototype: Prototype, *, symbols: list[str], basis: list[tuple[float, float, float]], partner: str
) -> float:
    unit = _build(prototype, symbols=symbols, basis=basis, a_A=1.0)
    n_potassium = unit.get_chemical_symbols().count("K")
    volume_A3 = n_potassium * POTASSIUM_VOLUME_A3 + (len(unit) - n_potassium) * ATOMIC_VOLUMES_A3[partner]
    return math.cbrt(volume_A3 / unit.get_volume())
