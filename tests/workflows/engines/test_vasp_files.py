"""Inputs of VASP, line by line, against the method sections of papers; real outputs that ASE brings with it."""

from pathlib import Path

import ase
import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.constraints import FixAtoms
from ase.io import read

from structures.box import put_in_box
from structures.errors import InputError
from structures.species import build_species
from workflows.calculators.electronic import build_electronic_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.input_files import read_output_files, write_input_files
from workflows.engines.vasp_files import FILES, read_outputs

REAL = Path(ase.__file__).parent / "test" / "testdata" / "vasp"
needs_real = pytest.mark.skipif(
    not (REAL / "vasprun_pstress.xml").is_file(), reason=f"this ASE brings no outputs of VASP: {REAL}"
)
BOX_A = np.array([16.0, 14.0, 13.0])


def spec(protocol: str = "moderate", **overrides: object) -> CalculatorSpec:
    return build_electronic_spec("vasp", protocol=protocol, overrides=overrides)


def write(directory: Path, atoms: Atoms, **what: object) -> dict[str, str]:
    """Tags of the INCAR that is written."""
    default: dict[str, object] = {"charge": 0, "multiplicity": 1, "relax": True, "spec": spec()}
    files = write_input_files(directory, atoms=atoms, **{**default, **what})  # type: ignore[arg-type]
    assert [path.name for path in files] == list(FILES)
    lines = (directory / "INCAR").read_text(encoding="utf-8").splitlines()
    tags = dict(line.split(" = ") for line in lines)
    assert len(tags) == len(lines), "a tag is written twice"
    return tags


def litfsi() -> Atoms:
    return put_in_box(build_species("LiTFSI").atoms, lattice_A=np.diag(BOX_A))


def slab_with_oxygen() -> Atoms:
    """Ti before O in the structure, O before Ti in POSCAR; the lower two layers fixed."""
    slab = fcc111("Ti", (1, 1, 4), a=4.1, vacuum=8)
    slab += Atoms("O", [slab.positions[-1] + (0, 0, 1.9)])
    slab.pbc = (True, True, False)
    slab.set_constraint(FixAtoms([0, 1]))
    return slab


COMMON = {
    "GGA": "PE",
    "PREC": "Normal",
    "NELM": "200",
    "ISMEAR": "0",
    "SIGMA": "0.05",
    "LASPH": ".TRUE.",
    "LREAL": ".FALSE.",
    "LWAVE": ".FALSE.",
    "IBRION": "2",
    "NSW": "200",
    "ISIF": "2",
    "ISPIN": "1",
}
# What the papers state: 10.1039/d5ee01219h, and the supporting information on TiN.
PAPERS = {
    "zhen-2025": {**COMMON, "ENCUT": "400.0", "EDIFF": "1e-05", "EDIFFG": "-0.05", "IVDW": "11"},
    "wu-2025": {**COMMON, "ENCUT": "500.0", "EDIFF": "0.0001", "EDIFFG": "-0.01"},
}


@pytest.mark.parametrize("paper", list(PAPERS))
def test_incar_is_that_of_the_paper_line_by_line(paper: str, tmp_path: Path) -> None:
    tags = write(tmp_path, litfsi(), spec=spec(paper))
    assert tags == {"SYSTEM": "C2F6LiNO4S2", **PAPERS[paper]}


@pytest.mark.parametrize("paper", list(PAPERS))
def test_the_readme_lists_every_tag_that_the_paper_does_not_state(paper: str, tmp_path: Path) -> None:
    """Each tag of INCAR is either stated or listed with its value; what papers state is from their method sections."""
    tags = write(tmp_path, litfsi(), spec=spec(paper), paper=paper)
    lines = (tmp_path / "README.txt").read_text().splitlines()
    (chosen,) = [line for line in lines if line.startswith("Not stated there, chosen here: ")]
    listed = chosen.removeprefix("Not stated there, chosen here: ").split(", ")
    stated = {"zhen-2025": {"GGA", "IVDW", "ENCUT", "EDIFF", "EDIFFG", "IBRION"}}.get(
        paper, {"GGA", "ENCUT", "EDIFF", "EDIFFG"}
    )
    assert set(listed) >= {f"{name} = {value}" for name, value in tags.items() if name not in {*stated, "SYSTEM"}}
    assert not [entry for entry in listed if entry.split(" = ")[0] in stated]
    assert {"LASPH = .TRUE.", "LREAL = .FALSE.", "no LDIPOL"} <= set(listed)
    assert ("1 x 1 x 1 k-points" in listed) == (paper == "wu-2025")
    assert "the PAW data (PBE.54: C" in chosen
    assert not [line for line in lines if line.startswith("Otherwise than")]


