"""Commands that start drivers nobody sits beside: submit, resume --all, retry."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structures.errors import CalculationError, InputError
from workflows.cli.options import (
    CoresOption,
    ExecutorOption,
    JsonOption,
    QuietOption,
    StoreOption,
    find_store,
    set_executor,
)
from workflows.flows import FLOWS, FlowEntry, find_flow

if TYPE_CHECKING:
    from workflows.drivers import Driver


def submit(
    flow: Annotated[str, typer.Argument(help=f"Which flow ({', '.join(FLOWS)}), or the directory of a run.")],
    config: Annotated[Path | None, typer.Argument(help="Your YAML file; write one with: alkaliflow init FLOW.")] = None,
    *,
    preset: Annotated[str | None, typer.Option("--preset", help="Values to start from: demo, fast, standard …")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key: section.key=value (YAML). May be repeated.")
    ] = None,
    workdir: Annotated[
        Path | None, typer.Option("--workdir", help="Directory of the run. Default: a new one in runs/.")
    ] = None,
    store: StoreOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute anew what the store already has.")] = False,
    cores: CoresOption = None,
    executor: ExecutorOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a flow without a terminal: checks everything as `run` does, starts it in the background, and returns.

    The terminal may be closed, the connection may end. With the directory of a run, goes on with that one.
    """
    from workflows.drivers import start_driver

    set_executor(executor)
    if flow not in FLOWS and _is_run(Path(flow)):
        given = {"CONFIG": config, "--preset": preset, "--set": sets, "--workdir": workdir, "--store": store}
        _check_alone(flow, given=[name for name, value in given.items() if value] + (["--fresh"] if fresh else []))
        directory = _find_unfinished(Path(flow))
    else:
        values = {"preset": preset, "sets": sets or []}
        place = {"workdir": workdir, "store": find_store(store), "fresh": fresh}
        directory = _create(find_flow(flow), config, values=values, place=place, cores=cores)
    _tell(start_driver(directory, cores=cores), quiet=quiet, as_json=as_json)


def retry(
    directory: Annotated[Path, typer.Argument(help="Directory of the run.")],
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Calculations that failed; good results are kept.")] = False,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Go on in this terminal, as resume, instead of in the background.")
    ] = False,
    cores: CoresOption = None,
    executor: ExecutorOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give the failed calculations of a run a new chance, then go on with the run.

    What a failure left behind is moved to the store's quarantine, not deleted. The same input fails the same way: mend
    what was wrong first (memory, a license, a newer version of the code).
    """
    from workflows.cli.running import resume
    from workflows.drivers import start_driver
    from workflows.retrying import set_failures_aside

    set_executor(executor)
    if not failed:
        raise InputError("retry needs --failed: only calculations that failed are done again, good results never.")
    failures = set_failures_aside(directory)
    if not (quiet or as_json):
        for failure in failures:
            typer.echo(f"{failure.label}: again; it failed: {failure.reason}")
    if foreground:
        resume([directory], cores=cores, quiet=quiet, as_json=as_json)
    else:
        _tell(start_driver(directory, cores=cores), quiet=quiet, as_json=as_json)


def resume_all(roots: list[Path], *, accept_break: bool, cores: int | None, as_json: bool) -> None:
    """Start a driver for every run below the directories that was interrupted, and say what is left alone and why.

    Raises:
        CalculationError: if a driver could not be started; after the others were.
    """
    from workflows.drivers import resume_interrupted
    from workflows.run_state import find_run_paths

    done = resume_interrupted(
        [path for root in roots for path in find_run_paths(root)], cores=cores, accept_break=accept_break
    )
    if as_json:
        typer.echo(json.dumps(done.to_json(), indent=1))
    else:
        lines = [f"{driver.run}: goes on as process {driver.pid} on {driver.host}" for driver in done.started]
        lines += [f"left alone: {why}" for why in done.left.values()]
        nothing = f"Nothing to go on with below {', '.join(str(root) for root in roots)}."
        typer.echo("\n".join(lines or [nothing]))
    if done.troubles:
        raise CalculationError("\n".join(done.troubles))


def _create(
    entry: FlowEntry, config: Path | None, *, values: dict[str, Any], place: dict[str, Any], cores: int | None
) -> Path:
    """A new run that was checked as `run` checks it, its directory given back."""
    from workflows import run_lock
    from workflows.cli.running import create_run

    resolved = entry.resolve(config, **values)
    plan = entry.load().plan(resolved.config, cores=cores)
    name = config.stem if config is not None else values["preset"] or entry.default_preset
    run = create_run(entry, resolved=resolved, plan=plan, name=name, **place)
    run_lock.release(run.path)
    return run.path


def _is_run(path: Path) -> bool:
    from workflows.run_state import RUN_FILE

    return (path / RUN_FILE).exists()


def _find_unfinished(path: Path) -> Path:
    """The directory, if there is something left to do."""
    from workflows.run_state import read_state

    if read_state(path)["status"] == "completed":
        raise InputError(f"{path}: is completed, needs a run with something left to do. See: alkaliflow show {path}")
    return path


def _check_alone(path: str, *, given: list[str]) -> None:
    if given:
        raise InputError(
            f"{path}: is a run with a configuration of its own, {', '.join(given)} cannot change it. Leave that out, "
            "or name a flow to start another run."
        )


def _tell(driver: "Driver", *, quiet: bool, as_json: bool) -> None:
    """Say where the driver is, and what to type next."""
    if as_json:
        typer.echo(json.dumps(driver.to_json(), indent=1))
    elif quiet:
        typer.echo(str(driver.run))
    else:
        typer.echo(
            f"{driver.run} runs as process {driver.pid} on {driver.host}; this terminal may be closed.\n"
            f"how it gets on   alkaliflow watch {driver.run}\n"
            f"what it prints   alkaliflow logs {driver.run} -f\n"
            f"to stop it       alkaliflow cancel {driver.run}"
        )
