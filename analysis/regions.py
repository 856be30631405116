"""Regions of a cell: slabs across z and cylinders about lines along z, their volume and what a sphere sees of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from structures.errors import InputError

_GRID = 400
_DIRECTIONS = 16
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_UPRIGHT = 1e-4


@dataclass(frozen=True)
class Region:
    """Part of a periodic cell whose a and b lie in the xy plane and whose c is along z.

    Attributes:
        name: "all", "interface", "core", "crystal" or a name of one's own.
        z_low_A: lower face, in Å; None for no face.
        z_high_A: upper face, in Å; None for no face. The pair may span the periodic boundary of z.
        lines_A: x, y of lines along z, in Å; none for a slab.
        radius_A: distance from the nearest line that bounds the region, in Å.
        near_lines: whether the region is what lies nearer than the radius to a line, or what lies farther.
    """

    name: str = "all"
    z_low_A: float | None = None
    z_high_A: float | None = None
    lines_A: tuple[tuple[float, float], ...] = ()
    radius_A: float = 0.0
    near_lines: bool = True

    def __post_init__(self) -> None:
        """Refuse faces in the wrong order and lines without a radius."""
        if (self.z_low_A is None) != (self.z_high_A is None):
            raise InputError(f"region {self.name} has one face, {self.z_low_A} to {self.z_high_A} Å; give both or none")
        if self.z_low_A is not None and self.z_high_A is not None and not self.z_low_A < self.z_high_A:
            raise InputError(
                f"region {self.name} goes from {self.z_low_A} to {self.z_high_A} Å; low must be below high"
            )
        if self.lines_A and not self.radius_A > 0:
            raise InputError(f"region {self.name} has radius_A {self.radius_A}, needs a radius above 0 Å")

    def shifted(self, *, z_A: float = 0.0, lines_A: Sequence[Sequence[float]] | None = None) -> "Region":
        """The region moved along z, and about other lines if they are given (a drifting alloy, a gliding core)."""
        low = None if self.z_low_A is None else self.z_low_A + z_A
        high = None if self.z_high_A is None else self.z_high_A + z_A
        lines = self.lines_A if lines_A is None else tuple((float(x), float(y)) for x, y in lines_A)
        return replace(self, z_low_A=low, z_high_A=high, lines_A=lines if self.lines_A else ())

    def contains(self, positions_A: ArrayLike, *, cell_A: ArrayLike) -> NDArray[np.bool_]:
        """Which positions lie in the region, periodic images included.

        Args:
            positions_A: shape (n, 3), in Å, wrapped or not.
            cell_A: cell vectors as rows, shape (3, 3), in Å.

        Returns:
            Mask of shape (n,).
        """
        positions = np.asarray(positions_A, dtype=float)
        inside = np.ones(len(positions), dtype=bool)
        if self.fills_cell:
            return inside
        cell = check_cell(cell_A)
        if self.z_low_A is not None and self.z_high_A is not None and self.z_high_A - self.z_low_A < cell[2, 2]:
            inside &= np.mod(positions[:, 2] - self.z_low_A, cell[2, 2]) <= self.z_high_A - self.z_low_A
        if self.lines_A:
            near = is_near_lines(positions, lines_A=self.lines_A, radius_A=self.radius_A, cell_A=cell)
            inside &= near if self.near_lines else ~near
        return inside

    def volume_A3(self, *, cell_A: ArrayLike) -> float:
        """Volume of the region in the cell, in Å³; overlapping cylinders by a grid of columns (error below 0.2 %)."""
        if self.fills_cell:
            return float(abs(np.linalg.det(np.asarray(cell_A, dtype=float))))
        cell = check_cell(cell_A)
        height = cell[2, 2]
        if self.z_low_A is not None and self.z_high_A is not None:
            height = min(height, self.z_high_A - self.z_low_A)
        area = abs(float(np.linalg.det(cell[:2, :2])))
        if self.lines_A:
            near = _compute_disc_area(self.lines_A, radius_A=self.radius_A, plane_A=cell[:2, :2])
            area = near if self.near_lines else area - near
        return float(area * height)

    @property
    def fills_cell(self) -> bool:
        """Whether nothing bounds the region."""
        return self.z_low_A is None and not self.lines_A


def check_cell(cell_A: ArrayLike) -> NDArray[np.float64]:
    """The cell as an array (3, 3); its a and b must lie in the xy plane and its c along z.

    Raises:
        InputError: if the cell has another shape.
    """
    cell = np.asarray(cell_A, dtype=float)
    if cell.shape != (3, 3) or not abs(np.linalg.det(cell)) > 0:
        raise InputError(f"the cell is {cell.tolist()}, needs three vectors that span a volume; set its dimensions")
    if max(abs(cell[0, 2]), abs(cell[1, 2]), abs(cell[2, 0]), abs(cell[2, 1])) > _UPRIGHT * cell[2, 2]:
        raise InputError(f"the cell {cell.round(3).tolist()} leans; regions need a, b in the xy plane and c along z")
    return cell


def is_near_lines(
    positions_A: ArrayLike, *, lines_A: ArrayLike, radius_A: float, cell_A: ArrayLike
) -> NDArray[np.bool_]:
    """Which positions are nearer than a radius to one of the lines along z, or to an image of it.

    Args:
        positions_A: shape (n, 2 or 3), in Å.
        lines_A: x, y of the lines, shape (n_lines, 2), in Å.
        radius_A: the radius, in Å.
        cell_A: cell vectors as rows, shape (3, 3) or, in the plane, (2, 2), in Å.

    Returns:
        Mask of shape (n,).
    """
    plane = np.asarray(cell_A, dtype=float)[:2, :2]
    if radius_A > 0.5 * abs(np.linalg.det(plane)) / np.linalg.norm(plane, axis=1).max():
        return np.asarray(compute_line_distance(positions_A, lines_A=lines_A, cell_A=cell_A) < radius_A)
    # Within half of the cell's smaller height the image nearest in fractions is the nearest one.
    points = np.asarray(positions_A, dtype=float)[:, :2]
    inverse, near = np.linalg.inv(plane), np.zeros(len(points), dtype=bool)
    for line in np.atleast_2d(np.asarray(lines_A, dtype=float)):
        delta = points - line
        delta -= np.round(delta @ inverse) @ plane
        near |= delta[:, 0] ** 2 + delta[:, 1] ** 2 < radius_A**2
    return near


def compute_line_distance(positions_A: ArrayLike, *, lines_A: ArrayLike, cell_A: ArrayLike) -> NDArray[np.float64]:
    """Distance in the xy plane to the nearest of lines along z, by minimum image in the (tilted) cell.

    Args:
        positions_A: shape (n, 2 or 3), in Å.
        lines_A: x, y of the lines, shape (n_lines, 2), in Å.
        cell_A: cell vectors as rows, shape (3, 3) or, in the plane, (2, 2), in Å.

    Returns:
        Distances of shape (n,), in Å.
    """
    plane = np.asarray(cell_A, dtype=float)[:2, :2]
    inverse = np.linalg.inv(plane)
    images = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=float) @ plane
    nearest: NDArray[np.float64] = np.full(len(np.asarray(positions_A)), np.inf)
    for line in np.atleast_2d(np.asarray(lines_A, dtype=float)):
        delta = np.asarray(positions_A, dtype=float)[:, :2] - line
        delta -= np.round(delta @ inverse) @ plane
        for image in images:
            shifted = delta + image
            np.minimum(nearest, np.einsum("ij,ij->i", shifted, shifted), out=nearest)
    return np.asarray(np.sqrt(nearest))


def _compute_disc_area(lines_A: ArrayLike, *, radius_A: float, plane_A: NDArray[np.float64]) -> float:
    """Area nearer than the radius to a line; exact unless discs of lines or their images overlap."""
    lines = np.asarray(lines_A, dtype=float)
    images = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)], dtype=float) @ plane_A
    gaps = (lines[:, None, None] - lines[None, :, None] + images).reshape(-1, 2)
    delta = gaps - np.round(gaps @ np.linalg.inv(plane_A)) @ plane_A
    apart = np.linalg.norm((delta[:, None] + images).reshape(-1, 2), axis=1)
    # Each line meets itself once for every image that it was given.
    if (
        np.min(apart[apart > _UPRIGHT], initial=np.inf) >= 2 * radius_A
        and np.unique(lines, axis=0).shape == lines.shape
    ):
        return float(len(lines) * np.pi * radius_A**2)
    ticks = (np.arange(_GRID) + 0.5) / _GRID
    columns = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2) @ plane_A
    share = np.mean(is_near_lines(columns, lines_A=lines, radius_A=radius_A, cell_A=plane_A))
    return float(share * abs(np.linalg.det(plane_A)))


def compute_visible_share(
    centres_A: ArrayLike,
    *,
    region: Region,
    cell_A: ArrayLike,
    radii_A: ArrayLike,
    max_centres: int = 2000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Share of a sphere about a centre that lies in the region, averaged over centres, at each radius.

    f(r) = ⟨(1/4π) ∫ χ(c + r ω) dω⟩ over centres c, where χ is 1 in the region and 0 outside. The integral over
    directions takes 16 points of a Fibonacci sphere, turned about z and dithered in height for each centre and radius.

    Args:
        centres_A: centres, shape (n, 3), in Å.
        region: the accessible region.
        cell_A: cell vectors as rows, shape (3, 3), in Å.
        radii_A: radii, shape (n_radii,), in Å.
        max_centres: at most as many centres, drawn at random, are averaged over.
        seed: seed of the draw and the turns.

    Returns:
        Shares in [0, 1], shape (n_radii,).
    """
    radii = np.asarray(radii_A, dtype=float)
    if region.fills_cell:
        return np.ones(radii.size)
    rng = np.random.default_rng(seed)
    centres = np.asarray(centres_A, dtype=float)
    if len(centres) > max_centres:
        centres = centres[rng.choice(len(centres), max_centres, replace=False)]
    index = np.arange(_DIRECTIONS)
    heights = 1 - (2 * index + 1) / _DIRECTIONS
    shares = np.empty(radii.size)
    for number, radius in enumerate(radii):
        turns = index * _GOLDEN_ANGLE + rng.uniform(0, 2 * np.pi, (len(centres), 1))
        # The height of each ring is dithered inside its band, so that flat faces are sampled without steps.
        levels = heights + rng.uniform(-1, 1, (len(centres), 1)) / _DIRECTIONS
        flat = np.sqrt(1 - levels**2)
        offsets = radius * np.stack([flat * np.cos(turns), flat * np.sin(turns), levels], axis=-1)
        shares[number] = region.contains((centres[:, None, :] + offsets).reshape(-1, 3), cell_A=cell_A).mean()
    return shares
