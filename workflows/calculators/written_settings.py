"""Settings of the codes whose inputs are written here and run elsewhere: VASP, Quantum ESPRESSO, CP2K."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Functional = Literal["PBE", "revPBE", "RPBE"]
Dispersion = Literal["none", "d3zero", "d3bj"]
HubbardU = dict[str, Annotated[float, Field(gt=0, le=15)]]


class ElectronicSettings(BaseModel):
    """What all settings of electronic methods have in common: they are complete, checked and frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class WrittenSettings(ElectronicSettings):
    """Settings that all three codes share."""

    xc: Functional = Field(default="PBE", description="functional")
    k_points: tuple[int, int, int] = Field(default=(1, 1, 1), description="Γ-centred grid, periodic axes only")
    force_tolerance_eV_per_A: float = Field(default=0.03, gt=0, le=1, description="of relaxations")
    max_steps: int = Field(default=200, gt=0, le=10_000, description="of relaxations")
    dispersion: Dispersion = Field(default="none", description="added D3 dispersion")
    dipole_correction: bool = Field(
        default=True, description="take out the field between the periodic images of a slab or a molecule"
    )
    hubbard_U_eV: HubbardU = Field(
        default_factory=dict, description="effective U of the outermost d shell (f of f elements, p of the main group)"
    )


class VaspSettings(WrittenSettings):
    """Settings of the calculator `vasp`."""

    cutoff_eV: float = Field(default=520.0, ge=100, le=2000, description="of the plane waves (ENCUT)")
    smearing: Literal["gaussian", "fermi-dirac", "methfessel-paxton"] = Field(default="gaussian", description="ISMEAR")
    smearing_eV: float = Field(default=0.05, gt=0, le=0.5, description="its width (SIGMA)")
    energy_tolerance_eV: float = Field(default=1e-6, gt=0, le=0.01, description="of the SCF (EDIFF)")
    precision: Literal["Normal", "Accurate"] = Field(default="Accurate", description="of the grids (PREC)")
    relaxation: Literal["conjugate-gradients", "quasi-newton"] = Field(
        default="conjugate-gradients", description="IBRION 2 or 1"
    )
    potentials: Literal["PBE.52", "PBE.54", "PBE.64"] = Field(default="PBE.54", description="release of the PAW data")
    titles: dict[str, str] = Field(
        default_factory=dict, description="PAW data of an element, e.g. {Li: Li}; else as VASP recommends"
    )
    valence_electrons: dict[str, Annotated[int, Field(gt=0, le=40)]] = Field(
        default_factory=dict, description="ZVAL of an element's PAW data, where the rule for titles does not know it"
    )


class EspressoSettings(WrittenSettings):
    """Settings of the calculator `espresso`, pw.x of Quantum ESPRESSO 7.1 or later."""

    cutoff_eV: float = Field(default=820.0, ge=100, le=4000, description="of the plane waves (ecutwfc)")
    density_factor: float = Field(default=8.0, ge=4, le=20, description="ecutrho / ecutwfc; 4 if norm-conserving")
    smearing: Literal["gaussian", "fermi-dirac", "methfessel-paxton", "cold"] = Field(
        default="gaussian", description="kind"
    )
    smearing_eV: float = Field(default=0.0, ge=0, le=0.5, description="its width; 0: fixed occupations")
    energy_tolerance_eV: float = Field(default=1e-6, gt=0, le=0.01, description="of the SCF (conv_thr)")
    family: str = Field(default="SSSP 1.3 PBE efficiency", min_length=1, description="of pseudopotentials, in words")
    pseudopotentials: dict[str, str] = Field(
        default_factory=dict, description="file of an element; else ELEMENT.upf, e.g. Li.upf"
    )
    pseudo_directory: str = Field(default="./pseudo", min_length=1, description="where these files lie")


