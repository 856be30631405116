"""Profiles of clusters: what a job asks a scheduler for. A file of the user's, one of the project; never secrets.

```yaml
clusters:
  big:
    partition: cpu
    time_min: 240
    setup: ["module load gcc"]
    recipes:
      electronic_energy: {time_min: 1440, memory_GB: 16}
```
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from structures.errors import InputError
from workflows.configuration.resolve import resolve
from workflows.configuration.sections import ConfigModel

PROJECT_FILE = "alkaliflow-clusters.yaml"
_USER_FILE = Path("alkaliflow") / "clusters.yaml"
# Seconds of a job's limit that no worker plans with: its start, and the end of its last files.
MARGIN_S = 30.0

# What goes to sbatch as a value of an option: no space, no control sign, no leading dash.
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_@.+,:/=\[\]()*&|!~][A-Za-z0-9_@.+,:/=\[\]()*&|!~-]*$")]
SbatchOption = Annotated[str, StringConstraints(pattern=r"^--[a-z][a-z-]*(=[^\n\r]*)?$")]
SetupLine = Annotated[str, StringConstraints(pattern=r"^[^\n\r]*$")]
_OURS = re.compile(r"^--(job-name|array|export|output|error|parsable|wrap|requeue|no-requeue|comment|chdir)(=|$)")


class JobRequest(ConfigModel):
    """What one job asks for; null: as the cluster's profile says, or as the scheduler has it."""

    partition: Word | None = Field(default=None, description="partition, or several with commas; null: the default")
    account: Word | None = Field(default=None, description="account that pays")
    qos: Word | None = Field(default=None, description="quality of service")
    time_min: int | None = Field(
        default=None, ge=1, description="wall-time limit of a job in minutes; dynamics pass through it in segments"
    )
    memory_GB: float | None = Field(default=None, gt=0, description="memory of a job; null: the recipe's own estimate")
    pack: int | None = Field(
        default=None, ge=1, description="calculations that one job does after each other; more for short ones"
    )
    options: tuple[SbatchOption, ...] = Field(
        default=(), description="further options of sbatch, e.g. ['--constraint=epyc']"
    )

    @model_validator(mode="after")
    def check_options(self) -> Self:
        """Names, arrays and the like are ours: jobs are found by them."""
        for option in self.options:
            if _OURS.match(option):
                raise ValueError(f"options holds {option!r}, which alkaliflow sets itself. Leave it out.")
        return self


class ClusterProfile(JobRequest):
    """A cluster: how jobs get there and what they ask for."""

    scheduler: Literal["slurm"] = Field(default="slurm", description="its scheduler")
    time_min: int = Field(default=240, ge=1, description="wall-time limit of a job in minutes")
    pack: int = Field(default=1, ge=1, description="calculations that one job does after each other")
    setup: tuple[SetupLine, ...] = Field(
        default=(), description="lines of the job's shell before the worker starts: module load …, export NAME=value"
    )
    python: str | None = Field(
        default=None, min_length=1, description="Python of the jobs; null: the one that submits (a shared file system)"
    )
    scratch: str | None = Field(
        default=None, pattern=r"^[^\n\r]+$", description="folder for temporary files on the node, which becomes TMPDIR"
    )
    max_in_queue: int = Field(default=200, ge=1, description="jobs of this user's runs in the queue at a time")
    poll_s: float = Field(default=10.0, gt=0, description="seconds between two looks at the queue, at least")
    recipes: dict[str, JobRequest] = Field(
        default_factory=dict,
        description="recipe: what its jobs ask for otherwise, e.g. electronic_energy: {time_min: 1440}",
    )

    def find_request(self, recipe: str) -> JobRequest:
        """What a job of that recipe asks for: its own values over those of the profile."""
        own = self.recipes.get(recipe, JobRequest())
        merged = {name: getattr(self, name) for name in JobRequest.model_fields}
        merged |= {name: value for name in JobRequest.model_fields if (value := getattr(own, name)) not in (None, ())}
        return JobRequest(**merged)


class ClustersFile(ConfigModel):
    """A file of profiles."""

    clusters: dict[Word, ClusterProfile] = Field(default_factory=dict)


def list_profile_files() -> list[Path]:
    """Where profiles are looked for: the user's, then the project's, which wins."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    return [Path(base) / _USER_FILE, Path(PROJECT_FILE).absolute()]


def read_profiles() -> dict[str, ClusterProfile]:
    """Name → profile, of all files that are there.

    Raises:
        InputError: if a file is broken; names it, the key, and what is wrong.
    """
    profiles: dict[str, ClusterProfile] = {}
    for path in list_profile_files():
        if path.exists():
            profiles |= resolve(ClustersFile, presets={}, path=path).config.clusters
    return profiles


def find_profile(name: str | None) -> tuple[str, ClusterProfile]:
    """A profile with its name; without one asked for, the only one there is, or else Slurm's own defaults.

    Raises:
        InputError: if there is none of that name, or several and none was named.
    """
    profiles = read_profiles()
    if name is None:
        if len(profiles) > 1:
            raise InputError(
                f"There are several clusters ({', '.join(profiles)}), needs the name of one: --executor slurm:NAME"
            )
        return next(iter(profiles.items()), ("default", ClusterProfile()))
    if name in profiles:
        return name, profiles[name]
    if name == "default":
        return name, ClusterProfile()
    places = " or ".join(str(path) for path in list_profile_files())
    known = f"one of {', '.join(profiles)}" if profiles else "one that is described"
    raise InputError(f"There is no cluster {name!r}, needs {known}. Describe it in {places}.")
