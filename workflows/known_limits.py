"""What the card of an embedded potential says against a run with it."""

from collections.abc import Collection
from typing import Any

from ase.formula import Formula

from workflows.calculators.resolve import find_potential_folder
from workflows.configuration.sections import CalculatorSection, DynamicsSection
from workflows.jobs.durable import read_json

LARGEST_LATTICE_DIFFERENCE = 0.03


def read_potential_card(calculator: CalculatorSection) -> dict[str, Any] | None:
    """Card of an embedded potential; None for other calculators and for folders without one."""
    if calculator.name != "pod":
        return None
    return read_json(find_potential_folder(calculator.potential) / "card.json")


def find_known_limits(
    calculator: CalculatorSection, *, dynamics: DynamicsSection, elements: Collection[str]
) -> list[str]:
    """What is known to go wrong with this potential in such dynamics, one sentence each.

    Args:
        calculator: of the run.
        dynamics: ensemble and temperature of the run.
        elements: those of the run; crystals with others are left out.

    Returns:
        Sentences from the card: a lattice that is wrong if the cell is free, crystals that were seen to be lost.
    """
    card = read_potential_card(calculator)
    if card is None:
        return []
    found = []
    if dynamics.ensemble == "npt" and (wrong := _find_wrong_lattices(card, elements=elements)):
        found.append(
            f"dynamics.ensemble is npt: with a free cell {card['name']} goes to other lattices than its teacher, "
            f"{', '.join(wrong)} (its card). Use ensemble: nvt."
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
        found.append(
            f"dynamics.temperature_K is {dynamics.temperature_K:g}: with {card['name']} the crystal order of "
            f"{coldest['system']} was lost at {coldest['temperature_K']:g} K within {coldest['time_ps']:g} ps, "
            f"{coldest['displacement_ratio']:.2f} neighbour distances from its sites (its card). Use a colder run, or "
            "a potential that holds the crystal."
        )
    return found


def _find_wrong_lattices(card: dict[str, Any], *, elements: Collection[str]) -> list[str]:
    """Lattice constants that differ by more than 3 % from the teacher's: "BiSnSb a +7.8 %"."""
    return [
        f"{entry['crystal']} {name.removesuffix('_A')} {100 * constant['relative_difference']:+.1f} %"
        for entry in card.get("lattice_constants") or ()
        if set(Formula(entry["crystal"]).count()) <= set(elements)
        for name, constant in entry["constants"].items()
        if abs(constant["relative_difference"] or 0.0) > LARGEST_LATTICE_DIFFERENCE
    ]
