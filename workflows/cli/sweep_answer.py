"""What a sweep found, on the command line: published, shown, put together anew."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from workflows.cli.explaining import EXIT_FAILED
from workflows.cli.running import Manner
from workflows.sweep import CONVERGENCE, Sweep

if TYPE_CHECKING:
    from analysis.sweep_rows import SweepRow
    from workflows.cli.answer import Answer

MOST_ROWS = 40


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
