"""What the stages of a run share, in flows that bring calculations to their results and read them back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ase import Atoms
from ase.io import read

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.sections import ResourcesSection
from workflows.drive import run_calculations, settle_calculations
from workflows.execution import choose_executor
from workflows.jobs.calculation import Calculation
from workflows.jobs.executor import Executor
from workflows.jobs.key import compute_key
from workflows.jobs.store import Failed, Finished, Store
from workflows.progress import report


class HasResources(Protocol):
    """A configuration that says what a run may use."""

    @property
    def resources(self) -> ResourcesSection:
        """Cores, ranks, threads and memory."""


Config = TypeVar("Config", bound=HasResources)


@dataclass(frozen=True)
class FlowRun(Generic[Config]):
    """What all stages of a run share.

    Attributes:
        config: of the flow.
        workdir: the run's directory.
        store: its store.
        calculator: spec, its files in the store.
        cores: that may be busy at a time; None as configured.
        salt: sets a recomputation apart from equal runs.
        is_reading: whether nothing is computed, and what is not in the store is an error.
        keys: what was computed, by a name for people, to key.
        verified: results whose files were checked once; a second reading of all trajectories would find nothing new.
    """

    config: Config
    workdir: Path
    store: Store
    calculator: CalculatorSpec
    cores: int | None = None
    salt: str = ""
    is_reading: bool = False
    keys: dict[str, str] = field(default_factory=dict)
    verified: dict[str, Finished] = field(default_factory=dict)

    @property
    def layout(self) -> dict[str, Any]:
        """Ranks, threads and salt of the run's calculations."""
        resources = self.config.resources
        return {"ranks": resources.ranks, "threads": resources.threads, "salt": self.salt}

    def keep_key(self, name: str, finished: Finished) -> None:
        """Note what was computed."""
        self.keys[name] = finished.key

    def compute(self, calculations: list[Calculation]) -> list[Finished]:
        """Bring calculations to their results, and show how they get on."""
        if self.is_reading:
            return [self.finished(compute_key(calculation)) for calculation in calculations]
        return run_calculations(calculations, store=self.store, executor=self.choose_executor(), on_progress=report)

    def try_each(self, calculations: list[Calculation]) -> list[Finished | Failed]:
        """As `compute`, where a failure is an answer too."""
        if self.is_reading:
            outcomes = [self.store.result(compute_key(calculation)) for calculation in calculations]
            pairs = zip(calculations, outcomes, strict=True)
            return [one if one is not None else self.finished(compute_key(of)) for of, one in pairs]
        return settle_calculations(calculations, store=self.store, executor=self.choose_executor(), on_progress=report)

    def choose_executor(self) -> Executor:
        """What starts workers: this machine, within the cores and the memory of the run, or a cluster."""
        return choose_executor(self.config.resources, store=self.store.root, cores=self.cores)

    def finished(self, key: str) -> Finished:
        """A calculation's result.

        Raises:
            InputError: if the store has none.
        """
        result = self.verified.get(key) or self.store.result(key)
        if not isinstance(result, Finished):
            raise InputError(
                f"The store {self.store.root} has no sound result of {key[:12]}. Go on with the run: "
                f"alkaliflow resume {self.workdir}"
            )
        self.verified[key] = result
        return result


def read_structure_of(finished: Finished, *, file: str) -> Atoms:
    """A structure that belongs to a result, without the energies that its writer put beside it."""
    atoms = read(finished.files[file], format="extxyz")
    if not isinstance(atoms, Atoms):
        raise TypeError(finished.files[file])
    atoms.calc = None
    return atoms
