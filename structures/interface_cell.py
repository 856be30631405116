"""Cells of an electrolyte at an electrode, with or without a layer on it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from structures.accessible_volume import compute_excluded_volume_A3
from structures.composition import check_neutral, compute_density_g_per_cm3, find_height_A
from structures.electrolyte import TIMEOUT_S, TOLERANCE_A, pack_electrolyte
from structures.errors import InputError
from structures.labels import (
    ELECTRODE,
    ELECTROLYTE,
    check_smallest_contact,
    compute_smallest_contact,
    join_labelled,
    label_atoms,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from structures.electrode import Electrode
    from structures.layer import Layer
    from structures.species import Species

Boundary = Literal["periodic", "vacuum", "wall", "second-electrode"]
VACUUM_A = 20.0
LAYER_GAP_A = 3.0
SMALLEST_LAYER_GAP_A = 1.5


@dataclass(frozen=True, eq=False, kw_only=True)
class InterfaceCell:
    """An electrode, a layer or none, and a liquid, and what the builder knows of them.

    Heights of the liquid count between dividing planes: half the tolerance from its atoms and from the electrodes'.

    Attributes:
        atoms: electrode (with the second one, if any), layer, then the molecules species by species; arrays `region`,
            `molecule` and `species`; edges along x, y and z; normal of the electrode along +z.
        boundary: what bounds the liquid above.
        molecules: species of the liquid and their numbers.
        surface_z_A: height of the electrode's uppermost plane of atoms.
        low_z_A: lower dividing plane of the liquid.
        high_z_A: upper dividing plane.
        wall_z_A: plane of the wall, or lowest plane of the second electrode; None: neither.
        layer_top_A: height of the layer's uppermost atom; None: no layer.
        excluded_A3: volume between the planes that the layer takes; 0 without.
        vacuum_A: height of the cell above its highest part; 0 if it repeats along z or ends in a wall.
        smallest_contact_A: smallest distance between atoms of different molecules, images included; infinity above 4 Å.
        seed: of the packing.
        tolerance_A: of the packing.
    """

    atoms: Atoms
    boundary: Boundary
    molecules: tuple[tuple[Species, int], ...]
    surface_z_A: float
    low_z_A: float
    high_z_A: float
    wall_z_A: float | None
    layer_top_A: float | None
    excluded_A3: float
    vacuum_A: float
    smallest_contact_A: float
    seed: int
    tolerance_A: float

    @property
    def area_A2(self) -> float:
        """Lateral area, in Å²."""
        return float(np.prod(self.atoms.cell.lengths()[:2]))

    @property
    def height_A(self) -> float:
        """Distance of the dividing planes, in Å."""
        return self.high_z_A - self.low_z_A

    @property
    def free_height_A(self) -> float:
        """Height that the liquid would fill over the whole area: that of the planes less what the layer takes, in Å."""
        return self.height_A - self.excluded_A3 / self.area_A2

    @property
    def density_g_per_cm3(self) -> float:
        """Mean density of the liquid in the volume that is free for it, in g/cm³."""
        return compute_density_g_per_cm3(self.molecules, volume_A3=self.free_height_A * self.area_A2)

    @property
    def free_share_beside_layer(self) -> float:
        """Share of the liquid's free volume that lies below the top of the layer; 0 without one."""
        return _find_share_beside_layer(self)

    @property
    def filled_share_beside_layer(self) -> float:
        """Share of the liquid's molecules whose middle lies below the top of the layer; 0 without one."""
        if self.layer_top_A is None:
            return 0.0
        liquid = self.atoms[self.atoms.arrays["region"] == ELECTROLYTE]
        molecules = liquid.arrays["molecule"] - liquid.arrays["molecule"].min()
        heights_A = np.bincount(molecules, weights=liquid.positions[:, 2]) / np.bincount(molecules)
        return float((heights_A < self.layer_top_A).mean())


def _find_share_beside_layer(frame: InterfaceCell | _Frame) -> float:
    """Share of the free volume that lies below the top of the layer; 0 without one."""
    if frame.layer_top_A is None:
        return 0.0
    area_A2 = float(np.prod(frame.atoms.cell.lengths()[:2]))
    below_A3 = (frame.layer_top_A - frame.low_z_A) * area_A2 - frame.excluded_A3
    return max(0.0, below_A3 / ((frame.high_z_A - frame.low_z_A) * area_A2 - frame.excluded_A3))


