from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

from structures.errors import CalculationError, InputError
from workflows.engines.lammps_files import (
    build_standard_frame,
    check_restart_whole,
    read_binary_dump,
    write_lammps_data,
)
from workflows.engines.lammps_process import run_lammps

ECHO = """units metal
atom_style atomic
box tilt large
read_data data.lammps
pair_style zero 4.0
pair_coeff * *
dump echo all custom 1 echo.bin id type xu yu zu vx vy vz
dump_modify echo sort id
run 0
"""


@pytest.fixture
def tilted() -> Atoms:
    """Two elements in a strongly tilted cell, some atoms outside of it, with momenta."""
    generator = np.random.default_rng(5)
    cell = [[9.0, 0, 0], [-4.4, 8.0, 0], [1.0, 2.0, 12.0]]
    atoms = Atoms("K5Bi5", scaled_positions=generator.random((10, 3)) * 3 - 1, cell=cell, pbc=True)
    atoms.set_momenta(generator.normal(size=(10, 3)))
    return atoms


def test_lammps_reads_back_what_was_written(tmp_path: Path, tilted: Atoms) -> None:
    write_lammps_data(tmp_path / "data.lammps", tilted, type_elements=("Sb", "Bi", "K"))
    (tmp_path / "echo.in").write_text(ECHO)
    run_lammps(tmp_path, input_name="echo.in")
    (frame,) = read_binary_dump(tmp_path / "echo.bin")
    np.testing.assert_allclose(frame.cell_A, tilted.cell.array, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(frame.origin_A, 0, rtol=0, atol=1e-14)
    np.testing.assert_allclose(frame.take("xu", "yu", "zu"), tilted.positions, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(frame.take("type")[:, 0], [3] * 5 + [2] * 5)
    velocities_A_per_ps = tilted.get_velocities() * 1000 * units.fs
    np.testing.assert_allclose(frame.take("vx", "vy", "vz"), velocities_A_per_ps, rtol=1e-12)


def test_dump_cut_short_is_no_dump(tmp_path: Path, tilted: Atoms) -> None:
    write_lammps_data(tmp_path / "data.lammps", tilted, type_elements=("K", "Bi"))
    (tmp_path / "echo.in").write_text(ECHO)
    run_lammps(tmp_path, input_name="echo.in")
    whole = (tmp_path / "echo.bin").read_bytes()
    for length in (5, 40, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.bin").write_bytes(whole[:length])
        with pytest.raises(CalculationError, match="is cut short: is the disk full"):
            list(read_binary_dump(tmp_path / "cut.bin"))


def test_restart_cut_short_is_found(tmp_path: Path, tilted: Atoms) -> None:
    write_lammps_data(tmp_path / "data.lammps", tilted, type_elements=("K", "Bi"))
    (tmp_path / "echo.in").write_text(ECHO + "write_restart whole.restart\n")
    run_lammps(tmp_path, input_name="echo.in")
    check_restart_whole(tmp_path / "whole.restart")
    whole = (tmp_path / "whole.restart").read_bytes()
    for length in (0, 9, len(whole) - 1):
        (tmp_path / "cut.restart").write_bytes(whole[:length])
        with pytest.raises(CalculationError, match="is cut short: is the disk full"):
            check_restart_whole(tmp_path / "cut.restart")


def test_structure_in_standard_form_is_left_alone(tilted: Atoms) -> None:
    frame = build_standard_frame(tilted)
    assert frame.atoms is tilted
    np.testing.assert_array_equal(frame.rotation, np.eye(3))


def test_turning_there_and_back_is_no_change(tilted: Atoms) -> None:
    turned = tilted.copy()
    turned.rotate(61, (1, 1, 3), rotate_cell=True)
    frame = build_standard_frame(turned)
    assert np.abs(frame.atoms.cell.array[np.triu_indices(3, 1)]).max() == 0
    np.testing.assert_allclose(frame.atoms.cell.array, tilted.cell.array, rtol=0, atol=1e-12)
    np.testing.assert_allclose(frame.back(frame.atoms.positions), turned.positions, rtol=0, atol=1e-12)
    np.testing.assert_allclose(frame.back(frame.atoms.cell.array), turned.cell.array, rtol=0, atol=1e-12)
    stress = np.arange(6.0)
    identity = build_standard_frame(tilted).back_stress(stress)
    np.testing.assert_allclose(identity, stress, rtol=1e-15)


def test_masses_of_one_element_must_agree(tmp_path: Path) -> None:
    atoms = bulk("K", cubic=True)
    atoms.set_masses([39.0, 41.0])
    with pytest.raises(InputError, match="Atoms of K have masses from 39 to 41 u"):
        write_lammps_data(tmp_path / "data.lammps", atoms, type_elements=("K",))
