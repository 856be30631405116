"""Tables of molecules at a surface, and of the force field that moved them."""

from typing import Any

from analysis.report.formatting import (
    ABSENT,
    format_interval,
    format_number,
    format_quantity,
    format_site,
    raise_charges,
)
from analysis.report.table import Table

# Observables of a case that no other table repeats.
OWN_TABLES = ("approach", "coordination", "settled")
_Rows = tuple[tuple[str, ...], ...]


def build_interface_tables(observables: dict[str, Any]) -> list[Table]:
    """Molecules at a surface: how many, how near, and whether that has settled."""
    cases, published = observables.get("cases") or {}, observables.get("published") or {}
    cited = str(published.get("source", "Published"))
    counted = ("Case", "Counted", "Within / Å", "Number", "Interval", "n", cited, "Verdict")
    near = ("Site", "Onset", "Peak", "End", "Replicas that resolve it", "How the end was found")
    settled = ("Quantity", "Mean", "Kept from / ps", "Last half less first", "Settled", "Verdict")
    return [
        Table("Coordination of a surface atom", counted, _tabulate_coordination(cases, published=published)),
        Table("First approach to the surface", near, _tabulate_approach(cases)),
        Table("Has the state settled?", settled, _tabulate_settling(cases)),
    ]


def build_force_field_tables(force_field: dict[str, Any]) -> list[Table]:
    """Every type of the force field."""
    header = ("Type", "Element", "Atoms", "Charge / e", "σ / Å", "ε / meV")
    return [Table("Types of the force field", header, _tabulate_force_field(force_field.get("types") or {}))]


def _tabulate_coordination(cases: dict[str, dict[str, Any]], *, published: dict[str, Any]) -> _Rows:
    """Case, what is counted, number, interval, independent samples, published number, verdict and definition."""
    rows = []
    for name, case in cases.items():
        found = case.get("coordination")
        if not found:
            continue
        species = str(found["label"]).partition(" ")[0]
        cited = (published.get("coordination_number") or {}).get(name)
        for kind, what in (
            ("sites", format_site(found["label"])),
            ("molecules", f"{raise_charges(species)}, any atom"),
        ):
            quantity = found[kind]
            rows.append(
                (
                    str(case["label"]),
                    what,
                    f"{found['cutoff_A']:.2f} ({found['cutoff_source']})",
                    format_quantity(quantity),
                    format_interval(quantity),
                    format_number(quantity.get("n_independent"), digits=2),
                    format_number(cited, digits=3),
                    str(quantity.get("verdict") or ABSENT),
                )
            )
    return tuple(rows)


def _tabulate_approach(cases: dict[str, dict[str, Any]]) -> _Rows:
    """Case, site, onset, peak and end of the first peak, replicas that resolve it, and how the end was found."""
    return tuple(
        (
            f"{format_site(found['label'])}, {case['label']}",
            *(format_quantity(found[end] or {}) for end in ("onset_A", "peak_A", "end_A")),
            str(found["n_resolved"]),
            str(found["reason"]),
        )
        for case in cases.values()
        for found in case.get("approach") or []
    )


def _tabulate_settling(cases: dict[str, dict[str, Any]]) -> _Rows:
    """Case and quantity, mean, since when it is kept, how far it still moves, and the verdict."""
    return tuple(
        (
            f"{raise_charges(found['label'])}, {case['label']}",
            format_quantity(found["mean"]),
            f"{found['kept_from_ps']:.4g}",
            f"{found['change']:+.3g}".replace("-", "−"),
            "yes" if found["is_settled"] else "no",
            str(found["verdict"]),
        )
        for case in cases.values()
        for found in case.get("settled") or []
    )


def _tabulate_force_field(types: dict[str, dict[str, Any]]) -> _Rows:
    """Type, element, atoms, charge or range of charges, σ and ε."""
    rows = []
    for name, one in types.items():
        low, high = one["charge_from_e"], one["charge_to_e"]
        charge = format_number(low) if low == high else f"{format_number(low)} to {format_number(high)}"
        numbers = (one["sigma_A"], one["epsilon_meV"])
        rows.append((name, str(one["element"]), str(one["n_atoms"]), charge, *(format_number(x) for x in numbers)))
    return tuple(rows)
