"""A user's mistakes on the command line: value, limit and fix, exit code 2, nothing started and nothing left behind."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write
from typer.testing import CliRunner

from structures.files import LARGEST_FILE_MB
from workflows import run_lock
from workflows.cli import app
from workflows.configuration import resolve_config
from workflows.run_directory import open_run

PAIR_COMMANDS = "pair_style lj/cut 6.0\npair_coeff * * 0.05 3.2\n"
ALLOY = "calculator.overrides.elements=[K, Bi, Sn, Sb]"
HOLD = """
import sys
from pathlib import Path
from workflows import run_lock
run_lock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", "http://unused.invalid/api")  # so that no server is started
    monkeypatch.setenv("ALKALIFLOW_STORE", str(tmp_path / "store"))
    (tmp_path / "all.pair").write_text(PAIR_COMMANDS)
    yield
    for path in tmp_path.rglob(run_lock.LOCK_FILE):
        run_lock.release(path.parent)


def list_files() -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path.cwd().rglob("*") if path.is_file()}


def refuse(*arguments: str) -> str:
    """Call a command that must refuse; gives its message."""
    before = list_files()
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert list_files() == before
    return result.output


def run(*sets: str, elements: str = ALLOY) -> list[str]:
    built = ("structure.repeats=[6, 3, 3]", "structure.dislocation.arrangement=dipole")
    given = ("calculator.name=lammps", "calculator.potential=all.pair", elements, "structure.metal_thickness_A=8")
    small = given if any("alloy_file" in text for text in sets) else (*given, *built)
    sets = (*small, "dynamics.temperature_K=300", *sets)
    return ["run", "potassium-diffusion", "--preset", "demo", *(word for text in sets for word in ("--set", text))]


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("dynamics.temprature_K=300", ("dynamics.temprature_K", "Did you mean temperature_K?")),
        ("structures.gap_A=3", ("structures", "Did you mean structure")),
        ("dynamics.temperature_K=hot", ('is "hot"', "needs a number in K", "Set it, e.g.")),
        ("structure.repeats=[6, x, 1]", ('is "x"', "needs a whole number")),
        ("dynamics.temperature_K=-5", ("is -5", "above 0 K", "temperature_K: 300")),
        ("dynamics.temperature_K=0", ("is 0", "above 0 K", "temperature_K: 300")),
        ("dynamics.timestep_fs=0", ("is 0", "above 0 fs", "timestep_fs: 3")),
        ("dynamics.timestep_fs=-1", ("is -1", "above 0 fs", "timestep_fs: 3")),
        ("structure.repeats=[6, 0, 1]", ("is 0", "above 0")),
        ("structure.repeats=[6, -3, 1]", ("is -3", "above 0")),
        ("structure.metal_thickness_A=0", ("is 0", "above 0 Å")),
        ("structure.metal_thickness_A=-8", ("is -8", "above 0 Å")),
        ("structure.dislocation.burgers_vector=1/2[11-20]", ("1/2[11-20]", "no lattice vector", "1/3[11-20]")),
        ("structure.repeats=[4, 2, 1]", ("(4, 2, 1)", "too small for the cores", "needs at least (6, 3, 1)")),
        ("structure.alloy={Bi: 1, Fe: 1}", ("Fe", "Bi, ")),
        ("structure.alloy_file=gone.cif", ("gone.cif",)),
    ],
)
def test_a_wrong_value_is_refused(assignment: str, parts: tuple[str, ...]) -> None:
    message = refuse(*run(assignment))
    for part in parts:
        assert part in message


FACTORY = ("calculator.name=ase", "calculator.potential=ase.calculators.lj:LennardJones", "calculator.overrides={}")


