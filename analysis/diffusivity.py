"""Diffusion coefficients of equilibrium trajectories, by Bayesian regression with kinisi."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.diffusion import compute_displacements
from analysis.regions import Region
from analysis.trajectory import get_elements, iterate_frames
from analysis.uncertainty import Quantity, to_list
from structures.errors import InputError

_A2_PER_PS_IN_M2_PER_S = 1e-8
_MIN_FRAMES = 20
_LONGEST_SHARE = 0.5
_EXPONENT_MARGIN = 0.2
_JUMP_A = 2.0
_N_LAGS = 60


@dataclass(frozen=True)
class Diffusivity:
    """Self-diffusion coefficient from the mean squared displacement.

    Attributes:
        diffusivity: coefficient in m²/s with the 95 % interval of its posterior.
        exponent: n of msd ∝ tⁿ over the fitted times; 1 in diffusion.
        fit_from_ps: shortest time fitted, in ps.
        time_ps: times of the curve, in ps.
        msd_A2: mean squared displacement, in Å².
        species: element.
        n_atoms: atoms averaged over.
    """

    diffusivity: Quantity
    exponent: float
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
        fit_from_ps: shortest time fitted; None for a tenth of the longest.
        frames: which frames; None for all.
        seed: seed of the sampling.

    Returns:
        The coefficient and the curve; the verdict says if the atoms diffuse at all.

    Raises:
        InputError: if there are fewer than 20 frames, unequal times, or no atoms.

    Source: McCluskey et al. 2024, 10.1021/acs.jctc.4c01249; kinisi, 10.21105/joss.05984.
    """
    if not dimensions or set(dimensions) - set("xyz") or len(set(dimensions)) != len(dimensions):
        raise InputError(f"dimensions is {dimensions!r}, needs letters of xyz, each once")
    times, positions = compute_displacements(
        universe, species=species, region=region, frames=frames, drift_A=_compute_frame_drift(universe, species, frames)
    )
    if times.size < _MIN_FRAMES or not np.allclose(np.diff(times), times[1] - times[0], rtol=1e-3, atol=1e-4):
        raise InputError(f"{times.size} frames; needs {_MIN_FRAMES} at equal times")
    axes = ["xyz".index(letter) for letter in sorted(dimensions)]
    chain, curve_times, curve = _regress(
        positions[..., axes], step_ps=float(times[1] - times[0]), fit_from_ps=fit_from_ps, seed=seed
    )
    fit_from = fit_from_ps if fit_from_ps is not None else 0.1 * float(curve_times[-1])
    fitted = curve_times >= fit_from
    exponent = float(np.polyfit(np.log(curve_times[fitted]), np.log(np.maximum(curve[fitted], 1e-30)), 1)[0])
    samples = chain / (2 * len(axes)) * _A2_PER_PS_IN_M2_PER_S
    low, value, high = (float(x) for x in np.quantile(samples, [0.025, 0.5, 0.975]))
    independent = positions.shape[1] * float(curve_times[-1] / fit_from)
    if np.sqrt(curve[-1]) < _JUMP_A:
        verdict = (
            f"no diffusion seen: {np.sqrt(curve[-1]):.2f} Å in {curve_times[-1]:.4g} ps; the number is an upper bound"
        )
    elif abs(exponent - 1) > _EXPONENT_MARGIN:
        verdict = f"not diffusive yet: msd grows as t^{exponent:.2f}; run longer"
    else:
        verdict = "diffusive"
    method = "Bayesian regression of the mean squared displacement with its covariance (kinisi), 95 % of the posterior"
    quantity = Quantity(value, (high - low) / 2, low, high, "m²/s", method, independent, verdict)
    return Diffusivity(quantity, exponent, fit_from, curve_times, curve, species, positions.shape[1])


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
