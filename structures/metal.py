"""The alkali metal: body-centred cubic potassium."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from structures.alloy import check_repeats
from structures.errors import InputError

POTASSIUM_LATTICE_A = 5.328
POTASSIUM_MELTING_POINT_K = 337.0


def build_potassium(*, a_A: float = POTASSIUM_LATTICE_A, repeats: tuple[int, int, int] = (1, 1, 1)) -> Atoms:
    """Body-centred cubic potassium in its conventional cell of two atoms, repeated.

    Args:
        a_A: lattice constant, in Å; 5.328 at room temperature, 5.225 at 5 K.
        repeats: number of cells along x, y and z.

    Returns:
        Periodic crystal with region "potassium".

    Raises:
        InputError: if the lattice constant is outside 4.5 to 6.5 Å or a number of cells is below 1.

    Source: Barrett 1956, doi:10.1107/S0365110X56001790; Kittel, Introduction to Solid State Physics, for 5 K.
    """
    check_repeats(repeats)
    low_A, high_A = 4.5, 6.5
    if not low_A <= a_A <= high_A:
        message = f"a_A of potassium is {a_A}, needs {low_A} to {high_A} Å"
        raise InputError(message)
    atoms: Atoms = Atoms("K2", cell=[a_A] * 3, scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], pbc=True).repeat(repeats)
    atoms.set_array("region", np.full(len(atoms), "potassium", dtype="<U9"))
    return atoms
