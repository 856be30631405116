"""Differences of densities that are known on paper."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.io.cube import read_cube

from analysis.density_difference import compute_density_difference, write_cube
from analysis.electron_density import ElectronDensity, read_density, write_density
from structures.errors import InputError

CELL_A = np.array([[3.0, 0.0, 0.0], [1.0, 4.0, 0.0], [0.0, 0.0, 8.0]])
SHAPE = (10, 12, 32)


def build(moved_e: float = 0.0, *, numbers: tuple[int, ...] = (3, 9), spin: bool = False) -> ElectronDensity:
    """One electron spread over the cell, and some moved up by ρ ∝ sin(2π z/L)."""
    volume_A3 = float(np.linalg.det(CELL_A))
    z = np.arange(SHAPE[2]) / SHAPE[2]
    profile = (1 + moved_e * np.pi * np.sin(2 * np.pi * z)) / volume_A3
    density = np.broadcast_to(profile, SHAPE).astype(np.float32)
    places = {3: [0.5, 0.5, 1.0], 9: [0.5, 0.5, 3.0]}
    return ElectronDensity(
        density_e_per_A3=density,
        cell_A=CELL_A,
        numbers=np.array(numbers),
        positions_A=np.array([places[number] for number in numbers]),
        pbc=np.array([True, True, False]),
        spin_density_e_per_A3=(density / 2).astype(np.float32) if spin else None,
    )


def take(whole: ElectronDensity, share: float, *, number: int) -> ElectronDensity:
    part = build(numbers=(number,))
    return replace(part, density_e_per_A3=(share * whole.density_e_per_A3).astype(np.float32))


def test_what_moved_and_its_profile_are_those_put_in() -> None:
    flat = build()
    moved = 0.25
    found = compute_density_difference(build(moved), parts=[take(flat, 0.3, number=3), take(flat, 0.7, number=9)])
    assert found.net_e == pytest.approx(0.0, abs=1e-6)
    # ½ ∫ |m π sin| dz/L = m; the sum over 32 points misses 0.3 %.
    assert found.moved_e == pytest.approx(moved, rel=5e-3)
    expected = moved * np.pi * np.sin(2 * np.pi * found.z_A / 8.0) / 8.0
    assert found.profile_e_per_A == pytest.approx(expected, abs=1e-6)
    assert set(found.to_json()) == {"z_A", "profile_e_per_A", "net_e", "moved_e"}


def test_lost_electrons_show_in_the_integral() -> None:
    flat = build()
    found = compute_density_difference(flat, parts=[take(flat, 0.3, number=3), take(flat, 0.5, number=9)])
    assert found.net_e == pytest.approx(0.2, abs=1e-6)


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    density = build(0.1, spin=True)
    write_density(tmp_path / "density.npz", density)
    again = read_density(tmp_path / "density.npz")
    assert again.n_electrons == pytest.approx(1.0, rel=1e-6)
    assert again.spin_density_e_per_A3 is not None
    assert np.array_equal(again.spin_density_e_per_A3, density.density_e_per_A3 / 2)
    assert again.atoms.get_chemical_formula() == "FLi"

    found = compute_density_difference(density, parts=[take(build(), 0.5, number=3), take(build(), 0.5, number=9)])
    write_cube(tmp_path / "difference.cube", found)
    with (tmp_path / "difference.cube").open(encoding="ascii") as stream:
        cube = read_cube(stream)
    assert cube["data"] / units.Bohr**3 == pytest.approx(found.difference_e_per_A3, abs=1e-7)
    assert cube["atoms"].cell.array == pytest.approx(CELL_A, abs=1e-4)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_unlike_grids_cells_and_atoms_are_refused(tmp_path: Path) -> None:
    whole, lithium, fluorine = build(), build(numbers=(3,)), build(numbers=(9,))
    with pytest.raises(InputError, match="0 parts"):
        compute_density_difference(whole, parts=[])
    coarse = replace(fluorine, density_e_per_A3=fluorine.density_e_per_A3[:, :, ::2])
    with pytest.raises(InputError, match=r"part 1 is on a grid of \(10, 12, 16\)"):
        compute_density_difference(whole, parts=[lithium, coarse])
    with pytest.raises(InputError, match=r"cell of part 0 differs .* by 0.1 Å"):
        compute_density_difference(whole, parts=[replace(lithium, cell_A=CELL_A + np.eye(3) * 0.1), fluorine])
    with pytest.raises(InputError, match="1 atoms and the whole 2"):
        compute_density_difference(whole, parts=[lithium])
    with pytest.raises(InputError, match="atom 1 of the whole is in 0 of the parts"):
        compute_density_difference(whole, parts=[lithium, replace(fluorine, positions_A=fluorine.positions_A + 0.01)])
    image = replace(fluorine, positions_A=fluorine.positions_A + CELL_A[0])
    assert compute_density_difference(whole, parts=[lithium, image]).net_e == pytest.approx(-1, abs=1e-6)
    with pytest.raises(InputError, match="does not exist"):
        read_density(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InputError, match="cannot be read"):
        read_density(tmp_path / "broken.npz")
