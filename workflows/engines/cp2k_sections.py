"""Sections of CP2K's input as nested mappings."""

from collections.abc import Mapping, Sequence
from typing import Any

from ase import Atoms
from ase.units import Bohr, Hartree, kB

from structures.errors import InputError
from workflows.calculators.cp2k_installation import POTENTIAL
from workflows.calculators.written_settings import Cp2kSettings
from workflows.engines.written_inputs import Boundary, find_hubbard_shell, is_cube

_LIGHT = {"H", "C", "N", "O", "F", "Si", "P", "S", "Cl"}
_SHELLS = {"p": 1, "d": 2, "f": 3}
_DISPERSION = {"d3zero": "DFTD3", "d3bj": "DFTD3(BJ)"}
_FUNCTIONALS: dict[str, dict[str, Any]] = {
    "PBE": {"PBE": {}},
    "revPBE": {"PBE": {"PARAMETRIZATION": "REVPBE"}},
    "RPBE": {"GGA_X_RPBE": {}, "GGA_C_PBE": {}},
}
_INNER_SCF, _OUTER_SCF = 40, 10
SCF_HELP: tuple[tuple[str, str, float, int], ...] = (
    # what it is called, minimiser of the orbital transformation, and where there is none: mixing fraction, iterations
    ("", "", 0.4, 100),
    ("orbital transformation with line searches, or slow density mixing (0.1)", "CG", 0.1, 300),
    ("diagonalisation with slow density mixing (0.03), 400 iterations", "", 0.03, 400),
)
UNATTENDED = 1  # the help that an SCF has from the start where nobody is there to give it
_FIRST_TOLERANCE = 1e-3
_ANY_STEP_BOHR = 1.0  # forces alone end a relaxation, as in the other codes
_DISPERSION_RADIUS_A = 50.2  # as VASP's default
_ADDED_SHARE = 0.2  # empty orbitals to occupied ones, where there is smearing

Section = dict[str, Any]


def render(section: Mapping[str, Any], *, depth: int = 0) -> list[str]:
    """Lines of CP2K's input: a mapping is a section, named with its parameter; a list is one line each."""
    indent = "  " * depth
    lines = []
    for name, value in section.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}&{name}", *render(value, depth=depth + 1), f"{indent}&END {name.split()[0]}"]
        else:
            lines += [f"{indent}{name} {one}".rstrip() for one in (value if isinstance(value, list) else [value])]
    return lines


def build_dft(
    atoms: Atoms,
    *,
    charge: int,
    multiplicity: int,
    is_polarised: bool,
    settings: Cp2kSettings,
    periodic: str,
    stage: int = UNATTENDED,
    is_restart: bool = False,
    is_first: bool = False,
) -> Section:
    """The section DFT; stage, is_restart and is_first as in `cp2k_files.build_input`."""
    is_gamma = tuple(settings.k_points) == (1, 1, 1)
    section: Section = {
        "BASIS_SET_FILE_NAME": "BASIS_MOLOPT",
        "POTENTIAL_FILE_NAME": "GTH_POTENTIALS",
        "CHARGE": charge,
        "MULTIPLICITY": multiplicity,
        **({"UKS": "T"} if is_polarised else {}),
        **({"PLUS_U_METHOD": "MULLIKEN"} if set(settings.hubbard_U_eV) & set(atoms.symbols) else {}),
        "MGRID": {
            "CUTOFF": f"[Ry] {settings.density_cutoff_Ry:g}",
            "REL_CUTOFF": f"[Ry] {settings.relative_cutoff_Ry:g}",
        },
        "QS": {"METHOD": "GPW", "EPS_DEFAULT": 1e-12},
        "POISSON": {
            "PERIODIC": periodic,
            "POISSON_SOLVER": {"NONE": find_open_solver(atoms, settings=settings), "XY": "ANALYTIC", "XYZ": "PERIODIC"}[
                periodic
            ],
        },
        "SCF": _build_scf(atoms, settings=settings, is_gamma=is_gamma, stage=stage),
        "XC": _build_functional(settings),
        "PRINT": {"HIRSHFELD ON": {"SHAPE_FUNCTION": "DENSITY"}},
    }
    if is_restart:
        section["SCF"]["SCF_GUESS"] = "RESTART"
    if is_first:
        section["SCF"]["EPS_SCF"] = max(_FIRST_TOLERANCE, settings.scf_tolerance)
    elif periodic == "XYZ" and not atoms.pbc.all():
        section = {"SURFACE_DIPOLE_CORRECTION": "T", "SURF_DIP_DIR": "Z"} | section
    if not is_gamma:
        section["KPOINTS"] = {"SCHEME": _describe_k_points(settings.k_points), "FULL_GRID": "F"}
    return section


