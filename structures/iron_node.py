"""The node of MIL-101(Fe): three iron ions round an oxide, held by six carboxylates, cut out of the framework."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

Residue = Literal["H", "C6H4NH2"]
Terminal = Literal["H2O", "OH", ""]

# Octahedral high-spin Fe(III) in basic iron carboxylates.
IRON_OXIDE_A = 1.92
IRON_CARBOXYLATE_A = 2.01
IRON_TERMINAL_A: dict[Terminal, float] = {"H2O": 2.08, "OH": 1.86}
OXIDE_IRON_CARBOXYLATE = 95.0  # angle in degrees
CARBOXYLATE_BOND_A = 1.27
CARBOXYLATE_ANGLE = 125.0  # O-C-O, in degrees
# Residues and terminal ligands: usual bond lengths and angles.
FORMATE_BOND_A = 1.10
ARYL_BOND_A = 1.49
RING_BOND_A = 1.395
RING_HYDROGEN_A = 1.085
AMINE_BOND_A = 1.37
AMINE_HYDROGEN_A = 1.01
AMINE_BEND = 3.0  # away from the carboxylate whose oxygen the amine binds to, in degrees
HYDROXYL_A = 0.97
IRON_OXYGEN_HYDROGEN: dict[Terminal, float] = {"H2O": 127.0, "OH": 118.0}  # in degrees

Atom = tuple[str, NDArray[np.float64]]


def build_iron_node(*, residue: Residue, terminals: tuple[Terminal, Terminal, Terminal]) -> Atoms:
    """[Fe3O(O2CR)6] with a water, a hydroxide or nothing on each iron; iron and oxide lie in the xy plane.

    The core has symmetry D3h, with aminobenzoates, whose amines all point the same way round, C3h; the terminal
    ligands lie in the mirror plane. It is no relaxed geometry: every bond has its usual length, whatever is around.

    Args:
        residue: R of the carboxylates: H makes it HCOO-; C6H4NH2 the 2-aminobenzoate that is left of the linker,
            2-aminoterephthalate, when its other carboxylate is replaced by hydrogen.
        terminals: on the first, second and third iron, trans to the oxide.

    Returns:
        The iron ions first, then the oxide, the carboxylates and the terminal ligands.

    Source:
        10.1107/S1600536808019806 (a basic iron(III) acetate); Cannon & White, Prog. Inorg. Chem. 36, 195 (1988)
    """
    axes = [np.array([math.cos(angle), math.sin(angle), 0.0]) for angle in (0, 2 * math.pi / 3, 4 * math.pi / 3)]
    irons = [IRON_OXIDE_A * axis for axis in axes]
    atoms: list[Atom] = [*(("Fe", iron) for iron in irons), ("O", np.zeros(3))]
    for first in range(3):
        for side in (1, -1):
            atoms += _build_carboxylate(irons[first], irons[(first + 1) % 3], side=side, residue=residue)
    for axis, terminal in zip(axes, terminals, strict=True):
        atoms += _build_terminal(axis, terminal=terminal)
    return Atoms([symbol for symbol, _ in atoms], positions=[position for _, position in atoms])


def find_carboxylate_tilt() -> float:
    """Angle between the plane of the irons and the plane of a carboxylate with its two irons, in radians.

    It follows from the angle oxide-iron-oxygen: the oxygen lies `along` the edge and `across` it from the iron, and
    its component towards the oxide is along sin 60° − across cos 60° cos(tilt).
    """
    along, across = _find_oxygen()
    towards_A = IRON_CARBOXYLATE_A * math.cos(math.radians(OXIDE_IRON_CARBOXYLATE))
    return math.acos((along * math.sin(math.pi / 3) - towards_A) / (across * math.cos(math.pi / 3)))


def _find_oxygen() -> tuple[float, float]:
    """Where an oxygen of a carboxylate lies from its iron: along the edge of the triangle, and across it, in Å."""
    edge_A = math.sqrt(3) * IRON_OXIDE_A
    bite_A = 2 * CARBOXYLATE_BOND_A * math.sin(math.radians(CARBOXYLATE_ANGLE) / 2)
    along_A = (edge_A - bite_A) / 2
    return along_A, math.sqrt(IRON_CARBOXYLATE_A**2 - along_A**2)


def _build_carboxylate(
    first: NDArray[np.float64], second: NDArray[np.float64], *, side: int, residue: Residue
) -> list[Atom]:
    """A bridge between two irons, above (side 1) or below (−1) their plane."""
    along_A, across_A = _find_oxygen()
    edge = (second - first) / np.linalg.norm(second - first)
    middle = (first + second) / 2
    tilt = find_carboxylate_tilt()
    out = math.cos(tilt) * middle / np.linalg.norm(middle) + side * math.sin(tilt) * np.array([0.0, 0.0, 1.0])
    carbon = middle + (across_A + CARBOXYLATE_BOND_A * math.cos(math.radians(CARBOXYLATE_ANGLE) / 2)) * out
    oxygens = [iron + sign * along_A * edge + across_A * out for iron, sign in ((first, 1), (second, -1))]
    bridge: list[Atom] = [("O", oxygens[0]), ("O", oxygens[1]), ("C", carbon)]
    if residue == "H":
        return [*bridge, ("H", carbon + FORMATE_BOND_A * out)]
    return bridge + _build_aminophenyl(carbon, out=out, across=edge)


def _build_aminophenyl(
    carbon: NDArray[np.float64], *, out: NDArray[np.float64], across: NDArray[np.float64]
) -> list[Atom]:
    """A benzene ring in the plane of its carboxylate, with an amine beside the bond to it, on the side of `across`."""

    def point(angle: float) -> NDArray[np.float64]:
        return -math.cos(math.radians(angle)) * out + math.sin(math.radians(angle)) * across

    centre = carbon + (ARYL_BOND_A + RING_BOND_A) * out
    ring: list[Atom] = [("C", centre + RING_BOND_A * point(angle)) for angle in range(0, 360, 60)]
    hydrogens: list[Atom] = [
        ("H", centre + (RING_BOND_A + RING_HYDROGEN_A) * point(angle)) for angle in (120, 180, 240, 300)
    ]
    nitrogen = centre + RING_BOND_A * point(60) + AMINE_BOND_A * point(60 + AMINE_BEND)
    amine: list[Atom] = [("H", nitrogen + AMINE_HYDROGEN_A * point(angle + AMINE_BEND)) for angle in (0, 120)]
    return [*ring, *hydrogens, ("N", nitrogen), *amine]


def _build_terminal(axis: NDArray[np.float64], *, terminal: Terminal) -> list[Atom]:
    if terminal == "":
        return []
    oxygen = (IRON_OXIDE_A + IRON_TERMINAL_A[terminal]) * axis
    bend = math.radians(180 - IRON_OXYGEN_HYDROGEN[terminal])
    across = np.array([-axis[1], axis[0], 0.0])
    sides = (1, -1) if terminal == "H2O" else (1,)
    hydrogens: list[Atom] = [
        ("H", oxygen + HYDROXYL_A * (math.cos(bend) * axis + side * math.sin(bend) * across)) for side in sides
    ]
    return [("O", oxygen), *hydrogens]
