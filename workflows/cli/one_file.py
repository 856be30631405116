"""Commands that do one calculation on one structure file: relax, md, single-point."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workflows.cli.one_file_settings import find_settings_model
from workflows.cli.one_file_task import DEFAULT_POTENTIAL, Electrons, Manner, read_task, run_with_potential
from workflows.cli.options import CoresOption, JsonOption, QuietOption, StoreOption

FileArgument = Annotated[Path, typer.Argument(help="Structure: CIF, POSCAR, extxyz and others that ASE reads.")]
CalculatorOption = Annotated[
    str,
    typer.Option("--calculator", help="pod, lammps, chgnet or ase; with electrons: xtb, pyscf, gpaw or cp2k."),
]
PotentialOption = Annotated[
    str,
    typer.Option(
        "--potential", help="pod: name or folder; lammps: file of pair commands; ase: package.module:factory."
    ),
]
ChargeOption = Annotated[int, typer.Option("--charge", help="With electrons: charge of the molecule, e.")]
MultiplicityOption = Annotated[
    int | None,
    typer.Option(
        "--multiplicity",
        min=1,
        help="With electrons: 2 S + 1. Default: the lowest that their number allows; crystals and slabs: spins paired.",
    ),
]
ProtocolOption = Annotated[str, typer.Option("--protocol", help="With electrons: fast, moderate or precise.")]
RanksOption = Annotated[
    int,
    typer.Option("--ranks", min=1, help="With electrons: cores of the calculation; gpaw: MPI ranks, others: threads."),
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
    potential: PotentialOption = DEFAULT_POTENTIAL,
    charge: ChargeOption = 0,
    multiplicity: MultiplicityOption = None,
    protocol: ProtocolOption = "moderate",
    ranks: RanksOption = 1,
    sets: SetOption = None,
    output: OutputOption = None,
    fresh: FreshOption = False,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Energy, forces and, where the calculator gives it, stress of a structure."""
    electrons = Electrons(charge=charge, multiplicity=multiplicity, protocol=protocol, ranks=ranks)
    task = read_task(
        "single-point",
        file,
        calculator=calculator,
        potential=potential,
        electrons=electrons,
        sets=sets,
        output=output,
    )
    task.run({}, manner=Manner(store=store, cores=cores, fresh=fresh, quiet=quiet, as_json=as_json))


def relax(
    file: FileArgument,
    *,
    calculator: CalculatorOption = "pod",
    potential: PotentialOption = DEFAULT_POTENTIAL,
    charge: ChargeOption = 0,
    multiplicity: MultiplicityOption = None,
    protocol: ProtocolOption = "moderate",
    ranks: RanksOption = 1,
    max_force_eV_per_A: Annotated[
        float | None,
        typer.Option("--max-force", help="Largest force at the end, eV/Å. Default: 0.02; with electrons 0.05."),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option("--max-steps", min=1, help="Steps at most. Default: 1000; with electrons 200.")
    ] = None,
    sets: SetOption = None,
    output: OutputOption = None,
    fresh: FreshOption = False,
    store: StoreOption = None,
    cores: CoresOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Relax the positions of a structure."""
    electrons = Electrons(charge=charge, multiplicity=multiplicity, protocol=protocol, ranks=ranks)
    task = read_task(
        "relax", file, calculator=calculator, potential=potential, electrons=electrons, sets=sets, output=output
    )
    given = {"force_tolerance_eV_per_A": max_force_eV_per_A, "max_steps": max_steps}
    task.run(
        {name: value for name, value in given.items() if value is not None},
        manner=Manner(store=store, cores=cores, fresh=fresh, quiet=quiet, as_json=as_json),
    )


def md(
    file: FileArgument,
    *,
    calculator: Annotated[str, typer.Option("--calculator", help="pod, lammps, chgnet or ase.")] = "pod",
    potential: PotentialOption = DEFAULT_POTENTIAL,
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
    task = read_task("md", file, calculator=calculator, potential=potential, sets=sets, output=output)
    given = {"temperature_K": temperature_K, "timestep_fs": timestep_fs, "production_ps": length_ps}
    if 0 < temperature_K < find_settings_model("md").model_fields["start_temperature_K"].default:
        given["start_temperature_K"] = temperature_K
    dynamics: Any = task.check({**given, "ensemble": ensemble, "barostat": barostat})
    notes = [dynamics.explain_rounding()]
    if dynamics.ensemble == "npt" and dynamics.barostat == "normal":
        notes.append(_NORMAL_BAROSTAT)
    for note in filter(None, notes):
        typer.echo(f"note: {note}", err=True)
    manner = Manner(store=store, cores=cores, fresh=fresh, quiet=quiet, as_json=as_json)
    run_with_potential(task, dynamics.recipe_settings(), seed=seed, manner=manner)


_NORMAL_BAROSTAT = (
    "npt keeps the stress along z at zero and leaves the other lengths of the cell as they are, as an interface needs "
    "it. For a bulk crystal: --barostat isotropic, or anisotropic."
)
