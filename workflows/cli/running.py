"""Commands that compute: run, resume, analyse."""

import contextlib
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from structures.errors import AlkaliflowError, InputError
from workflows.cli.explaining import EXIT_STOPPED
from workflows.cli.options import (
    DEFAULT_RUNS,
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
    open_console,
    set_executor,
)
from workflows.flows import FLOWS, FlowEntry, find_flow

if TYPE_CHECKING:
    from pydantic import BaseModel

    from workflows.configuration.resolve import ResolvedConfig
    from workflows.plan import Plan
    from workflows.prefect_settings import PrivateServer
    from workflows.progress import Tally
    from workflows.run_directory import RunDirectory

_BYTES_PER_GB = 1e9

FlowArgument = Annotated[str, typer.Argument(help=f"Which flow: {', '.join(FLOWS)}.")]


@dataclass(frozen=True)
class Manner:
    """How to run: cores, members of a sweep side by side, and what to print."""

    cores: int | None = None
    members: int | None = None
    quiet: bool = False
    json: bool = False


def run(
    flow: FlowArgument,
    config: ConfigArgument = None,
    *,
    preset: PresetOption = None,
    sets: SetOption = None,
    sweeps: SweepOption = None,
    workdir: WorkdirOption = None,
    store: StoreOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build and check everything, say its size, start nothing.")
    ] = False,
    fresh: FreshOption = False,
    cores: CoresOption = None,
    members: MembersOption = None,
    executor: ExecutorOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a flow from a preset, a file, or both.

    Values come from the defaults, then the preset, then the file, then --set; each one over those before it. What the
    store already has is used: an identical run computes nothing again, a longer one only what is new.

    A section `sweep` of the file, or --sweep, asks for a run for each combination of the values that it lists.
    """
    from workflows.prefect_settings import start_private_server
    from workflows.sweep_axes import find_axes

    set_executor(executor)
    entry = find_flow(flow)
    manner = Manner(cores=cores, members=members, quiet=quiet, json=as_json)
    if axes := find_axes(config, options=sweeps or []):
        from workflows.cli.sweep_members import Source
        from workflows.cli.sweeping import run_sweep

        source = Source(config, preset=preset, sets=tuple(sets or ()))
        run_sweep(
            entry, axes=axes, source=source, workdir=workdir, store=store, dry_run=dry_run, fresh=fresh, manner=manner
        )
        return
    check_no_members(members)
    resolved = entry.resolve(config, preset=preset, sets=sets or [])
    if dry_run:
        _print_plan(_plan(entry, config=resolved.config, cores=cores), manner=manner)
        if not (quiet or as_json):
            typer.echo("Dry run: everything was built and checked, nothing was started.")
        return
    with _signals_stop():
        server = start_private_server()  # gets ready while structures are built
        plan = _plan(entry, config=resolved.config, cores=cores)
        name = config.stem if config is not None else preset or entry.default_preset
        directory = create_run(
            entry, resolved=resolved, plan=plan, name=name, workdir=workdir, store=find_store(store), fresh=fresh
        )
        from workflows.run_directory import CONFIG_FILE

        config_there = entry.resolve(directory.path / CONFIG_FILE).config  # names the copies in the directory
        _execute(entry, config=config_there, directory=directory, plan=plan, manner=manner, server=server)


def create_run(
    entry: FlowEntry,
    *,
    resolved: "ResolvedConfig[BaseModel]",
    plan: "Plan",
    name: str,
    workdir: Path | None,
    store: Path,
    fresh: bool,
) -> "RunDirectory":
    """The directory of a new run, or of the same one again, locked for this process."""
    from workflows.run_directory import choose_path, open_run

    _check_store(store, plan=plan)
    directory = open_run(
        workdir if workdir is not None else choose_path(DEFAULT_RUNS, flow=entry.name, name=name),
        flow=entry.name,
        config=resolved.config,
        store=store,
        origin=resolved.provenance(),
    )
    if fresh:
        directory.record(salt=uuid.uuid4().hex, keys={})
    return directory


def resume(
    directories: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DIRECTORY...", help="Directory of the run; of several, one after the other."),
    ] = None,
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Start a driver in the background for every run below DIRECTORY (default: runs) that was interrupted.",
        ),
    ] = False,
    accept_break: Annotated[
        bool,
        typer.Option(
            "--accept-break", help="Let dynamics go on with another engine or processor; the results warn of it."
        ),
    ] = False,
    cores: CoresOption = None,
    members: MembersOption = None,
    executor: ExecutorOption = None,
    under: Annotated[int | None, typer.Option("--under", hidden=True, help="Process not to be outlived.")] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run or a sweep that was stopped, killed or failed; a finished one only prints its answer.

    With --all, runs whose driver died (a crash, a restart of the machine) go on in the background, those that were
    stopped, cancelled or failed are left alone. It may be repeated at any time, from a timer and on several hosts.
    """
    if under is not None:
        from workflows.drivers import end_with_parent

        end_with_parent(under)
    set_executor(executor)
    if everything:
        check_no_members(members)
        from workflows.cli.submitting import resume_all

        resume_all(directories or [DEFAULT_RUNS], accept_break=accept_break, cores=cores, as_json=as_json)
        return
    if not directories:
        raise InputError("resume needs the directory of a run, or --all. See: alkaliflow status")
    from workflows.cli.sweeping import resume_sweep
    from workflows.jobs.contract import ACCEPT_BREAK
    from workflows.run_state import is_sweep

    if accept_break:
        os.environ[ACCEPT_BREAK] = "1"  # workers inherit it
    manner = Manner(cores=cores, members=members, quiet=quiet, json=as_json)
    runs = [path for path in directories if not is_sweep(path)]
    errors = _resume_runs(runs, manner=manner) if runs else []
    for path in directories:
        if path not in runs:
            resume_sweep(path, manner=manner)
    for error in errors[:-1]:
        typer.echo(str(error), err=True)
    if errors:
        raise errors[-1]


