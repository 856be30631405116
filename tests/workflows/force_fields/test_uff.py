"""UFF term by term against its equations and against RDKit; types by environment; the iron node of UFF4MOF."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.units import kcal, mol
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from structures.errors import InputError
from structures.species import build_from_smiles, build_species
from tests.workflows.force_fields.topology_energy import compute_energies, compute_forces
from workflows.force_fields.topology import TermType, Topology, read_topology, write_topology
from workflows.force_fields.uff import WITHOUT_CHARGES, type_with_uff
from workflows.force_fields.uff_parameters import find_types_of_element, get_uff_atom, read_uff_table
from workflows.force_fields.uff_terms import KCAL_PER_MOL_EV, compute_bond_length, find_bonds
from workflows.force_fields.uff_typing import UffTyping, type_atoms

KCAL = kcal / mol
# Molecules whose types and forms are RDKit's too (bond orders of nitro groups and amides are set to RDKit's).
SAME = [
    "CC", "C=C", "C=CC", "C#C", "CC#N", "C=CC=C", "c1ccccc1", "c1ccncc1", "c1cc[nH]c1", "O", "CO", "COC", "COCCOC",
    "C1CCOC1", "C1COCO1", "CC=O", "CC(C)=O", "CC(=O)N", "Nc1ccccc1", "CN", "NN", "OO", "CS", "CSSC", "CS(=O)C",
    "CS(=O)(=O)C", "CP", "C[Si](C)(C)C", "FC(F)(F)C", "C=C(F)F", "CCl", "CB(C)C", "O=C=O", "C[N+](=O)[O-]",
]  # fmt: skip
# Molecules with O_R, S_R or N_2 between two bonds: their natural angles are 110, 92.2 and 111.2 degrees, which RDKit
# passes over for the cosine of 120; and with an oxygen of two bonds at a trigonal carbon, a carbonyl to RDKit.
BENT = ["CC(=O)O", "OC=O", "C1COC(=O)O1", "COC(=O)OC", "Oc1ccccc1", "c1ccoc1", "c1ccsc1", "CN=C"]


def embed(smiles: str, *, seed: int = 1) -> tuple[Chem.Mol, Atoms]:
    """A molecule at its UFF minimum, in RDKit and as atoms."""
    mol_ = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert rdDistGeom.EmbedMolecule(mol_, randomSeed=seed) == 0
    rdForceFieldHelpers.UFFOptimizeMolecule(mol_)
    symbols = [atom.GetSymbol() for atom in mol_.GetAtoms()]
    return mol_, Atoms(symbols, positions=mol_.GetConformer().GetPositions())


def type_like_rdkit(mol_: Chem.Mol, atoms: Atoms) -> UffTyping:
    """Our types, with RDKit's Kekulé bond orders, and its O_R for double-bonded oxygen in conjugation."""
    typing = type_atoms(atoms)
    rdkit_orders = {
        tuple(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))): bond.GetBondTypeAsDouble()
        for bond in mol_.GetBonds()
    }
    conjugated = {
        atom.GetIdx()
        for atom in mol_.GetAtoms()
        if atom.GetSymbol() == "O" and any(bond.GetIsConjugated() for bond in atom.GetBonds())
    }
    return replace(
        typing,
        orders=np.array([rdkit_orders[tuple(bond)] for bond in typing.graph.bonds.tolist()]),
        types=tuple("O_R" if atom in conjugated else name for atom, name in enumerate(typing.types)),
    )


def shake(mol_: Chem.Mol, atoms: Atoms) -> Any:  # noqa: ANN401 (RDKit's force field)
    """Move all atoms in both; RDKit's force field there, its van der Waals without cut-off."""
    atoms.positions += np.random.default_rng(0).normal(scale=0.05, size=(len(atoms), 3))
    for index, position in enumerate(atoms.positions):
        mol_.GetConformer().SetAtomPosition(index, position.tolist())
    return rdForceFieldHelpers.UFFGetMoleculeForceField(mol_, vdwThresh=1e6)


