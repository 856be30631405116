"""The private Prefect server of ad hoc runs: nothing to start by hand, no noise, gone with its run."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import psutil
import pytest

from structures.errors import CalculationError, InputError
from workflows import prefect_settings
from workflows.prefect_settings import PrivateServer, set_prefect_environment

FLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, also if these tests run in the background
from workflows.prefect_settings import start_private_server
server = start_private_server()
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
server.wait_until_ready()

@task(retries=0, persist_result=False, cache_policy=NO_CACHE)
def stage(what):
    print("server", server.process.pid, flush=True)
    if what == "wait":
        time.sleep(60)
    if what == "fail":
        raise RuntimeError("on purpose")
    return what

@flow(name="small", retries=0, persist_result=False)
def small(what):
    return stage(what)

try:
    print(small(sys.argv[1]), flush=True)
except RuntimeError as error:
    print("failed", error, flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_the_environment_is_quiet_private_and_without_telemetry() -> None:
    environment: dict[str, str] = {}
    set_prefect_environment(environment)
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert environment["PREFECT_LOGGING_LEVEL"] == "WARNING"


def test_what_the_user_has_set_stays() -> None:
    environment = {"PREFECT_LOGGING_LEVEL": "DEBUG"}
    set_prefect_environment(environment)
    assert environment["PREFECT_LOGGING_LEVEL"] == "DEBUG"


def test_an_open_server_needs_authentication() -> None:
    with pytest.raises(InputError, match=r"PREFECT_SERVER_API_HOST is 0\.0\.0\.0, needs 127\.0\.0\.1"):
        set_prefect_environment({"PREFECT_SERVER_API_HOST": "0.0.0.0"})  # noqa: S104 (refused)
    set_prefect_environment({"PREFECT_SERVER_API_HOST": "0.0.0.0", "PREFECT_SERVER_API_AUTH_STRING": "a:b"})  # noqa: S104


def test_a_server_of_the_user_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    assert prefect_settings.start_private_server() is None


def test_two_runs_do_not_share_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks: list[IO[str]] = []
    monkeypatch.setattr(prefect_settings, "_LOCKS", locks)
    first, second = prefect_settings._claim_home(tmp_path), prefect_settings._claim_home(tmp_path)
    assert first != second
    for lock in locks:
        lock.close()
    assert prefect_settings._claim_home(tmp_path) == first
    locks[-1].close()


def test_a_server_that_ends_is_reported_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-c", "print('port taken')"], stdout=stream)
    process.wait()
    server = PrivateServer(url="http://127.0.0.1:9/api", process=process, log=log)
    with pytest.raises(CalculationError, match="port taken"):
        server.wait_until_ready()
    server.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for this module: making its database takes the longest."""
    return tmp_path_factory.mktemp("prefect-home")


def start(what: str, *, home: Path, script: Path) -> subprocess.Popen[str]:
    script.write_text(FLOW, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    return subprocess.Popen(
        [sys.executable, "-P", str(script), what],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "PREFECT_HOME": str(home)},
        start_new_session=True,
    )


def read_server(process: subprocess.Popen[str]) -> psutil.Process:
    assert process.stdout is not None
    match = re.match(r"server (\d+)", process.stdout.readline())
    assert match is not None
    return psutil.Process(int(match[1]))


def is_gone(process: psutil.Process, *, patience_s: float = 10.0) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.parametrize(("what", "last"), [("succeed", "succeed"), ("fail", "failed on purpose")])
def test_a_flow_runs_and_ends_without_noise(what: str, last: str, home: Path, tmp_path: Path) -> None:
    with start(what, home=home, script=tmp_path / "small.py") as process:
        server = read_server(process)
        addresses = {connection.laddr.ip for connection in server.net_connections() if connection.status == "LISTEN"}
        output, errors = process.communicate(timeout=120)
    assert addresses <= {"127.0.0.1"}
    assert output.splitlines()[-1] == last
    assert errors == ""
    assert process.returncode == 0
    assert is_gone(server)


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_stops_a_flow_at_once(home: Path, tmp_path: Path) -> None:
    with start("wait", home=home, script=tmp_path / "small.py") as process:
        server = read_server(process)
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert output == "stopped\n"
    assert errors == ""
    assert time.monotonic() - begin < 20
    assert is_gone(server)


@pytest.mark.slow
def test_a_killed_flow_leaves_no_server(home: Path, tmp_path: Path) -> None:
    with start("wait", home=home, script=tmp_path / "small.py") as process:
        server = read_server(process)
        process.kill()
        process.wait()
        assert is_gone(server)
