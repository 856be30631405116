"""Means of what is measured in every frame of one or several replicas."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.uncertainty import Quantity, compute_replica_mean, compute_steady_mean
from structures.errors import InputError

STRETCHES = 20


def compute_series_average(series: Sequence[ArrayLike], *, unit: str) -> Quantity | None:
    """Mean of a series over replicas, or over twenty stretches of one run if there is only one.

    Args:
        series: one for each replica, shape (n_frames,) each; NaN where a frame has nothing to measure.
        unit: of the values.

    Returns:
        The mean with a Student-t 95 % interval over replicas; of one run only if it is steady. None if nothing was
        measured at all.

    Raises:
        InputError: if there is no replica.
    """
    if not series:
        raise InputError("0 replicas, needs at least 1")
    known = [values[np.isfinite(values)] for values in (np.asarray(one, dtype=float) for one in series)]
    known = [values for values in known if values.size]
    if not known:
        return None
    if len(series) == 1:
        return compute_steady_mean(average_stretches(known[0]), unit=unit)
    return compute_replica_mean([values.mean() for values in known], unit=unit)


def average_stretches(series: ArrayLike, *, n_stretches: int = STRETCHES) -> NDArray[np.float64]:
    """Means of consecutive stretches of equal length, which leave out less than one stretch at the start."""
    values = np.asarray(series, dtype=float)
    length = max(values.size // n_stretches, 1)
    n_whole = values.size // length
    return np.asarray(values[values.size - n_whole * length :].reshape(n_whole, length).mean(axis=1))
