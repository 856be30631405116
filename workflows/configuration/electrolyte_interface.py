"""User file of the flow `electrolyte-interface`: ions and solvents at a metal electrode, bare and under a layer."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from workflows.configuration.sections import ConfigModel, DynamicsSection, Positive, ResourcesSection

Seed = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(gt=0, le=100_000)]
Name = Annotated[str, Field(pattern=r"^[^\s\"',=]+$", max_length=30)]
Case = Literal["bare", "layer"]
SLAB_FACTOR = 3.0
# Of a film at rest in vacuum: what a molecule of it would need to leave is far beyond what heat gives.
_LEAST_VACUUM_A = 10.0


class ElectrodeSection(ConfigModel):
    """The metal at the bottom of the cell; it does not move."""

    element: str = Field(default="Li", min_length=1, description="the metal, whose crystal is built")
    facet: tuple[int, int, int] = Field(default=(1, 0, 0), description="Miller indices of the surface")
    n_layers: int = Field(
        default=4,
        gt=0,
        le=50,
        description="atomic layers; through two, ions on both sides of a periodic electrode see each other",
    )
    lateral_A: tuple[Positive, Positive] = Field(
        default=(28.22, 28.22), description="size along x and y, which whole cells of the metal are strained to"
    )
    max_strain: Annotated[float, Field(gt=0, le=0.2)] = Field(
        default=0.03, description="largest strain that the metal may be put under"
    )


class SpeciesSection(ConfigModel):
    """A molecule or ion of the user's own; built-in ones need no entry."""

    smiles: str | None = Field(default=None, min_length=1, description="SMILES, e.g. COCCOC")
    file: str | None = Field(
        default=None, min_length=1, description="geometry file", json_schema_extra={"format": "path"}
    )
    charge: int | None = Field(default=None, description="charge in e; null: that of the SMILES, 0 of a file")

    @model_validator(mode="after")
    def check_source(self) -> Self:
        """One source of the geometry."""
        if (self.smiles is None) == (self.file is None):
            raise ValueError("a species needs smiles or file, one of the two. Set it, e.g. smiles: COCCOC.")
        return self


class ElectrolyteSection(ConfigModel):
    """What lies above the electrode."""

    counts: dict[Name, Count] = Field(
        default={"Li+": 100, "TFSI-": 100},
        min_length=1,
        description="how many of each ion and solvent, e.g. {Li+: 10, TFSI-: 8, NO3-: 2, DOL: 30, DME: 20}; charges "
        "must add up to zero",
    )
    species: dict[Name, SpeciesSection] = Field(
        default_factory=dict, description="species of your own, e.g. {glyme: {smiles: COCCOCCOC}}"
    )
    density_g_per_cm3: Positive = Field(
        default=1.8, le=5, description="density of the electrolyte in its free volume, at first if in vacuum"
    )


class LayerSection(ConfigModel):
    """What covers the electrode in the case `layer`; it does not move."""

    kind: Literal["node"] = Field(
        default="node", description="node: trimeric nodes of NH2-MIL-101(Fe) with their linkers, side by side"
    )
    orientation: Literal["flat", "standing"] = Field(
        default="flat", description="flat: the irons of a node lie in a plane along the electrode; standing: across it"
    )
    gap_A: Positive = Field(default=2.5, description="distance of the layer's lowest atom to the electrode's highest")


class StructureSection(ConfigModel):
    """The cell: electrode below, then the layer, then the electrolyte; z is the normal."""

    electrode: ElectrodeSection = Field(default=ElectrodeSection(), description="the metal")
    electrolyte: ElectrolyteSection = Field(default=ElectrolyteSection(), description="ions and solvents")
    layer: LayerSection = Field(default=LayerSection(), description="what covers the electrode in the case layer")
    cases: tuple[Case, ...] = Field(
        default=("bare", "layer"), min_length=1, description="bare: without the layer; layer: with it"
    )
    boundary: Literal["periodic", "vacuum"] = Field(
        default="periodic",
        description="periodic: the electrolyte fills the cell up to the electrode's other face, at the density asked "
        "for; vacuum: it has a free surface, and Coulomb forces the correction for slabs",
    )
    vacuum_A: float = Field(
        default=20.0, ge=_LEAST_VACUUM_A, description="vacuum above the electrolyte as packed (boundary: vacuum)"
    )

    @model_validator(mode="after")
    def check_cases(self) -> Self:
        """Each case once."""
        if len(set(self.cases)) != len(self.cases):
            raise ValueError(f"cases is {list(self.cases)}, needs each once. Set it, e.g. cases: [bare, layer].")
        return self


