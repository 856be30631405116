"""Analysis, results and report of the flow `potassium-diffusion`, from the trajectories in the store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.contact import (
    ContactCase,
    compute_contact_case,
    share_cutoffs,
)
from analysis.contact_answer import compare_contact_cases, describe_contact_case
from analysis.crystal_order import (
    CrystalOrder,
    combine_crystal_orders,
    compute_crystal_order,
    compute_neighbour_distance,
)
from analysis.headline import find_answer
from analysis.region_temperature import (
    RegionTemperature,
    compute_region_temperatures,
    summarise_region_temperatures,
)
from analysis.report import MAX_FRAMES, REPORT_FILE, ViewerCase, ViewerData, write_report
from analysis.report.methods import build_methods
from analysis.results import Results, build_json_value, read_results, write_results
from analysis.tables import write_tables
from analysis.thermodynamics import mark_energy_released, read_thermodynamics
from analysis.trajectory import read_trajectory, spread_frames, write_trajectory
from workflows import catalogue
from workflows.calculators.guard import compute_domain_check
from workflows.configuration.sections import FS_PER_PS, DynamicsSection
from workflows.engines.trajectory_files import FINAL, THERMO, TRAJECTORY, read_arrays
from workflows.flow_run import read_structure_of
from workflows.jobs.store import Finished
from workflows.jobs.worker import collect_versions
from workflows.known_limits import read_potential_card
from workflows.potassium_cells import (
    CONTROL,
    DISLOCATION,
    build_cells,
    build_geometries,
)
from workflows.potassium_description import (
    describe_config,
    describe_potential,
    describe_provenance,
    describe_sides,
    describe_system,
)
from workflows.potassium_run import CaseData, RunFacts
from workflows.potassium_warnings import collect_warnings, find_doubts, judge_orders, judge_temperatures
from workflows.published import is_published, note_published
from workflows.references import collect_references
from workflows.relaxation_log import find_energy_fall_eV

_GUARD_FRAMES = 20
DECORATION = "for this decoration"
_LABELS = {DISLOCATION: "dislocation", CONTROL: "control"}


def publish_once(run: RunFacts, **found: Any) -> tuple[str, Path]:  # noqa: ANN401 (as `publish_results` has them)
    """As `publish_results`; what the run's directory holds already is not made again."""
    if is_published(run.workdir, made_from=describe_making(run, **found)):
        return find_answer(read_results(run.workdir).observables), run.workdir / REPORT_FILE
    return publish_results(run, **found)


def describe_making(run: RunFacts, **found: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON values)
    """All that results and report depend on, but for the code."""
    made_from = {
        "config": describe_config(run),
        "found": found,
        "keys": run.keys,
        "versions": collect_versions(),
        "card": read_potential_card(run.config.calculator),
    }
    plain: dict[str, Any] = build_json_value(made_from)
    return plain


def publish_results(
    run: RunFacts,
    *,
    gap_A: float,
    relaxed: Mapping[str, str],
    proof: str,
    dynamics: Mapping[str, Sequence[str]],
) -> tuple[str, Path]:
    """Measure, and write results, tables, trajectories, catalogue row and report.

    Args:
        run: facts of the run.
        gap_A: distance of potassium and alloy as built, in Å.
        relaxed: case to key of its relaxation.
        proof: what the Burgers circuits of the relaxed cell found.
        dynamics: case to keys of its replicas.

    Returns:
        The answer in one sentence, and the path of the report.
    """
    data = collect_cases(run, gap_A=gap_A, relaxed=relaxed, dynamics=dynamics)
    cases = share_cutoffs({case: analyse_case(run, case=case, data=part) for case, part in data.items()})
    orders = {case: measure_order(part) for case, part in data.items()}
    cases = {
        case: mark_energy(part, order=orders[case], relaxation=run.finished(relaxed[case]))
        for case, part in cases.items()
    }
    temperatures = {case: measure_temperatures(run.config.dynamics, data=part) for case, part in data.items()}
    part = data[next(iter(data))]
    alloy = part.relaxed.symbols[part.relaxed.arrays["region"] != "potassium"]
    observables = build_observables(run, cases=cases, orders=orders, is_decorated=len(set(alloy)) > 1)
    for case, found in temperatures.items():
        times_ps = data[case].segment_ends_ps
        observables["cases"][case]["region_temperatures"] = summarise_region_temperatures(found, time_ps=times_ps)
    results = Results(
        flow="potassium-diffusion",
        status="completed",
        config=describe_config(run),
        system=describe_sides(run.config, atoms=part.relaxed)
        | describe_system(data, gap_A=gap_A, proof=proof)
        | describe_potential(run.config.calculator),
        observables=build_json_value(observables),
        warnings=(
            *judge_orders(orders),
            *(
                warning
                for case, found in temperatures.items()
                for warning in judge_temperatures(found, case=case, thermostat=run.config.dynamics.thermostat)
            ),
            *collect_warnings(run, data=data, cases=cases, relaxed=relaxed, dynamics=dynamics, proof=proof),
        ),
        references=collect_references(run.config.calculator.name),
        provenance=describe_provenance(run, dynamics=dynamics),
    )
    report_path = write_files(
        run, results=replace(results, methods=tuple(build_methods(results))), data=data, cases=cases
    )
    making = describe_making(run, gap_A=gap_A, relaxed=relaxed, proof=proof, dynamics=dynamics)
    note_published(run.workdir, made_from=making)
    return str(observables["answer"]), report_path