def bend_like_rdkit(of: TermType) -> TermType:
    if of.form == "fourier" and of.label.split("-")[1] in {"O_R", "S_R", "N_2"}:
        return replace(of, form="cosine", coefficients=(of.coefficients[0] / 9, -1.0, 3.0))
    if of.form == "inversion" and of.label.startswith("C_R") and "O_R" in of.label:
        return replace(of, coefficients=(50 * KCAL, 1.0, -1.0, 0.0))
    return of


def change_terms(topology: Topology) -> Topology:
    angles, impropers = (
        replace(terms, types=tuple(bend_like_rdkit(of) for of in terms.types))
        for terms in (topology.angles, topology.impropers)
    )
    return replace(topology, angles=angles, impropers=impropers)


@pytest.mark.parametrize("smiles", SAME)
def test_energy_and_forces_are_those_of_rdkit(smiles: str) -> None:
    mol_, atoms = embed(smiles)
    topology = type_with_uff(atoms, typing=type_like_rdkit(mol_, atoms))
    force_field = shake(mol_, atoms)
    energy = sum(compute_energies(topology, positions_A=atoms.positions).values())
    assert energy == pytest.approx(force_field.CalcEnergy() * KCAL, rel=1e-9)
    if len(atoms) <= 10:
        forces = -np.reshape(force_field.CalcGrad(), (-1, 3)) * KCAL
        found = compute_forces(topology, positions_A=atoms.positions)
        np.testing.assert_allclose(found, forces, rtol=0, atol=2e-6 * np.abs(forces).max())


@pytest.mark.parametrize("smiles", BENT)
def test_bent_resonant_atoms_differ_from_rdkit_by_their_natural_angle_alone(smiles: str) -> None:
    mol_, atoms = embed(smiles)
    topology = type_with_uff(atoms, typing=type_like_rdkit(mol_, atoms))
    expected = shake(mol_, atoms).CalcEnergy() * KCAL
    ours = sum(compute_energies(topology, positions_A=atoms.positions).values())
    changed = sum(compute_energies(change_terms(topology), positions_A=atoms.positions).values())
    assert changed == pytest.approx(expected, rel=1e-9)
    assert abs(ours / expected - 1) > 1e-3


@pytest.mark.parametrize("smiles", ["CC(=O)N", "C1COC(=O)O1", "Nc1ccccc1", "CC#N", "CS(=O)(=O)C"])
def test_parameters_of_each_term_are_those_of_rdkit(smiles: str) -> None:
    mol_, atoms = embed(smiles)
    topology = type_with_uff(atoms, typing=type_like_rdkit(mol_, atoms))
    for members, row in zip(topology.bonds.atoms.tolist(), topology.bonds.kinds, strict=True):
        stiffness, length_A = rdForceFieldHelpers.GetUFFBondStretchParams(mol_, *members)
        assert topology.bonds.types[row].coefficients == pytest.approx((stiffness * KCAL, length_A), rel=1e-9)
    for members, row in zip(topology.angles.atoms.tolist(), topology.angles.kinds, strict=True):
        stiffness, _ = rdForceFieldHelpers.GetUFFAngleBendParams(mol_, *members)
        of = topology.angles.types[row]
        scale = of.coefficients[2] ** 2 if of.form == "cosine" else 1
        assert of.coefficients[0] * scale == pytest.approx(stiffness * KCAL, rel=1e-9)
    middles = [tuple(sorted(members[1:3])) for members in topology.dihedrals.atoms.tolist()]
    for members, middle, row in zip(topology.dihedrals.atoms.tolist(), middles, topology.dihedrals.kinds, strict=True):
        barrier = rdForceFieldHelpers.GetUFFTorsionParams(mol_, *members)
        height = 2 * topology.dihedrals.types[row].coefficients[0] * middles.count(middle)
        assert height == pytest.approx(barrier * KCAL, rel=1e-9)
    for first in range(len(atoms)):
        for second in range(first):
            distance_A, well = rdForceFieldHelpers.GetUFFVdWParams(mol_, first, second)
            one, other = topology.types_of_atoms[first], topology.types_of_atoms[second]
            assert math.sqrt(one.sigma_A * other.sigma_A) * 2 ** (1 / 6) == pytest.approx(distance_A, rel=1e-9)
            assert math.sqrt(one.epsilon_eV * other.epsilon_eV) == pytest.approx(well * KCAL, rel=1e-9)


