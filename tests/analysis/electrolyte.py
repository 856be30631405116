"""Small systems of ions above an electrode, for tests of what is measured on them."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from MDAnalysis import Universe
from numpy.typing import NDArray

from analysis.trajectory import build_universe

CELL_A = np.array([[26.0, 0.0, 0.0], [5.0, 25.0, 0.0], [0.0, 0.0, 40.0]])
# Of the shape of TFSI⁻ as far as the analysis cares: N between two S, each with two O.
ANION = Atoms("NS2O4", positions=[[0, 0, 0], [1, 0.8, 0], [-1, 0.8, 0], [1, 1, 1], [1, 1, -1], [-1, 1, 1], [-1, 1, -1]])
ELECTRODE_TOP_A = 3.0


def build_electrode() -> Atoms:
    """Two layers of 5 × 5 Li at 1 and 3 Å."""
    ticks = (np.arange(5) + 0.5) / 5
    flat = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2) @ CELL_A[:2, :2]
    layers = [np.column_stack([flat, np.full(25, z)]) for z in (1.0, ELECTRODE_TOP_A)]
    return Atoms("Li50", positions=np.concatenate(layers), cell=CELL_A, pbc=True)


def build_system(frames: Sequence[NDArray[np.float64]], *, n_anions: int, n_cations: int) -> Universe:
    """The electrode with anions and cations; frames of all positions, shape (n_frames, n_atoms, 3)."""
    atoms = build_electrode()
    for _ in range(n_anions):
        atoms += ANION
    atoms += Atoms(f"Li{n_cations}", positions=np.zeros((n_cations, 3)))
    sizes = [50, *[len(ANION)] * n_anions, *[1] * n_cations]
    names = ["electrode", *["TFSI-"] * n_anions, *["Li+"] * n_cations]
    atoms.arrays["molecule"] = np.repeat(np.arange(len(sizes)), sizes)
    atoms.arrays["species"] = np.repeat(names, sizes)
    atoms.arrays["region"] = np.repeat(["electrode", *["electrolyte"] * (n_anions + n_cations)], sizes)
    universe = build_universe(atoms)
    dimensions = np.tile(universe.dimensions, (len(frames), 1))
    universe.load_new(np.array(frames, dtype=np.float32), order="fac", dimensions=dimensions, dt=0.5)
    return universe


def draw_frames(*, n_frames: int, n_anions: int, n_cations: int, seed: int) -> list[NDArray[np.float64]]:
    """Anions turned and put at random, cations at random, all N and Li⁺ evenly between the faces of the electrode."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n_frames):
        places = rng.uniform(0, 1, (n_anions + n_cations, 3)) * [1, 1, 38 / 40] @ CELL_A + [0, 0, ELECTRODE_TOP_A]
        turns = np.linalg.qr(rng.normal(size=(n_anions, 3, 3)))[0]
        anions = ANION.positions @ turns + places[:n_anions, None]
        frames.append(np.concatenate([build_electrode().positions, anions.reshape(-1, 3), places[n_anions:]]))
    return frames
