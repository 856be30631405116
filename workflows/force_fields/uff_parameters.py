"""Parameters of the atoms in UFF and UFF4MOF, and what their names say."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = "uff4mof.csv"
UFF = "UFF, 10.1021/ja00051a040"
UFF4MOF = "UFF4MOF, 10.1021/ct400952t and 10.1021/acs.jctc.6b00664"
_FIRST_OF_UFF4MOF = "O_3_f"  # the rows before it are those of 1992
_LENGTH_OF_SYMBOL = 2  # a symbol of one letter is filled up with an underscore


@dataclass(frozen=True)
class UffAtom:
    """One type of atom.

    Attributes:
        name: its first two characters are the element, the third the geometry: 1 linear, 2 trigonal, R resonant,
            3 tetrahedral, 4 square, 6 octahedral, 8 cubic.
        element: chemical symbol.
        bond_radius_A: of a single bond, in Å.
        angle_deg: natural angle at it, in degrees.
        vdw_distance_A: where its van der Waals energy is lowest, in Å.
        vdw_well_kcal_mol: depth there, in kcal/mol.
        effective_charge: of force constants, in e.
        torsion_sp3_kcal_mol: barrier about bonds of sp3 atoms, in kcal/mol.
        torsion_sp2_kcal_mol: the same of sp2 atoms.
        electronegativity_eV: of Mulliken, in V.
        hardness_eV: idempotential J/2, so that E = χ q + η q², in eV/e².
        radius_A: of charge equilibration, in Å.
        source: name and DOI.
    """

    name: str
    element: str
    bond_radius_A: float
    angle_deg: float
    vdw_distance_A: float
    vdw_well_kcal_mol: float
    effective_charge: float
    torsion_sp3_kcal_mol: float
    torsion_sp2_kcal_mol: float
    electronegativity_eV: float
    hardness_eV: float
    radius_A: float
    source: str

    @property
    def geometry(self) -> str:
        """The third character of its name, nothing where there is none."""
        return self.name[_LENGTH_OF_SYMBOL : _LENGTH_OF_SYMBOL + 1]


@cache
def read_uff_table() -> Mapping[str, UffAtom]:
    """Every type by its name, in the order of the papers: those of UFF before those of UFF4MOF.

    Source:
        10.1021/ja00051a040, 10.1021/ct400952t, 10.1021/acs.jctc.6b00664
    """
    text = files("workflows.force_fields").joinpath("data").joinpath(TABLE).read_text(encoding="utf-8")
    table: dict[str, UffAtom] = {}
    source = UFF
    for row in csv.DictReader(text.splitlines()):
        name = row["type"]
        source = UFF4MOF if name == _FIRST_OF_UFF4MOF else source
        numbers = {key: float(row[key]) for key in UffAtom.__annotations__ if key in row}
        table[name] = UffAtom(name=name, element=_find_element(name), source=source, **numbers)
    return MappingProxyType(table)


@cache
def find_types_of_element(element: str) -> tuple[UffAtom, ...]:
    """The types of an element in the order of the table.

    Raises:
        InputError: if there is none.
    """
    found = tuple(of for of in read_uff_table().values() if of.element == element)
    if not found:
        raise InputError(
            f"{element} is in no type of UFF, needs an element from H to Lr. "
            "Leave such atoms out, or take another force field."
        )
    return found


def get_uff_atom(name: str) -> UffAtom:
    """The type of that name.

    Raises:
        InputError: if there is none; names those of its element.
    """
    table = read_uff_table()
    if name not in table:
        element = _find_element(name)
        near = ", ".join(of for of, atom in table.items() if atom.element == element)
        raise InputError(
            f"There is no type {name!r} in UFF and UFF4MOF, needs one of its names. "
            + (f"Those of {element} are {near}." if near else "They begin with the element, e.g. C_3, Fe6+3.")
        )
    return table[name]


def _find_element(name: str) -> str:
    symbol = name[:_LENGTH_OF_SYMBOL].rstrip("_")
    return "Lr" if symbol == "Lw" else symbol  # as lawrencium was written in 1992