def write_files(
    run: RunFacts, *, results: Results, data: Mapping[str, CaseData], cases: Mapping[str, ContactCase]
) -> Path:
    """Write results, tables, trajectories, report and the row of the catalogue; gives the path of the report."""
    results_path = write_results(results, directory=run.workdir)
    write_tables(results, directory=run.workdir)
    write_trajectories(run, data=data)
    report_path = write_report(results, viewer=build_viewer(run, data=data, cases=cases), directory=run.workdir)
    structure = data[next(iter(data))].relaxed
    catalogue.record(results, structure=structure, results_path=results_path, directory=run.store.root / "catalogue")
    return report_path


def write_trajectories(run: RunFacts, *, data: Mapping[str, CaseData]) -> None:
    """Write the trajectory of each replica of each case, to be opened by other programs."""
    for case, part in data.items():
        for seed, universe in zip(run.config.seeds, part.universes, strict=True):
            path = run.workdir / "trajectories" / f"{case}-{seed}.lammpsdump"
            path.parent.mkdir(exist_ok=True)
            write_trajectory(universe, path=path)


def collect_cases(
    run: RunFacts, *, gap_A: float, relaxed: Mapping[str, str], dynamics: Mapping[str, Sequence[str]]
) -> dict[str, CaseData]:
    """Open the trajectories, from the relaxed cell on, and what belongs to them."""
    cells = build_cells(run.config, gap_A=gap_A)
    geometries = build_geometries(run.config, cells=cells)
    data = {}
    for case, keys in dynamics.items():
        start = read_structure_of(run.finished(relaxed[case]), file="relaxed")
        runs = [run.finished(key).segments for key in keys]
        ends = [[read_arrays(part / FINAL) for part in parts] for parts in runs]
        timestep_ps = run.config.dynamics.timestep_fs / FS_PER_PS
        data[case] = CaseData(
            cell=cells[case],
            geometry=geometries[case],
            relaxed=start,
            universes=[read_trajectory([part / TRAJECTORY for part in parts], topology=start) for parts in runs],
            thermodynamics=[read_thermodynamics([part / THERMO for part in parts]) for parts in runs],
            velocities_A_per_fs=[[end["velocities_A_per_fs"] for end in parts] for parts in ends],
            segment_ends_ps=[float(end["step"].item()) * timestep_ps for end in ends[0]],
        )
    return data


def analyse_case(run: RunFacts, *, case: str, data: CaseData) -> ContactCase:
    """All observables of one case over its replicas, and the guard of the potential's domain."""
    return compute_contact_case(
        data.universes,
        label=_LABELS[case],
        geometry=data.geometry,
        dislocation=data.cell.geometry,
        areal_density_per_nm2=run.config.analysis.areal_density_per_nm2,
        reference_A=data.relaxed.positions,
        built_A=data.cell.atoms.positions,
        thermodynamics=data.thermodynamics,
        guard=check_guard(run, data=data),
        rdf_max_A=run.config.analysis.rdf_max_A,
        rdf_bin_A=run.config.analysis.rdf_bin_A,
        map_bin_A=run.config.analysis.map_spacing_A,
    )


def mark_energy(case: ContactCase, *, order: CrystalOrder, relaxation: Finished) -> ContactCase:
    """The case, its energy released marked with what is no reaction of the potassium."""
    if case.energy_released is None:
        return case
    includes = []
    if not relaxation.values["converged"]:
        fall_eV = find_energy_fall_eV(relaxation)
        speed = "" if fall_eV is None else f" ({fall_eV:.2f} eV per 100 steps at its end)"
        includes.append(f"what the relaxation left undone{speed}")
    if order.verdict == "lost":
        includes.append("the loss of the crystal")
    return replace(case, energy_released=mark_energy_released(case.energy_released, includes=includes))


