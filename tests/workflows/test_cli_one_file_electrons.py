"""relax and single-point with xtb, pyscf, gpaw and cp2k: small real runs, what is planned, and what is refused."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.io import read
from tblite.ase import TBLite
from typer.testing import CliRunner, Result

from structures.errors import InputError
from workflows.adsorption_calculation import AdsorptionRun
from workflows.adsorption_species import build_all_species
from workflows.cli import app, one_file_electrons
from workflows.cli.electronic_plan import Plan, build_plan
from workflows.cli.one_file_task import Electrons, Task
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_key
from workflows.jobs.store import Finished
from workflows.tfsi_adsorption import open_run_facts, relax_parts

WATER = Atoms("OH2", [(0, 0, 0), (0.8, 0.6, 0), (-0.8, 0.6, 0.1)])
H2 = Atoms("H2", [(0, 0, 0), (0.5, 0.5, 0.2)])
RELAXATION = {"force_tolerance_eV_per_A": 0.05, "max_steps": 200}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def compute(*arguments: str) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALKALIFLOW_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(tmp_path / "slots"))
    program = tmp_path / "bin" / "cp2k.psmp"  # looked for, never run
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.delenv("CP2K_DATA_DIR", raising=False)
    files = {"h2o": WATER, "h2": H2, "li": Atoms("Li"), "u": Atoms("U"), "salt": bulk("NaCl", "rocksalt", a=5.64)}
    files["overlap"] = Atoms("H2", [(0, 0, 0), (0, 0, 0.3)])
    files["wire"] = Atoms("Li", cell=(3, 9, 9), pbc=(True, False, False))
    files["far"] = Atoms("H4", [(0, 0, 0), (400, 0, 0), (0, 400, 0), (0, 0, 400)])
    for name, atoms in files.items():
        atoms.write(f"{name}.extxyz")


def plan(atoms: Atoms, *, calculator: str = "gpaw", **options: Any) -> Plan:  # noqa: ANN401 (options and settings of any kind)
    electrons = Electrons(**{key: options.pop(key) for key in list(options) if key in Electrons.__annotations__})
    task = Task("relax", Path("own.xyz"), atoms, calculator=calculator, electrons=electrons, overrides=options)
    return build_plan(task, vacuum_A=5.0, settings=RELAXATION)


def test_tight_binding_relaxes_water_as_the_library_itself_has_it() -> None:
    found = compute("relax", "h2o.extxyz", "--calculator", "xtb", "-o", "out.extxyz")
    relaxed = read("out.extxyz")
    assert isinstance(relaxed, Atoms)
    values = found["values"]
    assert (values["is_relaxed"], values["charge"], values["multiplicity"]) == (True, 0, 1)
    assert values["n_steps"] > 0
    relaxed.calc = TBLite(method="GFN2-xTB", verbosity=0)
    assert values["energy_eV"] == pytest.approx(relaxed.get_potential_energy(), abs=1e-5)
    largest = np.linalg.norm(relaxed.get_forces(), axis=1).max()
    assert values["largest_force_eV_per_A"] == pytest.approx(largest, abs=1e-3)
    assert largest <= 0.05
    assert [relaxed.get_distance(0, index) for index in (1, 2)] == pytest.approx([0.959, 0.959], abs=0.01)
    # the same energy from the relaxed file, whatever cell that has no meaning stands in it
    relaxed.set_cell([9, 9, 9])
    relaxed.write("again.extxyz")
    again = compute("single-point", "again.extxyz", "--calculator", "xtb")
    assert again["values"]["energy_eV"] == pytest.approx(values["energy_eV"], abs=1e-6)


def test_a_triplet_is_allowed_and_lies_above_the_singlet() -> None:
    pair = ("single-point", "h2.extxyz", "--calculator", "xtb")
    triplet = compute(*pair, "--multiplicity", "3")["values"]
    assert triplet["multiplicity"] == 3
    assert triplet["energy_eV"] > compute(*pair)["values"]["energy_eV"] + 5


def test_charge_and_spin_reach_gaussians() -> None:
    options = ("single-point", "li.extxyz", "--calculator", "pyscf", "--protocol", "fast")
    ion = compute(*options, "--charge", "1")["values"]
    atom = compute(*options)["values"]
    assert ((ion["charge"], ion["multiplicity"]), (atom["charge"], atom["multiplicity"])) == ((1, 1), (0, 2))
    assert ion["energy_eV"] - atom["energy_eV"] == pytest.approx(5.39, abs=0.3)  # measured; PBE is within 0.2 eV
    shown = call(*options, "--charge", "1").output
    energy = f"energy_eV                   {ion['energy_eV']:.4f}\n"
    assert f"charge                      1\nmultiplicity                1\n{energy}" in shown
    assert "gap_eV" in shown
    for absent in ("None", "charges_e", "dispersion_eV", "n_steps", "method"):
        assert absent not in shown


def test_orbitals_of_gpaw_relax_hydrogen_in_a_box() -> None:
    coarse = ("--protocol", "fast", "--set", "calculator.spacing_A=0.3", "--set", "vacuum_A=3")
    found = compute("relax", "h2.extxyz", "--calculator", "gpaw", *coarse, "-o", "out.extxyz")
    relaxed = read("out.extxyz")
    assert isinstance(relaxed, Atoms)
    assert relaxed.get_distance(0, 1) == pytest.approx(0.75, abs=0.04)
    assert not relaxed.pbc.any()
    assert min(relaxed.positions.min(), (relaxed.cell.lengths() - relaxed.positions).min()) > 2.9
    values = found["values"]
    assert values["is_relaxed"]
    assert values["largest_force_eV_per_A"] <= 0.05
    assert values["charges_e"] == pytest.approx([0, 0], abs=1e-3)
    assert values["gap_eV"] > 5
    assert (values["method"]["mode"], values["method"]["periodic"]) == ("lcao", [False] * 3)
    assert found["relaxation"]["key"] == found["key"]


def test_a_molecule_is_relaxed_in_plane_waves_and_gets_its_energy_on_a_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code itself is left out: what it is asked for, and what becomes of its answers."""
    asked: list[Calculation] = []
    stretched = Atoms("H2", [(5, 5, 5), (8, 5, 5)], cell=(13, 11, 11), pbc=True)
    stretched.write(tmp_path / "final.extxyz")

    def answer(calculation: Calculation, **_: object) -> Finished:
        asked.append(calculation)
        values = {"energy_eV": -float(len(asked)), "n_steps": 4, "largest_force_eV_per_A": 0.01 * len(asked)}
        return Finished(str(len(asked)), values, {"structure": tmp_path / "final.extxyz"})

    monkeypatch.setattr(one_file_electrons, "compute", answer)
    document = compute("relax", "h2.extxyz", "--calculator", "gpaw", "--ranks", "1")
    relaxation, energy = asked
    for one, mode, periodic in ((relaxation, "pw", True), (energy, "fd", False)):
        assert one.structure is not None
        assert one.calculator is not None
        assert one.calculator.overrides["mode"] == mode
        assert one.structure.pbc.tolist() == [periodic] * 3
    assert dict(relaxation.settings) == RELAXATION
    assert dict(energy.settings) == {}
    assert energy.structure is not None
    assert energy.structure.get_distance(0, 1) == pytest.approx(3.0, rel=1e-6)
    assert energy.structure.cell.lengths() == pytest.approx([13.6, 10.4, 10.4])  # 10 Å more, in steps of 4 x 0.2 Å
    assert (document["key"], document["values"]["energy_eV"]) == ("2", -2.0)
    assert document["values"]["largest_force_eV_per_A"] == 0.01
    assert (document["relaxation"]["key"], document["relaxation"]["values"]["energy_eV"]) == ("1", -1.0)


