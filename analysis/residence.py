"""How long contacts last: survival functions and the residence time, of a trajectory that may be shorter than they.

Continuous: S(t) is the share of contacts that are still there after t without a break; breaks no longer than a
tolerance are not counted as such. Intermittent: C(t) is the share that is there after t, whatever happened between.
Contacts that outlast the trajectory count for as long as they were watched (censored), so long ones are not cut short.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from analysis.ion_contacts import Contacts
from analysis.uncertainty import CONFIDENCE, MIN_SAMPLES, Quantity, compute_band, compute_replica_mean, to_list
from structures.errors import InputError

_DECAYED = 0.05
_CHUNK = 512
_METHOD = "ended contacts over time at risk, as for a constant rate"


@dataclass(frozen=True)
class Residence:
    """How long contacts last.

    Attributes:
        label: sites in contact.
        cutoff_A: nearer than this is a contact, in Å.
        tolerance_ps: breaks no longer than this are none, in ps.
        residence_time: mean time until a contact ends for longer than the tolerance, in ps, by maximum likelihood for a
            constant rate; infinite if none ended.
        integrated_ps: integral of S(t), in ps; None if it does not fall below 0.05 within half of the trajectory. Far
            from the residence time, it says that the rate is not constant.
        time_ps: times of the functions, up to half of the trajectory, in ps.
        continuous: S(t).
        intermittent: C(t).
        continuous_low: lower end of the 95 % band of S over replicas; NaN with one.
        continuous_high: upper end.
        n_ended: contacts seen to end, in all replicas.
    """

    label: str
    cutoff_A: float
    tolerance_ps: float
    residence_time: Quantity
    integrated_ps: float | None
    time_ps: NDArray[np.float64]
    continuous: NDArray[np.float64]
    intermittent: NDArray[np.float64]
    continuous_low: NDArray[np.float64]
    continuous_high: NDArray[np.float64]
    n_ended: int

    def to_json(self) -> dict[str, Any]:
        """The functions as JSON values."""
        names = ("time_ps", "continuous", "continuous_low", "continuous_high", "intermittent")
        return {
            "label": self.label,
            "cutoff_A": self.cutoff_A,
            "tolerance_ps": self.tolerance_ps,
            "residence_time_ps": self.residence_time.to_json(),
            "integrated_ps": self.integrated_ps,
            **{name: to_list(getattr(self, name)) for name in names},
            "n_ended": self.n_ended,
        }


@dataclass(frozen=True)
class _Run:
    """Survival in one replica: functions, ended contacts, and frames in which one could have ended."""

    continuous: NDArray[np.float64]
    intermittent: NDArray[np.float64]
    n_ended: int
    n_at_risk: int


def compute_residence(contacts: Sequence[Contacts], *, cutoff_A: float, tolerance_ps: float = 0.0) -> Residence:
    """Survival of contacts and their residence time.

    Of n frames in which a contact was there and could be seen to end before the next, in k it did: p = k/n, and the
    residence time is −Δt / ln(1 − p) with the time Δt between frames. The interval is that over replicas, or, of one
    run, that of the binomial share (Clopper and Pearson), for which contacts must end independently of each other.

    Args:
        contacts: one for each replica, of frames at equal times.
        cutoff_A: nearer than this is a contact, in Å.
        tolerance_ps: breaks no longer than this are none, in ps.

    Returns:
        Functions and residence time.

    Raises:
        InputError: if times are unequal, there are fewer than four frames, or no contacts at all.

    Source: Impey, Madden and McDonald 1983, 10.1021/j150643a008 (tolerance).
    """
    steps = [_find_step(one.time_ps) for one in contacts]
    if not steps or not np.allclose(steps, steps[0], rtol=1e-3) or tolerance_ps < 0:
        raise InputError(f"frames are {steps} ps apart, tolerance_ps is {tolerance_ps}; needs one step and at least 0")
    step = float(np.mean(steps))
    allowed = int(tolerance_ps / step + 1e-6)
    n_lags = min(one.time_ps.size for one in contacts) // 2
    runs = [_follow(one.within(cutoff_A), allowed=allowed, n_lags=n_lags) for one in contacts]
    if not sum(run.n_at_risk for run in runs):
        raise InputError(f"no contact of {contacts[0].label} within {cutoff_A} Å; raise the cut-off, or there is none")
    mean, low, high = compute_band([run.continuous for run in runs])
    times = np.arange(n_lags, dtype=np.float64) * step
    decayed = np.flatnonzero(mean < _DECAYED)
    integral = float(np.trapezoid(mean[: decayed[0] + 1], times[: decayed[0] + 1])) if decayed.size else None
    return Residence(
        contacts[0].label,
        cutoff_A,
        allowed * step,
        _estimate(runs, step_ps=step),
        integral,
        times,
        mean,
        compute_band([run.intermittent for run in runs])[0],
        np.maximum(low, 0),
        np.minimum(high, 1),
        sum(run.n_ended for run in runs),
    )


def _find_step(time_ps: NDArray[np.float64]) -> float:
    """Time between frames, which must be the same all along."""
    steps = np.diff(time_ps)
    if steps.size < 3 or steps.min() <= 0 or not np.allclose(steps, steps.mean(), rtol=1e-2):  # noqa: PLR2004 - lags 0, 1
        raise InputError(
            f"{time_ps.size} frames; survival needs 4 at equal times. Write frames evenly, or more of them"
        )
    return float(steps.mean())


def _follow(contacts: Contacts, *, allowed: int, n_lags: int) -> _Run:
    """Survival in one replica, breaks of so many frames allowed."""
    n_frames = contacts.time_ps.size
    pairs = contacts.centres.astype(np.int64) * contacts.n_molecules + contacts.molecules
    order = np.lexsort((contacts.frames, pairs))
    pairs, frames = pairs[order], contacts.frames[order].astype(np.int64)
    is_new = np.ones(pairs.size, dtype=bool)
    is_new[1:] = (np.diff(pairs) != 0) | (np.diff(frames) > allowed + 1)
    starts = np.flatnonzero(is_new)
    first, last = frames[starts], frames[np.append(starts[1:], pairs.size) - 1] if pairs.size else frames
    lengths = last - first + 1
    # A contact that is gone for less than the tolerance when the trajectory ends may come back.
    watched = n_frames - 1 - allowed
    n_ended = int((last < watched).sum())
    at_risk = int(np.maximum(np.minimum(last, watched - 1) - first + 1, 0).sum())
    there = np.cumsum(np.bincount(first, minlength=n_frames + 1) - np.bincount(last + 1, minlength=n_frames + 1))
    origins = np.cumsum(there[:n_frames])[::-1][:n_lags]
    kept = np.cumsum(np.cumsum(np.bincount(lengths, minlength=n_frames + 1)[::-1]))[::-1][1:][:n_lags]
    with np.errstate(invalid="ignore", divide="ignore"):
        continuous = np.where(origins > 0, kept / origins, np.nan)
    intermittent = _correlate(np.unique(pairs, return_inverse=True)[1], frames=frames, n_frames=n_frames)[:n_lags]
    return _Run(continuous, intermittent, n_ended, at_risk)


def _correlate(rows: NDArray[np.intp], *, frames: NDArray[np.int64], n_frames: int) -> NDArray[np.float64]:
    """Share of contacts that are there a lag later, shape (n_frames,); rows of pairs from 0, rising."""
    products = np.zeros(n_frames)
    n_rows = int(rows[-1]) + 1 if rows.size else 0
    for begin in range(0, n_rows, _CHUNK):
        chosen = slice(*np.searchsorted(rows, (begin, begin + _CHUNK)))
        there = np.zeros((min(_CHUNK, n_rows - begin), n_frames))
        there[rows[chosen] - begin, frames[chosen]] = 1
        spectrum = np.fft.rfft(there, 2 * n_frames, axis=1)
        products += np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=0), 2 * n_frames)[:n_frames]
    origins = np.cumsum(np.bincount(frames, minlength=n_frames))[::-1]
    return np.where(origins > 0, products / np.maximum(origins, 1), np.nan)


def _estimate(runs: Sequence[_Run], *, step_ps: float) -> Quantity:
    """Residence time of all replicas, with its interval over them if each saw contacts end."""
    if len(runs) > 1 and all(0 < run.n_ended < run.n_at_risk for run in runs):
        times = [-step_ps / log1p(-run.n_ended / run.n_at_risk) for run in runs]
        mean = compute_replica_mean(times, unit="ps")
        return Quantity(**{**vars(mean), "method": f"{_METHOD}; {mean.method}"})
    ended, at_risk = sum(run.n_ended for run in runs), sum(run.n_at_risk for run in runs)
    tail = (1 - CONFIDENCE) / 2
    highest = float(beta.ppf(1 - tail, ended + 1, at_risk - ended)) if ended < at_risk else 1.0
    lowest = float(beta.ppf(tail, ended, at_risk - ended + 1)) if ended else 0.0

    def to_time(share: float) -> float:
        return inf if share <= 0 else 0.0 if share >= 1 else -step_ps / log1p(-share)

    low, value, high = to_time(highest), to_time(ended / at_risk), to_time(lowest)
    method = f"{_METHOD}; Clopper and Pearson's 95 % of independent ends"
    if ended < MIN_SAMPLES:
        verdict = f"{ended} contacts ended, needs {MIN_SAMPLES}: longer than {low:.3g} ps is all that can be said"
        return Quantity(value, None, low, None, "ps", method, ended, verdict)
    return Quantity(value, (high - low) / 2, low, high, "ps", method, ended, f"{ended} contacts ended")
