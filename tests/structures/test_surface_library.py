"""The built-in substrates."""

import math

import numpy as np
import pytest
from ase.build import graphene
from ase.neighborlist import neighbor_list

from structures.errors import InputError
from structures.surface_library import SUBSTRATES, build_substrate, describe_substrates


@pytest.mark.parametrize("name", SUBSTRATES)
def test_each_substrate_is_built_with_equal_faces_and_a_source(name: str) -> None:
    surface = build_substrate(name, repeats=(2, 2))
    entry = SUBSTRATES[name]
    assert surface.name == name
    assert surface.n_layers == entry.n_layers
    assert surface.is_symmetric
    assert not surface.is_polar
    assert "Å" in surface.source
    held = surface.atoms.constraints[0].index if entry.fixed_layers else []
    assert len(held) == (surface.atoms.arrays["layer"] < entry.fixed_layers).sum()
    assert surface.atoms.cell.array[2, 2] - surface.thickness_A == pytest.approx(20.0, rel=1e-9)
    assert set(describe_substrates()) == set(SUBSTRATES)


def test_the_two_faces_of_titanium_nitride_end_as_their_names_say() -> None:
    for element in ("Ti", "N"):
        surface = build_substrate(f"TiN(111)-{element}")
        assert surface.termination == element
        assert surface.atoms.symbols[-1] == element
        assert surface.tasker_type == 3
        assert build_substrate(f"TiN(111)-{element}", n_layers=6).is_polar


def test_bonds_are_those_of_the_crystals() -> None:
    for name, bond_A in (
        ("Li(110)", 3.51 * math.sqrt(3) / 2),
        ("TiN(001)", 4.24 / 2),
        ("TiN(111)-N", 4.24 / 2),
        ("Cu(111)", 3.615 / math.sqrt(2)),
        ("graphene", 2.46 / math.sqrt(3)),
    ):
        assert neighbor_list("d", build_substrate(name).atoms, 3.3).min() == pytest.approx(bond_A, rel=1e-9)


def test_graphene_is_the_sheet_that_ase_builds() -> None:
    ours = build_substrate("graphene", repeats=(3, 3)).atoms
    theirs = graphene(a=2.46, size=(3, 3, 1), vacuum=10)
    theirs.pbc = (True, True, False)
    assert np.ptp(ours.positions[:, 2]) == 0
    np.testing.assert_allclose(ours.cell.lengths()[:2], theirs.cell.lengths()[:2], rtol=1e-9)
    bonds = [np.bincount(neighbor_list("i", atoms, 1.5)) for atoms in (ours, theirs)]
    assert set(bonds[0]) == set(bonds[1]) == {3}
    assert not ours.constraints


def test_layers_and_held_layers_can_be_chosen() -> None:
    surface = build_substrate("Li(001)", n_layers=10, fixed_layers=0)
    assert surface.n_layers == 10
    assert not surface.atoms.constraints
    assert build_substrate("Li(001)", n_layers=14).fixed_layers == 6
    assert build_substrate("Cu(111)", n_layers=1).fixed_layers == 0


def test_a_name_nearly_right_is_told() -> None:
    with pytest.raises(InputError, match=r"no built-in substrate 'Li\(100\)'.*Did you mean Li\(1"):
        build_substrate("Li(100)")
    with pytest.raises(InputError, match=r"Did you mean TiN\(111\)"):
        build_substrate("TiN(111)")


def test_graphene_is_one_sheet() -> None:
    with pytest.raises(InputError, match="n_layers is 2, needs 1: graphene is one sheet"):
        build_substrate("graphene", n_layers=2)
