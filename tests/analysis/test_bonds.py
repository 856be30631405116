"""Bonds of known molecules, and changes that were made on purpose."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.data import covalent_radii

from analysis.bonds import compare_bonds, find_bonds
from structures.errors import InputError
from structures.species import build_species

LIMIT_A = 1.2 * 2 * covalent_radii[7]  # of a bond in N2


def build_nitrogen(length_A: float) -> Atoms:
    return Atoms("N2", positions=[(0, 0, 0), (length_A, 0, 0)])


@pytest.mark.parametrize(("name", "n_bonds"), [("H2O", 2), ("C6H6", 12), ("CH3CH2OH", 8), ("CO2", 2), ("Ar", 0)])
def test_molecules_have_their_bonds(name: str, n_bonds: int) -> None:
    atoms = molecule(name) if name != "Ar" else Atoms("Ar")
    bonds = find_bonds(atoms)
    assert len(bonds) == n_bonds
    for (first, second), length_A in bonds.items():
        assert first < second
        assert length_A == pytest.approx(atoms.get_distance(first, second), rel=1e-12)


def test_tfsi_is_whole() -> None:
    """Bis(trifluoromethanesulfonyl)imide: 6 C–F, 2 C–S, 4 S–O, 2 S–N."""
    atoms = build_species("TFSI-").atoms
    kinds = ["".join(sorted((atoms.symbols[i], atoms.symbols[j]))) for i, j in find_bonds(atoms)]
    assert {kind: kinds.count(kind) for kind in kinds} == {"CF": 6, "CS": 2, "OS": 4, "NS": 2}


def test_periodic_bonds_are_those_of_a_plain_loop() -> None:
    atoms = bulk("TiN", "rocksalt", a=4.24, cubic=True).repeat((2, 1, 2))
    atoms.rattle(0.1, seed=1)
    expected = {}
    shifts = [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]
    for first in range(len(atoms)):
        for second in range(first + 1, len(atoms)):
            apart_A = atoms.positions[second] + np.array(shifts) @ atoms.cell.array - atoms.positions[first]
            shortest_A = np.linalg.norm(apart_A, axis=1).min()
            if shortest_A < 1.2 * covalent_radii[atoms.numbers[[first, second]]].sum():
                expected[first, second] = shortest_A
    found = find_bonds(atoms)
    assert found.keys() == expected.keys()
    assert list(found.values()) == pytest.approx([expected[pair] for pair in found], rel=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (0.90, 1.20, "broken"),
        (1.20, 0.90, "made"),
        (0.90, 1.10, "changed"),  # beyond the limit, within the slack
        (1.10, 0.90, ""),
        (1.10, 1.20, ""),
        (0.90, 0.90, ""),
    ],
)
def test_a_bond_breaks_beyond_the_slack(before: float, after: float, what: str) -> None:
    lengths_A = (before * LIMIT_A, after * LIMIT_A)
    changes = compare_bonds(*(build_nitrogen(length_A) for length_A in lengths_A))
    found = {name: getattr(changes, name) for name in ("made", "broken", "changed")}
    assert {name for name, entries in found.items() if entries} == ({what} if what else set())
    if what:
        [change] = found[what]
        assert (change.atoms, change.elements) == ((0, 1), ("N", "N"))
        assert (change.before_A, change.after_A) == pytest.approx(lengths_A, rel=1e-12)


def test_one_bond_of_tfsi_breaks_and_the_others_keep_their_lengths() -> None:
    before = build_species("TFSI-").atoms
    after = before.copy()
    bonds = find_bonds(before)
    cut = next(pair for pair in bonds if set(before.symbols[list(pair)]) == {"N", "S"})
    side = {cut[1]}
    while grown := {atom for pair in bonds if pair != cut and side & set(pair) for atom in pair} - side:
        side |= grown
    axis = before.positions[cut[1]] - before.positions[cut[0]]
    after.positions[sorted(side)] += 1.5 * axis / np.linalg.norm(axis)
    changes = compare_bonds(before, after)
    [broken] = changes.broken
    assert broken.atoms == cut
    assert broken.after_A - broken.before_A == pytest.approx(1.5, rel=1e-9)
    assert changes.made == changes.changed == ()
    assert broken.sentence == f"{'–'.join(broken.elements)} {bonds[cut]:.2f} → {bonds[cut] + 1.5:.2f} Å"


def test_the_largest_change_comes_first() -> None:
    before = molecule("H2O")
    after = before.copy()
    after.set_distance(0, 1, 1.00, fix=0)
    after.set_distance(0, 2, 1.10, fix=0)
    changed = compare_bonds(before, after).changed
    assert [one.atoms for one in changed] == [(0, 2), (0, 1)]
    assert compare_bonds(before, after, changed_A=0.5).changed == ()


def test_shifts_by_the_lattice_change_no_bond() -> None:
    slab = fcc111("Cu", (3, 3, 2), vacuum=5.0)
    slab.pbc = (True, True, False)
    moved = slab.copy()
    moved.positions[4] += slab.cell[0] - 2 * slab.cell[1]
    changes = compare_bonds(slab, moved)
    assert (changes.made, changes.broken, changes.changed) == ((), (), ())


def test_values_are_those_of_json() -> None:
    changes = compare_bonds(build_nitrogen(1.1), build_nitrogen(3.0))
    told = json.loads(json.dumps(changes.to_json()))
    assert told == {
        "made": [],
        "broken": [{"atoms": [0, 1], "elements": ["N", "N"], "before_A": 1.1, "after_A": 3.0}],
        "changed": [],
    }


def test_other_atoms_are_refused() -> None:
    with pytest.raises(InputError, match="N2 before and O2 after"):
        compare_bonds(build_nitrogen(1.1), Atoms("O2", positions=[(0, 0, 0), (1.2, 0, 0)]))
    with pytest.raises(InputError, match="scale is 0"):
        find_bonds(build_nitrogen(1.1), scale=0.0)
