"""The command cancel: stops a run that another process drives."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from structures.errors import InputError
from workflows.cli.options import JsonOption


def cancel(
    directory: Annotated[Path, typer.Argument(help="Directory of the run or the sweep.")],
    calculations: Annotated[
        list[str] | None, typer.Argument(metavar="KEY...", help="Stop these only: keys or labels. Default: all.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Stop a run: its driver, then the workers of its calculations, those in a queue as well.

    What was committed stays, and `submit` or `resume` goes on with it. A calculation that another run wants is left
    alone. With keys the driver is stopped all the same, as it would begin them again; the others go on without it.

    Of a sweep: its driver and all its members. One member: its directory.
    """
    from workflows.cancellation import cancel_run, cancel_sweep
    from workflows.run_state import is_sweep

    if is_sweep(directory) and calculations:
        raise InputError(
            f"{directory}: is a sweep, {', '.join(calculations)} cannot be found in it. Name one of its members: "
            f"alkaliflow cancel {directory}/members/001 {' '.join(calculations)}"
        )
    done = cancel_sweep(directory) if is_sweep(directory) else cancel_run(directory, names=calculations)
    if as_json:
        typer.echo(json.dumps(asdict(done), indent=1))
        return
    if done.driver:
        typer.echo(f"driver: {done.driver} stopped")
    for label, how in done.stopped.items():
        typer.echo(f"{label}: {how}")
    for label, why in done.left.items():
        typer.echo(f"{label}: left alone, {why}")
    nothing = "" if done.driver or done.stopped else "There was nothing to stop. "
    typer.echo(f"{nothing}Nothing that was committed is lost. Continue with: alkaliflow submit {directory}")
