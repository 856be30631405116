"""What a reader is warned of follows from what was run."""

import numpy as np
import pytest

from analysis.crystal_order import CrystalOrder, judge_ratio
from workflows.potassium_warnings import judge_orders


def make_order(ratio: float) -> CrystalOrder:
    return CrystalOrder(np.zeros(1), np.zeros(1), ratio, 3.0, 9, judge_ratio(ratio), f"It is {ratio}.")


def test_a_crystal_needs_no_warning() -> None:
    assert judge_orders({"control": make_order(0.1)}) == []


@pytest.mark.parametrize(("cases", "is_said"), [(("dislocation", "control"), True), (("control",), False)])
def test_dislocations_are_spoken_of_where_there_are_some(cases: tuple[str, ...], *, is_said: bool) -> None:
    warnings = judge_orders({case: make_order(0.3) for case in cases})
    assert [warning.severity for warning in warnings] == ["red"] * len(cases)
    assert all(("dislocations" in warning.text) is is_said for warning in warnings)


def test_a_crystal_on_its_way_out_is_told_softly() -> None:
    (warning,) = judge_orders({"control": make_order(0.15)})
    assert (warning.severity, warning.text) == ("amber", "Control: It is 0.15.")
