"""A disk that runs full, as a small tmpfs: the message names it, and what is finished stays when there is more room."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from structures.errors import CalculationError
from tests.end_to_end.conftest import Argon, observe
from workflows.jobs.store import Store

Untouched = Callable[[Argon], dict[str, Any]]
HOW = "run it as root where mounting is allowed: sudo .venv/bin/python -m pytest tests/end_to_end/test_full_disk.py"
SIZES_KB = {"lammps": (24, 80, 130, 190), "ase": (24, 60, 96, 132)}
ENOUGH_KB = 16_000


def mount(place: Path, *, size_kB: int, again: bool = False) -> subprocess.CompletedProcess[str]:
    options = f"{'remount,' if again else ''}size={size_kB}k"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk in memory."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip(f"only root can mount a small disk; {HOW}")
    place = tmp_path / "disk"
    place.mkdir()
    done = mount(place, size_kB=ENOUGH_KB)
    if done.returncode != 0:
        pytest.skip(f"mounting a small disk failed ({done.stderr.strip()}); {HOW}")
    yield place
    subprocess.run([shutil.which("umount") or "umount", "--lazy", str(place)], check=True)


def list_segments(store: Path) -> set[Path]:
    return set(store.glob("chains/*/*/segments/*"))


def test_a_full_disk_is_named_and_loses_nothing(disk: Path, engine: str, untouched: Untouched) -> None:
    expected = untouched(Argon(Store(disk.with_name("other")), engine))
    root = disk / "store"
    for size_kB in SIZES_KB[engine]:
        mount(disk, size_kB=size_kB, again=True)
        before = list_segments(root)
        with pytest.raises(CalculationError, match=f"{root} is full: free some space, then run the same") as caught:
            Argon(Store(root), engine).run()
        assert "Traceback" not in str(caught.value)
        assert before <= list_segments(root)
    mount(disk, size_kB=ENOUGH_KB, again=True)
    assert observe(Argon(Store(root), engine).run()) == expected
