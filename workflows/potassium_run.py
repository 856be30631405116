"""What all stages of a run of the flow `potassium-diffusion` share."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.contact_geometry import ContactGeometry
from analysis.thermodynamics import Thermodynamics
from structures.interface import ContactCell
from workflows.calculators.resolve import build_calculator_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.wording import IN_FLOWS
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.flow_run import FlowRun
from workflows.jobs.store import Store

# Steps of a relaxation at most; a plan counts as many.
RELAXATION_STEPS = 1500
# What the key of the scan over gaps is kept under.
GAP_SCAN = "gap scan"


class RunFacts(FlowRun[PotassiumDiffusionConfig]):
    """A run of the flow `potassium-diffusion`."""


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
