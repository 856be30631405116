"""Inputs of codes that run elsewhere, one folder for each energy of a reaction."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.io import read

from structures.errors import InputError
from workflows.adsorption_inputs import name_folder, write_all_inputs
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.engines.electronic_files import read_request

COPPER: dict[str, Any] = {
    "adsorbate": "CO",
    "substrate": "Cu(111)",
    "substrates": {"Cu(111)": {"layers": 2, "fixed_layers": 1, "repeats": [2, 2], "k_points": [3, 3]}},
}


def write(
    directory: Path, *, code: str = "vasp", protocol: str = "moderate", **config: object
) -> dict[str, list[Path]]:
    model = TfsiAdsorptionConfig.model_validate(config, strict=False)
    return write_all_inputs(model, code=code, protocol=protocol, overrides={}, directory=directory)


def test_everything_that_meets_a_slab_is_written_in_its_cell(tmp_path: Path) -> None:
    written = write(tmp_path / "in", **COPPER)
    assert list(written) == ["Cu_111_", "CO-in-the-cell-of-Cu_111_", "CO-on-Cu_111_"]
    cells = [read(tmp_path / "in" / folder / "POSCAR").cell.array for folder in written]
    assert all(np.array_equal(cell, cells[0]) for cell in cells)
    assert (tmp_path / "in" / "Cu_111_" / "KPOINTS").read_text().splitlines()[3].split() == ["3", "3", "1"]
    told = (tmp_path / "in" / "reactions.txt").read_text()
    assert "ΔE = E(CO@Cu(111)) − (E(Cu(111)) + E(CO))" in told


def test_a_papers_protocol_says_its_own_k_points(tmp_path: Path) -> None:
    write(tmp_path / "in", protocol="zhen-2025", **COPPER)
    lines = (tmp_path / "in" / "Cu_111_" / "KPOINTS").read_text().splitlines()
    assert lines[3].split() == ["1", "1", "1"]


def test_ions_keep_their_charge_and_share_one_box(tmp_path: Path) -> None:
    written = write(tmp_path / "in", reactions=["Li+ + TFSI- -> LiTFSI"])
    assert list(written) == ["Liplus", "TFSIminus", "LiTFSI"]
    cells = [read(tmp_path / "in" / folder / "POSCAR").cell.array for folder in written]
    assert all(np.array_equal(cell, cells[0]) for cell in cells)
    assert "NELECT" in (tmp_path / "in" / "TFSIminus" / "INCAR").read_text()
    assert "NELECT" not in (tmp_path / "in" / "LiTFSI" / "INCAR").read_text()


@pytest.mark.parametrize("code", ["vasp", "espresso", "cp2k"])
def test_boxes_do_not_depend_on_the_calculator_of_the_run(code: str, tmp_path: Path) -> None:
    """Calculators without cells have no box of their own; Li–F needs 1.56 Å and twice the vacuum of 5 Å."""
    inputs = {}
    for name in ("gpaw", "pyscf", "xtb"):
        directory = tmp_path / name
        written = write(directory, code=code, reactions=["Li+ + F- -> LiF"], calculator={"name": name})
        inputs[name] = [path.read_text() for files in written.values() for path in files]
        cell = read_request(directory / "LiF")[1].cell
        assert min(cell.lengths()) >= 10
        assert max(cell.lengths()) >= 11.5
    assert inputs["pyscf"] == inputs["xtb"] == inputs["gpaw"]


def read_namelist(path: Path) -> str:
    return " ".join(path.read_text().split())


def test_ions_of_vasp_are_in_a_cube_with_the_correction_for_images(tmp_path: Path) -> None:
    """LDIPOL brings the correction of the charge with it; LMONO would switch off that of the dipole."""
    write(tmp_path / "in", reactions=["Li+ + TFSI- -> LiTFSI"])
    for folder in ("Liplus", "TFSIminus", "LiTFSI"):
        tags = read_namelist(tmp_path / "in" / folder / "INCAR")
        assert "LDIPOL = .TRUE." in tags
        assert "IDIPOL = 4" in tags
        assert "LMONO" not in tags
        cell = read(tmp_path / "in" / folder / "POSCAR").cell.array
        assert np.array_equal(cell, np.eye(3) * cell[0, 0])
    readme = (tmp_path / "in" / "TFSIminus" / "README.txt").read_text()
    assert "what charge and dipole of the molecule feel of them is taken out" in readme
    assert "Not corrected: higher moments" in readme
    assert "For anions VASP's manual trusts an extrapolation more" in readme
    assert "For anions" not in (tmp_path / "in" / "Liplus" / "README.txt").read_text()


def test_molecules_of_pw_x_have_twice_the_room_of_their_density(tmp_path: Path) -> None:
    """Makov and Payne's correction is refused for cells that are written as vectors, and leaves the potential."""
    written = write(tmp_path / "in", code="espresso", reactions=["Li+ + TFSI- -> LiTFSI"])
    for folder in written:
        path = tmp_path / "in" / folder
        assert "assume_isolated = 'mt'" in read_namelist(path / "espresso.pwi")
        atoms = read_request(path)[1]
        density_A = np.ptp(atoms.positions, axis=0) + 5.0  # half of the vacuum on each side
        assert np.all(atoms.cell.lengths() >= 2 * density_A - 1e-9)
        assert "with its charge and all its moments (assume_isolated = 'mt')" in (path / "README.txt").read_text()


