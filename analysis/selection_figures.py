"""Figures of an analysis of selections, as SVG."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.report.colours import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from analysis.selection import SelectionAnalysis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
_SIZE_IN = (6.4, 4.2)


def draw_figures(found: SelectionAnalysis) -> dict[str, str]:
    """Name of each figure to its SVG: distribution, contacts, survival, and distributions and profiles at a surface."""
    figures = {"rdf": _draw("r / Å", "g(r)", _plot_rdf, found)}
    if found.n_contacts.size > 1:
        figures["contacts"] = _draw("time / ps", "contacts", _plot_contacts, found)
    if found.residence is not None:
        figures["survival"] = _draw("time / ps", "share of contacts", _plot_survival, found)
    if found.surface is not None:
        figures["surface-rdf"] = _draw("distance to the surface atoms / Å", "g(r)", _plot_surface_rdfs, found)
        figures["surface-profile"] = _draw("height / Å", "density / nm⁻³", _plot_profiles, found)
    return figures


def _draw(x: str, y: str, plot: Any, found: SelectionAnalysis) -> str:  # noqa: ANN401 - one of the functions below
    """A figure with one set of axes, without a date, so that equal data give equal files."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "alkaliflow", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=_SIZE_IN, layout="constrained")
        axes = figure.subplots()
        axes.set(xlabel=x, ylabel=y)
        plot(axes, found)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(frameon=False)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue().decode("utf-8")


def _plot_rdf(axes: "Axes", found: SelectionAnalysis) -> None:
    rdf = found.rdf
    axes.fill_between(rdf.r_A, np.nan_to_num(rdf.g_low), np.nan_to_num(rdf.g_high), color=SKY, alpha=0.5, linewidth=0)
    axes.plot(rdf.r_A, rdf.g, color=BLUE, label="g(r)")
    right = axes.twinx()
    right.plot(rdf.r_A, rdf.coordination, color=ORANGE, linestyle="--")
    right.set(ylabel="neighbours within r (dashed)", ylim=(0, None))
    if rdf.cutoff_A is not None:
        axes.axvline(rdf.cutoff_A, color="grey", linestyle=":", label=f"cut-off {rdf.cutoff_A:.2f} Å")


def _plot_contacts(axes: "Axes", found: SelectionAnalysis) -> None:
    axes.plot(found.time_ps - found.time_ps[0], found.n_contacts, color=BLUE, linewidth=0.8)


def _plot_survival(axes: "Axes", found: SelectionAnalysis) -> None:
    if found.residence is not None:
        axes.plot(found.residence.time_ps, found.residence.continuous, color=BLUE, label="without a break")
        axes.plot(found.residence.time_ps, found.residence.intermittent, color=ORANGE, linestyle="--", label="again")


def _plot_surface_rdfs(axes: "Axes", found: SelectionAnalysis) -> None:
    if found.surface is not None:
        for (label, rdf), colour in zip(found.surface.rdfs.items(), _COLOURS, strict=False):
            axes.plot(rdf.r_A, rdf.g, color=colour, label=label)


def _plot_profiles(axes: "Axes", found: SelectionAnalysis) -> None:
    if found.surface is not None:
        for (label, profile), colour in zip(found.surface.profiles.items(), _COLOURS, strict=False):
            low, high = np.nan_to_num(profile.low_per_nm3), np.nan_to_num(profile.high_per_nm3)
            axes.fill_between(profile.height_A, low, high, color=colour, alpha=0.25, linewidth=0)
            axes.plot(profile.height_A, profile.density_per_nm3, color=colour, label=label)
