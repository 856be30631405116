"""Commands that do one calculation on one structure file: relax, md, single-point."""

import json
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from workflows.cli.explaining import EXIT_STOPPED
from workflows.cli.options import CoresOption, JsonOption, QuietOption, StoreOption, find_store, open_console
from workflows.cli.structure_output import check_output, write_structure

if TYPE_CHECKING:
    from ase import Atoms
    from pydantic import BaseModel

    from workflows.calculators.spec import CalculatorSpec
    from workflows.jobs.store import Finished, Store

FileArgument = Annotated[Path, typer.Argument(help="Structure: CIF, POSCAR, extxyz and others that ASE reads.")]
CalculatorOption = Annotated[str, typer.Option("--calculator", help="pod, lammps, chgnet or ase.")]
PotentialOption = Annotated[
    str,
    typer.Option(
        "--potential", help="pod: name or folder; lammps: file of pair commands; ase: package.module:factory."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="One of the settings below: name=value (YAML). May be repeated."),
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Compute anew what the store already has.")]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Structure file to write.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of velocities and thermostat.")]


def single_point(
    file: FileArgument,
    *,
    calculator: CalculatorOption = "pod",
    potential: PotentialOption = "k-bi-sn-sb",
    sets: SetOption = None,
    output: OutputOption = None,
    fresh: FreshOption = False,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Energy, forces and stress of a structure."""
    task = _Task("single-point", file, calculator=calculator, potential=potential, sets=sets, output=output)
    task.run(task.check({}).model_dump(), store=store, cores=cores, fresh=fresh, quiet=quiet, as_json=as_json)


def relax(
    file: FileArgument,
    *,
    calculator: CalculatorOption = "pod",
    potential: PotentialOption = "k-bi-sn-sb",
    max_force_eV_per_A: Annotated[float, typer.Option("--max-force", help="Largest force at the end, eV/Å.")] = 0.02,
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, help="Steps at most.")] = 1000,
    sets: SetOption = None,
    output: OutputOption = None,
    fresh: FreshOption = False,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Relax the positions of a structure."""
    task = _Task("relax", file, calculator=calculator, potential=potential, sets=sets, output=output)
    settings = task.check({"force_tolerance_eV_per_A": max_force_eV_per_A, "max_steps": max_steps}).model_dump()
    task.run(settings, store=store, cores=cores, fresh=fresh, quiet=quiet, as_json=as_json)


def md(
    file: FileArgument,
    *,
    calculator: CalculatorOption = "pod",
    potential: PotentialOption = "k-bi-sn-sb",
    temperature_K: Annotated[float, typer.Option("--temperature-K", help="Temperature.")] = 300.0,
    length_ps: Annotated[
        float, typer.Option("--length-ps", help="Time of production, rounded up to whole segments of 3 ps.")
    ] = 12.0,
    timestep_fs: Annotated[float, typer.Option("--timestep-fs", help="Time step.")] = 3.0,
    ensemble: Annotated[
        str, typer.Option("--ensemble", help="nvt, npt (at zero stress, see --barostat) or nve.")
    ] = "nvt",
    barostat: Annotated[
        str,
        typer.Option(
            "--barostat",
            help="What npt changes: normal, the height of the cell along z alone (interfaces); isotropic, its volume "
            "(bulk); anisotropic, its three lengths (bulk).",
        ),
    ] = "normal",
    seed: SeedOption = 1,
    sets: SetOption = None,
    output: OutputOption = None,
    fresh: FreshOption = False,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Molecular dynamics of a structure; stop it at any time, the same command goes on with it.

    Production follows after minimisation, 3 ps of heating and 3 ps of equilibration: --set heat_ps=0,
    --set equilibrate_ps=6.
    """
    task = _Task("md", file, calculator=calculator, potential=potential, sets=sets, output=output)
    given = {"temperature_K": temperature_K, "timestep_fs": timestep_fs, "production_ps": length_ps}
    if 0 < temperature_K < find_settings_model("md").model_fields["start_temperature_K"].default:
        given["start_temperature_K"] = temperature_K
    dynamics: Any = task.check({**given, "ensemble": ensemble, "barostat": barostat})
    notes = [dynamics.explain_rounding()]
    if dynamics.ensemble == "npt" and dynamics.barostat == "normal":
        notes.append(_NORMAL_BAROSTAT)
    for note in filter(None, notes):
        typer.echo(f"note: {note}", err=True)
    settings = dynamics.recipe_settings()
    task.run(settings, seed=seed, store=store, cores=cores, fresh=fresh, quiet=quiet, as_json=as_json)


_NORMAL_BAROSTAT = (
    "npt keeps the stress along z at zero and leaves the other lengths of the cell as they are, as an interface needs "
    "it. For a bulk crystal: --barostat isotropic, or anisotropic."
)
COMMANDS = {"single-point": "single_point", "relax": "relaxation", "md": "molecular_dynamics"}


def find_settings_model(command: str) -> "type[BaseModel]":
    """The model of what `--set` may set in a command, calculators aside."""
    if command == "md":
        from workflows.configuration.sections import OneFileDynamics

        return OneFileDynamics
    from workflows.jobs.registry import find_recipe

    return find_recipe(COMMANDS[command]).settings


def list_settings(command: str) -> list[str]:
    """One line for each setting of a command: name, default, what it is and its unit; those of calculators below."""
    from workflows.calculators.registry import CALCULATORS
    from workflows.calculators.wording import IN_ONE_FILE_COMMANDS
    from workflows.configuration.commented import describe_keys

    of_calculators = [
        f"{IN_ONE_FILE_COMMANDS.name(key)}: {what} (calculator {name})"
        for name, entry in CALCULATORS.items()
        for key, what in entry.overrides.items()
        if key != "factory"
    ]
    return [*describe_keys(find_settings_model(command)), *of_calculators]


class CommandWithSettings(TyperCommand):
    """A command whose help ends with what `--set` may set."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 (typer brings its own click, or not)
        """Write the settings, then the examples."""
        formatter.write("\nSettings, each with --set NAME=VALUE:\n")
        for line in list_settings(str(self.name)):
            formatter.write_text(line)
        super().format_epilog(ctx, formatter)


class _Task:
    """One recipe on one file."""

    def __init__(
        self,
        command: str,
        file: Path,
        *,
        calculator: str,
        potential: str,
        sets: list[str] | None,
        output: Path | None,
    ) -> None:
        from structures.files import read_structure
        from workflows.configuration.resolve import collect_sets

        self.command = command
        self.file = file
        self.calculator = calculator
        self.potential = potential
        self.output = output
        if output is not None:
            check_output(output)
        self.structure: Atoms = read_structure(file)
        of_calculator = [text for text in sets or [] if text.strip().startswith("calculator.")]
        self.overrides: dict[str, Any] = collect_sets(of_calculator).get("calculator", {})
        self.sets = [text for text in sets or [] if text not in of_calculator]

    def check(self, values: Mapping[str, Any]) -> "BaseModel":
        """Settings from the command's options and `--set`."""
        from workflows.configuration.resolve import check_values

        model = find_settings_model(self.command)
        return check_values(model, values=values, origin=f"alkaliflow {self.command}", sets=self.sets)

    def run(
        self,
        settings: Mapping[str, Any],
        *,
        seed: int | None = None,
        store: Path | None,
        cores: int | None,
        fresh: bool,
        quiet: bool,
        as_json: bool,
    ) -> None:
        """Compute it, or take it from the store, and print what was found."""
        from workflows.drive import run_calculations
        from workflows.jobs.calculation import Calculation
        from workflows.jobs.local import build_executor
        from workflows.jobs.store import Store
        from workflows.progress import choose_mode, report, show_progress

        place = find_store(store)
        Store.check_place(place)
        with tempfile.TemporaryDirectory(prefix="alkaliflow-") as scratch:
            self.build_checked_spec(Store(Path(scratch)), ensemble=str(settings.get("ensemble", "nvt")))
        opened = Store(place)
        calculation = Calculation(
            recipe=COMMANDS[self.command],
            structure=self.structure,
            calculator=self.build_spec(opened),
            settings=settings,
            seed=seed,
            salt=uuid.uuid4().hex if fresh else "",
            label=f"{COMMANDS[self.command]} of {self.file.name}",
        )
        console = open_console(stderr=as_json)
        executor = build_executor(cores=cores)
        with show_progress(console, mode=choose_mode(console, quiet=quiet or as_json)):
            try:
                (finished,) = run_calculations([calculation], store=opened, executor=executor, on_progress=report)
            except KeyboardInterrupt:
                after = "with --fresh it begins anew" if fresh else "the same command goes on from here"
                typer.echo(f"\nStopped. Nothing is lost: {after}.", err=True)
                raise typer.Exit(EXIT_STOPPED) from None
        _print_finished(finished, output=self.output, as_json=as_json)

    def build_spec(self, store: "Store") -> "CalculatorSpec":
        """The calculator, its files in a store."""
        from workflows.calculators.resolve import build_calculator_spec
        from workflows.calculators.wording import IN_ONE_FILE_COMMANDS

        return build_calculator_spec(
            self.calculator,
            add_blob=store.add_blob,
            potential=self.potential,
            overrides=self.overrides,
            wording=IN_ONE_FILE_COMMANDS,
        )

    def build_checked_spec(self, store: "Store", *, ensemble: str) -> "CalculatorSpec":
        """The calculator, after everything that can be checked before a calculation exists."""
        from workflows.calculators.registry import check_calculator
        from workflows.calculators.wording import IN_ONE_FILE_COMMANDS

        spec = self.build_spec(store)
        check_calculator(
            spec,
            elements=set(self.structure.get_chemical_symbols()),
            blob_path=store.blob_path,
            ensemble=ensemble,
            wording=IN_ONE_FILE_COMMANDS,
        )
        return spec


def _print_finished(finished: "Finished", *, output: Path | None, as_json: bool) -> None:
    structures = [path for path in finished.files.values() if path.suffix == ".extxyz"]
    written = None
    if output is not None and structures:
        written = write_structure(structures[0], output)
    files = {name: str(path) for name, path in finished.files.items()}
    document = {"key": finished.key, "values": dict(finished.values), "files": files, "reused": finished.reused}
    trajectories = [str(path / "trajectory.nc") for path in finished.segments if (path / "trajectory.nc").exists()]
    if as_json:
        typer.echo(json.dumps({**document, "trajectories": trajectories, "output": written}, indent=1))
        return
    for name, value in finished.values.items():
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
        return f"{value:.6g}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
