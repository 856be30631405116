"""The command logs: what a run or a calculation prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structures.errors import InputError
from workflows.cli.interrupts import is_interrupted, noted_interrupts
from workflows.cli.options import StoreOption, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflows.run_logs import Log

FOLLOW_EVERY_S = 0.5


def logs(
    what: Annotated[
        str, typer.Argument(help="Directory of a run or sweep, or key of a calculation (its first letters).")
    ],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until the run ends.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of each log to begin with.")] = 20,
    store: StoreOption = None,
) -> None:
    """Print the log of a run's driver and of the workers that run or failed, the name of each before its lines.

    Ctrl-C ends the printing and stops nothing. The driver of a run that was started with `run` prints in its terminal.
    """
    from workflows.run_logs import Follower

    find_logs, is_over = _find(what, store=store)
    found = find_logs()
    if not (found or follow):
        raise InputError(f"{what}: has no log, needs a run that was submitted or runs. See: alkaliflow status {what}")
    follower = Follower(find_logs, is_labelled=_is_run(what) if follow else len(found) > 1)
    for line in follower.read_tails(count=lines):
        typer.echo(line)
    if follow:
        with noted_interrupts() as interrupts:
            lines_to_come = follower.follow(
                is_over=lambda: bool(interrupts) or is_over(),
                wait=lambda: is_interrupted(interrupts, within_s=FOLLOW_EVERY_S),
            )
            for line in lines_to_come:
                typer.echo(line)
        if interrupts:
            typer.echo("\nNothing was stopped.")
    else:
        for line in follower.read(is_last=True):  # one that has no end yet
            typer.echo(line)


def _is_run(what: str) -> bool:
    return Path(what).is_dir() or "/" in what


def _find(what: str, *, store: Path | None) -> "tuple[Callable[[], list[Log]], Callable[[], bool]]":
    """What gives the logs now, and what tells that nothing more will come."""
    from workflows.run_logs import find_job_logs, find_run_logs, is_job_over, is_run_over
    from workflows.run_state import is_sweep
    from workflows.run_survey import read_run

    if _is_run(what) and is_sweep(Path(what)):
        from workflows.run_logs import find_sweep_logs, is_sweep_over
        from workflows.sweep_survey import read_sweep

        sweep = Path(what)
        return lambda: find_sweep_logs(read_sweep(sweep)), lambda: is_sweep_over(sweep)
    if _is_run(what):
        path = Path(what)
        read_run(path)
        return lambda: find_run_logs(read_run(path)), lambda: is_run_over(path)
    opened = open_store(store)
    job = opened.job_directory(opened.find_key(what))
    return lambda: find_job_logs(job, label=what), lambda: is_job_over(job)
