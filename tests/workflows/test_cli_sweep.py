"""run, resume, list, show and analyse of sweeps, with a flow of toy calculations in a real store."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analysis.results import Results, ResultWarning, write_results
from structures.errors import ConvergenceError, InputError
from tests.workflows.jobs.conftest import _toy_recipes as _toy_recipes  # noqa: PLC0414 (the fixture of the store)
from workflows import run_lock, sweep_results
from workflows.cli import app
from workflows.drive import run_calculations
from workflows.flows import FlowEntry
from workflows.jobs.calculation import Calculation
from workflows.jobs.store import Store
from workflows.plan import Piece, Plan
from workflows.progress import report
from workflows.sweep import Sweep, find_sweeps

FLOW = "potassium-diffusion"
FILE = "sweep:\n  dynamics.temperature_K: [100, 200]\n  seed: 1..2\nreplicas: 1\n"


class Toy:
    """A flow of two sums: one that all runs share, and one of the temperature and the seed."""

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.begun: list[tuple[float, int]] = []
        self.fail_at_K = -1.0
        self.on_start: Callable[[], object] = lambda: None
        self.n_planned = 0
        self.is_stored = False
        self.salts: list[str] = []

    @property
    def n_executed(self) -> int:
        """Workers that computed something."""
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0

    def plan(self, config: Any, *, cores: int | None = None) -> Plan:  # noqa: ANN401 (any model)
        self.n_planned += 1
        if config.dynamics.temperature_K > 1000:
            raise InputError("dynamics.temperature_K is too hot for the toy. Set it below 1000.")
        piece = Piece("shared", 1.0)
        return Plan("toy", "none", 2, 10, core_hours=2.0, disk_GB=0.001, cores=cores or 1, pieces=(piece,))

    def flow(self, *, config: dict[str, Any], workdir: str, store: str, salt: str, **_: object) -> None:
        kelvin, seed = float(config["dynamics"]["temperature_K"]), int(config["seed"])
        self.begun.append((kelvin, seed))
        self.salts.append(salt)
        self.on_start()
        if kelvin == self.fail_at_K:
            raise ConvergenceError("the SCF did not converge in 100 iterations")
        value = self.compute(kelvin, seed, Store(Path(store)), salt) if self.is_stored else 3.0 + kelvin + seed
        self.publish(Path(workdir), kelvin=kelvin, value=value)

    def compute(self, kelvin: float, seed: int, store: Store, salt: str) -> float:
        """Both sums by workers."""
        toys = [
            Calculation(
                "toy_sum",
                settings={"numbers": numbers, "ledger": str(self.ledger)},
                label=label,
                salt=salt,
            )
            for label, numbers in (("shared", (1.0, 2.0)), ("own", (kelvin, float(seed))))
        ]
        first, second = run_calculations(toys, store=store, on_progress=report)
        return float(first.values["sum"] + second.values["sum"])

    def publish(self, directory: Path, *, kelvin: float, value: float) -> None:
        gain = {"value": value, "uncertainty": None, "low": value - 1, "high": value + 1, "unit": "Å"}
        results = Results(
            flow=FLOW,
            status="completed",
            observables={"answer": f"{value:g} Å.", "cases": {"control": {"penetration": {"gain": gain}}}},
            warnings=(ResultWarning("amber", f"It is {kelvin:g} K."),),
        )
        write_results(results, directory=directory)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    made = Toy(tmp_path / "ledger.txt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", "http://unused.invalid/api")
    monkeypatch.setenv("ALKALIFLOW_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(FlowEntry, "load", lambda _: SimpleNamespace(plan=made.plan, flow=made.flow))
    (tmp_path / "c.yaml").write_text(FILE)
    yield made
    release(tmp_path)


def release(folder: Path) -> None:
    """A process of its own would have ended by now."""
    for path in folder.rglob(run_lock.LOCK_FILE):
        run_lock.release(path.parent)


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    release(Path.cwd())
    return result


def run(*arguments: str) -> Result:
    return call("run", FLOW, "c.yaml", "--workdir", "s", *arguments)


def read(path: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(path).read_text())
    return document


def read_rows(path: str = "s") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(f"{path}/results.json")["observables"]["sweep"]["rows"]
    return rows


def refused(*arguments: str) -> str:
    """What is said of a sweep that cannot be, and that nothing was begun."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert not Path("s").exists()
    return " ".join(result.output.split())