def test_the_readme_names_departures_from_the_paper(tmp_path: Path) -> None:
    cube = put_in_box(litfsi(), lattice_A=np.eye(3) * 16.0)
    changed = spec("zhen-2025", dipole_correction=True, cutoff_eV=500.0)
    write(tmp_path, cube, charge=1, multiplicity=2, spec=changed, paper="zhen-2025")
    told = (tmp_path / "README.txt").read_text()
    assert "Otherwise than in the protocol zhen-2025 here: " in told
    assert "dipole_correction is True, not False" in told
    assert "cutoff_eV is 500.0, not 400.0" in told
    assert "LDIPOL = .TRUE." in told
    write(tmp_path, cube, spec=spec())
    assert "zhen-2025" not in (tmp_path / "README.txt").read_text()


@pytest.mark.parametrize("paper", list(PAPERS))
def test_k_points_are_gamma_alone(paper: str, tmp_path: Path) -> None:
    write(tmp_path, litfsi(), spec=spec(paper))
    assert (tmp_path / "KPOINTS").read_text().splitlines()[1:] == ["0", "Gamma", "1 1 1", "0 0 0"]


@pytest.mark.parametrize("paper", list(PAPERS))
def test_pymatgen_reads_the_paper_back(paper: str, tmp_path: Path) -> None:
    inputs = pytest.importorskip("pymatgen.io.vasp.inputs", reason="pymatgen comes with the extra mlip")
    atoms = litfsi()
    write(tmp_path, atoms, spec=spec(paper))
    incar = inputs.Incar.from_file(tmp_path / "INCAR")
    expected = {
        "zhen-2025": {"GGA": "Pe", "ENCUT": 400, "EDIFF": 1e-5, "EDIFFG": -0.05, "IBRION": 2, "IVDW": 11},
        "wu-2025": {"GGA": "Pe", "ENCUT": 500, "EDIFF": 1e-4, "EDIFFG": -0.01, "IBRION": 2},
    }[paper]
    assert {name: incar[name] for name in expected} == expected
    assert ("IVDW" in incar) == (paper == "zhen-2025")
    k_points = inputs.Kpoints.from_file(tmp_path / "KPOINTS")
    assert (k_points.style.name, k_points.kpts) == ("Gamma", [(1, 1, 1)])
    structure = inputs.Poscar.from_file(tmp_path / "POSCAR").structure
    assert structure.formula == "Li1 C2 S2 N1 O4 F6"
    assert structure.lattice.abc == pytest.approx(tuple(BOX_A))


def test_potcar_is_named_in_the_order_of_poscar(tmp_path: Path) -> None:
    write(tmp_path, litfsi())
    titles = (tmp_path / "POTCAR.spec").read_text().split()
    assert titles == ["C", "F", "Li_sv", "N", "O", "S"]
    assert (tmp_path / "POSCAR").read_text().splitlines()[5].split() == ["C", "F", "Li", "N", "O", "S"]
    readme = (tmp_path / "README.txt").read_text()
    assert "cat potpaw_PBE.54/C/POTCAR potpaw_PBE.54/F/POTCAR potpaw_PBE.54/Li_sv/POTCAR" in readme
    write(tmp_path, litfsi(), spec=spec("zhen-2025"))  # whose 400 eV are below what Li_sv needs
    assert (tmp_path / "POTCAR.spec").read_text().split() == ["C", "F", "Li", "N", "O", "S"]


def test_poscar_has_the_atoms_of_the_structure(tmp_path: Path) -> None:
    atoms = litfsi()
    write(tmp_path, atoms)
    back = read(tmp_path / "POSCAR", format="vasp")
    order = np.argsort(np.array(atoms.get_chemical_symbols()), kind="stable")
    assert back.get_chemical_symbols() == [atoms.get_chemical_symbols()[i] for i in order]
    assert back.positions == pytest.approx(atoms.positions[order])


def test_a_charged_radical_has_its_electrons_and_its_spin(tmp_path: Path) -> None:
    """O2 +: 2 x 6 electrons less one, one of them unpaired, spread over both atoms."""
    oxygen = put_in_box(Atoms("O2", [(0, 0, 0), (0, 0, 1.12)]), lattice_A=np.diag([9.0, 9.0, 9.0]))
    tags = write(tmp_path, oxygen, charge=1, multiplicity=2, relax=False, spec=spec(dispersion="d3bj"))
    told = {name: tags[name] for name in ("NELECT", "ISPIN", "NUPDOWN", "MAGMOM", "IVDW", "NSW", "IBRION")}
    assert told == {
        "NELECT": "11",
        "ISPIN": "2",
        "NUPDOWN": "1",
        "MAGMOM": "0.5000 0.5000",
        "IVDW": "12",
        "NSW": "0",
        "IBRION": "-1",
    }
    assert "EDIFFG" not in tags
    assert (tags["LDIPOL"], tags["IDIPOL"], tags["DIPOL"]) == (".TRUE.", "4", "0.500000 0.500000 0.500000")


