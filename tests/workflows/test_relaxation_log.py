"""The speed of a relaxation at its end comes from the engine's own table."""

from pathlib import Path

import pytest

from workflows.jobs.store import Finished
from workflows.relaxation_log import compute_energy_fall_eV, find_energy_fall_eV

LOG = """minimize 0.0 0.05 300 3000
   Step         PotEng          Fmax
         0  -10.0  5.0
       100  -14.0  1.0
WARNING: something between the rows
       180  -15.0  0.9
       200  -15.5  0.8
       280  -15.9  0.4
Loop time of 1.0 on 1 procs for 280 steps with 8 atoms
run 0 post no
   Step         PotEng          Fmax
         0  -15.9  0.4
Loop time of 1.0 on 1 procs for 0 steps with 8 atoms
"""


def test_the_fall_is_that_of_the_last_hundred_steps() -> None:
    assert compute_energy_fall_eV(LOG.splitlines()) == pytest.approx(0.9, rel=1e-12)  # from step 180
    short = [line for line in LOG.splitlines() if not line.strip().startswith(("100", "180", "200"))]
    assert compute_energy_fall_eV(short) == pytest.approx(100 * 5.9 / 280, rel=1e-12)


def test_without_a_table_nothing_is_said(tmp_path: Path) -> None:
    assert compute_energy_fall_eV(["Step PotEng", "0 -1.0", "Loop time of 1"]) is None
    finished = Finished("a" * 64, values={}, files={"relaxed": tmp_path / "relaxed.extxyz"})
    assert find_energy_fall_eV(finished) is None
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "relax.log").write_text(LOG, encoding="utf-8")
    assert find_energy_fall_eV(finished) == pytest.approx(0.9, rel=1e-12)
