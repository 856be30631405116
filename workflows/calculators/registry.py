"""Calculators by name: what each can do, what it needs, and how to get its commands or its ASE object."""

import difflib
import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ase.calculators.calculator import BaseCalculator

from structures.errors import InputError, SetupError
from workflows.calculators import chgnet, force_field, import_path, lammps_potential
from workflows.calculators.force_field import build_force_field_potential, read_topology_of
from workflows.calculators.import_path import build_calculator_from_path, check_import_path
from workflows.calculators.lammps_potential import (
    BlobPath,
    LammpsPotential,
    build_user_potential,
    check_elements_known,
    read_user_elements,
)
from workflows.calculators.pod import build_pod_potential
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import IN_PYTHON, Wording
from workflows.installation import find_missing_modules, install_command

_DISTILLED = ("K", "Bi", "Sb", "Sn", "Pb", "Zn")


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
        extra: the extra of alkaliflow that brings them; empty if alkaliflow itself does.
        overrides: settings of its own, to what they are for.
        runs_user_code: whether it must be asked for with trust_code.
        made_by: flow that makes its files; empty if people give them.
    """

    name: str
    engine: Literal["lammps", "ase"]
    summary: str
    elements: tuple[str, ...] | None
    stress: bool | None
    ensembles: tuple[str, ...]
    modules: tuple[str, ...]
    extra: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)
    runs_user_code: bool = False
    made_by: str = ""

    @property
    def install(self) -> str:
        """How to get the modules."""
        return install_command(extra=self.extra)

    def missing_modules(self) -> list[str]:
        """The modules it needs that are not installed here."""
        return find_missing_modules(self.modules)


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
        ),
        Capabilities(
            name="lammps",
            engine="lammps",
            summary="any LAMMPS pair style from your file of pair commands",
            elements=None,
            stress=True,
            ensembles=("nvt", "npt", "nve"),
            modules=("lammps",),
            overrides=lammps_potential.OVERRIDES,
        ),
        Capabilities(
            name="force-field",
            engine="lammps",
            summary="molecules and ions by CL&P, OPLS and UFF; its topology is made by electrolyte-interface",
            elements=None,
            stress=True,
            ensembles=("nvt", "npt", "nve"),
            modules=("lammps",),
            overrides=force_field.OVERRIDES,
            made_by="electrolyte-interface",
        ),
        Capabilities(
            name="chgnet",
            engine="ase",
            summary="pre-trained universal potential; slow on a CPU, knows no charge",
            elements=chgnet.ELEMENTS,
            stress=True,
            ensembles=("nvt", "nve"),
            modules=("torch", "chgnet"),
            extra=chgnet.EXTRA,
        ),
        Capabilities(
            name="ase",
            engine="ase",
            summary="any ASE calculator by import path; runs your code, opt in with trust_code",
            elements=None,
            stress=None,
            ensembles=("nvt", "nve"),
            modules=(),
            overrides=import_path.OVERRIDES,
            runs_user_code=True,
        ),
    )
}

CHOOSABLE: dict[str, Capabilities] = {name: entry for name, entry in CALCULATORS.items() if not entry.made_by}
"""Those that people can name for a structure of their own."""


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


def check_overrides(name: str, overrides: Mapping[str, Any], *, wording: Wording = IN_PYTHON) -> None:
    """Check that a calculator knows the settings that it is given; an unknown one would change nothing, in silence.

    Raises:
        InputError: names the unknown one, the nearest that is known, and all of them.
    """
    known = get_capabilities(name).overrides
    for key in overrides:
        if key in known:
            continue
        if not known:
            raise InputError(f"{wording.name(key)}: calculator {name} has no settings of its own. Take it out.")
        near = difflib.get_close_matches(key, known, n=1)
        hint = near[0] if near else f"arguments.{key}" if "arguments" in known else ""
        listed = "; ".join(f"{wording.name(word)} ({what})" for word, what in known.items())
        raise InputError(
            f"{wording.name(key)} is not a known key."
            + (f" Did you mean {wording.name(hint)}?" if hint else "")
            + f" Known for calculator {name}: {listed}."
        )


def known_elements(
    spec: CalculatorSpec, *, blob_path: BlobPath, wording: Wording = IN_PYTHON
) -> tuple[str, ...] | None:
    """Elements that the calculator has parameters for; None if only the user's code knows."""
    capabilities = get_capabilities(spec.name)
    if spec.name == "pod":
        return build_pod_potential(spec, blob_path=blob_path).type_elements
    if spec.name == "lammps":
        return read_user_elements(spec, wording=wording)
    if spec.name == "force-field":
        return tuple(sorted({of.element for of in read_topology_of(spec, blob_path=blob_path).atom_types}))
    return capabilities.elements


