"""prefect.yaml deployed on a real server, its runs done by a real worker."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.results import read_results
from tests.workflows.detached_runs import PLUGINS
from tests.workflows.prefect_server import PrefectServer
from workflows.flows import find_flow
from workflows.run_state import read_state, record_state
from workflows.scheduled import choose_directory
from workflows.sweep_axes import build_product, find_axes

DEPLOYMENTS = PLUGINS.parents[1] / "prefect.yaml"
TIME = "2026-03-01T03:00:00+00:00"


def test_the_directory_is_that_of_the_time_wherever_it_is_told() -> None:
    time = datetime(2026, 3, 1, 3, tzinfo=UTC)
    elsewhere = time.astimezone(timezone(timedelta(hours=-7)))
    expected = Path("/runs/nightly-2026-03-01T030000Z")
    assert choose_directory(Path("/runs"), name="nightly", scheduled=time) == expected
    assert choose_directory(Path("/runs"), name="nightly", scheduled=elsewhere) == expected
    assert choose_directory(Path("/runs"), name="nightly", scheduled=time + timedelta(seconds=1)) != expected


def list_deployments() -> list[dict[str, Any]]:
    document = yaml.safe_load(DEPLOYMENTS.read_text(encoding="utf-8"))
    return list(document["deployments"])


@pytest.mark.parametrize("deployment", list_deployments(), ids=lambda one: str(one["name"]))
def test_a_deployment_is_paused_has_a_time_zone_and_parameters_that_its_flow_takes(deployment: dict[str, Any]) -> None:
    (schedule,) = deployment["schedules"]
    assert schedule["cron"]
    assert schedule["timezone"] == "UTC"
    assert schedule["active"] is False
    assert deployment["concurrency_limit"]["limit"] == 1
    given = deployment["parameters"]
    axes = find_axes(None, options=given["sweeps"])
    members = build_product(axes)
    assert len(members) > 1
    for member in members:
        swept = {key: (value, "--sweep") for key, value in member.items()}
        find_flow(given["flow"]).resolve(None, preset=given["preset"], sets=given["sets"], swept=swept)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrefectServer]:
    server = PrefectServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def environment(server: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A project's folder with the deployments, whose worker knows the toy flows."""
    paths = [str(PLUGINS / "toy_flow"), str(PLUGINS), str(PLUGINS.parents[1]), os.environ.get("PYTHONPATH", "")]
    shutil.copy(DEPLOYMENTS, tmp_path / "prefect.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    return inherited | {
        "PREFECT_API_URL": server.url,
        "PREFECT_HOME": str(tmp_path / "home"),
        "ALKALIFLOW_SLOTS": str(tmp_path / "slots"),
        "ALKALIFLOW_STORE": str(tmp_path / "store"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }


def call(module: str, *arguments: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_deployed_runs_are_done_by_a_worker_and_once_for_each_time(
    server: PrefectServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    call("prefect", "work-pool", "create", "alkaliflow", "--type", "process", environment=environment)
    call("prefect", "--no-prompt", "deploy", "--all", environment=environment)
    known = {one["name"]: one for one in server.ask("deployments/filter", {})}
    assert sorted(known) == ["nightly-convergence", "weekly-temperatures"]
    assert [one["schedules"][0]["active"] for one in known.values()] == [False, False]
    assert [one["global_concurrency_limit"]["limit"] for one in known.values()] == [1, 1]
    ledger = tmp_path / "ledger"

    def trigger(time: str, **parameters: object) -> dict[str, Any]:
        """The state in which a run for that time ends, its sums those of the toy flow."""
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": time}}
        own = {"flow": "toy-prefect", "preset": None, "sweeps": [], **parameters}
        deployment = known["weekly-temperatures"]["id"]
        made = server.ask(f"deployments/{deployment}/create_flow_run", {"parameters": own, "state": state})
        return server.await_end(made["id"])

    start = ["worker", "start", "--pool", "alkaliflow", "--type", "process"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "prefect", *start], env=environment, stdout=log, stderr=log
        )
    try:
        sums = [f"sums={{a: {{numbers: [1, 2], ledger: {ledger}}}}}"]
        for _ in range(2):
            assert trigger(TIME, sets=sums)["type"] == "COMPLETED"
        (run,) = (tmp_path / "runs").iterdir()
        assert run.name == "weekly-temperatures-2026-03-01T030000Z"
        assert read_results(run).observables["answer"] == "The sums are [3.0]."
        assert read_state(run)["status"] == "completed"
        assert len(ledger.read_text().split()) == 1
        (artifact,) = server.ask("artifacts/latest/filter", {})
        assert artifact["data"].splitlines()[0] == "The sums are [3.0]."
        assert str(run) in artifact["data"]
        failed = trigger("2026-03-08T03:00:00+00:00", sets=["sums={a: {fail: science}}"])
        assert failed["type"] == "FAILED"
        assert "the SCF did not converge in 100 iterations" in failed["message"]
        swept = trigger("2026-03-15T03:00:00+00:00", sets=[], sweeps=["sums.one.numbers=[1,2],[3,4]"])
        assert swept["type"] == "COMPLETED", swept["message"]
        members = sorted((tmp_path / "runs" / "weekly-temperatures-2026-03-15T030000Z" / "members").iterdir())
        answers = [read_results(one).observables["answer"] for one in members]
        assert answers == ["The sums are [3.0].", "The sums are [7.0]."]
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


@pytest.mark.slow
def test_who_goes_on_with_a_scheduled_run_has_its_dead_flow_run_crashed(
    server: PrefectServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    flow = server.ask("flows/", {"name": "scheduled-run"})["id"]
    dead = server.ask("flow_runs/", {"flow_id": flow, "state": {"type": "RUNNING"}})["id"]
    call("workflows.cli", "run", "toy-prefect", "--workdir", "runs/r", environment=environment)
    assert server.ask(f"flow_runs/{dead}")["state_type"] == "RUNNING"
    record_state(tmp_path / "runs" / "r", status="interrupted", scheduled_by=dead)
    call("workflows.cli", "resume", "runs/r", environment=environment)
    assert server.ask(f"flow_runs/{dead}")["state_type"] == "CRASHED"
