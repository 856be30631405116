"""Free ions, contact pairs and aggregates: the clusters that contacts between cations and anions make."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from analysis.ion_contacts import Contacts
from analysis.replica_series import compute_series_average
from analysis.uncertainty import Quantity, to_list
from structures.errors import InputError

KINDS = ("free", "contact_pair", "aggregate")


@dataclass(frozen=True)
class IonAssociation:
    """Shares of ions by what they are part of.

    Attributes:
        label: sites of cation and anion.
        cutoff_A: nearer than this is a contact, in Å.
        definition: of the three kinds.
        cations: kind to the share of cations.
        anions: kind to the share of anions.
        anions_per_cation: mean number of anions in contact with a cation.
        distribution: share of cations in contact with 0, 1, 2 … anions.
        cluster_size: ions of the cluster that an ion is in, mean over ions.
        largest_share: share of all ions that is in the largest cluster.
        time_ps: of the frames of the first replica, in ps.
        series: kind to the share of cations in each frame of the first replica.
    """

    label: str
    cutoff_A: float
    definition: str
    cations: dict[str, Quantity]
    anions: dict[str, Quantity]
    anions_per_cation: Quantity
    distribution: NDArray[np.float64]
    cluster_size: Quantity
    largest_share: Quantity
    time_ps: NDArray[np.float64]
    series: dict[str, NDArray[np.float64]]

    def to_json(self) -> dict[str, Any]:
        """The shares as JSON values."""
        return {
            "label": self.label,
            "cutoff_A": self.cutoff_A,
            "definition": self.definition,
            "cations": {kind: share.to_json() for kind, share in self.cations.items()},
            "anions": {kind: share.to_json() for kind, share in self.anions.items()},
            "anions_per_cation": self.anions_per_cation.to_json(),
            "distribution": to_list(self.distribution),
            "cluster_size": self.cluster_size.to_json(),
            "largest_share": self.largest_share.to_json(),
            "series": {"time_ps": to_list(self.time_ps), **{k: to_list(v) for k, v in self.series.items()}},
        }


def compute_association(contacts: Sequence[Contacts], *, cutoff_A: float) -> IonAssociation:
    """Shares of free ions, contact pairs and aggregates over replicas, or stretches of one run.

    Cations and anions in contact are joined, and so are all that are joined to them. A contact pair is one cation
    with one anion and nothing else; more ions are an aggregate. What a solvent keeps apart is free.

    Args:
        contacts: of cations and anions, one for each replica.
        cutoff_A: first minimum of the distribution of the binding atoms about the cations, in Å.

    Returns:
        Shares, cluster sizes and the distribution of anions about a cation.

    Raises:
        InputError: if there is no replica or contacts were not kept up to the cut-off.
    """
    if not contacts:
        raise InputError("0 replicas, needs at least 1")
    found = [_classify(one.within(cutoff_A)) for one in contacts]
    first = contacts[0]

    def average(column: int) -> Quantity:
        mean = compute_series_average([series[:, column] for series, _ in found], unit="1")
        if mean is None:  # a frame always gives a number
            raise InputError("0 frames, needs at least 1")
        return mean

    width = max(counts.size for _, counts in found)
    counts = np.sum([np.pad(one, (0, width - one.size)) for _, one in found], axis=0)
    return IonAssociation(
        first.label,
        cutoff_A,
        f"contact: nearer than {cutoff_A:.2f} Å; contact pair: one cation and one anion; aggregate: more of either",
        {kind: average(row) for row, kind in enumerate(KINDS)},
        {kind: average(3 + row) for row, kind in enumerate(KINDS)},
        average(6),
        counts / counts.sum(),
        average(7),
        average(8),
        first.time_ps,
        {kind: found[0][0][:, row] for row, kind in enumerate(KINDS)},
    )


def _classify(contacts: Contacts) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each frame shares of cations and of anions by kind, anions a cation, cluster sizes; the distribution."""
    n_cations, n_anions = contacts.n_centres, contacts.n_molecules
    n_ions = n_cations + n_anions
    rows = np.empty((contacts.time_ps.size, 9))
    distribution = np.zeros(n_anions + 1, dtype=np.int64)
    is_anion = np.arange(n_ions) >= n_cations
    for number, (cations, anions) in enumerate(contacts.iterate()):
        graph = coo_matrix((np.ones(cations.size), (cations, anions + n_cations)), shape=(n_ions, n_ions))
        cluster = connected_components(graph, directed=False)[1]
        size = np.bincount(cluster)[cluster]
        # Contacts join unlike ions only, so a cluster of two is a pair.
        kind = np.minimum(size, 3) - 1
        rows[number, :3] = np.bincount(kind[~is_anion], minlength=3) / n_cations
        rows[number, 3:6] = np.bincount(kind[is_anion], minlength=3) / n_anions
        rows[number, 6:] = cations.size / n_cations, size.mean(), size.max() / n_ions
        distribution += np.bincount(np.bincount(cations, minlength=n_cations), minlength=n_anions + 1)
    return rows, np.trim_zeros(distribution, "b")
