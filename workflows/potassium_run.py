"""What all stages of a run of the flow `potassium-diffusion` share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.contact_geometry import ContactGeometry
from analysis.thermodynamics import Thermodynamics
from structures.errors import InputError
from structures.interface import ContactCell
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import IN_FLOWS
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.jobs.store import Finished, Store


@dataclass(frozen=True)
class RunFacts:
    """What all stages of a run share.

    Attributes:
        config: of the flow.
        workdir: the run's directory.
        store: its store.
        calculator: spec, its files in the store.
        cores: that may be busy at a time; None as configured.
        salt: sets a recomputation apart from equal runs.
        keys: what was computed, by a name for people, to key.
        verified: results whose files were checked once; a second reading of all trajectories would find nothing new.
    """

    config: PotassiumDiffusionConfig
    workdir: Path
    store: Store
    calculator: CalculatorSpec
    cores: int | None = None
    salt: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    verified: dict[str, Finished] = field(default_factory=dict)

    @property
    def layout(self) -> dict[str, Any]:
        """Ranks, threads and salt of the run's calculations."""
        resources = self.config.resources
        return {"ranks": resources.ranks, "threads": resources.threads, "salt": self.salt}

    def keep_key(self, name: str, finished: Finished) -> None:
        """Note what was computed."""
        self.keys[name] = finished.key

    def finished(self, key: str) -> Finished:
        """A calculation's result.

        Raises:
            InputError: if the store has none.
        """
        result = self.verified.get(key) or self.store.result(key)
        if not isinstance(result, Finished):
            raise InputError(
                f"The store {self.store.root} has no sound result of {key[:12]}. Go on with the run: "
                f"alkaliflow resume {self.workdir}"
            )
        self.verified[key] = result
        return result


@dataclass(frozen=True)
class CaseData:
    """One case with what its analysis needs.

    Attributes:
        cell: as built.
        geometry: where interface and lines are in it.
        relaxed: the relaxed cell, which dynamics starts from.
        universes: one trajectory a replica.
        thermodynamics: one table a replica.
        velocities_A_per_fs: of each replica at the end of each segment, in Å/fs.
        segment_ends_ps: the times of those, in ps.
    """

    cell: ContactCell
    geometry: ContactGeometry
    relaxed: Atoms
    universes: list[Universe]
    thermodynamics: list[Thermodynamics]
    velocities_A_per_fs: list[list[NDArray[np.float64]]]
    segment_ends_ps: list[float]


def build_spec(config: PotassiumDiffusionConfig, *, store: Store) -> CalculatorSpec:
    """The calculator of a run, its files in the store."""
    section = config.calculator
    return build_calculator_spec(
        section.name,
        add_blob=store.add_blob,
        potential=section.potential,
        overrides=section.overrides,
        wording=IN_FLOWS,
    )


def find_fixed_regions(config: PotassiumDiffusionConfig) -> list[str]:
    """Regions that do not move; without a vacuum there is no anchor."""
    has_anchor = config.structure.vacuum_A > 0 and config.structure.anchor_thickness_A > 0
    return [name for name in config.dynamics.fixed_regions if name != "anchor" or has_anchor]
