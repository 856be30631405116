"""What the inputs of VASP, Quantum ESPRESSO and CP2K have in common: boundaries, spins, shells, the request."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.calculators.written_settings import WrittenSettings
from workflows.engines.electronic_files import REQUEST_FILE, Request, read_request, write_request

README_FILE = "README.txt"
Boundary = Literal["molecule", "slab", "bulk"]
_NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86)
_S_COLUMNS, _D_COLUMNS, _F_COLUMNS = 2, 10, 14
_SEMICORE = {"": 0, "_s": 0, "_h": 0, "_pv": 6, "_sv": 8, "_d": 10}
_FEWEST_SHELLS_OF_D, _FEWEST_SHELLS_OF_F = 4, 6
_MADELUNG_OF_CUBE = 2.837297


def find_boundary(atoms: Atoms, *, settings: WrittenSettings) -> Boundary:
    """Whether the structure is a molecule in a box, a slab with vacuum along z, or periodic in all directions.

    Raises:
        InputError: if there is no cell, another set of axes is periodic, or an open axis has k-points.
    """
    if atoms.cell.rank < 3:  # noqa: PLR2004 (three cell vectors)
        raise InputError(
            f"{atoms.symbols.formula} has {atoms.cell.rank} cell vectors, needs 3 for plane waves. Put it in a box."
        )
    kinds: dict[tuple[bool, ...], Boundary] = {
        (False, False, False): "molecule",
        (True, True, False): "slab",
        (True, True, True): "bulk",
    }
    periodic = tuple(bool(flag) for flag in atoms.pbc)
    if periodic not in kinds:
        raise InputError(
            f"{atoms.symbols.formula} is periodic along {periodic}, needs none, x and y, or all. Turn the cell, so "
            "that the vacuum of a slab is along z."
        )
    for axis, flag, number in zip("xyz", periodic, settings.k_points, strict=True):
        if not flag and number != 1:
            raise InputError(f"k_points is {settings.k_points}, needs 1 along {axis}, which is not periodic.")
    return kinds[periodic]


def is_cube(atoms: Atoms) -> bool:
    """Whether the cell is a cube along the axes."""
    return bool(np.allclose(atoms.cell.array, np.eye(3) * atoms.cell.array[0, 0], atol=1e-6))


def compute_image_energy(charge: int, *, edge_A: float) -> float:
    """Energy of a point charge among its images and a neutral background in a cube, −α q²/(2 L), in eV.

    Args:
        charge: in e.
        edge_A: of the cube, in Å.

    Source:
        10.1103/PhysRevB.51.4014
    """
    return -_MADELUNG_OF_CUBE * charge**2 * Hartree * Bohr / (2 * edge_A)


def describe_uncorrected(atoms: Atoms, *, charge: int) -> list[str]:
    """What the README says where nothing is done about the periodic images of a molecule."""
    if not charge:
        return ["Periodic images: nothing is corrected (dipole_correction: false); a polar molecule feels its images."]
    shift_eV = compute_image_energy(charge, edge_A=float(atoms.get_volume()) ** (1 / 3))
    told = (
        "Periodic images: NOTHING IS CORRECTED (dipole_correction: false). Images and background shift the energy of "
        f"this ion by about {shift_eV:.2f} eV (first order in 1/L): do not subtract it from that of another charge."
    )
    return [told]


def describe_dispersion(settings: WrittenSettings) -> list[str]:
    """What the README says of dispersion between the images of a molecule, which VASP and pw.x sum over."""
    return [] if settings.dispersion == "none" else ["D3 between the periodic images stays in the energy; it is small."]


def find_fixed(atoms: Atoms) -> list[int]:
    """Indices of the atoms that FixAtoms holds, ascending.

    Raises:
        InputError: if there is a constraint of another kind.
    """
    fixed: set[int] = set()
    for constraint in atoms.constraints:
        if not isinstance(constraint, FixAtoms):
            raise InputError(f"constraint {type(constraint).__name__} cannot be written, needs FixAtoms. Remove it.")
        fixed.update(int(index) for index in constraint.get_indices())
    return sorted(fixed)


def check_spin(atoms: Atoms, *, charge: int, multiplicity: int, moments: Sequence[float] | None) -> None:
    """Check that the multiplicity goes with the number of electrons, and that there is a moment for each atom.

    Raises:
        InputError: names the number of electrons or of moments.
    """
    n_electrons = int(atoms.numbers.sum()) - charge
    may_be_fractional = bool(atoms.pbc.any()) and multiplicity == 1  # a metal, not polarised
    if multiplicity < 1 or ((n_electrons + multiplicity) % 2 == 0 and not may_be_fractional):
        raise InputError(
            f"multiplicity is {multiplicity} with {n_electrons} electrons, needs an "
            f"{'even' if n_electrons % 2 else 'odd'} number above 0. Mend charge ({charge}) or multiplicity."
        )
    if moments is not None and len(moments) != len(atoms):
        raise InputError(f"there are {len(moments)} moments for {len(atoms)} atoms, needs one each.")


def find_start_moments(
    atoms: Atoms, *, multiplicity: int, moments: Sequence[float] | None
) -> NDArray[np.float64] | None:
    """Moments that the SCF starts from, in μB; unpaired electrons are spread evenly if none are given.

    Returns:
        One for each atom, shape (n_atoms,); None for a calculation without spin polarisation.
    """
    if moments is not None and np.any(moments):
        return np.asarray(moments, dtype=np.float64)
    return None if multiplicity == 1 else np.full(len(atoms), (multiplicity - 1) / len(atoms))


def has_free_moment(atoms: Atoms, *, multiplicity: int, moments: Sequence[float] | None) -> bool:
    """Whether moments are a start only, as in a magnetic metal: a periodic structure whose moments are no singlet's."""
    is_start = moments is not None and not np.isclose(np.sum(moments), 0)
    return bool(atoms.pbc.any()) and multiplicity == 1 and is_start


