import pytest
from ase.neighborlist import neighbor_list

from structures.errors import InputError
from structures.metal import build_potassium


def test_body_centred_cubic() -> None:
    atoms = build_potassium(repeats=(2, 2, 2))
    distances = neighbor_list("d", atoms, 5.0)
    assert len(distances) == 8 * len(atoms)
    assert distances == pytest.approx(5.328 * 3**0.5 / 2)
    assert set(atoms.arrays["region"]) == {"potassium"}


def test_lattice_constant_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="a_A of potassium is 0"):
        build_potassium(a_A=0)
