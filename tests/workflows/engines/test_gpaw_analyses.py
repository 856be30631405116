"""Analyses of real GPAW calculations, each in a process of its own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bcc100, bulk, fcc111, molecule
from ase.io import write
from numpy.typing import NDArray

from analysis.bader import BaderCharges, compute_bader_charges
from analysis.density_difference import compute_density_difference
from analysis.density_of_states import broaden, compute_band_centre, read_density_of_states
from analysis.electron_density import ElectronDensity, read_density
from analysis.work_function import WorkFunction, compute_work_function, read_potential

DRIVER = Path(__file__).with_name("gpaw_analyses_driver.py")
ROOT = Path(__file__).parents[3]
ENERGIES_EV = np.linspace(-8, 4, 61)
SMEARING: dict[str, Any] = {"name": "fermi-dirac", "width": 0.1}
LCAO: dict[str, Any] = {"mode": "lcao", "basis": "dzp", "h": 0.2}
ACROSS: dict[str, Any] = {"poissonsolver": {"dipolelayer": "xy"}, "occupations": SMEARING}


@dataclass(frozen=True)
class Run:
    directory: Path
    found: dict[str, Any]
    extras: dict[str, Any]


def start(directory: Path, atoms: Atoms, wanted: Sequence[str], *, ranks: int = 1, **settings: Any) -> None:  # noqa: ANN401
    directory.mkdir(parents=True, exist_ok=True)
    plain = atoms.copy()
    plain.info.clear()
    write(directory / "structure.extxyz", plain)
    arguments = {"convergence": {"energy": 1e-4, "density": 1e-3}, **settings}
    content: dict[str, Any] = {"wanted": list(wanted), "energies_eV": ENERGIES_EV.tolist()}
    if arguments.pop("refuse", False):
        content["refuse"] = True
    content["arguments"] = arguments
    (directory / "settings.json").write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, str(DRIVER), str(directory)]
    if ranks > 1:
        command = [str(Path(sys.prefix) / "bin" / "mpiexec"), "-bind-to", "none", "-n", str(ranks), *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def analyse(directory: Path, atoms: Atoms, wanted: Sequence[str], *, ranks: int = 1, **settings: Any) -> Run:  # noqa: ANN401
    start(directory, atoms, wanted, ranks=ranks, **settings)
    found = [json.loads((directory / f"found-{rank}.json").read_text(encoding="utf-8")) for rank in range(ranks)]
    assert all(other == found[0] for other in found)
    return Run(directory, found[0], json.loads((directory / "extras.json").read_text(encoding="utf-8")))


def partition(density: ElectronDensity) -> BaderCharges:
    return compute_bader_charges(
        density.density_e_per_A3,
        cell_A=density.cell_A,
        numbers=density.numbers,
        positions_A=density.positions_A,
        pbc=density.pbc,
    )


def measure_work_function(directory: Path) -> WorkFunction:
    return compute_work_function(read_potential(directory / "potential.npz"))


def build_lithium_slab(n_layers: int, *, hydrogen: bool = False) -> Atoms:
    slab = bcc100("Li", (1, 1, n_layers), a=3.43, vacuum=6.0)
    if hydrogen:
        slab += Atoms("H", [slab.positions[-1] + [3.43 / 2, 3.43 / 2, 0.6]])
    slab.pbc = (True, True, False)
    slab.wrap()
    return slab


def test_water_is_divided_as_another_program_divides_it(tmp_path: Path) -> None:
    """ASE's test of `attach_charges` shows Henkelman's program on this molecule and cell: 9.0852 and 0.4574 e."""
    water = molecule("H2O", cell=[7.5, 9, 9])
    water.center()
    run = analyse(tmp_path, water, ["hirshfeld", "density"], mode="fd", h=0.2)
    density = read_density(tmp_path / "density.npz")
    assert density.n_electrons == pytest.approx(10, abs=1e-4)
    assert run.found["density"]["shape"] == list(density.density_e_per_A3.shape)
    found = partition(density)
    assert found.electrons == pytest.approx([9.0852, 0.4574, 0.4574], abs=0.02)
    assert found.n_other_maxima == 0
    hirshfeld = run.found["hirshfeld"]
    assert hirshfeld["missing_e"] == pytest.approx(0, abs=0.003)
    assert found.charges_e[0] < hirshfeld["charges_e"][0] < -0.2


def test_a_salt_is_ionic(tmp_path: Path) -> None:
    """Rock salt in plane waves: Bader's ions carry nearly a whole charge."""
    plane_waves: dict[str, Any] = {"mode": {"name": "pw", "ecut": 500}, "kpts": [3, 3, 3]}
    run = analyse(tmp_path, bulk("LiF", "rocksalt", a=4.06), ["hirshfeld", "density"], **plane_waves)
    density = read_density(tmp_path / "density.npz")
    assert density.n_electrons == pytest.approx(12, abs=1e-3)
    found = partition(density)
    assert 0.85 < found.charges_e[0] < 0.93
    assert found.charges_e.sum() == pytest.approx(0, abs=1e-3)
    assert found.volumes_A3.sum() == pytest.approx(4.06**3 / 4, rel=1e-6)
    assert found.other_electrons < 0.01
    assert run.found["hirshfeld"]["missing_e"] == pytest.approx(0, abs=0.02)


