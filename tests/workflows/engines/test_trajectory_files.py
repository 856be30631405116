import time
from pathlib import Path

import MDAnalysis
import numpy as np
import pytest

from analysis.thermodynamics_columns import COLUMNS
from workflows.engines.trajectory_files import (
    read_arrays,
    read_thermo,
    write_arrays,
    write_thermo,
    write_trajectory,
)

CELL_A = np.array([[10.0, 0, 0], [-3.0, 9.0, 0], [0, 0, 20.0]])


def write_frames(path: Path, n_frames: int) -> np.ndarray:
    positions_A = np.random.default_rng(1).normal(scale=30, size=(n_frames, 7, 3))
    write_trajectory(
        path,
        positions_A=list(positions_A),
        cells_A=[CELL_A] * n_frames,
        times_ps=[0.15 * i for i in range(n_frames)],
        n_atoms=7,
    )
    return positions_A


def test_mdanalysis_reads_the_trajectory(tmp_path: Path) -> None:
    positions_A = write_frames(tmp_path / "t.nc", 4)
    universe = MDAnalysis.Universe.empty(7, trajectory=True).load_new(str(tmp_path / "t.nc"), format="NCDF")
    for i, frame in enumerate(universe.trajectory):
        np.testing.assert_allclose(frame.positions, positions_A[i], rtol=1e-6)
        assert frame.time == pytest.approx(0.15 * i, rel=1e-12)
        np.testing.assert_allclose(frame.dimensions, [10, np.hypot(3, 9), 20, 90, 90, 108.434949], rtol=1e-6)
    assert len(universe.trajectory) == 4


def test_equal_content_gives_equal_bytes_at_another_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays: dict[str, np.ndarray | float] = {
        "positions": np.arange(6.0).reshape(2, 3),
        "step": 4,
        "elements": np.array(["K", "Bi"]),
    }
    contents = []
    for name in ("first", "second"):
        write_frames(tmp_path / f"{name}.nc", 2)
        write_arrays(tmp_path / f"{name}.npz", arrays)
        contents.append([(tmp_path / f"{name}{end}").read_bytes() for end in (".nc", ".npz")])
        monkeypatch.setattr(time, "time", lambda: 2e9)  # 2033, which is what zip files and netCDF would ask for
        monkeypatch.setattr(time, "localtime", lambda _=None: time.gmtime(2e9))
    assert contents[0] == contents[1]


def test_arrays_come_back_with_their_shapes(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", {"matrix": np.eye(3), "number": 2.5, "names": np.array(["K"])})
    arrays = read_arrays(tmp_path / "a.npz")
    assert {name: array.shape for name, array in arrays.items()} == {"matrix": (3, 3), "number": (), "names": (1,)}
    assert arrays["number"].item() == 2.5


def test_arrays_that_would_run_code_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", payload=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_arrays(tmp_path / "evil.npz")


def test_thermodynamics_comes_back(tmp_path: Path) -> None:
    rows = [{name: 0.1 * i + j for j, name in enumerate(COLUMNS)} | {"step": 10.0 * i} for i in range(3)]
    write_thermo(tmp_path / "thermo.csv", rows)
    table = read_thermo(tmp_path / "thermo.csv")
    for name in COLUMNS:
        np.testing.assert_allclose(table[name], [row[name] for row in rows], rtol=1e-11)
