"""Trajectories: the segments of a run as one MDAnalysis universe, users' own files, an export every viewer reads."""

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from MDAnalysis import Universe
from MDAnalysis.coordinates.base import ReaderBase
from MDAnalysis.coordinates.timestep import Timestep
from MDAnalysis.lib.util import store_init_arguments
from numpy.typing import NDArray
from scipy.io import netcdf_file

from structures.errors import InputError

_SAME_TIME_PS = 1e-4


class SegmentReader(ReaderBase):  # type: ignore[misc]
    """Several Amber NetCDF files read as one trajectory.

    A frame that a file repeats from the end of the one before is left out. Positions are as written (float32,
    unwrapped, Å); cell and time (ps) come from each frame. One file at a time is held in memory.
    """

    units = {"time": "ps", "length": "Angstrom"}  # noqa: RUF012 - MDAnalysis declares it so

    @store_init_arguments  # type: ignore[untyped-decorator]
    def __init__(self, filename: Sequence[str | Path], **kwargs: Any) -> None:  # noqa: ANN401 - MDAnalysis' own options
        """Index the files `filename`, in the order of time."""
        super().__init__(filename, **kwargs)
        self._paths = [Path(path) for path in filename]
        self._loaded: tuple[int, tuple[NDArray[Any], ...]] = (-1, ())
        self._starts = [0]
        self._kept: list[NDArray[np.intp]] = []
        self.n_atoms = 0
        last_ps = -np.inf
        for number, path in enumerate(self._paths):
            times, positions, _ = self._load(number)
            if number and positions.shape[1] != self.n_atoms:
                raise InputError(f"{path} has {positions.shape[1]} atoms, the files before it {self.n_atoms}")
            self.n_atoms = positions.shape[1]
            kept = np.flatnonzero(times > last_ps + _SAME_TIME_PS)
            if times.size and times[0] < last_ps - _SAME_TIME_PS:
                raise InputError(f"{path} starts at {times[0]} ps, but the file before it ends at {last_ps} ps")
            last_ps = float(times[-1]) if times.size else last_ps
            self._kept.append(kept)
            self._starts.append(self._starts[-1] + kept.size)
        self.n_frames = self._starts[-1]
        if self.n_frames == 0:
            raise InputError(
                f"{len(self._paths)} trajectory files hold no frame; run longer or write frames more often"
            )
        self.ts = Timestep(self.n_atoms, reader=self, **self._ts_kwargs)
        self._read_frame(0)

    def _load(self, number: int) -> tuple[NDArray[Any], ...]:
        """Times, positions and cells (lengths and angles) of one file."""
        if self._loaded[0] != number:
            self._loaded = (number, _read_netcdf(self._paths[number]))
        return self._loaded[1]

    def _read_frame(self, frame: int) -> Timestep:
        """Fill the timestep with a frame."""
        if not 0 <= frame < self.n_frames:
            raise IndexError(f"frame {frame} of {self.n_frames}")
        number = bisect_right(self._starts, frame) - 1
        local = self._kept[number][frame - self._starts[number]]
        times, positions, cells = self._load(number)
        self.ts.positions = positions[local]
        self.ts.dimensions = cells[local]
        self.ts.time = float(times[local])
        self.ts.frame = frame
        return self.ts

    def _read_next_timestep(self, ts: Timestep | None = None) -> Timestep:
        """Advance by a frame; `EOFError` ends the iteration."""
        del ts
        if self.ts.frame + 1 >= self.n_frames:
            raise EOFError
        return self._read_frame(self.ts.frame + 1)

    def _reopen(self) -> None:
        """Go before the first frame."""
        self.ts.frame = -1

    def _get_dt(self) -> float:
        """Time between the first two frames in ps."""
        times = np.concatenate([self._load(number)[0][kept][:2] for number, kept in enumerate(self._kept[:2])])
        return float(times[1] - times[0]) if times.size > 1 else 1.0


def _read_netcdf(path: Path) -> tuple[NDArray[Any], ...]:
    """Times in ps, positions in Å and cells (Å, degrees) of an Amber NetCDF file."""
    if not path.is_file():
        raise InputError(f"trajectory {path} does not exist; give the trajectory.nc of finished segments")
    try:
        with netcdf_file(path, mmap=False, maskandscale=False) as file:
            data = [file.variables[name].data for name in ("time", "coordinates", "cell_lengths", "cell_angles")]
            times, positions, lengths, angles = (np.array(array, dtype=np.float64) for array in data)
    except (TypeError, ValueError, KeyError, IndexError, AssertionError, OSError, EOFError) as error:
        raise InputError(f"trajectory {path} is no whole Amber NetCDF file ({error}); it was cut or damaged") from error
    if positions.ndim != 3 or not len(times) == len(positions) == len(lengths):  # noqa: PLR2004 - frames, atoms, xyz
        raise InputError(f"trajectory {path} has {len(times)} times for positions of shape {positions.shape}: damaged")
    return times, positions.astype(np.float32), np.hstack([lengths, angles]).astype(np.float32)


