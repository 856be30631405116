"""What a driver notes in its run's directory while it works: the calculations, what they wait for, a sign of life."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structures.errors import AlkaliflowError, CalculationError
from workflows import run_lock
from workflows.jobs.attempt import SIGN_EVERY_S
from workflows.progress import Event, listen

if TYPE_CHECKING:
    from workflows.run_directory import RunDirectory

NOTE_EVERY_S = 1.0
FEW_KEYS = 100
"""The state holds all keys: beyond so many, noting each by itself would take longer than it is worth."""


class Notes:
    """Notes each calculation soon after it is first heard of, so that a run that is killed still knows it."""

    def __init__(self, directory: "RunDirectory", *, clock: Callable[[], float] = time.monotonic) -> None:
        """Go on with the notes of an earlier driver."""
        self.directory, self.clock = directory, clock
        self.keys: dict[str, str] = dict(directory.state()["keys"])
        self.noted = {"keys": dict(self.keys), "waits": ""}
        self.latest: dict[str, tuple[str, str]] = {}
        self.noted_s = self.signed_s = float("-inf")

    def take(self, event: Event) -> None:
        """Take an event, and write down what is new; with many calculations not if that was done just now."""
        key = str(event["key"])
        is_new = key not in self.latest
        if is_new:
            self.keys[str(event.get("label", key))] = key
        self.latest[key] = (str(event.get("state", "")), str(event.get("reason", "")))
        if (is_new and len(self.keys) <= FEW_KEYS) or self.clock() - self.noted_s >= NOTE_EVERY_S:
            self.write()
        if self.clock() - self.signed_s >= SIGN_EVERY_S:
            self.signed_s = self.clock()
            run_lock.give_sign(self.directory.path)

    def write(self) -> None:
        """Write down what is new."""
        self.noted_s = self.clock()
        now = {"keys": dict(self.keys), "waits": self._find_wait()}
        if now != self.noted:
            self.directory.record(**now)
            self.noted = now

    def _find_wait(self) -> str:
        """What the run waits for; nothing while a calculation runs."""
        if any(state == "running" for state, _ in self.latest.values()):
            return ""
        waiting = (f"{state} {reason}" for state, reason in self.latest.values() if state == "waiting" and reason)
        return next(waiting, "")


@contextlib.contextmanager
def take_notes(directory: "RunDirectory") -> Iterator[None]:
    """Note what flows report inside."""
    notes = Notes(directory)
    with listen(notes.take):
        try:
            yield
        finally:
            notes.write()


def note_flow_run(flow: Callable[..., Any], *, directory: "RunDirectory") -> Callable[..., Any]:
    """The flow, which notes the id that the user's Prefect server knows it by; a plain function stays as it is."""
    if not hasattr(flow, "with_options"):
        return flow

    def note(_flow: object, flow_run: Any, _state: object) -> None:  # noqa: ANN401 (Prefect is not imported here)
        directory.record(flow_run=str(flow_run.id))

    changed: Callable[..., Any] = flow.with_options(on_running=[note])
    return changed


class LostServerError(CalculationError):
    """The Prefect server that a flow reports to does not answer; what is computed does not need it."""


def find_trouble(error: Exception, *, run: Path, is_private: bool) -> Exception:
    """What ended a flow: a failure of its own, even if Prefect could not be told of it; or Prefect's server.

    Args:
        error: that the flow raised.
        run: directory of its run.
        is_private: whether the server is that of this process.
    """
    from httpx import HTTPError, HTTPStatusError

    if not (isinstance(error, HTTPError) or str(error).startswith("Failed to reach API")):
        return error
    before: BaseException | None = error
    while before is not None:
        if isinstance(before, AlkaliflowError):
            return before
        before = before.__context__
    server, what = "of PREFECT_API_URL", f"does not answer ({error!r}), needs to"
    advice = "Start it, or unset the variable, then continue with"
    if isinstance(error, HTTPStatusError):
        what = f"says {error.response.status_code} {error.response.reason_phrase}, needs to take what the run reports"
        if error.response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            advice = "Set PREFECT_API_AUTH_STRING as it has it, then continue with"
    if is_private:
        server, advice = "of this run", "Continue with"
    return LostServerError(
        f"The Prefect server {server} {what}. Nothing that was computed is lost. {advice}: alkaliflow resume {run}"
    )


def close_flow_run(state: Mapping[str, Any], *, reason: str) -> bool:
    """Have the user's Prefect server know that the flow of a dead driver is over; it would show it running for ever.

    Args:
        state: of the run, with the ids of its last flow run and of the scheduled one that began it.
        reason: for people.

    Returns:
        Whether the server showed it as not ended, and was told.

    Raises:
        CalculationError: if the server does not answer.
    """
    flow_runs = [str(state[name]) for name in ("flow_run", "scheduled_by") if state.get(name)]
    if not flow_runs or not os.environ.get("PREFECT_API_URL"):
        return False
    from workflows.prefect_settings import set_prefect_environment

    set_prefect_environment()
    from httpx import HTTPError

    from workflows.prefect_stage import mark_crashed

    try:
        marked = [mark_crashed(flow_run, reason=reason) for flow_run in flow_runs]
        return any(marked)
    except HTTPError as error:
        raise CalculationError(
            f"The Prefect server of PREFECT_API_URL does not answer ({error!r}), needs to. Start it or unset the "
            "variable, then run the same command again."
        ) from error
