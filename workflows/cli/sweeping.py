"""Sweeps on the command line: run, go on, show. Each member is an ordinary run, driven by the ordinary flow."""

import json
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from analysis.sweep_rows import describe_values
from structures.errors import AlkaliflowError, InputError
from workflows import run_lock
from workflows.cli.explaining import EXIT_FAILED, EXIT_STOPPED
from workflows.cli.options import DEFAULT_RUNS, find_store
from workflows.cli.running import Manner, _check_store, _plan, _reopen, _signals_stop, drive
from workflows.flows import FlowEntry
from workflows.jobs.store import STORAGE_TROUBLE
from workflows.sweep import CONVERGENCE, TABLE, Member, Sweep, check_different, name_members, open_sweep
from workflows.sweep_axes import Axis, build_product, check_apart
from workflows.sweep_plan import SweepPlan

if TYPE_CHECKING:
    from pydantic import BaseModel

    from analysis.sweep_rows import SweepRow
    from workflows.cli.answer import Answer
    from workflows.configuration.resolve import ResolvedConfig
    from workflows.prefect_settings import PrivateServer

MOST_ROWS = 40
_SAY_EVERY_S = 5.0


@dataclass(frozen=True)
class Source:
    """Where the configurations of all members come from."""

    path: Path | None = None
    preset: str | None = None
    sets: tuple[str, ...] = ()


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
    """Check every member, then run one after the other, and put together what they found."""
    from workflows.run_directory import choose_path

    check_apart(axes, sets=source.sets)
    products = build_product(axes)
    named = dict(zip(name_members(len(products)), products, strict=True))
    resolved = resolve_members(entry, axes=axes, source=source, values=named)
    check_different({name: one.config for name, one in resolved.items()}, values=named)
    start = source.path.stem if source.path is not None else source.preset or entry.default_preset
    path = workdir if workdir is not None else choose_path(DEFAULT_RUNS, flow=entry.name, name=f"{start}-sweep")
    launch(
        entry,
        axes=axes,
        members={name: (f"members/{name}", one) for name, one in resolved.items()},
        path=path,
        store=find_store(store),
        gather=TABLE,
        dry_run=dry_run,
        salt=uuid.uuid4().hex if fresh else "",
        manner=manner,
    )


def launch(
    entry: FlowEntry,
    *,
    axes: Sequence[Axis],
    members: "Mapping[str, tuple[str, ResolvedConfig[BaseModel]]]",
    path: Path,
    store: Path,
    gather: str,
    dry_run: bool,
    manner: Manner,
    salt: str = "",
) -> None:
    """Plan all members, print the sum, and unless it is a dry run do them."""
    with _signals_stop():
        server = None if dry_run else _start_server()
        plan = plan_members(entry, axes=axes, members={name: one for name, (_, one) in members.items()}, manner=manner)
        if manner.json and dry_run:
            typer.echo(json.dumps(plan.to_json(), indent=1))
        elif not (manner.quiet or manner.json):
            typer.echo("\n".join(plan.lines()))
        if dry_run:
            if not (manner.quiet or manner.json):
                typer.echo("Dry run: every member was built and checked, nothing was started.")
            return
        _check_store(store, plan=plan)  # type: ignore[arg-type]  # it asks for the size alone
        sweep = open_sweep(path, flow=entry.name, store=store, axes=axes, members=members, gather=gather, salt=salt)
        drive_members(sweep, server=server, manner=manner, is_planned=True)


def resolve_members(
    entry: FlowEntry, *, axes: Sequence[Axis], source: Source, values: Mapping[str, Mapping[str, Any]]
) -> "dict[str, ResolvedConfig[BaseModel]]":
    """The checked configuration of each member.

    Raises:
        InputError: each mistake once, with the members that have it.
    """
    origins = {axis.key: axis.origin for axis in axes}
    resolved: dict[str, ResolvedConfig[BaseModel]] = {}
    problems: dict[str, list[str]] = {}
    for name, own in values.items():
        swept = {key: (value, origins[key]) for key, value in own.items()}
        try:
            resolved[name] = entry.resolve(source.path, preset=source.preset, sets=source.sets, swept=swept)
        except InputError as error:
            for line in str(error).splitlines():
                problems.setdefault(line, []).append(name)
    if problems:
        raise InputError(
            "\n".join(
                line
                if len(names) == len(values)
                else f"{line} ({len(names)} of {len(values)} members, first {describe_values(values[names[0]])})"
                for line, names in problems.items()
            )
        )
    return resolved


def plan_members(
    entry: FlowEntry,
    *,
    axes: Sequence[Axis],
    members: "Mapping[str, ResolvedConfig[BaseModel]]",
    manner: Manner,
) -> SweepPlan:
    """Build and check every member.

    Raises:
        InputError: of the first that cannot be done.
    """
    plans: dict[str, Any] = {}
    said_s = time.monotonic()
    for name, one in members.items():
        if time.monotonic() - said_s > _SAY_EVERY_S:
            said_s = time.monotonic()
            _say(f"built and checked {len(plans)} of {len(members)} members", manner=replace(manner, json=True))
        try:
            plans[name] = _plan(entry, config=one.config, cores=manner.cores)
        except InputError as error:
            raise type(error)(f"member {name} of {len(members)} ({describe_values(one.swept)}): {error}") from error
    return SweepPlan(tuple(axes), {name: one.swept for name, one in members.items()}, plans)


