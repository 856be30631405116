"""What all stages of a run of the flow `electrolyte-interface` share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read

from structures.checks import compute_periodic_heights
from structures.errors import InputError
from workflows.calculators.force_field import build_force_field_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.electrolyte_interface import Case, ElectrolyteInterfaceConfig
from workflows.electrolyte_topology import build_topology
from workflows.flow_run import FlowRun, read_structure_of
from workflows.jobs.calculation import Calculation

CELLS_FOLDER = "cells"
_RADIUS_A = 12.0
# In extended XYZ, where `species` is the column of elements.
SPECIES_COLUMN = "of_species"


@dataclass(frozen=True)
class Replica:
    """One packing of one case.

    Attributes:
        case: bare, or with the layer.
        seed: of packing, velocities and thermostat.
        path: of the cell as packed, with the arrays region, molecule and species.
    """

    case: Case
    seed: int
    path: Path

    @property
    def name(self) -> str:
        """As people see it."""
        return f"{self.case}, seed {self.seed}"

    def read_cell(self) -> Atoms:
        """The cell as packed.

        Raises:
            InputError: if its file is gone.
        """
        if not self.path.is_file():
            raise InputError(f"{self.path} is gone, the cell that the run began with. Start a new run.")
        atoms = read(self.path, format="extxyz")
        if not isinstance(atoms, Atoms):
            raise TypeError(self.path)
        atoms.set_array("species", atoms.arrays.pop(SPECIES_COLUMN))
        return atoms

    def find_fixed_regions(self, asked: tuple[str, ...]) -> list[str]:
        """Those of the regions asked for that this case has."""
        present = set(self.read_cell().arrays["region"])
        return [name for name in asked if name in present]


@dataclass(frozen=True)
class InterfaceRun(FlowRun[ElectrolyteInterfaceConfig]):
    """A run of the flow `electrolyte-interface`; each case has a calculator of its own."""

    calculator: CalculatorSpec = field(default_factory=lambda: CalculatorSpec("force-field"))

    def compute_named(self, names: list[str], calculations: list[Calculation]) -> dict[str, str]:
        """Bring calculations to their results; gives name to key."""
        finished = self.compute(calculations)
        for name, one in zip(names, finished, strict=True):
            self.keep_key(name, one)
        return {name: one.key for name, one in zip(names, finished, strict=True)}

    def build_dynamics(
        self,
        replica: Replica,
        *,
        calculator: CalculatorSpec,
        settings: dict[str, Any],
        start: str,
        label: str,
        continue_from: str | None = None,
    ) -> Calculation:
        """Dynamics of a replica from its relaxed cell, or on from other dynamics of it."""
        fixed = replica.find_fixed_regions(self.config.dynamics.fixed_regions)
        return Calculation(
            "molecular_dynamics",
            structure=read_structure_of(self.finished(start), file="relaxed"),
            calculator=calculator,
            settings=settings | {"minimise": False, "fixed_regions": fixed},
            seed=replica.seed,
            continue_from=continue_from,
            label=label,
            **self.layout,
        )


def build_calculators(run: InterfaceRun, *, replicas: list[Replica]) -> dict[Case, CalculatorSpec]:
    """The calculator of each case: its topology is that of all its replicas, which differ in positions only."""
    first = {one.case: one for one in reversed(replicas)}
    return {
        case: build_calculator(run.config, atoms=one.read_cell(), add_blob=run.store.add_blob)
        for case, one in first.items()
    }


def build_calculator(
    config: ElectrolyteInterfaceConfig, *, atoms: Atoms, add_blob: Callable[[Path], str]
) -> CalculatorSpec:
    """The calculator of a cell, its topology in the store."""
    section = config.force_field
    return build_force_field_spec(
        build_topology(config, atoms=atoms),
        add_blob=add_blob,
        cutoff_A=section.cutoff_A,
        force_error=section.force_error,
        slab=config.slab_factor,
    )


def count_mobile(atoms: Atoms, *, fixed: list[str]) -> int:
    """Atoms that move."""
    return int((~np.isin(atoms.arrays["region"], fixed)).sum())


def find_radius_A(config: ElectrolyteInterfaceConfig, *, cell: Atoms) -> float:
    """The range of the distribution functions: as asked, or what fits, 12 Å at most."""
    asked_A = config.analysis.rdf_max_A
    return min(_RADIUS_A, find_largest_radius_A(cell)) if asked_A is None else asked_A


def find_largest_radius_A(cell: Atoms) -> float:
    """The range of a distribution function that no atom meets its own image in, in whole tenths of an Å."""
    heights_A = compute_periodic_heights(cell.cell.array)[np.asarray(cell.pbc)]
    return float(np.floor(5 * heights_A.min() - 0.5)) / 10
