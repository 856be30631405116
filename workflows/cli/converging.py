"""The command converge: one run of tfsi-adsorption for each value of a parameter, and how the energies move."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structures.errors import InputError
from workflows.cli.options import CoresOption, QuietOption, StoreOption, find_store
from workflows.cli.running import Manner
from workflows.flows import find_flow

if TYPE_CHECKING:
    from pydantic import BaseModel

    from workflows.configuration.resolve import ResolvedConfig
    from workflows.sweep import Sweep
    from workflows.sweep_axes import Axis

FLOW = "tfsi-adsorption"
FEWEST_VALUES = 2


def converge(
    config: Annotated[Path | None, typer.Argument(help="Your file of tfsi-adsorption. Default: the preset.")] = None,
    *,
    vary: Annotated[
        list[str],
        typer.Option("--vary", help="A key and its values, the best last: checks.box_A=1,2. May be repeated."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the runs, the table and the plots.")],
    preset: Annotated[str | None, typer.Option("--preset", help="Values to start from.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Override a key in all runs: section.key=value. May be repeated.")
    ] = None,
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build and check every run, start nothing.")] = False,
    cores: CoresOption = None,
    quiet: QuietOption = False,
) -> None:
    """Vary layers, repeats, vacuum, k-points or cut-off one at a time, and see how reaction energies move.

    Each value is a run of its own below the output directory; what two runs share is computed once. Stopped, the same
    command goes on.
    """
    from workflows.cli.sweep_members import Asked
    from workflows.cli.sweeping import launch
    from workflows.sweep import CONVERGENCE

    axes = [parse_variation(text) for text in vary]
    entry = find_flow(FLOW)
    members: dict[str, tuple[str, ResolvedConfig[BaseModel]]] = {}
    for axis in axes:
        for value in axis.values:
            resolved = entry.resolve(config, preset=preset, sets=[*(sets or []), f"{axis.key}={value}"])
            name = name_run(axis.key, value=value)
            if name in members and members[name][1].swept != {axis.key: value}:
                raise InputError(f"--vary: {value} of {axis.key} has the directory {name}, as another value has.")
            members[name] = (name, replace(resolved, swept={axis.key: value}))
    asked = Asked(entry, axes=axes, members=members, path=output, store=find_store(store), gather=CONVERGENCE)
    launch(asked, dry_run=dry_run, manner=Manner(cores=cores, quiet=quiet))


def parse_variation(text: str) -> "Axis":
    """Key and values, as typed, of `key=value,value`; a comma inside brackets is part of a value.

    Raises:
        InputError: if there is no key, or fewer than two values.
    """
    from workflows.sweep_axes import Axis, split_values

    key, _, right = text.partition("=")
    kept = tuple(dict.fromkeys(split_values(right)))
    if not key.strip() or len(kept) < FEWEST_VALUES:
        raise InputError(
            f"--vary {text!r} has {len(kept)} values of {key.strip() or 'no key'}, needs at least {FEWEST_VALUES}, "
            "the best last, e.g. --vary calculator.overrides.cutoff_eV=300,350,400."
        )
    return Axis(key.strip(), kept, "--vary")


def name_run(key: str, *, value: str) -> str:
    """Name of the directory of a run."""
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in f"{key}-{value}")


def publish_convergence(sweep: "Sweep", *, unfinished: Sequence[str]) -> None:
    """Write table, results and report, and print what was found; nothing while a run has no results."""
    from analysis.convergence import read_series, write_series
    from analysis.report import write_report
    from analysis.results import Results, read_results, write_results

    if unfinished:
        return
    places = {tuple(member.values.items()): sweep.directory(member) for member in sweep.members}
    series = [
        one
        for axis in sweep.axes
        for one in read_series(axis.key, directories={value: places[(axis.key, value),] for value in axis.values})
    ]
    last = read_results(sweep.directory(sweep.members[-1]))
    results = Results(
        flow=FLOW,
        status="completed",
        config=last.config,
        observables={
            "answer": ". ".join(one.sentence for one in series) + ".",
            "convergence": [one.to_json() for one in series],
        },
        references=last.references,
        provenance=last.provenance,
    )
    write_results(results, directory=sweep.path)
    table = write_series(series, path=sweep.path / "convergence.csv")
    report = write_report(results, viewer=None, directory=sweep.path)
    for one in series:
        typer.echo(f"{one.sentence}.")
    typer.echo(f"table    {table}\nreport   {report}")
