"""The flow from the command line to its report, on a small cell: Packmol, LAMMPS, Prefect, and OpenMM as a referee."""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances

from analysis.trajectory import read_trajectory
from structures.labels import ELECTRODE, ELECTROLYTE, LAYER
from workflows.calculators.force_field import read_topology_of
from workflows.configuration.electrolyte_interface import PRESETS, ElectrolyteInterfaceConfig
from workflows.electrolyte_interface import open_run
from workflows.electrolyte_run import InterfaceRun, Replica, build_calculators
from workflows.engines.molecular_energies import TERMS, compute_energy_terms_lammps
from workflows.engines.openmm_system import compute_energy_terms_openmm
from workflows.engines.trajectory_files import TRAJECTORY
from workflows.flow_run import read_structure_of
from workflows.jobs.attempt import count_executions
from workflows.jobs.store import Store

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-P", "-c", "from workflows.cli import main; main()"]
SHORT = (
    "dynamics.anneal_ps=0.1",
    "dynamics.heat_ps=0.1",
    "dynamics.equilibrate_ps=0.1",
    "dynamics.production_ps=0.4",
    "dynamics.segment_ps=0.1",
    "dynamics.frame_every_ps=0.02",
    "dynamics.thermo_every_ps=0.01",
)


@dataclass(frozen=True)
class Place:
    """A folder with a store that the command line works in."""

    path: Path

    @property
    def store(self) -> Store:
        return Store(self.path / "store")

    def call(self, *arguments: str) -> str:
        """Run a command to its end; gives what it printed."""
        environment = {
            **os.environ,
            "ALKALIFLOW_STORE": str(self.path / "store"),
            "ALKALIFLOW_SLOTS": str(self.path / "slots"),
            "XDG_CACHE_HOME": str(self.path / "cache"),
        }
        environment.pop("PREFECT_HOME", None)
        ended = subprocess.run(
            [*COMMAND, *arguments], cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )
        output = ended.stdout + ended.stderr
        assert ended.returncode == 0, output
        assert "Traceback" not in output
        return output

    def run(self, workdir: str, *others: str) -> str:
        sets = [word for text in (*SHORT, *others) for word in ("--set", text)]
        return self.call("run", "electrolyte-interface", "--preset", "demo", *sets, "--workdir", workdir)

    def results(self, workdir: str) -> dict[str, Any]:
        results: dict[str, Any] = json.loads((self.path / workdir / "results.json").read_text())
        return results

    def open(self, workdir: str) -> InterfaceRun:
        config = self.results(workdir)["config"]
        return open_run(config, workdir=str(self.path / workdir), store=str(self.store.root))

    def replica(self, workdir: str, case: str) -> Replica:
        return Replica(case, 1, self.path / workdir / "cells" / f"{case}-1.extxyz")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Place:
    """A run of both cases; all processes of the tests share it."""
    base = tmp_path_factory.getbasetemp()
    made = Place((base if worker_id == "master" else base.parent) / "electrolyte-flow")
    made.path.mkdir(exist_ok=True)
    with (made.path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made.path / "output.txt").exists():
            (made.path / "output.txt").write_text(made.run("first"))
    return made


def test_both_cases_and_the_contrast_are_answered(place: Place) -> None:
    results = place.results("first")
    assert results["status"] == "completed"
    assert list(results["observables"]["cases"]) == ["bare", "layer"]
    contrast = results["observables"]["contrast"]
    assert contrast["label"] == "TFSI- O"
    assert not contrast["resolved"]
    binding = {case: part["layer_binding"] for case, part in results["observables"]["cases"].items()}
    assert binding["bare"] == []
    assert [one["label"] for one in binding["layer"]] == ["N-H...O of TFSI-", "NH2-MIL-node Fe, TFSI- O"]
    assert results["observables"]["answer"] == contrast["sentence"]
    assert contrast["sentence"] in (place.path / "output.txt").read_text()
    assert (place.path / "first" / "report.html").stat().st_size > 100_000
    assert results["system"]["layer"]["charge_e"] == results["system"]["bare"]["charge_e"] == 0
    assert set(results["provenance"]["keys"]) == {
        *("relax, bare, seed 1", "relax, layer, seed 1", "anneal, bare, seed 1", "anneal, layer, seed 1"),
        *("bare, seed 1", "layer, seed 1"),
    }