def resume_sweep(path: Path, *, manner: Manner) -> None:
    """Go on with the members that are not finished; a finished sweep only prints what it found."""
    sweep = Sweep.read(path)
    with _signals_stop():
        run_lock.acquire(path)
        drive_members(sweep, server=None, manner=manner, is_planned=False)


def drive_members(sweep: Sweep, *, server: "PrivateServer | None", manner: Manner, is_planned: bool) -> None:
    """Bring each member that has no results to its end, then put together what all of them found.

    Raises:
        typer.Exit: with the code of a stopped sweep, or of one with a member that failed.
    """
    from workflows.sweep_results import gather

    waiting = gather(sweep).unfinished
    troubles: dict[str, str] = {}
    if waiting:
        server = server if server is not None else _start_server()
        sweep.record("running")
        n_members = len(sweep.members)
        try:
            for member in (one for one in sweep.members if one.name in waiting):
                _say(f"\nmember {member.name} of {n_members}: {member.words}", manner=manner)
                trouble = _drive_member(sweep, member, server=server, manner=manner, is_planned=is_planned)
                if trouble:
                    troubles[member.name] = trouble
                    typer.echo(f"member {member.name} failed: {trouble}", err=True)
        except KeyboardInterrupt:
            sweep.record("stopped")
            typer.echo(_say_stopped(sweep), err=True)
            raise typer.Exit(EXIT_STOPPED) from None
        sweep.record("ended")
    publish_members(sweep, troubles=troubles, manner=manner)


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
            sweep.record("ended")
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


def publish_members(sweep: Sweep, *, troubles: Mapping[str, str], manner: Manner, anew: bool = False) -> None:
    """Write and print what the members found.

    Raises:
        typer.Exit: if a member has no results.
    """
    from workflows.sweep_results import gather, publish

    gathered = gather(sweep, troubles=troubles)
    if sweep.gather == CONVERGENCE:
        from workflows.cli.converging import publish_convergence

        publish_convergence(sweep, unfinished=gathered.unfinished)
    else:
        publish(sweep, gathered=gathered, anew=anew)
        print_sweep(sweep, rows=gathered.rows, manner=manner)
    if gathered.unfinished:
        names = ", ".join(gathered.unfinished[:MOST_ROWS])
        typer.echo(
            f"{len(gathered.unfinished)} of {len(sweep.members)} members have no results ({names}). What failed is "
            f"tried again by: alkaliflow resume {sweep.path}",
            err=True,
        )
        raise typer.Exit(EXIT_FAILED)


def analyse_sweep(path: Path, *, manner: Manner) -> None:
    """Put together anew what the members found; their own analysis stays as it is."""
    publish_members(Sweep.read(path), troubles={}, manner=manner, anew=True)


def show_sweep(path: Path, *, as_json: bool) -> None:
    """Show a sweep: what it is, how far each member came, and what they found."""
    from workflows.sweep_results import gather

    sweep = Sweep.read(path)
    states = sweep.states()
    if not as_json:
        status = sweep.describe(states=states)
        typer.echo(f"{path}: sweep of {sweep.flow}, {status} (created {sweep.created}, alkaliflow {sweep.version})")
        typer.echo("\n".join(f"{axis.key}: {len(axis.values)} values" for axis in sweep.axes))
    print_sweep(sweep, rows=gather(sweep).rows, manner=Manner(json=as_json))


def print_sweep(sweep: Sweep, *, rows: "Sequence[SweepRow]", manner: Manner) -> None:
    """Print what is known of a sweep."""
    answer = build_sweep_answer(sweep, rows=rows)
    if manner.json:
        members = [vars(row) for row in rows]
        axes = {axis.key: list(axis.values) for axis in sweep.axes}
        typer.echo(json.dumps({**answer.to_json(), "axes": axes, "members": members}, indent=1))
        return
    typer.echo("\n".join(answer.lines(brief=manner.quiet)))


def build_sweep_answer(sweep: Sweep, *, rows: "Sequence[SweepRow]") -> "Answer":
    """What a sweep found, as `show` and `list` print it."""
    from analysis.report.formatting import format_quantity
    from analysis.sweep import sum_warnings, write_sentence
    from analysis.sweep_rows import list_quantities, show_value
    from workflows.cli.answer import Answer
    from workflows.sweep_results import FILES, describe_axes, find_places

    keys, names = [axis.key for axis in sweep.axes], list(list_quantities(rows))
    table = tuple(
        (
            row.member,
            *(show_value(row.values[key]) if key in row.values else "-" for key in keys),
            row.status,
            *(format_quantity(dict(row.quantities.get(name) or {})) for name in names),
            row.trust or "-",
        )
        for row in rows
    )
    more = () if len(table) <= MOST_ROWS else ((f"{len(table) - MOST_ROWS} more", *[""] * (len(table[0]) - 1)),)
    return Answer(
        flow=f"sweep of {sweep.flow}",
        run=str(sweep.path),
        status=sweep.status(),
        sentence=write_sentence(rows, axes=describe_axes(sweep)),
        header=("member", *keys, "status", *names, "its report says"),
        rows=table[:MOST_ROWS] + more,
        warnings=tuple(warning.text for warning in sum_warnings(rows)),
        places=find_places(sweep, files=FILES),
    )


def _say(text: str, *, manner: Manner) -> None:
    """Tell how it gets on, beside the output where that is for programs."""
    if not manner.quiet:
        typer.echo(text, err=manner.json)


def _start_server() -> "PrivateServer | None":
    from workflows.prefect_settings import start_private_server

    return start_private_server()
