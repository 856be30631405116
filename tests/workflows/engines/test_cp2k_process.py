"""Real CP2K where it is installed, against derivatives, published numbers and GPAW; and what is done when it fails."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bcc100, molecule

from structures.box import put_in_box
from structures.errors import CalculationError, ConvergenceError, InputError
from workflows.calculators.cp2k_installation import INSTALL, find_program
from workflows.calculators.electronic import build_electronic_spec
from workflows.engines.cp2k_process import Cp2kCalculator, ProgramError, ScfError, find_last_words
from workflows.engines.cp2k_sections import SCF_HELP
from workflows.engines.electronic_files import LOG_FILE, Answer, Request, write_request
from workflows.engines.electronic_process import build_command, run_electronic_code

RECORDED = Path(__file__).parent / "recorded" / "cp2k"
COARSE: dict[str, Any] = {"density_cutoff_Ry": 200.0}
GPAW_LIF_EV = -7.88  # a real-space grid, no basis; PySCF with def2-TZVPD within 0.05 eV of it
ABORT = r"""
 *******************************************************************************
 *   ___                                                                       *
 *  /   \                                                                      *
 * [ABORT]                                                                     *
 *  \___/           The requested basis set <DZVP> was not found               *
 *    |                                                                        *
 *  O/|                                                                        *
 * /| |                                                                        *
 * / \                                                                kind.F:5 *
 *******************************************************************************
