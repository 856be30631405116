"""The calculations of a distillation, round by round; knows no Prefect, so it can be used from a notebook."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from structures.alloy import build_alloy, resolve_alloy
from structures.errors import ConvergenceError
from structures.metal import build_potassium
from structures.training import TrainingConfiguration, build_training_set
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import AS_TEACHER
from workflows.configuration.potential_distillation import PotentialDistillationConfig
from workflows.drive import run_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.executor import Executor
from workflows.jobs.local import LocalExecutor
from workflows.jobs.store import Failed, Finished, Store
from workflows.recipes.pod_files import PodHyperparameters

SMALLEST_SHARE = 0.8  # of the samplings of a round that must succeed
_STUDENT_SIZE = 2
_ROUND_SEED_STRIDE, _TEACHER_SEED_OFFSET = 1000, 500
_SEGMENT_STEPS = 1000
_LABEL_BATCH = 8  # the teacher takes seconds to load
_ALLOY_REPEATS = (3, 3, 1)
_ELEMENT_REPEATS = (2, 2, 1)
_POTASSIUM_REPEATS = (3, 3, 3)

Progress = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Bench:
    """Where calculations are done.

    Attributes:
        store: holds them.
        executor: starts workers.
        on_progress: hears of every move.
        salt: sets a recomputation apart from equal runs.
    """

    store: Store
    executor: Executor = field(default_factory=LocalExecutor)
    on_progress: Progress = lambda _: None
    salt: str = ""

    def run(self, calculations: Sequence[Calculation]) -> list[Finished]:
        """Results of all; a failure ends the run."""
        calculations = [replace(calculation, salt=self.salt) for calculation in calculations]
        return run_calculations(calculations, store=self.store, executor=self.executor, on_progress=self.on_progress)

    def run_each(self, calculations: Sequence[Calculation]) -> list[Finished | Failed]:
        """Results of all, failures of the science among them: of each what the store holds in the end."""
        with contextlib.suppress(ConvergenceError):
            self.run(calculations)
        results = (self.store.result(self.store.create(replace(c, salt=self.salt))) for c in calculations)
        return [result for result in results if result is not None]

    def run_most(self, calculations: Sequence[Calculation]) -> tuple[list[tuple[Calculation, Finished]], list[Failed]]:
        """Results of those that succeed: a cell that falls apart must not end a distillation.

        Raises:
            ConvergenceError: if fewer than 80 % do.
        """
        results = self.run_each(calculations)
        pairs = zip(calculations, results, strict=True)
        finished = [(calculation, result) for calculation, result in pairs if isinstance(result, Finished)]
        failed = [result for result in results if isinstance(result, Failed)]
        if len(finished) < SMALLEST_SHARE * len(calculations):
            raise ConvergenceError(
                f"{len(finished)} of {len(calculations)} samplings succeeded, needs {SMALLEST_SHARE:.0%}. The first "
                f"failure: {failed[0].reason}"
            )
        return finished, failed


def build_teacher_spec(config: PotentialDistillationConfig) -> CalculatorSpec:
    """The teacher as a calculator; it has no files.

    Raises:
        InputError: if it is another calculator than the configuration may name, or a setting is wrong.
        SetupError: if its code is not here.
    """
    teacher = config.teacher
    return build_calculator_spec(teacher.name, add_blob=str, overrides=teacher.overrides, wording=AS_TEACHER)


def build_student_spec(fit: Finished, *, store: Store) -> CalculatorSpec:
    """The potential of a fit as a calculator; its files go into the store."""
    roles = ("descriptor", "coefficients", "domain")
    return CalculatorSpec("pod", models={role: store.add_blob(fit.files[role]) for role in roles})


def plan_teacher_sampling(config: PotentialDistillationConfig, *, number: int = 1) -> list[Calculation]:
    """Short dynamics of small cells with the teacher: all of round 1, and what it adds to a later round."""
    sampling = config.teacher_sampling
    is_first = number == 1
    counts = sampling.configurations if is_first else config.student_sampling.teacher_configurations
    configurations = build_training_set(
        {str(kind): count for kind, count in counts.items()},
        seed=config.seed if is_first else config.seed + _ROUND_SEED_STRIDE * number + _TEACHER_SEED_OFFSET,
        elements=config.alloy_elements,
        prefix="r1-" if is_first else f"r{number}-teacher-",
    )
    teacher = build_teacher_spec(config)
    return [
        Calculation(
            recipe="teacher_sampling",
            structure=configuration.atoms,
            calculator=teacher,
            settings={
                "kind": configuration.kind,
                "trajectory": configuration.name,
                "relax_steps": configuration.relax_steps,
                "n_frames": sampling.n_frames if configuration.dynamics else 0,
                "steps_per_frame": sampling.steps_per_frame,
                "timestep_fs": sampling.timestep_fs,
                "start_temperature_K": configuration.temperatures_K[0],
                "end_temperature_K": configuration.temperatures_K[1],
                "max_force_eV_per_A": config.fit.max_force_eV_per_A,
            },
            seed=config.seed,
            label=f"teacher {configuration.name}",
        )
        for configuration in configurations
    ]


def plan_student_sampling(
    config: PotentialDistillationConfig, *, number: int, student: CalculatorSpec
) -> list[tuple[TrainingConfiguration, Calculation]]:
    """A later round: longer dynamics of larger cells with the potential of the round before."""
    sampling = config.student_sampling
    configurations = build_training_set(
        {str(kind): count for kind, count in sampling.configurations.items()},
        seed=config.seed + _ROUND_SEED_STRIDE * number,
        elements=config.alloy_elements,
        size=_STUDENT_SIZE,
        prefix=f"r{number}-",
    )
    return [
        (
            configuration,
            Calculation(
                recipe="student_sampling",
                structure=configuration.atoms,
                calculator=student,
                settings={
                    "n_frames": sampling.n_frames,
                    "steps_per_frame": sampling.steps_per_frame,
                    "timestep_fs": sampling.timestep_fs,
                    "start_temperature_K": configuration.temperatures_K[0],
                    "end_temperature_K": configuration.temperatures_K[1],
                    "free_cell": configuration.free_cell,
                },
                seed=config.seed,
                label=f"student {configuration.name}",
            ),
        )
        for configuration in configurations
    ]


def plan_labelling(
    config: PotentialDistillationConfig, *, sampled: Sequence[tuple[TrainingConfiguration, Finished]]
) -> list[Calculation]:
    """The teacher's energies and forces for the student's frames."""
    batches = [sampled[start : start + _LABEL_BATCH] for start in range(0, len(sampled), _LABEL_BATCH)]
    teacher = build_teacher_spec(config)
    return [
        Calculation(
            recipe="label_frames",
            calculator=teacher,
            settings={
                "kinds": {configuration.name: configuration.kind for configuration, _ in batch},
                "max_force_eV_per_A": config.fit.max_force_eV_per_A,
            },
            inputs={configuration.name: result.key for configuration, result in batch},
            label=f"label {batch[0][0].name} to {batch[-1][0].name}",
        )
        for batch in batches
    ]


def plan_fit(config: PotentialDistillationConfig, *, labelled: Sequence[Finished], number: int) -> Calculation:
    """The fit to everything that is labelled: a student that samples, or in the last round the potential itself."""
    fit = config.fit if number == config.student_sampling.rounds else config.student_sampling.fit
    sizes = PodHyperparameters.model_fields
    return Calculation(
        recipe="potential_fit",
        settings={
            "elements": list(config.elements),
            "hyperparameters": {name: getattr(fit, name) for name in sizes},
            "energy_weight": fit.energy_weight,
            "force_weight": fit.force_weight,
            "kind_weights": {kind: list(weights) for kind, weights in fit.kind_weights.items()},
            "regularisation": fit.regularisation,
            "held_out_fraction": fit.held_out_fraction,
        },
        seed=config.seed,
        inputs={str(result.values["trajectories"][0]): result.key for result in labelled},
        label=f"fit, round {number}",
    )


@dataclass(frozen=True)
class LatticeCheck:
    """A crystal that is relaxed with both, and how its cell relates to the lattice constants.

    Attributes:
        name: of the crystal.
        calculation: with the teacher or the potential.
        repeats: cells along a and c.
        cubic: whether there is a lattice constant c beside a.
    """

    name: str
    calculation: Calculation
    repeats: tuple[int, int]
    cubic: bool = False

    def read_constants(self, result: Finished) -> dict[str, float]:
        """Lattice constants in Å."""
        lengths = result.values["lengths_A"]
        a_A = float(np.mean(lengths[:3] if self.cubic else lengths[:2])) / self.repeats[0]
        return {"a_A": a_A} if self.cubic else {"a_A": a_A, "c_A": float(lengths[2]) / self.repeats[1]}


def plan_lattice_checks(config: PotentialDistillationConfig, *, spec: CalculatorSpec) -> list[LatticeCheck]:
    """Crystals of potassium, of those elements that are A7 by nature, and of the alloy of equal shares."""
    who = "potential" if spec.name == "pod" else "teacher"
    checks = []
    records = [resolve_alloy(element) for element in config.alloy_elements if element in ("Bi", "Sb")]
    for record in records:
        atoms = build_alloy(record, repeats=_ELEMENT_REPEATS, seed=config.seed)
        checks.append((record.name, atoms, (_ELEMENT_REPEATS[0], _ELEMENT_REPEATS[2]), False))
    if len(config.alloy_elements) > 1:
        record = resolve_alloy(dict.fromkeys(config.alloy_elements, 1.0))
        atoms = build_alloy(record, repeats=_ALLOY_REPEATS, seed=config.seed)
        checks.append(("".join(config.alloy_elements), atoms, (_ALLOY_REPEATS[0], _ALLOY_REPEATS[2]), False))
    potassium = build_potassium(repeats=_POTASSIUM_REPEATS)
    checks.append(("K", potassium, (_POTASSIUM_REPEATS[0], _POTASSIUM_REPEATS[2]), True))
    return [
        LatticeCheck(
            name=name,
            calculation=Calculation(
                recipe="cell_relaxation",
                structure=atoms,
                calculator=spec,
                settings={"isotropic": cubic},
                label=f"lattice of {name}, {who}",
            ),
            repeats=repeats,
            cubic=cubic,
        )
        for name, atoms, repeats, cubic in checks
    ]


def plan_drift_check(config: PotentialDistillationConfig, *, student: CalculatorSpec) -> Calculation:
    """Dynamics at constant energy of potassium reacting with the alloy."""
    checks = config.checks
    interface = build_training_set(
        {"interface": 1}, seed=config.seed, elements=config.alloy_elements, size=_STUDENT_SIZE
    )[0]
    steps = round(checks.drift_ps * 1000 / checks.drift_timestep_fs)
    return Calculation(
        recipe="molecular_dynamics",
        structure=interface.atoms.repeat((2, 1, 1)),
        calculator=student,
        settings={
            "timestep_fs": checks.drift_timestep_fs,
            "temperature_K": checks.drift_temperature_K,
            "heat_steps": _SEGMENT_STEPS,
            "equilibrate_steps": _SEGMENT_STEPS,
            "production_steps": -(-steps // _SEGMENT_STEPS) * _SEGMENT_STEPS,
            "segment_steps": _SEGMENT_STEPS,
            "ensemble": "nve",
        },
        seed=config.seed,
        label="energy drift",
    )
