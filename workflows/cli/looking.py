"""Commands that look at runs and calculations and change nothing."""

import json
import shlex
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structures.errors import InputError
from workflows.cli.options import DEFAULT_RUNS, JsonOption, StoreOption, open_store

if TYPE_CHECKING:
    from workflows.jobs.attempt import Attempt
    from workflows.jobs.calculation import Calculation
    from workflows.jobs.store import Store
    from workflows.run_directory import RunDirectory

_ANSWER_LETTERS = 90
_LOG_LINES = 12
_INPUT_LINES = 200
_KEY_LETTERS = 12


def list_runs(
    directory: Annotated[Path, typer.Argument(help="Where to look for runs.")] = DEFAULT_RUNS,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the runs and sweeps below a directory, newest first; members of a sweep are shown by: show SWEEP."""
    from workflows.cli.answer import build_answer, format_table
    from workflows.run_directory import find_runs
    from workflows.sweep import find_sweeps

    rows = []
    for sweep in find_sweeps(directory):
        answer = _tolerate(lambda sweep=sweep: _read_sentence(sweep.path))
        rows.append((str(sweep.path), f"sweep of {sweep.flow}", sweep.describe(), sweep.created, answer))
    for run in find_runs(directory):
        status = str(run.state()["status"])
        answer = _tolerate(lambda run=run: build_answer(run).sentence if run.results_path.exists() else "")
        rows.append((str(run.path), run.flow, status, run.created, answer))
    rows.sort(key=lambda row: row[3], reverse=True)
    header = ("run", "flow", "status", "created", "answer")
    if as_json:
        typer.echo(json.dumps([dict(zip(header, row, strict=True)) for row in rows], indent=1))
    elif rows:
        short = tuple((*row[:-1], textwrap.shorten(row[-1], _ANSWER_LETTERS, placeholder=" …")) for row in rows)
        typer.echo("\n".join(format_table(header, rows=short)))
    else:
        typer.echo(f"No runs below {directory}. Start one with: alkaliflow run potassium-diffusion --preset demo")


def show(
    directory: Annotated[Path, typer.Argument(help="Directory of the run.")], *, as_json: JsonOption = False
) -> None:
    """Show a run or a sweep: what it is, how far it came, its calculations or members, and its answer."""
    from workflows.cli.answer import build_answer, format_table
    from workflows.run_directory import RunDirectory
    from workflows.run_state import is_sweep

    if is_sweep(directory):
        from workflows.cli.sweep_answer import show_sweep

        show_sweep(directory, as_json=as_json)
        return
    run = RunDirectory.read(directory)
    state = run.state()
    answer = build_answer(run)
    if state["status"] == "running" and answer.status == "missing":
        answer = replace(answer, sentence="The run is running; there are no results yet.")
    calculations = _find_states(run.store, keys=state["keys"])
    if as_json:
        document = {"flow": run.flow, "created": run.created, "version": run.version, "origin": dict(run.origin)}
        typer.echo(json.dumps({**document, **state, "calculations": calculations, **answer.to_json()}, indent=1))
        return
    typer.echo(f"{run.path}: {run.flow}, {state['status']} (created {run.created}, alkaliflow {run.version})")
    if state.get("message"):
        typer.echo(f"last error: {state['message']}")
    if calculations:
        rows = tuple((c["label"], c["state"], c["key"][:_KEY_LETTERS]) for c in calculations)
        typer.echo("\n" + "\n".join(format_table(("calculation", "state", "key"), rows=rows)))
        typer.echo("One of them: alkaliflow job show KEY")
        typer.echo(_say_workers(run, status=state["status"], calculations=calculations), nl=False)
    typer.echo("\n".join(answer.lines()))


def _read_sentence(directory: Path) -> str:
    """The answer that results in a directory have; nothing without results."""
    from analysis.results import RESULTS_FILE, read_results
    from workflows.cli.answer import find_sentence

    return find_sentence(read_results(directory)) if (directory / RESULTS_FILE).exists() else ""


def _say_workers(run: "RunDirectory", *, status: str, calculations: list[dict[str, str]]) -> str:
    """That workers go on without their driver; nothing if there is one, or none of them."""
    running = sum(1 for calculation in calculations if calculation["state"] == "running")
    if status == "running" or running == 0:
        return ""
    one = running == 1
    workers = "1 worker still computes" if one else f"{running} workers still compute"
    return (
        f"{workers}, though the run itself was ended; what {'it finishes' if one else 'they finish'} is kept. "
        f"To go on with the run: alkaliflow resume {run.path}\n"
    )


def _find_states(store: Path, *, keys: dict[str, str]) -> list[dict[str, str]]:
    from workflows.jobs.attempt import derive_state

    jobs = store / "jobs"
    return [
        {
            "label": label,
            "key": key,
            "state": derive_state(jobs / key[:2] / key) if (jobs / key[:2] / key).is_dir() else "gone",
        }
        for label, key in keys.items()
    ]


def _tolerate(read: Any) -> str:  # noqa: ANN401 (a function without arguments)
    """What a reader gives, or why it cannot: one damaged run must not hide the others."""
    try:
        return str(read())
    except InputError as error:
        return str(error)


@dataclass(frozen=True)
class EngineInput:
    """An input of an engine that a person can run by hand."""

    path: Path
    command: str


def show_job(
    key: Annotated[str, typer.Argument(help="Key of the calculation, or its first letters.")],
    *,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a calculation: state, attempts, log, the plain engine input and the command to run it by hand."""
    from workflows.jobs.attempt import count_executions, derive_state, list_attempts

    opened = open_store(store)
    full = opened.find_key(key)
    job = opened.job_directory(full)
    attempts = list_attempts(job)
    engine = find_engine_input(opened, key=full, attempts=attempts)
    document = {
        "key": full,
        "state": derive_state(job),
        "directory": str(job),
        "executions": count_executions(job),
        "attempts": [_describe_attempt(attempt) for attempt in attempts],
        "input": None if engine is None else str(engine.path),
        "command": None if engine is None else engine.command,
        **_describe_calculation(job),
    }
    if as_json:
        typer.echo(json.dumps(document, indent=1))
        return
    _print_job(document, attempts=attempts, engine=engine)


def _describe_calculation(job: Path) -> dict[str, Any]:
    document = json.loads((job / "calculation.json").read_text(encoding="utf-8"))
    return {name: document.get(name) for name in ("label", "recipe", "settings", "seed", "ranks", "threads")}


def _describe_attempt(attempt: "Attempt") -> dict[str, Any]:
    started, ended = attempt.started(), attempt.ended()
    return {
        "number": attempt.number,
        "directory": str(attempt.directory),
        "started": started is not None and "revoked_by" not in started,
        "status": None if ended is None else ended["status"],
        "reason": None if ended is None else ended["reason"],
        "progress": dict(attempt.progress()),
    }


def _print_job(document: dict[str, Any], *, attempts: "list[Attempt]", engine: EngineInput | None) -> None:
    from workflows.drive import read_log_tail
    from workflows.progress import describe

    typer.echo(f"{document['label'] or document['recipe']} ({document['recipe']}): {document['state']}")
    typer.echo(f"key        {document['key']}\nfiles      {document['directory']}\nexecutions {document['executions']}")
    for attempt in document["attempts"]:
        # Without an end of its own the newest attempt is in the state of its calculation; one before it was lost.
        unended = document["state"] if attempt is document["attempts"][-1] else "lost"
        status = attempt["status"] or (unended if attempt["started"] else "not started")
        reason = f": {attempt['reason']}" if attempt["reason"] else ""
        typer.echo(f"attempt {attempt['number']}  {status}{reason}  {describe(attempt['progress'])}".rstrip())
    if attempts and (tail := read_log_tail(attempts[-1].directory, lines=_LOG_LINES)):
        typer.echo(f"\nlast lines of {attempts[-1].directory / 'worker.log'}:\n{tail}")
    if engine is not None:
        lines = engine.path.read_text(encoding="utf-8", errors="replace").splitlines()
        typer.echo(f"\ninput {engine.path}:\n" + "\n".join(f"  {line}" for line in lines[:_INPUT_LINES]))
        typer.echo(f"\nto run it by hand:\n  {engine.command}")


def find_engine_input(store: "Store", *, key: str, attempts: "list[Attempt]") -> EngineInput | None:
    """The newest plain input of an engine that a calculation has, and how to run it aside of the stored files."""
    calculation = store.load(key)
    chain = store.chain(calculation)
    places = [attempt.directory for attempt in attempts]
    if chain is not None:
        places += [segment.directory for segment in chain.committed()]
    inputs = sorted((path for place in places for path in place.rglob("*.in")), key=lambda path: path.stat().st_mtime)
    if not inputs:
        return _find_electronic_input(calculation, places=places)
    from workflows.engines.lammps_process import find_lammps
    from workflows.recipes.lammps_input import CHECKPOINT

    engine, path = find_lammps(), inputs[-1]
    arguments = ["-in", path.name, "-log", "log.lammps"]
    models = sorted(path for attempt in attempts for path in attempt.directory.rglob("models") if path.is_dir())
    if models:
        arguments += ["-var", "models", str(models[-1])]
    number = path.parent.name.removeprefix("segment-")  # in the chain the number alone
    if chain is not None and number.isdigit() and int(number) > 0:
        arguments += ["-var", "start", str(chain.segment_directory(int(number) - 1) / CHECKPOINT)]
    command = shlex.join(engine.command(arguments, ranks=calculation.ranks, threads=calculation.threads))
    copy = shlex.join(["cp", "-rL", str(path.parent), "by-hand"])
    return EngineInput(path, f"{copy} && cd by-hand && LD_LIBRARY_PATH={engine.library_directory} {command}")


def _find_electronic_input(calculation: "Calculation", *, places: list[Path]) -> EngineInput | None:
    """The request of an electronic-structure code, if there is one."""
    from workflows.engines.electronic_files import REQUEST_FILE
    from workflows.engines.electronic_process import build_command

    requests = [path for place in places for path in place.glob(REQUEST_FILE)]
    if not requests or calculation.calculator is None:
        return None
    path = requests[-1]
    command = build_command(calculation.calculator.name, directory=Path("by-hand"), ranks=calculation.ranks)
    return EngineInput(path, f"{shlex.join(['cp', '-rL', str(path.parent), 'by-hand'])} && {shlex.join(command)}")
