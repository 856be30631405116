"""One box for all species, whole in steps of the grid."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from structures.box import GRID_MULTIPLE, find_box_lengths, orient_along_axes, put_in_box
from structures.errors import InputError


def test_orientation_keeps_all_distances_and_the_hand() -> None:
    rng = np.random.default_rng(1)
    atoms = Atoms("CHFClBr", positions=rng.normal(size=(5, 3)) * (1, 3, 2))
    turned = orient_along_axes(atoms)
    np.testing.assert_allclose(turned.get_all_distances(), atoms.get_all_distances(), rtol=0, atol=1e-12)
    volumes = [np.linalg.det(one.positions[1:4] - one.positions[0]) for one in (atoms, turned)]
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-9)
    spread = turned.positions.std(axis=0)
    assert spread[0] >= spread[1] >= spread[2]


def test_lines_and_planes_can_be_turned() -> None:
    for name in ("H2", "CO2", "C6H6", "H2O"):
        atoms = molecule(name)
        turned = orient_along_axes(atoms)
        np.testing.assert_allclose(turned.get_all_distances(), atoms.get_all_distances(), rtol=0, atol=1e-9)


def test_the_box_holds_all_with_vacuum_and_fits_the_grid() -> None:
    molecules = [orient_along_axes(molecule(name)) for name in ("C6H6", "H2O")]
    lengths_A = find_box_lengths(molecules, vacuum_A=4.0, spacing_A=0.2)
    steps = lengths_A / (0.2 * GRID_MULTIPLE)
    np.testing.assert_allclose(steps, np.round(steps), rtol=0, atol=1e-9)
    for one in molecules:
        boxed = put_in_box(one, lattice_A=np.diag(lengths_A))
        assert not boxed.pbc.any()
        assert boxed.positions.min() >= 4.0 - 1e-9
        assert (lengths_A - boxed.positions).min() >= 4.0 - 1e-9
    assert (lengths_A - np.ptp(molecules[0].positions, axis=0) < 8.0 + 0.2 * GRID_MULTIPLE).all()


def test_no_vacuum_is_refused() -> None:
    with pytest.raises(InputError, match="vacuum_A is 0"):
        find_box_lengths([Atoms("Li")], vacuum_A=0.0, spacing_A=0.2)
