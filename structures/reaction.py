"""A reaction as a typed sum of species, and the checks that make its energy mean something."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from structures.errors import InputError
from structures.species import ELECTRON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structures.species import Species

ARROW = "->"
_TERM = re.compile(r"(?:(\d+)\s+)?(\S+)")


@dataclass(frozen=True)
class Reaction:
    """Reactants and products with whole coefficients.

    Attributes:
        text: as the user wrote it.
        coefficients: name of each species to its coefficient, negative for reactants, in the order of the text.
    """

    text: str
    coefficients: Mapping[str, int]

    @property
    def reactants(self) -> dict[str, int]:
        """Reactants with positive coefficients."""
        return {name: -number for name, number in self.coefficients.items() if number < 0}

    @property
    def products(self) -> dict[str, int]:
        """Products with positive coefficients."""
        return {name: number for name, number in self.coefficients.items() if number > 0}

    @property
    def statement(self) -> str:
        """The sum and its sign in words."""
        left, right = (_join_energies(side) for side in (self.products, self.reactants))
        return f"ΔE = {left} − {_in_brackets(right)}; negative: {_join(self.products)} is lower in energy"


def parse_reaction(text: str) -> Reaction:
    """Read `Li+ + TFSI- -> LiTFSI`; terms are separated by a plus with blanks around it, `2 Li` counts twice.

    Raises:
        InputError: if a side is missing or a term cannot be read, or nothing is left after equal terms cancel.
    """
    sides = text.split(ARROW)
    if len(sides) != 2:  # noqa: PLR2004 (reactants and products)
        raise InputError(f"reaction {text!r} has {len(sides) - 1} arrows, needs one, e.g. Li+ + TFSI- -> LiTFSI.")
    sums: Counter[str] = Counter()
    for sign, side in zip((-1, 1), sides, strict=True):
        for part in re.split(r"\s\+\s", f" {side.strip()} "):
            found = _TERM.fullmatch(part.strip())
            if found is None:
                raise InputError(
                    f"reaction {text!r} has the term {part.strip()!r}, needs a species, with a whole number before it "
                    "if it counts more than once, and ' + ' between species: Li+ + TFSI- -> LiTFSI."
                )
            sums[found.group(2)] += sign * int(found.group(1) or 1)
    kept = {name: number for name, number in sums.items() if number}
    if not any(number < 0 for number in kept.values()) or not any(number > 0 for number in kept.values()):
        raise InputError(f"reaction {text!r} says nothing once equal species cancel; name what changes.")
    return Reaction(text=" ".join(text.split()), coefficients=kept)


def check_reaction(reaction: Reaction, *, species: Mapping[str, Species]) -> None:
    """Check that atoms and charge balance, and that the spins of both sides can couple to a common one.

    Args:
        reaction: the sum.
        species: every species of it but the electron.

    Raises:
        InputError: says what is left over on which side.
    """
    missing = [name for name in reaction.coefficients if name != ELECTRON and name not in species]
    if missing:
        raise InputError(f"reaction {reaction.text!r} names {missing[0]!r}, which is no species of this run.")
    atoms: Counter[str] = Counter()
    charge = 0
    for name, number in reaction.coefficients.items():
        charge += number * (-1 if name == ELECTRON else species[name].charge)
        for element in [] if name == ELECTRON else species[name].atoms.symbols:
            atoms[element] += number
    excess = {element: number for element, number in atoms.items() if number}
    if excess:
        sides = "; ".join(
            f"{abs(number)} {element} more on the {'right' if number > 0 else 'left'}"
            for element, number in sorted(excess.items())
        )
        raise InputError(f"reaction {reaction.text!r} does not balance: {sides}. Add what is missing.")
    if charge:
        side = "reactants" if charge < 0 else "products"
        raise InputError(
            f"reaction {reaction.text!r} does not balance in charge: the {side} have {abs(charge)} e more. Mend a "
            f"charge, or add {abs(charge)} {ELECTRON} to the {side}."
        )
    _check_spin(reaction, species=species)


def _check_spin(reaction: Reaction, *, species: Mapping[str, Species]) -> None:
    names = [name for name in reaction.coefficients if name != ELECTRON]
    if ELECTRON in reaction.coefficients or any(species[name].atoms.pbc.any() for name in names):
        return  # an electron of a reservoir brings either spin, and a slab is one
    left, right = (_couple(side, species=species) for side in (reaction.reactants, reaction.products))
    if not left & right:
        shown = [", ".join(str(value) for value in sorted(values)) for values in (left, right)]
        raise InputError(
            f"reaction {reaction.text!r} cannot conserve spin: the reactants couple to multiplicity {shown[0]}, the "
            f"products to {shown[1]}. Mend a multiplicity."
        )


def _couple(side: Mapping[str, int], *, species: Mapping[str, Species]) -> set[int]:
    """Multiplicities that the spins of one side can couple to."""
    doubled = {0}  # 2 S
    for name, number in side.items():
        spin = species[name].multiplicity - 1
        for _ in range(number):
            doubled = {total for before in doubled for total in range(abs(before - spin), before + spin + 1, 2)}
    return {value + 1 for value in doubled}


def _join(side: Mapping[str, int]) -> str:
    return " + ".join(name if number == 1 else f"{number} {name}" for name, number in side.items())


def _join_energies(side: Mapping[str, int]) -> str:
    return " + ".join(f"E({name})" if number == 1 else f"{number} E({name})" for name, number in side.items())


def _in_brackets(text: str) -> str:
    return f"({text})" if " + " in text else text
