"""The structure file that a command on one file writes: checked before anything starts, written at the end."""

import shutil
import tempfile
from pathlib import Path

from structures.errors import CalculationError, InputError


def check_output(output: Path) -> None:
    """Check before anything starts that a structure file can be written.

    Raises:
        InputError: if its folder is not there or cannot be written, or no format has that name.
    """
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    folder = output.absolute().parent
    if not folder.is_dir():
        raise InputError(
            f"{output}: its folder does not exist, needs one that does. Make it, or choose another with -o."
        )
    if output.is_dir():
        raise InputError(
            f"{output}: is a folder, needs the name of a file. Choose one, e.g. -o {output}/relaxed.extxyz"
        )
    try:
        can_write = ioformats[filetype(str(output), read=False)].can_write
    except (UnknownFileTypeError, KeyError):
        can_write = False
    if not can_write:
        raise InputError(
            f"{output}: no format that can be written has such a name. Choose a name such as -o relaxed.extxyz, "
            "relaxed.cif or relaxed.vasp."
        )
    try:
        if output.exists():
            output.open("ab").close()
        else:
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}). Choose another with -o.") from None


def write_structure(source: Path, output: Path) -> str:
    """Copy an extxyz file, or write it in the format that the name asks for; gives the name.

    Raises:
        CalculationError: if the format cannot take the structure.
    """
    if output.suffix in {".extxyz", ".xyz"}:
        shutil.copyfile(source, output)
        return str(output)
    from ase.io import read, write

    try:
        write(output, read(source))
    except (ValueError, KeyError) as error:
        message = f"{output}: cannot be written ({error}). The result is {source}; choose another format with -o."
        raise CalculationError(message) from None
    return str(output)
