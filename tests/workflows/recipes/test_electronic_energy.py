"""The recipe of electronic energies, with a real code on the smallest molecule."""

from pathlib import Path

import pytest
from ase import Atoms

from workflows.calculators.electronic import build_electronic_spec
from workflows.engines.electronic_relaxation import FINAL_FILE, write_final
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Workspace
from workflows.jobs.store import Store
from workflows.recipes.electronic_energy import find_last_geometry, run_electronic_energy

HYDROGEN = Atoms("H2", [(0, 0, 0), (0, 0, 0.95)])


def relax(folder: Path, *, attempt: str) -> Outcome:
    directory = folder / "attempts" / attempt
    directory.mkdir(parents=True)
    calculation = Calculation(
        "electronic_energy",
        structure=HYDROGEN,
        calculator=build_electronic_spec("pyscf", protocol="fast", overrides={}),
        settings={"force_tolerance_eV_per_A": 0.02},
        multiplicity=1,
    )
    return run_electronic_energy(calculation, Workspace(directory=directory, store=Store(folder / "store")))


@pytest.mark.slow
def test_a_killed_relaxation_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = relax(tmp_path / "whole", attempt="000")
    killed = tmp_path / "killed" / "attempts" / "000"
    killed.mkdir(parents=True)
    write_final(Atoms("H2", [(0, 0, 0), (0, 0, 0.76)]), directory=killed)
    later = relax(tmp_path / "killed", attempt="001")
    assert (whole.values["is_continued"], later.values["is_continued"]) == (False, True)
    assert later.values["n_steps"] < whole.values["n_steps"]
    assert later.values["energy_eV"] == pytest.approx(whole.values["energy_eV"], abs=2e-4)


def test_only_earlier_attempts_at_the_same_atoms_count(tmp_path: Path) -> None:
    for name, atoms in (("000", Atoms("He")), ("002", Atoms("H2", [(0, 0, 0), (0, 0, 0.7)]))):
        (tmp_path / name).mkdir()
        write_final(atoms, directory=tmp_path / name)
    (tmp_path / "001").mkdir()
    assert find_last_geometry(tmp_path / "001", structure=HYDROGEN) is None
    for name in ("003", "004"):
        (tmp_path / name).mkdir()
    (tmp_path / "003" / FINAL_FILE).write_text("2\nProperties=species:S:1:pos:R:3\nH 0 0")
    reached = find_last_geometry(tmp_path / "004", structure=HYDROGEN)
    assert reached is not None
    assert reached.positions[1, 2] == pytest.approx(0.7)
    assert not (tmp_path / "002" / f".{FINAL_FILE}").exists()
