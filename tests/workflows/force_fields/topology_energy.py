"""Energies of a topology by its definitions, atom by atom and without boundaries: slow, and easy to believe."""

import numpy as np
from ase.units import Bohr, Hartree
from numpy.typing import NDArray

from workflows.force_fields.topology import Topology

COULOMB_EV_A = Hartree * Bohr
Positions = NDArray[np.float64]


def compute_energies(topology: Topology, *, positions_A: Positions) -> dict[str, float]:
    """Energy in eV of each kind of term, and of the pairs."""
    energies = {
        kind: sum(
            EVALUATORS[kind, terms.types[row].form](positions_A[atoms], terms.types[row].coefficients)
            for atoms, row in zip(terms.atoms, terms.kinds, strict=True)
        )
        for kind in ("bonds", "angles", "dihedrals", "impropers")
        for terms in [topology.terms(kind)]
    }
    return energies | compute_pair_energies(topology, positions_A=positions_A)


def compute_pair_energies(topology: Topology, *, positions_A: Positions) -> dict[str, float]:
    apart = [frozenset(map(int, pair)) for pair in topology.bonds.atoms]
    apart += [frozenset((int(first), int(last))) for first, _, last in topology.angles.atoms]
    excluded = set(apart)
    of, van_der_waals, coulomb = topology.types_of_atoms, 0.0, 0.0
    assert topology.lennard_jones_scale_14 == topology.coulomb_scale_14 == 1
    assert topology.mixing == "geometric"
    for first in range(len(topology)):
        for second in range(first):
            if frozenset((first, second)) not in excluded:
                distance = np.linalg.norm(positions_A[first] - positions_A[second])
                ratio = np.sqrt(of[first].sigma_A * of[second].sigma_A) / distance
                van_der_waals += 4 * np.sqrt(of[first].epsilon_eV * of[second].epsilon_eV) * (ratio**12 - ratio**6)
                coulomb += COULOMB_EV_A * topology.charges_e[first] * topology.charges_e[second] / distance
    return {"van_der_waals": float(van_der_waals), "coulomb": float(coulomb)}


def compute_forces(topology: Topology, *, positions_A: Positions, step_A: float = 1e-5) -> Positions:
    """Central differences of the total energy, shape (n_atoms, 3), in eV/Å."""
    forces = np.zeros_like(positions_A)
    for index in np.ndindex(*positions_A.shape):
        sides = []
        for sign in (1, -1):
            moved = positions_A.copy()
            moved[index] += sign * step_A
            sides.append(sum(compute_energies(topology, positions_A=moved).values()))
        forces[index] = (sides[1] - sides[0]) / (2 * step_A)
    return forces


def measure_angle(first: Positions, second: Positions) -> float:
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.arccos(np.clip(cosine, -1, 1)))


def measure_dihedral(points: Positions) -> float:
    """180 degrees for trans."""
    first, middle, last = points[1] - points[0], points[2] - points[1], points[3] - points[2]
    normals = np.cross(first, middle), np.cross(middle, last)
    return float(np.arctan2(np.cross(*normals) @ middle / np.linalg.norm(middle), normals[0] @ normals[1]))


def measure_elevations(points: Positions) -> list[float]:
    """Of each of the three bonds of the first point above the plane of the two others."""
    arms = points[1:] - points[0]
    elevations = []
    for turn in range(3):
        bond, one, other = np.roll(arms, -turn, axis=0)
        normal = np.cross(one, other)
        elevations.append(float(np.arcsin(bond @ normal / np.linalg.norm(bond) / np.linalg.norm(normal))))
    return elevations


def evaluate_cosines(points: Positions, values: tuple[float, ...]) -> float:
    phi = measure_dihedral(points)
    threes = np.reshape(values, (-1, 3))
    return float(sum(k * (1 + np.cos(n * phi - np.radians(phase))) for k, n, phase in threes))


def evaluate_fourier(theta: float, values: tuple[float, ...]) -> float:
    k, c0, c1, c2 = values
    return float(k * (c0 + c1 * np.cos(theta) + c2 * np.cos(2 * theta)))


def bend(points: Positions) -> float:
    return measure_angle(points[0] - points[1], points[2] - points[1])


EVALUATORS = {
    ("bonds", "harmonic"): lambda points, v: v[0] / 2 * (np.linalg.norm(points[1] - points[0]) - v[1]) ** 2,
    ("angles", "harmonic"): lambda points, v: v[0] / 2 * (bend(points) - np.radians(v[1])) ** 2,
    ("angles", "cosine"): lambda points, v: v[0] * (1 + v[1] * np.cos(v[2] * bend(points))),
    ("angles", "fourier"): lambda points, v: evaluate_fourier(bend(points), v),
    ("dihedrals", "cosines"): evaluate_cosines,
    ("impropers", "cosines"): evaluate_cosines,
    ("impropers", "inversion"): lambda points, v: np.mean(
        [evaluate_fourier(omega, v) for omega in measure_elevations(points)]
    ),
}