@dataclass(frozen=True, eq=False)
class _Frame:
    """What is there before the liquid: the fields of `InterfaceCell` of the same names."""

    atoms: Atoms
    surface_z_A: float
    low_z_A: float
    high_z_A: float
    wall_z_A: float | None = None
    layer_top_A: float | None = None
    excluded_A3: float = 0.0
    vacuum_A: float = 0.0


def build_interface_cell(
    electrode: Electrode,
    *,
    molecules: Sequence[tuple[Species, int]],
    seed: int,
    layer: Layer | None = None,
    density_g_per_cm3: float | None = None,
    free_height_A: float | None = None,
    boundary: Boundary = "periodic",
    vacuum_A: float = VACUUM_A,
    layer_gap_A: float = LAYER_GAP_A,
    tolerance_A: float = TOLERANCE_A,
    timeout_s: float = TIMEOUT_S,
) -> InterfaceCell:
    """Put a layer on an electrode and pack a liquid above them.

    The liquid has the asked density in the volume that is free for it, so that with a layer the planes that bound it
    lie farther apart by what it takes: cells with and without are comparable. Room beside the layer is filled too.

    Args:
        electrode: below.
        molecules: species of the liquid and their numbers; charges must add up to 0.
        seed: of the packing.
        layer: on the electrode, of its lateral size; None: none.
        density_g_per_cm3: of the liquid in its free volume; or give free_height_A.
        free_height_A: free volume of the liquid over the area, in Å; or give density_g_per_cm3.
        boundary: "periodic": the cell repeats along z and the electrode's lower face bounds the liquid; "vacuum": a
            free surface; "wall": the cell ends in a plane that is to be a wall; "second-electrode": mirror image of the
            electrode on top, without a layer, and vacuum beyond it.
        vacuum_A: height above the liquid or the second electrode, in Å; unused with "periodic" and "wall".
        layer_gap_A: between the electrode's uppermost and the layer's lowest atom along z, in Å.
        tolerance_A: smallest distance between atoms of different molecules of the liquid and to all else, in Å.
        timeout_s: when to give up a run of Packmol, in s.

    Raises:
        InputError: if the charges do not add up to 0, the layer has another lateral size or reaches beyond the liquid,
            atoms overlap, a number is out of range, or the liquid cannot be packed.
        SetupError: if Packmol is not installed.
        CalculationError: if Packmol breaks down.
    """
    check_neutral(molecules)
    _check_request(boundary=boundary, vacuum_A=vacuum_A, layer_gap_A=layer_gap_A, tolerance_A=tolerance_A)
    free_A = _find_free_height_A(molecules, electrode, density_g_per_cm3=density_g_per_cm3, free_height_A=free_height_A)
    frame = _place_solids(electrode, layer, free_height_A=free_A, layer_gap_A=layer_gap_A, tolerance_A=tolerance_A)
    frame = _close_cell(frame, boundary=boundary, vacuum_A=vacuum_A, tolerance_A=tolerance_A)
    check_smallest_contact(frame.atoms, minimum_A=SMALLEST_LAYER_GAP_A)
    return _add_liquid(frame, molecules, boundary=boundary, seed=seed, tolerance_A=tolerance_A, timeout_s=timeout_s)


def _check_request(*, boundary: str, vacuum_A: float, layer_gap_A: float, tolerance_A: float) -> None:
    if boundary not in get_args(Boundary):
        raise InputError(f"boundary is {boundary!r}, needs one of {', '.join(get_args(Boundary))}.")
    if not vacuum_A >= tolerance_A:
        raise InputError(f"vacuum_A is {vacuum_A:g}, needs at least {tolerance_A:g} Å. Set it, e.g. {VACUUM_A:g}.")
    if not layer_gap_A >= SMALLEST_LAYER_GAP_A:
        raise InputError(
            f"layer_gap_A is {layer_gap_A:g}, needs at least {SMALLEST_LAYER_GAP_A:g} Å. Set it, e.g. {LAYER_GAP_A:g}."
        )


def _find_free_height_A(
    molecules: Sequence[tuple[Species, int]],
    electrode: Electrode,
    *,
    density_g_per_cm3: float | None,
    free_height_A: float | None,
) -> float:
    if density_g_per_cm3 is not None and free_height_A is None:
        area_A2 = float(np.prod(electrode.lateral_A))
        return find_height_A(molecules, density_g_per_cm3=density_g_per_cm3, area_A2=area_A2)
    if free_height_A is None or density_g_per_cm3 is not None:
        raise InputError(
            f"density_g_per_cm3 is {density_g_per_cm3} and free_height_A {free_height_A}, needs exactly one of them."
        )
    return free_height_A


