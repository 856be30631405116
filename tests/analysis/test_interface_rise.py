"""An alloy that comes up through the plane of the interface is counted, and the plane stays."""

import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe

from analysis.contact_geometry import ContactGeometry, compute_alloy_drift
from analysis.interface_rise import InterfaceRise, combine_interface_rises, compute_interface_rise
from analysis.trajectory import build_universe

N_FRAMES = 20
CELL = np.diag([10.0, 10.0, 60.0])
# Deep atoms, some near the plane at 20 Å (two-faced: also at 0 Å), and metal.
HEIGHTS_A = np.array([1.5, 5.0, 9.0, 12.0, 16.0, 17.5, 18.5, 19.0, 23.0, 26.0])
GEOMETRY = ContactGeometry(20.0, 0.0)


def build_rising(*, drift_A: float = 0.0, speed_A: float = 0.1) -> Universe:
    """The two uppermost atoms of the alloy rise steadily by `speed_A` a frame; all drift."""
    atoms = Atoms("Bi8K2", positions=np.column_stack([np.zeros((10, 2)), HEIGHTS_A]), cell=CELL, pbc=True)
    atoms.set_array("region", np.array(["anchor"] * 2 + ["alloy"] * 6 + ["potassium"] * 2))
    universe = build_universe(atoms)
    frames = np.tile(atoms.positions, (N_FRAMES, 1, 1))
    frames[:, 6:8, 2] += 0.3 + speed_A * np.arange(N_FRAMES)[:, None]
    frames[:, :, 2] += drift_A * np.arange(N_FRAMES)[:, None]
    dimensions = np.tile(universe.dimensions, (N_FRAMES, 1))
    return universe.load_new(frames.astype(np.float32), order="fac", dimensions=dimensions, dt=0.5)


def measure(universe: Universe, geometry: ContactGeometry = GEOMETRY) -> InterfaceRise:
    built = np.column_stack([np.zeros((10, 2)), HEIGHTS_A])
    drift = compute_alloy_drift(universe, geometry=geometry)
    return compute_interface_rise(universe, geometry=geometry, built_A=built, drift_A=drift)


@pytest.mark.parametrize("drift_A", [0.0, 0.4])
def test_what_rises_is_counted_and_what_drifts_is_not(drift_A: float) -> None:
    found = measure(build_rising(drift_A=drift_A))
    # Last two frames: 1.8 and 1.9 Å after a start at 0.3 Å; of three near atoms (17.5, 18.5 and 19 Å) two rise.
    assert found.n_near == 3
    assert (found.n_above_start, found.n_above_end) == (0, 2)
    assert found.rise_start_A == pytest.approx(0.2, abs=1e-5)
    assert found.rise_end_A == pytest.approx(2 / 3 * (0.3 + 1.85), abs=1e-5)


def test_both_faces_count_where_there_are_two() -> None:
    found = measure(build_rising(), ContactGeometry(20.0, 0.0, two_faces=True))
    assert (found.n_near, found.n_above_end) == (4, 2)
    assert found.rise_end_A == pytest.approx(0.5 * (0.3 + 1.85), abs=1e-5)


def test_the_sentence_says_where_the_plane_is() -> None:
    runs = [InterfaceRise(0, 2, 0.2, 1.4, 3), InterfaceRise(0, 6, 0.2, -1.5, 3)]
    assert combine_interface_rises(runs).sentence == (
        "Alloy atoms above that plane, which is the one of the alloy as built: 0 in the relaxed cell, 4 at the end; "
        "the 3 built within 3 Å of it rose by 0.20 Å until the start and by −0.05 Å until the end."
    )
    bare = InterfaceRise(0, 0, float("nan"), float("nan"), 0)
    assert bare.sentence.endswith("0 at the end.")
    assert bare.to_json()["rise_end_A"] is None
