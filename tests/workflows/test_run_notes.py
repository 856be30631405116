"""What a driver writes down while it works, with a clock of the test's own."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from structures.errors import ConvergenceError
from workflows.progress import report
from workflows.run_notes import (
    FEW_KEYS,
    NOTE_EVERY_S,
    LostServerError,
    Notes,
    close_flow_run,
    find_trouble,
    note_flow_run,
    take_notes,
)
from workflows.run_state import record_state


class Directory:
    """A run's directory that counts how often it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_records = 0

    def state(self) -> dict[str, Any]:
        state = json.loads((self.path / "state.json").read_text()) if (self.path / "state.json").exists() else {}
        return {"keys": {}, **state}

    def record(self, **changes: Any) -> None:  # noqa: ANN401 (JSON values)
        self.n_records += 1
        record_state(self.path, **changes)


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    (tmp_path / "run.lock").touch()
    return Directory(tmp_path)


def take(notes: Notes, key: str, *, state: str = "running", **more: str) -> None:
    notes.take({"key": key, "label": f"label {key}", "state": state, **more})


def test_thousands_of_calculations_are_noted_by_a_few_writings(directory: Directory) -> None:
    clock = [0.0]
    notes = Notes(directory, clock=lambda: clock[0])  # type: ignore[arg-type]  # as much of one as is used
    for number in range(5000):
        take(notes, f"k{number}", state="new")
    assert directory.n_records == FEW_KEYS
    assert len(directory.state()["keys"]) == FEW_KEYS
    clock[0] += NOTE_EVERY_S
    take(notes, "k0")
    assert directory.n_records == FEW_KEYS + 1
    assert len(directory.state()["keys"]) == 5000
    clock[0] += NOTE_EVERY_S
    take(notes, "k0")
    assert directory.n_records == FEW_KEYS + 1


def test_all_is_noted_at_the_end_and_what_an_earlier_driver_knew_stays(directory: Directory) -> None:
    record_state(directory.path, keys={"old": "k"})
    with take_notes(directory):  # type: ignore[arg-type]  # as above
        for key in ("k1", "k2"):
            report({"key": key, "label": key, "state": "running"})
    assert directory.state()["keys"] == {"old": "k", "k1": "k1", "k2": "k2"}


def test_what_a_run_waits_for_is_noted_while_nothing_runs(directory: Directory) -> None:
    clock = [0.0]
    notes = Notes(directory, clock=lambda: clock[0])  # type: ignore[arg-type]  # as above
    for key, state, expected in (("a", "waiting", "waiting for cores"), ("b", "running", ""), ("b", "done", "waiting")):
        clock[0] += NOTE_EVERY_S
        take(notes, key, state=state, reason="for cores" if state == "waiting" else "")
        assert directory.state()["waits"].startswith(expected)
        assert bool(directory.state()["waits"]) == bool(expected)


def test_a_sign_of_life_is_given_now_and_then(directory: Directory) -> None:
    clock = [0.0]
    notes = Notes(directory, clock=lambda: clock[0])  # type: ignore[arg-type]  # as above
    signs = []
    for time_s in (0.0, 5.0, 19.0, 20.0, 39.0, 40.0):
        clock[0] = time_s
        os.utime(directory.path / "run.lock", (0, 0))
        take(notes, "a")
        signs.append((directory.path / "run.lock").stat().st_mtime > 0)
    assert signs == [True, False, False, True, False, True]


class Known:
    """A flow as Prefect makes it, as far as it is asked."""

    def __init__(self) -> None:
        self.hooks: list[Any] = []

    def __call__(self) -> None:
        """Nothing."""

    def with_options(self, *, on_running: list[Any]) -> "Known":
        self.hooks += on_running
        return self


def test_a_plain_function_is_no_flow_that_prefect_knows(directory: Directory) -> None:
    def flow() -> None:
        """Nothing."""

    assert note_flow_run(flow, directory=directory) is flow  # type: ignore[arg-type]  # as above
    known = Known()
    assert note_flow_run(known, directory=directory) is known  # type: ignore[arg-type]  # as above
    known.hooks[0](None, SimpleNamespace(id="1234"), None)
    assert directory.state()["flow_run"] == "1234"


def test_without_a_server_of_the_user_no_flow_run_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not close_flow_run({"flow_run": "1234"}, reason="")
    monkeypatch.setenv("PREFECT_API_URL", "http://unused.invalid/api")
    assert not close_flow_run({}, reason="")


# a Prefect server that is lost


def lose_server(*, failed: Exception | None = None) -> Exception:
    """What Prefect raises if nobody listens where its server should be, perhaps while it reports a failure."""
    try:
        try:
            if failed is not None:
                raise failed
        finally:
            httpx.get("http://127.0.0.1:9/api/health", trust_env=False)
    except httpx.HTTPError as error:
        return error
    raise AssertionError


def test_a_lost_server_is_told_with_what_to_do() -> None:
    trouble = find_trouble(lose_server(), run=Path("runs/r"), is_private=False)
    assert isinstance(trouble, LostServerError)
    assert str(trouble).startswith("The Prefect server of PREFECT_API_URL does not answer (ConnectError(")
    assert str(trouble).endswith("or unset the variable, then continue with: alkaliflow resume runs/r")
    own = find_trouble(lose_server(), run=Path("runs/r"), is_private=True)
    assert "PREFECT_API_URL" not in str(own)
    assert str(own).endswith("Nothing that was computed is lost. Continue with: alkaliflow resume runs/r")


def test_a_failure_that_the_lost_server_could_not_be_told_is_what_is_told() -> None:
    failed = ConvergenceError("the SCF did not converge")
    assert find_trouble(lose_server(failed=failed), run=Path("runs/r"), is_private=False) is failed


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ConvergenceError("y"), RuntimeError("z")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert find_trouble(error, run=Path("runs/r"), is_private=False) is error


@pytest.mark.parametrize(("code", "advice"), [(401, "Set PREFECT_API_AUTH_STRING"), (500, "Start it, or unset")])
def test_a_server_that_refuses_is_told_with_its_code(code: int, advice: str) -> None:
    request = httpx.Request("POST", "http://127.0.0.1:4200/api/flow_runs")
    error = httpx.HTTPStatusError("no", request=request, response=httpx.Response(code, request=request))
    assert f"says {code} " in str(find_trouble(error, run=Path("runs/r"), is_private=False))
    assert advice in str(find_trouble(error, run=Path("runs/r"), is_private=False))
