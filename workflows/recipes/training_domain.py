"""The domain that a potential was trained on: how far from its training set an atom's surroundings are.

For each element the distance of descriptors D is d = √((D − m)ᵀ C⁻¹ (D − m)), with mean m and covariance C of the
training atoms; an atom is outside beyond the distance that nearly all training atoms stay below. Beside it stands the
smallest distance of each pair of elements.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from structures.errors import InputError

DOMAIN_SCHEMA_VERSION = 1
_PAIR_RANGE_A = 4.5
_SHRINKAGE = 1e-3  # share of each descriptor's own variance added to the covariance, which is near singular
_MIN_ATOMS = 2


@dataclass(frozen=True, eq=False)
class TrainingDomain:
    """Where a potential has been taught; see the module.

    Attributes:
        elements: order of all arrays.
        mean: of the descriptors, shape (n_elements, n_descriptors).
        inverse_covariance: shape (n_elements, n_descriptors, n_descriptors).
        threshold: distance beyond which an atom is outside, shape (n_elements,).
        smallest_distance_A: of each pair in the training set, shape (n_elements, n_elements); NaN where none was seen.
        outside_fraction_limit: share of atoms outside beyond which a frame is outside.
        distance_factor: a frame is outside too if a pair is nearer than this factor times the smallest distance.
    """

    elements: tuple[str, ...]
    mean: NDArray[np.float64]
    inverse_covariance: NDArray[np.float32]
    threshold: NDArray[np.float64]
    smallest_distance_A: NDArray[np.float64]
    outside_fraction_limit: float = 0.01
    distance_factor: float = 0.95

    def write(self, path: Path) -> None:
        """Write the arrays (no pickle inside) under a temporary name and rename."""
        aside = path.with_name(f".{uuid.uuid4().hex}.npz")
        np.savez_compressed(
            aside,
            schema_version=np.int64(DOMAIN_SCHEMA_VERSION),
            elements=np.array(self.elements),
            mean=self.mean,
            inverse_covariance=self.inverse_covariance,
            threshold=self.threshold,
            smallest_distance_A=self.smallest_distance_A,
            outside_fraction_limit=np.float64(self.outside_fraction_limit),
            distance_factor=np.float64(self.distance_factor),
        )
        aside.replace(path)


def compute_domain_distances(
    descriptors: NDArray[np.float64], *, mean: NDArray[np.float64], inverse_covariance: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Distance d of each row from the mean; shape (n_atoms,)."""
    offset = descriptors - mean
    squares = np.einsum("ni,ni->n", offset @ inverse_covariance, offset)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float64)


def fit_domain(
    frames: Sequence[Atoms],
    *,
    descriptors: Sequence[NDArray[np.float64]],
    elements: Sequence[str],
    inside_fraction: float = 0.999,
) -> TrainingDomain:
    """The domain of a training set.

    Args:
        frames: of the training set.
        descriptors: of the atoms of each frame, shape (n_atoms, n_descriptors).
        elements: order of the arrays.
        inside_fraction: share of the training atoms of an element that is inside.

    Raises:
        InputError: if an element has fewer than two atoms.
    """
    numbers = np.concatenate([np.array(frame.get_chemical_symbols()) for frame in frames])
    rows = np.vstack(descriptors)
    means, inverses, thresholds = [], [], []
    for element in elements:
        own = rows[numbers == element]
        if len(own) < _MIN_ATOMS:
            raise InputError(f"the training set has {len(own)} atoms of {element}, needs {_MIN_ATOMS} or more")
        mean = own.mean(axis=0)
        covariance = np.cov(own, rowvar=False)
        variance = np.diag(covariance)
        floor = max(float(variance.max()) * 1e-12, np.finfo(np.float64).tiny)
        inverse = np.linalg.inv(covariance + _SHRINKAGE * np.diag(np.maximum(variance, floor)))
        # Single precision halves the file; the threshold is that of the matrix as stored.
        inverse = ((inverse + inverse.T) / 2).astype(np.float32)
        distances = compute_domain_distances(own, mean=mean, inverse_covariance=inverse)
        means.append(mean)
        inverses.append(inverse)
        thresholds.append(float(np.quantile(distances, inside_fraction)))
    return TrainingDomain(
        elements=tuple(elements),
        mean=np.array(means),
        inverse_covariance=np.array(inverses),
        threshold=np.array(thresholds),
        smallest_distance_A=compute_smallest_distances(frames, elements=elements),
    )


def compute_smallest_distances(frames: Sequence[Atoms], *, elements: Sequence[str]) -> NDArray[np.float64]:
    """Smallest distance of each pair of elements over all frames, in Å; NaN where none lies within 4.5 Å."""
    smallest = np.full((len(elements), len(elements)), np.inf)
    for frame in frames:
        first, second, distances = neighbor_list("ijd", frame, _PAIR_RANGE_A)
        kinds = np.array([list(elements).index(symbol) for symbol in frame.symbols])
        np.minimum.at(smallest, (kinds[first], kinds[second]), distances)
    return np.where(np.isfinite(smallest), smallest, np.nan)
