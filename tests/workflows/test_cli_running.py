"""run, resume and analyse, with a flow that computes nothing."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analysis.results import Results, ResultWarning, write_results
from structures.errors import CalculationError, InputError
from workflows import run_lock
from workflows.cli import app
from workflows.flows import FlowEntry
from workflows.jobs.attempt import claim_attempt
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import ACCEPT_BREAK
from workflows.jobs.store import Store
from workflows.plan import Plan
from workflows.progress import report

SENTENCE = "Potassium reached 14.2 ± 2.1 Å along the core and 6.3 ± 1.8 Å in the control: not resolved."
OBSERVABLES: dict[str, Any] = {
    "cases": {
        "dislocation": {
            "label": "dislocation",
            "replicas": 1,
            "penetration": {"n_inside": [0, 12], "gain": {"value": 14.2, "uncertainty": 2.1}},
            "guard": {"fraction": 0.0123},
        },
        "control": {"label": "control", "replicas": 1, "penetration": {"n_inside": [], "gain": None}, "guard": None},
    },
    "contrast": {"sentence": SENTENCE},
}


class Double:
    """A flow that reports, then ends as it is told."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.ending: BaseException | None = None
        self.disk_GB = 0.1
        self.on_start: Callable[[], object] = lambda: None
        self.keys_on_the_way: dict[str, str] = {}

    def plan(self, config: Any, *, cores: int | None = None) -> Plan:  # noqa: ANN401 (any model)
        return Plan(
            system=f"{config.structure.alloy}",
            calculator="pod",
            n_atoms=10,
            n_runs=2,
            n_steps=2 * config.dynamics.total_steps,
            n_segments=40,
            core_hours=1.0,
            disk_GB=self.disk_GB,
            cores=cores or 2,
        )

    def flow(self, **options: Any) -> None:  # noqa: ANN401 (what a flow gets)
        self.calls.append(options)
        self.on_start()
        event = {"key": "k1", "label": "control, seed 1", "stage": "produce", "steps": 2000}
        report({**event, "state": "running", "step": 1500, "segment": 12})
        self.keys_on_the_way = state_of(options["workdir"])["keys"]
        if self.ending is not None:
            raise self.ending
        report({**event, "state": "done", "step": 2000, "segment": 19})
        self.publish(options["workdir"])

    def analyse(self, config: dict[str, Any], *, workdir: str, store: str) -> None:
        self.calls.append({"config": config, "workdir": workdir, "store": store})
        self.publish(workdir)

    def publish(self, workdir: str) -> None:
        results = Results(
            flow="potassium-diffusion",
            status="completed",
            observables=OBSERVABLES,
            warnings=(ResultWarning("amber", "The potassium is liquid."),),
        )
        write_results(results, directory=Path(workdir))
        (Path(workdir) / "report.html").write_text("<html>")


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    made = Double()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", "http://unused.invalid/api")
    module = SimpleNamespace(plan=made.plan, flow=made.flow, analyse=made.analyse)
    monkeypatch.setattr(FlowEntry, "load", lambda _: module)
    yield made
    for path in tmp_path.rglob(run_lock.LOCK_FILE):
        run_lock.release(path.parent)


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    for path in Path.cwd().rglob(run_lock.LOCK_FILE):
        run_lock.release(path.parent)  # a process of its own would have ended by now
    return result


def run(*arguments: str) -> Result:
    return call("run", "potassium-diffusion", "--preset", "demo", *arguments)


