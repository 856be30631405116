"""What a run of `electrolyte-interface` will do: everything built and checked, its size told, nothing started."""

import hashlib
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from analysis.uncertainty import MIN_REPLICAS
from structures.checks import compute_periodic_heights
from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.electrolyte_interface import Case, ElectrolyteInterfaceConfig
from workflows.electrolyte_cells import build_cell
from workflows.electrolyte_run import build_calculator, count_mobile, find_largest_radius_A, find_radius_A
from workflows.electrolyte_topology import find_ions
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_chain_key
from workflows.jobs.local import count_usable_cores
from workflows.jobs.store import Store
from workflows.plan import Piece, Plan
from workflows.preflight import check_calculator_starts, check_resources, check_temperatures

# Atom-steps a second on one core at a cut-off of 12.5 Å with Coulomb forces to 1e-4, for the estimate of
# a plan: guessed from runs of 500 atoms at 8 Å.
SPEED = 5.0e4
_REFERENCE_CUTOFF_A = 12.5
_BYTES_PER_ATOM_AND_FRAME, _BYTES_PER_ATOM_AND_SEGMENT = 12, 400
_MELTING_POINT_K = 507.0


def plan(config: ElectrolyteInterfaceConfig, *, cores: int | None = None) -> Plan:
    """Build and check everything a run needs, and say how large it is; starts nothing.

    Raises:
        InputError: if something in the configuration cannot be done.
    """
    dynamics, resources = config.dynamics, config.resources
    find_ions(config)
    cells = {case: build_cell(config, case=case, seed=config.seed).atoms for case in config.structure.cases}
    for case, atoms in cells.items():
        check_cell(config, atoms=atoms, case=case)
    largest = max(cells.values(), key=len)
    layout: dict[str, Any] = {"ranks": resources.ranks, "threads": resources.threads}
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch))
        specs = {case: build_calculator(config, atoms=atoms, add_blob=store.add_blob) for case, atoms in cells.items()}
        calculations = [
            Calculation(recipe, structure=largest, **layout) for recipe in ("relaxation", "molecular_dynamics")
        ]
        check_resources(calculations, resources=resources, cores=cores)
        check_temperatures(dynamics, n_mobile=count_mobile(largest, fixed=list(dynamics.fixed_regions)))
        for case, atoms in cells.items():
            check_calculator_starts(
                atoms, spec=specs[case], blob_path=store.blob_path, label="its force field", **layout
            )
        pieces = tuple(list_pieces(config, cells=cells, specs=specs))
    n_steps = sum(piece.n_steps for piece in pieces)
    return Plan(
        system=describe_system(config, cells=cells),
        calculator="CL&P and OPLS for molecules and ions, UFF for electrode and layer",
        n_atoms=len(largest),
        n_runs=len(cells) * config.replicas,
        n_steps=n_steps,
        n_segments=n_steps // dynamics.segment_steps,
        core_hours=sum(piece.core_hours for piece in pieces),
        counted="annealing included",
        disk_GB=sum(piece.disk_GB for piece in pieces),
        cores=cores or resources.cores or count_usable_cores(),
        warnings=tuple(list_warnings(config)),
        details={case: {"n_atoms": len(atoms), "cell_A": atoms.cell.array.tolist()} for case, atoms in cells.items()},
        pieces=pieces,
    )


def check_cell(config: ElectrolyteInterfaceConfig, *, atoms: Atoms, case: Case) -> None:
    """Check that a cell is thick enough for the cut-off and for what is measured in it.

    Raises:
        InputError: names the value, the limit and the fix.
    """
    heights_A = compute_periodic_heights(atoms.cell.array)
    thinnest_A = float(heights_A[np.asarray(atoms.pbc)].min())
    cutoff_A = config.force_field.cutoff_A
    if thinnest_A < 2 * cutoff_A:
        shown = " x ".join(f"{height_A:.1f}" for height_A in heights_A)
        raise InputError(
            f"force_field.cutoff_A is {cutoff_A:g}, needs at most {math.floor(5 * thinnest_A) / 10:g} Å, half of the "
            f"smallest periodic height of the cell of case {case} ({shown} Å). Set it, or make the cell larger by more "
            "ions, a lower density or structure.electrode.lateral_A."
        )
    limit_A, asked_A = find_largest_radius_A(atoms), config.analysis.rdf_max_A
    if asked_A is not None and asked_A > limit_A:
        raise InputError(
            f"analysis.rdf_max_A is {asked_A:g}, needs at most {limit_A:g} Å in the cell of case {case}: beyond that "
            "atoms meet their own images. Set it, or null for what fits."
        )
    radius_A, cutoff_A = find_radius_A(config, cell=atoms), config.analysis.coordination_cutoff_A
    if not config.analysis.rdf_bin_A < cutoff_A <= radius_A:
        raise InputError(
            f"analysis.coordination_cutoff_A is {cutoff_A:g}, needs more than a bin and at "
            f"most {radius_A:g} Å, the range of the distributions in the cell of case {case}. Set it, e.g. 4."
        )


def describe_system(config: ElectrolyteInterfaceConfig, *, cells: dict[Case, Atoms]) -> str:
    """One line: electrode, electrolyte, cases."""
    electrode = config.structure.electrode
    facet = "".join(str(index) for index in electrode.facet)
    counts = ", ".join(f"{number} {name}" for name, number in config.structure.electrolyte.counts.items())
    sizes = "; ".join(f"{case} {len(atoms)} atoms" for case, atoms in cells.items())
    return f"{electrode.element}({facet}), {electrode.n_layers} layers; {counts}; {sizes}"


def list_pieces(
    config: ElectrolyteInterfaceConfig, *, cells: dict[Case, Atoms], specs: dict[Case, CalculatorSpec]
) -> Iterator[Piece]:
    """The dynamics of a run, told apart by what they are made from."""
    dynamics, section = config.dynamics, config.force_field
    speed = SPEED * (_REFERENCE_CUTOFF_A / section.cutoff_A) ** 2 * 3600
    made_from = hashlib.sha256(config.structure.model_dump_json().encode()).hexdigest()
    for case, atoms in cells.items():
        for settings in dynamics.list_settings():
            steps = settings["heat_steps"] + settings["equilibrate_steps"] + settings["production_steps"]
            for seed in config.seeds:
                run = Calculation("molecular_dynamics", calculator=specs[case], settings=settings, seed=seed)
                frames, segments = steps // dynamics.frame_every_steps, steps // dynamics.segment_steps
                disk_bytes = len(atoms) * (frames * _BYTES_PER_ATOM_AND_FRAME + segments * _BYTES_PER_ATOM_AND_SEGMENT)
                yield Piece(
                    f"{made_from} {case} {compute_chain_key(run)}",
                    core_hours=steps * len(atoms) / speed,
                    n_steps=steps,
                    disk_GB=disk_bytes / 1e9,
                )


def list_warnings(config: ElectrolyteInterfaceConfig) -> Iterator[str]:
    """What to know before a run starts."""
    dynamics = config.dynamics
    if set(config.structure.electrolyte.counts) == {"Li+", "TFSI-"} and dynamics.temperature_K < _MELTING_POINT_K:
        yield (
            f"Neat LiTFSI melts near {_MELTING_POINT_K:g} K: at {dynamics.temperature_K:g} K it is glassy, and what "
            "comes out depends on how it was prepared."
        )
    if config.replicas < MIN_REPLICAS:
        yield f"replicas is {config.replicas}: fewer than {MIN_REPLICAS} resolve no difference between the cases."
