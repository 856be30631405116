"""Formal charges by neutrality; Tasker's classes of textbook surfaces."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

from structures.crystal_planes import Miller
from structures.errors import InputError
from structures.formal_charges import find_charges, find_tasker_type, guess_formal_charges

PEROVSKITE = Atoms(
    "SrTiO3",
    scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
    cell=[3.905] * 3,
    pbc=True,
)
CORUNDUM = crystal(
    ["Al", "O"], [(0, 0, 0.352), (0.306, 0, 0.25)], spacegroup=167, cellpar=[4.759, 4.759, 12.991, 90, 90, 120]
)


@pytest.mark.parametrize(
    ("formula", "charges"),
    [
        ("TiN", {"Ti": 3, "N": -3}),
        ("Li2O2", {"Li": 1, "O": -1}),
        ("Fe3O4", {"Fe": 8 / 3, "O": -2}),
        ("LiPF6", {"Li": 1, "P": 5, "F": -1}),
        ("Li2CO3", {"Li": 1, "C": 4, "O": -2}),
        ("LiOH", {"Li": 1, "O": -2, "H": 1}),
        ("LiH", {"Li": 1, "H": -1}),
        ("K3Bi", None),
        ("K3Sb", {"K": 1, "Sb": -3}),
        ("SO2", {"S": 4, "O": -2}),
        ("ZrN", {"Zr": 3, "N": -3}),
        ("Bi2Te3", {"Bi": 3, "Te": -2}),
        ("BiSnSb", None),
        ("Li", None),
        ("CuAu", None),
    ],
)
def test_charges_of_known_compounds(formula: str, charges: dict[str, float] | None) -> None:
    assert guess_formal_charges(Atoms(formula).symbols.formula.count()) == charges


def test_charges_that_neutrality_leaves_open_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"charges of Ni and Mn .*Give them all"):
        guess_formal_charges({"Li": 2, "Ni": 1, "Mn": 3, "O": 8})


def test_given_charges_are_checked() -> None:
    salt = bulk("NaCl", "rocksalt", a=5.64)
    values = find_charges(salt, charges={"Na": 0.9, "Cl": -0.9})
    assert values is not None
    np.testing.assert_array_equal(values, np.array([0.9, -0.9]))
    with pytest.raises(InputError, match=r"add up to \+1 e"):
        find_charges(salt, charges={"Na": 2, "Cl": -1})
    with pytest.raises(InputError, match="charges has no Cl"):
        find_charges(salt, charges={"Na": 1})


@pytest.mark.parametrize(
    ("atoms", "miller", "expected"),
    [
        (bulk("NaCl", "rocksalt", a=5.64, cubic=True), (0, 0, 1), 1),
        (bulk("NaCl", "rocksalt", a=5.64, cubic=True), (1, 1, 0), 1),
        (bulk("MgO", "rocksalt", a=4.21, cubic=True), (0, 0, 1), 1),
        (bulk("MgO", "rocksalt", a=4.21, cubic=True), (1, 1, 1), 3),
        (bulk("TiN", "rocksalt", a=4.24, cubic=True), (0, 0, 1), 1),
        (bulk("TiN", "rocksalt", a=4.24, cubic=True), (1, 1, 1), 3),
        (bulk("CaF2", "fluorite", a=5.46, cubic=True), (0, 0, 1), 3),
        (bulk("CaF2", "fluorite", a=5.46, cubic=True), (1, 1, 0), 1),
        (bulk("CaF2", "fluorite", a=5.46, cubic=True), (1, 1, 1), 2),
        (bulk("ZnO", "wurtzite", a=3.25, c=5.2), (0, 0, 1), 3),
        (bulk("ZnO", "wurtzite", a=3.25, c=5.2), (1, 0, 0), 1),
        (PEROVSKITE, (0, 0, 1), 1),
        (PEROVSKITE, (1, 1, 0), 3),
        (CORUNDUM, (0, 0, 1), 2),
        (bulk("Cu", cubic=True), (1, 1, 1), None),
        (bulk("CuAu", "rocksalt", a=4), (1, 1, 1), None),
    ],
)
def test_textbook_surfaces_have_their_tasker_type(atoms: Atoms, miller: Miller, expected: int | None) -> None:
    assert find_tasker_type(atoms, miller=miller) == expected


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's to pymatgen
@pytest.mark.parametrize(
    ("name", "miller"),
    [
        *[
            (name, miller)
            for name in ("TiN", "CaF2", "Al2O3")
            for miller in ((0, 0, 1), (1, 1, 0), (0, 1, 2), (1, 0, 4))
        ],
        *[(name, miller) for name in ("TiN", "CaF2") for miller in ((1, 1, 1), (2, 1, 0), (2, 1, 1))],
        ("Al2O3", (1, 1, 3)),
    ],
)
def test_pymatgen_finds_the_same_polarity(name: str, miller: Miller) -> None:
    surface = pytest.importorskip("pymatgen.core.surface", reason="pip install pymatgen")
    adaptor = pytest.importorskip("pymatgen.io.ase", reason="pip install pymatgen").AseAtomsAdaptor
    atoms = {
        "TiN": bulk("TiN", "rocksalt", a=4.24, cubic=True),
        "CaF2": bulk("CaF2", "fluorite", a=5.46, cubic=True),
        "Al2O3": CORUNDUM,
    }[name]
    charges = {"TiN": {"Ti": 3, "N": -3}, "CaF2": {"Ca": 2, "F": -1}, "Al2O3": {"Al": 3, "O": -2}}[name]
    structure = adaptor.get_structure(atoms)
    structure.add_oxidation_state_by_element(charges)
    slabs = surface.SlabGenerator(structure, miller, 12, 15, primitive=True, center_slab=True).get_slabs(ftol=0.3)
    assert (find_tasker_type(atoms, miller=miller) == 3) == all(slab.is_polar() for slab in slabs)
