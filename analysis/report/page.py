"""Puts the report together: one HTML file that opens offline and asks no host for anything."""

import base64
import gzip
import json
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from analysis.headline import define_depth
from analysis.report.colours import CORE_COLOUR, SOLID_REGIONS, element_colour, element_radius_A, region_colour
from analysis.report.formatting import keep_together, raise_charges
from analysis.report.methods import build_bibtex, build_methods
from analysis.report.overview import build_answer, build_provenance_tables, build_tables, build_tiles
from analysis.report.plots import Conservation, Plot, build_plots
from analysis.report.strip import ELEVATION_DEG, MOBILE_REGION, choose_azimuth, draw_strip
from analysis.report.trust import compute_trust
from analysis.report.viewer_data import ViewerData, build_viewer_json
from analysis.results import Results, build_json_value, write_text_atomically

REPORT_FILE = "report.html"


def write_report(results: Results, *, viewer: ViewerData | None, directory: Path) -> Path:
    """Write `report.html`, whole or not at all.

    Args:
        results: what the run found out.
        viewer: frames to look at; None leaves out picture strip and viewer.
        directory: where the report goes.

    Returns:
        Path of the report.
    """
    return write_text_atomically(Path(directory) / REPORT_FILE, text=build_report_html(results, viewer=viewer))


def build_report_html(results: Results, *, viewer: ViewerData | None) -> str:
    """The report as text."""
    observables = build_json_value(results.observables)
    plots = fill_rows(build_plots(observables, conservation=find_conservation(results)))
    shown = viewer.within_budget() if viewer is not None and viewer.cases else None
    elements = sorted({element for case in shown.cases.values() for element in case.elements}) if shown else []
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            results=results,
            answer=build_answer(results),
            tiles=build_tiles(results),
            definition=define_depth(observables),
            trust=compute_trust(results),
            strip=draw_strip(shown) if shown else {},
            labels={name: case.label for name, case in shown.cases.items()} if shown else {},
            legend=[(element, element_colour(element)) for element in elements],
            has_cores=shown is not None and any(case.has_cores() for case in shown.cases.values()),
            misses_cores=shown is not None and any(case.misses_cores() for case in shown.cases.values()),
            is_about=describe_strip(shown) if shown else "",
            solid=name_solid(shown) if shown else "",
            has_bonds=shown is not None and any(case.bonds is not None for case in shown.cases.values()),
            has_names=shown is not None and any(case.frame_names for case in shown.cases.values()),
            thinned=shown is not viewer,
            plots=plots,
            plot_json=_dump([_plot_json(plot) for plot in plots]),
            viewer_json=_dump(_viewer_json(shown)) if shown else None,
            tables=build_tables(results),
            methods=build_methods(results),
            bibtex=build_bibtex(results.references),
            provenance=build_provenance_tables(results),
            plotly=_compress_plotly() if plots else "",
            molecule_viewer=_compress_3dmol() if shown else "",
            licence=_package_file("vendor/3Dmol-LICENSE.txt"),
            style=Markup(_package_file("templates/style.css")),  # noqa: S704 - a file of this package
            script=Markup(_package_file("templates/report.js")),  # noqa: S704 - a file of this package
            viewer_script=Markup(_package_file("templates/viewer.js")),  # noqa: S704 - a file of this package
        )
    )


def find_conservation(results: Results) -> Conservation:
    """What conserved quantity and pressure of a run are judged by, from its settings and its size."""
    dynamics: dict[str, Any] = results.config.get("dynamics") or {}
    structure: dict[str, Any] = results.config.get("structure") or {}
    return Conservation(
        from_ps=float(dynamics.get("heat_ps") or 0.0),
        n_atoms=results.system.get("n_atoms"),
        has_vacuum=bool(structure.get("vacuum_A")) and structure.get("boundary") != "periodic",
        limit_eV_per_atom=(dynamics.get("limits") or {}).get("drift_eV_per_atom"),
    )


def name_solid(viewer: ViewerData) -> str:
    """What the solid of the pictures is called; nothing if there is none."""
    regions = {region for case in viewer.cases.values() for region in case.regions}
    return next((name for region, name in SOLID_REGIONS.items() if region in regions), "")


def describe_strip(viewer: ViewerData) -> str:
    """What is drawn beside the atoms: the plane of the interface, and what went through it."""
    cases = viewer.cases.values()
    words = "; the shaded plane is the interface" if any(np.ptp(case.line_z_range_A) > 0 for case in cases) else ""
    if any(MOBILE_REGION in case.regions for case in cases):
        words += ". Potassium inside the alloy is drawn through it"
    return words


def fill_rows(plots: list[Plot]) -> list[Plot]:
    """Widen a plot that would stand alone in a row of two."""
    filled: list[Plot] = []
    for number, plot in enumerate(plots):
        narrow_before = 0
        for earlier in reversed(filled):
            if earlier.wide:
                break
            narrow_before += 1
        is_last = number + 1 == len(plots) or plots[number + 1].wide
        alone = not plot.wide and narrow_before % 2 == 0 and is_last
        filled.append(replace(plot, wide=True) if alone else plot)
    return filled


def _plot_json(plot: Plot) -> dict[str, Any]:
    figures = [{"label": figure.label, "data": figure.data, "layout": figure.layout} for figure in plot.figures]
    return {"key": plot.key, "title": plot.title, "columns": plot.columns, "figures": figures}


def _viewer_json(viewer: ViewerData) -> dict[str, Any]:
    elements = {element for case in viewer.cases.values() for element in case.elements}
    regions = {region for case in viewer.cases.values() for region in case.regions}
    return {
        "cases": build_viewer_json(viewer),
        "element_colours": {element: element_colour(element) for element in sorted(elements)},
        "element_radii_A": {element: element_radius_A(element) for element in sorted(elements)},
        "region_colours": {region: region_colour(region) for region in sorted(regions)},
        "solid_regions": sorted(regions & set(SOLID_REGIONS)),
        "core_colour": CORE_COLOUR,
        "azimuth_deg": choose_azimuth(viewer),
        "elevation_deg": ELEVATION_DEG,
    }


def _dump(value: object) -> Markup:
    """JSON that is safe inside a script element: <, >, & and quotes of HTML are escaped."""
    compact = partial(json.dumps, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return htmlsafe_json_dumps(build_json_value(value), dumps=compact)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["together"] = lambda text: keep_together(raise_charges(text))
    return environment


@cache
def _compress_plotly() -> str:
    from plotly.offline import get_plotlyjs

    return _compress(get_plotlyjs())


@cache
def _compress_3dmol() -> str:
    return _compress(_package_file("vendor/3Dmol-min.js"))


def _compress(script: str) -> str:
    return base64.b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode("ascii")


def _package_file(name: str) -> str:
    return files("analysis.report").joinpath(name).read_text(encoding="utf-8")
