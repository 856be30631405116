"""The pictures are drawn by one camera, show every atom, and tell what they show."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analysis.report import ViewerData
from analysis.report.strip import build_camera, count_inside, draw_strip, pick_frames


@pytest.fixture(scope="module")
def viewer(make_viewer: Callable[..., ViewerData]) -> ViewerData:
    return make_viewer(n_frames=5)


def test_start_middle_and_end_of_every_case(viewer: ViewerData) -> None:
    strip = draw_strip(viewer)
    assert list(strip) == ["dislocation", "control"]
    for panels in strip.values():
        assert [panel.moment for panel in panels] == ["start", "middle", "end"]
        assert [panel.time_ps for panel in panels] == [0.0, 15.0, 30.0]


def test_every_atom_is_in_the_picture_and_inside_its_frame(viewer: ViewerData) -> None:
    for panels in draw_strip(viewer).values():
        root = ET.fromstring(panels[2].svg)  # noqa: S314 - our own text
        width, height = map(int, root.attrib["viewBox"].split()[2:])
        dots = [dot for path in root.iter("path") for dot in re.findall(r"M(-?\d+) (-?\d+)h0", path.attrib["d"])]
        assert len(dots) == len(viewer.cases["control"].elements)
        points = np.array(dots, dtype=int)
        assert (points >= 0).all()
        assert (points <= [width, height]).all()


def test_all_pictures_have_one_size(viewer: ViewerData) -> None:
    boxes = {
        re.findall(r'viewBox="([^"]+)"', panel.svg)[0] for panels in draw_strip(viewer).values() for panel in panels
    }
    assert len(boxes) == 1


def test_cores_are_drawn_where_they_are_known(viewer: ViewerData) -> None:
    strip = draw_strip(viewer)
    assert [panel.svg.count('class="core-line"') for panel in strip["dislocation"]] == [2, 2, 2]
    assert [panel.svg.count('class="core-line"') for panel in strip["control"]] == [0, 0, 0]
    case = viewer.cases["dislocation"]
    track = np.array(case.core_track_A)
    track[-1] = np.nan
    gone = draw_strip(ViewerData({"a": replace(case, core_track_A=track)}))
    assert gone["a"][-1].svg.count('class="core-line"') == 0
    assert [panel.note for panel in gone["a"]] == ["", "", "the dislocation cores are not known"]
    assert gone["a"][-1].alt.endswith("the dislocation cores are not known")
    assert {panel.note for panel in strip["control"]} == {""}


def test_a_vertical_line_stays_vertical_and_scales(viewer: ViewerData) -> None:
    camera = build_camera(viewer)
    low, high = camera.project(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 10.0]]))
    assert low[0] == pytest.approx(high[0])
    assert low[1] - high[1] == pytest.approx(10 * camera.scale * np.cos(np.radians(14.0)))


def test_the_description_counts_the_atoms_inside(viewer: ViewerData) -> None:
    case = viewer.cases["dislocation"]
    inside = count_inside(case, frame=4)
    assert inside > count_inside(case, frame=0)
    alt = draw_strip(viewer)["dislocation"][2].alt
    assert f"{inside} potassium atoms are inside" in alt
    assert "2 dislocation lines" in alt


def test_one_frame_is_enough(viewer: ViewerData) -> None:
    case = viewer.cases["control"]
    single = replace(case, positions_A=np.asarray(case.positions_A)[:1], time_ps=np.zeros(1))
    assert pick_frames(single) == [0]
    assert len(draw_strip(ViewerData({"a": single}))["a"]) == 1


def test_a_label_cannot_break_the_picture(viewer: ViewerData) -> None:
    evil = replace(viewer.cases["control"], label='"><script>alert(1)</script>')
    panel = draw_strip(ViewerData({'a"b': evil}))['a"b'][0]
    assert "<script" not in panel.svg
    ET.fromstring(panel.svg)  # noqa: S314 - our own text


def test_the_camera_shows_the_long_side_and_hides_no_core(viewer: ViewerData) -> None:
    case = viewer.cases["dislocation"]
    long = replace(case, cell_A=np.diag([30.0, 70.0, 50.0]))
    quadrupole = np.tile([[10.0, 15.0], [25.0, 15.0], [10.0, 55.0], [25.0, 55.0]], (5, 1, 1))
    data = ViewerData({"a": replace(long, core_track_A=quadrupole, core_signs=(1, -1, -1, 1))})
    across = build_camera(data).project(np.column_stack([quadrupole[0], np.zeros(4)]))[:, 0]
    assert np.diff(np.sort(across)).min() > 60
    low, high = build_camera(data).project(np.array([[15.0, 0.0, 0.0], [15.0, 70.0, 0.0]]))[:, 0]
    left, right = build_camera(data).project(np.array([[0.0, 35.0, 0.0], [30.0, 35.0, 0.0]]))[:, 0]
    assert abs(high - low) > 2 * abs(right - left)
    signs = re.findall(r'class="core-sign"[^>]*>(&#\d+;|.)<', draw_strip(data)["a"][0].svg)
    assert signs == ["&#8869;", "&#8868;", "&#8868;", "&#8869;"]


def test_unknown_senses_are_not_drawn(viewer: ViewerData) -> None:
    case = viewer.cases["dislocation"]
    track = np.tile([[10.0, 15.0], [25.0, 15.0], [10.0, 25.0], [25.0, 25.0]], (5, 1, 1))
    svg = draw_strip(ViewerData({"a": replace(case, core_track_A=track)}))["a"][0].svg
    assert svg.count('class="core-line"') == 4
    assert "core-sign" not in svg
