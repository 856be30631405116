"""User file of the flow `tfsi-adsorption`: species, the reactions between them, and the method of their energies."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from structures.errors import InputError
from structures.reaction import parse_reaction
from structures.species import ELECTRON
from workflows.calculators.electronic import Protocol
from workflows.configuration.sections import ConfigModel, Positive, ResourcesSection

Charge = Annotated[int, Field(ge=-20, le=20)]
Multiplicity = Annotated[int, Field(ge=1, le=101)]


class SpeciesSection(ConfigModel):
    """A species of your own: a file or a SMILES, with charge and spin."""

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
        """Exactly one source of the geometry."""
        if (self.file is None) == (self.smiles is None):
            found = "neither" if self.file is None else "both"
            raise ValueError(f"{found} of file and smiles is given, needs one of them. Set it, e.g. smiles: CO.")
        return self


class ElectronicCalculatorSection(ConfigModel):
    """What gives the energies."""

    name: Literal["gpaw", "pyscf"] = Field(
        default="gpaw", description="gpaw: PAW on a grid, in plane waves or orbitals; pyscf: Gaussian basis sets"
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
    force_tolerance_eV_per_A: Positive = Field(default=0.05, le=1, description="of the relaxation")
    max_steps: int = Field(default=200, gt=0, le=10_000, description="of the relaxation")


class ChecksSection(ConfigModel):
    """How the numerical error is estimated: each parameter is made worse in turn, and the answer computed again."""

    grid_factor: Annotated[float, Field(ge=1, le=2)] = Field(
        default=1.1, description="coarser grid (gpaw); 1: not checked"
    )
    box_A: Annotated[float, Field(ge=0, le=10)] = Field(
        default=1.0, description="less vacuum on each side (gpaw); 0: not checked"
    )
    basis: str | None = Field(default="def2-svpd", description="smaller basis (pyscf); null: not checked")


class ElectronSection(ConfigModel):
    """The energy of an electron that takes part in a reaction."""

    reference: Literal["vacuum", "work-function"] = Field(
        default="vacuum", description="vacuum: 0 eV; work-function: minus that of the electrode that gives it"
    )
    work_function_eV: Positive | None = Field(default=None, le=10, description="of the electrode")

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
    def energy_eV(self) -> float:
        """Energy of one electron on the scale of the vacuum level."""
        return 0.0 if self.work_function_eV is None else -self.work_function_eV


class TfsiAdsorptionConfig(ConfigModel):
    """Energies of reactions between ions, pairs and molecules, from electronic structure."""

    reactions: tuple[str, ...] = Field(
        default=("Li+ + TFSI- -> LiTFSI", "Li + TFSI -> LiTFSI"),
        min_length=1,
        description="sums of species; the electron is e-",
    )
    species: dict[str, SpeciesSection] = Field(
        default_factory=dict, description="species of your own, by the name that reactions use"
    )
    calculator: ElectronicCalculatorSection = Field(
        default=ElectronicCalculatorSection(), description="what gives the energies"
    )
    geometry: GeometrySection = Field(default=GeometrySection(), description="box and relaxation")
    checks: ChecksSection = Field(default=ChecksSection(), description="how the numerical error is estimated")
    electron: ElectronSection = Field(default=ElectronSection(), description="energy of an electron in a reaction")
    resources: ResourcesSection = Field(default=ResourcesSection(), description="what the run may use of this machine")

    @model_validator(mode="after")
    def check_reactions(self) -> Self:
        """Each reaction can be read, and no species of the user's bears the electron's name."""
        for text in self.reactions:
            try:
                parse_reaction(text)
            except InputError as error:
                raise ValueError(str(error)) from None
        if ELECTRON in self.species:
            raise ValueError(f"species names {ELECTRON}, which is the electron. Choose another name.")
        return self

    @property
    def species_names(self) -> tuple[str, ...]:
        """Every species of the reactions but the electron, in order."""
        named = [name for text in self.reactions for name in parse_reaction(text).coefficients if name != ELECTRON]
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
