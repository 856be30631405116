import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from analysis.column_gains import PlaceNull
from analysis.contrast import Wording, compute_contrast
from analysis.headline import find_comparisons
from structures.errors import InputError

DEEP = [14.0, 16.1, 12.2, 15.0, 13.7]
SHALLOW = [6.0, 7.9, 5.1, 4.8, 7.7]


def test_interval_is_welchs() -> None:
    found = compute_contrast(DEEP, control_A=SHALLOW, time_ps=10, temperature_K=300)
    exact = ttest_ind(DEEP, SHALLOW, equal_var=False).confidence_interval(0.95)
    assert found.difference.value == pytest.approx(np.mean(DEEP) - np.mean(SHALLOW), rel=1e-12)
    assert found.difference.low == pytest.approx(exact.low, rel=1e-9)
    assert found.difference.high == pytest.approx(exact.high, rel=1e-9)
    assert found.resolved
    assert found.ratio is not None
    logs = ttest_ind(np.log(DEEP), np.log(SHALLOW), equal_var=False).confidence_interval(0.95)
    assert found.ratio.low == pytest.approx(np.exp(logs.low), rel=1e-9)


def test_sentence_gives_numbers_interval_and_replicas() -> None:
    sentence = compute_contrast(DEEP, control_A=SHALLOW, time_ps=10, temperature_K=300).sentence
    assert sentence == (
        "The depth of potassium in the core columns grew by 14.20 ± 1.81 Å and in the same columns of the control by "
        "6.30 ± 1.79 Å within 10 ps from the relaxed cell on (5 replicas, 300 K): the difference to the control is "
        "7.90 Å, 95 % interval 5.78 to 10.02 Å; ratio of geometric means 2.29, 95 % interval 1.73 to 3.03."
    )


def test_sentence_says_what_happened_elsewhere_and_that_cores_were_not_tracked() -> None:
    found = compute_contrast(
        [3.1],
        control_A=[1.4],
        elsewhere_A=[3.8],
        depths_A=([5.3], [4.2]),
        time_ps=12,
        temperature_K=50,
        wording=Wording(note="the cores were not tracked"),
    )
    assert found.sentence.startswith(
        "The depth of potassium in the core columns grew by 3.10 Å, elsewhere in the same run by 3.80 Å and in the "
        "same columns of the control by 1.40 Å within 12 ps from the relaxed cell on (1 replica, 50 K; the cores were "
        "not tracked): the difference to the control is 1.70 Å"
    )
    values = found.to_json()
    assert values["elsewhere_gain_A"]["value"] == 3.8
    assert values["dislocation_depth_A"]["value"] == 5.3


@given(st.tuples(*[st.floats(0.5, 40).map(lambda depth: [depth])] * 2))
def test_the_difference_is_that_of_the_numbers_shown(depths: tuple[list[float], list[float]]) -> None:
    found = compute_contrast(depths[0], control_A=depths[1], time_ps=10, temperature_K=300)
    shown = [Decimal(text.replace("−", "-")) for text in re.findall(r"(−?\d+\.\d\d) Å", found.sentence)]
    assert shown[2] == shown[0] - shown[1]
    values = (found.dislocation_gain, found.control_gain)
    assert [Decimal(f"{value.value:.2f}") for value in values] == shown[:2]
    # A reader sees rounded numbers; the file has them as they are.
    assert found.difference.value == pytest.approx(depths[0][0] - depths[1][0], rel=1e-12, abs=1e-12)
    ((name, difference), *_) = find_comparisons(found.to_json())
    assert name == "difference"
    assert Decimal(f"{difference['value']:.2f}") == shown[2]


def test_the_difference_lies_in_the_middle_of_its_interval() -> None:
    rng = np.random.default_rng(5)
    found = compute_contrast(rng.normal(10, 3, 5), control_A=rng.normal(8, 1, 6), time_ps=10, temperature_K=300)
    assert found.difference.low is not None
    assert found.difference.high is not None
    middle = (found.difference.low + found.difference.high) / 2
    assert found.difference.value == pytest.approx(middle, rel=1e-12)
    assert found.dislocation_gain.value - found.control_gain.value == pytest.approx(middle, rel=1e-12)


def test_contrast_does_not_depend_on_the_order_of_replicas() -> None:
    forward = compute_contrast(DEEP, control_A=SHALLOW, time_ps=10, temperature_K=300)
    assert compute_contrast(DEEP[::-1], control_A=SHALLOW[::-1], time_ps=10, temperature_K=300).difference.value == (
        pytest.approx(forward.difference.value, rel=1e-12)
    )


