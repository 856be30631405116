"""Cells that energies of `tfsi-adsorption` are computed in, settings that go with them, and their checks."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from structures.box import GRID_MULTIPLE, find_box_lengths, put_in_box
from structures.errors import InputError
from structures.species import Species
from workflows.calculators.electronic import find_method
from workflows.configuration.adsorption_sections import SubstrateSection
from workflows.configuration.tfsi_adsorption import ON, TfsiAdsorptionConfig

K_POINT_LENGTH_A = 20.0  # divisions times the length of the lattice vector, at least
SLAB_SMEARING_EV = 0.1
_EDGE_STEP_A = 0.5  # so that geometries a little apart share one box
SMALLEST_OPEN_VACUUM_A = 2.5  # F- at 2.3 Å from a wall is 0.1 eV too high
SMALLEST_VACUUM_A = 5.0  # the dipole layer lies at the edge of the cell


@dataclass(frozen=True)
class Variant:
    """One set of numerical parameters that all energies of a step are computed with.

    Attributes:
        name: of the parameter that is worse than asked for; empty for the answer itself.
        change: in words.
        settings: of the calculator that differ.
        less_vacuum_A: taken from each side of the cell, in Å.
    """

    name: str = ""
    change: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    less_vacuum_A: float = 0.0


BASE = Variant()


@dataclass(frozen=True)
class Cell:
    """What all energies of a step are computed in.

    Attributes:
        lattice_A: lattice vectors, shape (3, 3), in Å; None for a code that needs no cell.
        periodic: along each of them.
        is_slab: whether the third is the normal of a slab, with vacuum on both sides.
    """

    lattice_A: NDArray[np.float64] | None
    periodic: tuple[bool, bool, bool] = (False, False, False)
    is_slab: bool = False

    def place(self, one: Species, *, less_vacuum_A: float = 0.0) -> Species:
        """The species in the cell: a molecule in the middle, a slab where it lies, the vacuum less on both sides."""
        if self.lattice_A is None:
            return one
        lattice_A = self.lattice_A.copy()
        if self.is_slab:
            lattice_A[2, 2] -= 2 * less_vacuum_A
        if not (self.is_slab and one.atoms.pbc.any()):
            return replace(one, atoms=put_in_box(one.atoms, lattice_A=lattice_A, periodic=self.periodic))
        atoms = one.atoms.copy()
        atoms.positions[:, 2] -= less_vacuum_A
        atoms.set_cell(lattice_A)
        return replace(one, atoms=atoms)


def build_slab_cell(atoms: Atoms) -> Cell:
    """The cell of a slab, which all that meets it in a reaction shares."""
    return Cell(atoms.cell.array.copy(), periodic=(True, True, False), is_slab=True)


def find_box(
    config: TfsiAdsorptionConfig,
    *,
    species: Mapping[str, Species],
    settings: Mapping[str, Any],
    less_vacuum_A: float = 0.0,
) -> NDArray[np.float64] | None:
    """Lattice of the box that all molecules share, in Å; None for a code that needs none.

    Raises:
        InputError: if the check of the box would leave no vacuum.
    """
    if not find_method(config.calculator.name).is_periodic:
        return None
    vacuum_A = config.geometry.vacuum_A - less_vacuum_A
    if vacuum_A < SMALLEST_OPEN_VACUUM_A:
        raise InputError(
            f"checks.box_A is {config.checks.box_A:g} and geometry.vacuum_A {config.geometry.vacuum_A:g}, needs at "
            f"least {SMALLEST_OPEN_VACUUM_A:g} Å left: the density of an ion ends no nearer. Set it, e.g. "
            f"geometry.vacuum_A: {config.checks.box_A + 4:g}."
        )
    molecules = [one.atoms for one in species.values() if not one.atoms.pbc.any()]
    if "poisson_solver" in settings:
        lengths_A = find_box_lengths(molecules, vacuum_A=vacuum_A, spacing_A=_EDGE_STEP_A / GRID_MULTIPLE)
        return np.diag(widen_for_solver(lengths_A, solver=settings["poisson_solver"], vacuum_A=vacuum_A))
    return np.diag(find_box_lengths(molecules, vacuum_A=vacuum_A, spacing_A=settings["spacing_A"]))


def frame_molecules(
    start: Mapping[str, Species], *, species: Mapping[str, Species], pairs: Collection[str]
) -> dict[str, Species]:
    """Molecules as built and as relaxed, by name: a box has room for both. Poses of adsorbates are not among them."""
    built = {name: one for name, one in start.items() if name not in pairs}
    return {**built, **{f"{name}, relaxed": one for name, one in species.items() if name not in pairs}}


def widen_for_solver(lengths_A: NDArray[np.float64], *, solver: str, vacuum_A: float) -> NDArray[np.float64]:
    """Edges of an open box that a Poisson solver of CP2K needs, shape (3,), in Å.

    WAVELET, which is taken where none is named, knows cubes alone. MT and ANALYTIC need edges twice as long as the
    density: it is taken to end half-way to the walls of the box that is given.
    """
    if solver in ("auto", "WAVELET"):
        return np.full(3, float(lengths_A.max()))
    return 2 * (lengths_A - vacuum_A)


def find_relaxation_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is set otherwise for relaxations of molecules."""
    return {"mode": "pw"} if settings.get("mode") == "fd" else {}


