"""Where CP2K lies on this machine, which release it is, and for which elements it has a basis."""

import os
import re
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from structures.errors import InputError, SetupError
from workflows.calculators.wording import IN_FLOWS, Wording

PROGRAMS = ("cp2k.psmp", "cp2k.ssmp")
INSTALL = "apt-get install cp2k libopenblas0-openmp (Debian, Ubuntu)"
POTENTIAL = "GTH-PBE"
_FIRST_RELEASE = 2023
_BASIS_FILE, _POTENTIAL_FILE = "BASIS_MOLOPT", "GTH_POTENTIALS"


def find_program() -> str | None:
    """Path of CP2K; None if it is not installed."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def check_program() -> str:
    """Path of CP2K.

    Raises:
        SetupError: if it is not installed.
    """
    path = find_program()
    if path is None:
        raise SetupError(f"calculator cp2k needs {PROGRAMS[0]}, not found on the PATH: {INSTALL}")
    return path


def read_release(program: str) -> str:
    """Release of CP2K, as 2023.1, from what the program says of itself; empty if it says none."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"CP2K version (\S+)", done.stdout)
    return found.group(1) if found else ""


def check_release(release: str) -> None:
    """Check that the release is one whose input and output are known here.

    Raises:
        SetupError: names the release and the first that is known.
    """
    year = release.partition(".")[0]
    if not year.isdigit() or int(year) < _FIRST_RELEASE:
        raise SetupError(f"CP2K here is of release {release or 'unknown'}, needs {_FIRST_RELEASE} or later: {INSTALL}")


def find_data(program: str) -> Path | None:
    """Folder of bases and potentials: CP2K_DATA_DIR, or beside the program; None if it lies elsewhere."""
    prefix = Path(program).resolve().parents[1]
    own = os.environ.get("CP2K_DATA_DIR")
    folders = [Path(own)] if own else [prefix / "share" / "cp2k", prefix / "share" / "cp2k" / "data"]
    return next((folder for folder in folders if (folder / _BASIS_FILE).is_file()), None)


def check_data(elements: Collection[str], *, basis: str, wording: Wording = IN_FLOWS) -> None:
    """Check that CP2K has the basis and a potential for each element, where its data can be found.

    Args:
        elements: of the structure.
        basis: name of the basis.
        wording: how the place that named the calculator spells its settings.

    Raises:
        SetupError: if CP2K is not installed.
        InputError: names the elements that lack one.
    """
    folder = find_data(check_program())
    if folder is None:
        return  # compiled into the program; it tells by itself what it lacks
    for file, name in ((_BASIS_FILE, basis), (_POTENTIAL_FILE, POTENTIAL)):
        text = (folder / file).read_text(encoding="utf-8", errors="replace")
        known = set(re.findall(rf"^\s*([A-Z][a-z]?)\s(?:.*\s)?{re.escape(name)}(?:\s|$)", text, flags=re.MULTILINE))
        missing = sorted(set(elements) - known)
        if missing:
            raise InputError(
                f"calculator cp2k has no {name} of {', '.join(missing)} in {folder / file}. Use "
                f"{wording.set('basis', 'DZVP-MOLOPT-SR-GTH')}, or {wording.choose.format('gpaw')}."
            )
