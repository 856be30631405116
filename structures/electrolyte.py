"""Liquid electrolytes: neutral sets of whole molecules, packed at random to a density or between two heights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from scipy.spatial.distance import pdist

from structures.composition import check_counts, check_neutral, compute_density_g_per_cm3
from structures.errors import InputError
from structures.labels import ELECTROLYTE, check_smallest_contact, join_labelled, label_atoms
from structures.packmol import HEIGHT_MARGIN_A, MOST_LOOPS, Packing, Template, run_packmol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from structures.lateral_fit import Pair
    from structures.species import Species

TOLERANCE_A = 2.0
TIMEOUT_S = 300.0
_ROUNDING_A = 1e-3
_PARTS = (0.85, 0.6, 0.35, 0.0)  # of the share that is to lie below a height: clefts hold no whole molecules
_EASIER = (1.15, 1.3, 1.6, 2.0)  # times the volume: what is tried when a density cannot be packed


def pack_electrolyte(
    molecules: Sequence[tuple[Species, int]],
    *,
    lateral_A: Pair,
    heights_A: tuple[float, float],
    seed: int,
    fixed: Atoms | None = None,
    period_A: float | None = None,
    lower_share: tuple[float, float] | None = None,
    tolerance_A: float = TOLERANCE_A,
    timeout_s: float = TIMEOUT_S,
) -> Atoms:
    """Molecules at random places and in random orientations, no two of them closer than a tolerance.

    The heights are dividing planes: atoms keep half the tolerance from them, as they would from a plane of atoms half
    the tolerance beyond. For a density take `find_height_A`. No molecule reaches through the sides of the cell, so that
    the liquid is thinner there until it has moved.

    Args:
        molecules: species and their numbers; charges must add up to 0.
        lateral_A: edges of the cell along x and y, in Å.
        heights_A: between which they lie, in Å.
        seed: of the random places, 0 or more; the same seed gives the same atoms.
        fixed: what is there already, with the array `molecule`; may lie outside of the heights, not of the cell.
        period_A: height of a cell that repeats along z, in Å; None: it does not repeat.
        lower_share: a height in Å, and the share of each species that is to lie below it by the atom nearest to its
            middle, since Packmol leaves narrow places empty; of it 0.85, 0.6, 0.35, 0 is tried until place is found.
        tolerance_A: smallest distance between atoms of different molecules, images included, in Å.
        timeout_s: when to give up a run of Packmol, in s.

    Returns:
        The molecules without what is fixed, species by species, each molecule whole and in the order of its atoms, with
        the arrays `region` ("electrolyte"), `molecule` (from 0) and `species`.

    Raises:
        InputError: if the charges do not add up to 0, a molecule is larger than the cell, or they find no place.
        SetupError: if Packmol is not installed.
        CalculationError: if Packmol breaks down.

    Source: 10.1002/jcc.21224 (Packmol)
    """
    wanted = _select_present(molecules)
    packing = _plan_packing(
        wanted,
        lateral_A=lateral_A,
        heights_A=heights_A,
        seed=seed,
        fixed=fixed,
        period_A=period_A,
        tolerance_A=tolerance_A,
    )
    positions_A = _pack(packing, lower_share=lower_share, timeout_s=timeout_s)
    if positions_A is None:
        raise InputError(_explain_failure(wanted, packing=packing, timeout_s=timeout_s))
    packed = _label_molecules(wanted, positions_A=positions_A)
    packed.set_cell(np.diag(packing.lengths_A))
    packed.pbc = (True, True, period_A is not None)
    whole = packed if fixed is None else join_labelled([packed, fixed])
    check_smallest_contact(whole, minimum_A=tolerance_A - _ROUNDING_A)
    return packed


def _select_present(molecules: Sequence[tuple[Species, int]]) -> list[tuple[Species, int]]:
    check_neutral(molecules)
    check_counts(molecules)
    return [(species, count) for species, count in molecules if count > 0]


def _plan_packing(
    molecules: Sequence[tuple[Species, int]],
    *,
    lateral_A: Pair,
    heights_A: tuple[float, float],
    seed: int,
    fixed: Atoms | None,
    period_A: float | None,
    tolerance_A: float,
) -> Packing:
    """A packing in the cell, or in one so high that nothing meets its image along z."""
    _check_space(molecules, lateral_A=lateral_A, heights_A=heights_A, seed=seed, tolerance_A=tolerance_A)
    held = Atoms() if fixed is None else fixed
    top_A = max(heights_A[1], *held.positions[:, 2]) if len(held) else heights_A[1]
    return Packing(
        templates=[Template(species.atoms, count) for species, count in molecules],
        fixed=_select_near(held, heights_A=heights_A, tolerance_A=tolerance_A),
        lengths_A=np.array([*lateral_A, top_A + 2 * tolerance_A if period_A is None else period_A]),
        heights_A=(heights_A[0] + tolerance_A / 2, heights_A[1] - tolerance_A / 2),
        distance_A=tolerance_A,
        seed=seed,
    )


def _pack(packing: Packing, *, lower_share: tuple[float, float] | None, timeout_s: float) -> NDArray[np.float64] | None:
    """Positions with as much of the share below the height as finds place; None: not even without regard to it."""
    for part in _PARTS if lower_share is not None else _PARTS[-1:]:
        split = _split_templates(packing, lower_share=lower_share, part=part)
        positions_A = run_packmol(split, timeout_s=timeout_s)
        if positions_A is not None:
            return positions_A
    return None


def _split_templates(packing: Packing, *, lower_share: tuple[float, float] | None, part: float) -> Packing:
    """The packing with a part of the share of each species below a height, and the rest above."""
    if lower_share is None or part == 0:
        return packing
    height_A, share = lower_share
    templates = []
    for one in packing.templates:
        n_lower = round(one.count * share * part)
        lower = Template(one.atoms, n_lower, (packing.heights_A[0], height_A))
        upper = Template(one.atoms, one.count - n_lower, (height_A, packing.heights_A[1]))
        templates += [template for template in (lower, upper) if template.count > 0]
    return replace(packing, templates=templates)


def _select_near(fixed: Atoms, *, heights_A: tuple[float, float], tolerance_A: float) -> Atoms:
    """What is fixed and not kept away by the planes alone: Packmol slows down with each fixed atom."""
    low_A, high_A = heights_A[0] - tolerance_A / 2, heights_A[1] + tolerance_A / 2
    z_A = fixed.positions[:, 2]
    near: Atoms = fixed[(z_A > low_A + _ROUNDING_A) & (z_A < high_A - _ROUNDING_A)]
    return near


def _label_molecules(molecules: Sequence[tuple[Species, int]], *, positions_A: NDArray[np.float64]) -> Atoms:
    parts = [
        label_atoms(
            Atoms(np.tile(species.atoms.numbers, count)), region=ELECTROLYTE, species=species.name, n_molecules=count
        )
        for species, count in molecules
    ]
    packed = join_labelled(parts)
    packed.positions = positions_A
    return packed


def _check_space(
    molecules: Sequence[tuple[Species, int]],
    *,
    lateral_A: Pair,
    heights_A: tuple[float, float],
    seed: int,
    tolerance_A: float,
) -> None:
    """Check the numbers, and that each molecule is smaller than the cell, so that it cannot meet its own image."""
    if seed < 0:
        raise InputError(f"seed is {seed}, needs 0 or more.")
    if not 0.5 <= tolerance_A <= 5:  # noqa: PLR2004 between a bond and two molecules apart
        raise InputError(f"tolerance_A is {tolerance_A:g}, needs 0.5 to 5 Å. Set it, e.g. tolerance_A: {TOLERANCE_A}.")
    least_A = tolerance_A + 2 * HEIGHT_MARGIN_A
    if not heights_A[1] - heights_A[0] > least_A:
        raise InputError(
            f"The electrolyte's height is {heights_A[1] - heights_A[0]:.2f} Å, needs more than {least_A:.2f} Å (the "
            "tolerance and a margin). Add molecules, lower the density, or give a larger height."
        )
    for species, _ in molecules:
        extent_A = float(pdist(species.atoms.positions).max()) if len(species.atoms) > 1 else 0.0
        if extent_A + tolerance_A > min(lateral_A):
            raise InputError(
                f"{species.name} is {extent_A:.1f} Å long and would meet its own image in a cell of "
                f"{lateral_A[0]:.2f} × {lateral_A[1]:.2f} Å, needs at least {extent_A + tolerance_A:.1f} Å. "
                "Widen lateral_A."
            )


def _explain_failure(molecules: Sequence[tuple[Species, int]], *, packing: Packing, timeout_s: float) -> str:
    """What was asked for, and the highest density of a few lower ones at which the same molecules fit a plain box."""
    tolerance_A = packing.distance_A
    height_A = packing.heights_A[1] - packing.heights_A[0] + tolerance_A
    density = compute_density_g_per_cm3(molecules, volume_A3=float(packing.lengths_A[:2].prod()) * height_A)
    n_atoms = sum(len(species.atoms) * count for species, count in molecules)
    message = (
        f"{n_atoms} atoms ({' + '.join(f'{count} {species.name}' for species, count in molecules)}) find no place at "
        f"{density:.2f} g/cm³ ({height_A:.1f} Å high) with {tolerance_A:g} Å between molecules in {timeout_s:g} s or "
        f"{MOST_LOOPS} loops of Packmol"
    )
    if len(packing.fixed):
        message += f" beside {len(packing.fixed)} fixed atoms"
    for ratio in (1.0, *_EASIER) if len(packing.fixed) else _EASIER:
        easier = replace(
            packing,
            fixed=Atoms(),
            lengths_A=np.array([*packing.lengths_A[:2], height_A * ratio]),
            heights_A=(tolerance_A / 2, height_A * ratio - tolerance_A / 2),
        )
        if run_packmol(easier, timeout_s=timeout_s / len(_EASIER)) is not None:
            return (
                f"{message}. With nothing else in the cell they fit at {density / ratio:.2f} g/cm³ "
                f"({height_A * ratio:.1f} Å high): ask for less than that and compress it in the dynamics, or lower "
                "tolerance_A."
            )
    return f"{message}, nor at {density / _EASIER[-1]:.2f} g/cm³. Ask for a much lower density, or lower tolerance_A."
