"""Whether the alloy is still a crystal, over time."""

from typing import Any

from analysis.report.plots.figure import Figure, Plot, build_layout, build_line, round_column


def build_crystal_order_plots(observables: dict[str, Any]) -> list[Plot]:
    """Distance from the starting sites over the distance of neighbours, all cases in one plot."""
    cases = [
        case for case in (observables.get("cases") or {}).values() if (case.get("crystal_order") or {}).get("time_ps")
    ]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    traces: list[dict[str, Any]] = []
    for number, case in enumerate(cases):
        label, data = case["label"], case["crystal_order"]
        names = {key: f"{key} ({label})" for key in ("time_ps", "displacement_ratio")}
        columns |= {name: round_column(data[key]) for key, name in names.items()}
        traces.append(build_line(x=names["time_ps"], y=names["displacement_ratio"], name=label, number=number))
    sentence = " ".join(f"{str(case['label']).capitalize()}: {case['crystal_order']['sentence']}" for case in cases)
    return [
        Plot(
            key="crystal-order",
            title="Is the alloy still a crystal?",
            sentence=sentence,
            alt=f"Root mean square distance of deep alloy atoms from their starting sites against time. {sentence}",
            columns=columns,
            figures=(Figure("", tuple(traces), build_layout(x="time / ps", y="displacement / neighbour distance")),),
        )
    ]
