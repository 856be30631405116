"""The store: the only truth about calculations. State is derived from which files exist; nothing is rewritten."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ase import Atoms
from ase.io import read, write

from structures.errors import CalculationError, InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.calculation import Calculation, normalise_structure
from workflows.jobs.durable import (
    compute_sha256,
    create_json,
    flush_to_disk,
    publish_directory,
    read_json,
    read_sealed_json,
    write_json,
)
from workflows.jobs.faults import edge
from workflows.jobs.key import compute_chain_key, compute_key, describe_calculation, resolve_settings
from workflows.jobs.registry import find_recipe
from workflows.jobs.segments import Segment, SegmentChain

STORE_SCHEMA_VERSION = 1
_SHARED_FIELDS = (
    *("recipe", "seed", "ranks", "threads", "charge", "multiplicity"),
    *("inputs", "continue_from", "salt", "label"),
)
_DIGEST = re.compile("[0-9a-f]{64}")
STORAGE_TROUBLE = {
    errno.ENOSPC: "is full: free some space",
    errno.EDQUOT: "is over your quota: free some space",
    errno.EROFS: "is on a read-only file system: choose another place",
    errno.EACCES: "may not be written by you: choose another place or change its permissions",
    errno.EPERM: "may not be written by you: choose another place or change its permissions",
}


@dataclass(frozen=True)
class Finished:
    """A calculation with its accepted result.

    Attributes:
        key: of the calculation.
        values: what the recipe found, as JSON values.
        files: name to path of the files that belong to the result.
        segments: directories of the segments, for dynamics, in order.
        executions: how often a worker has started on it.
        wall_time_s: of the attempt that finished it.
        versions: of the packages that computed it.
        reused: whether it was in the store before it was asked for.
    """

    key: str
    values: Mapping[str, Any]
    files: Mapping[str, Path]
    segments: tuple[Path, ...] = ()
    executions: int = 1
    wall_time_s: float = 0.0
    versions: Mapping[str, str] | None = None
    reused: bool = False


@dataclass(frozen=True)
class Failed:
    """A calculation whose failure is its result: repeating it would fail again."""

    key: str
    kind: str
    reason: str
    directory: Path


class Store:
    """Calculations, their results and the files they need, below one directory."""

    def __init__(self, root: Path) -> None:
        """Open or create a store.

        Raises:
            InputError: if a newer alkaliflow wrote it, or it cannot be written.
        """
        self.root = root.absolute()
        try:
            (self.root / "jobs").mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (self.root / "store.json").exists():
                create_json(self.root / "store.json", {"schema_version": STORE_SCHEMA_VERSION})
        except OSError as error:
            raise InputError(explain_storage_trouble(error, self.root)) from error
        _check_schema(self.root)

    @staticmethod
    def check_place(root: Path) -> None:
        """Check that a store is there or can be made there, and change nothing.

        Raises:
            InputError: if a newer alkaliflow wrote it, or it cannot be written.
        """
        place = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
        if not os.access(place, os.W_OK):
            is_read_only = os.statvfs(place).f_flag & os.ST_RDONLY
            error = OSError(errno.EROFS if is_read_only else errno.EACCES, "")
            raise InputError(explain_storage_trouble(error, root))
        if (root / "store.json").exists():
            _check_schema(root)

    @classmethod
    def of_job(cls, job: Path) -> "Store":
        """The store that a job's directory lies in."""
        return cls(job.absolute().parents[2])

    def job_directory(self, key: str) -> Path:
        """Where the calculation of that key is, or will be.

        Raises:
            InputError: if it is no key.
        """
        _check_digest(key)
        return self.root / "jobs" / key[:2] / key

    def keys(self) -> Iterator[str]:
        """Keys of all calculations in the store, sorted."""
        for path in sorted((self.root / "jobs").glob("??/*/calculation.json")):
            yield path.parent.name

    def find_key(self, beginning: str) -> str:
        """The one key that begins so.

        Raises:
            InputError: if none or several do.
        """
        matches = [key for key in self.keys() if key.startswith(beginning)]
        if len(matches) != 1:
            found = "no calculation" if not matches else f"{len(matches)} calculations"
            message = f"{found} in {self.root} has a key that begins with {beginning!r}; give the key of one."
            raise InputError(message)
        return matches[0]

    def create(self, calculation: Calculation) -> str:
        """Write a calculation down, once; returns its key.

        Raises:
            InputError: if the recipe, a setting or the structure is wrong.
        """
        key = compute_key(calculation)
        target = self.job_directory(key)
        if (target / "calculation.json").exists():
            return key
        aside = self.root / "jobs" / f".new-{uuid.uuid4().hex}"
        aside.mkdir()
        try:
            document = {name: getattr(calculation, name) for name in _SHARED_FIELDS}
            document["inputs"] = dict(calculation.inputs)
            document["settings"] = resolve_settings(calculation)
            document["calculator"] = calculation.calculator.to_json() if calculation.calculator is not None else None
            document["identity"] = describe_calculation(calculation)
            if calculation.structure is not None:
                write(aside / "structure.extxyz", normalise_structure(calculation.structure), format="extxyz")
            write_json(aside / "calculation.json", document)
            publish_directory(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        edge("calculation-written")
        return key

    def load(self, key: str) -> Calculation:
        """The calculation of that key, from its stored file.

        Raises:
            InputError: if it is not there, or no longer what its key says.
        """
        directory = self.job_directory(key)
        document = read_json(directory / "calculation.json")
        if document is None:
            message = f"There is no readable calculation {key} in {self.root}."
            raise InputError(message)
        structure = directory / "structure.extxyz"
        calculation = Calculation(
            structure=cast("Atoms", read(structure, format="extxyz")) if structure.exists() else None,
            calculator=CalculatorSpec.from_json(document["calculator"]) if document["calculator"] is not None else None,
            settings=document["settings"],
            **{name: document[name] for name in _SHARED_FIELDS if name in document},  # later fields have defaults
        )
        now = compute_key(calculation)
        if now != key:
            then, today = document["identity"]["recipe_version"], find_recipe(calculation.recipe).version
            message = (
                f"The calculation {key[:12]} is now {now[:12]}: its files were changed, or another version of "
                f"alkaliflow made it (recipe {calculation.recipe}, version {then} then, {today} now). "
                "Start the run again in a new directory."
            )
            raise InputError(message)
        return calculation

    def chain(self, calculation: Calculation) -> SegmentChain | None:
        """The chain of segments of a calculation, or None if it is no dynamics."""
        if find_recipe(calculation.recipe).length_field is None:
            return None
        return self.open_chain(compute_chain_key(calculation))

    def open_chain(self, chain_key: str) -> SegmentChain:
        """The chain of segments of that key.

        Raises:
            InputError: if it is no key.
        """
        _check_digest(chain_key)
        return SegmentChain(
            directory=self.root / "chains" / chain_key[:2] / chain_key, quarantine=self.root / "quarantine", edge=edge
        )

    def result(self, key: str) -> Finished | Failed | None:
        """The accepted result, or None if there is none yet.

        What is damaged is moved to quarantine, so that it is computed again.
        """
        directory = self.job_directory(key)
        path = directory / "result.json"
        if not path.exists():
            return None
        try:
            return self._read_result(read_sealed_json(path) or {}, key)
        except (KeyError, TypeError, ValueError, AttributeError, InputError):
            self._quarantine(path, key)
            return None

    def _read_result(self, document: Mapping[str, Any], key: str) -> Finished | Failed:
        """The result that a document tells of, once every file of it is found whole.

        Raises:
            ValueError: if a file is damaged, which is moved to quarantine, or does not lie with the calculation.
        """
        directory = self.job_directory(key)
        if document["status"] == "failed":
            return Failed(key, document["kind"], document["reason"], directory / document["attempt"])
        files = {name: directory / entry["path"] for name, entry in document["files"].items()}
        for path in files.values():
            if not path.resolve().is_relative_to(directory.resolve()):
                message = f"{path} lies outside of {directory}"
                raise ValueError(message)
        segments = self._result_segments(document)
        damaged = [
            name
            for name, entry in document["files"].items()
            if not files[name].is_file() or compute_sha256(files[name]) != entry["sha256"]
        ]
        for name in damaged:
            self._quarantine(files[name], key)
        if damaged or segments is None:
            message = f"{', '.join(damaged) or 'a segment'} is damaged"
            raise ValueError(message)
        return Finished(
            key=key,
            values=document["values"],
            files=files,
            segments=tuple(segment.directory for segment in segments),
            executions=document["executions"],
            wall_time_s=document["wall_time_s"],
            versions=document["versions"],
        )

    def _result_segments(self, document: Mapping[str, Any]) -> list[Segment] | None:
        """The segments that a result stands on; None if one of them is missing or damaged."""
        if document["chain"] is None:
            return []
        count = int(document["segments"])
        segments = self.open_chain(document["chain"]).committed()[:count]
        return segments if len(segments) == count else None

    def _quarantine(self, path: Path, key: str) -> None:
        if path.exists():
            (self.root / "quarantine").mkdir(exist_ok=True)
            path.rename(self.root / "quarantine" / f"{key[:12]}-{path.name}-{uuid.uuid4().hex[:8]}")

    def add_blob(self, path: Path) -> str:
        """Copy a file into the store under its SHA-256, which is returned.

        Raises:
            CalculationError: if the store is full or cannot be written.
        """
        digest = compute_sha256(path)
        target = self.blob_path(digest)
        if target.exists():
            return digest
        aside = target.with_name(f".{uuid.uuid4().hex}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, aside)
            flush_to_disk(aside)
            aside.replace(target)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise CalculationError(explain_storage_trouble(error, self.root)) from error
        return digest

    def blob_path(self, digest: str) -> Path:
        """Where the file with that SHA-256 is.

        Raises:
            InputError: if it is no SHA-256.
        """
        _check_digest(digest)
        return self.root / "blobs" / digest[:2] / digest

    def check_blobs(self, digests: Mapping[str, str]) -> None:
        """Check that a calculator's files are there and unchanged.

        Raises:
            InputError: if one is missing or damaged.
        """
        for role, digest in digests.items():
            path = self.blob_path(digest)
            if not path.is_file() or compute_sha256(path) != digest:
                message = (
                    f"The {role} with SHA-256 {digest[:12]}… is missing from the store or damaged ({path}). "
                    "Put the file back, or start the run again with the potential it used."
                )
                raise InputError(message)


def _check_digest(digest: str) -> None:
    """Keys and checksums become paths, so nothing else may stand in their place."""
    if not _DIGEST.fullmatch(digest):
        raise InputError(f"{digest!r} is no key or SHA-256, needs 64 hexadecimal digits.")


def _check_schema(root: Path) -> None:
    document = read_json(root / "store.json") or {}
    version = document.get("schema_version")
    if version != STORE_SCHEMA_VERSION:
        message = (
            f"The store {root} has schema version {version}, this alkaliflow knows {STORE_SCHEMA_VERSION}. "
            "Update alkaliflow, or choose another store with --store."
        )
        raise InputError(message)


def explain_storage_trouble(error: OSError, place: Path) -> str:
    """One sentence on why a directory cannot be written, and what to do."""
    reason = STORAGE_TROUBLE.get(error.errno or 0, f"cannot be written ({error.strerror})")
    return f"{place} {reason}, then run the same command again. Nothing that was finished is lost."
