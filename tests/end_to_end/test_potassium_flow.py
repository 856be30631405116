"""The flow from the command line to its report, on a cell as small as a dipole allows: real processes all the way."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import MDAnalysis
import pytest
from ase import Atoms
from ase.io import read
from typer.testing import CliRunner

from tests.end_to_end.conftest import digest_segments, wait_for
from workflows import catalogue
from workflows.cli import app
from workflows.jobs.attempt import count_executions
from workflows.jobs.durable import compute_sha256
from workflows.jobs.store import Finished, Store

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-P", "-c", "from workflows.cli import main; main()"]
SMALL = (
    "structure.repeats=[6, 3, 1]",
    "structure.dislocation.arrangement=dipole",
    "structure.metal_thickness_A=8",
    "structure.anchor_thickness_A=2",
    "analysis.interface_width_A=2",
    "analysis.core_radius_A=3",
    "replicas=1",
    "dynamics.timestep_fs=3",
    "dynamics.temperature_K=300",
    "dynamics.start_temperature_K=50",
    "dynamics.heat_ps=0.15",
    "dynamics.equilibrate_ps=0.15",
    "dynamics.production_ps=0.3",
    "dynamics.segment_ps=0.15",
    "dynamics.frame_every_ps=0.03",
)
N_SEGMENTS = 4


@dataclass(frozen=True)
class Place:
    """A folder with a store that the command line works in."""

    path: Path

    @property
    def store(self) -> Store:
        return Store(self.path / "store")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        environment = {
            **os.environ,
            "ALKALIFLOW_STORE": str(self.path / "store"),
            "ALKALIFLOW_SLOTS": str(self.path / "slots"),
            "XDG_CACHE_HOME": str(self.path / "cache"),  # where each run finds a home for its Prefect server
        }
        environment.pop("PREFECT_HOME", None)
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str) -> str:
        """Run a command to its end; gives what it printed."""
        return end(self.start(*arguments))

    def run_arguments(self, workdir: str, *others: str) -> list[str]:
        sets = [word for text in SMALL for word in ("--set", text)]
        return ["run", "potassium-diffusion", "--preset", "demo", *sets, "--workdir", workdir, *others]

    def keys(self, workdir: str) -> dict[str, str]:
        """Label to key of the calculations of a run."""
        keys: dict[str, str] = json.loads((self.path / workdir / "keys.json").read_text())["all"]
        return keys

    def dynamics(self, workdir: str) -> dict[str, Finished]:
        found = {label: self.store.result(key) for label, key in self.keys(workdir).items()}
        return {label: result for label, result in found.items() if isinstance(result, Finished) and result.segments}

    def dynamics_start(self, workdir: str, case: str) -> Path:
        """The relaxed cell that the dynamics of a case began with."""
        result = self.store.result(self.keys(workdir)[f"relax, {case}"])
        assert isinstance(result, Finished)
        return result.files["relaxed"]

    def results(self, workdir: str) -> dict[str, Any]:
        results: dict[str, Any] = json.loads((self.path / workdir / "results.json").read_text())
        return results


def end(process: subprocess.Popen[str], *, code: int = 0) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    assert "Traceback" not in output
    return output


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Place:
    """Two equal runs, started at the same moment; all processes of the tests share them."""
    base = tmp_path_factory.getbasetemp()
    made = Place((base if worker_id == "master" else base.parent) / "potassium-flow")
    made.path.mkdir(exist_ok=True)
    with (made.path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made.path / "outputs.json").exists():
            both = [made.start(*made.run_arguments(workdir)) for workdir in ("first", "twin")]
            (made.path / "outputs.json").write_text(json.dumps([end(process) for process in both]))
    return made


def test_two_equal_runs_at_once_compute_everything_once(place: Place) -> None:
    keys = place.keys("first")
    assert place.keys("twin") == keys
    assert len(keys) == 5
    assert {count_executions(place.store.job_directory(key)) for key in keys.values()} == {1}
    assert place.results("twin")["observables"] == place.results("first")["observables"]


def test_the_answer_is_printed_and_lies_where_it_says(place: Place) -> None:
    output = json.loads((place.path / "outputs.json").read_text())[0]
    results = place.results("first")
    assert results["observables"]["contrast"]["sentence"] in output
    contrast = results["observables"]["contrast"]
    assert contrast["resolved"] is False
    tail = f"Not a result about dislocations: {'; '.join(contrast['doubts'])}."
    assert (tail if contrast["doubts"] else "Not resolved: one replica has no error bar") in output
    report = (place.path / "first" / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert results["observables"]["contrast"]["sentence"] in report
    assert "http://" not in report.partition("<body")[0]
    tables = list((place.path / "first" / "tables").glob("*.csv"))
    assert {"quantities.csv", "control_penetration.csv", "dislocation_msd.csv"} <= {path.name for path in tables}
    assert all(len(path.read_text().splitlines()) > 1 for path in tables)


def test_the_results_keep_to_their_schema(place: Place) -> None:
    schema = json.loads(CliRunner().invoke(app, ["schema", "results"]).output)
    jsonschema.validate(place.results("first"), schema)


def test_other_programs_open_the_trajectories(place: Place) -> None:
    n_frames = N_SEGMENTS * 5 + 1
    for case in ("dislocation", "control"):
        path = place.path / "first" / "trajectories" / f"{case}-1.lammpsdump"
        frames = read(path, index=":", format="lammps-dump-text")
        assert len(frames) == n_frames
        assert {len(frame) for frame in frames if isinstance(frame, Atoms)} == {344}
        universe = MDAnalysis.Universe(path, format="LAMMPSDUMP", topology_format="LAMMPSDUMP", dt=0.03)
        assert (len(universe.trajectory), len(universe.atoms)) == (n_frames, 344)
        result = place.dynamics("first")[f"dynamics, {case}, seed 1"]
        segments = [str(segment / "trajectory.nc") for segment in result.segments]
        raw = MDAnalysis.Universe.empty(344, trajectory=True).load_new(segments, format="NCDF")
        assert len(raw.trajectory) == n_frames


def test_the_catalogue_has_the_run(place: Place) -> None:
    rows = catalogue.search(directory=place.store.root / "catalogue")
    assert any(str(place.path / "first") in json.dumps(row, default=str) for row in rows)


def test_an_identical_run_computes_nothing(place: Place) -> None:
    output = place.call(*place.run_arguments("again"))
    labels = ("gap, control", "relax, dislocation", "relax, control", "dislocation, seed 1", "control, seed 1")
    for label in labels:
        assert f"{label}: reused\n" in output
    assert ": running" not in output
    assert place.keys("again") == place.keys("first")
    assert place.results("again")["observables"] == place.results("first")["observables"]


def test_an_equal_run_in_its_own_directory_leaves_its_files_as_they_are(place: Place) -> None:
    made = [place.path / "first" / name for name in ("results.json", "report.html", "tables/quantities.csv")]
    times = [path.stat().st_mtime_ns for path in made]
    output = place.call(*place.run_arguments("first"))
    assert place.results("first")["observables"]["answer"] in output
    assert [path.stat().st_mtime_ns for path in made] == times


def test_a_longer_run_computes_only_what_is_new(place: Place) -> None:
    before = place.dynamics("first")
    files = [path for result in before.values() for segment in result.segments for path in segment.iterdir()]
    times = {path: path.stat().st_mtime_ns for path in files}
    output = place.call(*place.run_arguments("longer", "--set", "dynamics.production_ps=0.6"))
    for label in ("gap, control", "relax, dislocation", "relax, control"):
        assert f"{label}: reused\n" in output
    for label, result in place.dynamics("longer").items():
        assert len(result.segments) == N_SEGMENTS + 2
        assert result.segments[:N_SEGMENTS] == before[label].segments
        assert not (place.store.job_directory(result.key) / "attempts" / "000" / "segment-000000.log").exists()
    assert times == {path: path.stat().st_mtime_ns for path in files}


def read_status(directory: Path) -> str:
    return str(json.loads((directory / "state.json").read_text())["status"])


def test_a_fresh_run_that_is_stopped_and_killed_ends_with_the_same_bytes(place: Place) -> None:
    chains = place.store.root / "chains"
    old = set(chains.glob("*/*"))

    def count_segments() -> int:
        return sum(1 for chain in set(chains.glob("*/*")) - old for _ in chain.glob("segments/*"))

    run = place.start(*place.run_arguments("fresh", "--fresh"))
    wait_for(lambda: count_segments() >= 2, what="the second segment")
    os.killpg(run.pid, signal.SIGINT)
    output = end(run, code=130)
    stopped_at = count_segments()
    assert stopped_at < 2 * N_SEGMENTS
    assert "Nothing is lost. Continue with: alkaliflow resume fresh\n" in output
    assert json.loads((place.path / "fresh" / "state.json").read_text())["status"] == "stopped"
    run = place.start("resume", "fresh")
    wait_for(lambda: read_status(place.path / "fresh") == "running", what="the run to go on")
    wait_for(lambda: count_segments() > stopped_at, what="another segment")
    os.killpg(run.pid, signal.SIGKILL)
    end(run, code=-signal.SIGKILL)
    shown = place.call("show", "fresh")
    assert shown.startswith("fresh: potassium-diffusion, interrupted")
    assert all(label in shown for label in ("gap, control", "relax, dislocation", "control, seed 1"))
    place.call("resume", "fresh")
    fresh, first = place.keys("fresh"), place.keys("first")
    assert fresh.keys() == first.keys()
    assert not set(fresh.values()) & set(first.values())
    expected = place.dynamics("first")
    for label, result in place.dynamics("fresh").items():
        assert digest_segments(result) == digest_segments(expected[label])
    for label in ("relax, dislocation", "relax, control"):
        assert digest_relaxed(place, fresh[label]) == digest_relaxed(place, first[label])
    assert place.results("fresh")["observables"] == place.results("first")["observables"]


def digest_relaxed(place: Place, key: str) -> str:
    result = place.store.result(key)
    assert isinstance(result, Finished)
    return compute_sha256(result.files["relaxed"])


def test_the_analysis_is_done_again_from_the_trajectories(place: Place) -> None:
    report = place.path / "twin" / "report.html"
    before, results = report.stat().st_mtime_ns, place.results("twin")
    output = place.call("analyse", "twin")
    assert results["observables"]["contrast"]["sentence"] in output
    assert report.stat().st_mtime_ns > before
    assert place.results("twin")["observables"] == results["observables"]


def test_show_list_and_job_show_know_the_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.path)
    monkeypatch.setenv("ALKALIFLOW_STORE", str(place.store.root))

    def call(*arguments: str) -> str:
        return CliRunner().invoke(app, list(arguments)).output

    sentence = place.results("first")["observables"]["contrast"]["sentence"]
    listed = {entry["run"]: entry for entry in json.loads(call("list", ".", "--json"))}
    assert listed["first"]["status"] == "completed"
    assert listed["first"]["answer"] == sentence
    shown = call("show", "first")
    key = place.keys("first")["dynamics, control, seed 1"]
    assert f"control, seed 1      done   {key[:12]}" in shown
    assert sentence in shown
    job = call("job", "show", key[:10])
    assert job.startswith("control, seed 1 (molecular_dynamics): done\n")
    assert "pair_style pod" in job
    command = job.rpartition("to run it by hand:\n")[2].strip()
    by_hand = subprocess.run(["/bin/sh", "-e", "-c", command], capture_output=True, text=True, check=False)
    assert by_hand.returncode == 0, by_hand.stdout[-500:] + by_hand.stderr
    assert "Total wall time" in by_hand.stdout


def test_a_slab_of_ones_own_is_what_the_record_names(place: Place, tmp_path: Path) -> None:
    built = read(place.dynamics_start("first", "control"), format="extxyz")
    assert isinstance(built, Atoms)
    slab = built[built.arrays["region"] != "potassium"]
    slab.symbols[slab.symbols == "Sn"] = "Sb"
    slab.write(tmp_path / "bisb.vasp", format="vasp", sort=True)
    digest = compute_sha256(tmp_path / "bisb.vasp")
    sets = [text for text in SMALL if "repeats" not in text and "dislocation" not in text]
    sets += ["structure.cases=[control]", f"structure.alloy_file={tmp_path / 'bisb.vasp'}", "structure.max_strain=0.1"]
    sets += ["dynamics.equilibrate_ps=0", "dynamics.production_ps=0.15"]
    words = [word for text in sets for word in ("--set", text)]
    output = place.call("run", "potassium-diffusion", "--preset", "demo", *words, "--workdir", "own")
    (tmp_path / "bisb.vasp").unlink()

    results = place.results("own")
    formula = "Bi72Sb144"
    assert results["system"]["alloy"] == {"formula": formula, "file": "bisb.vasp", "sha256": digest}
    assert results["provenance"]["checksums"]["bisb.vasp"] == digest
    assert "decoration" not in results["provenance"]["seeds"]
    assert "alloy" not in results["config"]["structure"]
    assert results["config"]["structure"]["alloy_file"] == "inputs/alloy_file/bisb.vasp"
    report = (place.path / "own" / "report.html").read_text()
    assert f"{formula} as given in bisb.vasp (SHA-256 {digest[:12]}…)" in report.replace("\N{NO-BREAK SPACE}", " ")
    assert "M-BiSnSb" not in json.dumps(results)
    assert str(tmp_path) not in json.dumps({**results, "provenance": {}})
    (row,) = catalogue.search(f"alloy={formula}", directory=place.store.root / "catalogue")
    assert row["alloy_file"] == "bisb.vasp"
    told = "(control, all K) within 0.3 ps from the relaxed cell on, for this decoration (1 replica, 300 K)"
    assert told in results["observables"]["answer"]
    for told in (output, place.call("list", "."), place.call("show", "own"), report):
        assert results["observables"]["answer"][:40] in told.replace("\N{NO-BREAK SPACE}", " ")
    moved = (place.path / "own").rename(tmp_path / "moved")
    assert results["provenance"]["command"] == "alkaliflow run potassium-diffusion config.yaml"
    again = place.call("run", "potassium-diffusion", str(moved / "config.yaml"), "--workdir", str(tmp_path / "rerun"))
    assert results["observables"]["answer"] in again
    assert ": running" not in again


def test_a_dry_run_builds_and_starts_nothing(tmp_path: Path) -> None:
    empty = Place(tmp_path)
    output = empty.call(*empty.run_arguments("dry", "--dry-run"))
    assert "Bi72 K128 Sb72 Sn72" in output
    assert "dynamics    2 runs of 200 steps" in output
    assert "nothing was started" in output
    assert not {"dry", "runs", "store", "slots"} & {path.name for path in tmp_path.iterdir()}
    assert not (tmp_path / "cache" / "alkaliflow").exists()
