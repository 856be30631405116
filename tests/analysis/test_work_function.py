"""Potentials across a slab that are known on paper."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.work_function import (
    PlanarPotential,
    WorkFunction,
    compute_work_function,
    read_potential,
    write_potential,
)
from structures.errors import InputError

HEIGHT_A = 20.0
ATOMS_Z_A = np.array([8.0, 10.0, 12.0])
LOWER_EV, UPPER_EV, FERMI_EV = 1.5, 2.25, -1.0


def build_potential(z_A: NDArray[np.float64], *, edge_step: bool = False) -> NDArray[np.float64]:
    """A well that the two faces leave with a decay length of 0.5 Å, towards levels of their own."""
    depth_eV = 8.0
    lower = (LOWER_EV + depth_eV) / (1 + np.exp((z_A - 7.0) / 0.25)) - depth_eV
    upper = (UPPER_EV + depth_eV) / (1 + np.exp(-(z_A - 13.0) / 0.25))
    potential = lower + upper
    if edge_step:
        # Plane waves: the step between the levels lies within half an Å of the boundary.
        middle_eV = (LOWER_EV + UPPER_EV) / 2
        potential = np.where(z_A < 0.5, middle_eV + (potential - middle_eV) * z_A / 0.5, potential)
        past_A = HEIGHT_A - z_A
        potential = np.where(past_A < 0.5, middle_eV + (potential - middle_eV) * past_A / 0.5, potential)
    return potential


def measure(potential_eV: NDArray[np.float64], z_A: NDArray[np.float64], **changes: object) -> WorkFunction:
    known: dict[str, Any] = {"fermi_eV": FERMI_EV, "height_A": HEIGHT_A, "atoms_z_A": ATOMS_Z_A}
    of_potential = {name: value for name, value in changes.items() if name in known}
    others: dict[str, Any] = {name: value for name, value in changes.items() if name not in known}
    return compute_work_function(PlanarPotential(z_A, potential_eV, **(known | of_potential)), **others)


@pytest.mark.parametrize("n_points", [80, 200, 1000])
@pytest.mark.parametrize("edge_step", [False, True])
def test_both_faces_have_their_levels(n_points: int, edge_step: bool) -> None:  # noqa: FBT001 (parametrised)
    z_A = np.arange(n_points) * HEIGHT_A / n_points
    found = measure(build_potential(z_A, edge_step=edge_step), z_A)
    assert found.lower_eV == pytest.approx(LOWER_EV - FERMI_EV, abs=1e-6)
    assert found.upper_eV == pytest.approx(UPPER_EV - FERMI_EV, abs=1e-6)
    assert found.step_eV == pytest.approx(UPPER_EV - LOWER_EV, abs=1e-6)
    assert found.flatness_eV < 1e-6
    assert found.to_json()["step_eV"] == found.step_eV


def test_the_scale_of_the_energies_does_not_matter() -> None:
    z_A = np.arange(100) * HEIGHT_A / 100
    found = measure(build_potential(z_A), z_A)
    moved = measure(build_potential(z_A) + 7, z_A, fermi_eV=FERMI_EV + 7)
    assert moved.upper_eV == pytest.approx(found.upper_eV, rel=1e-12)
    turned = measure(build_potential(HEIGHT_A - z_A), z_A, atoms_z_A=HEIGHT_A - ATOMS_Z_A)
    assert turned.upper_eV == pytest.approx(found.lower_eV, abs=1e-6)


def test_a_field_in_the_vacuum_is_reported_or_refused() -> None:
    z_A = np.arange(200) * HEIGHT_A / 200
    weak = measure(build_potential(z_A) + 0.02 * z_A, z_A)
    assert weak.flatness_eV == pytest.approx(0.02, rel=1e-3)  # over 1 Å
    with pytest.raises(
        InputError, match=r"upper face has no flat vacuum: .* 0.190 eV in 1 Å, limit 0.05 eV. Use a dipole"
    ):
        measure(build_potential(z_A) + 0.19 * z_A, z_A)


def test_too_little_vacuum_is_refused() -> None:
    z_A = np.arange(200) * HEIGHT_A / 200
    with pytest.raises(InputError, match=r"lower face has 3.5 Å of vacuum, .* needs 3.8 Å"):
        measure(build_potential(z_A), z_A, atoms_z_A=ATOMS_Z_A - 4.5)
    with pytest.raises(InputError, match="must be of one length"):
        measure(build_potential(z_A)[1:], z_A)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    z_A = np.linspace(0, 19.5, 40)
    potential = PlanarPotential(z_A, build_potential(z_A), FERMI_EV, HEIGHT_A, ATOMS_Z_A)
    write_potential(tmp_path / "potential.npz", potential)
    again = read_potential(tmp_path / "potential.npz")
    assert np.array_equal(again.potential_eV, potential.potential_eV)
    assert (again.fermi_eV, again.height_A) == (FERMI_EV, HEIGHT_A)
