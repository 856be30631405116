"""Tables of the report: what was simulated, the settings that matter, and every number with its interval."""

from dataclasses import dataclass
from typing import Any

from analysis.headline import (
    START,
    find_answer,
    find_comparisons,
    find_final_depths,
    judge_gain,
    name_depth,
    name_verdict,
)
from analysis.reaction_energy import show_reaction
from analysis.report.adsorption_tables import build_adsorption_tables
from analysis.report.formatting import (
    ABSENT,
    drop_noise,
    flatten,
    format_entry,
    format_interval,
    format_label,
    format_number,
    format_quantity,
    join_words,
    raise_charges,
)
from analysis.report.interface_tables import OWN_TABLES, build_force_field_tables, build_interface_tables
from analysis.report.table import Table
from analysis.results import Results
from analysis.tables import find_quantities


@dataclass(frozen=True)
class Tile:
    """A large number at the top of the page."""

    label: str
    value: str
    note: str
    case: int | None


def build_answer(results: Results) -> str:
    """The answer of a run in one sentence: its own, else that of the contrast, the final numbers or the status."""
    if answer := find_answer(results.observables):
        return answer
    depths = [f"{format_quantity(quantity)} ({label})" for label, quantity in find_final_depths(results.observables)]
    if depths:
        sentence = f"The depth of potassium grew by {join_words(depths)} since {START}."
        return " ".join([sentence, *dict.fromkeys(filter(None, _judge_gains(results)))])
    return f"The flow {results.flow} is {results.status}; it reports no number to sum up."


def build_tiles(results: Results) -> list[Tile]:
    """Depth gained by each case, and the contrast, as large numbers."""
    contrast = results.observables.get("contrast") or {}
    reactions: dict[str, Any] = results.observables.get("reactions") or {}
    tiles = [
        Tile(
            show_reaction(name),
            format_quantity(reaction["energy"]),
            "numerical error not estimated" if reaction["energy"].get("uncertainty") is None else "± numerical error",
            number,
        )
        for number, (name, reaction) in enumerate(reactions.items())
    ]
    verdict = name_verdict(contrast)
    # Beside a contrast it is the contrast that is resolved or not.
    doubts = [""] * len(find_final_depths(results.observables)) if contrast else _judge_gains(results)
    tiles += [
        Tile(
            f"{label}: {name_depth(results.observables)}{', not resolved' if doubts[number] else ''}",
            format_quantity(quantity),
            _note(quantity),
            number,
        )
        for number, (label, quantity) in enumerate(find_final_depths(results.observables))
    ]
    tiles += [
        Tile(label=f"{name}, {verdict}", value=format_quantity(quantity), note=_note(quantity), case=None)
        for name, quantity in find_comparisons(contrast)
    ]
    return tiles + _headline_tiles(results.observables)


def _headline_tiles(observables: dict[str, Any]) -> list[Tile]:
    """The numbers that a run names itself; one whose name ends with a case's label has that case's colour."""
    labels = [str(case.get("label", name)) for name, case in (observables.get("cases") or {}).items()]
    return [
        Tile(
            f"{raise_charges(name)}, {quantity['verdict']}"
            if "resolved" in str(quantity["verdict"])
            else raise_charges(name),
            format_quantity(quantity),
            _note(quantity),
            next((number for number, label in enumerate(labels) if name.endswith(label)), None),
        )
        for name, quantity in (observables.get("headlines") or {}).items()
    ]


def _judge_gains(results: Results) -> list[str]:
    """Why the gain of each case alone is not told from zero."""
    return [
        judge_gain(
            n_replicas=quantity.get("n_independent"),
            low=quantity.get("low"),
            high=quantity.get("high"),
            doubts=results.observables.get("doubts") or (),
        )
        for _, quantity in find_final_depths(results.observables)
    ]


def build_tables(results: Results) -> list[Table]:
    """System, settings by section, and all quantities."""
    force_field: dict[str, Any] = results.system.get("force_field") or {}
    system = results.system
    if "types" in force_field:
        system = system | {"force_field": {key: item for key, item in force_field.items() if key != "types"}}
    tables = [Table("System", ("What", "Value"), tuple(flatten(drop_noise(system))))]
    plain = {key: value for key, value in results.config.items() if not isinstance(value, dict)}
    sections = {"settings": plain} if plain else {}
    sections |= {key: value for key, value in results.config.items() if isinstance(value, dict)}
    tables += [
        Table(
            f"Settings: {format_label(name)}" if name != "settings" else "Settings", ("Setting", "Value"), tuple(rows)
        )
        for name, section in sections.items()
        if (rows := [row for row in flatten(section) if row[1] != ABSENT])
    ]
    observables = results.observables
    tables = [
        *_sweep_tables(observables.get("sweep") or {}),
        *build_interface_tables(observables),
        *([] if "sweep" in observables else _observable_tables(observables)),
        *_sensitivity_tables(observables.get("contrast") or {}),
        *build_adsorption_tables(observables),
        *build_force_field_tables(force_field),
        *tables,
    ]
    return [table for table in tables if table.rows]