def round_multiplicity(atoms: Atoms, *, charge: int, moment: float) -> int:
    """2 S + 1 of the number of unpaired electrons next to a moment, in μB, that the number of electrons allows."""
    odd = (int(atoms.numbers.sum()) - charge) % 2
    return 2 * round((abs(moment) - odd) / 2) + odd + 1


def find_vacuum_middle(atoms: Atoms) -> float:
    """Middle of the widest gap between atoms along z, as a share of the cell, in [0, 1)."""
    heights = np.sort(atoms.get_scaled_positions(wrap=True)[:, 2])
    gaps = np.diff(np.append(heights, heights[0] + 1))
    widest = int(np.argmax(gaps))
    return float((heights[widest] + gaps[widest] / 2) % 1)


def find_hubbard_shell(element: str) -> tuple[int, Literal["p", "d", "f"]]:
    """The shell that a Hubbard U acts on: (3, "d") of Fe, (4, "f") of Ce, (2, "p") of O.

    Raises:
        InputError: if the element has s electrons alone outside a noble gas.
    """
    period, column = _find_place(element)
    if period >= _FEWEST_SHELLS_OF_F and _S_COLUMNS < column <= _S_COLUMNS + _F_COLUMNS:
        return period - 2, "f"
    others = _count_others(period)
    if _S_COLUMNS < column <= others:
        return period - 1, "d"
    if column > others:
        return period, "p"
    raise InputError(f"hubbard_U_eV names {element}, which has outer s electrons alone. Remove it.")


def count_valence_electrons(title: str) -> int:
    """Electrons that PAW data of VASP treat as valence, from its title: 12 of Ti_sv, 14 of Sn_d, 6 of O.

    s and p electrons of the outermost shell, d electrons of groups 3 to 12, and what the suffix adds: `_pv` six,
    `_sv` eight (two of Li and Be), `_d` ten.

    Raises:
        InputError: if there is no rule, as for f elements.
    """
    element, _, rest = title.partition("_")
    suffix = f"_{rest}" if rest else ""
    period, column = _find_place(element) if element in atomic_numbers else (0, 0)
    is_f = period >= _FEWEST_SHELLS_OF_F and _S_COLUMNS < column <= _S_COLUMNS + _F_COLUMNS
    if period == 0 or is_f or suffix not in _SEMICORE:
        raise InputError(
            f"valence electrons of {title} are not known here. Set calculator.overrides.valence_electrons: "
            f"{{{element}: ZVAL of its POTCAR}}."
        )
    filled = _count_others(period)
    outer = column if column <= filled or filled == _S_COLUMNS else column - filled + _S_COLUMNS
    if column <= filled and period >= _FEWEST_SHELLS_OF_F and column > _S_COLUMNS:
        outer = column - _F_COLUMNS
    semicore = min(_SEMICORE[suffix], 2) if period == 2 else _SEMICORE[suffix]  # noqa: PLR2004 (1s alone below)
    return outer + semicore


def _find_place(element: str) -> tuple[int, int]:
    """Period, and number of electrons outside the noble gas below."""
    number = atomic_numbers[element]
    period = max(index for index, noble in enumerate(_NOBLE_GASES) if noble < number) + 1
    return period, number - _NOBLE_GASES[period - 1]


def _count_others(period: int) -> int:
    """Electrons that s, d and f shells take before the p shell of the period begins."""
    has_d, has_f = period >= _FEWEST_SHELLS_OF_D, period >= _FEWEST_SHELLS_OF_F
    return _S_COLUMNS + _D_COLUMNS * has_d + _F_COLUMNS * has_f


def keep_request(
    directory: Path,
    *,
    code: str,
    atoms: Atoms,
    charge: int,
    multiplicity: int,
    settings: WrittenSettings,
    relax: bool,
) -> None:
    """Write what was asked for beside the inputs: it gives parsed outputs their order of atoms and their method."""
    request = Request(
        code=code,
        settings=settings.model_dump(mode="json"),
        charge=charge,
        multiplicity=multiplicity,
        force_tolerance_eV_per_A=settings.force_tolerance_eV_per_A if relax else None,
        max_steps=settings.max_steps,
    )
    plain = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    write_request(directory, request, atoms=plain)


def find_request(directory: Path) -> tuple[Request, Atoms] | None:
    """What was asked for; None if the inputs are another's."""
    return read_request(directory) if (directory / REQUEST_FILE).is_file() else None


def find_output(directory: Path, *, names: Sequence[str], code: str) -> Path:
    """The first of the outputs that is there.

    Raises:
        InputError: if none is.
    """
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise InputError(f"{directory} has no {' or '.join(names)}, needs the output of {code}. Copy it there.")


def find_last(pattern: str, text: str) -> re.Match[str] | None:
    """The last place that matches, line by line."""
    found = list(re.finditer(pattern, text, flags=re.MULTILINE))
    return found[-1] if found else None
