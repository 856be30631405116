"""Where alloy and metal meet in a cell, how that moves, and the regions that follow from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.regions import Region, is_near_lines
from analysis.trajectory import iterate_frames
from structures.errors import InputError
from structures.interface import ContactCell

_A2_PER_NM2 = 100.0
LinesOfFrame = Callable[[int], NDArray[np.float64]]


@dataclass(frozen=True)
class ContactGeometry:
    """A slab of alloy below a metal, normal along z, in the coordinates of the starting structure.

    Attributes:
        interface_z_A: height of the interface, in Å.
        alloy_bottom_z_A: height of the alloy's lower end, in Å; with two faces that of the lower interface.
        two_faces: whether the metal touches the lower end too, through the periodic boundary.
        lines_A: x, y of the dislocation lines (in a control: where they would be), in Å.
        core_radius_A: the core region is what lies nearer than this to a line, in Å.
        interface_width_A: the interface region reaches as far to either side of the interface, in Å.
    """

    interface_z_A: float
    alloy_bottom_z_A: float
    two_faces: bool = False
    lines_A: tuple[tuple[float, float], ...] = ()
    core_radius_A: float = 6.0
    interface_width_A: float = 6.0

    def __post_init__(self) -> None:
        """Refuse an alloy without thickness, and widths of zero."""
        if not self.alloy_bottom_z_A < self.interface_z_A:
            raise InputError(
                f"interface_z_A is {self.interface_z_A}, needs to be above alloy_bottom_z_A, {self.alloy_bottom_z_A} Å"
            )
        if not min(self.core_radius_A, self.interface_width_A) > 0:
            raise InputError(
                f"core radius {self.core_radius_A} Å, interface width {self.interface_width_A} Å; need > 0 Å"
            )

    @property
    def thickness_A(self) -> float:
        """Thickness of the alloy, in Å."""
        return self.interface_z_A - self.alloy_bottom_z_A

    def compute_depths(self, z_A: ArrayLike, *, height_A: float, drift_A: float = 0.0) -> NDArray[np.float64]:
        """Depth below the interface, positive in the alloy; below the nearer one if there are two.

        Args:
            z_A: heights of atoms, unwrapped, shape (n,), in Å.
            height_A: height of the periodic cell, in Å.
            drift_A: how far the alloy has moved up, in Å.

        Returns:
            Depths in Å, shape (n,).
        """
        heights = np.asarray(z_A, dtype=float) - drift_A
        if not self.two_faces:
            return self.interface_z_A - heights
        above = np.mod(heights - self.alloy_bottom_z_A, height_A)
        upper = self.thickness_A - above
        inside = upper >= 0
        return np.where(inside, np.minimum(upper, above), np.maximum(upper, above - height_A))

    def near_core(
        self, positions_A: ArrayLike, *, cell_A: ArrayLike, lines_A: ArrayLike | None = None
    ) -> NDArray[np.bool_]:
        """Which positions lie in the columns about the lines, at any height; none without lines."""
        lines = np.asarray(self.lines_A if lines_A is None else lines_A, dtype=float)
        if lines.size == 0:
            return np.zeros(len(np.asarray(positions_A)), dtype=bool)
        return is_near_lines(positions_A, lines_A=lines, radius_A=self.core_radius_A, cell_A=cell_A)

    def compute_areas_nm2(self, *, cell_A: ArrayLike) -> dict[str, float]:
        """Area of the interface, of both faces if there are two: "total", and "core" and "crystal" if there are lines.

        Args:
            cell_A: cell vectors as rows, shape (3, 3), in Å.

        Returns:
            Areas in nm².
        """
        cell = np.asarray(cell_A, dtype=float)
        scale = (2 if self.two_faces else 1) / (cell[2, 2] * _A2_PER_NM2)
        columns = [("core", True), ("crystal", False)] if self.lines_A else []
        regions = [Region(name, None, None, self.lines_A, self.core_radius_A, near) for name, near in columns]
        return {"total": scale * abs(float(np.linalg.det(cell)))} | {
            region.name: scale * region.volume_A3(cell_A=cell) for region in regions
        }

    def build_regions(self, *, matter_z_A: tuple[float, float]) -> list[Region]:
        """Regions for distribution functions: all, interface, and core and crystal if there are lines.

        Args:
            matter_z_A: lowest and highest height with atoms, in Å: vacuum is not accessible and stays outside. Not
                needed with two faces, as there is none.

        Returns:
            The regions, in the coordinates of the starting structure.
        """
        width, top, bottom = self.interface_width_A, self.interface_z_A, self.alloy_bottom_z_A
        regions = [
            Region("all", *(() if self.two_faces else matter_z_A)),
            Region("interface", top - width, top + width),
        ]
        if self.lines_A:
            for name, near in (("core", True), ("crystal", False)):
                regions.append(Region(name, bottom, top, self.lines_A, self.core_radius_A, near))
        return regions


def build_contact_geometry(
    cell: ContactCell,
    *,
    lines_A: Sequence[tuple[float, float]] | None = None,
    core_radius_A: float = 6.0,
    interface_width_A: float = 6.0,
) -> ContactGeometry:
    """The geometry of a contact cell as it was built; without a vacuum the metal touches both faces.

    Args:
        cell: the contact cell.
        lines_A: x, y of the lines for a cell without cores: those of the dislocated cell, for the control, in Å.
        core_radius_A: radius of the core region, in Å.
        interface_width_A: half the height of the interface region, in Å.

    Returns:
        The geometry.
    """
    two_faces = cell.vacuum_A <= 0
    lower = cell.alloy_bottom_z_A - (cell.gap_A / 2 if two_faces else 0.0)
    lines = lines_A if lines_A is not None else cell.core_positions_A or ()
    return ContactGeometry(
        cell.interface_z_A,
        lower,
        two_faces,
        tuple((float(x), float(y)) for x, y in lines),
        core_radius_A,
        interface_width_A,
    )


def compute_alloy_drift(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    reference_A: ArrayLike | None = None,
    frames: slice | Sequence[int] | None = None,
) -> NDArray[np.float64]:
    """Mean displacement of the alloy's deep third in each frame.

    Args:
        universe: trajectory with unwrapped positions and the segments `alloy` or `anchor`.
        geometry: where the alloy is.
        reference_A: positions to measure from, shape (n_atoms, 3); None for the first frame.
        frames: which frames; None for all.

    Returns:
        Displacement, shape (n_frames, 3), in Å.

    Raises:
        InputError: if there are no atoms of the alloy in that third.
    """
    if reference_A is None:
        reference = np.asarray(universe.trajectory[0].positions, dtype=float)
    else:
        reference = np.asarray(reference_A, dtype=float)
    deep = find_deep_third(reference, regions=universe.atoms.segids, geometry=geometry)
    start = reference[deep].mean(axis=0)
    return np.array(
        [t.positions[deep].mean(axis=0, dtype=float) - start for t in iterate_frames(universe, frames=frames)]
    )


def find_deep_third(positions_A: ArrayLike, *, regions: ArrayLike, geometry: ContactGeometry) -> NDArray[np.bool_]:
    """Which atoms are the third of the alloy's thickness farthest from metal: lowest, or the middle with two faces.

    Args:
        positions_A: shape (n_atoms, 3), in Å.
        regions: region of each atom.
        geometry: where the alloy is.

    Returns:
        Mask, shape (n_atoms,).

    Raises:
        InputError: if there is no such atom.
    """
    share = (np.asarray(positions_A, dtype=float)[:, 2] - geometry.alloy_bottom_z_A) / geometry.thickness_A
    low, high = (1 / 3, 2 / 3) if geometry.two_faces else (-np.inf, 1 / 3)
    alloy = np.isin(np.asarray(regions, dtype=str), ("alloy", "anchor"))
    deep: NDArray[np.bool_] = alloy & (share >= low) & (share <= high)
    if not deep.any():
        raise InputError(
            f"no atoms of segments alloy or anchor in the deep third below z = {geometry.interface_z_A} Å; "
            "check the interface's height and the regions of the structure"
        )
    return deep