def build_universe(topology: Atoms) -> Universe:
    """A universe with the elements, masses and regions of `topology`, and its positions as one frame.

    Regions (`topology.arrays["region"]`) become segments: `universe.select_atoms("segid potassium")`. Molecules
    (`topology.arrays["molecule"]`, numbers) become residues, which bear the names of `topology.arrays["species"]`:
    `universe.select_atoms("resname TFSI- and element O")`. Without them a region is a residue.

    Args:
        topology: the atoms, in the order of the trajectory.

    Returns:
        Universe with names, types and elements (symbols), masses in u and segids; with resnames if species are given.

    Raises:
        InputError: if a molecule has atoms of two regions or species.
    """
    regions = topology.arrays.get("region", np.full(len(topology), "system")).astype(str)
    segments, segment_of_atom = np.unique(regions, return_inverse=True)
    numbers = topology.arrays.get("molecule", segment_of_atom)
    _, first_atoms, of_atom = np.unique(numbers, return_index=True, return_inverse=True)
    species = topology.arrays.get("species")
    for what, values in (("regions", regions), ("species", species)):
        if values is not None and (wrong := np.flatnonzero(values != values[first_atoms][of_atom])).size:
            names = f"{values[first_atoms][of_atom][wrong[0]]} and {values[wrong[0]]}"
            raise InputError(f"molecule {numbers[wrong[0]]} has the {what} {names}, needs one; number its parts apart")
    universe = Universe.empty(
        len(topology), n_residues=first_atoms.size, n_segments=segments.size, atom_resindex=of_atom,
        residue_segindex=segment_of_atom[first_atoms], trajectory=True,
    )  # fmt: skip
    symbols = list(topology.get_chemical_symbols())
    for attribute in ("names", "types", "elements"):
        universe.add_TopologyAttr(attribute, symbols)
    universe.add_TopologyAttr("masses", topology.get_masses())
    universe.add_TopologyAttr("segids", [str(segment) for segment in segments])
    if species is not None:
        universe.add_TopologyAttr("resnames", [str(name) for name in species[first_atoms]])
    universe.atoms.positions = topology.positions
    universe.dimensions = topology.cell.cellpar()
    return universe


def read_trajectory(paths: Sequence[Path], *, topology: Atoms) -> Universe:
    """Read the segments of a run as one continuous universe.

    Args:
        paths: Amber NetCDF files in the order of time (unwrapped positions in Å, cell per frame, time in ps).
        topology: the atoms in the order of the files, with the per-atom array `region`.

    Returns:
        Universe with elements, masses and one segment a region.

    Raises:
        InputError: if a file is missing or damaged, goes back in time, or has another number of atoms.
    """
    if not paths:
        raise InputError("the trajectory has no files; give at least one trajectory.nc")
    universe = build_universe(topology)
    reader = SegmentReader([str(path) for path in paths])
    if reader.n_atoms != len(topology):
        raise InputError(f"{paths[0]} has {reader.n_atoms} atoms, the structure {len(topology)}: not of one run")
    universe.trajectory = reader
    return universe


def read_universe(topology: Path, *, trajectory: Sequence[Path] = (), step_ps: float | None = None) -> Universe:
    """Open a user's own files in any format that MDAnalysis reads.

    Args:
        topology: file with the atoms, and frames if there is no other.
        trajectory: files with the frames.
        step_ps: time of a step for formats that hold none, in ps (0.001 for dumps of `write_trajectory`).

    Returns:
        The universe.

    Raises:
        InputError: if a file is missing, of an unknown format or unreadable.
    """
    for path in (topology, *trajectory):
        if not Path(path).is_file():
            raise InputError(f"{path} does not exist; check the path")
    # A list of files, even of one, is a chain, which cannot say why it does not open.
    names = [str(path) for path in trajectory]
    files = [names if len(names) > 1 else names[0]] if names else []
    try:
        return Universe(str(topology), *files, **({} if step_ps is None else {"dt": step_ps}))
    except Exception as error:  # MDAnalysis raises what its parsers happen to meet
        sizes = re.findall(r"number of atoms (\d+)", str(error), re.IGNORECASE)
        if len(sizes) == 2:  # noqa: PLR2004 - topology and trajectory
            raise InputError(
                f"{topology} has {sizes[0]} atoms, {trajectory[0]} has {sizes[1]}; needs the same atoms in both. Give "
                "the topology that the trajectory was written with, e.g. without what was left out"
            ) from error
        all_names = ", ".join([str(topology), *names])
        raise InputError(
            f"MDAnalysis cannot read {all_names}: {error}. See docs.mdanalysis.org for its formats"
        ) from error