@pytest.mark.parametrize(
    ("assignments", "parts"),
    [
        (FACTORY, ("calculator ase runs the code of ase.calculators.lj:LennardJones", "trust_code=true")),
        (
            (*FACTORY, "calculator.potential=nomod:EMT", "calculator.overrides={trust_code: true}"),
            ("nomod:EMT cannot be imported: there is no module nomod", "PYTHONPATH"),
        ),
        (("calculator.potential=part.pair",), ("All pair coeffs are not set", "part.pair", "Bi", "Mend")),
        (("calculator.potential=wrong.pair",), ("is no finite number", "wrong.pair", "Mend")),
        (("resources.ranks=1000",), ("needs 1000 cores (ranks x threads)", "Set resources.ranks")),
        (("resources.memory_GB=0.01",), ("needs 1 GB", "may use 0.01 GB", "Set resources.memory_GB: 1 or more")),
        (
            ("dynamics.temperature_K=5000",),
            ("--set: dynamics.temperature_K is 5000", "below", "(3000 K)", "Set it lower"),
        ),
        (
            ("dynamics.temperature_K=300", "dynamics.limits.temperature_K=310"),
            ("limits.temperature_K is 310, needs at least", "fluctuates", "limits.temperature_K: 4"),
        ),
        (
            ("dynamics.thermostat_damping_fs=0.1",),
            ("thermostat_damping_fs is 0.1, needs 10 time steps (30 fs)", ": 100"),
        ),
        (
            ("dynamics.thermostat_damping_fs=1e9",),
            ("to the length of the run (12000 fs)", "thermostat_damping_fs: 100"),
        ),
        (("dynamics.timestep_fs=0.003",), ("timestep_fs is 0.003, needs 0.1 to 20 fs (fs, not ps)", "timestep_fs: 3")),
        (
            ("dynamics.start_temperature_K=500",),
            ("--set: dynamics.start_temperature_K is 500, needs at most", "(300 K)"),
        ),
        (
            ("analysis.rdf_max_A=80",),
            ("analysis.rdf_max_A is 80, needs at most", "half of the smallest", "rdf_max_A: 1"),
        ),
    ],
)
@pytest.mark.parametrize("options", [["--dry-run"], []], ids=["dry", "real"])
def test_what_would_fail_later_is_refused_before_anything_starts(
    assignments: tuple[str, ...], parts: tuple[str, ...], options: list[str], tmp_path: Path
) -> None:
    (tmp_path / "part.pair").write_text("pair_style lj/cut 6.0\npair_coeff 1 1 0.05 3.2\n")
    (tmp_path / "wrong.pair").write_text("pair_style lj/cut 6.0\npair_coeff * * 1e300 1e9\n")
    message = refuse(*run(*assignments), *options)
    for part in parts:
        assert part in message
    assert "No runs below runs" in CliRunner().invoke(app, ["list"]).output


def test_code_is_imported_only_if_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_untrusted.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    refuse(
        *run("calculator.name=ase", "calculator.potential=mine_untrusted:make", "calculator.overrides={}"), "--dry-run"
    )
    assert not (tmp_path / "imported").exists()


def test_a_distillation_without_memory_is_refused() -> None:
    teacher = "teacher.overrides={trust_code: true, factory: ase.calculators.emt:EMT}"
    sets = ("teacher.name=ase", teacher, "resources.memory_GB=0.5")
    arguments = ["run", "potential-distillation", "--preset", "demo", "--dry-run"]
    message = refuse(*arguments, *(word for text in sets for word in ("--set", text)))
    assert "needs 4 GB of memory, this run may use 0.5 GB (memory_GB). Set resources.memory_GB: 4 or more" in message


def test_a_long_timestep_is_noted() -> None:
    arguments = [
        *run("dynamics.timestep_fs=10", "dynamics.frame_every_ps=0.3", "dynamics.thermo_every_ps=0.3"),
        "--dry-run",
    ]
    output = CliRunner().invoke(app, arguments).output
    assert "note        timestep_fs is 10: with the lightest atoms here more than about 6.3 fs" in output


def test_a_composition_is_printed_as_a_formula() -> None:
    output = CliRunner().invoke(app, [*run("structure.alloy={Bi: 2, Sb: 1}"), "--dry-run"]).output
    system = output.splitlines()[0]
    assert system.startswith("system      Bi2Sb a = ")
    assert "dislocation, control;" in system


def test_a_cell_too_small_for_the_cutoff_is_refused() -> None:
    message = refuse(*run("structure.cases=[control]", "structure.repeats=[1, 1, 1]", "structure.max_strain=0.2"))
    assert "is 4.41 Å along axis x, needs at least the cut-off, 6.00 Å; repeat it 2 times along x" in message


def test_elements_that_a_potential_lacks_are_named() -> None:
    message = refuse(*run(elements="calculator.overrides.elements=[K, Bi]"))
    assert "has no parameters for Sb, Sn (it knows K, Bi); use another calculator or structure." in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"data_x\n_cell_length_a 4.5\nloop_\n_atom_site_label\n", "cannot be read"),
        (b"", "is empty (0 bytes), needs a structure"),
        (b"data_x\n\0\1\2", "is a binary file, needs text; convert it"),
        (b"\x7fELF\xff\xfe\0", "is a binary file, needs text; convert it"),
    ],
)
@pytest.mark.parametrize("key", ["alloy_file", "potassium_file"])
def test_a_file_that_is_no_structure_is_refused(content: bytes, part: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "mine.cif").write_bytes(content)
    message = refuse(*run(f"structure.{key}=mine.cif"))
    assert "mine.cif" in message
    assert part in message