def check_calculator(
    spec: CalculatorSpec,
    *,
    elements: Collection[str],
    blob_path: BlobPath,
    label: str = "",
    ensemble: str = "nvt",
    wording: Wording = IN_PYTHON,
) -> None:
    """Check before anything starts that a calculator is here and can do what is asked.

    Args:
        spec: of the calculator.
        elements: of the structure.
        blob_path: finds the spec's files.
        label: name of the potential, for the message.
        ensemble: of the dynamics that is asked for.
        wording: how the place that named the calculator spells its settings.

    Raises:
        InputError: if it lacks an element or the ensemble, or a file or setting of it is wrong.
        SetupError: if it is not installed, or code of the user's is not here or not trusted.
    """
    check_overrides(spec.name, spec.overrides, wording=wording)
    capabilities = get_capabilities(spec.name)
    missing = capabilities.missing_modules()
    if missing:
        raise SetupError(
            f"calculator {spec.name} needs {', '.join(missing)}, not installed here: {capabilities.install}"
        )
    if ensemble not in capabilities.ensembles:
        raise InputError(
            f"calculator {spec.name} has no {ensemble} dynamics (it has {', '.join(capabilities.ensembles)}); "
            "use another ensemble, or a calculator that LAMMPS runs: pod or lammps."
        )
    known = known_elements(spec, blob_path=blob_path, wording=wording)
    if known is not None:
        fix = "use another calculator or structure."
        if spec.name == "pod":
            fix = _suggest_potential(elements, wording=wording)
        check_elements_known(elements, known=known, calculator=spec.name, label=label, fix=fix)
    if spec.name == "lammps":
        build_user_potential(spec, blob_path=blob_path)
    if capabilities.runs_user_code:
        check_import_path(spec, wording=wording)


def _suggest_potential(elements: Collection[str], *, wording: Wording) -> str:
    """What to do for elements that the embedded potential lacks: another calculator, or a potential made for them."""
    ways = []
    if set(elements) <= set(chgnet.ELEMENTS):
        ways.append(f"use {wording.choose.format('chgnet')}")
    if set(elements) <= set(_DISTILLED):
        alloy = [element for element in _DISTILLED[1:] if element in elements]
        named = shlex.quote(f"alloy_elements=[{', '.join(alloy)}]")
        ways.append(f"distil a potential: alkaliflow run potential-distillation --set {named}")
    return ", or ".join(ways) or "use another calculator or structure."


def build_lammps_potential(spec: CalculatorSpec, *, elements: Collection[str], blob_path: BlobPath) -> LammpsPotential:
    """Pair commands, atom types and files of a calculator that LAMMPS runs.

    Raises:
        InputError: if LAMMPS does not run it, or it lacks an element.
    """
    builders: dict[str, Callable[..., LammpsPotential]] = {
        "pod": build_pod_potential,
        "lammps": build_user_potential,
        "force-field": build_force_field_potential,
    }
    if spec.name not in builders:
        known = " or ".join(name for name in builders if name in CHOOSABLE)
        raise InputError(f"calculator {spec.name} is not run by LAMMPS; use {known}.")
    potential = builders[spec.name](spec, blob_path=blob_path)
    fix = "add them to your pair commands and to overrides.elements."
    if spec.name == "force-field":
        fix = "make the topology of the structure itself."
    if spec.name == "pod":
        fix = _suggest_potential(elements, wording=IN_PYTHON)
    check_elements_known(elements, known=potential.type_elements, calculator=spec.name, fix=fix)
    return potential


def build_ase_calculator(spec: CalculatorSpec, *, threads: int = 1) -> BaseCalculator:
    """A fresh ASE calculator, so that what it remembers of one stretch of work cannot touch the next.

    Raises:
        InputError: if the calculator has no ASE form.
        SetupError: if it is not installed, or runs code that is not here or not trusted.
    """
    if spec.name == "chgnet":
        now = chgnet.identify_model()
        if spec.code and now != spec.code:
            raise SetupError(
                f"calculator chgnet: the installed model is {now}, the calculation is of {dict(spec.code)}. Install "
                "the package that it began with, or start a new run."
            )
        return chgnet.build_chgnet_calculator(threads=threads)
    if spec.name == "ase":
        return build_calculator_from_path(spec)
    get_capabilities(spec.name)
    raise InputError(f"calculator {spec.name} is run by LAMMPS and has no ASE form here.")