def test_ions_deform_when_they_meet(tmp_path: Path) -> None:
    """LiF − Li⁺ − F⁻ in one box: no electron is lost, and the anion bends towards the cation."""
    pair = Atoms("LiF", [(0, 0, 0), (0, 0, 1.564)])
    pair.center(vacuum=3.6)
    terms = {"LiF": (pair, 0), "Li+": (pair[:1], 1), "F-": (pair[1:], -1)}
    densities = {}
    for name, (atoms, charge) in terms.items():
        analyse(tmp_path / name, atoms, ["density"], **LCAO, charge=charge)
        densities[name] = read_density(tmp_path / name / "density.npz")
        assert densities[name].n_electrons == pytest.approx(atoms.numbers.sum() - charge, abs=1e-4)
    difference = compute_density_difference(densities["LiF"], parts=[densities["Li+"], densities["F-"]])
    assert difference.net_e == pytest.approx(0, abs=1e-4)
    assert 0.02 < difference.moved_e < 0.5
    between = (difference.z_A > pair.positions[0, 2]) & (difference.z_A < pair.positions[1, 2])
    beyond = difference.z_A > pair.positions[1, 2]
    step_A = difference.z_A[1]
    assert difference.profile_e_per_A[between].sum() * step_A > 0.01
    assert difference.profile_e_per_A[beyond].sum() * step_A < -0.01
    assert partition(densities["LiF"]).charges_e[0] == pytest.approx(0.88, abs=0.03)


def test_unpaired_electrons_are_in_the_spin_density(tmp_path: Path) -> None:
    """Triplet oxygen with one Fermi level for each spin."""
    oxygen = Atoms("O2", [(0, 0, 0), (0, 0, 1.22)], magmoms=[1.0, 1.0])
    oxygen.center(vacuum=3)
    occupations = {**SMEARING, "fixmagmom": True}
    run = analyse(
        tmp_path,
        oxygen,
        ["density", "density-of-states"],
        **LCAO,
        spinpol=True,
        occupations=occupations,
        symmetry="off",
    )
    density = read_density(tmp_path / "density.npz")
    assert density.spin_density_e_per_A3 is not None
    spin = float(density.spin_density_e_per_A3.sum(dtype=float)) * density.voxel_A3
    assert spin == pytest.approx(2, abs=1e-3)
    assert density.n_electrons == pytest.approx(16, abs=1e-4)
    assert partition(density).charges_e == pytest.approx([0, 0], abs=1e-3)
    states = read_density_of_states(tmp_path / "density_of_states.npz")
    assert states.n_electrons == pytest.approx(12, abs=1e-6)
    up, down = (states.weights * states.occupations).sum(axis=(1, 2))
    assert up - down == pytest.approx(2, abs=1e-6)
    assert run.found["density-of-states"]["shape"][0] == 2


