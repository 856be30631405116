"""User file of the flow `potential-distillation`: a fast potential that imitates a slow teacher."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from workflows.configuration.potassium_diffusion import Seed
from workflows.configuration.sections import ConfigModel, Positive, ResourcesSection

Count = Annotated[int, Field(ge=0, le=1000)]
Number = Annotated[int, Field(gt=0, le=100_000)]
Kind = Literal[
    "alloy",
    "element",
    "strained",
    "melt",
    "potassium",
    "compound",
    "mixture",
    "intercalated",
    "interface",
    "surface",
    "dislocation",
    "dislocation_potassium",
    "close_contact",
    "crystal",
    "axial_strain",
    "slab",
    "free_cell",
]
AlloyElement = Literal["Bi", "Sb", "Sn", "Pb", "Zn"]


class TeacherSection(ConfigModel):
    """Whose energies and forces are learnt."""

    name: Literal["chgnet", "ase"] = Field(
        default="chgnet", description="chgnet needs the extra 'mlip'; ase: any ASE calculator (runs your code)"
    )
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="ase: factory: 'package.module:factory', trust_code: true, arguments: {}"
    )


class TeacherSamplingSection(ConfigModel):
    """Round 1: the teacher itself relaxes and moves small cells."""

    configurations: dict[Kind, Count] = Field(
        default={
            "alloy": 10,
            "element": 4,
            "strained": 5,
            "melt": 3,
            "potassium": 3,
            "compound": 6,
            "mixture": 8,
            "intercalated": 3,
            "interface": 5,
            "surface": 3,
            "close_contact": 6,
        },
        description="kind: how many; composition, strain and temperature vary from one to the next",
    )
    n_frames: Number = Field(default=12, description="frames of each dynamics")
    steps_per_frame: Number = Field(default=8, description="time steps between frames")
    timestep_fs: Annotated[float, Field(gt=0, le=10)] = Field(default=4.0, description="time step")


class FitSection(ConfigModel):
    """The fit of proper orthogonal descriptors; the names are those of LAMMPS' fitpod."""

    cutoff_A: Positive = Field(default=6.0, description="outer cut-off")
    inner_cutoff_A: Positive = Field(
        default=1.8, description="inner cut-off: radial functions are chosen from here on; below all but rare distances"
    )
    bessel_degree: Annotated[int, Field(ge=1, le=12)] = Field(default=3, description="degree of the Bessel functions")
    inverse_degree: Annotated[int, Field(ge=1, le=12)] = Field(default=6, description="degree of the inverse powers")
    twobody_radial: Annotated[int, Field(ge=1, le=20)] = Field(default=7, description="radial functions of pairs")
    threebody_radial: Annotated[int, Field(ge=0, le=20)] = Field(default=5, description="radial functions of triplets")
    threebody_angular: Annotated[int, Field(ge=0, le=12)] = Field(default=3, description="angular degree of triplets")
    fourbody_radial: Annotated[int, Field(ge=0, le=20)] = Field(
        default=2, description="radial functions of quadruplets; 0 leaves them out"
    )
    fourbody_angular: Annotated[int, Field(ge=0, le=6)] = Field(default=2, description="angular degree of quadruplets")
    energy_weight: Positive = Field(default=100.0, description="weight of the squared error of the energy per atom")
    force_weight: Positive = Field(default=1.0, description="weight of the squared error of a force component")
    kind_weights: dict[Kind, tuple[Positive, Positive]] = Field(
        default={
            "close_contact": (10.0, 0.1),
            "crystal": (1000.0, 10.0),
            "dislocation": (300.0, 3.0),
            "dislocation_potassium": (300.0, 3.0),
            "element": (200.0, 2.0),
            "interface": (300.0, 3.0),
            "intercalated": (200.0, 2.0),
            "surface": (200.0, 2.0),
            "melt": (50.0, 0.5),
            "strained": (50.0, 0.5),
            "slab": (300.0, 3.0),
            "free_cell": (300.0, 3.0),
        },
        description="kinds with weights (energy, force) of their own",
    )
    regularisation: Positive = Field(default=1e-8, description="weight of the squared norm of the coefficients")
    held_out_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.15, description="share of the trajectories of each kind that only measures the errors"
    )
    max_force_eV_per_A: Positive = Field(default=25.0, description="frames with a larger force are left out")

    @model_validator(mode="after")
    def check_order(self) -> Self:
        """Functions of four bodies are built from those of three."""
        for name in ("radial", "angular"):
            three, four = getattr(self, f"threebody_{name}"), getattr(self, f"fourbody_{name}")
            if four > three:
                raise ValueError(
                    f"fourbody_{name} is {four}, needs at most threebody_{name} ({three}). Set it, e.g. {three}."
                )
        if self.inner_cutoff_A >= self.cutoff_A:
            raise ValueError(
                f"inner_cutoff_A is {self.inner_cutoff_A:g}, needs less than cutoff_A ({self.cutoff_A:g})."
            )
        return self


