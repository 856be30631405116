"""Tight binding in its own process: known energies, forces that are the energy's, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from structures.errors import ConvergenceError, InputError
from workflows.calculators.electronic import build_electronic_spec, check_elements_and_basis
from workflows.engines.electronic_files import Answer, Request, write_request
from workflows.engines.electronic_process import build_command, run_electronic_code


def compute(atoms: Atoms, *, directory: Path, charge: int = 0, multiplicity: int = 1, **settings: float) -> Answer:
    directory.mkdir(parents=True)
    overrides = build_electronic_spec("xtb", protocol="moderate", overrides={}).overrides
    request = Request(code="xtb", settings=dict(overrides), charge=charge, multiplicity=multiplicity, **settings)  # type: ignore[arg-type]
    write_request(directory, request, atoms=atoms)
    return run_electronic_code("xtb", directory=directory)


def test_water_has_the_energy_that_its_authors_publish(tmp_path: Path) -> None:
    """The documentation of tblite gives −137.96777625 eV for ASE's water."""
    answer = compute(molecule("H2O"), directory=tmp_path / "water")
    assert answer.energy_eV == pytest.approx(-137.96777625, abs=1e-5)
    assert (answer.method["code"], answer.method["functional"]) == ("xtb", "GFN2-xTB")
    assert (tmp_path / "water" / "scf.txt").read_text().startswith("tblite 0.8")


def test_a_relaxation_lowers_the_energy_to_no_forces_from_any_side(tmp_path: Path) -> None:
    start = molecule("H2O")
    start.positions[1] += (0.1, 0.05, 0.0)
    turned = start.copy()
    turned.rotate(73, (1, 2, 3))
    relaxed = [
        compute(atoms, directory=tmp_path / name, force_tolerance_eV_per_A=0.005)
        for name, atoms in (("start", start), ("turned", turned))
    ]
    assert relaxed[0].energy_eV == pytest.approx(relaxed[1].energy_eV, abs=1e-4)
    assert relaxed[0].is_relaxed
    forces = np.asarray(relaxed[0].forces_eV_per_A)
    assert np.linalg.norm(forces, axis=1).max() < 0.005
    assert (relaxed[0].energy_eV or 0.0) < -137.96777625


def test_charge_and_spin_count(tmp_path: Path) -> None:
    oxygen = molecule("O2")
    triplet = compute(oxygen, directory=tmp_path / "triplet", multiplicity=3)
    singlet = compute(oxygen, directory=tmp_path / "singlet")
    anion = compute(oxygen, directory=tmp_path / "anion", charge=-1, multiplicity=2)
    assert triplet.energy_eV is not None
    assert singlet.energy_eV is not None
    assert triplet.energy_eV < singlet.energy_eV
    assert anion.energy_eV not in (triplet.energy_eV, singlet.energy_eV)


def test_too_few_steps_are_said(tmp_path: Path) -> None:
    start = molecule("C6H6")
    start.rattle(0.1, seed=1)
    with pytest.raises(ConvergenceError, match=r"forces were not below 0\.001 eV/Å after 2 steps"):
        compute(start, directory=tmp_path / "benzene", force_tolerance_eV_per_A=0.001, max_steps=2)


def test_ranks_and_heavy_elements_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"resources\.ranks is 2, needs 1 for the calculator xtb"):
        build_command("xtb", directory=tmp_path, ranks=2)
    spec = build_electronic_spec("xtb", protocol="fast", overrides={})
    check_elements_and_basis(spec, elements=["Fe", "Rn"])
    with pytest.raises(InputError, match="no parameters for U"):
        check_elements_and_basis(spec, elements=["Fe", "U"])
