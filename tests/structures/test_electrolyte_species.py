"""Ions, solvents and salts by name."""

import numpy as np
import pytest
from ase.formula import Formula

from structures.electrolyte_species import ANIONS, CATIONS, SOLVENTS, build_electrolyte_species, build_salt
from structures.errors import InputError


@pytest.mark.parametrize(
    ("name", "formula", "charge"),
    [
        ("Li+", "Li", 1),
        ("K+", "K", 1),
        ("TFSI-", "C2F6NO4S2", -1),
        ("FSI-", "F2NO4S2", -1),
        ("PF6-", "PF6", -1),
        ("BF4-", "BF4", -1),
        ("NO3-", "NO3", -1),
        ("DME", "C4H10O2", 0),
        ("DOL", "C3H6O2", 0),
        ("diglyme", "C6H14O3", 0),
        ("EC", "C3H4O3", 0),
        ("PC", "C4H6O3", 0),
        ("DMC", "C3H6O3", 0),
        ("EMC", "C4H8O3", 0),
        ("DEC", "C5H10O3", 0),
        ("SO2", "SO2", 0),
    ],
)
def test_formulas_and_charges(name: str, formula: str, charge: int) -> None:
    species = build_electrolyte_species(name)
    assert species.name == name
    assert species.atoms.symbols.formula.count() == Formula(formula).count()
    assert (species.charge, species.multiplicity) == (charge, 1)


@pytest.mark.parametrize("cation", CATIONS)
@pytest.mark.parametrize("anion", ANIONS)
def test_salts_are_neutral(cation: str, anion: str) -> None:
    salt = build_salt(f"{cation}{anion}")
    assert [(species.name, number) for species, number in salt.ions] == [(f"{cation}+", 1), (f"{anion}-", 1)]
    assert sum(species.charge * number for species, number in salt.ions) == 0


# Usual lengths in crystals of the salts, in Å; UFF's are too long.
@pytest.mark.parametrize(("name", "bond_A"), [("PF6-", 1.60), ("NO3-", 1.25), ("BF4-", 1.39)])
def test_bonds_are_within_what_is_said_of_them(name: str, bond_A: float) -> None:
    atoms = build_electrolyte_species(name).atoms
    centre = int(np.argmin(atoms.get_all_distances().sum(axis=0)))
    lengths_A = np.delete(atoms.get_distances(centre, range(len(atoms))), centre)
    assert (np.abs(lengths_A - bond_A) < 0.15).all()


def test_same_name_same_geometry() -> None:
    first, again = (build_electrolyte_species("EC").atoms.positions for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DMEE", "Did you mean DME"),
        ("PF6", "Did you mean PF6-"),
        ("Rb+", "no ion or solvent 'Rb"),
        ("", "no ion"),
    ],
)
def test_unknown_names_are_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        build_electrolyte_species(name)


@pytest.mark.parametrize("name", ["LiX", "TFSI", "Li", "RbTFSI", "LiDME"])
def test_unknown_salts_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="There is no salt"):
        build_salt(name)


def test_every_solvent_is_built() -> None:
    assert all(build_electrolyte_species(name).charge == 0 for name in SOLVENTS)
