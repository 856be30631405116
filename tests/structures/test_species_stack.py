"""Stacks: where the molecules lie, and which spins they couple to."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from structures.errors import InputError
from structures.species import Species, build_species
from structures.species_stack import build_stack
from structures.stacking import stack_atoms


def test_gap_and_slip_are_as_asked() -> None:
    lower = Atoms("OH2", [(5, 5, 5), (5, 5.7, 5.6), (5, 4.3, 5.6)])
    upper = Atoms("Li2", [(-3, 0, -8), (-1, 0, -7)])
    below, above = stack_atoms(lower, upper, distance_A=3.0, slip_A=(0.5, -1.0))
    np.testing.assert_array_equal(below.positions, lower.positions)
    assert above.positions[:, 2].min() - below.positions[:, 2].max() == pytest.approx(3.0)
    centres = above.positions.mean(axis=0) - below.positions.mean(axis=0)
    assert centres[:2] == pytest.approx([0.5, -1.0])
    np.testing.assert_allclose(above.get_all_distances(), upper.get_all_distances())


def test_stacks_do_not_depend_on_where_the_upper_molecule_lay() -> None:
    lower, upper = build_species("MIL-node"), build_species("CoPc")
    moved = replace(upper, atoms=upper.atoms.copy())
    moved.atoms.positions += (3.0, -7.0, 11.0)
    stacks = [build_stack(lower, one, distance_A=3.0) for one in (upper, moved)]
    np.testing.assert_allclose(stacks[0].atoms.positions, stacks[1].atoms.positions, atol=1e-9)


def test_phthalocyanine_on_the_node_combines_all_arrangements() -> None:
    node, ring = build_species("MIL-node"), build_species("CoPc")
    stack = build_stack(node, ring, distance_A=3.0)
    assert stack.name == "CoPc_on_MIL-node"
    assert (stack.charge, stack.multiplicity) == (0, 7)  # 5 + 1 unpaired
    assert stack.n_electrons == node.n_electrons + ring.n_electrons
    assert list(stack.starting_moments) == ["up-up-down / cobalt", "up-down-up / cobalt", "down-up-up / cobalt"]
    moments = np.array(stack.starting_moments["up-down-up / cobalt"])
    np.testing.assert_array_equal(moments[stack.atoms.symbols == "Fe"], [5, -5, 5])
    np.testing.assert_array_equal(moments[stack.atoms.symbols == "Co"], [1])
    assert np.count_nonzero(moments) == 4


@pytest.mark.parametrize(("coupling", "multiplicity", "irons", "cobalt"), [
    ("parallel", 17, 5, 1),
    ("antiparallel", 15, 5, -1),
])  # fmt: skip
def test_spins_add_or_subtract(coupling: str, multiplicity: int, irons: int, cobalt: int) -> None:
    node, ring = build_species("MIL-node(hs)+"), build_species("CoPc")
    for lower, upper in ((node, ring), (ring, node)):
        stack = build_stack(lower, upper, distance_A=3.0, coupling=coupling)  # type: ignore[arg-type]
        assert (stack.charge, stack.multiplicity) == (1, multiplicity)
        (moments,) = stack.starting_moments.values()
        assert set(np.array(moments)[stack.atoms.symbols == "Fe"]) == {irons}
        assert set(np.array(moments)[stack.atoms.symbols == "Co"]) == {cobalt}


@pytest.mark.parametrize(("name", "coupling"), [("CoPc2", "parallel"), ("CoPc2(bs)", "antiparallel")])
def test_built_in_pair_is_a_stack_of_two(name: str, coupling: str) -> None:
    one, pair = build_species("CoPc"), build_species(name)
    slip = pair.atoms.positions[57] - pair.atoms.positions[0]
    stack = build_stack(one, one, distance_A=3.4, slip_A=(slip[0], slip[1]), coupling=coupling, name=name)  # type: ignore[arg-type]
    np.testing.assert_allclose(stack.atoms.positions, pair.atoms.positions, atol=1e-12)
    assert (stack.name, stack.charge, stack.multiplicity) == (name, pair.charge, pair.multiplicity)
    assert list(stack.starting_moments.values()) == list(pair.starting_moments.values())


def test_closed_shells_stay_without_moments() -> None:
    anion = build_species("TFSI-")
    assert build_stack(anion, anion, distance_A=3.0).starting_moments == {}
    stack = build_stack(build_species("CoPc2(bs)"), anion, distance_A=3.0)
    assert (stack.charge, stack.multiplicity) == (-1, 1)
    assert np.count_nonzero(stack.starting_moments["antiparallel"]) == 2


def test_radicals_without_arrangements_spread_their_electron() -> None:
    stack = build_stack(build_species("CoPc"), build_species("CF3"), distance_A=3.0)
    assert stack.multiplicity == 3
    assert stack.starting_moments["cobalt"][-4:] == pytest.approx([0.25] * 4)
    lithium = Species("Li", Atoms("Li"), multiplicity=2)
    pair = build_stack(lithium, lithium, distance_A=2.7, coupling="antiparallel")
    assert (pair.multiplicity, pair.starting_moments) == (1, {"antiparallel": (1.0, -1.0)})


def test_touching_molecules_are_refused() -> None:
    ring = build_species("CoPc")
    with pytest.raises(InputError, match=r"distance_A is 1 .* needs at least 1.5 Å"):
        build_stack(ring, ring, distance_A=1.0)
