import dataclasses
import json

import numpy as np
import pytest
from ase import Atoms

from structures.alloy import ALLOYS
from structures.burgers import check_burgers_vector
from structures.cores import compute_separation, find_cores
from structures.dislocation import DipoleGeometry, DislocationDipole, build_dislocation_dipole
from structures.errors import InputError
from structures.interface import build_contact_cell
from structures.metal import build_potassium

RECORD = ALLOYS["M-BiSnSb"]


@pytest.fixture(scope="module")
def dipole() -> DislocationDipole:
    return build_dislocation_dipole(RECORD, repeats=(8, 4, 3), seed=1)


@pytest.fixture(scope="module")
def moved() -> DislocationDipole:
    """Cores that lie elsewhere than the geometry says: three b to the right, as after a glide."""
    built = build_dislocation_dipole(RECORD, repeats=(12, 3, 3), seed=1)
    shifted = built.defective.copy()
    shifted.positions[:, 0] += 3 * RECORD.a_A
    shifted.wrap()
    return dataclasses.replace(built, defective=shifted)


def shaken(atoms: Atoms, *, amplitude_A: float, seed: int = 0) -> Atoms:
    copy = atoms.copy()
    copy.positions += np.random.default_rng(seed).normal(0, amplitude_A, copy.positions.shape)
    return copy


def test_three_sizes_around_each_core_and_the_pair(dipole: DislocationDipole) -> None:
    check = check_burgers_vector(dipole.defective, geometry=dipole.geometry)
    assert check.ok
    assert check.verdict == "stays"
    assert [circuit.encloses for circuit in check.circuits] == 3 * ["core 1"] + 3 * ["core 2"] + 3 * ["cores 1 and 2"]
    burgers = np.array([circuit.burgers_vector_A for circuit in check.circuits])
    expected = np.repeat([[1, 0, 0], [-1, 0, 0], [0, 0, 0]], 3, axis=0) * RECORD.a_A
    np.testing.assert_allclose(burgers, expected, atol=1e-9)
    assert all(circuit.agreement == 1 for circuit in check.circuits)
    widths = [circuit.half_widths_A[0] for circuit in check.circuits[:3]]
    assert widths == sorted(set(widths))


def test_cores_are_found_where_they_were_built(dipole: DislocationDipole) -> None:
    for core, built in zip(
        find_cores(dipole.defective, geometry=dipole.geometry), dipole.geometry.core_positions_A, strict=True
    ):
        assert core is not None
        offset = compute_separation(built, core.position_A, cell_A=dipole.defective.cell.array[:2, :2])
        assert np.linalg.norm(offset) < 2.5
        assert core.content == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_thermal_motion(dipole: DislocationDipole, seed: int) -> None:
    """0.25 Å along each axis is more than bismuth's thermal motion at its melting point."""
    check = check_burgers_vector(shaken(dipole.defective, amplitude_A=0.25, seed=seed), geometry=dipole.geometry)
    assert check.ok
    assert check.verdict == "stays"


def test_order_of_the_atoms_and_their_images_do_not_matter(dipole: DislocationDipole) -> None:
    plain = check_burgers_vector(dipole.defective, geometry=dipole.geometry)
    random = np.random.default_rng(0)
    atoms = dipole.defective[random.permutation(len(dipole.defective))]
    atoms.positions += random.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    check = check_burgers_vector(atoms, geometry=dipole.geometry)
    assert check.ok
    np.testing.assert_allclose(np.array(check.glide_A, float), np.array(plain.glide_A, float), atol=0.2)


@pytest.mark.parametrize("noise_A", [0.0, 0.2])
def test_perfect_crystal_is_an_annihilated_pair(dipole: DislocationDipole, noise_A: float) -> None:
    check = check_burgers_vector(shaken(dipole.perfect, amplitude_A=noise_A), geometry=dipole.geometry)
    assert not check.ok
    assert check.verdict == "annihilates"
    assert check.core_positions_A == (None, None)
    assert "annihilated" in check.sentence


