"""Analysis, results and report of the flow `electrolyte-interface`, from the trajectories in the store."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from MDAnalysis import Universe

from analysis.interface_case import InterfaceCase, Ions, compute_interface_case
from analysis.report import MAX_FRAMES, REPORT_FILE, ViewerCase, ViewerData, write_report
from analysis.report.viewer_data import find_drawn_bonds
from analysis.results import Provenance, Results, ResultWarning, build_json_value, read_results, write_results
from analysis.sites import Surface, find_surface
from analysis.surface_contrast import SurfaceContrast, compute_surface_contrast
from analysis.tables import write_tables
from analysis.thermodynamics import read_thermodynamics
from analysis.trajectory import read_trajectory, spread_frames, write_trajectory
from analysis.uncertainty import MIN_REPLICAS
from structures.labels import ELECTRODE
from workflows import catalogue
from workflows.configuration.electrolyte_interface import ElectrolyteInterfaceConfig
from workflows.configuration.sections import FS_PER_PS
from workflows.electrolyte_literature import find_published
from workflows.electrolyte_methods import describe_methods, describe_system
from workflows.electrolyte_run import InterfaceRun, Replica, find_radius_A
from workflows.electrolyte_topology import LAYER_SPECIES, find_ions
from workflows.engines.trajectory_files import THERMO, TRAJECTORY
from workflows.jobs.worker import collect_versions
from workflows.published import is_published, note_published
from workflows.references import collect_interface_references

LABELS = {"bare": "bare electrode", "layer": "with the layer"}


def publish_once(run: InterfaceRun, *, replicas: Sequence[Replica], dynamics: Mapping[str, str]) -> tuple[str, Path]:
    """As `publish_results`; what the run's directory holds already is not made again."""
    if is_published(run.workdir, made_from=describe_making(run)):
        return str(read_results(run.workdir).observables["answer"]), run.workdir / REPORT_FILE
    return publish_results(run, replicas=replicas, dynamics=dynamics)


def describe_making(run: InterfaceRun) -> dict[str, Any]:
    """All that results and report depend on, but for the code."""
    made_from = {"config": run.config.model_dump(mode="json"), "keys": run.keys, "versions": collect_versions()}
    plain: dict[str, Any] = build_json_value(made_from)
    return plain


def publish_results(run: InterfaceRun, *, replicas: Sequence[Replica], dynamics: Mapping[str, str]) -> tuple[str, Path]:
    """Measure, and write results, tables, trajectories, catalogue row and report.

    Args:
        run: what all stages share.
        replicas: the cells as packed.
        dynamics: name of a replica to key of its dynamics.

    Returns:
        The answer in one sentence, and the path of the report.
    """
    of_case: dict[str, list[Replica]] = {
        case: [one for one in replicas if one.case == case] for case in run.config.structure.cases
    }
    universes = {
        case: [open_universe(run, replica=one, key=dynamics[one.name]) for one in ones]
        for case, ones in of_case.items()
    }
    ions = find_ions(run.config)
    cases = {
        case: measure_case(
            run, case=case, replicas=of_case[case], universes=universes[case], dynamics=dynamics, ions=ions
        )
        for case in of_case
    }
    contrast = compare(run.config, cases=cases, ions=ions)
    observables = build_observables(cases, contrast=contrast, ions=ions) | {"published": find_published(run.config)}
    first = {case: ones[0].read_cell() for case, ones in of_case.items()}
    results = Results(
        flow="electrolyte-interface",
        status="completed",
        config=run.config.model_dump(mode="json"),
        system=describe_system(run.config, cells=first),
        observables=build_json_value(observables),
        warnings=tuple(collect_warnings(run.config, cases=cases)),
        references=collect_interface_references(has_layer="layer" in cases),
        provenance=describe_provenance(run, dynamics=dynamics),
        methods=describe_methods(run.config, cells=first, cases=cases),
    )
    results_path = write_results(results, directory=run.workdir)
    write_tables(results, directory=run.workdir)
    for case, ones in of_case.items():
        for one, universe in zip(ones, universes[case], strict=True):
            path = run.workdir / "trajectories" / f"{case}-{one.seed}.lammpsdump"
            path.parent.mkdir(exist_ok=True)
            write_trajectory(universe, path=path)
    viewer = build_viewer(run.config, cells=first, universes=universes)
    report_path = write_report(results, viewer=viewer, directory=run.workdir)
    structure = first[next(iter(first))]
    catalogue.record(results, structure=structure, results_path=results_path, directory=run.store.root / "catalogue")
    note_published(run.workdir, made_from=describe_making(run))
    return str(observables["answer"]), report_path


