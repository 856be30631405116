"""The command converge: one run of tfsi-adsorption for each value of a parameter, and how the energies move."""

from pathlib import Path
from typing import Annotated

import typer

from structures.errors import InputError
from workflows.cli.options import CoresOption, QuietOption, StoreOption
from workflows.cli.running import run

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
    varied = [parse_variation(text) for text in vary]
    runs = {(key, value): output / name_run(key, value=value) for key, values in varied for value in values}
    for (key, value), directory in runs.items():
        typer.echo(f"{key} = {value}")
        run(
            FLOW,
            config,
            preset=preset,
            sets=[*(sets or []), f"{key}={value}"],
            workdir=directory,
            store=store,
            dry_run=dry_run,
            cores=cores,
            quiet=quiet,
        )
    if not dry_run:
        _publish(varied, runs=runs, output=output)


def parse_variation(text: str) -> tuple[str, tuple[str, ...]]:
    """Key and values of `key=value,value`; a comma inside brackets is part of a value.

    Raises:
        InputError: if there is no key, or fewer than two values.
    """
    key, _, right = text.partition("=")
    values, depth = [""], 0
    for letter in right:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            values.append("")
        else:
            values[-1] += letter
    kept = tuple(dict.fromkeys(value.strip() for value in values if value.strip()))
    if not key.strip() or len(kept) < FEWEST_VALUES:
        raise InputError(
            f"--vary {text!r} has {len(kept)} values of {key.strip() or 'no key'}, needs at least {FEWEST_VALUES}, "
            "the best last, e.g. --vary calculator.overrides.cutoff_eV=300,350,400."
        )
    return key.strip(), kept


def name_run(key: str, *, value: str) -> str:
    """Name of the directory of a run."""
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in f"{key}-{value}")


def _publish(varied: list[tuple[str, tuple[str, ...]]], *, runs: dict[tuple[str, str], Path], output: Path) -> None:
    """Write table, results and report, and print what was found."""
    from analysis.convergence import read_series, write_series
    from analysis.report import write_report
    from analysis.results import Results, read_results, write_results

    series = [
        one
        for key, values in varied
        for one in read_series(key, directories={value: runs[key, value] for value in values})
    ]
    last = read_results(list(runs.values())[-1])
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
    write_results(results, directory=output)
    table = write_series(series, path=output / "convergence.csv")
    report = write_report(results, viewer=None, directory=output)
    for one in series:
        typer.echo(f"{one.sentence}.")
    typer.echo(f"table    {table}\nreport   {report}")
