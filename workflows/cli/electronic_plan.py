"""What is computed for one structure file by a calculator with electrons: its cell, its spin, its relaxation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from structures.box import orient_along_axes
from structures.errors import InputError
from structures.species import Species, complete_species
from workflows.adsorption_cells import (
    K_POINT_LENGTH_A,
    SLAB_SMEARING_EV,
    Cell,
    find_box,
    find_relaxation_cell,
    find_relaxation_settings,
)
from workflows.calculators.electronic import (
    build_electronic_spec,
    check_elements_and_basis,
    check_method_installed,
    find_method,
)
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.telling_settings import keep_telling_settings
from workflows.calculators.wording import IN_ONE_FILE_COMMANDS
from workflows.calculators.written_settings import WrittenSettings
from workflows.cli.one_file_task import Task
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.engines.electronic_process import build_command, share_cores
from workflows.engines.written_inputs import find_boundary
from workflows.jobs.calculation import Calculation

WRITTEN_ONLY = ("force_tolerance_eV_per_A", "max_steps")  # settings of CP2K's own relaxations
_RECIPE = "electronic_energy"


@dataclass(frozen=True)
class Plan:
    """The energy of one structure, and how it is relaxed before.

    Attributes:
        species: the structure with its charge and spin.
        spec: the calculator, with every setting.
        settings: of the relaxation; empty without one.
        layout: ranks and threads.
        box: holds what the box of a molecule hangs on.
        label: of calculations, for people.
        salt: sets them apart from their equals in the store.
    """

    species: Species
    spec: CalculatorSpec
    settings: Mapping[str, Any]
    layout: Mapping[str, Any]
    box: TfsiAdsorptionConfig
    label: str
    salt: str = ""

    @property
    def is_molecule(self) -> bool:
        """Whether it is open along all axes."""
        return not self.species.atoms.pbc.any()

    @property
    def changes(self) -> dict[str, Any]:
        """Settings of the calculator that differ while a molecule is relaxed, as in the flow `tfsi-adsorption`."""
        return find_relaxation_settings(self.spec.overrides) if self.is_molecule else {}

    def build_relaxation(self) -> Calculation | None:
        """The relaxation; None if none is asked for, or an atom has nothing to relax."""
        if not self.settings or (self.is_molecule and len(self.species.atoms) == 1):
            return None
        placed = self.species
        if self.is_molecule:
            cell = find_relaxation_cell(self.box, settings=self.spec.overrides, start={placed.name: placed})
            placed = cell.place(placed)
        return self._build(placed.atoms, label="relax", changes=self.changes, settings=self.settings)

    def build_energy(self, atoms: Atoms) -> Calculation:
        """The energy of a geometry: of a molecule in open boundaries, in a box that fits it."""
        return self._build(self.place(atoms), label="energy of", changes={}, settings={})

    def place(self, atoms: Atoms) -> Atoms:
        """A molecule in the box that fits it, or without a cell if the code needs none; a crystal as it is."""
        if not self.is_molecule:
            return atoms
        one = replace(self.species, atoms=Atoms(atoms.numbers, positions=atoms.positions))
        return Cell(find_box(self.box, species={one.name: one}, settings=self.spec.overrides)).place(one).atoms

    def _build(
        self, atoms: Atoms, *, label: str, changes: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Calculation:
        overrides = keep_telling_settings({**self.spec.overrides, **changes}, atoms=atoms)
        return Calculation(
            _RECIPE,
            structure=atoms,
            calculator=replace(self.spec, overrides=overrides),
            settings=settings,
            charge=self.species.charge,
            multiplicity=self.species.multiplicity,
            salt=self.salt,
            label=f"{label} {self.label}",
            **self.layout,
        )


def build_plan(task: Task, *, vacuum_A: float, settings: Mapping[str, Any], salt: str = "") -> Plan:
    """What is to be computed, after everything that can be checked before a calculation exists.

    Args:
        task: file, calculator and options.
        vacuum_A: around a molecule, in Å.
        settings: of the relaxation; empty without one.
        salt: sets it apart from its equals in the store.

    Raises:
        InputError: names the option or setting, its value and what it needs.
        SetupError: if the code is not installed.
    """
    name, wording = task.calculator, IN_ONE_FILE_COMMANDS
    check_method_installed(name)
    for key in set(WRITTEN_ONLY) & set(task.overrides):
        raise InputError(
            f"{wording.name(key)} is for inputs that are written, needs to be left out. relax has --max-force and "
            "--max-steps."
        )
    spec = build_electronic_spec(name, protocol=task.electrons.protocol, overrides=task.overrides, wording=wording)
    check_elements_and_basis(spec, elements=sorted(set(task.structure.symbols)), wording=wording)
    species = build_species(task)
    if species.atoms.pbc.any():
        own = find_crystal_settings(species.atoms, settings=spec.overrides, asked=task.overrides)
        spec = replace(spec, overrides={**spec.overrides, **own})
        if species.multiplicity == 1 and species.n_electrons % 2 and not spec.overrides["smearing_eV"]:
            raise InputError(
                f"{wording.name('smearing_eV')} is 0, needs more for {species.n_electrons} electrons, an odd number, "
                "with paired spins. Leave it out, or give --multiplicity 2."
            )
    elif spec.overrides.get("mode") == "pw":
        raise InputError(
            f"{wording.name('mode')} is 'pw', whose periodic images change the energy of an ion: a molecule needs open "
            f"boundaries. Use {wording.set('mode', 'fd')} or {wording.set('mode', 'lcao')}; it is relaxed in plane "
            "waves by itself."
        )
    layout = share_cores(name, ranks=task.electrons.ranks)
    build_command(name, directory=Path(), ranks=layout["ranks"])  # refuses ranks that it cannot start
    section = {"name": name, "protocol": task.electrons.protocol, "overrides": dict(task.overrides)}
    plan = Plan(
        species,
        spec=spec,
        settings=settings,
        layout=layout,
        box=TfsiAdsorptionConfig.model_validate({"calculator": section, "geometry": {"vacuum_A": vacuum_A}}),
        label=task.file.name,
        salt=salt,
    )
    if "k_points" in spec.overrides:
        find_boundary(plan.place(species.atoms), settings=WrittenSettings(k_points=tuple(spec.overrides["k_points"])))
    return plan


def build_species(task: Task) -> Species:
    """The structure with its charge and spin; a molecule that goes into a box has its longest extent along x.

    Spins of a crystal or slab are paired unless a multiplicity is asked for: with smearing that needs no even number
    of electrons, and a cell of twice the size has twice the energy.

    Raises:
        InputError: if charge or multiplicity is impossible, atoms lie on each other, or the code knows no such cell.
    """
    atoms, name, asked = task.structure, task.file.name, task.electrons.multiplicity
    method, is_periodic = find_method(task.calculator), bool(task.structure.pbc.any())
    axes = ", ".join(axis for axis, flag in zip("xyz", atoms.pbc, strict=True) if flag)
    if is_periodic and not method.is_periodic:
        raise InputError(
            f"{task.file} is periodic along {axes}, but calculator {method.name} knows no periodic cells. Use "
            "--calculator gpaw, or give a molecule by a file without a cell, e.g. .xyz."
        )
    if is_periodic and task.electrons.charge:
        raise InputError(
            f"--charge is {task.electrons.charge:+d}, needs 0 for a structure that is periodic along {axes}: the "
            "energy of a charged cell hangs on its size. Leave it out, or give a molecule."
        )
    if not is_periodic:
        atoms = Atoms(atoms.numbers, positions=atoms.positions)
        atoms = orient_along_axes(atoms) if method.is_periodic else atoms
    is_paired = is_periodic and asked in (None, 1)
    species = Species(name, atoms, charge=task.electrons.charge, source=name)
    try:
        complete = complete_species(species, multiplicity=None if is_paired else asked)
    except InputError as error:
        said = str(error).replace(f"species.{name}.", "--").replace(f"species.{name}:", f"{task.file}:")
        raise InputError(said) from None
    return replace(complete, multiplicity=1) if is_paired else complete


def find_crystal_settings(atoms: Atoms, *, settings: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is set otherwise for a crystal or a slab, unless it is asked for.

    Plane waves in place of a real-space grid, as many k-points as slabs of the flow `tfsi-adsorption` have, and their
    smearing.

    Args:
        atoms: periodic along some axes.
        settings: of the calculator, all of them.
        asked: those of the user.
    """
    inverse_heights = np.linalg.norm(np.linalg.pinv(atoms.cell.array).T, axis=1)  # in 1/Å
    own = {
        **find_relaxation_settings(settings),
        "k_points": [
            max(1, math.ceil(K_POINT_LENGTH_A * inverse_height - 1e-9)) if flag else 1
            for inverse_height, flag in zip(inverse_heights.tolist(), atoms.pbc, strict=True)
        ],
        "smearing_eV": SLAB_SMEARING_EV,
    }
    return {key: value for key, value in own.items() if key not in asked}
