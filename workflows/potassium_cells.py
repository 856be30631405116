"""The cells of the flow `potassium-diffusion`: potassium on an alloy with dislocations and on the same without."""

from pathlib import Path

from ase import Atoms

from analysis.contact_geometry import ContactGeometry, build_contact_geometry
from structures.alloy import AlloyRecord, build_rotated_alloy, format_alloy, resolve_alloy
from structures.checks import check_cell_for_cutoff
from structures.decoration import decorate
from structures.dislocation import DislocationDipole, build_dislocation_dipole
from structures.errors import InputError
from structures.files import read_structure
from structures.interface import ContactCell, build_contact_cell
from structures.metal import build_potassium
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig, StructureSection

DEFAULT_GAP_A = 3.0
POTENTIAL_CUTOFF_A = 6.0
MOBILE = "K"
DISLOCATION, CONTROL = "dislocation", "control"


def find_alloy(structure: StructureSection) -> AlloyRecord | None:
    """What is known of the alloy that is built; None if it is the user's own."""
    return None if structure.alloy_file is not None else _resolve_built_alloy(structure)


def _resolve_built_alloy(structure: StructureSection) -> AlloyRecord:
    return resolve_alloy(structure.alloy, a_A=structure.a_A, c_A=structure.c_A, z=structure.z)


def build_dipole(structure: StructureSection) -> DislocationDipole:
    """The alloy with its dislocations, and its control."""
    return build_dislocation_dipole(
        _resolve_built_alloy(structure),
        repeats=structure.repeats,
        seed=structure.seed,
        burgers_vector=structure.dislocation.burgers_vector,
        arrangement=structure.dislocation.arrangement,
    )


def build_cells(config: PotassiumDiffusionConfig, *, gap_A: float = DEFAULT_GAP_A) -> dict[str, ContactCell]:
    """The contact cell of each case, potassium at the given gap.

    Args:
        config: of the flow.
        gap_A: distance of potassium and alloy, in Å.

    Returns:
        Case to cell. Both have the same cell, atoms, decoration, faces, interface height and potassium.

    Raises:
        InputError: if a cell cannot be built as asked, is too small for the potential's cut-off, or its sides cannot be
            told apart.
    """
    structure = config.structure
    metal = read_side(structure.potassium_file, region="potassium") or build_potassium()
    own_alloy = read_side(structure.alloy_file, region="alloy")
    check_sides(structure, metal=metal, own_alloy=own_alloy)
    alloys: dict[str, Atoms] = {}
    geometry = None
    if own_alloy is not None:
        if DISLOCATION in structure.cases:
            raise InputError(
                f"structure.cases is {list(structure.cases)}, but a dislocation can only be put into an alloy that is "
                "built here, not into structure.alloy_file. Set structure.cases: [control]."
            )
        alloys[CONTROL] = own_alloy
    elif DISLOCATION in structure.cases:
        dipole = build_dipole(structure)
        alloys, geometry = {DISLOCATION: dipole.defective, CONTROL: dipole.perfect}, dipole.geometry
    else:
        record = _resolve_built_alloy(structure)
        rotated = build_rotated_alloy(record, repeats=structure.repeats)
        alloys[CONTROL] = decorate(rotated, composition=record.composition, seed=structure.seed)
    cells: dict[str, ContactCell] = {
        case: build_contact_cell(
            alloys[case],
            metal=metal,
            reference=alloys[CONTROL],
            gap_A=gap_A,
            metal_thickness_A=structure.metal_thickness_A,
            vacuum_A=structure.vacuum_A,
            anchor_thickness_A=structure.anchor_thickness_A,
            max_strain=structure.max_strain,
            geometry=geometry if case == DISLOCATION else None,
        )
        for case in structure.cases
    }
    for cell in cells.values():
        check_cell_for_cutoff(cell.atoms, cutoff_A=POTENTIAL_CUTOFF_A)
    return cells


def check_sides(structure: StructureSection, *, metal: Atoms, own_alloy: Atoms | None) -> None:
    """Check that potassium is on the metal's side alone: it is counted by its element, wherever it lies.

    Raises:
        InputError: if the user's alloy holds potassium, or the user's metal holds none.
    """
    n_inside = 0 if own_alloy is None else int((own_alloy.symbols == MOBILE).sum())
    if n_inside:
        raise InputError(
            f"structure.alloy_file is {structure.alloy_file}, which holds {n_inside} {MOBILE} atoms, needs 0: they "
            f"would count as {MOBILE} that has gone in from the metal. Take them out of the alloy."
        )
    if MOBILE not in metal.symbols:
        raise InputError(
            f"structure.potassium_file is {structure.potassium_file}, which holds {metal.symbols.formula:metal}, needs "
            f"{MOBILE}: what this flow measures is where {MOBILE} goes. Give the conventional cell of potassium."
        )


def find_elements(structure: StructureSection) -> list[str]:
    """Elements of both sides, known before anything is built of them."""
    metal = read_side(structure.potassium_file, region="potassium") or build_potassium()
    alloy = read_side(structure.alloy_file, region="alloy")
    chosen = alloy.symbols if alloy is not None else _resolve_built_alloy(structure).composition
    return sorted({*metal.symbols, *chosen})


def count_elements(atoms: Atoms) -> dict[str, int]:
    """Elements by name, and how many atoms there are of each."""
    return dict(sorted(atoms.symbols.formula.count().items()))


def name_alloy(structure: StructureSection) -> str:
    """What people call the alloy: its file, its name or its composition."""
    if structure.alloy_file is not None:
        return Path(structure.alloy_file).name
    return format_alloy(structure.alloy)


def read_side(path: str | None, *, region: str) -> Atoms | None:
    """The user's own structure for one side of the interface, or None if there is none."""
    if path is None:
        return None
    atoms = read_structure(path)
    atoms.set_array("region", None)
    atoms.set_array("region", [region] * len(atoms), dtype="<U9")
    return atoms


def build_geometries(config: PotassiumDiffusionConfig, *, cells: dict[str, ContactCell]) -> dict[str, ContactGeometry]:
    """Where interface and lines are in each case; the control is looked at in the same columns."""
    dislocated = cells.get(DISLOCATION)
    lines = dislocated.core_positions_A if dislocated is not None else None
    return {
        case: build_contact_geometry(
            cell,
            lines_A=lines,
            core_radius_A=config.analysis.core_radius_A,
            interface_width_A=config.analysis.interface_width_A,
        )
        for case, cell in cells.items()
    }