def test_a_flow_finds_the_relaxation_of_a_molecule_in_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def note(_: AdsorptionRun, calculations: list[Calculation]) -> list[Finished]:
        keys.extend(compute_key(one) for one in calculations)
        raise StopIteration

    monkeypatch.setattr(AdsorptionRun, "compute", note)
    file = str(tmp_path / "h2o.extxyz")
    own = {"reactions": ["OH2 -> OH2+ + e-"], "species": {"OH2": {"file": file}, "OH2+": {"file": file, "charge": 1}}}
    config = TfsiAdsorptionConfig.model_validate(own, strict=False)
    run = open_run_facts(config.model_dump(mode="json"), workdir=str(tmp_path / "run"), store=str(tmp_path / "s"))
    with pytest.raises(StopIteration):
        relax_parts(run, species=build_all_species(config))
    own_keys = [compute_key(one) for charge in (0, 1) if (one := plan(WATER, charge=charge).build_relaxation())]
    assert len(set(keys)) == 2
    assert sorted(keys) == sorted(own_keys)


@pytest.mark.parametrize("calculator", ["gpaw", "cp2k", "xtb", "pyscf"])
def test_the_box_hangs_on_the_molecule_alone(calculator: str) -> None:
    turned = WATER.copy()
    turned.rotate(50, (1, 2, 3))
    turned.translate((7, 8, 9))
    turned.set_cell([30, 40, 50])
    energies = [plan(atoms, calculator=calculator).build_energy for atoms in (WATER, turned)]
    species = [plan(atoms, calculator=calculator).species.atoms for atoms in (WATER, turned)]
    first, second = (build(atoms).structure for build, atoms in zip(energies, species, strict=True))
    assert first is not None
    assert second is not None
    assert first.cell.array == pytest.approx(second.cell.array)
    assert first.cell.rank == (3 if calculator in ("gpaw", "cp2k") else 0)
    assert first.get_all_distances() == pytest.approx(second.get_all_distances())


