"""A flow with the life of the real ones, whose calculations are sums."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from analysis.results import Results, write_results
from workflows.drive import run_calculations, settle_calculations
from workflows.jobs.calculation import Calculation
from workflows.jobs.local import build_executor
from workflows.jobs.store import Finished, Store
from workflows.plan import Plan
from workflows.progress import report

PRESETS: dict[str, dict[str, Any]] = {"standard": {}}
PRESET_NOTES = {"standard": "one sum"}


class ToyConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    sums: dict[str, dict[str, Any]] = {"one": {}}
    tolerant: bool = False


def plan(config: ToyConfig, *, cores: int | None = None) -> Plan:
    n_sums = len(config.sums)
    return Plan("numbers", "sum", n_atoms=1, n_steps=n_sums, core_hours=0.0, disk_GB=0.0, cores=cores or 1)


def build_calculations(config: dict[str, Any], *, salt: str = "") -> list[Calculation]:
    return [Calculation("toy_sum", settings=each, label=label, salt=salt) for label, each in config["sums"].items()]


def publish(values: list[float], *, workdir: str) -> None:
    observables = {"answer": f"The sums are {values}."}
    write_results(Results(flow="toy", status="completed", observables=observables), directory=Path(workdir))


def compute_sums(config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = "") -> None:
    bring = settle_calculations if config["tolerant"] else run_calculations
    outcomes = bring(
        build_calculations(config, salt=salt),
        store=Store(Path(store)),
        executor=build_executor(cores=cores),
        on_progress=report,
    )
    publish([outcome.values["sum"] for outcome in outcomes if isinstance(outcome, Finished)], workdir=workdir)


flow = compute_sums


def analyse(config: dict[str, Any], *, workdir: str, store: str) -> None:
    opened = Store(Path(store))
    results = [opened.result(opened.create(calculation)) for calculation in build_calculations(config)]
    publish([result.values["sum"] for result in results if isinstance(result, Finished)], workdir=workdir)
