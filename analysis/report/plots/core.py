"""Where the dislocation cores go."""

import math
from typing import Any

from analysis.report.plots.figure import Figure, Plot, build_layout, build_line, round_column


def build_core_plots(observables: dict[str, Any]) -> list[Plot]:
    """Way of each core from its first place against time, where the Burgers circuits close; nothing if nowhere."""
    plots: list[Plot] = []
    for name, case in (observables.get("cases") or {}).items():
        core = case.get("core")
        if not isinstance(core, dict) or not core.get("positions_A"):
            continue
        columns: dict[str, list[Any]] = {"time_ps": round_column(core["time_ps"])}
        traces: list[dict[str, Any]] = []
        closed = core.get("burgers_ok") or [True] * len(core["positions_A"])
        known = [frame if ok else None for frame, ok in zip(core["positions_A"], closed, strict=True)]
        n_cores = max((len(frame) for frame in known if frame), default=0)
        if not n_cores:
            continue
        for number in range(n_cores):
            key = f"way_A (core {number + 1})"
            columns[key] = round_column(_measure_way(known, number=number))
            traces.append(build_line(x="time_ps", y=key, name=f"core {number + 1}", number=number))
        if core.get("burgers_ok"):
            columns["burgers_ok"] = list(core["burgers_ok"])
        sentence = str(core.get("sentence") or f"The dislocation: {core.get('verdict')}.")
        if core.get("burgers_ok") and core.get("verdict") != "unclear":
            sentence += f" Burgers circuits close as they should in {sum(map(bool, closed))} of {len(closed)} frames."
        plots.append(
            Plot(
                key=f"core-{name}",
                title=f"Do the cores stay? ({case['label']})",
                sentence=sentence,
                alt=f"Distance of each dislocation core from its first position against time. {sentence}",
                columns=columns,
                figures=(Figure("", tuple(traces), build_layout(x="time / ps", y="distance from start / Å")),),
            )
        )
    return plots


def _measure_way(positions_A: list[Any], *, number: int) -> list[float | None]:
    way: list[float | None] = []
    start: list[float] | None = None
    for frame in positions_A:
        point = frame[number] if frame is not None and len(frame) > number else None
        if point is None or any(value is None for value in point):
            way.append(None)
            continue
        start = start if start is not None else point
        way.append(math.dist(point, start))
    return way
