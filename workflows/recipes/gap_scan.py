"""Energies over the gap between the potassium and the alloy, shifted rigidly; the flow picks the lowest."""

from typing import Annotated

import numpy as np
from ase import Atoms
from ase.io import write
from pydantic import BaseModel, ConfigDict, Field

from structures.errors import InputError
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.recipes.static_energies import compute_static_results, require_inputs

_FREE_SURFACE_A = 8.0


class GapScanSettings(BaseModel):
    """Settings of the recipe `gap_scan`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gaps_A: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (
        2.0,
        2.25,
        2.5,
        2.75,
        3.0,
        3.25,
        3.5,
        3.75,
        4.0,
        4.5,
        5.0,
    )
    moved_region: str = "potassium"


def run_gap_scan(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Shift one region along z to each gap and evaluate the energy.

    The gap is the height between the highest atom of the rest and the lowest of the moved region. Where the moved
    region touches the rest on its far side as well (less than 8 Å through the boundary), the cell grows with the gap,
    so that both contacts open alike.

    Args:
        calculation: structure with regions, calculator, settings (`GapScanSettings`).
        workspace: scratch directory.

    Returns:
        Values: gaps, energies, which gap is lowest and whether the scan brackets it. File `lowest`: that structure.

    Raises:
        InputError: if the region is not there or is the whole structure.
    """
    structure, _ = require_inputs(calculation, workspace)
    settings = GapScanSettings.model_validate(dict(calculation.settings))
    gaps_A = sorted(settings.gaps_A)
    shifted = [shift_to_gap(structure, gap_A=gap_A, moved_region=settings.moved_region) for gap_A in gaps_A]
    energies_eV = []
    for result in compute_static_results(shifted, calculation=calculation, workspace=workspace):
        energies_eV.append(result.energy_eV)
        workspace.report_progress(stage="gap scan", step=len(energies_eV), steps=len(gaps_A))
    lowest = int(np.argmin(energies_eV))
    write(workspace.directory / "lowest.extxyz", shifted[lowest], format="extxyz")
    values = {
        "gaps_A": gaps_A,
        "energies_eV": energies_eV,
        "lowest_gap_A": gaps_A[lowest],
        "is_bracketed": 0 < lowest < len(gaps_A) - 1,
    }
    return Outcome(values=values, files={"lowest": "lowest.extxyz"})


def shift_to_gap(structure: Atoms, *, gap_A: float, moved_region: str) -> Atoms:
    """The structure with one region moved rigidly along z, so that it stands `gap_A` above the rest.

    Raises:
        InputError: if the region is not there, is all there is, or does not lie above the rest.
    """
    regions = structure.arrays.get("region", np.full(len(structure), ""))
    is_moved = regions == moved_region
    if not is_moved.any() or is_moved.all():
        known = ", ".join(sorted({str(name) for name in regions if name})) or "none"
        raise InputError(f"moved_region is {moved_region!r}, needs a part of the structure; its regions are: {known}.")
    z_A = structure.positions[:, 2]
    shift_A = gap_A - float(z_A[is_moved].min() - z_A[~is_moved].max())
    far_side_A = structure.cell[2, 2] - float(z_A[is_moved].max() - z_A[~is_moved].min())
    shifted: Atoms = structure.copy()
    shifted.positions[is_moved, 2] += shift_A
    if far_side_A < _FREE_SURFACE_A:
        cell = shifted.cell.array.copy()
        cell[2, 2] += 2 * shift_A
        shifted.set_cell(cell)
    elif far_side_A - shift_A < _FREE_SURFACE_A:
        raise InputError(
            f"At a gap of {gap_A:g} Å only {far_side_A - shift_A:.1f} Å of vacuum are left, needs "
            f"{_FREE_SURFACE_A:g} Å: give the cell more vacuum."
        )
    return shifted


GAP_SCAN = Recipe(name="gap_scan", version=1, settings=GapScanSettings, run=run_gap_scan)