def test_few_replicas_are_never_resolved() -> None:
    found = compute_contrast(DEEP[:4], control_A=SHALLOW[:4], time_ps=10, temperature_K=300)
    assert found.difference.low is not None
    assert found.difference.low > 0
    assert not found.resolved
    assert found.sentence.endswith("Not resolved: fewer than 5 replicas. About 5 replicas of each case would tell.")
    single = compute_contrast([14.0], control_A=[6.0], time_ps=10, temperature_K=300)
    assert single.to_json()["low"] is None
    assert not single.resolved
    assert "1 replica, 300 K" in single.sentence
    assert "one replica has no error bar. Run at least 5 replicas" in single.sentence


def test_a_doubt_leaves_nothing_resolved_and_asks_for_no_replicas() -> None:
    doubts = ("the alloy has lost its crystal order", "the cores cannot be told")
    for deep, shallow in ((DEEP, SHALLOW), (DEEP[:1], SHALLOW[:1])):
        found = compute_contrast(deep, control_A=shallow, time_ps=10, temperature_K=300, doubts=doubts)
        assert not found.resolved
        assert found.difference.verdict == "not resolved"
        assert found.sentence.endswith(
            ". Not a result about dislocations: the alloy has lost its crystal order; the cores cannot be told."
        )
        assert "would tell" not in found.sentence
        assert "Run at least" not in found.sentence
        assert found.to_json()["doubts"] == list(doubts)
    assert compute_contrast(DEEP, control_A=SHALLOW, time_ps=10, temperature_K=300).to_json()["doubts"] == []


def test_the_sentence_says_what_the_answer_is_about() -> None:
    found = compute_contrast(
        DEEP, control_A=SHALLOW, time_ps=10, temperature_K=300, wording=Wording(scope="for this decoration")
    )
    assert "from the relaxed cell on, for this decoration (5 replicas, 300 K)" in found.sentence


def test_overlapping_depths_say_what_would_resolve_them() -> None:
    found = compute_contrast([5.0, 9, 7, 4, 10], control_A=[4.0, 8, 6, 3, 8], time_ps=10, temperature_K=300)
    assert not found.resolved
    assert "the interval includes zero. About" in found.sentence
    same = compute_contrast([5.0, 9, 7, 4, 10], control_A=[5.0, 9, 7, 4, 10], time_ps=10, temperature_K=300)
    assert "A longer run or a larger cell would tell" in same.sentence


def test_control_at_zero_depth_has_no_ratio() -> None:
    found = compute_contrast(DEEP, control_A=[0.0] * 5, time_ps=10, temperature_K=300)
    assert found.ratio is None
    assert found.to_json()["ratio"] is None
    assert "ratio" not in found.sentence
    assert found.resolved


def test_json_has_the_keys_of_results() -> None:
    values = compute_contrast(DEEP, control_A=SHALLOW, time_ps=10, temperature_K=300).to_json()
    keys = {"estimate", "low", "high", "n_replicas", "resolved", "sentence", "dislocation_gain_A", "control_gain_A"}
    assert keys <= set(values)
    assert values["dislocation_gain_A"]["n_independent"] == 5


def test_intervals_cover_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        found = compute_contrast(
            rng.normal(10, 3, 5), control_A=rng.normal(8, 1, 5), time_ps=10, temperature_K=300
        ).difference
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 2 <= found.high
    assert 180 <= covered <= 199


def test_no_replicas_is_refused() -> None:
    with pytest.raises(InputError, match="0 replicas with"):
        compute_contrast([], control_A=[1.0], time_ps=1, temperature_K=300)


def test_minus_signs_in_the_sentence_are_true_ones() -> None:
    found = compute_contrast([-1.51, -1.2], control_A=[0.0, -0.002], time_ps=12, temperature_K=50)
    assert found.sentence.startswith("The depth of potassium in the core columns grew by −1.35")
    assert "and in the same columns of the control by 0.00 ± 0.01 Å within" in found.sentence
    assert "the difference to the control is −1.35 Å, 95 % interval −3" in found.sentence
    assert not re.search(r"-\d", found.sentence)


def test_columns_put_elsewhere_stand_beside_the_difference() -> None:
    place = PlaceNull(place_mean_A=-0.9, place_spread_A=1.1, place_share=0.375, n_places=200)
    found = compute_contrast([0.23], control_A=[1.74], time_ps=12, temperature_K=50, place=place)
    assert (
        "the difference to the control is −1.51 Å; ratio 0.13; columns put elsewhere give −0.90 ± 1.10 Å, 38 % of them "
        "at least as far from zero. Not resolved" in found.sentence
    )
    values = found.to_json()
    assert (values["place_mean_A"], values["place_spread_A"], values["place_share"]) == (-0.9, 1.1, 0.375)