@pytest.mark.parametrize(("charge", "electrons"), [(-1, "93"), (1, "91")])
def test_electrons_are_counted_from_the_titles(charge: int, electrons: str, tmp_path: Path) -> None:
    """LiTFSI: 2 C x 4 + 6 F x 7 + N 5 + 4 O x 6 + 2 S x 6 = 91, Li 1."""
    cube = put_in_box(litfsi(), lattice_A=np.eye(3) * 16.0)
    tags = write(tmp_path, cube, charge=charge, multiplicity=2, spec=spec("zhen-2025"))
    assert tags["NELECT"] == electrons
    more = write(tmp_path, cube, charge=charge, multiplicity=2, spec=spec())  # Li_sv: two more
    assert int(more["NELECT"]) == int(electrons) + 2
    told = write(tmp_path, cube, charge=charge, multiplicity=2, spec=spec(valence_electrons={"Li": 7}))
    assert int(told["NELECT"]) == int(electrons) + 6


def test_a_neutral_cell_leaves_the_count_to_vasp(tmp_path: Path) -> None:
    assert "NELECT" not in write(tmp_path, litfsi())


def test_an_ion_that_vasp_would_not_correct_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"with charge \+1 is 16 x 14 x 13 Å, needs a cube"):
        write(tmp_path / "new", litfsi(), charge=1, multiplicity=2)
    assert not (tmp_path / "new").exists()
    tags = write(tmp_path, litfsi(), charge=1, multiplicity=2, spec=spec(dipole_correction=False))
    assert "LDIPOL" not in tags
    assert write(tmp_path, litfsi())["IDIPOL"] == "4"  # a neutral molecule may have any orthorhombic cell


def test_a_charged_slab_has_no_correction_that_vasp_would_stop_at(tmp_path: Path) -> None:
    slab = slab_with_oxygen()
    assert "LDIPOL" not in write(tmp_path, slab, charge=1, multiplicity=2)
    assert "do not compare it as it is" in (tmp_path / "README.txt").read_text()
    assert "LDIPOL" in write(tmp_path, slab)


def test_a_slab_has_fixed_layers_a_dipole_correction_and_its_u(tmp_path: Path) -> None:
    slab = slab_with_oxygen()
    settings = spec(k_points=(4, 4, 1), hubbard_U_eV={"Ti": 3.0})
    tags = write(tmp_path, slab, multiplicity=3, moments=[0.0, 0.0, 0.0, 1.5, 0.5], spec=settings)
    told = {name: tags[name] for name in ("LDIPOL", "IDIPOL", "MAGMOM", "NUPDOWN")}
    moments = "0.5000 0.0000 0.0000 0.0000 1.5000"  # O first, as in POSCAR
    assert told == {"LDIPOL": ".TRUE.", "IDIPOL": "3", "MAGMOM": moments, "NUPDOWN": "2"}
    assert [tags[f"LDAU{letter}"] for letter in "LUJ"] == ["-1 2", "0.0 3.0", "0.0 0.0"]
    assert (tags["LDAU"], tags["LDAUTYPE"], tags["LMAXMIX"]) == (".TRUE.", "2", "4")
    assert (tmp_path / "KPOINTS").read_text().splitlines()[3].split() == ["4", "4", "1"]
    lines = (tmp_path / "POSCAR").read_text().splitlines()
    assert lines[5].split() == ["O", "Ti"]
    assert lines[7] == "Selective dynamics"
    assert [line.split()[3:] for line in lines[9:]] == [["T"] * 3, ["F"] * 3, ["F"] * 3, ["T"] * 3, ["T"] * 3]
    centre = slab.get_center_of_mass(scaled=True)
    assert [float(share) for share in tags["DIPOL"].split()] == pytest.approx(centre, abs=1e-6)


