"""User file of the flow `potassium-diffusion`: potassium on an alloy with and without a dislocation."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from structures.burgers_vector import check_basal_edge
from structures.errors import InputError
from workflows.configuration.messages import show_value
from workflows.configuration.sections import (
    CalculatorSection,
    ConfigModel,
    DynamicsSection,
    GuardSection,
    NotNegative,
    Positive,
    ResourcesSection,
)

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Repeat = Annotated[int, Field(gt=0, le=10_000)]
Case = Literal["dislocation", "control"]
# Of the alloy that is built here: beside a file of the user's own these would be ignored in silence.
BUILT_ONLY: dict[str, Any] = {"unused_with": "alloy_file"}


class DislocationSection(ConfigModel):
    """The dislocation whose core ends at the potassium."""

    burgers_vector: str = Field(
        default="1/3[11-20]", description="a lattice vector of the basal plane normal to the line, as 1/3[11-20]"
    )
    arrangement: Literal["dipole", "quadrupole"] = Field(
        default="quadrupole",
        description="quadrupole: two opposite dipoles, cell and control free of strain; dipole: half the atoms, but "
        "its cell is tilted by b/2, so that the control is sheared",
    )
    slip_plane: Literal["basal"] = Field(default="basal", description="basal: (0001), the line runs along [1-100]")

    @model_validator(mode="after")
    def check_burgers_vector(self) -> Self:
        """The Burgers vector must be a lattice vector that a dipole can be built for."""
        try:
            check_basal_edge(self.burgers_vector)
        except InputError as error:
            raise ValueError(f"burgers_vector is {self.burgers_vector!r}: {error}") from None
        return self


class StructureSection(ConfigModel):
    """The cell: alloy below, potassium above, the interface normal along z."""

    alloy: str | dict[str, Positive] = Field(
        default="M-BiSnSb",
        description="a name, e.g. M-BiSnSb or S-BiSnSb, or a composition, e.g. {Bi: 1, Sn: 1, Sb: 1}",
        json_schema_extra=BUILT_ONLY,
    )
    a_A: Positive | None = Field(
        default=None, description="lattice constant a; null: that of the alloy by name", json_schema_extra=BUILT_ONLY
    )
    c_A: Positive | None = Field(
        default=None, description="lattice constant c; null: that of the alloy by name", json_schema_extra=BUILT_ONLY
    )
    z: Annotated[float, Field(gt=0, lt=0.5)] | None = Field(
        default=None,
        description="internal coordinate z of the A7 structure; null: that of the alloy by name",
        json_schema_extra=BUILT_ONLY,
    )
    repeats: tuple[Repeat, Repeat, Repeat] = Field(
        default=(12, 6, 4),
        description="cells along x (a), y (c) and z (7.6 Å, the depth); 12 atoms each",
        json_schema_extra=BUILT_ONLY,
    )
    alloy_file: str | None = Field(
        default=None,
        min_length=1,
        description="your own slab of alloy (CIF, POSCAR, extxyz) in place of the built one: upright, the third "
        "cell vector normal to the first two, which span the interface; its vacuum is not used; needs cases: [control]",
        json_schema_extra={"format": "path"},
    )
    potassium_file: str | None = Field(
        default=None,
        min_length=1,
        description="your own potassium (CIF, POSCAR, extxyz) in place of bcc: the conventional cell of the crystal",
        json_schema_extra={"format": "path"},
    )
    dislocation: DislocationSection = Field(
        default=DislocationSection(), description="the dislocation", json_schema_extra=BUILT_ONLY
    )
    metal_thickness_A: Positive = Field(default=20.0, description="thickness of the potassium")
    gap_A: Literal["scan"] | Positive = Field(
        default="scan", description="distance of potassium and alloy at the start; scan: the one of lowest energy"
    )
    vacuum_A: NotNegative = Field(
        default=15.0, description="vacuum behind the potassium; 0: it touches the alloy's other face as well"
    )
    anchor_thickness_A: NotNegative = Field(default=5.0, description="lowest part of the alloy, named region 'anchor'")
    max_strain: Annotated[float, Field(gt=0, le=0.2)] = Field(
        default=0.06, description="largest strain that may be put on the potassium to fit the alloy"
    )
    cases: tuple[Case, ...] = Field(
        default=("dislocation", "control"), min_length=1, description="which of the two cells to run"
    )
    seed: Seed = Field(default=1, description="which random decoration of the alloy", json_schema_extra=BUILT_ONLY)

    @model_validator(mode="after")
    def check_cases(self) -> Self:
        """Each case once."""
        if len(set(self.cases)) != len(self.cases):
            raise ValueError(
                f"cases is {list(self.cases)}, needs each once. Set it, e.g. cases: [dislocation, control]."
            )
        return self

    @model_validator(mode="after")
    def check_alloy(self) -> Self:
        """The alloy must be known, or a composition of elements that form it."""
        if not self.alloy:
            raise ValueError("alloy is empty, needs a name or a composition. Set it, e.g. alloy: M-BiSnSb.")
        from structures.alloy import resolve_alloy  # imports ASE, which only a user file should wait for

        try:
            resolve_alloy(self.alloy, a_A=self.a_A, c_A=self.c_A, z=self.z)
        except InputError as error:
            raise ValueError(f"alloy is {show_value(self.alloy)}: {error}") from None
        return self

    @model_validator(mode="after")
    def check_unused(self) -> Self:
        """What was set and has no effect was meant to have one."""
        for name in self._unused():
            value, default = getattr(self, name), type(self).model_fields[name].default
            if value != default:
                shown = "set" if isinstance(value, ConfigModel) else show_value(value)
                raise ValueError(
                    f"{name} is {shown}, but has no effect with alloy_file: that slab is taken as it is. "
                    f"Take out {name}, or alloy_file."
                )
        return self

    @model_serializer(mode="wrap")
    def _leave_out_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = dump(self)
        return {name: value for name, value in data.items() if name not in self._unused()}

    def _unused(self) -> tuple[str, ...]:
        """Keys without effect: with a file, those of the alloy that is built otherwise."""
        fields = type(self).model_fields.items() if self.alloy_file is not None else ()
        return tuple(name for name, found in fields if found.json_schema_extra == BUILT_ONLY)


class AnalysisSection(ConfigModel):
    """How the trajectories become numbers."""

    areal_density_per_nm2: float = Field(
        default=0.5, gt=0, le=10, description="potassium atoms beyond the depth on each nm² of the interface"
    )
    rdf_max_A: float = Field(default=8.0, gt=0, description="range of the radial distribution functions")
    rdf_bin_A: float = Field(default=0.05, gt=0, le=1, description="bin of the radial distribution functions")
    core_radius_A: float = Field(default=6.0, gt=0, description="radius around the line that counts as core")
    interface_width_A: float = Field(default=6.0, gt=0, description="depth that still counts as interface")
    map_spacing_A: float = Field(default=1.0, gt=0, description="grid spacing of the density map around the line")
    viewer_frames: int = Field(default=100, gt=0, le=200, description="frames in the report's viewer")


class PotassiumDiffusionConfig(ConfigModel):
    """How far potassium goes into an alloy with a dislocation and without one."""

    structure: StructureSection = Field(default=StructureSection(), description="the cell")
    calculator: CalculatorSection = Field(default=CalculatorSection(), description="what gives energies and forces")
    dynamics: DynamicsSection = Field(default=DynamicsSection(), description="the molecular dynamics")
    replicas: int = Field(
        default=5,
        gt=0,
        le=1000,
        description="independent runs of each case; fewer than 5 resolve no contrast",
    )
    seed: Seed = Field(default=1, description="seed of the first replica; the others count up from it")
    analysis: AnalysisSection = Field(default=AnalysisSection(), description="how the trajectories become numbers")
    guard: GuardSection = Field(default=GuardSection(), description="when a result is called not trustworthy")
    resources: ResourcesSection = Field(default=ResourcesSection(), description="what the run may use of this machine")

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of each replica."""
        return tuple(range(self.seed, self.seed + self.replicas))

    @model_validator(mode="after")
    def check_boundaries(self) -> Self:
        """Vacuum, anchor and ensemble must fit together."""
        if self.dynamics.ensemble == "npt" and self.structure.vacuum_A > 0:
            raise ValueError(
                f"dynamics.ensemble is 'npt' with structure.vacuum_A {self.structure.vacuum_A:g}: a cell with vacuum "
                "has no pressure along z. Set structure.vacuum_A: 0, or dynamics.ensemble: nvt."
            )
        return self


