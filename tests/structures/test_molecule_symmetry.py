"""Molecules built from bond lengths: their symmetry, and their bonds against measured ones."""

import math

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import NDArray
from pyscf import gto
from scipy.spatial import cKDTree

from structures.iron_node import Residue, Terminal, build_iron_node
from structures.phthalocyanine import build_cobalt_phthalocyanine, build_phthalocyanine_pair

MIRROR = np.diag([1.0, 1.0, -1.0])
FLIP = np.diag([1.0, -1.0, -1.0])  # half a turn about x
BARE: tuple[Terminal, Terminal, Terminal] = ("", "", "")
NEUTRAL: tuple[Terminal, Terminal, Terminal] = ("OH", "H2O", "")


def turn_about_z(fold: int) -> NDArray[np.float64]:
    cosine, sine = math.cos(2 * math.pi / fold), math.sin(2 * math.pi / fold)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def find_deviation(atoms: Atoms, *, operation: NDArray[np.float64]) -> float:
    """Largest distance of a moved atom to the next one of its element, in Å; no two may go to the same."""
    moved = atoms.positions @ operation.T
    largest = 0.0
    for element in set(atoms.symbols):
        own = atoms.symbols == element
        distances, partners = cKDTree(atoms.positions[own]).query(moved[own])
        largest = max(largest, distances.max()) if len(set(partners)) == own.sum() else np.inf
    return largest


def find_point_group(atoms: Atoms, *, charge: int) -> str:
    """As PySCF finds it."""
    spin = (int(atoms.numbers.sum()) - charge) % 2
    geometry = list(zip(atoms.symbols, atoms.positions, strict=True))
    molecule = gto.M(atom=geometry, charge=charge, spin=spin, basis="sto-3g", symmetry=True, verbose=0)
    return str(molecule.topgroup)


def test_cobalt_phthalocyanine_is_fourfold_and_flat() -> None:
    atoms = build_cobalt_phthalocyanine()
    assert atoms.symbols.formula.count() == {"Co": 1, "C": 32, "H": 16, "N": 8}
    for operation in (turn_about_z(4), MIRROR, FLIP, turn_about_z(4) @ FLIP, -np.eye(3)):  # these make D4h
        assert find_deviation(atoms, operation=operation) < 1e-9
    assert find_deviation(atoms, operation=turn_about_z(8)) > 0.3


def test_bonds_of_cobalt_phthalocyanine_are_those_of_the_crystal() -> None:
    atoms = build_cobalt_phthalocyanine()
    # Co-N 1.908(2) and 1.915(2) Å at 4.3 K: 10.1039/DT9800001688
    assert atoms.get_distances(0, range(1, 5)) == pytest.approx([1.9115] * 4, abs=0.004)
    carbons, nitrogens = atoms[atoms.symbols == "C"], atoms[atoms.symbols == "N"]
    bonds = np.array([d for d in carbons.get_all_distances()[np.triu_indices(32, 1)] if d < 1.6])
    assert len(bonds) == 4 * 8  # eight a ring
    assert bonds.min() > 1.39
    assert bonds.max() < 1.46
    assert ((nitrogens.positions[:, None] - carbons.positions) ** 2).sum(axis=2).min() == pytest.approx(1.325**2)
    # C-N-C at the bridge is 121.9(7)° in CuPc (10.1007/s11224-010-9715-6), and smaller round a smaller metal.
    bridge = 5
    first, second = np.argsort(atoms.get_distances(bridge, range(57)))[1:3]
    assert atoms.get_angle(first, bridge, second) == pytest.approx(120.5, abs=1)
    hydrogens = np.flatnonzero(atoms.symbols == "H")
    assert [np.sort(atoms.get_distances(h, range(57)))[1] for h in hydrogens] == pytest.approx([1.087] * 16)


def test_pair_has_the_slip_of_the_beta_crystal() -> None:
    pair = build_phthalocyanine_pair()
    assert find_point_group(pair, charge=0) == "C2h"
    # Neighbours in β-CoPc are a lattice vector apart, b = 4.7731(5) Å, 47.3° from the normal: 10.1039/DT9790000676
    between = pair.positions[57] - pair.positions[0]
    assert np.linalg.norm(between) == pytest.approx(4.7731, abs=0.05)
    assert math.degrees(math.acos(between[2] / np.linalg.norm(between))) == pytest.approx(47.3, abs=3)
    assert pair.get_distance(57, 5) == pytest.approx(3.4)  # the upper cobalt above a nitrogen of the lower molecule
    assert pair.symbols[5] == "N"


