"""A row a run of a sweep: its values, its status and its main numbers; and the table of all of them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.results import write_text_atomically
from analysis.tables import format_csv

TABLE_FILE = "table.csv"
COMPLETED = "completed"


@dataclass(frozen=True)
class SweepAxis:
    """A key of the configuration that was swept, and its values."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Attributes:
        member: its name.
        directory: of its run, below that of the sweep.
        values: dotted key → value.
        status: of the run.
        reason: why it failed, or nothing.
        answer: its own sentence.
        trust: what its own report says of it: "Do not use", "Read this first" or "Checks passed".
        quantities: its main numbers, by name.
        warnings: severity and text of each of its warnings.
        results_sha256: of the results that it was read from; empty without any.
    """

    member: str
    directory: str
    values: Mapping[str, Any]
    status: str
    reason: str = ""
    answer: str = ""
    trust: str = ""
    quantities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    results_sha256: str = ""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "SweepRow":
        """The row of a `results.json`."""
        warnings = tuple((str(severity), str(text)) for severity, text in document["warnings"])
        return cls(**{**document, "warnings": warnings})


def list_quantities(rows: Sequence[SweepRow]) -> dict[str, str]:
    """Name of each main number that any run has → its unit, in the order of the first run that has it."""
    found = {name: quantity for row in rows for name, quantity in row.quantities.items()}
    return {name: str(quantity.get("unit") or "") for name, quantity in found.items()}


def build_columns(rows: Sequence[SweepRow], *, axes: Sequence[SweepAxis]) -> dict[str, list[Any]]:
    """The table as columns: a row a run; what a run lacks is None."""
    columns: dict[str, list[Any]] = {"member": [row.member for row in rows]}
    columns |= {axis.key: [row.values.get(axis.key) for row in rows] for axis in axes}
    columns |= {"status": [row.status for row in rows], "trust": [row.trust for row in rows]}
    for name, unit in list_quantities(rows).items():
        own = [row.quantities.get(name) or {} for row in rows]
        title = name if unit in ("", "1") else f"{name} ({unit})"
        columns[title] = [quantity.get("value") for quantity in own]
        for part in ("uncertainty", "low", "high"):
            columns[f"{title}, {part}"] = [quantity.get(part) for quantity in own]
        columns[f"{name}, n"] = [quantity.get("n_independent") for quantity in own]
    columns |= {"warnings": [len(row.warnings) if row.results_sha256 else None for row in rows]}
    columns |= {"directory": [row.directory for row in rows], "reason": [row.reason for row in rows]}
    return columns | {"answer": [row.answer for row in rows]}


def write_table(rows: Sequence[SweepRow], *, axes: Sequence[SweepAxis], directory: Path) -> Path:
    """Write `table.csv`."""
    return write_text_atomically(directory / TABLE_FILE, text=format_csv(build_columns(rows, axes=axes)))


def describe_values(values: Mapping[str, Any]) -> str:
    """Values of a run in words."""
    return ", ".join(f"{key} = {show_value(value)}" for key, value in values.items())


def show_value(value: object) -> str:
    """A value on one line, a number without needless digits."""
    if isinstance(value, str | float):
        return value if isinstance(value, str) else f"{value:.12g}"
    return json.dumps(value, ensure_ascii=False)


def find_bar(quantity: Mapping[str, Any]) -> tuple[float, float] | None:
    """Lower and upper end of the error bar of a quantity; None without one."""
    low, high, half = quantity.get("low"), quantity.get("high"), quantity.get("uncertainty")
    if low is not None and high is not None:
        return float(low), float(high)
    return None if half is None else (float(quantity["value"] - half), float(quantity["value"] + half))


def group_alike(told: Sequence[tuple[str, str]], *, n_runs: int) -> list[str]:
    """Texts of several runs, those that differ in their numbers only once, with how many runs tell them.

    Args:
        told: name of a run, and a text of it.
        n_runs: of which these are some.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, text in told:
        groups.setdefault(re.sub(r"\d+(?:\.\d+)?", "#", text), []).append((name, text))
    return [_say_group(group, n_runs=n_runs) for group in groups.values()]


def _say_group(group: Sequence[tuple[str, str]], *, n_runs: int) -> str:
    names, (first, text) = list(dict.fromkeys(name for name, _ in group)), group[0]
    if len(names) == 1:
        return f"run {first}: {text}"
    here = "" if all(other == text for _, other in group) else f", here {first}"
    return f"{len(names)} of {n_runs} runs{here}: {text}"
