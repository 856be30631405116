from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.contract import Outcome
from workflows.recipes.gap_scan import shift_to_gap

Run = Callable[..., Outcome]

EQUILIBRIUM_A = 2 ** (1 / 6) * 3.4


def make_pair(vacuum_A: float = 20.0) -> Atoms:
    """Two atoms, one above the other: the energy over the gap is the pair potential itself."""
    atoms = Atoms("Ar2", positions=[[9, 9, 3], [9, 9, 6]], cell=[18, 18, 6 + vacuum_A], pbc=True)
    atoms.set_array("region", np.array(["alloy", "potassium"]))
    return atoms


@pytest.mark.parametrize("engine", ["lammps", "ase"])
def test_lowest_gap_of_a_pair_is_the_closed_form(run: Run, engine: str, request: pytest.FixtureRequest) -> None:
    spec: CalculatorSpec = request.getfixturevalue(f"{engine}_spec")
    gaps_A = [EQUILIBRIUM_A + step for step in (0.4, -0.2, 0.0, 0.2)]
    outcome: Outcome = run("gap_scan", make_pair(), spec, gaps_A=gaps_A)
    assert outcome.values["gaps_A"] == sorted(gaps_A)
    assert outcome.values["lowest_gap_A"] == pytest.approx(EQUILIBRIUM_A, rel=1e-12)
    assert outcome.values["is_bracketed"]
    expected_eV = [4 * 0.0104 * ((3.4 / d) ** 12 - (3.4 / d) ** 6) for d in sorted(gaps_A)]
    np.testing.assert_allclose(np.diff(outcome.values["energies_eV"]), np.diff(expected_eV), rtol=1e-6)
    lowest = read(outcome.files["lowest"])
    assert lowest.positions[1, 2] - lowest.positions[0, 2] == pytest.approx(EQUILIBRIUM_A, abs=1e-6)


def test_minimum_at_the_end_is_not_bracketed(run: Run, lammps_spec: CalculatorSpec) -> None:
    values = run("gap_scan", make_pair(), lammps_spec, gaps_A=[4.0, 4.5, 5.0]).values
    assert (values["lowest_gap_A"], values["is_bracketed"]) == (4.0, False)


def test_two_contacts_open_alike() -> None:
    atoms = make_pair(vacuum_A=0.0)
    shifted = shift_to_gap(atoms, gap_A=4.0, moved_region="potassium")
    z_A = shifted.positions[:, 2]
    assert z_A[1] - z_A[0] == pytest.approx(4.0, rel=1e-12)
    assert shifted.cell[2, 2] - (z_A[1] - z_A[0]) == pytest.approx(4.0, rel=1e-12)


@pytest.mark.parametrize(
    ("region", "gap_A", "message"),
    [
        ("sodium", 3.0, "moved_region is 'sodium', .* its regions are: alloy, potassium"),
        ("potassium", 20.0, "At a gap of 20 Å only 6.0 Å of vacuum are left"),
    ],
)
def test_wrong_scans_are_refused(region: str, gap_A: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        shift_to_gap(make_pair(), gap_A=gap_A, moved_region=region)
