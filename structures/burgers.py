"""Whether the dislocations of a frame are those that were built: Burgers circuits, and where the cores are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from structures.circuit import HALF_THICKNESS_A, Circuit, compute_circuit
from structures.cores import compute_separation, find_cores
from structures.lattice_bonds import Interior, select_interior

if TYPE_CHECKING:
    from ase import Atoms

    from structures.dislocation import DipoleGeometry

Verdict = Literal["stays", "glides", "annihilates", "unclear"]

SMALLEST_AGREEMENT = 0.7
# Room between the outer edge of a circuit and the next core.
_MARGIN_A = 3.0
# Closer circuits would run through the core itself, which spreads over some Å.
_SMALLEST_HALF_WIDTH_A = 5.0


@dataclass(frozen=True, kw_only=True)
class BurgersCheck:
    """What the circuits of a frame found.

    Attributes:
        ok: all circuits give what was built: b around the first core of each pair, −b around its partner, 0 around
            both.
        verdict: "stays" if also no core is off its built place by a Burgers vector or more, "glides" if one is,
            "annihilates" if every circuit gives zero,
            "unclear" otherwise.
        circuits: three sizes around each core, then around each pair.
        core_positions_A: x and y of each built core, in Å; None where none was found.
        glide_A: distance along x of each core from where it was built, in Å; None where none was found.
        sentence: the verdict in words.
    """

    ok: bool
    verdict: Verdict
    circuits: tuple[Circuit, ...]
    core_positions_A: tuple[tuple[float, float] | None, ...]
    glide_A: tuple[float | None, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return asdict(self)


def check_burgers_vector(
    atoms: Atoms, *, geometry: DipoleGeometry, z_range_A: tuple[float, float] | None = None
) -> BurgersCheck:
    """Prove the dislocations of a frame by lattice-mapped circuits of three sizes around each core and each pair.

    Works on relaxed cells and on frames at temperature, with metal atoms and free faces: only the alloy's interior is
    looked at, and atoms are known by their bonds, not by their order.

    Args:
        atoms: the frame.
        geometry: the dislocations as built.
        z_range_A: heights of the alloy to use; its interior if None.

    Returns:
        Circuits, positions of the cores and the verdict. A wrong Burgers vector does not raise: the caller decides.
    """
    interior = select_interior(atoms, z_range_A=z_range_A)
    found = find_cores(atoms, geometry=geometry, z_range_A=z_range_A)
    places = [
        built if core is None else core.position_A for core, built in zip(found, geometry.core_positions_A, strict=True)
    ]
    circuits = tuple(_circuits(interior, geometry=geometry, places=places))
    steps = np.round(np.linalg.solve(np.array(geometry.bond_vectors_A).T, geometry.burgers_vector_A)).astype(int)
    expected = _expected_steps(circuits, steps=steps, signs=geometry.core_signs)
    clear = all(circuit.agreement >= SMALLEST_AGREEMENT for circuit in circuits)
    ok = clear and all(circuit.steps == want for circuit, want in zip(circuits, expected, strict=True))
    none_left = clear and all(circuit.steps == (0, 0, 0) for circuit in circuits)
    glide_A = tuple(
        None if core is None else float(compute_separation(built, core.position_A, cell_A=interior.lateral_cell_A)[0])
        for core, built in zip(found, geometry.core_positions_A, strict=True)
    )
    magnitude_A = float(np.linalg.norm(geometry.burgers_vector_A))
    verdict = _verdict(ok=ok, none_left=none_left, glide_A=glide_A, magnitude_A=magnitude_A)
    return BurgersCheck(
        ok=ok,
        verdict=verdict,
        circuits=circuits,
        core_positions_A=tuple(None if core is None else core.position_A for core in found),
        glide_A=glide_A,
        sentence=_sentence(verdict, circuits=circuits, expected=expected, glide_A=glide_A, magnitude_A=magnitude_A),
    )


def _circuits(interior: Interior, *, geometry: DipoleGeometry, places: list[tuple[float, float]]) -> list[Circuit]:
    """Three sizes around each core, then around each pair, as wide as the other cores allow."""
    bonds_A = np.array(geometry.bond_vectors_A)
    circuits = []
    for number, place in enumerate(places):
        limit = _free_half_width(interior, center=place, half_length=0.0, others=places, inside=(number,))
        circuits += [
            compute_circuit(
                interior,
                bond_vectors_A=bonds_A,
                center_A=place,
                half_widths_A=(half_width, half_width),
                encloses=f"core {number + 1}",
            )
            for half_width in _three_sizes(limit)
        ]
    for first in range(0, len(places), 2):
        start, reach = (
            places[first],
            compute_separation(places[first], places[first + 1], cell_A=interior.lateral_cell_A),
        )
        center = (start[0] + reach[0] / 2, start[1] + reach[1] / 2)
        half_length = abs(float(reach[0])) / 2
        half_height = abs(float(reach[1])) / 2
        limit = _free_half_width(
            interior, center=center, half_length=half_length, others=places, inside=(first, first + 1)
        )
        circuits += [
            compute_circuit(
                interior,
                bond_vectors_A=bonds_A,
                center_A=center,
                half_widths_A=(half_length + grown, half_height + grown),
                encloses=f"cores {first + 1} and {first + 2}",
            )
            for grown in _three_sizes(limit)
        ]
    return circuits


def _three_sizes(limit_A: float) -> tuple[float, float, float]:
    smallest = max(limit_A / 2, _SMALLEST_HALF_WIDTH_A)
    largest = max(limit_A, smallest)
    return smallest, (smallest + largest) / 2, largest


def _free_half_width(
    interior: Interior,
    *,
    center: tuple[float, float],
    half_length: float,
    others: list[tuple[float, float]],
    inside: tuple[int, ...],
) -> float:
    """How far a circuit may reach from the centre (or the line between two cores) before it meets another core."""
    limit = np.inf
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    for number, other in enumerate(others):
        nearest = compute_separation(center, other, cell_A=interior.lateral_cell_A)
        for shift in shifts:
            if number in inside and shift == (0, 0):
                continue
            offset = np.abs(nearest + np.array(shift) @ interior.lateral_cell_A)
            limit = min(limit, max(offset[0] - half_length, offset[1]))
    return float(limit) - HALF_THICKNESS_A - _MARGIN_A


def _expected_steps(
    circuits: tuple[Circuit, ...], *, steps: np.ndarray, signs: tuple[int, ...]
) -> list[tuple[int, int, int]]:
    """Closure that each circuit must have: minus the Burgers vector that it encloses."""
    expected = []
    for circuit in circuits:
        numbers = [int(word) - 1 for word in circuit.encloses.split() if word.isdigit()]
        enclosed = -sum(signs[number] for number in numbers) * steps
        expected.append((int(enclosed[0]), int(enclosed[1]), int(enclosed[2])))
    return expected


def _verdict(*, ok: bool, none_left: bool, glide_A: tuple[float | None, ...], magnitude_A: float) -> Verdict:
    if none_left:
        return "annihilates"
    if not ok:
        return "unclear"
    moved = [glide for glide in glide_A if glide is not None and abs(glide) >= magnitude_A]
    return "glides" if moved else "stays"


def _sentence(
    verdict: Verdict,
    *,
    circuits: tuple[Circuit, ...],
    expected: list[tuple[int, int, int]],
    glide_A: tuple[float | None, ...],
    magnitude_A: float,
) -> str:
    if verdict == "annihilates":
        return f"All {len(circuits)} Burgers circuits close: no dislocation is left, the cores have annihilated."
    if verdict == "unclear":
        wrong = [
            circuit.encloses
            for circuit, want in zip(circuits, expected, strict=True)
            if circuit.steps != want or circuit.agreement < SMALLEST_AGREEMENT
        ]
        return (
            f"{len(wrong)} of {len(circuits)} Burgers circuits (around {', '.join(dict.fromkeys(wrong))}) did not "
            "give the Burgers vector that was built: the crystal around the cores is disturbed."
        )
    moves = ", ".join("not found" if glide is None else f"{glide / magnitude_A:+.1f} b" for glide in glide_A)
    kept = f"All {len(circuits)} Burgers circuits give b, −b and 0 as built"
    return f"{kept}; the cores {'glided along x by' if verdict == 'glides' else 'stay in place, within'} {moves}."
