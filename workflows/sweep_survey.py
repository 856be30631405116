"""How sweeps get on, read from files alone: what each member's run says of itself, and the sum."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from structures.errors import InputError
from workflows import run_lock
from workflows.jobs.durable import read_json
from workflows.run_state import DRIVEN, STATE_FILE, SWEEP_FILE, derive_sweep_status, find_sweep_paths, read_state
from workflows.run_survey import RunFacts, RunRow, read_run, shorten_reason, survey_run

GONE = "gone"


@dataclass(frozen=True)
class MemberFacts:
    """A member of a sweep, and how far its run came.

    Attributes:
        name: e.g. "007".
        path: directory of its run.
        values: dotted key → value.
        state: see `workflows.run_state.read_state`; its status is `gone` where there is no such directory.
    """

    name: str
    path: Path
    values: Mapping[str, Any]
    state: Mapping[str, Any]

    @property
    def status(self) -> str:
        """Of its run."""
        return str(self.state["status"])


@dataclass(frozen=True)
class SweepFacts:
    """What a sweep is, and how far it came.

    Attributes:
        path: its directory.
        flow: name of the flow of all members.
        store: root of their store.
        created: ISO 8601 time.
        state: of the sweep itself, see `workflows.sweep.Sweep.record`.
        members: in their order.
    """

    path: Path
    flow: str
    store: Path
    created: str
    state: Mapping[str, Any]
    members: tuple[MemberFacts, ...]

    @property
    def status(self) -> str:
        """See `derive_sweep_status`."""
        n_completed = sum(member.status == "completed" for member in self.members)
        return derive_sweep_status(str(self.state["status"]), n_completed=n_completed, n_members=len(self.members))

    @property
    def as_run(self) -> RunFacts:
        """The sweep's own directory as if it were that of a run without calculations."""
        return RunFacts(self.path, self.flow, self.store, self.created, self.state)

    def read_members(self) -> dict[str, RunFacts]:
        """Name → run of each member that can be read."""
        return {member.name: read_run(member.path) for member in self.members if member.status != GONE}


def read_sweep(path: Path) -> SweepFacts:
    """What a sweep's directory says about itself.

    Raises:
        InputError: if it is missing, no sweep, or damaged.
    """
    document = read_json(path / SWEEP_FILE) or {}
    try:
        members = tuple(_read_member(path, entry) for entry in document["members"])
        place = Path(document["store"])
        return SweepFacts(path, str(document["flow"]), place, str(document["created"]), read_state(path), members)
    except (KeyError, TypeError):
        what = "is damaged" if (path / SWEEP_FILE).exists() else "is missing"
        raise InputError(f"{path}: {SWEEP_FILE} {what}, needs the directory of a sweep. See: alkaliflow list") from None


def _read_member(sweep: Path, entry: Mapping[str, Any]) -> MemberFacts:
    path = sweep / str(entry["directory"])
    try:
        state: Mapping[str, Any] = read_run(path).state
    except InputError as error:
        state = {"status": GONE, "message": str(error), "keys": {}}
    return MemberFacts(str(entry["name"]), path, dict(entry["values"]), state)


def find_readable_sweeps(root: Path) -> list[SweepFacts]:
    """The sweeps at or below a directory, newest first; what cannot be read is passed over."""
    sweeps = []
    for path in find_sweep_paths(root):
        try:
            sweeps.append(read_sweep(path))
        except InputError:
            continue
    return sorted(sweeps, key=lambda sweep: sweep.created, reverse=True)


def survey_sweep(sweep: SweepFacts) -> RunRow:
    """A sweep at a glance: the numbers are of members."""
    counts = Counter(_find_column(member) for member in sweep.members)
    is_held = sweep.state["status"] in DRIVEN or not run_lock.is_free(sweep.path)
    holder = run_lock.find_holder(sweep.path) if is_held else None
    return RunRow(
        run=str(sweep.path),
        flow=f"sweep of {sweep.flow}",
        status=sweep.status,
        done=counts["done"],
        running=counts["running"],
        queued=counts["queued"],
        failed=counts["failed"],
        known=len(sweep.members),
        driver="none" if holder is None else f"{holder.pid} on {holder.host}",
        sign_s_ago=_find_sign(sweep),
        reason=_explain(sweep),
        counted="members",
    )


def _find_column(member: MemberFacts) -> str:
    """What a member counts as; one whose driver died with that of the sweep is to be begun again."""
    if member.status in DRIVEN:
        return "running"
    was_killed_alone = member.status == "interrupted" and member.state.get("message")
    if member.status in ("failed", GONE) or was_killed_alone:
        return "failed"
    return "done" if member.status == "completed" else "queued"


def _find_sign(sweep: SweepFacts) -> float | None:
    """Seconds since the last sign of life of the drivers of the sweep and of its members."""
    places = [sweep.path, *(member.path for member in sweep.members if member.status in DRIVEN)]
    files = [place / name for place in places for name in (run_lock.LOCK_FILE, STATE_FILE)]
    signs = [file.stat().st_mtime for file in files if file.exists()]
    return max(0.0, time.time() - max(signs)) if signs else None


def _explain(sweep: SweepFacts) -> str:
    """Why it, or the first of its members, failed."""
    if sweep.state.get("message"):
        return shorten_reason(str(sweep.state["message"]))
    if sweep.status == "interrupted":
        return f"its driver is gone; go on with: alkaliflow submit {sweep.path}"
    failed = [member for member in sweep.members if _find_column(member) == "failed"]
    if not failed:
        return ""
    first = f"member {failed[0].name}: {shorten_reason(str(failed[0].state.get('message') or failed[0].status))}"
    return first if len(failed) == 1 else f"{first} (and {len(failed) - 1} more)"


def survey_members(sweep: SweepFacts, *, known: dict[str, str] | None = None) -> dict[str, RunRow]:
    """Name → run of each member at a glance.

    Args:
        sweep: whose members.
        known: see `workflows.run_survey.find_state`.
    """
    rows = {name: survey_run(run, known=known) for name, run in sweep.read_members().items()}
    gone = RunRow("", sweep.flow, GONE, 0, 0, 0, 0, 0, "none", None, "there is no such directory, or it is damaged")
    return {one.name: rows.get(one.name) or replace(gone, run=str(one.path)) for one in sweep.members}
