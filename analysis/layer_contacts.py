"""What holds molecules at a layer: N–H···O hydrogen bonds, and contacts of its metal with their atoms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.ion_contacts import Contacts
from analysis.near_pairs import find_pairs
from analysis.one_pass import add_frames
from analysis.replica_series import compute_series_average
from analysis.sites import Site
from analysis.trajectory import count_frames, get_elements
from analysis.uncertainty import Quantity, to_list
from structures.errors import InputError

NH_BOND_A = 1.25


@dataclass(frozen=True, eq=False)
class LayerContacts:
    """Contacts of one sort between a layer and molecules in one run.

    Attributes:
        label: what touches what, e.g. "N-H...O of TFSI-".
        definition: what counts, in words.
        time_ps: of the frames, shape (n_frames,), in ps.
        n_contacts: contacts in each frame, same shape.
        n_molecules: molecules with at least one of them in each frame, same shape.
    """

    label: str
    definition: str
    time_ps: NDArray[np.float64]
    n_contacts: NDArray[np.int64]
    n_molecules: NDArray[np.int64]


@dataclass(frozen=True)
class LayerBinding:
    """Mean numbers of such contacts over replicas, or stretches of one run.

    Attributes:
        label: what touches what.
        definition: what counts.
        n_contacts: contacts in a frame.
        n_molecules: molecules that have at least one.
        time_ps: of the frames of the first replica, in ps.
        series: contacts in each of these frames.
    """

    label: str
    definition: str
    n_contacts: Quantity
    n_molecules: Quantity
    time_ps: NDArray[np.float64]
    series: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "label": self.label,
            "definition": self.definition,
            "n_contacts": self.n_contacts.to_json(),
            "n_molecules": self.n_molecules.to_json(),
            "series": {"time_ps": to_list(self.time_ps), "n_contacts": self.series.tolist()},
        }


def find_donors(universe: Universe, *, atoms: ArrayLike, donor: str = "N") -> NDArray[np.int64]:
    """Hydrogen atoms and what they are bonded to, by distance in the first frame.

    Args:
        universe: system with elements and a cell.
        atoms: indices of the atoms to look at, e.g. of the layer.
        donor: element that hydrogen is bonded to.

    Returns:
        Indices of donor and hydrogen, nearer than 1.25 Å, shape (n_donors, 2); none are an empty array.
    """
    chosen, elements = np.asarray(atoms, dtype=np.int64), get_elements(universe)
    heavy, light = (chosen[elements[chosen] == element] for element in (donor, "H"))
    timestep = universe.trajectory[0]
    if timestep.dimensions is None:
        raise InputError("frame 0 has no cell; set universe.dimensions")
    rows, columns, _ = find_pairs(
        timestep.positions[heavy], neighbours_A=timestep.positions[light], cell_A=timestep.triclinic_dimensions,
        cutoff_A=NH_BOND_A,
    )  # fmt: skip
    return np.column_stack([heavy[rows], light[columns]])


def compute_hydrogen_bonds(
    universe: Universe,
    *,
    donors: NDArray[np.int64],
    acceptors: Site,
    distance_A: float = 3.5,
    angle_deg: float = 150.0,
    frames: slice | Sequence[int] | None = None,
) -> LayerContacts:
    """Hydrogen bonds D–H···A: D and A nearer than a distance, and the angle at H above another.

    Args:
        universe: trajectory with cells.
        donors: indices of D and H, shape (n_donors, 2), see `find_donors`.
        acceptors: atoms A of molecules, e.g. O of TFSI⁻.
        distance_A: largest distance from D to A, in Å.
        angle_deg: smallest angle D–H···A, in degrees; 180 is straight.
        frames: which frames; None for all.

    Returns:
        Numbers of bonds and of bonded molecules in each frame.

    Raises:
        InputError: if there are no donors or no frames, or the criteria make no sense.

    Source: Luzar and Chandler 1996, 10.1038/379055a0 (distance, for water); Steiner 2002,
        10.1002/1521-3773(20020104)41:1<48::AID-ANIE48>3.0.CO;2-U (angle).
    """
    tally = HydrogenBondTally(
        donors, acceptors=acceptors, donor=str(get_elements(universe)[donors[0, 0]]) if len(donors) else "D",
        distance_A=distance_A, angle_deg=angle_deg, n_frames=count_frames(universe, frames=frames),
    )  # fmt: skip
    add_frames(universe, tallies=[tally], frames=frames)
    return tally.summarise()


class HydrogenBondTally:
    """Hydrogen bonds, to which frames are added one by one; see `compute_hydrogen_bonds`."""

    def __init__(
        self, donors: NDArray[np.int64], *, acceptors: Site, n_frames: int, donor: str = "N", distance_A: float = 3.5,
        angle_deg: float = 150.0,
    ) -> None:  # fmt: skip
        """Start with no frames."""
        if not len(donors) or not n_frames or not distance_A > 0 or not 0 <= angle_deg < 180:  # noqa: PLR2004 - straight
            raise InputError(
                f"{len(donors)} donors, {n_frames} frames, distance {distance_A} Å and angle {angle_deg}°; needs "
                "donors, frames, a distance above 0 and an angle from 0 to below 180°"
            )
        self.donors, self.acceptors, self.donor = donors, acceptors, donor
        self.distance_A, self.angle_deg = distance_A, angle_deg
        self.time_ps, self._n_added = np.empty(n_frames), 0
        self.n_bonds, self.n_molecules = np.zeros((2, n_frames), dtype=np.int64)

    def add(self, positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64], time_ps: float) -> None:
        """Count one more frame: positions (n_atoms, 3) in Å, cell (3, 3) in Å, time in ps."""
        number, self._n_added = self._n_added, self._n_added + 1
        points = self.acceptors.locate(positions_A, cell_A=cell_A)
        heavy = positions_A[self.donors[:, 0]]
        rows, columns, _ = find_pairs(heavy, neighbours_A=points, cell_A=cell_A, cutoff_A=self.distance_A)
        hydrogen = positions_A[self.donors[rows, 1]]
        inverse = np.linalg.inv(cell_A)
        to_donor, to_acceptor = (
            apart - np.round(apart @ inverse) @ cell_A for apart in (heavy[rows] - hydrogen, points[columns] - hydrogen)
        )
        lengths = np.linalg.norm(to_donor, axis=1) * np.linalg.norm(to_acceptor, axis=1)
        cosines = np.einsum("ij,ij->i", to_donor, to_acceptor) / np.where(lengths > 0, lengths, np.inf)
        bonded = cosines < np.cos(np.radians(self.angle_deg))
        self.time_ps[number], self.n_bonds[number] = time_ps, int(bonded.sum())
        self.n_molecules[number] = np.unique(self.acceptors.molecules[columns[bonded]]).size

    def summarise(self) -> LayerContacts:
        """What the frames gave.

        Raises:
            InputError: if other than the announced number of them was added.
        """
        if self._n_added != self.time_ps.size:
            raise InputError(f"{self._n_added} frames were added, {self.time_ps.size} were announced; add them all")
        criteria = f"nearer than {self.distance_A:g} Å, angle at H above {self.angle_deg:g}°"
        return LayerContacts(
            f"{self.donor}-H...{self.acceptors.name} of {self.acceptors.species}",
            f"{self.donor} to {self.acceptors.name} {criteria}",
            self.time_ps,
            self.n_bonds,
            self.n_molecules,
        )


def count_contacts(contacts: Contacts, *, cutoff_A: float) -> LayerContacts:
    """Contacts within a cut-off in each frame, e.g. of Fe with O of TFSI⁻.

    Raises:
        InputError: if contacts were not kept up to the cut-off.
    """
    near = contacts.within(cutoff_A)
    n_frames = near.time_ps.size
    keys = np.unique(near.frames.astype(np.int64) * near.n_molecules + near.molecules)
    return LayerContacts(
        near.label,
        f"pairs of a centre and a molecule nearer than {cutoff_A:g} Å",
        near.time_ps,
        np.bincount(near.frames, minlength=n_frames),
        np.bincount(keys // near.n_molecules, minlength=n_frames),
    )


def average_layer_contacts(contacts: Sequence[LayerContacts]) -> LayerBinding:
    """Mean numbers over replicas, or stretches of one run.

    Raises:
        InputError: if there is no replica or no frame.
    """
    means = [
        compute_series_average([getattr(one, name) for one in contacts], unit="1")
        for name in ("n_contacts", "n_molecules")
    ]
    if means[0] is None or means[1] is None:
        raise InputError("0 frames, needs at least 1")
    first = contacts[0]
    return LayerBinding(first.label, first.definition, means[0], means[1], first.time_ps, first.n_contacts)
