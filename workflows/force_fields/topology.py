"""What a force field makes of atoms: types, charges and every term that acts, in no engine's words.

Energies in eV, lengths in Å, charges in e. Angles of rest and phases are in degrees, as tables give them; θ, φ and ω
are the angles themselves:

- bond `harmonic` (k_eV_per_A2, r0_A): k/2 (r − r0)²
- angle `harmonic` (k_eV_per_rad2, theta0_deg): k/2 (θ − θ0)²
- angle `fourier` (k_eV, c0, c1, c2): k (c0 + c1 cos θ + c2 cos 2θ)
- angle `cosine` (k_eV, sign, n): k (1 + sign cos nθ)
- dihedral `cosines` (k_eV, n, phase_deg, and so on in threes): Σ k (1 + cos(nφ − δ)), φ = 180° for trans
- improper `cosines` (k_eV, n, phase_deg): the same over the dihedral of its four atoms in their order
- improper `inversion` (k_eV, c0, c1, c2): k (c0 + c1 cos ω + c2 cos 2ω), the mean over the three ω between a bond of
  the central atom, which is the first, and the plane of the two others
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from structures.errors import InputError

SCHEMA_VERSION = 1
KINDS = {"bonds": 2, "angles": 3, "dihedrals": 4, "impropers": 4}
FORMS: dict[str, tuple[str, ...]] = {
    "bonds": ("harmonic",),
    "angles": ("harmonic", "fourier", "cosine"),
    "dihedrals": ("cosines",),
    "impropers": ("cosines", "inversion"),
}
Mixing = Literal["geometric", "arithmetic"]


@dataclass(frozen=True)
class AtomType:
    """A type of atoms: mass and Lennard-Jones parameters, E = 4 ε [(σ/r)¹² − (σ/r)⁶].

    Attributes:
        name: of the force field, e.g. `NBT`.
        element: chemical symbol.
        mass_u: in u.
        sigma_A: in Å.
        epsilon_eV: in eV.
        source: table and citation.
    """

    name: str
    element: str
    mass_u: float
    sigma_A: float
    epsilon_eV: float
    source: str = ""


@dataclass(frozen=True)
class TermType:
    """A functional form with its coefficients, see the module.

    Attributes:
        label: types of its atoms, e.g. `CBT-SBT-NBT`.
        form: one of `FORMS`.
        coefficients: in the order of the form.
        source: table and citation.
    """

    label: str
    form: str
    coefficients: tuple[float, ...]
    source: str = ""


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of one kind.

    Attributes:
        atoms: indices, shape (n_terms, 2), (n_terms, 3) or (n_terms, 4).
        kinds: row in `types` of each term, shape (n_terms,).
        types: the different ones.
    """

    atoms: NDArray[np.int64]
    kinds: NDArray[np.int64]
    types: tuple[TermType, ...] = ()

    def __len__(self) -> int:
        """How many there are."""
        return len(self.atoms)


