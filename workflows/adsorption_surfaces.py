"""What surface energies of the clean slabs of `tfsi-adsorption` need: slabs as cut, their crystals, and reservoirs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import molecule

from analysis.surface_energy import N_FACES
from structures.errors import InputError
from structures.species import Species
from workflows.adsorption_cells import (
    BASE,
    Cell,
    Variant,
    build_slab_cell,
    find_box,
    find_divisions,
    find_slab_settings,
    list_bulk_checks,
    list_slab_checks,
)
from workflows.adsorption_species import build_bulk, build_metal, cut_slab, is_slab, list_parts
from workflows.adsorption_steps import SLAB_ANALYSES, Step, Term, find_analyses
from workflows.configuration.adsorption_sections import SubstrateSection
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig

ANALYSIS = "surface-energy"
MOLECULES = {"H": 1, "N": 1, "O": 3, "F": 1, "Cl": 1}  # element → multiplicity of two atoms of it
# Non-metals in falling order of electronegativity: the first one of a crystal is what its slabs exchange.
_NON_METALS = ("F", "O", "Cl", "N", "Br", "I", "S", "Se", "C", "H", "Te", "P", "As", "B")
_NO_METALS = (*_NON_METALS, "Ne", "Ar", "Kr", "Xe")  # ASE's lattices of some are not what they are at 0 K
N_ELEMENTS = 2  # at most, of a crystal whose slabs exchange atoms
MAGNETIC = ("Cr", "Mn", "Fe", "Co", "Ni")


@dataclass(frozen=True)
class CleanSurface:
    """The energies that the surface energy of a slab is made of.

    Attributes:
        name: of the slab.
        formula: atoms of each element in a formula unit of its crystal.
        area_A2: of one face, in Å².
        n_relaxed: faces that relax: one where planes are held, else both.
        reservoir: element that the slab has in excess or lacks; None if it is composed as the crystal.
        slab: the slab as the reactions have it.
        cut: the slab with all atoms where the crystal has them; no terms if that is the same.
        bulk: the crystal.
        references: element of the crystal → its reference; none without a reservoir.
    """

    name: str
    formula: Mapping[str, int]
    area_A2: float
    n_relaxed: int
    reservoir: str | None
    slab: Step
    cut: Step
    bulk: Step
    references: Mapping[str, Step]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Everything that is computed for it."""
        return (self.slab, self.cut, self.bulk, *self.references.values())


def list_clean_slabs(config: TfsiAdsorptionConfig) -> list[str]:
    """Slabs of a run whose surface energies are asked for, those that only carry an adsorbate included.

    Raises:
        InputError: if there are none.
    """
    if ANALYSIS not in config.analyses:
        return []
    slabs = [name for name in list_parts(config) if is_slab(name, config=config)]
    if not slabs:
        raise InputError(
            f"analyses has {ANALYSIS}, but no reaction has a slab. Take it out, or name a slab, e.g. Li(001)."
        )
    return slabs


def explain_left_out(config: TfsiAdsorptionConfig) -> dict[str, str]:
    """Name of each slab that has no surface energy → why not."""
    found = {}
    for name in list_clean_slabs(config):
        surface = cut_slab(name, section=_find_section(name, config=config), repeats=(1, 1))
        n_elements = len(surface.atoms.symbols.formula.count())
        if surface.n_layers == 1:
            found[name] = "one plane of atoms has no inside"
        elif not surface.is_symmetric:
            found[name] = "its faces differ, so that it has no energy of one; another number of layers may help"
        elif not surface.is_stoichiometric and n_elements > N_ELEMENTS:
            found[name] = f"it is not composed as its crystal of {n_elements} elements, of which two are handled"
    return found


def build_reservoirs(config: TfsiAdsorptionConfig) -> dict[str, Species]:
    """Molecules that slabs of a run exchange atoms with, by name, before they are relaxed."""
    return {
        name: _build_molecule(element)
        for slab in _list_kept(config)
        for element, name in _name_references(slab, config=config).items()
        if element in MOLECULES
    }


