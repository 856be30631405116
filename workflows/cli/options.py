"""Options that several commands share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from structures.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from workflows.jobs.store import Store

DEFAULT_RUNS = Path("runs")

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store", help="Where calculations are kept. Default: $ALKALIFLOW_STORE or ~/.local/share/alkaliflow."
    ),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option("--sweep", help="A run for each value: section.key=1,2,3 or key=1..5. Repeated: each combination."),
]
ConfigArgument = Annotated[Path | None, typer.Argument(help="Your YAML file; write one with: alkaliflow init FLOW.")]
PresetOption = Annotated[str | None, typer.Option("--preset", help="Values to start from: demo, fast, standard …")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key: section.key=value (YAML). May be repeated.")
]
WorkdirOption = Annotated[
    Path | None, typer.Option("--workdir", help="Directory of the run. Default: a new one in runs/.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Compute anew what the store already has.")]
CoresOption = Annotated[int | None, typer.Option("--cores", min=1, help="Cores that may be busy. Default: all.")]
MembersOption = Annotated[
    int | None,
    typer.Option(
        "--members", min=1, help="Members of a sweep that run side by side. Default: 1, on a cluster 8; kept by resume."
    ),
]
ExecutorOption = Annotated[
    str | None,
    typer.Option(
        "--executor", help="Where calculations run: local, slurm, or slurm:NAME of a cluster in clusters.yaml."
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the answer.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def set_executor(option: str | None) -> None:
    """Have the calculations of this process go where the option says, over what configurations say.

    Raises:
        InputError: if there is no such executor.
    """
    if option is not None:
        from workflows.execution import EXECUTOR, check_executor

        check_executor(option)
        os.environ[EXECUTOR] = option


def find_store(option: Path | None) -> Path:
    """The store: as asked for, of the environment, or that of the user."""
    if option is not None:
        return option.absolute()
    if os.environ.get("ALKALIFLOW_STORE"):
        return Path(os.environ["ALKALIFLOW_STORE"]).absolute()
    data = os.environ.get("XDG_DATA_HOME") or str(Path("~/.local/share").expanduser())
    return Path(data) / "alkaliflow"


def open_store(option: Path | None) -> "Store":
    """The store that is there.

    Raises:
        InputError: if there is none.
    """
    from workflows.jobs.store import Store

    root = find_store(option)
    if not (root / "store.json").exists():
        raise InputError(f"{root}: there is no store, needs that of your runs. Name it with --store.")
    return Store(root)


def open_console(*, stderr: bool = False) -> "Console":
    """Where text goes."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, stderr=stderr)