def test_every_combination_is_a_run_and_what_is_equal_is_computed_once(toy: Toy) -> None:
    toy.is_stored = True
    result = run()
    assert result.exit_code == 0, result.output
    assert toy.begun == [(100.0, 1), (100.0, 2), (200.0, 1), (200.0, 2)]
    assert toy.n_executed == 1 + 4
    document = read("s/sweep.json")
    assert document["schema_version"] == 1
    assert [member["directory"] for member in document["members"]] == [f"members/00{n}" for n in (1, 2, 3, 4)]
    assert document["members"][2]["values"] == {"dynamics.temperature_K": 200, "seed": 1}
    values = [row["quantities"]["depth gained, all K, control"]["value"] for row in read_rows()]
    assert values == [3 + kelvin + seed for kelvin, seed in toy.begun]
    assert len(Path("s/table.csv").read_text().splitlines()) == 5
    assert "The runs side by side" in Path("s/report.html").read_text()
    assert "member 003 of 4: dynamics.temperature_K = 200, seed = 1" in result.output
    assert "shared      3 core-hours that several members need are computed once" in result.output
    assert (
        "4 of 4 runs over dynamics.temperature_K and seed completed. Depth gained, all K, control: lowest"
        in result.output
    )
    assert "warning: 4 of 4 runs, here 001: It is 100 K." in result.output


def test_members_are_ordinary_runs(toy: Toy) -> None:
    run()
    origin = read("s/members/003/run.json")["origin"]
    assert origin["sweep"] == {"dynamics.temperature_K": 200, "seed": 1}
    assert origin["origins"]["seed"] == "c.yaml: sweep"
    shown = call("show", "s/members/003").output
    assert shown.startswith(f"s/members/003: {FLOW}, completed")
    assert "204 Å." in shown
    assert call("resume", "s/members/003").exit_code == 0
    assert toy.begun[4:] == [(200.0, 1)]
    assert call("list", "s").output.count("s/members/00") == 4


