"""What a run found, in a sentence, a small table and the places of its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.results import Results
    from workflows.run_directory import RunDirectory


@dataclass(frozen=True)
class Answer:
    """The answer of a run.

    Attributes:
        flow: name of the flow.
        run: its directory.
        status: of the results; "missing" if there are none.
        sentence: the answer in one sentence.
        header: of the table.
        rows: of the table.
        warnings: what to read before using a number.
        places: what → where it is.
    """

    flow: str
    run: str
    status: str
    sentence: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    observables: Mapping[str, Any] = field(default_factory=dict)

    def lines(self, *, brief: bool = False) -> list[str]:
        """The answer as text; brief: the sentence and the report only."""
        if brief:
            return [self.sentence, *(self.places[name] for name in ("report",) if name in self.places)]
        lines = ["", self.sentence, ""]
        if self.rows:
            lines += [*format_table(self.header, rows=self.rows), ""]
        lines += [f"warning: {warning}" for warning in self.warnings]
        width = max((len(name) for name in self.places), default=0)
        return lines + [f"{name:<{width}}  {place}" for name, place in self.places.items()]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "flow": self.flow,
            "run": self.run,
            "status": self.status,
            "answer": self.sentence,
            "contrast": self.observables.get("contrast"),
            "warnings": list(self.warnings),
            **self.places,
        }


def build_answer(directory: "RunDirectory") -> Answer:
    """What the results of a run say."""
    places = {
        "report": str(directory.report_path),
        "results": str(directory.results_path),
        "run": str(directory.path),
        "store": str(directory.store),
    }
    if not directory.results_path.exists():
        places = {name: place for name, place in places.items() if name in {"run", "store"}}
        sentence = f"There are no results yet. Go on with: alkaliflow resume {directory.path}"
        return Answer(directory.flow, str(directory.path), "missing", sentence, places=places)
    from analysis.results import read_results

    results = read_results(directory.results_path)
    if not directory.report_path.exists():
        del places["report"]
    header, rows = _tabulate(results)
    return Answer(
        flow=results.flow,
        run=str(directory.path),
        status=results.status,
        sentence=find_sentence(results),
        header=header,
        rows=rows,
        warnings=tuple(warning.text for warning in results.warnings),
        places=places,
        observables=results.observables,
    )


def find_sentence(results: "Results") -> str:
    """The answer in one sentence, as the report has it."""
    from analysis.headline import find_answer

    return find_answer(results.observables) or f"{results.flow}: {results.status}."


Columns = dict[str, str]


def _tabulate(results: "Results") -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """A row a case, with columns for what the observables hold: depths and guards, or molecules at a surface."""
    cases = results.observables.get("cases")
    if not isinstance(cases, Mapping) or not cases:
        return (), ()
    rows = [
        {"case": str(case.get("label", name)), "replicas": str(case.get("replicas", ""))}
        | _show_depths(results.observables, case=case, name=str(name))
        | _show_surface(case)
        for name, case in cases.items()
    ]
    header = tuple(dict.fromkeys(column for row in rows for column in row))
    return header, tuple(tuple(row.get(column, "-") for column in header) for row in rows)


def _show_depths(observables: Mapping[str, Any], *, case: Mapping[str, Any], name: str) -> Columns:
    """How deep, how many, how trustworthy; nothing for a case without a depth."""
    from analysis.headline import ALL_ATOMS, find_final_depths, name_depth

    if "penetration" not in case:
        return {}
    depths = dict(find_final_depths(dict(observables)))
    penetration, guard = case.get("penetration") or {}, case.get("guard") or {}
    inside = penetration.get("n_inside") or []
    outside = guard.get("fraction")
    return {
        f"{name_depth(dict(observables))} (Å)": show_quantity(depths.get(str(case.get("label", name)))),
        f"depth gained, {ALL_ATOMS} (Å)": show_quantity(penetration.get("gain")),
        "K inside at the end": f"{inside[-1]:.3g}" if inside else "-",
        "frames outside the trained domain": "-" if outside is None else f"{100 * outside:.1f} %",
    }


def _show_surface(case: Mapping[str, Any]) -> Columns:
    """How many are at a surface atom and how near, and the shell of a cation; nothing for a case without a surface."""
    if "coordination" not in case:
        return {}
    found: Mapping[str, Any] = case["coordination"] or {}
    site = str(found.get("label", ""))
    columns: Columns = {}
    if found:
        within = f"within {found['cutoff_A']:.2f} Å"
        columns |= {
            f"{site} {within}": show_quantity(found["sites"]),
            f"{site.partition(' ')[0]} {within}": show_quantity(found["molecules"]),
        }
    for one in case.get("approach") or ():
        if one["label"] == site:
            columns[f"{site} from (Å)"] = show_quantity(one["onset_A"])
    for one in case.get("rdf") or ():
        if one["about"].startswith("surface "):
            continue
        peak_A = one["first_peak_A"]
        columns[f"{one['about'].partition(' ')[0]} to {one['label']} (Å)"] = "-" if peak_A is None else f"{peak_A:.2f}"
        columns["of these"] = show_quantity(one["coordination_number"])
    return columns


def show_quantity(quantity: Mapping[str, Any] | None) -> str:
    """A number with its uncertainty, or a dash."""
    if not quantity or quantity.get("value") is None:
        return "-"
    text = f"{quantity['value']:.2f}"
    return text if quantity.get("uncertainty") is None else f"{text} ± {quantity['uncertainty']:.2f}"


def format_table(header: tuple[str, ...], *, rows: tuple[tuple[str, ...], ...]) -> list[str]:
    """Rows in columns, two spaces apart."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
