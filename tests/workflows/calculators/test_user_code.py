"""The code of a user's own factory is part of what a calculation is."""

import hashlib
from importlib.metadata import version
from pathlib import Path

import pytest
from ase import Atoms

from structures.errors import CalculationError, InputError, SetupError
from workflows.calculators.import_path import build_calculator_from_path
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.user_code import identify_code
from workflows.drive import run_calculations
from workflows.jobs.attempt import list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_key
from workflows.jobs.store import Store

CODE = """from ase.calculators.lj import LennardJones


def make():
    return LennardJones(sigma=3.4, epsilon=0.01)
"""
TRUSTED = {"trust_code": True}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on this process's path, and not on that of workers."""
    place = tmp_path / "code"
    place.mkdir()
    monkeypatch.syspath_prepend(place)
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(tmp_path / "slots"))
    return place


def build_spec(factory: str) -> CalculatorSpec:
    return build_calculator_spec("ase", potential=factory, overrides=TRUSTED, add_blob=str)


def build_calculation(factory: str) -> Calculation:
    return Calculation("single_point", Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]], cell=[20] * 3), build_spec(factory))


def test_an_edited_file_is_another_calculation(folder: Path) -> None:
    (folder / "edited_lj.py").write_text(CODE)
    first = build_calculation("edited_lj:make")
    assert first.calculator is not None
    assert first.calculator.code == {"edited_lj": f"sha256:{hashlib.sha256(CODE.encode()).hexdigest()}"}
    (folder / "edited_lj.py").write_text(CODE.replace("0.01", "0.02"))
    assert compute_key(build_calculation("edited_lj:make")) != compute_key(first)


def test_an_installed_module_is_known_by_its_version() -> None:
    assert identify_code("ase.calculators.emt:EMT") == {"ase": version("ase")}


def test_code_is_found_in_packages_and_never_run(folder: Path) -> None:
    (folder / "loud_package").mkdir()
    for name in ("__init__", "inner"):
        (folder / "loud_package" / f"{name}.py").write_text("raise SystemExit\n")
    digest = f"sha256:{hashlib.sha256(b'raise SystemExit' + bytes([10])).hexdigest()}"
    assert identify_code("loud_package.inner:make") == {"loud_package.inner": digest}
    assert identify_code("loud_package:make") == {"loud_package": digest}
    with pytest.raises(SetupError, match=r"there is no module loud_package\.absent on Python's path"):
        identify_code("loud_package.absent:make")


@pytest.mark.parametrize("factory", ["", "mylj", "mylj.make", "a:b:c", ":make", "a..b:c"])
def test_other_forms_are_refused(factory: str) -> None:
    with pytest.raises(InputError, match=r"needs 'package.module:factory', e.g. 'ase"):
        identify_code(factory)


def test_a_module_of_the_current_folder_comes_with_the_exact_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "only_here_lj.py").write_text(CODE)
    with pytest.raises(SetupError) as caught:
        build_spec("only_here_lj:make")
    assert str(caught.value).endswith(f"Put its folder on PYTHONPATH: export PYTHONPATH={tmp_path}")


def test_other_code_than_the_calculation_is_of_is_refused(folder: Path) -> None:
    (folder / "swapped_lj.py").write_text(CODE)
    spec = build_spec("swapped_lj:make")
    (folder / "swapped_lj.py").write_text(CODE.replace("3.4", "3.5"))
    with pytest.raises(
        SetupError, match=r"the code of swapped_lj:make is swapped_lj sha256:.* here, the calculation is"
    ):
        build_calculator_from_path(spec)


def test_code_that_lacks_a_package_is_a_fault_of_the_machine(folder: Path) -> None:
    (folder / "lacking_lj.py").write_text("import no_such_package\n")
    with pytest.raises(SetupError, match="lacking_lj:make cannot be imported: No module named 'no_such_package'"):
        build_calculator_from_path(build_spec("lacking_lj:make"))


def test_what_a_worker_lacks_is_no_result_and_passes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "worker_lj.py").write_text(CODE)
    store, calculation = Store(tmp_path / "store"), build_calculation("worker_lj:make")
    with pytest.raises(CalculationError, match="there is no module worker_lj on Python's path"):
        run_calculations([calculation], store=store, retries=0)
    job = store.job_directory(compute_key(calculation))
    assert not (job / "result.json").exists()
    assert (list_attempts(job)[-1].ended() or {})["passing"] is True
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("PYTHONPATH", folder.name, prepend=":")
    (result,) = run_calculations([calculation], store=store, retries=1)
    assert result.values["energy_eV"] < 0
    assert calculation.calculator is not None
    assert (result.versions or {})["worker_lj"] == calculation.calculator.code["worker_lj"]