def test_options_add_to_the_file_and_stand_alone(toy: Toy) -> None:
    assert run("--sweep", "replicas=1,2", "--quiet").exit_code == 0
    assert len(read_rows()) == 8
    result = call("run", FLOW, "--preset", "demo", "--sweep", "seed=7,9", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["run"] == f"runs/{FLOW}-demo-sweep-1"
    assert [member["values"]["seed"] for member in document["members"]] == [7, 9]
    assert document["axes"] == {"seed": [7, 9]}
    assert "member 002 of 2: seed = 9" in result.stderr
    assert toy.begun[-1] == (50.0, 9)


def test_the_same_again_runs_and_reads_nothing(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run().output
    made = {path: path.stat().st_mtime_ns for path in Path("s").glob("*.*") if path.suffix != ".lock"}
    n_begun, n_planned = len(toy.begun), toy.n_planned
    monkeypatch.setattr(sweep_results, "read_row", lambda *_, **__: pytest.fail("results are read again"))
    again = call("resume", "s")
    assert again.exit_code == 0, again.output
    assert again.output.strip() == first[first.index("4 of 4 runs over") :].strip()
    assert (len(toy.begun), toy.n_planned) == (n_begun, n_planned)
    assert run("--quiet").exit_code == 0
    assert len(toy.begun) == n_begun
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_a_member_that_fails_stops_no_other_and_is_tried_again(toy: Toy) -> None:
    toy.fail_at_K = 100.0
    result = run()
    assert result.exit_code == 1
    assert len(toy.begun) == 4
    assert "member 001 failed: the SCF did not converge in 100 iterations" in result.output
    assert (
        "2 of 4 members have no results (001, 002). What failed is tried again by: alkaliflow resume s" in result.output
    )
    rows = read_rows()
    assert [row["status"] for row in rows] == ["failed", "failed", "completed", "completed"]
    assert "the SCF did not converge in 100 iterations" in rows[0]["reason"]
    assert read("s/results.json")["status"] == "partial"
    assert "s: sweep of potassium-diffusion, failed: 2 of 4 completed, 2 failed" in call("show", "s").output
    toy.fail_at_K = -1.0
    assert call("resume", "s").exit_code == 0
    assert toy.begun[4:] == [(100.0, 1), (100.0, 2)]
    assert [row["status"] for row in read_rows()] == ["completed"] * 4


def test_a_bug_in_one_member_is_told_and_stops_no_other(toy: Toy) -> None:
    toy.on_start = lambda: 1 / 0 if len(toy.begun) == 2 else None
    result = run()
    assert result.exit_code == 1
    assert [row["status"] for row in read_rows()] == ["completed", "failed", "completed", "completed"]
    assert read_rows()[1]["reason"] == "ZeroDivisionError('division by zero')"


def test_a_full_disk_ends_the_sweep(toy: Toy) -> None:
    def fill() -> None:
        raise OSError(28, "No space left on device")

    toy.on_start = fill
    result = run()
    assert result.exit_code == 1
    assert len(toy.begun) == 1
    assert "The disk is full" in result.output


def test_ctrl_c_loses_nothing_and_says_how_to_go_on(toy: Toy) -> None:
    def stop() -> None:
        if len(toy.begun) == 2:
            raise KeyboardInterrupt

    toy.on_start = stop
    result = run()
    assert result.exit_code == 130
    assert (
        "Stopped: 1 of 4 members are completed. Nothing is lost. Continue with: alkaliflow resume s\n" in result.output
    )
    assert Sweep.read(Path("s")).describe() == "stopped: 1 of 4 completed, 1 stopped, 2 created"
    assert (
        "1 of 4 runs over dynamics.temperature_K and seed completed, 1 stopped, 2 created" in call("show", "s").output
    )
    assert call("resume", "s").exit_code == 0
    assert toy.begun == [(100.0, 1), (100.0, 2), (100.0, 2), (200.0, 1), (200.0, 2)]


def test_damaged_results_are_made_again(toy: Toy) -> None:
    run()
    Path("s/members/002/results.json").write_text("{")
    assert "damaged" in call("show", "s").output
    assert call("resume", "s").exit_code == 0
    assert toy.begun[4:] == [(100.0, 2)]
    assert [row["status"] for row in read_rows()] == ["completed"] * 4


def test_a_member_whose_directory_is_gone_is_told(toy: Toy) -> None:
    run()
    Path("s/members/002").rename("elsewhere")
    result = call("resume", "s")
    assert result.exit_code == 1
    assert len(toy.begun) == 4
    assert [row["status"] for row in read_rows()] == ["completed", "gone", "completed", "completed"]
    assert "there is no such directory" in read_rows()[1]["reason"]


def test_a_sweep_that_was_killed_while_it_was_made_goes_on(toy: Toy) -> None:
    run()
    n_begun = len(toy.begun)
    Path("s/sweep.json").unlink()
    for name in ("results.json", "report.html", "table.csv", "published.json", "state.json"):
        Path("s", name).unlink()
    assert run().exit_code == 0
    assert len(toy.begun) == n_begun


def test_fresh_computes_anew_once_for_all_members(toy: Toy) -> None:
    run()
    assert call("run", FLOW, "c.yaml", "--workdir", "again", "--fresh").exit_code == 0
    assert set(toy.salts[:4]) == {""}
    (salt,) = set(toy.salts[4:])  # one for all, so that they share what is equal
    assert len(salt) == 32


def test_list_and_show_know_sweeps(toy: Toy) -> None:
    run()
    call("run", FLOW, "--preset", "demo", "--workdir", "single")
    assert len(toy.begun) == 5
    listed = call("list", ".").output
    assert "sweep of potassium-diffusion  completed: 4 of 4 completed" in listed
    assert {line.split()[0] for line in listed.splitlines()[2:]} == {"s", "single"}
    assert [sweep.path for sweep in find_sweeps(Path())] == [Path("s")]
    document = json.loads(call("show", "s", "--json").output)
    assert (document["flow"], document["status"]) == ("sweep of potassium-diffusion", "completed")
    assert [member["status"] for member in document["members"]] == ["completed"] * 4


def test_analyse_puts_the_results_together_anew(toy: Toy) -> None:
    run()
    Path("s/table.csv").write_text("gone")
    assert call("analyse", "s").exit_code == 0
    assert len(Path("s/table.csv").read_text().splitlines()) == 5
    assert len(toy.begun) == 4


def test_a_dry_run_starts_nothing(toy: Toy) -> None:
    result = run("--dry-run")
    assert result.exit_code == 0, result.output
    assert "Dry run: every member was built and checked, nothing was started." in result.output
    assert "members     4, one after the other in one store; each adds" in result.output
    assert "  002  dynamics.temperature_K = 100, seed = 2: 1 core-hours" in result.output
    document = json.loads(run("--dry-run", "--json").stdout)
    assert (document["n_members"], document["core_hours"], document["shared_core_hours"]) == (4, 5.0, 3.0)
    assert document["members"]["004"]["values"] == {"dynamics.temperature_K": 200, "seed": 2}
    assert toy.begun == []
    assert [path.name for path in Path().iterdir()] == ["c.yaml"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sweep", "seeds=1..3"), "--sweep: seeds is not a known key. Did you mean seed?"),
        (("--sweep", "seed=1,2"), "seed is given twice (c.yaml: sweep and --sweep), needs one list of values"),
        (("--set", "seed=3"), "seed is given twice (c.yaml: sweep and --set)"),
        (
            ("--sweep", "replicas=0,1"),
            "replicas is 0, needs a value above 0. Set it, e.g. replicas: 5. (4 of 8 members,",
        ),
        (("--sweep", "replicas=1..900"), "2 × 2 × 900 values are 3600 runs, at most 1000 are one sweep"),
        (("--sweep", "replicas="), "replicas has no values, needs at least one"),
        (("--sweep", "dynamics.heat_ps=3,3.0"), "dynamics.heat_ps has 3 twice, needs each value once"),
        (("--sweep", "structure.alloy_file=a.cif"), "--sweep: structure.alloy_file is a.cif, needs a file that exists"),
        (
            ("--sweep", "dynamics.start_temperature_K=50,3000", "--set", "dynamics.limits.temperature_K=2000"),
            "of 8 members, first",
        ),
    ],
)
def test_what_cannot_be_swept_is_told_before_anything_starts(toy: Toy, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments)
    assert toy.begun == []


def test_two_names_of_one_file_are_one_run(toy: Toy) -> None:
    Path("k.cif").write_text("potassium")
    said = refused("--sweep", "structure.potassium_file=k.cif,./k.cif")
    assert (
        "sweep: members 001 (dynamics.temperature_K = 100, seed = 1, structure.potassium_file = k.cif) and 002" in said
    )
    assert "are the same run, need to differ. Take one of the values out" in said
    assert toy.begun == []


def test_files_of_a_section_lie_beside_its_file(toy: Toy) -> None:
    folder = Path("elsewhere")
    folder.mkdir()
    for name in ("a.cif", "b.cif"):
        (folder / name).write_text(name)
    (folder / "c.yaml").write_text("sweep: {structure.potassium_file: [a.cif, b.cif]}\n")
    result = call("run", FLOW, "elsewhere/c.yaml", "--workdir", "s")
    assert result.exit_code == 0, result.output
    copies = [path.read_text() for path in sorted(Path("s").glob("members/*/inputs/potassium_file/*.cif"))]
    assert copies == ["a.cif", "b.cif"]
    assert len(toy.begun) == 2


def test_a_member_that_cannot_be_built_is_named(toy: Toy) -> None:
    Path("c.yaml").write_text("sweep: {dynamics.temperature_K: [100, 2000]}\n")
    said = refused()
    assert "member 002 of 2 (dynamics.temperature_K = 2000): dynamics.temperature_K is too hot for the toy" in said
    assert toy.begun == []


def test_a_directory_holds_one_sweep(toy: Toy) -> None:
    run()
    other = run("--sweep", "replicas=1,2")
    assert other.exit_code == 2
    assert "s: holds another sweep (potassium-diffusion, 4 members" in other.output
    single = call("run", FLOW, "--preset", "demo", "--workdir", "s")
    assert (single.exit_code, len(toy.begun)) == (2, 4)
    call("run", FLOW, "--preset", "demo", "--workdir", "single")
    over = call("run", FLOW, "c.yaml", "--workdir", "single")
    assert over.exit_code == 2
    assert "single: holds other files" in over.output


def test_one_process_at_a_time_drives_a_sweep(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    run()

    def taken(directory: Path) -> None:
        raise InputError(f"{directory}: process 1 is working on this run")

    monkeypatch.setattr(run_lock, "acquire", taken)
    result = call("resume", "s")
    assert (result.exit_code, len(toy.begun)) == (2, 4)
    assert "s: process 1 is working on this run" in result.output


def test_a_damaged_or_newer_sweep_file_is_told(toy: Toy) -> None:
    run()
    whole = read("s/sweep.json")
    for document, said in (
        (
            {**whole, "schema_version": 9},
            "sweep.json has schema version 9, this alkaliflow knows 1. Update alkaliflow.",
        ),
        ({**whole, "members": [{}]}, "sweep.json is damaged"),
    ):
        Path("s/sweep.json").write_text(json.dumps(document))
        assert said in call("show", "s").output
        assert find_sweeps(Path()) == []
    assert len(toy.begun) == 4


@pytest.mark.parametrize("command", [("converge", "c.yaml", "--vary", "seed=1,2", "-o", "o")])
def test_a_file_with_a_sweep_is_refused_where_one_run_is_needed(toy: Toy, command: tuple[str, ...]) -> None:
    result = call(*command)
    assert result.exit_code == 2
    assert "c.yaml: sweep asks for several runs, which only alkaliflow run makes; one is needed here" in result.output
    assert toy.begun == []


def test_the_schema_of_a_file_knows_the_section() -> None:
    schema = json.loads(call("schema", FLOW).output)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["sweep"]["type"] == "object"
