"""A run that nobody starts by hand: what deployments on a Prefect work pool call, see prefect.yaml, docs/schedules.md.

The directory of the run is named after the time that it was scheduled for, so that a retry goes on where the first try
ended.
"""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import typer
from prefect import flow as prefect_flow
from prefect import get_client, runtime
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import TerminationSignal

from structures.errors import CalculationError
from workflows import run_lock
from workflows.cli.answer import Answer, build_answer
from workflows.cli.options import find_store, set_executor
from workflows.cli.running import Manner, create_run, drive
from workflows.cli.sweep_answer import build_sweep_answer
from workflows.cli.sweep_members import Source
from workflows.cli.sweeping import run_sweep
from workflows.flows import FlowEntry, find_flow
from workflows.run_directory import CONFIG_FILE
from workflows.run_notes import close_flow_run
from workflows.sweep import Sweep
from workflows.sweep_axes import Axis, find_axes
from workflows.sweep_results import gather

QUIET = Manner(quiet=True)


def choose_directory(runs: Path, *, name: str, scheduled: datetime) -> Path:
    """Where a scheduled run is: the same for each try, another one for each time and deployment."""
    return runs.absolute() / f"{name}-{scheduled.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"


def is_cancelled() -> bool:
    """Whether somebody had this flow run cancelled, who does not want a timer to go on with it."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(runtime.flow_run.id)).state
    return state is not None and (state.is_cancelling() or state.is_cancelled())


@prefect_flow(name="scheduled-run", retries=0, persist_result=False)
def scheduled_run(
    flow: str,
    *,
    config: str | None = None,
    preset: str | None = None,
    sets: tuple[str, ...] = (),
    sweeps: tuple[str, ...] = (),
    runs: str = "runs",
    store: str | None = None,
    executor: str | None = None,
) -> str:
    """Check, create and drive a run or a sweep, as `alkaliflow run` does, or go on with that of the same time.

    Args:
        flow: which flow, e.g. potassium-diffusion.
        config: path of your YAML file, seen from the folder that the deployment was made in.
        preset: values to start from.
        sets: overrides, each `section.key=value`.
        sweeps: keys to sweep, each `section.key=1,2,3`.
        runs: where the directory of the run is made.
        store: where calculations are kept; null: as the environment of the worker says.
        executor: where calculations run: local, slurm, or slurm:NAME.

    Returns:
        Directory of the run.

    Raises:
        InputError: if something given is wrong, or the directory holds a run that was begun with other values.
        CalculationError: if the run failed or was stopped.
    """
    set_executor(executor)
    entry = find_flow(flow)
    path = Path(config) if config is not None else None
    name = runtime.deployment.name or flow
    directory = choose_directory(Path(runs), name=name, scheduled=runtime.flow_run.scheduled_start_time)
    source, kept = Source(path, preset=preset, sets=sets), find_store(Path(store) if store is not None else None)
    if axes := find_axes(path, options=list(sweeps)):
        answer = _sweep(entry, axes=axes, source=source, directory=directory, store=kept)
    else:
        answer = _run(entry, source=source, directory=directory, store=kept)
    create_markdown_artifact(answer, key=f"scheduled-{flow}", description=str(directory))
    return str(directory)


def _run(entry: FlowEntry, *, source: Source, directory: Path, store: Path) -> str:
    """Bring one run to its end; gives its answer and where it is."""
    resolved = entry.resolve(source.path, preset=source.preset, sets=source.sets)
    plan = entry.load().plan(resolved.config, cores=None)
    run = create_run(
        entry, resolved=resolved, plan=plan, name=directory.name, workdir=directory, store=store, fresh=False
    )
    try:
        close_flow_run(run.state(), reason="Another flow run goes on with its run.")
        run.record(scheduled_by=str(runtime.flow_run.id))
        copied = entry.resolve(run.path / CONFIG_FILE).config  # names the copies in the directory
        end, _ = drive(entry, config=copied, directory=run, manner=QUIET, server=None)
    except TerminationSignal:
        if is_cancelled():
            run.record(status="stopped", message="cancelled in Prefect")
        raise
    finally:
        run_lock.release(run.path)
    if end == "stopped":
        raise CalculationError(f"{run.path}: was stopped. Nothing is lost. Go on with: alkaliflow resume {run.path}")
    return _describe(build_answer(run))


def _sweep(entry: FlowEntry, *, axes: list[Axis], source: Source, directory: Path, store: Path) -> str:
    """Bring a sweep to its end; gives its answer and where it is."""
    try:
        run_sweep(
            entry, axes=axes, source=source, workdir=directory, store=store, dry_run=False, fresh=False, manner=QUIET
        )
    except typer.Exit as exit_:
        raise CalculationError(
            f"{directory}: not every member of the sweep has results ({Sweep.read(directory).describe()}). What has is "
            f"kept. Go on with: alkaliflow resume {directory}"
        ) from exit_
    finally:
        run_lock.release(directory)
    sweep = Sweep.read(directory)
    return _describe(build_sweep_answer(sweep, rows=gather(sweep).rows))


def _describe(answer: Answer) -> str:
    """An answer as Markdown: the sentence, what to read before using it, where its files are."""
    warnings = [f"- warning: {warning}" for warning in answer.warnings]
    places = [f"- {name}: `{place}`" for name, place in answer.places.items()]
    return "\n".join([answer.sentence, "", *warnings, *places])
