"""Species: built in, from files and from SMILES; spins that their electrons do not allow are refused."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from structures.errors import InputError
from structures.species import BUILT_IN, Species, build_from_smiles, build_species, check_species, read_species


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_built_in_species_are_whole(name: str) -> None:
    species = build_species(name)
    assert (species.n_electrons + species.multiplicity) % 2 == 1
    assert name.endswith("+") == (species.charge > 0)
    assert name.endswith("-") == (species.charge < 0)


def test_shipped_tfsi_is_the_anion_of_the_literature() -> None:
    atoms = build_species("TFSI-").atoms
    assert atoms.symbols.formula.count() == {"C": 2, "F": 6, "N": 1, "O": 4, "S": 2}
    nitrogen = int(np.flatnonzero(atoms.symbols == "N")[0])
    sulphurs = np.flatnonzero(atoms.symbols == "S")
    # S-N 1.57 to 1.60 Å and S-N-S about 125° in crystals of TFSI salts; PBE bonds are a little longer.
    assert atoms.get_distances(nitrogen, sulphurs) == pytest.approx([1.60, 1.60], abs=0.05)
    assert atoms.get_angle(int(sulphurs[0]), nitrogen, int(sulphurs[1])) == pytest.approx(125, abs=5)


def test_lithium_sits_between_two_oxygens_of_the_pair() -> None:
    atoms = build_species("LiTFSI").atoms
    distances = atoms.get_distances(len(atoms) - 1, range(len(atoms) - 1))
    nearest = np.argsort(distances)[:2]
    assert atoms.symbols[-1] == "Li"
    assert set(atoms.symbols[nearest]) == {"O"}
    assert distances[nearest] == pytest.approx([1.87, 1.87], abs=0.1)


def test_near_names_are_offered() -> None:
    with pytest.raises(InputError, match="Did you mean LiTFSI"):
        build_species("LTFSI")


def test_smiles_become_molecules() -> None:
    carbonyl = build_from_smiles("CO", smiles="[C-]#[O+]")
    assert carbonyl.atoms.symbols.formula.count() == {"C": 1, "O": 1}
    assert (carbonyl.charge, carbonyl.multiplicity) == (0, 1)
    assert carbonyl.atoms.get_distance(0, 1) == pytest.approx(1.13, abs=0.1)
    anion = build_from_smiles("X", smiles="FC(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F")
    assert (anion.charge, anion.multiplicity, len(anion.atoms)) == (-1, 1, 15)
    again = build_from_smiles("X", smiles="FC(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)F")
    np.testing.assert_array_equal(anion.atoms.positions, again.atoms.positions)


@pytest.mark.parametrize("smiles", ["C1CC", "not a molecule", " "])
def test_broken_smiles_are_named(smiles: str) -> None:
    with pytest.raises(InputError, match="is no SMILES"):
        build_from_smiles("X", smiles=smiles)


def test_files_take_the_lowest_spin(tmp_path: Path) -> None:
    write(tmp_path / "li.xyz", Atoms("Li"))
    assert read_species("Li", path=tmp_path / "li.xyz", charge=0).multiplicity == 2
    assert read_species("Li+", path=tmp_path / "li.xyz", charge=1).multiplicity == 1


@pytest.mark.parametrize(
    ("charge", "multiplicity", "said"),
    [(0, 1, "has 3 electrons, an odd number: it needs 2, 4, 6"), (1, 4, "an even number"), (4, 1, "needs at most .3")],
)
def test_impossible_spins_and_charges_are_refused(charge: int, multiplicity: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_species(Species("Li", Atoms("Li"), charge=charge, multiplicity=multiplicity))


def test_atoms_on_each_other_are_refused() -> None:
    with pytest.raises(InputError, match=r"0.10 Å apart"):
        check_species(Species("LiF", Atoms("LiF", [(0, 0, 0), (0, 0, 0.1)])))
