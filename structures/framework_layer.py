"""Layers cut from a framework: a slab of a crystal, matched to the size of an electrode, its cut bonds capped."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.data import covalent_radii
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from structures.checks import check_smallest_distance
from structures.crystal_planes import Miller, check_miller
from structures.errors import InputError
from structures.files import read_structure
from structures.framework_checks import Bonds, check_hydrogens, describe_gaps, find_bonds, find_metals
from structures.labels import LAYER, label_atoms
from structures.lateral_fit import LateralFit, Pair, check_strain, find_rectangular_vectors, fit_repeats
from structures.layer import Layer, compute_coverage
from structures.species import SHORTEST_DISTANCE_A

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_STRAIN = 0.03
_METAL_COST = 3  # cut bonds of a metal count as so many others
_SMALL_PIECE = 0.05  # of the largest piece
_REACH = 4


@dataclass(frozen=True, eq=False)
class _Block:
    """A framework in an upright lateral cell, several periods high.

    Attributes:
        atoms: edges of the lateral cell along x and y, periodic there alone.
        period_A: distance of equal planes along z.
    """

    atoms: Atoms
    period_A: float


def cut_layer(
    path: Path,
    *,
    thickness_A: float,
    lateral_A: Pair,
    facet: Miller = (0, 0, 1),
    max_strain: float = MAX_STRAIN,
) -> Layer:
    """Cut a slab from a framework's crystal and stretch it to a lateral size.

    Planes repeat as the cell of the file does, centred or not. It is cut at the height that cuts the fewest bonds, of
    which those of metals count threefold; nothing is relaxed. Cut bonds between
    nonmetals are capped with hydrogen; those of metals are left open and named, as are pieces that lost their hold,
    which are taken away.

    Args:
        path: CIF or another file with the crystal.
        thickness_A: of the slab, between the planes that cut it, in Å.
        lateral_A: wanted size along x and y, in Å.
        facet: Miller indices of the plane in the cell of the file.
        max_strain: largest strain along x or y, by amount.

    Raises:
        InputError: if sites are partly occupied, hydrogen is missing, atoms overlap, the strain is too large, no
            rectangular cell exists, or a number is out of range.
    """
    if not thickness_A > 0:
        raise InputError(f"thickness_A is {thickness_A:g}, needs more than 0 Å. Set it, e.g. thickness_A: 15.")
    check_miller(facet)
    crystal = read_structure(path)
    if crystal.cell.rank < 3:  # noqa: PLR2004 three axes
        raise InputError(f"{path.name} has a cell of rank {crystal.cell.rank}, needs a crystal with a full cell.")
    crystal.pbc = True
    check_smallest_distance(crystal, minimum_A=SHORTEST_DISTANCE_A)
    bonds = find_bonds(crystal)
    check_hydrogens(crystal, bonds=bonds, name=path.name)
    basis = find_plane_basis(facet, cell_A=crystal.cell.array)
    rectangle = find_rectangular_vectors(basis[:2] @ crystal.cell.array)
    lengths_A = np.linalg.norm(rectangle @ basis[:2] @ crystal.cell.array, axis=1)
    edges_A = (float(lengths_A[0]), float(lengths_A[1]))
    fit = fit_repeats(edges_A, lateral_A=lateral_A)
    check_strain(fit, edges_A=edges_A, max_strain=max_strain, what=f"The layer ({path.name})")
    block = _build_block(crystal, basis=basis, rectangle=rectangle, fit=fit, thickness_A=thickness_A)
    slab, notes = _cut(block, thickness_A=thickness_A)
    return Layer(
        atoms=label_atoms(slab, region=LAYER, species=path.stem),
        name=path.stem,
        n_units=math.prod(fit.repeats) * round(abs(np.linalg.det(rectangle))),
        orientation=f"({facet[0]} {facet[1]} {facet[2]}) of the file's cell parallel to the electrode",
        smallest_distance_A=None,
        coverage=compute_coverage(slab),
        strain=fit.strain,
        source=path.name,
        notes=(*describe_gaps(crystal, bonds=bonds), *notes),
    )


def find_plane_basis(facet: Miller, *, cell_A: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole-number vectors of a lattice: two that span a lattice plane, and one to the next plane.

    Args:
        facet: Miller indices of the plane.
        cell_A: the lattice, vectors as rows, shape (3, 3), in Å.

    Returns:
        Rows of coefficients with determinant 1, shape (3, 3); each as short as can be.

    Raises:
        InputError: if the indices are too high.
    """
    normal = np.array(facet) // math.gcd(*facet)
    points = np.array(list(product(range(-_REACH, _REACH + 1), repeat=3)))
    points = points[np.argsort(np.linalg.norm(points @ cell_A, axis=1), kind="stable")][1:]
    inside, above = points[points @ normal == 0], points[points @ normal == 1]
    crosses = np.cross(inside[:1], inside) if len(inside) else np.empty((0, 3))
    spanning = np.flatnonzero((crosses == normal).all(axis=1))
    if len(spanning) == 0 or len(above) == 0:
        raise InputError(f"facet is {tuple(facet)}, needs indices up to about {_REACH - 1}. Take lower ones.")
    return np.array([inside[0], inside[spanning[0]], above[0]])


