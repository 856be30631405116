"""The first minimum of a radial distribution function: found, not assumed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

_SMOOTHING_A = 0.1
_PROMINENCE = 0.05
_SIGMAS = 3.0


def find_first_minimum(r_A: ArrayLike, *, g: ArrayLike, noise: ArrayLike = 0.0) -> tuple[float | None, str]:
    """First minimum of a radial distribution function: the lowest point between its first two peaks.

    The curve is smoothed by a Gaussian of 0.1 Å. A peak counts if it stands out (prominence) by 5 % of the
    highest point and by three standard errors. Of a flat bottom, as between shells of a crystal, the middle is taken.

    Args:
        r_A: equally spaced distances, in Å.
        g: distribution at them.
        noise: standard error of g, a number or shape of g.

    Returns:
        The minimum in Å and how it was found, or None and why there is none.
    """
    r, smooth, peaks = _find_peaks(r_A, g=g, noise=noise)
    if smooth.max() <= 0:
        return None, "there are no pairs within the largest distance"
    if peaks.size == 0:
        return None, "no peak stands out of the noise: more frames or atoms are needed"
    if peaks.size == 1:
        return None, f"no second peak follows the one at {r[peaks[0]]:.2f} Å, so the first shell has no outer edge"
    valley = smooth[peaks[0] : peaks[1] + 1]
    bottom = valley.min() + 0.01 * (smooth[peaks[0]] - valley.min())
    lowest = np.flatnonzero(valley <= bottom)
    minimum = float(r[peaks[0] + lowest].mean())
    return round(minimum, 4), f"lowest point between the peaks at {r[peaks[0]]:.2f} and {r[peaks[1]]:.2f} Å"


def find_first_peak(r_A: ArrayLike, *, g: ArrayLike, noise: ArrayLike = 0.0) -> float | None:
    """Where the first peak of a radial distribution function is, of those that `find_first_minimum` looks at, in Å."""
    r, _, peaks = _find_peaks(r_A, g=g, noise=noise)
    return round(float(r[peaks[0]]), 4) if peaks.size else None


def _find_peaks(
    r_A: ArrayLike, *, g: ArrayLike, noise: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Distances, the smoothed curve, and the peaks of it that stand out."""
    r, curve = np.asarray(r_A, dtype=float), np.nan_to_num(np.asarray(g, dtype=float))
    width = _SMOOTHING_A / (r[1] - r[0])
    smooth = gaussian_filter1d(curve, width, mode="nearest")
    error = gaussian_filter1d(
        np.broadcast_to(np.nan_to_num(np.asarray(noise, dtype=float)), curve.shape).astype(float), width
    )
    error /= np.sqrt(max(1.0, 2 * np.sqrt(np.pi) * width))
    if smooth.max() <= 0:
        return r, smooth, np.empty(0, dtype=np.intp)
    peaks, properties = find_peaks(smooth, prominence=_PROMINENCE * smooth.max())
    return r, smooth, np.asarray(peaks[properties["prominences"] > _SIGMAS * error[peaks]], dtype=np.intp)