def test_a_file_of_other_elements_is_refused_before_its_cell_is_judged(tmp_path: Path) -> None:
    write(tmp_path / "cu.cif", bulk("Cu", cubic=True))
    message = refuse(*run("structure.alloy_file=cu.cif", "structure.cases=[control]"), "--dry-run")
    assert "has no parameters for Cu (it knows K, Bi, Sn, Sb)" in message


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.cif").open("wb") as stream:
        stream.write(b"data_x\n")
        stream.truncate((LARGEST_FILE_MB + 88) * 1_000_000)  # a hole: takes no room
    for arguments in (run("structure.alloy_file=huge.cif"), ["relax", "huge.cif"]):
        assert f"has 600 MB, limit {LARGEST_FILE_MB} MB; cut the structure down" in refuse(*arguments)


def begin(directory: Path, *sets: str) -> None:
    """Begin the run that `run` would, without computing anything."""
    given = [text for text in run(*sets) if "=" in text]
    config = resolve_config(preset="demo", sets=given).config
    open_run(directory, flow="potassium-diffusion", config=config, store=Path.cwd() / "store")
    run_lock.release(directory)


def test_a_work_directory_of_another_run_is_refused(tmp_path: Path) -> None:
    begin(tmp_path / "mine", "dynamics.temperature_K=310")
    message = refuse(*run(), "--workdir", "mine")
    assert "mine: holds another run: dynamics.temperature_K is 310.0 there and 300.0 now. Choose another" in message


def test_a_work_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    assert "holds other files (thesis.tex), needs a new or empty directory" in refuse(*run(), "--workdir", "mine")


def test_a_second_process_on_a_run_is_refused(tmp_path: Path) -> None:
    begin(tmp_path / "mine")
    command = [sys.executable, "-P", "-c", HOLD, str(tmp_path / "mine")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        for arguments in ([*run(), "--workdir", "mine"], ["resume", "mine"], ["analyse", "mine"]):
            message = refuse(*arguments)
            assert f"mine: process {other.pid} on" in message
            assert f"kill -INT {other.pid}, or choose another directory with --workdir." in message
        other.communicate("")


@pytest.mark.parametrize("command", ["run", "single-point", "job"])
def test_a_store_of_a_newer_schema_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "new" / "jobs").mkdir(parents=True)
    (tmp_path / "new" / "store.json").write_text('{"schema_version": 99}')
    write(tmp_path / "cu.extxyz", bulk("Cu", cubic=True))
    emt = ("--calculator", "ase", "--potential", "ase.calculators.emt:EMT", "--set", "calculator.trust_code=true")
    arguments = {
        "run": [*run(), "--workdir", "mine"],
        "single-point": ["single-point", "cu.extxyz", *emt],
        "job": ["job", "show", "abc"],
    }
    message = refuse(*arguments[command], "--store", "new")
    assert "has schema version 99, this alkaliflow knows 1. Update alkaliflow, or choose another store" in message
    assert not (tmp_path / "mine").exists()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk in memory with 1 MB."""
    place, program = tmp_path / "disk", shutil.which("mount")
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or program is None or subprocess.run([program, *options], check=False).returncode != 0:
        pytest.skip("needs root to mount a disk: sudo .venv/bin/python -m pytest tests/end_to_end/test_bad_input.py")
    yield place
    subprocess.run([shutil.which("umount") or "umount", "--lazy", str(place)], check=True)


def test_a_full_work_directory_is_refused(disk: Path) -> None:
    message = refuse(*run(), "--workdir", str(disk / "mine"))
    assert "has 1 MB free, needs 50 MB for results and report. Free some space, or choose another" in message


@pytest.mark.parametrize("option", ["--workdir", "--store"])
def test_a_read_only_place_is_refused(disk: Path, option: str) -> None:
    subprocess.run([shutil.which("mount") or "mount", "-o", "remount,ro", str(disk)], check=True)
    message = refuse(*run(), option, str(disk / "mine"))
    assert "is on a read-only file system: choose another place" in message
    assert str(disk / "mine") in message
