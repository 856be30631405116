"""Argon with a Lennard-Jones potential in LAMMPS and in ASE: small, fast, and the same forces in both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Workspace
from workflows.jobs.store import Store
from workflows.recipes import RECIPES

PAIR_COMMANDS = "pair_style lj/cut 8.0\npair_modify shift yes  # as ASE does\npair_coeff * * 0.0104 3.4\n"
ASE_ARGUMENTS = {"sigma": 3.4, "epsilon": 0.0104, "rc": 8.0}
Run = Callable[..., Outcome]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def argon() -> Atoms:
    """256 atoms in a tilted cell: an anchor below, an alloy in the middle, potassium on top, as the flows name them."""
    atoms = bulk("Ar", "fcc", a=5.26, cubic=True).repeat(4)
    cell = atoms.cell.array.copy()
    cell[1, 0] = 1.3
    atoms.set_cell(cell, scale_atoms=True)
    z_A = atoms.positions[:, 2]
    atoms.set_array("region", np.where(z_A < 2, "anchor", np.where(z_A < 12, "alloy", "potassium")))
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.fixture
def lammps_spec(store: Store, tmp_path: Path) -> CalculatorSpec:
    path = tmp_path / "argon.pair"
    path.write_text(PAIR_COMMANDS)
    return build_calculator_spec("lammps", potential=str(path), overrides={"elements": ["Ar"]}, add_blob=store.add_blob)


@pytest.fixture
def ase_spec(store: Store) -> CalculatorSpec:
    return build_calculator_spec(
        "ase",
        potential="ase.calculators.lj:LennardJones",
        overrides={"trust_code": True, "arguments": ASE_ARGUMENTS},
        add_blob=store.add_blob,
    )


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Run:
    """Does a calculation as the worker would, in a directory of its own."""
    attempts = iter(range(1000))

    def run_recipe(
        recipe: str,
        structure: Atoms,
        spec: CalculatorSpec,
        *,
        into: Store = store,
        **fields: Any,  # noqa: ANN401  settings, and what else a calculation and a workspace have
    ) -> Outcome:
        directory = tmp_path / f"attempt-{next(attempts)}"
        directory.mkdir()
        options = {name: fields.pop(name) for name in ("ranks", "seed", "continue_from") if name in fields}
        given = {
            name: fields.pop(name)
            for name in ("report_progress", "time_left_s", "previous", "accept_break")
            if name in fields
        }
        calculation = Calculation(recipe, structure, spec, fields, **{"seed": 7, **options})
        workspace = Workspace(directory, into, into.chain(calculation), **given)
        outcome = RECIPES[recipe].run(calculation, workspace)
        absolute = {name: str(directory / file) for name, file in outcome.files.items()}
        return Outcome(outcome.values, absolute)

    return run_recipe