def find_periodic(boundary: Boundary, *, charge: int, settings: Cp2kSettings) -> str:
    """Axes that the potential is periodic along: all of a neutral slab whose images the dipole correction parts."""
    if boundary == "molecule":
        return "NONE"
    return "XY" if boundary == "slab" and (charge or not settings.dipole_correction) else "XYZ"


def find_open_solver(atoms: Atoms, *, settings: Cp2kSettings) -> str:
    """Poisson solver of a molecule.

    Raises:
        InputError: if it is WAVELET and the cell is no cube.
    """
    if settings.poisson_solver == "WAVELET" and not is_cube(atoms) and not atoms.pbc.any():
        edges = " x ".join(f"{length:g}" for length in atoms.cell.lengths())
        raise InputError(f"poisson_solver is WAVELET, needs a cube, the cell is {edges} Å. Set poisson_solver: MT.")
    if settings.poisson_solver == "auto":
        return "WAVELET" if is_cube(atoms) else "MT"
    return settings.poisson_solver


def _describe_k_points(k_points: Sequence[int]) -> str:
    """A Γ-centred grid: CP2K's own leaves Γ out where a number is even, so it is shifted by half a step there."""
    shifts = [0.0 if number % 2 else 0.5 / number for number in k_points]
    numbers = " ".join(str(number) for number in k_points)
    return f"MACDONALD {numbers} {' '.join(f'{shift:.10g}' for shift in shifts)}"


def _build_scf(atoms: Atoms, *, settings: Cp2kSettings, is_gamma: bool, stage: int) -> Section:
    """Diagonalisation, or the orbital transformation for gapped systems at Γ if the stage of help has one."""
    scf: Section = {"EPS_SCF": settings.scf_tolerance, "SCF_GUESS": "ATOMIC"}
    _, minimiser, fraction, n_iterations = SCF_HELP[stage]
    if is_gamma and not settings.smearing_eV and minimiser:
        outer = {"EPS_SCF": settings.scf_tolerance, "MAX_SCF": _OUTER_SCF}
        ot = {"MINIMIZER": minimiser, "PRECONDITIONER": "FULL_ALL"}
        return scf | {"MAX_SCF": _INNER_SCF, "OT ON": ot, "OUTER_SCF ON": outer}
    scf |= {"MAX_SCF": n_iterations}
    if settings.smearing_eV:
        scf["ADDED_MOS"] = max(10, round(_ADDED_SHARE * int(atoms.numbers.sum()) / 2))
        scf["SMEAR ON"] = {"METHOD": "FERMI_DIRAC", "ELECTRONIC_TEMPERATURE": f"[K] {settings.smearing_eV / kB:.2f}"}
    scf["DIAGONALIZATION ON"] = {"ALGORITHM": "STANDARD"}
    scf["MIXING"] = {"METHOD": "BROYDEN_MIXING", "ALPHA": fraction, "NBROYDEN": 8}
    return scf


