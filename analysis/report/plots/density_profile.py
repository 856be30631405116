"""Density of each site against the height above a surface, and of all mass."""

from typing import Any

from analysis.report.formatting import NARROW, format_number, format_site, join_words
from analysis.report.plots.figure import (
    Figure,
    Plot,
    build_band,
    build_layout,
    build_line,
    has_band,
    number_cases,
    round_column,
)

_CENTRE = "centre of mass"
_MASS = "mass of all"
_HEIGHT_PX = 470
_Cases = list[tuple[int, dict[str, Any]]]


def build_density_profile_plots(observables: dict[str, Any]) -> list[Plot]:
    """One plot in which the reader picks the site, all cases in it."""
    cases = number_cases(observables, key="profiles")
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    labels = list(dict.fromkeys(str(one["label"]) for _, case in cases for one in case["profiles"]))
    answering = [(case.get("coordination") or {}).get("label") for _, case in cases]
    labels.sort(key=lambda label: label not in answering)
    figures = [_draw_site(cases, label=label, columns=columns) for label in labels]
    figures += _draw_mass(cases, columns=columns)
    sentence = _describe(cases, label=labels[0])
    return [
        Plot(
            key="density-profile",
            title="Who is where above the surface",
            sentence=sentence,
            alt=f"Density of {join_words([format_site(label) for label in labels])} against height. {sentence}",
            columns=columns,
            figures=tuple(figures),
            chooser="Density of",
        )
    ]


def _draw_site(cases: _Cases, *, label: str, columns: dict[str, list[Any]]) -> Figure:
    traces: list[dict[str, Any]] = []
    site = format_site(label)
    for number, case in cases:
        for one in case["profiles"]:
            if one["label"] != label:
                continue
            keys = ("height_A", "density_per_nm3", "low_per_nm3", "high_per_nm3")
            names = {key: f"{key} ({case['label']}, {site})" for key in keys}
            banded = has_band(one.get("low_per_nm3"), one.get("high_per_nm3"))
            columns |= {name: round_column(one[key]) for key, name in names.items() if banded or key in keys[:2]}
            x, y, low, high = names.values()
            if banded:
                traces += build_band(x=x, low=low, high=high, name=case["label"], number=number)
            traces.append(build_line(x=x, y=y, name=case["label"], number=number))
    return Figure(site, tuple(traces), _lay_out("number density / nm⁻³"))


def _lay_out(y: str) -> dict[str, Any]:
    layout = build_layout(x="height above the surface / Å", y=y, height=_HEIGHT_PX)
    layout["yaxis"] |= {"rangemode": "tozero"}
    return layout


def _draw_mass(cases: _Cases, *, columns: dict[str, list[Any]]) -> list[Figure]:
    """Mass density of all species: molecules at their centres of mass, and ions of one atom."""
    traces: list[dict[str, Any]] = []
    for number, case in cases:
        species = dict.fromkeys(str(one["label"]).partition(" ")[0] for one in case["profiles"])
        whole = [_find_whole(case["profiles"], species=name) for name in species]
        known = [one for one in whole if one is not None]
        if len(known) < len(species):
            continue
        x, y = f"height_A ({case['label']}, mass)", f"density_g_per_cm3 ({case['label']})"
        columns[x] = round_column(known[0]["height_A"])
        columns[y] = round_column([sum(row) for row in zip(*(one["density_g_per_cm3"] for one in known), strict=True)])
        traces.append(build_line(x=x, y=y, name=case["label"], number=number))
    return [Figure(_MASS, tuple(traces), _lay_out("density / g/cm³"))] if traces else []


def _find_whole(profiles: list[dict[str, Any]], *, species: str) -> dict[str, Any] | None:
    """The profile of a species' centres of mass, or of its only site if it is one atom; None without any."""
    own = [one for one in profiles if str(one["label"]).partition(" ")[0] == species]
    centres = [one for one in own if one["label"] == f"{species} {_CENTRE}"]
    if centres:
        return dict(centres[0])
    return dict(own[0]) if len(own) == 1 else None


def _describe(cases: _Cases, *, label: str) -> str:
    site = format_site(label)
    peaks = []
    for _, case in cases:
        for one in case["profiles"]:
            values = [0.0 if value is None else value for value in one["density_per_nm3"]]
            if one["label"] == label and any(values):
                highest = max(range(len(values)), key=values.__getitem__)
                height = format_number(one["height_A"][highest], digits=3)
                density = format_number(values[highest], digits=3)
                peaks.append(f"at {height}{NARROW}Å, {density}{NARROW}nm⁻³ ({case['label']})")
    where = f"{site} is densest {join_words(peaks)}." if peaks else f"No {site} was found."
    own = [(case["label"], one) for _, case in cases for one in case["profiles"] if one["label"] == label]
    without = [
        f"{one['verdict']} ({name})" for name, one in own if not has_band(one["low_per_nm3"], one["high_per_nm3"])
    ]
    told = " Bands are 95 % intervals." if len(without) < len(own) else ""
    told += f" No band: {'; '.join(without)}." if without else ""
    return f"{where} Heights are above the mean height of the surface's atoms.{told}"
