"""Methods with electrons: codes, their settings, and the protocols that fill them in."""

import difflib
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ase.data import atomic_numbers
from pydantic import Field, ValidationError

from structures.errors import InputError, SetupError
from workflows.calculators import cp2k_installation
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import IN_FLOWS, Wording
from workflows.calculators.written_settings import (
    PROTOCOLS,
    VASP_PAPERS,
    Cp2kSettings,
    Dispersion,
    ElectronicSettings,
    EspressoSettings,
    HubbardU,
    VaspSettings,
)
from workflows.engines.dispersion import has_dispersion_parameters
from workflows.engines.written_inputs import find_hubbard_shell
from workflows.installation import find_missing_modules, install_command

EXTRA = "dft"
_HEAVIEST_OF_XTB = 86
Protocol = Literal["fast", "moderate", "precise"]


class GpawSettings(ElectronicSettings):
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
    hubbard_U_eV: HubbardU = Field(default_factory=dict, description="effective U of an element's open shell")
    dispersion: Dispersion = Field(default="none", description="added D3 dispersion")


class PyscfSettings(ElectronicSettings):
    """Settings of the calculator `pyscf`, for molecules and clusters."""

    xc: Literal["PBE", "revPBE", "RPBE", "PBE0", "B3LYP"] = Field(default="PBE", description="functional")
    basis: str = Field(default="def2-tzvpd", min_length=1, description="Gaussian basis; anions need diffuse functions")
    grid_level: int = Field(default=4, ge=0, le=9, description="of the quadrature")
    density_fitting: bool = Field(default=True, description="resolution of the identity for the Coulomb term")
    dispersion: Dispersion = Field(default="none", description="added D3 dispersion")


class XtbSettings(ElectronicSettings):
    """Settings of the calculator `xtb`, for geometries and rankings of molecules and clusters."""

    hamiltonian: Literal["GFN2-xTB", "GFN1-xTB"] = Field(default="GFN2-xTB", description="parametrised tight binding")
    electronic_temperature_K: float = Field(default=300.0, ge=0, le=10_000, description="of the occupations")
    accuracy: float = Field(default=1.0, ge=1e-3, le=100, description="tblite's; smaller is tighter")


@dataclass(frozen=True)
class ElectronicMethod:
    """A code with electrons.

    Attributes:
        name: as configurations name it.
        summary: one line for people.
        settings: model of its settings.
        protocols: what each protocol sets.
        modules: Python modules it needs.
        programs: of which it needs one.
        is_periodic: whether it can do cells with periodic directions; what cannot needs no cell at all.
        papers: what the method sections of papers set; named as protocols are.
        writes_inputs_only: whether the code runs elsewhere, on inputs that are written here.
    """

    name: str
    summary: str
    settings: type[ElectronicSettings]
    protocols: Mapping[Protocol, Mapping[str, Any]]
    modules: tuple[str, ...]
    is_periodic: bool
    papers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    writes_inputs_only: bool = False

    def list_missing(self) -> list[str]:
        """What it needs that is not installed here: modules, or a program."""
        has_program = not self.programs or any(shutil.which(name) for name in self.programs)
        return [*find_missing_modules(self.modules), *([] if has_program else self.programs[:1])]

    @property
    def install(self) -> str:
        """How to install what it needs."""
        return cp2k_installation.INSTALL if self.programs else install_command(extra=EXTRA)


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
        ElectronicMethod(
            name="xtb",
            summary="semi-empirical tight binding in seconds, for geometries and rankings of molecules and clusters",
            settings=XtbSettings,
            protocols={"fast": {"accuracy": 5.0}, "moderate": {}, "precise": {"accuracy": 0.1}},
            modules=("tblite",),
            is_periodic=False,
        ),
        ElectronicMethod(
            name="vasp",
            summary="inputs of VASP, which runs elsewhere: PAW in plane waves",
            settings=VaspSettings,
            protocols=PROTOCOLS["vasp"],
            modules=(),
            is_periodic=True,
            papers=VASP_PAPERS,
            writes_inputs_only=True,
        ),
        ElectronicMethod(
            name="espresso",
            summary="inputs of Quantum ESPRESSO (pw.x), which runs elsewhere: pseudopotentials in plane waves",
            settings=EspressoSettings,
            protocols=PROTOCOLS["espresso"],
            modules=(),
            is_periodic=True,
            writes_inputs_only=True,
        ),
        ElectronicMethod(
            name="cp2k",
            summary="density functional theory in Gaussians and plane waves (CP2K, if installed), or its inputs",
            settings=Cp2kSettings,
            protocols=PROTOCOLS["cp2k"],
            modules=(),
            is_periodic=True,
            programs=cp2k_installation.PROGRAMS,
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


def build_electronic_spec(
    name: str, *, protocol: str, overrides: Mapping[str, Any], wording: Wording = IN_FLOWS
) -> CalculatorSpec:
    """The spec of a method: the protocol's settings, the user's over them, every value written out.

    Args:
        name: of the method.
        protocol: fast, moderate, precise, or the name of a paper whose method section the method knows.
        overrides: settings to have otherwise.
        wording: how the place that named the calculator spells its settings.

    Raises:
        InputError: names the setting, its value and what it needs.
    """
    method = find_method(name)
    protocols: dict[str, Mapping[str, Any]] = {**dict(method.protocols.items()), **method.papers}
    if protocol not in protocols:
        raise InputError(f"{wording.protocol} is {protocol!r}, needs one of {', '.join(protocols)} for {name}.")
    for key in overrides:
        known = method.settings.model_fields
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"{wording.name(key)} is not a setting of {name}, needs one of {', '.join(known)}.{hint}")
    try:
        settings = method.settings.model_validate({**protocols[protocol], **overrides}, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{wording.name(where)} is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}. Set it, or "
            f"leave it out for the value of the protocol {protocol}."
        ) from error
    for element in getattr(settings, "hubbard_U_eV", {}):
        find_hubbard_shell(element)
    told = settings.model_dump(mode="json")
    if not method.writes_inputs_only and not has_dispersion_parameters(told):
        raise InputError(
            f"{wording.name('dispersion')} is {told['dispersion']!r}, which has no parameters for the functional "
            f"{told['xc']}. Use {wording.set('xc', 'PBE')}, or {wording.set('dispersion', 'none')}."
        )
    return CalculatorSpec(name, overrides=told)


