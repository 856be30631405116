"""Cells and calculators that the benchmarks share."""

from pathlib import Path

from ase import Atoms

from structures.alloy import build_rotated_alloy, resolve_alloy
from structures.errors import InputError
from structures.interface import build_contact_cell
from structures.metal import build_potassium
from workflows.calculators.pod import FILES_BY_ROLE
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.store import Store

ALLOY = "M-BiSnSb"
ATOMS_PER_CELL = 12


def build_contact(n_atoms: int, *, seed: int = 0) -> Atoms:
    """Potassium on M-BiSnSb with about as many atoms, three in four of them the alloy's.

    Args:
        n_atoms: number of atoms to come near to.
        seed: of the decoration.

    Returns:
        A contact cell, periodic in all directions.

    Raises:
        InputError: if the metal fits no alloy of that size.
    """
    record = resolve_alloy(ALLOY)
    found: list[Atoms] = []
    for n_x, n_y, n_z in _shapes(0.75 * n_atoms / ATOMS_PER_CELL):
        alloy = build_rotated_alloy(record, repeats=(n_x, n_y, n_z), seed=seed)
        thickness_A = max(alloy.cell.lengths()[2] * 0.8, 12.0)
        try:
            # Speed does not ask for little strain, and small cells do not offer it.
            cell = build_contact_cell(alloy, metal=build_potassium(), metal_thickness_A=thickness_A, max_strain=0.2)
            found.append(cell.atoms)
        except InputError:
            continue  # the metal does not fit this lateral cell
    if not found:
        raise InputError(f"no contact cell has about {n_atoms} atoms; ask for 300 or more")
    return min(found, key=lambda atoms: abs(len(atoms) - n_atoms))


def _shapes(n_cells: float) -> list[tuple[int, int, int]]:
    """Near-cubic repeats of the rotated cell (4.4 × 11.7 × 7.6 Å) with about as many cells."""
    edge = (n_cells * 4.41 * 11.71 * 7.63) ** (1 / 3)
    n_x, n_z = edge / 4.41, edge / 7.63
    shapes = []
    for x in (round(n_x) - 1, round(n_x), round(n_x) + 1):
        for z in (round(n_z), round(n_z) + 1):
            y = round(n_cells / max(x * z, 1))
            if min(x, y, z) >= 1:
                shapes.append((x, y, z))
    return shapes


def build_pod_spec(store: Store, *, potential: Path) -> CalculatorSpec:
    """The embedded potential in a folder, its files put into the store.

    Raises:
        SystemExit: if the folder has no potential.
    """
    missing = [name for name in FILES_BY_ROLE.values() if not (potential / name).is_file()]
    if missing:
        raise SystemExit(f"{potential} lacks {', '.join(missing)}; give a potential's folder with --potential DIR.")
    models = {role: store.add_blob(potential / name) for role, name in FILES_BY_ROLE.items()}
    return CalculatorSpec(name="pod", models=models)