def test_k_points_of_a_crystal_halve_where_its_cell_doubles() -> None:
    copper = bulk("Cu", cubic=True)  # 3.61 Å: 20 / 3.61 = 5.5
    for cell, k_points in ((copper, [6, 6, 6]), (copper.repeat((2, 1, 1)), [3, 6, 6])):
        settings = plan(cell).spec.overrides
        assert (settings["k_points"], settings["mode"], settings["smearing_eV"]) == (k_points, "pw", 0.1)
    primitive = bulk("Cu")  # its planes are 3.61 / √3 = 2.08 Å apart
    assert plan(primitive).spec.overrides["k_points"] == [10, 10, 10]
    slab = fcc111("Al", (1, 1, 2), vacuum=4)
    slab.pbc = (True, True, False)
    assert plan(slab).spec.overrides["k_points"] == [9, 9, 1]  # 2.86 sin 60° = 2.48 Å
    assert plan(copper, calculator="cp2k").spec.overrides["k_points"] == [6, 6, 6]
    assert "mode" not in plan(copper, calculator="cp2k").spec.overrides


def test_what_the_user_sets_for_a_crystal_stays() -> None:
    asked: dict[str, Any] = {"k_points": [4, 4, 4], "smearing_eV": 0.0, "mode": "fd"}
    settings = plan(bulk("NaCl", "rocksalt", a=5.64), **asked).spec.overrides
    assert {name: settings[name] for name in asked} == asked
    assert plan(bulk("Cu"), protocol="fast").spec.overrides["mode"] == "lcao"


def test_spins_of_a_metal_are_paired_in_any_cell_unless_asked_for() -> None:
    for lithium in (bulk("Li"), bulk("Li", cubic=True)):  # 3 and 6 electrons
        assert plan(lithium).species.multiplicity == 1
        assert plan(lithium, multiplicity=1).species.multiplicity == 1
    assert plan(bulk("Fe", cubic=True), multiplicity=5).species.multiplicity == 5
    with pytest.raises(InputError, match="--multiplicity is 3, but Li with charge"):
        plan(bulk("Li"), multiplicity=3)
    with pytest.raises(InputError, match=r"calculator\.smearing_eV is 0, needs more for 3 electrons"):
        plan(bulk("Li"), smearing_eV=0.0)


def test_cores_are_ranks_or_threads() -> None:
    for calculator, layout in (("gpaw", (2, 1)), ("pyscf", (1, 2)), ("xtb", (1, 2)), ("cp2k", (1, 2))):
        energy = plan(WATER, calculator=calculator, ranks=2).build_energy(WATER)
        assert (energy.ranks, energy.threads) == layout


def test_an_atom_has_nothing_to_relax() -> None:
    assert plan(Atoms("Li"), charge=1).build_relaxation() is None
    assert plan(bulk("Li")).build_relaxation() is not None


def test_decisions_are_told() -> None:
    (relaxed,) = one_file_electrons.list_notes(plan(H2))
    assert "relaxed in plane waves (400 eV, periodic)" in relaxed
    assert list(one_file_electrons.list_notes(plan(H2, calculator="xtb"))) == []
    (atom,) = one_file_electrons.list_notes(plan(Atoms("Li"), charge=1))
    assert atom.startswith("one atom has nothing to relax")
    (crystal,) = one_file_electrons.list_notes(plan(bulk("Li")))
    assert crystal.startswith("9 x 9 x 9 k-points, smearing 0.1 eV, spins paired.")


