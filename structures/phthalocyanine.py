"""Cobalt phthalocyanine, flat and fourfold, built from bond lengths that were measured."""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from structures.stacking import stack_atoms

COBALT_NITROGEN_A = 1.912  # mean of 1.908(2) and 1.915(2) at 4.3 K
# The ligand, from its copper complex in the gas phase.
NITROGEN_CARBON_A = 1.381
CARBON_BRIDGE_A = 1.325
PYRROLE_CARBON_CARBON_A = 1.459
BENZENE_CARBON_CARBON_A = 1.398
BENZENE_ANGLE = 121.3  # at the two carbons that both rings share, in degrees
PYRROLE_ANGLE = 107.0  # C-N-C, in degrees: the free parameter, set so that the bridging nitrogen has 120
CARBON_HYDROGEN_A = 1.087
PLANE_DISTANCE_A = 3.4


def build_cobalt_phthalocyanine() -> Atoms:
    """CoC32H16N8 in the xy plane, of symmetry D4h; cobalt at the origin, its bonds along x and y.

    Returns:
        57 atoms: Co, four nitrogens bound to it, four bridging ones, carbons, hydrogens.

    Source:
        10.1039/DT9800001688 (Co-N, neutrons), 10.1007/s11224-010-9715-6 (ligand, electron diffraction of CuPc)
    """
    nitrogen, bridge, carbons, hydrogens = _build_quarter()
    symbols, positions = ["Co"], [np.zeros((1, 3))]
    for symbol, atoms in (("N", nitrogen), ("N", bridge), ("C", carbons), ("H", hydrogens)):
        turned = np.vstack([_turn(atoms, quarters=quarters) for quarters in range(4)])
        symbols += [symbol] * len(turned)
        positions.append(turned)
    return Atoms(symbols, positions=np.vstack(positions))


def build_phthalocyanine_pair() -> Atoms:
    """Two parallel molecules 3.4 Å apart, the upper cobalt above a bridging nitrogen of the lower molecule.

    The slip is that of the β crystal, where each cobalt has such a nitrogen of either neighbour on its axis
    (Co···N 3.22 Å there). Symmetry C2h; the molecules follow each other.

    Source:
        10.1039/DT9790000676
    """
    molecule = build_cobalt_phthalocyanine()
    bridge = molecule.positions[5]
    lower, upper = stack_atoms(
        molecule, molecule, distance_A=PLANE_DISTANCE_A, slip_A=(float(bridge[0]), float(bridge[1]))
    )
    pair: Atoms = lower + upper
    return pair


def _build_quarter() -> tuple[NDArray[np.float64], ...]:
    """Nitrogen, bridging nitrogen, carbons and hydrogens of one isoindole ring, which lies along x."""
    out = math.radians(PYRROLE_ANGLE) / 2
    alpha = np.array([COBALT_NITROGEN_A, 0.0]) + NITROGEN_CARBON_A * np.array([math.cos(out), math.sin(out)])
    # |(t, t) − alpha| is the bond to the bridge on the diagonal; the farther root closes the ring.
    total = alpha.sum()
    diagonal = (total + math.sqrt(total**2 - 2 * (alpha @ alpha - CARBON_BRIDGE_A**2))) / 2
    half = BENZENE_CARBON_CARBON_A / 2
    beta = np.array([alpha[0] + math.sqrt(PYRROLE_CARBON_CARBON_A**2 - (alpha[1] - half) ** 2), half])
    turn = math.radians(BENZENE_ANGLE - 90)
    gamma = beta + BENZENE_CARBON_CARBON_A * np.array([math.cos(turn), math.sin(turn)])
    delta = np.array([gamma[0] + math.sqrt(BENZENE_CARBON_CARBON_A**2 - (gamma[1] - half) ** 2), half])
    mirrored = delta * [1, -1]
    hydrogens = [_add_hydrogen(gamma, beta, delta), _add_hydrogen(delta, gamma, mirrored)]
    return (
        _lift([np.array([COBALT_NITROGEN_A, 0.0])]),
        _lift([np.array([diagonal, diagonal])]),
        _lift([point * [1, side] for point in (alpha, beta, gamma, delta) for side in (1, -1)]),
        _lift([point * [1, side] for point in hydrogens for side in (1, -1)]),
    )


def _add_hydrogen(
    carbon: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """On the outer bisector of a carbon's two bonds."""
    inwards = sum((other - carbon) / np.linalg.norm(other - carbon) for other in (first, second))
    return carbon - CARBON_HYDROGEN_A * inwards / np.linalg.norm(inwards)


def _lift(points: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.column_stack([np.array(points), np.zeros(len(points))])


def _turn(points: NDArray[np.float64], *, quarters: int) -> NDArray[np.float64]:
    """By whole quarters about z, exactly."""
    turned = points.copy()
    for _ in range(quarters):
        turned = np.column_stack([-turned[:, 1], turned[:, 0], turned[:, 2]])
    return turned
