"""Charges by equilibration: closed forms, invariance, the isolated limit, lattice sums and measured moments."""

import math

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from scipy.special import erf

from structures.errors import InputError
from structures.species import build_species
from workflows.force_fields.charge_equilibration import (
    COULOMB_EV_A,
    SLATER_SCALE,
    compute_hardness_matrix,
    compute_qeq_charges,
)

DEBYE_PER_E_A = 4.80320471


def test_two_atoms_follow_the_closed_form() -> None:
    distance_A = 1.564
    exponents = [1.5 * SLATER_SCALE**2 * 5 / (6 * radius_A**2) for radius_A in (1.557, 0.706)]
    width = math.sqrt(math.prod(exponents) / sum(exponents))
    repulsion = COULOMB_EV_A * erf(width * distance_A) / distance_A
    expected = (10.874 - 3.006) / (2 * 2.386 + 2 * 7.474 - 2 * repulsion)
    charges = compute_qeq_charges(Atoms("LiF", positions=[(0, 0, 0), (0, 0, distance_A)]))
    assert charges == pytest.approx([expected, -expected], rel=1e-12)


def test_all_atoms_are_equally_electronegative() -> None:
    atoms = build_species("MIL-node").atoms
    charges = compute_qeq_charges(atoms)
    chi = {"H": 4.528, "C": 5.343, "O": 8.741, "Fe": 3.76}
    own = {"H": 13.8904, "C": 10.126, "O": 13.364, "Fe": 8.28}
    symbols = atoms.get_chemical_symbols()
    exponents = find_exponents(symbols)
    level = np.zeros(len(atoms))
    for one in range(len(atoms)):
        level[one] = chi[symbols[one]] + own[symbols[one]] * charges[one]
        for other in range(len(atoms)):
            if other != one:
                distance_A = atoms.get_distance(one, other)
                width = math.sqrt(exponents[one] * exponents[other] / (exponents[one] + exponents[other]))
                level[one] += COULOMB_EV_A * erf(width * distance_A) / distance_A * charges[other]
    np.testing.assert_allclose(level, level.mean(), rtol=1e-9)


def find_exponents(symbols: list[str]) -> list[float]:
    shells = {"H": (1, 0.371), "C": (2, 0.759), "O": (2, 0.669), "Fe": (4, 1.393)}
    narrowest = {"H": math.pi / 2 * (13.8904 / COULOMB_EV_A) ** 2}
    return [
        min(1.5 * SLATER_SCALE**2 * (2 * n + 1) / ((2 * n + 2) * radius_A**2), narrowest.get(symbol, math.inf))
        for symbol in symbols
        for n, radius_A in [shells[symbol]]
    ]


@pytest.mark.parametrize("total_charge_e", [-1.0, 0.0, 2.0])
def test_charges_add_up_and_share_the_symmetry(total_charge_e: float) -> None:
    benzene = compute_qeq_charges(molecule("C6H6"), total_charge_e=total_charge_e)
    assert math.fsum(benzene) == pytest.approx(total_charge_e, abs=1e-13)
    for part in (benzene[:6], benzene[6:]):
        np.testing.assert_allclose(part, part[0], rtol=0, atol=1e-3)  # to the digits of its coordinates
    alone = compute_qeq_charges(Atoms("Li"), total_charge_e=total_charge_e)
    assert alone == pytest.approx([total_charge_e], abs=1e-13)


def test_charges_do_not_depend_on_place_turn_or_order() -> None:
    atoms = molecule("CH3OH")
    charges = compute_qeq_charges(atoms)
    moved = atoms[::-1]
    moved.rotate(33, (1, 1, 0))
    moved.translate((2, 3, 4))
    np.testing.assert_allclose(compute_qeq_charges(moved)[::-1], charges, rtol=0, atol=1e-12)
    crystal = bulk("LiF", "rocksalt", a=4.027)
    one = compute_qeq_charges(crystal)
    many = compute_qeq_charges(crystal.repeat((2, 1, 3)))
    np.testing.assert_allclose(many, np.tile(one, 6), rtol=0, atol=1e-9)
    crystal.translate((0.3, 0.4, 0.5))
    np.testing.assert_allclose(compute_qeq_charges(crystal), one, rtol=0, atol=1e-9)


