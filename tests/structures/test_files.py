from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from structures import files
from structures.alloy import ALLOYS, build_alloy
from structures.errors import InputError
from structures.files import read_structure
from structures.ghosts import find_ghosts, make_ghosts

CIF = """data_alloy
_cell_length_a 4.4073
_cell_length_b 4.4073
_cell_length_c 11.7094
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_space_group_name_H-M_alt 'R -3 m :H'
_space_group_IT_number 166
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""


@pytest.mark.parametrize("name", ["alloy.cif", "POSCAR", "alloy.vasp", "alloy.xyz", "alloy.extxyz"])
def test_reading_common_formats(tmp_path: Path, name: str) -> None:
    atoms = build_alloy(ALLOYS["M-BiSnSb"], repeats=(2, 1, 1), seed=0)
    del atoms.arrays["region"]
    write(tmp_path / name, atoms)
    back = read_structure(tmp_path / name)
    assert dict(back.symbols.formula.count()) == {"Bi": 4, "Sb": 4, "Sn": 4}
    np.testing.assert_allclose(back.cell.lengths(), atoms.cell.lengths(), rtol=1e-6)


def test_symmetry_of_a_cif_is_applied(tmp_path: Path) -> None:
    (tmp_path / "bi.cif").write_text(CIF + "Bi1 Bi 0 0 0.234 1.0\n", encoding="utf-8")
    assert len(read_structure(tmp_path / "bi.cif")) == 6


def test_regions_are_kept_and_the_rest_dropped(tmp_path: Path) -> None:
    atoms = build_alloy(ALLOYS["Bi"])
    atoms.set_array("spin", np.arange(6.0))
    write(tmp_path / "a.extxyz", atoms)
    assert set(read_structure(tmp_path / "a.extxyz").arrays) == {"numbers", "positions", "region"}


def test_ghosts_of_a_file_are_atoms(tmp_path: Path) -> None:
    write(tmp_path / "a.extxyz", make_ghosts(Atoms("LiF", [(0, 0, 0), (0, 0, 1.6)]), real=slice(0, 1)))
    back = read_structure(tmp_path / "a.extxyz")
    assert set(back.arrays) == {"numbers", "positions"}
    assert not find_ghosts(back).any()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.cif", b"", "is empty"),
        ("a.cif", b"  \n \n", "is empty"),
        ("a.cif", b"\x7fELF\0\0\0", "is a binary file"),
        ("a.cif", b"data_x\n_cell_length_a 4.4\nloop_\n_atom_site_label\n", "cannot be read|holds no atoms"),
        ("a.cif", (CIF + "Bi1 Bi 0 0 0.234 1.0\n")[:200].encode(), "cannot be read"),
        ("a.cif", b"data_x\nloop_\n_atom_site_label\n_atom", r"cannot be read \(it ends before the structure is whole"),
        ("POSCAR", b"comment\n1.0\n4 0 0\n0 4", "cannot be read"),
        ("a.xyz", b"4\n\nBi 0 0 0\n", "cannot be read"),
        ("a.xyz", b"1\n\nBi nan 0 0\n", "no finite numbers|cannot be read"),
        ("a.xyz", b"1\n\nX 0 0 0\n", "no known element"),
        ("a.nonsense", b"hello\n", "no known format"),
        ("a.cif", (CIF + "Bi1 Bi 0 0 0.234 0.5\nSb1 Sb 0 0 0.234 0.5\n").encode(), "is disordered"),
        ("a.cif", (CIF + "Bi1 Bi 0 0 0.234 0.5\n").encode(), "is disordered"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_structure(tmp_path / name)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_structure(tmp_path / "none.cif")
    with pytest.raises(InputError, match="needs a file"):
        read_structure(tmp_path)


def test_huge_files_are_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_FILE_MB", 1)
    (tmp_path / "a.cif").write_bytes(b"data_x\n" * 200_000)
    with pytest.raises(InputError, match="has 1 MB, limit 1 MB"):
        read_structure(tmp_path / "a.cif")


def test_too_many_atoms_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_STRUCTURE", 5)
    write(tmp_path / "a.extxyz", build_alloy(ALLOYS["Bi"]))
    with pytest.raises(InputError, match="holds 6 atoms, limit 5"):
        read_structure(tmp_path / "a.extxyz")
