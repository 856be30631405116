"""Species: built in, from files and from SMILES; spins that their electrons do not allow are refused."""

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.formula import Formula
from ase.io import write
from ase.neighborlist import natural_cutoffs, neighbor_list

from structures.checks import compute_smallest_distance
from structures.errors import InputError
from structures.reaction import check_reaction, parse_reaction
from structures.species import (
    BUILT_IN,
    ELECTRON,
    Species,
    build_from_smiles,
    build_species,
    check_species,
    describe_built_in,
    read_species,
)

TFSI_HALVES = ((11, 1), (7, 4))  # carbon and sulfur on either side of the nitrogen, atom 3


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_built_in_species_are_whole(name: str) -> None:
    species = build_species(name)
    assert (species.n_electrons + species.multiplicity) % 2 == 1
    without_state = re.sub(r"\(.*\)", "", name)
    assert without_state.endswith("+") == (species.charge > 0)
    assert without_state.endswith("-") == (species.charge < 0)
    assert not re.search(r"[\s@/]", name)
    assert parse_reaction(f"{name} + Na -> Cl").coefficients[name] == -1
    distance_A, first, second = compute_smallest_distance(species.atoms)
    hydrogens = [first, second] if len(species.atoms) > 1 else []
    assert distance_A > (0.95 if "H" in species.atoms.symbols[hydrogens] else 1.1)


@pytest.mark.parametrize(
    ("name", "formula", "charge", "multiplicity"),
    [
        ("TFSI-(cis)", "C2F6NO4S2", -1, 1),
        ("SO2CF3-", "CF3SO2", -1, 1),
        ("SO2CF3", "CF3SO2", 0, 2),
        ("NSO2CF3-", "CF3SO2N", -1, 2),
        ("NSO2CF3", "CF3SO2N", 0, 3),
        ("SO2", "SO2", 0, 1),
        ("SO2-", "SO2", -1, 2),
        ("CF3-", "CF3", -1, 1),
        ("CF3", "CF3", 0, 2),
        ("CF2", "CF2", 0, 1),
        ("CF2-", "CF2", -1, 2),
        ("F", "F", 0, 2),
        ("LiF", "LiF", 0, 1),
        ("CO", "CO", 0, 1),
        ("CoPc", "CoC32H16N8", 0, 2),
        ("CoPc-", "CoC32H16N8", -1, 1),
        ("CoPc2", "Co2C64H32N16", 0, 3),
        ("CoPc2(bs)", "Co2C64H32N16", 0, 1),
        ("MIL-node", "Fe3O(CHO2)6(OH)(H2O)", 0, 6),
        ("MIL-node(hs)", "Fe3O(CHO2)6(OH)(H2O)", 0, 16),
        ("MIL-node+", "Fe3O(CHO2)6", 1, 6),
        ("MIL-node(hs)+", "Fe3O(CHO2)6", 1, 16),
        ("NH2-MIL-node", "Fe3O(C7H6NO2)6(OH)(H2O)", 0, 6),
        ("NH2-MIL-node(hs)", "Fe3O(C7H6NO2)6(OH)(H2O)", 0, 16),
        ("VDF-HFP", "H(CH2CF2)2(C3F6)(CH2CF2)H", 0, 1),
    ],
)
def test_built_in_species_have_their_formula(name: str, formula: str, charge: int, multiplicity: int) -> None:
    species = build_species(name)
    assert species.atoms.symbols.formula.count() == Formula(formula).count()
    assert (species.charge, species.multiplicity) == (charge, multiplicity)


def test_every_built_in_species_has_a_meaning_and_every_file_a_species() -> None:
    described = describe_built_in()
    assert list(described) == list(BUILT_IN)
    assert all(described.values())
    shipped = {path.name for path in files("structures").joinpath("molecules").iterdir() if path.name.endswith(".xyz")}
    assert shipped == {entry.file for entry in BUILT_IN.values() if entry.file}
    for file in shipped:
        comment = files("structures").joinpath("molecules").joinpath(file).read_text().splitlines()[1]
        assert comment.startswith(file.removesuffix(".xyz"))
        assert re.search(r"GPAW|PySCF|RDKit", comment)


