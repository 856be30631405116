"""The guard: how many frames lie outside of what a potential was trained on.

An atom is outside if the Mahalanobis distance of its descriptors D from the training atoms of its element,
d = √((D − μ)ᵀ Σ⁻¹ (D − μ)), is above the trained threshold. A frame is outside if more than a share of its atoms are,
or if two atoms are closer than any such pair in training.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from structures.checks import compute_periodic_heights
from structures.errors import InputError
from workflows.calculators.lammps_potential import BlobPath, LammpsPotential
from workflows.calculators.pod import COEFFICIENTS_FILE, DESCRIPTOR_FILE, build_pod_potential
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.lammps_evaluation import evaluate_structures
from workflows.engines.trajectory_files import read_arrays

_SCHEMA_VERSION = 1
_UNSEEN_PAIR_A = 4.5
_DEFAULTS = {"outside_fraction_limit": 0.01, "distance_factor": 0.95}


@dataclass(frozen=True)
class TrainedDomain:
    """What a potential was trained on.

    Attributes:
        elements: order of the other arrays, shape (n_elements,).
        mean: of the descriptors of each element's atoms, (n_elements, n_descriptors).
        inverse_covariance: (n_elements, n_descriptors, n_descriptors).
        threshold: largest distance d that counts as inside, (n_elements,).
        smallest_distance_A: of each pair in training, (n_elements, n_elements); not a number if it was never near.
        outside_fraction_limit: share of atoms outside above which a frame is.
        distance_factor: a frame is outside if a pair is closer than this times the smallest trained distance.
    """

    elements: tuple[str, ...]
    mean: NDArray[np.float64]
    inverse_covariance: NDArray[np.float64]
    threshold: NDArray[np.float64]
    smallest_distance_A: NDArray[np.float64]
    outside_fraction_limit: float
    distance_factor: float

    def compute_distance_ratios(self, atoms: Atoms, descriptors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance over threshold of each atom; above 1 it is outside."""
        ratios = np.zeros(len(atoms))
        for i, element in enumerate(self.elements):
            mask = np.asarray(atoms.symbols == element)
            difference = descriptors[mask] - self.mean[i]
            squared = np.einsum("ai,ij,aj->a", difference, self.inverse_covariance[i], difference, optimize=True)
            ratios[mask] = np.sqrt(np.maximum(squared, 0.0)) / self.threshold[i]
        return ratios

    def compute_closest_ratio(self, atoms: Atoms) -> float:
        """Smallest pair distance over its limit; below 1 the frame is outside."""
        limits_A = self.distance_factor * np.where(
            np.isnan(self.smallest_distance_A), _UNSEEN_PAIR_A, self.smallest_distance_A
        )
        first, second, distances_A = find_close_pairs(atoms, cutoff_A=float(limits_A.max()))
        if len(distances_A) == 0:
            return float("inf")
        index = np.array([self.elements.index(symbol) for symbol in atoms.symbols])
        return float((distances_A / limits_A[index[first], index[second]]).min())


@dataclass(frozen=True)
class DomainCheck:
    """How many frames lie outside the trained domain.

    Attributes:
        n_frames: frames looked at.
        outside: indices of those outside.
        limit: share of frames outside beyond which a result is not to be trusted.
        atom_fractions: share of atoms outside in each frame, shape (n_frames,).
        largest_ratios: largest distance over threshold in each frame.
        closest_ratios: smallest pair distance over its limit in each frame.
    """

    n_frames: int
    outside: tuple[int, ...]
    limit: float
    atom_fractions: NDArray[np.float64]
    largest_ratios: NDArray[np.float64]
    closest_ratios: NDArray[np.float64]

    @property
    def fraction(self) -> float:
        """Share of frames outside."""
        return len(self.outside) / self.n_frames

    @property
    def is_trustworthy(self) -> bool:
        """Whether no more frames are outside than the limit allows."""
        return self.fraction <= self.limit

    @property
    def sentence(self) -> str:
        """The finding for people."""
        found = f"{len(self.outside)} of {self.n_frames} frames lie outside what the potential was trained on"
        if self.is_trustworthy:
            return f"{found} ({self.fraction:.1%}; limit {self.limit:.1%})."
        return f"{found} ({self.fraction:.1%}), more than the limit of {self.limit:.1%}: do not trust this result."

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "frames": self.n_frames,
            "outside": len(self.outside),
            "fraction": self.fraction,
            "limit": self.limit,
            "trustworthy": self.is_trustworthy,
            "sentence": self.sentence,
            "largest_atom_fraction_outside": float(self.atom_fractions.max()),
            "largest_distance_ratio": float(self.largest_ratios.max()),
            "closest_pair_ratio": _finite_or_none(float(self.closest_ratios.min())),
        }


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def read_domain(path: Path) -> TrainedDomain:
    """Read a trained domain; nothing in the file can run code.

    Raises:
        InputError: if it is no such file.
    """
    try:
        content: Mapping[str, Any] = read_arrays(path)
        if int(content["schema_version"]) != _SCHEMA_VERSION:
            raise InputError(
                f"{path} has schema version {content['schema_version']}, this alkaliflow knows {_SCHEMA_VERSION}."
            )
        scalars = {name: float(content.get(name, default)) for name, default in _DEFAULTS.items()}
        return TrainedDomain(
            elements=tuple(str(name) for name in content["elements"]),
            mean=content["mean"],
            inverse_covariance=content["inverse_covariance"],
            threshold=content["threshold"],
            smallest_distance_A=content["smallest_distance_A"],
            **scalars,
        )
    except (OSError, EOFError, BadZipFile, ValueError, KeyError) as error:
        raise InputError(f"{path} is no readable trained domain ({error}); distil the potential again.") from error


