"""Whether the alloy is still a crystal, over time."""

from typing import Any

from analysis.headline import begin_sentence
from analysis.report.plots.figure import Figure, Plot, build_layout, build_line, round_column

REFERENCES = {
    "displacement_ratio": "sites as built",
    "displacement_ratio_from_relaxed": "sites as relaxed",
}


def build_crystal_order_plots(observables: dict[str, Any]) -> list[Plot]:
    """Distance from the sites as built, or as relaxed, over the distance of neighbours; all cases in one plot."""
    cases = [
        case for case in (observables.get("cases") or {}).values() if (case.get("crystal_order") or {}).get("time_ps")
    ]
    if not cases:
        return []
    columns: dict[str, list[Any]] = {}
    figures: list[Figure] = []
    layout = build_layout(x="time / ps", y="displacement / neighbour distance")
    for key, sites in REFERENCES.items():
        traces: list[dict[str, Any]] = []
        for number, case in enumerate(cases):
            label, data = case["label"], case["crystal_order"]
            names = {name: f"{name} ({label})" for name in ("time_ps", key)}
            columns |= {name: round_column(data[field]) for field, name in names.items()}
            traces.append(build_line(x=names["time_ps"], y=names[key], name=label, number=number))
        figures.append(Figure(sites, tuple(traces), layout))
    sentence = " ".join(f"{begin_sentence(str(case['label']))}: {case['crystal_order']['sentence']}" for case in cases)
    return [
        Plot(
            key="crystal-order",
            title="Is the alloy still a crystal?",
            sentence=sentence,
            alt=f"Root mean square distance of deep alloy atoms from their sites against time. {sentence}",
            columns=columns,
            figures=tuple(figures),
            chooser="Measured from",
        )
    ]