def find_relaxation_cell(
    config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any], start: Mapping[str, Species]
) -> Cell:
    """The box in which molecules are relaxed, with images where that is in plane waves."""
    images = bool(find_relaxation_settings(settings))
    return Cell(find_box(config, species=start, settings=settings), periodic=(images, images, images))


def find_slab_settings(
    config: TfsiAdsorptionConfig, *, name: str, settings: Mapping[str, Any], species: Mapping[str, Species]
) -> dict[str, Any]:
    """What is set otherwise for a slab: plane waves unless orbitals are asked for, k-points, smearing.

    K-points are those of `calculator.overrides`, those of the substrate, or so many that its cell needs.

    Raises:
        InputError: if the code knows no periodic cells.
    """
    if "k_points" not in settings:
        raise InputError(
            f"calculator {config.calculator.name} knows no periodic cells, but {name} is a slab. Set gpaw or cp2k "
            "(calculator.name, geometry.calculator.name), or take a cluster."
        )
    host = name.rsplit(ON, maxsplit=1)[-1]
    section = config.substrates.get(host, SubstrateSection())
    own = find_divisions(species[host].atoms.cell.array)[:2]
    asked = config.calculator.overrides.get("k_points", ())[:2]
    return {
        **find_relaxation_settings(settings),
        "k_points": [*(asked or section.k_points or own), 1],
        "smearing_eV": settings["smearing_eV"] or SLAB_SMEARING_EV,
    }


def find_divisions(lattice_A: NDArray[np.float64]) -> list[int]:
    """k-points along each reciprocal vector: divisions times the distance of lattice planes at least 20 Å.

    Args:
        lattice_A: lattice vectors, shape (3, 3), in Å.
    """
    lengths_A = 1 / np.linalg.norm(np.linalg.inv(lattice_A).T, axis=1)
    return [max(1, math.ceil(K_POINT_LENGTH_A / float(length))) for length in lengths_A]


def list_open_checks(config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any]) -> tuple[list[Variant], list[str]]:
    """What is computed to estimate the numerical error of molecules, and which parameters are left unchecked.

    Raises:
        InputError: if the energies would not be in open boundaries.
    """
    if settings.get("mode") == "pw":
        raise InputError(
            "calculator.overrides.mode is 'pw', whose periodic images change the energy of an ion: energies need open "
            "boundaries. Set mode: fd, or mode: lcao; relaxations and slabs use plane waves by themselves."
        )
    checks, variants, unchecked = config.checks, list[Variant](), list[str]()
    if config.calculator.name == "xtb":
        return [], ["parameters of the tight binding"]
    if config.calculator.name == "pyscf":
        if checks.basis is not None and checks.basis != settings["basis"]:
            change = f"basis {checks.basis} in place of {settings['basis']}"
            return [Variant("basis", change, {"basis": checks.basis})], ["quadrature"]
        return [], ["basis", "quadrature"]
    if "density_cutoff_Ry" in settings:
        cutoffs, unchecked = list_cutoff_checks(checks.grid_factor, settings=settings)
        variants += cutoffs
    elif checks.grid_factor > 1:
        worse = round(settings["spacing_A"] * checks.grid_factor, 4)
        variants.append(Variant("grid", f"grid spacing about {worse:g} Å", {"spacing_A": worse}))
    else:
        unchecked.append("grid")
    if checks.box_A > 0:
        change = f"{checks.box_A:g} Å less vacuum on each side"
        variants.append(Variant("box", change, less_vacuum_A=checks.box_A))
    else:
        unchecked.append("box")
    bases, open_basis = list_basis_checks(config, settings=settings)
    return [*variants, *bases], [*unchecked, *open_basis]


