"""What a recipe and a worker promise each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from workflows.jobs.calculation import Calculation
from workflows.jobs.segments import SegmentChain
from workflows.jobs.store import Store

ACCEPT_BREAK = "ALKALIFLOW_ACCEPT_BREAK"
"""Environment variable of workers; 1 has `Workspace.accept_break`."""


@dataclass(frozen=True)
class Workspace:
    """Where a recipe works and what it may ask of the worker.

    Attributes:
        directory: scratch of this attempt; whatever is written goes here.
        store: read for models and for the results of other calculations.
        chain: the segments of this calculation, for dynamics only.
        previous: the last segment of the calculation this one continues from, if any.
        report_progress: tells people where the work is (`stage`, `step`, `steps`, `ns_per_day` …).
        edge: names a point of the calculation's life at which a fault test may stop the process.
        time_left_s: seconds until the worker's limit.
        accept_break: whether dynamics may go on with another engine or processor than it began with.
    """

    directory: Path
    store: Store
    chain: SegmentChain | None = None
    previous: Path | None = None
    report_progress: Callable[..., None] = lambda **_: None
    edge: Callable[[str], None] = lambda _: None
    time_left_s: Callable[[], float] = lambda: float("inf")
    accept_break: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a recipe found: JSON values, and files (name to file name in the workspace's directory)."""

    values: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A kind of work: its algorithm's version, its settings and the function that does it.

    Attributes:
        name: as a calculation names it.
        version: raised when the same input would give another answer, or when a default changes.
        settings: pydantic model of the settings (frozen, no unknown field).
        run: does the work.
        length_field: the setting that only says how long the dynamics lasts; runs that differ in nothing else share
            their segments. Given for dynamics only.
        memory_MB: estimate of what the work needs.
    """

    name: str
    version: int
    settings: type[BaseModel]
    run: Callable[[Calculation, Workspace], Outcome]
    length_field: str | None = None
    memory_MB: Callable[[Calculation], float] = lambda _: 1000.0