@pytest.mark.parametrize(
    "text",
    [
        "TFSI- + e- -> SO2CF3- + NSO2CF3-",
        "TFSI- -> SO2CF3 + NSO2CF3-",
        "NSO2CF3 + e- -> NSO2CF3-",
        "SO2CF3- -> SO2 + CF3-",
        "SO2CF3- + e- -> SO2- + CF3-",
        "SO2CF3 -> SO2 + CF3",
        "CF3- -> CF2 + F-",
        "CF3- + e- -> CF2- + F-",
        "CF3 + e- -> CF3-",
        "F + e- -> F-",
        "Li+ + F- -> LiF",
        "TFSI- -> TFSI-(cis)",
        "2 CoPc -> CoPc2",
        "2 CoPc -> CoPc2(bs)",
        "MIL-node -> MIL-node(hs)",
    ],
)
def test_steps_of_the_decomposition_balance(text: str) -> None:
    reaction = parse_reaction(text)
    species = {name: build_species(name) for name in reaction.coefficients if name != ELECTRON}
    if text == "MIL-node -> MIL-node(hs)":
        with pytest.raises(InputError, match="cannot conserve spin"):
            check_reaction(reaction, species=species)
    else:
        check_reaction(reaction, species=species)


@pytest.mark.parametrize(
    ("name", "arrangement", "element", "moments"),
    [
        ("CoPc", "cobalt", "Co", [1]),
        ("CoPc2", "parallel", "Co", [1, 1]),
        ("CoPc2(bs)", "antiparallel", "Co", [1, -1]),
        ("MIL-node", "up-up-down", "Fe", [5, 5, -5]),
        ("MIL-node", "up-down-up", "Fe", [5, -5, 5]),
        ("MIL-node", "down-up-up", "Fe", [-5, 5, 5]),
        ("MIL-node+", "up-up-down", "Fe", [5, 5, -5]),
        ("MIL-node(hs)", "ferromagnetic", "Fe", [5, 5, 5]),
        ("MIL-node(hs)+", "ferromagnetic", "Fe", [5, 5, 5]),
        ("NH2-MIL-node", "up-up-down", "Fe", [5, 5, -5]),
        ("NH2-MIL-node(hs)", "ferromagnetic", "Fe", [5, 5, 5]),
    ],
)
def test_spins_start_on_the_metals(name: str, arrangement: str, element: str, moments: list[float]) -> None:
    species = build_species(name)
    found = np.array(species.starting_moments[arrangement])
    assert found.shape == (len(species.atoms),)
    on_metal = species.atoms.symbols == element
    np.testing.assert_array_equal(found[on_metal], moments)
    assert not found[~on_metal].any()
    assert found.sum() == species.multiplicity - 1


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ((1.0,), "has 1 moments, needs 2: give one for each atom"),
        ((1.0, 1.0), "adds up to 2 μB, needs 0 for multiplicity 1"),
        ((float("nan"), 0.0), "adds up to nan μB"),
    ],
)
def test_moments_that_do_not_fit_are_refused(moments: tuple[float, ...], said: str) -> None:
    pair = Species("Li2", Atoms("Li2", [(0, 0, 0), (0, 0, 2.7)]), starting_moments={"up-down": (1.0, -1.0)})
    assert check_species(pair) is pair
    wrong = Species("Li2", pair.atoms, starting_moments={"up-down": moments})
    with pytest.raises(InputError, match=rf"starting_moments.up-down {said}"):
        check_species(wrong)


# Geometries of the free molecules from experiment: NIST CCCBDB, 10.18434/T47C7Z. PBE bonds are 1 % longer, and those of
# sulfur 4 % in a basis of double-zeta quality.
@pytest.mark.parametrize(
    ("name", "bond_A", "angle"),
    [
        ("LiF", 1.564, None),
        ("CO", 1.128, None),
        ("CF2", 1.300, 104.9),
        ("CF3", 1.318, 110.7),
        ("SO2", 1.431, 119.3),
    ],
)
def test_small_molecules_have_their_measured_geometry(name: str, bond_A: float, angle: float | None) -> None:
    atoms = build_species(name).atoms
    assert atoms.get_distances(0, range(1, len(atoms))) == pytest.approx([1.02 * bond_A] * (len(atoms) - 1), rel=0.02)
    if angle is not None:
        assert atoms.get_angle(1, 0, 2) == pytest.approx(angle, abs=1.5)


@pytest.mark.parametrize("name", ["CF2", "CF3", "SO2"])
def test_an_electron_more_lengthens_bonds(name: str) -> None:
    neutral, anion = build_species(name).atoms, build_species(f"{name}-").atoms
    assert (anion.get_distances(0, [1, 2]) > 1.03 * neutral.get_distances(0, [1, 2])).all()
    assert anion.get_angle(1, 0, 2) < neutral.get_angle(1, 0, 2) - 2


@pytest.mark.parametrize("name", ["SO2CF3-", "SO2CF3", "NSO2CF3-", "NSO2CF3"])
def test_halves_of_tfsi_hold_together(name: str) -> None:
    atoms = build_species(name).atoms
    sulfur = int(np.flatnonzero(atoms.symbols == "S")[0])
    bonds = dict.fromkeys("CNO", 0.0)
    for index, symbol in enumerate(atoms.symbols):
        if symbol in bonds:
            bonds[symbol] = max(bonds[symbol], float(atoms.get_distance(sulfur, index)))
    assert 1.42 < bonds["O"] < 1.53
    assert 1.80 < bonds["C"] < 2.05
    assert not bonds["N"] or 1.45 < bonds["N"] < 1.75