def build_sheet() -> tuple[Atoms, dict[str, Any]]:
    """Two hydrogen atoms that only symmetry makes equal, and settings for a calculation of a second."""
    sheet = Atoms("BH2", [(0, 0, 3), (1.2, 0, 3), (0, 1.2, 3)], cell=(2.4, 2.4, 6), pbc=(True, True, False))
    return sheet, {"mode": "lcao", "basis": "sz(dzp)", "h": 0.25, "kpts": [4, 4, 1], **ACROSS}


def read_curves(run: Run) -> list[NDArray[np.float64]]:
    """Density of states on each atom."""
    states = read_density_of_states(run.directory / "density_of_states.npz")
    return [broaden(states, energies_eV=ENERGIES_EV, width_eV=0.3, atoms=[atom]) for atom in range(len(states.numbers))]


def test_states_are_those_of_gpaw_and_of_all_k_points(tmp_path: Path) -> None:
    """The k-points that symmetry leaves out would tell the two atoms apart."""
    sheet, settings = build_sheet()
    few = analyse(tmp_path / "few", sheet, ["density-of-states"], **settings)
    every = analyse(tmp_path / "all", sheet, ["density-of-states"], **settings, symmetry="off")
    states = read_density_of_states(few.directory / "density_of_states.npz")
    assert len(states.k_weights) < few.found["density-of-states"]["shape"][2] < 16
    assert states.n_electrons == pytest.approx(5, abs=1e-6)
    total = broaden(states, energies_eV=ENERGIES_EV, width_eV=0.2 / np.sqrt(2))
    assert total == pytest.approx(np.array(few.extras["dos"]), abs=1e-6)
    for ell, orbital in enumerate("spd"):
        on_boron = broaden(states, energies_eV=ENERGIES_EV, width_eV=0.2 / np.sqrt(2), atoms=[0], orbital=orbital)
        assert on_boron == pytest.approx(np.array(few.extras["pdos"][ell]), abs=1e-5)
    for one, other in zip(read_curves(few), read_curves(every), strict=True):
        assert one == pytest.approx(other, abs=2e-3)


