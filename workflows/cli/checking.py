"""The command doctor."""

import json
from typing import Annotated

import typer

from workflows.cli.options import JsonOption, StoreOption, find_store


def doctor(
    *,
    store: StoreOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Start no programs, only look.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what is installed, what each calculator can do, and what to install for the rest."""
    from workflows.doctor import examine

    findings = examine(store=find_store(store), quick=quick)
    if as_json:
        typer.echo(json.dumps([finding.to_json() for finding in findings], indent=1))
    else:
        section = ""
        for finding in findings:
            if finding.section != section:
                section = finding.section
                typer.echo(f"\n{section}" if finding is not findings[0] else section)
            typer.echo(finding.line())
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)
