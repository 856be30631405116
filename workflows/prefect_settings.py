"""A private Prefect server for ad hoc runs, so that none has to be started by hand. Imports no Prefect.

Prefect's own temporary server shares the terminal's process group, so that Ctrl-C ends it before the flow, which then
waits a minute for it; and it outlives a killed flow. This one lives in a session of its own and dies with its parent.
"""

import atexit
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import IO

from structures.errors import CalculationError, InputError

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 180.0
MAX_HOMES = 64
_PR_SET_PDEATHSIG = 1
_LOOPBACKS = frozenset({LOOPBACK, "localhost", "::1"})
# Held for the life of the process: a closed lock would let another run take the same database.
_LOCKS: list[IO[str]] = []


def set_prefect_environment(environment: MutableMapping[str, str] | None = None) -> None:
    """Set what Prefect reads at import: quiet, no telemetry, this machine only; what the user has set stays.

    Raises:
        InputError: if a server would listen to other machines without authentication.
    """
    environment = os.environ if environment is None else environment
    host = environment.get("PREFECT_SERVER_API_HOST", LOOPBACK)
    if host not in _LOOPBACKS and not environment.get("PREFECT_SERVER_API_AUTH_STRING"):
        raise InputError(
            f"PREFECT_SERVER_API_HOST is {host}, needs {LOOPBACK} while PREFECT_SERVER_API_AUTH_STRING is not set: "
            "anyone who reaches it could run code as you. Unset the first or set both."
        )
    for name, value in {
        "PREFECT_LOGGING_LEVEL": "WARNING",
        # a failed run is explained once, by the command line; Prefect would print its own traceback as well
        "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_ROOT_LEVEL": "ERROR",
        # each event that a lost server does not get, at full length
        "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_API_HOST": LOOPBACK,
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    }.items():
        environment.setdefault(name, value)


@dataclass
class PrivateServer:
    """A Prefect server of this process.

    Attributes:
        url: its API.
        process: the server.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_ready(self, *, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until it answers.

        Raises:
            CalculationError: if it ends or stays silent; with the last lines of its log.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if _answers(f"{self.url}/health"):
                return
            time.sleep(0.1)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        raise CalculationError(
            f"The Prefect server of this run did not answer within {timeout_s:g} s. Run again; if it stays, remove "
            f"{self.log.parent}. Its last lines:\n{tail}"
        )

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_private_server() -> PrivateServer | None:
    """Start the server that flows of this process report to; it gets ready while other work goes on.

    Returns:
        The server, or None if the user has named one (`PREFECT_API_URL`) or this process uses Prefect already.

    Raises:
        InputError: see `set_prefect_environment`.
    """
    set_prefect_environment()
    if os.environ.get("PREFECT_API_URL") or "prefect" in sys.modules:
        return None
    home = Path(os.environ["PREFECT_HOME"]) if os.environ.get("PREFECT_HOME") else _claim_home(find_cache_directory())
    home.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    log = home / "server.log"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_UI_ENABLED": "0",
        "PREFECT_LOGGING_SERVER_LEVEL": "WARNING",
        # as Prefect's own temporary server: no schedules, no late runs, one process
        "PREFECT__SERVER_EPHEMERAL": "1",
        "PREFECT__SERVER_FINAL": "1",
    }
    environment.pop("PREFECT_API_URL", None)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workflows.prefect_settings", str(port), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    server = PrivateServer(url=f"http://{LOOPBACK}:{port}/api", process=process, log=log)
    os.environ["PREFECT_HOME"] = str(home)
    os.environ["PREFECT_API_URL"] = server.url
    # registered before Prefect is imported, so that it runs after Prefect's own last messages
    atexit.register(server.stop)
    return server


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (a server of ours on this machine)
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


@contextlib.contextmanager
def use_private_server() -> Iterator[PrivateServer | None]:
    """Have a server for flows called inside; for scripts and notebooks."""
    server = start_private_server()
    if server is not None:
        server.wait_until_ready()
    yield server


def find_cache_directory() -> Path:
    """Where homes of private servers are kept from run to run."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    directory = Path(base) / "alkaliflow"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=directory):
            return directory
    except OSError:
        return Path(tempfile.gettempdir()) / f"alkaliflow-{os.getuid()}"


def _claim_home(cache: Path) -> Path:
    """The first home that no running process holds: SQLite bears one server, not two."""
    base = cache / f"prefect-{version('prefect')}"
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in range(MAX_HOMES):
        lock = (base / f"{number}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _LOCKS.append(lock)
        return base / str(number)
    raise InputError(
        f"{MAX_HOMES} runs of yours are active, no more are started. Wait for one, or set PREFECT_API_URL."
    )


def _free_port() -> int:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def serve(*, port: int, parent: int) -> None:
    """Become the server; it ends when its parent does, however that ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return
    application = ["--factory", "prefect.server.api.server:create_app", "--lifespan", "on", "--log-level", "error"]
    command = [sys.executable, "-P", "-m", "uvicorn", *application, "--host", LOOPBACK, "--port", str(port)]
    os.execv(sys.executable, command)  # noqa: S606 (becoming it keeps the death signal)


if __name__ == "__main__":
    serve(port=int(sys.argv[1]), parent=int(sys.argv[2]))