def test_a_magnetic_metal_is_not_held_at_a_moment(tmp_path: Path) -> None:
    slab = slab_with_oxygen()
    tags = write(tmp_path, slab, moments=[2.0, 2.0, 2.0, 2.0, 0.0])
    assert (tags["ISPIN"], tags["MAGMOM"]) == ("2", "0.0000 2.0000 2.0000 2.0000 2.0000")
    assert "NUPDOWN" not in tags
    assert write(tmp_path, slab, moments=[2.0, -2.0, 2.0, -2.0, 0.0])["NUPDOWN"] == "0"
    assert write(tmp_path, slab, moments=[0.0, 0.0, 0.0, 1.0, 1.0], multiplicity=3)["NUPDOWN"] == "2"


def test_bulk_has_no_dipole_correction(tmp_path: Path) -> None:
    bulk = Atoms("TiN", [(0, 0, 0), (2.12, 0, 0)], cell=[4.24, 4.24, 4.24], pbc=True)
    assert not {"LDIPOL", "IDIPOL"} & set(write(tmp_path, bulk, spec=spec(k_points=(6, 6, 6))))


def test_input_that_cannot_be_written_writes_nothing(tmp_path: Path) -> None:
    cerium = Atoms("Ce", cell=[8, 8, 8])
    with pytest.raises(InputError, match="valence electrons of Ce are not known"):
        write(tmp_path / "new", cerium, charge=1, multiplicity=2)
    assert not (tmp_path / "new").exists()


# Outputs


@needs_real
def test_a_real_vasprun_is_read(tmp_path: Path) -> None:
    """Carbon in VASP 6.3.0; e_0_energy of its last SCF cycle, without the PV of the pressure that it was put under."""
    (tmp_path / "vasprun.xml").write_text((REAL / "vasprun_pstress.xml").read_text())
    answer = read_output_files(tmp_path, code="vasp")
    assert (answer.status, answer.n_scf, answer.n_steps) == ("done", 9, 0)
    assert answer.energy_eV == pytest.approx(-20.24720095, abs=1e-7)
    assert answer.forces_eV_per_A == [[0.0] * 3] * 2
    assert answer.method["version"] == "6.3.0"
    assert answer.method["resolution"] == {"cutoff_eV": 400.0}


@needs_real
def test_a_real_outcar_is_read_in_the_order_of_the_structure(tmp_path: Path) -> None:
    """A molecule in VASP 5.3.3; forces sorted back when the structure had another order."""
    (tmp_path / "OUTCAR").write_text((REAL / "OUTCAR_example_1").read_text())
    answer = read_outputs(tmp_path)
    assert (answer.status, answer.n_scf) == ("done", 63)
    assert answer.energy_eV == pytest.approx(-68.23102426)
    assert answer.forces_eV_per_A is not None
    assert answer.forces_eV_per_A[0] == [0.030415, -0.114705, -0.460114]
    assert answer.method["version"] == "5.3.3"
    final = read(tmp_path / "OUTCAR")
    turned = Atoms(final.symbols[::-1], positions=final.positions[::-1], cell=final.cell)
    odd = int(turned.numbers.sum()) % 2
    write(tmp_path, turned, multiplicity=1 + odd, relax=False)
    sorted_back = read_outputs(tmp_path).forces_eV_per_A
    assert sorted_back is not None
    symbols = turned.get_chemical_symbols()
    first = {symbol: symbols.index(symbol) for symbol in symbols}
    listed = sorted(symbols)
    for symbol, index in first.items():  # the first of its element in the structure is the first of it in OUTCAR
        assert sorted_back[index] == answer.forces_eV_per_A[listed.index(symbol)]


@needs_real
def test_a_cut_output_is_not_taken_for_a_result(tmp_path: Path) -> None:
    text = (REAL / "vasprun_pstress.xml").read_text()
    (tmp_path / "vasprun.xml").write_text(text[: text.index("</calculation>") + 15])
    assert read_outputs(tmp_path).reason == "the output is cut: the run was killed, or goes on"
    (tmp_path / "vasprun.xml").write_text(text[: text.index("<calculation>")])
    answer = read_outputs(tmp_path)
    assert (answer.status, answer.energy_eV) == ("unconverged", None)


@needs_real
def test_an_scf_that_used_all_its_cycles_did_not_converge(tmp_path: Path) -> None:
    text = (REAL / "vasprun_pstress.xml").read_text()
    assert '<i type="int" name="NELM">    60</i>' in text
    (tmp_path / "vasprun.xml").write_text(text.replace('name="NELM">    60<', 'name="NELM">     9<'))
    answer = read_outputs(tmp_path)
    assert (answer.status, answer.reason) == ("unconverged", "the SCF did not converge in 9 cycles")


def test_no_output_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no vasprun\.xml or OUTCAR, needs the output of VASP"):
        read_outputs(tmp_path)
