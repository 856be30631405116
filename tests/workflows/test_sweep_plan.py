"""The size of a sweep: the members summed, and what they have in common counted once."""

from typing import Any

import pytest

from workflows.flows import FLOWS
from workflows.plan import Piece, Plan
from workflows.sweep_axes import Axis, build_product
from workflows.sweep_plan import MemberPlan, SweepPlan

SMALL = (
    "structure.repeats=[6, 3, 1]",
    "structure.metal_thickness_A=8",
    "structure.anchor_thickness_A=2",
    "analysis.interface_width_A=2",
    "structure.cases=[control]",
    "replicas=2",
)


def build_plan(*pieces: Piece, own_hours: float = 0.0, **more: Any) -> Plan:  # noqa: ANN401 (fields of a plan)
    return Plan(
        system="",
        calculator="",
        n_atoms=10,
        n_steps=sum(piece.n_steps for piece in pieces),
        core_hours=own_hours + sum(piece.core_hours for piece in pieces),
        disk_GB=sum(piece.disk_GB for piece in pieces),
        pieces=pieces,
        **more,
    )


def count_steps(plan: MemberPlan) -> int:
    return sum(piece.n_steps for piece in plan.pieces)


def sum_plans(*plans: Plan) -> SweepPlan:
    names = [f"{number:03d}" for number in range(1, len(plans) + 1)]
    axes = (Axis("x", tuple(range(len(plans))), "--sweep"),)
    return SweepPlan(axes, dict(zip(names, build_product(axes), strict=True)), dict(zip(names, plans, strict=True)))


def plan_potassium(**values: Any) -> SweepPlan:  # noqa: ANN401 (values of any key)
    """Small runs over one key, its dots written as two underscores."""
    entry, ((key, own),) = FLOWS["potassium-diffusion"], values.items()
    name = key.replace("__", ".")
    return sum_plans(
        *(
            entry.load().plan(entry.resolve(preset="fast", sets=[*SMALL, f"{name}={value}"]).config, cores=1)
            for value in own
        )
    )


def test_what_members_share_counts_once_and_the_longer_of_two_lengths_holds_the_shorter() -> None:
    start, short, long = Piece("start", 1.0), Piece("run", 2.0, 100, 0.5), Piece("run", 6.0, 300, 1.5)
    other = Piece("other", 3.0, 150, 0.7)
    found = sum_plans(
        build_plan(start, short, own_hours=0.25), build_plan(start, long), build_plan(start, other), build_plan(short)
    )
    assert [piece.core_hours for piece in found.new.values()] == [3.25, 4.0, 3.0, 0.0]
    assert found.core_hours == 0.25 + 1.0 + 6.0 + 3.0
    assert found.shared_core_hours == pytest.approx((3.25 + 7 + 4 + 2) - 10.25, rel=1e-12)
    assert found.n_steps == 300 + 150
    assert found.disk_GB == pytest.approx(1.5 + 0.7, rel=1e-12)
    assert found.n_shared_trajectories == 1


def test_nothing_in_common_is_the_sum_in_any_order() -> None:
    plans = [build_plan(Piece(name, hours), cores=2, n_runs=2) for name, hours in (("a", 1.0), ("b", 2.0), ("c", 4.0))]
    for ordered in (plans, plans[::-1]):
        found = sum_plans(*ordered)
        assert (found.core_hours, found.shared_core_hours, found.n_shared_trajectories) == (7.0, 0.0, 0)
        assert found.expected_s == 7.0 * 3600 / 2
        assert "shared      nothing that could be told before the runs" in found.lines()


def test_a_plan_without_pieces_is_summed() -> None:
    found = sum_plans(build_plan(own_hours=2.0), build_plan(own_hours=3.0))
    assert (found.core_hours, found.shared_core_hours) == (5.0, 0.0)


def test_members_of_many_are_named_in_part() -> None:
    lines = sum_plans(*(build_plan(Piece(str(n), 1.0), warnings=(f"It is {n}.",)) for n in range(50))).lines()
    assert lines[0] == "sweep       x: 50 values"
    assert lines[1].startswith("members     50, one after the other")
    assert lines[2] == "  001  x = 0: 1 core-hours"
    assert lines[13:15] == ["  …  38 more", "  050  x = 49: 1 core-hours"]
    assert lines[-1] == "note        50 of 50 runs, here 001: It is 0."


@pytest.mark.parametrize("name", ["potassium-diffusion", "tfsi-adsorption"])
@pytest.mark.parametrize("preset", ["demo", "fast"])
def test_the_pieces_are_all_of_a_plan(name: str, preset: str) -> None:
    entry = FLOWS[name]
    plan = entry.load().plan(entry.resolve(preset=preset).config, cores=1)
    assert sum(piece.core_hours for piece in plan.pieces) == pytest.approx(plan.core_hours, rel=1e-9)
    assert len({piece.identity for piece in plan.pieces}) == len(plan.pieces)
    assert "pieces" not in plan.to_json()


def test_temperatures_share_what_comes_before_dynamics() -> None:
    found = plan_potassium(dynamics__temperature_K=[200, 250, 300])
    (plan, *_) = found.plans.values()
    before = sum(piece.core_hours for piece in plan.pieces if piece.n_steps == 0)
    assert found.shared_core_hours == pytest.approx(2 * before, rel=1e-9)
    assert found.n_steps == 3 * count_steps(plan)
    assert found.n_shared_trajectories == 0


def test_a_longer_run_holds_the_shorter() -> None:
    found = plan_potassium(dynamics__production_ps=[30, 60])
    short, long = found.plans.values()
    assert found.core_hours == pytest.approx(long.core_hours, rel=1e-9)
    assert found.n_steps == count_steps(long) > count_steps(short)
    assert found.n_shared_trajectories == 2


def test_seeds_nearer_than_the_replicas_share_trajectories_and_the_plan_says_so() -> None:
    found = plan_potassium(seed=[1, 2, 4])  # of two replicas each: 1 and 2, 2 and 3, 4 and 5
    assert found.n_shared_trajectories == 1
    assert found.warnings[0].startswith("1 trajectory belongs to several members, which are not independent")


def test_settings_of_the_analysis_change_no_calculation() -> None:
    found = plan_potassium(analysis__rdf_bin_A=[0.05, 0.1])
    assert [piece.core_hours for piece in found.new.values()][1] == pytest.approx(0.0, abs=1e-12)


def test_a_check_of_a_reaction_shares_the_energies_themselves() -> None:
    entry = FLOWS["tfsi-adsorption"]
    plans = [
        entry.load().plan(entry.resolve(preset="demo", sets=[f"checks.grid_factor={factor}"]).config, cores=1)
        for factor in (1.05, 1.1)
    ]
    found = sum_plans(*plans)
    assert 0 < found.core_hours - plans[0].core_hours < plans[1].core_hours