@pytest.mark.parametrize(
    ("residue", "terminals", "charge", "group"),
    [
        ("H", BARE, 1, "D3h"),
        ("C6H4NH2", BARE, 1, "C3h"),
        ("H", NEUTRAL, 0, "Cs"),
        ("C6H4NH2", NEUTRAL, 0, "Cs"),
    ],
)
def test_nodes_have_the_point_group_that_they_are_built_with(
    residue: Residue, terminals: tuple[Terminal, Terminal, Terminal], charge: int, group: str
) -> None:
    assert find_point_group(build_iron_node(residue=residue, terminals=terminals), charge=charge) == group


def test_core_of_the_node_is_d3h_whatever_it_carries() -> None:
    for residue, terminals in (("H", NEUTRAL), ("C6H4NH2", BARE)):
        core = build_iron_node(residue=residue, terminals=terminals)[:4]  # type: ignore[arg-type]
        assert core.symbols.formula.count() == {"Fe": 3, "O": 1}
        for operation in (turn_about_z(3), MIRROR, FLIP):
            assert find_deviation(core, operation=operation) < 1e-9
        assert find_deviation(core, operation=turn_about_z(6)) > 1


def test_irons_are_octahedral_or_lack_one_ligand() -> None:
    node = build_iron_node(residue="H", terminals=NEUTRAL)
    iron, oxygen = neighbor_list("ij", node, {("Fe", "O"): 2.3})
    assert np.bincount(iron[node.symbols[iron] == "Fe"])[:3].tolist() == [6, 6, 5]
    for centre in range(3):
        ligands = oxygen[iron == centre]
        angles = [node.get_angle(a, centre, b) for i, a in enumerate(ligands) for b in ligands[:i]]
        assert all(abs(angle - 90) < 7 or abs(angle - 180) < 12 for angle in angles)


def test_iron_iron_distance_is_that_of_basic_iron_carboxylates() -> None:
    # Fe···Fe about 3.3 Å in [Fe3O(O2CR)6L3]+: Cannon & White, Prog. Inorg. Chem. 36, 195 (1988)
    node = build_iron_node(residue="H", terminals=BARE)
    assert node[:3].get_all_distances()[np.triu_indices(3, 1)] == pytest.approx([1.92 * math.sqrt(3)] * 3)
    assert node.get_distance(0, 1) == pytest.approx(3.3, abs=0.05)


def test_bond_valences_say_iron_three() -> None:
    # Sum of exp((R0 − d) / 0.37 Å) with R0 = 1.759 Å for Fe(III)-O: 10.1107/S0108768185002063
    node = build_iron_node(residue="H", terminals=("H2O", "H2O", "OH"))
    distances = node.get_all_distances()[:3][:, node.symbols == "O"]
    valences = np.where(distances < 2.3, np.exp((1.759 - distances) / 0.37), 0).sum(axis=1)
    assert valences == pytest.approx([3, 3, 3], abs=0.5)
    assert valences[:2] == pytest.approx([3.1, 3.1], abs=0.05)


@pytest.mark.parametrize("residue", ["H", "C6H4NH2"])
def test_bonds_of_the_node_are_those_meant(residue: Residue) -> None:
    node = build_iron_node(residue=residue, terminals=NEUTRAL)
    light = node[~(node.symbols == "Fe")]
    first, second = neighbor_list("ij", light, natural_cutoffs(light, mult=1.15))
    bonds = [(*sorted((light.symbols[i], light.symbols[j])),) for i, j in zip(first, second, strict=True) if i < j]
    counts = {bond: bonds.count(bond) for bond in set(bonds)}
    terminal = {("H", "O"): 3, ("C", "O"): 12}
    hydrogen = {("C", "H"): 6}
    amine = {("C", "C"): 6 * 7, ("C", "H"): 6 * 4, ("C", "N"): 6, ("H", "N"): 12}
    assert counts == terminal | (hydrogen if residue == "H" else amine)


def test_amine_binds_to_the_carboxylate_beside_it() -> None:
    node = build_iron_node(residue="C6H4NH2", terminals=BARE)
    nitrogens, oxygens = np.flatnonzero(node.symbols == "N"), np.flatnonzero(node.symbols == "O")
    for nitrogen in nitrogens:
        hydrogens = [h for h in np.flatnonzero(node.symbols == "H") if node.get_distance(nitrogen, h) < 1.1]
        assert len(hydrogens) == 2
        nearest = min(float(node.get_distances(h, oxygens).min()) for h in hydrogens)
        assert 1.6 < nearest < 2.1
