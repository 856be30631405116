"""A fast potential that imitates a slow teacher: sample, label, fit, let the student sample, fit again, check, publish.

Read the flow from top to bottom: it is the method section.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import flow as prefect_flow
from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from analysis.results import Provenance, Reference, Results, ResultWarning, write_results
from workflows.calculators.registry import check_calculator
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import AS_TEACHER
from workflows.configuration.potential_distillation import PotentialDistillationConfig
from workflows.distillation import (
    Bench,
    build_student_spec,
    build_teacher_spec,
    plan_student_sampling,
    plan_teacher_sampling,
)
from workflows.distillation_rounds import (
    DistilledPotential,
    check_potential,
    fit_potential,
    publish_potential,
    sample_with_student,
    sample_with_teacher,
)
from workflows.execution import choose_executor
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_key
from workflows.jobs.local import count_usable_cores
from workflows.jobs.store import Store
from workflows.plan import Piece, Plan
from workflows.potential_card import DESCRIPTOR_REFERENCE, NOT_VERIFIED, TEACHERS, format_card
from workflows.preflight import check_resources
from workflows.progress import report

POTENTIAL_DIRECTORY = "potential"
# On one core: an evaluation of the teacher, a step of the student, the share of a fit and its evaluation; in s an atom.
TEACHER_S, STUDENT_S, FIT_S = 0.9e-3, 2.0e-5, 2.0e-3
# Start of a worker with the teacher, and without it, in s.
TEACHER_START_S, START_S = 6.0, 2.0
_BYTES_PER_ATOM_AND_FRAME = 120.0


P = ParamSpec("P")
R = TypeVar("R")


def as_task(function: Callable[P, R], *, name: str) -> Callable[P, R]:
    """A stage that Prefect displays; the store decides what is computed."""
    return task(name=name, retries=0, persist_result=False, cache_policy=NO_CACHE)(function)


@prefect_flow(name="potential-distillation", retries=0, persist_result=False, validate_parameters=False)
def potential_distillation(
    config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = ""
) -> str:
    """Distil a potential: the teacher samples, the student imitates, samples what it meets by itself, and is corrected.

    Args:
        config: as a PotentialDistillationConfig dumps it.
        workdir: the run's directory; the potential and its card go to `potential/` in it.
        store: where calculations are and stay.
        cores: cores that may be busy at a time; None as configured.
        salt: sets a recomputation apart from equal runs.

    Returns:
        Path of the card.
    """
    resolved = PotentialDistillationConfig.model_validate(config, strict=False)
    check_teacher(resolved)
    bench = open_bench(resolved, store=store, cores=cores, salt=salt)
    rounds = [as_task(sample_with_teacher, name="sample with the teacher")(resolved, bench)]
    fit = as_task(fit_potential, name="fit, round 1")(resolved, bench, rounds=rounds)
    for number in range(2, resolved.student_sampling.rounds + 1):
        student = build_student_spec(fit, store=bench.store)
        sampled = as_task(sample_with_student, name=f"sample with the student, round {number}")(
            resolved, bench, number=number, student=student
        )
        rounds.append(sampled)
        fit = as_task(fit_potential, name=f"fit, round {number}")(resolved, bench, rounds=rounds)
    student = build_student_spec(fit, store=bench.store)
    checks = as_task(check_potential, name="check")(resolved, bench, student=student)
    potential = as_task(publish_potential, name="publish")(
        resolved, rounds=rounds, fit=fit, checks=checks, directory=Path(workdir) / POTENTIAL_DIRECTORY
    )
    write_results(build_results(resolved, potential), directory=Path(workdir))
    create_markdown_artifact(format_card(potential.card), key="potential-distillation")
    return str(potential.directory / "card.md")


flow = potential_distillation


def open_bench(config: PotentialDistillationConfig, *, store: str, cores: int | None = None, salt: str = "") -> Bench:
    """Store and workers of a run."""
    executor = choose_executor(config.resources, store=Path(store).absolute(), cores=cores)
    return Bench(store=Store(Path(store)), executor=executor, on_progress=report, salt=salt)


def check_teacher(config: PotentialDistillationConfig) -> None:
    """Find out before anything starts whether the teacher is here, allowed to run and knows the elements.

    Raises:
        InputError: if it is not.
    """
    check_calculator(build_teacher_spec(config), elements=config.elements, blob_path=Path, wording=AS_TEACHER)


def plan(config: PotentialDistillationConfig, *, cores: int | None = None) -> Plan:
    """Build every configuration, check the teacher, and say how large the run is; starts nothing.

    Raises:
        InputError: if the teacher is not there, or a calculation could never run within the cores and the memory.
    """
    check_teacher(config)
    rounds = config.student_sampling.rounds
    taught = [c for number in range(1, rounds + 1) for c in plan_teacher_sampling(config, number=number)]
    check_resources(
        [*taught, Calculation("label_frames"), Calculation("potential_fit")],
        resources=config.resources,
        cores=cores,
    )
    evaluations = [
        len(c.structure or ())
        * (c.settings["relax_steps"] + c.settings["n_frames"] * c.settings["steps_per_frame"] + 1)
        for c in taught
    ]
    sampling = config.student_sampling
    sampled = [
        configuration
        for number in range(2, sampling.rounds + 1)
        for configuration, _ in plan_student_sampling(config, number=number, student=CalculatorSpec("pod"))
    ]
    n_atoms = [len(configuration.atoms) for configuration in sampled]
    student_steps = sampling.n_frames * sampling.steps_per_frame
    frame_atoms = (
        sum(len(c.structure or ()) * c.settings["n_frames"] for c in taught) + sum(n_atoms) * sampling.n_frames
    )
    seconds = (
        TEACHER_S * (sum(evaluations) + sum(n_atoms) * sampling.n_frames)
        + STUDENT_S * sum(n_atoms) * student_steps
        + FIT_S * frame_atoms * sampling.rounds
        + TEACHER_START_S * len(taught)
        + START_S * len(sampled)
    )
    return Plan(
        system=f"{'-'.join(config.elements)}: {len(taught)} cells by the teacher, {len(sampled)} by the student, "
        f"{sampling.rounds} rounds",
        calculator=f"teacher {config.teacher.name}; {NOT_VERIFIED}",
        n_atoms=max([len(c.structure or ()) for c in taught] + n_atoms),
        n_runs=len(taught) + len(sampled),
        n_steps=sum(c.settings["n_frames"] * c.settings["steps_per_frame"] for c in taught)
        + len(sampled) * student_steps,
        core_hours=seconds / 3600,
        disk_GB=2 * frame_atoms * _BYTES_PER_ATOM_AND_FRAME / 1e9,
        cores=cores or config.resources.cores or count_usable_cores(),
        pieces=tuple(
            Piece(compute_key(c), (TEACHER_S * n_evaluations + TEACHER_START_S) / 3600)
            for c, n_evaluations in zip(taught, evaluations, strict=True)
        ),
    )


def build_results(config: PotentialDistillationConfig, potential: DistilledPotential) -> Results:
    """The results of a run, for `results.json`."""
    card = potential.card
    return Results(
        flow="potential-distillation",
        status="completed",
        config=config.model_dump(mode="json"),
        system={"elements": list(config.elements), "potential": str(potential.directory)},
        observables={"answer": write_sentence(card), "card": card},
        warnings=tuple(write_warnings(card)),
        references=tuple(
            Reference(text=entry["reference"], doi=entry["doi"])
            for entry in (DESCRIPTOR_REFERENCE, TEACHERS.get(config.teacher.name))
            if entry is not None
        ),
        provenance=Provenance(
            versions=card["versions"], checksums=card["sha256"], seeds={"all": config.seed}, keys=potential.keys
        ),
    )


def write_sentence(card: Mapping[str, Any]) -> str:
    """The answer: how well the potential imitates its teacher."""
    overall = next((entry for entry in card["errors"]["held_out"] if entry["kind"] == "all"), None)
    if overall is None:
        return f"The potential {card['name']} is fitted; nothing was held out, so its error is not known."
    relative = overall["relative_force_error"]
    return (
        f"The potential {card['name']} imitates its teacher to {overall['energy_rmse_meV_per_atom']:.1f} meV/atom and "
        f"{overall['force_rmse_eV_per_A']:.3f} eV/Å"
        + ("" if relative is None else f" ({relative:.0%} of the RMS force)")
        + f" on {overall['n_trajectories']} held-out trajectories."
    )


def write_warnings(card: Mapping[str, Any]) -> list[ResultWarning]:
    """What to know before the potential is used."""
    warnings = [ResultWarning("amber", f"{NOT_VERIFIED[0].upper()}{NOT_VERIFIED[1:]}.")]
    for entry in card["errors"]["held_out"]:
        missed = [name for name in ("energy", "force") if not entry[f"{name}_aim_met"]]
        if missed and entry["kind"] != "all":
            warnings.append(
                ResultWarning("amber", f"{entry['kind']}: the aim for the {' and the '.join(missed)} error is missed.")
            )
    return warnings
