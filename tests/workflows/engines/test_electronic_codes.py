"""Real GPAW and PySCF on molecules of two atoms, against each other and against published numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units

from structures.box import put_in_box
from structures.errors import CalculationError, ConvergenceError
from structures.ghosts import make_ghosts
from workflows.calculators.electronic import build_electronic_spec
from workflows.engines import electronic_process
from workflows.engines.electronic_files import ANSWER_FILE, Answer, Request, write_request
from workflows.engines.electronic_process import build_command, run_electronic_code

LIF = Atoms("LiF", [(0, 0, 0), (0, 0, 1.564)])
TERMS = {"LiF": (LIF, 0), "Li+": (Atoms("Li"), 1), "F-": (Atoms("F"), -1)}


def compute(
    code: str,
    atoms: Atoms,
    *,
    directory: Path,
    charge: int = 0,
    multiplicity: int = 1,
    force_tolerance_eV_per_A: float | None = None,
    ranks: int = 1,
    **overrides: object,
) -> Answer:
    directory.mkdir(parents=True, exist_ok=True)
    spec = build_electronic_spec(code, protocol="moderate", overrides=overrides)
    boxed = put_in_box(atoms, lattice_A=np.diag([8.0, 8.0, 9.6])) if code == "gpaw" else atoms
    request = Request(
        code=code,
        settings=dict(spec.overrides),
        charge=charge,
        multiplicity=multiplicity,
        force_tolerance_eV_per_A=force_tolerance_eV_per_A,
    )
    write_request(directory, request, atoms=boxed)
    return run_electronic_code(code, directory=directory, ranks=ranks)


def test_two_codes_agree_on_the_binding_of_ions(tmp_path: Path) -> None:
    """Ions in open boundaries: PAW on a grid and Gaussians with diffuse functions, at one geometry."""
    binding = {}
    for code in ("gpaw", "pyscf"):
        found = {
            name: compute(code, atoms, directory=tmp_path / f"{code}-{name}", charge=charge)
            for name, (atoms, charge) in TERMS.items()
        }
        energies = {name: answer.energy_eV for name, answer in found.items() if answer.energy_eV is not None}
        binding[code] = energies["LiF"] - energies["Li+"] - energies["F-"]
        if code == "gpaw":
            assert found["F-"].charges_e == pytest.approx([-1.0], abs=0.01)
            assert found["Li+"].charges_e == pytest.approx([1.0], abs=0.01)
            assert found["LiF"].charges_e is not None
            assert found["LiF"].charges_e[0] > 0.4
            assert len({str(answer.method["resolution"]) for answer in found.values()}) == 1
    assert binding["gpaw"] == pytest.approx(binding["pyscf"], abs=0.05)
    assert binding["gpaw"] < -7.0


@pytest.mark.parametrize("code", ["gpaw", "pyscf"])
def test_hydrogen_binds_as_published_for_the_functional(code: str, tmp_path: Path) -> None:
    """PBE: 104.6 kcal/mol (10.1103/PhysRevLett.77.3865), bond 0.750 Å; spin-polarised atoms, relaxed molecule."""
    atom = compute(code, Atoms("H"), directory=tmp_path / "H", multiplicity=2)
    start = Atoms("H2", [(0, 0, 0), (0, 0, 0.80)])
    molecule = compute(code, start, directory=tmp_path / "H2", force_tolerance_eV_per_A=0.05)
    assert atom.energy_eV is not None
    assert molecule.energy_eV is not None
    assert molecule.n_steps > 0
    bound_eV = 2 * atom.energy_eV - molecule.energy_eV
    assert bound_eV == pytest.approx(104.6 * units.kcal / units.mol, abs=0.06)
    if code == "gpaw":
        assert atom.spins is not None
        assert 0 < atom.spins[0] <= 1


@pytest.mark.parametrize(("code", "overrides"), [("gpaw", {"mode": "lcao"}), ("pyscf", {"basis": "def2-svp"})])
def test_ghosts_bring_orbitals_and_nothing_else(code: str, overrides: dict[str, Any], tmp_path: Path) -> None:
    water = Atoms("OH2", [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)])
    pair = water + Atoms("F", [(-1.6, -1.6, 0)])
    alone = compute(code, water, directory=tmp_path / "alone", dispersion="d3bj", **overrides)
    # Far apart, or where they were: the atoms stay in their places of the box.
    found = {}
    for name, distance_A in (("near", 0.0), ("far", 3.0)):
        whole = pair.copy()
        whole.positions[3, :2] -= distance_A / np.sqrt(2)
        ghostly = make_ghosts(whole, real=slice(0, 3))
        found[name] = compute(code, ghostly, directory=tmp_path / name, dispersion="d3bj", **overrides)
    energies = {name: answer.energy_eV or 0.0 for name, answer in {**found, "alone": alone}.items()}
    assert energies["near"] < energies["alone"] - 0.02
    assert energies["far"] == pytest.approx(energies["alone"], abs=0.02)
    assert found["near"].dispersion_eV == pytest.approx(alone.dispersion_eV, abs=1e-9)
    assert found["near"].method.get("setups") == alone.method.get("setups")


def test_antiparallel_spins_are_where_a_stretched_bond_ends(tmp_path: Path) -> None:
    apart = Atoms("H2", [(0, 0, 0), (0, 0, 3.0)], magmoms=[1.0, -1.0])
    small = {"basis": "def2-svp", "grid_level": 3}
    turned = compute("pyscf", apart, directory=tmp_path / "turned", **small)  # type: ignore[arg-type]
    atom = compute("pyscf", apart[:1], directory=tmp_path / "atom", multiplicity=2, **small)  # type: ignore[arg-type]
    apart.set_initial_magnetic_moments(None)
    closed = compute("pyscf", apart, directory=tmp_path / "closed", **small)  # type: ignore[arg-type]
    assert turned.energy_eV == pytest.approx(2 * (atom.energy_eV or 0.0), abs=0.05)
    assert turned.spins == pytest.approx([1.0, -1.0], abs=0.05)
    assert atom.spins == pytest.approx([1.0], abs=1e-6)
    assert closed.spins is None
    assert (closed.energy_eV or 0.0) > (turned.energy_eV or 0.0) + 1.0


def test_heavy_elements_have_core_potentials(tmp_path: Path) -> None:
    """LiI into its ions: 345 kJ/mol + 5.39 eV − 3.06 eV = 5.91 eV at 2.392 Å, from tables of measured values."""
    pair, bare, small = Atoms("LiI", [(0, 0, 0), (0, 0, 2.392)]), {}, {"basis": "def2-svpd", "grid_level": 3}
    terms = {"LiI": (pair, 0), "Li+": (pair[:1], 1), "I-": (pair[1:], -1), "I- with Li": (pair, -1)}
    for name, (atoms, charge) in terms.items():
        one = make_ghosts(atoms, real=slice(1, 2)) if name == "I- with Li" else atoms
        bare[name] = compute("pyscf", one, directory=tmp_path / name, charge=charge, **small)  # type: ignore[arg-type]
    energies = {name: answer.energy_eV or 0.0 for name, answer in bare.items()}
    assert energies["LiI"] - energies["Li+"] - energies["I-"] == pytest.approx(-5.91, abs=0.2)
    assert energies["I- with Li"] == pytest.approx(energies["I-"], abs=0.05)
    assert "setups" not in bare["Li+"].method
    assert bare["LiI"].method["setups"] == {"I": "core potential of def2-svpd, 28 electrons"}
    swapped = make_ghosts(pair, real=slice(0, 1))
    alone = compute("pyscf", swapped, directory=tmp_path / "ghost", charge=1, **small)  # type: ignore[arg-type]
    assert "setups" not in alone.method
    assert alone.energy_eV == pytest.approx(energies["Li+"], abs=0.2)


@pytest.mark.parametrize("mode", ["fd", "lcao"])
def test_two_ranks_give_the_energy_of_one(mode: str, tmp_path: Path) -> None:
    atoms = Atoms("H2", [(0, 0, 0), (0, 0, 0.75)])
    one = compute("gpaw", atoms, directory=tmp_path / "one", mode=mode)
    two = compute("gpaw", atoms, directory=tmp_path / "two", mode=mode, ranks=2)
    assert one.charges_e == pytest.approx([0.0, 0.0], abs=0.02)
    assert one.energy_eV == pytest.approx(two.energy_eV, abs=1e-4)
    assert one.method == two.method


def test_two_ranks_relax_as_one(tmp_path: Path) -> None:
    start = Atoms("H2", [(0, 0, 0), (0, 0, 0.80)])
    settings = {"mode": "lcao", "spacing_A": 0.25, "force_tolerance_eV_per_A": 0.1}
    answers = [
        compute("gpaw", start, directory=tmp_path / str(n), ranks=n, **settings)  # type: ignore[arg-type]
        for n in (1, 2)
    ]
    assert answers[0].energy_eV == pytest.approx(answers[1].energy_eV, abs=1e-4)
    assert answers[0].n_steps == answers[1].n_steps > 0
    assert (tmp_path / "2" / "final.extxyz").is_file()


def test_the_moment_of_a_slab_is_free_and_starts_from_its_atoms(tmp_path: Path) -> None:
    """A sheet of hydrogen atoms far apart is magnetic; the multiplicity of a slab says nothing."""
    sheet = Atoms("H", positions=[(0, 0, 4.0)], cell=[5.0, 5.0, 8.0], pbc=(True, True, False), magmoms=[0.8])
    spec = build_electronic_spec("gpaw", protocol="fast", overrides={"spacing_A": 0.25, "smearing_eV": 0.1})
    energies = {}
    for name, moment in (("magnetic", 0.8), ("plain", 0.0)):
        sheet.set_initial_magnetic_moments([moment])
        folder = tmp_path / name
        folder.mkdir()
        request = Request(code="gpaw", settings=dict(spec.overrides), charge=0, multiplicity=1, forces=False)
        write_request(folder, request, atoms=sheet)
        answer = run_electronic_code("gpaw", directory=folder)
        energies[name] = answer.energy_eV or 0.0
        assert answer.moment == (pytest.approx(1.0, abs=0.1) if moment else None)
    assert energies["magnetic"] < energies["plain"] - 0.5


def test_dispersion_is_a_part_of_the_energy(tmp_path: Path) -> None:
    neon = Atoms("Ne2", [(0, 0, 0), (0, 0, 3.1)])
    plain = compute("pyscf", neon, directory=tmp_path / "plain", basis="def2-svpd")
    with_d3 = compute("pyscf", neon, directory=tmp_path / "d3", basis="def2-svpd", dispersion="d3bj")
    assert plain.dispersion_eV is None
    assert with_d3.dispersion_eV is not None
    assert with_d3.dispersion_eV < 0
    assert with_d3.energy_eV == pytest.approx((plain.energy_eV or 0) + with_d3.dispersion_eV, abs=1e-6)


def test_a_relaxation_that_does_not_end_is_a_failure_of_the_science(tmp_path: Path) -> None:
    directory = tmp_path / "far"
    directory.mkdir()
    spec = build_electronic_spec("pyscf", protocol="fast", overrides={})
    request = Request(
        code="pyscf",
        settings=dict(spec.overrides),
        charge=0,
        multiplicity=1,
        force_tolerance_eV_per_A=0.01,
        max_steps=1,
    )
    write_request(directory, request, atoms=Atoms("H2", [(0, 0, 0), (0, 0, 1.2)]))
    with pytest.raises(ConvergenceError, match=r"forces were not below 0.01 eV/Å after 1 steps"):
        run_electronic_code("pyscf", directory=directory)


def test_a_crash_shows_the_last_lines_and_keeps_the_files(tmp_path: Path) -> None:
    write_request(tmp_path, Request(code="pyscf", settings={}, charge=0, multiplicity=1), atoms=Atoms("H2"))
    with pytest.raises(CalculationError, match=r"(?s)pyscf ended with status 1.*KeyError.*process.log"):
        run_electronic_code("pyscf", directory=tmp_path)
    assert not (tmp_path / ANSWER_FILE).exists()


def test_several_ranks_go_through_mpiexec(tmp_path: Path) -> None:
    command = build_command("gpaw", directory=tmp_path, ranks=2)
    assert command[0].endswith("mpiexec")
    assert command[-2:] == ["workflows.engines.gpaw_process", str(tmp_path)]
    assert electronic_process.build_command("gpaw", directory=tmp_path)[1] == "-P"