def test_natural_bond_lengths_follow_the_equation() -> None:
    carbon, oxygen = get_uff_atom("C_3"), get_uff_atom("O_3")
    assert compute_bond_length(carbon, carbon, order=1) == pytest.approx(2 * 0.757, rel=1e-12)
    assert compute_bond_length(carbon, carbon, order=2) == pytest.approx(1.514 * (1 - 0.1332 * math.log(2)), rel=1e-12)
    shrink = 0.757 * 0.658 * (math.sqrt(5.343) - math.sqrt(8.741)) ** 2 / (5.343 * 0.757 + 8.741 * 0.658)
    assert compute_bond_length(carbon, oxygen, order=1) == pytest.approx(0.757 + 0.658 - shrink, rel=1e-12)
    nitrogen, carbonyl = get_uff_atom("N_R"), get_uff_atom("C_R")
    # Measured in formamide, 10.1016/0022-2852(74)90268-8: 1.352 Å.
    assert compute_bond_length(nitrogen, carbonyl, order=1.41) == pytest.approx(1.352, abs=0.01)


def test_angles_rest_at_their_natural_angle_with_their_stiffness() -> None:
    for name, natural_deg, neighbours in (("H2O", 104.51, 2), ("NH3", 106.7, 3), ("CH4", 109.47, 4)):
        topology = type_with_uff(molecule(name))
        (of,) = topology.angles.types
        k, c0, c1, c2 = of.coefficients
        angles = np.radians(np.array([-0.01, 0.0, 0.01]) + natural_deg)
        energies = k * (c0 + c1 * np.cos(angles) + c2 * np.cos(2 * angles))
        assert energies[1] == pytest.approx(0, abs=1e-10)  # coefficients have twelve digits
        curvature = (energies[0] - 2 * energies[1] + energies[2]) / math.radians(0.01) ** 2
        assert curvature == pytest.approx(k, rel=1e-3)
        assert len(topology.angles) == neighbours * (neighbours - 1) / 2


@pytest.mark.parametrize(
    ("smiles", "heavy", "orders"),
    [
        ("CC(=O)N", "C_3 C_R O_2 N_R", {1.0, 1.41, 2.0}),
        ("CC(=O)[O-]", "C_3 C_R O_2 O_2", {1.0, 1.5}),
        ("CC(=O)O", "C_3 C_R O_2 O_R", {1.0, 2.0}),
        ("Nc1ccccc1", "N_R C_R C_R C_R C_R C_R C_R", {1.0, 1.5}),
        ("O=C1C=CC(=O)C=C1", "O_2 C_R C_R C_R C_R O_2 C_R C_R", {1.0, 2.0}),
        ("Cn1cc[n+](C)c1", "C_3 N_R C_R C_R N_R C_3 C_R", {1.0, 1.5}),
        ("NC(=[NH2+])N", "N_R C_R N_R N_R", {1.0, 4 / 3}),
        ("O=[N+]([O-])[O-]", "O_2 N_R O_2 O_2", {4 / 3}),
        ("C#CC#C", "C_1 C_1 C_1 C_1", {1.0, 3.0}),
        ("CN=C", "C_3 N_2 C_2", {1.0, 2.0}),
        ("c1ccsc1", "C_R C_R C_R S_R C_R", {1.0, 1.5}),
        ("CS(=O)C", "C_3 S_3+4 O_2 C_3", {1.0, 2.0}),
        ("[O-]P(=O)([O-])OC", "O_2 P_3+5 O_2 O_2 O_3 C_3", {1.0, 4 / 3}),
        ("F[B-](F)(F)F", "F_ B_3 F_ F_ F_", {1.0}),
    ],
)
def test_types_and_bond_orders_follow_from_the_surroundings(smiles: str, heavy: str, orders: set[float]) -> None:
    typing = type_atoms(build_from_smiles("probe", smiles=smiles).atoms)
    assert " ".join(name for name in typing.types if name != "H_") == heavy
    assert {round(float(order), 6) for order in typing.orders} == {round(order, 6) for order in orders}


