"""Surfaces: slabs of any crystal, cut between planes, with what the builder knows of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.constraints import FixAtoms

from structures.crystal_planes import Miller, Stacking, build_stacking
from structures.errors import InputError
from structures.faces import has_equal_faces
from structures.formal_charges import classify_stacking, find_charges, has_dipole
from structures.surface_checks import check_request, check_surface

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms

_SAME_GAP_A = 0.05


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface:
    """A slab and what is known of it.

    Attributes:
        atoms: the slab in the middle of its cell, periodic along x and y, normal along +z; the array `layer` counts
            planes from the bottom, and `FixAtoms` holds the lowest ones, if any.
        name: as the user calls it.
        miller: indices of the plane, in the cell of the crystal that was given.
        termination: the uppermost plane, as `list_terminations` names it.
        is_polar: formal charges have a dipole moment along z; never for elements and for alloys.
        is_symmetric: both faces are the same.
        is_stoichiometric: composed as the crystal.
        tasker_type: 1, 2 or 3; None for elements and for alloys.
        n_layers: number of planes.
        fixed_layers: number of planes that are held, from the bottom.
        repeats: lateral cells along the first and the second vector.
        vacuum_A: empty height between the upper face and the lower face of the image above, half of it on each side.
        source: where the crystal is from, in words.
    """

    atoms: Atoms
    name: str
    miller: Miller
    termination: str
    is_polar: bool
    is_symmetric: bool
    is_stoichiometric: bool
    tasker_type: int | None
    n_layers: int
    fixed_layers: int
    repeats: tuple[int, int]
    vacuum_A: float
    source: str = ""

    @property
    def area_A2(self) -> float:
        """Area of one face of the cell, in Å²."""
        return float(np.linalg.norm(np.cross(self.atoms.cell[0], self.atoms.cell[1])))

    @property
    def thickness_A(self) -> float:
        """Height between the centres of the lowest and of the highest atom, in Å."""
        return float(np.ptp(self.atoms.positions[:, 2]))


@dataclass(frozen=True, eq=False)
class _Cut:
    """A slab of one cell with its flags, before it has vacuum."""

    label: str
    slab: Atoms
    is_polar: bool
    is_symmetric: bool
    is_stoichiometric: bool


def list_terminations(bulk: Atoms, *, miller: Miller) -> list[str]:
    """Names of the planes that a crystal can end in, those at the widest gaps first.

    A plane is named by its formula; where planes of one formula differ in what lies below, that is added.

    Raises:
        InputError: as `build_stacking`.
    """
    return list(_find_terminations(build_stacking(bulk, miller=miller)))


def build_surface(
    bulk: Atoms,
    *,
    name: str,
    miller: Miller,
    n_layers: int,
    repeats: tuple[int, int] = (1, 1),
    vacuum_A: float,
    fixed_layers: int,
    termination: str | None = None,
    charges: Mapping[str, float] | None = None,
    source: str = "",
) -> Surface:
    """Cut a slab of whole planes from a crystal and put it in the middle of vacuum.

    The lateral cell is the primitive one of the plane, with the shortest vectors, at 60 to 90°. In stackings of charged
    planes, such as TiN(111), odd numbers of planes give equal faces of another composition than the crystal's, even
    numbers its composition and a dipole moment.

    Args:
        bulk: any cell of the crystal; only elements, positions and cell are used.
        name: as the user calls it.
        miller: indices of the plane in this cell.
        n_layers: number of planes; heights within 0.3 Å are one plane.
        repeats: lateral cells along the first and the second vector.
        vacuum_A: empty height between a face and the next image's, in Å.
        fixed_layers: number of planes to hold, from the bottom.
        termination: uppermost plane: a name of `list_terminations`, or its formula. None, or a formula that fits more
            than one: the first that gives no dipole moment, equal faces, the crystal's composition, in this order.
        charges: formal charge of each element, in e; None: guessed.
        source: where the crystal is from, in words.

    Raises:
        InputError: if a number is out of range, no such termination exists, or charges are open or not neutral.
    """
    check_request(miller=miller, n_layers=n_layers, fixed_layers=fixed_layers, repeats=repeats, vacuum_A=vacuum_A)
    stacking = build_stacking(bulk, miller=miller)
    cuts = [
        _cut(stacking, label=label, top=top, n_layers=n_layers, charges=charges)
        for label, top in _select_terminations(stacking, termination=termination, name=name).items()
    ]
    best = min(cuts, key=lambda cut: (cut.is_polar, not cut.is_symmetric, not cut.is_stoichiometric))
    surface = Surface(
        atoms=_finish(best.slab, repeats=repeats, vacuum_A=vacuum_A, fixed_layers=fixed_layers),
        name=name,
        miller=miller,
        termination=best.label,
        is_polar=best.is_polar,
        is_symmetric=best.is_symmetric,
        is_stoichiometric=best.is_stoichiometric,
        tasker_type=classify_stacking(stacking, charges=charges),
        n_layers=n_layers,
        fixed_layers=fixed_layers,
        repeats=repeats,
        vacuum_A=vacuum_A,
        source=source,
    )
    check_surface(surface)
    return surface


def _cut(stacking: Stacking, *, label: str, top: int, n_layers: int, charges: Mapping[str, float] | None) -> _Cut:
    slab = stacking.cut(top=top, n_layers=n_layers)
    crystal, counts = stacking.unit.symbols.formula.count(), slab.symbols.formula.count()
    known = find_charges(stacking.unit, charges=charges)
    is_polar = False
    if known is not None:
        of_element = dict(zip(stacking.unit.symbols, known, strict=True))
        values = np.array([of_element[element] for element in slab.symbols])
        is_polar = has_dipole(slab.positions[:, 2], charges=values, period_A=stacking.period_A)
    ratios = {counts.get(element, 0) / number for element, number in crystal.items()}
    return _Cut(label, slab, is_polar, has_equal_faces(slab), len(ratios) == 1)


def _finish(slab: Atoms, *, repeats: tuple[int, int], vacuum_A: float, fixed_layers: int) -> Atoms:
    """The slab repeated, sorted by layers, in the middle of vacuum, its lowest planes held."""
    atoms: Atoms = slab.repeat((*repeats, 1))
    atoms = atoms[np.argsort(atoms.arrays["layer"], kind="stable")]
    atoms.center(vacuum=vacuum_A / 2, axis=2)
    if fixed_layers > 0:
        atoms.set_constraint(FixAtoms(np.flatnonzero(atoms.arrays["layer"] < fixed_layers)))
    return atoms


def _find_terminations(stacking: Stacking) -> dict[str, int]:
    """Name of each way to end the stack, and the uppermost plane of it."""
    formulas, gaps_A = stacking.formulas, stacking.gaps_A
    n_planes = stacking.n_planes
    distinct: list[int] = []
    for top in sorted(range(n_planes), key=lambda plane: -round(float(gaps_A[plane]), 2)):
        downwards = [(top - below) % n_planes for below in range(n_planes)]
        if not any(_are_alike(downwards, other, stacking=stacking) for other in distinct):
            distinct.append(top)
    of_formula = Counter(formulas[top] for top in distinct)
    names: Counter[str] = Counter()
    found = {}
    for top in distinct:
        name = formulas[top]
        if of_formula[name] > 1:
            name += f" over {formulas[top - 1]} {gaps_A[top - 1]:.2f} Å"
        names[name] += 1
        found[name if names[name] == 1 else f"{name} ({names[name]})"] = top
    return found


def _are_alike(downwards: list[int], other: int, *, stacking: Stacking) -> bool:
    """Whether two stacks have the same planes at the same distances, from the top downwards."""
    formulas, gaps_A = stacking.formulas, stacking.gaps_A
    for below, plane in enumerate(downwards):
        twin = (other - below) % stacking.n_planes
        if formulas[plane] != formulas[twin] or abs(gaps_A[plane - 1] - gaps_A[twin - 1]) > _SAME_GAP_A:
            return False
    return True


def _select_terminations(stacking: Stacking, *, termination: str | None, name: str) -> dict[str, int]:
    known = _find_terminations(stacking)
    if termination is None:
        return known
    if termination in known:
        return {termination: known[termination]}
    fitting = {label: top for label, top in known.items() if stacking.formulas[top] == termination}
    if not fitting:
        raise InputError(f"{name} has no termination {termination!r}, needs one of: {'; '.join(known)}.")
    return fitting
