"""What a body takes away from the volume that a liquid can fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols
from ase.data.vdw_alvarez import vdw_radii
from scipy.ndimage import distance_transform_edt

from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

PROBE_RADIUS_A = 1.4  # of an oxygen, as for water
SPACING_A = 0.25
_OVERSHOOT = 0.2  # steps that the outermost grid points of a region lie within its surface, found with spheres


def compute_excluded_volume_A3(
    body: Atoms, *, floor_A: float, probe_radius_A: float = PROBE_RADIUS_A, spacing_A: float = SPACING_A
) -> float:
    """Volume above a floor that no probe sphere covers, as the body is in the way.

    A probe may be wherever its surface cuts neither the floor nor the van der Waals sphere of an atom; what no probe
    covers is excluded: the spheres, the clefts between them, and pores that no probe fits. Counted on a grid.

    Args:
        body: in an upright cell that is periodic along x and y.
        floor_A: height below which no probe reaches anyway, in Å.
        probe_radius_A: of the probe, in Å.
        spacing_A: of the grid at most, in Å.

    Returns:
        Volume of one cell, in Å³.

    Raises:
        InputError: if an element has no van der Waals radius.

    Source: 10.1146/annurev.bb.06.060177.001055 (volumes of a probe), 10.1039/c3dt50599e (van der Waals radii)
    """
    radii_A = vdw_radii[body.numbers]
    if not np.isfinite(radii_A).all():
        unknown = chemical_symbols[int(body.numbers[~np.isfinite(radii_A)][0])]
        raise InputError(f"{unknown} has no van der Waals radius in the table used, needs one. Use other atoms.")
    lateral_A = body.cell.lengths()[:2]
    height_A = float((body.positions[:, 2] + radii_A).max()) + 2 * probe_radius_A + spacing_A - floor_A
    lengths_A = np.array([*lateral_A, max(height_A, spacing_A)])
    counts = np.ceil(lengths_A / spacing_A).astype(int)
    steps_A = lengths_A / counts
    open_to_probes = np.ones(counts, dtype=bool)
    open_to_probes[:, :, (np.arange(counts[2]) + 0.5) * steps_A[2] < probe_radius_A] = False
    without = _count_covered(open_to_probes, steps_A=steps_A, probe_radius_A=probe_radius_A)
    for position_A, radius_A in zip(body.positions, radii_A, strict=True):
        _close(
            open_to_probes, centre_A=position_A - (0, 0, floor_A), radius_A=radius_A + probe_radius_A, steps_A=steps_A
        )
    left = _count_covered(open_to_probes, steps_A=steps_A, probe_radius_A=probe_radius_A)
    return float((without - left) * steps_A.prod())


def _close(
    open_to_probes: NDArray[np.bool_], *, centre_A: NDArray[np.float64], radius_A: float, steps_A: NDArray[np.float64]
) -> None:
    """Take the grid points of a sphere away, periodic along x and y."""
    low = np.floor((centre_A - radius_A) / steps_A).astype(int)
    high = np.ceil((centre_A + radius_A) / steps_A).astype(int)
    low[2], high[2] = max(low[2], 0), min(high[2], open_to_probes.shape[2] - 1)
    x, y, z = (np.arange(first, last + 1) for first, last in zip(low, high, strict=True))
    squares = [((axis + 0.5) * step - at) ** 2 for axis, step, at in zip((x, y, z), steps_A, centre_A, strict=True)]
    inside = squares[0][:, None, None] + squares[1][None, :, None] + squares[2] < radius_A**2
    for_x, for_y, for_z = np.nonzero(inside)
    open_to_probes[x[for_x] % open_to_probes.shape[0], y[for_y] % open_to_probes.shape[1], z[for_z]] = False


def _count_covered(open_to_probes: NDArray[np.bool_], *, steps_A: NDArray[np.float64], probe_radius_A: float) -> int:
    """Grid points within a radius of a point that is open to the centre of a probe."""
    if not open_to_probes.any():
        return 0
    margins = np.ceil(probe_radius_A / steps_A[:2]).astype(int) + 1
    wide = np.pad(open_to_probes, [(margins[0],) * 2, (margins[1],) * 2, (0, 0)], mode="wrap")
    distances_A = distance_transform_edt(~wide, sampling=steps_A)
    inner = distances_A[margins[0] : -margins[0], margins[1] : -margins[1]]
    return int((inner <= probe_radius_A + _OVERSHOOT * steps_A.max()).sum())
