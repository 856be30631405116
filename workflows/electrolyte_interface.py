"""How near ions come to an electrode, and what a layer on it changes (10.1039/d5ee01219h, Fig. 4a).

Read the flow from top to bottom: it is the method section.
"""

from pathlib import Path
from typing import Any

from prefect import flow as prefect_flow
from prefect.artifacts import create_markdown_artifact

from structures.errors import InputError
from workflows.configuration.electrolyte_interface import ElectrolyteInterfaceConfig
from workflows.electrolyte_cells import build_cells
from workflows.electrolyte_plan import plan as plan  # noqa: PLC0414 (a flow's module offers its plan)
from workflows.electrolyte_results import publish_once, publish_results
from workflows.electrolyte_run import InterfaceRun, Replica, build_calculators
from workflows.jobs.calculation import Calculation
from workflows.jobs.durable import read_json, write_json
from workflows.jobs.store import Store
from workflows.prefect_stage import run_stage

KEYS_FILE = "keys.json"


def relax(run: InterfaceRun, *, replicas: list[Replica]) -> dict[str, str]:
    """Take the close contacts of the packing away; gives name to key."""
    dynamics = run.config.dynamics
    calculators = build_calculators(run, replicas=replicas)
    calculations = [
        Calculation(
            "relaxation",
            structure=one.read_cell(),
            calculator=calculators[one.case],
            settings={
                "fixed_regions": one.find_fixed_regions(dynamics.fixed_regions),
                "force_tolerance_eV_per_A": 0.5,
                "max_steps": 500,
            },
            label=f"relax, {one.name}",
            **run.layout,
        )
        for one in replicas
    ]
    return run.compute_named([f"relax, {one.name}" for one in replicas], calculations)


def anneal(run: InterfaceRun, *, replicas: list[Replica], relaxed: dict[str, str]) -> dict[str, str]:
    """Heat and hold above the melting point of the salt, so that the packing is forgotten; gives name to key."""
    dynamics = run.config.dynamics
    if not dynamics.anneal_steps:
        return {}
    calculators = build_calculators(run, replicas=replicas)
    calculations = [
        run.build_dynamics(
            one,
            calculator=calculators[one.case],
            settings=dynamics.anneal_settings(),
            start=relaxed[f"relax, {one.name}"],
            label=f"anneal, {one.name}",
        )
        for one in replicas
    ]
    return run.compute_named([f"anneal, {one.name}" for one in replicas], calculations)


def run_dynamics(
    run: InterfaceRun, *, replicas: list[Replica], relaxed: dict[str, str], annealed: dict[str, str]
) -> dict[str, str]:
    """Cool, equilibrate, produce; gives name to key."""
    calculators = build_calculators(run, replicas=replicas)
    calculations = [
        run.build_dynamics(
            one,
            calculator=calculators[one.case],
            settings=run.config.dynamics.production_settings(),
            start=relaxed[f"relax, {one.name}"],
            continue_from=annealed.get(f"anneal, {one.name}"),
            label=one.name,
        )
        for one in replicas
    ]
    return run.compute_named([one.name for one in replicas], calculations)


@prefect_flow(name="electrolyte-interface", retries=0, persist_result=False, validate_parameters=False)
def electrolyte_interface(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> str:
    """An electrolyte at an electrode, bare and with a layer: pack, relax, anneal, run, measure, report.

    Args:
        config: as an ElectrolyteInterfaceConfig dumps it.
        workdir: the run's directory; cells, results and report go there.
        store: where calculations are and stay.
        cores: cores that may be busy at a time; None as configured.
        salt: sets a recomputation apart from equal runs.

    Returns:
        Path of the report.
    """
    run = open_run(config, workdir=workdir, store=store, cores=cores, salt=salt)
    replicas = run_stage(build_cells, run)
    relaxed = run_stage(relax, run, replicas=replicas)
    annealed = run_stage(anneal, run, replicas=replicas, relaxed=relaxed)
    dynamics = run_stage(run_dynamics, run, replicas=replicas, relaxed=relaxed, annealed=annealed)
    write_json(Path(workdir) / KEYS_FILE, {"dynamics": dynamics, "all": run.keys})
    answer, report_path = run_stage(publish_once, run, replicas=replicas, dynamics=dynamics)
    create_markdown_artifact(f"{answer}\n\nReport: {report_path}", key="electrolyte-interface")
    return str(report_path)


flow = electrolyte_interface


def analyse(config: dict[str, Any], *, workdir: str, store: str) -> str:
    """Analysis and report again from the stored trajectories of a run; needs no server and computes no dynamics.

    Raises:
        InputError: if the run has not come so far, or a trajectory is gone.
    """
    keys = read_json(Path(workdir) / KEYS_FILE)
    if keys is None:
        raise InputError(f"{workdir} has no finished dynamics yet. Go on with it: alkaliflow resume {workdir}")
    run = open_run(config, workdir=workdir, store=store)
    run.keys.update(keys["all"])
    _, report_path = publish_results(run, replicas=build_cells(run), dynamics=keys["dynamics"])
    return str(report_path)


def open_run(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> InterfaceRun:
    """What all stages of a run share."""
    resolved = ElectrolyteInterfaceConfig.model_validate(config, strict=False)
    Path(workdir).mkdir(parents=True, exist_ok=True)
    return InterfaceRun(config=resolved, workdir=Path(workdir), store=Store(Path(store)), cores=cores, salt=salt)
