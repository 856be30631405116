"""The Langevin integrator on free particles and on springs, whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from workflows.recipes.ase_dynamics import AseDynamics, draw_velocities
from workflows.recipes.dynamics_settings import MolecularDynamicsSettings, SegmentPlan
from workflows.recipes.dynamics_watch import Continuity, Watch
from workflows.recipes.lammps_input import find_parts

N_ATOMS = 500
TEMPERATURE_K = 300.0


class Springs(Calculator):
    """Each atom on a spring of its own; stiffness 0 makes free particles."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012  ASE's own form

    def __init__(self, stiffness_eV_per_A2: float, sites_A: NDArray[np.float64]) -> None:
        super().__init__()
        self.stiffness = stiffness_eV_per_A2
        self.sites_A = sites_A

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        super().calculate(atoms, properties, system_changes)
        stretch_A = self.atoms.positions - self.sites_A
        self.results["energy"] = 0.5 * self.stiffness * float((stretch_A**2).sum())
        self.results["forces"] = -self.stiffness * stretch_A


def run_springs(stiffness_eV_per_A2: float, directory: Path, **settings: float) -> tuple[Watch, NDArray[np.float64]]:
    sites_A = np.random.default_rng(1).random((N_ATOMS, 3)) * 40
    atoms = Atoms(f"K{N_ATOMS}", positions=sites_A, cell=[40] * 3, pbc=True)
    model = MolecularDynamicsSettings(
        minimise=False,
        thermo_every_steps=1,
        thermostat_damping_fs=50.0,
        max_temperature_K=1e6,
        max_drift_eV_per_atom=10.0,
        **settings,  # type: ignore[arg-type]
    )
    plan = SegmentPlan(0, "produce", 0, 300, "nvt", TEMPERATURE_K, TEMPERATURE_K)
    dynamics = AseDynamics(
        atoms=atoms,
        make_calculator=lambda: Springs(stiffness_eV_per_A2, sites_A),
        parts=find_parts(atoms, fixed_regions=[], thermostatted_regions=[]),
        settings=model,
        seed=3,
        scratch=directory,
    )
    watch = Watch(plan, model, N_ATOMS, Continuity(), 300, stops_on_pressure=False)
    final = dynamics.run_segment(plan, directory=directory, before=None, watch=watch)
    return watch, final["positions_A"] - sites_A


def test_free_particles_keep_the_temperature_of_the_bath(tmp_path: Path) -> None:
    watch, _ = run_springs(0.0, tmp_path)
    temperatures_K = [row["temperature_K"] for row in watch.rows[100:]]
    assert np.mean(temperatures_K) == pytest.approx(TEMPERATURE_K, rel=0.03)
    fluctuation = np.std(temperatures_K) / TEMPERATURE_K
    assert fluctuation == pytest.approx(np.sqrt(2 / (3 * N_ATOMS)), rel=0.5)


def test_energy_less_the_heat_of_the_bath_is_conserved_exactly_for_free_particles(tmp_path: Path) -> None:
    watch, _ = run_springs(0.0, tmp_path)
    conserved_eV = [row["conserved_eV"] for row in watch.rows]
    assert np.ptp(conserved_eV) == pytest.approx(0.0, abs=1e-9)


def test_springs_have_the_variance_of_boltzmann_at_a_long_timestep(tmp_path: Path) -> None:
    stiffness = 3.0
    _, stretch_A = run_springs(stiffness, tmp_path, timestep_fs=15.0)
    expected_A2 = units.kB * TEMPERATURE_K / stiffness
    assert (stretch_A**2).mean() == pytest.approx(expected_A2, rel=0.1)


def test_drawn_velocities_have_the_temperature_and_no_momentum() -> None:
    masses = np.where(np.arange(50) % 2, 39.1, 209.0)
    velocities = draw_velocities(
        masses, np.zeros(50, dtype=bool), temperature_K=250.0, generator=np.random.default_rng(2)
    )
    kinetic_eV = 0.5 * (masses[:, None] * velocities**2).sum()
    assert 2 * kinetic_eV / ((3 * 50 - 3) * units.kB) == pytest.approx(250.0, rel=1e-12)
    np.testing.assert_allclose((masses[:, None] * velocities).sum(axis=0), 0.0, rtol=0, atol=1e-12)