@pytest.mark.parametrize(("solver", "is_cube"), [("auto", True), ("MT", False)])
def test_molecules_of_cp2k_have_open_boundaries(solver: str, is_cube: bool, tmp_path: Path) -> None:  # noqa: FBT001
    config = TfsiAdsorptionConfig.model_validate({"reactions": ["Li+ + TFSI- -> LiTFSI"]}, strict=False)
    overrides = {"poisson_solver": solver}
    write_all_inputs(config, code="cp2k", protocol="moderate", overrides=overrides, directory=tmp_path / "in")
    text = read_namelist(tmp_path / "in" / "TFSIminus" / "cp2k.inp")
    name = "WAVELET" if is_cube else "MT"
    assert f"PERIODIC NONE POISSON_SOLVER {name}" in text
    lengths_A = read_request(tmp_path / "in" / "TFSIminus")[1].cell.lengths()
    assert (np.ptp(lengths_A) == 0) == is_cube
    told = (tmp_path / "in" / "TFSIminus" / "README.txt").read_text()
    assert f"there are none, the boundaries are open (POISSON_SOLVER {name})" in told


def read_sum(directory: Path) -> dict[str, int]:
    """Folder, or e-, to its number in the sum of the only reaction."""
    lines = (directory / "reactions.txt").read_text().splitlines()
    found = [re.fullmatch(r"    ([+-]\d+)  (?:E\((e-)\) = .*|(\S+))", line) for line in lines]
    return {one.group(2) or one.group(3): int(one.group(1)) for one in found if one is not None}


@pytest.mark.parametrize("code", ["vasp", "espresso", "cp2k"])
@pytest.mark.parametrize(
    ("reaction", "n_folders"),
    [
        ("Li(001) + F- -> F@Li(001) + e-", 5),
        ("Li(001) + 2 F- + Li+ -> F@Li(001) + LiF + e-", 9),
        ("Li+ + F- -> LiF", 3),
        ("F + e- -> F-", 2),
    ],
)
def test_the_sum_of_the_folders_balances_in_atoms_and_charge(
    code: str, reaction: str, n_folders: int, tmp_path: Path
) -> None:
    """What is written as a sum of energies is a reaction of its own: no atom and no charge is left over."""
    written = write(tmp_path / "in", code=code, reactions=[reaction])
    numbers = read_sum(tmp_path / "in")
    charge = -numbers.pop("e-", 0)
    atoms = np.zeros(119, dtype=int)
    for folder, number in numbers.items():
        request, structure = read_request(tmp_path / "in" / folder)
        charge += number * request.charge
        atoms += number * np.bincount(structure.numbers, minlength=119)
    assert set(numbers) == set(written)
    assert len(numbers) == n_folders
    assert charge == 0
    assert not atoms.any()


