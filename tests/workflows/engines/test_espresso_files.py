"""Inputs of pw.x, card by card."""

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import fcc111
from ase.constraints import FixAtoms
from ase.io import read
from ase.io.espresso import read_fortran_namelist

from structures.box import put_in_box
from structures.errors import InputError
from structures.species import build_species
from workflows.calculators.electronic import build_electronic_spec
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
) -> tuple[dict[str, dict[str, object]], str]:
    """The namelists, as ASE reads them back, and the cards."""
    spec = build_electronic_spec("espresso", protocol="moderate", overrides=overrides)
    path, readme = write_input_files(
        directory, spec=spec, atoms=atoms, charge=charge, multiplicity=multiplicity, relax=relax, moments=moments
    )
    assert "pw.x -in espresso.pwi > espresso.pwo" in readme.read_text()
    with path.open() as stream:
        namelists, cards = read_fortran_namelist(stream)
    return namelists, "\n".join(cards)


def tfsi() -> Atoms:
    return put_in_box(build_species("TFSI-").atoms, lattice_A=np.diag(BOX_A))


def slab() -> Atoms:
    slab = fcc111("Fe", (1, 1, 4), a=3.6, vacuum=8)
    slab.pbc = (True, True, False)
    slab.set_constraint(FixAtoms([0, 1]))
    return slab


def test_an_anion_is_written_whole(tmp_path: Path) -> None:
    namelists, cards = write(tmp_path, tfsi(), charge=-1, dispersion="d3zero", relax=True)
    system = namelists["system"]
    told = {name: system[name] for name in ("tot_charge", "vdw_corr", "dftd3_version", "assume_isolated", "input_dft")}
    assert told == {
        "tot_charge": -1,
        "vdw_corr": "dft-d3",
        "dftd3_version": 3,
        "assume_isolated": "mt",
        "input_dft": "pbe",
    }
    assert (system["occupations"], system["nat"], system["ntyp"]) == ("fixed", 15, 5)
    assert not {"nspin", "tot_magnetization", "smearing", "degauss"} & set(system)
    assert system["ecutwfc"] == pytest.approx(820 / units.Ry)
    assert system["ecutrho"] == pytest.approx(8 * 820 / units.Ry)
    assert namelists["electrons"]["conv_thr"] == pytest.approx(1e-5 / units.Ry)
    control = namelists["control"]
    assert (control["calculation"], control["tprnfor"], namelists["ions"]["ion_dynamics"]) == ("relax", True, "bfgs")
    assert control["forc_conv_thr"] == pytest.approx(0.03 * units.Bohr / units.Ry)
    assert "K_POINTS gamma" in cards
    assert "HUBBARD" not in cards
    assert {line.split()[2] for line in cards.splitlines() if line.endswith(".upf")} == {
        *("C.upf", "F.upf", "N.upf", "O.upf", "S.upf")
    }


def test_the_structure_comes_back(tmp_path: Path) -> None:
    atoms = tfsi()
    write(tmp_path, atoms, charge=-1)
    back = read(tmp_path / "espresso.pwi", format="espresso-in")
    assert back.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert back.positions == pytest.approx(atoms.positions, abs=1e-9)
    assert back.cell.lengths() == pytest.approx(BOX_A)


@pytest.mark.parametrize(("dispersion", "version"), [("d3zero", 3), ("d3bj", 4)])
def test_each_damping_has_its_version(dispersion: str, version: int, tmp_path: Path) -> None:
    assert write(tmp_path, tfsi(), charge=-1, dispersion=dispersion)[0]["system"]["dftd3_version"] == version
    assert "vdw_corr" not in write(tmp_path, tfsi(), charge=-1)[0]["system"]


def test_a_charged_radical_has_its_spin(tmp_path: Path) -> None:
    """O2 +: spread evenly, 0.5 of 6 outer electrons each."""
    oxygen = put_in_box(Atoms("O2", [(0, 0, 0), (0, 0, 1.12)]), lattice_A=np.diag([9.0, 9.0, 9.0]))
    system = write(tmp_path, oxygen, charge=1, multiplicity=2)[0]["system"]
    assert (system["tot_charge"], system["nspin"], system["tot_magnetization"]) == (1, 2, 1)
    assert system["starting_magnetization(1)"] == pytest.approx(0.5 / 6, abs=1e-4)


def test_a_slab_has_types_for_its_moments_fixed_layers_and_a_field(tmp_path: Path) -> None:
    namelists, cards = write(
        tmp_path,
        slab(),
        moments=[2.0, -2.0, 2.0, -2.0],
        relax=True,
        k_points=(4, 4, 1),
        smearing="methfessel-paxton",
        smearing_eV=0.2,
        hubbard_U_eV={"Fe": 4.0},
    )
    system, control = namelists["system"], namelists["control"]
    assert (system["nspin"], system["tot_magnetization"], system["ntyp"]) == (2, 0, 2)
    assert [system[f"starting_magnetization({index})"] for index in (1, 2)] == [0.25, -0.25]  # of 8 outer electrons
    assert (system["occupations"], system["smearing"]) == ("smearing", "methfessel-paxton")
    assert system["degauss"] == pytest.approx(0.2 / units.Ry)
    assert (control["tefield"], control["dipfield"], system["edir"], system["eamp"]) == (True, True, 3, 0)
    # The slab is in the middle: the field falls off around z = 0, far from all atoms.
    middle = (float(str(system["emaxpos"])) + float(str(system["eopreg"])) / 2) % 1
    assert min(middle, 1 - middle) == pytest.approx(0, abs=1e-6)
    assert "assume_isolated" not in system
    assert re.search(r"K_POINTS automatic\n4 4 1 +0 0 0", cards)
    places = cards.split("ATOMIC_POSITIONS angstrom\n")[1].splitlines()[:4]
    assert [line.split()[0] for line in places] == ["Fe", "Fe1", "Fe", "Fe1"]
    assert [line.split()[4:] for line in places] == [["0", "0", "0"], ["0", "0", "0"], [], []]
    assert cards.splitlines()[-3:] == ["HUBBARD (ortho-atomic)", "U Fe-3d 4", "U Fe1-3d 4"]


def test_a_charged_slab_is_cut_off_in_place_of_a_field(tmp_path: Path) -> None:
    namelists, _ = write(tmp_path, slab(), charge=1, multiplicity=2, smearing_eV=0.1)
    assert namelists["system"]["assume_isolated"] == "2D"
    assert not {"tefield", "dipfield"} & set(namelists["control"])


def test_bulk_is_periodic_in_all_directions(tmp_path: Path) -> None:
    bulk = Atoms("TiN", [(0, 0, 0), (2.12, 0, 0)], cell=[4.24, 4.24, 4.24], pbc=True)
    namelists, _ = write(tmp_path, bulk, k_points=(6, 6, 6), smearing_eV=0.1)
    assert "assume_isolated" not in namelists["system"]
    assert not {"tefield", "dipfield"} & set(namelists["control"])


def test_a_magnetic_metal_is_not_held_at_a_moment(tmp_path: Path) -> None:
    system = write(tmp_path, slab(), moments=[2.0] * 4, smearing_eV=0.1)[0]["system"]
    assert system["nspin"] == 2
    assert "tot_magnetization" not in system
    with pytest.raises(InputError, match="smearing_eV is 0, needs more where the moment is free"):
        write(tmp_path, slab(), moments=[2.0] * 4)