def compute_pod_descriptors(
    frames: Sequence[Atoms], *, descriptor: Path, coefficients: Path, directory: Path | None = None
) -> Iterator[NDArray[np.float64]]:
    """Per-atom POD descriptors of frames, evaluated by LAMMPS on one rank (its compute runs on no more).

    Args:
        frames: of any sizes, with elements of the potential.
        descriptor: the potential's descriptor file.
        coefficients: its coefficients.
        directory: scratch; None takes a temporary one.

    Yields:
        For each frame an array of shape (n_atoms, n_descriptors).
    """
    models = {"descriptor": str(descriptor), "coefficients": str(coefficients)}
    potential = build_pod_potential(CalculatorSpec("pod", models=models), blob_path=Path)
    if directory is not None:
        yield from _descriptors(frames, potential, directory)
        return
    with tempfile.TemporaryDirectory(prefix="alkaliflow-") as scratch:
        yield from _descriptors(frames, potential, Path(scratch))


def _descriptors(frames: Sequence[Atoms], potential: LammpsPotential, directory: Path) -> Iterator[NDArray[np.float64]]:
    compute = (
        f"pod/atom ${{models}}/{DESCRIPTOR_FILE} ${{models}}/{COEFFICIENTS_FILE} {' '.join(potential.type_elements)}"
    )
    for evaluation in evaluate_structures(frames, potential=potential, directory=directory, per_atom_compute=compute):
        yield evaluation.per_atom


def compute_domain_check(
    frames: Sequence[Atoms],
    *,
    spec: CalculatorSpec,
    blob_path: BlobPath,
    limit: float = 0.05,
    directory: Path | None = None,
) -> DomainCheck | None:
    """Count the frames outside the trained domain of the potential that made them.

    Args:
        frames: of the dynamics.
        spec: of the calculator; its models hold `descriptor`, `coefficients` and `domain`.
        blob_path: finds them.
        limit: share of frames outside beyond which the result is not to be trusted.
        directory: scratch; None takes a temporary one.

    Returns:
        The check, or None if the calculator brings no trained domain.

    Raises:
        InputError: if there are no frames, or the domain cannot be read.
    """
    if "domain" not in spec.models:
        return None
    if len(frames) == 0:
        raise InputError("The guard got no frames, needs at least one.")
    domain = read_domain(blob_path(spec.models["domain"]))
    descriptors = compute_pod_descriptors(
        frames,
        descriptor=blob_path(spec.models["descriptor"]),
        coefficients=blob_path(spec.models["coefficients"]),
        directory=directory,
    )
    return judge_frames(frames, descriptors=descriptors, domain=domain, limit=limit)


def judge_frames(
    frames: Sequence[Atoms], *, descriptors: Iterator[NDArray[np.float64]], domain: TrainedDomain, limit: float
) -> DomainCheck:
    """Hold each frame's descriptors and distances against the trained domain."""
    fractions, largest, closest = [], [], []
    for atoms, values in zip(frames, descriptors, strict=True):
        ratios = domain.compute_distance_ratios(atoms, values)
        fractions.append(float((ratios > 1).mean()))
        largest.append(float(ratios.max()))
        closest.append(domain.compute_closest_ratio(atoms))
    is_outside = (np.array(fractions) > domain.outside_fraction_limit) | (np.array(closest) < 1)
    return DomainCheck(
        n_frames=len(frames),
        outside=tuple(int(i) for i in np.flatnonzero(is_outside)),
        limit=limit,
        atom_fractions=np.array(fractions),
        largest_ratios=np.array(largest),
        closest_ratios=np.array(closest),
    )


def find_close_pairs(
    atoms: Atoms, *, cutoff_A: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs closer than a cut-off in a cell taken as periodic: indices of both atoms and distances, in O(N log N)."""
    cell = atoms.cell.array
    heights_A = compute_periodic_heights(cell)
    scaled = atoms.get_scaled_positions(wrap=False) % 1.0
    reach = cutoff_A / heights_A
    images, owners, own = [], [], []
    for shift in product(*(range(-int(np.ceil(r)), int(np.ceil(r)) + 1) for r in reach)):
        moved = scaled + np.array(shift)
        near = ((moved > -reach) & (moved < 1 + reach)).all(axis=1)
        images.append(moved[near] @ cell)
        owners.append(np.flatnonzero(near))
        own.append(np.full(int(near.sum()), not any(shift)))
    owner = np.concatenate(owners)
    pairs = cKDTree(scaled @ cell).sparse_distance_matrix(
        cKDTree(np.concatenate(images)), cutoff_A, output_type="coo_matrix"
    )
    is_pair = (owner[pairs.col] != pairs.row) | ~np.concatenate(own)[pairs.col]
    return pairs.row[is_pair].astype(np.int64), owner[pairs.col[is_pair]], pairs.data[is_pair]
