"""A Prefect server on PostgreSQL, with authentication: strangers, twenty drivers at once, a kill under a run."""

import base64
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.error
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.conftest import PLUGINS
from tests.workflows.prefect_server import PrefectServer, find_free_port
from workflows.jobs.attempt import count_executions
from workflows.jobs.store import Store
from workflows.run_state import read_state

SUPERUSER = "postgres"
N_DRIVERS = 20
N_SUMS = 4
PATIENCE_S = 400.0


def find_program(name: str) -> str:
    """A program of PostgreSQL, which Debian keeps out of PATH."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    assert found, f"missing: {name}; apt-get install postgresql"
    return found[-1]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """URL of a database as docs/schedules.md makes it, in a folder of its own that PostgreSQL's user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="alkaliflow-postgres-"))
    data, password, port = folder / "data", secrets.token_hex(16), find_free_port()
    owner = pwd.getpwnam(SUPERUSER)
    os.chown(folder, owner.pw_uid, owner.pw_gid)

    def call(program: str, *arguments: str, stdin: str = "") -> None:
        command = ["runuser", "-u", SUPERUSER, "--", find_program(program), *arguments]
        with (folder / "out").open("ab") as out:  # no pipe: the server would hold it open
            subprocess.run(command, check=True, cwd=folder, input=stdin, text=True, stdout=out, stderr=out)

    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    there = (f"--host={folder}", f"--port={port}")
    try:
        call("initdb", f"--pgdata={data}", "--auth-local=peer", "--auth-host=scram-sha-256")
        call("pg_ctl", "start", "--wait", f"--pgdata={data}", f"--log={folder / 'log'}", f"--options={options}")
        try:
            call("psql", *there, "--set=ON_ERROR_STOP=1", stdin=f"CREATE ROLE prefect LOGIN PASSWORD '{password}'")
            call("createdb", *there, "--owner=prefect", "prefect")
            yield f"postgresql+asyncpg://prefect:{password}@127.0.0.1:{port}/prefect"
        finally:
            call("pg_ctl", "stop", "--wait", "--mode=immediate", f"--pgdata={data}")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def started(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    login = f"admin:{secrets.token_hex(16)}"
    server = PrefectServer(
        tmp_path_factory.mktemp("prefect"),
        {"PREFECT_API_DATABASE_CONNECTION_URL": database, "PREFECT_SERVER_API_AUTH_STRING": login},
        {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"},
    )
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(started: PrefectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrefectServer:
    """The server, of which this test's processes know address and password."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGINS / "toy_flow"), os.environ["PYTHONPATH"]]))
    monkeypatch.setenv("PREFECT_API_URL", started.url)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", started.environment["PREFECT_SERVER_API_AUTH_STRING"])
    monkeypatch.setenv("ALKALIFLOW_STORE", str(tmp_path / "store"))
    return started


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "workflows.cli", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, env={**os.environ, **environment}, text=True, **pipes)  # type: ignore[call-overload]


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, output


def test_who_does_not_log_in_is_refused(server: PrefectServer) -> None:
    assert server.ask("admin/version")
    for headers in ({}, {"Authorization": f"Basic {base64.b64encode(b'admin:guess').decode()}"}):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            replace(server, headers=headers).ask("flow_runs/filter", {})
    code, output = finish(start("run", "toy-prefect", "--workdir", "runs/r", PREFECT_API_AUTH_STRING="admin:guess"))
    assert code == 1
    assert "The Prefect server of PREFECT_API_URL says 401 Unauthorized" in output
    assert "Traceback" not in output
    assert "guess" not in output


def test_a_server_that_is_killed_under_a_run_costs_no_calculation(server: PrefectServer, tmp_path: Path) -> None:
    ledger, gate = tmp_path / "ledger", tmp_path / "gate"
    os.mkfifo(gate)
    sums = json.dumps({"a": {"ledger": str(ledger), "wait_for": str(gate)}, "b": {"ledger": str(ledger)}})
    impatient = {"PREFECT_CLIENT_MAX_RETRIES": "1"}
    driver = start("run", "toy-prefect", "--set", f"sums={sums}", "--workdir", "runs/r", **impatient)
    with gate.open("wb"):  # the calculation has begun
        server.kill()
    code, output = finish(driver)
    assert code == 1, output
    assert "The Prefect server of PREFECT_API_URL does not answer" in output
    assert "alkaliflow resume runs/r" in output
    assert "Traceback" not in output
    run = tmp_path / "runs" / "r"
    first = read_state(run)
    assert first["status"] == "interrupted"
    assert sorted(first["keys"]) == ["a", "b"]
    server.start()
    assert server.ask(f"flow_runs/{first['flow_run']}")["state_type"] == "RUNNING"
    code, output = finish(start("resume", "runs/r"))
    assert code == 0, output
    assert "The sums are [3.0, 3.0]." in output
    last = read_state(run)
    assert last["status"] == "completed"
    states = [server.ask(f"flow_runs/{one['flow_run']}")["state_type"] for one in (first, last)]
    assert states == ["CRASHED", "COMPLETED"]
    store = Store(tmp_path / "store")
    assert [count_executions(store.job_directory(key)) for key in last["keys"].values()] == [1, 1]
    assert len(ledger.read_text().split()) == 2


def test_twenty_drivers_at_once_share_server_and_calculations(server: PrefectServer, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    names = [f"{number:02d}" for number in range(N_DRIVERS)]
    drivers = []
    for number, name in enumerate(names):
        wanted = [number % N_SUMS, (number + 1) % N_SUMS]
        sums = json.dumps({str(each): {"numbers": [each, 1], "ledger": str(ledger)} for each in wanted})
        drivers.append(start("run", "toy-prefect", "--set", f"sums={sums}", "--workdir", f"runs/{name}", "--quiet"))
    ended = [finish(driver) for driver in drivers]
    assert [code for code, _ in ended] == [0] * N_DRIVERS, ended
    states = [read_state(tmp_path / "runs" / name) for name in names]
    assert {state["status"] for state in states} == {"completed"}
    assert {server.ask(f"flow_runs/{state['flow_run']}")["state_type"] for state in states} == {"COMPLETED"}
    store = Store(tmp_path / "store")
    keys = {key for state in states for key in state["keys"].values()}
    assert len(keys) == N_SUMS
    assert [count_executions(store.job_directory(key)) for key in keys] == [1] * N_SUMS
    assert len(ledger.read_text().split()) == N_SUMS