def test_a_large_box_is_like_none() -> None:
    water = molecule("H2O")
    alone = compute_qeq_charges(water)
    errors = []
    for length_A in (12.0, 24.0):
        boxed = water.copy()
        boxed.set_cell([length_A] * 3)
        boxed.pbc = True
        errors.append(np.abs(compute_qeq_charges(boxed) - alone).max())
    assert errors[1] < 5e-4
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.05)  # dipoles fall off with the cube


def test_point_like_ions_have_the_madelung_energy() -> None:
    salt = bulk("NaCl", "rocksalt", a=5.64)
    signs = np.array([1.0, -1.0])
    repulsion_eV = np.full(2, COULOMB_EV_A * math.sqrt(2 * 5.0 / math.pi))  # of each density with itself
    matrix = compute_hardness_matrix(salt, idempotentials_eV=repulsion_eV, exponents_per_A2=np.full(2, 5.0))
    energy = 0.5 * signs @ matrix @ signs - repulsion_eV[0]
    assert energy == pytest.approx(-1.7475645946 * COULOMB_EV_A / 2.82, rel=1e-9)


def build_triclinic() -> Atoms:
    positions = [(0, 0, 0), (0.5, 0.7, 0.2), (3, 3, 3), (3.2, 3.9, 3.1)]
    return Atoms("HFHF", positions=positions, cell=[(5, 0, 0), (1, 6, 0), (0, 1, 5.5)], pbc=True)


def test_the_lattice_sum_does_not_depend_on_which_cell_describes_the_lattice() -> None:
    cell = build_triclinic()
    other = cell.copy()
    other.set_cell(np.array([(1, 0, 0), (1, 1, 0), (-1, 2, 1)]) @ cell.cell.array)
    np.testing.assert_allclose(compute_qeq_charges(other), compute_qeq_charges(cell), rtol=0, atol=1e-10)


def test_the_lattice_sum_does_not_depend_on_where_it_is_split() -> None:
    """A soft atom without charge moves the split and nothing else."""
    cell = build_triclinic() + Atoms("K", positions=[(1, 4, 4)])
    charges = np.array([0.4, -0.7, 0.6, -0.3, 0.0])
    energies = []
    for softest_per_A2 in (0.6, 0.2, 0.08):
        exponents = np.array([0.6, 0.9, 0.6, 0.9, softest_per_A2])
        matrix = compute_hardness_matrix(cell, idempotentials_eV=np.full(5, 10.0), exponents_per_A2=exponents)
        energies.append(charges @ matrix @ charges)
    assert energies[1:] == pytest.approx([energies[0]] * 2, rel=1e-10)


@pytest.mark.parametrize(
    ("name", "moment_D"),  # NIST CCCBDB
    [("LiF", 6.33), ("NaCl", 9.00), ("HF", 1.83), ("H2O", 1.85), ("NH3", 1.47)],
)
def test_dipole_moments_are_near_the_measured_ones(name: str, moment_D: float) -> None:
    atoms = molecule(name)
    found_D = float(np.linalg.norm(compute_qeq_charges(atoms) @ atoms.positions)) * DEBYE_PER_E_A
    assert moment_D * 0.8 < found_D < moment_D * 1.6


def test_charges_have_the_signs_of_chemistry() -> None:
    node = build_species("MIL-node").atoms
    charges = compute_qeq_charges(node)
    symbols = np.array(node.get_chemical_symbols())
    assert charges[symbols == "Fe"].min() > 0.5
    assert charges[symbols == "O"].max() < -0.1
    assert math.fsum(charges) == pytest.approx(0, abs=1e-12)


def test_what_cannot_be_summed_is_refused() -> None:
    slab = bulk("Li", "bcc", a=3.44)
    slab.pbc = (True, True, False)
    with pytest.raises(InputError, match="periodic along 2 of 3 directions, needs none or all three"):
        compute_qeq_charges(slab)
    with pytest.raises(InputError, match=r"0\.050 Å apart, needs 0\.1 Å"):
        compute_qeq_charges(Atoms("H2", positions=[(0, 0, 0), (0, 0, 0.05)]))
    with pytest.raises(InputError, match="no atoms"):
        compute_qeq_charges(Atoms())
