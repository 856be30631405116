"""What the pictures and the three-dimensional viewer show, and its compact encoding."""

import base64
import gzip
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from analysis.results import build_json_value
from structures.errors import InputError
from structures.framework_checks import find_bonds

MAX_FRAMES = 200
# Atoms × frames over all cases that keep the page within a few megabytes.
MAX_POSITIONS = 480_000
STEP_A = 0.01
MAX_INT16 = 32_000


@dataclass(frozen=True)
class ViewerCase:
    """One case of a run as frames to look at.

    Args:
        label: name that a reader sees.
        elements: chemical symbol of each atom.
        regions: region of each atom, e.g. "alloy", "potassium".
        positions_A: positions wrapped for display, shape (n_frames, n_atoms, 3), in Å.
        cell_A: cell vectors as rows, shape (3, 3), in Å.
        time_ps: time of each frame, shape (n_frames,), in ps.
        core_track_A: x, y of the dislocation cores in each frame, shape (n_frames, n_cores, 2), in Å, NaN where they
            are not known; None without any.
        core_signs: +1 or −1 for the sense of each core; None if unknown.
        frame_names: of frames that are no moments in time, such as poses of an adsorbate; empty for a trajectory.
        bonds: pairs of atoms that are drawn as molecules, shape (n_bonds, 2); None without molecules.
        line_z_range_A: lowest and highest z of the solid that the dislocation lines run through, in Å.
    """

    label: str
    elements: tuple[str, ...]
    regions: tuple[str, ...]
    positions_A: NDArray[np.floating[Any]]
    cell_A: NDArray[np.floating[Any]]
    time_ps: NDArray[np.floating[Any]]
    core_track_A: NDArray[np.floating[Any]] | None = None
    line_z_range_A: tuple[float, float] = (0.0, 0.0)
    core_signs: tuple[int, ...] | None = None
    frame_names: tuple[str, ...] = ()
    bonds: NDArray[np.integer[Any]] | None = None

    def __post_init__(self) -> None:
        """Check shapes and numbers."""
        shape = np.shape(self.positions_A)
        n_frames, n_atoms = len(self.time_ps), len(self.elements)
        if shape != (n_frames, n_atoms, 3):
            raise InputError(f"positions_A of {self.label!r} has shape {shape}, needs {(n_frames, n_atoms, 3)}")
        if not 1 <= n_frames <= MAX_FRAMES:
            raise InputError(
                f"{self.label!r} has {n_frames} frames, the viewer takes 1 to {MAX_FRAMES}. Thin them out."
            )
        if len(self.regions) != n_atoms:
            raise InputError(f"{self.label!r} has {len(self.regions)} regions for {n_atoms} atoms, needs one an atom")
        if not np.isfinite(self.positions_A).all():
            raise InputError(f"positions_A of {self.label!r} holds NaN or infinity: the dynamics has blown up there")
        if self.frame_names and len(self.frame_names) != n_frames:
            raise InputError(f"{self.label!r} has {len(self.frame_names)} frame names for {n_frames} frames")
        bonds = np.empty((0, 2), dtype=int) if self.bonds is None else np.asarray(self.bonds)
        if bonds.shape[1:] != (2,) or (bonds.size and (bonds.min() < 0 or bonds.max() >= n_atoms)):
            raise InputError(f"bonds of {self.label!r} have shape {bonds.shape}, need (n_bonds, 2) of {n_atoms} atoms")
        track = None if self.core_track_A is None else np.shape(self.core_track_A)
        if track is not None and (len(track), track[0], track[-1]) != (3, n_frames, 2):
            raise InputError(f"core_track_A of {self.label!r} has shape {track}, needs {(n_frames, 'n_cores', 2)}")

    def has_cores(self) -> bool:
        """Whether a core is known in any frame."""
        return self.core_track_A is not None and bool(np.isfinite(self.core_track_A).any())

    def misses_cores(self) -> bool:
        """Whether there are cores that are not known in every frame."""
        return self.core_track_A is not None and not bool(np.isfinite(self.core_track_A).all())

    def thin(self, every: int) -> "ViewerCase":
        """Keep every n-th frame and the last one."""
        keep = np.unique(np.append(np.arange(0, len(self.time_ps), every), len(self.time_ps) - 1))
        track = None if self.core_track_A is None else np.asarray(self.core_track_A)[keep]
        return replace(
            self,
            positions_A=np.asarray(self.positions_A)[keep],
            time_ps=np.asarray(self.time_ps)[keep],
            frame_names=tuple(self.frame_names[index] for index in keep) if self.frame_names else (),
            core_track_A=track,
        )


