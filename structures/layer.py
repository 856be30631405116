"""Layers on an electrode: molecules side by side on a lateral grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase import Atoms, units
from ase.data.vdw_alvarez import vdw_radii
from scipy.spatial.distance import cdist

from structures.errors import InputError
from structures.labels import LAYER, label_atoms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from structures.lateral_fit import Pair
    from structures.species import Species

Orientation = Literal["flat", "standing"]
CLEARANCE_A = 2.3  # a little less than two van der Waals radii of hydrogen
_TURN_DEG = 5
_SHADOW_SPACING_A = 0.25
_U_PER_A2_IN_MG_PER_M2 = units._amu * 1e26  # noqa: SLF001 ase's public table of constants has no other name for it


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """A layer and what is known of it.

    Attributes:
        atoms: lowest atom at z = 0, the cell as high as the layer and its edges along x, y and z, periodic along x and
            y; arrays `region` ("layer"), `molecule` (0) and `species`.
        name: of the species or the file that it is made of.
        n_units: molecules, or unit cells of a framework.
        orientation: in words.
        smallest_distance_A: between atoms of neighbouring molecules, in Å; None: a framework.
        coverage: share of the area in the shadow of the van der Waals spheres.
        strain: along x and y, relative to the crystal; 0 for molecules.
        source: where it is from, in words.
        notes: what a reader must know of it.
    """

    atoms: Atoms
    name: str
    n_units: int
    orientation: str
    smallest_distance_A: float | None
    coverage: float
    strain: Pair = (0.0, 0.0)
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def lateral_A(self) -> Pair:
        """Size along x and y, in Å."""
        lengths_A = self.atoms.cell.lengths()
        return float(lengths_A[0]), float(lengths_A[1])

    @property
    def thickness_A(self) -> float:
        """Height between the centres of the lowest and of the highest atom, in Å."""
        return float(np.ptp(self.atoms.positions[:, 2]))

    @property
    def areal_density_per_nm2(self) -> float:
        """Molecules, or unit cells, per nm²."""
        return self.n_units / math.prod(self.lateral_A) * 100

    @property
    def areal_mass_mg_per_m2(self) -> float:
        """Mass per area, in mg/m²."""
        return float(self.atoms.get_masses().sum()) / math.prod(self.lateral_A) * _U_PER_A2_IN_MG_PER_M2


@dataclass(frozen=True)
class _Grid:
    """A rectangular grid of equal molecules, all turned alike about z."""

    counts: tuple[int, int]
    turn_deg: int
    distance_A: float


def build_layer(
    species: Species,
    *,
    lateral_A: Pair,
    orientation: Orientation = "flat",
    grid: tuple[int, int] | None = None,
    clearance_A: float = CLEARANCE_A,
) -> Layer:
    """Cover an area with molecules on a rectangular grid, all in the orientation that keeps them farthest apart.

    They are turned alike about the normal, in steps of 5°; nothing is relaxed.

    Args:
        species: a neutral molecule, such as the built-in NH2-MIL-node, whose irons and oxide lie in its plane xy.
        lateral_A: of the cell along x and y, in Å.
        orientation: "flat": the molecule's own plane xy lies parallel to the electrode; "standing": it is normal to it,
            the molecule's x axis away from the electrode.
        grid: molecules along x and y; None: the most that keep clear of each other.
        clearance_A: smallest distance between atoms of different molecules, images included, in Å.

    Raises:
        InputError: if the molecule is charged, or the molecules do not keep clear of each other.
    """
    if species.charge != 0:
        raise InputError(
            f"{species.name} has charge {species.charge:+d} e, needs 0 in a layer: its counter-ions would be missing. "
            "Take the neutral form."
        )
    if grid is not None and min(grid) < 1:
        raise InputError(f"grid is {tuple(grid)}, needs at least 1 molecule along x and y.")
    molecule = _orient(species.atoms, orientation=orientation)
    found = _find_grid(molecule, lateral_A=lateral_A, grid=grid, clearance_A=clearance_A)
    if found.distance_A < clearance_A:
        most = None if grid is None else _find_grid(molecule, lateral_A=lateral_A, grid=None, clearance_A=clearance_A)
        fix = f"Take at most grid: {most.counts}, or" if most and most.distance_A >= clearance_A else "Take"
        raise InputError(
            f"{found.counts[0]} × {found.counts[1]} molecules of {species.name} on {lateral_A[0]:.2f} × "
            f"{lateral_A[1]:.2f} Å come within {found.distance_A:.2f} Å of each other at best, needs at least "
            f"{clearance_A:g} Å. {fix} a larger lateral_A."
        )
    atoms = _repeat(molecule, found, lateral_A=lateral_A)
    return Layer(
        atoms=label_atoms(atoms, region=LAYER, species=species.name),
        name=species.name,
        n_units=math.prod(found.counts),
        orientation=f"{orientation}, turned by {found.turn_deg}° about the normal",
        smallest_distance_A=found.distance_A,
        coverage=compute_coverage(atoms),
        source=species.source,
    )


def compute_coverage(atoms: Atoms, *, spacing_A: float = _SHADOW_SPACING_A) -> float:
    """Share of the lateral area in the shadow of van der Waals spheres, counted on a grid.

    Args:
        atoms: in an upright cell that is periodic along x and y.
        spacing_A: of the grid at most, in Å.

    Source: 10.1039/c3dt50599e (radii)
    """
    lengths_A = atoms.cell.lengths()[:2]
    counts = np.ceil(lengths_A / spacing_A).astype(int)
    axes = [(np.arange(n) + 0.5) * length / n for n, length in zip(counts, lengths_A, strict=True)]
    shadow = np.zeros(counts, dtype=bool)
    for position_A, radius_A in zip(atoms.positions, vdw_radii[atoms.numbers], strict=True):
        away = [
            (axis - at + length / 2) % length - length / 2
            for axis, at, length in zip(axes, position_A[:2], lengths_A, strict=True)
        ]
        shadow |= away[0][:, None] ** 2 + away[1] ** 2 < radius_A**2
    return float(shadow.mean())


def _orient(molecule: Atoms, *, orientation: Orientation) -> Atoms:
    """The molecule in the orientation, its centre of geometry over the origin, its lowest atom at z = 0."""
    turned = Atoms(molecule.numbers, positions=molecule.positions - molecule.positions.mean(axis=0))
    if orientation == "standing":
        turned.rotate(-90, "y")
    turned.positions[:, 2] -= turned.positions[:, 2].min()
    return turned


def _turn(molecule: Atoms, *, turn_deg: int) -> NDArray[np.float64]:
    angle = math.radians(turn_deg)
    matrix = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    turned: NDArray[np.float64] = molecule.positions @ matrix.T
    return turned


def _find_grid(molecule: Atoms, *, lateral_A: Pair, grid: tuple[int, int] | None, clearance_A: float) -> _Grid:
    """The grid asked for, else the fullest that keeps clear; if none does, one molecule."""
    if grid is not None:
        return _find_turn(molecule, lateral_A=lateral_A, counts=grid)
    box = Atoms(molecule.numbers, positions=molecule.positions, cell=[*lateral_A, 1])
    most = max(1, int(2 / max(compute_coverage(box), 1e-3)))  # shadows overlap by less than half
    largest = [max(1, int(length / clearance_A)) for length in lateral_A]
    options = [n for n in product(*(range(1, limit + 1) for limit in largest)) if math.prod(n) <= most]
    best = _Grid((1, 1), 0, -math.inf)
    for counts in sorted(options, key=math.prod, reverse=True):
        if math.prod(counts) < math.prod(best.counts) and best.distance_A >= clearance_A:
            break
        tried = _find_turn(molecule, lateral_A=lateral_A, counts=(counts[0], counts[1]))
        if tried.distance_A > best.distance_A:
            best = tried
    return best


def _find_turn(molecule: Atoms, *, lateral_A: Pair, counts: tuple[int, int]) -> _Grid:
    """The turn about z at which molecules of a grid are farthest apart."""
    spacings_A = np.array(lateral_A) / counts
    extent_A = float(np.ptp(cdist(molecule.positions[:, :2], molecule.positions[:, :2])))
    reach = np.ceil((extent_A + CLEARANCE_A) / spacings_A).astype(int)
    shifts = [n for n in product(*(range(-most, most + 1) for most in reach)) if n > (0, 0)]
    best = _Grid(counts, 0, -math.inf)
    moves_A = np.array([[*(np.array(shift) * spacings_A), 0] for shift in shifts])
    for turn_deg in range(0, 180, _TURN_DEG):
        positions_A = _turn(molecule, turn_deg=turn_deg)
        distance_A = min(float(cdist(positions_A, positions_A + move_A).min()) for move_A in moves_A)
        if distance_A > best.distance_A + 1e-9:
            best = _Grid(counts, turn_deg, distance_A)
    return best


def _repeat(molecule: Atoms, grid: _Grid, *, lateral_A: Pair) -> Atoms:
    positions_A = _turn(molecule, turn_deg=grid.turn_deg)
    spacings_A = np.array(lateral_A) / grid.counts
    places = np.array([[*((np.array(n) + 0.5) * spacings_A), 0] for n in np.ndindex(*grid.counts)])
    height_A = max(float(np.ptp(positions_A[:, 2])), 1.0)
    return Atoms(
        np.tile(molecule.numbers, len(places)),
        positions=np.concatenate([positions_A + place for place in places]),
        cell=[*lateral_A, height_A],
        pbc=(True, True, False),
    )