def no_terms(n_atoms: int) -> Terms:
    """No terms of so many atoms each."""
    return Terms(np.empty((0, n_atoms), dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Topology:
    """Atoms as a force field sees them, without their positions.

    Pairs that one or two bonds part do not interact; those that three bonds part do, scaled; all others fully.

    Attributes:
        atom_types: the different ones.
        kinds: row in `atom_types` of each atom, shape (n_atoms,).
        charges_e: shape (n_atoms,), in e.
        molecules: number of each atom's molecule from 0, shape (n_atoms,).
        bonds: of two atoms each.
        angles: of three, the middle one in the middle.
        dihedrals: of four in a row.
        impropers: of four round a centre, see the module.
        mixing: of σ of unlike types; ε is always the geometric mean.
        lennard_jones_scale_14: of pairs that three bonds part.
        coulomb_scale_14: of pairs that three bonds part.
        notes: what a reader must know: terms that the force field lacks, parameters taken from elsewhere.
    """

    atom_types: tuple[AtomType, ...]
    kinds: NDArray[np.int64]
    charges_e: NDArray[np.float64]
    molecules: NDArray[np.int64]
    bonds: Terms = field(default_factory=lambda: no_terms(2))
    angles: Terms = field(default_factory=lambda: no_terms(3))
    dihedrals: Terms = field(default_factory=lambda: no_terms(4))
    impropers: Terms = field(default_factory=lambda: no_terms(4))
    mixing: Mixing = "geometric"
    lennard_jones_scale_14: float = 1.0
    coulomb_scale_14: float = 1.0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many atoms there are."""
        return len(self.kinds)

    def terms(self, kind: str) -> Terms:
        """The terms of a kind of `KINDS`."""
        found: Terms = getattr(self, kind)
        return found

    @property
    def types_of_atoms(self) -> tuple[AtomType, ...]:
        """The type of each atom."""
        return tuple(self.atom_types[kind] for kind in self.kinds)


def join_topologies(parts: Sequence[tuple[Topology, int]]) -> Topology:
    """Several topologies one after the other, each as often as asked; equal types become one.

    Args:
        parts: each with how many copies of it follow each other; at least one.

    Raises:
        InputError: if they mix, or scale the ends of dihedrals, in different ways.
    """
    atom_types: dict[AtomType, int] = {}
    kinds, charges, molecules = [], [], []
    term_types: dict[str, dict[TermType, int]] = {name: {} for name in KINDS}
    term_atoms: dict[str, list[NDArray[np.int64]]] = {name: [] for name in KINDS}
    term_kinds: dict[str, list[NDArray[np.int64]]] = {name: [] for name in KINDS}
    first_atom, first_molecule = 0, 0
    for part, copies in parts:
        rows = np.array([atom_types.setdefault(of, len(atom_types)) for of in part.atom_types], dtype=np.int64)
        kinds.append(np.tile(rows[part.kinds], copies))
        charges.append(np.tile(part.charges_e, copies))
        n_molecules = int(part.molecules.max()) + 1 if len(part) else 0
        shifts = np.arange(copies, dtype=np.int64)
        molecules.append((first_molecule + shifts[:, None] * n_molecules + part.molecules).ravel())
        for name, width in KINDS.items():
            terms, known = part.terms(name), term_types[name]
            rows = np.array([known.setdefault(of, len(known)) for of in terms.types], dtype=np.int64)
            atoms = first_atom + shifts[:, None, None] * len(part) + terms.atoms
            term_atoms[name].append(atoms.reshape(-1, width))
            term_kinds[name].append(np.tile(rows[terms.kinds], copies))
        first_atom += copies * len(part)
        first_molecule += copies * n_molecules
    mixing, scales = _find_common_rules([part for part, copies in parts if copies])
    joined = {
        name: Terms(np.concatenate(term_atoms[name]), np.concatenate(term_kinds[name]), tuple(term_types[name]))
        for name in KINDS
    }
    return Topology(
        atom_types=tuple(atom_types),
        kinds=np.concatenate(kinds),
        charges_e=np.concatenate(charges),
        molecules=np.concatenate(molecules),
        mixing=mixing,
        lennard_jones_scale_14=scales[0],
        coulomb_scale_14=scales[1],
        notes=tuple(dict.fromkeys(note for part, _ in parts for note in part.notes)),
        **joined,
    )


def _find_common_rules(parts: Sequence[Topology]) -> tuple[Mixing, tuple[float, float]]:
    """Mixing and scales, which parts without dihedrals leave open."""
    mixings = {part.mixing for part in parts}
    if len(mixings) > 1:
        raise InputError(
            f"mixing is {' and '.join(sorted(mixings))} in parts of one system, needs one rule for all. Choose it with "
            "force_field.mixing."
        )
    scales = {(part.lennard_jones_scale_14, part.coulomb_scale_14): None for part in parts if len(part.dihedrals)} or {
        (1.0, 1.0): None
    }
    if len(scales) > 1:
        raise InputError(
            f"The ends of dihedrals are scaled by (Lennard-Jones, Coulomb) {' and '.join(map(str, scales))} in parts "
            "of one system, needs one pair of scales: hold all but one part rigid, or take one force field."
        )
    return next(iter(mixings), "geometric"), next(iter(scales))


def write_topology(topology: Topology) -> dict[str, Any]:
    """A topology as JSON values."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "atom_types": [vars(of) for of in topology.atom_types],
        "kinds": topology.kinds.tolist(),
        "charges_e": topology.charges_e.tolist(),
        "molecules": topology.molecules.tolist(),
        "mixing": topology.mixing,
        "lennard_jones_scale_14": topology.lennard_jones_scale_14,
        "coulomb_scale_14": topology.coulomb_scale_14,
        "notes": list(topology.notes),
    }
    for name in KINDS:
        terms = topology.terms(name)
        types = [vars(of) | {"coefficients": list(of.coefficients)} for of in terms.types]
        document[name] = {"types": types, "atoms": terms.atoms.tolist(), "kinds": terms.kinds.tolist()}
    return document


def read_topology(document: dict[str, Any]) -> Topology:
    """The inverse of `write_topology`.

    Raises:
        InputError: if it is of another version.
    """
    if document.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"schema_version of a topology is {document.get('schema_version')!r}, needs {SCHEMA_VERSION}: write it "
            "anew with this version of alkaliflow."
        )
    terms = {
        name: Terms(
            np.array(document[name]["atoms"], dtype=np.int64).reshape(-1, width),
            np.array(document[name]["kinds"], dtype=np.int64),
            tuple(TermType(**{**of, "coefficients": tuple(of["coefficients"])}) for of in document[name]["types"]),
        )
        for name, width in KINDS.items()
    }
    return Topology(
        atom_types=tuple(AtomType(**of) for of in document["atom_types"]),
        kinds=np.array(document["kinds"], dtype=np.int64),
        charges_e=np.array(document["charges_e"], dtype=np.float64),
        molecules=np.array(document["molecules"], dtype=np.int64),
        mixing=document["mixing"],
        lennard_jones_scale_14=document["lennard_jones_scale_14"],
        coulomb_scale_14=document["coulomb_scale_14"],
        notes=tuple(document["notes"]),
        **terms,
    )
