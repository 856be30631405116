import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from analysis.core import CoreFrame, CoreTrack, combine_tracks, summarise_track, track_cores
from analysis.trajectory import build_universe
from structures.errors import InputError

CELL = np.array([[50.0, 0, 0], [4.0, 45.0, 0], [0, 0, 60.0]])
START = np.array([[12.0, 20.0], [37.0, 20.0]])


def build_found(moves: NDArray[np.float64], *, ok: bool = True, annihilated: bool = False) -> list[CoreFrame]:
    found = []
    for move in moves:
        positions = START + np.array([[move, 0.0], [0.0, 0.0]])
        # Written wrapped into the cell, as a finder does.
        fractional = positions @ np.linalg.inv(CELL[:2, :2])
        found.append(CoreFrame((fractional % 1) @ CELL[:2, :2], ok, annihilated))
    return found


def summarise(found: list[CoreFrame]) -> CoreTrack:
    n = len(found)
    return summarise_track(found, frames=range(0, 10 * n, 10), time_ps=np.arange(n) * 0.5, cell_A=CELL)


def test_core_that_trembles_stays() -> None:
    track = summarise(build_found(np.random.default_rng(0).normal(0, 1.5, 20)))
    assert track.verdict == "stays"
    assert track.sentence.startswith("The cores stay: they move by")


def test_core_that_crosses_the_boundary_glides_all_the_way() -> None:
    track = summarise(build_found(np.linspace(0, 60, 21)))
    assert track.verdict == "glides"
    np.testing.assert_allclose(track.positions_A[:, 0, 0], 12 + np.linspace(0, 60, 21), rtol=1e-9)
    np.testing.assert_allclose(track.lines_at(5), START + np.array([[1.5, 0], [0, 0]]), rtol=1e-9)


def test_annihilation_needs_the_circuits_to_say_so() -> None:
    gone = [CoreFrame(np.full((2, 2), np.nan), burgers_ok=False, annihilated=True)] * 10
    assert summarise([*build_found(np.zeros(10)), *gone]).verdict == "annihilates"
    lost = [CoreFrame(np.full((2, 2), np.nan), burgers_ok=False)] * 15
    track = summarise([*build_found(np.zeros(5)), *lost])
    assert track.verdict == "unclear"
    assert "close in only 5 of 20 frames" in track.sentence
    values = track.to_json()
    assert values["positions_A"][-1] == [[None, None], [None, None]]
    assert values["burgers_ok"] == [True] * 5 + [False] * 15
    np.testing.assert_allclose(track.lines_at(35), START, rtol=1e-9)
    np.testing.assert_allclose(track.follow_lines(190), START, rtol=1e-9)
    assert np.isnan([track.lines_at(frame) for frame in (41, 50, 190, 500)]).all()


def test_cores_of_circuits_that_do_not_close_are_not_lines() -> None:
    track = summarise([*build_found(np.zeros(5)), *build_found(np.full(15, 9.0), ok=False)])
    assert np.isfinite(track.positions_A).all()
    np.testing.assert_allclose(track.lines_at(40), START, rtol=1e-9)
    assert np.isnan(track.lines_at(100)).all()
    np.testing.assert_allclose(track.follow_lines(100), START, rtol=1e-9)


def test_lines_of_the_first_replica_are_drawn_whichever_is_gravest() -> None:
    stays, glides = summarise(build_found(np.zeros(10))), summarise(build_found(np.linspace(0, 20, 10)))
    both = combine_tracks([stays, glides])
    np.testing.assert_allclose(both.lines_at(90), START, rtol=1e-9)
    np.testing.assert_allclose(both.follow_lines(90), START + np.array([[20.0, 0], [0, 0]]), rtol=1e-9)
    np.testing.assert_allclose(combine_tracks([glides, stays]).lines_at(90), both.follow_lines(90), rtol=1e-9)


def test_core_that_was_never_found_is_nowhere() -> None:
    track = summarise([CoreFrame(np.full((2, 2), np.nan), burgers_ok=False)] * 5)
    assert track.verdict == "unclear"
    assert np.isnan(track.lines_at(0)).all()
    assert np.isnan(track.follow_lines(0)).all()


def test_gravest_replica_is_shown_and_counted() -> None:
    stays, glides = summarise(build_found(np.zeros(10))), summarise(build_found(np.linspace(0, 20, 10)))
    both = combine_tracks([stays, glides, stays])
    assert both.verdict == "glides"
    assert "in 1 of 3 replicas" in both.sentence
    assert combine_tracks([stays]) is stays


def test_finder_gets_every_frame_with_its_regions() -> None:
    atoms = Atoms("Bi2K", positions=[[1, 1, 1], [2, 2, 2], [3, 3, 3]], cell=CELL, pbc=True)
    atoms.set_array("region", np.array(["anchor", "alloy", "potassium"]))
    universe = build_universe(atoms)
    frames = np.stack([atoms.positions + shift for shift in range(4)]).astype(np.float32)
    universe.load_new(frames, order="fac", dimensions=np.tile(universe.dimensions, (4, 1)), dt=0.5)
    seen: list[Atoms] = []

    def find(frame: Atoms) -> CoreFrame:
        seen.append(frame.copy())
        return CoreFrame(START, burgers_ok=True)

    track = track_cores(universe, find=find, frames=[0, 3])
    assert track.time_ps.tolist() == [0.0, 1.5]
    np.testing.assert_allclose(seen[1].positions, atoms.positions + 3, rtol=1e-6)
    assert seen[1].arrays["region"].tolist() == ["anchor", "alloy", "potassium"]
    assert seen[1].get_chemical_symbols() == ["Bi", "Bi", "K"]
    with pytest.raises(InputError, match="no frame was chosen"):
        track_cores(universe, find=find, frames=[])
