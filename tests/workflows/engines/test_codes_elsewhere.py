"""Outputs of real runs of pw.x and CP2K, recorded and live, against each other and against a second code."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from dftd3.ase import DFTD3

from structures.errors import InputError
from workflows.calculators.electronic import ELECTRONIC_METHODS, build_electronic_spec
from workflows.engines.electronic_files import Answer
from workflows.engines.input_files import read_output_files, write_input_files
from workflows.engines.written_inputs import compute_image_energy

RECORDED = Path(__file__).parent / "recorded"
OUTPUTS = {"espresso": "espresso.pwo", "cp2k": "cp2k.out"}
COMMANDS = {"espresso": ["pw.x", "-in", "espresso.pwi"], "cp2k": ["cp2k", "-i", "cp2k.inp"]}
PSEUDO = Path("/usr/share/espresso/pseudo")
OVERRIDES: dict[str, dict[str, Any]] = {
    "espresso": {
        "cutoff_eV": 400.0,
        "pseudo_directory": str(PSEUDO),
        "pseudopotentials": {element: f"{element}.pbe-kjpaw.UPF" for element in "HO"},
    },
    "cp2k": {"basis": "DZVP-MOLOPT-SR-GTH", "density_cutoff_Ry": 300.0, "poisson_solver": "MT"},
}


def put_in_cell(atoms: Atoms, *lengths_A: float) -> Atoms:
    boxed: Atoms = atoms.copy()
    boxed.set_cell(lengths_A)
    boxed.center()
    boxed.pbc = False
    return boxed


H2 = put_in_cell(Atoms("H2", [(0, 0, 0), (0, 0, 0.80)]), 6, 6, 6)
OH = put_in_cell(Atoms("HO", [(0, 0, 0), (0, 0, 0.98)]), 6, 6, 7)
WATER = put_in_cell(molecule("H2O"), 7, 7, 7)
CASES: dict[str, dict[str, Any]] = {
    "h2-relaxed": {"atoms": H2, "multiplicity": 1, "relax": True, "overrides": {}},
    "oh-radical": {
        "atoms": OH,
        "multiplicity": 2,
        "relax": False,
        "moments": [0.0, 1.0],
        "overrides": {"dispersion": "d3zero"},
    },
    "water": {"atoms": WATER, "multiplicity": 1, "relax": False, "overrides": {"dispersion": "d3bj"}},
}


def write_case(directory: Path, *, code: str, case: str) -> list[Path]:
    what = dict(CASES[case])
    overrides = {**OVERRIDES[code], **what.pop("overrides")}
    spec = build_electronic_spec(code, protocol="fast", overrides=overrides)
    return write_input_files(directory, spec=spec, charge=0, **what)


def read_recorded(code: str, case: str) -> Answer:
    return read_output_files(RECORDED / code / case, code=code)


@pytest.mark.parametrize("code", OUTPUTS)
@pytest.mark.parametrize("case", CASES)
def test_a_recorded_run_is_read_whole(code: str, case: str) -> None:
    answer = read_recorded(code, case)
    assert (answer.status, answer.reason) == ("done", "")
    assert answer.energy_eV is not None
    assert np.array(answer.forces_eV_per_A).shape == (len(CASES[case]["atoms"]), 3)
    told = {name: answer.method[name] for name in ("code", "version", "functional", "cell_A")}
    assert told == {
        "code": code,
        "version": {"espresso": "6.7MaX", "cp2k": "2023.1"}[code],
        "functional": "PBE",
        "cell_A": pytest.approx(CASES[case]["atoms"].cell.lengths(), abs=1e-4),
    }
    resolution = {"espresso": {"cutoff_eV": 400.0}, "cp2k": {"density_cutoff_Ry": 300.0}}[code]
    assert answer.method["resolution"] == pytest.approx(resolution, abs=0.01)


@pytest.mark.parametrize("code", OUTPUTS)
def test_the_numbers_are_those_of_the_file(code: str) -> None:
    """Read naively: the last line that names the energy, and the last force on the last atom."""
    lines = (RECORDED / code / "water" / OUTPUTS[code]).read_text().splitlines()
    answer = read_recorded(code, "water")
    assert answer.forces_eV_per_A is not None
    if code == "espresso":
        (energy_Ry,) = (float(line.split()[4]) for line in lines if line.startswith("!"))
        assert answer.energy_eV == pytest.approx(energy_Ry * units.Ry, rel=1e-8)
        forces = [line.split()[-3:] for line in lines if re.match(r" +atom +3 +type", line)]
        unit = units.Ry / units.Bohr
    else:
        (energy_Ha,) = (float(line.split()[-1]) for line in lines if "ENERGY|" in line)
        assert answer.energy_eV == pytest.approx(energy_Ha * units.Ha, rel=1e-12)
        forces = [line.split()[-3:] for line in lines if re.match(r" +3 +2 +H +-?0\.\d{8} ", line)]
        unit = units.Ha / units.Bohr
    # pw.x prints the total before its parts.
    assert answer.forces_eV_per_A[2] == pytest.approx([float(value) * unit for value in forces[0]], rel=1e-7)


def test_the_scf_cycles_of_the_last_energy_are_counted() -> None:
    assert [read_recorded("espresso", case).n_scf for case in CASES] == [3, 8, 9]
    assert [read_recorded("cp2k", case).n_scf for case in CASES] == [5, 82, 21]
    assert [read_recorded(code, "h2-relaxed").n_steps for code in OUTPUTS] == [3, 3]


@pytest.mark.parametrize("code", OUTPUTS)
def test_a_relaxation_ends_below_its_tolerance(code: str) -> None:
    answer = read_recorded(code, "h2-relaxed")
    assert 0 < np.abs(np.array(answer.forces_eV_per_A)).max() < 0.03


def test_two_codes_agree_on_hydrogen() -> None:
    """No core, so total energies are comparable: two atoms of about -0.5 Ha less 104.6 kcal/mol.

    Source: 10.1103/PhysRevLett.77.3865 (atomization energy in PBE)
    """
    energies = [read_recorded(code, "h2-relaxed").energy_eV for code in OUTPUTS]
    assert energies[0] == pytest.approx(energies[1], abs=0.1)
    published_eV = -units.Ha - 104.6 * units.kcal / units.mol
    assert energies == pytest.approx([published_eV] * 2, abs=0.15)


def test_the_unpaired_electron_sits_on_oxygen() -> None:
    cp2k, espresso = (read_recorded(code, "oh-radical") for code in ("cp2k", "espresso"))
    assert cp2k.spins == [-0.007, 1.007]  # Hirshfeld: all of the density is counted
    assert espresso.spins == [-0.0057, 0.3213]  # within spheres
    assert cp2k.charges_e == [0.559, -0.557]


@pytest.mark.parametrize("code", OUTPUTS)
@pytest.mark.parametrize(("case", "damping"), [("oh-radical", "d3zero"), ("water", "d3bj")])
def test_dispersion_is_that_of_the_d3_library(code: str, case: str, damping: str) -> None:
    """pw.x sums over periodic images also of molecules, CP2K over the molecule alone."""
    atoms = CASES[case]["atoms"].copy()
    atoms.pbc = code == "espresso"
    atoms.calc = DFTD3(method="PBE", damping=damping)
    assert read_recorded(code, case).dispersion_eV == pytest.approx(atoms.get_potential_energy(), abs=5e-5)


@pytest.mark.parametrize("code", OUTPUTS)
def test_without_dispersion_there_is_no_part_of_it(code: str) -> None:
    assert read_recorded(code, "h2-relaxed").dispersion_eV is None


@pytest.mark.parametrize("code", OUTPUTS)
def test_an_scf_that_did_not_converge_is_told(code: str) -> None:
    answer = read_recorded(code, "h2-unconverged")
    assert (answer.status, answer.reason) == ("unconverged", "the SCF did not converge")


@pytest.mark.parametrize("code", OUTPUTS)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_cut_output_is_not_taken_for_a_result(code: str, share: float, tmp_path: Path) -> None:
    text = (RECORDED / code / "h2-relaxed" / OUTPUTS[code]).read_text()
    (tmp_path / OUTPUTS[code]).write_text(text[: int(share * len(text))])
    answer = read_output_files(tmp_path, code=code)
    assert (answer.status, answer.reason) == ("unconverged", "the output is cut: the run was killed, or goes on")


def test_synthetic_lines_of_newer_releases_of_cp2k_are_read(tmp_path: Path) -> None:
    """Not recorded: the layout of 2024 and later, put into a recorded run."""
    text = (RECORDED / "cp2k" / "water" / "cp2k.out").read_text()
    new = text.replace("energy [a.u.]:", "energy [hartree]").replace(
        "ATOMIC FORCES in [a.u.]", "FORCES| Atomic forces [hartree/bohr]"
    )
    row = r"^ +(\d) +\d +[HO] +(-?0\.\d{8}) +(-?0\.\d{8}) +(-?0\.\d{8})$"
    new = re.sub(row, r" FORCES|      \1 \2E+00 \3E+00 \4E+00 0.1E+00", new, flags=re.MULTILINE)
    assert new.count(" FORCES|  ") == 3
    (tmp_path / "cp2k.out").write_text(new)
    answer, old = read_output_files(tmp_path, code="cp2k"), read_recorded("cp2k", "water")
    assert answer.energy_eV == old.energy_eV
    assert answer.forces_eV_per_A == old.forces_eV_per_A


def test_codes_that_run_here_have_no_written_inputs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"calculator\.name is 'gpaw', whose inputs are not written"):
        read_output_files(tmp_path, code="gpaw")
    spec = build_electronic_spec("gpaw", protocol="fast", overrides={})
    with pytest.raises(InputError, match="Set one of vasp, espresso, cp2k"):
        write_input_files(tmp_path, spec=spec, atoms=H2, charge=0, multiplicity=1, relax=False)
    assert [name for name, method in ELECTRONIC_METHODS.items() if method.writes_inputs_only] == [*("vasp", "espresso")]


@pytest.mark.parametrize("code", OUTPUTS)
def test_no_output_is_told(code: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has no {OUTPUTS[code]}, needs the output of"):
        read_output_files(tmp_path, code=code)


# The real programs, where they are installed


def run_live(directory: Path, *, code: str) -> Answer:
    program = COMMANDS[code][0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here; on Debian: apt install cp2k quantum-espresso")
    if code == "espresso" and not (PSEUDO / "O.pbe-kjpaw.UPF").is_file():
        pytest.skip(f"no pseudopotentials in {PSEUDO}; on Debian: apt install quantum-espresso-data")
    with (directory / OUTPUTS[code]).open("w") as stream:
        subprocess.run(
            COMMANDS[code],
            cwd=directory,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
    return read_output_files(directory, code=code)


@pytest.mark.parametrize(
    ("code", "case"),
    [("espresso", "h2-relaxed"), ("espresso", "oh-radical"), ("cp2k", "h2-relaxed"), ("cp2k", "water")],
)
def test_the_program_takes_the_input_and_gives_the_recorded_energy(code: str, case: str, tmp_path: Path) -> None:
    write_case(tmp_path, code=code, case=case)
    answer, recorded = run_live(tmp_path, code=code), read_recorded(code, case)
    assert answer.status == "done", answer.reason
    assert answer.energy_eV == pytest.approx(recorded.energy_eV, abs=5e-3)  # another release may differ a little
    assert np.allclose(np.array(answer.forces_eV_per_A), np.array(recorded.forces_eV_per_A), atol=0.03)


@pytest.mark.parametrize("code", OUTPUTS)
def test_the_program_takes_slabs_charges_and_smearing(code: str, tmp_path: Path) -> None:
    """H2 + in a thin cell, periodic along x and y, with smearing and four k-points: +1 e, one electron."""
    slab = put_in_cell(H2, 4, 4, 12)
    slab.pbc = (True, True, False)
    overrides = {**OVERRIDES[code], "smearing_eV": 0.1, "k_points": (2, 2, 1)}
    spec = build_electronic_spec(code, protocol="fast", overrides=overrides)
    write_input_files(tmp_path / "ion", spec=spec, atoms=slab, charge=1, multiplicity=2, relax=False)
    ion = run_live(tmp_path / "ion", code=code)
    write_input_files(tmp_path / "neutral", spec=spec, atoms=slab, charge=0, multiplicity=1, relax=False)
    neutral = run_live(tmp_path / "neutral", code=code)
    assert (ion.status, neutral.status) == ("done", "done")
    assert ion.energy_eV is not None
    assert neutral.energy_eV is not None
    assert neutral.energy_eV < -30
    if code == "cp2k":
        assert ion.spins == pytest.approx([0.5, 0.5], abs=0.05)
        assert ion.charges_e == pytest.approx([0.5, 0.5], abs=0.05)
        text = (tmp_path / "ion" / OUTPUTS[code]).read_text()
        grid = re.findall(r"BRILLOUIN\| +\d+ +0\.25000 +(\S+) +(\S+) +(\S+)", text)
        assert {tuple(map(float, point)) for point in grid} == {(x, y, 0.0) for x in (0, 0.5) for y in (0, 0.5)}


def run_hydrogen_ion(
    directory: Path, *, code: str, lengths_A: tuple[float, float, float], **overrides: object
) -> float:
    """Energy of H2 + in a cell, in eV."""
    spec = build_electronic_spec(code, protocol="fast", overrides={**OVERRIDES[code], **overrides})
    atoms = put_in_cell(H2, *lengths_A)
    write_input_files(directory, spec=spec, atoms=atoms, charge=1, multiplicity=2, relax=False)
    answer = run_live(directory, code=code)
    assert answer.status == "done", answer.reason
    assert answer.energy_eV is not None
    return answer.energy_eV


@pytest.mark.parametrize(
    ("code", "larger_A", "overrides"),
    [
        ("espresso", (6.0, 6.0, 8.0), {}),
        pytest.param("cp2k", (7.0, 7.0, 7.0), {"poisson_solver": "WAVELET"}, marks=pytest.mark.slow),
    ],
)
def test_the_energy_of_an_ion_does_not_depend_on_its_cell(
    code: str, larger_A: tuple[float, float, float], overrides: dict[str, Any], tmp_path: Path
) -> None:
    small, large = (
        run_hydrogen_ion(tmp_path / name, code=code, lengths_A=lengths_A, **overrides)
        for name, lengths_A in {"small": (6.0, 6.0, 6.0), "large": larger_A}.items()
    )
    assert small == pytest.approx(large, abs=0.01)


def test_an_ion_without_correction_is_off_by_what_is_told(tmp_path: Path) -> None:
    """First order in 1/L: what is left goes as 1/L³, under one per cent at 7 Å."""
    lengths_A = (7.0, 7.0, 7.0)
    isolated = run_hydrogen_ion(tmp_path / "isolated", code="espresso", lengths_A=lengths_A)
    repeated = run_hydrogen_ion(tmp_path / "all", code="espresso", lengths_A=lengths_A, dipole_correction=False)
    assert repeated - isolated == pytest.approx(compute_image_energy(1, edge_A=7.0), rel=0.01)


@pytest.mark.parametrize("code", OUTPUTS)
def test_the_program_takes_a_slab_with_an_odd_electron_and_a_start_moment(code: str, tmp_path: Path) -> None:
    """Hydrogen atoms 4.5 Å apart: each keeps its spin."""
    sheet = put_in_cell(Atoms("H", [(0, 0, 0)]), 4.5, 4.5, 9)
    sheet.pbc = (True, True, False)
    spec = build_electronic_spec(code, protocol="fast", overrides={**OVERRIDES[code], "smearing_eV": 0.1})
    write_input_files(tmp_path, spec=spec, atoms=sheet, charge=0, multiplicity=1, relax=False, moments=[1.0])
    answer = run_live(tmp_path, code=code)
    assert answer.status == "done", answer.reason
    assert answer.spins == pytest.approx([1.0], abs=0.05)
