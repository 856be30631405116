"""Checks of surfaces, and the lateral cell that an adsorbate needs."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist, pdist

from structures.checks import check_smallest_distance, compute_periodic_heights
from structures.crystal_planes import Miller, check_miller
from structures.errors import InputError
from structures.species import SHORTEST_DISTANCE_A

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from structures.surface import Surface

SMALLEST_VACUUM_A = 6.0
WIDEST_GAP_A = 5.0  # between planes of a crystal
SMALLEST_IMAGE_DISTANCE_A = 3.0  # about two van der Waals radii: closer, images repel


def check_request(
    *, miller: Miller, n_layers: int, fixed_layers: int, repeats: tuple[int, int], vacuum_A: float
) -> None:
    """Check the numbers that a surface is made of.

    Raises:
        InputError: names the value, the limit and the fix.
    """
    check_miller(miller)
    if n_layers < 1:
        raise InputError(f"n_layers is {n_layers}, needs at least 1 plane of atoms.")
    if not 0 <= fixed_layers < n_layers:
        raise InputError(
            f"fixed_layers is {fixed_layers}, needs 0 to {n_layers - 1}: of {n_layers} planes at least one must be "
            "free. Fix fewer, or raise n_layers."
        )
    if min(repeats) < 1:
        raise InputError(f"repeats is {tuple(repeats)}, needs at least 1 along each vector.")
    if not vacuum_A >= SMALLEST_VACUUM_A:
        raise InputError(
            f"vacuum_A is {vacuum_A:g}, needs at least {SMALLEST_VACUUM_A:g} Å between a face and the image of the "
            "other. Set it, e.g. vacuum_A: 20."
        )


def check_surface(surface: Surface, *, adsorbate: Atoms | None = None) -> None:
    """Check a surface, alone or with an adsorbate on it.

    Args:
        surface: to be checked.
        adsorbate: in its place on the surface, in the surface's frame; may be whole across the lateral boundary.

    Raises:
        InputError: if there is no vacuum left, atoms lie on each other, the adsorbate meets its own image, or a number
            of the surface is out of range.
    """
    check_request(
        miller=surface.miller,
        n_layers=surface.n_layers,
        fixed_layers=surface.fixed_layers,
        repeats=surface.repeats,
        vacuum_A=surface.vacuum_A,
    )
    atoms = surface.atoms
    if adsorbate is not None:
        _check_image_distance(surface, adsorbate=adsorbate)
        atoms = atoms + adsorbate
    height_A = float(atoms.cell.array[2, 2])
    heights_A = atoms.positions[:, 2]
    left_A = height_A - float(np.ptp(heights_A))
    if left_A < SMALLEST_VACUUM_A or heights_A.min() < 0 or heights_A.max() > height_A:
        raise InputError(
            f"{surface.name}: the cell is {height_A:.1f} Å high and its atoms reach from {heights_A.min():.1f} to "
            f"{heights_A.max():.1f} Å, which leaves {left_A:.1f} Å of vacuum, needs at least {SMALLEST_VACUUM_A:g} Å "
            f"and all atoms inside. Raise vacuum_A from {surface.vacuum_A:g} Å."
        )
    check_smallest_distance(atoms, minimum_A=SHORTEST_DISTANCE_A)


def compute_image_distance(adsorbate: Atoms, *, lateral_A: NDArray[np.float64]) -> float:
    """Smallest distance of an adsorbate to its own lateral images.

    Args:
        adsorbate: whole, at any place.
        lateral_A: first two vectors of the cell as rows, shape (2, 3), in Å.

    Returns:
        Distance between the nearest atoms, in Å.
    """
    farthest_A = _compute_extent(adsorbate) + np.linalg.norm(lateral_A, axis=1).min()
    reach = math.ceil(farthest_A / _compute_heights(lateral_A).min())
    shifts = [shift for shift in product(range(-reach, reach + 1), repeat=2) if shift > (0, 0)]
    images = [adsorbate.positions + np.array(shift) @ lateral_A for shift in shifts]
    return float(min(cdist(adsorbate.positions, image).min() for image in images))


def choose_repeats(surface: Surface | NDArray[np.float64], *, extent_A: float, clearance_A: float) -> tuple[int, int]:
    """Smallest lateral supercell in which an adsorbate keeps clear of all of its images.

    The adsorbate is a disc, so that the answer holds for every turn of it: the shortest vector of the supercell's
    lattice must reach extent plus clearance. Of supercells of one area, the one with the longer shortest vector wins.

    Args:
        surface: a surface, or the lateral vectors as rows, shape (2 or 3, 2 or 3), in Å; repeats are of this cell.
        extent_A: largest distance between two atoms of the adsorbate, in Å.
        clearance_A: wanted distance between the discs of two images, in Å.

    Returns:
        Repeats along the first and the second vector.

    Raises:
        InputError: if a length is negative, or both are 0.
    """
    needed_A = extent_A + clearance_A
    if not (extent_A >= 0 and clearance_A >= 0 and needed_A > 0):
        raise InputError(
            f"extent_A is {extent_A:g} and clearance_A {clearance_A:g}, needs lengths in Å of at least 0, not both 0."
        )
    cell = surface if isinstance(surface, np.ndarray) else surface.atoms.cell.array
    lateral_A = np.zeros((2, 3))
    lateral_A[:, : cell.shape[1]] = cell[:2]
    largest = np.ceil(needed_A / _compute_heights(lateral_A) - 1e-9).astype(int)
    options = [
        ((first, second), _compute_shortest_vector(lateral_A * np.array([[first], [second]])))
        for first, second in product(range(1, max(largest) + 1), repeat=2)
    ]
    enough = [option for option in options if option[1] >= needed_A - 1e-6]
    return min(enough, key=lambda option: (math.prod(option[0]), -round(option[1], 6), option[0]))[0]


def check_crystal(atoms: Atoms, *, name: str) -> None:
    """Check that a crystal fills its cell: a slab or a molecule with vacuum is none.

    Raises:
        InputError: names the widest gap between planes of atoms along an axis, and the limit.
    """
    shares = atoms.get_scaled_positions(wrap=True)
    for axis, height_A in enumerate(compute_periodic_heights(atoms.cell.array)):
        ordered = np.sort(shares[:, axis])
        gap_A = float(np.diff(ordered, append=ordered[0] + 1).max() * height_A)
        if gap_A > WIDEST_GAP_A:
            raise InputError(
                f"{name}: its cell has a gap of {gap_A:.1f} Å without atoms along axis {'abc'[axis]}, limit "
                f"{WIDEST_GAP_A:g} Å, as a slab or a molecule in vacuum has. Give the bulk crystal, which slabs are "
                "cut from."
            )


def _check_image_distance(surface: Surface, *, adsorbate: Atoms) -> None:
    distance_A = compute_image_distance(adsorbate, lateral_A=surface.atoms.cell.array[:2])
    if distance_A < SMALLEST_IMAGE_DISTANCE_A:
        extent_A = _compute_extent(adsorbate)
        more = choose_repeats(surface, extent_A=extent_A, clearance_A=SMALLEST_IMAGE_DISTANCE_A)
        total = tuple(now * times for now, times in zip(surface.repeats, more, strict=True))
        raise InputError(
            f"the adsorbate, {extent_A:.1f} Å wide, comes within {distance_A:.1f} Å of its own image on "
            f"{surface.name}, needs at least {SMALLEST_IMAGE_DISTANCE_A:g} Å. Take repeats: {total}."
        )


def _compute_extent(adsorbate: Atoms) -> float:
    return float(pdist(adsorbate.positions).max()) if len(adsorbate) > 1 else 0.0


def _compute_heights(lateral_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances between opposite edges of a lateral cell: of the ends of the first vector, then of the second."""
    area_A2 = np.linalg.norm(np.cross(lateral_A[0], lateral_A[1]))
    heights_A: NDArray[np.float64] = area_A2 / np.linalg.norm(lateral_A[::-1], axis=1)
    return heights_A


def _compute_shortest_vector(lateral_A: NDArray[np.float64]) -> float:
    """Length of the shortest vector of a plane lattice, by Gauss's reduction."""
    short, long = sorted(lateral_A, key=lambda vector: float(vector @ vector))
    while True:
        rest = long - round(float(short @ long / (short @ short))) * short
        if rest @ rest >= short @ short - 1e-9:
            return float(np.linalg.norm(short))
        short, long = rest, short
