"""The numbers that answer the question of a run, and what they are: the same in sentence, cards, plots and terminal."""

from collections.abc import Sequence
from typing import Any

from analysis.reaction_energy import show_reaction
from analysis.uncertainty import MIN_REPLICAS

CORE_COLUMNS, ALL_ATOMS = "core columns", "all K"
# Of lengths in Å, wherever they are shown.
DECIMALS = 2
# What a run starts from, and time is counted from.
START = "the relaxed cell"
NOT_ABOUT_DISLOCATIONS, NOT_IN_THE_CRYSTAL = "Not a result about dislocations", "Not a depth in the crystal"


def find_answer(observables: dict[str, Any]) -> str:
    """The answer of a run in one sentence, from the run itself or from its contrast; empty if it has none."""
    return str(observables.get("answer") or (observables.get("contrast") or {}).get("sentence") or "")


def find_final_depths(observables: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Depth that each case gained from the start on: that of the contrast, else that of all atoms of the case."""
    contrast = observables.get("contrast") or {}
    found = []
    for name, case in (observables.get("cases") or {}).items():
        quantity = contrast.get(f"{name}_gain_A") or (case.get("penetration") or {}).get("gain")
        if isinstance(quantity, dict):
            found.append((str(case.get("label", name)), quantity))
    return found


def find_headlines(observables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The main numbers of any run → quantity: energies of reactions, depths, those that it names itself, errors.

    What is there is taken: no flow is asked for by its name.
    """
    found = {
        f"ΔE, {show_reaction(name)}": reaction.get("energy")
        for name, reaction in (observables.get("reactions") or {}).items()
    }
    depth = name_depth(observables)
    found |= {f"{depth}, {label}": quantity for label, quantity in find_final_depths(observables)}
    found |= {f"{depth}, {name}": quantity for name, quantity in find_comparisons(observables.get("contrast"))}
    found |= observables.get("headlines") or {}
    held_out = ((observables.get("card") or {}).get("errors") or {}).get("held_out") or ()
    overall: dict[str, Any] = next((entry for entry in held_out if entry.get("kind") == "all"), {})
    found |= {
        "energy error, held out": {"value": overall.get("energy_rmse_meV_per_atom"), "unit": "meV/atom"},
        "force error, held out": {"value": overall.get("force_rmse_eV_per_A"), "unit": "eV/Å"},
    }
    return {name: item for name, item in found.items() if isinstance(item, dict) and item.get("value") is not None}


def state_doubts(doubts: Sequence[str], *, verdict: str = NOT_ABOUT_DISLOCATIONS) -> str:
    """Why numbers are no answer, as a sentence; nothing without a reason."""
    return f"{verdict}: {'; '.join(doubts)}." if doubts else ""


def name_verdict(contrast: dict[str, Any]) -> str:
    """What a contrast is good for, in a few words."""
    if contrast.get("doubts"):
        return "not about dislocations"
    return "resolved" if contrast.get("resolved") else "not resolved"


def judge_gain(*, n_replicas: float | None, low: float | None, high: float | None, doubts: Sequence[str] = ()) -> str:
    """Why the gain of a case alone is not told from zero, as the contrast says it; empty if it is.

    Args:
        n_replicas: replicas behind it; None counts as one.
        low: lower end of its 95 % interval; None without any.
        high: upper end.
        doubts: why the run is no answer, whatever its replicas say.

    Returns:
        A sentence that begins with "Not resolved", or the doubts, or nothing.
    """
    if doubts:
        return state_doubts(doubts, verdict=NOT_IN_THE_CRYSTAL)
    if low is None or high is None:
        return f"Not resolved: one replica has no error bar. Run at least {MIN_REPLICAS} replicas."
    if n_replicas is None or n_replicas < MIN_REPLICAS:
        return f"Not resolved: fewer than {MIN_REPLICAS} replicas."
    return "" if low > 0 or high < 0 else "Not resolved: the interval includes zero."


def show_length(length_A: float) -> str:
    """A length as shown, with a true minus sign, and none before a zero."""
    return f"{round(length_A, DECIMALS) + 0.0:.{DECIMALS}f}".replace("-", "−")


def subtract_as_shown(first_A: float, second_A: float) -> float:
    """Difference of two lengths as a reader subtracts them, who sees 0.01 Å."""
    return round(round(first_A, DECIMALS) - round(second_A, DECIMALS), DECIMALS)


def find_comparisons(contrast: dict[str, Any] | None) -> list[tuple[str, dict[str, Any]]]:
    """Difference and ratio of the cases, those that are there; the difference is that of the gains as shown."""
    contrast = contrast or {}
    first, second = ((contrast.get(f"{name}_gain_A") or {}).get("value") for name in ("dislocation", "control"))
    difference = contrast.get("difference_A")
    if isinstance(difference, dict) and isinstance(first, float) and isinstance(second, float):
        difference = difference | {"value": subtract_as_shown(first, second)}
    found = [("difference", difference), ("ratio", contrast.get("ratio"))]
    return [(name, item) for name, item in found if isinstance(item, dict) and item.get("value") is not None]


def name_depth(observables: dict[str, Any]) -> str:
    """What the depths of `find_final_depths` are called: "depth gained, core columns" or "depth gained, all K"."""
    return f"depth gained, {_find_region(observables)}"


def define_depth(observables: dict[str, Any]) -> str:
    """What the depths of `find_final_depths` are, in a sentence; nothing if there are none."""
    if not find_final_depths(observables):
        return ""
    densities = {
        case["penetration"].get("areal_density_per_nm2")
        for case in observables["cases"].values()
        if "penetration" in case
    }
    density = densities.pop() if len(densities) == 1 else None
    number = f"{density:g}" if density is not None else "a chosen number of"
    atoms = "potassium atoms"
    if _find_region(observables) == CORE_COLUMNS:
        atoms += " in the columns about the core lines (in the control: the same columns)"
    return (
        f"{begin_sentence(name_depth(observables))}: the depth below the interface beyond which {number} {atoms} lie "
        f"on each nm², mean over the last tenth of the run less its value in {START}. It is no path of "
        "single atoms: those that come into a column from beside it count as well. The interface is the plane "
        "midway between alloy and potassium as built, and stays there."
    )


def begin_sentence(text: str) -> str:
    """The text with a capital at its start, and all else as it is: elements keep theirs."""
    return f"{text[:1].upper()}{text[1:]}"


def _find_region(observables: dict[str, Any]) -> str:
    return str((observables.get("contrast") or {}).get("region") or ALL_ATOMS)
