"""Runs an electronic-structure code as a child that dies with this process, and reads what it found."""

import subprocess
import sys
from collections import deque
from pathlib import Path

from structures.errors import CalculationError, ConvergenceError, InputError, SetupError
from workflows.engines.electronic_files import LOG_FILE, Answer, read_answer
from workflows.engines.lammps_process import die_with_parent
from workflows.installation import reinstall_command

_LAST_LINES = 12
HAS_RANKS = ("gpaw",)  # codes that run on several MPI processes here; the others on threads


def build_command(code: str, *, directory: Path, ranks: int = 1) -> list[str]:
    """Argument list that starts the code on a request.

    Raises:
        SetupError: if several ranks are asked for and there is no `mpiexec` in this environment.
        InputError: if several ranks are asked for of a code that runs on threads here.
    """
    check_ranks(code, ranks=ranks)
    command = [sys.executable, "-P", "-m", f"workflows.engines.{code}_process", str(directory)]
    if ranks == 1:
        return command
    launcher = Path(sys.prefix) / "bin" / "mpiexec"
    if not launcher.exists():
        raise SetupError(
            f"ranks is {ranks}, but there is no {launcher}: set ranks to 1, or {reinstall_command('mpich')}"
        )
    return [str(launcher), "-bind-to", "none", "-n", str(ranks), *command]


def check_ranks(code: str, *, ranks: int) -> None:
    """Check that the code can run on that many ranks here.

    Raises:
        InputError: says how to use the cores otherwise.
    """
    if code not in HAS_RANKS and ranks != 1:
        raise InputError(
            f"resources.ranks is {ranks}, needs 1 for the calculator {code}. Set resources.threads: {ranks} instead."
        )


def share_cores(code: str, *, ranks: int, threads: int = 1) -> dict[str, int]:
    """Ranks and threads of a calculation; a code without ranks takes threads in their place."""
    return {"ranks": ranks, "threads": threads} if code in HAS_RANKS else {"ranks": 1, "threads": ranks * threads}


def run_electronic_code(code: str, *, directory: Path, ranks: int = 1) -> Answer:
    """Run a request to its end.

    Args:
        code: `gpaw`, `pyscf`, `cp2k` or `xtb`.
        directory: holds the request; gets the code's log and the answer.
        ranks: MPI processes.

    Raises:
        ConvergenceError: if the SCF or the relaxation did not converge, or the code refused the input.
        CalculationError: if the code crashed or was killed; its last lines are in the message.
    """
    directory = directory.absolute()  # it becomes the code's working directory
    output = directory / "process.log"
    with (
        output.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            build_command(code, directory=directory, ranks=ranks),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),  # noqa: PLW1509  the worker has no other thread
        ) as process,
    ):
        try:
            status = process.wait()
        except BaseException:
            process.kill()
            raise
    answer = read_answer(directory)
    if status != 0 or answer is None:
        raise CalculationError(
            f"{code} ended with status {status} and no answer. Its last lines:\n  {_read_tail(output)}\n"
            f"Its files: {directory} ({LOG_FILE}, {output.name})"
        )
    if answer.status != "done":
        raise ConvergenceError(f"{code}: {answer.reason}. Its files: {directory} ({LOG_FILE})")
    return answer


def _read_tail(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return "\n  ".join(line.rstrip() for line in deque(stream, maxlen=_LAST_LINES))
