"""The runs of a sweep put together: what each found, in one sentence, one container and one count of warnings."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from analysis.headline import find_answer, find_headlines
from analysis.report.formatting import format_quantity, join_words
from analysis.report.trust import WORDS, compute_trust
from analysis.results import Provenance, Reference, Results, ResultWarning, read_results
from analysis.sweep_rows import (
    COMPLETED,
    SweepAxis,
    SweepRow,
    describe_values,
    find_bar,
    group_alike,
    list_quantities,
)

_DO_NOT_USE = WORDS["red"]


def read_row(
    path: Path, *, member: str, directory: str, values: Mapping[str, Any], sha256: str
) -> tuple[SweepRow, tuple[Reference, ...]]:
    """The row of a finished run, and what it cites.

    Args:
        path: its `results.json`.
        member: its name.
        directory: of the run, below that of the sweep.
        values: dotted key → value.
        sha256: of the file.

    Raises:
        InputError: if the results cannot be read.
    """
    results = read_results(path)
    row = SweepRow(
        member=member,
        directory=directory,
        values=values,
        status=results.status,
        answer=find_answer(results.observables),
        trust=compute_trust(results).word,
        quantities=find_headlines(results.observables),
        warnings=tuple((warning.severity, warning.text) for warning in results.warnings),
        results_sha256=sha256,
    )
    return row, results.references


def build_sweep_results(
    rows: Sequence[SweepRow],
    *,
    axes: Sequence[SweepAxis],
    flow: str,
    config: Mapping[str, Any],
    references: Sequence[Reference] = (),
    provenance: Provenance | None = None,
) -> Results:
    """All runs of a sweep as one container.

    Args:
        rows: of the runs.
        axes: what was swept.
        flow: of the runs.
        config: of any of them; what was swept is taken out.
        references: of all of them.
        provenance: versions and so on of the sweep.
    """
    n_done = sum(row.status == COMPLETED for row in rows)
    keys = join_words([axis.key for axis in axes])
    return Results(
        flow=flow,
        status="completed" if n_done == len(rows) else "partial" if n_done else "failed",
        config=leave_out(config, keys=[axis.key for axis in axes]),
        system={"runs": len(rows), **{axis.key: list(axis.values) for axis in axes}},
        observables={
            "answer": write_sentence(rows, axes=axes),
            "sweep": {"axes": [vars(axis) for axis in axes], "rows": [vars(row) for row in rows]},
        },
        warnings=tuple(sum_warnings(rows)),
        references=tuple(references),
        provenance=provenance if provenance is not None else Provenance(),
        methods=(_describe_method(len(rows), flow=flow, keys=keys),),
    )


def _describe_method(n_runs: int, *, flow: str, keys: str) -> str:
    return (
        f"{n_runs} runs of the flow {flow} were done, one for each combination of the values of {keys}; all other "
        "settings were equal. What several runs need was computed once, so that runs with a trajectory in common are "
        "not independent of each other. Each run's method is in its own report."
    )


def leave_out(config: Mapping[str, Any], *, keys: Sequence[str]) -> dict[str, Any]:
    """A configuration as plain data without some of its keys."""
    rest = copy.deepcopy(dict(config))
    for key in keys:
        *sections, name = key.split(".")
        node: Any = rest
        for section in sections:
            node = node.get(section) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(name, None)
    return rest


def write_sentence(rows: Sequence[SweepRow], *, axes: Sequence[SweepAxis]) -> str:
    """What the sweep found, in words: how many runs are done, and between what the first main number lies."""
    done = [row for row in rows if row.status == COMPLETED]
    counts = Counter(row.status for row in rows if row.status != COMPLETED)
    others = "".join(f", {number} {status}" for status, number in counts.items())
    keys = join_words([axis.key for axis in axes])
    parts = [f"{len(done)} of {len(rows)} runs over {keys} completed{others}."]
    name = next(iter(list_quantities(done)), None)
    if name is not None:
        parts.append(_describe_spread([row for row in done if name in row.quantities], name=name))
    n_red = sum(row.trust == _DO_NOT_USE for row in done)
    if n_red:
        who = "1 says in its" if n_red == 1 else f"{'All ' if n_red == len(done) else ''}{n_red} say in their"
        parts.append(f"{who} own report: {_DO_NOT_USE.lower()}.")
    return " ".join(parts)


def _describe_spread(rows: Sequence[SweepRow], *, name: str) -> str:
    """The lowest and the highest value of a number, and whether their error bars keep them apart."""
    ordered = sorted(rows, key=lambda row: float(row.quantities[name]["value"]))
    low, high = ordered[0], ordered[-1]
    label = f"{name[:1].upper()}{name[1:]}"
    if low is high:
        return f"{label}: {_show(low, name=name)}."
    return f"{label}: lowest {_show(low, name=name)}, highest {_show(high, name=name)}; {_judge(low, high, name=name)}."


def _judge(low: SweepRow, high: SweepRow, *, name: str) -> str:
    below, above = (find_bar(row.quantities[name]) for row in (low, high))
    if below is None or above is None:
        return "without error bars on both they tell no trend"
    return "their error bars do not overlap" if below[1] < above[0] else "their error bars overlap"


def _show(row: SweepRow, *, name: str) -> str:
    return f"{format_quantity(dict(row.quantities[name]))} ({describe_values(row.values)})"


def sum_warnings(rows: Sequence[SweepRow]) -> list[ResultWarning]:
    """Each warning of the runs once with how many have it, red ones first; see `group_alike`."""
    warnings: list[ResultWarning] = []
    severities: tuple[Literal["red", "amber"], ...] = ("red", "amber")
    for severity in severities:
        told = [(row.member, text) for row in rows for level, text in row.warnings if level == severity]
        warnings += [ResultWarning(severity, text) for text in group_alike(told, n_runs=len(rows))]
    return warnings
