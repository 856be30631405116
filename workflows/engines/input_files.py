"""Inputs for the codes that run elsewhere, from a spec, and their outputs: one place for all of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from structures.errors import InputError
from workflows.calculators.electronic import ELECTRONIC_METHODS
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.written_settings import Cp2kSettings, EspressoSettings, VaspSettings
from workflows.engines import cp2k_files, espresso_files, vasp_files
from workflows.engines.electronic_files import Answer

_READERS = {
    "vasp": vasp_files.read_outputs,
    "espresso": espresso_files.read_outputs,
    "cp2k": cp2k_files.read_outputs,
}


def write_input_files(
    directory: Path,
    *,
    spec: CalculatorSpec,
    atoms: Atoms,
    charge: int,
    multiplicity: int,
    relax: bool,
    moments: Sequence[float] | None = None,
    paper: str = "",
) -> list[Path]:
    """Write the inputs of the spec's code.

    Args:
        directory: made if it is not there.
        spec: from `build_electronic_spec`, of vasp, espresso or cp2k.
        atoms: in a cell; FixAtoms is kept.
        charge: in e.
        multiplicity: 2 S + 1.
        relax: whether the atoms move.
        moments: start moments, in μB; None: unpaired electrons spread evenly.
        paper: whose protocol the spec is from, so that the README tells what is not the paper's; empty: nobody's.

    Raises:
        InputError: if the code is another, or the structure cannot be written for it.
    """
    check_is_written(spec.name)
    settings = ELECTRONIC_METHODS[spec.name].settings.model_validate(dict(spec.overrides), strict=False)
    what: dict[str, Any] = {
        "atoms": atoms,
        "charge": charge,
        "multiplicity": multiplicity,
        "relax": relax,
        "moments": moments,
    }
    match settings:
        case VaspSettings():
            return vasp_files.write_inputs(directory, settings=settings, paper=paper, **what)
        case EspressoSettings():
            return espresso_files.write_inputs(directory, settings=settings, **what)
        case Cp2kSettings():
            return cp2k_files.write_inputs(directory, settings=settings, **what)
    raise TypeError(settings)


def read_output_files(directory: Path, *, code: str) -> Answer:
    """What the outputs of the code say.

    Raises:
        InputError: if the code is another, or there is no output.
    """
    check_is_written(code)
    return _READERS[code](directory)


def check_is_written(code: str) -> None:
    """Check that inputs are written for the code.

    Raises:
        InputError: names the codes for which they are.
    """
    if code not in _READERS:
        raise InputError(
            f"calculator.name is {code!r}, whose inputs are not written. Set one of {', '.join(_READERS)}."
        )
