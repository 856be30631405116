"""Temperature of each region: one thermostat for all atoms lets a reaction heat one side while it cools the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from ase import units
from numpy.typing import ArrayLike, NDArray

from analysis.uncertainty import Quantity, compute_replica_mean, to_list
from structures.errors import InputError

SIGMAS = 3.0


@dataclass(frozen=True)
class RegionTemperature:
    """Temperature of one region over time.

    Attributes:
        name: of the region.
        temperature_K: shape (n_replicas, n_times), in K.
        n_atoms: atoms of the region.
        set_K: what the thermostat is set to, in K.
        counted: which times count for the mean, shape (n_times,): those of production.
    """

    name: str
    temperature_K: NDArray[np.float64]
    n_atoms: int
    set_K: float
    counted: NDArray[np.bool_]

    @property
    def replica_means_K(self) -> NDArray[np.float64]:
        """Mean over the times that count, one a replica, in K."""
        return np.asarray(self.temperature_K[:, self.counted].mean(axis=1))

    @property
    def fluctuation_K(self) -> float:
        """Canonical fluctuation of one reading, σ = T √(2/f) with f = 3N − 3, in K."""
        return self.set_K * sqrt(2 / max(3 * self.n_atoms - 3, 1))

    @property
    def error_of_mean_K(self) -> float:
        """Canonical fluctuation of a mean over the n times that count, σ √((1 + 1/n)/2), in K.

        In a harmonic region half of the variance of a reading is exchange between its own kinetic and potential energy,
        which averages out from reading to reading. The other half is exchange with the other regions; it may be slower
        than the run, so it is not taken to average out.
        """
        return self.fluctuation_K * sqrt((1 + 1 / int(self.counted.sum())) / 2)

    @property
    def worst_K(self) -> float:
        """Mean of the replica that is farthest from the set temperature, in K."""
        means = self.replica_means_K
        return float(means[np.argmax(np.abs(means - self.set_K))])

    @property
    def is_off(self) -> bool:
        """Whether a replica's mean is more than three canonical fluctuations of a mean from the set temperature."""
        return abs(self.worst_K - self.set_K) > SIGMAS * self.error_of_mean_K

    @property
    def mean(self) -> Quantity:
        """Mean over the times that count and the replicas."""
        return compute_replica_mean(self.replica_means_K, unit="K")


def compute_region_temperatures(
    velocities_A_per_fs: ArrayLike | Sequence[Sequence[ArrayLike]],
    *,
    masses_u: ArrayLike,
    regions: ArrayLike,
    time_ps: ArrayLike,
    set_K: float,
    from_ps: float = 0.0,
) -> dict[str, RegionTemperature]:
    """Temperature of each region that moves, about its own centre of mass.

    T = Σ m |v − v̄|² / (f k_B) with f = 3N − 3 and v̄ the velocity of the region's centre of mass.

    Args:
        velocities_A_per_fs: shape (n_replicas, n_times, n_atoms, 3), in Å/fs.
        masses_u: shape (n_atoms,), in u.
        regions: region of each atom; one whose atoms all rest is held fixed and is left out.
        time_ps: the times, shape (n_times,), in ps.
        set_K: what the thermostat is set to, in K.
        from_ps: times after this count for the mean, in ps; all if none is later.

    Returns:
        Region to its temperature.

    Raises:
        InputError: if there are no velocities.
    """
    velocities = np.asarray(velocities_A_per_fs, dtype=float) / units.fs
    if velocities.ndim != 4 or velocities.size == 0:  # noqa: PLR2004 - replicas, times, atoms, xyz
        raise InputError(
            f"velocities have shape {velocities.shape}, needs replicas, times, atoms and 3, none of them 0"
        )
    masses, names, times = np.asarray(masses_u, dtype=float), np.asarray(regions, dtype=str), np.asarray(time_ps)
    counted = times > from_ps + 1e-9
    counted = counted if counted.any() else np.ones(times.size, dtype=bool)
    found = {}
    for name in dict.fromkeys(names.tolist()):
        chosen = names == name
        part, mass = velocities[:, :, chosen], masses[chosen]
        if not part.any() or mass.size < 2:  # noqa: PLR2004 - one atom has no motion about its centre
            continue
        part = part - np.average(part, axis=2, weights=mass)[:, :, None]
        energy = (mass[:, None] * part**2).sum(axis=(2, 3))
        temperature = energy / ((3 * mass.size - 3) * units.kB)
        found[str(name)] = RegionTemperature(str(name), temperature, int(mass.size), set_K, counted)
    return found


def summarise_region_temperatures(found: Mapping[str, RegionTemperature], *, time_ps: ArrayLike) -> dict[str, Any]:
    """Temperatures of all regions as JSON values: means over replicas over time, and their means."""
    return {
        "time_ps": to_list(time_ps),
        **{f"{name}_K": to_list(part.temperature_K.mean(axis=0)) for name, part in found.items()},
        "set_K": next(iter(found.values())).set_K if found else None,
        "fluctuation_K": {name: part.fluctuation_K for name, part in found.items()},
        "means": {name: part.mean.to_json() for name, part in found.items()},
        "sentence": describe_region_temperatures(found),
    }


def describe_region_temperatures(found: Mapping[str, RegionTemperature]) -> str:
    """Mean temperature of each region beside its canonical fluctuation, in a sentence."""
    words = [
        f"{name} {part.worst_K:.1f} K (set {part.set_K:.4g} K, one reading fluctuates by {part.fluctuation_K:.1f} K)"
        for name, part in found.items()
    ]
    if not words:
        return "No region moves."
    replicas = max(part.temperature_K.shape[0] for part in found.values())
    which = "" if replicas == 1 else f", in the replica farthest off of {replicas}"
    return f"Mean temperature in production{which}: {', '.join(words)}."