def _build_block(
    crystal: Atoms, *, basis: NDArray[np.int64], rectangle: NDArray[np.int64], fit: LateralFit, thickness_A: float
) -> _Block:
    """The crystal repeated and stretched to the wanted size, high enough to cut a slab at any height of one period."""
    rows = np.array([rectangle[1], -rectangle[0]]) if fit.is_turned else rectangle
    unit = make_supercell(crystal, np.vstack([rows @ basis[:2], basis[2]]))
    first, second, third = unit.cell.array
    normal = np.cross(first, second)
    ex, ez = first / np.linalg.norm(first), normal / np.linalg.norm(normal)
    period_A = float(third @ ez)
    n_periods = math.ceil(thickness_A / period_A) + 3
    block = unit.repeat((*fit.repeats, n_periods))
    positions_A = block.positions @ np.array([ex, np.cross(ez, ex), ez]).T
    positions_A[:, 2] %= n_periods * period_A
    stretch = 1 + np.array(fit.strain)
    lateral_A = np.array(fit.repeats) * np.linalg.norm([first, second], axis=1) * stretch
    positions_A[:, :2] *= stretch
    atoms = Atoms(
        block.numbers,
        positions=positions_A,
        cell=np.diag([*lateral_A, n_periods * period_A]),
        pbc=(True, True, False),
    )
    atoms.wrap(eps=1e-6)
    return _Block(atoms, period_A)


def _cut(block: _Block, *, thickness_A: float) -> tuple[Atoms, tuple[str, ...]]:
    """The slab between the two planes that cut the fewest bonds, capped, from z = 0, and what was done to it."""
    atoms, bonds = block.atoms, find_bonds(block.atoms)
    metals = find_metals(atoms)
    lowest_A = _find_cut(atoms, bonds=bonds, metals=metals, period_A=block.period_A, thickness_A=thickness_A)
    z_A = atoms.positions[:, 2]
    inside = (z_A >= lowest_A) & (z_A < lowest_A + thickness_A)
    held = _find_large_pieces(inside, bonds=bonds)
    cut = held[bonds.first] & ~inside[bonds.second]
    to_metal = metals[bonds.first] | metals[bonds.second]
    hydrogens_A = _place_hydrogens(atoms, bonds=bonds, chosen=cut & ~to_metal)
    slab: Atoms = atoms[held]
    slab.extend(Atoms(np.ones(len(hydrogens_A), dtype=int), positions=hydrogens_A))
    slab.positions[:, 2] -= slab.positions[:, 2].min()
    slab.set_cell(np.diag([*atoms.cell.lengths()[:2], max(float(np.ptp(slab.positions[:, 2])), 1.0)]))
    check_smallest_distance(slab, minimum_A=SHORTEST_DISTANCE_A)
    open_ends = Counter(str(atoms.symbols[index]) for index in bonds.first[cut & to_metal])
    lost = int((inside & ~held).sum())
    notes = [f"{len(hydrogens_A)} cut bonds between nonmetals, capped with hydrogen"] if len(hydrogens_A) else []
    if open_ends:
        ends = ", ".join(f"{n} at {symbol}" for symbol, n in sorted(open_ends.items()))
        notes.append(f"{sum(open_ends.values())} cut bonds of metals, left open: {ends}")
    if lost:
        notes.append(f"{lost} atoms in pieces that the cut set free, taken away")
    return slab, tuple(notes)


def _find_cut(atoms: Atoms, *, bonds: Bonds, metals: NDArray[np.bool_], period_A: float, thickness_A: float) -> float:
    """Height of the lower plane, in the second period, at which both planes together cut the fewest bonds."""
    z_A = atoms.positions[:, 2]
    upwards = bonds.vectors_A[:, 2] > 0
    low_A = z_A[bonds.first[upwards]]
    high_A = low_A + bonds.vectors_A[upwards, 2]
    costs = np.where(metals[bonds.first[upwards]] | metals[bonds.second[upwards]], _METAL_COST, 1)
    levels_A = np.unique(np.concatenate([z_A, z_A - thickness_A]).round(4))
    levels_A = levels_A[(levels_A >= period_A) & (levels_A <= 2 * period_A)]
    middles_A = (levels_A[1:] + levels_A[:-1]) / 2
    if len(middles_A) == 0:
        return 1.5 * period_A
    order_low, order_high = np.argsort(low_A), np.argsort(high_A)
    begun, ended = (np.concatenate([[0], np.cumsum(costs[order])]) for order in (order_low, order_high))

    def count(planes_A: NDArray[np.float64]) -> NDArray[np.int64]:
        crossing: NDArray[np.int64] = (
            begun[np.searchsorted(low_A[order_low], planes_A)] - ended[np.searchsorted(high_A[order_high], planes_A)]
        )
        return crossing

    return float(middles_A[np.argmin(count(middles_A) + count(middles_A + thickness_A))])


def _find_large_pieces(inside: NDArray[np.bool_], *, bonds: Bonds) -> NDArray[np.bool_]:
    """Atoms of the slab in connected pieces that are not small beside the largest, shape (n_atoms,)."""
    kept = inside[bonds.first] & inside[bonds.second]
    n_atoms = len(inside)
    graph = coo_matrix((np.ones(int(kept.sum())), (bonds.first[kept], bonds.second[kept])), shape=(n_atoms, n_atoms))
    _, pieces = connected_components(graph, directed=False)
    sizes = np.bincount(pieces, weights=inside)
    large: NDArray[np.bool_] = inside & (sizes[pieces] >= _SMALL_PIECE * sizes.max())
    if not large.any():
        raise InputError("The slab holds 0 atoms, needs at least 1. Raise thickness_A.")
    return large


def _place_hydrogens(atoms: Atoms, *, bonds: Bonds, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Positions of hydrogens along cut bonds, as far as the sum of covalent radii, shape (n, 3), in Å."""
    first = bonds.first[chosen]
    lengths_A = covalent_radii[atoms.numbers[first]] + covalent_radii[1]
    units = bonds.vectors_A[chosen] / bonds.lengths_A[chosen, None]
    positions_A: NDArray[np.float64] = atoms.positions[first] + units * lengths_A[:, None]
    return positions_A
