"""What the members of a sweep found, read from their directories and published beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.results import Provenance, Reference, Results, read_results, write_results
from analysis.sweep import build_sweep_results, read_row
from analysis.sweep_rows import COMPLETED, TABLE_FILE, SweepAxis, SweepRow, write_table
from structures.errors import InputError
from workflows.jobs.durable import compute_sha256
from workflows.published import is_published, note_published
from workflows.run_directory import REPORT_FILE, RESULTS_FILE, RunDirectory
from workflows.sweep import Member, Sweep

NOT_READABLE = "damaged"
FILES = (REPORT_FILE, RESULTS_FILE, TABLE_FILE, "convergence.csv")


@dataclass(frozen=True)
class Gathered:
    """The rows of a sweep and what its runs cite."""

    rows: tuple[SweepRow, ...]
    references: tuple[Reference, ...] = ()

    @property
    def unfinished(self) -> list[str]:
        """Members without results, in their order."""
        return [row.member for row in self.rows if row.status != COMPLETED]


def gather(sweep: Sweep, *, troubles: Mapping[str, str] | None = None) -> Gathered:
    """A row for each member; of results that were read before, the row is kept.

    Args:
        sweep: whose members are read.
        troubles: name → why a member could not be begun, which its directory does not know.
    """
    known, references = _read_known(sweep)
    states = sweep.states()
    rows = []
    for member in sweep.members:
        state = states[member.name]
        row, cited = _read_member(sweep, member, status=str(state["status"]), known=known.get(member.name))
        if row.status != COMPLETED and not row.reason:
            row = replace(row, reason=str((troubles or {}).get(member.name) or state.get("message") or ""))
        rows.append(row)
        references |= {one.text: one for one in cited}
    return Gathered(tuple(rows), tuple(references.values()))


def _read_known(sweep: Sweep) -> tuple[dict[str, SweepRow], dict[str, Reference]]:
    """Rows and references that were published; nothing if there are none to be read."""
    try:
        results = read_results(sweep.path)
        rows = [SweepRow.from_json(row) for row in results.observables["sweep"]["rows"]]
    except (InputError, KeyError, TypeError):
        return {}, {}
    return {row.member: row for row in rows}, {one.text: one for one in results.references}


def _read_member(
    sweep: Sweep, member: Member, *, status: str, known: SweepRow | None
) -> tuple[SweepRow, tuple[Reference, ...]]:
    place: dict[str, Any] = {"member": member.name, "directory": member.directory, "values": dict(member.values)}
    path = sweep.directory(member) / RESULTS_FILE
    if status != COMPLETED:
        return SweepRow(**place, status=status), ()
    try:
        sha256 = compute_sha256(path)
        if known is not None and known.results_sha256 == sha256:
            return known, ()
        return read_row(path, **place, sha256=sha256)
    except (InputError, OSError) as error:
        return SweepRow(**place, status=NOT_READABLE, reason=str(error)), ()


def publish(sweep: Sweep, *, gathered: Gathered, anew: bool = False) -> Results:
    """Write results, table and report of a sweep, unless those that are there say the same already.

    Args:
        sweep: in whose directory they go.
        gathered: rows and references.
        anew: whether to write them in any case.
    """
    made_from = {"rows": [[row.member, row.status, row.reason, row.results_sha256] for row in gathered.rows]}
    if not anew and is_published(sweep.path, made_from=made_from):
        return read_results(sweep.path)
    axes = describe_axes(sweep)
    results = build_sweep_results(
        gathered.rows,
        axes=axes,
        flow=sweep.flow,
        config=read_config(sweep),
        references=gathered.references,
        provenance=Provenance(
            versions={"alkaliflow": sweep.version},
            checksums={
                f"{row.directory}/{RESULTS_FILE}": row.results_sha256 for row in gathered.rows if row.results_sha256
            },
            command="alkaliflow resume .",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    from analysis.report import write_report  # takes its time, which a finished sweep need not wait for

    write_results(results, directory=sweep.path)
    write_table(gathered.rows, axes=axes, directory=sweep.path)
    write_report(results, viewer=None, directory=sweep.path)
    note_published(sweep.path, made_from=made_from)
    return results


def describe_axes(sweep: Sweep) -> list[SweepAxis]:
    """The axes as results have them."""
    return [SweepAxis(axis.key, axis.values) for axis in sweep.axes]


def read_config(sweep: Sweep) -> Mapping[str, Any]:
    """The configuration of the first member that can be read."""
    for member in sweep.members:
        try:
            return RunDirectory.read(sweep.directory(member)).read_config()
        except InputError:
            continue
    return {}


def find_places(sweep: Sweep, *, files: Sequence[str]) -> dict[str, str]:
    """What is where, of what is there."""
    places = {Path(name).stem: sweep.path / name for name in files if (sweep.path / name).exists()}
    return {name: str(path) for name, path in places.items()} | {"sweep": str(sweep.path), "store": str(sweep.store)}
