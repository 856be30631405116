"""Sites of molecules (atoms of an element, a centre of mass), axes of molecules, and the surface they come near."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.regions import check_cell
from analysis.trajectory import get_elements
from structures.errors import InputError

CENTRE = "centre of mass"


@dataclass(frozen=True, eq=False)
class Site:
    """Points that the molecules of a species have alike.

    Attributes:
        species: name of the species, e.g. "TFSI-".
        name: element, or "centre of mass".
        atoms: indices, shape (n_molecules, n_atoms of one molecule).
        masses_u: of the atoms of one molecule, shape (n_atoms of one molecule,), in u.
        is_centre: whether the atoms give one point, their centre of mass, or each its own.
    """

    species: str
    name: str
    atoms: NDArray[np.int64]
    masses_u: NDArray[np.float64]
    is_centre: bool = False

    @property
    def label(self) -> str:
        """Species and name; once if they are the same."""
        return self.name if self.name == self.species else f"{self.species} {self.name}"

    @property
    def molecules(self) -> NDArray[np.int64]:
        """Row of the molecule of each point, shape (n_points,)."""
        n_molecules, n_atoms = self.atoms.shape
        return np.repeat(np.arange(n_molecules), 1 if self.is_centre else n_atoms)

    @property
    def mass_u(self) -> float:
        """Mean mass of a point, in u."""
        return float(self.masses_u.sum() if self.is_centre else self.masses_u.mean())

    def locate(self, positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """The points of a frame, shape (n_points, 3), in Å; molecules shorter than half the cell may be wrapped."""
        if not self.is_centre:
            return positions_A[self.atoms.ravel()]
        whole = join_molecules(positions_A[self.atoms], cell_A=cell_A)
        return np.asarray(whole.transpose(0, 2, 1) @ (self.masses_u / self.masses_u.sum()))


@dataclass(frozen=True, eq=False)
class Axis:
    """A direction that the molecules of a species have alike, from the mean of some atoms to the mean of others.

    Attributes:
        species: name of the species.
        name: e.g. "S to S".
        tails: indices, shape (n_molecules, n_tails).
        heads: indices, shape (n_molecules, n_heads).
    """

    species: str
    name: str
    tails: NDArray[np.int64]
    heads: NDArray[np.int64]

    def compute_cosines(self, positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cosine of the angle of each molecule's axis to z, shape (n_molecules,)."""
        atoms = np.concatenate([self.tails, self.heads], axis=1)
        whole = join_molecules(positions_A[atoms], cell_A=cell_A)
        n_tails = self.tails.shape[1]
        axes = whole[:, n_tails:].mean(axis=1) - whole[:, :n_tails].mean(axis=1)
        return np.asarray(axes[:, 2] / np.linalg.norm(axes, axis=1))


def join_molecules(positions_A: NDArray[np.float64], *, cell_A: NDArray[np.float64]) -> NDArray[np.float64]:
    """Molecules made whole: each atom at the image nearest to the first of its molecule, shape (n_molecules, n, 3)."""
    first = positions_A[:, :1]
    apart = positions_A - first
    return np.asarray(first + apart - np.round(apart @ np.linalg.inv(cell_A)) @ cell_A)


def get_molecules(universe: Universe, *, species: str) -> list[NDArray[np.int64]]:
    """Indices of the atoms of each molecule of a species; molecules are residues, species their names.

    Raises:
        InputError: if there is none.
    """
    names = np.asarray(getattr(universe.residues, "resnames", np.empty(0)), dtype=str)
    found = [np.asarray(residue.atoms.indices, dtype=np.int64) for residue in universe.residues[names == species]]
    if not found:
        there = ", ".join(dict.fromkeys(names.tolist())) or "no names of residues"
        raise InputError(f"species is {species}, but the system has {there}; name one of these")
    return found


def build_sites(
    universe: Universe, *, species: str, names: Sequence[str] | None = None, centre: bool = True
) -> list[Site]:
    """Sites of the molecules of a species: its elements, one site each, and the centre of mass.

    Args:
        universe: system with elements and masses; molecules are residues, species their names.
        species: name of the species.
        names: elements; None for all that it has.
        centre: whether the centre of mass is a site too; never of species that are single atoms.

    Returns:
        The sites.

    Raises:
        InputError: if there is no such species or element, or its molecules differ.
    """
    molecules = get_molecules(universe, species=species)
    elements, masses = get_elements(universe), np.asarray(universe.atoms.masses, dtype=float)
    formulas = {tuple(elements[atoms].tolist()) for atoms in molecules}
    if len(formulas) > 1:
        raise InputError(
            f"{len(formulas)} sorts of molecules are named {species}, needs equal atoms in equal order; name them apart"
        )
    own = elements[molecules[0]]
    sites = []
    for name in dict.fromkeys(own.tolist()) if names is None else names:
        if name not in own:
            raise InputError(f"site {name} is not in {species}, which has {', '.join(dict.fromkeys(own.tolist()))}")
        atoms = np.array([one[own == name] for one in molecules])
        sites.append(Site(species, name, atoms, masses[atoms[0]]))
    if centre and own.size > 1:
        atoms = np.array(molecules)
        sites.append(Site(species, CENTRE, atoms, masses[atoms[0]], is_centre=True))
    return sites


