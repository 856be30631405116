"""A crystal as a stack of atomic planes along the normal of a lattice plane."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.build.general_surface import ext_gcd
from ase.geometry import minkowski_reduce

from structures.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Miller = tuple[int, int, int]
PLANE_TOLERANCE_A = 0.3
SAME_SITE_A = 0.02  # positions in files are rounded
_ROUNDING = 1e-7


@dataclass(frozen=True, eq=False)
class Stacking:
    """One period of atomic planes, from the widest gap upwards.

    Attributes:
        unit: primitive cell of the crystal; two vectors in the plane, as short as can be and at 60 to 90°, the first
            along x, the normal along +z; the third vector is one period high and may lean.
        planes: plane of each atom of the unit, counted from the bottom, shape (n_atoms,).
    """

    unit: Atoms
    planes: NDArray[np.int64]

    @property
    def n_planes(self) -> int:
        """Planes in one period."""
        return int(self.planes.max()) + 1

    @property
    def period_A(self) -> float:
        """Height of one period: the distance between lattice planes."""
        return float(self.unit.cell.array[2, 2])

    @property
    def heights_A(self) -> NDArray[np.float64]:
        """Mean heights of the planes, shape (n_planes,), in Å."""
        counts = np.bincount(self.planes)
        heights_A: NDArray[np.float64] = np.bincount(self.planes, weights=self.unit.positions[:, 2]) / counts
        return heights_A

    @property
    def gaps_A(self) -> NDArray[np.float64]:
        """Distance of each plane to the one above it, shape (n_planes,), in Å."""
        heights_A = self.heights_A
        return np.diff(heights_A, append=heights_A[0] + self.period_A)

    @property
    def formulas(self) -> tuple[str, ...]:
        """Reduced formula of each plane."""
        return tuple(
            self.unit[self.planes == plane].symbols.formula.reduce()[0].format("metal")
            for plane in range(self.n_planes)
        )

    def cut(self, *, top: int, n_layers: int) -> Atoms:
        """Planes from one downwards, without vacuum: the cell is as high as whole periods are.

        Args:
            top: uppermost plane, as counted in the unit.
            n_layers: number of planes.

        Returns:
            The slab, periodic along its first two vectors, with the array `layer`; lowest atom at z = 0.
        """
        n_periods = math.ceil(n_layers / self.n_planes) + 1
        stack = self.unit.repeat((1, 1, n_periods))
        layers = np.concatenate([self.planes + period * self.n_planes for period in range(n_periods)])
        layers -= top + (n_periods - 1) * self.n_planes - n_layers + 1
        chosen = np.flatnonzero((layers >= 0) & (layers < n_layers))
        slab: Atoms = stack[chosen[np.argsort(layers[chosen], kind="stable")]]
        slab.set_cell([*self.unit.cell.array[:2], (0, 0, n_periods * self.period_A)])
        slab.pbc = (True, True, False)
        slab.set_array("layer", np.sort(layers[chosen]))
        slab.positions[:, 2] -= slab.positions[:, 2].min()
        slab.positions[:, :2] -= slab.positions[-1, :2]
        slab.wrap(eps=_ROUNDING)
        return slab


def check_miller(miller: Miller) -> None:
    """Raise if Miller indices name no plane.

    Raises:
        InputError: if there are not three whole numbers, or all are 0.
    """
    if len(tuple(miller)) != 3 or any(index != int(index) for index in miller) or not any(miller):  # noqa: PLR2004 hkl
        raise InputError(f"miller is {tuple(miller)}, needs three whole numbers that are not all 0, e.g. (1, 1, 1).")


def build_stacking(bulk: Atoms, *, miller: Miller) -> Stacking:
    """Stack of planes of a crystal.

    Args:
        bulk: any cell of the crystal; only elements, positions and cell are used.
        miller: indices of the plane in this cell; they count in conventional cells as usual.

    Raises:
        InputError: if the cell is not three-dimensional, the indices name no plane, or planes are too close to tell.
    """
    check_miller(miller)
    if len(bulk) == 0 or bulk.cell.rank < 3:  # noqa: PLR2004 three axes
        raise InputError(
            f"the crystal has {len(bulk)} atoms and a cell of rank {bulk.cell.rank}, needs atoms and a full cell."
        )
    primitive = reduce_to_primitive(bulk)
    indices = _convert_miller(miller, old=bulk.cell.array, new=primitive.cell.array)
    vectors_A = _find_vectors(primitive.cell.array, indices=indices)
    normal = np.cross(vectors_A[0], vectors_A[1])
    ex, ez = (vector / np.linalg.norm(vector) for vector in (vectors_A[0], normal))
    rotation = np.array([ex, np.cross(ez, ex), ez]).T
    fractions = primitive.positions @ np.linalg.inv(vectors_A)
    cell = vectors_A @ rotation
    cell[0, 1:], cell[1, 2] = 0, 0
    lowest, planes = _find_planes(fractions[:, 2], period_A=cell[2, 2], miller=miller)
    fractions = fractions - fractions[lowest]
    fractions -= np.floor(fractions + _ROUNDING)
    unit = Atoms(primitive.numbers, scaled_positions=fractions, cell=cell, pbc=True)
    order = np.argsort(planes, kind="stable")
    return Stacking(unit[order], planes[order])


def reduce_to_primitive(bulk: Atoms) -> Atoms:
    """Primitive cell of a crystal, turned in no way; its vectors are as short as can be."""
    cell, _ = minkowski_reduce(bulk.cell.array)
    plain = Atoms(bulk.numbers, positions=bulk.positions, cell=cell, pbc=True)
    translations = _find_translations(plain)
    if len(translations) == 1:
        return plain
    points = (translations[:, None] + np.array(list(product((-1, 0, 1), repeat=3)))).reshape(-1, 3) @ cell
    points = points[np.argsort(np.linalg.norm(points, axis=1), kind="stable")][1:]
    volume_A3 = plain.get_volume() / len(translations)
    first = points[0]
    sines = np.linalg.norm(np.cross(first, points), axis=1) / np.linalg.norm(first) / np.linalg.norm(points, axis=1)
    second = points[np.argmax(sines > 0.1)]  # noqa: PLR2004 two shortest vectors are at 60° or more
    volumes = points @ np.cross(first, second) / volume_A3
    third = points[np.argmax(np.abs(np.abs(volumes) - 1) < 0.1)]  # noqa: PLR2004 whole numbers
    vectors = np.array([first, second, third])
    vectors *= np.sign(np.linalg.det(vectors))
    fractions = plain.positions @ np.linalg.inv(vectors)
    kept: list[int] = []
    for index, number in enumerate(plain.numbers):
        same = [other for other in kept if plain.numbers[other] == number]
        if not same or _distances(fractions[same] - fractions[index], cell=vectors).min() > SAME_SITE_A:
            kept.append(index)
    return Atoms(plain.numbers[kept], scaled_positions=fractions[kept], cell=vectors, pbc=True)


def _find_translations(crystal: Atoms) -> NDArray[np.float64]:
    """Fractions of the cell, zero included, by which the crystal can be moved onto itself; shape (n, 3)."""
    fractions, numbers, cell = crystal.get_scaled_positions(), crystal.numbers, crystal.cell.array
    rarest = min(set(numbers.tolist()), key=lambda number: int((numbers == number).sum()))
    candidates = fractions[numbers == rarest]
    unlike = numbers[:, None] != numbers[None, :]
    found = []
    few, every = slice(0, 4), slice(None)  # most shifts of an alloy fail at its first atoms
    for shift in candidates - candidates[0]:
        for some in (few, every):
            distances = _distances(fractions[some, None] + shift - fractions, cell=cell)
            if np.where(unlike[some], np.inf, distances).min(axis=1).max() > SAME_SITE_A:
                break
        else:
            found.append(shift)
    return np.array(found)


def _distances(fractions: NDArray[np.float64], *, cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths of differences between sites, up to lattice vectors, in Å; exact where they are short."""
    lengths: NDArray[np.float64] = np.linalg.norm((fractions - np.round(fractions)) @ cell, axis=-1)
    return lengths


