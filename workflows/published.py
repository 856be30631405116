"""What a run directory holds already: results of the same calculations, settings and code are not made again."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import analysis
import structures
import workflows
from workflows.jobs.durable import compute_sha256, read_json, write_json

PUBLISHED_FILE = "published.json"
_FOLDERS = ("tables", "trajectories", "poses", "densities")
_MADE = frozenset({".csv", ".html", ".lammpsdump", ".extxyz", ".cube"})
# A source or template of the code; models and pictures are keyed where they are used.
_CODE = frozenset({".py", ".j2", ".js", ".css"})


def note_published(directory: Path, *, made_from: Mapping[str, Any]) -> None:
    """Note what the files of a run were made from, once all of them are written.

    Args:
        directory: the run's directory.
        made_from: keys of the calculations, settings and versions, as JSON values.
    """
    found = [*directory.glob("*.*"), *(path for folder in _FOLDERS for path in directory.glob(f"{folder}/*"))]
    made = sorted(path for path in found if path.suffix in _MADE or path.stem == "results")
    files = {str(path.relative_to(directory)): compute_sha256(path) for path in made}
    write_json(directory / PUBLISHED_FILE, {**made_from, "code": compute_code_sha256(), "files": files})


def is_published(directory: Path, *, made_from: Mapping[str, Any]) -> bool:
    """Whether a run's files were made from just this by this code, and are as they were written."""
    noted = read_json(directory / PUBLISHED_FILE) or {}
    files = noted.pop("files", {})
    if not files or noted != {**made_from, "code": compute_code_sha256()}:
        return False
    return all((directory / name).is_file() and compute_sha256(directory / name) == files[name] for name in files)


@cache
def compute_code_sha256() -> str:
    """Checksum of the code that analyses and reports: a version alone does not tell two states of a checkout apart."""
    digest = hashlib.sha256()
    for package in (analysis, structures, workflows):
        root = Path(str(package.__file__)).parent
        for path in sorted(path for path in root.rglob("*") if path.suffix in _CODE):
            digest.update(f"{path.relative_to(root.parent)}\0".encode() + path.read_bytes())
    return digest.hexdigest()