def _sweep_tables(sweep: dict[str, Any]) -> list[Table]:
    """A row a run of a sweep: its values, what became of it, and its main numbers."""
    rows: list[dict[str, Any]] = sweep.get("rows") or []
    keys = [axis["key"] for axis in sweep.get("axes") or ()]
    names = list(dict.fromkeys(name for row in rows for name in row["quantities"]))
    cells = tuple(
        (
            str(row["member"]),
            *(str(row["values"].get(key, ABSENT)) for key in keys),
            f"{row['status']}: {row['reason'].splitlines()[0]}" if row["reason"] else str(row["status"]),
            *(format_quantity(row["quantities"].get(name) or {}) for name in names),
            str(row["trust"] or ABSENT),
            str(len(row["warnings"])),
        )
        for row in rows
    )
    return [Table("Runs", ("Run", *keys, "Status", *names, "Its report says", "Warnings"), cells)]


def _sensitivity_tables(contrast: dict[str, Any]) -> list[Table]:
    """The contrast at other radii of the core columns (rows) and other areal densities (columns)."""
    found: dict[str, list[Any]] = contrast.get("sensitivity") or {}
    if not found:
        return []
    radii, densities = (list(dict.fromkeys(found[name])) for name in ("core_radius_A", "areal_density_per_nm2"))
    names = ("core_radius_A", "areal_density_per_nm2", "difference_A", "is_configured")
    cells = {
        (radius, density): format_quantity({"value": value, "unit": "Å"}) + (" (this run)" if is_own else "")
        for radius, density, value, is_own in zip(*(found[name] for name in names), strict=True)
    }
    return [
        Table(
            "Difference of the gains at other radii of the core columns and other areal densities beyond the depth",
            ("Radius", *(f"{density:g} nm⁻²" for density in densities)),
            tuple((f"{radius:g}\u202fÅ", *(cells[radius, density] for density in densities)) for radius in radii),
        )
    ]


def build_provenance_tables(results: Results) -> list[Table]:
    """Versions, checksums, seeds, keys, times and machine."""
    provenance = results.provenance
    groups: dict[str, dict[str, Any]] = {
        "Versions": provenance.versions,
        "Seeds": provenance.seeds,
        "Keys of calculations": provenance.keys,
        "Checksums (SHA-256)": provenance.checksums,
        "Wall times": {f"{name}_s": seconds for name, seconds in provenance.wall_times_s.items()},
        "Machine": provenance.machine,
    }
    return [Table(caption, ("Name", "Value"), tuple(_plain_rows(group))) for caption, group in groups.items() if group]


def _plain_rows(group: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows whose names stay as they are: packages and keys are no labels."""
    rows: list[tuple[str, str]] = []
    for name, value in group.items():
        if isinstance(value, dict):
            rows += [(f"{name} · {inner}", text) for inner, text in _plain_rows(value)]
        elif name.endswith("_s") and isinstance(value, int | float):
            rows.append((name.removesuffix("_s"), f"{format_number(value)}\u202fs"))
        elif isinstance(value, list):
            rows.append((name, ", ".join(str(item) for item in value)))
        else:
            rows.append((name, ABSENT if value is None else str(value)))
    return rows


def _note(quantity: dict[str, Any]) -> str:
    parts = []
    if quantity.get("low") is not None and quantity.get("high") is not None:
        parts.append(f"95 % interval {format_interval(quantity)}")
    if quantity.get("n_independent") is not None:
        parts.append(f"n = {format_number(quantity['n_independent'], digits=2)}")
    return " · ".join(parts) or "no interval"


def _observable_tables(observables: dict[str, Any]) -> list[Table]:
    """All quantities; those of one list (a coordination number for each pair and region) get their own table."""
    header = ("Quantity", "Value", "Interval", "n", "Verdict", "Method")
    cases, contrast = observables.get("cases") or {}, observables.get("contrast") or {}
    single: list[tuple[str, ...]] = []
    listed: dict[str, list[tuple[str, ...]]] = {}
    compared = dict(find_comparisons(contrast))
    for path, found in find_quantities(observables):
        quantity = compared.get("difference", found) if path == ("contrast", "difference_A") else found
        names = [name for name in path if name != "cases"]
        case = str(cases[names[0]].get("label", names[0])) if names[0] in cases else ""
        if names[1:2] and names[1] in OWN_TABLES:
            continue
        if case and isinstance(cases[names[0]].get(names[1]), list):
            row = (f"{format_entry(names[2])} · {case}", *_format_cells(quantity))
            listed.setdefault(format_label(names[-1]), []).append(row)
            continue
        words = _label_depth(names) or [format_label(name) for name in names]
        single.append((" · ".join([case, *words[1:]] if case else words), *_format_cells(quantity)))
    tables = [Table("Observables", header, tuple(single))]
    tables += [Table(f"Observables: {name}", header, tuple(sorted(rows))) for name, rows in listed.items()]
    return [table for table in tables if table.rows]


def _label_depth(names: list[str]) -> list[str]:
    """Case and name of a depth or its gain, told by the place where it stands; nothing for other quantities."""
    kinds = {"final": "depth", "gain": "depth gained"}
    match names:
        case [case, "penetration", kind] if kind in kinds:
            return [case, f"{kinds[kind]}, all K"]
        case [case, "penetration", "by_region", "core", kind] if kind in kinds:
            return [case, f"{kinds[kind]}, core columns"]
        case [case, "penetration", "by_region", region, kind] if kind in kinds:
            return [case, f"{kinds[kind]}, {region} (K outside the core columns)"]
    return []


def _format_cells(quantity: dict[str, Any]) -> tuple[str, ...]:
    return (
        format_quantity(quantity),
        format_interval(quantity),
        format_number(quantity.get("n_independent"), digits=2),
        str(quantity.get("verdict") or ABSENT),
        str(quantity.get("method") or ABSENT),
    )