def list_surfaces(
    config: TfsiAdsorptionConfig,
    *,
    settings: Mapping[str, Any],
    species: Mapping[str, Species],
    start: Mapping[str, Species],
) -> list[CleanSurface]:
    """What is computed for the surface energy of each slab that has one.

    Args:
        config: of the run.
        settings: of the calculator, all of them.
        species: in the geometries that count, those of `build_reservoirs` included.
        start: the same before relaxation.

    Raises:
        InputError: if an element that is needed has no reference here.
    """
    return [
        build_clean_surface(name, config=config, settings=settings, species=species, start=start)
        for name in _list_kept(config)
    ]


def build_clean_surface(
    name: str,
    *,
    config: TfsiAdsorptionConfig,
    settings: Mapping[str, Any],
    species: Mapping[str, Species],
    start: Mapping[str, Species],
) -> CleanSurface:
    """The energies of one slab. Its checks are those of its adsorption energies, and what else is computed shares them.

    Slab, crystal and reservoirs have one functional, dispersion, basis and smearing; the k-points of each are its own.
    """
    own = find_slab_settings(config, name=name, settings=settings, species=species)
    checks, unchecked = list_slab_checks(config, name=name, settings={**settings, **own})
    atoms, cell = start[name].atoms, build_slab_cell(start[name].atoms)
    as_cut = replace(start[name], name=f"{name} as cut")
    bulk = _build_crystal(name, config=config)
    boxes = {
        element: Cell(find_box(config, species={key: start[key]}, settings=settings), periodic=(True, True, True))
        for element, key in _name_references(name, config=config).items()
        if element in MOLECULES
    }
    return CleanSurface(
        name,
        formula=count_formula(bulk.atoms),
        area_A2=float(np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1]))),
        n_relaxed=1 if any(len(constraint.index) for constraint in atoms.constraints) else N_FACES,
        reservoir=find_reservoir(atoms, crystal=bulk.atoms),
        slab=Step(
            "surface",
            (Term(name, species[name], 1, analyses=(*SLAB_ANALYSES, *find_analyses(config))),),
            cells={one.name: cell for one in (BASE, *checks)},
            settings=own,
            checks=tuple(checks),
            unchecked=tuple(one for one in unchecked if one != "lateral size"),
        ),
        cut=Step("surface", (Term(as_cut.name, as_cut, 1),) * config.geometry.relax, cells={"": cell}, settings=own),
        bulk=build_bulk_step(bulk, settings=own, of_slab=checks),
        references={
            element: build_bulk_step(
                species[key] if element in boxes else _build_reference_metal(element, slab=name),
                cell=boxes.get(element),
                settings=own,
                of_slab=checks,
            )
            for element, key in _name_references(name, config=config).items()
        },
    )


def build_bulk_step(
    one: Species, *, settings: Mapping[str, Any], of_slab: Iterable[Variant], cell: Cell | None = None
) -> Step:
    """A crystal in its own cell, or a molecule in a box at Γ, by the settings of a slab and with its checks."""
    k_points = find_divisions(one.atoms.cell.array) if cell is None else [1, 1, 1]
    checks = list_bulk_checks(of_slab, k_points=k_points)
    return Step(
        "bulk",
        (Term(one.name, one, 1),),
        cells={check.name: cell or Cell(None) for check in (BASE, *checks)},
        settings={**settings, "k_points": k_points},
        checks=tuple(checks),
    )


def count_formula(crystal: Atoms) -> dict[str, int]:
    """Atoms of each element in a formula unit."""
    reduced, _ = crystal.symbols.formula.reduce()
    return dict(reduced.count())


