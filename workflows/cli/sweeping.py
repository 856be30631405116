"""Sweeps on the command line: run and go on. Each member is an ordinary run, driven by the ordinary flow."""

import json
import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from structures.errors import AlkaliflowError
from workflows import run_lock
from workflows.cli.explaining import EXIT_STOPPED
from workflows.cli.options import find_store, set_executor
from workflows.cli.running import Manner, _plan, _reopen, _signals_stop, _started, drive
from workflows.cli.sweep_answer import publish_members
from workflows.cli.sweep_members import Asked, Source, ask, choose_width
from workflows.execution import EXECUTOR
from workflows.flows import FlowEntry
from workflows.jobs.executor import LOCAL
from workflows.jobs.store import STORAGE_TROUBLE
from workflows.run_state import read_state, record_state
from workflows.sweep import Member, Sweep
from workflows.sweep_axes import Axis

if TYPE_CHECKING:
    from workflows.prefect_settings import PrivateServer


def run_sweep(
    entry: FlowEntry,
    *,
    axes: Sequence[Axis],
    source: Source,
    workdir: Path | None,
    store: Path | None,
    dry_run: bool,
    fresh: bool,
    manner: Manner,
) -> None:
    """Check every member, then run them, and put together what they found."""
    asked = ask(entry, axes=axes, source=source, workdir=workdir, store=find_store(store), fresh=fresh)
    launch(asked, dry_run=dry_run, manner=manner)


def launch(asked: Asked, *, dry_run: bool, manner: Manner) -> None:
    """Plan all members, print the sum, and unless it is a dry run do them."""
    with _signals_stop():
        server = None if dry_run else _start_server()
        plan = asked.plan(manner=manner)
        if manner.json and dry_run:
            typer.echo(json.dumps(plan.to_json(), indent=1))
        elif not (manner.quiet or manner.json):
            typer.echo("\n".join(plan.lines()))
        if dry_run:
            if not (manner.quiet or manner.json):
                typer.echo("Dry run: every member was built and checked, nothing was started.")
            return
        drive_members(asked.open(plan=plan), server=server, manner=manner, is_planned=True)


def create_sweep(asked: Asked, *, manner: Manner) -> Path:
    """Make a sweep that was checked as `run` checks it, for a driver that is yet to be started."""
    sweep = asked.open(plan=asked.plan(manner=manner))
    keep_choices(sweep.path, members=manner.members)
    run_lock.release(sweep.path)
    return sweep.path


def keep_choices(path: Path, *, members: int | None) -> None:
    """Note in a sweep what its next driver is to know: the executor, and how many members go on side by side."""
    chosen = {"executor": os.environ.get(EXECUTOR), "members": members}
    record_state(path, **{name: value for name, value in chosen.items() if value is not None})


def choose_anew(path: Path, *, members: int | None) -> None:
    """Note what the next driver of a sweep that is there is to know.

    Raises:
        InputError: if another process works on it.
    """
    run_lock.acquire(path)
    try:
        keep_choices(path, members=members)
    finally:
        run_lock.release(path)


def resume_sweep(path: Path, *, manner: Manner) -> None:
    """Go on with the members that are not finished; a finished sweep only prints what it found."""
    with _signals_stop():
        try:
            run_lock.acquire(path)
            with _started(path):
                drive_members(Sweep.read(path), server=None, manner=manner, is_planned=False)
        finally:
            run_lock.release(path)


