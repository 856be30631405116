"""A Prefect server as a user would start one, which can be killed and started again."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from workflows.prefect_settings import PrivateServer

APPLICATION = ("--factory", "prefect.server.api.server:create_app", "--lifespan", "on", "--log-level", "error")
FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


def find_free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class PrefectServer:
    """A server on this machine.

    Attributes:
        folder: its home and its log.
        environment: of it beside that of this process: database, authentication.
        headers: of what is asked of it.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=find_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def start(self) -> None:
        """Start it, also again, and wait until it answers."""
        own = {"PREFECT_HOME": str(self.folder / "server"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
        command = [sys.executable, "-P", "-m", "uvicorn", *APPLICATION, "--host", "127.0.0.1", "--port", str(self.port)]
        log = self.folder / "server.log"
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command, env={**inherited, **own, **self.environment}, stdout=stream, stderr=stream
            )
        PrivateServer(url=self.url, process=self.process, log=log).wait_until_ready()

    def kill(self) -> None:
        """Kill it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        """What it answers; with a body it is told something."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(f"{self.url}/{path}", data=data, headers=headers)  # noqa: S310 (of this test)
        while True:
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                with error:  # SQLite was locked, nothing was done; Prefect's own client asks again as well
                    if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                        raise

    def await_end(self, flow_run: str) -> dict[str, Any]:
        """The state in which a flow run ended."""

        def look() -> dict[str, Any] | None:
            state: dict[str, Any] = self.ask(f"flow_runs/{flow_run}")["state"]
            return state if state["type"] in FINAL else None

        return ask_until(look, what=f"end of flow run {flow_run}")


def ask_until(look: Callable[[], Any], *, what: str, timeout_s: float = 300.0) -> Any:  # noqa: ANN401
    """Ask again and again until there is something."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)  # the interval of asking, not a guess of when it will be there
    message = f"{what}: not within {timeout_s:g} s"
    raise TimeoutError(message)