def test_what_an_ions_charge_costs_at_a_slab_is_one_method_in_one_box(tmp_path: Path) -> None:
    write(tmp_path / "in", reactions=["Li(001) + F- -> F@Li(001) + e-"])
    ion, neutral, in_slab = (
        tmp_path / "in" / folder
        for folder in (
            "F--in-open-boundaries",
            "F--made-neutral-in-open-boundaries",
            "F--made-neutral-in-the-cell-of-Li_001_",
        )
    )
    requests = [read_request(path) for path in (ion, neutral, in_slab)]
    assert [request.charge for request, _ in requests] == [-1, 0, 0]
    assert [request.multiplicity for request, _ in requests] == [1, 2, 2]
    assert requests[0][0].settings == requests[1][0].settings
    assert [atoms.pbc.tolist() for _, atoms in requests] == [[False] * 3, [False] * 3, [True, True, False]]
    assert np.array_equal(requests[0][1].cell, requests[1][1].cell)
    assert [request.force_tolerance_eV_per_A is None for request, _ in requests] == [False, True, True]
    tags = [
        dict(line.split(" = ") for line in (path / "INCAR").read_text().splitlines()) for path in (neutral, in_slab)
    ]
    same = [{name: one[name] for name in one if name not in {"DIPOL", "IDIPOL"}} for one in tags]
    assert same[0] == same[1]  # occupations and spin too


@pytest.mark.parametrize(
    ("electron", "told"),
    [
        ({}, "0.00 eV: at rest in the vacuum (electron.reference: vacuum; others: work-function, "),
        ({"reference": "work-function", "work_function_eV": 2.9}, "-2.90 eV: minus the work function that is given"),
        ({"reference": "lithium", "potential_V": 1.0}, "-2.40 eV: of an electrode at 1 V against Li/Li+"),
        ({"reference": "fermi-level"}, "Fermi level less vacuum level above the upper face in Li_001_"),
    ],
)
def test_the_electron_has_its_energy_in_words(electron: dict[str, Any], told: str, tmp_path: Path) -> None:
    write(tmp_path / "in", reactions=["Li(001) + F- -> F@Li(001) + e-"], electron=electron)
    assert f"+1  E(e-) = {told}" in (tmp_path / "in" / "reactions.txt").read_text()


def test_a_papers_protocol_corrects_ions_all_the_same(tmp_path: Path) -> None:
    write(tmp_path / "ions", protocol="zhen-2025", reactions=["Li+ + F- -> LiF"])
    assert "LDIPOL = .TRUE." in read_namelist(tmp_path / "ions" / "Fminus" / "INCAR")
    told = (tmp_path / "ions" / "Fminus" / "README.txt").read_text()
    assert "Otherwise than in the protocol zhen-2025 here: dipole_correction is True, not False." in told
    write(tmp_path / "neutral", protocol="zhen-2025", reactions=["Li + F -> LiF"])
    assert "LDIPOL" not in read_namelist(tmp_path / "neutral" / "LiF" / "INCAR")
    told = (tmp_path / "neutral" / "LiF" / "README.txt").read_text()
    assert "Otherwise than" not in told
    assert "LREAL = .FALSE., " in told


def test_nothing_is_written_if_a_reaction_cannot_be(tmp_path: Path) -> None:
    reactions = ["Li(001) + F- -> F@Li(001) + e-", "F + e- -> F-"]
    with pytest.raises(InputError, match=r"fermi-level, but reaction 'F \+ e- -> F-' has no clean slab"):
        write(tmp_path / "in", reactions=reactions, electron={"reference": "fermi-level"})
    assert not (tmp_path / "in").exists()