def find_reservoir(slab: Atoms, *, crystal: Atoms) -> str | None:
    """Element that a slab has in excess or lacks, the non-metal of two; None if it is composed as the crystal."""
    formula, counts = count_formula(crystal), slab.symbols.formula.count()
    if len({counts[element] / number for element, number in formula.items()}) == 1:
        return None
    return next((element for element in _NON_METALS if element in formula), list(formula)[-1])


def describe_surfaces(surfaces: Iterable[CleanSurface]) -> list[str]:
    """Cells of crystals and reservoirs, each once, in words."""
    steps = chain.from_iterable((one.bulk, *one.references.values()) for one in surfaces)
    lines = []
    for step in steps:
        placed = step.terms[0].place(step.cells[""]).atoms
        edges = " x ".join(f"{length:.2f}" for length in placed.cell.lengths())
        divisions = " x ".join(str(number) for number in step.settings["k_points"])
        lines.append(f"{edges} Å, {step.terms[0].name}, {divisions} k-points")
    return list(dict.fromkeys(lines))


def _list_kept(config: TfsiAdsorptionConfig) -> list[str]:
    left_out = explain_left_out(config)
    return [name for name in list_clean_slabs(config) if name not in left_out]


def _find_section(name: str, *, config: TfsiAdsorptionConfig) -> SubstrateSection:
    return config.substrates.get(name, SubstrateSection())


def _name_references(name: str, *, config: TfsiAdsorptionConfig) -> dict[str, str]:
    """Elements of a slab's crystal and names of their references; none if the slab exchanges no atoms.

    One is the reservoir, and the formation energy needs both.

    Raises:
        InputError: if there is no reference of one of them here.
    """
    slab = cut_slab(name, section=_find_section(name, config=config), repeats=(1, 1)).atoms
    crystal = _build_crystal(name, config=config).atoms
    if find_reservoir(slab, crystal=crystal) is None:
        return {}
    return {
        element: _name_molecule(element) if element in MOLECULES else _build_reference_metal(element, slab=name).name
        for element in count_formula(crystal)
    }


def _build_crystal(name: str, *, config: TfsiAdsorptionConfig) -> Species:
    """The crystal of a slab, at the lattice constant of the slab."""
    section = _find_section(name, config=config)
    found = build_bulk(name, section=section)
    atoms = Atoms(found.numbers, positions=found.positions, cell=found.cell, pbc=True)
    if section.file is not None:
        others = list_clean_slabs(config)
        first = next(other for other in others if _find_section(other, config=config).file == section.file)
        return Species(f"crystal of {first}", atoms, source=Path(section.file).name)
    if section.element is not None:
        return _take_from_ase(section.element, atoms=atoms)
    return Species(f"crystal of {atoms.symbols.formula.reduce()[0]}", atoms, source="the lattice of the slab")


def _build_reference_metal(element: str, *, slab: str) -> Species:
    """The crystal of a metal.

    Raises:
        InputError: if it is none, or ASE does not know its lattice.
    """
    try:
        atoms = None if element in _NO_METALS else build_metal(element)
    except InputError:
        atoms = None
    if atoms is None:
        raise InputError(
            f"analyses has {ANALYSIS}, but {slab} is not composed as its crystal, and there is no reference of "
            f"{element} here, needs one of {', '.join(MOLECULES)} (molecules), or a metal with a lattice of kind fcc, "
            f"bcc or hcp. Take {ANALYSIS} out, or another face or number of layers."
        )
    return _take_from_ase(element, atoms=atoms)


def _take_from_ase(element: str, *, atoms: Atoms) -> Species:
    return Species(f"crystal of {element} (ASE's lattice)", atoms, source="ASE's lattice")


def _name_molecule(element: str) -> str:
    return f"{element}2 of the reservoir"


def _build_molecule(element: str) -> Species:
    shape = molecule(f"{element}2")
    atoms = Atoms(shape.numbers, positions=shape.positions[:, [2, 1, 0]])
    return Species(_name_molecule(element), atoms, multiplicity=MOLECULES[element], source="ASE's G2 geometry")