class ForceFieldSection(ConfigModel):
    """Parameters: CL&P and OPLS for molecules and ions, UFF for what is rigid."""

    charge_scale: float = Field(
        default=1.0, gt=0, le=1, description="factor on the charges of ions; 0.8 stands in for polarisation"
    )
    layer_charges: Literal["equilibrated", "zero"] = Field(
        default="equilibrated", description="charges of the layer; equilibrated: QEq; zero: a control"
    )
    cutoff_A: float = Field(default=12.5, ge=6, le=30, description="of Lennard-Jones and the direct Coulomb sum")
    force_error: float = Field(
        default=1e-4, ge=1e-8, le=1e-2, description="of the Coulomb forces, relative to two unit charges 1 Å apart"
    )


class ElectrolyteDynamicsSection(DynamicsSection):
    """Anneal, cool, equilibrate, produce; stored in segments."""

    timestep_fs: float = Field(default=1.0, gt=0, le=4, description="time step")
    temperature_K: float = Field(default=298.0, gt=0, description="temperature; neat LiTFSI melts near 507 K")
    anneal_temperature_K: float = Field(default=600.0, gt=0, description="temperature that is annealed at")
    anneal_ps: float = Field(default=30.0, ge=0, description="time at anneal_temperature_K; 0: no annealing")
    start_temperature_K: float = Field(default=50.0, gt=0, description="temperature at which heating starts")
    heat_ps: float = Field(default=5.0, ge=0, description="time of heating, and of cooling after annealing")
    equilibrate_ps: float = Field(default=15.0, ge=0, description="time at temperature_K before anything is counted")
    production_ps: float = Field(default=50.0, gt=0, description="time at temperature_K after that")
    segment_ps: float = Field(default=5.0, gt=0, description="stretch between checkpoints")
    frame_every_ps: float = Field(default=0.25, gt=0, description="time between stored frames")
    thermo_every_ps: float = Field(default=0.05, gt=0, description="time between stored temperatures and pressures")
    ensemble: Literal["nvt", "nve"] = Field(
        default="nvt", description="ensemble of production; the height of the cell is part of what is asked for"
    )
    # Electrode and layer have no bonds: they are rigid or nothing.
    fixed_regions: tuple[Literal["electrode", "layer"], ...] = Field(  # type: ignore[assignment]
        default=("electrode", "layer"), min_length=2, max_length=2, description="what does not move: both, always"
    )
    thermostatted_regions: tuple[Literal["electrolyte"], ...] = Field(  # type: ignore[assignment]
        default=(), description="regions that the thermostat acts on; empty: all that move"
    )

    @model_validator(mode="after")
    def check_annealing(self) -> Self:
        """Annealing is hotter than what follows, and no temperature lies where a run counts as blown up."""
        if self.anneal_ps > 0 and not self.temperature_K <= self.anneal_temperature_K < self.limits.temperature_K:
            raise ValueError(
                f"anneal_temperature_K is {self.anneal_temperature_K:g}, needs temperature_K at "
                f"least ({self.temperature_K:g}), below limits.temperature_K ({self.limits.temperature_K:g} K). Set "
                "it, or anneal_ps: 0."
            )
        return self

    @property
    def anneal_steps(self) -> int:
        """Time steps of annealing, whole segments."""
        return self._whole_segments(self.anneal_ps)

    def anneal_settings(self) -> dict[str, Any]:
        """Settings of the recipe `molecular_dynamics` for heating and annealing."""
        own = {
            "temperature_K": self.anneal_temperature_K,
            "equilibrate_steps": 0,
            "production_steps": self.anneal_steps,
        }
        return self.recipe_settings() | own

    def list_settings(self) -> list[dict[str, Any]]:
        """Settings of the dynamics that follow each other."""
        return [*([self.anneal_settings()] if self.anneal_steps else []), self.production_settings()]

    def production_settings(self) -> dict[str, Any]:
        """Settings of the recipe `molecular_dynamics` for what follows, cooling first if there was annealing."""
        cooled = {"start_temperature_K": self.anneal_temperature_K} if self.anneal_steps else {}
        return self.recipe_settings() | cooled


