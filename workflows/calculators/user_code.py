"""Which code a factory `package.module:factory` lies in, found without running any of it."""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import shlex
import site
import sysconfig
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from structures.errors import InputError, SetupError


def identify_code(factory: str) -> dict[str, str]:
    """The code that a factory lies in, as it is now.

    An installed module is known by its distribution and version, any other by the checksum of its file. What that file
    imports in turn is not looked at.

    Args:
        factory: `package.module:factory`.

    Returns:
        Distribution to version, or module to `sha256:…`.

    Raises:
        InputError: if the factory is not of that form, or the module has no file.
        SetupError: if the module is not on Python's path.
    """
    module, _, name = factory.partition(":")
    if not name or ":" in name or not all(module.split(".")):
        raise InputError(
            f"calculator ase: factory is {factory!r}, needs 'package.module:factory', e.g. 'ase.calculators.emt:EMT'."
        )
    found = _find_module(module)
    if found is None:
        raise SetupError(_explain_absent(factory))
    if found.origin is None or not Path(found.origin).is_file():
        raise InputError(f"calculator ase: {module} has no source file; name the module that the factory stands in.")
    path = Path(found.origin).resolve()
    versions = _find_distributions(module.partition(".")[0]) if _is_installed(path) else {}
    return versions or {module: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"}


def _find_module(name: str) -> ModuleSpec | None:
    """Where a module is; its packages are walked through on the disk, because importing them would run their code."""
    importlib.invalidate_caches()
    top, *rest = name.split(".")
    try:
        found = importlib.util.find_spec(top)
    except ValueError:  # a module without a place, such as __main__
        return None
    for part in rest:
        if found is None or found.submodule_search_locations is None:
            return None
        found = PathFinder.find_spec(f"{found.name}.{part}", list(found.submodule_search_locations))
    return found


def _explain_absent(factory: str) -> str:
    module = factory.partition(":")[0]
    top = module.partition(".")[0]
    here = Path.cwd()
    is_here = (here / f"{top}.py").is_file() or (here / top).is_dir()
    folder = shlex.quote(str(here)) if is_here else f"FOLDER_OF_{top.upper()}"
    others = ":$PYTHONPATH" if os.environ.get("PYTHONPATH") else ""
    return (
        f"calculator ase: {factory} cannot be imported: there is no module {module} on Python's path, and the current "
        f"folder is not on the path of a calculation. Put its folder on PYTHONPATH: export PYTHONPATH={folder}{others}"
    )


def _is_installed(path: Path) -> bool:
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    return any(path.is_relative_to(Path(place).resolve()) for place in (*places, site.getusersitepackages()))


def _find_distributions(package: str) -> dict[str, str]:
    names = importlib.metadata.packages_distributions().get(package, [])
    return {name: importlib.metadata.version(name) for name in sorted(set(names))}
