"""One calculation on one structure file: what is asked for, running it, and printing what was found."""

import difflib
import json
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from structures.errors import InputError
from workflows.cli.explaining import EXIT_STOPPED
from workflows.cli.one_file_settings import COMMANDS, find_settings_model
from workflows.cli.options import find_store, open_console
from workflows.cli.structure_output import check_output, write_structure

if TYPE_CHECKING:
    from ase import Atoms
    from pydantic import BaseModel

    from workflows.calculators.spec import CalculatorSpec
    from workflows.jobs.calculation import Calculation
    from workflows.jobs.store import Finished, Store

DEFAULT_POTENTIAL = "k-bi-sn-sb"
_LARGE, _HUGE = 1e2, 1e9  # total energies differ in small parts


@dataclass(frozen=True)
class Electrons:
    """Options of calculators with electrons.

    Attributes:
        charge: of the structure, in e.
        multiplicity: 2 S + 1; None: the lowest that the number of electrons allows.
        protocol: fast, moderate or precise.
        ranks: cores of the calculation.
    """

    charge: int = 0
    multiplicity: int | None = None
    protocol: str = "moderate"
    ranks: int = 1


NO_ELECTRONS = Electrons()


@dataclass(frozen=True)
class Manner:
    """How a command computes and prints; as the options of these names."""

    store: Path | None
    cores: int | None
    fresh: bool
    quiet: bool
    as_json: bool


@dataclass(frozen=True)
class Task:
    """One recipe on one file.

    Attributes:
        command: relax, md or single-point.
        file: of the structure.
        structure: that is in it.
        calculator: its name.
        potential: of a calculator without electrons.
        electrons: of a calculator with electrons.
        overrides: settings of the calculator, from `--set calculator.NAME=VALUE`.
        sets: every other `--set`.
        output: structure file to write.
    """

    command: str
    file: Path
    structure: "Atoms"
    calculator: str
    potential: str = DEFAULT_POTENTIAL
    electrons: Electrons = NO_ELECTRONS
    overrides: Mapping[str, Any] = field(default_factory=dict)
    sets: Sequence[str] = ()
    output: Path | None = None

    @property
    def has_electrons(self) -> bool:
        """Whether the calculator knows electrons."""
        from workflows.calculators.electronic import ELECTRONIC_METHODS

        return self.calculator in ELECTRONIC_METHODS

    def check(self, values: Mapping[str, Any]) -> "BaseModel":
        """Settings from the command's options and `--set`."""
        from workflows.configuration.resolve import check_values

        model = find_settings_model(self.command, has_electrons=self.has_electrons)
        return check_values(model, values=values, origin=f"alkaliflow {self.command}", sets=self.sets)

    def run(self, values: Mapping[str, Any], *, manner: Manner) -> None:
        """Compute it with the command's options, or take it from the store, and print what was found."""
        if not self.has_electrons:
            run_with_potential(self, self.check(values).model_dump(), manner=manner)
            return
        from workflows.cli.one_file_electrons import run_with_electrons

        run_with_electrons(self, self.check(values), manner=manner)


def read_task(
    command: str,
    file: Path,
    *,
    calculator: str,
    potential: str,
    electrons: Electrons = NO_ELECTRONS,
    sets: list[str] | None,
    output: Path | None,
) -> Task:
    """What is asked for, and the structure.

    Raises:
        InputError: if the calculator, an option, the output or the file is wrong.
    """
    from structures.files import read_structure
    from workflows.configuration.resolve import collect_sets

    _check_choice(command, calculator=calculator, potential=potential, electrons=electrons)
    if output is not None:
        check_output(output)
    of_calculator = [text for text in sets or [] if text.strip().startswith("calculator.")]
    return Task(
        command,
        file,
        structure=read_structure(file),
        calculator=calculator,
        potential=potential,
        electrons=electrons,
        overrides=collect_sets(of_calculator).get("calculator", {}),
        sets=[text for text in sets or [] if text not in of_calculator],
        output=output,
    )