class AnalysisSection(ConfigModel):
    """How the trajectories become numbers."""

    anion: str | None = Field(
        default=None, description="which anion is followed; null: the one of which there are most"
    )
    rdf_max_A: Positive | None = Field(
        default=None,
        description="range of the radial distribution functions; null: 12 Å, or half of the cell's smallest height",
    )
    rdf_bin_A: float = Field(default=0.05, gt=0, le=1, description="bin of the radial distribution functions")
    profile_bin_A: float = Field(default=0.2, gt=0, le=5, description="bin of the density profiles along z")
    coordination_cutoff_A: Positive = Field(
        default=4.0, description="distance to an atom of the electrode's surface within which TFSI⁻ coordinates it"
    )
    viewer_frames: int = Field(default=60, gt=0, le=200, description="frames in the report's viewer")


class ElectrolyteInterfaceConfig(ConfigModel):
    """How near ions come to an electrode, how many coordinate it, and whether a layer on it changes that."""

    structure: StructureSection = Field(default=StructureSection(), description="the cell")
    force_field: ForceFieldSection = Field(default=ForceFieldSection(), description="what gives energies and forces")
    dynamics: ElectrolyteDynamicsSection = Field(
        default=ElectrolyteDynamicsSection(), description="the molecular dynamics"
    )
    replicas: int = Field(
        default=5, gt=0, le=1000, description="independent packings of each case; fewer than 5 resolve no contrast"
    )
    seed: Seed = Field(default=1, description="seed of the first replica; the others count up from it")
    analysis: AnalysisSection = Field(default=AnalysisSection(), description="how the trajectories become numbers")
    resources: ResourcesSection = Field(default=ResourcesSection(), description="what the run may use of this machine")

    @property
    def slab_factor(self) -> float:
        """Empty space of the correction for slabs; 0 where the cell is periodic."""
        return SLAB_FACTOR if self.structure.boundary == "vacuum" else 0.0

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seed of each replica."""
        return tuple(range(self.seed, self.seed + self.replicas))


PRESETS: dict[str, dict[str, Any]] = {
    "demo": {
        "structure": {
            "electrode": {"lateral_A": [21.0, 21.0]},
            "electrolyte": {"counts": {"Li+": 20, "TFSI-": 20}, "density_g_per_cm3": 1.6},
        },
        "force_field": {"cutoff_A": 8.0},
        "dynamics": {
            "anneal_ps": 2.0,
            "heat_ps": 1.0,
            "equilibrate_ps": 1.0,
            "production_ps": 4.0,
            "segment_ps": 1.0,
            "frame_every_ps": 0.1,
        },
        "replicas": 1,
    },
    "standard": {},
    "zhen-2025": {
        "structure": {"electrode": {"n_layers": 2}},
        "dynamics": {
            "production_ps": 3000.0,
            "frame_every_ps": 5.0,
            "heat_ps": 10.0,
            "equilibrate_ps": 20.0,
            "segment_ps": 10.0,
            "thermo_every_ps": 0.1,
        },
        "replicas": 5,
    },
}

PRESET_NOTES: dict[str, str] = {
    "demo": "minutes on two cores: shows that everything works; too small and short to conclude from",
    "standard": "the defaults: the paper's counts and width, five replicas, 50 ps after annealing",
    "zhen-2025": "lateral size, counts, step, cut-off, ensemble and frames of 10.1039/d5ee01219h (3 ns); it gives no "
    "height, charges or model of the MOF: ours",
}