"""

needs_cp2k = pytest.mark.skipif(find_program() is None, reason=f"CP2K is not installed here: {INSTALL}")


def build_request(
    *, charge: int = 0, multiplicity: int = 1, protocol: str = "moderate", **overrides: object
) -> Request:
    spec = build_electronic_spec("cp2k", protocol=protocol, overrides=overrides)
    return Request(code="cp2k", settings=dict(spec.overrides), charge=charge, multiplicity=multiplicity)


def compute(request: Request, atoms: Atoms, *, directory: Path, edge_A: float = 6.0) -> Answer:
    directory.mkdir(parents=True, exist_ok=True)
    boxed = atoms if atoms.pbc.any() else put_in_box(atoms, lattice_A=np.diag([edge_A] * 3))
    write_request(directory, request, atoms=boxed)
    return run_electronic_code("cp2k", directory=directory)


@needs_cp2k
def test_forces_are_the_derivative_of_the_energy(tmp_path: Path) -> None:
    water = put_in_box(molecule("H2O"), lattice_A=np.diag([5.5] * 3))
    water.rattle(0.05, seed=1)
    answer = compute(build_request(**COARSE), water, directory=tmp_path / "water", edge_A=5.5)
    assert answer.forces_eV_per_A is not None
    assert answer.charges_e == pytest.approx([-0.30, 0.15, 0.15], abs=0.03)
    step_A, energies = 0.01, []
    for sign in (1, -1):
        moved = water.copy()
        moved.positions[1, 1] += sign * step_A
        write_request(tmp_path / "water", build_request(**COARSE).model_copy(update={"forces": False}), atoms=moved)
        energies.append(run_electronic_code("cp2k", directory=tmp_path / "water").energy_eV or 0.0)
    slope = -(energies[0] - energies[1]) / (2 * step_A)
    assert answer.forces_eV_per_A[1][1] == pytest.approx(slope, abs=0.02)


@needs_cp2k
def test_hydrogen_relaxes_and_binds_as_published_for_the_functional(tmp_path: Path) -> None:
    """PBE: 104.6 kcal/mol (10.1103/PhysRevLett.77.3865), bond 0.750 Å; spin-polarised atoms."""
    basis = "TZV2P-MOLOPT-GTH"  # the short-ranged double zeta has the atom 0.9 eV too high
    atom = compute(build_request(multiplicity=2, basis=basis, **COARSE), Atoms("H"), directory=tmp_path / "H")
    relaxing = build_request(basis=basis, **COARSE).model_copy(update={"force_tolerance_eV_per_A": 0.05})
    start = Atoms("H2", [(0, 0, 0), (0, 0, 0.80)])
    pair = compute(relaxing, start, directory=tmp_path / "H2")
    assert pair.is_relaxed
    assert pair.n_steps > 0
    assert (tmp_path / "H2" / LOG_FILE).read_text().count("PROGRAM ENDED AT") == pair.n_steps + 1
    assert atom.energy_eV is not None
    assert pair.energy_eV is not None
    assert 2 * atom.energy_eV - pair.energy_eV == pytest.approx(104.6 * units.kcal / units.mol, abs=0.1)
    assert atom.moment == pytest.approx(1.0, abs=0.02)
    assert atom.method == pair.method


@pytest.mark.slow
@needs_cp2k
def test_ions_bind_too_strongly_by_what_the_basis_lacks(tmp_path: Path) -> None:
    """Open boundaries: no diffuse functions on the anion, so 0.55 eV more than the −7.88 eV of a grid."""
    atoms = {"LiF": (Atoms("LiF", [(0, 0, 0), (0, 0, 1.564)]), 0), "Li+": (Atoms("Li"), 1), "F-": (Atoms("F"), -1)}
    found = {
        name: compute(build_request(charge=charge, **COARSE), one, directory=tmp_path / name, edge_A=8.0)
        for name, (one, charge) in atoms.items()
    }
    energies = {name: answer.energy_eV or 0.0 for name, answer in found.items()}
    binding_eV = energies["LiF"] - energies["Li+"] - energies["F-"]
    assert binding_eV == pytest.approx(-8.43, abs=0.1)
    assert binding_eV < GPAW_LIF_EV
    assert found["F-"].charges_e == pytest.approx([-1.0], abs=0.02)
    assert len({str(answer.method) for answer in found.values()}) == 1
    assert found["LiF"].method["poisson_solver"] == "WAVELET"


@needs_cp2k
def test_a_slab_with_k_points_smearing_and_a_dipole_correction(tmp_path: Path) -> None:
    slab = bcc100("Li", (1, 1, 3), a=3.44, vacuum=6)
    slab.info.clear()
    top_A = slab.positions[:, 2].max()
    slab += Atoms("H", [(1.72, 1.72, top_A + 0.6)])
    slab.center(vacuum=6, axis=2)
    slab.pbc = (True, True, False)
    request = build_request(protocol="fast", k_points=(3, 3, 1), smearing_eV=0.1)
    answer = compute(request, slab, directory=tmp_path)
    assert answer.energy_eV is not None
    assert answer.charges_e is not None
    assert answer.charges_e[-1] < -0.1  # lithium gives to hydrogen
    assert np.sum(answer.forces_eV_per_A or [], axis=0) == pytest.approx(np.zeros(3), abs=0.03)
    assert (tmp_path / "cp2k.inp").read_text().count("SURFACE_DIPOLE_CORRECTION T") == 1
    assert answer.method["k_points"] == [3, 3, 1]
    assert answer.method["smearing_eV"] == 0.1


@needs_cp2k
def test_a_crash_shows_what_the_program_said(tmp_path: Path) -> None:
    said = r"(?s)cp2k ended with status 1.*for element <AM> was not found.*process\.log"
    with pytest.raises(CalculationError, match=said):
        compute(build_request(multiplicity=2, **COARSE), Atoms("Am"), directory=tmp_path)


# Without the program


def write_program(path: Path, *, outputs: list[Path], status: int = 0) -> str:
    """A program that gives recorded outputs, one at each run, and the last for ever; it keeps its inputs."""
    lines = ["#!/bin/sh", "n=$(ls | grep -c ^input)", 'cp "$2" input.$n', "touch cp2k-RESTART.wfn", "case $n in"]
    lines += [f"{number}) cat {output};;" for number, output in enumerate(outputs[:-1])]
    path.write_text("\n".join([*lines, f"*) cat {outputs[-1]};;", "esac", f"exit {status}"]) + "\n")
    path.chmod(0o755)
    return str(path)


def build_calculator(directory: Path, *, outputs: list[Path], status: int = 0) -> Cp2kCalculator:
    program = write_program(directory / "program", outputs=outputs, status=status)
    return Cp2kCalculator(build_request(), directory=directory, program=program)


def test_help_is_given_in_stages_and_kept(tmp_path: Path) -> None:
    outputs = [RECORDED / "h2-unconverged" / "cp2k.out", RECORDED / "water" / "cp2k.out"]
    calculator = build_calculator(tmp_path, outputs=outputs)
    water = put_in_box(molecule("H2O"), lattice_A=np.diag([6.0] * 3))
    water.calc = calculator
    assert water.get_potential_energy() == pytest.approx(-468.6, abs=1)
    assert water.get_forces().shape == (3, 3)
    assert calculator.stage == 1
    water.rattle(0.01, seed=1)
    water.get_potential_energy()
    first, second, third = [(tmp_path / f"input.{number}").read_text() for number in range(3)]
    assert "OT ON" not in first
    assert "OT ON" in second
    assert "SCF_GUESS ATOMIC" in second  # not from the density that did not converge
    assert "OT ON" in third
    assert "SCF_GUESS RESTART" in third


def test_an_scf_that_no_help_brings_to_an_end_is_told(tmp_path: Path) -> None:
    calculator = build_calculator(tmp_path, outputs=[RECORDED / "h2-unconverged" / "cp2k.out"])
    pair = put_in_box(molecule("H2"), lattice_A=np.diag([6.0] * 3))
    pair.calc = calculator
    with pytest.raises(ScfError, match="the SCF of H2 did not converge, also with diagonalisation with slow density"):
        pair.get_potential_energy()
    assert len(list(tmp_path.glob("input.*"))) == len(SCF_HELP)


def test_a_slab_starts_from_a_rough_density_without_the_correction(tmp_path: Path) -> None:
    calculator = build_calculator(tmp_path, outputs=[RECORDED / "water" / "cp2k.out"])
    slab = bcc100("Li", (1, 1, 3), a=3.44, vacuum=6)
    slab.info.clear()
    slab.pbc = (True, True, False)
    slab.calc = calculator
    slab.get_potential_energy()
    slab.rattle(0.01, seed=1)
    slab.get_potential_energy()
    inputs = [(tmp_path / f"input.{number}").read_text() for number in range(3)]
    assert ["SURFACE_DIPOLE_CORRECTION" in text for text in inputs] == [False, True, True]
    assert ["SCF_GUESS RESTART" in text for text in inputs] == [False, True, True]
    assert ["EPS_SCF 0.001" in text for text in inputs] == [True, False, False]


def test_a_crash_is_no_matter_of_convergence(tmp_path: Path) -> None:
    output = tmp_path / "abort.txt"
    output.write_text(ABORT)
    pair = put_in_box(molecule("H2"), lattice_A=np.diag([6.0] * 3))
    pair.calc = build_calculator(tmp_path, outputs=[output], status=1)
    with pytest.raises(ProgramError, match=r"CP2K ended with status 1\. The requested basis set .* not found"):
        pair.get_potential_energy()


def test_what_an_abort_says_is_read_beside_its_drawing() -> None:
    assert find_last_words(ABORT) == "The requested basis set <DZVP> was not found kind.F:5"
    assert find_last_words("a\nb") == "a\nb"


def test_old_releases_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "cp2k.psmp"
    program.write_text("#!/bin/sh\necho ' CP2K version 9.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ConvergenceError, match=r"cp2k: CP2K here is of release 9\.1, needs 2023 or later"):
        compute(build_request(), Atoms("H2"), directory=tmp_path / "run")


def test_ranks_are_refused_and_threads_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"resources\.ranks is 2, needs 1 .* Set resources\.threads: 2 instead"):
        build_command("cp2k", directory=tmp_path, ranks=2)