def get_elements(universe: Universe) -> NDArray[np.str_]:
    """Element symbols of all atoms: attribute elements, else types, else names.

    Raises:
        InputError: if the universe has none of them.
    """
    for attribute in ("elements", "types", "names"):
        if hasattr(universe.atoms, attribute):
            symbols = np.asarray(getattr(universe.atoms, attribute), dtype=str)
            if not np.char.isdigit(symbols).all():
                return symbols
    raise InputError("the universe has no elements; add them, e.g. universe.add_TopologyAttr('elements', symbols)")


def spread_frames(start: int, stop: int, *, most: int) -> list[int]:
    """Evenly spaced frame numbers from `start` to before `stop`, at most so many, with the first and the last."""
    return [int(number) for number in np.unique(np.linspace(start, stop - 1, min(most, stop - start)).round())]


def count_frames(universe: Universe, *, frames: slice | Sequence[int] | None = None) -> int:
    """How many frames `iterate_frames` gives."""
    return len(universe.trajectory) if frames is None else len(universe.trajectory[frames])


def iterate_frames(universe: Universe, *, frames: slice | Sequence[int] | None = None) -> Iterator[Timestep]:
    """Timesteps of the universe's trajectory, all of them or those chosen."""
    yield from universe.trajectory if frames is None else universe.trajectory[frames]


def write_trajectory(universe: Universe, *, path: Path, frames: slice | Sequence[int] | None = None) -> Path:
    """Write frames as a LAMMPS text dump, which MDAnalysis, OVITO and ASE (`lammps-dump-text`) open.

    Columns are id, element, type, mass and unwrapped positions, sorted by id; the box carries its tilt, a step is 1 fs.

    Args:
        universe: trajectory and elements.
        path: file to write, e.g. `trajectory.lammpsdump`, an ending MDAnalysis knows; it appears when it is complete.
        frames: which frames; None for all.

    Returns:
        The path.

    Raises:
        InputError: if a frame has no cell.
    """
    symbols = get_elements(universe)
    kinds = np.unique(symbols, return_inverse=True)[1] + 1
    masses = [atomic_masses[atomic_numbers.get(symbol, 0)] for symbol in symbols]
    rows: list[Any] = [None] * (7 * symbols.size)
    rows[0::7], rows[1::7], rows[2::7], rows[3::7] = (
        range(1, symbols.size + 1),
        symbols.tolist(),
        kinds.tolist(),
        masses,
    )
    template = "%d %s %d %.4f %.5f %.5f %.5f\n" * symbols.size
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="ascii") as file:
        for timestep in iterate_frames(universe, frames=frames):
            if timestep.dimensions is None:
                raise InputError(f"frame {timestep.frame} has no cell; set universe.dimensions before writing {path}")
            for column in range(3):
                rows[4 + column :: 7] = timestep.positions[:, column].tolist()
            file.write(_dump_header(timestep))
            file.write(template % tuple(rows))
    temporary.replace(path)
    return path


def _dump_header(timestep: Timestep) -> str:
    """Header of a frame of a LAMMPS text dump; bounds enclose the tilted box, as LAMMPS has it."""
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = np.asarray(timestep.triclinic_dimensions, dtype=float)
    xs = (0.0, xy, xz, xy + xz)
    return (
        f"ITEM: TIMESTEP\n{round(timestep.time * 1000)}\nITEM: NUMBER OF ATOMS\n{timestep.n_atoms}\n"
        "ITEM: BOX BOUNDS xy xz yz pp pp pp\n"
        f"{min(xs):.8f} {lx + max(xs):.8f} {xy:.8f}\n"
        f"{min(0.0, yz):.8f} {ly + max(0.0, yz):.8f} {xz:.8f}\n"
        f"0.0 {lz:.8f} {yz:.8f}\n"
        "ITEM: ATOMS id element type mass xu yu zu\n"
    )
