"""What became of an adsorbate: it stuck, left, broke, or the substrate gave way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase.data import chemical_symbols
from ase.geometry import find_mic
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from analysis.bonds import BOND_SCALE, BondChange, BondChanges, Pair, check_same_atoms, compare_bonds, find_bonds
from structures.contact_distances import compute_contact_distances
from structures.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from ase import Atoms
    from numpy.typing import ArrayLike, NDArray

State = Literal["adsorbed", "left", "dissociated", "reconstructed"]
LARGEST_DISPLACEMENT_A = 1.0
NON_METAL_NUMBERS = (1, 2, *range(5, 11), *range(14, 19), *range(32, 37), *range(52, 55))
NON_METALS = frozenset(chemical_symbols[number] for number in NON_METAL_NUMBERS)


@dataclass(frozen=True)
class AdsorbedState:
    """What became of an adsorbate.

    Attributes:
        state: in one word.
        reason: why, in words with numbers.
        closest_A: smallest distance of an adsorbate atom to a substrate atom after, in Å.
        displacement_A: largest displacement of a substrate atom, without the motion of the whole, in Å.
        fragments: formulas of the pieces of the adsorbate after.
        adsorbate: bonds within the adsorbate.
        substrate: bonds within the substrate.
        between: bonds between the two.
    """

    state: State
    reason: str
    closest_A: float
    displacement_A: float
    fragments: tuple[str, ...]
    adsorbate: BondChanges
    substrate: BondChanges
    between: BondChanges

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {
            "state": self.state,
            "reason": self.reason,
            "closest_A": self.closest_A,
            "displacement_A": self.displacement_A,
            "fragments": list(self.fragments),
            "bonds": {name: getattr(self, name).to_json() for name in ("adsorbate", "substrate", "between")},
        }


def name_state(
    before: Atoms,
    after: Atoms,
    *,
    is_adsorbate: ArrayLike,
    displacement_limit_A: float = LARGEST_DISPLACEMENT_A,
    scale: float = BOND_SCALE,
) -> AdsorbedState:
    """Name the state of an adsorbate after a relaxation; the first that holds.

    1. dissociated: a bond between non-metals of the adsorbate broke, or it has more pieces than before (a metal ion
       that gives up one contact of several stays);
    2. left: no adsorbate atom is within the sum of van-der-Waals radii of a substrate atom;
    3. reconstructed: bonds within the substrate broke or formed, or one of its atoms moved by more than a limit;
    4. adsorbed.

    Args:
        before: before the relaxation, the substrate as it is without adsorbate.
        after: the same atoms in the same order.
        is_adsorbate: which atoms are the adsorbate's, shape (n,).
        displacement_limit_A: largest displacement of a substrate atom that is no reconstruction, in Å.
        scale: multiple of the sum of covalent radii within which atoms are bonded.

    Returns:
        The state with its reason and numbers.

    Raises:
        InputError: if the atoms differ, or either part has none.

    Source:
        10.1038/s41524-023-01121-5 (desorbed, dissociated and surface-changed structures left out)
    """
    check_same_atoms(before, after)
    mask = _check_mask(is_adsorbate, n_atoms=len(before))
    adsorbate, substrate, between = _split(compare_bonds(before, after, scale=scale), mask=mask)
    distances_A = _compute_distances(after, mask=mask)
    contacts_A = compute_contact_distances(before.numbers[mask], before.numbers[~mask], distance_scale=1.0)
    closest_A, gap_A = float(distances_A.min()), float((distances_A - contacts_A).min())
    displacement_A = _compute_largest_displacement(before, after, kept=~mask)
    bonds_before = find_bonds(before, scale=scale).keys()
    held = (bonds_before - {one.atoms for one in adsorbate.broken}) | find_bonds(after, scale=scale).keys()
    pieces = [_find_fragments(before, bonds=bonds, mask=mask) for bonds in (bonds_before, held)]
    torn = [one for one in adsorbate.broken if set(one.elements) <= NON_METALS]
    state: State = "adsorbed"
    reason = (
        f"closest contact {closest_A:.2f} Å; {_list(between.made, 'bonds made') or 'no bond to the substrate made'}"
    )
    if torn or len(pieces[1]) > len(pieces[0]):
        state = "dissociated"
        reason = f"{_list(adsorbate.broken, 'broken')}; pieces {', '.join(pieces[1])}"
    elif gap_A > 0:
        state = "left"
        reason = f"closest atom of the substrate at {closest_A:.2f} Å, {gap_A:.2f} Å beyond van-der-Waals contact"
    elif substrate.broken or substrate.made or displacement_A > displacement_limit_A:
        state = "reconstructed"
        reason = f"an atom of the substrate moved {displacement_A:.2f} Å, limit {displacement_limit_A:.2f} Å"
        words = [_list(substrate.broken, "broken"), _list(substrate.made, "made"), reason]
        reason = "; ".join(word for word in words if word)
    return AdsorbedState(state, reason, closest_A, displacement_A, tuple(pieces[1]), adsorbate, substrate, between)


def _check_mask(is_adsorbate: ArrayLike, *, n_atoms: int) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.asarray(is_adsorbate, dtype=bool)
    if mask.shape != (n_atoms,) or mask.all() or not mask.any():
        raise InputError(
            f"is_adsorbate marks {int(mask.sum())} of {n_atoms} atoms, needs one value for each atom, with adsorbate "
            "and substrate both present."
        )
    return mask


def _split(changes: BondChanges, *, mask: NDArray[np.bool_]) -> tuple[BondChanges, BondChanges, BondChanges]:
    """Changes within the adsorbate, within the substrate and between them."""

    def keep(n_adsorbate: int) -> BondChanges:
        parts = (changes.made, changes.broken, changes.changed)
        return BondChanges(*(tuple(x for x in part if mask[list(x.atoms)].sum() == n_adsorbate) for part in parts))

    return keep(2), keep(0), keep(1)


def _compute_distances(atoms: Atoms, *, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each adsorbate atom to each substrate atom, nearest images, in Å."""
    apart_A = atoms.positions[mask][:, None] - atoms.positions[~mask][None]
    distances_A: NDArray[np.float64] = find_mic(apart_A.reshape(-1, 3), atoms.cell, atoms.pbc)[1]
    return distances_A.reshape(apart_A.shape[:2])


