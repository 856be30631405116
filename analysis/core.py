"""Where the dislocation cores are during a run: do they stay, glide or annihilate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from ase import Atoms
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import to_list
from structures.burgers import check_burgers_vector
from structures.dislocation import DipoleGeometry
from structures.errors import InputError

Verdict = Literal["stays", "glides", "annihilates", "unclear"]

_END_SHARE = 0.2
_KNOWN_SHARE = 0.5
_GRAVITY: dict[Verdict, int] = {"stays": 0, "unclear": 1, "glides": 2, "annihilates": 3}


@dataclass(frozen=True)
class CoreFrame:
    """Cores in one frame: x, y of each (NaN where not found), shape (n_cores, 2), in Å, and what the circuits give."""

    positions_A: NDArray[np.float64]
    burgers_ok: bool
    annihilated: bool = False


@dataclass(frozen=True)
class CoreTrack:
    """Cores over time.

    Attributes:
        frames: frame numbers that were looked at.
        time_ps: their times, in ps.
        positions_A: x, y of each core, continuous in time, NaN where not found; shape (n_frames, n_cores, 2), in Å.
        burgers_ok: whether the Burgers circuits of that frame close as they should.
        verdict: stays, glides, annihilates or unclear.
        sentence: the verdict with its numbers.
        first: track of the first replica, whose frames are drawn, where this one is another's.
    """

    frames: NDArray[np.intp]
    time_ps: NDArray[np.float64]
    positions_A: NDArray[np.float64]
    burgers_ok: NDArray[np.bool_]
    verdict: Verdict
    sentence: str
    first: "CoreTrack | None" = None

    def to_json(self) -> dict[str, Any]:
        """The track as JSON values."""
        return {
            "time_ps": to_list(self.time_ps),
            "positions_A": to_list(self.positions_A),
            "burgers_ok": [bool(ok) for ok in self.burgers_ok],
            "verdict": self.verdict,
            "sentence": self.sentence,
        }

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Whether every core of a frame was found and its circuits close; shape (n_frames,)."""
        return np.asarray(np.isfinite(self.positions_A).all(axis=(1, 2)) & self.burgers_ok)

    def lines_at(self, frame: int) -> NDArray[np.float64]:
        """x, y of the cores to draw in a frame of the first replica: known there, not guessed from far away.

        Args:
            frame: number of the frame, also one that was not looked at.

        Returns:
            Shape (n_cores, 2), in Å; NaN unless the circuits close in the frames looked at on either side.
        """
        track = self.first or self
        before = max(int(np.searchsorted(track.frames, frame, side="right")) - 1, 0)
        after = min(int(np.searchsorted(track.frames, frame)), len(track.frames) - 1)
        if not track.closed[[before, after]].all():
            return np.full(track.positions_A.shape[1:], np.nan)
        return track.follow_lines(frame)

    def follow_lines(self, frame: int) -> NDArray[np.float64]:
        """x, y of the cores in any frame, by interpolation over the frames in which the circuits close.

        Args:
            frame: number of the frame, also one that was not looked at.

        Returns:
            Shape (n_cores, 2), in Å; NaN if the circuits close in no frame.
        """
        lines = np.full(self.positions_A.shape[1:], np.nan)
        if (known := self.closed).any():
            for core, axis in np.ndindex(lines.shape):
                lines[core, axis] = np.interp(frame, self.frames[known], self.positions_A[known, core, axis])
        return lines


def build_core_finder(geometry: DipoleGeometry) -> Callable[[Atoms], CoreFrame]:
    """A function that finds the cores of a frame by its Burgers circuits (`structures.burgers`)."""

    def find(atoms: Atoms) -> CoreFrame:
        check = check_burgers_vector(atoms, geometry=geometry)
        positions = [(np.nan, np.nan) if xy is None else xy for xy in check.core_positions_A]
        return CoreFrame(np.array(positions, dtype=float), check.ok, annihilated=check.verdict == "annihilates")

    return find


