"""Red, amber and green mean what they say."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from analysis.report.trust import compute_trust
from analysis.results import Results, ResultWarning


@pytest.fixture
def clean(make_results: Callable[..., Results]) -> Results:
    return replace(make_results(), warnings=())


def change_case(results: Results, name: str, **changes: Any) -> Results:  # noqa: ANN401 - any part of a case
    cases = results.observables["cases"]
    cases = cases | {name: cases[name] | changes}
    return replace(results, observables=results.observables | {"cases": cases})


def test_nothing_against_it_is_green(clean: Results) -> None:
    trust = compute_trust(clean)
    assert (trust.level, trust.word) == ("green", "Checks passed")
    assert {item.title for item in trust.items} >= {
        "Potential",
        "Contrast",
        "Guard, control",
        "Dislocation, dislocation",
    }


def test_warnings_set_the_level_and_red_stands_first(clean: Results) -> None:
    amber = replace(clean, warnings=(ResultWarning("amber", "short run"),))
    assert (compute_trust(amber).level, compute_trust(amber).word) == ("amber", "Read this first")
    both = replace(clean, warnings=(ResultWarning("amber", "short run"), ResultWarning("red", "wrong element")))
    trust = compute_trust(both)
    assert (trust.level, trust.word, trust.items[0].text) == ("red", "Do not use", "wrong element")


@pytest.mark.parametrize(("status", "level"), [("failed", "red"), ("partial", "amber"), ("completed", "green")])
def test_status(clean: Results, status: Any, level: str) -> None:  # noqa: ANN401 - a literal
    assert compute_trust(replace(clean, status=status)).level == level


def test_guard_beyond_its_limit_is_red_and_no_guard_is_amber(clean: Results) -> None:
    guard = {"frames": 100, "outside": 40, "fraction": 0.4, "limit": 0.05, "trustworthy": False, "sentence": ""}
    trust = compute_trust(change_case(clean, "control", guard=guard))
    assert trust.level == "red"
    assert trust.items[0].text == "40 of 100 frames are outside the potential's trained domain."
    assert compute_trust(change_case(clean, "control", guard=None)).level == "amber"


@pytest.mark.parametrize(("verdict", "level"), [("annihilates", "red"), ("glides", "amber"), ("unclear", "amber")])
def test_cores_that_do_not_stay(clean: Results, verdict: str, level: str) -> None:
    core = clean.observables["cases"]["dislocation"]["core"] | {"verdict": verdict}
    assert compute_trust(change_case(clean, "dislocation", core=core)).level == level


def test_open_burgers_circuits_are_amber(clean: Results) -> None:
    core = clean.observables["cases"]["dislocation"]["core"] | {"burgers_ok": [True, False]}
    trust = compute_trust(change_case(clean, "dislocation", core=core))
    assert trust.level == "amber"
    assert "in 1 of 2 frames" in trust.items[0].text


def test_unresolved_contrast_and_unsettled_depth_are_amber(
    make_results: Callable[..., Results], clean: Results
) -> None:
    titles = {item.title for item in compute_trust(make_results(resolved=False)).items if item.level == "amber"}
    assert "Contrast" in titles
    contrast = clean.observables["contrast"] | {"resolved": False}
    items = compute_trust(replace(clean, observables=clean.observables | {"contrast": contrast})).items
    assert items[0].text == "Not resolved: the interval of the difference includes zero."
    penetration = clean.observables["cases"]["control"]["penetration"]
    unsettled = penetration | {"final": penetration["final"] | {"verdict": "not converged: still rising"}}
    trust = compute_trust(change_case(clean, "control", penetration=unsettled))
    assert [item.title for item in trust.items if item.level == "amber"] == ["Convergence, control"]


def test_a_doubted_contrast_is_red_and_asks_for_no_replicas(make_results: Callable[..., Results]) -> None:
    results = make_results(resolved=False)
    contrast = results.observables["contrast"] | {"doubts": ["the alloy has lost its crystal order"]}
    items = compute_trust(replace(results, observables=results.observables | {"contrast": contrast})).items
    (item,) = [item for item in items if item.title == "Contrast"]
    text = "Not a result about dislocations: the alloy has lost its crystal order."
    assert (item.level, item.text) == ("red", text)


def test_a_difference_that_other_places_give_as_well_is_amber(clean: Results) -> None:
    for share, level in ((0.4, "amber"), (0.01, "green")):
        contrast = clean.observables["contrast"] | {"place_share": share}
        items = compute_trust(replace(clean, observables=clean.observables | {"contrast": contrast})).items
        assert [item.level for item in items if item.title == "Contrast"] == [level]


def test_what_a_warning_tells_is_not_told_twice(clean: Results) -> None:
    core = clean.observables["cases"]["dislocation"]["core"] | {"verdict": "glides", "sentence": "A core glides: 9 Å."}
    results = replace(
        change_case(change_case(clean, "dislocation", core=core), "control", guard=None),
        warnings=(
            ResultWarning("amber", "The dislocation: A core glides: 9 Å. Mind it."),
            ResultWarning("amber", "No guard watched control: the calculator brings no trained domain."),
        ),
    )
    core["burgers_ok"] = []
    assert [item.title for item in compute_trust(results).items if item.level != "green"] == ["Warning", "Warning"]


@pytest.mark.parametrize(
    ("potential", "level", "text"),
    [
        (None, "amber", "No checked error"),
        ({"name": "mine"}, "amber", "mine: no checked error"),
        ({"name": "mine", "force_rmse_meV_per_A": 60.0, "force_rmse_share": 0.4}, "amber", "40 % of the RMS force"),
        ({"name": "mine", "energy_rmse_meV_per_atom": 2.0}, "green", "2 meV/atom"),
        (
            {
                "name": "mine",
                "force_rmse_meV_per_A": 60.0,
                "force_rmse_share": 0.1,
                "force_errors_by_kind": {"slab": {"force_rmse_meV_per_A": 52.4, "force_rmse_share": 0.47}},
            },
            "amber",
            "10 % of the RMS force. Forces by kind of structure: slab 52.4 meV/Å, 47 %.",
        ),
    ],
)
def test_potential(clean: Results, potential: Any, level: str, text: str) -> None:  # noqa: ANN401 - JSON
    items = compute_trust(replace(clean, system={"potential": potential})).items
    (item,) = [item for item in items if item.title == "Potential"]
    assert item.level == level
    assert text in item.text
