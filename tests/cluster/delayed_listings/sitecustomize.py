"""A file server that shows new names late: listings leave out what is younger than `DELAYED_LISTINGS_S`."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_DELAY_S = float(os.environ.get("DELAYED_LISTINGS_S", "0"))
_scandir, _listdir = os.scandir, os.listdir


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_ctime >= _DELAY_S
    except OSError:
        return True


class _Scan:
    """What `os.scandir` gives, without what is too young."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.entries = _scandir(path)

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return (entry for entry in self.entries if _is_old(entry.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.entries.close()

    def close(self) -> None:
        self.entries.close()


if _DELAY_S > 0:
    os.scandir = lambda path=".": _Scan(path)  # type: ignore[assignment]
    os.listdir = lambda path=".": [  # type: ignore[assignment]
        name for name in _listdir(path) if _is_old(str(Path(path) / name))
    ]
