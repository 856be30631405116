"""What is installed here, what each calculator can do, and what to install for the rest."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from structures.errors import InputError
from workflows.installation import install_command, list_requirements, reinstall_command

State = Literal["ok", "absent", "bad"]
# Package → what it is for, and the extra that brings it.
EXTRA_PACKAGES = {
    "torch": ("the calculator chgnet", "mlip"),
    "chgnet": ("the calculator chgnet", "mlip"),
    "packmol": ("the flow electrolyte-interface", "electrolyte"),
    "rdkit": ("molecules from SMILES and the flow electrolyte-interface", "electrolyte"),
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MIN_FREE_GB = 2.0
_BYTES_PER_GB = 1e9
_MARKS = {"ok": "ok    ", "absent": "-     ", "bad": "PROBLEM"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        section: heading that it stands under.
        name: what was looked at.
        state: ok; absent, which is no fault; bad, which keeps runs from working.
        detail: what was found.
        fix: what to do about it.
    """

    section: str
    name: str
    state: State
    detail: str
    fix: str = ""

    def line(self) -> str:
        """The finding as text."""
        fix = f"  → {self.fix}" if self.fix else ""
        return f"  {_MARKS[self.state]:<8}{self.name:<16}{self.detail}{fix}"

    def to_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return asdict(self)


def examine(*, store: Path, quick: bool = False) -> list[Finding]:
    """Look at this machine.

    Args:
        store: the store that runs would use.
        quick: start no programs.

    Returns:
        Findings, section by section.
    """
    return [
        *_packages(),
        *_calculators(),
        *_programs(quick=quick),
        *_machine(store),
        Finding("Schedulers", "local", "ok", "this machine"),
        _slurm(),
    ]


def _slurm() -> Finding:
    """Whether jobs can be handed in from here."""
    if shutil.which("sbatch") is None:
        return Finding("Schedulers", "slurm", "absent", "sbatch is not in PATH; only for --executor slurm")
    return Finding("Schedulers", "slurm", "ok", "sbatch found; try a job: alkaliflow doctor --cluster default")


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for package in ("alkaliflow", *list_requirements()):
        found = _version_of(package)
        if found is None:
            yield Finding("Packages", package, "bad", "is missing", install_command())
        else:
            yield Finding("Packages", package, "ok", found)
    for package, (purpose, extra) in EXTRA_PACKAGES.items():
        found = _version_of(package)
        if found is None:
            yield Finding("Packages", package, "absent", f"optional, for {purpose}", install_command(extra=extra))
        else:
            yield Finding("Packages", package, "ok", found)


def _calculators() -> Iterator[Finding]:
    from workflows.calculators.registry import CALCULATORS

    for name, can in CALCULATORS.items():
        parts = [can.summary, f"dynamics: {', '.join(can.ensembles)}", f"engine: {can.engine}"]
        if can.elements is not None:
            parts.append(f"{len(can.elements)} elements")
        missing = can.missing_modules()
        if missing:
            yield Finding("Calculators", name, "absent", f"needs {', '.join(missing)}; {parts[0]}", can.install)
        else:
            yield Finding("Calculators", name, "ok", "; ".join(parts))
    yield from _electronic_methods()
    yield from _potentials()


def _electronic_methods() -> Iterator[Finding]:
    from workflows.calculators.electronic import ELECTRONIC_METHODS

    for name, method in ELECTRONIC_METHODS.items():
        missing = method.list_missing()
        if missing:
            detail = f"needs {', '.join(missing)}; {method.summary}"
            yield Finding("Calculators", name, "absent", detail, method.install)
        else:
            yield Finding("Calculators", name, "ok", f"{method.summary}; protocols: {', '.join(method.protocols)}")


def _potentials() -> Iterator[Finding]:
    folder = Path(__file__).parent / "potentials"
    cards = sorted(folder.glob("*/card.json"))
    if not cards:
        fix = "reinstall alkaliflow, or distil one: alkaliflow run potential-distillation"
        yield Finding("Calculators", "potentials", "bad", "none is shipped with this installation", fix)
    for card in cards:
        yield Finding(
            "Calculators", card.parent.name, "ok", f"potential of the calculator pod, card: {card.with_suffix('.md')}"
        )


def _programs(*, quick: bool) -> Iterator[Finding]:
    if not quick:
        yield _lammps()
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.prefix) / "bin"))
    yield (
        Finding("Programs", "mpiexec", "ok", mpiexec)
        if mpiexec
        else Finding("Programs", "mpiexec", "absent", "only for resources.ranks above 1", install_command())
    )
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    yield (
        Finding("Programs", "chromium", "ok", browser)
        if browser
        else Finding(
            "Programs", "chromium", "absent", "optional: tests look at the report with it", "apt-get install chromium"
        )
    )


def _lammps() -> Finding:
    from workflows.engines.lammps_process import find_lammps

    try:
        engine = find_lammps()
    except InputError as error:
        return Finding("Programs", "LAMMPS", "bad", str(error))
    reinstall = reinstall_command("lammps", "mpich")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "start.in"
        script.write_text("units metal\nprint started\n", encoding="utf-8")
        try:
            ended = subprocess.run(
                engine.command(["-in", str(script), "-log", "none"]),
                env=engine.environment(),
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Finding("Programs", "LAMMPS", "bad", f"does not start: {error}", reinstall)
    if ended.returncode != 0:
        last = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
        fix = f"is /dev/shm writable? else {reinstall}"
        return Finding("Programs", "LAMMPS", "bad", f"does not start: {' '.join(last)}", fix)
    return Finding("Programs", "LAMMPS", "ok", f"{engine.version}, {engine.executable}")


def _machine(store: Path) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    yield Finding("Machine", "cores", "ok", f"{cores}")
    memory = psutil.virtual_memory()
    yield Finding(
        "Machine",
        "memory",
        "ok",
        f"{memory.available / _BYTES_PER_GB:.1f} of {memory.total / _BYTES_PER_GB:.1f} GB free",
    )
    yield _shared_memory(Path("/dev/shm"))  # noqa: S108 (the one that MPICH uses)
    yield _disk(store)


def _shared_memory(path: Path) -> Finding:
    fix = "mount a tmpfs there; MPICH aborts without it"
    try:
        with tempfile.TemporaryFile(dir=path):
            return Finding("Machine", str(path), "ok", "writable")
    except OSError as error:
        return Finding("Machine", str(path), "bad", f"cannot be written ({error.strerror})", fix)


def _disk(store: Path) -> Finding:
    existing = next(parent for parent in (store, *store.parents) if parent.exists())
    free_GB = shutil.disk_usage(existing).free / _BYTES_PER_GB
    detail = f"{store}, {free_GB:.1f} GB free"
    if not os.access(existing, os.W_OK):
        return Finding("Machine", "store", "bad", f"{store} cannot be written", "choose another with --store")
    if free_GB < MIN_FREE_GB:
        return Finding("Machine", "store", "bad", detail, f"free some space, runs need at least {MIN_FREE_GB:g} GB")
    return Finding("Machine", "store", "ok", detail)
