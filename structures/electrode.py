"""Electrodes: metal slabs whose lateral size is as near as possible to what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, reference_states

from structures.crystal_planes import Miller, build_stacking
from structures.errors import InputError
from structures.files import read_structure
from structures.labels import ELECTRODE, label_atoms
from structures.lateral_fit import Pair, build_fitted_slab, check_strain, find_rectangular_vectors, fit_repeats
from structures.metal import build_potassium
from structures.surface_checks import WIDEST_GAP_A
from structures.surface_library import SUBSTRATES, build_crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray

LATERAL_A: Pair = (28.22, 28.22)
FACET: Miller = (1, 0, 0)
N_LAYERS = 2
MAX_STRAIN = 0.03
_LATTICES = ("fcc", "bcc", "hcp")
_SHORTEST_EDGE_A = 6.0  # a molecule and its image


@dataclass(frozen=True, eq=False, kw_only=True)
class Electrode:
    """A slab and what is known of it.

    Attributes:
        atoms: lowest atom at z = 0, the cell as high as the slab and its edges along x, y and z, periodic along x and
            y; arrays `region` ("electrode"), `molecule` (0) and `species` ("electrode").
        facet: Miller indices of the plane in the conventional cell; None: a slab of a file.
        n_layers: planes of atoms; None: a slab of a file.
        strain: of the slab along x and y, relative to its crystal; positive: stretched.
        repeats: of the smallest rectangular cell of the plane, along x and y.
        source: where the crystal or the slab is from, in words.
    """

    atoms: Atoms
    facet: Miller | None
    n_layers: int | None
    strain: Pair
    repeats: tuple[int, int]
    source: str

    @property
    def lateral_A(self) -> Pair:
        """Size along x and y, in Å."""
        lengths_A = self.atoms.cell.lengths()
        return float(lengths_A[0]), float(lengths_A[1])

    @property
    def thickness_A(self) -> float:
        """Height between the centres of the lowest and of the highest atom, in Å."""
        return float(np.ptp(self.atoms.positions[:, 2]))


def build_electrode(
    crystal: str | Path,
    *,
    facet: Miller | None = None,
    lateral_A: Pair = LATERAL_A,
    n_layers: int | None = None,
    keep_lattice: bool = False,
    max_strain: float = MAX_STRAIN,
) -> Electrode:
    """Cut a slab of a metal, or take one from a file, and repeat it to a lateral size.

    Args:
        crystal: symbol of an element; or a file with a crystal, which is cut, or with a slab normal to its third
            vector and more than 5 Å of vacuum, which is taken as it is.
        facet: Miller indices of the plane; None: (1, 0, 0).
        lateral_A: wanted size along x and y, in Å.
        n_layers: planes of atoms; None: 2.
        keep_lattice: leave the lattice as it is, so that the size is only near the wanted one; False: strain it to
            exactly the wanted size.
        max_strain: largest strain along x or y, by amount.

    Raises:
        InputError: if the element is no fcc, bcc or hcp metal, the strain is too large, no rectangular cell exists, a
            number is out of range, or facet or n_layers are given for a slab, which has its own.

    Source: lattice constants of Li: Nadler & Kempter 1959, Anal. Chem. 31, 2109; of Cu 10.1107/S0567739469001549; of K
        10.1107/S0365110X56001790; others as in ASE.
    """
    _check_numbers(lateral_A=lateral_A, n_layers=n_layers, max_strain=max_strain)
    atoms, source = _read_crystal(crystal)
    is_slab = _has_vacuum(atoms)
    if is_slab:
        if facet is not None or n_layers is not None:
            raise InputError(
                f"facet is {facet} and n_layers {n_layers}, but {source} holds a slab, which has its own. Leave both "
                "out, or give a file with the bulk crystal."
            )
        slab = _take_slab(atoms, source=source)
    else:
        facet, n_layers = facet or FACET, N_LAYERS if n_layers is None else n_layers
        stacking = build_stacking(atoms, miller=facet)
        slab = stacking.cut(top=stacking.n_planes - 1, n_layers=n_layers)
    vectors = find_rectangular_vectors(slab.cell.array[:2, :2])
    edges_A = _compute_lengths(vectors @ slab.cell.array[:2, :2])
    fit = fit_repeats(edges_A, lateral_A=lateral_A)
    if not keep_lattice:
        check_strain(fit, edges_A=edges_A, max_strain=max_strain, what=f"The electrode ({source})")
    fitted = build_fitted_slab(slab, vectors=vectors, fit=fit, is_strained=not keep_lattice)
    return Electrode(
        atoms=_finish(fitted),
        facet=facet,
        n_layers=n_layers,
        strain=(0.0, 0.0) if keep_lattice else fit.strain,
        repeats=fit.repeats,
        source=source,
    )


def _check_numbers(*, lateral_A: Pair, n_layers: int | None, max_strain: float) -> None:
    if not min(lateral_A) >= _SHORTEST_EDGE_A:
        raise InputError(
            f"lateral_A is {tuple(lateral_A)}, needs at least {_SHORTEST_EDGE_A:g} Å along x and y. Set it, e.g. "
            f"{LATERAL_A}."
        )
    if n_layers is not None and n_layers < 1:
        raise InputError(f"n_layers is {n_layers}, needs at least 1 plane of atoms.")
    if not 0 <= max_strain <= 0.2:  # noqa: PLR2004 beyond it a metal is another one
        raise InputError(f"max_strain is {max_strain:g}, needs 0 to 0.2. Set it, e.g. max_strain: {MAX_STRAIN}.")


def _read_crystal(crystal: str | Path) -> tuple[Atoms, str]:
    if isinstance(crystal, Path):
        return read_structure(crystal), crystal.name
    if crystal == "K":
        return build_potassium(), "bcc K, a = 5.328 Å at room temperature (Barrett 1956, doi:10.1107/S0365110X56001790)"
    sources = {entry.crystal: entry.source for entry in SUBSTRATES.values()}
    if crystal in ("Li", "Cu"):
        return build_crystal(crystal), sources[crystal]
    state = reference_states[atomic_numbers[crystal]] if crystal in atomic_numbers else None
    if state is None or state["symmetry"] not in _LATTICES:
        raise InputError(
            f"electrode is {crystal!r}, needs the symbol of a metal that crystallises as {', '.join(_LATTICES)}, e.g. "
            "Li, or a file with the crystal or a slab of it."
        )
    atoms: Atoms = bulk(crystal, cubic=state["symmetry"] != "hcp")
    return atoms, f"{state['symmetry']} {crystal}, a = {state['a']} Å (as in ASE)"


def _has_vacuum(atoms: Atoms) -> bool:
    """Whether atoms leave more room along the third vector than planes of a crystal do."""
    if atoms.cell.rank < 3:  # noqa: PLR2004 three axes
        raise InputError(
            f"The electrode's file holds {len(atoms)} atoms in a cell of rank {atoms.cell.rank}, needs a full cell: a "
            "crystal, or a slab with vacuum along its third vector."
        )
    heights = np.sort(atoms.get_scaled_positions(wrap=True)[:, 2])
    normal_A = atoms.get_volume() / np.linalg.norm(np.cross(*atoms.cell.array[:2]))
    return bool(np.diff(heights, append=heights[0] + 1).max() * normal_A > WIDEST_GAP_A)


def _take_slab(atoms: Atoms, *, source: str) -> Atoms:
    """A slab of a file with its vectors in the plane xy, in one piece along z."""
    slab: Atoms = atoms.copy()
    slab.set_cell(slab.cell.standard_form()[0], scale_atoms=True)
    height_A = float(slab.cell.array[2, 2])
    if np.abs(slab.cell.array[2, :2]).max() > 1e-3 * height_A:
        raise InputError(
            f"The third vector of {source} leans by {np.abs(slab.cell.array[2, :2]).max():.2f} Å from the normal of "
            "the slab, needs 0. Write the slab in an upright cell."
        )
    heights = slab.get_scaled_positions(wrap=True)[:, 2]
    ordered = np.sort(heights)
    lowest = ordered[(int(np.argmax(np.diff(ordered, append=ordered[0] + 1))) + 1) % len(ordered)]
    slab.positions[:, 2] = (heights - lowest + 1e-9) % 1.0 * height_A
    return slab


def _compute_lengths(vectors_A: NDArray[np.float64]) -> Pair:
    lengths_A = np.linalg.norm(vectors_A, axis=1)
    return float(lengths_A[0]), float(lengths_A[1])


def _finish(slab: Atoms) -> Atoms:
    """Atoms from the lowest upwards, labelled, in a cell as high as they are."""
    heights_A = slab.positions[:, 2] - slab.positions[:, 2].min()
    slab.positions[:, 2] = heights_A
    x_A, y_A = slab.positions[:, 0].round(6), slab.positions[:, 1].round(6)
    ordered = slab[np.lexsort((y_A, x_A, heights_A.round(6)))]
    lengths_A = slab.cell.lengths()
    ordered.set_cell(np.diag([lengths_A[0], lengths_A[1], max(float(np.ptp(heights_A)), 1.0)]))
    return label_atoms(ordered, region=ELECTRODE, species=ELECTRODE)
