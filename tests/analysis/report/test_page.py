"""The page as text: all parts in order, nothing asked of a host, nothing of the user's runs."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.report import ViewerData, build_report_html, write_report
from analysis.report.methods import build_bibtex, build_methods
from analysis.report.overview import build_answer, build_tables, build_tiles
from analysis.report.page import fill_rows, find_conservation
from analysis.report.plots import Conservation, Plot, build_plots
from analysis.results import Reference, Results, build_json_value

ATTACK = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"
# What a browser loads by itself.
LOADING = {"src", "srcset", "poster", "data", "background", "action", "formaction", "ping"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.words: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = f"{tag}:{dict(attrs).get('id')}" if tag in {"script", "style"} else ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.scripts[self._open] = self.scripts.get(self._open, "") + data
        else:
            self.words.append(data)

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def text(make_results: Callable[..., Results], example_viewer: ViewerData) -> str:
    return build_report_html(make_results(), viewer=example_viewer)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_eight_parts_stand_in_order(page: Page) -> None:
    sections = [attributes["id"] for attributes in page.find("section")]
    assert sections == ["answer", "trust", "pictures", "viewer", "plots", "tables", "methods", "provenance"]


def test_the_answer_is_the_first_heading(page: Page, make_results: Callable[..., Results]) -> None:
    words = "".join(page.words).replace("\u00a0", " ")
    assert make_results().observables["contrast"]["sentence"] in words
    assert [tag for tag, _ in page.tags if tag == "h1"] == ["h1"]


def test_no_request_goes_to_any_host(page: Page) -> None:
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            if name in LOADING and tag != "a":
                assert not re.match(r"(https?:)?//", value or ""), (tag, name, value)
        if tag == "link":
            assert attributes["href"] == "data:,"
        if tag == "a":
            assert (attributes["href"] or "").startswith(("#", "https://doi.org/")), attributes
    assert "@import" not in page.scripts["style:None"]
    assert "url(" not in page.scripts["style:None"]
    (policy,) = [item["content"] for item in page.find("meta") if item.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in (policy or "")
    assert "connect-src" not in (policy or "")


def test_every_picture_has_a_description_and_every_control_a_name(page: Page) -> None:
    for tag, attributes in page.tags:
        if tag == "svg" or attributes.get("role") == "img":
            assert attributes.get("aria-label"), attributes
        if tag == "section":
            assert attributes.get("aria-labelledby")
    assert page.find("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_the_data_are_json_without_nan(page: Page) -> None:
    def refuse(name: str) -> None:
        raise ValueError(name)

    for name in ("script:plot-data", "script:viewer-data"):
        assert json.loads(page.scripts[name], parse_constant=refuse)


def test_the_page_stays_small(make_results: Callable[..., Results], make_viewer: Callable[..., ViewerData]) -> None:
    viewer = make_viewer(n_frames=100, repeats=(8, 5, 6))
    assert 2200 <= len(viewer.cases["control"].elements) <= 3500
    assert len(build_report_html(make_results(), viewer=viewer).encode()) < 6e6


def plant(node: Any) -> Any:  # noqa: ANN401 - JSON
    """The same JSON with every text and every free name replaced by an attack."""
    if isinstance(node, dict):
        return {key: plant(item) for key, item in node.items()} | {ATTACK: ATTACK}
    if isinstance(node, list):
        return [plant(item) for item in node]
    return ATTACK if isinstance(node, str) else node


def test_text_of_the_user_is_never_markup(
    make_results: Callable[..., Results], make_viewer: Callable[..., ViewerData]
) -> None:
    results = make_results()
    cases = {ATTACK: results.observables["cases"]["dislocation"] | {"label": ATTACK}}
    cases[ATTACK]["rdf"] = [entry | {"pair": ATTACK, "region": ATTACK} for entry in cases[ATTACK]["rdf"]]
    contrast = plant(results.observables["contrast"])
    evil = replace(
        results,
        flow=ATTACK,
        config=plant(results.config),
        system=plant(results.system) | {"n_atoms": 3},
        observables={"cases": cases, "contrast": contrast},
        warnings=tuple(replace(item, text=ATTACK) for item in results.warnings),
        references=(Reference(ATTACK, doi=ATTACK, bibtex=ATTACK), Reference(ATTACK)),
        provenance=replace(
            results.provenance,
            command=ATTACK,
            created=ATTACK,
            versions={ATTACK: ATTACK},
            machine={ATTACK: [ATTACK]},
        ),
        methods=(ATTACK,),
    )
    case = make_viewer(n_frames=2).cases["dislocation"]
    viewer = ViewerData({ATTACK: replace(case, label=ATTACK, elements=(ATTACK,) * len(case.elements))})
    text = build_report_html(evil, viewer=viewer)
    page = Page(text)
    clean = Page(build_report_html(results, viewer=make_viewer(n_frames=2)))
    assert len(page.find("script")) == len(clean.find("script"))
    assert page.find("img") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert ATTACK in "".join(page.words).replace("\u00a0", " ")
    assert json.loads(page.scripts["script:viewer-data"])["cases"][0]["label"] == ATTACK


@pytest.mark.parametrize("status", ["failed", "completed"])
def test_a_run_without_observables_still_has_a_report(status: Any, tmp_path: Path) -> None:  # noqa: ANN401 - a literal
    path = write_report(Results("some-flow", status), viewer=None, directory=tmp_path / "run")
    page = Page(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "run" / "report.html"
    assert [attributes["id"] for attributes in page.find("section")] == [
        "answer",
        "trust",
        "tables",
        "methods",
        "provenance",
    ]
    assert f"The flow some-flow is {status}" in "".join(page.words)
    assert list(path.parent.iterdir()) == [path]


def test_the_same_results_give_the_same_page(text: str, make_results: Callable[..., Results]) -> None:
    assert len(text) > 0
    results = make_results()
    assert build_report_html(results, viewer=None) == build_report_html(results, viewer=None)


def test_answer_falls_back_to_the_final_depths(make_results: Callable[..., Results]) -> None:
    observables = make_results().observables
    single = Results("x", "completed", observables={"cases": {"control": observables["cases"]["control"]}})
    assert build_answer(single) == "The depth of potassium grew by 7.00 ± 1.80\u202fÅ (control) since the relaxed cell."
    assert build_answer(replace(single, observables={"answer": "It is 42."})) == "It is 42."
    (tile,) = build_tiles(single)
    assert (tile.label, tile.value) == ("control: depth gained, all K", "7.00 ± 1.80\u202fÅ")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"n_independent": 2}, "Not resolved: fewer than 5 replicas."),
        ({"low": -1.03, "high": 2.21}, "Not resolved: the interval includes zero."),
        ({"doubts": ["it melted"]}, "Not a depth in the crystal: it melted."),
        ({"low": None, "high": None}, "Not resolved: one replica has no error bar. Run at least 5 replicas."),
    ],
)
def test_a_gain_that_is_not_resolved_says_so(
    make_results: Callable[..., Results], change: dict[str, Any], told: str
) -> None:
    case = make_results().observables["cases"]["control"]
    doubts = change.pop("doubts", []) if "doubts" in change else []
    gain = case["penetration"]["gain"] | change
    case = case | {"penetration": case["penetration"] | {"gain": gain}}
    single = Results("x", "completed", observables={"cases": {"control": case}, "doubts": doubts})
    assert build_answer(single).endswith(f"since the relaxed cell. {told}")
    assert build_tiles(single)[0].label == "control: depth gained, all K, not resolved"


def test_tiles_say_whether_the_contrast_is_resolved(make_results: Callable[..., Results]) -> None:
    assert [tile.label for tile in build_tiles(make_results())] == [
        "dislocation: depth gained, core columns",
        "control: depth gained, core columns",
        "difference, resolved",
        "ratio, resolved",
    ]
    assert build_tiles(make_results(resolved=False))[2].label == "difference, not resolved"
    lost = make_results()
    doubts = ["the alloy has lost its crystal order"]
    contrast = lost.observables["contrast"] | {"resolved": False, "doubts": doubts}
    doubted = replace(lost, observables=lost.observables | {"contrast": contrast})
    assert [tile.label for tile in build_tiles(doubted)][2:] == [
        "difference, not about dislocations",
        "ratio, not about dislocations",
    ]
    (plot,) = [plot for plot in build_plots(build_json_value(doubted.observables)) if plot.key == "contrast"]
    assert plot.sentence.endswith("The contrast is not about dislocations.")


def test_tables_have_every_quantity_with_interval_and_n(make_results: Callable[..., Results]) -> None:
    tables = {table.caption: table for table in build_tables(make_results())}
    row = tables["Observables"].rows[0]
    named = {row[0]: row[1] for row in tables["Observables"].rows}
    assert named["dislocation · depth, core columns"] == "14.20 ± 2.10\u202fÅ"
    assert named["dislocation · depth, all K"] == "14.90 ± 2.10\u202fÅ"
    assert named["contrast · dislocation gain"] == named["dislocation · depth gained, core columns"]
    assert row[2:5] == ("12.10 – 16.30", "5", "converged")
    numbers = tables["Observables: coordination number"].rows
    assert numbers[0][0] == "K–Bi–all · control"
    assert len(numbers) == 24
    assert ("temperature", "300\u202fK") in tables["Settings: dynamics"].rows
    assert ("replicas", "5") in tables["Settings"].rows


def test_a_difference_is_shown_as_that_of_the_gains_shown(make_results: Callable[..., Results]) -> None:
    results = make_results()
    contrast = dict(results.observables["contrast"])
    for name, value in (("dislocation_gain_A", 2.3449), ("control_gain_A", 1.3351), ("difference_A", 1.0098)):
        contrast[name] = contrast[name] | {"value": value, "uncertainty": None, "low": None, "high": None}
    exact = replace(results, observables=results.observables | {"contrast": contrast})
    shown = {row[0]: row[1] for table in build_tables(exact) for row in table.rows if row[0].startswith("contrast")}
    assert [tile.value for tile in build_tiles(exact)][:3] == ["2.34\u202fÅ", "1.34\u202fÅ", "1.00\u202fÅ"]
    assert shown["contrast · difference"] == "1.00\u202fÅ"


def test_the_difference_is_shown_at_other_radii_and_densities(make_results: Callable[..., Results]) -> None:
    results = make_results()
    sensitivity = {
        "core_radius_A": [4.0, 4.0, 6.0, 6.0],
        "areal_density_per_nm2": [0.5, 1.0, 0.5, 1.0],
        "difference_A": [-1.234, None, 0.5, 2.0],
        "is_configured": [False, False, True, False],
    }
    contrast = results.observables["contrast"] | {"sensitivity": sensitivity}
    tables = build_tables(replace(results, observables=results.observables | {"contrast": contrast}))
    (table,) = [table for table in tables if table.caption.startswith("Difference of the gains at other radii")]
    assert table.header == ("Radius", "0.5 nm⁻²", "1 nm⁻²")
    assert table.rows == (
        ("4\u202fÅ", "−1.23\u202fÅ", "–"),
        ("6\u202fÅ", "0.50\u202fÅ (this run)", "2.00\u202fÅ"),
    )


def test_methods_say_what_was_done(make_results: Callable[..., Results]) -> None:
    text = " ".join(build_methods(make_results()))
    for fact in (
        "of 1354 atoms were built of M-BiSnSb (Bi288Sb288Sn288, A7 structure, random decoration) in contact",
        "in contact with potassium (K490, bcc).",
        "A dipole of edge dislocations (Burgers vector 1/3[11-20], slip plane basal)",
        "300 K",
        "3 fs",
        "61 meV/Å",
        "0.5 potassium atoms lie on each nm²",
        "5 replicas",
        "95 %",
    ):
        assert fact in text, fact
    assert "None" not in text
    assert build_methods(replace(make_results(), methods=("Mine.",))) == ["Mine."]
    assert build_methods(Results("x", "failed")) == ["The work was done with the flow x of alkaliflow."]


def test_methods_name_the_files_that_were_used(make_results: Callable[..., Results]) -> None:
    results = make_results()
    own = {"formula": "Bi120Sb120", "file": "bisb.vasp", "sha256": "3f" * 32}
    text = " ".join(build_methods(replace(results, system={**results.system, "alloy": own})))
    assert "built of Bi120Sb120 as given in bisb.vasp (SHA-256 3f3f3f3f3f3f…) in contact with potassium" in text
    assert "M-BiSnSb" not in text
    assert "random decoration)" not in text


def test_methods_of_a_pure_element_know_no_decoration_nor_a_shear_by_rounding(
    make_results: Callable[..., Results],
) -> None:
    results = make_results()
    pure = {"formula": "Bi864", "name": "bismuth", "origin": "A7 structure, random decoration"}
    line = results.system["dislocation"] | {"control_shear_strain": 7.6e-17}
    text = " ".join(build_methods(replace(results, system={**results.system, "alloy": pure, "dislocation": line})))
    assert "built of bismuth (Bi864, A7 structure) in contact" in text
    assert "The control is the same cell with no dislocations." in text
    sheared = line | {"control_shear_strain": -0.02}
    text = " ".join(build_methods(replace(results, system={**results.system, "dislocation": sheared})))
    assert "with the same decoration and no dislocations, sheared by 2 %." in text


def test_tables_of_the_system_show_no_rounding_errors(make_results: Callable[..., Results]) -> None:
    results = make_results()
    system = results.system | {"strain_metal": [0.012, -9.909e-17, 0.0]}
    (table,) = [table for table in build_tables(replace(results, system=system)) if table.caption == "System"]
    assert ("strain metal", "0.012, 0, 0") in table.rows


def test_bibtex_has_an_entry_for_every_reference(make_results: Callable[..., Results]) -> None:
    bibtex = build_bibtex(make_results().references)
    assert bibtex.count("@") == 2
    assert bibtex.count("{") == bibtex.count("}")
    assert "doi = {10.1016/j.cpc.2021.108171}" in bibtex


def test_no_plot_stands_alone_in_a_row() -> None:
    def plot(*, wide: bool) -> Plot:
        return Plot("k", "t", "s", "a", {}, (), wide=wide)

    filled = fill_rows([plot(wide=flag) for flag in (True, False, True, False, False, False, True, False)])
    assert [item.wide for item in filled] == [True, True, True, False, False, True, True, True]


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (3, "dislocation cores as lines from the interface down."),
        (2, "lines from the interface down. Cores are drawn only where their Burgers circuits close."),
        (0, "drawn through it. Cores are drawn only where their Burgers circuits close: here in no frame, so none is."),
    ],
)
def test_captions_tell_where_cores_are_drawn(
    make_results: Callable[..., Results], make_viewer: Callable[..., ViewerData], known: int, told: str
) -> None:
    case = make_viewer(n_frames=3).cases["dislocation"]
    track = np.array(case.core_track_A)
    track[known:] = np.nan
    text = build_report_html(make_results(), viewer=ViewerData({"dislocation": replace(case, core_track_A=track)}))
    words = re.sub(r"\s+", " ", "".join(Page(text).words))
    assert told in words
    assert words.count("Cores are drawn only") == 2 * (known < 3)
    assert words.count("the dislocation cores are not known") == 3 - known
    assert ('id="viewer-core"' in text) == (known > 0)


def test_conservation_comes_from_the_settings(make_results: Callable[..., Results]) -> None:
    results = make_results()
    limits = results.config["dynamics"] | {"limits": {"drift_eV_per_atom": 0.5}}
    found = find_conservation(replace(results, config=results.config | {"dynamics": limits}))
    assert found == Conservation(from_ps=3.0, n_atoms=1354, limit_eV_per_atom=0.5, has_vacuum=True)
    assert find_conservation(Results("x", "failed")) == Conservation()
    assert "eV/atom (control) from the end of heating at 3\u202fps" in build_report_html(results, viewer=None)
