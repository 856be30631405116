"""Small cells that teach a potential the chemistry of potassium on an alloy: one builder a kind, all seeded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from structures.alloy import build_alloy, build_rotated_alloy, resolve_alloy
from structures.compounds import PROTOTYPES, build_compound
from structures.decoration import compute_counts
from structures.dislocation import build_dislocation_dipole
from structures.errors import InputError
from structures.metal import build_potassium
from structures.packing import add_vacuum, fill_voids, pack_atoms

LIQUID_VOLUMES_A3 = {"K": 76.0, "Bi": 36.0, "Sb": 31.0, "Sn": 29.0, "Pb": 32.0, "Zn": 16.5}
_POTASSIUM_DISTANCE_A = 3.4
_MELT_DISTANCE_A = 2.9
_VOID_A = 2.1
_VACUUM_A = 8.0
_COOL, _WARM, _HOT, _MOLTEN = (300.0, 300.0), (300.0, 700.0), (600.0, 1000.0), (1200.0, 1200.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingConfiguration:
    """A cell to sample from.

    Attributes:
        name: unique in its set; names the trajectory sampled from it.
        kind: what it teaches; errors are reported by kind.
        atoms: the cell, periodic in all directions.
        temperatures_K: first and last temperature of the dynamics; equal for a constant one.
        relax_steps: steps of relaxation before the dynamics.
        dynamics: whether it is worth moving; close contacts are only relaxed.
        free_cell: whether the cell may follow its stress where the sampler can let it.
    """

    name: str
    kind: str
    atoms: Atoms
    temperatures_K: tuple[float, float]
    relax_steps: int = 0
    dynamics: bool = True
    free_cell: bool = False


@dataclass(frozen=True)
class _Draw:
    """What a builder varies with: a counter for what is to be covered evenly, chance for the rest."""

    index: int
    rng: np.random.Generator
    elements: tuple[str, ...]
    size: int

    @property
    def element(self) -> str:
        return self.elements[self.index % len(self.elements)]

    @property
    def seed(self) -> int:
        return int(self.rng.integers(2**31))

    def composition(self, *, n_sites: int) -> dict[str, float]:
        """Equal shares first, random ones after; none so small that it would round to no atom."""
        if self.index == 0 or len(self.elements) == 1:
            return dict.fromkeys(self.elements, 1.0)
        shares = self.rng.dirichlet(np.full(len(self.elements), 1.5))
        return {e: float(s) for e, s in zip(self.elements, shares, strict=True) if s * n_sites >= 1}

    def pick(self, *choices: tuple[float, float]) -> tuple[float, float]:
        return choices[self.index % len(choices)]


Builder = Callable[[_Draw], tuple[Atoms, tuple[float, float], int]]


def _alloy(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    record = resolve_alloy(draw.composition(n_sites=54))
    atoms = build_alloy(record, repeats=(3, 3, 1), seed=draw.seed)
    return atoms, draw.pick(_COOL, _HOT, _WARM, (900.0, 1200.0)), 0


def _element(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    record = resolve_alloy(draw.element) if draw.element in ("Bi", "Sb") else resolve_alloy({draw.element: 1.0})
    atoms = build_alloy(record, repeats=(3, 3, 1), seed=draw.seed)
    return atoms, _WARM if draw.index < len(draw.elements) else _HOT, 0


def _strained(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    if draw.index % 4 == 3:  # noqa: PLR2004 every fourth is potassium
        atoms = build_potassium(repeats=(3, 3, 3))
    else:
        atoms = build_alloy(resolve_alloy(draw.composition(n_sites=54)), repeats=(3, 3, 1), seed=draw.seed)
    strain = draw.rng.uniform(-0.05, 0.05, (3, 3))
    dilation = (0.94, 1.06, 0.97, 1.03)[draw.index % 4]
    atoms.set_cell(atoms.cell.array @ (dilation * np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    return atoms, draw.pick(_COOL, _WARM), 0


def _melt(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    counts = compute_counts(draw.composition(n_sites=54), n_sites=54)
    return _pack(draw, counts, dilation=draw.rng.uniform(0.95, 1.12)), draw.pick(_MOLTEN, (1200.0, 500.0)), 25


def _potassium(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    atoms = build_potassium(a_A=(5.30, 5.50, 5.15, 5.65, 4.95)[draw.index % 5], repeats=(3, 3, 3))
    return atoms, draw.pick(_COOL, (600.0, 900.0), (100.0, 400.0), (900.0, 900.0)), 0


def _compound(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    n_partners = len(draw.elements)
    atoms = build_compound(PROTOTYPES[draw.index // n_partners % len(PROTOTYPES)], partner=draw.element)
    atoms.set_cell(atoms.cell.array * draw.rng.uniform(0.98, 1.03), scale_atoms=True)
    return atoms, draw.pick(_WARM, (300.0, 900.0)), 8


def _mixture(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """Shares of potassium spread evenly from trace to almost pure, by the golden ratio."""
    n_atoms = 56 * draw.size
    n_potassium = round((0.03 + 0.92 * ((0.5 + draw.index * 0.618034) % 1.0)) * n_atoms)
    counts = compute_counts(draw.composition(n_sites=n_atoms - n_potassium), n_sites=n_atoms - n_potassium)
    atoms = _pack(draw, {"K": n_potassium, **counts}, dilation=draw.rng.uniform(0.82, 1.05))
    return atoms, draw.pick(_WARM, (600.0, 1200.0), (1000.0, 400.0), _HOT), 25


def _intercalated(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """Potassium in the crystal's voids, from one atom to a third of the sites, in a lattice widened for it."""
    n_potassium = (1, 4, 9, 18)[draw.index % 4]
    record = resolve_alloy(draw.composition(n_sites=54))
    atoms = build_alloy(record, repeats=(3, 3, 1), seed=draw.seed)
    atoms.set_cell(atoms.cell.array * np.array([1.0, 1.0, 1 + 0.02 * n_potassium])[:, None], scale_atoms=True)
    return (
        fill_voids(atoms, symbols=["K"] * n_potassium, smallest_void_A=_VOID_A, rng=draw.rng),
        draw.pick(_WARM, _HOT),
        25,
    )


