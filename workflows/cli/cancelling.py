"""The command cancel: stops a run that another process drives."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from workflows.cli.options import JsonOption


def cancel(
    directory: Annotated[Path, typer.Argument(help="Directory of the run.")],
    calculations: Annotated[
        list[str] | None, typer.Argument(metavar="KEY...", help="Stop these only: keys or labels. Default: all.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Stop a run: its driver, then the workers of its calculations, those in a queue as well.

    What was committed stays, and `submit` or `resume` goes on with it. A calculation that another run wants is left
    alone. With keys the driver is stopped all the same, as it would begin them again; the others go on without it.
    """
    from workflows.cancellation import cancel_run

    done = cancel_run(directory, names=calculations)
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
