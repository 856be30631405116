"""Edge dislocations in A7 alloys, as periodic dipoles, each with the perfect crystal that is its control."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from structures.alloy import AlloyRecord, build_rotated_alloy, check_repeats
from structures.burgers_vector import BASAL_BURGERS_VECTOR, check_basal_edge
from structures.decoration import decorate
from structures.displacement_field import (
    MEAN_OF_BI_AND_SB,
    Pair,
    TrigonalElasticity,
    compute_periodic_displacement,
    compute_stroh_modes,
)
from structures.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

Arrangement = Literal["dipole", "quadrupole"]

# In these the cores hold when relaxed with CHGNet, and the circuits still find room between them.
MINIMUM_REPEATS: dict[Arrangement, tuple[int, int, int]] = {"dipole": (6, 3, 1), "quadrupole": (6, 4, 1)}
# Offset of the cores from the lattice rows, as a fraction of a: the one that leaves the widest closest contact.
_CORE_OFFSET = 0.25


@dataclass(frozen=True, kw_only=True)
class DipoleGeometry:
    """What later stages need to know of the dislocations in a cell; it goes through JSON unharmed.

    Attributes:
        burgers_vector_A: Burgers vector of the first core, by ∮ du counter-clockwise around +z, in Å.
        core_positions_A: x and y of the cores as built, in Å.
        core_signs: +1 for cores of the first's Burgers vector, −1 for its opposite.
        bond_vectors_A: the three pseudo-cubic bond vectors of the lattice, of which each bond is one, plus or minus.
        control_shear_strain: shear of the control, which shares the cell of the dislocations: tilt / height.
    """

    burgers_vector_A: tuple[float, float, float]
    core_positions_A: tuple[tuple[float, float], ...]
    core_signs: tuple[int, ...]
    bond_vectors_A: tuple[tuple[float, float, float], ...]
    control_shear_strain: float
    burgers_vector: str = BASAL_BURGERS_VECTOR
    character: str = "edge"
    line_direction: str = "[1-100]"
    slip_plane: str = "(0001)"
    arrangement: Arrangement = "dipole"
    elastic_constants: str = MEAN_OF_BI_AND_SB.source

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DipoleGeometry:
        """Inverse of `to_json`."""
        nested = {key: tuple(tuple(row) for row in values[key]) for key in ("core_positions_A", "bond_vectors_A")}
        flat = {key: tuple(values[key]) for key in ("burgers_vector_A", "core_signs")}
        return cls(**{**values, **nested, **flat})


@dataclass(frozen=True, kw_only=True)
class DislocationDipole:
    """A cell with dislocations and its control: the same cell, atoms, order and decoration, no dislocation."""

    perfect: Atoms
    defective: Atoms
    geometry: DipoleGeometry


def build_dislocation_dipole(
    record: AlloyRecord,
    *,
    repeats: tuple[int, int, int],
    seed: int,
    burgers_vector: str = BASAL_BURGERS_VECTOR,
    arrangement: Arrangement = "dipole",
    elasticity: TrigonalElasticity = MEAN_OF_BI_AND_SB,
) -> DislocationDipole:
    """Basal edge dislocations in a random alloy, lines along z ∥ [1-100], periodic in all directions.

    "dipole": two cores on one slip plane, half a cell apart; the cell is tilted by b/2, which leaves the crystal
    around the cores free of mean stress. The plastic strain of glide is held by the cell, so that the pair rests in a
    minimum as long as the cell keeps its shape. The control shares the tilted cell and is sheared by b / (2 height):
    `control_shear_strain`. "quadrupole": two opposite dipoles on two slip planes; the tilts cancel, and the control
    is not strained at all, for twice the height.

    Slip planes lie in the widest gap between layers, that is between two bilayers. The decoration is drawn after the
    dislocations are in, and is the same for both cells.

    Args:
        record: the alloy.
        repeats: rotated cells along x ∥ [11-20], y ∥ c and z ∥ [1-100].
        seed: seed of the random decoration.
        burgers_vector: Burgers vector as "1/3[11-20]".
        arrangement: "dipole" or "quadrupole".
        elasticity: elastic constants of the starting displacement field.

    Returns:
        Both cells and the geometry of the cores. Relax the cells before dynamics.

    Raises:
        InputError: if the cell is too small for the cores, or the Burgers vector is no basal lattice vector.

    Source: Stroh 1958, doi:10.1080/14786435808565804; tilt of a dipole's cell, Cai et al. 2003,
    doi:10.1080/0141861021000051109.
    """
    check_basal_edge(burgers_vector)
    _check_room(record, repeats=repeats, arrangement=arrangement)
    slab = build_rotated_alloy(record, repeats=(repeats[0], repeats[1], 1))
    length_A, height_A, depth_A = slab.cell.lengths()
    pairs = _place_pairs(record, length_A=length_A, height_A=height_A, arrangement=arrangement)
    burgers_A = np.array([record.a_A, 0.0, 0.0])
    displacement_A, tilt_A = compute_periodic_displacement(
        slab.positions[:, :2],
        modes=compute_stroh_modes(elasticity, burgers_vector_A=burgers_A),
        pairs=pairs,
        length_A=length_A,
        height_A=height_A,
    )
    cell = np.array([[length_A, 0, 0], [tilt_A[0], height_A, 0], [0, 0, depth_A]])
    perfect = _decorated(slab, cell=cell, n_depth=repeats[2], record=record, seed=seed)
    slab.positions += displacement_A
    slab.set_cell(cell)
    defective = _decorated(slab, cell=cell, n_depth=repeats[2], record=record, seed=seed)
    geometry = DipoleGeometry(
        burgers_vector_A=(record.a_A, 0.0, 0.0),
        core_positions_A=_list_cores(pairs),
        core_signs=tuple(sign * pair.sign for pair in pairs for sign in (1, -1)),
        bond_vectors_A=compute_bond_vectors(record),
        control_shear_strain=float(tilt_A[0] / height_A),
        burgers_vector=burgers_vector,
        arrangement=arrangement,
        elastic_constants=elasticity.source,
    )
    return DislocationDipole(perfect=perfect, defective=defective, geometry=geometry)


def compute_bond_vectors(record: AlloyRecord) -> tuple[tuple[float, float, float], ...]:
    """The three pseudo-cubic bond vectors of A7 in the rotated axes, in Å: means of the short and the long bond."""
    a, c = record.a_A, record.c_A
    flat = a / (2 * math.sqrt(3))
    return ((-a / 2, c / 6, flat), (a / 2, c / 6, flat), (0.0, c / 6, -2 * flat))


def _check_room(record: AlloyRecord, *, repeats: tuple[int, int, int], arrangement: Arrangement) -> None:
    check_repeats(repeats)
    minimum = MINIMUM_REPEATS[arrangement]
    if any(given < least for given, least in zip(repeats, minimum, strict=True)):
        size_A = (minimum[0] * record.a_A, minimum[1] * record.c_A)
        message = (
            f"repeats are {tuple(repeats)}: too small for the cores of a {arrangement}, which would annihilate; needs "
            f"at least {minimum}, that is {size_A[0]:.1f} × {size_A[1]:.1f} Å"
        )
        raise InputError(message)


def _list_cores(pairs: tuple[Pair, ...]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(pair.y_A)) for pair in pairs for x in (pair.x_first_A, pair.x_second_A))


def _place_pairs(
    record: AlloyRecord, *, length_A: float, height_A: float, arrangement: Arrangement
) -> tuple[Pair, ...]:
    """Cores half a cell apart, on slip planes in the gaps between bilayers that lie nearest to the wanted heights."""
    first = length_A / 4 + _CORE_OFFSET * record.a_A
    wanted = (0.5,) if arrangement == "dipole" else (0.25, 0.75)
    spacing = record.c_A / 3
    pairs = []
    for number, fraction in enumerate(wanted):
        y_A = round(fraction * height_A / spacing) * spacing
        pairs.append(Pair(x_first_A=first, x_second_A=first + length_A / 2, y_A=y_A, sign=1 if number % 2 == 0 else -1))
    return tuple(pairs)


def _decorated(slab: Atoms, *, cell: np.ndarray, n_depth: int, record: AlloyRecord, seed: int) -> Atoms:
    mapped = slab.copy()
    mapped.set_cell(cell, scale_atoms=True)
    repeated = mapped.repeat((1, 1, n_depth))
    repeated.wrap()
    return decorate(repeated, composition=record.composition, seed=seed)
