"""Commands that do one calculation on one structure file: relax, md, single-point."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structures.errors import InputError
from workflows.cli.explaining import EXIT_STOPPED
from workflows.cli.options import CoresOption, JsonOption, QuietOption, StoreOption, find_store, open_console

if TYPE_CHECKING:
    from workflows.jobs.store import Finished

FS_PER_PS = 1000.0

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
    typer.Option("--set", help="Override of calculator or recipe: calculator.trust_code=true, max_steps=50."),
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Structure file to write.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of velocities and thermostat.")]


def single_point(
    file: FileArgument,
    *,
    calculator: CalculatorOption = "pod",
    potential: PotentialOption = "k-bi-sn-sb",
    sets: SetOption = None,
    output: OutputOption = None,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Energy, forces and stress of a structure."""
    task = _Task("single_point", file, calculator=calculator, potential=potential, sets=sets)
    task.run({}, seed=None, store=store, cores=cores, quiet=quiet, as_json=as_json, output=output)


def relax(
    file: FileArgument,
    *,
    calculator: CalculatorOption = "pod",
    potential: PotentialOption = "k-bi-sn-sb",
    max_force_eV_per_A: Annotated[float, typer.Option("--max-force", help="Largest force at the end, eV/Å.")] = 0.02,
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, help="Steps at most.")] = 1000,
    sets: SetOption = None,
    output: OutputOption = None,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Relax the positions of a structure."""
    task = _Task("relaxation", file, calculator=calculator, potential=potential, sets=sets)
    settings = {"force_tolerance_eV_per_A": max_force_eV_per_A, "max_steps": max_steps}
    task.run(settings, seed=None, store=store, cores=cores, quiet=quiet, as_json=as_json, output=output)


def md(
    file: FileArgument,
    *,
    calculator: CalculatorOption = "pod",
    potential: PotentialOption = "k-bi-sn-sb",
    temperature_K: Annotated[float, typer.Option("--temperature-K", help="Temperature.")] = 300.0,
    length_ps: Annotated[float, typer.Option("--length-ps", help="Time of production.")] = 10.0,
    timestep_fs: Annotated[float, typer.Option("--timestep-fs", help="Time step.")] = 3.0,
    ensemble: Annotated[str, typer.Option("--ensemble", help="nvt, npt or nve.")] = "nvt",
    seed: SeedOption = 1,
    sets: SetOption = None,
    output: OutputOption = None,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Molecular dynamics of a structure; stop it at any time, the same command goes on with it."""
    from workflows.configuration.sections import DynamicsSection

    stages = {"heat_ps": 3.0, "equilibrate_ps": 3.0, "production_ps": length_ps, "fixed_regions": []}
    dynamics = {"temperature_K": temperature_K, "timestep_fs": timestep_fs, "ensemble": ensemble, **stages}
    if 0 < temperature_K < DynamicsSection().start_temperature_K:
        dynamics["start_temperature_K"] = temperature_K
    task = _Task("molecular_dynamics", file, calculator=calculator, potential=potential, sets=sets)
    settings = _check_dynamics(DynamicsSection, dynamics=dynamics)
    task.run(settings, seed=seed, store=store, cores=cores, quiet=quiet, as_json=as_json, output=output)


def _check_dynamics(model: type, *, dynamics: Mapping[str, Any]) -> dict[str, Any]:
    from workflows.configuration.resolve import check_values

    settings: dict[str, Any] = check_values(model, values=dynamics, origin="alkaliflow md").recipe_settings()
    return settings


class _Task:
    """One recipe on one file."""

    def __init__(self, recipe: str, file: Path, *, calculator: str, potential: str, sets: list[str] | None) -> None:
        from structures.files import read_structure
        from workflows.configuration.resolve import parse_set

        self.recipe = recipe
        self.file = file
        self.calculator = calculator
        self.potential = potential
        self.structure = read_structure(file)
        self.overrides: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        for text in sets or []:
            name, value = parse_set(text)
            target = self.overrides if name.startswith("calculator.") else self.settings
            target[name.removeprefix("calculator.")] = value

    def run(
        self,
        settings: Mapping[str, Any],
        *,
        seed: int | None,
        store: Path | None,
        cores: int | None,
        quiet: bool,
        as_json: bool,
        output: Path | None,
    ) -> None:
        """Compute it, or take it from the store, and print what was found."""
        from workflows.calculators.registry import check_calculator
        from workflows.calculators.resolve import build_calculator_spec
        from workflows.drive import run_calculations
        from workflows.jobs.calculation import Calculation
        from workflows.jobs.local import LocalExecutor
        from workflows.jobs.store import Store
        from workflows.progress import choose_mode, report, show_progress

        if output is not None and not output.resolve().parent.is_dir():
            raise InputError(
                f"{output}: its folder does not exist, needs one that does. Make it, or choose another with -o."
            )
        opened = Store(find_store(store))
        spec = build_calculator_spec(
            self.calculator, add_blob=opened.add_blob, potential=self.potential, overrides=self.overrides
        )
        ensemble = str({**settings, **self.settings}.get("ensemble", "nvt"))
        check_calculator(
            spec, elements=set(self.structure.get_chemical_symbols()), blob_path=opened.blob_path, ensemble=ensemble
        )
        calculation = Calculation(
            recipe=self.recipe,
            structure=self.structure,
            calculator=spec,
            settings={**settings, **self.settings},
            seed=seed,
            label=f"{self.recipe} of {self.file.name}",
        )
        console = open_console(stderr=as_json)
        executor = LocalExecutor() if cores is None else LocalExecutor(cores=cores)
        with show_progress(console, mode=choose_mode(console, quiet=quiet or as_json)):
            try:
                (finished,) = run_calculations([calculation], store=opened, executor=executor, on_progress=report)
            except KeyboardInterrupt:
                typer.echo("\nStopped. Nothing is lost: the same command goes on from here.", err=True)
                raise typer.Exit(EXIT_STOPPED) from None
        _print_finished(finished, output=output, as_json=as_json)


def _print_finished(finished: "Finished", *, output: Path | None, as_json: bool) -> None:
    structures = [path for path in finished.files.values() if path.suffix == ".extxyz"]
    written = None
    if output is not None and structures:
        written = _write_structure(structures[0], output)
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


def _write_structure(source: Path, output: Path) -> str:
    """Copy an extxyz file, or write it in the format that the name asks for."""
    if output.suffix in {".extxyz", ".xyz"}:
        shutil.copyfile(source, output)
        return str(output)
    from ase.io import read, write
    from ase.io.formats import UnknownFileTypeError

    try:
        write(output, read(source))
    except (UnknownFileTypeError, ValueError, KeyError) as error:
        raise InputError(f"{output}: cannot be written ({error}). Choose a name such as relaxed.extxyz.") from None
    return str(output)


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
