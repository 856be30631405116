"""Burgers circuits that are mapped step by step to the perfect lattice, so that their closure is a whole number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from structures.lattice_bonds import Bonds, Interior, find_bonds

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_THICKNESS_A = 3.0


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A closed circuit of bonds around a rectangle, counter-clockwise around +z.

    Attributes:
        encloses: name of what it goes around: "core 1", …, "cores 1 and 2".
        half_widths_A: half the circuit's width along x and along y, in Å.
        steps: closure in steps along the three bond vectors; None if no closed circuit of bonds was found.
        burgers_vector_A: minus the closure, the Burgers vector enclosed, in Å; None as above.
        agreement: share of the closing bonds that give this closure.
    """

    encloses: str
    half_widths_A: tuple[float, float]
    steps: tuple[int, int, int] | None
    burgers_vector_A: tuple[float, float, float] | None
    agreement: float


def compute_circuit(
    interior: Interior,
    *,
    bond_vectors_A: NDArray[np.float64],
    center_A: tuple[float, float],
    half_widths_A: tuple[float, float],
    encloses: str,
) -> Circuit:
    """Burgers vector enclosed by a rectangular ring of bonds.

    The atoms of the ring get whole-number lattice coordinates along a spanning tree of the bonds that fit the lattice
    best, which does not cross a ray from the centre upwards. Each bond across the ray then closes a circuit; in a ring
    of good crystal all give the same closure, whatever the way they go around.

    Args:
        interior: atoms of the alloy.
        bond_vectors_A: the three bond vectors of the perfect lattice, shape (3, 3), in Å.
        center_A: x and y of the centre, in Å.
        half_widths_A: half the width along x and along y, in Å; the ring is 6 Å thick.
        encloses: name for the result.

    Returns:
        The circuit; b = −Σ (mapped steps), the vector from finish to start in the perfect lattice.

    Source: Hirth and Lothe, Theory of Dislocations, 2nd ed., 1982, section 1.
    """
    positions_A = _ring(interior, center_A=center_A, half_widths_A=half_widths_A)
    bonds = find_bonds(positions_A, bond_vectors_A=bond_vectors_A)
    upper = (positions_A[bonds.first, 1] + positions_A[bonds.second, 1]) > 0
    left = positions_A[:, 0] < 0
    crossing = upper & (left[bonds.first] != left[bonds.second])
    closures = _closures(bonds, crossing=crossing, left=left, n_atoms=len(positions_A))
    if len(closures) == 0:
        return Circuit(encloses=encloses, half_widths_A=half_widths_A, steps=None, burgers_vector_A=None, agreement=0.0)
    values, counts = np.unique(closures, axis=0, return_counts=True)
    winner = values[counts.argmax()]
    burgers = -(winner @ bond_vectors_A)
    return Circuit(
        encloses=encloses,
        half_widths_A=half_widths_A,
        steps=(int(winner[0]), int(winner[1]), int(winner[2])),
        burgers_vector_A=(float(burgers[0]), float(burgers[1]), float(burgers[2])),
        agreement=float(counts.max() / counts.sum()),
    )


def _ring(
    interior: Interior, *, center_A: tuple[float, float], half_widths_A: tuple[float, float]
) -> NDArray[np.float64]:
    """Positions, images included, of the atoms in the ring, relative to the centre."""
    relative = interior.positions_A - np.array([*center_A, 0.0])
    outer = np.array(half_widths_A) + HALF_THICKNESS_A
    inner = np.array(half_widths_A) - HALF_THICKNESS_A
    cell = interior.lateral_cell_A
    rows = range(-int(np.ceil(outer[1] / cell[1, 1])) - 1, int(np.ceil(outer[1] / cell[1, 1])) + 2)
    reach = int(np.ceil((outer[0] + abs(cell[1, 0]) * len(rows)) / cell[0, 0])) + 1
    found = []
    for row in rows:
        y = relative[:, 1] + row * cell[1, 1]
        in_row = np.abs(y) <= outer[1]
        if not in_row.any():
            continue
        for column in range(-reach, reach + 1):
            x = relative[in_row, 0] + column * cell[0, 0] + row * cell[1, 0]
            kept = (np.abs(x) <= outer[0]) & ((np.abs(x) > inner[0]) | (np.abs(y[in_row]) > inner[1]))
            found.append(np.column_stack([x[kept], y[in_row][kept], relative[in_row, 2][kept]]))
    return np.vstack(found) if found else np.zeros((0, 3))


def _closures(bonds: Bonds, *, crossing: NDArray[np.bool_], left: NDArray[np.bool_], n_atoms: int) -> NDArray[np.int64]:
    """Sum of steps once around the ring, counter-clockwise, for each bond across the ray whose ends the tree joins."""
    inside = ~crossing
    weights = bonds.misfit_A[inside] + 1e-3  # a zero would be no bond in a sparse array
    graph = coo_array((weights, (bonds.first[inside], bonds.second[inside])), shape=(n_atoms, n_atoms)).tocsr()
    tree = minimum_spanning_tree(graph)
    _, component = connected_components(tree, directed=False)
    if not crossing.any():
        return np.zeros((0, 3), dtype=np.int64)
    root = int(np.argmax(component == np.bincount(component).argmax()))
    order, parents = breadth_first_order(tree, root, directed=False)
    step_of = {
        (int(i), int(j)): step
        for i, j, step in zip(bonds.first[inside], bonds.second[inside], bonds.steps[inside], strict=True)
    }
    coordinates = np.zeros((n_atoms, 3), dtype=np.int64)
    for atom in order[1:]:
        parent = int(parents[atom])
        step = step_of.get((parent, int(atom)))
        coordinates[atom] = coordinates[parent] + (step if step is not None else -step_of[(int(atom), parent)])
    joined = np.zeros(n_atoms, dtype=bool)
    joined[order] = True
    closing = crossing & joined[bonds.first] & joined[bonds.second]
    sums = coordinates[bonds.first[closing]] + bonds.steps[closing] - coordinates[bonds.second[closing]]
    result: NDArray[np.int64] = np.where(left[bonds.first[closing]][:, None], -sums, sums)
    return result
