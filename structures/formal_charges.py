"""Formal charges of a compound, and what they say of the polarity of its surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from structures.crystal_planes import Miller, Stacking, build_stacking
from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms
    from numpy.typing import NDArray

_NEGLIGIBLE_DIPOLE = 0.02  # of the dipole that all charges would have one period apart

# In falling order of electronegativity; the first one present is the anion.
_ANIONS = {
    "F": -1, "O": -2, "Cl": -1, "N": -3, "Br": -1, "I": -1, "S": -2, "Se": -2, "C": -4, "H": -1, "Te": -2, "As": -3,
    "P": -3, "Sb": -3,
}  # fmt: skip
_SALT_FORMERS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se")
_CATIONS = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs", "H", "Ag"), 1),
    **dict.fromkeys(("Be", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd"), 2),
    **dict.fromkeys(("B", "Al", "Ga", "In", "Sc", "Y", "La"), 3),
    **dict.fromkeys(("C", "Si", "Ge", "Zr", "Hf"), 4),
    **dict.fromkeys(("P", "Nb", "Ta"), 5),
    "S": 6,
}


def guess_formal_charges(composition: Mapping[str, int]) -> dict[str, float] | None:
    """Formal charges of a compound with one kind of anion: usual ones, and one element that makes it neutral.

    Args:
        composition: number of atoms of each element.

    Returns:
        Charge of each element in e, mixed valence averaged; None for elements and for alloys.

    Raises:
        InputError: if a salt has two elements whose charges are open.
    """
    anion = next((element for element in _ANIONS if element in composition), None)
    if anion is None or len(composition) == 1:
        return None
    charges: dict[str, float] = {element: _CATIONS[element] for element in composition if element in _CATIONS}
    charges[anion] = _ANIONS[anion]
    free = [element for element in composition if element not in charges]
    if len(free) > 1 and anion not in _SALT_FORMERS:
        return None
    if not free and sum(charges[element] * n for element, n in composition.items()) != 0:
        free = _find_unusual(composition, anion=anion)
    rest = -sum(charges[element] * n for element, n in composition.items() if element not in free)
    if len(free) > 1 or (free and rest * (-1 if free[0] == anion else 1) <= 0):
        raise InputError(
            f"formal charges of {' and '.join(free)} in {dict(composition)} cannot be told from neutrality. Give them "
            'all: charges, e.g. {"Li": 1, "Ni": 2, "Mn": 4, "O": -2}.'
        )
    return charges | {element: rest / composition[element] for element in free}


def _find_unusual(composition: Mapping[str, int], *, anion: str) -> list[str]:
    """The element whose charge gives way where the usual ones clash: oxygen in peroxides, else the one cation."""
    cations = [element for element in composition if element != anion]
    in_peroxide = anion == "O" and all(_CATIONS[element] in (1, 2) for element in cations)
    return [anion] if in_peroxide else cations


def find_charges(bulk: Atoms, *, charges: Mapping[str, float] | None = None) -> NDArray[np.float64] | None:
    """Formal charge of each atom of a neutral crystal.

    Args:
        bulk: the crystal.
        charges: of each element, in e; None: guessed.

    Returns:
        Charges in e, shape (n_atoms,); None for elements and for alloys.

    Raises:
        InputError: if charges are missing or do not add up to zero, or cannot be guessed.
    """
    composition = bulk.symbols.formula.count()
    known = guess_formal_charges(composition) if charges is None else charges
    if known is None:
        return None
    missing = [element for element in composition if element not in known]
    if missing:
        raise InputError(f"charges has no {missing[0]}, needs one for each of {', '.join(composition)}. Add it.")
    values = np.array([known[element] for element in bulk.symbols], dtype=float)
    if abs(values.sum()) > 1e-6 * np.abs(values).sum():
        raise InputError(
            f"charges {dict(known)} add up to {values.sum():+g} e in {bulk.symbols.formula}, needs 0. Mend them."
        )
    return values


def has_dipole(heights_A: NDArray[np.float64], *, charges: NDArray[np.float64], period_A: float) -> bool:
    """Whether charges have a dipole moment along z, about the middle of their heights.

    Args:
        heights_A: of the atoms, shape (n_atoms,), in Å.
        charges: of the atoms, shape (n_atoms,), in e.
        period_A: of the crystal along z: the length that tells what is negligible, in Å.
    """
    middle_A = (heights_A.max() + heights_A.min()) / 2
    moment = float(charges @ (heights_A - middle_A))
    return abs(moment) > _NEGLIGIBLE_DIPOLE * float(np.abs(charges).mean()) * period_A


def find_tasker_type(bulk: Atoms, *, miller: Miller, charges: Mapping[str, float] | None = None) -> int | None:
    """Type of a surface of an ionic crystal by Tasker's classes.

    1: every plane is neutral. 2: planes are charged, but a repeat unit can be cut that has no dipole moment. 3: every
    repeat unit has one, so that a stoichiometric slab is polar.

    Args:
        bulk: any cell of the crystal.
        miller: indices of the plane in this cell.
        charges: formal charge of each element, in e; None: guessed.

    Returns:
        1, 2 or 3; None for elements and for alloys, which have no formal charges.

    Raises:
        InputError: as `build_stacking` and `find_charges`.

    Source: Tasker 1979, doi:10.1088/0022-3719/12/22/036.
    """
    return classify_stacking(build_stacking(bulk, miller=miller), charges=charges)


def classify_stacking(stacking: Stacking, *, charges: Mapping[str, float] | None = None) -> int | None:
    """Type of a stack of planes by Tasker's classes, as `find_tasker_type`."""
    values = find_charges(stacking.unit, charges=charges)
    if values is None:
        return None
    sums: NDArray[np.float64] = np.bincount(stacking.planes, weights=values).astype(float)
    if np.abs(sums).max() < 1e-6 * np.abs(values).sum():
        return 1
    heights_A, n_planes = stacking.heights_A, stacking.n_planes
    for lowest in range(n_planes):
        above = heights_A + stacking.period_A * (np.arange(n_planes) < lowest)
        if not has_dipole(above, charges=sums, period_A=stacking.period_A):
            return 2
    return 3
