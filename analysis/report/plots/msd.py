"""Mean squared displacement."""

from typing import Any

from analysis.report.plots.figure import (
    Figure,
    Plot,
    build_band,
    build_layout,
    build_line,
    format_case_numbers,
    has_band,
    last_number,
    round_column,
)


def build_msd_plots(observables: dict[str, Any]) -> list[Plot]:
    """Mean squared displacement against lag time, all cases in one plot."""
    cases = [case for case in (observables.get("cases") or {}).values() if (case.get("msd") or {}).get("time_ps")]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    traces: list[dict[str, Any]] = []
    for number, case in enumerate(cases):
        label, data = case["label"], case["msd"]
        names = {key: f"{key} ({label})" for key in ("time_ps", "msd_A2", "low_A2", "high_A2")}
        columns |= {name: round_column(data[key]) for key, name in names.items() if data.get(key)}
        if has_band(data.get("low_A2"), data.get("high_A2")):
            traces += build_band(
                x=names["time_ps"], low=names["low_A2"], high=names["high_A2"], name=label, number=number
            )
        traces.append(build_line(x=names["time_ps"], y=names["msd_A2"], name=label, number=number))
    sentence = _describe(cases)
    return [
        Plot(
            key="msd",
            title="Mean squared displacement",
            sentence=sentence,
            alt=f"Mean squared displacement against time. {sentence}",
            columns=columns,
            figures=(Figure("", tuple(traces), build_layout(x="time / ps", y="MSD / Å²")),),
        )
    ]


def _describe(cases: list[dict[str, Any]]) -> str:
    species = str(cases[0]["msd"].get("species") or "atoms")
    ends = format_case_numbers([(case["label"], last_number(case["msd"]["msd_A2"])) for case in cases], unit="Å²")
    sentence = f"Within {last_number(cases[0]['msd']['time_ps']):.4g} ps {species} moved {ends} in the mean square."
    if any(case.get("penetration") for case in cases):
        sentence += " This is a contact run with a moving front, so its slope is no diffusion coefficient."
    return sentence
