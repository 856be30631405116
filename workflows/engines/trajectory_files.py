"""Files of a segment of dynamics: trajectory, thermodynamics, arrays; equal content gives equal bytes."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.geometry import cell_to_cellpar
from numpy.typing import NDArray
from scipy.io import netcdf_file

from analysis.thermodynamics_columns import COLUMNS

THERMO = "thermo.csv"
TRAJECTORY = "trajectory.nc"
FINAL = "final.npz"

_FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_AXES = {"spatial": b"xyz", "cell_spatial": b"abc"}


def write_trajectory(
    path: Path,
    *,
    positions_A: Sequence[NDArray[np.floating]],
    cells_A: Sequence[NDArray[np.float64]],
    times_ps: Sequence[float],
    n_atoms: int,
) -> None:
    """Write frames as an Amber NetCDF trajectory (convention 1.0, 64-bit offsets), without a date.

    Args:
        path: of the file.
        positions_A: unwrapped positions of each frame, shape (n_atoms, 3); stored in single precision.
        cells_A: cell vectors of each frame, lower triangular.
        times_ps: time of each frame.
        n_atoms: number of atoms, for a file without frames.
    """
    n_frames = len(times_ps)
    with netcdf_file(path, "w", version=2, mmap=False) as file:
        for name, value in (("Conventions", "AMBER"), ("ConventionVersion", "1.0"), ("program", "alkaliflow")):
            setattr(file, name, value)
        file.programVersion = "1"
        for name, length in (("frame", None), ("atom", n_atoms), ("spatial", 3), ("cell_spatial", 3)):
            file.createDimension(name, length)
        file.createDimension("cell_angular", 3)
        file.createDimension("label", 5)
        for name, letters in _AXES.items():
            file.createVariable(name, "c", (name,))[:] = np.frombuffer(letters, dtype="S1")
        angles = np.frombuffer(b"alphabeta gamma", dtype="S1").reshape(3, 5)
        file.createVariable("cell_angular", "c", ("cell_angular", "label"))[:] = angles
        time = file.createVariable("time", "f8", ("frame",))
        time.units = "picosecond"
        coordinates = file.createVariable("coordinates", "f4", ("frame", "atom", "spatial"))
        coordinates.units = "angstrom"
        lengths = file.createVariable("cell_lengths", "f8", ("frame", "cell_spatial"))
        lengths.units = "angstrom"
        corners = file.createVariable("cell_angles", "f8", ("frame", "cell_angular"))
        corners.units = "degree"
        if n_frames:
            parameters = np.array([cell_to_cellpar(cell) for cell in cells_A])
            time[:] = np.asarray(times_ps)
            coordinates[:] = np.asarray(positions_A, dtype=np.float32)
            lengths[:] = parameters[:, :3]
            corners[:] = parameters[:, 3:]


def write_thermo(path: Path, rows: Iterable[Mapping[str, float]]) -> None:
    """Write thermodynamics as CSV with the columns `COLUMNS`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([int(row[name]) if name == "step" else f"{row[name]:.12g}" for name in COLUMNS])
    path.write_text(text.getvalue(), encoding="utf-8")


def read_thermo(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a thermodynamics file."""
    table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    return {name: table[:, column] for column, name in enumerate(COLUMNS)}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any] | float]) -> None:
    """Write named arrays as an uncompressed `.npz` whose bytes depend on the content alone."""
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(arrays[name], order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=_FIRST_ZIP_DATE), content.getvalue())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Named arrays of a `.npz`; objects that would run code on loading are refused."""
    with path.open("rb") as stream:
        archive = np.load(stream, allow_pickle=False)
        return {name: archive[name] for name in archive.files}
