"""What a run of `potassium-diffusion` will do: everything built and checked, its size told, nothing started."""

import hashlib
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from analysis.contact import RADIUS_SHARE
from analysis.counting import largest_radius_A
from analysis.crystal_order import find_inside
from structures.alloy import format_lattice
from structures.checks import compute_periodic_heights
from structures.errors import InputError
from structures.interface import ContactCell
from structures.metal import POTASSIUM_MELTING_POINT_K
from workflows.calculators.registry import check_calculator
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import IN_FLOWS
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_chain_key, compute_key
from workflows.jobs.local import count_usable_cores
from workflows.jobs.store import Store
from workflows.known_limits import describe_lattice, find_known_limits
from workflows.plan import Piece, Plan
from workflows.potassium_cells import (
    build_cells,
    build_geometries,
    count_elements,
    find_alloy,
    find_elements,
    name_alloy,
)
from workflows.potassium_run import RELAXATION_STEPS, build_spec, find_fixed_regions
from workflows.preflight import (
    check_calculator_starts,
    check_resources,
    check_temperatures,
    estimate_longest_timestep_fs,
)
from workflows.recipes.gap_scan import GapScanSettings

# Atom-steps a second on one core, for the estimate of a plan. pod and chgnet: at 2000 atoms, docs/performance.md;
# a pair style or an ASE calculator of one's own: guessed.
SPEED = {"pod": 4.75e4, "lammps": 2.0e5, "chgnet": 1.1e3, "ase": 1.0e3}
_BYTES_PER_ATOM_AND_FRAME, _BYTES_PER_ATOM_AND_SEGMENT = 12, 250


def plan(config: PotassiumDiffusionConfig, *, cores: int | None = None) -> Plan:
    """Build and check everything a run needs, and say how large it is; starts nothing.

    Raises:
        InputError: if something in the configuration cannot be done.
    """
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch))
        spec = build_spec(config, store=store)
        check_calculator(
            spec,
            elements=find_elements(config.structure),
            blob_path=store.blob_path,
            label=config.calculator.potential,
            ensemble=config.dynamics.ensemble,
            wording=IN_FLOWS,
        )
        cells = build_cells(config)
        largest = max(cells.values(), key=lambda cell: len(cell.atoms))
        check_run(config, largest=largest.atoms, spec=spec, store=store, cores=cores)
        pieces = tuple(list_pieces(config, cells=cells, spec=spec))
    check_analysis(config, cells=cells)
    dynamics = config.dynamics
    n_atoms, n_runs = len(largest.atoms), len(cells) * config.replicas
    n_steps = n_runs * dynamics.total_steps
    n_evaluations = n_steps + len(cells) * RELAXATION_STEPS
    if config.structure.gap_A == "scan":
        n_evaluations += len(GapScanSettings().gaps_A)
    n_segments = n_steps // dynamics.segment_steps
    frames = n_steps // dynamics.frame_every_steps
    disk_bytes = n_atoms * (frames * _BYTES_PER_ATOM_AND_FRAME + n_segments * _BYTES_PER_ATOM_AND_SEGMENT)
    count = count_elements(largest.atoms)
    strain = largest.match.largest_strain
    record = find_alloy(config.structure)
    alloy = name_alloy(config.structure) + ("" if record is None else f" {format_lattice(record)}")
    return Plan(
        system=f"{alloy}, {', '.join(cells)}; potassium strained by {100 * strain:.1f} %; "
        + " ".join(f"{element}{number}" for element, number in count.items()),
        calculator=f"{config.calculator.name} {config.calculator.potential}".strip(),
        n_atoms=n_atoms,
        n_runs=n_runs,
        n_steps=n_steps,
        n_segments=n_segments,
        core_hours=n_evaluations * n_atoms / SPEED[config.calculator.name] / 3600,
        counted=f"relaxations to their limit of {RELAXATION_STEPS} steps included",
        disk_GB=disk_bytes / 1e9,
        cores=cores or config.resources.cores or count_usable_cores(),
        warnings=tuple(plan_warnings(config, atoms=largest.atoms)),
        details={
            "composition": count,
            "cell_A": largest.atoms.cell.array.tolist(),
            "lattice": None if record is None else describe_lattice(config.calculator, alloy=record),
        },
        pieces=pieces,
    )