@dataclass(frozen=True)
class ViewerData:
    """Frames of all cases by name, in the order in which they are shown."""

    cases: dict[str, ViewerCase]

    def within_budget(self) -> "ViewerData":
        """Thin out the frames so that the page stays small; start and end are kept."""
        n_positions = sum(case.positions_A.shape[0] * case.positions_A.shape[1] for case in self.cases.values())
        if n_positions <= MAX_POSITIONS:
            return self
        every = -(-n_positions // MAX_POSITIONS)
        return ViewerData({name: case.thin(every) for name, case in self.cases.items()})


def find_drawn_bonds(atoms: Atoms, *, molecules: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Pairs of bonded atoms of one molecule, but for bonds through the faces of the cell.

    Args:
        atoms: with whole molecules.
        molecules: number of each atom's molecule, negative where no bonds are drawn, shape (n_atoms,).

    Returns:
        Numbers of the atoms, shape (n_bonds, 2).
    """
    rows = np.flatnonzero(molecules >= 0)
    bonds = find_bonds(Atoms(numbers=atoms.numbers[rows], positions=atoms.positions[rows]))
    first, second = rows[bonds.first], rows[bonds.second]
    chosen = (first < second) & (molecules[first] == molecules[second])
    return np.stack([first[chosen], second[chosen]], axis=1).astype(np.int64)


def encode_frames(positions_A: NDArray[np.floating[Any]]) -> tuple[float, str]:
    """Encode positions as small integers: differences from frame to frame, low and high bytes apart, gzip, base64.

    Args:
        positions_A: positions, shape (n_frames, n_atoms, 3), in Å.

    Returns:
        The step in Å of one integer (0.01 Å unless the cell is too large for that), and the text.
    """
    frames = np.asarray(positions_A, dtype=np.float64)
    largest_A = float(np.abs(frames).max(initial=0.0))
    step_A = max(STEP_A, largest_A / MAX_INT16)
    grid = np.rint(frames / step_A).astype(np.int32).reshape(len(frames), -1)
    differences = np.diff(grid, axis=0, prepend=np.zeros_like(grid[:1])).astype(np.int16)
    # Zigzag: small numbers of either sign get an empty high byte, which compresses away.
    zigzag = ((differences.astype(np.int32) << 1) ^ (differences.astype(np.int32) >> 15)).astype(np.uint16)
    planes = np.stack([zigzag & 0xFF, zigzag >> 8]).astype(np.uint8)
    return step_A, base64.b64encode(gzip.compress(planes.tobytes(), 9, mtime=0)).decode("ascii")


def decode_frames(text: str, *, step_A: float, n_frames: int, n_atoms: int) -> NDArray[np.float64]:
    """Inverse of `encode_frames`, as the page does it; shape (n_frames, n_atoms, 3), in Å."""
    planes = np.frombuffer(gzip.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(2, n_frames, -1)
    zigzag = planes[0].astype(np.int32) | (planes[1].astype(np.int32) << 8)
    differences = ((zigzag >> 1) ^ -(zigzag & 1)).astype(np.int16)
    grid = np.cumsum(differences, axis=0, dtype=np.int16)
    return grid.astype(np.float64).reshape(n_frames, n_atoms, 3) * step_A


def build_viewer_json(viewer: ViewerData) -> list[dict[str, Any]]:
    """The viewer's data as JSON values; frames are encoded by `encode_frames`."""
    cases: list[dict[str, Any]] = []
    for name, case in viewer.cases.items():
        step_A, frames = encode_frames(case.positions_A)
        elements, regions = sorted(set(case.elements)), sorted(set(case.regions))
        track = None if not case.has_cores() else np.round(np.asarray(case.core_track_A, dtype=float), 2)
        cases.append(
            {
                "name": name,
                "label": case.label,
                "n_atoms": len(case.elements),
                "elements": elements,
                "element_of": [elements.index(element) for element in case.elements],
                "regions": regions,
                "region_of": [regions.index(region) for region in case.regions],
                "bonds": [] if case.bonds is None else np.asarray(case.bonds).tolist(),
                "step_A": step_A,
                "frames": frames,
                "frame_names": list(case.frame_names),
                "time_ps": [float(f"{time:.6g}") for time in case.time_ps],
                "cell_A": np.round(np.asarray(case.cell_A, dtype=float), 3).tolist(),
                # A frame in which no core was found keeps a gap.
                "core_A": None if track is None else build_json_value(track),
                "line_z_A": [float(z) for z in case.line_z_range_A],
            }
        )
    return cases
