"""Mean squared displacement with an honest band, and diffusion coefficients where they have a meaning."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.regions import Region
from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import compute_band, to_list
from structures.errors import InputError

REACTING_FRONT = "no diffusion coefficient: reacting front"
_MIN_FRAMES = 2
_SAME_TIME = 1e-4


@dataclass(frozen=True)
class MeanSquaredDisplacement:
    """Mean squared displacement against time.

    Attributes:
        time_ps: time since the origin, in ps.
        msd_A2: mean squared displacement, in Å².
        low_A2: lower end of the 95 % band; NaN with a single sample.
        high_A2: upper end of the band.
        species: element.
        n_atoms: atoms averaged over.
        method: origins and samples.
        verdict: what may be concluded.
        samples: curves of the independent samples, shape (n_samples, n_times).
    """

    time_ps: NDArray[np.float64]
    msd_A2: NDArray[np.float64]
    low_A2: NDArray[np.float64]
    high_A2: NDArray[np.float64]
    species: str
    n_atoms: int
    method: str
    verdict: str
    samples: NDArray[np.float64] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The curve as JSON values."""
        curves = {name: to_list(getattr(self, name)) for name in ("time_ps", "msd_A2", "low_A2", "high_A2")}
        words = {"species": self.species, "n_atoms": self.n_atoms, "method": self.method, "verdict": self.verdict}
        return {**curves, **words, "n_independent": len(self.samples)}


