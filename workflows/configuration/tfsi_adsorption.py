"""User file of the flow `tfsi-adsorption`: species, the reactions between them, and the method of their energies."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from structures.errors import InputError
from structures.reaction import ARROW, parse_reaction
from structures.species import ELECTRON
from workflows.calculators.electronic import ELECTRONIC_METHODS, Protocol
from workflows.configuration.adsorption_sections import PosesSection, SubstrateSection
from workflows.configuration.sections import ConfigModel, Positive, ResourcesSection

DEFAULT_REACTIONS = ("Li+ + TFSI- -> LiTFSI", "Li + TFSI -> LiTFSI")
SMALLEST_CHECK_BASIS = "def2-svp"
ON = "@"  # LiTFSI@Li(001): adsorbed on

HYDROGEN_ELECTRODE_EV = 4.44
LITHIUM_ELECTRODE_V = -3.04

Charge = Annotated[int, Field(ge=-20, le=20)]
Multiplicity = Annotated[int, Field(ge=1, le=101)]


class SpeciesSection(ConfigModel):
    """A species of your own (a file or a SMILES), or charge and spin for one that is known."""

    file: str | None = Field(
        default=None,
        min_length=1,
        description="structure file of the molecule (XYZ, extxyz, …)",
        json_schema_extra={"format": "path"},
    )
    smiles: str | None = Field(default=None, min_length=1, description="or its SMILES, e.g. CO")
    charge: Charge | None = Field(default=None, description="in e; null: the formal charge of the SMILES, 0 for a file")
    multiplicity: Multiplicity | None = Field(
        default=None, description="2 S + 1; null: the lowest that the number of electrons allows"
    )

    @model_validator(mode="after")
    def check_source(self) -> Self:
        """At most one source of the geometry."""
        if self.file is not None and self.smiles is not None:
            raise ValueError("both of file and smiles are given, needs one of them. Set it, e.g. smiles: CO.")
        return self

    @property
    def is_known(self) -> bool:
        """Whether the geometry comes from elsewhere: built in, or an adsorbate on a substrate."""
        return self.file is None and self.smiles is None


class ElectronicCalculatorSection(ConfigModel):
    """What gives the energies."""

    name: Literal["gpaw", "pyscf", "cp2k", "xtb"] = Field(
        default="gpaw",
        description="gpaw: PAW on a grid, in plane waves or orbitals; pyscf: Gaussian basis sets; cp2k: Gaussians and "
        "plane waves, where CP2K is installed; xtb: tight binding, for geometries of molecules and clusters",
    )
    protocol: Protocol = Field(
        default="moderate", description="fast: a first look; moderate: numbers; precise: the same, finer"
    )
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="settings to have otherwise, e.g. {spacing_A: 0.18} or {dispersion: d3bj}"
    )


class GeometrySection(ConfigModel):
    """The box around the species, and whether they are relaxed."""

    vacuum_A: Positive = Field(default=5.0, le=30, description="smallest distance of an atom to a wall of the box")
    relax: bool = Field(
        default=True, description="relax each species first; gpaw: in plane waves (protocol fast: in orbitals)"
    )
    calculator: ElectronicCalculatorSection | None = Field(
        default=None,
        description="a cheaper one for relaxations, whose geometries then get their energies, e.g. {name: xtb} or "
        "{name: gpaw, protocol: fast, overrides: {k_points: [1, 1, 1]}}; null: that of the energies",
    )
    force_tolerance_eV_per_A: Positive = Field(default=0.05, le=1, description="of the relaxation")
    max_steps: int = Field(default=200, gt=0, le=10_000, description="of the relaxation")


class ChecksSection(ConfigModel):
    """How the numerical error is estimated: each parameter is made worse in turn, and the answer computed again."""

    grid_factor: Annotated[float, Field(ge=1, le=2)] = Field(
        default=1.1, description="coarser grid, fewer plane waves by its square (gpaw, cp2k); 1: not checked"
    )
    box_A: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="less vacuum on each side (gpaw, cp2k); 0: not checked"
    )
    k_points: bool = Field(default=True, description="one division more along both axes of a slab")
    basis: str | None = Field(
        default="def2-svpd",
        description="smaller basis (pyscf, def2-svp where def2-svpd is that of the energies; or one of cp2k's own); "
        "null: not checked",
    )


class ElectronSection(ConfigModel):
    """The energy of an electron that takes part in a reaction."""

    reference: Literal["vacuum", "work-function", "fermi-level", "lithium"] = Field(
        default="vacuum",
        description="vacuum: 0 eV; work-function: minus that of the electrode that gives it; fermi-level: the same, "
        "computed for the slab of the reaction; lithium: an electrode at potential_V against Li/Li+",
    )
    work_function_eV: Positive | None = Field(default=None, le=10, description="of the electrode")
    potential_V: float = Field(default=0.0, ge=-5, le=10, description="of the electrode against Li/Li+")

    @model_validator(mode="after")
    def check_work_function(self) -> Self:
        """The work function is needed where it is the reference, and nowhere else."""
        if (self.reference == "work-function") != (self.work_function_eV is not None):
            raise ValueError(
                f"work_function_eV is {self.work_function_eV} with reference {self.reference}: it goes with reference "
                "work-function and with nothing else. Set both, e.g. work_function_eV: 2.9 for lithium."
            )
        return self

    @property
    def energy_eV(self) -> float | None:
        """Energy of one electron on the scale of the vacuum level; None if it is to be computed.

        Source:
            10.1351/pac198658070955 (the standard hydrogen electrode lies 4.44 eV below the vacuum), and −3.04 V for
            Li/Li⁺ against it, 10.1063/1.555839
        """
        if self.reference == "lithium":
            return -(HYDROGEN_ELECTRODE_EV + LITHIUM_ELECTRODE_V + self.potential_V)
        if self.reference == "fermi-level":
            return None
        return 0.0 if self.work_function_eV is None else -self.work_function_eV


class TfsiAdsorptionConfig(ConfigModel):
    """Energies of reactions between ions, pairs and molecules, from electronic structure."""

    adsorbate: str | None = Field(
        default=None, description="with substrate: short for the reaction substrate + adsorbate -> adsorbate@substrate"
    )
    substrate: str | None = Field(default=None, description="a slab or a molecule, e.g. Li(001), TiN(111)-N, CoPc")
    reactions: tuple[str, ...] = Field(
        default=DEFAULT_REACTIONS,
        min_length=1,
        description="sums of species; the electron is e-, and LiTFSI@Li(001) is LiTFSI adsorbed on Li(001)",
    )
    species: dict[str, SpeciesSection] = Field(
        default_factory=dict, description="species of your own, by the name that reactions use"
    )
    substrates: dict[str, SubstrateSection] = Field(
        default_factory=dict, description="slabs of your own, by the name that reactions use"
    )
    poses: PosesSection = Field(default=PosesSection(), description="how poses of an adsorbate are searched")
    calculator: ElectronicCalculatorSection = Field(
        default=ElectronicCalculatorSection(), description="what gives the energies"
    )
    geometry: GeometrySection = Field(default=GeometrySection(), description="box and relaxation")
    checks: ChecksSection = Field(default=ChecksSection(), description="how the numerical error is estimated")
    electron: ElectronSection = Field(default=ElectronSection(), description="energy of an electron in a reaction")
    analyses: tuple[Literal["bader", "density-difference", "density-of-states", "surface-energy"], ...] = Field(
        default=(), description="made beside the energies (gpaw); Hirshfeld charges and work functions always are"
    )
    resources: ResourcesSection = Field(default=ResourcesSection(), description="what the run may use of this machine")

    @model_validator(mode="after")
    def choose_check_basis(self) -> Self:
        """Unless the user names one, the check's basis is smaller than that of the energies (PySCF)."""
        section, checks = self.calculator, self.checks
        if section.name == "pyscf" and "basis" not in checks.model_fields_set:
            basis = section.overrides.get("basis", ELECTRONIC_METHODS["pyscf"].protocols[section.protocol]["basis"])
            if basis == checks.basis:  # object's, as a frozen model is still being made here
                object.__setattr__(self, "checks", checks.model_copy(update={"basis": SMALLEST_CHECK_BASIS}))
        return self

    @model_validator(mode="after")
    def check_short_form(self) -> Self:
        """Adsorbate and substrate go together."""
        if (self.adsorbate is None) != (self.substrate is None):
            lacking = "adsorbate" if self.adsorbate is None else "substrate"
            raise ValueError(
                f"{lacking} is null, but the other of adsorbate and substrate is given. Set both, or none."
            )
        return self

    @model_validator(mode="after")
    def check_reactions(self) -> Self:
        """Each reaction can be read, and no species of the user's bears the electron's name."""
        for text in self.all_reactions:
            try:
                parse_reaction(text)
            except InputError as error:
                raise ValueError(str(error)) from None
        if ELECTRON in self.species:
            raise ValueError(f"species names {ELECTRON}, which is the electron. Choose another name.")
        both = set(self.species) & set(self.substrates)
        if both:
            raise ValueError(f"{min(both)} is both in species and in substrates. Choose another name for one.")
        return self

    @property
    def all_reactions(self) -> tuple[str, ...]:
        """The reactions, and the one that adsorbate and substrate are short for; that one alone, if none is written."""
        if self.adsorbate is None:
            return self.reactions
        short = f"{self.substrate} + {self.adsorbate} {ARROW} {self.adsorbate}{ON}{self.substrate}"
        return (short,) if self.reactions == DEFAULT_REACTIONS else (*self.reactions, short)

    @property
    def codes(self) -> tuple[str, ...]:
        """Every calculator of a run by its name, that of the energies first."""
        moving = self.geometry.calculator if self.geometry.relax else None
        screening = ("xtb",) if self.poses.screening == "xtb" else ()
        return tuple(dict.fromkeys((self.calculator.name, *((moving.name,) if moving else ()), *screening)))

    @property
    def species_names(self) -> tuple[str, ...]:
        """Every species of the reactions but the electron, in order."""
        named = [name for text in self.all_reactions for name in parse_reaction(text).coefficients if name != ELECTRON]
        return tuple(dict.fromkeys(named))


PRESETS: dict[str, dict[str, Any]] = {
    "demo": {
        "reactions": ["Li+ + TFSI- -> LiTFSI"],
        "geometry": {"relax": False, "vacuum_A": 4.0},
    },
    "fast": {"calculator": {"protocol": "fast"}},
    "standard": {},
    "zhen-2025": {"calculator": {"overrides": {"dispersion": "d3zero"}}},
    "wu-2025": {"calculator": {"overrides": {"dispersion": "none"}}},
}

PRESET_NOTES: dict[str, str] = {
    "demo": "minutes on two cores: the ion pair of lithium and TFSI at shipped geometries, on a real-space grid",
    "fast": "atomic orbitals: a first look, tenths of an eV off",
    "standard": "the defaults: both references of the pair, relaxed, with all checks",
    "zhen-2025": "functional and dispersion of 10.1039/d5ee01219h (PBE, D3 with zero damping); its plane waves and "
    "code are not ours",
    "wu-2025": "functional of its supporting information (PBE, no dispersion named); its plane waves and code are not "
    "ours",
}
