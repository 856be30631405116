"""Temperature of potassium and alloy apart: is the thermostat's temperature that of either?"""

from typing import Any

from analysis.headline import begin_sentence
from analysis.report.plots.figure import Figure, Plot, build_layout, build_line, round_column

NOT_REGIONS = ("set_K", "fluctuation_K")


def build_region_temperature_plots(observables: dict[str, Any]) -> list[Plot]:
    """Temperature of each region over time, all cases in one plot."""
    cases = [
        case
        for case in (observables.get("cases") or {}).values()
        if (case.get("region_temperatures") or {}).get("time_ps")
    ]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    traces: list[dict[str, Any]] = []
    for case in cases:
        label, data = case["label"], case["region_temperatures"]
        time = f"time_ps ({label})"
        columns[time] = round_column(data["time_ps"])
        for key in data:
            if not key.endswith("_K") or key in NOT_REGIONS:
                continue
            columns[f"{key} ({label})"] = round_column(data[key])
            name = f"{key.removesuffix('_K')}, {label}"
            traces.append(build_line(x=time, y=f"{key} ({label})", name=name, number=len(traces)))
    sentence = " ".join(
        f"{begin_sentence(str(case['label']))}: {case['region_temperatures']['sentence']}" for case in cases
    )
    return [
        Plot(
            key="region-temperatures",
            title="Is each side at the temperature that was set?",
            sentence=sentence,
            alt=f"Temperature of potassium and of the mobile alloy against time. {sentence}",
            columns=columns,
            figures=(Figure("", tuple(traces), build_layout(x="time / ps", y="temperature / K")),),
        )
    ]
