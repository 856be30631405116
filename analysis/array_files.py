"""Arrays that an electronic-structure code leaves for analysis: compressed NumPy archives with a kind and a version."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from structures.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAY_SCHEMA_VERSION = 1


def write_arrays(path: str | Path, *, kind: str, **arrays: Any) -> None:  # noqa: ANN401 (whatever becomes an array)
    """Write named arrays, whole or not at all.

    Args:
        path: ends in .npz.
        kind: what they are; the reader asks for it.
        **arrays: by name, which wears the unit.
    """
    file = Path(path)
    aside = file.with_name(f".{file.name}")
    with aside.open("wb") as stream:
        np.savez_compressed(
            stream, kind=np.array(kind), schema_version=np.int64(ARRAY_SCHEMA_VERSION), allow_pickle=False, **arrays
        )
    aside.replace(file)


def read_arrays(path: str | Path, *, kind: str) -> dict[str, NDArray[Any]]:
    """Read what `write_arrays` wrote.

    Raises:
        InputError: if the file is missing, broken, of another kind or from a later version.
    """
    file = Path(path)
    try:
        # Opened here, since NumPy leaves a broken file open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise InputError(f"{file} does not exist; compute the {kind} first") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} cannot be read ({error}); compute the {kind} anew") from error
    found = str(arrays.pop("kind", "unknown"))
    if found != kind:
        raise InputError(f"{file} holds {found}, needs {kind}; check the path")
    version = int(arrays.pop("schema_version"))
    if version > ARRAY_SCHEMA_VERSION:
        raise InputError(
            f"{file} has schema version {version}, this alkaliflow reads up to {ARRAY_SCHEMA_VERSION}. Update it."
        )
    return arrays
