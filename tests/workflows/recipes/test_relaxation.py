from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.io import read

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.contract import Outcome

Run = Callable[..., Outcome]


@pytest.fixture(params=["lammps", "ase"])
def spec(request: pytest.FixtureRequest) -> CalculatorSpec:
    found: CalculatorSpec = request.getfixturevalue(f"{request.param}_spec")
    return found


def test_rattled_crystal_becomes_perfect_again(run: Run, argon: Atoms, spec: CalculatorSpec) -> None:
    outcome: Outcome = run("relaxation", argon, spec, force_tolerance_eV_per_A=1e-3)
    assert outcome.values["converged"]
    assert outcome.values["largest_force_eV_per_A"] <= 1e-3
    assert outcome.values["energy_gained_eV"] > 0
    relaxed = read(outcome.files["relaxed"])
    np.testing.assert_allclose(relaxed.cell, argon.cell, rtol=1e-9)
    assert list(relaxed.arrays["region"]) == list(argon.arrays["region"])
    neighbours_A = np.sort(relaxed.get_distances(0, range(1, len(relaxed)), mic=True))[:12]
    np.testing.assert_allclose(neighbours_A, 5.26 / np.sqrt(2), rtol=0.05)


def test_fixed_regions_and_constraints_hold(run: Run, argon: Atoms, spec: CalculatorSpec) -> None:
    argon.set_constraint(FixAtoms([255]))
    outcome: Outcome = run("relaxation", argon, spec, fixed_regions=["anchor"])
    relaxed = read(outcome.files["relaxed"])
    fixed = np.append(np.flatnonzero(argon.arrays["region"] == "anchor"), 255)
    np.testing.assert_allclose(relaxed.positions[fixed], argon.positions[fixed], rtol=0, atol=1e-7)
    assert outcome.values["converged"]


def test_too_few_steps_are_reported_and_no_error(run: Run, argon: Atoms, spec: CalculatorSpec) -> None:
    values = run("relaxation", argon, spec, max_steps=2, force_tolerance_eV_per_A=1e-4).values
    assert not values["converged"]
    assert values["n_steps"] == 2
    assert values["largest_force_eV_per_A"] > 1e-4


def test_cell_relaxes_along_z_to_zero_stress(run: Run, spec: CalculatorSpec) -> None:
    argon = bulk("Ar", "fcc", a=5.26, cubic=True).repeat(3)
    cell = argon.cell.array.copy()
    cell[2, 2] *= 0.98
    argon.set_cell(cell, scale_atoms=True)
    outcome: Outcome = run("relaxation", argon, spec, relax_cell_z=True, force_tolerance_eV_per_A=5e-3)
    assert outcome.values["converged"]
    assert abs(outcome.values["stress_GPa"][2]) < 0.02
    relaxed = read(outcome.files["relaxed"])
    assert relaxed.cell[2, 2] > cell[2, 2] * 1.01
    np.testing.assert_allclose(relaxed.cell[:2], cell[:2], rtol=1e-9, atol=1e-9)


def test_cell_does_not_relax_around_fixed_atoms(run: Run, argon: Atoms, spec: CalculatorSpec) -> None:
    with pytest.raises(InputError, match="32 atoms are fixed: leave one of the two out"):
        run("relaxation", argon, spec, relax_cell_z=True, fixed_regions=["anchor"])


def test_turned_crystal_relaxes_in_its_own_frame(run: Run, argon: Atoms, lammps_spec: CalculatorSpec) -> None:
    turned = argon.copy()
    turned.rotate(25, (3, 1, 2), rotate_cell=True)
    straight, tilted = (
        read(run("relaxation", atoms, lammps_spec, force_tolerance_eV_per_A=1e-3).files["relaxed"])
        for atoms in (argon, turned)
    )
    straight.rotate(25, (3, 1, 2), rotate_cell=True)
    np.testing.assert_allclose(tilted.cell, straight.cell, rtol=0, atol=1e-6)
    np.testing.assert_allclose(tilted.positions, straight.positions, rtol=0, atol=1e-4)