PRESETS: dict[str, dict[str, Any]] = {
    "demo": {
        "structure": {"repeats": [8, 4, 3], "metal_thickness_A": 10.0, "vacuum_A": 12.0},
        "dynamics": {
            "temperature_K": 50.0,
            "start_temperature_K": 10.0,
            "heat_ps": 1.5,
            "equilibrate_ps": 1.5,
            "production_ps": 9.0,
            "segment_ps": 1.5,
        },
        "replicas": 1,
    },
    "fast": {
        "structure": {"repeats": [8, 6, 3], "metal_thickness_A": 16.0},
        "dynamics": {"heat_ps": 3.0, "equilibrate_ps": 3.0, "production_ps": 30.0, "frame_every_ps": 0.15},
        "replicas": 2,
    },
    "standard": {},
    "paper-002": {
        "structure": {"repeats": [16, 8, 6], "metal_thickness_A": 30.0},
        "dynamics": {"segment_ps": 6.0, "production_ps": 100.0, "frame_every_ps": 0.3},
        "replicas": 5,
    },
}

PRESET_NOTES: dict[str, str] = {
    "demo": "minutes on two cores, and cold, as the potential's crystal is soft: shows that everything works; "
    "too small and short to conclude from",
    "fast": "a quarter of an hour or so: a first look",
    "standard": "the defaults: five replicas, 50 ps",
    "paper-002": "the 100 ps of 10.1002/adfm.202412551, Fig. 6; it gives no size, potential or temperature: ours",
}
