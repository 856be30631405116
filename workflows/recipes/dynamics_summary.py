"""What finished dynamics says in numbers, its last state, and what it needs of memory."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.io import write

from structures.errors import InputError
from workflows.engines.trajectory_files import FINAL, THERMO, read_arrays, read_thermo
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Workspace
from workflows.jobs.segments import Segment
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, SegmentPlan

_BYTES_PER_ATOM = 6_000.0
_BASE_MEMORY_MB = 250.0
_MUST_AGREE = ("engine", "engine_version", "engine_sha256", "cpu")


def read_final_state(atoms: Atoms, path: Path) -> Atoms:
    """The structure with the positions, velocities and cell at the end of a segment.

    Raises:
        InputError: if the segment has another number of atoms.
    """
    arrays = read_arrays(path)
    positions = arrays["positions_A"].astype(np.float64)
    if len(positions) != len(atoms):
        raise InputError(f"The dynamics to continue has {len(positions)} atoms, the structure {len(atoms)}.")
    state: Atoms = atoms.copy()
    state.set_constraint()
    state.set_cell(arrays["cell_A"])
    state.positions = positions
    state.set_velocities(arrays["velocities_A_per_fs"].astype(np.float64) / units.fs)
    state.set_constraint(atoms.constraints)
    return state


def summarise_dynamics(
    atoms: Atoms,
    settings: MolecularDynamicsSettings,
    plans: Sequence[SegmentPlan],
    segments: Sequence[Segment],
    workspace: Workspace,
) -> Outcome:
    """Values of the whole run, and its last structure as a file."""
    produced = [segment for plan, segment in zip(plans, segments, strict=True) if plan.stage == "produce"]
    tables = [read_thermo(segment.directory / THERMO) for segment in produced]
    temperature_K = np.concatenate([table["temperature_K"] for table in tables])
    conserved_eV = np.concatenate([table["conserved_eV"] for table in tables])
    time_ps = np.concatenate([table["time_ps"] for table in tables])
    write(
        workspace.directory / "final.extxyz", read_final_state(atoms, segments[-1].directory / FINAL), format="extxyz"
    )
    drift_eV_per_atom = float(conserved_eV[-1] - conserved_eV[0]) / len(atoms)
    values = {
        "n_segments": len(segments),
        "first_production_segment": plans[len(plans) - len(produced)].number,
        "n_atoms": len(atoms),
        "timestep_fs": settings.timestep_fs,
        "frame_every_steps": settings.frame_every_steps,
        "first_production_step": plans[len(plans) - len(produced)].first_step,
        "last_step": plans[-1].last_step,
        "production_ps": settings.production_steps * settings.timestep_fs / 1000,
        "mean_temperature_K": float(temperature_K.mean()),
        "final_temperature_K": float(temperature_K[-1]),
        "drift_eV_per_atom": drift_eV_per_atom,
        "drift_eV_per_atom_per_ps": drift_eV_per_atom / float(time_ps[-1] - time_ps[0]) if len(time_ps) > 1 else None,
        "engine": {name: segments[-1].record.get(name) for name in ("engine", "engine_version", "cpu")},
        "breaks": describe_breaks(segments),
    }
    return Outcome(values=values, files={"final": "final.extxyz"})


def find_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """In what of that decides the last digits two segments differ; ranks and threads are the same in a chain."""
    pairs = ((name, before.get(name), after.get(name)) for name in _MUST_AGREE)
    return [f"{name} {was}, now {now}" for name, was, now in pairs if was != now]


def describe_breaks(segments: Sequence[Segment]) -> list[str]:
    """Where a chain was continued by another engine or processor, on request."""
    found = ((later, find_differences(earlier.record, later.record)) for earlier, later in pairwise(segments))
    return [f"from segment {later.number} on: {'; '.join(what)}" for later, what in found if what]


def estimate_memory_MB(calculation: Calculation) -> float:
    """Memory that dynamics of this size needs, from above."""
    n_atoms = len(calculation.structure) if calculation.structure is not None else 0
    return math.ceil(_BASE_MEMORY_MB * (1 + calculation.ranks) + n_atoms * _BYTES_PER_ATOM / 1e6)
