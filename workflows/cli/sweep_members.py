"""The members of a sweep before they are runs: their configurations, resolved, and their plans."""

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from analysis.sweep_rows import describe_values
from structures.errors import InputError
from workflows.cli.options import DEFAULT_RUNS
from workflows.cli.running import Manner, _check_store, _plan
from workflows.execution import EXECUTOR, SLURM
from workflows.flows import FlowEntry
from workflows.jobs.executor import LOCAL
from workflows.run_directory import choose_path
from workflows.sweep import TABLE, Sweep, check_different, name_members, open_sweep
from workflows.sweep_axes import Axis, build_product, check_apart
from workflows.sweep_plan import SweepPlan

if TYPE_CHECKING:
    from pydantic import BaseModel

    from workflows.configuration.resolve import ResolvedConfig

_SAY_EVERY_S = 5.0
WIDTH_ON_CLUSTER = 8


@dataclass(frozen=True)
class Source:
    """Where the configurations of all members come from."""

    path: Path | None = None
    preset: str | None = None
    sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A sweep that is asked for, its members checked, nothing of it on disk yet.

    Attributes:
        entry: flow of all members.
        axes: what is swept.
        members: name → directory below `path`, and the resolved configuration.
        path: directory of the sweep.
        store: root of the store.
        gather: how results are put together, see `workflows.sweep`.
        salt: sets the calculations of all members apart from equal ones.
    """

    entry: FlowEntry
    axes: Sequence[Axis]
    members: "Mapping[str, tuple[str, ResolvedConfig[BaseModel]]]"
    path: Path
    store: Path
    gather: str = TABLE
    salt: str = ""

    def plan(self, *, manner: Manner) -> SweepPlan:
        """Build and check every member, see `plan_members`."""
        return plan_members(
            self.entry, axes=self.axes, members={name: one for name, (_, one) in self.members.items()}, manner=manner
        )

    def open(self, *, plan: SweepPlan) -> Sweep:
        """Make its directory and those of its members, see `open_sweep`."""
        _check_store(self.store, plan=plan)  # type: ignore[arg-type]  # it asks for the size alone
        return open_sweep(
            self.path,
            flow=self.entry.name,
            store=self.store,
            axes=self.axes,
            members=self.members,
            gather=self.gather,
            salt=self.salt,
        )


def ask(
    entry: FlowEntry, *, axes: Sequence[Axis], source: Source, workdir: Path | None, store: Path, fresh: bool
) -> Asked:
    """The sweep of some axes, every member resolved.

    Raises:
        InputError: for a key that is given twice, a value that the flow does not take, or two members that are equal.
    """
    check_apart(axes, sets=source.sets)
    products = build_product(axes)
    named = dict(zip(name_members(len(products)), products, strict=True))
    resolved = resolve_members(entry, axes=axes, source=source, values=named)
    check_different({name: one.config for name, one in resolved.items()}, values=named)
    start = source.path.stem if source.path is not None else source.preset or entry.default_preset
    return Asked(
        entry,
        axes=axes,
        members={name: (f"members/{name}", one) for name, one in resolved.items()},
        path=workdir if workdir is not None else choose_path(DEFAULT_RUNS, flow=entry.name, name=f"{start}-sweep"),
        store=store,
        salt=uuid.uuid4().hex if fresh else "",
    )


def resolve_members(
    entry: FlowEntry, *, axes: Sequence[Axis], source: Source, values: Mapping[str, Mapping[str, Any]]
) -> "dict[str, ResolvedConfig[BaseModel]]":
    """The checked configuration of each member.

    Raises:
        InputError: each mistake once, with the members that have it.
    """
    origins = {axis.key: axis.origin for axis in axes}
    resolved: dict[str, ResolvedConfig[BaseModel]] = {}
    problems: dict[str, list[str]] = {}
    for name, own in values.items():
        swept = {key: (value, origins[key]) for key, value in own.items()}
        try:
            resolved[name] = entry.resolve(source.path, preset=source.preset, sets=source.sets, swept=swept)
        except InputError as error:
            for line in str(error).splitlines():
                problems.setdefault(line, []).append(name)
    if problems:
        raise InputError(
            "\n".join(
                line
                if len(names) == len(values)
                else f"{line} ({len(names)} of {len(values)} members, first {describe_values(values[names[0]])})"
                for line, names in problems.items()
            )
        )
    return resolved


def plan_members(
    entry: FlowEntry,
    *,
    axes: Sequence[Axis],
    members: "Mapping[str, ResolvedConfig[BaseModel]]",
    manner: Manner,
) -> SweepPlan:
    """Build and check every member.

    Raises:
        InputError: of the first that cannot be done.
    """
    plans: dict[str, Any] = {}
    said_s = time.monotonic()
    for name, one in members.items():
        if time.monotonic() - said_s > _SAY_EVERY_S:
            said_s = time.monotonic()
            if not manner.quiet:
                typer.echo(f"built and checked {len(plans)} of {len(members)} members", err=True)
        try:
            plans[name] = _plan(entry, config=one.config, cores=manner.cores)
        except InputError as error:
            raise type(error)(f"member {name} of {len(members)} ({describe_values(one.swept)}): {error}") from error
    width = choose_width(manner.members, configured=find_executor(next(iter(members.values())).config))
    return SweepPlan(
        tuple(axes), {name: one.swept for name, one in members.items()}, plans, n_at_a_time=min(width, len(members))
    )


def find_executor(config: "BaseModel") -> str:
    """What a configuration says of where calculations run."""
    return str(getattr(getattr(config, "resources", None), "executor", LOCAL))


def choose_width(asked: int | None, *, configured: str) -> int:
    """How many members go on side by side.

    Args:
        asked: by option, or by that of an earlier driver.
        configured: executor of the members' configuration.
    """
    if asked is not None:
        return asked
    executor = os.environ.get(EXECUTOR) or configured
    return WIDTH_ON_CLUSTER if executor.partition(":")[0] == SLURM else 1