def check_elements_and_basis(spec: CalculatorSpec, *, elements: Collection[str], wording: Wording = IN_FLOWS) -> None:
    """Check that a code has what it needs for each element: PAW data, or a basis.

    Args:
        spec: from `build_electronic_spec`.
        elements: of the structure.
        wording: how the place that named the calculator spells its settings.

    Raises:
        InputError: names the element and what is missing.
    """
    settings = spec.overrides
    if find_method(spec.name).writes_inputs_only:
        return  # its data lie where it runs
    if spec.name == "xtb":
        unknown = [name for name in elements if atomic_numbers[name] > _HEAVIEST_OF_XTB]
        if unknown:
            fix = f"Use {wording.choose.format('gpaw')}."
            raise InputError(f"calculator xtb has no parameters for {', '.join(unknown)}, it ends at radon. {fix}")
        return
    if spec.name == "cp2k":
        cp2k_installation.check_data(elements, basis=settings["basis"], wording=wording)
        return
    if spec.name == "pyscf":
        from workflows.engines.pyscf_basis import find_basis_trouble

        basis = settings["basis"]
        for element in elements:
            if trouble := find_basis_trouble(basis, element=element):
                raise InputError(
                    f"{wording.name('basis')} is {basis!r}, {trouble}. Use another, e.g. "
                    f"{wording.set('basis', 'def2-tzvpd')}."
                )
        return
    from gpaw_data import datapath

    missing = [name for name in elements if not (datapath() / f"{name}.{settings['xc']}.gz").is_file()]
    if missing:
        raise InputError(
            f"calculator gpaw has no PAW data of {', '.join(missing)} for {settings['xc']}. Use another element, or "
            f"{wording.choose.format('pyscf')}."
        )


def check_method_installed(name: str) -> None:
    """Check that a method's packages are here, and that it runs here at all.

    Raises:
        SetupError: says what to install, or to choose.
    """
    if find_method(name).writes_inputs_only:
        here = ", ".join(other for other, method in ELECTRONIC_METHODS.items() if not method.writes_inputs_only)
        raise SetupError(f"calculator {name} does not run here, only its inputs are written. Choose one of {here}.")
    missing = find_method(name).list_missing()
    if missing:
        raise SetupError(
            f"calculator {name} needs {', '.join(missing)}, not installed here: {find_method(name).install}"
        )
