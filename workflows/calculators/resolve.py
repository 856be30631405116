"""From what a user names to a calculator spec with its files in the store."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from structures.errors import InputError
from workflows.calculators.lammps_potential import find_named_files, read_pair_commands
from workflows.calculators.pod import COEFFICIENTS_FILE, DESCRIPTOR_FILE, FILES_BY_ROLE
from workflows.calculators.registry import check_overrides
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.user_code import identify_code
from workflows.calculators.wording import IN_PYTHON, Wording

AddBlob = Callable[[Path], str]
"""Stores a file and gives its SHA-256; `Store.add_blob` is one."""


def build_calculator_spec(
    name: str,
    *,
    add_blob: AddBlob,
    potential: str = "",
    protocol: str = "moderate",
    overrides: Mapping[str, Any] | None = None,
    wording: Wording = IN_PYTHON,
) -> CalculatorSpec:
    """The spec of a calculator, its files added to the store and its code identified.

    Args:
        name: `pod`, `lammps`, `chgnet` or `ase`.
        add_blob: stores a file.
        potential: pod: name of a shipped potential or a folder; lammps: file of pair commands; ase:
            `package.module:factory`; chgnet: not used.
        protocol: `fast`, `moderate` or `precise`.
        overrides: further settings; lammps: `elements`; ase: `trust_code`, `arguments`.
        wording: how the place that named the calculator spells its settings.

    Raises:
        InputError: if there is no such calculator, or a setting or a file of it is wrong.
        SetupError: if the module of the user's factory is not on Python's path.
    """
    settings = dict(overrides or {})
    check_overrides(name, settings, wording=wording)
    models: dict[str, str] = {}
    code: dict[str, str] = {}
    if name == "pod":
        folder = find_potential_folder(potential, wording=wording)
        models = {role: add_blob(folder / file) for role, file in FILES_BY_ROLE.items() if (folder / file).is_file()}
    elif name == "lammps":
        models = _add_pair_commands(Path(potential), add_blob, wording)
    elif name == "ase":
        code = identify_code(str(settings.setdefault("factory", potential)))
    return CalculatorSpec(name=name, protocol=protocol, overrides=settings, models=models, code=code)


def list_shipped_potentials() -> list[str]:
    """Names of the potentials that come with the package."""
    root = Path(str(files("workflows"))) / "potentials"
    return sorted(path.parent.name for path in root.glob(f"*/{DESCRIPTOR_FILE}"))


def find_potential_folder(potential: str, *, wording: Wording = IN_PYTHON) -> Path:
    """Folder of a shipped potential by name, or of the user's own.

    Raises:
        InputError: if there is none, or it lacks a file.
    """
    shipped = Path(str(files("workflows"))) / "potentials" / potential
    folder = shipped if potential in list_shipped_potentials() else Path(potential)
    for file in (DESCRIPTOR_FILE, COEFFICIENTS_FILE):
        if not (folder / file).is_file():
            known = ", ".join(list_shipped_potentials()) or "none"
            raise InputError(
                f"{wording.potential} is {potential!r}, needs a shipped potential ({known}) or a folder that holds "
                f"{DESCRIPTOR_FILE} and {COEFFICIENTS_FILE}; {folder / file} is missing."
            )
    return folder


def _add_pair_commands(path: Path, add_blob: AddBlob, wording: Wording) -> dict[str, str]:
    if not path.is_file():
        raise InputError(
            f"{wording.potential} is {str(path)!r}, needs a file with your pair_style and pair_coeff lines."
        )
    named = find_named_files(read_pair_commands(path), directory=path.parent)
    return {"commands": add_blob(path), **{name: add_blob(file) for name, file in named.items()}}