@pytest.mark.slow
def test_analyses_disturb_nothing_and_are_the_same_on_two_ranks(tmp_path: Path) -> None:
    sheet, settings = build_sheet()
    wanted = ["hirshfeld", "density", "density-of-states", "potential"]
    alone = analyse(tmp_path / "alone", sheet, [], **settings)
    one = analyse(tmp_path / "one", sheet, wanted, **settings)
    assert np.array(one.extras["forces_eV_per_A"]) == pytest.approx(np.array(alone.extras["forces_eV_per_A"]), abs=1e-6)
    density = read_density(one.directory / "density.npz").density_e_per_A3
    potential = read_potential(one.directory / "potential.npz").potential_eV
    for name, parallel in (("k-points", {}), ("domains", {"domain": 2, "kpt": 1})):
        two = analyse(tmp_path / name, sheet, wanted, **settings, ranks=2, parallel=parallel)
        assert two.found["hirshfeld"]["charges_e"] == pytest.approx(one.found["hirshfeld"]["charges_e"], abs=1e-4)
        assert read_density(two.directory / "density.npz").density_e_per_A3 == pytest.approx(density, abs=1e-4)
        assert read_potential(two.directory / "potential.npz").potential_eV == pytest.approx(potential, abs=1e-3)
        for curve, again in zip(read_curves(one), read_curves(two), strict=True):
            assert again == pytest.approx(curve, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_work_function_of_lithium(ranks: int, tmp_path: Path) -> None:
    """Measured on polycrystals: 2.9 eV (10.1063/1.323539); GPAW's own vacuum level and dipole are a second way.

    Slabs of 4 to 11 layers gave 2.99 to 3.11 eV, and 3.03 to 3.05 eV from 9 layers on.
    """
    run = analyse(
        tmp_path,
        build_lithium_slab(5),
        ["potential"],
        ranks=ranks,
        mode={"name": "pw", "ecut": 300},
        kpts={"size": [8, 8, 1], "gamma": True},
        **ACROSS,
    )
    found = measure_work_function(tmp_path)
    assert found.upper_eV == pytest.approx(2.9, abs=0.15)
    assert found.lower_eV == pytest.approx(found.upper_eV, abs=0.01)
    assert found.flatness_eV < 0.02
    assert run.extras["work_functions_eV"] == pytest.approx([found.upper_eV, found.lower_eV], abs=0.02)


@pytest.mark.slow
def test_plane_waves_and_grids_agree_on_both_faces(tmp_path: Path) -> None:
    """Hydrogen on one face makes a step; each mode has its own boundary and its own dipole correction."""
    slab = build_lithium_slab(3, hydrogen=True)
    modes: dict[str, dict[str, Any]] = {
        "pw": {"mode": {"name": "pw", "ecut": 300}},
        "fd": {"mode": "fd", "gpts": [16, 16, 72]},
    }
    faces = {}
    for name, mode in modes.items():
        run = analyse(
            tmp_path / name, slab, ["potential", "density"], **mode, kpts={"size": [3, 3, 1], "gamma": True}, **ACROSS
        )
        faces[name] = measure_work_function(tmp_path / name)
        own_eV = sorted(run.extras["work_functions_eV"])
        assert own_eV == pytest.approx([faces[name].lower_eV, faces[name].upper_eV], abs=0.03)
        charges = partition(read_density(tmp_path / name / "density.npz")).charges_e
        assert charges[-1] < -0.5
        assert charges.sum() == pytest.approx(0, abs=1e-3)
    assert faces["pw"].step_eV > 1
    assert faces["fd"].upper_eV == pytest.approx(faces["pw"].upper_eV, abs=0.05)
    assert faces["fd"].lower_eV == pytest.approx(faces["pw"].lower_eV, abs=0.05)


@pytest.mark.slow
def test_d_band_of_copper(tmp_path: Path) -> None:
    """Cu(111): −2.67 eV in the LMTO tables of 10.1016/S1381-1169(96)00348-2; the surface lies above the inside."""
    slab = fcc111("Cu", (1, 1, 4), a=3.64, vacuum=5.0)
    slab.pbc = (True, True, False)
    analyse(
        tmp_path,
        slab,
        ["density-of-states"],
        mode={"name": "pw", "ecut": 350},
        kpts={"size": [6, 6, 1], "gamma": True},
        **ACROSS,
    )
    states = read_density_of_states(tmp_path / "density_of_states.npz")
    assert states.n_electrons == pytest.approx(44, abs=1e-6)
    surface = compute_band_centre(states, atoms=[0, 3])
    inside = compute_band_centre(states, atoms=[1, 2])
    assert surface.centre_eV == pytest.approx(-2.67, abs=0.3)
    assert surface.centre_eV > inside.centre_eV + 0.1
    assert surface.width_eV < inside.width_eV
    assert surface.filling > 0.95
    assert surface.n_states == pytest.approx(2 * 10, rel=0.05)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [(["elf"], "no analysis 'elf'; take of hirshfeld"), (["potential"], r"periodic along \[False, False, False\]")],
)
def test_what_cannot_be_computed_is_refused(wanted: list[str], message: str, tmp_path: Path) -> None:
    lonely = Atoms("He", cell=[4, 4, 4])
    start(tmp_path, lonely, wanted, refuse=True, mode="fd", h=0.3)
    assert re.search(message, (tmp_path / "refused.txt").read_text(encoding="utf-8"))
