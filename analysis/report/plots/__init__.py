"""Blocks of the report: each turns observables into plots; a new observable adds one line here."""

from collections.abc import Callable
from typing import Any

from analysis.report.plots.association import build_association_plots
from analysis.report.plots.contrast import build_contrast_plots
from analysis.report.plots.convergence import build_convergence_plots
from analysis.report.plots.core import build_core_plots
from analysis.report.plots.crystal_order import build_crystal_order_plots
from analysis.report.plots.density_map import build_density_map_plots
from analysis.report.plots.density_profile import build_density_profile_plots
from analysis.report.plots.figure import Figure, Plot
from analysis.report.plots.msd import build_msd_plots
from analysis.report.plots.orientation import build_orientation_plots
from analysis.report.plots.penetration import build_penetration_plots
from analysis.report.plots.rdf import build_rdf_plots
from analysis.report.plots.reaction import build_reaction_plots
from analysis.report.plots.region_temperature import build_region_temperature_plots
from analysis.report.plots.residence import build_residence_plots
from analysis.report.plots.surface_coordination import build_surface_coordination_plots
from analysis.report.plots.surface_energy import build_surface_energy_plots
from analysis.report.plots.sweep import build_sweep_plots
from analysis.report.plots.thermodynamics import Conservation, build_thermodynamics_plots

Block = Callable[[dict[str, Any]], list[Plot]]

BLOCKS: tuple[Block, ...] = (
    build_reaction_plots,
    build_surface_energy_plots,
    build_convergence_plots,
    build_sweep_plots,
    build_contrast_plots,
    build_surface_coordination_plots,
    build_penetration_plots,
    build_density_map_plots,
    build_density_profile_plots,
    build_rdf_plots,
    build_association_plots,
    build_residence_plots,
    build_orientation_plots,
    build_msd_plots,
    build_core_plots,
    build_crystal_order_plots,
    build_region_temperature_plots,
)


def build_plots(observables: dict[str, Any], *, conservation: Conservation = Conservation()) -> list[Plot]:  # noqa: B008
    """All plots that these observables allow, in the order of the page."""
    plots = [plot for block in BLOCKS for plot in block(observables)]
    return plots + build_thermodynamics_plots(observables, conservation=conservation)


__all__ = ["BLOCKS", "Block", "Conservation", "Figure", "Plot", "build_plots"]
