"""How far a run came: the small files of its directory, read and written without anything that is slow to import."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflows import run_lock
from workflows.jobs.durable import read_json, write_json

RUN_FILE = "run.json"
SWEEP_FILE = "sweep.json"
STATE_FILE = "state.json"
DRIVEN = frozenset({"starting", "running"})
"""What a run's state says while a driver has it, or is about to."""


def read_state(directory: Path) -> dict[str, Any]:
    """How far a run came: `status`, `keys` (label → key), `started`, `ended`, `message`, `waits`, `flow_run`.

    A run whose driver is known to be gone is `interrupted`.
    """
    state = {"status": "created", "keys": {}, **(read_json(directory / STATE_FILE) or {})}
    if state["status"] in DRIVEN and run_lock.find_holder(directory) is None:
        state["status"] = "interrupted"
    return state


def record_state(directory: Path, **changes: Any) -> None:  # noqa: ANN401 (JSON values)
    """Change the state: `status`, `keys`, `message` and so on."""
    before = read_json(directory / STATE_FILE) or {}
    write_json(directory / STATE_FILE, {"status": "created", "keys": {}, **before, **changes})


def find_run_paths(root: Path) -> list[Path]:
    """Directories of the runs at or below a directory, sorted."""
    found = {*root.glob(RUN_FILE), *root.glob(f"*/{RUN_FILE}"), *root.glob(f"*/*/{RUN_FILE}")}
    return sorted(path.parent for path in found)


def find_sweep_paths(root: Path) -> list[Path]:
    """Directories of the sweeps at or below a directory, sorted."""
    found = {*root.glob(SWEEP_FILE), *root.glob(f"*/{SWEEP_FILE}"), *root.glob(f"*/*/{SWEEP_FILE}")}
    return sorted(path.parent for path in found)


def is_sweep(path: Path) -> bool:
    """Whether a directory holds a sweep."""
    return (path / SWEEP_FILE).exists()


def find_sweep_of(run: Path) -> Path | None:
    """The sweep that a run is a member of; None if it stands alone."""
    for path in run.absolute().parents[:2]:
        members = (read_json(path / SWEEP_FILE) or {}).get("members", [])
        if str(run.absolute().relative_to(path)) in {member.get("directory") for member in members}:
            return path
    return None


def derive_sweep_status(own: str, *, n_completed: int, n_members: int) -> str:
    """How far a sweep came.

    Args:
        own: status that `read_state` gives of its directory; `ended` once its driver has tried every member.
        n_completed: members with results.
        n_members: all of them.

    Returns:
        created, starting, running, interrupted, completed, failed, stopped or cancelled.
    """
    if own in {*DRIVEN, "interrupted"}:
        return own
    if n_completed == n_members:
        return "completed"
    return "failed" if own == "ended" else own


def now() -> str:
    """The time as it is recorded: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
