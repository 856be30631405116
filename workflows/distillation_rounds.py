"""Stages of a distillation as plain functions: sample, fit, check, publish. Each does what the store lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structures.training import TrainingConfiguration
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.potential_distillation import PotentialDistillationConfig
from workflows.distillation import (
    Bench,
    build_student_spec,
    build_teacher_spec,
    plan_drift_check,
    plan_fit,
    plan_labelling,
    plan_lattice_checks,
    plan_student_sampling,
    plan_teacher_sampling,
)
from workflows.jobs.store import Failed, Finished
from workflows.potential_card import LatticeComparison, build_card, write_potential


@dataclass(frozen=True)
class SampledRound:
    """What a round has sampled and labelled.

    Attributes:
        number: from 1.
        sampled_with: `teacher` or `student`.
        labelled: calculations with labelled frames.
        n_failed: samplings that gave nothing.
    """

    number: int
    sampled_with: str
    labelled: tuple[Finished, ...]
    n_failed: int

    def to_json(self) -> dict[str, Any]:
        """Counts for the card."""
        totals = {
            name: sum(int(result.values[name]) for result in self.labelled)
            for name in ("n_frames", "n_left_out", "n_evaluations")
        }
        return {
            "round": self.number,
            "sampled_with": self.sampled_with,
            "n_trajectories": sum(len(result.values["trajectories"]) for result in self.labelled),
            **totals,
            "n_failed": self.n_failed,
        }


@dataclass(frozen=True)
class PotentialChecks:
    """How the finished potential compares with its teacher."""

    lattices: tuple[LatticeComparison, ...]
    drift: dict[str, Any] | None
    keys: dict[str, str]


@dataclass(frozen=True)
class DistilledPotential:
    """A finished potential.

    Attributes:
        directory: its files and its card.
        card: as written.
        keys: label → key of the calculations it comes from.
    """

    directory: Path
    card: dict[str, Any]
    keys: dict[str, str]


def sample_with_teacher(config: PotentialDistillationConfig, bench: Bench) -> SampledRound:
    """Round 1: the teacher relaxes and moves small cells of every kind."""
    finished, failed = bench.run_most(plan_teacher_sampling(config))
    return SampledRound(1, "teacher", tuple(result for _, result in finished), len(failed))


def sample_with_student(
    config: PotentialDistillationConfig, bench: Bench, *, number: int, student: CalculatorSpec
) -> SampledRound:
    """A later round: the potential moves larger cells for longer, the teacher labels the frames and adds some."""
    planned = plan_student_sampling(config, number=number, student=student)
    configurations: dict[str, TrainingConfiguration] = {
        calculation.label: configuration for configuration, calculation in planned
    }
    sampled, broken = bench.run_most([calculation for _, calculation in planned])
    pairs = [(configurations[calculation.label], result) for calculation, result in sampled]
    labelled, unlabelled = bench.run_most(plan_labelling(config, sampled=pairs))
    added, failed = bench.run_most(plan_teacher_sampling(config, number=number))
    results = tuple(result for _, result in (*labelled, *added))
    return SampledRound(
        number, "student and teacher" if added else "student", results, len(broken) + len(unlabelled) + len(failed)
    )


def fit_potential(config: PotentialDistillationConfig, bench: Bench, *, rounds: Sequence[SampledRound]) -> Finished:
    """Fit to everything that is labelled so far."""
    labelled = [result for sampled in rounds for result in sampled.labelled]
    return bench.run([plan_fit(config, labelled=labelled, number=len(rounds))])[0]


def check_potential(config: PotentialDistillationConfig, bench: Bench, *, student: CalculatorSpec) -> PotentialChecks:
    """Lattice constants by teacher and potential, energy drift of the potential."""
    keys: dict[str, str] = {}
    lattices: list[LatticeComparison] = []
    if config.checks.lattice_constants:
        by_teacher = plan_lattice_checks(config, spec=build_teacher_spec(config))
        by_student = plan_lattice_checks(config, spec=student)
        planned = [*by_teacher, *by_student]
        results = bench.run_each([check.calculation for check in planned])
        keys |= {check.calculation.label: result.key for check, result in zip(planned, results, strict=True)}
        found = [
            check.read_constants(result) if isinstance(result, Finished) else None
            for check, result in zip(planned, results, strict=True)
        ]
        pairs = zip(by_teacher, found[: len(by_teacher)], found[len(by_teacher) :], strict=True)
        lattices = [LatticeComparison(check.name, teacher, potential) for check, teacher, potential in pairs]
    if config.checks.drift_ps == 0:
        return PotentialChecks(tuple(lattices), None, keys)
    calculation = plan_drift_check(config, student=student)
    (result,) = bench.run_each([calculation])
    keys[calculation.label] = result.key
    drift: dict[str, Any] = {
        "timestep_fs": config.checks.drift_timestep_fs,
        "temperature_K": config.checks.drift_temperature_K,
        "n_atoms": len(calculation.structure or ()),
        "failure": result.reason if isinstance(result, Failed) else None,
    }
    if isinstance(result, Finished):
        drift["drift_meV_per_atom_per_ps"] = 1000 * float(result.values["drift_eV_per_atom_per_ps"])
        drift["time_ps"] = result.values["production_ps"]
    return PotentialChecks(tuple(lattices), drift, keys)


def publish_potential(
    config: PotentialDistillationConfig,
    *,
    rounds: Sequence[SampledRound],
    fit: Finished,
    checks: PotentialChecks,
    directory: Path,
) -> DistilledPotential:
    """Write the potential's folder with its card."""
    versions: dict[str, str] = {}
    for result in (*(result for sampled in rounds for result in sampled.labelled), fit):
        versions |= result.versions or {}
    card = build_card(
        config=config.model_dump(mode="json"),
        fit_values=fit.values,
        rounds=[sampled.to_json() for sampled in rounds],
        versions=versions,
        lattices=checks.lattices,
        drift=checks.drift,
    )
    written = write_potential(directory, fit.files, card)
    keys = {
        f"labelled {result.values['trajectories'][0]}": result.key for sampled in rounds for result in sampled.labelled
    }
    return DistilledPotential(directory, written, {**keys, "fit": fit.key, **checks.keys})


def distil_potential(config: PotentialDistillationConfig, *, bench: Bench, directory: Path) -> DistilledPotential:
    """The whole way from teacher to card, without Prefect.

    Args:
        config: what to make.
        bench: store and workers.
        directory: where the potential is written.
    """
    rounds = [sample_with_teacher(config, bench)]
    fit = fit_potential(config, bench, rounds=rounds)
    for number in range(2, config.student_sampling.rounds + 1):
        student = build_student_spec(fit, store=bench.store)
        rounds.append(sample_with_student(config, bench, number=number, student=student))
        fit = fit_potential(config, bench, rounds=rounds)
    checks = check_potential(config, bench, student=build_student_spec(fit, store=bench.store))
    return publish_potential(config, rounds=rounds, fit=fit, checks=checks, directory=directory)