def drive_members(sweep: Sweep, *, server: "PrivateServer | None", manner: Manner, is_planned: bool) -> None:
    """Bring each member that has no results to its end, then put together what all of them found.

    Raises:
        typer.Exit: with the code of a stopped sweep, or of one with a member that failed.
    """
    from workflows.sweep_results import gather

    waiting = gather(sweep).unfinished
    troubles: dict[str, str] = {}
    if waiting:
        state = read_state(sweep.path)
        set_executor(os.environ.get(EXECUTOR) or state.get("executor"))
        keep_choices(sweep.path, members=manner.members)
        width = choose_width(manner.members or state.get("members"), configured=_find_executor(sweep))
        server = server if server is not None else _start_server()
        sweep.record("running")
        try:
            if width > 1:
                troubles = _drive_side_by_side(sweep, waiting, width=width, server=server, manner=manner)
            else:
                troubles = _drive_in_turn(sweep, waiting, server=server, manner=manner, is_planned=is_planned)
        except KeyboardInterrupt:
            sweep.record("stopped")
            typer.echo(_say_stopped(sweep), err=True)
            raise typer.Exit(EXIT_STOPPED) from None
        except BaseException:
            sweep.record("ended")
            raise
        sweep.record("ended")
    publish_members(sweep, troubles=troubles, manner=manner)


def _find_executor(sweep: Sweep) -> str:
    """The executor that the members' configuration names."""
    from workflows.sweep_results import read_config

    resources = read_config(sweep).get("resources") or {}
    return str(resources.get("executor", LOCAL))


def _drive_side_by_side(
    sweep: Sweep, waiting: Sequence[str], *, width: int, server: "PrivateServer | None", manner: Manner
) -> dict[str, str]:
    """Run members by drivers of their own, which use this Prefect server; name → why, of those that failed."""
    from workflows.sweep_pool import drive_side_by_side

    if server is not None:
        server.wait_until_ready()
    return drive_side_by_side(
        sweep, names=waiting, n_at_a_time=width, cores=manner.cores, tell=lambda line: _say(line, manner=manner)
    )


def _drive_in_turn(
    sweep: Sweep, waiting: Sequence[str], *, server: "PrivateServer | None", manner: Manner, is_planned: bool
) -> dict[str, str]:
    """Run members one after the other in this process; name → why, of those that failed."""
    from workflows.sweep_pool import give_signs

    troubles = {}
    for member in (one for one in sweep.members if one.name in waiting):
        _say(f"\nmember {member.name} of {len(sweep.members)}: {member.words}", manner=manner)
        with give_signs(sweep.path):
            trouble = _drive_member(sweep, member, server=server, manner=manner, is_planned=is_planned)
        if trouble:
            troubles[member.name] = trouble
            typer.echo(f"member {member.name} failed: {trouble}", err=True)
    return troubles


def _drive_member(
    sweep: Sweep, member: Member, *, server: "PrivateServer | None", manner: Manner, is_planned: bool
) -> str:
    """Run a member; gives why it failed, or nothing.

    Raises:
        KeyboardInterrupt: if it was stopped.
        AlkaliflowError: if the disk is full or cannot be written, which the others would meet as well.
    """
    path = sweep.directory(member)
    try:
        entry, directory, config = _reopen(path)
        if not is_planned:
            _plan(entry, config=config, cores=manner.cores)
        end, _ = drive(entry, config=config, directory=directory, manner=manner, server=server)
    except Exception as error:  # one that fails must not stop the others
        if any(isinstance(one, OSError) and one.errno in STORAGE_TROUBLE for one in (error, error.__cause__)):
            raise
        if not isinstance(error, AlkaliflowError):
            traceback.print_exception(error)  # a bug, which its message alone does not tell
            return repr(error)
        return str(error)
    finally:
        run_lock.release(path)
    if end == "stopped":
        raise KeyboardInterrupt
    return ""


def _say_stopped(sweep: Sweep) -> str:
    n_done = sum(state["status"] == "completed" for state in sweep.states().values())
    return (
        f"\nStopped: {n_done} of {len(sweep.members)} members are completed. Nothing is lost. Continue with: "
        f"alkaliflow resume {sweep.path}"
    )


def _say(text: str, *, manner: Manner) -> None:
    """Tell how it gets on, beside the output where that is for programs."""
    if not manner.quiet:
        typer.echo(text, err=manner.json)


def _start_server() -> "PrivateServer | None":
    from workflows.prefect_settings import start_private_server

    return start_private_server()
