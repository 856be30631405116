"""Whether a reader may trust the numbers: red, amber or green, each with its reason."""

from dataclasses import dataclass
from typing import Any, Literal

from analysis.headline import begin_sentence, state_doubts
from analysis.reaction_energy import show_reaction
from analysis.report.formatting import format_number
from analysis.results import Results
from analysis.uncertainty import MIN_REPLICAS

Level = Literal["red", "amber", "green"]
LEVELS: tuple[Level, ...] = ("green", "amber", "red")
WORDS = {"red": "Do not use", "amber": "Read this first", "green": "Checks passed"}
# A potential whose forces miss by more than this share of their RMS is worth a word.
LARGEST_FORCE_ERROR_SHARE = 0.15
# Columns that were put anywhere may be as far from zero as those about the cores in one of twenty places.
LARGEST_PLACE_SHARE = 0.05
CORE_LEVELS: dict[str, Level] = {"stays": "green", "annihilates": "red"}
# Of the runs of a sweep, so many are named.
MOST_RUNS = 12
UNSETTLED = ("not converged", "unconverged", "drifting", "too short", "no plateau", "not resolved", "unclear")


@dataclass(frozen=True)
class TrustItem:
    """One check and what it found."""

    level: Level
    title: str
    text: str


@dataclass(frozen=True)
class Trust:
    """All checks, the worst first, and the level of the whole."""

    level: Level
    items: tuple[TrustItem, ...]

    @property
    def word(self) -> str:
        """What the level means to a reader."""
        return WORDS[self.level]


def compute_trust(results: Results) -> Trust:
    """Gather what speaks for and against the numbers: status, potential, guard, convergence, cores, warnings."""
    cases: dict[str, Any] = results.observables.get("cases") or {}
    items = [
        *_check_status(results),
        *(TrustItem(level=warning.severity, title="Warning", text=warning.text) for warning in results.warnings),
        *_check_method(results),
        *(item for case in cases.values() for item in _check_case(case, contrasted="contrast" in results.observables)),
        *_check_replicas(list(cases.values())),
        *_check_contrast(results.observables.get("contrast")),
    ]
    told = [warning.text for warning in results.warnings]
    items = [item for item in items if item.title == "Warning" or not any(item.text in text for text in told)]
    items.sort(key=lambda item: -LEVELS.index(item.level))
    return Trust(level=items[0].level, items=tuple(items))


def _check_status(results: Results) -> list[TrustItem]:
    if results.status == "failed":
        return [TrustItem("red", "Run", "The run failed; what is shown here is what it had reached.")]
    if results.status == "partial":
        return [TrustItem("amber", "Run", "Some calculations are missing; resume the run to complete it.")]
    return []


def _check_method(results: Results) -> list[TrustItem]:
    """Electronic structure is judged by the numerical error of its answer, a potential by its error on record."""
    reactions: dict[str, Any] = results.observables.get("reactions") or {}
    series: list[dict[str, Any]] = results.observables.get("convergence") or []
    if "sweep" in results.observables:
        return _check_runs(results.observables["sweep"]["rows"])
    if series:
        return [_check_series(one) for one in series]
    if "force_field" in results.system:
        return [_check_force_field(results.system["force_field"]), *_check_boxes(results.system)]
    if not reactions:
        return _check_potential(results.system.get("potential"))
    items = []
    for name, reaction in reactions.items():
        verdict = str(reaction["energy"].get("verdict") or "")
        level: Level = "green" if verdict.startswith("converged") else "amber"
        items.append(TrustItem(level, f"Convergence, {show_reaction(name)}", f"{verdict[:1].upper()}{verdict[1:]}."))
        balance = "Atoms, charge and spin balance; all terms share one method, one box and one grid or basis."
        items.append(TrustItem("green", f"Sum, {show_reaction(name)}", balance))
    return items


def _check_force_field(force_field: dict[str, Any]) -> TrustItem:
    """A force field has no held-out error: what it leaves out is what a reader must know."""
    name, lacks = str(force_field.get("name", "named in the methods")), force_field.get("lacks") or []
    text = f"{name}. It leaves out: {'; '.join(lacks)}." if lacks else f"{name}."
    return TrustItem("amber" if lacks else "green", "Force field", text)


