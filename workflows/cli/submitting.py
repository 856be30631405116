"""Commands that start drivers nobody sits beside: submit, resume --all, retry."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structures.errors import CalculationError, InputError
from workflows.cli.options import (
    ConfigArgument,
    CoresOption,
    ExecutorOption,
    FreshOption,
    JsonOption,
    MembersOption,
    PresetOption,
    QuietOption,
    SetOption,
    StoreOption,
    SweepOption,
    WorkdirOption,
    find_store,
    set_executor,
)
from workflows.cli.running import Manner, check_no_members, create_run
from workflows.flows import FLOWS, FlowEntry, find_flow

if TYPE_CHECKING:
    from workflows.drivers import Driver


def submit(
    flow: Annotated[str, typer.Argument(help=f"Which flow ({', '.join(FLOWS)}), or the directory of a run or sweep.")],
    config: ConfigArgument = None,
    *,
    preset: PresetOption = None,
    sets: SetOption = None,
    sweeps: SweepOption = None,
    workdir: WorkdirOption = None,
    store: StoreOption = None,
    fresh: FreshOption = False,
    cores: CoresOption = None,
    members: MembersOption = None,
    executor: ExecutorOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a flow without a terminal: checks everything as `run` does, starts it in the background, and returns.

    The terminal may be closed, the connection may end. With the directory of a run, goes on with that one. A sweep has
    one driver, which starts those of its members.
    """
    from workflows.drivers import start_driver
    from workflows.run_state import is_sweep

    set_executor(executor)
    if flow not in FLOWS and _is_run(Path(flow)):
        given: dict[str, object] = {
            "CONFIG": config,
            "--preset": preset,
            "--set": sets,
            "--sweep": sweeps,
            "--workdir": workdir,
        }
        given |= {"--store": store, "--fresh": fresh}
        _check_alone(flow, given=[name for name, value in given.items() if value])
        directory = _find_unfinished(Path(flow))
        if is_sweep(directory):
            from workflows.cli.sweeping import choose_anew

            choose_anew(directory, members=members)
        else:
            check_no_members(members)
    else:
        values = {"preset": preset, "sets": sets or []}
        place = {"workdir": workdir, "store": find_store(store), "fresh": fresh}
        manner = Manner(cores=cores, members=members, quiet=quiet)
        directory = _create(find_flow(flow), config, sweeps=sweeps or [], values=values, place=place, manner=manner)
    _tell(start_driver(directory, cores=cores), quiet=quiet, as_json=as_json)


def retry(
    directory: Annotated[Path, typer.Argument(help="Directory of the run or the sweep.")],
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
    """Start a driver for every run and sweep below the directories that was interrupted, and say what is left alone.

    Members of a sweep are its driver's business.

    Raises:
        CalculationError: if a driver could not be started; after the others were.
    """
    from workflows.drivers import resume_interrupted
    from workflows.run_state import find_run_paths, find_sweep_of, find_sweep_paths

    runs = [path for root in roots for path in find_run_paths(root) if find_sweep_of(path) is None]
    sweeps = [path for root in roots for path in find_sweep_paths(root)]
    done = resume_interrupted([*runs, *sweeps], cores=cores, accept_break=accept_break)
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
    entry: FlowEntry,
    config: Path | None,
    *,
    sweeps: list[str],
    values: dict[str, Any],
    place: dict[str, Any],
    manner: Manner,
) -> Path:
    """A new run or sweep that was checked as `run` checks it, its directory given back."""
    from workflows import run_lock
    from workflows.sweep_axes import find_axes

    if axes := find_axes(config, options=sweeps):
        from workflows.cli.sweep_members import Source, ask
        from workflows.cli.sweeping import create_sweep

        source = Source(config, preset=values["preset"], sets=tuple(values["sets"]))
        return create_sweep(ask(entry, axes=axes, source=source, **place), manner=manner)
    check_no_members(manner.members)
    resolved = entry.resolve(config, **values)
    plan = entry.load().plan(resolved.config, cores=manner.cores)
    name = config.stem if config is not None else values["preset"] or entry.default_preset
    run = create_run(entry, resolved=resolved, plan=plan, name=name, **place)
    run_lock.release(run.path)
    return run.path


def _is_run(path: Path) -> bool:
    from workflows.run_state import RUN_FILE, is_sweep

    return (path / RUN_FILE).exists() or is_sweep(path)


def _find_unfinished(path: Path) -> Path:
    """The directory, if there is something left to do."""
    from workflows.drivers import find_status

    if find_status(path) == "completed":
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
