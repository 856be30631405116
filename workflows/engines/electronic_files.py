"""What the worker and an electronic-structure code tell each other: one request, one answer, in one directory."""

from pathlib import Path
from typing import Any, Literal

from ase import Atoms
from ase.io import read, write
from pydantic import BaseModel, ConfigDict

REQUEST_FILE = "request.json"
ANSWER_FILE = "answer.json"
STRUCTURE_FILE = "structure.extxyz"
LOG_FILE = "scf.txt"


class Request(BaseModel):
    """What to compute.

    Attributes:
        code: name of the method.
        settings: of the method, every value.
        charge: of the structure, in e.
        multiplicity: 2 S + 1.
        force_tolerance_eV_per_A: relax until all forces are below; None: the structure as it is.
        max_steps: of the relaxation.
        forces: whether forces are wanted; always in a relaxation.
        accept_unconverged: whether a relaxation that ran out of steps is an answer.
        analyses: what is written beside the energy: hirshfeld, density, density-of-states, potential.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    settings: dict[str, Any]
    charge: int
    multiplicity: int
    force_tolerance_eV_per_A: float | None = None
    max_steps: int = 200
    forces: bool = True
    accept_unconverged: bool = False
    analyses: tuple[str, ...] = ()


class Answer(BaseModel):
    """What was found; the structure is in a file beside it.

    Attributes:
        status: done; unconverged, if the SCF or the relaxation did not get there; refused, if the code cannot do it.
        reason: why not.
        energy_eV: with dispersion.
        dispersion_eV: its part of the energy; None if none was asked for.
        forces_eV_per_A: on the final structure; None if not wanted.
        charges_e: of each atom, Hirshfeld; None if the code gives none.
        spins: of each atom, in electrons; None without spin polarisation.
        moment: of the whole, in electrons; None without spin polarisation.
        gap_eV: between the highest occupied and the lowest empty state; None if there is none.
        method: what two energies must agree in to be subtracted.
        n_scf: SCF cycles of the last energy.
        n_steps: of the relaxation.
        is_relaxed: whether a relaxation got below its tolerance; None without one.
        helped: what a stubborn SCF was given before it converged.
        analyses: what the analyses gave, beside their files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    status: Literal["done", "unconverged", "refused"]
    reason: str = ""
    energy_eV: float | None = None
    dispersion_eV: float | None = None
    forces_eV_per_A: list[list[float]] | None = None
    charges_e: list[float] | None = None
    spins: list[float] | None = None
    moment: float | None = None
    gap_eV: float | None = None
    method: dict[str, Any] = {}
    n_scf: int = 0
    n_steps: int = 0
    is_relaxed: bool | None = None
    helped: str = ""
    analyses: dict[str, Any] = {}


def write_request(directory: Path, request: Request, *, atoms: Atoms) -> None:
    """Write a request and its structure."""
    write(directory / STRUCTURE_FILE, atoms, format="extxyz")
    (directory / REQUEST_FILE).write_text(request.model_dump_json(indent=1), encoding="utf-8")


def read_request(directory: Path) -> tuple[Request, Atoms]:
    """Read a request and its structure."""
    request = Request.model_validate_json((directory / REQUEST_FILE).read_text(encoding="utf-8"))
    atoms = read(directory / STRUCTURE_FILE, format="extxyz")
    if not isinstance(atoms, Atoms):
        raise TypeError(directory)
    return request, atoms


def write_answer(directory: Path, answer: Answer) -> None:
    """Write the answer, whole or not at all."""
    aside = directory / f".{ANSWER_FILE}"
    aside.write_text(answer.model_dump_json(indent=1), encoding="utf-8")
    aside.replace(directory / ANSWER_FILE)


def read_answer(directory: Path) -> Answer | None:
    """The answer; None if the code ended without one."""
    path = directory / ANSWER_FILE
    return Answer.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None
