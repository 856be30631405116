"""Argon in LAMMPS and in ASE, small enough to be computed again and again, and what its runs are compared by."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read

from analysis.diffusion import compute_displacements, compute_msd
from analysis.rdf import compute_rdfs
from analysis.trajectory import read_trajectory
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.drive import run_calculations
from workflows.jobs.attempt import list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.durable import compute_sha256
from workflows.jobs.store import Finished, Store

ENGINES = ("lammps", "ase")
PAIR_COMMANDS = "pair_style lj/cut 4.0\npair_modify shift yes\npair_coeff * * 0.0104 3.4\n"
ASE_ARGUMENTS = {"sigma": 3.4, "epsilon": 0.0104, "rc": 4.0}
SHORT = {"heat_steps": 20, "equilibrate_steps": 20, "production_steps": 80, "segment_steps": 20}
OFTEN = {"frame_every_steps": 10, "thermo_every_steps": 5}
COLD = {"temperature_K": 40.0, "start_temperature_K": 20.0}
DRIVER = """
import sys
from pathlib import Path
from workflows.drive import run_calculations
from workflows.jobs.store import Store
store, wanted = Store(Path(sys.argv[1])), Store(Path(sys.argv[2]))
run_calculations([wanted.load(sys.argv[3])], store=store, retries=int(sys.argv[4]))
"""


@dataclass(frozen=True)
class Argon:
    """Argon with one engine in one store."""

    store: Store
    engine: str
    settings: dict[str, Any] = field(default_factory=lambda: {**SHORT, **OFTEN, **COLD})

    def calculation(self, recipe: str = "molecular_dynamics", **settings: Any) -> Calculation:  # noqa: ANN401
        """Dynamics of the settings, or another recipe; what is given goes over them."""
        atoms = bulk("Ar", "fcc", a=5.26, cubic=True).repeat(2)
        atoms.rattle(0.05, seed=1)
        wanted = {"minimise": True, **self.settings} if recipe == "molecular_dynamics" else {}
        return Calculation(recipe, atoms, self._spec(), {**wanted, **settings}, seed=7)

    def _spec(self) -> CalculatorSpec:
        if self.engine == "ase":
            overrides = {"trust_code": True, "arguments": ASE_ARGUMENTS}
            potential = "ase.calculators.lj:LennardJones"
        else:
            path = self.store.root / "argon.pair"
            path.write_text(PAIR_COMMANDS)
            overrides, potential = {"elements": ["Ar"]}, str(path)
        return build_calculator_spec(
            self.engine, potential=potential, overrides=overrides, add_blob=self.store.add_blob
        )

    def job(self, calculation: Calculation) -> Path:
        """Directory of the calculation, which is created."""
        return self.store.job_directory(self.store.create(calculation))

    def drive(self, calculation: Calculation, *, kill_at: str | None = None, retries: int = 2) -> subprocess.Popen[str]:
        """Start a driver in a process of its own, which dies at an edge if one is named."""
        environment = dict(os.environ) if kill_at is None else {**os.environ, "ALKALIFLOW_KILL_AT": kill_at}
        wanted = Store(self.store.root.with_name("wanted"))  # the driver itself is to create it in its store
        arguments = [str(self.store.root), str(wanted.root), wanted.create(calculation), str(retries)]
        command = [sys.executable, "-P", "-c", DRIVER, *arguments]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def run(self, calculation: Calculation | None = None) -> Finished:
        """Bring it to its result from this process."""
        wanted = calculation if calculation is not None else self.calculation()
        (result,) = run_calculations([wanted], store=self.store)
        return result

    def find_worker(self, calculation: Calculation) -> psutil.Process | None:
        """The worker that is on it now."""
        attempts = list_attempts(self.job(calculation))
        started = attempts[-1].started() if attempts else None
        if started is None or "process" not in started or attempts[-1].ended() is not None:
            return None
        try:
            process = psutil.Process(int(started["process"]["pid"]))
        except psutil.NoSuchProcess:
            return None
        return process if process.status() != psutil.STATUS_ZOMBIE else None


T = TypeVar("T")


def wait_for(
    look: Callable[[], T | None], *, what: str, driver: subprocess.Popen[str] | None = None, timeout_s: float = 240.0
) -> T:
    """Look until there is something; a driver that has ended will bring nothing more."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended = driver is not None and driver.poll() is not None
        found = look()
        if found is not None and found is not False:
            return found
        if driver is not None and ended:
            message = f"the driver ended ({driver.returncode}) before {what}: {driver.communicate()[1]}"
            raise RuntimeError(message)
        time.sleep(0.005)
    message = f"{what} did not happen within {timeout_s:g} s"
    raise TimeoutError(message)


def digest_segments(result: Finished) -> list[dict[str, str]]:
    """SHA-256 of every file of every segment; segment.json alone may differ, which holds wall times."""
    return [
        {path.name: compute_sha256(path) for path in sorted(segment.iterdir()) if path.name != "segment.json"}
        for segment in result.segments
    ]


def observe(result: Finished) -> dict[str, Any]:
    """All that two runs of the same dynamics must agree in: bytes of the segments, values, observables."""
    structure = read(result.files["final"], format="extxyz")
    assert isinstance(structure, Atoms)
    universe = read_trajectory([segment / "trajectory.nc" for segment in result.segments], topology=structure)
    (rdf,) = compute_rdfs(universe, pairs=[("Ar", "Ar")], r_max_A=4.8, n_blocks=2)
    times_ps, positions_A = compute_displacements(universe, species="Ar")
    msd = compute_msd(positions_A, time_ps=times_ps, species="Ar", n_blocks=2)
    return {
        "segments": digest_segments(result),
        "values": dict(result.values),
        "final": compute_sha256(result.files["final"]),
        "rdf": rdf.to_json(),
        "msd": msd.to_json(),
    }


def find_reasons(job: Path) -> list[str]:
    """Why the attempts at a calculation ended; empty for one that could not say."""
    return [str((attempt.ended() or {}).get("reason", "")) for attempt in list_attempts(job)]


@pytest.fixture(autouse=True)
def _own_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(tmp_path / "slots"))
    monkeypatch.delenv("ALKALIFLOW_KILL_AT", raising=False)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def argon(tmp_path: Path, engine: str) -> Argon:
    return Argon(Store(tmp_path / "store"), engine)


_OBSERVED: dict[str, dict[str, Any]] = {}


@pytest.fixture
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Argon], dict[str, Any]]:
    """What a run that nothing happened to gives: once an engine and settings, in a store of its own."""

    def find(argon: Argon) -> dict[str, Any]:
        name = json.dumps([argon.engine, argon.settings])
        if name not in _OBSERVED:
            apart = Argon(Store(tmp_path_factory.mktemp("untouched")), argon.engine, argon.settings)
            _OBSERVED[name] = observe(apart.run())
        return _OBSERVED[name]

    return find