def test_carbon_monoxide_has_a_triple_bond_and_a_carbene_is_told() -> None:
    typing = type_atoms(build_species("CO").atoms)
    assert set(typing.types) == {"C_1", "O_1"}
    assert typing.orders.tolist() == [3.0]
    carbene = type_atoms(build_species("CF2").atoms)
    assert carbene.notes == (
        "UFF: no partner for a double bond at C0 (radical or carbene): its bonds count as single.",
    )


def test_the_imide_has_sulfonyl_groups_and_lithium_is_alone() -> None:
    typing = type_atoms(build_species("LiTFSI").atoms)
    counts = {name: typing.types.count(name) for name in typing.types}
    assert counts == {"Li": 1, "N_R": 1, "S_3+6": 2, "O_2": 4, "C_3": 2, "F_": 6}
    assert not typing.graph.neighbours[typing.types.index("Li")]


def test_every_atom_of_the_iron_node_is_typed_with_bonds_of_the_measured_length() -> None:
    node = build_species("NH2-MIL-node").atoms
    typing = type_atoms(node)
    counts = {name: typing.types.count(name) for name in typing.types}
    assert counts == {"Fe6+3": 3, "O_2_z": 1, "O_2": 12, "O_3": 2, "C_R": 42, "N_R": 6, "H_": 39}
    bonds = find_bonds(typing)
    iron = {of.label: of.coefficients[1] for of in bonds.types if "Fe" in of.label and "O_3" not in of.label}
    # Measured in basic iron(III) carboxylates: 1.92 to the oxide, 2.01 to carboxylates.
    assert iron["Fe6+3-O_2_z"] == pytest.approx(1.943, abs=1e-3)
    assert iron["Fe6+3-O_2"] == pytest.approx(2.052, abs=1e-3)
    ends = sorted(of.coefficients[1] for of in bonds.types if of.label == "Fe6+3-O_3")
    assert ends == pytest.approx([1.894, 2.077], abs=1e-3)  # hydroxide 1.86, water 2.08 Å
    assert typing.describe()["Fe6+3"].startswith("1 octahedral with 5 neighbours, not Fe6+2")


def test_the_phthalocyanine_is_aromatic_with_square_cobalt() -> None:
    typing = type_atoms(build_species("CoPc").atoms)
    assert {name: typing.types.count(name) for name in typing.types} == {"Co4+2": 1, "N_R": 8, "C_R": 32, "H_": 16}
    inner = [
        order
        for bond, order in zip(typing.graph.bonds, typing.orders, strict=True)
        if "Co4+2" not in {typing.types[bond[0]], typing.types[bond[1]]}
        and "H_" not in {typing.types[bond[0]], typing.types[bond[1]]}
    ]
    assert set(inner) == {1.5}


def build_oxide(*, metals: int, height_A: float) -> Atoms:
    """An oxygen with zirconium round it, above their plane."""
    angles = 2 * np.pi * np.arange(metals) / metals
    corners = 2.1 * np.stack([np.cos(angles), np.sin(angles), np.zeros(metals)], axis=1)
    return Atoms("O" + "Zr" * metals, positions=[(0, 0, height_A), *corners])


def test_oxides_of_three_metals_are_told_apart_by_their_height() -> None:
    fixed = {"Zr": "Zr8f4"}
    assert type_atoms(build_oxide(metals=3, height_A=0.0), overrides=fixed).types[0] == "O_2_z"
    assert type_atoms(build_oxide(metals=3, height_A=0.8), overrides=fixed).types[0] == "O_3_f"


def test_types_do_not_depend_on_where_and_how_the_atoms_lie() -> None:
    node = build_species("MIL-node").atoms
    order = np.random.default_rng(2).permutation(len(node))
    turned = node[order]
    turned.rotate(40, (1, 2, 3))
    turned.translate((3, -2, 1))
    assert type_atoms(turned).types == tuple(type_atoms(node).types[index] for index in order)
    boxed = node.copy()
    boxed.center(vacuum=4)
    boxed.pbc = True
    boxed.translate(boxed.cell.sum(axis=0) / 2)
    boxed.wrap()
    alone, through_boundaries = (find_bonds(type_atoms(one)) for one in (node, boxed))
    np.testing.assert_array_equal(through_boundaries.atoms, alone.atoms)
    assert through_boundaries.types == alone.types


