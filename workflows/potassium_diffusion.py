"""How far potassium goes into an alloy with a dislocation and without one (10.1002/adfm.202412551, Fig. 6).

Read the flow from top to bottom: it is the method section.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ase import Atoms
from prefect import flow as prefect_flow
from prefect.artifacts import create_markdown_artifact

from structures.burgers import check_burgers_vector
from structures.errors import InputError
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.flow_run import read_structure_of
from workflows.jobs.calculation import Calculation
from workflows.jobs.durable import read_json, write_json
from workflows.jobs.store import Store
from workflows.potassium_cells import CONTROL, DISLOCATION, build_cells
from workflows.potassium_plan import plan as plan  # noqa: PLC0414 (a flow's module offers its plan)
from workflows.potassium_results import publish_once, publish_results
from workflows.potassium_run import GAP_SCAN, RELAXATION_STEPS, RunFacts, build_spec, find_fixed_regions
from workflows.prefect_stage import run_stage

KEYS_FILE = "keys.json"


def choose_gap(run: RunFacts) -> float:
    """The distance of potassium and alloy: as asked, or where the energy of the rigid sides is lowest.

    The alloy without dislocations is scanned if there is one, as its face is flat.
    """
    asked = run.config.structure.gap_A
    if asked != "scan":
        return float(asked)
    cells = build_cells(run.config)
    case = CONTROL if CONTROL in cells else DISLOCATION
    cell = cells[case]
    label = f"gap, {case}"
    scan = Calculation("gap_scan", structure=cell.atoms, calculator=run.calculator, salt=run.salt, label=label)
    (finished,) = run.compute([scan])
    run.keep_key(GAP_SCAN, finished)
    return float(finished.values["lowest_gap_A"])


def relax(run: RunFacts, *, gap_A: float) -> dict[str, str]:
    """Relax both contact cells, their anchors held; gives case to key."""
    cells = build_cells(run.config, gap_A=gap_A)
    fixed = find_fixed_regions(run.config)
    calculations = [
        Calculation(
            "relaxation",
            structure=cell.atoms,
            calculator=run.calculator,
            settings={"fixed_regions": fixed, "force_tolerance_eV_per_A": 0.05, "max_steps": RELAXATION_STEPS},
            label=f"relax, {case}",
            **run.layout,
        )
        for case, cell in cells.items()
    ]
    finished = run.compute(calculations)
    for case, relaxed in zip(cells, finished, strict=True):
        run.keep_key(f"relax, {case}", relaxed)
    return {case: relaxed.key for case, relaxed in zip(cells, finished, strict=True)}


def check_dislocation(run: RunFacts, *, relaxed: Mapping[str, str], gap_A: float) -> str:
    """Prove the Burgers vector of the relaxed cell by circuits; gives the verdict in words."""
    if DISLOCATION not in relaxed:
        return "there is no dislocation in this run"
    geometry = build_cells(run.config, gap_A=gap_A)[DISLOCATION].geometry
    if geometry is None:
        return "the alloy is the user's own: nothing is known of its dislocations"
    return check_burgers_vector(read_relaxed(run, key=relaxed[DISLOCATION]), geometry=geometry).sentence


def run_dynamics(run: RunFacts, *, relaxed: Mapping[str, str]) -> dict[str, list[str]]:
    """Heat, equilibrate, produce: every case with every seed; gives case to keys."""
    wanted = [(case, seed) for seed in run.config.seeds for case in relaxed]
    calculations = [
        Calculation(
            "molecular_dynamics",
            structure=read_relaxed(run, key=relaxed[case]),
            calculator=run.calculator,
            settings=dynamics_settings(run.config),
            seed=seed,
            label=f"{case}, seed {seed}",
            **run.layout,
        )
        for case, seed in wanted
    ]
    keys: dict[str, list[str]] = {case: [] for case in relaxed}
    for (case, seed), finished in zip(wanted, run.compute(calculations), strict=True):
        keys[case].append(finished.key)
        run.keep_key(f"dynamics, {case}, seed {seed}", finished)
    return keys


@prefect_flow(name="potassium-diffusion", retries=0, persist_result=False, validate_parameters=False)
def potassium_diffusion(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> str:
    """Potassium on an alloy with a dislocation and without: build, relax, prove, run, measure, report.

    Args:
        config: as a PotassiumDiffusionConfig dumps it.
        workdir: the run's directory; results and report go there.
        store: where calculations are and stay.
        cores: cores that may be busy at a time; None as configured.
        salt: sets a recomputation apart from equal runs.

    Returns:
        Path of the report.
    """
    run = open_run_facts(config, workdir=workdir, store=store, cores=cores, salt=salt)
    gap_A = run_stage(choose_gap, run)
    relaxed = run_stage(relax, run, gap_A=gap_A)
    proof = run_stage(check_dislocation, run, relaxed=relaxed, gap_A=gap_A)
    dynamics = run_stage(run_dynamics, run, relaxed=relaxed)
    keys = {"gap_A": gap_A, "relaxed": relaxed, "proof": proof, "dynamics": dynamics, "all": run.keys}
    write_json(Path(workdir) / KEYS_FILE, keys)
    answer, report_path = run_stage(publish_once, run, gap_A=gap_A, relaxed=relaxed, proof=proof, dynamics=dynamics)
    create_markdown_artifact(f"{answer}\n\nReport: {report_path}", key="potassium-diffusion")
    return str(report_path)


flow = potassium_diffusion


def analyse(config: dict[str, Any], *, workdir: str, store: str) -> str:
    """Analysis and report again from the stored trajectories of a run; needs no server and computes no dynamics.

    Raises:
        InputError: if the run has not come so far, or a trajectory is gone.
    """
    keys = read_json(Path(workdir) / KEYS_FILE)
    if keys is None:
        raise InputError(f"{workdir} has no finished dynamics yet. Go on with it: alkaliflow resume {workdir}")
    run = open_run_facts(config, workdir=workdir, store=store)
    run.keys.update(keys["all"])
    wanted = {name: keys[name] for name in ("gap_A", "relaxed", "proof", "dynamics")}
    _, report_path = publish_results(run, **wanted)
    return str(report_path)


def open_run_facts(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> RunFacts:
    """What all stages of a run share."""
    resolved = PotassiumDiffusionConfig.model_validate(config, strict=False)
    Path(workdir).mkdir(parents=True, exist_ok=True)
    opened = Store(Path(store))
    return RunFacts(
        config=resolved,
        workdir=Path(workdir),
        store=opened,
        calculator=build_spec(resolved, store=opened),
        cores=cores,
        salt=salt,
    )


def dynamics_settings(config: PotassiumDiffusionConfig) -> dict[str, Any]:
    """Settings of the recipe `molecular_dynamics`; the cell was relaxed before."""
    own = {"minimise": False, "fixed_regions": find_fixed_regions(config)}
    return config.dynamics.recipe_settings() | own


def read_relaxed(run: RunFacts, *, key: str) -> Atoms:
    """A relaxed cell from the store."""
    return read_structure_of(run.finished(key), file="relaxed")