class StudentSamplingSection(ConfigModel):
    """Rounds 2 and later: the potential of the round before moves larger cells, the teacher labels the frames."""

    rounds: Annotated[int, Field(ge=1, le=10)] = Field(default=2, description="rounds in all; 1: the teacher's only")
    configurations: dict[Kind, Count] = Field(
        default={
            "alloy": 4,
            "element": 6,
            "strained": 6,
            "melt": 2,
            "potassium": 2,
            "compound": 6,
            "mixture": 12,
            "intercalated": 4,
            "interface": 12,
            "surface": 6,
            "dislocation": 3,
            "dislocation_potassium": 4,
            "crystal": 8,
            "axial_strain": 4,
            "slab": 8,
            "free_cell": 8,
        },
        description="kind: how many a round",
    )
    teacher_configurations: dict[Kind, Count] = Field(
        default={"crystal": 16, "axial_strain": 6, "slab": 6, "close_contact": 24},
        description="kind: how many the teacher samples besides, as in round 1",
    )
    n_frames: Number = Field(default=8, description="frames of each dynamics")
    steps_per_frame: Number = Field(default=150, description="time steps between frames")
    timestep_fs: Annotated[float, Field(gt=0, le=10)] = Field(default=3.0, description="time step")
    fit: FitSection = Field(
        default=FitSection(
            inner_cutoff_A=1.0,
            threebody_radial=4,
            threebody_angular=2,
            fourbody_radial=3,
            fourbody_angular=2,
            kind_weights={"close_contact": (10.0, 0.1)},
        ),
        description="the fits of the rounds before the last: students that only sample may be smaller and plainer",
    )


class ChecksSection(ConfigModel):
    """What is compared after the last fit."""

    lattice_constants: bool = Field(default=True, description="relax crystals with teacher and potential")
    drift_ps: float = Field(default=12.0, ge=0, description="time of the NVE run that the energy drift is taken from")
    drift_temperature_K: Positive = Field(default=300.0, description="temperature of that run")
    drift_timestep_fs: Annotated[float, Field(gt=0, le=10)] = Field(default=3.0, description="its time step")


class PotentialDistillationConfig(ConfigModel):
    """A fast potential for potassium and an alloy, fitted to a teacher."""

    name: Annotated[str, Field(min_length=1, pattern=r"^[a-z0-9][a-z0-9.-]*$")] = Field(
        default="k-bi-sn-sb", description="name of the potential and of its folder"
    )
    alloy_elements: tuple[AlloyElement, ...] = Field(
        default=("Bi", "Sn", "Sb"), min_length=1, description="elements beside potassium"
    )
    teacher: TeacherSection = Field(default=TeacherSection(), description="whose energies and forces are learnt")
    teacher_sampling: TeacherSamplingSection = Field(default=TeacherSamplingSection(), description="round 1")
    student_sampling: StudentSamplingSection = Field(default=StudentSamplingSection(), description="later rounds")
    fit: FitSection = Field(default=FitSection(), description="the last fit, which makes the potential")
    checks: ChecksSection = Field(default=ChecksSection(), description="what is compared after the last fit")
    seed: Seed = Field(default=1, description="of everything random")
    resources: ResourcesSection = Field(default=ResourcesSection(), description="what the run may use of this machine")

    @model_validator(mode="after")
    def check_elements(self) -> Self:
        """Each element once."""
        if len(set(self.alloy_elements)) != len(self.alloy_elements):
            raise ValueError(f"alloy_elements is {list(self.alloy_elements)}, needs each once.")
        return self

    @model_validator(mode="after")
    def check_configurations(self) -> Self:
        """Something to learn from must be left."""
        if not any(self.teacher_sampling.configurations.values()):
            raise ValueError("teacher_sampling.configurations is empty. Set it, e.g. {alloy: 3, interface: 3}.")
        return self

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements of the potential, in the order of its atom types."""
        return ("K", *self.alloy_elements)


PRESETS: dict[str, dict[str, Any]] = {
    "demo": {
        "teacher_sampling": {
            "configurations": {
                "alloy": 3,
                "element": 3,
                "potassium": 3,
                "compound": 3,
                "mixture": 4,
                "interface": 3,
                "close_contact": 3,
            },
            "n_frames": 6,
            "steps_per_frame": 6,
        },
        "student_sampling": {
            "configurations": {"mixture": 3, "interface": 3},
            "teacher_configurations": {},
            "n_frames": 6,
            "steps_per_frame": 100,
        },
        "fit": {"held_out_fraction": 0.3},
        "checks": {"drift_ps": 3.0},
    },
    "shipped": {},
}

PRESET_NOTES: dict[str, str] = {
    "demo": "minutes on one core: shows the way from teacher to card; the potential is too poor to use",
    "shipped": "the defaults: how the shipped potential k-bi-sn-sb was made, about an hour on one core",
}
