"""The command doctor."""

import json
from typing import Annotated

import typer

from workflows.cli.options import JsonOption, StoreOption, find_store, open_console


def doctor(
    *,
    store: StoreOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Start no programs, only look.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="Send a probe through the queue of this cluster ('default': Slurm's own)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is installed, what each calculator can do, and what to install for the rest."""
    from workflows.doctor import examine

    if cluster is None:
        findings = examine(store=find_store(store), quick=quick)
    else:
        from workflows.cluster_probe import examine_cluster

        tell = open_console(stderr=True).print
        findings = list(examine_cluster(cluster, store=find_store(store), on_wait=lambda why: tell(f"probe: {why}")))
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
