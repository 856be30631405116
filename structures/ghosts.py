"""Ghost atoms: places that bring their orbitals, and neither nucleus nor electrons (counterpoise correction).

Source: Boys & Bernardi 1970, 10.1080/00268977000101561.
"""

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

GHOST = "ghost"
_REAL = "atom"


def make_ghosts(atoms: Atoms, *, real: slice) -> Atoms:
    """The same atoms, all but some of them ghosts.

    Args:
        atoms: of the whole.
        real: those that stay atoms.

    Returns:
        A copy; its array `region` says which are ghosts, which have no magnetic moment to start from.
    """
    marked: Atoms = atoms.copy()
    regions = np.full(len(atoms), GHOST, dtype="<U5")
    regions[real] = _REAL
    marked.set_array("region", None)
    marked.set_array("region", regions)
    moments = marked.get_initial_magnetic_moments()
    if moments.any():
        marked.set_initial_magnetic_moments(np.where(regions == GHOST, 0.0, moments))
    return marked


def find_ghosts(atoms: Atoms) -> NDArray[np.bool_]:
    """Which atoms are ghosts, shape (n_atoms,)."""
    regions = atoms.arrays.get("region")
    if regions is None:
        return np.zeros(len(atoms), dtype=bool)
    ghosts: NDArray[np.bool_] = np.asarray(regions, dtype=str) == GHOST
    return ghosts