def test_a_metal_has_van_der_waals_terms_alone() -> None:
    slab = bulk("Li", "bcc", a=3.44, cubic=True) * (3, 3, 2)
    for bonded in (True, False):
        topology = type_with_uff(slab, bonded=bonded)
        assert [of.name for of in topology.atom_types] == ["Li"]
        assert not len(topology.bonds)
    assert topology.atom_types[0].epsilon_eV == pytest.approx(0.025 * KCAL_PER_MOL_EV, rel=1e-12)
    assert topology.atom_types[0].sigma_A == pytest.approx(2.451 / 2 ** (1 / 6), rel=1e-12)
    assert topology.atom_types[0].mass_u == pytest.approx(6.94, abs=0.001)


def test_a_rigid_layer_has_no_bonded_terms_and_is_one_molecule() -> None:
    node = build_species("MIL-node").atoms
    topology = type_with_uff(node, bonded=False, charges_e=np.linspace(-1, 1, len(node)), charge_scale=0.5)
    assert not any(len(topology.terms(kind)) for kind in ("bonds", "angles", "dihedrals", "impropers"))
    assert set(topology.molecules) == {0}
    assert topology.charges_e[-1] == 0.5
    assert WITHOUT_CHARGES not in topology.notes


def test_a_rigid_crystal_needs_no_type_for_its_surroundings() -> None:
    nitride = bulk("TiN", "rocksalt", a=4.24)
    with pytest.raises(InputError, match="more than once"):
        type_with_uff(nitride)
    with pytest.raises(InputError, match=r"N, sp3 with 6 neighbours: .* has no type"):
        type_atoms(nitride.repeat((4, 4, 4)))
    topology = type_with_uff(nitride, bonded=False)
    assert [of.name for of in topology.types_of_atoms] == ["Ti6+4", "N_3"]
    assert topology.notes[0] == ("UFF: N, sp3 with 6 neighbours, has no type; N_3 has its van der Waals terms.")


def build_paddle_wheel(metal: str) -> Atoms:
    """Two metals 2.64 Å apart, held by four carboxylates."""
    blade = Atoms("OOCH", positions=[(1.96, 0, 1.1), (1.96, 0, -1.1), (2.55, 0, 0), (3.65, 0, 0)])
    atoms = Atoms([metal] * 2, positions=[(0, 0, 1.32), (0, 0, -1.32)])
    for turn in range(4):
        turned = blade.copy()
        turned.rotate(90 * turn, "z")
        atoms += turned
    return atoms


@pytest.mark.parametrize(("metal", "expected"), [("Cu", "Cu4+2"), ("Zn", "Zn4+2"), ("Fe", "Fe4+2")])
def test_paddle_wheels_have_square_metals_and_a_quarter_bond(metal: str, expected: str) -> None:
    typing = type_atoms(build_paddle_wheel(metal))
    assert typing.types == (expected, expected, *("O_2", "O_2", "C_R", "H_") * 4)
    orders = {
        frozenset(typing.types[atom] for atom in bond): order
        for bond, order in zip(typing.graph.bonds.tolist(), typing.orders, strict=True)
    }
    assert orders[frozenset({expected})] == 0.25
    assert orders[frozenset({expected, "O_2"})] == 0.5
    assert orders[frozenset({"C_R", "O_2"})] == 1.5


def test_the_oxide_of_four_zincs_is_tetrahedral() -> None:
    """Zn4O of MOF-5 with a carboxylate on each edge."""
    corners = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]) / math.sqrt(3)
    zincs = 1.94 * corners
    atoms = Atoms("OZn4", positions=[(0, 0, 0), *zincs])
    for one, other in itertools.combinations(zincs, 2):
        out = (one + other) / np.linalg.norm(one + other)
        along = (other - one) / np.linalg.norm(other - one)
        middle = (one + other) / 2
        atoms += Atoms(
            "OOCH",
            positions=[
                middle + 1.72 * out - 1.13 * along,
                middle + 1.72 * out + 1.13 * along,
                middle + 2.31 * out,
                middle + 3.41 * out,
            ],
        )
    typing = type_atoms(atoms)
    assert typing.types[:5] == ("O_3_f", *["Zn3f2"] * 4)
    assert set(typing.types[5:]) == {"O_2", "C_R", "H_"}
    lengths = {of.label: of.coefficients[1] for of in find_bonds(typing).types}
    # Half bonds; measured in MOF-5: 1.94 to both kinds of oxygen. Repulsion of ligands and strain are not in these.
    assert lengths == pytest.approx(lengths | {"O_3_f-Zn3f2": 2.015, "O_2-Zn3f2": 2.015}, abs=1e-3)