def check_no_members(members: int | None) -> None:
    """Refuse `--members` where it would have no effect.

    Raises:
        InputError: if it was given.
    """
    if members is not None:
        raise InputError(f"--members is {members}, needs a sweep. Leave it out, or sweep a key: --sweep KEY=1,2,3.")


def analyse(directory: Path, *, quiet: bool = False, as_json: bool = False) -> None:
    """Do the analysis and the report of a run again, from its stored trajectories; computes no dynamics.

    Of a sweep: put together anew what its members found.
    """
    from workflows.run_state import is_sweep

    if is_sweep(directory):
        from workflows.cli.sweep_answer import analyse_sweep

        analyse_sweep(directory, manner=Manner(quiet=quiet, json=as_json))
        return
    with _signals_stop():
        entry, run_directory, config = _reopen(directory)
        module = entry.load()
        if not hasattr(module, "analyse"):
            raise InputError(
                f"{entry.name} has no analysis that can be repeated. Go on with it: alkaliflow resume {directory}"
            )
        module.analyse(config.model_dump(mode="json"), workdir=str(run_directory.path), store=str(run_directory.store))
        _print_answer(run_directory, manner=Manner(quiet=quiet, json=as_json))


def _resume_runs(runs: list[Path], *, manner: Manner) -> list[AlkaliflowError]:
    """Go on with runs, one after the other; gives what was wrong with each that could not."""
    from workflows.prefect_settings import start_private_server

    check_no_members(manner.members)
    with _signals_stop():
        server = start_private_server()
        return [error for path in runs if (error := _resume_one(path, manner=manner, server=server))]


def _resume_one(directory: Path, *, manner: Manner, server: "PrivateServer | None") -> AlkaliflowError | None:
    """Go on with a run; gives what was wrong with it, so that others need not wait for it to be mended."""
    from workflows import run_lock

    try:
        with _started(directory):
            entry, run_directory, config = _reopen(directory)
            plan = _plan(entry, config=config, cores=manner.cores)
        _execute(entry, config=config, directory=run_directory, plan=plan, manner=manner, server=server)
    except AlkaliflowError as error:
        return error
    finally:
        run_lock.release(directory)
    return None


@contextlib.contextmanager
def _started(directory: Path) -> Iterator[None]:
    """Have a run that cannot be started as `submit` promised say why, instead of looking interrupted for ever."""
    from workflows import run_lock
    from workflows.run_state import read_state, record_state

    try:
        yield
    except AlkaliflowError as error:
        if run_lock.is_held_here(directory) and read_state(directory)["status"] == "starting":
            record_state(directory, status="failed", message=str(error), ended=_now())
        raise


def _reopen(directory: Path) -> "tuple[FlowEntry, RunDirectory, BaseModel]":
    """A run as it was begun, locked for this process."""
    from workflows.run_directory import CONFIG_FILE, RunDirectory, open_run

    found = RunDirectory.read(directory)
    entry = find_flow(found.flow)
    config = entry.resolve(directory / CONFIG_FILE).config
    return entry, open_run(directory, flow=found.flow, config=config, store=found.store), config


def _plan(entry: FlowEntry, *, config: "BaseModel", cores: int | None) -> "Plan":
    plan: Plan = entry.load().plan(config, cores=cores)
    return plan


