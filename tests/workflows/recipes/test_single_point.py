from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.io import read

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.contract import Outcome

Run = Callable[..., Outcome]


@pytest.fixture(params=["lammps", "ase"])
def spec(request: pytest.FixtureRequest) -> CalculatorSpec:
    found: CalculatorSpec = request.getfixturevalue(f"{request.param}_spec")
    return found


def test_both_engines_give_the_same_energy_forces_and_stress(
    run: Run,
    argon: Atoms,
    lammps_spec: CalculatorSpec,
    ase_spec: CalculatorSpec,
) -> None:
    outcomes: list[Outcome] = [run("single_point", argon, spec) for spec in (lammps_spec, ase_spec)]
    first, second = (outcome.values for outcome in outcomes)
    assert first["energy_eV"] == pytest.approx(second["energy_eV"], rel=1e-9)
    np.testing.assert_allclose(first["stress_GPa"], second["stress_GPa"], rtol=1e-6, atol=1e-9)
    forces = [read(outcome.files["evaluated"]).get_forces() for outcome in outcomes]
    np.testing.assert_allclose(forces[0], forces[1], rtol=0, atol=2e-8)


def test_turning_the_crystal_turns_forces_and_stress(run: Run, argon: Atoms, lammps_spec: CalculatorSpec) -> None:
    turned = argon.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.calc = LennardJones(sigma=3.4, epsilon=0.0104, rc=8.0)
    outcome: Outcome = run("single_point", turned, lammps_spec)
    np.testing.assert_allclose(read(outcome.files["evaluated"]).get_forces(), turned.get_forces(), rtol=0, atol=2e-8)
    stress_eV_per_A3 = np.array(outcome.values["stress_GPa"]) / 160.21766
    np.testing.assert_allclose(stress_eV_per_A3, turned.get_stress(), rtol=1e-5, atol=1e-9)


def test_pair_at_the_minimum_has_the_closed_form(run: Run, spec: CalculatorSpec) -> None:
    distance_A = 2 ** (1 / 6) * 3.4
    pair = Atoms("Ar2", positions=[[5, 5, 5], [5 + distance_A, 5, 5]], cell=[30, 25, 25], pbc=True)
    values = run("single_point", pair, spec).values
    shift_eV = 4 * 0.0104 * ((3.4 / 8) ** 12 - (3.4 / 8) ** 6)
    assert values["energy_eV"] == pytest.approx(-0.0104 - shift_eV, rel=1e-6)
    assert values["largest_force_eV_per_A"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": None}, "cell has 0 vectors, LAMMPS needs 3"),
        ({"pbc": [True, True, False]}, "not periodic along cell vector 2 and has 5.3 Å of vacuum"),
        ({"cell": np.diag([21.04, 21.04, -21.04])}, "left-handed"),
    ],
)
def test_cells_that_lammps_cannot_take_are_refused(
    run: Run,
    lammps_spec: CalculatorSpec,
    change: dict[str, Any],
    message: str,
) -> None:
    atoms = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 15.74]], cell=[21.04] * 3, pbc=True)
    atoms.set_cell(change.get("cell", atoms.cell))
    atoms.pbc = change.get("pbc", True)
    with pytest.raises(InputError, match=message):
        run("single_point", atoms, lammps_spec)


def test_elements_without_parameters_are_refused_by_name(run: Run, lammps_spec: CalculatorSpec) -> None:
    with pytest.raises(InputError, match=r"lammps has no parameters for Kr, Xe \(it knows Ar\)"):
        run("single_point", Atoms("ArKrXe", positions=np.eye(3) * 4, cell=[20] * 3, pbc=True), lammps_spec)
