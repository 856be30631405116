"""The command clean: says what may be deleted, and deletes it if told to."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflows.cli.options import DEFAULT_RUNS, JsonOption, StoreOption, find_store

if TYPE_CHECKING:
    from workflows.cleaning import Waste

_BYTES_PER_MB = 1e6


def clean(
    directory: Annotated[Path, typer.Argument(help="Runs whose stores are cleaned.")] = DEFAULT_RUNS,
    *,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without this nothing is deleted.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what nobody needs, with sizes; with --yes delete it.

    That is scratch of finished calculations which no result names, leftovers of killed processes older than a day, what
    lies in quarantine for more than 30 days, and homes of private Prefect servers that no run uses. Results, segments,
    logs, structures and inputs stay, and so does everything of a calculation without a result.
    """
    from workflows.cleaning import find_idle_homes, find_waste, remove
    from workflows.prefect_settings import find_cache_directory

    stores = [store.absolute()] if store is not None else _find_stores(directory)
    waste = [one for root in stores for one in find_waste(root)] + find_idle_homes(find_cache_directory())
    freed = sum(remove(one) for one in waste) if yes else 0
    if as_json:
        entries = [{"kind": one.kind, "path": str(one.path), "bytes": one.size_bytes} for one in waste]
        typer.echo(json.dumps({"stores": list(map(str, stores)), "waste": entries, "freed_bytes": freed}, indent=1))
        return
    typer.echo("\n".join([f"store {root}" for root in stores] + _tabulate(waste)))
    if yes and waste:
        typer.echo(f"Freed {_show(freed)}.")
    elif waste:
        typer.echo(f"Nothing was deleted. To free {_show(sum(one.size_bytes for one in waste))}: the same with --yes")


def _find_stores(directory: Path) -> list[Path]:
    """Stores of the runs and sweeps below a directory, or the user's own if there are none."""
    from workflows.run_survey import find_readable_runs
    from workflows.sweep_survey import find_readable_sweeps

    stores = dict.fromkeys(run.store for run in find_readable_runs(directory))
    stores |= dict.fromkeys(sweep.store for sweep in find_readable_sweeps(directory))
    return [root for root in stores if root.is_dir()] or [find_store(None)]


def _tabulate(waste: "list[Waste]") -> list[str]:
    """A row a kind."""
    from workflows.cli.answer import format_table

    if not waste:
        return ["There is nothing to delete."]
    rows = []
    for kind in dict.fromkeys(one.kind for one in waste):
        these = [one for one in waste if one.kind == kind]
        largest = max(these, key=lambda one: one.size_bytes)
        rows.append((kind, str(len(these)), _show(sum(one.size_bytes for one in these)), str(largest.path)))
    return format_table(("what", "number", "size", "the largest"), rows=tuple(rows))


def _show(size_bytes: int) -> str:
    return f"{size_bytes / _BYTES_PER_MB:.3g} MB"