def test_an_equal_run_computes_nothing_anew_and_finds_the_same(place: Place) -> None:
    place.run("again")
    first, again = place.results("first"), place.results("again")
    assert again["provenance"]["keys"] == first["provenance"]["keys"]
    assert again["observables"] == first["observables"]
    keys = first["provenance"]["keys"].values()
    assert [count_executions(place.store.job_directory(key)) for key in keys] == [1] * 6
    place.call("analyse", "again")
    assert place.results("again")["observables"] == first["observables"]


@pytest.mark.parametrize("case", ["bare", "layer"])
def test_rigid_regions_stay_and_numbers_follow_from_the_trajectory(place: Place, case: str) -> None:
    run, replica = place.open("first"), place.replica("first", case)
    cell = replica.read_cell()
    finished = run.finished(place.results("first")["provenance"]["keys"][replica.name])
    universe = read_trajectory([part / TRAJECTORY for part in finished.segments], topology=cell)
    rigid = np.isin(cell.arrays["region"], [ELECTRODE, LAYER])
    heights = np.where(cell.arrays["region"] == ELECTRODE, cell.positions[:, 2], -np.inf)
    top = np.flatnonzero(heights > heights.max() - 1.0)
    oxygens = np.flatnonzero((cell.arrays["species"] == "TFSI-") & (cell.symbols == "O"))
    reported = place.results("first")["observables"]["cases"][case]["coordination"]
    counts = []
    for timestep in universe.trajectory:
        positions = timestep.positions.astype(float)
        assert np.allclose(positions[rigid], cell.positions[rigid], rtol=0, atol=1e-4)
        if timestep.time > 0.2 + 1e-6:  # cooling and equilibration
            box = Atoms(cell=cell.cell, pbc=True)
            apart, distances = get_distances(positions[top], positions[oxygens], cell=box.cell, pbc=box.pbc)
            above = apart[:, :, 2] > -np.ptp(cell.positions[cell.arrays["region"] == ELECTRODE, 2]) / 2
            counts.append(((distances < reported["cutoff_A"]) & above).sum() / len(top))
    assert len(counts) == 20
    assert reported["sites"]["value"] == pytest.approx(np.mean(counts), rel=1e-5)


@pytest.mark.parametrize("case", ["bare", "layer"])
def test_openmm_gives_the_energies_of_the_cell_that_lammps_ran(place: Place, case: str, tmp_path: Path) -> None:
    run, replica = place.open("first"), place.replica("first", case)
    relaxed = read_structure_of(
        run.finished(place.results("first")["provenance"]["keys"][f"relax, {replica.name}"]), file="relaxed"
    )
    (spec,) = build_calculators(run, replicas=[replica]).values()
    topology = read_topology_of(spec, blob_path=run.store.blob_path)
    first = compute_energy_terms_lammps(topology, atoms=relaxed, directory=tmp_path, cutoff_A=8.0, kspace_accuracy=1e-7)
    second = compute_energy_terms_openmm(topology, atoms=relaxed, cutoff_A=8.0, ewald_tolerance=1e-7)
    terms = set(TERMS) - (
        {"van_der_Waals"} if case == "layer" else set()
    )  # the rigid node's own, which no run computes
    for term in terms:
        assert first.energies_eV[term] == pytest.approx(second.energies_eV[term], rel=1e-4, abs=1e-7), term
    mobile = relaxed.arrays["region"] == ELECTROLYTE
    ours, theirs = first.forces_eV_per_A[mobile], second.forces_eV_per_A[mobile]
    assert np.sqrt(((ours - theirs) ** 2).mean() / (theirs**2).mean()) < 3e-4
    assert np.sqrt((theirs**2).mean()) < 5.0


def test_one_case_with_a_free_surface_and_a_solvent(place: Place) -> None:
    sets = (
        "structure.cases=[bare]",
        "structure.boundary=vacuum",
        "structure.vacuum_A=30",
        'structure.electrolyte.counts={"Li+": 4, "TFSI-": 4, "DME": 10}',
        "structure.electrolyte.density_g_per_cm3=0.9",
        "dynamics.anneal_ps=0",
        "dynamics.production_ps=0.2",
    )
    place.run("film", *sets)
    results = place.results("film")
    assert "contrast" not in results["observables"]
    labels = [entry["label"] for entry in results["observables"]["cases"]["bare"]["rdf"]]
    assert any("DME O" in label for label in labels)
    assert not any("annealed" in text for text in results["methods"])
    assert any("correction for slabs" in text for text in results["methods"])


def test_presets_are_sound() -> None:
    for name, values in PRESETS.items():
        config = ElectrolyteInterfaceConfig.model_validate(values, strict=False)
        assert config.dynamics.production_steps > 0, name
