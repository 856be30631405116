"""Page of molecules at a surface: tiles, tables, trust, pictures, and names of sites and ions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from analysis.headline import find_headlines
from analysis.report import build_report_html
from analysis.report.formatting import format_entry, format_site, raise_charges
from analysis.report.overview import build_tables, build_tiles
from analysis.report.page import describe_strip, name_solid
from analysis.report.strip import draw_strip
from analysis.report.trust import compute_trust
from analysis.report.viewer_data import build_viewer_json, find_drawn_bonds
from analysis.results import Results
from analysis.tables import find_columns
from structures.errors import InputError
from tests.analysis.report.interface_example import build_molecule_viewer, build_observables, change


@pytest.fixture(scope="module")
def observables() -> dict[str, Any]:
    return build_observables()


@pytest.fixture
def results(make_results: Callable[..., Results], observables: dict[str, Any]) -> Results:
    cell = {"n_atoms": 400, "cell_A": [21.0, 21.0, 17.3], "periodic_along": "xyz"}
    size = {"n_atoms": 20, "sigma_A": 2.1, "epsilon_meV": 1.0}
    charges = {"Li": (1.0, 1.0), "O": (-0.53, -0.45)}
    types = {
        name: {"element": name, "charge_from_e": low, "charge_to_e": high} | size
        for name, (low, high) in charges.items()
    }
    force_field = {"name": "CL&P", "lacks": ["no polarisation"], "cutoff_A": 8.0, "types": types}
    return replace(
        make_results(),
        flow="electrolyte-interface",
        config={"structure": {"vacuum_A": 20.0, "boundary": "periodic"}, "force_field": {"cutoff_A": 8.0}},
        system={"n_atoms": 400, "bare": cell, "layer": cell, "force_field": force_field},
        observables=observables,
        warnings=(),
    )


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("TFSI- O", "O of TFSI⁻"),
        ("TFSI- centre of mass", "centre of mass of TFSI⁻"),
        ("Li+ Li", "Li⁺"),
        ("Ca2+ Ca", "Ca²⁺"),
        ("PF6- F", "F of PF6⁻"),
        ("DME O", "O of DME"),
        ("surface Li", "surface Li"),
    ],
)
def test_a_site_is_said_in_words(label: str, shown: str) -> None:
    assert format_site(label) == shown


def test_only_ions_have_their_charge_raised() -> None:
    text = "NH2-MIL-101, Hirshfeld- and K-Bi at 1e-5: TFSI-, NO3- and Li+."
    assert raise_charges(text) == "NH2-MIL-101, Hirshfeld- and K-Bi at 1e-5: TFSI⁻, NO3⁻ and Li⁺."
    assert format_entry("TFSI- O about Li+ Li") == "O of TFSI⁻ about Li⁺"
    assert format_entry("K-Bi-core") == "K–Bi–core"


def test_headlines_are_tiles_in_the_colour_of_their_case(results: Results) -> None:
    tiles = build_tiles(results)
    assert [(tile.value, tile.case) for tile in tiles] == [
        ("0.140 ± 0.050", 0),
        ("0.420 ± 0.050", 1),
        ("0.280 ± 0.080", None),
    ]
    assert tiles[0].label == "O of TFSI⁻ within 3.50 Å of a surface atom, bare electrode"
    assert tiles[2].label == "difference, resolved"
    assert list(find_headlines(results.observables)) == list(results.observables["headlines"])


def test_tables_name_sites_and_every_type(results: Results) -> None:
    tables = {table.caption: table for table in build_tables(results)}
    approach = tables["First approach to the surface"].rows[1]
    assert approach[0] == "O of TFSI⁻, bare electrode"
    assert approach[1:4] == ("2.00 ± 0.05\u202fÅ", "2.40 ± 0.05\u202fÅ", "3.30 ± 0.05\u202fÅ")
    coordination = tables["Coordination of a surface atom"]
    assert coordination.header[6] == "Zhen et al. 2025"
    assert [row[6] for row in coordination.rows] == ["0.13", "0.13", "0.42", "0.42"]
    assert tables["Types of the force field"].rows == (
        ("Li", "Li", "20", "1", "2.1", "1"),
        ("O", "O", "20", "−0.53 to −0.45", "2.1", "1"),
    )
    assert not any("types" in row[0] for row in tables["System"].rows)
    assert tables["Has the state settled?"].rows[0][4] == "yes"
    assert "Observables: onset" not in tables
    names = [row[0] for row in tables["Observables: coordination number"].rows]
    assert "O of TFSI⁻ about Li⁺ · with the layer" in names


def test_distributions_of_one_pair_get_a_file_each(observables: dict[str, Any]) -> None:
    names = [name for name, _ in find_columns(observables) if "_rdf_" in name]
    assert len(set(names)) == len(names) == 6
    assert "bare_rdf_TFSI- O about Li+ Li" in names


def test_trust_tells_the_force_field_the_box_and_whether_it_settled(results: Results) -> None:
    items = {item.title: item for item in compute_trust(results).items}
    assert set(items) == {
        "Force field", "Box, bare", "Box, layer", "Replicas", "Contrast",
        "Equilibrium, bare electrode", "Equilibrium, with the layer",
    }  # fmt: skip
    assert (items["Force field"].level, items["Force field"].text) == ("amber", "CL&P. It leaves out: no polarisation.")
    assert items["Box, bare"].text == "Periodic over 21.00 × 21.00 × 17.30 Å: at least twice the cut-off, 16.00 Å."
    assert {title for title, item in items.items() if item.level != "green"} == {"Force field"}


def test_trust_of_a_thin_box_and_of_one_run_that_drifts(results: Results) -> None:
    single = build_observables(n_replicas=1)
    drift = single["cases"]["bare"]["settled"][0] | {"is_settled": False, "verdict": "drifting"}
    system = results.system | {"bare": results.system["bare"] | {"cell_A": [21.0, 21.0, 15.0]}}
    system["layer"] = system["bare"] | {"periodic_along": "xy"}
    changed = replace(results, observables=change(single, "bare", settled=[drift]), system=system)
    items = {item.title: item for item in compute_trust(changed).items}
    assert items["Box, bare"].level == "red"
    assert items["Box, layer"].text == "Periodic over 21.00 × 21.00 Å: at least twice the cut-off, 16.00 Å."
    assert items["Replicas"].text == "1 replica of each case: a difference takes 5."
    assert items["Equilibrium, bare electrode"].text == "Bare electrode, potential energy: drifting."
    assert items["Contrast"].text.startswith("Not resolved: one replica has no error bar.")


def test_an_anion_has_the_bonds_of_its_formula_and_an_electrode_none() -> None:
    (item,) = build_viewer_json(build_molecule_viewer())
    elements = [item["elements"][number] for number in item["element_of"]]
    pairs = ["-".join(sorted(elements[end] for end in bond)) for bond in item["bonds"]]
    assert {pair: pairs.count(pair) for pair in set(pairs)} == {"C-F": 6, "C-S": 2, "N-S": 2, "O-S": 4}


def test_bonds_are_of_one_molecule() -> None:
    close = Atoms("OHOH", positions=[[0, 0, 0], [0, 0, 0.97], [0, 0, 1.9], [0, 0, 2.87]])
    assert find_drawn_bonds(close, molecules=np.array([0, 0, 1, 1])).tolist() == [[0, 1], [2, 3]]
    assert find_drawn_bonds(close, molecules=np.array([0, 0, -1, -1])).tolist() == [[0, 1]]
    assert find_drawn_bonds(close, molecules=np.array([-1] * 4)).shape == (0, 2)


@pytest.mark.parametrize("bonds", [[[0, 17]], [[-1, 0]], [[0, 1, 2]]])
def test_bonds_of_atoms_that_are_not_there_are_refused(bonds: list[list[int]]) -> None:
    with pytest.raises(InputError, match=r"need \(n_bonds, 2\) of 17 atoms"):
        replace(build_molecule_viewer().cases["bare"], bonds=np.array(bonds))


def test_pictures_draw_bonds_and_tell_no_tale_of_potassium() -> None:
    viewer = build_molecule_viewer()
    svg = draw_strip(viewer)["bare"][0].svg
    bonds = viewer.cases["bare"].bonds
    assert bonds is not None
    paths = {path for path in svg.split('"') if path.startswith("M")}
    assert sum(path.count("L") for path in paths) == len(bonds)
    assert sum(path.count("h0") for path in paths) == 17
    assert (describe_strip(viewer), name_solid(viewer)) == ("", "Electrode")


def test_the_page_holds_it_together(results: Results) -> None:
    page = build_report_html(results, viewer=build_molecule_viewer())
    assert "TFSI⁻ O about a surface Li: 0.42 with the layer" in page
    assert "One camera for all pictures." in page
    assert "Potassium" not in page
    assert 'id="viewer-molecules"' in page
    assert "Electrode <select" in page
    assert '"solid_regions":["electrode"]' in page
