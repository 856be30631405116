"""What doctor finds, on machines that lack something."""

import sys
from pathlib import Path

import pytest

from structures.errors import InputError
from workflows import doctor
from workflows.doctor import Finding, examine
from workflows.engines import lammps_process
from workflows.installation import install_command, list_requirements


def find(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_lammps_is_started(tmp_path: Path) -> None:
    finding = find(examine(store=tmp_path), "LAMMPS")
    assert (finding.state, finding.fix) == ("ok", "")
    assert "2025" in finding.detail


def test_lammps_that_does_not_start_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise InputError("LAMMPS is not installed here")

    monkeypatch.setattr(lammps_process, "find_lammps", fail)
    finding = find(examine(store=tmp_path), "LAMMPS")
    assert finding.state == "bad"
    assert "PROBLEM" in finding.line()


def test_a_store_that_is_not_there_yet_is_judged_by_its_parent(tmp_path: Path) -> None:
    finding = find(examine(store=tmp_path / "a" / "b", quick=True), "store")
    assert finding.state == "ok"
    assert str(tmp_path / "a" / "b") in finding.detail


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MIN_FREE_GB", 1e9)
    finding = find(examine(store=tmp_path, quick=True), "store")
    assert finding.state == "bad"
    assert "free some space" in finding.fix


def test_shared_memory_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    finding = doctor._shared_memory(tmp_path / "shm")
    assert finding.state == "bad"
    assert "MPICH" in finding.fix


def test_a_missing_package_comes_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "list_requirements", lambda: ["no-such-package"])
    finding = find(examine(store=tmp_path, quick=True), "no-such-package")
    assert (finding.state, finding.fix) == ("bad", install_command())


def test_requirements_are_those_of_the_package() -> None:
    names = list_requirements()
    assert {"ase", "prefect", "lammps", "pydantic", "typer"} <= set(names)
    assert not {"torch", "ruff", "pytest"} & set(names)


def test_an_extra_is_installed_from_the_clone_with_its_versions(tmp_path: Path) -> None:
    for name in ("constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
    pip = f"{sys.executable} -m pip install"
    assert install_command(extra="mlip", clone=tmp_path) == (
        f"{pip} -e '{tmp_path}[mlip]' -c {tmp_path}/constraints.txt"
    )
    assert find(examine(store=tmp_path, quick=True), "pod").fix == ""


def test_without_a_clone_the_packages_are_named(tmp_path: Path) -> None:
    command = install_command(extra="mlip", clone=tmp_path)
    assert command.startswith(f"{sys.executable} -m pip install chgnet==")
    assert "torch==" in command
    assert "alkaliflow" not in command.partition(" -m ")[2]
    assert "'lammps[mpi]==" in install_command(clone=tmp_path)
