"""What a driver asks of whatever starts workers: a machine's own cores, or a cluster's queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from workflows.jobs.attempt import Attempt

BY_HAND = "by hand"
LOCAL = "local"


@dataclass(frozen=True)
class Task:
    """A calculation that needs an attempt.

    Attributes:
        job: its directory in the store.
        recipe: its recipe's name.
        label: for people.
        ranks: MPI processes of its engine.
        threads: OpenMP threads of each.
        memory_MB: estimate of what it needs.
    """

    job: Path
    recipe: str
    label: str
    ranks: int
    threads: int
    memory_MB: float

    @property
    def cores(self) -> int:
        """Cores that it keeps busy."""
        return self.ranks * self.threads


@dataclass(frozen=True)
class Delay:
    """Why a calculation was not started now.

    Attributes:
        reason: what it waits for, or why it will never start.
        hint: said once, whichever calculations it is about.
        is_final: whether trying again would give the same.
    """

    reason: str
    hint: str = ""
    is_final: bool = False


@dataclass(frozen=True)
class Sighting:
    """What is known of an attempt from outside its files.

    Attributes:
        state: `waiting` for its worker, `running`, `gone` (no worker will come, or its worker has ended), or `unseen`
            (nobody can tell, or not yet).
        reason: in words, where there is one: what it waits for, or what ended it.
        is_certain: whether `gone` was said by who would know, not concluded from an absence.
    """

    state: Literal["waiting", "running", "gone", "unseen"]
    reason: str = ""
    is_certain: bool = False


class Executor(Protocol):
    """Starts workers and knows what became of them."""

    def check(self, *, cores: int, memory_MB: float) -> None:
        """Check that a calculation could run there.

        Raises:
            InputError: if it never could.
        """

    def poll(self) -> None:
        """Learn what has changed."""

    def start(self, tasks: Sequence[Task]) -> Mapping[Path, Delay]:
        """Claim attempts and have workers start in them.

        Args:
            tasks: calculations without a living attempt.

        Returns:
            Directory of the calculation → why it was not started, for those that were not.
        """

    def look(self, attempt: Attempt) -> Sighting:
        """What became of an attempt that was begun here or by another driver."""

    def list_processes(self) -> Sequence[int]:
        """Numbers of processes of this machine whose end is news to the driver."""

    def stop(self) -> None:
        """The driver is about to end early."""

    def wait(self) -> None:
        """The driver is about to end, everything is done."""
