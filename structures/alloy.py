"""A7 alloys of Bi, Sb, Sn, Pb and Zn: lattice records and crystals."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from structures.decoration import ATOMIC_VOLUMES_A3, compute_counts, decorate, normalise_composition
from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "ALLOYS",
    "ATOMIC_VOLUMES_A3",
    "AlloyRecord",
    "build_alloy",
    "build_rotated_alloy",
    "check_repeats",
    "compute_counts",
    "decorate",
    "resolve_alloy",
]

PAPER_DOI = "10.1002/adfm.202412551"

AXIAL_RATIO = 2.613  # mean c/a of Bi (2.609) and Sb (2.617)
INTERNAL_COORDINATE = 0.234

# One atom of each of the three layers' pairs sits at (0, 0, ±z) of every point of the rhombohedral lattice.
_CENTRINGS = np.array([[0.0, 0.0, 0.0], [2 / 3, 1 / 3, 1 / 3], [1 / 3, 2 / 3, 2 / 3]])
_MAX_REPEAT = 100_000


@dataclass(frozen=True, kw_only=True)
class AlloyRecord:
    """What is known of an A7 alloy: composition, hexagonal lattice constants, internal coordinate and their source."""

    name: str
    composition: dict[str, float]
    a_A: float
    c_A: float
    z: float
    source: str
    estimated: bool = False


def _estimate_record(name: str, composition: dict[str, float]) -> AlloyRecord:
    """Lattice from the elements' volumes (Zen's law) at the axial ratio of Bi and Sb: a³ = 12 V / (√3 c/a)."""
    total = sum(composition.values())
    volume_A3 = sum(share * ATOMIC_VOLUMES_A3[element] for element, share in composition.items()) / total
    a_A = (12 * volume_A3 / (math.sqrt(3) * AXIAL_RATIO)) ** (1 / 3)
    source = (
        "estimated: mean of the elements' volumes per atom (Zen's law; Wyckoff, Crystal Structures, 2nd ed., 1963) "
        "at the axial ratio of Bi and Sb; replace by measured or relaxed constants"
    )
    return AlloyRecord(
        name=name,
        composition=composition,
        a_A=round(a_A, 4),
        c_A=round(AXIAL_RATIO * a_A, 4),
        z=INTERNAL_COORDINATE,
        source=source,
        estimated=True,
    )


def _equal(*elements: str) -> dict[str, float]:
    return dict.fromkeys(elements, 1 / len(elements))


_PUBLISHED = (
    AlloyRecord(
        name="M-BiSnSb",
        composition=_equal("Bi", "Sn", "Sb"),
        a_A=4.4073,
        c_A=11.7094,
        z=INTERNAL_COORDINATE,
        source=f"metastable BiSnSb, doi:{PAPER_DOI}; z as in Bi and Sb",
    ),
    AlloyRecord(
        name="S-BiSnSb",
        composition=_equal("Bi", "Sn", "Sb"),
        a_A=4.5327,
        c_A=11.7903,
        z=INTERNAL_COORDINATE,
        source=f"stable BiSnSb, doi:{PAPER_DOI}; z as in Bi and Sb",
    ),
    AlloyRecord(
        name="Bi",
        composition={"Bi": 1.0},
        a_A=4.546,
        c_A=11.862,
        z=0.2339,
        source="Cucka and Barrett 1962, doi:10.1107/S0365110X62002297",
    ),
    AlloyRecord(
        name="Sb",
        composition={"Sb": 1.0},
        a_A=4.307,
        c_A=11.273,
        z=0.2336,
        source="Barrett, Cucka and Haefner 1963, doi:10.1107/S0365110X63001262",
    ),
)

ALLOYS: dict[str, AlloyRecord] = {record.name: record for record in _PUBLISHED} | {
    name: _estimate_record(name, _equal(*elements))
    for name, elements in {
        "BiSbPb": ("Bi", "Sb", "Pb"),
        "BiSnSbZn": ("Bi", "Sn", "Sb", "Zn"),
        "BiSnSbPb": ("Bi", "Sn", "Sb", "Pb"),
        "BiSnSbPbZn": ("Bi", "Sn", "Sb", "Pb", "Zn"),
    }.items()
}


def resolve_alloy(
    name_or_composition: str | Mapping[str, float],
    *,
    a_A: float | None = None,
    c_A: float | None = None,
    z: float | None = None,
) -> AlloyRecord:
    """Alloy of a given name or composition, with the user's lattice in place of the recorded one where given.

    Args:
        name_or_composition: a key of `ALLOYS`, or shares of the elements such as {"Bi": 2, "Sb": 1} (any scale).
        a_A: hexagonal lattice constant a, in Å.
        c_A: hexagonal lattice constant c, in Å.
        z: internal coordinate of the A7 structure, as a fraction of c.

    Returns:
        The record; its composition sums to 1.

    Raises:
        InputError: if the name is unknown, an element has no place in these alloys, or a number is out of range.
    """
    if isinstance(name_or_composition, str):
        record = _named_alloy(name_or_composition)
    else:
        composition = normalise_composition(name_or_composition)
        record = _estimate_record("".join(sorted(composition)), composition)
    if a_A is None and c_A is None and z is None:
        return record
    given = [f"{key} = {value}" for key, value in (("a_A", a_A), ("c_A", c_A), ("z", z)) if value is not None]
    changed = AlloyRecord(
        name=record.name,
        composition=record.composition,
        a_A=record.a_A if a_A is None else a_A,
        c_A=record.c_A if c_A is None else c_A,
        z=record.z if z is None else z,
        source=f"{', '.join(given)} given by the user; the rest: {record.source}",
        estimated=record.estimated and (a_A is None or c_A is None),
    )
    _check_lattice(changed)
    return changed


def format_alloy(name_or_composition: str | Mapping[str, float]) -> str:
    """An alloy as people write it: its name, or a formula such as Bi2Sb."""
    if isinstance(name_or_composition, str):
        return name_or_composition
    return "".join(element if share == 1 else f"{element}{share:g}" for element, share in name_or_composition.items())


def format_lattice(record: AlloyRecord) -> str:
    """The lattice of an alloy with its source, e.g. "a = 4.546 Å, c = 11.862 Å, z = 0.2339 (Cucka and Barrett …)"."""
    return f"a = {record.a_A:g} Å, c = {record.c_A:g} Å, z = {record.z:g} ({record.source})"


def _named_alloy(name: str) -> AlloyRecord:
    if name in ALLOYS:
        return ALLOYS[name]
    lowered = {key.lower(): key for key in ALLOYS}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.4)
    hint = f"; did you mean {lowered[near[0]]!r}?" if near else ";"
    message = f"there is no alloy named {name!r}{hint} known: {', '.join(ALLOYS)}; or give a composition"
    raise InputError(message)


def _check_lattice(record: AlloyRecord) -> None:
    for key, value, low, high in (
        ("a_A", record.a_A, 3.0, 7.0),
        ("c_A", record.c_A, 8.0, 18.0),
        ("z", record.z, 0.2, 0.3),
    ):
        if not low <= value <= high:
            message = f"{key} of {record.name} is {value}, needs {low} to {high} for an A7 alloy"
            raise InputError(message)


def check_repeats(repeats: tuple[int, int, int]) -> None:
    """Raise unless there are three whole numbers of cells, each at least 1.

    Raises:
        InputError: with the number that is wrong.
    """
    if len(tuple(repeats)) != 3 or any(not (1 <= n <= _MAX_REPEAT and n == int(n)) for n in repeats):  # noqa: PLR2004
        message = f"repeats are {tuple(repeats)}, needs three whole numbers of cells from 1 to {_MAX_REPEAT}"
        raise InputError(message)


def build_alloy(record: AlloyRecord, *, repeats: tuple[int, int, int] = (1, 1, 1), seed: int | None = None) -> Atoms:
    """Crystal in the hexagonal setting of R-3m: a ∥ x, c ∥ z, six atoms a cell.

    Args:
        record: the alloy.
        repeats: number of cells along a, b and c.
        seed: seed of the random decoration; None leaves the first element on every site, to be decorated later.

    Returns:
        Periodic crystal with region "alloy".

    Raises:
        InputError: if a number of cells is below 1 or the lattice is out of range.
    """
    check_repeats(repeats)
    _check_lattice(record)
    offset = np.array([0, 0, record.z])
    scaled = np.vstack([_CENTRINGS + offset, _CENTRINGS - offset]) % 1.0
    cell = [
        [record.a_A, 0, 0],
        [-record.a_A / 2, record.a_A * math.sqrt(3) / 2, 0],
        [0, 0, record.c_A],
    ]
    return _finish(record, cell=np.array(cell), scaled=scaled, repeats=repeats, seed=seed)


def build_rotated_alloy(
    record: AlloyRecord, *, repeats: tuple[int, int, int] = (1, 1, 1), seed: int | None = None
) -> Atoms:
    """Crystal with x ∥ [11-20], y ∥ c and z ∥ [1-100]: an orthogonal cell a × c × √3 a of twelve atoms, repeated.

    Args:
        record: the alloy.
        repeats: number of cells along x, y and z.
        seed: seed of the random decoration; None leaves the first element on every site, to be decorated later.

    Returns:
        Periodic crystal with region "alloy".

    Raises:
        InputError: if a number of cells is below 1 or the lattice is out of range.
    """
    check_repeats(repeats)
    _check_lattice(record)
    scaled = [
        ((layer + half) / 2, layer / 3 + sign * record.z, -(layer / 6 + half / 2))
        for layer in range(3)
        for half in range(2)
        for sign in (1, -1)
    ]
    cell = np.diag([record.a_A, record.c_A, math.sqrt(3) * record.a_A])
    return _finish(record, cell=cell, scaled=np.array(scaled) % 1.0, repeats=repeats, seed=seed)


def _finish(
    record: AlloyRecord,
    *,
    cell: NDArray[np.float64],
    scaled: NDArray[np.float64],
    repeats: tuple[int, int, int],
    seed: int | None,
) -> Atoms:
    element = next(iter(record.composition))
    atoms: Atoms = Atoms([element] * len(scaled), cell=cell, scaled_positions=scaled, pbc=True).repeat(repeats)
    atoms.set_array("region", np.full(len(atoms), "alloy", dtype="<U9"))
    return atoms if seed is None else decorate(atoms, composition=record.composition, seed=seed)
