"""A sweep's directory: which runs it has, where they are, and how far they came.

`sweep.json` says what the sweep is and is written once, after the directories of all members, each an ordinary run.
Results, table and report of the whole lie beside it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from analysis.sweep_rows import describe_values
from structures.errors import InputError
from workflows import run_lock
from workflows.configuration.resolve import ResolvedConfig, config_sha256
from workflows.jobs.durable import create_json, read_json
from workflows.jobs.store import explain_storage_trouble
from workflows.run_directory import RunDirectory, open_run
from workflows.run_state import (
    SWEEP_FILE,
    derive_sweep_status,
    find_sweep_paths,
    is_sweep,
    now,
    read_state,
    record_state,
)
from workflows.sweep_axes import Axis

SCHEMA_VERSION = 1
# How the results of the members are put together.
TABLE, CONVERGENCE = "table", "convergence"


@dataclass(frozen=True)
class Member:
    """A run of a sweep.

    Attributes:
        name: of the member, e.g. "007".
        directory: of its run, below that of the sweep.
        values: dotted key → value.
        config_sha256: checksum of its resolved configuration.
    """

    name: str
    directory: str
    values: Mapping[str, Any]
    config_sha256: str

    @property
    def words(self) -> str:
        """Its values, for people."""
        return describe_values(self.values)


@dataclass(frozen=True)
class Sweep:
    """A sweep on disk.

    Attributes:
        path: its directory.
        flow: name of the flow of all members.
        store: root of the store that they share.
        axes: what is swept.
        members: in the order in which they run.
        gather: how results are put together: `table` or `convergence`.
        created: ISO 8601 time.
        version: of the alkaliflow that created it.
        origin: where the configuration came from (preset, file, overrides).
    """

    path: Path
    flow: str
    store: Path
    axes: tuple[Axis, ...]
    members: tuple[Member, ...]
    gather: str
    created: str
    version: str
    origin: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a sweep's directory says about itself.

        Raises:
            InputError: if it is no sweep, damaged, or written by a newer alkaliflow.
        """
        document = read_json(path / SWEEP_FILE)
        if document is None:
            state = "is damaged" if (path / SWEEP_FILE).exists() else "is missing"
            raise InputError(f"{path}: {SWEEP_FILE} {state}, needs the directory of a sweep. See: alkaliflow list")
        found = document.pop("schema_version", None)
        if found != SCHEMA_VERSION:
            raise InputError(
                f"{path}: {SWEEP_FILE} has schema version {found}, this alkaliflow knows {SCHEMA_VERSION}. "
                "Update alkaliflow."
            )
        try:
            axes = tuple(Axis(one["key"], tuple(one["values"]), one["origin"]) for one in document.pop("axes"))
            members = tuple(Member(**one) for one in document.pop("members"))
            store = Path(document.pop("store"))
            return cls(path=path, store=store, axes=axes, members=members, **document)
        except (KeyError, TypeError):
            raise InputError(f"{path}: {SWEEP_FILE} is damaged, needs that of a sweep. Start it anew.") from None

    def directory(self, member: Member) -> Path:
        """Directory of a member's run."""
        return self.path / member.directory

    def states(self) -> dict[str, dict[str, Any]]:
        """Name → state of each member as its run has it; `gone` where its directory cannot be read."""
        return {member.name: _read_state(self.directory(member)) for member in self.members}

    def status(self, *, states: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        """How far it came, see `derive_sweep_status`."""
        states = self.states() if states is None else states
        n_completed = sum(state["status"] == "completed" for state in states.values())
        own = str(read_state(self.path)["status"])
        return derive_sweep_status(own, n_completed=n_completed, n_members=len(self.members))

    def record(self, status: str, **changes: Any) -> None:  # noqa: ANN401 (JSON values)
        """Note that a driver began (`running`), was stopped (`stopped`) or has tried every member (`ended`).

        Args:
            status: of the sweep itself.
            changes: what the next driver is to know: `executor` and how many `members` go on side by side.
        """
        record_state(self.path, status=status, at=now(), message="", **changes)

    def describe(self, *, states: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        """The status with how many members came how far: "failed: 4 of 6 completed, 1 failed"."""
        states = self.states() if states is None else states
        counts = Counter(str(state["status"]) for state in states.values())
        n_done = counts.pop("completed", 0)
        rest = [f"{number} {status}" for status, number in counts.items()]
        words = ", ".join([f"{n_done} of {len(self.members)} completed", *rest])
        return f"{self.status(states=states)}: {words}"


def _read_state(directory: Path) -> dict[str, Any]:
    try:
        return RunDirectory.read(directory).state()
    except InputError as error:
        return {"status": "gone", "message": str(error), "keys": {}}


def name_members(n_members: int) -> list[str]:
    """Names in order: 001, 002 and so on."""
    width = max(3, len(str(n_members)))
    return [f"{number:0{width}d}" for number in range(1, n_members + 1)]


def check_different(configs: Mapping[str, BaseModel], *, values: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that no two members are the same run.

    Raises:
        InputError: names the first two that are.
    """
    seen: dict[str, str] = {}
    for name, config in configs.items():
        before = seen.setdefault(config_sha256(config), name)
        if before != name:
            one, other = (f"{member} ({describe_values(values[member])})" for member in (before, name))
            raise InputError(
                f"sweep: members {one} and {other} are the same run, need to differ. Take one of the values out, or a "
                "key that has no effect here."
            )


def open_sweep(
    path: Path,
    *,
    flow: str,
    store: Path,
    axes: Sequence[Axis],
    members: Mapping[str, tuple[str, ResolvedConfig[BaseModel]]],
    gather: str = TABLE,
    salt: str = "",
) -> Sweep:
    """Create a sweep's directory with those of its members, or open that of the same sweep again; lock it.

    Args:
        path: the directory; it may exist if it is empty or holds this very sweep.
        flow: name of the flow.
        store: root of the store.
        axes: what is swept.
        members: name → directory below `path`, and the resolved configuration.
        gather: how results are put together.
        salt: sets the calculations of all members apart from equal ones.

    Raises:
        InputError: if it holds something else, or another process works on it.
    """
    described = tuple(
        Member(name, directory, resolved.swept, config_sha256(resolved.config))
        for name, (directory, resolved) in members.items()
    )
    try:
        if not is_sweep(path):
            _check_foreign(path, ours={Path(directory).parts[0] for directory, _ in members.values()})
            path.mkdir(parents=True, exist_ok=True)
        run_lock.acquire(path)
        if not is_sweep(path):
            for directory, resolved in members.values():
                _create_member(path / directory, flow=flow, store=store, resolved=resolved, salt=salt)
            first = next(iter(members.values()))[1].provenance()
            document = {
                "schema_version": SCHEMA_VERSION,
                "flow": flow,
                "store": str(store.absolute()),
                "gather": gather,
                "axes": [{"key": axis.key, "values": list(axis.values), "origin": axis.origin} for axis in axes],
                "members": [vars(member) | {"values": dict(member.values)} for member in described],
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "version": version("alkaliflow"),
                "origin": {key: first[key] for key in ("preset", "file", "set")},
            }
            # last: with it the directory is a sweep
            create_json(path / SWEEP_FILE, document)
    except OSError as error:
        raise InputError(f"{explain_storage_trouble(error, path)} Another directory: --workdir.") from error
    sweep = Sweep.read(path)
    if (sweep.flow, sweep.members) != (flow, described):
        raise InputError(
            f"{path}: holds another sweep ({sweep.flow}, {len(sweep.members)} members, their values or configuration "
            "differ). Choose another directory with --workdir, or leave it out."
        )
    return sweep


def _create_member(path: Path, *, flow: str, store: Path, resolved: ResolvedConfig[BaseModel], salt: str) -> None:
    """The directory of a member's run, which its driver locks in its turn."""
    run = open_run(path, flow=flow, config=resolved.config, store=store, origin=resolved.provenance())
    if salt:
        run.record(salt=salt)
    run_lock.release(path)


def _check_foreign(path: Path, *, ours: set[str]) -> None:
    """Refuse a place that holds anything but the beginnings of this sweep."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file, needs a directory. Choose another with --workdir.")
    known = ours | {run_lock.LOCK_FILE, "lost+found"}
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in known) if path.is_dir() else []
    if foreign:
        names = ", ".join(foreign[:3])
        raise InputError(
            f"{path}: holds other files ({names}), needs a new or empty directory. Choose another: --workdir."
        )


def find_sweeps(root: Path) -> list[Sweep]:
    """The sweeps below a directory, newest first; what is none is passed over."""
    sweeps = []
    for path in find_sweep_paths(root):
        try:
            sweeps.append(Sweep.read(path))
        except InputError:
            continue
    return sorted(sweeps, key=lambda sweep: sweep.created, reverse=True)
