"""What the card of an embedded potential says against a run with it."""

from collections.abc import Collection
from typing import Any

import numpy as np
from ase.formula import Formula

from analysis.crystal_order import judge_ratio
from structures.alloy import AlloyRecord
from workflows.calculators.resolve import find_potential_folder
from workflows.configuration.sections import CalculatorSection, DynamicsSection
from workflows.jobs.durable import read_json

LARGEST_LATTICE_DIFFERENCE = 0.03
# A hundredth is felt in barriers, and thermal expansion to melting is below two.
LARGEST_LATTICE_STRAIN = 0.02


def read_potential_card(calculator: CalculatorSection) -> dict[str, Any] | None:
    """Card of an embedded potential; None for other calculators and for folders without one."""
    if calculator.name != "pod":
        return None
    return read_json(find_potential_folder(calculator.potential) / "card.json")


def compare_lattice(calculator: CalculatorSection, *, alloy: AlloyRecord) -> dict[str, dict[str, float]]:
    """The lattice that an alloy is built with beside the one that the potential itself gives such a crystal at 0 K.

    Args:
        calculator: of the run.
        alloy: as it is built.

    Returns:
        `built_A` and `potential_A`, in Å, and `strain`, the former over the latter less one, each for "a" and "c";
        empty if the potential has no card, or its card names no crystal of this composition.
    """
    card = read_potential_card(calculator) or {}
    for entry in card.get("lattice_constants") or ():
        count = Formula(entry["crystal"]).count()
        shares = {element: number / sum(count.values()) for element, number in count.items()}
        own_A = {name: entry["constants"].get(f"{name}_A", {}).get("potential") for name in ("a", "c")}
        if set(shares) != set(alloy.composition) or None in own_A.values():
            continue
        if np.allclose([shares[element] for element in alloy.composition], list(alloy.composition.values()), atol=0.01):
            built_A = {"a": alloy.a_A, "c": alloy.c_A}
            strain = {name: length_A / own_A[name] - 1 for name, length_A in built_A.items()}
            return {"built_A": built_A, "potential_A": own_A, "strain": strain}
    return {}


def describe_lattice(calculator: CalculatorSection, *, alloy: AlloyRecord) -> dict[str, Any]:
    """The lattice that an alloy is built with, where it comes from, and how the potential itself would have it."""
    return {
        "a_A": alloy.a_A,
        "c_A": alloy.c_A,
        "z": alloy.z,
        "source": alloy.source,
        "beside_potential": compare_lattice(calculator, alloy=alloy) or None,
    }


def find_known_limits(
    calculator: CalculatorSection,
    *,
    dynamics: DynamicsSection,
    elements: Collection[str],
    alloy: AlloyRecord | None = None,
) -> list[str]:
    """What is known to go wrong with this potential in such dynamics, one sentence each.

    Args:
        calculator: of the run.
        dynamics: ensemble and temperature of the run.
        elements: those of the run; crystals with others are left out.
        alloy: as it is built; None if it is the user's own.

    Returns:
        Sentences from the card: an alloy that is built under strain, a lattice that is wrong if the cell is free,
        crystals that were seen to be lost.
    """
    card = read_potential_card(calculator)
    if card is None:
        return []
    found = [] if alloy is None else _judge_lattice(compare_lattice(calculator, alloy=alloy), card=card, alloy=alloy)
    if dynamics.ensemble == "npt" and (wrong := _find_wrong_lattices(card, elements=elements)):
        found.append(
            f"dynamics.ensemble is npt: with a free cell {card['name']} goes to other lattices than its teacher, "
            f"{', '.join(wrong)} (its card). ensemble: nvt keeps the shape that was built, and the strain with it; a "
            "potential with the right lattice mends it."
        )
    lost = [
        entry
        for entry in card.get("crystal_order") or ()
        if entry["verdict"] == "lost"
        and entry["temperature_K"] <= dynamics.temperature_K
        and set(entry["elements"]) <= set(elements)
    ]
    if lost:
        coldest = min(lost, key=lambda entry: float(entry["temperature_K"]))
        relaxation = float(coldest.get("relaxation_ratio") or 0.0)
        advice = (
            f"The relaxation alone moved its atoms by {relaxation:.2f}, so a colder run does not help. Use"
            if judge_ratio(relaxation) == "lost"
            else "Use a colder run, or"
        )
        found.append(
            f"dynamics.temperature_K is {dynamics.temperature_K:g}: with {card['name']} the crystal order of "
            f"{coldest['system']} was lost at {coldest['temperature_K']:g} K within {coldest['time_ps']:g} ps, "
            f"{coldest['displacement_ratio']:.2f} neighbour distances from its sites (its card). {advice} a "
            "potential that holds the crystal."
        )
    return found


def _judge_lattice(lattice: dict[str, dict[str, float]], *, card: dict[str, Any], alloy: AlloyRecord) -> list[str]:
    """An alloy that is built more than 2 % off the potential's own lattice, and how to build it on that."""
    if max(map(abs, lattice.get("strain", {}).values()), default=0.0) <= LARGEST_LATTICE_STRAIN:
        return []
    built, own = (
        " and ".join(f"{name} = {length_A:.3f} Å" for name, length_A in lattice[key].items())
        for key in ("built_A", "potential_A")
    )
    strains = " and ".join(f"{100 * value:+.1f} % along {name}" for name, value in lattice["strain"].items())
    sets = " ".join(f"--set structure.{name}_A={length_A:.3f}" for name, length_A in lattice["potential_A"].items())
    text = (
        f"{alloy.name} is built with {built}, but with {card['name']} such a crystal relaxes to {own} (its card): the "
        f"cell strains it by {strains}, which strain_alloy does not count. Build it as the potential has it: {sets}."
    )
    return [text]


def _find_wrong_lattices(card: dict[str, Any], *, elements: Collection[str]) -> list[str]:
    """Lattice constants that differ by more than 3 % from the teacher's: "BiSnSb a +7.8 %"."""
    return [
        f"{entry['crystal']} {name.removesuffix('_A')} {100 * constant['relative_difference']:+.1f} %"
        for entry in card.get("lattice_constants") or ()
        if set(Formula(entry["crystal"]).count()) <= set(elements)
        for name, constant in entry["constants"].items()
        if abs(constant["relative_difference"] or 0.0) > LARGEST_LATTICE_DIFFERENCE
    ]