def test_ions_without_correction_are_told_of(tmp_path: Path) -> None:
    """α q²/(2 L) with α = 2.8373: 1.70 eV of F− in a cube of 12 Å."""
    config = TfsiAdsorptionConfig.model_validate({"reactions": ["Li+ + F- -> LiF"]}, strict=False)
    overrides = {"dipole_correction": False, "k_points": (2, 2, 1)}  # k-points are for slabs
    write_all_inputs(config, code="vasp", protocol="moderate", overrides=overrides, directory=tmp_path / "in")
    edge_A = read(tmp_path / "in" / "Fminus" / "POSCAR").cell.lengths()[0]
    assert edge_A == 12
    told = (tmp_path / "in" / "Fminus" / "README.txt").read_text()
    assert "NOTHING IS CORRECTED" in told
    assert "by about -1.70 eV" in told
    assert (tmp_path / "in" / "Fminus" / "KPOINTS").read_text().splitlines()[3].split() == ["1", "1", "1"]


def test_a_cluster_keeps_its_spins_when_something_lies_on_it(tmp_path: Path) -> None:
    """POSCAR is sorted by element, so iron's moments are together; fluorine beside carbon takes none of them."""
    write(tmp_path / "in", reactions=["MIL-node + F- -> F-@MIL-node"])
    moments = {}
    for folder in ("MIL-node", "F--on-MIL-node"):
        atoms = read(tmp_path / "in" / folder / "POSCAR")
        tags = dict(line.split(" = ") for line in (tmp_path / "in" / folder / "INCAR").read_text().splitlines())
        values = np.array([float(value) for value in tags["MAGMOM"].split()])
        is_iron = atoms.numbers == 26
        moments[folder] = values[is_iron].tolist()
        assert values.sum() == pytest.approx(int(tags["NUPDOWN"]))
        assert not values[~is_iron].any()
    assert sorted(moments["MIL-node"]) == [-5, 5, 5]
    assert moments["F--on-MIL-node"] == moments["MIL-node"]


@pytest.mark.parametrize("code", ["espresso", "cp2k"])
def test_the_other_codes_are_written_too(code: str, tmp_path: Path) -> None:
    written = write(tmp_path / "in", code=code, **COPPER)
    assert len(written) == 3
    assert all(path.stat().st_size > 0 for files in written.values() for path in files)


def test_nothing_is_written_over_files_or_for_codes_that_run_here(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="holds files"):
        write(tmp_path, **COPPER)
    with pytest.raises(InputError, match=r"calculator\.name is 'gpaw', whose inputs are not written"):
        write(tmp_path / "in", code="gpaw", **COPPER)


def test_folders_have_names_that_every_file_system_takes() -> None:
    assert name_folder("TFSI-", host="") == "TFSIminus"
    assert name_folder("TFSI-@CoPc", host="") == "TFSI--on-CoPc"
    assert name_folder("CO", host="Cu(111)") == "CO-in-the-cell-of-Cu_111_"


@pytest.mark.parametrize(
    ("code", "file", "told"),
    [
        ("vasp", "INCAR", ["ISMEAR = -1", "SIGMA = 0.1"]),
        ("espresso", "espresso.pwi", ["fermi-dirac", "degauss"]),
        ("cp2k", "cp2k.inp", ["METHOD FERMI_DIRAC", "ELECTRONIC_TEMPERATURE [K] 1160.45", "ADDED_MOS"]),
    ],
)
def test_slabs_have_the_smearing_that_the_flow_gives_them(
    code: str, file: str, told: list[str], tmp_path: Path
) -> None:
    for folder in write(tmp_path / "in", code=code, **COPPER):
        text = " ".join((tmp_path / "in" / folder / file).read_text().split())
        assert all(words in text for words in told)


def test_a_papers_protocol_says_its_own_smearing(tmp_path: Path) -> None:
    write(tmp_path / "in", protocol="zhen-2025", **COPPER)
    text = " ".join((tmp_path / "in" / "Cu_111_" / "INCAR").read_text().split())
    assert "ISMEAR = 0" in text
    assert "SIGMA = 0.05" in text