def test_conformers_of_tfsi_are_transoid_and_cisoid() -> None:
    # Global minimum C2 and local minimum C1: 10.1021/jp0612477; C-S···S-C about 170° and 40°.
    torsions = []
    for name in ("TFSI-", "TFSI-(cis)"):
        atoms = build_species(name).atoms
        assert "".join(atoms.symbols[[1, 3, 4, 7, 11]]) == "SNSCC"
        (left, first), (right, second) = TFSI_HALVES
        torsions.append(180 - abs(180 - float(atoms.get_dihedral(left, first, second, right))))
        assert atoms.get_distances(3, [1, 4]) == pytest.approx([1.60, 1.60], abs=0.05)
        assert atoms.get_angle(1, 3, 4) == pytest.approx(124, abs=6)
    assert torsions == pytest.approx([170, 40], abs=10)


def test_oligomer_has_the_bonds_of_its_monomers() -> None:
    atoms = build_species("VDF-HFP").atoms
    first, second = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=1.15))
    bonds = ["".join(sorted((atoms.symbols[i], atoms.symbols[j]))) for i, j in zip(first, second, strict=True) if i < j]
    assert {bond: bonds.count(bond) for bond in bonds} == {"CC": 8, "CF": 12, "CH": 8}
    on_carbon = [
        "".join(sorted(atoms.symbols[second[first == carbon]])) for carbon in np.flatnonzero(atoms.symbols == "C")
    ]
    assert sorted(on_carbon) == sorted(["CHHH", "CCFF", "CCHH", "CCFF", "CCFF", "CCCF", "CFFF", "CCHH", "CFFH"])


def test_shipped_tfsi_is_the_anion_of_the_literature() -> None:
    atoms = build_species("TFSI-").atoms
    assert atoms.symbols.formula.count() == {"C": 2, "F": 6, "N": 1, "O": 4, "S": 2}
    nitrogen = int(np.flatnonzero(atoms.symbols == "N")[0])
    sulfurs = np.flatnonzero(atoms.symbols == "S")
    # S-N 1.57 to 1.60 Å and S-N-S about 125° in crystals of TFSI salts; PBE bonds are a little longer.
    assert atoms.get_distances(nitrogen, sulfurs) == pytest.approx([1.60, 1.60], abs=0.05)
    assert atoms.get_angle(int(sulfurs[0]), nitrogen, int(sulfurs[1])) == pytest.approx(125, abs=5)


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


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("*F", "in which an atom is a wildcard"),
        ("[Na+].[Cl-]", "names 2 molecules or ions, needs one"),
        ("O.O.O", "names 3 molecules or ions"),
    ],
)
def test_smiles_of_anything_but_one_molecule_are_refused(smiles: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        build_from_smiles("X", smiles=smiles)


def test_a_molecule_comes_out_of_its_periodic_cell(tmp_path: Path) -> None:
    water = Atoms("OH2", [(0, 0, 0), (0.76, 0.59, 0), (-0.76, 0.59, 0)], cell=[8, 9, 10], pbc=True)
    shifted = water.copy()
    shifted.positions += (7.9, 4, 4)  # across the wall, but whole
    for name, atoms in (("water.vasp", water), ("water.extxyz", shifted)):
        whole = atoms.copy()
        if name.endswith("vasp"):
            whole.center()
        write(tmp_path / name, whole)
        one = read_species("H2O", path=tmp_path / name, charge=0)
        assert not one.atoms.pbc.any()
        assert one.atoms.cell.rank == 0
        assert one.source == f"{name}, without its periodic cell"
        np.testing.assert_allclose(one.atoms.get_all_distances(), water.get_all_distances(), atol=1e-6)


def test_what_goes_on_through_the_boundary_is_no_molecule(tmp_path: Path) -> None:
    water = Atoms("OH2", [(0, 4, 4), (0.76, 4.59, 4), (7.24, 4.59, 4)], cell=[8, 9, 10], pbc=True)
    for name, atoms, n_bonds in (("cut", water, 1), ("crystal", bulk("Cu", cubic=True), 18)):
        write(tmp_path / f"{name}.extxyz", atoms)
        with pytest.raises(InputError, match=rf"species\.{name}\.file: \d+ bonds run through") as caught:
            read_species(name, path=tmp_path / f"{name}.extxyz", charge=0)
        assert f": {n_bonds} bonds" in str(caught.value)  # fcc: 24 in a cube, of which 6 are inside


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
