"""A run's directory: the resolved configuration, the keys of its calculations, its results and its report.

`run.json` says what the run is and is written once; `state.json` says how far it came and is replaced in one step. The
truth about the calculations is in the store.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from analysis.results import write_text_atomically
from structures.errors import InputError
from workflows import run_lock
from workflows.configuration.resolve import (
    config_sha256,
    find_input_files,
    find_structure_files,
    replace_value,
    write_yaml,
)
from workflows.configuration.yaml_files import read_yaml_file
from workflows.jobs.durable import compute_sha256, create_json, read_json
from workflows.jobs.store import explain_storage_trouble
from workflows.run_state import RUN_FILE, find_run_paths, read_state, record_state

SCHEMA_VERSION = 1
CONFIG_FILE = "config.yaml"
RESULTS_FILE = "results.json"
REPORT_FILE = "report.html"
INPUTS = "inputs"
MIN_FREE_MB = 50
_BYTES_PER_MB = 1e6
_HEADER = "# Resolved configuration of a run. Continue it with: alkaliflow resume "


@dataclass(frozen=True)
class RunDirectory:
    """A run on disk.

    Attributes:
        path: the directory.
        flow: name of the flow.
        store: root of the store that holds its calculations.
        config_sha256: checksum of the resolved configuration.
        created: ISO 8601 time.
        version: of the alkaliflow that created it.
        origin: where the configuration came from (preset, file, overrides).
        input_files: path → SHA-256 of the files that the configuration names: structures as copied into the
            directory, below `inputs`; a potential where it lies.
    """

    path: Path
    flow: str
    store: Path
    config_sha256: str
    created: str
    version: str
    origin: Mapping[str, Any] = field(default_factory=dict)
    input_files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a run directory says about itself.

        Raises:
            InputError: if it is missing, no run, damaged, or written by a newer alkaliflow.
        """
        if not path.is_dir():
            raise InputError(f"{path}: there is no such directory, needs one of a run. See: alkaliflow list")
        document = read_json(path / RUN_FILE)
        if document is None:
            state = "is damaged" if (path / RUN_FILE).exists() else "is missing"
            raise InputError(f"{path}: {RUN_FILE} {state}, needs the directory of a run. See: alkaliflow list")
        if document.get("schema_version") != SCHEMA_VERSION:
            raise InputError(
                f"{path}: {RUN_FILE} has schema version {document.get('schema_version')}, this alkaliflow knows "
                f"{SCHEMA_VERSION}. Update alkaliflow."
            )
        document.pop("schema_version")
        try:
            return cls(path=path, **{**document, "store": Path(document["store"])})
        except (KeyError, TypeError):
            raise InputError(f"{path}: {RUN_FILE} is damaged, needs the directory of a run. Start it anew.") from None

    def read_config(self) -> dict[str, Any]:
        """The resolved configuration as plain data.

        Raises:
            InputError: if it is missing or broken.
        """
        return read_yaml_file(self.path / CONFIG_FILE)

    def state(self) -> dict[str, Any]:
        """How far the run came, see `workflows.run_state`."""
        return read_state(self.path)

    def record(self, **changes: Any) -> None:  # noqa: ANN401 (JSON values)
        """Change the state: `status`, `keys`, `message` and so on.

        Raises:
            InputError: if the directory cannot be written.
        """
        with _explained(self.path):
            record_state(self.path, **changes)

    def check_input_files(self) -> None:
        """Check that the files which the configuration names are those that the run began with.

        Raises:
            InputError: if one is missing or was changed.
        """
        for name, digest in self.input_files.items():
            path = self.path / name
            if not path.is_file() or compute_sha256(path) != digest:
                what = "was changed after this run began" if path.is_file() else "is missing"
                raise InputError(
                    f"{path}: {what} ({self.path}). Put it back, or start a new run with another --workdir."
                )

    @property
    def results_path(self) -> Path:
        """Where the results are, or will be."""
        return self.path / RESULTS_FILE

    @property
    def report_path(self) -> Path:
        """Where the report is, or will be."""
        return self.path / REPORT_FILE


def open_run(
    path: Path,
    *,
    flow: str,
    config: BaseModel,
    store: Path,
    origin: Mapping[str, Any] | None = None,
) -> RunDirectory:
    """Create a run directory, or open that of the same run again, and lock it for this process.

    Structures that the configuration names are copied into it, and its `config.yaml` names the copies, so that the
    directory has what a rerun needs.

    Args:
        path: the directory; it may exist if it is empty or holds this very run.
        flow: name of the flow.
        config: the resolved configuration.
        store: root of the store.
        origin: where the configuration came from.

    Raises:
        InputError: if it holds something else, another process works on it, or it cannot be written.
    """
    with _explained(path):
        if not (path / RUN_FILE).exists():
            _check_foreign(path)
            path.mkdir(parents=True, exist_ok=True)
        _check_free(path)
        if (path / RUN_FILE).exists():
            _check_same(RunDirectory.read(path), flow=flow, config=config)
        run_lock.acquire(path)
        if not (path / RUN_FILE).exists():
            document = _describe(flow=flow, config=config, store=store)
            portable, copies = _name_copies(config)
            checksums = find_input_files(config)
            named = {copies.get(name, name): digest for name, digest in checksums.items()}
            document |= {"origin": dict(origin or {}), "input_files": named}
            write_text_atomically(path / CONFIG_FILE, text=f"{_HEADER}{path}\n{write_yaml(portable)}")
            for source, copy in copies.items():
                (path / copy).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, path / copy)
            # last: with it the directory is a run
            create_json(path / RUN_FILE, document)
        run = RunDirectory.read(path)
        _check_same(run, flow=flow, config=config)
    run.check_input_files()
    return run