@pytest.mark.parametrize("name", ["NH2-MIL-node", "CoPc", "LiTFSI"])
def test_heat_does_not_change_the_types(name: str) -> None:
    atoms = build_species(name).atoms
    typing = type_atoms(atoms)
    for seed in range(5):
        hot = atoms.copy()
        hot.positions += np.random.default_rng(seed).normal(scale=0.06, size=(len(hot), 3))
        again = type_atoms(hot)
        assert again.types == typing.types
        np.testing.assert_array_equal(again.orders, typing.orders)


def test_molecules_are_what_bonds_connect() -> None:
    pair = molecule("H2O")
    other = molecule("CH3OH")
    other.translate((8, 0, 0))
    topology = type_with_uff(pair + other)
    assert topology.molecules.tolist() == [0] * 3 + [1] * 6
    assert WITHOUT_CHARGES in topology.notes
    restored = read_topology(write_topology(topology))
    assert write_topology(restored) == write_topology(topology)


def test_types_can_be_set_by_hand() -> None:
    water = molecule("H2O")
    aniline = build_from_smiles("aniline", smiles="Nc1ccccc1").atoms
    both: dict[int | str, str] = {0: "O_R", "O": "O_2"}
    assert type_atoms(water, overrides={"O": "O_2"}).types == ("O_2", "H_", "H_")
    assert type_atoms(water, overrides=both).types[0] == "O_R"
    assert type_atoms(aniline, overrides={"[NX3;H2]c": "N_3"}).types[0] == "N_3"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({0: "C_3"}, "which is O, needs one of O: O_3, "),
        ({"O": "O_9"}, "There is no type 'O_9' .* Those of O are O_3, "),
        ({7: "O_3"}, "atom 7, needs an atom from 0 to 2"),
        ({"[CX4]": "C_3"}, "matches none of 3 atoms"),
        ({"oxygen!": "O_3"}, "neither an element nor a SMARTS"),
    ],
)
def test_wrong_types_are_refused(overrides: dict[int | str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        type_atoms(molecule("H2O"), overrides=overrides)


def test_an_atom_without_a_type_is_refused_by_name() -> None:
    hexafluoride = build_from_smiles("PF6-", smiles="F[P-](F)(F)(F)(F)F").atoms
    with pytest.raises(
        InputError, match=r"Atom 1 \(P, with 6 neighbours: F0, .* has no type .* P_3\+3, P_3\+5, P_3\+q"
    ):
        type_atoms(hexafluoride)
    assert type_atoms(hexafluoride, overrides={"P": "P_3+5"}).types[1] == "P_3+5"


def test_charges_must_fit() -> None:
    with pytest.raises(InputError, match=r"shape \(2,\) with 2 finite values, needs one finite charge for each of 3"):
        type_with_uff(molecule("H2O"), charges_e=[0.1, 0.2])


def test_bonds_through_a_boundary_need_a_large_enough_cell() -> None:
    diamond = bulk("C", "diamond", a=3.567)
    with pytest.raises(InputError, match="more than once"):
        type_atoms(diamond)
    typing = type_atoms(diamond.repeat((3, 3, 3)))
    assert set(typing.types) == {"C_3"}
    assert len(typing.graph.bonds) == 2 * len(typing.types)


def test_types_of_an_element_share_what_acts_without_bonds() -> None:
    for element in {of.element for of in read_uff_table().values()}:
        types = find_types_of_element(element)
        assert len({(of.vdw_distance_A, of.vdw_well_kcal_mol) for of in types}) == 1
        assert len({(of.electronegativity_eV, of.hardness_eV, of.radius_A) for of in types}) == 1