class Cp2kSettings(WrittenSettings):
    """Settings of the calculator `cp2k`, Gaussians and plane waves (QUICKSTEP)."""

    density_cutoff_Ry: float = Field(default=500.0, ge=100, le=3000, description="of the density's grid (CUTOFF)")
    relative_cutoff_Ry: float = Field(default=60.0, ge=20, le=200, description="of the mapping to grids (REL_CUTOFF)")
    basis: Literal["SZV-MOLOPT-SR-GTH", "DZVP-MOLOPT-SR-GTH", "TZVP-MOLOPT-GTH", "TZV2P-MOLOPT-GTH"] = Field(
        default="DZVP-MOLOPT-SR-GTH", description="triple zeta: H, C, N, O, F, Si, P, S, Cl only"
    )
    smearing_eV: float = Field(default=0.0, ge=0, le=0.5, description="Fermi-Dirac width; 0: gapped, solved by OT")
    scf_tolerance: float = Field(default=1e-6, gt=0, le=1e-3, description="of the SCF (EPS_SCF)")
    poisson_solver: Literal["auto", "MT", "WAVELET", "ANALYTIC"] = Field(
        default="auto",
        description="of molecules: WAVELET (cubes alone), or Martyna-Tuckerman (cell twice as long as the density); "
        "auto: the first in a cube, else the other",
    )


PROTOCOLS: Mapping[str, Mapping[Literal["fast", "moderate", "precise"], Mapping[str, Any]]] = MappingProxyType(
    {
        "vasp": {
            "fast": {"cutoff_eV": 400.0, "energy_tolerance_eV": 1e-4, "precision": "Normal"},
            "moderate": {"cutoff_eV": 520.0, "energy_tolerance_eV": 1e-5},
            "precise": {"cutoff_eV": 600.0, "energy_tolerance_eV": 1e-6, "force_tolerance_eV_per_A": 0.01},
        },
        "espresso": {
            "fast": {"cutoff_eV": 540.0, "energy_tolerance_eV": 1e-4},
            "moderate": {"cutoff_eV": 820.0, "energy_tolerance_eV": 1e-5},
            "precise": {"cutoff_eV": 1090.0, "energy_tolerance_eV": 1e-6, "force_tolerance_eV_per_A": 0.01},
        },
        "cp2k": {
            "fast": {"density_cutoff_Ry": 400.0, "scf_tolerance": 1e-5},
            "moderate": {"density_cutoff_Ry": 500.0},
            "precise": {"density_cutoff_Ry": 800.0, "scf_tolerance": 1e-7, "force_tolerance_eV_per_A": 0.01},
        },
    }
)

_PAPER_CHOICES = {"potentials": "PBE.54", "dipole_correction": False, "precision": "Normal"}
# What a paper's text does not state, and what stands for it here; `VASP_PAPERS_STATE` has what it states.
VASP_PAPERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # The cutoff of 400 eV is that of C, N, O and F; Li_sv would need 499 eV.
        "zhen-2025": {
            **_PAPER_CHOICES,
            "xc": "PBE",
            "dispersion": "d3zero",
            "cutoff_eV": 400.0,
            "k_points": (1, 1, 1),
            "energy_tolerance_eV": 1e-5,
            "force_tolerance_eV_per_A": 0.05,
            "relaxation": "conjugate-gradients",
            "titles": {"Li": "Li"},
        },
        # k-points are not stated: set k_points for a metal's slab.
        "wu-2025": {
            **_PAPER_CHOICES,
            "xc": "PBE",
            "dispersion": "none",
            "cutoff_eV": 500.0,
            "energy_tolerance_eV": 1e-4,
            "force_tolerance_eV_per_A": 1e-2,
        },
    }
)
# Source, and the tags (or files) of VASP that its text settles; all else is chosen here, as the README of inputs says.
VASP_PAPERS_STATE: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "zhen-2025": ("10.1039/d5ee01219h", ("GGA", "IVDW", "ENCUT", "KPOINTS", "EDIFF", "EDIFFG", "IBRION")),
        "wu-2025": ("the supporting information on TiN", ("GGA", "ENCUT", "EDIFF", "EDIFFG")),
    }
)