def _name_copies(config: BaseModel) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration as plain data with structures named by their copies, and file → copy."""
    document, copies = config.model_dump(mode="json"), {}
    for number, (location, path) in enumerate(find_structure_files(config).items()):
        is_one_of_many = len(location) > 2  # noqa: PLR2004 (section and key); their names may hold any sign
        folder = f"{location[-1]}-{number}" if is_one_of_many else location[-1]
        copies[str(path)] = f"{INPUTS}/{folder}/{path.name}"
        replace_value(document, location, value=copies[str(path)])
    return document, copies


def _describe(*, flow: str, config: BaseModel, store: Path) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "flow": flow,
        "store": str(store.absolute()),
        "config_sha256": config_sha256(config),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("alkaliflow"),
    }


def _check_foreign(path: Path) -> None:
    """Refuse a place that holds anything but the beginnings of a run."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file, needs a directory. Choose another with --workdir.")
    ours = {run_lock.LOCK_FILE, "lost+found"}
    if path.is_dir() and is_begun(path / CONFIG_FILE):
        ours |= {CONFIG_FILE, INPUTS}
    found = sorted(entry.name for entry in path.iterdir() if entry.name not in ours) if path.is_dir() else []
    foreign = [name for name in found if not name.startswith(f".{CONFIG_FILE}.")]
    if foreign:
        names = ", ".join(foreign[:3])
        raise InputError(
            f"{path}: holds other files ({names}), needs a new or empty directory. Choose another: --workdir."
        )


def is_begun(config_path: Path) -> bool:
    """Whether a configuration was written by a run that did not get further."""
    try:
        with config_path.open(encoding="utf-8") as stream:
            return stream.readline().startswith(_HEADER)
    except (OSError, UnicodeDecodeError):
        return False


def _check_same(run: RunDirectory, *, flow: str, config: BaseModel) -> None:
    advice = "Choose another directory with --workdir, or leave it out."
    if run.flow != flow:
        raise InputError(f"{run.path}: holds a run of {run.flow}, needs one of {flow}. {advice}")
    if run.config_sha256 != config_sha256(config) and not _is_same_of_an_earlier_version(run, config=config):
        changed = find_differences(run.read_config(), _name_copies(config)[0])
        shown = "; ".join(f"{key} is {old} there and {new} now" for key, (old, new) in list(changed.items())[:3])
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""  # noqa: PLR2004 (as many as are shown)
        edited = "its configuration was edited, or a file that it names"
        raise InputError(f"{run.path}: holds another run: {shown or edited}{more}. {advice}")


def _is_same_of_an_earlier_version(run: RunDirectory, *, config: BaseModel) -> bool:
    """Whether the run differs only in keys that did not exist when it began, and that have their defaults now."""
    stored = run.read_config()
    if run.config_sha256 != config_sha256(config, known=stored):
        return False
    try:
        as_now = type(config).model_validate(stored, strict=False).model_dump(mode="json")
    except ValidationError:
        return False
    return not find_differences(as_now, _name_copies(config)[0])


def find_differences(old: Mapping[str, Any], new: Mapping[str, Any], *, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted keys whose values differ → both values."""
    changed: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            changed |= find_differences(before, after, prefix=f"{prefix}{key}.")
        elif before != after:
            changed[prefix + key] = (before, after)
    return changed


def _check_free(path: Path) -> None:
    free_MB = shutil.disk_usage(path).free / _BYTES_PER_MB
    if free_MB < MIN_FREE_MB:
        raise InputError(
            f"{path}: has {free_MB:.0f} MB free, needs {MIN_FREE_MB} MB for results and report. Free some space, or "
            "choose another directory with --workdir."
        )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{explain_storage_trouble(error, path)} Another directory: --workdir.") from error


def find_runs(root: Path) -> list[RunDirectory]:
    """The runs below a directory, newest first; what is no run is passed over."""
    runs = []
    for path in find_run_paths(root):
        with contextlib.suppress(InputError):
            runs.append(RunDirectory.read(path))
    return sorted(runs, key=lambda run: run.created, reverse=True)


def choose_path(root: Path, *, flow: str, name: str) -> Path:
    """A directory that is not taken: `<flow>-<name>-<n>` below root."""
    number = 1
    while (root / f"{flow}-{name}-{number}").exists():
        number += 1
    return root / f"{flow}-{name}-{number}"
