"""Diffusion coefficients of equilibrium trajectories, by Bayesian regression with kinisi."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

from analysis.diffusion import compute_displacements
from analysis.regions import Region
from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import Quantity, student_factor, to_list
from structures.errors import InputError

_A2_PER_PS_IN_M2_PER_S = 1e-8
_METHOD = "Bayesian regression of the mean squared displacement with its covariance (kinisi), 95 % of the posterior"
_MIN_FRAMES = 20
_LONGEST_SHARE = 0.5
_EXPONENT_MARGIN = 0.2
# An exponent that is off by more than its error and this is off.
_CLEAR_MARGIN = 0.1
_UNLIKE_SHARE = 0.1
_GROUPS = 20
_MIN_ATOMS = 2
# The mean of fewer atoms is more their own walk than a drift.
_MIN_ATOMS_WITH_DRIFT = 10
_JUMP_A = 2.0
_N_LAGS = 60


@dataclass(frozen=True)
class Diffusivity:
    """Self-diffusion coefficient from the mean squared displacement.

    Attributes:
        diffusivity: coefficient in m²/s with the 95 % interval of its posterior.
        exponent: n of msd ∝ tⁿ over the fitted times; 1 in diffusion.
        exponent_error: half its 95 % interval, over atoms; NaN with one atom.
        drift_A: how far the atoms moved as a whole against all others, in Å.
        fit_from_ps: shortest time fitted, in ps.
        time_ps: times of the curve, in ps.
        msd_A2: mean squared displacement, in Å².
        species: element.
        n_atoms: atoms averaged over.
    """

    diffusivity: Quantity
    exponent: float
    exponent_error: float
    drift_A: float
    fit_from_ps: float
    time_ps: NDArray[np.float64]
    msd_A2: NDArray[np.float64]
    species: str
    n_atoms: int

    def to_json(self) -> dict[str, Any]:
        """The coefficient as JSON values."""
        return {
            "diffusivity_m2_per_s": self.diffusivity.to_json(),
            "exponent": self.exponent,
            "exponent_error": self.exponent_error if np.isfinite(self.exponent_error) else None,
            "drift_A": self.drift_A,
            "fit_from_ps": self.fit_from_ps,
            "time_ps": to_list(self.time_ps),
            "msd_A2": to_list(self.msd_A2),
            "species": self.species,
            "n_atoms": self.n_atoms,
        }


def compute_diffusivity(
    universe: Universe,
    *,
    species: str,
    region: Region | None = None,
    dimensions: str = "xyz",
    remove_drift: bool | None = None,
    fit_from_ps: float | None = None,
    frames: slice | Sequence[int] | None = None,
    seed: int = 0,
) -> Diffusivity:
    """Self-diffusion coefficient of an element in an equilibrium trajectory.

    D = msd(t) / (2 d t) for long t in d dimensions. The regression weighs the curve with its covariance, so the
    interval is that of the coefficient. A reacting front has no such coefficient: use depth and flux there.

    Args:
        universe: equilibrium trajectory with unwrapped positions, elements and frames at equal times.
        species: element that diffuses; the mean displacement of all other atoms is subtracted.
        region: where the atoms start; None for everywhere.
        dimensions: "xyz", or those in which the atoms move, e.g. "z" along a dislocation.
        remove_drift: whether also the mean displacement of the chosen atoms themselves is subtracted, so that a block
            that moves as a whole does not count as diffusion (mean squares then gain the factor n/(n − 1), exact for n
            atoms that walk on their own); None for yes with ten atoms or more.
        fit_from_ps: shortest time fitted; None for a tenth of the longest.
        frames: which frames; None for all.
        seed: seed of the sampling.

    Returns:
        The coefficient and the curve. The verdict is "diffusive" only if the atoms get away from their sites, move
        alike in both halves of the run, and the exponent is 1: within 0.2, and within its error or 0.1.

    Raises:
        InputError: if there are fewer than 20 frames, unequal times, no atoms, or one whose drift is to go.

    Source: McCluskey et al. 2025, 10.1021/acs.jctc.4c01249; kinisi, 10.21105/joss.05984.
    """
    times, positions = compute_displacements(
        universe, species=species, region=region, frames=frames, drift_A=_compute_frame_drift(universe, species, frames)
    )
    if times.size < _MIN_FRAMES or not np.allclose(np.diff(times), times[1] - times[0], rtol=1e-3, atol=1e-4):
        raise InputError(f"{times.size} frames; needs {_MIN_FRAMES} at equal times")
    n_atoms = positions.shape[1]
    if remove_drift and n_atoms < _MIN_ATOMS:
        raise InputError(f"remove_drift is true with {n_atoms} atom of {species}, needs {_MIN_ATOMS}; set it to False")
    removes = n_atoms >= _MIN_ATOMS_WITH_DRIFT if remove_drift is None else remove_drift
    positions = _choose_dimensions(positions, dimensions=dimensions)
    positions, moved_A = _take_out_drift(positions, removes=removes)
    step_ps = float(times[1] - times[0])
    chain, curve_times, curve = _regress(positions, step_ps=step_ps, fit_from_ps=fit_from_ps, seed=seed)
    fit_from = fit_from_ps if fit_from_ps is not None else 0.1 * float(curve_times[-1])
    lags = np.rint(curve_times[curve_times >= fit_from] / step_ps).astype(int)
    exponent, error = compute_exponent(positions, lags=lags)
    samples = chain / (2 * positions.shape[2]) * _A2_PER_PS_IN_M2_PER_S
    low, value, high = (float(x) for x in np.quantile(samples, [0.025, 0.5, 0.975]))
    independent = n_atoms * float(curve_times[-1] / fit_from)
    verdict = (
        _judge_distance(curve, time_ps=float(curve_times[-1]))
        or judge_halves(positions, lag=int(lags[0]))
        or _judge_exponent(exponent, error=error)
    )
    taken = f"; the mean displacement of {species}, {moved_A:.2f} Å in all, is taken out" if removes else ""
    quantity = Quantity(value, (high - low) / 2, low, high, "m²/s", _METHOD + taken, independent, verdict)
    return Diffusivity(quantity, exponent, error, moved_A, fit_from, curve_times, curve, species, n_atoms)


def _choose_dimensions(positions: NDArray[np.float64], *, dimensions: str) -> NDArray[np.float64]:
    if not dimensions or set(dimensions) - set("xyz") or len(set(dimensions)) != len(dimensions):
        raise InputError(f"dimensions is {dimensions!r}, needs letters of xyz, each once")
    return positions[..., ["xyz".index(letter) for letter in sorted(dimensions)]]


def _take_out_drift(positions_A: NDArray[np.float64], *, removes: bool) -> tuple[NDArray[np.float64], float]:
    """Positions without the mean displacement of the atoms, if that is to go, and how far it went in Å."""
    n_atoms = positions_A.shape[1]
    drift = positions_A.mean(axis=1) - positions_A[0].mean(axis=0)
    moved_A = float(np.linalg.norm(drift[-1]))
    if not removes:
        return positions_A, moved_A
    # Atoms that walk on their own lose the share 1/n of their squares with their mean.
    return (positions_A - drift[:, None]) * np.sqrt(n_atoms / (n_atoms - 1)), moved_A


def compute_exponent(positions_A: ArrayLike, *, lags: ArrayLike) -> tuple[float, float]:
    """Exponent n of msd ∝ tⁿ, and half its 95 % interval by a jackknife over groups of atoms.

    Args:
        positions_A: unwrapped positions, shape (n_frames, n_atoms, n_dimensions), in Å.
        lags: frames between the ends of a displacement, at least two, shape (n_lags,).

    Returns:
        Exponent, and half the width of its interval; NaN with fewer than two atoms.
    """
    positions, steps = np.asarray(positions_A, dtype=float), np.asarray(lags, dtype=int)
    squares = np.array([_average_squares(positions, lag=int(lag)) for lag in steps])

    def fit(curve: NDArray[np.float64]) -> float:
        return float(np.polyfit(np.log(steps), np.log(np.maximum(curve, 1e-30)), 1)[0])

    groups = np.array_split(np.arange(squares.shape[1]), min(_GROUPS, squares.shape[1]))
    n = len(groups)
    if n < _MIN_ATOMS:
        return fit(squares.mean(axis=1)), float("nan")
    left = np.array([fit(np.delete(squares, group, axis=1).mean(axis=1)) for group in groups])
    return fit(squares.mean(axis=1)), student_factor(n) * float(np.sqrt((n - 1) * left.var()))


def judge_halves(positions_A: ArrayLike, *, lag: int) -> str:
    """Whether the atoms move alike in both halves of a run, by a paired Student t over atoms, 99 %.

    Args:
        positions_A: unwrapped positions, shape (n_frames, n_atoms, n_dimensions), in Å.
        lag: frames between the ends of a displacement; at most half of a half is used.

    Returns:
        A verdict that begins with "drifting" if they differ, and by more than a tenth; else, or with one atom, nothing.
    """
    positions = np.asarray(positions_A, dtype=float)
    n_frames, n_atoms = positions.shape[:2]
    if n_atoms < _MIN_ATOMS:
        return ""
    half = n_frames // 2
    step = max(1, min(lag, half // 2))
    early, late = (_average_squares(part, lag=step) for part in (positions[:half], positions[-half:]))
    error = float((late - early).std(ddof=1)) / np.sqrt(n_atoms)
    first, second = float(early.mean()), float(late.mean())
    limit = max(float(student_t.ppf(0.995, n_atoms - 1)) * error, _UNLIKE_SHARE * max(first, second))
    if abs(second - first) <= limit:
        return ""
    return (
        f"drifting: msd over {step} frames is {first:.3g} Å² in the first half of the run, {second:.3g} in the second"
    )


def _average_squares(positions_A: NDArray[np.float64], *, lag: int) -> NDArray[np.float64]:
    """Squared displacement of each atom, mean over all origins; shape (n_atoms,), in Å²."""
    return np.asarray(((positions_A[lag:] - positions_A[:-lag]) ** 2).sum(-1).mean(0))


def _judge_distance(msd_A2: NDArray[np.float64], *, time_ps: float) -> str:
    away_A = float(np.sqrt(msd_A2[-1]))
    return f"no diffusion seen: {away_A:.2f} Å in {time_ps:.4g} ps; the number is an upper bound" * (away_A < _JUMP_A)


def _judge_exponent(exponent: float, *, error: float) -> str:
    told = f"t^{exponent:.2f}" + (f" ± {error:.2f}" if np.isfinite(error) else "")
    off = abs(exponent - 1)
    is_off = off > _CLEAR_MARGIN and off > error if np.isfinite(error) else off > _EXPONENT_MARGIN
    if not is_off and off <= _EXPONENT_MARGIN:
        return "diffusive"
    if is_off and exponent > 1:
        return f"superdiffusive: msd grows as {told}; atoms that move together or have not come to rest do not diffuse"
    return f"not diffusive yet: msd grows as {told}; run longer"


def _compute_frame_drift(
    universe: Universe, species: str, frames: slice | Sequence[int] | None
) -> NDArray[np.float64] | None:
    """Mean displacement of the atoms of other elements in each frame; None if there are none."""
    others = get_elements(universe) != species
    if not others.any():
        return None
    means = np.array([t.positions[others].mean(axis=0, dtype=float) for t in iterate_frames(universe, frames=frames)])
    return np.asarray(means - means[0])


def _regress(
    positions_A: ArrayLike, *, step_ps: float, fit_from_ps: float | None, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Posterior of the slope in Å²/ps, and times and values of the curve."""
    import scipp
    from kinisi.diffusion import Diffusion

    positions = np.asarray(positions_A, dtype=float)
    n_frames, n_atoms, n_dimensions = positions.shape
    longest = int(_LONGEST_SHARE * n_frames)
    lags = np.unique(np.linspace(1, longest, min(_N_LAGS, longest)).round().astype(int))
    squares = [((positions[lag:] - positions[:-lag]) ** 2).sum(-1) for lag in lags]
    # Stretches of a trajectory that do not overlap: the samples that count for a mean over all origins.
    independent = n_atoms * (n_frames - 1) / lags
    curve = scipp.DataArray(
        data=scipp.array(
            dims=["time interval"],
            values=[square.mean() for square in squares],
            variances=[square.var(ddof=1) / n for square, n in zip(squares, independent, strict=True)],
            unit="angstrom^2",
        ),
        coords={
            "time interval": scipp.array(dims=["time interval"], values=lags * step_ps, unit="ps"),
            "n_samples": scipp.array(dims=["time interval"], values=independent),
        },
    )
    start = fit_from_ps if fit_from_ps is not None else 0.1 * lags[-1] * step_ps
    if not lags[0] * step_ps <= start <= lags[-2] * step_ps:
        raise InputError(
            f"fit_from_ps is {start}, needs a value between {lags[0] * step_ps} and {lags[-2] * step_ps} ps"
        )
    model = Diffusion(scipp.DataGroup({"da": curve, "dimensionality": n_dimensions * scipp.units.dimensionless}))
    before = np.random.get_state()  # noqa: NPY002 - kinisi draws from the global state, which is put back below
    try:
        model.bayesian_regression(
            start_dt=scipp.scalar(start, unit="ps"),
            progress=False,
            random_state=np.random.RandomState(seed),
        )
    finally:
        np.random.set_state(before)  # noqa: NPY002 - as above
    return np.asarray(model._flatchain[:, 0]), lags * step_ps, curve.values  # noqa: SLF001 - Samples drop the order