def open_universe(run: InterfaceRun, *, replica: Replica, key: str) -> Universe:
    """The trajectory of a replica after annealing."""
    segments = run.finished(key).segments
    return read_trajectory([part / TRAJECTORY for part in segments], topology=replica.read_cell())


def find_electrode_surface(universe: Universe, *, cell: Atoms) -> Surface:
    """The upper atoms of the electrode; above them molecules may go up to its image, or to the highest as packed."""
    electrode = np.flatnonzero(cell.arrays["region"] == ELECTRODE)
    top_A, thickness_A = float(cell.positions[electrode, 2].max()), float(np.ptp(cell.positions[electrode, 2]))
    is_periodic = bool(cell.pbc[2])
    free_A = float(cell.cell.lengths()[2]) - thickness_A if is_periodic else float(cell.positions[:, 2].max()) - top_A
    return find_surface(
        universe,
        electrode=electrode,
        name=str(cell.symbols[int(electrode[0])]),
        both=False,
        accessible_A=free_A,
        is_periodic=is_periodic,
    )


def measure_case(
    run: InterfaceRun,
    *,
    case: str,
    replicas: Sequence[Replica],
    universes: Sequence[Universe],
    dynamics: Mapping[str, str],
    ions: Ions,
) -> InterfaceCase:
    """All observables of one case over its replicas."""
    config = run.config
    steps, analysis = config.dynamics, config.analysis
    cell = replicas[0].read_cell()
    settings = steps.production_settings()
    return compute_interface_case(
        universes,
        label=LABELS[case],
        surface=find_electrode_surface(universes[0], cell=cell),
        ions=ions,
        species=list(config.structure.electrolyte.counts),
        thermodynamics=[
            read_thermodynamics([part / THERMO for part in run.finished(dynamics[one.name]).segments])
            for one in replicas
        ],
        from_ps=(settings["heat_steps"] + settings["equilibrate_steps"]) * steps.timestep_fs / FS_PER_PS,
        cutoff_A=analysis.coordination_cutoff_A,
        r_max_A=find_radius_A(config, cell=cell),
        bin_A=analysis.rdf_bin_A,
        height_bin_A=analysis.profile_bin_A,
        layer=LAYER_SPECIES if case == "layer" else "",
    )


def compare(
    config: ElectrolyteInterfaceConfig, *, cases: Mapping[str, InterfaceCase], ions: Ions
) -> SurfaceContrast | None:
    """The layer against the bare electrode, where both were run."""
    if not {"bare", "layer"} <= set(cases):
        return None
    settled = all(one.is_settled for part in cases.values() for one in part.settled)
    return compute_surface_contrast(
        cases["layer"].approaches,
        second=cases["bare"].approaches,
        label=ions.label,
        names=("with the layer", "on the bare electrode"),
        cutoff_A=config.analysis.coordination_cutoff_A,
        doubts=[] if settled else ["the state has not settled"],
    )


def build_observables(
    cases: Mapping[str, InterfaceCase], *, contrast: SurfaceContrast | None, ions: Ions
) -> dict[str, Any]:
    """The observables of `results.json`."""
    headlines: dict[str, Any] = {}
    for part in cases.values():
        if part.coordination is not None:
            name = f"{ions.binding} of {ions.anion} within {part.coordination.cutoff_A:.2f} Å of a surface atom"
            headlines[f"{name}, {part.label}"] = part.coordination.sites.to_json()
    observables: dict[str, Any] = {"cases": {case: part.to_json() for case, part in cases.items()}}
    if contrast is not None:
        headlines["difference"] = contrast.sites.difference.to_json()
        observables |= {"contrast": contrast.to_json(), "answer": contrast.sentence}
    else:
        (part,) = cases.values()
        observables["answer"] = describe_case(part, ions=ions)
    return observables | {"headlines": headlines}


