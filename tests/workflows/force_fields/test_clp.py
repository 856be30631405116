"""CL&P: the table as its papers have it, types by surroundings, and nothing left out in silence."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from numpy.typing import NDArray

from structures.errors import InputError
from structures.species import Species, build_from_smiles, build_species
from workflows.force_fields.clp import describe_typing, load_tables, type_molecule
from workflows.force_fields.fftool_table import read_force_field
from workflows.force_fields.molecular_graph import find_neighbours, list_angles, list_bonds, list_dihedrals
from workflows.force_fields.topology import KINDS, Topology, write_topology

KCAL_MOL = units.kcal / units.mol
KJ_MOL = units.kJ / units.mol

TABLE = """# test.ff, version 1
ATOMS
#     typ   m/u     q/e    pot   pars
# a paper 12 (1999) 34
A   X  12.011  -0.50  lj  3.50  0.25
# another paper
B   Y   1.008   0.50  lj  2.50  0.00  # a remark
BONDS
# a paper 12 (1999) 34
X  Y  cons  1.09  2845.0
#X Y  harm  9.99  1.0
ANGLES
Y  X  Y  harm  107.8  276.1
DIHEDRALS
Y  X  X  Y  opls  1.0  -2.0  3.0  -4.0
X  X  X  Y  opls  0.0   0.0  0.0   0.0
IMPROPER
X  X  Y  X  opls  0.0  9.2   0.0   0.0
PATTERNS
# of a paper
[C;D4][#1]  A  # [#1] is hydrogen
[#1]C       B
"""

WATER = """# spce.ff
ATOMS
# SPC/E 10.1021/j100308a038
OW  OW  15.999  -0.8476  lj  3.166  0.650
HW  HW   1.008   0.4238  lj  1.0    0.0
BONDS
OW  HW  cons  1.0  3450.0
ANGLES
HW  OW  HW  harm  109.47  383.0
PATTERNS
[O;D2]([#1])[#1]  OW
[#1][O;D2][#1]    HW
"""

SMILES = {
    "PF6-": "F[P-](F)(F)(F)(F)F",
    "BF4-": "F[B-](F)(F)F",
    "FSI-": "FS(=O)(=O)[N-]S(=O)(=O)F",
    "FTFSI-": "FS(=O)(=O)[N-]S(=O)(=O)C(F)(F)F",
    "BETI-": "FC(F)(F)C(F)(F)S(=O)(=O)[N-]S(=O)(=O)C(F)(F)C(F)(F)F",
    "OTf-": "[O-]S(=O)(=O)C(F)(F)F",
    "NO3-": "[O-][N+](=O)[O-]",
    "Na+": "[Na+]",
    "K+": "[K+]",
    "Cl-": "[Cl-]",
    "Br-": "[Br-]",
    "DME": "COCCOC",
    "tetraglyme": "COCCOCCOCCOCCOC",
    "DOL": "C1OCCO1",
    "THF": "C1CCOC1",
    "diethyl ether": "CCOCC",
    "dimethoxymethane": "COCOC",
}


def build(name: str) -> Species:
    return build_from_smiles(name, smiles=SMILES[name]) if name in SMILES else build_species(name)


def evaluate_cosines(coefficients: tuple[float, ...], phi: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros_like(phi)
    for k_eV, n, phase_deg in np.reshape(coefficients, (-1, 3)):
        total += k_eV * (1 + np.cos(n * phi - np.deg2rad(phase_deg)))
    return total


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "test.ff"
    path.write_text(TABLE)
    return path


def test_rows_are_read_with_units_and_sources(small: Path) -> None:
    table = read_force_field(small)
    carbon, hydrogen = table.atoms["A"], table.atoms["B"]
    assert (carbon.type.element, carbon.bonded_name, carbon.charge_e) == ("C", "X", -0.5)
    assert (hydrogen.type.element, hydrogen.type.mass_u) == ("H", 1.008)
    assert carbon.type.epsilon_eV == pytest.approx(0.25 * KJ_MOL, rel=1e-12)
    assert carbon.type.source == "test.ff, version 1: a paper 12 (1999) 34"
    assert hydrogen.type.source == "test.ff, version 1: another paper"
    bond = table.find("bonds", ("Y", "X"))
    assert bond is not None
    assert (bond.label, bond.form) == ("X-Y", "harmonic")
    assert bond.coefficients == pytest.approx((2845.0 * KJ_MOL, 1.09), rel=1e-12)
    assert table.constrained == {("X", "Y")}
    assert table.find("angles", ("X", "Y", "X")) is None
    assert table.find("impropers", ("X", "X", "Y", "X")) is not None
    assert table.patterns == (("[C;D4][#1]", "A"), ("[#1]C", "B"))


def test_opls_dihedrals_become_cosines(small: Path) -> None:
    table = read_force_field(small)
    phi = np.linspace(-np.pi, np.pi, 37)
    first, nothing = table.find("dihedrals", ("Y", "X", "X", "Y")), table.find("dihedrals", ("Y", "X", "X", "X"))
    assert first is not None
    assert nothing is not None
    expected = 1 / 2 * (1 + np.cos(phi)) - 2 / 2 * (1 - np.cos(2 * phi))
    expected += 3 / 2 * (1 + np.cos(3 * phi)) - 4 / 2 * (1 - np.cos(4 * phi))
    np.testing.assert_allclose(evaluate_cosines(first.coefficients, phi), expected * KJ_MOL, rtol=0, atol=1e-15)
    assert nothing.coefficients == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("harm  107.8  276.1", "harm  107.8", r"test.ff, line 13: 'Y  X  Y  harm  107.8' is no row of angles"),
        ("harm  107.8", "quartic  107.8", r"line 13: .* is no row of angles"),
        ("2.50  0.00", "two  0.00", r"line 7: .* is no row of atoms .*could not convert"),
        ("1.008", "13.2", r"line 7: .*no element has a mass of 13.2 u"),
        ("B   Y", "A   Y", r"line 7: .*A is there already"),
        ("X  X  X  Y  opls", "Y  X  X  Y  opls", r"line 16: .*Y-X-X-Y is there already"),
        ("276.1", "nan", r"line 13: .*not finite"),
        ("ATOMS", "", r"line 5: .* is no row of any section"),
        ("[#1]C       B", "[#1]C", r"line 22: .* is no row of patterns"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(small: Path, old: str, new: str, message: str) -> None:
    small.write_text(TABLE.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_force_field(small)


def test_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.ff cannot be read .*No such file"):
        read_force_field(tmp_path / "none.ff")
    (tmp_path / "binary.ff").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary.ff cannot be read"):
        read_force_field(tmp_path / "binary.ff")


def test_a_table_adds_to_another_but_changes_nothing_of_it(small: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.ff"
    more.write_text("# more.ff\nATOMS\nC  Z  15.999  0.0  lj  3.0  0.7\nBONDS\nX  Z  harm  1.4  2000.0\n")
    table = read_force_field(more, base=read_force_field(small))
    assert list(table.atoms) == ["A", "B", "C"]
    assert table.find("bonds", ("Z", "X")) is not None
    assert table.find("bonds", ("X", "Y")) is not None
    more.write_text("# more.ff\nBONDS\nY  X  harm  1.4  2000.0\n")
    with pytest.raises(InputError, match=r"more.ff, line 3: .*Y-X is there already"):
        read_force_field(more, base=read_force_field(small))


@pytest.mark.parametrize(
    ("kind", "names", "k_kcal_mol", "rest"),
    [
        # K (x − x0)² in kcal/mol, as OPLS writes it (10.1021/ct900009a, of 10.1021/jp0476545)
        ("bonds", ("NB", "SB"), 374.88, 1.570),
        ("bonds", ("SB", "OB"), 637.07, 1.437),
        ("bonds", ("CF", "SB"), 233.03, 1.818),
        ("bonds", ("FB", "CF"), 441.92, 1.323),
        ("bonds", ("P", "F"), 370.46, 1.606),
        ("angles", ("SB", "NB", "SB"), 80.19, 125.6),
        ("angles", ("NB", "SB", "OB"), 94.29, 113.6),
        ("angles", ("NB", "SB", "CF"), 91.30, 103.5),
        ("angles", ("OB", "SB", "OB"), 115.80, 118.5),
        ("angles", ("CF", "SB", "OB"), 103.97, 102.6),
        ("angles", ("FB", "CF", "SB"), 82.93, 111.7),
        ("angles", ("FB", "CF", "FB"), 93.33, 107.1),
        ("angles", ("F", "P", "F"), 139.22, 90.0),
        # 10.1021/ja9621760
        ("bonds", ("CT", "OY"), 320.0, 1.410),
        ("bonds", ("CT", "CT"), 268.0, 1.529),
        ("angles", ("CT", "OY", "CT"), 60.0, 109.5),
        ("angles", ("CT", "CT", "OY"), 50.0, 109.5),
        ("angles", ("OY", "CAC", "OY"), 92.6, 111.55),
    ],
)
def test_springs_are_the_published_ones(kind: str, names: tuple[str, ...], k_kcal_mol: float, rest: float) -> None:
    term = load_tables().find(kind, names)
    assert term is not None
    assert term.coefficients[0] / 2 == pytest.approx(k_kcal_mol * KCAL_MOL, rel=3e-4)
    assert term.coefficients[1] == pytest.approx(rest, rel=1e-12)


@pytest.mark.parametrize(
    ("names", "v_kcal_mol"),
    [
        (("SB", "NB", "SB", "CF"), (7.833, -2.490, -0.764)),
        (("SB", "NB", "SB", "OB"), (0.0, 0.0, -0.004)),
        (("NB", "SB", "CF", "FB"), (0.0, 0.0, 0.316)),
        (("OB", "SB", "CF", "FB"), (0.0, 0.0, 0.347)),
        (("CT", "CT", "OY", "CT"), (0.65, -0.25, 0.67)),
        (("CT", "OY", "CT", "HC"), (0.0, 0.0, 0.76)),
        (("OY", "CT", "CT", "OY"), (-0.55, 0.0, 0.0)),
        (("CT", "OY", "CAC", "OY"), (-0.375, -1.358, 0.004)),
    ],
)
def test_dihedrals_are_the_published_ones(names: tuple[str, ...], v_kcal_mol: tuple[float, float, float]) -> None:
    term = load_tables().find("dihedrals", names)
    assert term is not None
    phi = np.linspace(0, np.pi, 19)
    v1, v2, v3 = np.array(v_kcal_mol) * KCAL_MOL
    expected = v1 / 2 * (1 + np.cos(phi)) + v2 / 2 * (1 - np.cos(2 * phi)) + v3 / 2 * (1 + np.cos(3 * phi))
    np.testing.assert_allclose(evaluate_cosines(term.coefficients, phi), expected, rtol=0, atol=5e-4 * KCAL_MOL)


@pytest.mark.parametrize(
    ("name", "charge_e", "sigma_A", "epsilon_kcal_mol"),
    [
        ("NBT", -0.66, 3.25, 0.170),
        ("SBT", 1.02, 3.55, 0.250),
        ("CBT", 0.35, 3.50, 0.066),
        ("P", 1.34, 3.74, 0.200),
        ("OY", -0.40, 2.90, 0.140),
        ("CSO", 0.14, 3.50, 0.066),
        ("HY", 0.03, 2.50, 0.030),
        ("Li", 1.0, 2.126, 0.01828),
        ("Na", 1.0, 3.33, 0.00277),
        ("K", 1.0, 4.9346, 0.000328),
        ("CAL", 0.20, 3.50, 0.066),
        ("NNO3", 0.794, 3.15, 0.170),
        ("ONO3", -0.598, 2.86, 0.210),
    ],
)
def test_atoms_are_the_published_ones(name: str, charge_e: float, sigma_A: float, epsilon_kcal_mol: float) -> None:
    row = load_tables().atoms[name]
    assert row.charge_e == charge_e
    assert row.type.sigma_A == pytest.approx(sigma_A, rel=2e-4)
    assert row.type.epsilon_eV == pytest.approx(epsilon_kcal_mol * KCAL_MOL, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "types", "n_terms"),
    [
        ("Li+", {"Li": 1}, (0, 0, 0, 0)),
        ("Na+", {"Na": 1}, (0, 0, 0, 0)),
        ("K+", {"K": 1}, (0, 0, 0, 0)),
        ("Cl-", {"Cl": 1}, (0, 0, 0, 0)),
        ("Br-", {"Br": 1}, (0, 0, 0, 0)),
        ("TFSI-", {"NBT": 1, "SBT": 2, "OBT": 4, "CBT": 2, "F1": 6}, (14, 25, 24, 0)),
        ("TFSI-(cis)", {"NBT": 1, "SBT": 2, "OBT": 4, "CBT": 2, "F1": 6}, (14, 25, 24, 0)),
        ("FSI-", {"NBT": 1, "SBT": 2, "OBT": 4, "FSI": 2}, (8, 13, 6, 0)),
        ("FTFSI-", {"NBT": 1, "SBT": 2, "OBT": 4, "FSI": 1, "CBT": 1, "F1": 3}, (11, 19, 15, 0)),
        ("BETI-", {"NBT": 1, "SBT": 2, "OBT": 4, "C1F": 2, "F1": 4, "CEF": 2, "F": 6}, (20, 37, 42, 0)),
        ("OTf-", {"SBT": 1, "OTF": 3, "CBT": 1, "F1": 3}, (7, 12, 9, 0)),
        ("PF6-", {"P": 1, "FP": 6}, (6, 12, 0, 0)),
        ("BF4-", {"B": 1, "FB": 4}, (4, 6, 0, 0)),
        ("NO3-", {"NNO3": 1, "ONO3": 3}, (3, 3, 0, 1)),
        ("DME", {"C3O": 2, "CSO": 2, "OY": 2, "HY": 10}, (15, 26, 21, 0)),
        ("tetraglyme", {"C3O": 2, "CSO": 8, "OY": 5, "HY": 22}, (36, 65, 66, 0)),
        ("DOL", {"CAL": 1, "HAL": 2, "CSO": 2, "OY": 2, "HY": 4}, (11, 20, 21, 0)),
        ("THF", {"CSO": 2, "CS": 2, "OY": 1, "HY": 4, "HC": 4}, (13, 25, 33, 0)),
        ("diethyl ether", {"CT": 2, "CSO": 2, "OY": 1, "HC": 6, "HY": 4}, (14, 25, 24, 0)),
        ("dimethoxymethane", {"C3O": 2, "CAL": 1, "OY": 2, "HY": 6, "HAL": 2}, (12, 20, 12, 0)),
    ],
)
def test_species_get_their_types_and_all_their_terms(
    name: str, types: dict[str, int], n_terms: tuple[int, ...]
) -> None:
    species = build(name)
    topology = type_molecule(species)
    assert Counter(of.name for of in topology.types_of_atoms) == types
    assert tuple(len(topology.terms(kind)) for kind in KINDS) == n_terms
    assert topology.charges_e.sum() == pytest.approx(species.charge, abs=1e-12)
    assert [of.element for of in topology.types_of_atoms] == list(species.atoms.symbols)
    assert (topology.lennard_jones_scale_14, topology.coulomb_scale_14) == (0.5, 0.5)
    assert all(of.source for of in topology.atom_types)
    assert all(of.source for kind in KINDS for of in topology.terms(kind).types)


def test_order_of_atoms_does_not_matter() -> None:
    species = build("TFSI-")
    order = np.random.default_rng(3).permutation(len(species.atoms))
    first, second = type_molecule(species), type_molecule(replace(species, atoms=species.atoms[order]))
    assert [of.name for of in second.types_of_atoms] == [first.types_of_atoms[i].name for i in order]
    np.testing.assert_array_equal(second.charges_e, first.charges_e[order])
    for kind in KINDS:
        assert _labels(first, kind) == _labels(second, kind, order=order)


def _labels(topology: Topology, kind: str, *, order: NDArray[np.int64] | None = None) -> Counter[tuple[object, ...]]:
    terms = topology.terms(kind)
    chains = terms.atoms if order is None else order[terms.atoms]
    ways = [min(tuple(map(int, chain)), tuple(map(int, chain))[::-1]) for chain in chains]
    return Counter((way, terms.types[of]) for way, of in zip(ways, terms.kinds, strict=True))


def test_octahedron_has_no_angle_across_its_centre() -> None:
    species = build("PF6-")
    topology = type_molecule(species)
    angles = [species.atoms.get_angle(*chain) for chain in topology.angles.atoms]
    np.testing.assert_allclose(angles, 90, atol=5, rtol=0)
    assert any("face each other" in note for note in topology.notes)


def test_constrained_bonds_are_noted() -> None:
    assert any("CT–HC" in note for note in type_molecule(build("DME")).notes)
    assert type_molecule(build("TFSI-")).notes == ()


def test_improper_of_nitrate_stands_for_three_of_a_third() -> None:
    """Near the plane, V2 of the one is the sum of the three of its source."""
    topology = type_molecule(build("NO3-"))
    (term,), (chain,) = topology.impropers.types, topology.impropers.atoms
    assert chain[2] == list(topology.types_of_atoms).index(topology.atom_types[topology.kinds[chain[2]]])
    assert topology.types_of_atoms[chain[2]].name == "NNO3"
    ring = np.deg2rad([0, 120, 240])
    height_A = 0.02
    oxygens = np.column_stack([1.256 * np.cos(ring), 1.256 * np.sin(ring), np.zeros(3)])
    atoms = Atoms("NO3", positions=np.vstack([[0, 0, height_A], oxygens]))
    one = evaluate_cosines(term.coefficients, np.deg2rad([atoms.get_dihedral(1, 2, 0, 3)]))[0]
    three = sum(
        8.368 / 2 * KJ_MOL * (1 - np.cos(2 * np.deg2rad(atoms.get_dihedral(*order))))
        for order in ((1, 0, 2, 3), (2, 0, 1, 3), (3, 0, 1, 2))
    )
    assert one == pytest.approx(three, rel=1e-3)
    assert one > 0


def test_charges_of_ions_are_scaled_and_of_solvents_are_not() -> None:
    scaled, plain = type_molecule(build("TFSI-"), charge_scale=0.8), type_molecule(build("TFSI-"))
    np.testing.assert_allclose(scaled.charges_e, 0.8 * plain.charges_e, rtol=1e-14)
    assert scaled.notes == ("TFSI-: charges scaled by 0.8.",)
    solvent = type_molecule(build("DME"), charge_scale=0.8)
    assert write_topology(solvent) == write_topology(type_molecule(build("DME")))


def test_typing_is_described_atom_by_atom() -> None:
    species = build("TFSI-")
    rows = describe_typing(type_molecule(species), atoms=species.atoms)
    nitrogen = next(row for row in rows if row.element == "N")
    assert (nitrogen.type, nitrogen.charge_e) == ("NBT", -0.66)
    assert "JPCB 108 (2004) 16893" in nitrogen.source
    assert [row.index for row in rows] == list(range(15))
    assert sum(row.charge_e for row in rows) == pytest.approx(-1, abs=1e-12)


@pytest.mark.parametrize("charge_scale", [0.0, -0.5, 1.2])
def test_charge_scale_out_of_range_is_refused(charge_scale: float) -> None:
    with pytest.raises(InputError, match=rf"charge_scale is {charge_scale:g}, needs more than 0 and at most 1"):
        type_molecule(build("Li+"), charge_scale=charge_scale)


def test_charges_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InputError, match=r"species.TFSI: its charges by CL&P add up to -1.0000 e, needs \+0 e"):
        type_molecule(build("TFSI"))


def test_atoms_without_a_type_are_named() -> None:
    with pytest.raises(InputError, match=r"no type for 3 of 16 atoms, needs one for each: .*15 \(Li with O, O\)"):
        type_molecule(build("LiTFSI"))
    water = build_from_smiles("water", smiles="O")
    with pytest.raises(InputError, match=r"species.water: CL&P has no type for 3 of 3 atoms.*0 \(O with H, H\)"):
        type_molecule(water)


def test_missing_terms_are_all_named() -> None:
    table = load_tables()
    terms = {kind: dict(rows) for kind, rows in table.terms.items()}
    del terms["angles"]["SB", "NB", "SB"], terms["dihedrals"]["SB", "NB", "SB", "CF"]
    with pytest.raises(InputError, match=r"lacks 2 terms, needs all of them: angle SB-NB-SB \(atoms .*dihedral"):
        type_molecule(build("TFSI-"), force_field=replace(table, terms=terms))


def test_a_table_of_ones_own_adds_a_molecule(tmp_path: Path) -> None:
    path = tmp_path / "spce.ff"
    path.write_text(WATER)
    table = read_force_field(path, base=load_tables())
    water = build_from_smiles("water", smiles="O")
    topology = type_molecule(water, force_field=table)
    assert [of.name for of in topology.types_of_atoms] == ["OW", "HW", "HW"]
    assert tuple(len(topology.terms(kind)) for kind in KINDS) == (2, 1, 0, 0)
    assert topology.atom_types[0].source == "spce.ff: SPC/E 10.1021/j100308a038"
    shipped = type_molecule(build("DME"))
    assert write_topology(type_molecule(build("DME"), force_field=table)) == write_topology(shipped)


@pytest.mark.parametrize("row", ["[O;D2]([#1][#1]  OW", "[O;D2]([#1])[#1]  O9"])
def test_patterns_that_mean_nothing_are_refused(tmp_path: Path, row: str) -> None:
    path = tmp_path / "spce.ff"
    path.write_text(WATER.replace("[O;D2]([#1])[#1]  OW", row))
    with pytest.raises(InputError, match=r"PATTERNS has the row .* needs a SMARTS and a type of ATOMS"):
        type_molecule(build("Li+"), force_field=read_force_field(path, base=load_tables()))


@pytest.mark.parametrize(("name", "cycles"), [("TFSI-", 0), ("DME", 0), ("DOL", 1), ("PF6-", 0)])
def test_chains_are_those_of_a_naive_search(name: str, cycles: int) -> None:
    atoms = build(name).atoms
    neighbours = find_neighbours(atoms)
    bound = np.zeros((len(atoms), len(atoms)), dtype=bool)
    for i, j in list_bonds(neighbours):
        bound[i, j] = bound[j, i] = True
    assert bound.sum() // 2 == len(atoms) - 1 + cycles
    indices = range(len(atoms))
    angles = {(i, j, k) for i in indices for j in indices for k in indices if i < k and bound[i, j] and bound[j, k]}
    assert set(list_angles(neighbours)) == angles
    dihedrals = {
        min((i, j, k, m), (m, k, j, i))
        for i, j, k in ((i, j, k) for a, j, b in angles for i, k in ((a, b), (b, a)))
        for m in indices
        if bound[k, m] and m not in (i, j)
    }
    found = [min(chain, chain[::-1]) for chain in list_dihedrals(neighbours)]
    assert set(found) == dihedrals
    assert len(found) == len(dihedrals)