def track_cores(
    universe: Universe,
    *,
    find: Callable[[Atoms], CoreFrame],
    frames: slice | Sequence[int] | None = None,
    glide_A: float = 6.0,
) -> CoreTrack:
    """Find the cores in frames of a run and judge their motion.

    Args:
        universe: trajectory with elements and regions (segments).
        find: finds the cores of a frame, given as atoms with the array `region`; see `build_core_finder`.
        frames: which frames; None for all.
        glide_A: a core that has moved farther glides, in Å.

    Returns:
        The track.

    Raises:
        InputError: if no frame was chosen.
    """
    atoms = Atoms([str(symbol) for symbol in get_elements(universe)], pbc=True)
    atoms.set_array("region", np.asarray(universe.atoms.segids, dtype=str))
    numbers, times, found = [], [], []
    for timestep in iterate_frames(universe, frames=frames):
        atoms.set_cell(np.asarray(timestep.triclinic_dimensions, dtype=float))
        atoms.set_positions(timestep.positions.astype(float))
        found.append(find(atoms))
        numbers.append(int(timestep.frame))
        times.append(float(timestep.time))
    if not found:
        raise InputError("no frame was chosen to look for cores in")
    return summarise_track(found, frames=numbers, time_ps=times, cell_A=atoms.cell.array, glide_A=glide_A)


def summarise_track(
    found: Sequence[CoreFrame],
    *,
    frames: Sequence[int],
    time_ps: ArrayLike,
    cell_A: ArrayLike,
    glide_A: float = 6.0,
) -> CoreTrack:
    """Track and verdict from the cores found in each frame.

    A core's motion is that from its mean over the first to its mean over the last fifth of the frames in which it was
    found. Annihilation: in the last fifth of the frames no circuit finds a Burgers vector.

    Args:
        found: cores of each frame.
        frames: frame numbers.
        time_ps: times in ps.
        cell_A: cell vectors as rows, shape (3, 3), in Å.
        glide_A: a core that has moved farther glides, in Å.

    Returns:
        The track.
    """
    path = _unwrap(np.stack([frame.positions_A for frame in found]), cell_A=np.asarray(cell_A, dtype=float))
    known = np.isfinite(path).all(axis=(1, 2))
    ok = np.array([frame.burgers_ok for frame in found])
    end = max(1, round(_END_SHARE * len(path)))
    moved = float("nan")
    verdict: Verdict = "unclear"
    if known.any():
        tracked = path[known]
        part = max(1, round(_END_SHARE * len(tracked)))
        moved = float(np.linalg.norm(tracked[-part:].mean(0) - tracked[:part].mean(0), axis=-1).max())
    share = float(np.mean(known & ok))
    if all(frame.annihilated for frame in found[-end:]):
        verdict, sentence = "annihilates", "The cores annihilate: they are gone at the end of the run."
    elif share < _KNOWN_SHARE:
        sentence = f"Unclear: the circuits close in only {np.sum(known & ok)} of {len(path)} frames."
    elif moved > glide_A:
        verdict, sentence = "glides", f"A core glides: it moves by {moved:.1f} Å (limit {glide_A:g} Å)."
    else:
        verdict, sentence = "stays", f"The cores stay: they move by {moved:.1f} Å at most (limit {glide_A:g} Å)."
    return CoreTrack(np.asarray(frames, dtype=np.intp), np.asarray(time_ps, dtype=float), path, ok, verdict, sentence)


def combine_tracks(tracks: Sequence[CoreTrack]) -> CoreTrack:
    """The track of the replica with the gravest verdict; the sentence counts all replicas."""
    worst = max(tracks, key=lambda track: _GRAVITY[track.verdict])
    if len(tracks) == 1:
        return worst
    n_same = sum(track.verdict == worst.verdict for track in tracks)
    sentence = f"{worst.sentence} So in {n_same} of {len(tracks)} replicas; one is shown."
    return replace(worst, sentence=sentence, first=None if worst is tracks[0] else tracks[0])


def _unwrap(positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions continued over the periodic boundary, from one frame in which a core was found to the next."""
    path = positions_A.copy()
    plane = cell_A[:2, :2]
    for core in range(path.shape[1]):
        known = np.flatnonzero(np.isfinite(path[:, core]).all(axis=-1))
        if known.size > 1:
            steps = np.diff(path[known, core], axis=0)
            steps -= np.round(steps @ np.linalg.inv(plane)) @ plane
            path[known[1:], core] = path[known[0], core] + np.cumsum(steps, axis=0)
    return path
