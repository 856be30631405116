"""Molecules for LAMMPS: data files of atom style full, and the commands that state a force field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from structures.errors import InputError
from workflows.engines.lammps_files import ANGSTROM_PER_PS, build_standard_frame
from workflows.force_fields.topology import KINDS, AtomType, Terms, TermType, Topology

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ase import Atoms

    from workflows.engines.lammps_files import StandardFrame

STYLES: dict[tuple[str, str], str] = {
    ("bonds", "harmonic"): "harmonic",
    ("angles", "harmonic"): "harmonic",
    ("angles", "fourier"): "fourier",
    ("angles", "cosine"): "cosine/periodic",
    ("dihedrals", "cosines"): "fourier",
    ("impropers", "cosines"): "cvff",
    ("impropers", "inversion"): "fourier",
}
SMALLEST_SLAB_FACTOR = 2.0
_TILT_TOLERANCE_A = 1e-9
_LARGEST_MULTIPLICITY = 6
_LARGEST_CHARGE_E = 1e-4


def write_topology_data(path: Path, atoms: Atoms, *, topology: Topology) -> StandardFrame:
    """Write a data file (units metal, atom_style full); momenta become velocities.

    Types are numbered as in the topology, molecules from 1.

    Args:
        path: of the file.
        atoms: positions, cell and momenta; turned to LAMMPS's orientation if they are not in it. If they are not
            periodic along the third vector alone, they are for `boundary p p f` and need no vacuum there.
        topology: of the same atoms.

    Returns:
        The structure as it was written, with the way back.

    Raises:
        InputError: if the two do not fit, the cell is none of LAMMPS's (see `build_standard_frame`), or atoms of a
            slab lie outside of it.
    """
    check_same_atoms(atoms, topology=topology)
    frame = build_standard_frame(close_slab(atoms))
    if not atoms.pbc[2] and np.abs(frame.atoms.cell.array[np.tril_indices(3, k=-1)]).max() > _TILT_TOLERANCE_A:
        raise InputError(
            f"The cell of the slab has angles of {', '.join(f'{angle:.1f}' for angle in atoms.cell.angles())}°, needs "
            "90°: LAMMPS has no correction for a slab in a tilted cell. Take an orthogonal face or cell."
        )
    turned = frame.atoms
    cell = turned.cell.array
    kinds = [(name, topology.terms(name)) for name in KINDS if len(topology.terms(name))]
    lines = ["alkaliflow molecules", "", f"{len(atoms)} atoms"]
    lines += [f"{len(terms)} {name}" for name, terms in kinds]
    lines += [f"{len(topology.atom_types)} atom types"]
    lines += [f"{len(terms.types)} {name[:-1]} types" for name, terms in kinds]
    lines += ["", *(f"0.0 {float(cell[i, i])!r} {axis}lo {axis}hi" for i, axis in enumerate("xyz"))]
    tilts = (cell[1, 0], cell[2, 0], cell[2, 1])
    if max(abs(tilt) for tilt in tilts) > _TILT_TOLERANCE_A:
        lines.append(" ".join(repr(float(tilt)) for tilt in tilts) + " xy xz yz")
    lines += ["", "Masses", ""]
    lines += [f"{i} {of.mass_u:.10g}  # {of.name}" for i, of in enumerate(topology.atom_types, start=1)]
    lines += ["", "Atoms  # full", ""]
    columns = (topology.molecules.tolist(), topology.kinds.tolist(), topology.charges_e.tolist())
    lines += [
        f"{i} {molecule + 1} {kind + 1} {charge!r} {x!r} {y!r} {z!r}"
        for i, (molecule, kind, charge, (x, y, z)) in enumerate(
            zip(*columns, turned.positions.tolist(), strict=True), start=1
        )
    ]
    if "momenta" in turned.arrays:
        velocities = turned.get_velocities() / ANGSTROM_PER_PS
        lines += ["", "Velocities", ""]
        lines += [f"{i} {x!r} {y!r} {z!r}" for i, (x, y, z) in enumerate(velocities.tolist(), start=1)]
    for name, terms in kinds:
        lines += ["", name.capitalize(), "", *_write_terms(terms)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return frame


def close_slab(atoms: Atoms) -> Atoms:
    """A slab as periodic: its boundary is stated by a command, and LAMMPS wants its atoms inside."""
    if atoms.pbc.tolist() != [True, True, False]:
        return atoms
    scaled = atoms.get_scaled_positions(wrap=False)[:, 2]
    if len(atoms) and not (scaled.min() >= 0 and scaled.max() <= 1):
        height_A = atoms.cell.cellpar()[2]
        raise InputError(
            f"Atoms of the slab reach from {scaled.min() * height_A:.2f} to {scaled.max() * height_A:.2f} Å along the "
            f"third cell vector, need 0 to {height_A:.2f} Å. Shift them, or enlarge the cell."
        )
    closed: Atoms = atoms.copy()
    closed.pbc = True
    return closed


def _write_terms(terms: Terms) -> Iterable[str]:
    rows = zip((terms.kinds + 1).tolist(), (terms.atoms + 1).tolist(), strict=True)
    return (f"{i} {kind} {' '.join(map(str, atoms))}" for i, (kind, atoms) in enumerate(rows, start=1))


def check_same_atoms(atoms: Atoms, *, topology: Topology) -> None:
    """Check that a topology is of these atoms.

    Raises:
        InputError: if numbers or elements differ.
    """
    if len(atoms) != len(topology):
        raise InputError(f"The topology has {len(topology)} atoms, needs {len(atoms)} as the structure. Type it anew.")
    for i, (symbol, of) in enumerate(zip(atoms.symbols, topology.types_of_atoms, strict=True)):
        if symbol != of.element:
            raise InputError(
                f"Atom {i} is {symbol}, but of type {of.name}, which needs {of.element}. Put the molecules in the "
                "order of the topology."
            )


def write_interactions(
    topology: Topology,
    *,
    cutoff_A: float,
    kspace_accuracy: float = 1e-4,
    slab: float | None = None,
    tail: bool = False,
) -> list[str]:
    """Commands that state the interactions, after read_data or read_restart, in units metal.

    Van der Waals ends at the cut-off without a shift; what lies beyond is left out, or taken as uniform with `tail`.
    Coulomb is PPPM, and is left out if no atom has a charge.

    Args:
        topology: what acts.
        cutoff_A: of van der Waals and of the direct sum of Coulomb, in Å.
        kspace_accuracy: force error of PPPM relative to two unit charges 1 Å apart (14.4 eV/Å).
        slab: None: periodic in all directions; else height of the empty cell over that of the box, about 3, of the
            correction for a slab, which needs `boundary p p f`.
        tail: correct energy and pressure for van der Waals beyond the cut-off, which only a uniform fluid allows.

    Returns:
        Lines of a LAMMPS input.

    Raises:
        InputError: if a value is out of range, the charges do not add up to zero, or a term cannot be said in LAMMPS.

    Source:
        10.1063/1.479595 (slab)
    """
    _check_settings(cutoff_A=cutoff_A, kspace_accuracy=kspace_accuracy, slab=slab, tail=tail)
    charged = bool(np.any(topology.charges_e != 0))
    total_e = float(topology.charges_e.sum())
    if abs(total_e) > _LARGEST_CHARGE_E:
        raise InputError(
            f"The charges add up to {total_e:+.6f} e, need 0 (at most ±{_LARGEST_CHARGE_E:g}): a periodic system "
            "that is not neutral has no energy. Mend the numbers of ions, or scale all of them alike."
        )
    lines = [f"pair_style {'lj/cut/coul/long' if charged else 'lj/cut'} {float(cutoff_A)!r}"]
    lines += list(_write_pairs(topology))
    lines.append(f"pair_modify shift no mix {topology.mixing} tail {'yes' if tail else 'no'}")
    for kind in KINDS:
        lines += _write_kind(kind, topology.terms(kind))
    lennard_jones, coulomb = topology.lennard_jones_scale_14, topology.coulomb_scale_14
    lines.append(f"special_bonds lj 0.0 0.0 {float(lennard_jones)!r} coul 0.0 0.0 {float(coulomb)!r}")
    if charged:
        lines.append(f"kspace_style pppm {float(kspace_accuracy)!r}")
        lines += [] if slab is None else [f"kspace_modify slab {float(slab)!r}"]
    return lines


def _check_settings(*, cutoff_A: float, kspace_accuracy: float, slab: float | None, tail: bool) -> None:
    if not cutoff_A > 0:
        raise InputError(f"cutoff_A is {cutoff_A:g}, needs more than 0 Å. Set it, e.g. cutoff_A: 12.")
    if not 0 < kspace_accuracy < 1:
        raise InputError(f"kspace_accuracy is {kspace_accuracy:g}, needs more than 0 and less than 1. Set it to 1e-4.")
    if slab is not None and slab < SMALLEST_SLAB_FACTOR:
        raise InputError(
            f"slab is {slab:g}, needs at least {SMALLEST_SLAB_FACTOR:g} box heights, or none. Set it to 3."
        )
    if tail and slab is not None:
        raise InputError(
            "tail is on for a slab, needs a uniform fluid: beyond the cut-off there is vacuum, too. Turn it off."
        )


def mix(first: AtomType, second: AtomType, *, mixing: str) -> tuple[float, float]:
    """ε in eV and σ in Å of a pair of types."""
    epsilon_eV = math.sqrt(first.epsilon_eV * second.epsilon_eV)
    if mixing == "arithmetic":
        return epsilon_eV, (first.sigma_A + second.sigma_A) / 2
    return epsilon_eV, math.sqrt(first.sigma_A * second.sigma_A)


def _write_pairs(topology: Topology) -> Iterable[str]:
    types = topology.atom_types
    for i, first in enumerate(types, start=1):
        for j, second in enumerate(types[i - 1 :], start=i):
            epsilon_eV, sigma_A = mix(first, second, mixing=topology.mixing)
            yield f"pair_coeff {i} {j} {epsilon_eV!r} {sigma_A!r}  # {first.name} {second.name}"


def _write_kind(kind: str, terms: Terms) -> list[str]:
    """Style and coefficients of bonds, angles, dihedrals or impropers; a hybrid style if there are several forms."""
    styles = list(dict.fromkeys(STYLES[kind, of.form] for of in terms.types))
    if not styles:
        return []
    name, hybrid = kind[:-1], len(styles) > 1
    lines = [f"{name}_style {'hybrid ' if hybrid else ''}{' '.join(styles)}"]
    for i, of in enumerate(terms.types, start=1):
        style = f"{STYLES[kind, of.form]} " if hybrid else ""
        lines.append(f"{name}_coeff {i} {style}{_write_coefficients(kind, of)}  # {of.label}")
    return lines


def _write_coefficients(kind: str, term: TermType) -> str:
    values = tuple(map(float, term.coefficients))
    if term.form == "harmonic":  # LAMMPS leaves the half to its constant
        return f"{values[0] / 2!r} {values[1]!r}"
    if kind == "angles" and term.form == "fourier":
        return " ".join(map(repr, values))
    if kind == "angles":
        k_eV, sign, n = values
        whole = _whole(n, term, largest=_LARGEST_MULTIPLICITY)
        return f"{k_eV * whole**2 / 2!r} {int(-sign) * (-1) ** whole} {whole}"
    # LAMMPS adds up the three angles, and counts one beyond 90° if a bond leans over the two others, which no bond of a
    # planar or pyramidal centre does.
    if kind == "impropers" and term.form == "inversion":
        k_eV, *c = values
        return f"{k_eV / 3!r} {' '.join(map(repr, c))} 1"
    threes = [values[i : i + 3] for i in range(0, len(values), 3)]
    if kind == "impropers":
        return _write_cvff(threes, term)
    parts = [f"{k_eV!r} {_whole(n, term)} {phase_deg!r}" for k_eV, n, phase_deg in threes]
    return f"{len(parts)} {' '.join(parts)}"


def _write_cvff(threes: list[tuple[float, ...]], term: TermType) -> str:
    if len(threes) != 1 or threes[0][2] not in (0.0, 180.0):
        raise InputError(
            f"improper {term.label} has coefficients {term.coefficients}; LAMMPS needs one cosine of phase 0° or 180°."
        )
    k_eV, n, phase_deg = threes[0]
    return f"{k_eV!r} {1 if phase_deg == 0 else -1} {_whole(n, term, largest=_LARGEST_MULTIPLICITY)}"


def _whole(n: float, term: TermType, *, largest: int = 100) -> int:
    if not n.is_integer() or not 0 <= n <= largest:
        raise InputError(f"{term.label} has multiplicity {n:g}; LAMMPS needs a whole number from 0 to {largest}.")
    return int(n)