def _convert_miller(miller: Miller, *, old: NDArray[np.float64], new: NDArray[np.float64]) -> Miller:
    """Coprime indices of the same plane in another cell of the same crystal."""
    ratio = round(abs(np.linalg.det(old) / np.linalg.det(new)))
    h, k, l = (int(n) for n in np.round(ratio * (new @ np.linalg.inv(old)) @ np.array(miller)))  # noqa: E741 hkl
    divisor = math.gcd(h, k, l)
    return h // divisor, k // divisor, l // divisor


def _find_vectors(cell: NDArray[np.float64], *, indices: Miller) -> NDArray[np.float64]:
    """Two shortest vectors in a lattice plane and one to the next plane, right-handed; rows, in Å.

    `ase.build.surface` would turn crystals over, or into their mirror images, for a part of the indices.
    """
    h, k, l = indices  # noqa: E741 hkl
    if k == l == 0:
        whole = np.array([(0, 1, 0), (0, 0, 1), (h, 0, 0)])
    else:
        p, q = ext_gcd(k, l)
        g = p * k + q * l
        r, s = ext_gcd(h, g)
        sign = r * h + s * g
        whole = np.array([(0, l // g, -k // g), (g, -h * p, -h * q), (sign * r, sign * s * p, sign * s * q)])
    vectors: NDArray[np.float64] = whole @ cell
    first, second = _choose_lateral(minkowski_reduce(vectors, pbc=(True, True, False))[0][:2], upwards=vectors[2])
    lateral = np.linalg.lstsq(np.array([first, second]).T, vectors[2], rcond=None)[0]
    shift = np.round(lateral) @ np.array([first, second])
    return np.array([first, second, vectors[2] - shift])


def _choose_lateral(
    reduced: NDArray[np.float64], *, upwards: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the shortest pairs, right-handed: one at 60 to 90°, if possible with its shorter vector first."""
    vectors = [vector for vector in np.array(list(product((-1, 0, 1), repeat=2))) @ reduced if vector.any()]
    volume_A3 = abs(np.linalg.det([*reduced, upwards]))
    pairs = [
        (first, second)
        for first, second in permutations(vectors, 2)
        if abs(np.linalg.det([first, second, upwards]) / volume_A3 - 1) < _ROUNDING
    ]
    return min(
        pairs,
        key=lambda pair: (
            round(float(pair[0] @ pair[0] + pair[1] @ pair[1]), 6),
            float(pair[0] @ pair[1]) < -_ROUNDING,
            float(pair[0] @ pair[0] - pair[1] @ pair[1]) > _ROUNDING,
        ),
    )


def _find_planes(fractions: NDArray[np.float64], *, period_A: float, miller: Miller) -> tuple[int, NDArray[np.int64]]:
    """The lowest atom above the widest gap, and the plane of each atom counted from there."""
    heights_A = (fractions % 1.0) * period_A
    order = np.argsort(heights_A, kind="stable")
    gaps_A = np.diff(heights_A[order], append=heights_A[order[0]] + period_A)
    if gaps_A.max() <= PLANE_TOLERANCE_A:
        raise InputError(
            f"the planes of miller {tuple(miller)} are at most {gaps_A.max():.2f} Å apart, needs more than "
            f"{PLANE_TOLERANCE_A} Å to tell them apart. Take lower indices."
        )
    widest = int(np.argmax(gaps_A > gaps_A.max() - SAME_SITE_A))
    order, gaps_A = np.roll(order, -widest - 1), np.roll(gaps_A, -widest - 1)
    planes = np.empty(len(order), dtype=np.int64)
    planes[order] = np.concatenate([[0], np.cumsum(gaps_A[:-1] > PLANE_TOLERANCE_A)])
    return int(order[0]), planes
