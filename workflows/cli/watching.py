"""The commands status and watch: how runs get on."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structures.errors import InputError
from workflows.cli.interrupts import is_interrupted, noted_interrupts
from workflows.cli.options import DEFAULT_RUNS, JsonOption, open_console
from workflows.plan import show_duration

if TYPE_CHECKING:
    from rich.table import Table

    from workflows.run_survey import RunRow

REFRESH_S = 2.0
RUN_HEADER = (
    "run",
    "flow",
    "status",
    "done",
    "running",
    "queued",
    "failed",
    "known",
    "driver",
    "sign of life",
    "reason",
)
MEMBER_HEADER = ("member", "values", *RUN_HEADER[2:])
JOB_HEADER = ("calculation", "state", "attempts", "executions", "progress", "reason", "key")
_KEY_LETTERS = 12
_NUMBERS = frozenset({"done", "running", "queued", "failed", "known", "attempts", "executions"})

Place = Annotated[
    Path, typer.Argument(help="Where to look for runs; one run for its calculations, a sweep for its members.")
]


def status(directory: Place = DEFAULT_RUNS, *, as_json: JsonOption = False) -> None:
    """Say how runs get on: calculations done, running, queued and failed, driver, last sign of life, and why.

    Reads files only, needs no server, and changes nothing. With a run's directory: a row a calculation. A sweep is one
    row, whose numbers are of members; with its directory: a row a member.
    """
    from workflows.cli.answer import format_table
    from workflows.run_state import is_sweep
    from workflows.run_survey import list_calculations, read_run

    if is_sweep(directory):
        header: tuple[str, ...] = MEMBER_HEADER
        document, rows = _list_members(directory)
        none = ""
    elif _is_run(directory):
        calculations = list_calculations(read_run(directory))
        document = [row.to_json() for row in calculations]
        header, rows = JOB_HEADER, tuple(_show_calculation(entry) for entry in document)
        none = f"{directory} knows no calculations yet. See: alkaliflow logs {directory}"
    else:
        surveyed = _survey(directory, known={})
        document = [asdict(row) for row in surveyed]
        header, rows = RUN_HEADER, tuple(_show_run(row) for row in surveyed)
        none = f"No runs below {directory}. Start one with: alkaliflow submit potassium-diffusion --preset demo"
    if as_json:
        typer.echo(json.dumps(document, indent=1))
    else:
        typer.echo("\n".join(format_table(header, rows=rows)) if rows else none)


def watch(directory: Place = DEFAULT_RUNS) -> None:
    """Watch runs get on until nothing runs any more; Ctrl-C ends the watching and stops nothing."""
    console = open_console()
    with noted_interrupts() as interrupts:
        if console.is_terminal and not console.is_dumb_terminal:
            _watch_live(directory, interrupts)
        else:
            for line in _watch_lines(directory, interrupts):
                typer.echo(line)
    if interrupts:
        typer.echo(f"\nNothing was stopped. To watch again: alkaliflow watch {directory}")


def _survey(directory: Path, *, known: dict[str, str]) -> "list[RunRow]":
    """A row for one run; for a sweep and each of its members; for each run and each sweep below a directory."""
    from workflows.run_state import find_sweep_of, is_sweep
    from workflows.run_survey import find_readable_runs, read_run, survey_run
    from workflows.sweep_survey import find_readable_sweeps, read_sweep, survey_members, survey_sweep

    if is_sweep(directory):
        sweep = read_sweep(directory)
        return [survey_sweep(sweep), *survey_members(sweep, known=known).values()]
    if _is_run(directory):
        return [survey_run(read_run(directory), known=known)]
    sweeps = find_readable_sweeps(directory)
    shown = {sweep.path.absolute() for sweep in sweeps}
    runs = [run for run in find_readable_runs(directory) if find_sweep_of(run.path) not in shown]
    rows = [(run.created, survey_run(run, known=known)) for run in runs]
    rows += [(sweep.created, survey_sweep(sweep)) for sweep in sweeps]
    return [row for _, row in sorted(rows, key=lambda pair: pair[0], reverse=True)]


def _list_members(directory: Path) -> tuple[list[dict[str, object]], tuple[tuple[str, ...], ...]]:
    """Each member of a sweep, for programs and for people."""
    from analysis.sweep_rows import describe_values
    from workflows.sweep_survey import read_sweep, survey_members

    sweep = read_sweep(directory)
    surveyed = survey_members(sweep)
    document: list[dict[str, object]] = [
        {"member": one.name, "values": dict(one.values), **asdict(surveyed[one.name])} for one in sweep.members
    ]
    rows = tuple((one.name, describe_values(one.values), *_show_run(surveyed[one.name])[2:]) for one in sweep.members)
    return document, rows


def _watch_live(directory: Path, interrupts: list[int]) -> None:
    """A table that is drawn again and again."""
    from rich.live import Live

    known: dict[str, str] = {}
    rows = _survey(directory, known=known)
    with Live(_draw(rows), console=open_console(), refresh_per_second=4) as live:
        while any(row.is_moving for row in rows) and not is_interrupted(interrupts, within_s=REFRESH_S):
            rows = _survey(directory, known=known)
            live.update(_draw(rows))


def _draw(rows: "list[RunRow]") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in RUN_HEADER:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, _show_run(row)))
    return table


def _watch_lines(directory: Path, interrupts: list[int]) -> Iterator[str]:
    """A line for each run that changed."""
    known: dict[str, str] = {}
    shown: dict[str, str] = {}
    while True:
        rows = _survey(directory, known=known)
        for row in rows:
            counts = f"{row.done} done, {row.running} running, {row.queued} queued, {row.failed} failed of {row.known}"
            counts += " members" if row.counted == "members" else ""
            line = f"{row.run}: {row.status}, {counts}{', ' + row.reason if row.reason else ''}"
            if shown.get(row.run) != line:
                shown[row.run] = line
                yield line
        if not any(row.is_moving for row in rows) or is_interrupted(interrupts, within_s=REFRESH_S):
            return


def _is_run(directory: Path) -> bool:
    """Whether it is the directory of one run.

    Raises:
        InputError: if there is no such directory; the default one comes with the first run.
    """
    from workflows.run_state import RUN_FILE

    if not directory.is_dir() and directory != DEFAULT_RUNS:
        raise InputError(f"{directory}: there is no such directory, needs one of runs. See: alkaliflow list")
    return (directory / RUN_FILE).exists()


def _show_run(row: "RunRow") -> tuple[str, ...]:
    sign = "-" if row.sign_s_ago is None else f"{show_duration(row.sign_s_ago)} ago"
    counts = (row.done, row.running, row.queued, row.failed, row.known)
    return (row.run, row.flow, row.status, *map(str, counts), row.driver, sign, row.reason)


def _show_calculation(entry: dict[str, object]) -> tuple[str, ...]:
    from workflows.progress import describe

    told = entry["progress"] if isinstance(entry["progress"], dict) else {}
    progress = describe({**told, "state": entry["state"]}) if entry["state"] != "done" else ""
    counts = (str(entry["attempts"]), str(entry["executions"]))
    key = str(entry["key"])[:_KEY_LETTERS]
    return (str(entry["label"]), str(entry["state"]), *counts, progress, str(entry["reason"]), key)