class _Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM or SIGHUP."""


def _check_store(store: Path, *, plan: "Plan") -> None:
    """Refuse a run that would fill the disk in the middle, or whose store cannot be written or is a newer one."""
    from workflows.jobs.store import Store

    Store.check_place(store)
    existing = next(path for path in (store, *store.parents) if path.exists())
    free_GB = shutil.disk_usage(existing).free / _BYTES_PER_GB
    if free_GB < plan.disk_GB:
        raise InputError(
            f"{store}: has {free_GB:.2g} GB free, the run needs {plan.disk_GB:.2g} GB. Free some space, choose another "
            "store with --store, or store fewer frames: dynamics.frame_every_ps."
        )


@contextlib.contextmanager
def _signals_stop() -> Iterator[None]:
    """Have SIGTERM and SIGHUP stop a run as Ctrl-C does, and Ctrl-C too where a shell's `&` had it ignored."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 (signature of handlers)
        raise _Terminated

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _execute(
    entry: FlowEntry,
    *,
    config: "BaseModel",
    directory: "RunDirectory",
    plan: "Plan",
    manner: Manner,
    server: "PrivateServer | None",
) -> None:
    """Run the flow in its directory and print what it found."""
    _print_plan(plan, manner=manner if not manner.json else Manner(quiet=True))
    end, tally = drive(entry, config=config, directory=directory, manner=manner, server=server)
    if end == "stopped":
        typer.echo(_say_stopped(directory, tally=tally, plan=plan, config=config), err=True)
        raise typer.Exit(EXIT_STOPPED)
    _print_answer(directory, manner=manner)


def drive(
    entry: FlowEntry,
    *,
    config: "BaseModel",
    directory: "RunDirectory",
    manner: Manner,
    server: "PrivateServer | None",
) -> "tuple[str, Tally]":
    """Run the flow in its directory, where its end is recorded: `completed`, `stopped`, or `failed` and raised."""
    from workflows.execution import EXECUTOR
    from workflows.progress import choose_mode, show_progress
    from workflows.run_notes import LostServerError, close_flow_run, find_trouble, note_flow_run, take_notes

    state = directory.state()
    set_executor(os.environ.get(EXECUTOR) or state.get("executor"))
    if server is None:  # it is the user's, and remembers flows whose process is gone
        close_flow_run(state, reason="Its process died; another one goes on with the run.")
    directory.record(status="running", started=_now(), message="", waits="", executor=os.environ.get(EXECUTOR))
    console = open_console(stderr=manner.json)
    begin = time.monotonic()
    mode = choose_mode(console, quiet=manner.quiet)
    flow = entry.load().flow if server is not None else note_flow_run(entry.load().flow, directory=directory)
    with take_notes(directory), show_progress(console, mode=mode) as tally:
        try:
            if server is not None:
                server.wait_until_ready()
            flow(
                config=config.model_dump(mode="json"),
                workdir=str(directory.path),
                store=str(directory.store),
                cores=manner.cores,
                salt=str(state.get("salt", "")),
            )
            end = {"status": "completed", "wall_time_s": round(time.monotonic() - begin, 1)}
        except KeyboardInterrupt:
            end = {"status": "stopped"}
        except Exception as error:  # noqa: BLE001 (raised again, or what is behind it)
            trouble = find_trouble(error, run=directory.path, is_private=server is not None)
            message = str(trouble) if isinstance(trouble, AlkaliflowError) else repr(trouble)
            status = "interrupted" if isinstance(trouble, LostServerError) else "failed"
            directory.record(status=status, message=message, ended=_now())
            raise trouble from (error if trouble is not error else error.__cause__)
        except BaseException as error:  # Prefect, or the system, ends the process: another driver may go on
            directory.record(status="interrupted", message=repr(error), ended=_now())
            raise
    directory.record(**end, ended=_now())
    return str(end["status"]), tally


def _say_stopped(directory: "RunDirectory", *, tally: "Tally", plan: "Plan", config: "BaseModel") -> str:
    segment_steps = getattr(getattr(config, "dynamics", None), "segment_steps", None)
    where = ""
    if segment_steps and plan.n_segments:
        where = f" after segment {tally.n_segments_committed(segment_steps=segment_steps)} of {plan.n_segments}"
    queued = tally.count("queued")
    stay = f" {queued} calculations stay in the queue." if queued else ""
    return f"\nStopped{where}. Nothing is lost.{stay} Continue with: alkaliflow resume {directory.path}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _print_plan(plan: "Plan", *, manner: Manner) -> None:
    if manner.json:
        typer.echo(json.dumps(plan.to_json(), indent=1))
    elif not manner.quiet:
        typer.echo("\n".join(plan.lines()))


def _print_answer(directory: "RunDirectory", *, manner: Manner) -> None:
    from workflows.cli.answer import build_answer

    answer = build_answer(directory)
    if manner.json:
        typer.echo(json.dumps(answer.to_json(), indent=1))
    else:
        typer.echo("\n".join(answer.lines(brief=manner.quiet)))