def describe_case(part: InterfaceCase, *, ions: Ions) -> str:
    """One case in a sentence."""
    found = part.coordination
    if found is None:
        return f"{ions.label} has no first shell about the surface ({part.label})."
    number = found.sites
    error = "" if number.uncertainty is None else f" ± {number.uncertainty:.2f}"
    return (
        f"{number.value:.2f}{error} {ions.binding} of {ions.anion} lie within {found.cutoff_A:.2f} Å of a surface atom "
        f"({part.label}); {number.verdict}."
    )


def collect_warnings(config: ElectrolyteInterfaceConfig, *, cases: Mapping[str, InterfaceCase]) -> list[ResultWarning]:
    """What a reader must know before using a number."""
    warnings = [
        ResultWarning("amber", f"{part.label.capitalize()}, {one.name}: {one.verdict}.")
        for part in cases.values()
        for one in part.settled
        if not one.is_settled
    ]
    if config.replicas < MIN_REPLICAS:
        count = "1 replica" if config.replicas == 1 else f"{config.replicas} replicas"
        warnings.append(ResultWarning("amber", f"{count} of each case: a difference takes {MIN_REPLICAS}."))
    return warnings


def build_viewer(
    config: ElectrolyteInterfaceConfig, *, cells: Mapping[str, Atoms], universes: Mapping[str, Sequence[Universe]]
) -> ViewerData:
    """Frames of the first replica of each case, molecules whole."""
    most = min(config.analysis.viewer_frames, MAX_FRAMES)
    viewer = {}
    for case, cell in cells.items():
        universe = universes[case][0]
        positions, times = [], []
        for number in spread_frames(0, len(universe.trajectory), most=most):
            timestep = universe.trajectory[int(number)]
            positions.append(wrap_molecules(timestep.positions, cell=cell))
            times.append(timestep.time)
        viewer[case] = ViewerCase(
            label=LABELS[case],
            elements=tuple(cell.symbols),
            regions=tuple(str(region) for region in cell.arrays["region"]),
            positions_A=np.array(positions),
            cell_A=cell.cell.array,
            time_ps=np.array(times),
            bonds=find_drawn_bonds(
                cell, molecules=np.where(cell.arrays["region"] == ELECTRODE, -1, cell.arrays["molecule"])
            ),
        )
    return ViewerData(viewer)


def wrap_molecules(positions_A: np.ndarray[Any, Any], *, cell: Atoms) -> np.ndarray[Any, Any]:
    """Positions with each molecule moved as a whole so that its first atom lies in the cell, shape (n_atoms, 3)."""
    _, first, inverse = np.unique(cell.arrays["molecule"], return_index=True, return_inverse=True)
    lengths = cell.cell.lengths()
    shifts = -np.floor(positions_A[first] / lengths) * lengths * cell.pbc
    return np.asarray(positions_A + shifts[inverse])


def describe_provenance(run: InterfaceRun, *, dynamics: Mapping[str, str]) -> Provenance:
    """Where the numbers come from."""
    engine = run.finished(next(iter(dynamics.values()))).values.get("engine", {})
    return Provenance(
        versions=collect_versions() | {"engine": f"{engine.get('engine')} {engine.get('engine_version')}"},
        seeds={"packing, velocities": list(run.config.seeds)},
        keys=dict(run.keys),
        wall_times_s={name: run.finished(key).wall_time_s for name, key in run.keys.items()},
        machine={"host": platform.node(), "processor": engine.get("cpu"), "cores": os.cpu_count()},
        command="alkaliflow run electrolyte-interface config.yaml",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
