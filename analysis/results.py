"""The results of a run: one frozen container, one `results.json`, read and written whole."""

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic

from structures.errors import InputError

SCHEMA_VERSION = 1
RESULTS_FILE = "results.json"


@dataclass(frozen=True)
class ResultWarning:
    """Something that a reader must know: red means "do not use", amber means "read this first"."""

    severity: Literal["red", "amber"]
    text: str


@dataclass(frozen=True)
class Reference:
    """A work to cite: `text` as printed in a list of references, `bibtex` a complete entry or empty."""

    text: str
    doi: str | None = None
    bibtex: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from, and how to get them again.

    Args:
        versions: package or program name → version.
        checksums: file or model name → SHA-256.
        seeds: what was drawn → seed or list of seeds.
        keys: calculation (stage, case, replica) → key in the store.
        wall_times_s: stage or calculation → wall time in s.
        machine: host, processor, cores and so on.
        command: the exact command line that repeats the run.
        created: ISO 8601 time of writing.
    """

    versions: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    wall_times_s: dict[str, float] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    created: str = ""


@dataclass(frozen=True)
class Results:
    """Everything a flow found out; a quantity carries its unit in its name.

    Args:
        flow: name of the flow, e.g. "potassium-diffusion".
        status: "completed", "partial" (some calculations are missing) or "failed".
        config: the resolved configuration.
        system: what was simulated (atoms, cell, composition, strain, potential …).
        observables: what was measured; `cases` and `contrast` where cases are compared.
        warnings: what a reader must know before using a number.
        references: works to cite.
        provenance: versions, checksums, seeds, keys, times, machine, command.
        methods: paragraphs for a method section; empty: the report writes them from config and system.
        schema_version: version of this layout.
    """

    flow: str
    status: Literal["completed", "partial", "failed"]
    config: dict[str, Any] = field(default_factory=dict)
    system: dict[str, Any] = field(default_factory=dict)
    observables: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[ResultWarning, ...] = ()
    references: tuple[Reference, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    methods: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION


_ADAPTER = pydantic.TypeAdapter(Results)


def build_json_value(value: object) -> Any:  # noqa: ANN401 - JSON is any of six types
    """Turn numpy values, dataclasses, enums and paths into JSON values; NaN and infinity become None.

    Raises:
        InputError: if a value has no form in JSON.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: build_json_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): build_json_value(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return build_json_value(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [build_json_value(item) for item in items]
    return _build_json_scalar(value)


def _build_json_scalar(value: object) -> str | float | bool | None:
    if isinstance(value, Enum):
        return _build_json_scalar(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Path):
        return str(value)
    raise InputError(f"results hold a {type(value).__name__}, need JSON values or arrays. Convert it first.")


def build_results_schema() -> dict[str, Any]:
    """JSON Schema of `results.json`."""
    schema = _ADAPTER.json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "alkaliflow results"
    return schema


def write_text_atomically(path: Path, *, text: str) -> Path:
    """Write a text file under a temporary name, flush it to disk and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_results(results: Results, *, directory: Path) -> Path:
    """Write `results.json` into a directory, whole or not at all.

    Returns:
        Path of the file.
    """
    text = json.dumps(build_json_value(results), indent=1, ensure_ascii=False, allow_nan=False)
    return write_text_atomically(Path(directory) / RESULTS_FILE, text=text + "\n")


def read_results(path: Path) -> Results:
    """Read `results.json`; a directory means the file of that name inside it.

    Raises:
        InputError: if the file is missing, is no JSON, has a newer schema or lacks a field.
    """
    path = Path(path)
    path = path / RESULTS_FILE if path.is_dir() else path
    data = _read_json(path)
    version = data.get("schema_version")
    if not isinstance(version, int):
        raise InputError(f"{path}: schema_version is {version!r}, needs a whole number. Is this a results.json?")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version is {version}, this alkaliflow reads up to {SCHEMA_VERSION}. "
            "Update alkaliflow: pip install --upgrade alkaliflow"
        )
    try:
        return _ADAPTER.validate_python(data, extra="forbid")
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path}: {where}: {first['msg']}. The file was changed or cut; write it again with: alkaliflow analyse DIR"
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist. Give a run directory or its {RESULTS_FILE}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is no JSON ({error}). Write it again with: alkaliflow analyse DIR") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds a {type(data).__name__}, needs an object. Is this a results.json?")
    return data