def _build_functional(settings: Cp2kSettings) -> Section:
    section: Section = {"XC_FUNCTIONAL": _FUNCTIONALS[settings.xc]}
    if settings.dispersion != "none":
        pair = {
            "TYPE": _DISPERSION[settings.dispersion],
            "REFERENCE_FUNCTIONAL": settings.xc,
            "PARAMETER_FILE_NAME": "dftd3.dat",
            "R_CUTOFF": f"[angstrom] {_DISPERSION_RADIUS_A:g}",
        }
        section["VDW_POTENTIAL"] = {"POTENTIAL_TYPE": "PAIR_POTENTIAL", "PAIR_POTENTIAL": pair}
    return section


def label_atoms(atoms: Atoms, *, moments: Sequence[float] | None) -> list[str]:
    """Name of each atom's kind: its element, with a number for every further start moment of that element."""
    kinds: dict[str, dict[float, str]] = {}
    labels = []
    for symbol, moment in zip(atoms.symbols, moments if moments is not None else [0.0] * len(atoms), strict=True):
        known = kinds.setdefault(symbol, {})
        labels.append(known.setdefault(float(moment), f"{symbol}{len(known) or ''}"))
    return labels


def build_subsystem(
    atoms: Atoms, *, labels: Sequence[str], moments: Sequence[float] | None, settings: Cp2kSettings, periodic: str
) -> Section:
    """The section SUBSYS: cell, places, and a kind for each label."""
    vectors = {
        name: "[angstrom] " + " ".join(f"{value:.10f}" for value in vector)
        for name, vector in zip("ABC", atoms.cell, strict=True)
    }
    places = [f"{label} {x:.10f} {y:.10f} {z:.10f}" for label, (x, y, z) in zip(labels, atoms.positions, strict=True)]
    kinds: Section = {}
    for index, label in enumerate(labels):
        if f"KIND {label}" in kinds:
            continue
        symbol = str(atoms.symbols[index])
        kind: Section = {"ELEMENT": symbol, "BASIS_SET": settings.basis, "POTENTIAL": POTENTIAL}
        if moments is not None and moments[index]:
            kind["MAGNETIZATION"] = float(moments[index])
        if symbol in settings.hubbard_U_eV:
            shell = _SHELLS[find_hubbard_shell(symbol)[1]]
            kind["DFT_PLUS_U ON"] = {"L": shell, "U_MINUS_J": f"[eV] {settings.hubbard_U_eV[symbol]:g}"}
        kinds[f"KIND {label}"] = kind
    return {"CELL": {**vectors, "PERIODIC": periodic}, "COORD": {"": places}, **kinds}


def build_motion(fixed: Sequence[int], *, settings: Cp2kSettings) -> Section:
    """The section MOTION of a relaxation that ends when all forces are below the tolerance."""
    limit = f"{settings.force_tolerance_eV_per_A / (Hartree / Bohr):.6g}"
    motion: Section = {
        "GEO_OPT": {
            "TYPE": "MINIMIZATION",
            "OPTIMIZER": "BFGS",
            "MAX_ITER": settings.max_steps,
            "MAX_FORCE": limit,
            "RMS_FORCE": limit,
            "MAX_DR": _ANY_STEP_BOHR,
            "RMS_DR": _ANY_STEP_BOHR,
        }
    }
    if fixed:
        motion["CONSTRAINT"] = {"FIXED_ATOMS": {"LIST": " ".join(str(index + 1) for index in fixed)}}
    return motion


def check_basis(atoms: Atoms, *, settings: Cp2kSettings) -> None:
    """Check that the basis is there for each element.

    Raises:
        InputError: names the elements that lack it.
    """
    heavy = sorted(set(atoms.get_chemical_symbols()) - _LIGHT)
    if settings.basis.startswith("TZ") and heavy:
        raise InputError(
            f"basis is {settings.basis}, which BASIS_MOLOPT does not have for {', '.join(heavy)}. Set "
            "DZVP-MOLOPT-SR-GTH."
        )
