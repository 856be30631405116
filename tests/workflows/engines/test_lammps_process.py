import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from structures.errors import CalculationError, ConvergenceError
from workflows.engines.lammps_process import clear_shared_memory, explain_failure, find_lammps, run_lammps

LONG = """units lj
lattice fcc 0.8
region box block 0 4 0 4 0 4
create_box 1 box
create_atoms 1 box
mass 1 1.0
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0
fix move all nve
thermo 100
thermo_modify flush yes
run 10000000
"""


def test_engine_tells_version_and_checksum() -> None:
    engine = find_lammps()
    assert engine.executable.is_file()
    assert "20" in engine.version
    assert len(engine.sha256) == 64


def test_command_with_ranks_and_threads() -> None:
    command = find_lammps().command(["-in", "x"], ranks=2, threads=3)
    assert command[0].endswith("mpiexec")
    assert command[-5:] == ["-suffix", "omp", "-package", "omp", "3"]
    assert command[command.index("-n") + 1] == "2"
    assert find_lammps().environment(threads=3)["OMP_NUM_THREADS"] == "3"


def test_refused_command_shows_lammps_own_words(tmp_path: Path) -> None:
    (tmp_path / "wrong.in").write_text("units metal\npear_style lj/cut 3\n")
    with pytest.raises(ConvergenceError, match=r"(?s)Unknown command: pear_style.*Log: .*wrong.log"):
        run_lammps(tmp_path, input_name="wrong.in", log=tmp_path / "wrong.log")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_killed_engine_may_do_better_next_time(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "long.in").write_text(LONG)
    killed = []

    def kill(line: str) -> None:
        if line.split()[:1] == ["100"]:
            (engine,) = psutil.Process().children()
            killed.append(engine.pid)
            os.kill(engine.pid, number)

    with pytest.raises(CalculationError, match=f"ended by signal {number.name}"):
        run_lammps(tmp_path, input_name="long.in", on_line=kill)
    (engine,) = killed
    assert not Path(f"/dev/shm/mpich_shm_{engine:x}_0").exists()  # noqa: S108


def test_only_old_shared_memory_of_dead_engines_is_cleared(tmp_path: Path) -> None:
    dead = subprocess.run(["/bin/sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    gone = int(dead.stdout)
    kept = [f"mpich_shm_{os.getpid():x}_0", f"mpich_shm_{gone:x}_1", "mpich_shm_name_0"]
    for name in (*kept, f"mpich_shm_{gone:x}_0"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0.0, 0.0))
    clear_shared_memory(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    (tmp_path / f"mpich_shm_{gone:x}_0").touch()
    clear_shared_memory(tmp_path)
    assert (tmp_path / f"mpich_shm_{gone:x}_0").exists()


def test_watcher_that_raises_ends_the_engine(tmp_path: Path) -> None:
    (tmp_path / "long.in").write_text(LONG)

    def stop(line: str) -> None:
        if line.split()[:1] == ["100"]:
            message = "enough"
            raise ConvergenceError(message)

    with pytest.raises(ConvergenceError, match="enough"):
        run_lammps(tmp_path, input_name="long.in", on_line=stop)
    assert psutil.Process().children() == []


@pytest.mark.parametrize(
    ("status", "line", "kind"),
    [
        (-9, "", CalculationError),
        (137, "", CalculationError),
        (1, "ERROR on proc 0: Failed to allocate 8000 bytes for array", CalculationError),
        (1, "ERROR: Cannot open dump file", CalculationError),
        (1, "ERROR on proc 0: Error writing dump trajectory: No space left on device", OSError),
        (1, "ERROR: Lost atoms: original 256 current 255", ConvergenceError),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(status: int, line: str, kind: type[Exception]) -> None:
    assert type(explain_failure(status, [line], log=None)) is kind
