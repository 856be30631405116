"""A sweep from the command line to its table: real dynamics, stopped and gone on with, nothing computed twice."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import wait_for
from tests.end_to_end.test_potassium_flow import Place, end
from workflows.jobs.attempt import count_executions

pytestmark = pytest.mark.slow

FILE = """
structure: {repeats: [6, 3, 1], metal_thickness_A: 8, anchor_thickness_A: 2, cases: [control]}
analysis: {interface_width_A: 2}
replicas: 1
dynamics:
  heat_ps: 0.15
  equilibrate_ps: 0
  production_ps: 0.15
  segment_ps: 0.15
  frame_every_ps: 0.03
  start_temperature_K: 10
sweep:
  dynamics.temperature_K: [40, 60]
"""


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return document


def test_a_sweep_that_is_stopped_goes_on_and_shares_what_is_equal(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "c.yaml").write_text(FILE)
    started = place.start("run", "potassium-diffusion", "c.yaml", "--workdir", "s")
    first, second = (tmp_path / "s" / "members" / name for name in ("001", "002"))
    wait_for(
        lambda: read(first / "state.json").get("status") == "completed" and read(second / "state.json").get("keys"),
        what="the second member to begin",
        driver=started,
    )
    os.killpg(started.pid, signal.SIGINT)
    stopped = end(started, code=130)
    assert "Stopped: 1 of 2 members are completed. Nothing is lost. Continue with: alkaliflow resume s" in stopped
    told = place.call("resume", "s")
    assert "2 of 2 runs over dynamics.temperature_K completed." in told
    keys = [place.keys(f"s/members/{name}") for name in ("001", "002")]
    assert {name for name in keys[0] if keys[0][name] == keys[1][name]} == {"gap scan", "relax, control"}
    everything = {key for own in keys for key in own.values()}
    assert len(everything) == 4
    jobs = [place.store.job_directory(key) for key in everything]
    # only the calculation that was stopped may have begun twice
    assert sum(count_executions(job) for job in jobs) <= len(jobs) + 1
    assert all(count_executions(place.store.job_directory(key)) == 1 for key in keys[0].values())
    rows = place.results("s")["observables"]["sweep"]["rows"]
    for row, own in zip(rows, ("001", "002"), strict=True):
        found = place.results(f"s/members/{own}")["observables"]["cases"]["control"]["penetration"]["gain"]
        assert row["quantities"] == {"depth gained, all K, control": found}
    assert (tmp_path / "s" / "table.csv").read_text().count("\n") == 3
    assert "The runs side by side" in (tmp_path / "s" / "report.html").read_text()
