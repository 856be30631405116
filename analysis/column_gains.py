"""Gain of depth in columns elsewhere, of other radii and at other areal densities: what a contrast is worth.

A contrast of core columns is one number from one place, one radius and one areal density. Columns of the same shape put
elsewhere in both cells say how far from zero such a number is where there are no cores; other radii and densities say
how much of it is their choice.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.contact_geometry import ContactGeometry, LinesOfFrame
from analysis.penetration import list_gain_frames
from analysis.regions import is_near_lines
from analysis.trajectory import get_elements
from structures.errors import InputError

N_PLACES = 200
RADII_A = (4.0, 5.0, 6.0, 7.0, 8.0)
AREAL_DENSITIES_PER_NM2 = (0.25, 0.5, 1.0, 2.0)
_UPRIGHT_A = 1e-4
_ROUNDING_A = 1e-9
_DRAWS = 20


@dataclass(frozen=True)
class ColumnRun:
    """Atoms of a species in the frames that a gain is made of: the first, and those of the last tenth of the time.

    Attributes:
        geometry: where the columns are, and the interface.
        points_A: x, y of the atoms, the alloy's drift taken out, the deepest first; shape (n_frames, n_atoms, 2), in Å.
        depths_A: their depths below the interface, falling; shape (n_frames, n_atoms), in Å.
        lines_A: x, y of the lines in each frame, shape (n_frames, n_lines, 2), in Å.
        cells_A: cell vectors as rows, shape (n_frames, 3, 3), in Å.
    """

    geometry: ContactGeometry
    points_A: NDArray[np.float64]
    depths_A: NDArray[np.float64]
    lines_A: NDArray[np.float64]
    cells_A: NDArray[np.float64]


@dataclass(frozen=True)
class PlaceNull:
    """The contrast of columns put elsewhere, the same places in both cells; moved columns hold no line.

    Attributes:
        place_mean_A: mean difference of the gains over the places, in Å.
        place_spread_A: its standard deviation, in Å.
        place_share: share of places at least as far from zero as the columns about the cores.
        n_places: places with enough atoms to say a depth.
    """

    place_mean_A: float
    place_spread_A: float
    place_share: float
    n_places: int

    def to_json(self) -> dict[str, float]:
        """The numbers as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Sensitivity:
    """The contrast at other radii of the columns and other areal densities, one row each; means over replicas.

    Attributes:
        core_radius_A: radius of the columns, in Å.
        areal_density_per_nm2: atoms beyond the depth, in nm⁻².
        difference_A: gain with the dislocation less that of the control, in Å; NaN where there are too few atoms.
        dislocation_gain_A: the former, in Å.
        control_gain_A: the latter, in Å.
        is_configured: whether radius and density are those of the run.
    """

    core_radius_A: NDArray[np.float64]
    areal_density_per_nm2: NDArray[np.float64]
    difference_A: NDArray[np.float64]
    dislocation_gain_A: NDArray[np.float64]
    control_gain_A: NDArray[np.float64]
    is_configured: NDArray[np.bool_]

    def to_json(self) -> dict[str, list[Any]]:
        """The rows as JSON columns; None where there are too few atoms."""
        return {
            name: [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN
            for name, column in vars(self).items()
        }


def read_column_run(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    drift_A: NDArray[np.float64],
    species: str = "K",
    lines: LinesOfFrame | None = None,
) -> ColumnRun:
    """Read the frames that a gain is made of.

    Args:
        universe: trajectory with unwrapped positions and elements.
        geometry: interface and lines, in the coordinates of the starting structure.
        drift_A: displacement of the alloy in each frame, shape (n_frames, 3), in Å.
        species: element that penetrates.
        lines: x, y of the lines in a frame (cores that glide); None for where the geometry has them.

    Returns:
        The atoms of those frames.
    """
    chosen = get_elements(universe) == species
    points, depths, places, cells = [], [], [], []
    for frame in list_gain_frames(len(universe.trajectory)):
        timestep = universe.trajectory[frame]
        cell = np.asarray(timestep.triclinic_dimensions, dtype=float)
        positions = timestep.positions[chosen].astype(float) - drift_A[frame]
        below = geometry.compute_depths(positions[:, 2], height_A=cell[2, 2])
        order = np.argsort(-below, kind="stable")
        points.append(positions[order, :2])
        depths.append(below[order])
        places.append(np.array(geometry.lines_A) if lines is None else np.asarray(lines(frame)) - drift_A[frame, :2])
        cells.append(cell)
    return ColumnRun(geometry, np.array(points), np.array(depths), np.array(places), np.array(cells))


def compute_column_gains(
    run: ColumnRun, *, areal_density_per_nm2: float, radius_A: float | None = None, shifts_A: ArrayLike = ((0.0, 0.0),)
) -> NDArray[np.float64]:
    """Gain of depth in the columns moved by each of some vectors: the last tenth of the time less the first frame.

    Args:
        run: atoms of the frames.
        areal_density_per_nm2: atoms beyond the depth on each nm² of the interface, in nm⁻²; at least one atom.
        radius_A: radius of the columns, in Å; None for that of the geometry.
        shifts_A: vectors in the plane, shape (n_shifts, 2), in Å.

    Returns:
        Gains in Å, shape (n_shifts,); NaN where there are too few atoms in the columns.

    Raises:
        InputError: if there are no lines, or the areal density is not above zero.
    """
    if run.lines_A.size == 0 or not areal_density_per_nm2 > 0:
        raise InputError(
            f"{run.lines_A.size // 2} lines and areal_density_per_nm2 {areal_density_per_nm2}; needs lines, and > 0"
        )
    radius = run.geometry.core_radius_A if radius_A is None else radius_A
    area_nm2 = replace(run.geometry, core_radius_A=radius).compute_areas_nm2(cell_A=run.cells_A[0])["core"]
    beyond = max(1.0, areal_density_per_nm2 * area_nm2)
    shifts = np.asarray(shifts_A, dtype=float)
    depths = [
        _find_depths(
            points[None] - shifts[:, None], depths_A=below, lines_A=lines, radius_A=radius, cell_A=cell, beyond=beyond
        )
        for points, below, lines, cell in zip(run.points_A, run.depths_A, run.lines_A, run.cells_A, strict=True)
    ]
    return np.asarray(np.mean(depths[1:], axis=0) - depths[0])


def _find_depths(
    points_A: NDArray[np.float64],
    *,
    depths_A: NDArray[np.float64],
    lines_A: NDArray[np.float64],
    radius_A: float,
    cell_A: NDArray[np.float64],
    beyond: float,
) -> NDArray[np.float64]:
    """Depth of one frame for each set of points, shape (n_sets, n_atoms, 2), as `compute_penetration_depth` has it."""
    near = is_near_lines(points_A.reshape(-1, 2), lines_A=lines_A, radius_A=radius_A, cell_A=cell_A)
    ranks = np.cumsum(near.reshape(points_A.shape[:2]), axis=1)
    lower, upper = (depths_A[np.argmax(ranks >= rank, axis=1)] for rank in (np.floor(beyond), np.ceil(beyond)))
    depth = np.maximum(lower + (beyond - np.floor(beyond)) * (upper - lower), 0.0)
    return np.where(ranks[:, -1] >= beyond, depth, np.nan)


def compute_place_null(
    dislocation: Sequence[ColumnRun],
    *,
    control: Sequence[ColumnRun],
    areal_density_per_nm2: float,
    n_places: int = N_PLACES,
    seed: int = 0,
) -> PlaceNull | None:
    """The contrast of columns at random places, the same in both cells, beside that of the columns about the cores.

    Args:
        dislocation: replicas with the dislocation.
        control: replicas of the control.
        areal_density_per_nm2: atoms beyond the depth, in nm⁻².
        n_places: common vectors by which the columns are moved, see `draw_places`.
        seed: seed of the vectors.

    Returns:
        Mean, spread and share; None if fewer than two places, or not the cores' own, hold enough atoms.
    """
    shifts = draw_places(dislocation[0], n_places=n_places, seed=seed)
    chosen = {"areal_density_per_nm2": areal_density_per_nm2, "shifts_A": np.vstack([np.zeros((1, 2)), shifts])}
    differences = _average_gains(dislocation, **chosen) - _average_gains(control, **chosen)
    own, known = differences[0], differences[1:][np.isfinite(differences[1:])]
    if not np.isfinite(own) or known.size < 2:  # noqa: PLR2004 - one place has no spread
        return None
    share = float(np.mean(np.abs(known) >= abs(own) - _ROUNDING_A))
    return PlaceNull(float(known.mean()), float(known.std(ddof=1)), share, int(known.size))


def draw_places(run: ColumnRun, *, n_places: int, seed: int) -> NDArray[np.float64]:
    """Random vectors, evenly spread over the cell, by which no moved column comes to hold a line.

    Depth is that of the few deepest atoms, so a column that holds a line anywhere within it is not elsewhere.

    Args:
        run: has the lines, the radius of the columns and the cell.
        n_places: vectors at most.
        seed: seed of the draw.

    Returns:
        Shape (n, 2), in Å; fewer than asked for, or none, where columns leave hardly any place beside them.
    """
    plane, lines = run.cells_A[0, :2, :2], np.array(run.geometry.lines_A)
    drawn = np.random.default_rng(seed).uniform(size=(_DRAWS * n_places, 2)) @ plane
    moved = (lines + drawn[:, None]).reshape(-1, 2)
    near = is_near_lines(moved, lines_A=lines, radius_A=run.geometry.core_radius_A, cell_A=run.cells_A[0])
    return np.asarray(drawn[~near.reshape(len(drawn), -1).any(axis=1)][:n_places])


def compute_sensitivity(
    dislocation: Sequence[ColumnRun], *, control: Sequence[ColumnRun], areal_density_per_nm2: float
) -> Sensitivity:
    """The contrast at other radii, as far as columns do not overlap, and areal densities; those of the run among them.

    Args:
        dislocation: replicas with the dislocation.
        control: replicas of the control.
        areal_density_per_nm2: that of the run, in nm⁻².

    Returns:
        One row for each pair of radius and density.
    """
    own = (dislocation[0].geometry.core_radius_A, areal_density_per_nm2)
    largest_A = find_largest_radius_A(dislocation[0].geometry, cell_A=dislocation[0].cells_A[0])
    radii = sorted({own[0], *(radius for radius in RADII_A if radius <= largest_A)})
    pairs = list(product(radii, sorted({own[1], *AREAL_DENSITIES_PER_NM2})))
    gains = np.array(
        [
            [_average_gains(runs, areal_density_per_nm2=density, radius_A=radius)[0] for runs in (dislocation, control)]
            for radius, density in pairs
        ]
    )
    columns = np.array(pairs)
    is_own = np.array([pair == own for pair in pairs])
    return Sensitivity(columns[:, 0], columns[:, 1], gains[:, 0] - gains[:, 1], gains[:, 0], gains[:, 1], is_own)


def find_largest_radius_A(geometry: ContactGeometry, *, cell_A: ArrayLike) -> float:
    """Half the smallest distance between two lines or images of a line: columns up to it do not overlap; in Å."""
    lines, plane = np.array(geometry.lines_A), np.asarray(cell_A, dtype=float)[:2, :2]
    images = np.array(list(product((-2, -1, 0, 1, 2), repeat=2)), dtype=float) @ plane
    apart = np.linalg.norm(lines[:, None, None] - lines[None, :, None] + images, axis=-1)
    return float(apart[apart > _UPRIGHT_A].min() / 2)


def _average_gains(runs: Sequence[ColumnRun], **chosen: Any) -> NDArray[np.float64]:  # noqa: ANN401 - passed on
    """Gains averaged over replicas, shape (n_shifts,), in Å."""
    return np.asarray(np.mean([compute_column_gains(run, **chosen) for run in runs], axis=0))
