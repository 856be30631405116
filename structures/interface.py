"""Contact cells: a metal on an alloy, periodic along the interface, with or without a vacuum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from structures.checks import check_smallest_distance, compute_periodic_heights
from structures.errors import InputError
from structures.metal_match import DEFAULT_FACES, Face, MetalMatch, build_fitted_metal, compute_best_match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from structures.dislocation import DipoleGeometry

SMALLEST_VACUUM_A = 8.0
SMALLEST_CONTACT_A = 1.5
# Wider than layers of a crystal are apart, and within the reach of a potential.
LARGEST_LATERAL_GAP_A = 6.0
_FLAT = 1e-4
_MOST_REPEATS = 8


@dataclass(frozen=True, kw_only=True)
class ContactCell:
    """A metal on an alloy, and what the builder knows of it.

    Attributes:
        atoms: alloy first, then metal; regions "alloy", "anchor" (alloy to be held fixed) and "potassium".
        interface_z_A: height of the interface: the middle of the gap between the two sides.
        alloy_bottom_z_A: height of the alloy's lowest layer.
        strain_alloy: strain of the alloy by the contact, components xx, yy, xy; zero, as the alloy keeps its cell.
        strain_metal: strain of the metal to fit, components xx, yy, xy; the largest principal one is that of the match.
        gap_A: height of the gap between the alloy's highest and the metal's lowest layer.
        match: face, supercell and turn of the metal.
        vacuum_A: height of the vacuum above the metal; 0: the metal touches the alloy's other face as well.
        geometry: the dislocations in the alloy, if any.
    """

    atoms: Atoms
    interface_z_A: float
    alloy_bottom_z_A: float
    strain_alloy: tuple[float, float, float]
    strain_metal: tuple[float, float, float]
    gap_A: float
    match: MetalMatch
    vacuum_A: float
    geometry: DipoleGeometry | None = None

    @property
    def core_positions_A(self) -> tuple[tuple[float, float], ...] | None:
        """Positions x, y of the dislocation cores, in Å, or None for a crystal without."""
        return None if self.geometry is None else self.geometry.core_positions_A


def build_contact_cell(
    alloy: Atoms,
    *,
    metal: Atoms,
    reference: Atoms | None = None,
    gap_A: float = 3.0,
    metal_thickness_A: float = 20.0,
    vacuum_A: float = 0.0,
    anchor_thickness_A: float = 5.0,
    max_strain: float = 0.05,
    faces: tuple[Face, ...] = DEFAULT_FACES,
    geometry: DipoleGeometry | None = None,
) -> ContactCell:
    """Put a metal on an alloy: the alloy keeps its lateral cell, the metal is turned and strained to fit.

    Args:
        alloy: the alloy, a crystal or a slab; its third vector must be normal to the other two. It is opened at its
            widest gap along z.
        metal: conventional cell of the metal.
        reference: the alloy without its defects, atom by atom, in the same cell. It decides where the alloy is opened,
            which atoms are held and where the interface lies, so that both get the same; None: the alloy itself.
        gap_A: distance along z between the reference's highest and the metal's lowest atom, in Å.
        metal_thickness_A: least thickness of the metal, in Å.
        vacuum_A: vacuum above the metal, in Å; 0 lets the metal touch the alloy's other face through the boundary.
        anchor_thickness_A: thickness of the lowest part of the alloy, region "anchor", if there is a vacuum; in Å.
        max_strain: largest allowed principal strain of the metal.
        faces: Miller indices of the metal's faces to try.
        geometry: the dislocations in the alloy, passed on.

    Returns:
        The contact cell; periodic in all three directions, with the vacuum inside.

    Raises:
        InputError: if no supercell of the metal fits within the strain, a length is out of range, atoms overlap, or the
            alloy leans or has a vacuum along the interface.
    """
    _check_lengths(gap_A=gap_A, metal_thickness_A=metal_thickness_A, vacuum_A=vacuum_A, max_strain=max_strain)
    slab, sites_z_A = _open_slab(alloy, reference=alloy if reference is None else reference)
    alloy_height_A = float(np.ptp(sites_z_A))
    _check_anchor(anchor_thickness_A, alloy_height_A=alloy_height_A)
    lateral_A = np.array(slab.cell.array[:2, :2])
    match = _match_within(max_strain, metal=metal, lateral_A=lateral_A, faces=faces)
    block = build_fitted_metal(metal, match=match, lateral_cell_A=lateral_A, thickness_A=metal_thickness_A)
    bottom_A = (vacuum_A if vacuum_A > 0 else gap_A) / 2
    slab.positions[:, 2] += bottom_A
    block.positions[:, 2] += bottom_A + alloy_height_A + gap_A
    atoms = _join(slab, block, is_anchored=(sites_z_A < anchor_thickness_A) & (vacuum_A > 0))
    atoms.set_cell([*slab.cell.array[:2], (0, 0, float(block.positions[:, 2].max()) + bottom_A)])
    check_smallest_distance(atoms, minimum_A=SMALLEST_CONTACT_A)
    return ContactCell(
        atoms=atoms,
        interface_z_A=bottom_A + alloy_height_A + gap_A / 2,
        alloy_bottom_z_A=bottom_A,
        strain_alloy=(0.0, 0.0, 0.0),
        strain_metal=match.strain,
        gap_A=gap_A,
        match=match,
        vacuum_A=vacuum_A,
        geometry=geometry,
    )


def _check_lengths(*, gap_A: float, metal_thickness_A: float, vacuum_A: float, max_strain: float) -> None:
    for name, value, low, high, unit in (
        ("gap_A", gap_A, 1.0, 10.0, " Å"),
        ("metal_thickness_A", metal_thickness_A, 1.0, 10_000.0, " Å"),
        ("max_strain", max_strain, 0.0, 0.2, ""),
    ):
        if not low <= value <= high:
            message = f"{name} is {value}, needs {low} to {high}{unit}"
            raise InputError(message)
    if not (vacuum_A == 0 or vacuum_A >= SMALLEST_VACUUM_A):
        message = (
            f"vacuum_A is {vacuum_A}, needs 0 (the metal touches both faces of the alloy) or at least "
            f"{SMALLEST_VACUUM_A} Å, beyond the reach of the potential"
        )
        raise InputError(message)


def _check_anchor(anchor_thickness_A: float, *, alloy_height_A: float) -> None:
    if not 0 <= anchor_thickness_A < alloy_height_A:
        message = (
            f"anchor_thickness_A is {anchor_thickness_A}, needs 0 to less than the alloy's thickness, "
            f"{alloy_height_A:.1f} Å; choose a thinner anchor or a thicker alloy"
        )
        raise InputError(message)


def _match_within(
    max_strain: float, *, metal: Atoms, lateral_A: NDArray[np.float64], faces: tuple[Face, ...]
) -> MetalMatch:
    """The best match of the metal; if it is strained too much, the error says how large an alloy would do."""
    match = compute_best_match(metal, lateral_cell_A=lateral_A, faces=faces)
    if match.largest_strain <= max_strain:
        return match
    advice = "enlarge the alloy along its first two cell vectors"
    for first, second in sorted(np.ndindex(_MOST_REPEATS, _MOST_REPEATS), key=lambda n: (n[0] + 1) * (n[1] + 1)):
        repeats = (first + 1, second + 1)
        larger = compute_best_match(metal, lateral_cell_A=lateral_A * np.array(repeats)[:, None], faces=faces)
        if larger.largest_strain <= max_strain:
            advice = (
                f"make the alloy {repeats[0]} x {repeats[1]} times as large along its first two cell vectors "
                f"({100 * larger.largest_strain:.1f} %)"
            )
            break
    lengths_A = np.linalg.norm(lateral_A, axis=1)
    angle_deg = math.degrees(math.acos(lateral_A[0] @ lateral_A[1] / lengths_A.prod()))
    message = (
        f"the metal would be strained by {100 * match.largest_strain:.1f} % to fit the alloy's {lengths_A[0]:.1f} x "
        f"{lengths_A[1]:.1f} Å at {angle_deg:.0f}°, limit {100 * max_strain:.1f} %; {advice}, or raise max_strain"
    )
    raise InputError(message)


def _open_slab(alloy: Atoms, *, reference: Atoms) -> tuple[Atoms, NDArray[np.float64]]:
    """The alloy in standard form, wrapped along x and y and cut at the reference's widest gap along z.

    Returns:
        The slab, and the heights of the reference's atoms above its lowest, shape (n,), in Å. What an atom is displaced
        from the reference along z, the slab keeps.
    """
    if len(alloy) == 0 or alloy.cell.rank < 3:  # noqa: PLR2004 three axes
        message = f"the alloy has {len(alloy)} atoms and a cell of rank {alloy.cell.rank}; needs atoms and a full cell"
        raise InputError(message)
    if len(alloy) != len(reference) or not np.allclose(alloy.cell.array, reference.cell.array):
        message = (
            f"the reference has {len(reference)} atoms in a cell of {reference.cell.lengths().round(3).tolist()} Å, "
            f"the alloy {len(alloy)} in {alloy.cell.lengths().round(3).tolist()} Å; give the same cell without defects"
        )
        raise InputError(message)
    slab = Atoms(alloy.numbers, cell=alloy.cell, scaled_positions=alloy.get_scaled_positions(wrap=True), pbc=True)
    slab.set_cell(slab.cell.standard_form()[0], scale_atoms=True)
    cell = slab.cell.array
    tilt = float(np.abs(cell[2, :2]).max() / cell[2, 2])
    if tilt > _FLAT:
        message = (
            f"the alloy's third cell vector leans by {tilt:.3f} from the normal of the other two, needs 0: the first "
            "two lie in the interface, the third is its normal; give an upright cell, e.g. the conventional one"
        )
        raise InputError(message)
    _check_lateral_gaps(slab)
    height_A = cell[2, 2]
    sites_z_A = reference.get_scaled_positions(wrap=True)[:, 2] * height_A
    displaced_z_A = slab.positions[:, 2] - sites_z_A
    displaced_z_A -= height_A * np.round(displaced_z_A / height_A)
    heights = np.sort(sites_z_A)
    gaps = np.diff(heights, append=heights[0] + height_A)
    bottom = heights[(int(np.argmax(np.round(gaps, 6))) + 1) % len(heights)]
    sites_z_A = (sites_z_A - bottom + 1e-9) % height_A
    sites_z_A -= sites_z_A.min()
    slab.positions[:, 2] = sites_z_A + displaced_z_A
    return slab, sites_z_A


def _check_lateral_gaps(slab: Atoms) -> None:
    """Raise if the slab does not fill its cell along the interface, so that the metal would lie over empty space."""
    heights_A = compute_periodic_heights(slab.cell.array)
    for axis, which in enumerate(("first", "second")):
        fractions = np.sort(slab.get_scaled_positions(wrap=True)[:, axis])
        gap_A = float(np.diff(fractions, append=fractions[0] + 1).max() * heights_A[axis])
        if gap_A > LARGEST_LATERAL_GAP_A:
            message = (
                f"the alloy is empty over {gap_A:.1f} Å along its {which} cell vector, needs at most "
                f"{LARGEST_LATERAL_GAP_A:g} Å: the first two vectors lie in the interface, and vacuum may be along the "
                "third alone; turn the cell so that its vacuum is along the third vector, or cut the vacuum out"
            )
            raise InputError(message)


def _join(slab: Atoms, block: Atoms, *, is_anchored: NDArray[np.bool_]) -> Atoms:
    regions = np.concatenate([np.where(is_anchored, "anchor", "alloy"), np.full(len(block), "potassium")])
    atoms = Atoms(
        np.concatenate([slab.numbers, block.numbers]),
        positions=np.vstack([slab.positions, block.positions]),
        cell=slab.cell,
        pbc=True,
    )
    atoms.set_array("region", regions.astype("<U9"))
    return atoms