def _check_choice(command: str, *, calculator: str, potential: str, electrons: Electrons) -> None:
    """The calculator is there, can do the command, and goes with the other options."""
    from workflows.calculators.electronic import ELECTRONIC_METHODS
    from workflows.calculators.registry import CHOOSABLE

    if calculator not in CHOOSABLE and calculator not in ELECTRONIC_METHODS:
        known = [*CHOOSABLE, *(ELECTRONIC_METHODS if command != "md" else ())]
        near = difflib.get_close_matches(calculator, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        raise InputError(f"There is no calculator {calculator!r}. {hint}")
    has_electrons = calculator in ELECTRONIC_METHODS
    if has_electrons and command == "md":
        raise InputError(
            f"--calculator is {calculator}, which does no dynamics here. Choose one of {', '.join(CHOOSABLE)}."
        )
    if has_electrons and potential != DEFAULT_POTENTIAL:
        raise InputError(f"--potential is {potential!r}, which calculator {calculator} has no use for. Leave it out.")
    if not has_electrons and electrons != NO_ELECTRONS:
        name = next(name for name, value in vars(electrons).items() if value != getattr(NO_ELECTRONS, name))
        raise InputError(
            f"--{name} is {getattr(electrons, name)}, which calculator {calculator} has no use for. Leave it out, or "
            "choose a calculator with electrons, e.g. --calculator xtb."
        )


def run_with_potential(task: Task, settings: Mapping[str, Any], *, manner: Manner, seed: int | None = None) -> None:
    """Compute it by a calculator without electrons, or take it from the store, and print what was found."""
    from workflows.jobs.calculation import Calculation
    from workflows.jobs.store import Store

    place = find_store(manner.store)
    Store.check_place(place)
    with tempfile.TemporaryDirectory(prefix="alkaliflow-") as scratch:
        _check_spec(task, store=Store(Path(scratch)), ensemble=str(settings.get("ensemble", "nvt")))
    store = Store(place)
    calculation = Calculation(
        recipe=COMMANDS[task.command],
        structure=task.structure,
        calculator=_build_spec(task, store=store),
        settings=settings,
        seed=seed,
        salt=choose_salt(manner),
        label=f"{COMMANDS[task.command]} of {task.file.name}",
    )
    finished = compute(calculation, store=store, manner=manner)
    print_finished(finished, values=finished.values, output=task.output, manner=manner)


def _build_spec(task: Task, *, store: "Store") -> "CalculatorSpec":
    """The calculator, its files in a store."""
    from workflows.calculators.resolve import build_calculator_spec
    from workflows.calculators.wording import IN_ONE_FILE_COMMANDS

    return build_calculator_spec(
        task.calculator,
        add_blob=store.add_blob,
        potential=task.potential,
        overrides=task.overrides,
        wording=IN_ONE_FILE_COMMANDS,
    )


def _check_spec(task: Task, *, store: "Store", ensemble: str) -> None:
    """Everything that can be checked before a calculation exists."""
    from workflows.calculators.registry import check_calculator
    from workflows.calculators.wording import IN_ONE_FILE_COMMANDS

    check_calculator(
        _build_spec(task, store=store),
        elements=set(task.structure.get_chemical_symbols()),
        blob_path=store.blob_path,
        ensemble=ensemble,
        wording=IN_ONE_FILE_COMMANDS,
    )


def choose_salt(manner: Manner) -> str:
    """What sets a calculation apart from its equals in the store, if that is asked for."""
    return uuid.uuid4().hex if manner.fresh else ""


def compute(calculation: "Calculation", *, store: "Store", manner: Manner) -> "Finished":
    """Compute it, or take it from the store, and show how far it is."""
    from workflows.drive import run_calculations
    from workflows.jobs.local import build_executor
    from workflows.progress import choose_mode, report, show_progress

    console = open_console(stderr=manner.as_json)
    executor = build_executor(cores=manner.cores)
    with show_progress(console, mode=choose_mode(console, quiet=manner.quiet or manner.as_json)):
        try:
            (finished,) = run_calculations([calculation], store=store, executor=executor, on_progress=report)
        except KeyboardInterrupt:
            after = "with --fresh it begins anew" if manner.fresh else "the same command goes on from here"
            typer.echo(f"\nStopped. Nothing is lost: {after}.", err=True)
            raise typer.Exit(EXIT_STOPPED) from None
    return finished


def print_finished(
    finished: "Finished",
    *,
    values: Mapping[str, Any],
    output: Path | None,
    manner: Manner,
    shown: Mapping[str, Any] | None = None,
    further: Mapping[str, Any] | None = None,
) -> None:
    """Write the structure asked for, and print what was found.

    Args:
        finished: the calculation whose structure it is.
        values: what was found, for programs.
        output: structure file to write.
        manner: how to print.
        shown: the values that people see; None: all.
        further: what else programs are told.
    """
    structures = [path for path in finished.files.values() if path.suffix == ".extxyz"]
    written = write_structure(structures[0], output) if output is not None and structures else None
    files = {name: str(path) for name, path in finished.files.items()}
    trajectories = [str(path / "trajectory.nc") for path in finished.segments if (path / "trajectory.nc").exists()]
    if manner.as_json:
        document = {"key": finished.key, "values": dict(values), "files": files, "reused": finished.reused}
        document |= {"trajectories": trajectories, "output": written, **(further or {})}
        typer.echo(json.dumps(document, indent=1))
        return
    for name, value in (values if shown is None else shown).items():
        typer.echo(f"{name:<28}{_show(value)}")
    for name, path in files.items():
        typer.echo(f"{name:<28}{path}")
    if trajectories:
        typer.echo(f"{'trajectories':<28}{len(trajectories)} segments, the first: {trajectories[0]}")
    if written:
        typer.echo(f"{'written':<28}{written}")
    typer.echo(f"{'key':<28}{finished.key}{' (was in the store already)' if finished.reused else ''}")


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if _LARGE <= abs(value) < _HUGE else f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(_show(one) for one in value)}]"
    return json.dumps(value) if isinstance(value, dict) else str(value)