def _interface(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    atoms = _slab(draw, basal=draw.index % 2 == 1)
    vacuum_A = _VACUUM_A if draw.index % 3 == 2 else 0.0  # noqa: PLR2004 every third has a free surface of potassium
    thickness_A = draw.rng.uniform(8.0, 13.0) * math.sqrt(draw.size)
    covered = _cover(draw, atoms, thickness_A=thickness_A, vacuum_A=vacuum_A)
    return covered, draw.pick(_COOL, _WARM, (500.0, 500.0), _HOT), 20


def _surface(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """Free surfaces: of the alloy, of potassium, and of the alloy with a few atoms of potassium on it."""
    what = draw.index % 4
    atoms = build_potassium(repeats=(3, 3, 3)) if what == 1 else _slab(draw, basal=what != 0)
    if what == 3:  # noqa: PLR2004 the last of the four
        return _cover(draw, atoms, thickness_A=2.5, vacuum_A=_VACUUM_A), _WARM, 15
    return add_vacuum(atoms, height_A=_VACUUM_A), draw.pick(_COOL, _WARM), 5


def _dislocation(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    record = resolve_alloy("M-BiSnSb" if draw.elements == ("Bi", "Sb", "Sn") else draw.composition(n_sites=288))
    dipole = build_dislocation_dipole(record, repeats=(8, 3, 1), seed=draw.seed)
    return dipole.defective, draw.pick(_COOL, (600.0, 600.0)), 25


def _dislocation_potassium(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """Potassium in the cores, from a few atoms to a filled channel."""
    record = resolve_alloy("M-BiSnSb" if draw.elements == ("Bi", "Sb", "Sn") else draw.composition(n_sites=288))
    dipole = build_dislocation_dipole(record, repeats=(8, 3, 1), seed=draw.seed)
    atoms = dipole.defective
    for core in dipole.geometry.core_positions_A:
        symbols = ["K"] * (2 + 2 * (draw.index % 3))
        atoms = fill_voids(
            atoms, symbols=symbols, smallest_void_A=1.7, rng=draw.rng, near_xy_A=(core[0], core[1]), radius_A=9.0
        )
    return atoms, draw.pick(_WARM, (700.0, 700.0)), 30


def _close_contact(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """A mixture in which some atoms were pushed against their nearest neighbour."""
    atoms, _, _ = _mixture(draw)
    for index in draw.rng.choice(len(atoms), size=5, replace=False):
        vectors = atoms.get_distances(index, list(range(len(atoms))), mic=True, vector=True)
        lengths = np.linalg.norm(vectors, axis=1)
        lengths[index] = np.inf
        near = int(np.argmin(lengths))
        wanted_A = draw.rng.uniform(1.9, 2.7)
        atoms.positions[near] += vectors[near] * (wanted_A / lengths[near] - 1)
    return atoms, _COOL, 16


def _crystal(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """A cold crystal, three in four of equal shares: what the alloy must stay for a dislocation to mean anything."""
    shares = dict.fromkeys(draw.elements, 1.0) if draw.index % 4 else draw.composition(n_sites=54)
    repeats = (3 + draw.index % 2, 3, 1)
    atoms = build_alloy(resolve_alloy(shares), repeats=repeats, seed=draw.seed)
    strain = draw.rng.uniform(-0.015, 0.015, (3, 3))
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    return atoms, draw.pick((20.0, 100.0), (150.0, 150.0), (50.0, 250.0), (100.0, 100.0)), 25


def _axial_strain(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """The alloy stretched along one axis and pressed along the other, far enough to show what it costs."""
    shares = dict.fromkeys(draw.elements, 1.0) if draw.index % 2 else draw.composition(n_sites=54)
    atoms = build_alloy(resolve_alloy(shares), repeats=(3, 3, 1), seed=draw.seed)
    stretch = (0.09, -0.05, 0.06, -0.03, 0.12, 0.03)[draw.index % 6]
    dilation = 1 + draw.rng.uniform(-0.02, 0.02)
    atoms.set_cell(
        atoms.cell.array * dilation * [[1 + stretch], [1 + stretch], [1 / (1 + stretch) ** 2]], scale_atoms=True
    )
    return atoms, draw.pick((50.0, 150.0), _COOL), 10


def _cold_slab(draw: _Draw) -> tuple[Atoms, tuple[float, float], int]:
    """The alloy as a crystal with free faces or under potassium, cold: as a contact run starts."""
    shares = dict.fromkeys(draw.elements, 1.0) if draw.index % 4 else draw.composition(n_sites=48)
    atoms = build_rotated_alloy(resolve_alloy(shares), repeats=(1 + draw.size, 1, 2 * draw.size), seed=draw.seed)
    temperatures_K = draw.pick((50.0, 50.0), (50.0, 200.0), (100.0, 100.0), (150.0, 300.0))
    if draw.index % 2:
        return _cover(draw, atoms, thickness_A=8.0, vacuum_A=0.0), temperatures_K, 25
    return add_vacuum(atoms, height_A=_VACUUM_A), temperatures_K, 25


KINDS: dict[str, Builder] = {
    "alloy": _alloy,
    "element": _element,
    "strained": _strained,
    "melt": _melt,
    "potassium": _potassium,
    "compound": _compound,
    "mixture": _mixture,
    "intercalated": _intercalated,
    "interface": _interface,
    "surface": _surface,
    "dislocation": _dislocation,
    "dislocation_potassium": _dislocation_potassium,
    "close_contact": _close_contact,
    "crystal": _crystal,
    "axial_strain": _axial_strain,
    "slab": _cold_slab,
    "free_cell": _crystal,
}
FREE_CELL_KINDS = frozenset({"free_cell"})


def build_training_set(
    counts: Mapping[str, int],
    *,
    seed: int,
    elements: tuple[str, ...] = ("Bi", "Sb", "Sn"),
    size: int = 1,
    prefix: str = "",
) -> list[TrainingConfiguration]:
    """Configurations of each kind.

    Args:
        counts: kind → how many; each varies composition, size of the strain, temperature and so on.
        seed: of everything random; a configuration does not depend on how many others there are.
        elements: of the alloy.
        size: 1 for 24 to 90 atoms (288 for dislocations), 2 for about twice as many in mixtures, interfaces and slabs.
        prefix: put before the names, to tell sets apart.

    Returns:
        Configurations in the order of `counts`.

    Raises:
        InputError: if a kind is unknown or a number negative.
    """
    known = list(KINDS)
    configurations = []
    for kind, count in counts.items():
        if kind not in KINDS:
            raise InputError(f"{kind!r} is no kind of configuration, needs one of {', '.join(known)}")
        if count < 0:
            raise InputError(f"the number of configurations of kind {kind} is {count}, needs 0 or more")
        for index in range(count):
            rng = np.random.default_rng([seed, known.index(kind), index])
            atoms, temperatures_K, relax_steps = KINDS[kind](_Draw(index, rng, elements, size))
            configurations.append(
                TrainingConfiguration(
                    name=f"{prefix}{kind}-{index:02d}",
                    kind=kind,
                    atoms=_bare(atoms),
                    temperatures_K=temperatures_K,
                    relax_steps=relax_steps,
                    dynamics=kind != "close_contact",
                    free_cell=kind in FREE_CELL_KINDS,
                )
            )
    return configurations


def _pack(draw: _Draw, counts: Mapping[str, int], *, dilation: float) -> Atoms:
    symbols = [str(s) for s in draw.rng.permutation([e for e, n in counts.items() for _ in range(n)])]
    edge_A = math.cbrt(dilation * sum(LIQUID_VOLUMES_A3[symbol] for symbol in symbols))
    empty = Atoms(cell=[edge_A] * 3, pbc=True)
    return pack_atoms(empty, symbols=symbols, smallest_distance_A=_MELT_DISTANCE_A, rng=draw.rng)


def _slab(draw: _Draw, *, basal: bool) -> Atoms:
    n_sites = 48 * draw.size
    record = resolve_alloy(draw.composition(n_sites=n_sites))
    if basal:
        return build_alloy(record, repeats=(3, 2 * draw.size, 1), seed=draw.seed)
    return build_rotated_alloy(record, repeats=(2, 1, 2 * draw.size), seed=draw.seed)


def _cover(draw: _Draw, atoms: Atoms, *, thickness_A: float, vacuum_A: float) -> Atoms:
    """Put liquid-like potassium on top; without vacuum it touches the alloy's other face too."""
    height_A = atoms.cell.lengths()[2]
    margin_A = 1.0
    whole = add_vacuum(atoms, height_A=thickness_A + 2 * margin_A + vacuum_A)
    total_A = whole.cell.lengths()[2]
    area_A2 = whole.get_volume() / total_A
    n_potassium = max(1, round(area_A2 * thickness_A / LIQUID_VOLUMES_A3["K"]))
    heights = ((height_A + margin_A) / total_A, (height_A + margin_A + thickness_A) / total_A)
    return pack_atoms(
        whole, symbols=["K"] * n_potassium, smallest_distance_A=_POTASSIUM_DISTANCE_A, rng=draw.rng, heights=heights
    )


def _bare(atoms: Atoms) -> Atoms:
    """Only what a teacher needs, in a lower-triangular cell."""
    cell = atoms.cell.array
    turned, _ = atoms.cell.standard_form()
    scaled = atoms.positions @ np.linalg.inv(cell)
    return Atoms(numbers=atoms.numbers, positions=scaled @ turned.array, cell=turned, pbc=True)