def _check_boxes(system: dict[str, Any]) -> list[TrustItem]:
    """Whether atoms of each case may meet their own images within the cut-off of the force field."""
    least_A = 2 * float(system["force_field"].get("cutoff_A") or 0.0)
    items = []
    for case, cell in system.items():
        if not isinstance(cell, dict) or not {"cell_A", "periodic_along"} <= set(cell) or not least_A:
            continue
        lengths_A = [
            length for length, axis in zip(cell["cell_A"], "xyz", strict=True) if axis in cell["periodic_along"]
        ]
        fits = min(lengths_A, default=least_A) >= least_A
        shown = " × ".join(f"{length:.2f}" for length in lengths_A)
        verb = "at least" if fits else "less than"
        text = f"Periodic over {shown} Å: {verb} twice the cut-off, {least_A:.2f} Å."
        items.append(TrustItem("green" if fits else "red", f"Box, {case}", text))
    return items


def _check_settled(case: dict[str, Any]) -> list[TrustItem]:
    """Whether what was followed has settled."""
    label = str(case.get("label", "case"))
    return [
        TrustItem(
            "green" if found["is_settled"] else "amber",
            f"Equilibrium, {label}",
            f"{begin_sentence(label)}, {found['label']}: {found['verdict']}.",
        )
        for found in case["settled"]
    ]


def _check_replicas(cases: list[dict[str, Any]]) -> list[TrustItem]:
    """Whether there are as many replicas as an interval takes, of cases that were each prepared anew."""
    counts = [case["replicas"] for case in cases if "settled" in case]
    if not counts:
        return []
    n_replicas = min(counts)
    count = "1 replica" if n_replicas == 1 else f"{n_replicas} replicas"
    if n_replicas < MIN_REPLICAS:
        return [TrustItem("amber", "Replicas", f"{count} of each case: a difference takes {MIN_REPLICAS}.")]
    return [TrustItem("green", "Replicas", f"{count} of each case, each prepared anew.")]


def _check_runs(rows: list[dict[str, Any]]) -> list[TrustItem]:
    """How the runs of a sweep ended, and what their own reports say of them."""
    items = [
        TrustItem("amber", f"Run {row['member']}", f"{row['status']}: {_shorten(row['reason']) or 'not finished.'}")
        for row in rows
        if row["status"] != "completed"
    ]
    for level in LEVELS:
        members = [row["member"] for row in rows if row["trust"] == WORDS[level]]
        if members:
            shown = ", ".join(members[:MOST_RUNS]) + (" …" if len(members) > MOST_RUNS else "")
            text = f"{len(members)} of {len(rows)} runs say so in their own reports: {shown}."
            items.append(TrustItem(level, WORDS[level], text))
    return items


def _shorten(reason: str) -> str:
    """The first line of a reason; the others are the last lines of a log."""
    return reason.partition("\n")[0]


def _check_series(series: dict[str, Any]) -> TrustItem:
    title = f"{show_reaction(series['reaction'])} over {series['parameter']}"
    if series["converged_at"] is None:
        return TrustItem("amber", title, f"Not converged before the last value, {series['values'][-1]}.")
    return TrustItem("green", title, f"Converged from {series['converged_at']} on.")