@pytest.mark.parametrize("command", ["relax", "single-point"])
def test_help_lists_the_settings_of_each_method(command: str) -> None:
    said = " ".join(call(command, "--help").output.split())
    for line in (
        "calculator.hamiltonian=GFN2-xTB: parametrised tight binding",
        "calculator.spacing_A=0.2: of the real-space grid [Å] (calculator gpaw)",
        "calculator.grid_level=4: of the quadrature (calculator pyscf)",
        "calculator.poisson_solver=auto:",
        "vacuum_A=5: gpaw and cp2k: smallest distance",
    ):
        assert line in said
    assert "calculator.max_steps" not in said
    assert ("force_tolerance_eV_per_A=0.05" in said) is (command == "relax")
    assert "hamiltonian" not in call("md", "--help").output


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("md", "h2.extxyz", "--calculator", "xtb"), "does no dynamics here. Choose one of pod, lammps, chgnet, ase."),
        (("relax", "h2.extxyz", "--calculator", "gpow"), "There is no calculator 'gpow'. Did you mean gpaw?"),
        (("relax", "h2.extxyz", "--calculator", "vasp"), "Choose one of gpaw, pyscf, xtb, cp2k."),
        (("relax", "h2.extxyz", "--charge", "1"), "--charge is 1, which calculator pod has no use for"),
        (("relax", "h2.extxyz", "--protocol", "fast"), "--protocol is fast, which calculator pod has no use for"),
        (("relax", "h2.extxyz", "--calculator", "xtb", "--potential", "x"), "--potential is 'x', which calculator xtb"),
        (
            ("single-point", "h2.extxyz", "--calculator", "xtb", "--multiplicity", "2"),
            "--multiplicity is 2, but H2 with charge +0 has 2 electrons, an even number: it needs 1, 3, 5",
        ),
        (("single-point", "li.extxyz", "--calculator", "pyscf", "--charge", "4"), "--charge is +4, needs at most +3"),
        (("single-point", "overlap.extxyz", "--calculator", "xtb"), "overlap.extxyz: atoms 0 and 1 are 0.30 Å apart"),
        (("relax", "salt.extxyz", "--calculator", "xtb"), "salt.extxyz is periodic along x, y, z, but calculator xtb"),
        (("relax", "salt.extxyz", "--calculator", "pyscf"), "calculator pyscf knows no periodic cells"),
        (("relax", "salt.extxyz", "--calculator", "gpaw", "--charge", "1"), "--charge is +1, needs 0 for a structure"),
        (("relax", "wire.extxyz", "--calculator", "gpaw"), "needs none, x and y, or all"),
        (("relax", "u.extxyz", "--calculator", "xtb"), "no parameters for U, it ends at radon. Use --calculator gpaw."),
        (
            ("relax", "h2.extxyz", "--calculator", "pyscf", "--set", "calculator.basis=none-such"),
            "calculator.basis is 'none-such', which PySCF does not have for H. Use another, e.g. --set calculator.",
        ),
        (
            ("relax", "h2.extxyz", "--calculator", "gpaw", "--set", "calculator.spacing=0.2"),
            "calculator.spacing is not a setting of gpaw",
        ),
        (
            ("relax", "h2.extxyz", "--calculator", "gpaw", "--set", "calculator.spacing_A=0"),
            "calculator.spacing_A is 0: input should be greater than 0.05",
        ),
        (("relax", "h2.extxyz", "--calculator", "gpaw", "--protocol", "slow"), "--protocol is 'slow', needs one of"),
        (
            ("single-point", "h2.extxyz", "--calculator", "gpaw", "--set", "calculator.mode=pw"),
            "Use --set calculator.mode=fd or --set calculator.mode=lcao",
        ),
        (
            ("single-point", "h2.extxyz", "--calculator", "gpaw", "--set", "calculator.k_points=[2, 1, 1]"),
            "k_points is (2, 1, 1), needs 1 along x",
        ),
        (("relax", "h2.extxyz", "--calculator", "xtb", "--max-force", "-1"), "force_tolerance_eV_per_A is -1"),
        (("relax", "h2.extxyz", "--calculator", "xtb", "--set", "vacuum_A=0.5"), "vacuum_A is 0.5"),
        (("relax", "h2.extxyz", "--calculator", "xtb", "--set", "algorithm=cg"), "algorithm is not a known key"),
        (("single-point", "h2.extxyz", "--calculator", "gpaw", "--ranks", "9999"), "--ranks is 9999, needs 1 to "),
        (("single-point", "far.extxyz", "--calculator", "gpaw"), "energy of far.extxyz needs about "),
    ],
)
def test_mistakes_are_explained_before_anything_starts(arguments: tuple[str, ...], part: str, tmp_path: Path) -> None:
    result = call(*arguments)
    assert part in result.output
    assert result.exit_code == 2
    assert not (tmp_path / "store").exists()


def test_settings_of_written_inputs_are_none_of_relax() -> None:
    with pytest.raises(InputError, match=r"calculator\.max_steps is for inputs that are written.*--max-steps"):
        plan(H2, calculator="cp2k", max_steps=5)


def test_a_program_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = call("relax", "h2.extxyz", "--calculator", "cp2k")
    assert "calculator cp2k needs cp2k.psmp, not installed here" in result.output
    assert result.exit_code == 2
