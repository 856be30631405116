"""Molecular dynamics as a chain of segments: minimise, heat, equilibrate, produce."""

import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from structures.errors import CalculationError, InputError
from workflows.calculators.registry import (
    build_ase_calculator,
    build_lammps_potential,
    check_calculator,
    get_capabilities,
)
from workflows.engines.lammps_structure import orient_structure
from workflows.engines.trajectory_files import FINAL, THERMO, read_arrays, write_arrays, write_thermo
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.jobs.segments import Segment, SegmentChain
from workflows.recipes.ase_dynamics import AseDynamics
from workflows.recipes.dynamics_settings import Barostat, MolecularDynamicsSettings, SegmentPlan, plan_segments
from workflows.recipes.dynamics_summary import (
    estimate_memory_MB,
    find_differences,
    read_final_state,
    summarise_dynamics,
)
from workflows.recipes.dynamics_watch import Continuity, Watch
from workflows.recipes.lammps_dynamics import LammpsDynamics
from workflows.recipes.lammps_input import find_parts

_TIME_MARGIN = 1.25
_LARGEST_GAP_A = 8.0


class Dynamics(Protocol):
    """An engine that computes one segment after the other."""

    @property
    def atoms(self) -> Atoms:
        """The structure as the engine takes it."""
        ...

    def describe_engine(self) -> dict[str, str]:
        """Name, version and checksum of what computes."""
        ...

    def run_segment(
        self, plan: SegmentPlan, *, directory: Path, before: Path | None, watch: Watch
    ) -> dict[str, NDArray[np.float64]]:
        """Compute a segment."""
        ...


