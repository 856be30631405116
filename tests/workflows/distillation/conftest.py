"""A cheap teacher and labelled sets for the tests of distillation."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.contract import Workspace
from workflows.jobs.store import Store
from workflows.recipes.labelled_frames import Trajectory, label_frame

LENNARD_JONES = {"sigma": 2.8, "epsilon": 0.15, "rc": 5.5, "smooth": True}


@pytest.fixture
def cheap_teacher() -> CalculatorSpec:
    overrides = {"factory": "ase.calculators.lj:LennardJones", "trust_code": True, "arguments": LENNARD_JONES}
    return CalculatorSpec("ase", overrides=overrides)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def workspace(tmp_path: Path, store: Store) -> Workspace:
    directory = tmp_path / "attempt"
    directory.mkdir()
    return Workspace(directory=directory, store=store)


def build_rattled(seed: int, *, a_A: float) -> Atoms:
    """A cell of two elements on an fcc lattice, shaken."""
    rng = np.random.default_rng(seed)
    atoms: Atoms = bulk("Bi", "fcc", a=a_A * rng.uniform(0.97, 1.04), cubic=True).repeat((2, 2, 1))
    symbols = rng.choice(["K", "Bi"], size=len(atoms))
    symbols[:2] = ["K", "Bi"]
    atoms.symbols = symbols
    atoms.rattle(0.15, rng=rng)
    return atoms


@pytest.fixture(scope="session")
def labelled_trajectories() -> list[Trajectory]:
    """Ten short trajectories of two kinds."""
    calculator = LennardJones(**LENNARD_JONES)
    return [
        Trajectory(
            name=f"{kind}-{number}",
            kind=kind,
            frames=tuple(
                label_frame(build_rattled(100 * offset + 10 * number + frame, a_A=a_A), calculator=calculator)
                for frame in range(4)
            ),
        )
        for offset, (kind, a_A) in enumerate((("dense", 4.3), ("loose", 4.8)))
        for number in range(5)
    ]
