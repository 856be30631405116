"""Methods with electrons: codes, their settings, and the protocols that fill them in."""

import difflib
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from structures.errors import InputError, SetupError
from workflows.calculators.spec import CalculatorSpec
from workflows.installation import find_missing_modules, install_command

EXTRA = "dft"
Protocol = Literal["fast", "moderate", "precise"]
Dispersion = Literal["none", "d3zero", "d3bj"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class GpawSettings(_Settings):
    """Settings of the calculator `gpaw`."""

    mode: Literal["lcao", "fd", "pw"] = Field(default="fd", description="atomic orbitals, real-space grid, plane waves")
    xc: Literal["PBE", "revPBE", "RPBE", "LDA"] = Field(default="PBE", description="functional")
    spacing_A: float = Field(default=0.2, gt=0.05, le=0.5, description="of the real-space grid")
    cutoff_eV: float = Field(
        default=400.0, ge=100, le=2000, description="of the plane waves, which geometries are relaxed in"
    )
    basis: Literal["sz(dzp)", "szp(dzp)", "dzp"] = Field(default="dzp", description="of mode lcao")
    k_points: tuple[int, int, int] = Field(default=(1, 1, 1), description="Monkhorst-Pack grid, periodic axes only")
    smearing_eV: float = Field(default=0.0, ge=0, le=0.5, description="Fermi-Dirac width; 0 for molecules")
    dispersion: Dispersion = Field(default="none", description="added D3 dispersion")


class PyscfSettings(_Settings):
    """Settings of the calculator `pyscf`, for molecules and clusters."""

    xc: Literal["PBE", "revPBE", "RPBE", "PBE0", "B3LYP"] = Field(default="PBE", description="functional")
    basis: str = Field(default="def2-tzvpd", min_length=1, description="Gaussian basis; anions need diffuse functions")
    grid_level: int = Field(default=4, ge=0, le=9, description="of the quadrature")
    density_fitting: bool = Field(default=True, description="resolution of the identity for the Coulomb term")
    dispersion: Dispersion = Field(default="none", description="added D3 dispersion")


@dataclass(frozen=True)
class ElectronicMethod:
    """A code with electrons.

    Attributes:
        name: as configurations name it.
        summary: one line for people.
        settings: model of its settings.
        protocols: what each protocol sets.
        modules: Python modules it needs.
        is_periodic: whether it can do cells with periodic directions.
    """

    name: str
    summary: str
    settings: type[_Settings]
    protocols: Mapping[Protocol, Mapping[str, Any]]
    modules: tuple[str, ...]
    is_periodic: bool

    def missing_modules(self) -> list[str]:
        """The modules it needs that are not installed here."""
        return find_missing_modules(self.modules)


ELECTRONIC_METHODS: dict[str, ElectronicMethod] = {
    method.name: method
    for method in (
        ElectronicMethod(
            name="gpaw",
            summary="PAW density functional theory on a real-space grid, in plane waves or atomic orbitals",
            settings=GpawSettings,
            protocols={
                "fast": {"mode": "lcao"},
                "moderate": {"mode": "fd", "spacing_A": 0.2},
                "precise": {"mode": "fd", "spacing_A": 0.16},
            },
            modules=("gpaw",),
            is_periodic=True,
        ),
        ElectronicMethod(
            name="pyscf",
            summary="density functional theory with Gaussian basis sets; molecules and clusters",
            settings=PyscfSettings,
            protocols={
                "fast": {"basis": "def2-svpd", "grid_level": 3},
                "moderate": {"basis": "def2-tzvpd"},
                "precise": {"basis": "def2-qzvpd", "grid_level": 5},
            },
            modules=("pyscf",),
            is_periodic=False,
        ),
    )
}


def find_method(name: str) -> ElectronicMethod:
    """The method of that name.

    Raises:
        InputError: if there is none; names the nearest.
    """
    if name not in ELECTRONIC_METHODS:
        near = difflib.get_close_matches(name, ELECTRONIC_METHODS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InputError(f"calculator.name is {name!r}, needs one of {', '.join(ELECTRONIC_METHODS)}.{hint}")
    return ELECTRONIC_METHODS[name]


def build_electronic_spec(name: str, *, protocol: Protocol, overrides: Mapping[str, Any]) -> CalculatorSpec:
    """The spec of a method: the protocol's settings, the user's over them, every value written out.

    Raises:
        InputError: names the setting, its value and what it needs.
    """
    method = find_method(name)
    for key in overrides:
        known = method.settings.model_fields
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(
                f"calculator.overrides.{key} is not a setting of {name}, needs one of {', '.join(known)}.{hint}"
            )
    try:
        settings = method.settings.model_validate({**method.protocols[protocol], **overrides}, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"calculator.overrides.{where} is {first['input']!r}: {first['msg'].lower()}. Set it, or leave it out "
            f"for the value of the protocol {protocol}."
        ) from error
    return CalculatorSpec(name, overrides=settings.model_dump(mode="json"))


def keep_telling_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that another mode of GPAW would use: they would set equal energies apart."""
    unused = {"fd": ("cutoff_eV", "basis"), "lcao": ("cutoff_eV",), "pw": ("spacing_A", "basis")}
    return {name: value for name, value in settings.items() if name not in unused.get(str(settings.get("mode")), ())}


def check_elements_and_basis(spec: CalculatorSpec, *, elements: Collection[str]) -> None:
    """Check that a code has what it needs for each element: PAW data, or a basis.

    Raises:
        InputError: names the element and what is missing.
    """
    settings = spec.overrides
    if spec.name == "pyscf":
        from pyscf.gto.basis import load
        from pyscf.lib.exceptions import BasisNotFoundError

        for element in elements:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # names a package that would bring more bases
                    load(settings["basis"], element)
            except (BasisNotFoundError, KeyError) as error:
                raise InputError(
                    f"calculator.overrides.basis is {settings['basis']!r}, which PySCF does not have for {element}. "
                    "Set another, e.g. def2-tzvpd."
                ) from error
        return
    from gpaw_data import datapath

    missing = [name for name in elements if not (datapath() / f"{name}.{settings['xc']}.gz").is_file()]
    if missing:
        raise InputError(
            f"calculator gpaw has no PAW data of {', '.join(missing)} for {settings['xc']}. Use another element, or "
            "calculator.name: pyscf."
        )


def check_method_installed(name: str) -> None:
    """Check that a method's packages are here.

    Raises:
        SetupError: says what to install.
    """
    missing = find_method(name).missing_modules()
    if missing:
        raise SetupError(
            f"calculator {name} needs {', '.join(missing)}, not installed here: {install_command(extra=EXTRA)}"
        )