def _compute_largest_displacement(before: Atoms, after: Atoms, *, kept: NDArray[np.bool_]) -> float:
    """Without the shift of most atoms, and of a free cluster without its rotation too, in Å."""
    moved_A = find_mic((after.positions - before.positions)[kept], after.cell, after.pbc)[0]
    if after.pbc.any() or kept.sum() < 3:  # noqa: PLR2004 (fewer points do not fix a rotation)
        rest_A = moved_A - np.median(moved_A, axis=0)
    else:
        start_A = before.positions[kept] - before.positions[kept].mean(axis=0)
        end_A = start_A + moved_A - moved_A.mean(axis=0)
        rest_A = end_A - Rotation.align_vectors(end_A, start_A)[0].apply(start_A)
    return float(np.linalg.norm(rest_A, axis=1).max())


def _find_fragments(atoms: Atoms, *, bonds: AbstractSet[Pair], mask: NDArray[np.bool_]) -> list[str]:
    """Formulas of the pieces of the adsorbate."""
    pairs = [pair for pair in bonds if mask[list(pair)].all()]
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(atoms), len(atoms)))
    labels = connected_components(graph, directed=False)[1]
    found = [atoms.symbols[(labels == label) & mask].formula.format("hill") for label in np.unique(labels[mask])]
    return sorted(found)


def _list(changes: Iterable[BondChange], word: str) -> str:
    sentences = [one.sentence for one in changes]
    return f"{word}: {', '.join(sentences)}" if sentences else ""