def run_molecular_dynamics(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Continue the chain of segments to the length that is asked for.

    Every segment is a function of the files of the one before it, so that dynamics that was killed and taken up again
    has the same bytes as dynamics that was not, on the same engine, processor type, ranks and threads.

    Args:
        calculation: structure, calculator, settings (`MolecularDynamicsSettings`), seed, ranks and threads.
        workspace: scratch directory, chain of segments, progress and clock.

    Returns:
        Values: how many segments, which of them are production, times, temperatures and drift. File `final`: the last
        structure (extxyz, with regions and momenta).

    Raises:
        InputError: if the calculator lacks an element or the ensemble, or a region is not there.
        ConvergenceError: if the dynamics blows up; the message says where.
        CalculationError: if the engine is killed, the time does not suffice, or another engine or processor made the
            chain and the break is not accepted.
    """
    if calculation.structure is None or calculation.calculator is None or workspace.chain is None:
        raise InputError("Molecular dynamics needs a structure, a calculator and a chain of segments.")
    settings = MolecularDynamicsSettings.model_validate(dict(calculation.settings))
    dynamics = build_dynamics(calculation, workspace, settings)
    record = {
        **dynamics.describe_engine(),
        "ranks": calculation.ranks,
        "threads": calculation.threads,
        "cpu": read_processor_name(),
    }
    plans = plan_segments(settings)
    segments = workspace.chain.committed()[: len(plans)]
    if 0 < len(segments) < len(plans) and not workspace.accept_break:
        check_same_engine(segments[-1], record)
    n_before = len(segments)
    for plan in plans[n_before:]:
        check_time_left(plan, segments, time_left_s=workspace.time_left_s(), is_fresh=plan.number == n_before)
        before = segments[-1].directory if segments else None
        segment = compute_segment(
            dynamics, plan, settings, before=before, workspace=workspace, record=record, last_step=plans[-1].last_step
        )
        segments.append(segment)
    return summarise_dynamics(dynamics.atoms, settings, plans, segments, workspace)


def build_dynamics(calculation: Calculation, workspace: Workspace, settings: MolecularDynamicsSettings) -> Dynamics:
    """The engine for a calculation, with its starting structure.

    Raises:
        InputError: if the calculator cannot do what is asked.
    """
    atoms, spec = calculation.structure, calculation.calculator
    if atoms is None or spec is None:
        raise InputError("Molecular dynamics needs a structure and a calculator.")
    elements = sorted(set(atoms.symbols))
    blob_path = workspace.store.blob_path
    check_calculator(spec, elements=elements, blob_path=blob_path, ensemble=settings.ensemble)
    if settings.ensemble == "npt":
        check_no_vacuum(atoms, barostat=settings.barostat)
    if workspace.previous is not None:
        atoms = read_final_state(atoms, workspace.previous / FINAL)
        settings = settings.model_copy(update={"minimise": False})
    parts = find_parts(
        atoms, fixed_regions=settings.fixed_regions, thermostatted_regions=settings.thermostatted_regions
    )
    seed = calculation.seed if calculation.seed is not None else 0
    if get_capabilities(spec.name).engine == "lammps":
        potential = build_lammps_potential(spec, elements=elements, blob_path=blob_path)
        return LammpsDynamics(
            atoms=orient_structure(atoms, potential=potential).atoms,
            potential=potential,
            parts=parts,
            settings=settings,
            seed=seed,
            scratch=workspace.directory,
            ranks=calculation.ranks,
            threads=calculation.threads,
        )
    return AseDynamics(
        atoms=atoms,
        make_calculator=lambda: build_ase_calculator(spec, threads=calculation.threads),
        parts=parts,
        settings=settings,
        seed=seed,
        scratch=workspace.directory,
        name=spec.name,
        packages=("ase", "numpy", *get_capabilities(spec.name).modules),
    )


def check_no_vacuum(atoms: Atoms, *, barostat: Barostat = "normal") -> None:
    """A barostat needs matter all the way; a slab in vacuum would be pulled apart or collapse.

    Args:
        atoms: the structure.
        barostat: `normal` changes the cell along its third vector, the others along all three.

    Raises:
        InputError: if there is a gap along a vector that changes.
    """
    scaled = atoms.get_scaled_positions(wrap=True)
    for axis in (2,) if barostat == "normal" else (0, 1, 2):
        heights = np.sort(scaled[:, axis])
        gap_A = float(np.diff(heights, append=heights[0] + 1.0).max() * atoms.cell.cellpar()[axis])
        if gap_A > _LARGEST_GAP_A:
            raise InputError(
                f"ensemble is npt, but the cell has {gap_A:.1f} Å of vacuum along {'xyz'[axis]}, more than "
                f"{_LARGEST_GAP_A:g} Å: use ensemble nvt, or a cell without vacuum (vacuum_A: 0)."
            )


def compute_segment(
    dynamics: Dynamics,
    plan: SegmentPlan,
    settings: MolecularDynamicsSettings,
    *,
    before: Path | None,
    workspace: Workspace,
    record: Mapping[str, Any],
    last_step: int,
) -> Segment:
    """Compute one segment in the scratch directory and commit it to the chain."""
    chain = _chain_of(workspace)
    directory = workspace.directory / f"segment-{plan.number:06d}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    watch = Watch(
        plan=plan,
        settings=settings,
        n_atoms=len(dynamics.atoms),
        before=read_continuity(before),
        last_step=last_step,
        report=workspace.report_progress,
        stops_on_pressure=isinstance(dynamics, LammpsDynamics),
    )
    begin_s = time.monotonic()
    final = dynamics.run_segment(plan, directory=directory, before=before, watch=watch)
    write_thermo(directory / THERMO, watch.rows_to_keep())
    after = watch.continuity()
    carried = {"conserved_eV": after.conserved_eV, "reference_eV": after.reference_eV}
    known = {name: value for name, value in carried.items() if value is not None}
    write_arrays(directory / FINAL, {**final, **known, "step": plan.last_step})
    facts = {"stage": plan.stage, "first_step": plan.first_step, "last_step": plan.last_step}
    return chain.commit(
        plan.number, directory, {**record, **facts, "wall_time_s": round(time.monotonic() - begin_s, 3)}
    )


def _chain_of(workspace: Workspace) -> SegmentChain:
    if workspace.chain is None:
        raise InputError("Molecular dynamics needs a chain of segments to write to.")
    return workspace.chain


def read_continuity(before: Path | None) -> Continuity:
    """What the thermodynamics goes on from after a segment."""
    if before is None:
        return Continuity()
    arrays = read_arrays(before / FINAL)
    carried = {name: float(arrays[name].item()) for name in ("conserved_eV", "reference_eV") if name in arrays}
    return Continuity(**carried)


def check_same_engine(segment: Segment, record: Mapping[str, Any]) -> None:
    """Refuse to go on with another engine or processor than the chain was made with: they would not be one trajectory.

    Raises:
        CalculationError: says what differs; it passes once the right engine is there.
    """
    differences = find_differences(segment.record, record)
    if differences:
        raise CalculationError(
            f"The dynamics so far ({segment.number + 1} segments) was made with {'; '.join(differences)}. Go on where "
            "that is as it was, start anew with --fresh, or go on with the break noted in the results: "
            "alkaliflow resume RUN_DIRECTORY --accept-break"
        )


def check_time_left(
    plan: SegmentPlan, segments: Sequence[Segment], *, time_left_s: float, is_fresh: bool = False
) -> None:
    """Start no segment that cannot be finished.

    Args:
        plan: the segment to be started.
        segments: that are committed.
        time_left_s: until the worker's limit, in s.
        is_fresh: whether this attempt has committed none yet; one with a limit of its own then tries what just fits.

    Raises:
        CalculationError: if the segments so far took longer than what is left; a new attempt goes on from here.
    """
    expected_s = max((float(segment.record.get("wall_time_s", 0.0)) for segment in segments[-3:]), default=0.0)
    if is_fresh and 0 < time_left_s < expected_s:
        raise CalculationError(
            f"limit too short for a segment of {expected_s:.0f} s: {time_left_s:.0f} s are left, and nothing else was "
            "begun. Allow more (time_min of the cluster's profile), or make the segments shorter"
        )
    if time_left_s < expected_s * (1 if is_fresh else _TIME_MARGIN) or time_left_s <= 0:
        raise CalculationError(
            f"{time_left_s:.0f} s are left, segment {plan.number} needs about {expected_s * _TIME_MARGIN:.0f} s; "
            f"{len(segments)} segments are stored, and another attempt goes on from there."
        )


def read_processor_name() -> str:
    """The processor's model, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine())


MOLECULAR_DYNAMICS = Recipe(
    name="molecular_dynamics",
    version=1,
    settings=MolecularDynamicsSettings,
    run=run_molecular_dynamics,
    length_field="production_steps",
    memory_MB=estimate_memory_MB,
)
