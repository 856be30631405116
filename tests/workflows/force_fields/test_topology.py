"""Topologies joined and written: nothing is lost, and rules that differ are refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from structures.errors import InputError
from workflows.force_fields.topology import (
    KINDS,
    AtomType,
    Terms,
    TermType,
    Topology,
    join_topologies,
    no_terms,
    read_topology,
    write_topology,
)

CARBON = AtomType("C", "C", 12.0, 3.5, 0.003, "a table")
OXYGEN = AtomType("O", "O", 16.0, 3.0, 0.009)
LITHIUM = AtomType("Li", "Li", 6.94, 2.1, 0.001)
BOND = TermType("C-O", "harmonic", (30.0, 1.4))
OTHER_BOND = TermType("O-O", "harmonic", (20.0, 1.5))


@pytest.fixture
def chain() -> Topology:
    """C–O–O–C with every kind of term."""
    return Topology(
        atom_types=(CARBON, OXYGEN),
        kinds=np.array([0, 1, 1, 0]),
        charges_e=np.array([0.25, -0.25, -0.25, 0.25]),
        molecules=np.zeros(4, dtype=np.int64),
        bonds=Terms(np.array([[0, 1], [1, 2], [2, 3]]), np.array([0, 1, 0]), (BOND, OTHER_BOND)),
        angles=Terms(
            np.array([[0, 1, 2], [1, 2, 3]]), np.zeros(2, int), (TermType("C-O-O", "harmonic", (3.0, 110.0)),)
        ),
        dihedrals=Terms(np.array([[0, 1, 2, 3]]), np.zeros(1, int), (TermType("t", "cosines", (0.1, 3.0, 0.0)),)),
        impropers=Terms(np.array([[1, 0, 2, 3]]), np.zeros(1, int), (TermType("i", "inversion", (0.2, 1, -1, 0)),)),
        lennard_jones_scale_14=0.5,
        coulomb_scale_14=0.5,
        notes=("a note",),
    )


@pytest.fixture
def ion() -> Topology:
    return Topology((LITHIUM,), np.zeros(1, dtype=np.int64), np.ones(1), np.zeros(1, dtype=np.int64), notes=("a note",))


def list_terms(topology: Topology, kind: str) -> list[tuple[tuple[int, ...], TermType]]:
    terms = topology.terms(kind)
    return [(tuple(map(int, atoms)), terms.types[of]) for atoms, of in zip(terms.atoms, terms.kinds, strict=True)]


def test_copies_follow_each_other(chain: Topology, ion: Topology) -> None:
    joined = join_topologies([(ion, 2), (chain, 3), (ion, 1)])
    assert [of.name for of in joined.types_of_atoms] == ["Li", "Li", *["C", "O", "O", "C"] * 3, "Li"]
    assert joined.atom_types == (LITHIUM, CARBON, OXYGEN)
    assert joined.molecules.tolist() == [0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5]
    np.testing.assert_array_equal(joined.charges_e, [1, 1, *np.tile(chain.charges_e, 3), 1])
    for kind in KINDS:
        expected = [
            (tuple(atom + 2 + 4 * copy for atom in atoms), of)
            for copy in range(3)
            for atoms, of in list_terms(chain, kind)
        ]
        assert list_terms(joined, kind) == expected
        assert len(joined.terms(kind).types) == len(chain.terms(kind).types)
    assert (joined.lennard_jones_scale_14, joined.coulomb_scale_14) == (0.5, 0.5)
    assert joined.notes == ("a note",)
    assert len(joined) == 15


def test_equal_types_of_two_parts_become_one(chain: Topology) -> None:
    """The second part has its types in another order, and a third one of its own."""
    third = TermType("O-C", "harmonic", (9.0, 1.0))
    bonds = Terms(np.array([[0, 1], [1, 2], [2, 3]]), np.array([2, 0, 1]), (OTHER_BOND, third, BOND))
    second = replace(chain, atom_types=(OXYGEN, CARBON), kinds=1 - chain.kinds, bonds=bonds)
    joined = join_topologies([(chain, 1), (second, 1)])
    assert joined.atom_types == (CARBON, OXYGEN)
    assert joined.kinds.tolist() == [0, 1, 1, 0, 0, 1, 1, 0]
    assert joined.bonds.types == (BOND, OTHER_BOND, third)
    assert joined.bonds.kinds.tolist() == [0, 1, 0, 0, 1, 2]


def test_a_molecule_of_several_numbers_stays_apart(chain: Topology) -> None:
    two = join_topologies([(chain, 2)])
    assert join_topologies([(two, 2)]).molecules.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4


def test_joining_in_steps_is_joining_at_once(chain: Topology, ion: Topology) -> None:
    at_once = join_topologies([(ion, 2), (chain, 2)])
    in_steps = join_topologies([(join_topologies([(ion, 2)]), 1), (join_topologies([(chain, 2)]), 1)])
    assert write_topology(at_once) == write_topology(in_steps)


def test_no_copies_add_nothing(chain: Topology, ion: Topology) -> None:
    other = replace(ion, mixing="arithmetic")
    joined = join_topologies([(chain, 1), (other, 0)])
    assert len(joined) == 4
    assert joined.mixing == "geometric"


def test_mixing_rules_that_differ_are_refused(chain: Topology, ion: Topology) -> None:
    with pytest.raises(InputError, match=r"mixing is arithmetic and geometric in parts of one system, needs one rule"):
        join_topologies([(chain, 1), (replace(ion, mixing="arithmetic"), 1)])


def test_scales_that_differ_are_refused_where_there_are_dihedrals(chain: Topology, ion: Topology) -> None:
    full = replace(chain, lennard_jones_scale_14=1.0, coulomb_scale_14=1.0)
    with pytest.raises(InputError, match=r"scaled by .* \(0.5, 0.5\) and \(1.0, 1.0\) in parts"):
        join_topologies([(chain, 1), (full, 1)])
    without = replace(full, dihedrals=no_terms(4))
    joined = join_topologies([(without, 1), (chain, 1), (ion, 1)])
    assert (joined.lennard_jones_scale_14, joined.coulomb_scale_14) == (0.5, 0.5)
    assert join_topologies([(ion, 3)]).lennard_jones_scale_14 == 1.0


def test_written_topology_is_read_back(chain: Topology, ion: Topology) -> None:
    topology = join_topologies([(ion, 1), (chain, 2)])
    document = json.loads(json.dumps(write_topology(topology)))
    read = read_topology(document)
    assert write_topology(read) == document
    assert read.atom_types == topology.atom_types
    assert (read.mixing, read.lennard_jones_scale_14, read.coulomb_scale_14) == ("geometric", 0.5, 0.5)
    assert read.notes == topology.notes
    for name in ("kinds", "charges_e", "molecules"):
        values, expected = getattr(read, name), getattr(topology, name)
        assert values.dtype == expected.dtype
        np.testing.assert_array_equal(values, expected)
    for kind in KINDS:
        assert list_terms(read, kind) == list_terms(topology, kind)
        assert read.terms(kind).atoms.shape == topology.terms(kind).atoms.shape


def test_topology_without_terms_is_read_back(ion: Topology) -> None:
    read = read_topology(json.loads(json.dumps(write_topology(ion))))
    assert [read.terms(kind).atoms.shape for kind in KINDS] == [(0, 2), (0, 3), (0, 4), (0, 4)]


def test_another_version_is_refused(ion: Topology) -> None:
    with pytest.raises(InputError, match=r"schema_version of a topology is 99, needs 1: write it anew"):
        read_topology(write_topology(ion) | {"schema_version": 99})
