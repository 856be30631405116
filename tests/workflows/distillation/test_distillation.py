"""The whole way from a cheap teacher to a card, with real workers and real fits; and that nothing is done twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from structures.errors import ConvergenceError
from workflows.configuration.potential_distillation import PRESETS, PotentialDistillationConfig
from workflows.configuration.resolve import resolve
from workflows.distillation import (
    Bench,
    build_teacher_spec,
    plan_fit,
    plan_lattice_checks,
    plan_student_sampling,
    plan_teacher_sampling,
)
from workflows.distillation_rounds import distil_potential
from workflows.jobs.calculation import Calculation
from workflows.jobs.local import LocalExecutor
from workflows.jobs.store import Finished, Store

TINY = {
    "alloy_elements": ["Bi"],
    "teacher": {
        "name": "ase",
        "overrides": {
            "factory": "ase.calculators.lj:LennardJones",
            "trust_code": True,
            "arguments": {"sigma": 2.8, "epsilon": 0.15, "rc": 5.5, "smooth": True},
        },
    },
    "teacher_sampling": {"configurations": {"mixture": 3, "potassium": 1}, "n_frames": 2, "steps_per_frame": 1},
    "student_sampling": {
        "rounds": 2,
        "configurations": {"interface": 1},
        "teacher_configurations": {"crystal": 1},
        "n_frames": 2,
        "steps_per_frame": 20,
    },
    "fit": {
        "cutoff_A": 5.5,
        "threebody_radial": 2,
        "threebody_angular": 1,
        "fourbody_radial": 0,
        "fourbody_angular": 0,
        "held_out_fraction": 0.3,
    },
    "checks": {"lattice_constants": False, "drift_ps": 0.0},
}


def tiny_config(**changes: Any) -> PotentialDistillationConfig:  # noqa: ANN401 sections of a configuration
    return PotentialDistillationConfig.model_validate({**TINY, **changes}, strict=False)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(tmp_path / "slots"))
    return Bench(store=Store(tmp_path / "store"), executor=LocalExecutor(cores=1))


def test_from_teacher_to_card_and_then_nothing_is_done_twice(bench: Bench, tmp_path: Path) -> None:
    config = tiny_config()
    potential = distil_potential(config, bench=bench, directory=tmp_path / "potential")
    assert sorted(path.name for path in potential.directory.iterdir()) == [
        "card.json",
        "card.md",
        "coefficients.pod",
        "domain.npz",
        "potential.pod",
    ]
    card = potential.card
    assert card["elements"] == ["K", "Bi"]
    assert [entry["sampled_with"] for entry in card["rounds"]] == ["teacher", "student and teacher"]
    assert [entry["n_trajectories"] for entry in card["rounds"]] == [4, 2]
    held_out = {entry["kind"]: entry for entry in card["errors"]["held_out"]}
    assert set(held_out) == {"mixture", "all"}
    assert np.isfinite(held_out["all"]["energy_rmse_meV_per_atom"])
    with np.load(potential.directory / "domain.npz", allow_pickle=False) as domain:
        assert list(domain["elements"]) == ["K", "Bi"]

    states = []
    again = Bench(bench.store, bench.executor, on_progress=lambda event: states.append(event["state"]))
    repeated = distil_potential(config, bench=again, directory=tmp_path / "again")
    assert set(states) == {"reused"}
    assert repeated.card == card
    for name in ("coefficients.pod", "domain.npz", "card.md"):
        assert (tmp_path / "again" / name).read_bytes() == (potential.directory / name).read_bytes()


def test_round_one_is_seeded_and_labelled_by_kind() -> None:
    config = tiny_config()
    planned = plan_teacher_sampling(config)
    assert [c.settings["trajectory"] for c in planned] == [
        "r1-mixture-00",
        "r1-mixture-01",
        "r1-mixture-02",
        "r1-potassium-00",
    ]
    other = plan_teacher_sampling(tiny_config(seed=2))
    assert not np.allclose(planned[0].structure.positions[:5], other[0].structure.positions[:5])


def test_close_contacts_are_only_relaxed() -> None:
    sampling = {"configurations": {"close_contact": 1, "mixture": 1}}
    contact, mixture = plan_teacher_sampling(tiny_config(teacher_sampling=sampling))
    assert (contact.settings["n_frames"], mixture.settings["n_frames"]) == (0, 12)
    assert contact.settings["relax_steps"] > 0


def test_later_rounds_see_other_cells_than_earlier_ones() -> None:
    config = tiny_config()
    second, third = (
        plan_student_sampling(config, number=number, student=build_teacher_spec(config))[0][1] for number in (2, 3)
    )
    assert (second.label, third.label) == ("student r2-interface-00", "student r3-interface-00")
    assert not np.array_equal(second.structure.positions[-3:], third.structure.positions[-3:])


def test_fit_takes_its_hyperparameters_from_the_configuration() -> None:
    config = tiny_config(fit={"cutoff_A": 5.0, "fourbody_radial": 2, "fourbody_angular": 2, "regularisation": 1e-6})
    labelled = [Finished(key="k" * 64, values={"trajectories": ["r1-a"]}, files={})]
    student, last = (plan_fit(config, labelled=labelled, number=number) for number in (1, 2))
    assert student.settings["hyperparameters"]["cutoff_A"] == config.student_sampling.fit.cutoff_A
    assert student.label == "fit, round 1"
    settings = last.settings
    assert settings["hyperparameters"]["cutoff_A"] == 5.0
    assert settings["hyperparameters"]["fourbody_radial"] == 2
    assert settings["regularisation"] == 1e-6
    assert settings["elements"] == ["K", "Bi"]


def test_lattice_constants_are_those_of_one_cell() -> None:
    config = PotentialDistillationConfig()
    checks = {check.name: check for check in plan_lattice_checks(config, spec=build_teacher_spec(config))}
    assert set(checks) == {"Bi", "Sb", "BiSnSb", "K"}
    for check in checks.values():
        structure = check.calculation.structure
        assert structure is not None
        unrelaxed = Finished(key="", values={"lengths_A": list(structure.cell.lengths())}, files={})
        constants = check.read_constants(unrelaxed)
        expected = {"Bi": (4.546, 11.862), "Sb": (4.307, 11.273), "K": (5.328,)}.get(check.name)
        if expected is not None:
            np.testing.assert_allclose(list(constants.values()), expected, rtol=1e-6)


def test_a_few_failures_end_no_distillation_and_many_do(bench: Bench) -> None:
    def sampling(number: int, *, limit: float) -> Calculation:
        planned = plan_teacher_sampling(tiny_config())[0]
        settings = {**planned.settings, "n_frames": 0, "relax_steps": 1, "max_force_eV_per_A": limit}
        return Calculation(
            planned.recipe, planned.structure, planned.calculator, {**settings, "trajectory": f"t{number}"}, seed=1
        )

    good = [sampling(number, limit=1e6) for number in range(4)]
    finished, failed = bench.run_most([*good, sampling(4, limit=1e-9)])
    assert (len(finished), len(failed)) == (4, 1)
    with pytest.raises(ConvergenceError, match=r"1 of 2 samplings succeeded, needs 80%\. The first failure"):
        bench.run_most([good[0], sampling(4, limit=1e-9)])


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_sound_and_cover_what_a_potential_must_know(preset: str) -> None:
    config = resolve(PotentialDistillationConfig, presets=PRESETS, preset=preset).config
    kinds = set(config.teacher_sampling.configurations) | set(config.student_sampling.configurations)
    assert {"alloy", "potassium", "compound", "mixture", "interface", "close_contact"} <= kinds
    if preset == "shipped":
        kinds |= set(config.student_sampling.teacher_configurations)
        assert {
            "crystal",
            "surface",
            "dislocation",
            "dislocation_potassium",
            "melt",
            "strained",
            "intercalated",
        } <= kinds
    assert config.elements == ("K", "Bi", "Sn", "Sb")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alloy_elements": ["Bi", "Bi"]}, "needs each once"),
        ({"alloy_elements": ["Fe"]}, "alloy_elements"),
        ({"fit": {"fourbody_radial": 9}}, "fourbody_radial is 9, needs at most threebody_radial"),
        ({"fit": {"inner_cutoff_A": 8.0}}, "inner_cutoff_A is 8, needs less than cutoff_A"),
        ({"teacher_sampling": {"configurations": {"aloy": 3}}}, "aloy"),
        ({"teacher_sampling": {"configurations": {"alloy": 0}}}, "is empty"),
        ({"seed": -1}, "seed"),
        ({"name": "Not a folder"}, "name"),
    ],
)
def test_wrong_configurations_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_config(**changes)
