"""A first guess of the Hessian for relaxations, from distances and angles alone.

A relaxation that starts from one stiffness for all directions spends most of its steps on learning that bonds are
stiff and torsions soft. A guess that knows it saves them (docs/performance.md).
"""

from itertools import combinations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from ase.units import Bohr, Hartree
from numpy.typing import NDArray

# Lindh, Bernhardsson, Karlström & Malmqvist 1995: decay in bohr⁻² and reference distance in bohr, by the rows of the
# periodic table of both atoms (hydrogen and helium; lithium to neon; all others), force constants in hartree.
_DECAY = np.array([[1.0, 0.3949, 0.3949], [0.3949, 0.28, 0.28], [0.3949, 0.28, 0.28]])
_REFERENCE = np.array([[1.35, 2.10, 2.53], [2.10, 2.87, 3.40], [2.53, 3.40, 3.40]])
_STRETCH, _BEND = 0.45, 0.15
_LAST_OF_ROW = (2, 10)
_CUTOFF_A = 6.0
_BONDED = 0.05  # strength from which on two neighbours make an angle
_SMALLEST_SINE = 0.03  # of a straight angle, whose bending has no direction
_SOFTEST_EV_PER_A2 = 2.0


def build_model_hessian(atoms: Atoms) -> NDArray[np.float64]:
    """A positive definite guess of the second derivatives of the energy.

    Stretches k = 0.45 ρ and bends k = 0.15 ρ ρ' with ρ = exp(α (r_ref² − r²)); no direction is softer than 2 eV/Å².
    What is fixed (`FixAtoms`) is coupled to nothing.

    Args:
        atoms: periodic or not.

    Returns:
        Shape (3 n_atoms, 3 n_atoms), in eV/Å².

    Source: Lindh et al. 1995, 10.1016/0009-2614(95)00646-L; its torsions are left out, which the softest direction
        stands for.
    """
    size = 3 * len(atoms)
    hessian: NDArray[np.float64] = np.zeros((size, size))
    rows = np.searchsorted(_LAST_OF_ROW, atoms.numbers)
    first, second, vectors = neighbor_list("ijD", atoms, _CUTOFF_A)
    lengths_A = np.linalg.norm(vectors, axis=1)
    units = vectors / lengths_A[:, None]
    pair = rows[first], rows[second]
    strengths = np.exp(_DECAY[pair] * (_REFERENCE[pair] ** 2 - (lengths_A / Bohr) ** 2))
    for i, j, unit, strength in zip(first, second, units, strengths, strict=True):
        if i < j:
            add_coordinate(hessian, {i: -unit, j: unit}, stiffness=_STRETCH * strength * Hartree / Bohr**2)
    for centre in range(len(atoms)):
        bonds = np.flatnonzero((first == centre) & (strengths > _BONDED))
        for one, other in combinations(bonds, 2):
            u, v = units[one], units[other]
            cosine = float(np.clip(u @ v, -1.0, 1.0))
            sine = max(np.sqrt(1 - cosine**2), _SMALLEST_SINE)
            ends = (cosine * u - v) / (lengths_A[one] * sine), (cosine * v - u) / (lengths_A[other] * sine)
            gradient = {centre: -ends[0] - ends[1]}
            for atom, part in zip((second[one], second[other]), ends, strict=True):
                gradient[atom] = gradient.get(atom, 0.0) + part  # an atom may be met twice, as its own image
            add_coordinate(hessian, gradient, stiffness=_BEND * strengths[one] * strengths[other] * Hartree)
    for constraint in atoms.constraints:
        fixed = (3 * np.asarray(constraint.index)[:, None] + np.arange(3)).ravel()
        hessian[fixed] = 0.0
        hessian[:, fixed] = 0.0
    values, directions = np.linalg.eigh(hessian)
    return np.asarray((directions * np.maximum(values, _SOFTEST_EV_PER_A2)) @ directions.T)


def add_coordinate(hessian: NDArray[np.float64], gradient: dict[int, NDArray[np.float64]], *, stiffness: float) -> None:
    """Add what an internal coordinate q with energy ½ k q² brings, in place: k ∇q ∇qᵀ.

    Args:
        hessian: shape (3 n_atoms, 3 n_atoms), in eV/Å².
        gradient: atom → ∇q, shape (3,).
        stiffness: k, in eV over the square of q's unit.
    """
    places = np.concatenate([3 * atom + np.arange(3) for atom in gradient])
    whole = np.concatenate(list(gradient.values()))
    hessian[np.ix_(places, places)] += stiffness * np.outer(whole, whole)