def build_axis(universe: Universe, *, species: str, tails: str, heads: str) -> Axis:
    """The axis from the atoms of one element to those of another; from the first to the last if they are the same.

    Args:
        universe: system with elements; molecules are residues, species their names.
        species: name of the species.
        tails: element at the tail, e.g. "N".
        heads: element at the head, e.g. "S": of TFSI⁻ from N to the midpoint of both S.

    Raises:
        InputError: if there is no such species or element, or an element that is both ends has only one atom.
    """
    names = dict.fromkeys((tails, heads))
    sites = {site.name: site.atoms for site in build_sites(universe, species=species, names=list(names), centre=False)}
    if tails != heads:
        return Axis(species, f"{tails} to {heads}", sites[tails], sites[heads])
    both = sites[tails]
    if both.shape[1] < 2:  # noqa: PLR2004 - an axis has two ends
        raise InputError(f"{species} has one atom {tails}, needs two for an axis from {tails} to {heads}; name another")
    return Axis(species, f"{tails} to {heads}", both[:, :1], both[:, -1:])


@dataclass(frozen=True, eq=False)
class Surface:
    """Atoms at the faces of an electrode that stands across z, and the slab between that molecules may enter.

    Attributes:
        name: of the atoms, e.g. "Li".
        upper: indices of the atoms of the face that molecules are above.
        lower: indices of those of a face that molecules are below; may be none.
        accessible_A: thickness of the slab above the upper face, in Å; None for up to the lower face.
        is_periodic: whether z is periodic.
    """

    name: str
    upper: NDArray[np.int64]
    lower: NDArray[np.int64]
    accessible_A: float | None = None
    is_periodic: bool = True

    def __post_init__(self) -> None:
        """Refuse a surface without atoms, or without an end of the slab."""
        if self.upper.size == 0:
            raise InputError(f"surface {self.name} has 0 atoms, needs at least 1; choose others")
        if self.accessible_A is None and self.lower.size == 0:
            raise InputError(f"surface {self.name} has one face and no accessible_A; say up to where molecules may go")
        if self.accessible_A is not None and not self.accessible_A > 0:
            raise InputError(f"accessible_A is {self.accessible_A}, needs a thickness above 0 Å")

    @property
    def atoms(self) -> NDArray[np.int64]:
        """Atoms of both faces, each once: of a single layer of atoms the faces are the same."""
        return np.concatenate([self.upper, np.setdiff1d(self.lower, self.upper)])

    def measure(self, positions_A: NDArray[np.float64], *, cell_A: ArrayLike) -> tuple[float, float, float | None]:
        """Mean height of the upper face, thickness of the slab above it, and the gap to the slab's image, in Å."""
        height = float(check_cell(cell_A)[2, 2])
        low = _average_height(positions_A[self.upper, 2], height_A=height, is_periodic=self.is_periodic)
        thickness = self.accessible_A
        if thickness is None:
            high = _average_height(positions_A[self.lower, 2], height_A=height, is_periodic=self.is_periodic)
            thickness = (high - low) % height if self.is_periodic else high - low
        if not thickness > 0 or (self.is_periodic and thickness > height):
            raise InputError(
                f"the slab above surface {self.name} is {thickness:.2f} Å thick, needs more than 0 and at most the "
                f"{height:.2f} Å of the cell; check accessible_A and the faces"
            )
        return low, thickness, height - thickness if self.is_periodic else None


def _average_height(z_A: NDArray[np.float64], *, height_A: float, is_periodic: bool) -> float:
    """Mean height of atoms, some of which may be wrapped."""
    apart = z_A - z_A[0]
    return float(z_A[0] + (apart - np.round(apart / height_A) * height_A if is_periodic else apart).mean())


def find_surface(
    universe: Universe,
    *,
    electrode: ArrayLike,
    name: str = "Li",
    layer_A: float = 1.0,
    both: bool = True,
    accessible_A: float | None = None,
    is_periodic: bool = True,
) -> Surface:
    """The outermost atoms of an electrode in the first frame.

    Args:
        universe: system with a cell whose c is along z.
        electrode: indices of its atoms.
        name: of the surface.
        layer_A: atoms within this of the outermost one are at the surface, in Å.
        both: whether molecules touch its lower face too, from below or through the periodic boundary.
        accessible_A: thickness of the slab above the upper face that molecules may enter, in Å; None for up to the
            lower face of the electrode or its image.
        is_periodic: whether z is periodic. If not, and both faces count, the upper half of the electrode's atoms is
            taken as the other electrode, whose lower face it is.

    Returns:
        The surface.

    Raises:
        InputError: if there are no atoms or no cell.
    """
    atoms = np.asarray(electrode, dtype=np.int64)
    if atoms.size == 0:
        raise InputError("the electrode has 0 atoms, needs at least 1; check the selection")
    universe.trajectory[0]
    if universe.trajectory.ts.dimensions is None:
        raise InputError("frame 0 has no cell; set universe.dimensions")
    height = float(check_cell(universe.trajectory.ts.triclinic_dimensions)[2, 2])
    z = universe.atoms.positions[atoms, 2].astype(float)
    if is_periodic:
        # The slab begins above the widest gap between its atoms, which is where molecules are.
        order = np.sort(np.mod(z, height))
        gaps = np.diff(np.append(order, order[0] + height))
        z = np.mod(z - order[(int(np.argmax(gaps)) + 1) % order.size] + layer_A / 2, height)
    low, high = z.min(), z.max()
    if not is_periodic and both:
        middle = 0.5 * (low + high)
        high, low = z[z < middle].max(initial=low), z[z >= middle].min(initial=high)
        upper, lower = atoms[(z <= high) & (z >= high - layer_A)], atoms[(z >= low) & (z <= low + layer_A)]
    else:
        upper, lower = atoms[z >= high - layer_A], atoms[z <= low + layer_A] if both else atoms[:0]
    return Surface(name, upper, lower, accessible_A, is_periodic)