def _place_solids(
    electrode: Electrode, layer: Layer | None, *, free_height_A: float, layer_gap_A: float, tolerance_A: float
) -> _Frame:
    """The electrode half the tolerance above the floor of the cell, the layer on it, and the planes of the liquid."""
    lower = electrode.atoms.copy()
    lower.positions[:, 2] += tolerance_A / 2
    surface_z_A = float(lower.positions[:, 2].max())
    low_z_A = surface_z_A + tolerance_A / 2
    if layer is None:
        return _Frame(lower, surface_z_A, low_z_A, low_z_A + free_height_A)
    if not np.allclose(layer.lateral_A, electrode.lateral_A, rtol=1e-3, atol=0):
        raise InputError(
            f"The layer is {layer.lateral_A[0]:.2f} × {layer.lateral_A[1]:.2f} Å large, the electrode "
            f"{electrode.lateral_A[0]:.2f} × {electrode.lateral_A[1]:.2f} Å, needs the same. Build the layer with the "
            "electrode's lateral_A."
        )
    placed = layer.atoms.copy()
    placed.positions[:, 2] += surface_z_A + layer_gap_A
    excluded_A3 = compute_excluded_volume_A3(placed, floor_A=low_z_A)
    high_z_A = low_z_A + free_height_A + excluded_A3 / float(np.prod(electrode.lateral_A))
    top_A = float(placed.positions[:, 2].max())
    if top_A + tolerance_A / 2 > high_z_A:
        raise InputError(
            f"The layer reaches up to {top_A:.1f} Å, the liquid to {high_z_A:.1f} Å, needs the layer at least "
            f"{tolerance_A / 2:g} Å below. Add molecules, lower the density, or take a thinner layer."
        )
    solids = join_labelled([lower, placed])
    return _Frame(solids, surface_z_A, low_z_A, high_z_A, layer_top_A=top_A, excluded_A3=excluded_A3)


def _close_cell(frame: _Frame, *, boundary: Boundary, vacuum_A: float, tolerance_A: float) -> _Frame:
    """The solids in their cell, with the second electrode, if any; both electrodes count as one molecule."""
    atoms, beyond_A = frame.atoms, frame.high_z_A + tolerance_A / 2
    if boundary == "second-electrode":
        is_electrode = atoms.arrays["region"] == ELECTRODE
        upper = atoms[is_electrode]
        upper.positions[:, 2] = beyond_A + frame.surface_z_A - upper.positions[:, 2]
        pair = label_atoms(atoms[is_electrode] + upper, region=ELECTRODE, species=ELECTRODE)
        layer = atoms[~is_electrode]
        layer.arrays["molecule"][:] = 0
        atoms = join_labelled([pair, layer]) if len(layer) else pair
    height_A = {
        "periodic": frame.high_z_A,
        "wall": beyond_A,
        "vacuum": frame.high_z_A + vacuum_A,
        "second-electrode": float(atoms.positions[:, 2].max()) + vacuum_A,
    }[boundary]
    closed = atoms.copy()
    closed.set_cell(np.diag([*atoms.cell.lengths()[:2], height_A]))
    closed.pbc = (True, True, boundary == "periodic")
    return replace(
        frame,
        atoms=closed,
        wall_z_A=beyond_A if boundary in ("wall", "second-electrode") else None,
        vacuum_A=vacuum_A if boundary in ("vacuum", "second-electrode") else 0.0,
    )


def _add_liquid(
    frame: _Frame,
    molecules: Sequence[tuple[Species, int]],
    *,
    boundary: Boundary,
    seed: int,
    tolerance_A: float,
    timeout_s: float,
) -> InterfaceCell:
    edges_A = frame.atoms.cell.lengths()
    liquid = pack_electrolyte(
        molecules,
        lateral_A=(float(edges_A[0]), float(edges_A[1])),
        heights_A=(frame.low_z_A, frame.high_z_A),
        seed=seed,
        fixed=frame.atoms,
        lower_share=None if frame.layer_top_A is None else (frame.layer_top_A, _find_share_beside_layer(frame)),
        period_A=float(edges_A[2]) if boundary == "periodic" else None,
        tolerance_A=tolerance_A,
        timeout_s=timeout_s,
    )
    atoms = join_labelled([frame.atoms, liquid])
    known = {one.name: getattr(frame, one.name) for one in fields(frame) if one.name != "atoms"}
    return InterfaceCell(
        atoms=atoms,
        boundary=boundary,
        molecules=tuple((species, count) for species, count in molecules if count > 0),
        smallest_contact_A=compute_smallest_contact(atoms)[0],
        seed=seed,
        tolerance_A=tolerance_A,
        **known,
    )
