"""A folder in which the command line knows the toy flows, and its processes, which are ended with the test."""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from workflows import drivers, run_lock
from workflows.cli import app
from workflows.flows import FLOWS
from workflows.jobs import registry
from workflows.jobs.attempt import Attempt, list_attempts
from workflows.jobs.ending import send_signal, wait_until_ended
from workflows.jobs.store import Store
from workflows.run_state import find_run_paths, read_state
from workflows.run_survey import read_run

PLUGINS = Path(__file__).parents[1] / "plugins"
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Place:
    """Runs in `folder/runs`, calculations in `folder/store`."""

    folder: Path

    def call(self, *arguments: str) -> Result:
        """A command in this process."""
        return CliRunner().invoke(app, list(arguments))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command as a process of its own."""
        command = [sys.executable, "-P", "-m", "workflows.cli", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def submit(self, run: str, **sums: dict[str, Any]) -> Path:
        """A run of those sums in the background."""
        sets = ["--set", f"sums={json.dumps(sums)}", "--workdir", f"runs/{run}"]
        result = self.call("submit", "toy", *sets, "--quiet")
        assert result.exit_code == 0, result.output
        return Path("runs") / run

    def make_fifo(self, name: str) -> str:
        """What a sum waits for: it has begun when the other end can be opened, and goes on when that is closed."""
        path = self.folder / name
        os.mkfifo(path)
        return str(path)

    def job(self, run: Path, label: str) -> Path:
        facts = read_run(run)
        return facts.find_job(facts.keys[label])

    def attempts(self, run: Path, label: str) -> list[Attempt]:
        return list_attempts(self.job(run, label))

    def store(self) -> Store:
        return Store(self.folder / "store")

    def await_driver_end(self, run: Path) -> str:
        """Wait for the driver of a run; gives the run's status."""
        process = run_lock.read_process(run)
        assert process is not None
        assert wait_until_ended(process, timeout_s=PATIENCE_S)
        return str(read_state(run)["status"])

    def kill_driver(self, run: Path) -> None:
        process = run_lock.read_process(run)
        assert process is not None
        assert send_signal(process, signal.SIGKILL)
        assert wait_until_ended(process, timeout_s=PATIENCE_S)

    def end_all(self) -> None:
        """Kill what a failed test left behind."""
        for path in find_run_paths(self.folder):
            run_lock.release(path)
            if (run_lock.read_process(path) or {}).get("pid") != os.getpid():
                send_signal(run_lock.read_process(path) or {}, signal.SIGKILL)
        for process in drivers._STARTED:
            process.kill()
            process.wait()
        drivers._STARTED.clear()
        for started in self.folder.rglob("started.json"):
            worker = (Attempt(0, started.parent).started() or {}).get("process")
            send_signal(worker or {}, signal.SIGKILL)


P = TypeVar("P", bound=Place)


@contextlib.contextmanager
def open_place(kind: type[P], *, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[P]:
    """A folder with the toy flows, a store and slots of its own; whatever was started there is ended."""
    paths = [str(PLUGINS / "toy_flow"), str(PLUGINS), str(PLUGINS.parents[1])]
    for path in paths[:2]:
        monkeypatch.syspath_prepend(path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(folder / "slots"))
    monkeypatch.setenv("ALKALIFLOW_STORE", str(folder / "store"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("PREFECT_API_URL", "http://unused.invalid/api")
    monkeypatch.delenv("ALKALIFLOW_EXECUTOR", raising=False)
    monkeypatch.chdir(folder)
    registry._all_recipes.cache_clear()
    for name, entry in importlib.import_module("toy_registration").ENTRIES.items():
        monkeypatch.setitem(FLOWS, name, entry)
    made = kind(folder)
    yield made
    made.end_all()
    registry._all_recipes.cache_clear()
