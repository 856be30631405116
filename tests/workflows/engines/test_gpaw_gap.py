"""Gaps as GPAW gives them: levels that cross are the case that must be told."""

import numpy as np
import pytest

from workflows.engines.gpaw_process import find_gap_eV


@pytest.mark.parametrize(
    ("homo_eV", "lumo_eV", "is_periodic", "gap_eV"),
    [
        (-7.0, -1.5, False, 5.5),
        (-4.0, -4.2, False, 0.0),
        (-4.0, -4.0, False, 0.0),
        (-4.0, np.inf, False, None),
        (-4.0, -4.2, True, None),
        (-4.0, -1.0, True, 3.0),
    ],
)
def test_levels_that_cross_have_a_gap_of_zero(
    *, homo_eV: float, lumo_eV: float, is_periodic: bool, gap_eV: float | None
) -> None:
    assert find_gap_eV(homo_eV, lumo_eV, is_periodic=is_periodic) == gap_eV