def list_pieces(
    config: PotassiumDiffusionConfig, *, cells: dict[str, ContactCell], spec: CalculatorSpec
) -> Iterator[Piece]:
    """The calculations of a run, told apart by the cells as built: what comes before dynamics follows from them."""
    dynamics, resources = config.dynamics, config.resources
    layout: dict[str, Any] = {"ranks": resources.ranks, "threads": resources.threads}
    fixed = find_fixed_regions(config)
    speed = SPEED[config.calculator.name] * 3600
    if config.structure.gap_A == "scan":
        cell = cells.get("control") or next(iter(cells.values()))
        scan = Calculation("gap_scan", structure=cell.atoms, calculator=spec)
        yield Piece(compute_key(scan), len(GapScanSettings().gaps_A) * len(cell.atoms) / speed)
    for cell in cells.values():
        n_atoms = len(cell.atoms)
        how = {"fixed_regions": fixed, "gap_A": config.structure.gap_A}
        start = hashlib.sha256(
            f"{compute_key(Calculation('relaxation', structure=cell.atoms, calculator=spec))} {how}".encode()
        ).hexdigest()
        yield Piece(start, RELAXATION_STEPS * n_atoms / speed)
        settings = dynamics.recipe_settings() | {"minimise": False, "fixed_regions": fixed}
        disk_bytes = n_atoms * (
            dynamics.total_steps // dynamics.frame_every_steps * _BYTES_PER_ATOM_AND_FRAME
            + dynamics.total_steps // dynamics.segment_steps * _BYTES_PER_ATOM_AND_SEGMENT
        )
        for seed in config.seeds:
            run = Calculation("molecular_dynamics", calculator=spec, settings=settings, seed=seed, **layout)
            yield Piece(
                f"{start} {compute_chain_key(run)}",
                core_hours=dynamics.total_steps * n_atoms / speed,
                n_steps=dynamics.total_steps,
                disk_GB=disk_bytes / 1e9,
            )


def check_run(
    config: PotassiumDiffusionConfig, *, largest: Atoms, spec: CalculatorSpec, store: Store, cores: int | None
) -> None:
    """Check what would end a run later: cores, memory, temperatures, and whether the calculator starts.

    Raises:
        InputError: names the value, the limit and the fix.
    """
    resources = config.resources
    layout: dict[str, Any] = {"ranks": resources.ranks, "threads": resources.threads}
    recipes = ("gap_scan", "relaxation", "molecular_dynamics")
    check_resources(
        [Calculation(recipe, structure=largest, **layout) for recipe in recipes],
        resources=resources,
        cores=cores,
    )
    fixed = np.isin(largest.arrays["region"], find_fixed_regions(config))
    check_temperatures(config.dynamics, n_mobile=int((~fixed).sum()))
    check_calculator_starts(largest, spec=spec, blob_path=store.blob_path, label=config.calculator.potential, **layout)


def check_analysis(config: PotassiumDiffusionConfig, *, cells: dict[str, ContactCell]) -> None:
    """Check that what the analysis is asked for can be measured in the cells.

    Raises:
        InputError: if the alloy has no inside, or a distribution function would reach beyond half the cell.
    """
    rdf_max_A = config.analysis.rdf_max_A
    for case, geometry in build_geometries(config, cells=cells).items():
        atoms = cells[case].atoms
        find_inside(atoms.positions, regions=atoms.arrays["region"], cell_A=atoms.cell.array, geometry=geometry)
        limit_A = RADIUS_SHARE * largest_radius_A(atoms.cell.array)
        if rdf_max_A > limit_A:
            heights = " x ".join(f"{height_A:.1f}" for height_A in compute_periodic_heights(atoms.cell.array))
            raise InputError(
                f"analysis.rdf_max_A is {rdf_max_A:g}, needs at most {limit_A:.1f} Å, half of the smallest height of "
                f"the cell ({heights} Å between its faces). Set it, e.g. "
                f"analysis.rdf_max_A: {math.floor(10 * limit_A) / 10:g}, or make the cell larger."
            )


def plan_warnings(config: PotassiumDiffusionConfig, *, atoms: Atoms) -> list[str]:
    """What to know before a run starts."""
    warnings = []
    if config.dynamics.temperature_K > POTASSIUM_MELTING_POINT_K:
        warnings.append(
            f"Potassium melts at {POTASSIUM_MELTING_POINT_K:g} K: at {config.dynamics.temperature_K:g} K it is liquid."
        )
    longest_fs = estimate_longest_timestep_fs(atoms)
    if config.dynamics.timestep_fs > longest_fs:
        warnings.append(
            f"timestep_fs is {config.dynamics.timestep_fs:g}: with the lightest atoms here more than about "
            f"{longest_fs:.1f} fs may drift or blow up."
        )
    known = find_known_limits(
        config.calculator,
        dynamics=config.dynamics,
        elements=set(atoms.symbols),
        alloy=find_alloy(config.structure),
    )
    return warnings + known
