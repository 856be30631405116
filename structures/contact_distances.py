"""How near two atoms come before they touch: between a covalent bond and a van-der-Waals contact."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.vdw_alvarez import vdw_radii
from numpy.typing import ArrayLike, NDArray

from structures.errors import InputError

HALFWAY = 0.5  # of the way from a bond to a van-der-Waals contact


def compute_contact_distances(
    first: ArrayLike, second: ArrayLike, *, distance_scale: float = HALFWAY
) -> NDArray[np.float64]:
    """Distances at which atoms touch: d = d_cov + s (d_vdW − d_cov), each the sum of two radii.

    Args:
        first: atomic numbers, shape (n,).
        second: atomic numbers, shape (m,).
        distance_scale: s; 0 is a covalent bond, 1 a van-der-Waals contact.

    Returns:
        Distances, shape (n, m), in Å.

    Raises:
        InputError: if the scale is negative or an element has no van-der-Waals radius.

    Source:
        10.1039/b801115j (covalent radii), 10.1039/c3dt50599e (van-der-Waals radii)
    """
    if distance_scale < 0:
        raise InputError(
            f"distance_scale is {distance_scale:g}, needs at least 0 (covalent bonds); 1 is a van-der-Waals contact."
        )
    radii_A = []
    for numbers in (np.asarray(first, dtype=int), np.asarray(second, dtype=int)):
        unknown = sorted({chemical_symbols[number] for number in numbers if not _has_radius(number)})
        if unknown:
            raise InputError(f"{', '.join(unknown)} has no van-der-Waals radius in the table used; use other atoms.")
        radii_A.append(covalent_radii[numbers] + distance_scale * (vdw_radii[numbers] - covalent_radii[numbers]))
    distances_A: NDArray[np.float64] = radii_A[0][:, None] + radii_A[1][None, :]
    return distances_A


def _has_radius(number: int) -> bool:
    return 0 < number < len(vdw_radii) and bool(np.isfinite(vdw_radii[number]))