def check_guard(run: RunFacts, *, data: CaseData) -> dict[str, Any] | None:
    """How many frames of the dynamics lie outside what the potential was trained on."""
    frames = []
    for universe in data.universes:
        for number in spread_frames(0, len(universe.trajectory), most=_GUARD_FRAMES):
            timestep = universe.trajectory[int(number)]
            atoms = data.relaxed.copy()
            atoms.set_constraint()
            atoms.set_cell(timestep.triclinic_dimensions)
            atoms.positions = timestep.positions
            frames.append(atoms)
    limit = run.config.guard.limit
    check = compute_domain_check(frames, spec=run.calculator, blob_path=run.store.blob_path, limit=limit)
    return check.to_json() if check is not None else None


def build_observables(
    run: RunFacts, *, cases: Mapping[str, ContactCase], orders: Mapping[str, CrystalOrder], is_decorated: bool
) -> dict[str, Any]:
    """The observables of `results.json`; of an alloy that is decorated at random, replicas share the decoration."""
    chosen: dict[str, Any] = {
        "temperature_K": run.config.dynamics.temperature_K,
        "scope": DECORATION if is_decorated else "",
        "doubts": (doubts := find_doubts(cases, orders=orders)),
    }
    observables: dict[str, Any] = {
        "cases": {case: {**part.to_json(), "crystal_order": orders[case].to_json()} for case, part in cases.items()}
    }
    if {DISLOCATION, CONTROL} <= set(cases):
        contrast = compare_contact_cases(cases[DISLOCATION], control=cases[CONTROL], **chosen)
        return observables | {"answer": contrast.sentence, "contrast": contrast.to_json()}
    (case,) = cases.values()
    return observables | {"answer": describe_contact_case(case, **chosen), "doubts": list(doubts)}


def measure_order(data: CaseData) -> CrystalOrder:
    """Whether the alloy of a case is still the crystal that was built, in its worst replica."""
    built = data.cell.atoms
    distance_A = compute_neighbour_distance(built[built.arrays["region"] != "potassium"])
    return combine_crystal_orders(
        [
            compute_crystal_order(
                universe,
                geometry=data.geometry,
                built_A=built.positions,
                relaxed_A=data.relaxed.positions,
                neighbour_distance_A=distance_A,
            )
            for universe in data.universes
        ]
    )


def measure_temperatures(dynamics: DynamicsSection, *, data: CaseData) -> dict[str, RegionTemperature]:
    """Temperature of each region at the ends of segments; those of production count for the mean."""
    before_steps = dynamics.heat_steps + dynamics.equilibrate_steps
    return compute_region_temperatures(
        data.velocities_A_per_fs,
        masses_u=data.relaxed.get_masses(),
        regions=data.relaxed.arrays["region"],
        time_ps=data.segment_ends_ps,
        set_K=dynamics.temperature_K,
        from_ps=before_steps * dynamics.timestep_fs / FS_PER_PS,
    )


def build_viewer(run: RunFacts, *, data: Mapping[str, CaseData], cases: Mapping[str, ContactCase]) -> ViewerData:
    """Frames of the first replica of each case."""
    most = min(run.config.analysis.viewer_frames, MAX_FRAMES)
    viewer = {}
    for case, part in data.items():
        universe = part.universes[0]
        frames = spread_frames(0, len(universe.trajectory), most=most)
        positions, times = [], []
        for number in frames:
            timestep = universe.trajectory[int(number)]
            atoms = part.relaxed.copy()
            atoms.set_constraint()
            atoms.positions = timestep.positions
            atoms.wrap(pbc=(True, True, False))
            positions.append(atoms.positions)
            times.append(timestep.time)
        core = cases[case].core
        viewer[case] = ViewerCase(
            label=_LABELS[case],
            elements=tuple(part.relaxed.symbols),
            regions=tuple(str(region) for region in part.relaxed.arrays["region"]),
            positions_A=np.array(positions),
            cell_A=part.relaxed.cell.array,
            time_ps=np.array(times),
            core_track_A=np.array([core.lines_at(int(n)) for n in frames]) if core is not None else None,
            line_z_range_A=(part.cell.alloy_bottom_z_A, part.cell.interface_z_A),
            core_signs=part.cell.geometry.core_signs if part.cell.geometry is not None else None,
        )
    return ViewerData(viewer)
