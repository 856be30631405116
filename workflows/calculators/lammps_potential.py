"""A potential as LAMMPS takes it: pair commands, the elements of its atom types, and the files it reads."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import IN_PYTHON, Wording
from workflows.force_fields.topology import Topology

BlobPath = Callable[[str], Path]
"""From a file's SHA-256 to where it is; `Store.blob_path` is one."""

OVERRIDES = {"elements": "the element of each atom type, in order, e.g. [K, Bi]"}
_ALLOWED_COMMANDS = ("pair_style", "pair_coeff", "pair_modify", "neighbor", "neigh_modify")
_RUNS_CODE = ("python", "mliap")


@dataclass(frozen=True)
class LammpsPotential:
    """What an input file needs of a potential.

    Attributes:
        type_elements: element of each atom type, in order; every type exists even if the structure lacks the element.
        commands: lines of input; they name files as `${models}/NAME`.
        files: name to path of these files.
        topology: of a force field of molecules, whose types are then its own; None for types that are elements.
        boundary: of the cell along x, y and z: p is periodic, f is fixed.
    """

    type_elements: tuple[str, ...]
    commands: tuple[str, ...]
    files: Mapping[str, Path]
    topology: Topology | None = None
    boundary: str = "p p p"

    @property
    def atom_style(self) -> str:
        """What LAMMPS keeps of an atom."""
        return "atomic" if self.topology is None else "full"

    def list_preamble(self, data: str) -> list[str]:
        """Lines of input that make the cell and read the structure."""
        lines = ["units metal", f"atom_style {self.atom_style}", "atom_modify map yes", f"boundary {self.boundary}"]
        return [*lines, "box tilt large", f"read_data {data}"]

    def link_files(self, directory: Path) -> None:
        """Make the files appear in a directory under their names, without copying them."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, path in self.files.items():
            if not (directory / name).exists():
                (directory / name).symlink_to(path.absolute())


def check_elements_known(
    elements: Collection[str], *, known: Collection[str], calculator: str, label: str = "", fix: str
) -> None:
    """Refuse elements that a potential has no parameters for.

    Raises:
        InputError: names them, what is known, and what to do.
    """
    missing = sorted(set(elements) - set(known))
    if missing:
        name = f"{calculator} {label}".strip()
        raise InputError(f"{name} has no parameters for {', '.join(missing)} (it knows {', '.join(known)}); {fix}")


def read_user_elements(spec: CalculatorSpec, *, wording: Wording = IN_PYTHON) -> tuple[str, ...]:
    """The elements of the atom types that the user's pair commands are written for.

    Raises:
        InputError: if they are not given.
    """
    elements = spec.overrides.get("elements")
    if not isinstance(elements, list | tuple) or not elements or not all(isinstance(name, str) for name in elements):
        raise InputError(
            f"calculator lammps: {wording.name('elements')} is {elements!r}, needs the element of each atom type in "
            f"the order of your pair_coeff lines. E.g. {wording.set('elements', '[K, Bi]')}"
        )
    return tuple(elements)


def build_user_potential(spec: CalculatorSpec, *, blob_path: BlobPath) -> LammpsPotential:
    """The potential of a user's file of pair commands (units metal).

    The spec's models are `commands`, the file itself, and under its own name each file that the commands read.

    Raises:
        InputError: if the file is no text, has a command that it may not have, or lacks pair_style or pair_coeff.
    """
    if "commands" not in spec.models:
        raise InputError("calculator lammps needs a file with your pair_style and pair_coeff lines.")
    path = blob_path(spec.models["commands"])
    files = {role: blob_path(digest) for role, digest in spec.models.items() if role != "commands"}
    commands = [_point_to_models(line, files) for line in read_pair_commands(path)]
    return LammpsPotential(read_user_elements(spec), tuple(commands), files)


def read_pair_commands(path: Path) -> list[str]:
    """Commands of a user's file, without comments, continued lines joined.

    Raises:
        InputError: if the file is no text, has a command that it may not have, or lacks pair_style or pair_coeff.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"The pair commands {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"The pair commands {path} are no text; give a file with pair_style and pair_coeff."
        ) from error
    lines = [line.partition("#")[0].strip() for line in text.replace("&\n", " ").splitlines()]
    lines = [line for line in lines if line]
    for line in lines:
        words = line.split()
        if words[0] not in _ALLOWED_COMMANDS:
            raise InputError(
                f"The pair commands have {line!r}; only {', '.join(_ALLOWED_COMMANDS)} may stand there: the rest of "
                "the input is written by alkaliflow (units metal, masses by element). Remove the line."
            )
        if words[0] == "pair_style" and set(words[1:]) & set(_RUNS_CODE):
            raise InputError(f"The pair commands have {line!r}, which runs code from a file; that is not supported.")
    for needed in ("pair_style", "pair_coeff"):
        if not any(line.startswith(needed) for line in lines):
            raise InputError(f"The pair commands have no {needed}; a potential needs both pair_style and pair_coeff.")
    return lines


def find_named_files(commands: Collection[str], *, directory: Path) -> dict[str, Path]:
    """The files that commands name, by name.

    A word names a file if its last part has a dot and it is no number (`Cu.eam`, `tables/K.table`; not `K`, `eam/alloy`
    or `3.4`). The file lies in the folder of the commands or below, so that no file from elsewhere is copied unseen.

    Raises:
        InputError: if a file is missing or lies elsewhere, or two have one name.
    """
    files: dict[str, Path] = {}
    for word in sorted({word for line in commands for word in line.split()[1:]}):
        path = directory / word
        if word.startswith(("/", "~")) or not path.resolve().is_relative_to(directory.resolve()):
            raise InputError(
                f"The pair commands name {word}, which lies outside of their folder {directory}. Copy it there."
            )
        if not _names_file(word):
            continue
        if not path.is_file():
            raise InputError(f"The pair commands name {word}, but there is no such file in their folder {directory}.")
        if not files.setdefault(path.name, path).samefile(path):
            raise InputError(
                f"The pair commands name two files {path.name}: {files[path.name]} and {path}. Rename one of them."
            )
    return files


def _names_file(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return bool(Path(word).suffix)
    return False


def _point_to_models(line: str, files: Mapping[str, Path]) -> str:
    return " ".join(
        f"${{models}}/{Path(word).name}" if _names_file(word) and Path(word).name in files else word
        for word in line.split()
    )
