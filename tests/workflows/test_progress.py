"""How a run gets on, in words."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from workflows import progress
from workflows.plan import Plan, show_duration
from workflows.progress import Lines, Tally, choose_mode, describe, listen, report, show_progress

RUNNING = {"key": "a" * 64, "label": "control, seed 1", "state": "running", "stage": "produce"}


def plain() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, highlight=False, soft_wrap=True, width=200), stream


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (9000, "2.5 h"), (259200, "3.0 days")],
)
def test_times_are_said_as_people_do(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


def test_an_event_is_one_line() -> None:
    event = {**RUNNING, "step": 500, "steps": 1000, "ns_per_day": 12.345, "steps_per_s": 50.0}
    assert describe(Tally().add(event)) == "produce, step 500 of 1000, 12.3 ns/day, 10 s left"


def test_nobody_needs_to_listen() -> None:
    report(RUNNING)


def test_listeners_stop_listening() -> None:
    heard: list[object] = []
    with listen(heard.append):
        report(RUNNING)
    report(RUNNING)
    assert heard == [RUNNING]


@pytest.mark.parametrize(
    ("seconds", "count"),
    [(0.01, 2), (0.5, 7), (5.0, 12), (90.0, 102)],
    ids=["first and last", "one in 10 s", "one a tenth and stage", "one a minute"],
)
def test_plain_lines_tell_news_only(seconds: float, count: int) -> None:
    console, stream = plain()
    times_s = iter(seconds * n for n in range(1000))
    lines = Lines(console, clock=lambda: next(times_s))
    lines.show({**RUNNING, "state": "new"})
    for step in range(0, 1001, 10):
        lines.show({**RUNNING, "stage": "heat" if step < 50 else "produce", "step": step, "steps": 1000})
    lines.show({**RUNNING, "state": "done"})
    printed = stream.getvalue().splitlines()
    assert printed[0] == "control, seed 1: running, heat, step 0 of 1000"
    assert printed[-1] == "control, seed 1: done"
    assert len(printed) == count


def test_the_live_display_leaves_a_line_for_each_calculation_that_ended() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with show_progress(console, mode="live"):
        report({**RUNNING, "step": 1, "steps": 10})
        report({**RUNNING, "label": "[bold]odd[/]", "key": "b", "state": "reused"})
        report({**RUNNING, "state": "done"})
        report({**RUNNING, "state": "done"})
    assert stream.getvalue().count("control, seed 1: done") == 1
    assert "[bold]odd[/]: reused" in stream.getvalue()


@pytest.mark.parametrize("mode", ["live", "lines"])
@pytest.mark.parametrize("state", ["unknown", "waiting"])
def test_what_is_waited_for_is_told_once(mode: progress.Mode, state: str) -> None:
    console, stream = plain()
    with show_progress(console, mode=mode):
        for seconds in range(3):
            report({**RUNNING, "state": state, "reason": f"for a worker elsewhere ({seconds} s)"})
    assert stream.getvalue().count(f"control, seed 1: {state}, for a worker elsewhere (0 s)") == 1
    assert "(1 s)" not in stream.getvalue()


@pytest.mark.parametrize("mode", ["live", "lines"])
def test_a_hint_is_told_once_for_all_calculations(mode: progress.Mode) -> None:
    console, stream = plain()
    with show_progress(console, mode=mode):
        for key in ("a", "b"):
            for hint in ("Others compute.", ""):
                report({**RUNNING, "key": key, "state": "waiting", "reason": "for free cores", "hint": hint})
    assert stream.getvalue().count("waiting, for free cores") == 2
    assert stream.getvalue().splitlines()[1] == "Others compute."
    assert stream.getvalue().count("Others compute.") == 1


def test_quiet_is_silent() -> None:
    console, stream = plain()
    with show_progress(console, mode="none"):
        report(RUNNING)
    assert stream.getvalue() == ""


def test_the_mode_follows_the_terminal() -> None:
    assert choose_mode(plain()[0], quiet=False) == "lines"
    assert choose_mode(plain()[0], quiet=True) == "none"
    assert choose_mode(Console(file=io.StringIO(), force_terminal=True), quiet=False) == "live"


def test_committed_segments_are_counted_over_all_calculations() -> None:
    tally = Tally()
    tally.add({"key": "a", "state": "done", "segment": 3, "step": 4000, "steps": 4000})
    tally.add({"key": "b", "state": "running", "segment": 2, "step": 2500, "steps": 4000})
    tally.add({"key": "c", "state": "running", "stage": "relax", "step": 5, "steps": 400})
    assert tally.n_segments_committed(segment_steps=1000) == 6


def test_a_failure_inside_does_not_leave_a_listener() -> None:
    console, _ = plain()
    with pytest.raises(RuntimeError, match="x"), show_progress(console, mode="lines"):
        raise RuntimeError("x")
    assert progress._LISTENERS == []


def test_a_plan_is_a_few_lines() -> None:
    plan = Plan("M-BiSnSb", "pod", n_atoms=1000, n_steps=20000, core_hours=1.0, disk_GB=0.1, n_runs=2, cores=2)
    assert plan.expected_s == pytest.approx(1800, rel=1e-12)
    assert plan.lines()[2:] == [
        "dynamics    2 runs of 10000 steps",
        "calculator  pod",
        "expected    30 min on 2 cores (1 core-hours), 0.1 GB of disk",
    ]
    assert plan.to_json()["expected_s"] == 1800
    counted = replace(plan, counted="relaxations included")
    assert counted.lines()[4].startswith("expected    30 min on 2 cores (1 core-hours; relaxations included), ")


def test_more_cores_than_runs_do_not_shorten_a_plan() -> None:
    plan = Plan("x", "pod", n_atoms=1, n_steps=1, core_hours=1.0, disk_GB=0.1, n_runs=1, cores=8)
    assert plan.expected_s == pytest.approx(3600, rel=1e-12)