def test_glide_is_told(moved: DislocationDipole) -> None:
    check = check_burgers_vector(moved.defective, geometry=moved.geometry)
    assert check.ok
    assert check.verdict == "glides"
    assert np.array(check.glide_A, float) == pytest.approx(3 * RECORD.a_A, abs=1.0)
    assert "+3." in check.sentence or "+2." in check.sentence


def test_wrong_burgers_vector_is_told(dipole: DislocationDipole) -> None:
    other = np.array(dipole.geometry.bond_vectors_A)[2] - np.array(dipole.geometry.bond_vectors_A)[0]
    claimed = dataclasses.replace(dipole.geometry, burgers_vector_A=(float(other[0]), float(other[1]), float(other[2])))
    check = check_burgers_vector(dipole.defective, geometry=claimed)
    assert not check.ok
    assert check.verdict == "unclear"
    assert "core 1, core 2" in check.sentence


def test_cores_that_changed_places_have_glided(dipole: DislocationDipole) -> None:
    claimed = dataclasses.replace(dipole.geometry, core_signs=(-1, 1))
    check = check_burgers_vector(dipole.defective, geometry=claimed)
    assert check.verdict == "glides"
    assert np.abs(np.array(check.glide_A, float)) == pytest.approx(4 * RECORD.a_A, abs=1.0)


def test_slab_across_the_boundary(dipole: DislocationDipole) -> None:
    cell = build_contact_cell(dipole.defective, metal=build_potassium())
    drifted = cell.atoms.copy()
    drifted.positions[:, 2] += 0.4 * drifted.cell.array[2, 2]
    drifted.wrap()
    assert check_burgers_vector(drifted, geometry=dipole.geometry).verdict == "stays"


def test_free_faces_and_potassium_do_not_disturb(dipole: DislocationDipole) -> None:
    cell = build_contact_cell(dipole.defective, metal=build_potassium(), vacuum_A=15.0, geometry=dipole.geometry)
    atoms = shaken(cell.atoms, amplitude_A=0.15)
    potassium = np.flatnonzero(atoms.arrays["region"] == "potassium")[:20]
    atoms.positions[potassium, :2] = dipole.geometry.core_positions_A[0]
    atoms.positions[potassium, 2] = np.linspace(12, 30, len(potassium))
    check = check_burgers_vector(atoms, geometry=dipole.geometry)
    assert check.ok
    assert check.verdict == "stays"


def test_quadrupole() -> None:
    built = build_dislocation_dipole(RECORD, repeats=(8, 6, 2), seed=1, arrangement="quadrupole")
    check = check_burgers_vector(shaken(built.defective, amplitude_A=0.15), geometry=built.geometry)
    assert check.ok
    assert len(check.circuits) == 18


@pytest.mark.parametrize("noise_A", [0.0, 0.2])
def test_molten_alloy_is_unclear(dipole: DislocationDipole, noise_A: float) -> None:
    molten = shaken(dipole.defective, amplitude_A=1.5 + noise_A)
    check = check_burgers_vector(molten, geometry=dipole.geometry)
    assert not check.ok
    assert check.verdict == "unclear"


def test_result_goes_through_json(dipole: DislocationDipole) -> None:
    geometry = DipoleGeometry.from_json(json.loads(json.dumps(dipole.geometry.to_json())))
    values = json.loads(json.dumps(check_burgers_vector(dipole.defective, geometry=geometry).to_json()))
    assert values["ok"] is True
    assert len(values["circuits"]) == 9


def test_without_alloy_it_says_so(dipole: DislocationDipole) -> None:
    with pytest.raises(InputError, match="no alloy atom among 16 atoms"):
        check_burgers_vector(build_potassium(repeats=(2, 2, 2)), geometry=dipole.geometry)