def list_cutoff_checks(factor: float, *, settings: Mapping[str, Any]) -> tuple[list[Variant], list[str]]:
    """A lower cut-off of the density of CP2K, as a coarser grid by that factor has it."""
    if factor <= 1:
        return [], ["cut-off"]
    worse = round(settings["density_cutoff_Ry"] / factor**2, 1)
    return [Variant("cut-off", f"density cut-off {worse:g} Ry", {"density_cutoff_Ry": worse})], []


def list_basis_checks(config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any]) -> tuple[list[Variant], list[str]]:
    """Another basis of CP2K, if one is named; whether the basis is left unchecked."""
    other = config.checks.basis
    if "density_cutoff_Ry" not in settings:
        return [], ["basis"] if settings["mode"] == "lcao" else []
    if other is None or not other.endswith("-GTH") or other == settings["basis"]:
        return [], ["basis"]
    return [Variant("basis", f"basis {other} in place of {settings['basis']}", {"basis": other})], []


def list_slab_checks(
    config: TfsiAdsorptionConfig, *, name: str, settings: Mapping[str, Any]
) -> tuple[list[Variant], list[str]]:
    """What is computed to estimate the numerical error of slabs, and which parameters are left unchecked."""
    checks, variants, unchecked = config.checks, list[Variant](), ["layers", "lateral size"]
    factor = checks.grid_factor
    if "density_cutoff_Ry" in settings:
        cutoffs, open_cutoff = list_cutoff_checks(factor, settings=settings)
        variants, unchecked = [*variants, *cutoffs], [*unchecked, *open_cutoff]
    elif factor > 1 and settings["mode"] == "pw":
        worse = round(settings["cutoff_eV"] / factor**2, 1)
        variants.append(Variant("cut-off", f"plane waves up to {worse:g} eV", {"cutoff_eV": worse}))
    elif factor > 1:
        worse = round(settings["spacing_A"] * factor, 4)
        variants.append(Variant("grid", f"grid spacing about {worse:g} Å", {"spacing_A": worse}))
    else:
        unchecked.append("cut-off" if settings["mode"] == "pw" else "grid")
    section = config.substrates.get(name.rsplit(ON, maxsplit=1)[-1], SubstrateSection())
    less_A = min(checks.box_A, section.vacuum_A - SMALLEST_VACUUM_A)
    if less_A > 0:
        variants.append(Variant("vacuum", f"{less_A:g} Å less vacuum on each side", less_vacuum_A=less_A))
    else:
        unchecked.append("vacuum")
    if checks.k_points:
        first, second, _ = settings["k_points"]
        denser = [first + 1, second + 1, 1]
        variants.append(Variant("k-points", _show_divisions(denser[:2]), {"k_points": denser}))
    else:
        unchecked.append("k-points")
    bases, open_basis = list_basis_checks(config, settings=settings)
    return [*variants, *bases], [*unchecked, *open_basis]


def list_bulk_checks(of_slab: Iterable[Variant], *, k_points: Sequence[int]) -> list[Variant]:
    """The checks of a slab that a crystal or a molecule in a box takes part in, under the same names.

    Args:
        of_slab: its checks.
        k_points: divisions of the crystal, shape (3,); a check of them makes each one larger.
    """
    checks = []
    for one in of_slab:
        if "k_points" in one.settings:
            if max(k_points) > 1:
                denser = [number + 1 for number in k_points]
                checks.append(replace(one, change=_show_divisions(denser), settings={"k_points": denser}))
        elif one.settings:
            checks.append(one)
    return checks


def _show_divisions(k_points: Iterable[int]) -> str:
    return f"{' x '.join(str(number) for number in k_points)} k-points"
