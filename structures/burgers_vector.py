"""Burgers vectors in Miller-Bravais notation, and the lattice of A7 crystals that they must belong to."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from structures.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASAL_BURGERS_VECTOR = "1/3[11-20]"

# Rows: primitive vectors of R-3m in hexagonal axes.
_RHOMBOHEDRAL = np.array([[2 / 3, 1 / 3, 1 / 3], [-1 / 3, 1 / 3, 1 / 3], [-1 / 3, -2 / 3, 1 / 3]])
_FORM = re.compile(r"^\s*(?:(\d+)(?:/([1-9]\d*))?)?\s*[\[<(]\s*((?:[-\u2212]?\d[\s,]*){4})[\]>)]\s*$")


def read_burgers_vector(text: str) -> NDArray[np.float64]:
    """Read a Burgers vector such as "1/3[11-20]" and prove that it is a lattice vector of R-3m.

    Args:
        text: factor and four-index direction [u v t w]; t = −(u + v).

    Returns:
        The vector in the three hexagonal axes, shape (3,), in units of a, a and c.

    Raises:
        InputError: if the text is no such vector, or the vector does not join two points of the lattice.
    """
    match = _FORM.match(text)
    if match is None:
        message = f"Burgers vector {text!r} is not of the form '1/3[11-20]': a factor and four indices"
        raise InputError(message)
    factor = Fraction(int(match[1] or 1), int(match[2] or 1))
    u, v, t, w = (int(index.replace("\u2212", "-")) for index in re.findall(r"[-\u2212]?\d", match[3]))
    if u + v + t != 0:
        message = f"Burgers vector {text!r} has indices u + v + t = {u + v + t}, needs 0; write t = {-(u + v)}"
        raise InputError(message)
    vector = float(factor) * np.array([u - t, v - t, w], dtype=float)
    steps = np.linalg.solve(_RHOMBOHEDRAL.T, vector)
    if np.abs(steps - np.round(steps)).max() > 1e-6 or not np.any(np.round(steps)):  # noqa: PLR2004 rounding of thirds
        message = (
            f"Burgers vector {text!r} is no lattice vector of R-3m (it is {np.round(steps, 3).tolist()} primitive "
            f"vectors, needs whole numbers, not all zero); the shortest is {BASAL_BURGERS_VECTOR!r}"
        )
        raise InputError(message)
    return vector


def check_basal_edge(text: str) -> None:
    """Raise unless a Burgers vector is the basal ⅓⟨11-20⟩, the only slip for which dipoles are built so far.

    Raises:
        InputError: if the vector is none of the lattice, or another one of the lattice.
    """
    vector = read_burgers_vector(text)
    square_length = vector[0] ** 2 + vector[1] ** 2 - vector[0] * vector[1]
    if abs(vector[2]) > 1e-6 or abs(square_length - 1) > 1e-6:  # noqa: PLR2004 rounding of thirds
        message = (
            f"Burgers vector {text!r} is a lattice vector, but only the basal {BASAL_BURGERS_VECTOR!r} and its equals "
            "are built; choose it"
        )
        raise InputError(message)