def compute_displacements(
    universe: Universe,
    *,
    species: str,
    region: Region | None = None,
    drift_A: ArrayLike | None = None,
    frames: slice | Sequence[int] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unwrapped positions of the atoms of an element that are in a region in the first frame.

    Args:
        universe: trajectory with unwrapped positions.
        species: element.
        region: where the atoms start; None for everywhere.
        drift_A: displacement to subtract from each frame, shape (n_frames, 3), in Å; None for none.
        frames: which frames; None for all.

    Returns:
        Times in ps, shape (n_frames,), and positions in Å, shape (n_frames, n_atoms, 3).

    Raises:
        InputError: if no atom is chosen or there are fewer than two frames.
    """
    chosen = get_elements(universe) == species
    steps = [
        (float(t.time), np.asarray(t.positions[chosen], dtype=float), t.triclinic_dimensions)
        for t in iterate_frames(universe, frames=frames)
    ]
    if len(steps) < _MIN_FRAMES or not chosen.any():
        raise InputError(
            f"{len(steps)} frames with {int(chosen.sum())} atoms of {species}; needs two frames and an atom"
        )
    times, positions = np.array([step[0] for step in steps]), np.array([step[1] for step in steps])
    if region is not None:
        positions = positions[:, region.contains(positions[0], cell_A=steps[0][2])]
        if positions.shape[1] == 0:
            raise InputError(f"no atom of {species} starts in region {region.name}; choose another region")
    return times, positions if drift_A is None else positions - np.asarray(drift_A, dtype=float)[:, None, :]


def compute_msd(
    positions_A: ArrayLike,
    *,
    time_ps: ArrayLike,
    species: str,
    n_blocks: int = 5,
    from_start: bool = False,
    verdict: str | None = None,
) -> MeanSquaredDisplacement:
    """Mean squared displacement ⟨|r(t₀ + t) − r(t₀)|²⟩ over atoms and time origins.

    In equilibrium the trajectory is cut into blocks that share no frame; each gives a curve averaged over all origins
    in it, and the spread of the blocks gives the band, so times go up to the length of a block. Away from
    equilibrium (`from_start`) the only origin is the first frame, and one run gives no band.

    Args:
        positions_A: unwrapped positions, shape (n_frames, n_atoms, 3), in Å.
        time_ps: equally spaced times, shape (n_frames,), in ps.
        species: element, for the label.
        n_blocks: number of blocks, at least 1.
        from_start: whether the first frame is the only origin.
        verdict: what may be concluded; None for a text about the blocks.

    Returns:
        The curve.

    Raises:
        InputError: if shapes do not fit, times are not equally spaced or a block has fewer than two frames.
    """
    positions, times = np.asarray(positions_A, dtype=float), np.asarray(time_ps, dtype=float)
    if positions.ndim != 3 or len(positions) != times.size or positions.shape[1] == 0:  # noqa: PLR2004 - frames, atoms, xyz
        raise InputError(f"positions of shape {positions.shape} at {times.size} times; needs (n_frames, n_atoms, 3)")
    if from_start:
        squares = ((positions - positions[0]) ** 2).sum(-1).mean(1)
        method, samples, lags = "from the first frame on, mean over atoms", squares[None], times - times[0]
    else:
        length = len(times) // max(n_blocks, 1)
        if length < _MIN_FRAMES:
            raise InputError(
                f"{len(times)} frames in {n_blocks} blocks; needs two a block. Take fewer blocks or run longer"
            )
        lags = times[:length] - times[0]
        if not np.allclose(np.diff(times), lags[1], rtol=_SAME_TIME * 10, atol=_SAME_TIME):
            raise InputError("times are not equally spaced, so origins cannot be averaged; choose frames evenly")
        starts = range(0, length * n_blocks, length)
        samples = np.stack([_average_origins(positions[start : start + length]) for start in starts])
        method = (
            f"all origins within each of {n_blocks} consecutive blocks, mean over atoms; Student t over blocks, 95 %"
        )
    if verdict is None:
        verdict = f"band from {len(samples)} blocks" if len(samples) > 1 else "one sample: no error band"
    return _finish(lags, samples=samples, species=species, n_atoms=positions.shape[1], method=method, verdict=verdict)


def combine_msds(curves: Sequence[MeanSquaredDisplacement]) -> MeanSquaredDisplacement:
    """Curves of replicas as one: mean and Student-t band over replicas, up to the shortest."""
    first = curves[0]
    if len(curves) == 1:
        return first
    length = min(curve.time_ps.size for curve in curves)
    if any(np.abs(c.time_ps[:length] - first.time_ps[:length]).max() > _SAME_TIME * 10 for c in curves):
        raise InputError("replicas have frames at different times; write frames equally often in all of them")
    samples = np.stack([curve.msd_A2[:length] for curve in curves])
    method = f"{first.method.split(';')[0]}; Student t over {len(curves)} replicas, 95 %"
    n_atoms = sum(curve.n_atoms for curve in curves)
    return _finish(
        first.time_ps[:length], samples=samples, species=first.species, n_atoms=n_atoms, method=method,
        verdict=first.verdict,
    )  # fmt: skip


def _finish(
    time_ps: NDArray[np.float64],
    *,
    samples: NDArray[np.float64],
    species: str,
    n_atoms: int,
    method: str,
    verdict: str,
) -> MeanSquaredDisplacement:
    """The curve from its samples; a mean square is not negative, so neither is the band."""
    mean, low, high = compute_band(samples)
    return MeanSquaredDisplacement(time_ps, mean, np.maximum(low, 0), high, species, n_atoms, method, verdict, samples)


def _average_origins(positions_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squared displacement over all origins and atoms, by Fourier transform; shape (n_frames,).

    Source: Calandrini et al. 2011, 10.1051/sfn/201112010.
    """
    n = len(positions_A)
    # Displacements from the first frame keep the two large terms of the difference below small.
    moved = positions_A - positions_A[0]
    spectrum = np.fft.rfft(moved, 2 * n, axis=0)
    products = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=0)[:n].sum(axis=(1, 2))
    squares = np.append((moved**2).sum(axis=(1, 2)), 0.0)
    ends = np.concatenate([[2 * squares.sum()], 2 * squares.sum() - np.cumsum(squares[:n] + squares[n - 1 :: -1][:n])])
    curve = (ends[:n] - 2 * products) / np.arange(n, 0, -1) / positions_A.shape[1]
    curve[0] = 0.0
    return np.asarray(np.maximum(curve, 0.0))
