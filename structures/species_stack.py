"""Two species stacked along z as one, with the spin states that theirs couple to."""

from __future__ import annotations

from typing import Literal

from structures.species import Species, check_species
from structures.stacking import stack_atoms

Coupling = Literal["parallel", "antiparallel"]


def build_stack(
    lower: Species,
    upper: Species,
    *,
    distance_A: float,
    slip_A: tuple[float, float] = (0.0, 0.0),
    coupling: Coupling = "parallel",
    name: str = "",
) -> Species:
    """One species above another, such as cobalt phthalocyanine on a node; the atoms of the lower come first.

    Neither is turned: a planar molecule has to lie in the xy plane (the built-in ones do), and a lump shows the side
    that it has upwards. The spins are collinear: multiplicity 2 |S_lower ± S_upper| + 1, and every arrangement of the
    lower is combined with every one of the upper, which is turned over if they are antiparallel.

    Args:
        lower: below.
        upper: above.
        distance_A: along z from the topmost atom of the lower to the lowest of the upper, in Å.
        slip_A: along x and y from the centre of the lower to that of the upper, in Å.
        coupling: of the two spins.
        name: of the stack; empty: made of both names.

    Raises:
        InputError: if the molecules would touch, or a species is wrong in itself.
    """
    below, above = stack_atoms(
        check_species(lower).atoms, check_species(upper).atoms, distance_A=distance_A, slip_A=slip_A
    )
    sign = 1 if coupling == "parallel" else -1
    unpaired = lower.multiplicity - 1 + sign * (upper.multiplicity - 1)
    turn = -1 if unpaired < 0 else 1  # the larger spin points up
    moments = {
        " / ".join(filter(None, (first, second))) or coupling: tuple(turn * value for value in of_lower)
        + tuple(turn * sign * value for value in of_upper)
        for first, of_lower in _list_arrangements(lower).items()
        for second, of_upper in _list_arrangements(upper).items()
    }
    has_spin = any(value for values in moments.values() for value in values)
    return check_species(
        Species(
            name or f"{upper.name}_on_{lower.name}",
            below + above,
            charge=lower.charge + upper.charge,
            multiplicity=abs(unpaired) + 1,
            source=f"{upper.name} {distance_A:g} Å above {lower.name}, {coupling} spins",
            starting_moments=moments if has_spin else {},
        )
    )


def _list_arrangements(species: Species) -> dict[str, tuple[float, ...]]:
    """Those of the species, or, if it names none, its unpaired electrons spread evenly, without a name."""
    n_atoms = len(species.atoms)
    even = (species.multiplicity - 1) / n_atoms
    return dict(species.starting_moments) or {"": (even,) * n_atoms}
