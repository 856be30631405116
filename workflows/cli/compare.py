"""The command compare."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflows.cli.options import JsonOption, open_console

if TYPE_CHECKING:
    from analysis.comparison import ComparedEnergy, ComparedReaction

_WIDTH_OF_FILES = 200  # where nothing tells how wide it is


def compare(
    directories: Annotated[list[Path], typer.Argument(help="Directories of two or more runs of tfsi-adsorption.")],
    *,
    as_json: JsonOption = False,
    table: Annotated[Path | None, typer.Option("--csv", help="File to write the table to.")] = None,
) -> None:
    """Set the reaction energies of several runs side by side: do they agree within their errors?"""
    from analysis.comparison import compare_results, write_comparison

    comparison = compare_results(directories)
    if table is not None:
        write_comparison(comparison, path=table)
    if as_json:
        typer.echo(json.dumps(comparison.to_json(), indent=1, ensure_ascii=False))
        return
    for reaction in comparison.reactions:
        _print_reaction(reaction)
    if comparison.left_out:
        typer.echo(f"Not in all of them: {', '.join(comparison.left_out)}.")
    typer.echo("Errors are numerical; that of the functional is not in them.")


def _print_reaction(reaction: "ComparedReaction") -> None:
    from rich import box
    from rich.table import Table

    from analysis.reaction_energy import show_reaction

    table = Table(box=box.SIMPLE_HEAD, title=show_reaction(reaction.reaction), title_justify="left")
    for name in ("run", "method", "ΔE (eV)", "less the first (eV)", "within the errors"):
        table.add_column(name, overflow="fold")
    for number, energy in enumerate(reaction.energies):
        table.add_row(energy.run, _join_method(energy), _show_energy(energy), *_judge(energy, is_first=number == 0))
    console = open_console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_FILES
    console.print(table)


def _join_method(energy: "ComparedEnergy") -> str:
    words = [f"no {key}" if value == "none" else value for key, value in energy.method.items() if key != "version"]
    return ", ".join(words)


def _show_energy(energy: "ComparedEnergy") -> str:
    error = "" if energy.uncertainty_eV is None else f" ± {energy.uncertainty_eV:.3f}"
    return f"{energy.energy_eV:.3f}{error}".replace("-", "−")


def _judge(energy: "ComparedEnergy", *, is_first: bool) -> tuple[str, str]:
    if is_first:
        return "-", "-"
    verdict = {None: "an error is not estimated", True: "yes", False: "no"}[energy.agrees]
    allowed = "" if energy.allowed_eV is None else f" ({energy.allowed_eV:.3f} eV)"
    return f"{energy.difference_eV:+.3f}".replace("-", "−"), verdict + allowed