def _check_potential(potential: object) -> list[TrustItem]:
    if not isinstance(potential, dict):
        return [TrustItem("amber", "Potential", "No checked error of the potential or method is on record.")]
    name = str(potential.get("name", "potential"))
    energy, force = potential.get("energy_rmse_meV_per_atom"), potential.get("force_rmse_meV_per_A")
    if energy is None and force is None:
        return [TrustItem("amber", "Potential", f"{name}: no checked error is on record.")]
    share = potential.get("force_rmse_share")
    parts = [f"{format_number(energy, digits=3)} meV/atom" if energy is not None else ""]
    parts.append(f"{format_number(force, digits=3)} meV/Å" if force is not None else "")
    text = f"{name}: error on held-out data {' and '.join(part for part in parts if part)}"
    if share is not None:
        text += f", {100 * share:.0f} % of the RMS force"
    if teacher := potential.get("teacher"):
        text += f"; against {teacher}"
    kinds: dict[str, dict[str, float]] = potential.get("force_errors_by_kind") or {}
    if kinds:
        text += f". Forces by kind of structure: {'; '.join(_show_force_error(kind, kinds[kind]) for kind in kinds)}"
    shares = [one for one in (share, *(found["force_rmse_share"] for found in kinds.values())) if one is not None]
    poor = max(shares, default=0.0) > LARGEST_FORCE_ERROR_SHARE
    return [TrustItem("amber" if poor else "green", "Potential", f"{text}.")]


def _show_force_error(kind: str, found: dict[str, float]) -> str:
    error = format_number(found["force_rmse_meV_per_A"], digits=3)
    return f"{kind} {error} meV/Å, {100 * found['force_rmse_share']:.0f} %"


def _check_case(case: dict[str, Any], *, contrasted: bool) -> list[TrustItem]:
    label = str(case.get("label", "case"))
    items: list[TrustItem] = []
    if "settled" in case:
        return _check_settled(case)
    guard = case.get("guard")
    if isinstance(guard, dict):
        trustworthy = bool(guard.get("trustworthy"))
        text = guard.get("sentence") or (
            f"{guard.get('outside')} of {guard.get('frames')} frames are outside the potential's trained domain."
        )
        items.append(TrustItem("green" if trustworthy else "red", f"Guard, {label}", str(text)))
    else:
        items.append(
            TrustItem("amber", f"Guard, {label}", f"No guard watched {label}: the calculator brings no trained domain.")
        )
    core = case.get("core")
    if isinstance(core, dict):
        items.append(_check_core(core, label=label))
    final = (case.get("penetration") or {}).get("final")
    verdict = str(final.get("verdict") or "") if isinstance(final, dict) else ""
    # Too few replicas are the contrast's to tell where there is one.
    if any(word in verdict.lower() for word in (UNSETTLED if contrasted else (*UNSETTLED, "few "))):
        items.append(TrustItem("amber", f"Convergence, {label}", f"Penetration depth: {verdict}."))
    return items


def _check_core(core: dict[str, Any], *, label: str) -> TrustItem:
    level = CORE_LEVELS.get(str(core.get("verdict")), "amber")
    burgers_ok = core.get("burgers_ok") or []
    text = str(core.get("sentence") or f"The dislocation: {core.get('verdict')}.")
    if burgers_ok and level == "green" and not all(burgers_ok):
        level = "amber"
        text += f" The Burgers circuits close as they should in {sum(burgers_ok)} of {len(burgers_ok)} frames."
    return TrustItem(level, f"Dislocation, {label}", text)


def _check_contrast(contrast: object) -> list[TrustItem]:
    if not isinstance(contrast, dict):
        return []
    if doubts := contrast.get("doubts"):
        return [TrustItem("red", "Contrast", state_doubts(doubts))]
    n_replicas = contrast.get("n_replicas")
    share = contrast.get("place_share")
    if contrast.get("resolved") and share is not None and share > LARGEST_PLACE_SHARE:
        text = (
            f"Resolved with {n_replicas} replicas a case, but {100 * share:.0f} % of the columns put elsewhere give a "
            "difference at least as far from zero: it is not one of the place of the cores."
        )
        return [TrustItem("amber", "Contrast", text)]
    if contrast.get("resolved"):
        return [TrustItem("green", "Contrast", f"Resolved with {n_replicas} replicas a case.")]
    if contrast.get("advice"):
        text = str(contrast["advice"])
    elif not isinstance(n_replicas, int) or n_replicas < MIN_REPLICAS:
        text = f"Not resolved: {n_replicas} of the {MIN_REPLICAS} replicas a case that it takes at least."
    else:
        text = "Not resolved: the interval of the difference includes zero."
    return [TrustItem("amber", "Contrast", text)]
