"""Sections of the user file of `tfsi-adsorption` that describe surfaces and the poses of adsorbates on them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workflows.configuration.sections import ConfigModel, Positive

MillerIndex = Annotated[int, Field(ge=-9, le=9)]
Division = Annotated[int, Field(ge=1, le=50)]
Repeat = Annotated[int, Field(ge=1, le=50)]


class SubstrateSection(ConfigModel):
    """A slab of your own, or other numbers for one that is built in."""

    file: str | None = Field(
        default=None,
        min_length=1,
        description="structure file of the bulk crystal that the slab is cut from (CIF, POSCAR, …)",
        json_schema_extra={"format": "path"},
    )
    element: str | None = Field(default=None, description="or a metal by its symbol, with the lattice that ASE knows")
    miller: tuple[MillerIndex, MillerIndex, MillerIndex] | None = Field(
        default=None, description="Miller indices of the surface; null: as built in"
    )
    termination: str | None = Field(
        default=None, description="elements of the uppermost plane; null: as built in, or the only one there is"
    )
    layers: int | None = Field(default=None, gt=0, le=60, description="atomic planes; null: as built in, or 4")
    fixed_layers: int | None = Field(default=None, ge=0, description="planes at the bottom that stay; null: the half")
    repeats: tuple[Repeat, Repeat] | None = Field(
        default=None, description="surface cells along both axes; null: so many that the adsorbate fits"
    )
    clearance_A: Positive = Field(default=4.0, le=30, description="between the adsorbate and its image")
    vacuum_A: Positive = Field(default=7.0, ge=5, le=40, description="below the slab, and above the adsorbate")
    moments_uB: dict[str, float] | None = Field(
        default=None, description="of an element's atoms to start from; null: those of Cr, Mn, Fe, Co and Ni, parallel"
    )
    k_points: tuple[Division, Division] | None = Field(
        default=None, description="divisions along both axes; null: divisions times length at least 20 Å"
    )

    @model_validator(mode="after")
    def check_source(self) -> Self:
        """At most one source of the crystal; a source of one's own needs its surface."""
        if self.file is not None and self.element is not None:
            raise ValueError("both of file and element are given, needs one of them. Take one out.")
        if (self.file is not None or self.element is not None) and self.miller is None:
            raise ValueError("miller is null, needs the Miller indices of the surface, e.g. miller: [1, 1, 1].")
        if self.miller == (0, 0, 0):
            raise ValueError("miller is [0, 0, 0], which is no plane. Set it, e.g. miller: [1, 1, 1].")
        return self


class PosesSection(ConfigModel):
    """How poses of an adsorbate are searched."""

    orientations: int = Field(default=6, gt=0, le=500, description="spread evenly over all rotations, at each site")
    distance_scale: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="where the adsorbate is put down; 0: a covalent bond away, 1: in van-der-Waals contact"
    )
    screening: Literal["small-basis", "xtb", "none"] = Field(
        default="small-basis",
        description="cheap ranking: by energies in a small basis; xtb: relaxed by tight binding first, molecules and "
        "clusters only; none: every pose gets the full method",
    )
    keep: int = Field(default=3, gt=0, le=500, description="best poses of the ranking that get the full method")
    most: int = Field(default=60, gt=0, le=2000, description="poses to rank at most; more are thinned out evenly")
    seed: int = Field(default=1, ge=0, description="of the rotations")
