"""Reactions balance in atoms, charge and spin, or are refused with what is left over."""

import re

import pytest
from ase import Atoms

from structures.errors import InputError
from structures.reaction import check_reaction, parse_reaction
from structures.species import Species

SPECIES = {
    "Li+": Species("Li+", Atoms("Li"), charge=1),
    "Li": Species("Li", Atoms("Li"), multiplicity=2),
    "F-": Species("F-", Atoms("F"), charge=-1),
    "F": Species("F", Atoms("F"), multiplicity=2),
    "LiF": Species("LiF", Atoms("LiF")),
    "LiF triplet": Species("LiF triplet", Atoms("LiF"), multiplicity=3),
    "Li2": Species("Li2", Atoms("Li2")),
    "Q": Species("Q", Atoms("LiF"), multiplicity=5),
}


def test_signs_and_coefficients() -> None:
    reaction = parse_reaction("2 Li + 2 F- ->  Li2 + 2 F-")
    assert reaction.coefficients == {"Li": -2, "Li2": 1}
    assert reaction.reactants == {"Li": 2}
    assert reaction.products == {"Li2": 1}
    assert reaction.statement == "ΔE = E(Li2) − 2 E(Li); negative: Li2 is lower in energy"


def test_charges_in_names_are_no_pluses() -> None:
    assert parse_reaction("Li+ + F- -> LiF").coefficients == {"Li+": -1, "F-": -1, "LiF": 1}
    assert "E(LiF) − (E(Li+) + E(F-))" in parse_reaction("Li+ + F- -> LiF").statement


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Li+ + F-", "has 0 arrows"),
        ("Li -> F -> LiF", "has 2 arrows"),
        ("Li + -> LiF", "has the term '+'|has the term ''"),
        ("-> LiF", "has the term ''"),
        ("Li 2 -> Li2", "has the term 'Li 2'"),
        ("Li -> Li", "says nothing"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_reaction(text)


@pytest.mark.parametrize(
    "text", ["Li+ + F- -> LiF", "Li + F -> LiF", "Li + F- -> LiF + e-", "2 Li -> Li2", "Li+ + e- -> Li"]
)
def test_balanced_reactions_pass(text: str) -> None:
    check_reaction(parse_reaction(text), species=SPECIES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Li -> Li2", "1 Li more on the right"),
        ("Li+ + F- -> Li2", "1 F more on the left; 1 Li more on the right"),
        ("Li + F- -> LiF", "the products have 1 e more. Mend a charge, or add 1 e- to the products"),
        ("Li+ + F -> LiF", "the reactants have 1 e more. Mend a charge, or add 1 e- to the reactants"),
        ("Li + F -> Q", "the reactants couple to multiplicity 1, 3, the products to 5"),
        ("Li + X -> LiX", "names 'X'"),
    ],
)
def test_what_is_left_over_is_told(text: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        check_reaction(parse_reaction(text), species=SPECIES)


def test_the_advice_on_electrons_balances_the_charge() -> None:
    check_reaction(parse_reaction("Li + F- -> LiF + e-"), species=SPECIES)
    check_reaction(parse_reaction("Li+ + F + e- -> LiF"), species=SPECIES)
