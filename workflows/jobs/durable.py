"""Files that are whole or absent: written aside, flushed to the disk, then given their name."""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CHUNK_BYTES = 1 << 20


def compute_sha256(path: Path) -> str:
    """SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write_canonical_json(document: Mapping[str, Any]) -> str:
    """JSON text that depends on the content alone: sorted keys, no spaces, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its own checksum, so that a flipped bit in it is seen."""
    return {**document, "seal": hashlib.sha256(write_canonical_json(document).encode()).hexdigest()}


def read_sealed_json(path: Path) -> dict[str, Any] | None:
    """The document in a sealed file, without its seal, or None if it is absent or damaged."""
    document = read_json(path)
    if document is None:
        return None
    expected = document.pop("seal", None)
    return document if seal(document)["seal"] == expected else None


def flush_to_disk(path: Path) -> None:
    """Wait until a file or a directory's entries are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_aside(path: Path, text: str) -> Path:
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        aside.write_text(text, encoding="utf-8")
        flush_to_disk(aside)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    return aside


def write_json(path: Path, document: Mapping[str, Any], *, flush: bool = True) -> None:
    """Write or replace a JSON file in one step; `flush=False` for what is only displayed."""
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    if flush:
        _write_aside(path, text).replace(path)
        flush_to_disk(path.parent)
    else:
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)


def create_json(path: Path, document: Mapping[str, Any]) -> bool:
    """Create a JSON file that nobody has created before.

    Returns:
        Whether this call created it; if not, the file that was there is untouched.
    """
    aside = _write_aside(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        aside.unlink()
    flush_to_disk(path.parent)
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """The document in a file, or None if there is no such file or it does not hold a JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def publish_directory(aside: Path, target: Path) -> bool:
    """Give a finished directory its name in one step; the first one to arrive keeps it.

    Returns:
        Whether `aside` became `target`; if not, another directory was there and `aside` is left as it is.
    """
    for path in sorted(aside.iterdir()):
        flush_to_disk(path)
    flush_to_disk(aside)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        aside.rename(target)
    except OSError:
        if target.is_dir():
            return False
        raise
    flush_to_disk(target.parent)
    return True