def state_of(path: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((Path(path) / "state.json").read_text())
    return state


def test_a_run_says_what_it_will_do_how_it_gets_on_and_what_it_found(double: Double) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    blocks = result.output.split("\n\n")
    assert blocks[0].startswith("system      M-BiSnSb\natoms       10\n")
    assert "expected    30 min on 2 cores" in blocks[0]
    assert "control, seed 1: running, produce, step 1500 of 2000" in blocks[0]
    assert blocks[1] == SENTENCE
    assert re.search(r"dislocation +1 +14\.20 ± 2\.10 +12 +1\.2 %", blocks[2])
    assert re.search(r"control +1 +- +- +-", blocks[2])
    assert "warning: The potassium is liquid." in blocks[3]
    assert "report   runs/potassium-diffusion-demo-1/report.html" in blocks[3]
    (options,) = double.calls
    assert options["workdir"] == "runs/potassium-diffusion-demo-1"
    assert options["store"] == os.environ["ALKALIFLOW_STORE"]
    assert options["config"]["replicas"] == 1
    assert (options["cores"], options["salt"]) == (None, "")
    assert state_of(options["workdir"])["status"] == "completed"
    assert state_of(options["workdir"])["keys"] == {"control, seed 1": "k1"}


def test_a_second_run_gets_a_directory_of_its_own(double: Double) -> None:
    run()
    run()
    assert [call["workdir"][-6:] for call in double.calls] == ["demo-1", "demo-2"]


def test_a_run_of_a_file_is_named_after_it(double: Double, tmp_path: Path) -> None:
    (tmp_path / "k-300.yaml").write_text("replicas: 2\n")
    call("run", "potassium-diffusion", "k-300.yaml", "--cores", "1", "--store", "s")
    (options,) = double.calls
    assert options["workdir"] == "runs/potassium-diffusion-k-300-1"
    assert options["store"] == str(tmp_path / "s")
    assert options["cores"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_a_run_even_if_the_shell_had_them_ignored(double: Double, number: signal.Signals) -> None:
    """A shell without job control starts `command &` with SIGINT ignored, nohup does so with SIGHUP."""
    double.on_start = lambda: signal.raise_signal(number)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        result = run("--workdir", "runs/k-300")
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)
    assert result.exit_code == 130
    assert "Nothing is lost. Continue with: alkaliflow resume runs/k-300\n" in result.output


def test_quiet_prints_the_answer_only(double: Double) -> None:
    assert double.calls == []
    assert run("--quiet").output == f"{SENTENCE}\nruns/potassium-diffusion-demo-1/report.html\n"


def test_json_is_one_document_on_stdout(double: Double) -> None:
    result = run("--json")
    document = json.loads(result.stdout)
    assert document["answer"] == SENTENCE
    assert document["report"] == f"{double.calls[0]['workdir']}/report.html"
    assert "control, seed 1: done" in result.stderr


def test_a_dry_run_starts_nothing(double: Double, tmp_path: Path) -> None:
    result = run("--dry-run")
    assert result.exit_code == 0
    assert "Dry run: everything was built and checked, nothing was started." in result.output
    assert json.loads(run("--dry-run", "--json").output)["n_segments"] == 40
    assert double.calls == []
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_would_fill_the_disk_is_refused(double: Double, tmp_path: Path) -> None:
    double.disk_GB = 1e9
    result = run("--store", str(tmp_path / "not" / "there"))
    assert result.exit_code == 2
    assert "GB free, the run needs 1e+09 GB. Free some space" in result.output
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_what_is_safe_and_how_to_go_on(double: Double) -> None:
    double.ending = KeyboardInterrupt()
    result = run("--workdir", "runs/k-300")
    assert result.exit_code == 130
    assert (
        "Stopped after segment 12 of 40. Nothing is lost. Continue with: alkaliflow resume runs/k-300\n"
        in result.output
    )
    assert state_of("runs/k-300")["status"] == "stopped"
    double.ending = None
    result = call("resume", "runs/k-300")
    assert result.exit_code == 0, result.output
    assert SENTENCE in result.output
    assert double.calls[0] == double.calls[1]
    assert state_of("runs/k-300")["status"] == "completed"


def test_a_failed_calculation_is_told_and_remembered(double: Double) -> None:
    double.ending = CalculationError("relax failed: ERROR: Lost atoms\nIts files: /store/jobs/ab")
    result = run("--workdir", "r")
    assert result.exit_code == 1
    assert "Lost atoms" in result.output
    assert "Traceback" not in result.output
    assert state_of("r")["status"] == "failed"
    assert "Lost atoms" in call("show", "r").output


def test_a_mistake_found_while_running_ends_with_2(double: Double) -> None:
    double.ending = InputError("structure is too small. Make it larger.")
    assert run().exit_code == 2


def test_a_bug_is_remembered_too(double: Double) -> None:
    double.ending = ZeroDivisionError("oh")
    assert run("--workdir", "r").exit_code == 70
    assert state_of("r")["message"] == "ZeroDivisionError('oh')"


def test_fresh_runs_are_salted_and_stay_so_when_resumed(double: Double) -> None:
    run("--fresh", "--workdir", "r")
    call("resume", "r")
    run("--fresh", "--workdir", "r")
    salts = [options["salt"] for options in double.calls]
    assert salts[0] == salts[1] != salts[2]
    assert all(re.fullmatch(r"[0-9a-f]{32}", salt) for salt in salts)


def test_workers_of_a_resumed_run_may_go_on_after_a_break_if_told(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ACCEPT_BREAK, "0")
    run("--workdir", "r")
    call("resume", "r")
    assert os.environ[ACCEPT_BREAK] == "0"
    assert call("resume", "r", "--accept-break").exit_code == 0
    assert os.environ[ACCEPT_BREAK] == "1"
    assert len(double.calls) == 3


def test_a_directory_of_another_run_is_refused_before_anything_starts(double: Double) -> None:
    run("--workdir", "r")
    result = run("--workdir", "r", "--set", "replicas=2")
    assert result.exit_code == 2
    assert "r: holds another run: replicas is 1 there and 2 now" in result.output
    assert len(double.calls) == 1


def test_a_moved_directory_is_resumed_where_it_is(double: Double, tmp_path: Path) -> None:
    run("--workdir", "r")
    (tmp_path / "r").rename(tmp_path / "moved")
    assert call("resume", "moved").exit_code == 0
    assert double.calls[1]["workdir"] == "moved"


def test_analysis_is_repeated_without_the_flow(double: Double) -> None:
    run("--workdir", "r")
    (Path("r") / "report.html").unlink()
    result = call("analyse", "r")
    assert result.exit_code == 0, result.output
    assert SENTENCE in result.output
    assert set(double.calls[1]) == {"config", "workdir", "store"}
    assert (Path("r") / "report.html").exists()


def test_list_and_show_know_the_run(double: Double) -> None:
    run("--workdir", "runs/a")
    double.ending = KeyboardInterrupt()
    run("--workdir", "runs/b")
    document = {entry["run"]: entry for entry in json.loads(call("list", "--json").output)}
    assert document["runs/a"]["answer"] == SENTENCE
    assert document["runs/b"]["status"] == "stopped"
    assert "Potassium reached 14.2 ± 2.1 Å along the core and 6.3 ± 1.8 Å in the control: not …" in call("list").output
    shown = call("show", "runs/a").output
    assert shown.startswith("runs/a: potassium-diffusion, completed")
    assert re.search(r"control, seed 1 +gone +k1", shown)
    assert "There are no results yet. Go on with: alkaliflow resume runs/b" in call("show", "runs/b").output
    assert json.loads(call("show", "runs/a", "--json").output)["status"] == "completed"


def test_a_killed_run_shows_its_calculations_and_that_workers_go_on(double: Double, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    keys = [store.create(Calculation("gap_scan", settings={"gaps_A": [gap]})) for gap in (2.5, 3.5)]
    attempt = claim_attempt(store.job_directory(keys[0]), target="local")
    assert attempt is not None
    assert attempt.start(None)  # this process is its worker now, and lives
    run("--workdir", "r", "--store", "store")
    assert double.keys_on_the_way == {"control, seed 1": "k1"}
    state = {"status": "running", "keys": dict(zip(("gap", "relax, control"), keys, strict=True))}
    (tmp_path / "r" / "state.json").write_text(json.dumps(state))  # as SIGKILL leaves it
    (tmp_path / "r" / run_lock.LOCK_FILE).unlink()  # which names this process, as if it were the driver still
    shown = call("show", "r").output
    assert shown.startswith("r: potassium-diffusion, interrupted")
    assert re.search(rf"gap +running +{keys[0][:12]}", shown)
    assert re.search(rf"relax, control +new +{keys[1][:12]}", shown)
    assert (
        "1 worker still computes, though the run itself was ended; what it finishes is kept. "
        "To go on with the run: alkaliflow resume r\n"
    ) in shown
    job = call("job", "show", keys[0][:12], "--store", "store").output
    assert "attempt 0  running" in job
    assert "lost" not in job


def test_a_run_that_goes_on_says_so(double: Double, tmp_path: Path) -> None:
    double.ending = KeyboardInterrupt()
    run("--workdir", "r")
    (tmp_path / "r" / "state.json").write_text(json.dumps({"status": "running", "keys": {}}))
    run_lock.acquire(tmp_path / "r")
    shown = call("show", "r").output
    document = json.loads(call("show", "r", "--json").output)
    run_lock.release(tmp_path / "r")
    assert shown.startswith("r: potassium-diffusion, running")
    assert "The run is running; there are no results yet." in shown
    assert "resume" not in shown
    assert document["answer"] == "The run is running; there are no results yet."


def test_one_damaged_result_does_not_hide_the_others(double: Double) -> None:
    assert double.calls == []
    run("--workdir", "runs/a")
    run("--workdir", "runs/b")
    (Path("runs/a") / "results.json").write_text("{")
    result = call("list")
    assert result.exit_code == 0
    assert "is no JSON" in result.output
    assert SENTENCE[:60] in result.output
