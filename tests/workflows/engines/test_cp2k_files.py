"""Inputs of CP2K, section by section, as ASE's parser of CP2K's inputs reads them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import fcc111
from ase.calculators.cp2k import InputSection, parse_input
from ase.constraints import FixAtoms

from structures.box import put_in_box
from structures.errors import InputError
from structures.species import build_species
from workflows.calculators.electronic import build_electronic_spec
from workflows.engines.cp2k_sections import render
from workflows.engines.input_files import write_input_files

BOX_A = np.array([16.0, 14.0, 13.0])


def write(
    directory: Path,
    atoms: Atoms,
    *,
    charge: int = 0,
    multiplicity: int = 1,
    relax: bool = False,
    moments: list[float] | None = None,
    **overrides: object,
) -> InputSection:
    spec = build_electronic_spec("cp2k", protocol="moderate", overrides=overrides)
    path, readme = write_input_files(
        directory, spec=spec, atoms=atoms, charge=charge, multiplicity=multiplicity, relax=relax, moments=moments
    )
    assert "cp2k.psmp -i cp2k.inp -o cp2k.out" in readme.read_text()
    return parse_input(path.read_text())


def keywords(root: InputSection, path: str) -> dict[str, str]:
    found = root.get_subsection(path).keywords
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in found}


def names(root: InputSection, path: str) -> list[str]:
    return [f"{one.name} {one.params or ''}".strip() for one in root.get_subsection(path).subsections]


def tfsi() -> Atoms:
    return put_in_box(build_species("TFSI-").atoms, lattice_A=np.diag(BOX_A))


def slab() -> Atoms:
    slab = fcc111("Fe", (1, 1, 4), a=3.6, vacuum=8)
    slab.pbc = (True, True, False)
    slab.set_constraint(FixAtoms([0, 1]))
    return slab


def test_sections_are_nested_and_closed() -> None:
    lines = render({"A": {"X": 1, "B ON": {"Y": ["1 2", "3 4"]}}})
    assert lines == ["&A", "  X 1", "  &B ON", "    Y 1 2", "    Y 3 4", "  &END B", "&END A"]


def test_an_anion_is_written_whole(tmp_path: Path) -> None:
    root = write(tmp_path, tfsi(), charge=-1, dispersion="d3zero")
    assert keywords(root, "GLOBAL")["RUN_TYPE"] == "ENERGY_FORCE"
    dft = keywords(root, "FORCE_EVAL/DFT")
    assert (dft["CHARGE"], dft["MULTIPLICITY"], "UKS" in dft) == ("-1", "1", False)
    assert keywords(root, "FORCE_EVAL/DFT/POISSON") == {"PERIODIC": "NONE", "POISSON_SOLVER": "MT"}
    assert keywords(root, "FORCE_EVAL/SUBSYS/CELL")["PERIODIC"] == "NONE"
    assert keywords(root, "FORCE_EVAL/DFT/MGRID") == {"CUTOFF": "[Ry] 500", "REL_CUTOFF": "[Ry] 60"}
    assert names(root, "FORCE_EVAL/DFT/XC/XC_FUNCTIONAL") == ["PBE"]
    assert keywords(root, "FORCE_EVAL/DFT/XC/VDW_POTENTIAL/PAIR_POTENTIAL") == {
        "TYPE": "DFTD3",
        "REFERENCE_FUNCTIONAL": "PBE",
        "PARAMETER_FILE_NAME": "dftd3.dat",
        "R_CUTOFF": "[angstrom] 50.2",
    }
    kinds = [one for one in root.get_subsection("FORCE_EVAL/SUBSYS").subsections if one.name == "KIND"]
    assert sorted(str(one.params) for one in kinds) == ["C", "F", "N", "O", "S"]
    for one in kinds:
        assert one.keywords[1:] == ["BASIS_SET DZVP-MOLOPT-SR-GTH", "POTENTIAL GTH-PBE"]
    assert "KPOINTS" not in names(root, "FORCE_EVAL/DFT")
    assert "OT ON" in names(root, "FORCE_EVAL/DFT/SCF")
    assert "MOTION" not in [one.name for one in root.subsections]


def test_the_structure_comes_back(tmp_path: Path) -> None:
    atoms = tfsi()
    root = write(tmp_path, atoms, charge=-1)
    rows = [line.split() for line in root.get_subsection("FORCE_EVAL/SUBSYS/COORD").keywords]
    assert [row[0] for row in rows] == atoms.get_chemical_symbols()
    assert np.array([row[1:] for row in rows], dtype=float) == pytest.approx(atoms.positions, abs=1e-9)
    vectors = [keywords(root, "FORCE_EVAL/SUBSYS/CELL")[name].split()[1:] for name in "ABC"]
    assert np.array(vectors, dtype=float) == pytest.approx(np.diag(BOX_A))


@pytest.mark.parametrize(("dispersion", "kind"), [("d3zero", "DFTD3"), ("d3bj", "DFTD3(BJ)")])
def test_each_damping_has_its_name(dispersion: str, kind: str, tmp_path: Path) -> None:
    root = write(tmp_path, tfsi(), charge=-1, dispersion=dispersion)
    assert keywords(root, "FORCE_EVAL/DFT/XC/VDW_POTENTIAL/PAIR_POTENTIAL")["TYPE"] == kind
    assert "VDW_POTENTIAL" not in names(write(tmp_path, tfsi(), charge=-1), "FORCE_EVAL/DFT/XC")


def test_a_charged_radical_has_its_spin(tmp_path: Path) -> None:
    oxygen = put_in_box(Atoms("O2", [(0, 0, 0), (0, 0, 1.12)]), lattice_A=np.diag([9.0, 9.0, 9.0]))
    dft = keywords(write(tmp_path, oxygen, charge=1, multiplicity=2), "FORCE_EVAL/DFT")
    assert {name: dft[name] for name in ("CHARGE", "MULTIPLICITY", "UKS")} == {
        "CHARGE": "1",
        "MULTIPLICITY": "2",
        "UKS": "T",
    }


def test_a_slab_has_kinds_for_its_moments_fixed_layers_and_a_correction(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        slab(),
        moments=[2.0, -2.0, 2.0, -2.0],
        relax=True,
        k_points=(4, 3, 1),
        smearing_eV=0.1,
        hubbard_U_eV={"Fe": 4.0},
    )
    dft = keywords(root, "FORCE_EVAL/DFT")
    told = {name: dft[name] for name in ("SURFACE_DIPOLE_CORRECTION", "SURF_DIP_DIR", "UKS", "PLUS_U_METHOD")}
    assert told == {"SURFACE_DIPOLE_CORRECTION": "T", "SURF_DIP_DIR": "Z", "UKS": "T", "PLUS_U_METHOD": "MULLIKEN"}
    assert keywords(root, "FORCE_EVAL/DFT/POISSON")["PERIODIC"] == "XYZ"
    assert keywords(root, "FORCE_EVAL/DFT/KPOINTS")["SCHEME"] == "MACDONALD 4 3 1 0.125 0 0"
    smear = keywords(root, "FORCE_EVAL/DFT/SCF/SMEAR")
    assert float(smear["ELECTRONIC_TEMPERATURE"].split()[1]) == pytest.approx(0.1 / units.kB, abs=0.01)
    assert "OT ON" not in names(root, "FORCE_EVAL/DFT/SCF")
    kinds = {str(one.params): one for one in root.get_subsection("FORCE_EVAL/SUBSYS").subsections if one.name == "KIND"}
    assert {name: one.keywords[3] for name, one in kinds.items()} == {
        "Fe": "MAGNETIZATION 2.0",
        "Fe1": "MAGNETIZATION -2.0",
    }
    for one in kinds.values():
        assert one.keywords[0] == "ELEMENT Fe"
        assert one.subsections[0].keywords == ["L 2", "U_MINUS_J [eV] 4"]
    assert [line.split()[0] for line in root.get_subsection("FORCE_EVAL/SUBSYS/COORD").keywords] == [
        *("Fe", "Fe1", "Fe", "Fe1")
    ]
    assert keywords(root, "MOTION/CONSTRAINT/FIXED_ATOMS") == {"LIST": "1 2"}
    limits = keywords(root, "MOTION/GEO_OPT")
    assert float(limits["MAX_FORCE"]) == pytest.approx(0.03 * units.Bohr / units.Ha, rel=1e-5)


@pytest.mark.parametrize(
    ("charge", "overrides", "periodic", "solver"),
    [
        (0, {}, "XYZ", "PERIODIC"),
        (0, {"dipole_correction": False}, "XY", "ANALYTIC"),
        (2, {}, "XY", "ANALYTIC"),
    ],
)
def test_slabs_are_parted_in_one_way_only(
    charge: int,
    overrides: dict[str, Any],
    periodic: str,
    solver: str,
    tmp_path: Path,
) -> None:
    root = write(tmp_path, slab(), charge=charge, **overrides)
    assert keywords(root, "FORCE_EVAL/DFT/POISSON") == {"PERIODIC": periodic, "POISSON_SOLVER": solver}
    assert keywords(root, "FORCE_EVAL/SUBSYS/CELL")["PERIODIC"] == periodic
    assert ("SURFACE_DIPOLE_CORRECTION" in keywords(root, "FORCE_EVAL/DFT")) == (periodic == "XYZ")


@pytest.mark.parametrize(
    ("xc", "sections"), [("PBE", ["PBE"]), ("revPBE", ["PBE"]), ("RPBE", ["GGA_X_RPBE", "GGA_C_PBE"])]
)
def test_functionals_are_written_as_sections(xc: str, sections: list[str], tmp_path: Path) -> None:
    root = write(tmp_path, tfsi(), charge=-1, xc=xc)
    assert names(root, "FORCE_EVAL/DFT/XC/XC_FUNCTIONAL") == sections
    first = root.get_subsection(f"FORCE_EVAL/DFT/XC/XC_FUNCTIONAL/{sections[0]}").keywords
    assert first == (["PARAMETRIZATION REVPBE"] if xc == "revPBE" else [])


def test_a_basis_that_an_element_lacks_is_refused(tmp_path: Path) -> None:
    write(tmp_path, tfsi(), charge=-1, basis="TZV2P-MOLOPT-GTH")
    lithium = put_in_box(build_species("LiTFSI").atoms, lattice_A=np.diag(BOX_A))
    with pytest.raises(InputError, match="TZV2P-MOLOPT-GTH, which BASIS_MOLOPT does not have for Li"):
        write(tmp_path, lithium, basis="TZV2P-MOLOPT-GTH")
