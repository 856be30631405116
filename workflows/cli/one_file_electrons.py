"""Energies and relaxations of one structure file by a calculator with electrons."""

from collections.abc import Iterator

import typer
from pydantic import BaseModel, Field

from structures.errors import InputError
from workflows.calculators.electronic import ELECTRONIC_METHODS
from workflows.calculators.wording import IN_ONE_FILE_COMMANDS
from workflows.cli.electronic_plan import Plan, build_plan
from workflows.cli.one_file_task import Manner, Task, choose_salt, compute, print_finished
from workflows.cli.options import find_store
from workflows.configuration.sections import ConfigModel, Positive
from workflows.flow_run import read_structure_of
from workflows.jobs.calculation import Calculation
from workflows.jobs.local import build_executor
from workflows.jobs.registry import find_recipe
from workflows.jobs.store import Store

RUNS_HERE = tuple(name for name, method in ELECTRONIC_METHODS.items() if not method.writes_inputs_only)
_FOR_PROGRAMS = ("method", "analyses", "is_continued", "n_scf")
_OF_RELAXATION = ("n_steps", "is_relaxed", "largest_force_eV_per_A", "net_force_eV_per_A")
_MB_PER_GB = 1e3


class OneFileEnergy(ConfigModel):
    """What may be set for a single point with electrons."""

    vacuum_A: Positive = Field(
        default=5.0,
        ge=1,
        le=30,
        description="gpaw and cp2k: smallest distance of an atom to a wall of a molecule's box",
    )


class OneFileRelaxation(OneFileEnergy):
    """What may be set for a relaxation with electrons."""

    force_tolerance_eV_per_A: Positive = Field(
        default=0.05, le=1, description="largest force at the end, as --max-force"
    )
    max_steps: int = Field(default=200, gt=0, le=10_000, description="steps at most, as --max-steps")


SETTINGS: dict[str, type[BaseModel]] = {"single-point": OneFileEnergy, "relax": OneFileRelaxation}


def run_with_electrons(task: Task, settings: BaseModel, *, manner: Manner) -> None:
    """Check everything, compute it or take it from the store, and print what was found."""
    place = find_store(manner.store)
    Store.check_place(place)
    given = settings.model_dump()
    plan = build_plan(task, vacuum_A=given.pop("vacuum_A"), settings=given, salt=choose_salt(manner))
    relaxation, energy = plan.build_relaxation(), plan.build_energy(plan.species.atoms)
    check_resources(relaxation or energy, cores=manner.cores)
    for note in list_notes(plan):
        typer.echo(f"note: {note}", err=True)
    store = Store(place)
    finished = relaxed = None
    if relaxation is not None:
        finished = relaxed = compute(relaxation, store=store, manner=manner)
        energy = plan.build_energy(read_structure_of(relaxed, file="structure"))
    if finished is None or plan.changes:
        finished = compute(energy, store=store, manner=manner)
    values = {"charge": plan.species.charge, "multiplicity": plan.species.multiplicity, **finished.values}
    further = {}
    if relaxed is not None:
        values |= {name: relaxed.values[name] for name in _OF_RELAXATION if name in relaxed.values}
        further["relaxation"] = {"key": relaxed.key, "values": dict(relaxed.values), "reused": relaxed.reused}
    hidden = _FOR_PROGRAMS if relaxed is not None else (*_FOR_PROGRAMS, "n_steps")
    shown = {name: value for name, value in values.items() if name not in hidden and value not in (None, "")}
    print_finished(finished, values=values, output=task.output, manner=manner, shown=shown, further=further)


def list_notes(plan: Plan) -> Iterator[str]:
    """What is decided here and is not as the user wrote it."""
    settings = plan.spec.overrides
    if plan.settings and plan.build_relaxation() is None:
        yield "one atom has nothing to relax, its energy is computed."
    elif plan.settings and plan.changes:
        yield (
            f"the molecule is relaxed in plane waves ({settings['cutoff_eV']:g} eV, periodic), which give better "
            f"forces, and gets its energy on the grid ({settings['spacing_A']:g} Å, open boundaries)."
        )
    elif plan.changes:
        yield "forces on a real-space grid, which does not move with the atoms, are rough; relax takes plane waves."
    if not plan.is_molecule:
        k_points = " x ".join(str(number) for number in settings["k_points"])
        spins = "paired" if plan.species.multiplicity == 1 else f"of multiplicity {plan.species.multiplicity}"
        yield (
            f"{k_points} k-points, smearing {settings['smearing_eV']:g} eV, spins {spins}. Otherwise, e.g. "
            f"{IN_ONE_FILE_COMMANDS.set('k_points', '[4, 4, 4]')} {IN_ONE_FILE_COMMANDS.set('smearing_eV', '0.05')}"
            " --multiplicity 3"
        )


def check_resources(calculation: Calculation, *, cores: int | None) -> None:
    """Check that this machine has the cores and the memory.

    Raises:
        InputError: names what is needed and what is there.
    """
    executor = build_executor(cores=cores)
    ranks = calculation.ranks * calculation.threads
    if ranks > executor.cores:
        raise InputError(f"--ranks is {ranks}, needs 1 to {executor.cores}, the cores that this command may use.")
    needed_MB = find_recipe(calculation.recipe).memory_MB(calculation)
    if needed_MB > executor.memory_MB:
        raise InputError(
            f"{calculation.label} needs about {needed_MB / _MB_PER_GB:.1f} GB of memory, "
            f"{executor.memory_MB / _MB_PER_GB:.1f} GB are free here. Take a smaller cell, for a molecule a smaller "
            "box (--set vacuum_A=4), or wait until other programs end."
        )
