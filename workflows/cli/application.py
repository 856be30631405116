"""The application and its commands."""

from collections.abc import Callable
from typing import Annotated

import typer

from workflows.cli import (
    analysing,
    cancelling,
    checking,
    cleaning,
    compare,
    converging,
    logs,
    looking,
    one_file,
    one_file_settings,
    revoking,
    running,
    submitting,
    watching,
    writing,
)
from workflows.cli.explaining import explained, format_examples

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Workflows for the interfaces of alkali-metal batteries. A configuration becomes structures, structures "
    "become calculations, trajectories become observables with error bars, and all of it one report. Nothing that was "
    "computed is computed again: stop at any time, then resume.",
    epilog=format_examples("""
alkaliflow doctor
alkaliflow run potassium-diffusion --preset demo --dry-run
alkaliflow run potassium-diffusion --preset demo
"""),
)
job_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Look at one calculation in the store, or end the wait for it."
)
EXAMPLES = {
    "run": """
alkaliflow run potassium-diffusion --preset demo
alkaliflow run potassium-diffusion --preset fast --set dynamics.temperature_K=350 --dry-run
alkaliflow run potassium-diffusion examples/potassium-diffusion.yaml --preset fast --workdir runs/k-320 --cores 2
alkaliflow run potassium-diffusion --preset demo --sweep dynamics.temperature_K=50,100,150 --dry-run
""",
    "resume": """
alkaliflow resume runs/potassium-diffusion-demo-1
alkaliflow resume --all
""",
    "submit": """
alkaliflow submit potassium-diffusion --preset demo
alkaliflow submit runs/potassium-diffusion-demo-1  # goes on with a run
""",
    "status": """
alkaliflow status
alkaliflow status runs/potassium-diffusion-demo-1  # its calculations
""",
    "watch": "alkaliflow watch",
    "logs": """
alkaliflow logs runs/potassium-diffusion-demo-1
alkaliflow logs runs/potassium-diffusion-demo-1 -f
""",
    "cancel": "alkaliflow cancel runs/potassium-diffusion-demo-1",
    "retry": "alkaliflow retry runs/potassium-diffusion-demo-1 --failed",
    "clean": """
alkaliflow clean        # lists what nobody needs
alkaliflow clean --yes  # deletes it
""",
    "analyse": """
alkaliflow analyse runs/potassium-diffusion-demo-1
alkaliflow analyse --topology system.data --trajectory run.dcd --selection "type 1" --selection "type 4"
""",
    "list": "alkaliflow list",
    "show": "alkaliflow show runs/potassium-diffusion-demo-1",
    "compare": "alkaliflow compare runs/tfsi-adsorption-demo-1 runs/tfsi-adsorption-demo-2 --csv comparison.csv",
    "converge": """
alkaliflow converge examples/tfsi-adsorption-copper.yaml --vary "substrates.Cu(111).layers=2,3,4" -o layers --dry-run
""",
    "job show": """
alkaliflow show runs/potassium-diffusion-demo-1     lists the keys
alkaliflow job show 3fa9c0
""",
    "job revoke": "alkaliflow job revoke 3fa9c0",
    "init": """
alkaliflow init potassium-diffusion --preset fast -o config.yaml
alkaliflow run potassium-diffusion config.yaml --dry-run
""",
    "inputs": "alkaliflow inputs --preset standard --code vasp --protocol zhen-2025 -o vasp-inputs",
    "schema": "alkaliflow schema potassium-diffusion > potassium-diffusion.schema.json",
    "doctor": "alkaliflow doctor",
    "relax": """
alkaliflow relax examples/m-bisnsb.extxyz --calculator pod --output relaxed.extxyz
alkaliflow relax structures/molecules/tfsi-cisoid.xyz --calculator xtb --charge -1 --output tfsi.xyz
""",
    "md": "alkaliflow md examples/m-bisnsb.extxyz --calculator pod --temperature-K 300 --length-ps 12",
    "single-point": """
alkaliflow single-point examples/m-bisnsb.extxyz --calculator pod
alkaliflow single-point structures/molecules/so2.xyz --calculator pyscf --protocol fast
""",
}


def _print_version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"alkaliflow {version('alkaliflow')}")
        raise typer.Exit


@app.callback()
def _start(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=lambda v: _print_version(asked=v)),
    ] = False,
) -> None:
    """Options that stand before a command."""


COMMANDS: dict[str, Callable[..., None]] = {
    "run": running.run,
    "submit": submitting.submit,
    "resume": running.resume,
    "status": watching.status,
    "watch": watching.watch,
    "logs": logs.logs,
    "cancel": cancelling.cancel,
    "retry": submitting.retry,
    "clean": cleaning.clean,
    "analyse": analysing.analyse,
    "list": looking.list_runs,
    "show": looking.show,
    "compare": compare.compare,
    "converge": converging.converge,
    "init": writing.init,
    "inputs": writing.inputs,
    "schema": writing.schema,
    "doctor": checking.doctor,
    "relax": one_file.relax,
    "md": one_file.md,
    "single-point": one_file.single_point,
}
for name, command in COMMANDS.items():
    kind = one_file_settings.CommandWithSettings if name in one_file_settings.COMMANDS else None
    app.command(name, cls=kind, epilog=format_examples(EXAMPLES[name]))(explained(command))
job_app.command("show", epilog=format_examples(EXAMPLES["job show"]))(explained(looking.show_job))
job_app.command("revoke", epilog=format_examples(EXAMPLES["job revoke"]))(explained(revoking.revoke_job))
app.add_typer(job_app, name="job")


def main() -> None:
    """Entry point of the command `alkaliflow`."""
    app(prog_name="alkaliflow")
