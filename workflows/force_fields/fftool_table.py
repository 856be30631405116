"""Tables of force-field parameters in the format of fftool: kJ/mol, Å and degrees, in plain text.

A section PATTERNS, which fftool does not have, tells what atoms a type is for: a SMARTS and a type a row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import units
from ase.data import atomic_masses, chemical_symbols

from structures.errors import InputError
from workflows.force_fields.topology import KINDS, AtomType, TermType

EV_PER_KJ_MOL = units.kJ / units.mol
_SECTIONS = {
    "ATOMS": "atoms",
    "BOND": "bonds",
    "ANGLE": "angles",
    "DIHED": "dihedrals",
    "IMPRO": "impropers",
    "PATTERNS": "patterns",
}
_LARGEST_MASS_ERROR_U = 0.1
_ROW_WORDS = re.compile(r"\b(lj|harm|cons|opls|pot)\b")  # a comment with one is a row or a heading, not a citation


@dataclass(frozen=True)
class TableAtom:
    """A row of the atoms.

    Attributes:
        type: name, element, mass and Lennard-Jones parameters.
        bonded_name: by which terms know it, e.g. `CT` for several types of carbon.
        charge_e: in e.
    """

    type: AtomType
    bonded_name: str
    charge_e: float


@dataclass(frozen=True)
class ForceFieldTable:
    """What is in a table; every mapping in the order of the file.

    Attributes:
        name: first line of the file.
        atoms: name of the type → row.
        terms: kind → names of its atoms for bonded terms → term. The centre of an improper is its third atom.
        constrained: bonds that the authors hold at their length; here they are springs with the table's constant.
        patterns: SMARTS, whose first atom is meant, and name of the type; the first that fits an atom counts.
    """

    name: str
    atoms: Mapping[str, TableAtom]
    terms: Mapping[str, Mapping[tuple[str, ...], TermType]]
    constrained: frozenset[tuple[str, ...]]
    patterns: tuple[tuple[str, str], ...] = ()

    def find(self, kind: str, names: tuple[str, ...]) -> TermType | None:
        """The term of these atoms, read from either end; None if the table has none."""
        rows = self.terms[kind]
        return rows.get(names) or rows.get(names[::-1])


def read_force_field(path: Path, *, base: ForceFieldTable | None = None) -> ForceFieldTable:
    """Read a table; its energies become eV.

    `harm` is k/2 (x − x0)², `cons` the same with a constraint in mind, `opls` is
    V1/2 (1 + cos φ) + V2/2 (1 − cos 2φ) + V3/2 (1 + cos 3φ) + V4/2 (1 − cos 4φ).

    Args:
        path: of the file: sections ATOMS, BONDS, ANGLES, DIHEDRALS, IMPROPERS and PATTERNS of one row a line. The
            comment above rows is their source.
        base: a table that this one adds to; its patterns come after those of this one.

    Raises:
        InputError: if the file or a row cannot be read, or the row is there already; gives the line.
    """
    lines = _read_lines(path)
    name = lines[0].lstrip("# ").strip() if lines else ""
    atoms = dict(base.atoms) if base is not None else {}
    terms = {kind: dict(base.terms[kind]) if base is not None else {} for kind in KINDS}
    constrained: set[tuple[str, ...]] = set(base.constrained) if base is not None else set()
    patterns: list[tuple[str, str]] = []
    section, source = "", ""
    for number, line in enumerate(lines, start=1):
        words = _split_row(line, has_smarts=section == "patterns")
        if not words:
            source = _take_citation(line) or source
            continue
        heading = next((of for start, of in _SECTIONS.items() if len(words) == 1 and words[0].startswith(start)), "")
        if heading:
            section, source = heading, ""
            continue
        cited = f"{name}: {source}" if source else name
        try:
            if section == "atoms":
                _add(atoms, words[0], _read_atom(words, cited))
            elif section == "patterns":
                smarts, type_name = words
                patterns.append((smarts, type_name))
            else:
                width = KINDS[section]
                key, term = tuple(words[:width]), _read_term(section, words[width:])
                _add(terms[section], key, replace(term, label="-".join(key), source=cited))
                constrained.update({key} if words[width] == "cons" else ())
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"{path.name}, line {number}: {line.strip()!r} is no row of {section or 'any section'} ({error}), "
                "needs names, a potential (lj, harm, cons, opls) and numbers; in PATTERNS a SMARTS and a type. Mend it."
            ) from error
    return ForceFieldTable(
        name=name if base is None else f"{base.name} + {name}",
        atoms=atoms,
        terms=terms,
        constrained=frozenset(constrained),
        patterns=(*patterns, *(base.patterns if base is not None else ())),
    )


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}), needs a text file of parameters in the format of fftool. Mend the path."
        ) from error


def _split_row(line: str, *, has_smarts: bool) -> list[str]:
    """Words before the remark; in SMARTS, # is part of a word."""
    if has_smarts:
        return [] if line.lstrip().startswith("#") else line.partition(" #")[0].split()
    return line.partition("#")[0].split()


def _take_citation(line: str) -> str:
    text = line.strip().lstrip("#").strip()
    return "" if _ROW_WORDS.search(text) else text


def _add(rows: dict[Any, Any], key: Any, row: Any) -> None:  # noqa: ANN401  atoms by name, terms by names
    known = rows.get(key) or (rows.get(key[::-1]) if isinstance(key, tuple) else None)
    if known is not None:
        raise ValueError(f"{key if isinstance(key, str) else '-'.join(key)} is there already")
    rows[key] = row


def _read_atom(words: list[str], source: str) -> TableAtom:
    name, bonded_name, mass, charge, potential, sigma, epsilon = words
    if potential != "lj":
        raise ValueError(f"potential {potential}")
    element = int(np.argmin(np.abs(atomic_masses[1:] - float(mass)))) + 1
    if abs(atomic_masses[element] - float(mass)) > _LARGEST_MASS_ERROR_U:
        raise ValueError(f"no element has a mass of {mass} u")
    type_ = AtomType(
        name=name,
        element=chemical_symbols[element],
        mass_u=float(atomic_masses[element]),  # tables round them, and differ
        sigma_A=float(sigma),
        epsilon_eV=float(epsilon) * EV_PER_KJ_MOL,
        source=source,
    )
    return TableAtom(type_, bonded_name, float(charge))


def _read_term(kind: str, words: list[str]) -> TermType:
    potential, numbers = words[0], [float(word) for word in words[1:]]
    readers: dict[str, Callable[[list[float]], tuple[float, ...]]] = {"opls": _read_cosines}
    if kind in ("bonds", "angles"):
        readers = {"harm": _read_spring, "cons": _read_spring}
    coefficients = readers[potential](numbers)
    if not all(math.isfinite(value) for value in coefficients):
        raise ValueError("a number is not finite")
    return TermType("", "harmonic" if kind in ("bonds", "angles") else "cosines", coefficients)


def _read_spring(numbers: list[float]) -> tuple[float, ...]:
    rest, constant = numbers
    return constant * EV_PER_KJ_MOL, rest


def _read_cosines(numbers: list[float]) -> tuple[float, ...]:
    """Vanishing ones are left out; if all vanish, the first stays, so that the table's zero is there to be seen."""
    halves = [
        (value / 2 * EV_PER_KJ_MOL, float(n), 0.0 if n % 2 else 180.0)
        for n, value in enumerate(numbers, start=1)
        if value != 0
    ]
    return tuple(value for three in halves or [(0.0, 1.0, 0.0)] for value in three)
