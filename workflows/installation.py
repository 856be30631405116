"""How to install what is missing: one command that works as it stands, with the pip of this environment."""

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import requires, version
from pathlib import Path

_CLONE = Path(__file__).resolve().parents[1]


def install_command(*, extra: str = "", clone: Path = _CLONE) -> str:
    """The command that installs what alkaliflow needs, or what an extra of it does.

    In a clone it installs with the versions of `constraints.txt`; elsewhere the packages are named, because
    alkaliflow itself may not be in an index.

    Args:
        extra: such as `mlip`; empty for what is always needed.
        clone: where the packages lie.

    Returns:
        A line for the shell.
    """
    if extra == "dft":
        return _install_dft_command(clone)
    pip = [sys.executable, "-m", "pip", "install"]
    if (clone / "constraints.txt").is_file() and (clone / "pyproject.toml").is_file():
        project = f"{clone}[{extra}]" if extra else str(clone)
        return shlex.join([*pip, "-e", project, "-c", str(clone / "constraints.txt")])
    return shlex.join([*pip, *list_requirements(extra=extra, versions=True)])


def find_missing_modules(modules: Iterable[str]) -> list[str]:
    """The Python modules that are not installed here."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def _install_dft_command(clone: Path) -> str:
    """The BLAS that GPAW is compiled against must be there before it, and GPAW must be told how to compile."""
    pip = shlex.join([sys.executable, "-m", "pip", "install"])
    here = (clone / "constraints.txt").is_file()
    pins = f" -c {shlex.quote(str(clone / 'constraints.txt'))}" if here else ""
    config = shlex.quote(str(Path(__file__).parent / "engines" / "gpaw_siteconfig.py"))
    packages = shlex.join(list_requirements(extra="dft", versions=True))
    return f"{pip} scipy-openblas32{pins} && GPAW_CONFIG={config} {pip} {packages}{pins}"


def reinstall_command(*packages: str) -> str:
    """The command that installs packages anew in the versions that are here."""
    named = [f"{package}=={version(package)}" for package in packages]
    return shlex.join([sys.executable, "-m", "pip", "install", "--force-reinstall", "--no-deps", *named])


def list_requirements(*, extra: str = "", versions: bool = False) -> list[str]:
    """Packages that alkaliflow needs, or that an extra of it adds; sorted.

    Args:
        extra: such as `mlip`; empty for what is always needed.
        versions: with the versions that are asked for.
    """
    wanted = []
    for line in requires("alkaliflow") or []:
        name, _, marker = line.partition(";")
        found = re.search(r"extra == ['\"](.+?)['\"]", marker)
        if (found.group(1) if found else "") == extra:
            wanted.append(name.strip())
    names = wanted if versions else [re.split(r"[^\w.-]", name, maxsplit=1)[0] for name in wanted]
    return sorted(set(names), key=str.lower)
