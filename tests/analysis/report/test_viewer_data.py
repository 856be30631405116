"""Frames survive their encoding, stay small, and broken ones are refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analysis.report import ViewerCase, ViewerData
from analysis.report.viewer_data import MAX_POSITIONS, build_viewer_json, decode_frames, encode_frames
from structures.errors import InputError


@pytest.mark.parametrize("span_A", [5.0, 60.0, 900.0])
def test_decoding_gives_the_positions_back(span_A: float) -> None:
    positions = np.random.default_rng(1).uniform(-span_A / 10, span_A, (7, 11, 3))
    step_A, text = encode_frames(positions)
    again = decode_frames(text, step_A=step_A, n_frames=7, n_atoms=11)
    assert step_A == max(0.01, np.abs(positions).max() / 32000)
    np.testing.assert_allclose(again, positions, rtol=0, atol=0.5001 * step_A)


def test_a_jump_through_the_boundary_survives() -> None:
    positions = np.array([[[-320.0, 0.0, 0.0]], [[320.0, 0.0, 0.0]], [[-320.0, 0.0, 0.0]]])
    step_A, text = encode_frames(positions)
    np.testing.assert_allclose(decode_frames(text, step_A=step_A, n_frames=3, n_atoms=1), positions, atol=0.006)


def test_thermal_frames_take_few_bytes() -> None:
    rng = np.random.default_rng(2)
    positions = rng.uniform(0, 50, (1, 500, 3)) + rng.normal(0, 0.15, (100, 500, 3))
    _, text = encode_frames(positions)
    assert len(text) < 1.7 * positions.size


def test_the_encoding_does_not_change_from_run_to_run() -> None:
    positions = np.random.default_rng(3).uniform(0, 50, (3, 20, 3))
    assert encode_frames(positions) == encode_frames(positions)


def test_many_frames_are_thinned_and_the_ends_kept(make_viewer: Callable[..., ViewerData]) -> None:
    case = make_viewer(n_frames=3).cases["dislocation"]
    n_frames = 200
    positions = np.repeat(np.asarray(case.positions_A)[:1], n_frames, axis=0)
    assert case.core_track_A is not None
    track = np.repeat(np.asarray(case.core_track_A)[:1], n_frames, axis=0)
    time_ps = np.linspace(0, 10, n_frames)
    long = replace(case, positions_A=positions, time_ps=time_ps, core_track_A=track)
    many = ViewerData({str(number): long for number in range(4)})
    thinned = many.within_budget()
    sizes = [np.shape(item.positions_A) for item in thinned.cases.values()]
    assert sum(size[0] * size[1] for size in sizes) <= 1.05 * MAX_POSITIONS
    assert thinned.cases["0"].time_ps[[0, -1]].tolist() == [0.0, 10.0]
    thinned_track = thinned.cases["0"].core_track_A
    assert thinned_track is not None
    assert len(thinned_track) == sizes[0][0]
    assert thinned.within_budget() is thinned


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"elements": ("K",)}, "shape"),
        ({"regions": ("alloy",)}, "1 regions for 2 atoms"),
        ({"time_ps": np.zeros(0), "positions_A": np.zeros((0, 2, 3))}, "has 0 frames"),
        ({"time_ps": np.zeros(201), "positions_A": np.zeros((201, 2, 3))}, "201 frames"),
        ({"positions_A": np.full((1, 2, 3), np.nan)}, "NaN"),
        ({"core_track_A": np.zeros((1, 2))}, "core_track_A"),
    ],
)
def test_broken_data_are_refused(change: dict[str, object], message: str) -> None:
    good = ViewerCase(
        label="a",
        elements=("K", "Bi"),
        regions=("potassium", "alloy"),
        positions_A=np.zeros((1, 2, 3)),
        cell_A=np.eye(3),
        time_ps=np.zeros(1),
    )
    with pytest.raises(InputError, match=message):
        replace(good, **change)  # type: ignore[arg-type]


def test_a_core_that_was_not_found_is_a_gap(make_viewer: Callable[..., ViewerData]) -> None:
    case = make_viewer(n_frames=3).cases["dislocation"]
    track = np.array(case.core_track_A)
    track[1, 0] = np.nan
    (item,) = build_viewer_json(ViewerData({"a": replace(case, core_track_A=track)}))
    assert item["core_A"][1][0] == [None, None]
    assert item["n_atoms"] == len(item["element_of"]) == len(item["region_of"])
