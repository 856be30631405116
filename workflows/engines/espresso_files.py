"""Input of pw.x of Quantum ESPRESSO, and what its output says.

A Hubbard U is written as the HUBBARD card, which pw.x reads from version 7.1 on; all else is read by 6.x too.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from ase.io.espresso import write_espresso_in
from ase.units import Bohr, Ry

from structures.errors import InputError
from workflows.calculators.written_settings import EspressoSettings
from workflows.engines.electronic_files import Answer
from workflows.engines.written_inputs import (
    README_FILE,
    Boundary,
    check_spin,
    count_valence_electrons,
    describe_dispersion,
    describe_uncorrected,
    find_boundary,
    find_fixed,
    find_hubbard_shell,
    find_last,
    find_output,
    find_request,
    find_start_moments,
    find_vacuum_middle,
    has_free_moment,
    keep_request,
)

INPUT_FILE = "espresso.pwi"
OUTPUT_FILE = "espresso.pwo"
FILES = (INPUT_FILE, README_FILE)
_DISPERSION = {"d3zero": 3, "d3bj": 4}
_MAX_SCF = 200
_SAW_WIDTH = 0.05  # share of the cell that the correcting field falls off in
_ANY_ENERGY_CHANGE_RY = 1.0  # forces alone end a relaxation, as in the other codes


def write_inputs(
    directory: Path,
    *,
    atoms: Atoms,
    charge: int,
    multiplicity: int,
    settings: EspressoSettings,
    relax: bool,
    moments: Sequence[float] | None = None,
) -> list[Path]:
    """Write the input of pw.x and a README into a directory.

    Args:
        directory: made if it is not there.
        atoms: in a cell; open along all axes (a molecule), along z (a slab) or none. FixAtoms becomes zeros in
            ATOMIC_POSITIONS.
        charge: in e (tot_charge).
        multiplicity: 2 S + 1; tot_magnetization is 2 S in a calculation with spins, unless the moment is free.
        settings: of pw.x.
        relax: whether the atoms move.
        moments: start moments of the atoms, in μB; None: unpaired electrons spread evenly. Atoms of one element with
            different moments become types of their own.

    Returns:
        The files.

    Raises:
        InputError: if cell, spin, a constraint or a shell cannot be written, or a free moment without smearing.
    """
    boundary = find_boundary(atoms, settings=settings)
    check_spin(atoms, charge=charge, multiplicity=multiplicity, moments=moments)
    find_fixed(atoms)
    start = find_start_moments(atoms, multiplicity=multiplicity, moments=moments)
    plain = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True, constraint=atoms.constraints)
    if start is not None:
        outer = np.array([_count_outer(symbol) for symbol in atoms.symbols])
        plain.set_initial_magnetic_moments(np.clip(np.round(start / outer, 4), -1, 1))
    namelists = build_namelists(plain, charge=charge, settings=settings, relax=relax, boundary=boundary)
    if start is not None:
        namelists["system"] |= {"nspin": 2}
        if not has_free_moment(atoms, multiplicity=multiplicity, moments=moments):
            namelists["system"] |= {"tot_magnetization": multiplicity - 1}
        elif not settings.smearing_eV:
            raise InputError("smearing_eV is 0, needs more where the moment is free. Set it, e.g. smearing_eV: 0.1.")
    text = _render(plain, namelists=namelists, settings=settings)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / INPUT_FILE).write_text(text + _build_hubbard_card(text, settings=settings), encoding="utf-8")
    (directory / README_FILE).write_text(
        _describe(plain, settings=settings, charge=charge, boundary=boundary), encoding="utf-8"
    )
    keep_request(
        directory,
        code="espresso",
        atoms=atoms,
        charge=charge,
        multiplicity=multiplicity,
        settings=settings,
        relax=relax,
    )
    return [directory / name for name in FILES]


def build_namelists(
    atoms: Atoms, *, charge: int, settings: EspressoSettings, relax: bool, boundary: Boundary
) -> dict[str, dict[str, Any]]:
    """The namelists of pw.x but spins, in its units (Ry, bohr)."""
    control: dict[str, Any] = {
        "calculation": "relax" if relax else "scf",
        "prefix": "pwscf",
        "outdir": "./scratch",
        "pseudo_dir": settings.pseudo_directory,
        "tprnfor": True,
        "nstep": settings.max_steps,
        "forc_conv_thr": settings.force_tolerance_eV_per_A / (Ry / Bohr),
        "etot_conv_thr": _ANY_ENERGY_CHANGE_RY,
    }
    system: dict[str, Any] = {
        "ecutwfc": settings.cutoff_eV / Ry,
        "ecutrho": settings.density_factor * settings.cutoff_eV / Ry,
        "input_dft": settings.xc.lower(),
        "tot_charge": charge,
        "occupations": "smearing" if settings.smearing_eV else "fixed",
    }
    if settings.smearing_eV:
        system |= {"smearing": settings.smearing, "degauss": settings.smearing_eV / Ry}
    if settings.dispersion != "none":
        system |= {"vdw_corr": "dft-d3", "dftd3_version": _DISPERSION[settings.dispersion]}
    if boundary == "molecule" and settings.dipole_correction:
        system["assume_isolated"] = "mt"
    if boundary == "slab" and charge:
        system["assume_isolated"] = "2D"
    elif boundary == "slab" and settings.dipole_correction:
        control |= {"tefield": True, "dipfield": True}
        peak = (find_vacuum_middle(atoms) - _SAW_WIDTH / 2) % 1
        system |= {"edir": 3, "emaxpos": round(peak, 6), "eopreg": _SAW_WIDTH, "eamp": 0.0}
    electrons = {"conv_thr": settings.energy_tolerance_eV / Ry, "electron_maxstep": _MAX_SCF, "mixing_beta": 0.3}
    ions = {"ions": {"ion_dynamics": "bfgs"}} if relax else {}
    return {"control": control, "system": system, "electrons": electrons, **ions}


def _count_outer(element: str) -> int:
    """Electrons that a start magnetization of 1 would polarise; where the rule does not know, one."""
    try:
        return count_valence_electrons(element)
    except InputError:
        return 1


def _render(atoms: Atoms, *, namelists: dict[str, dict[str, Any]], settings: EspressoSettings) -> str:
    files = {name: settings.pseudopotentials.get(name, f"{name}.upf") for name in set(atoms.get_chemical_symbols())}
    stream = io.StringIO()
    is_gamma = tuple(settings.k_points) == (1, 1, 1)
    write_espresso_in(
        stream, atoms, input_data=namelists, pseudopotentials=files, kpts=None if is_gamma else settings.k_points
    )
    return stream.getvalue()


def _build_hubbard_card(text: str, *, settings: EspressoSettings) -> str:
    """A line for each type of atom that has a U; types of one element differ in their start moment."""
    block = text.split("ATOMIC_SPECIES\n")[1].split("\n\n", maxsplit=1)[0]
    lines = []
    for label in (line.split()[0] for line in block.splitlines()):
        element = re.sub(r"\d+$", "", label)
        if element in settings.hubbard_U_eV:
            number, letter = find_hubbard_shell(element)
            lines.append(f"U {label}-{number}{letter} {settings.hubbard_U_eV[element]:g}\n")
    return "HUBBARD (ortho-atomic)\n" + "".join(lines) if lines else ""


def _describe(atoms: Atoms, *, settings: EspressoSettings, charge: int, boundary: Boundary) -> str:
    lines = [
        f"Put the pseudopotentials of the family {settings.family}, as {INPUT_FILE} names them, into",
        f"  {settings.pseudo_directory}",
        "and run here:",
        f"  pw.x -in {INPUT_FILE} > {OUTPUT_FILE}",
        f"Check that the family asks for no more than ecutwfc = {settings.cutoff_eV:g} eV.",
        *_describe_images(atoms, settings=settings, charge=charge, boundary=boundary),
        "A HUBBARD card needs pw.x 7.1 or later.",
    ]
    return "\n".join(lines) + "\n"


def _describe_images(atoms: Atoms, *, settings: EspressoSettings, charge: int, boundary: Boundary) -> list[str]:
    """What is done about periodic images, and what is not.

    Source: 10.1063/1.477923 (molecules), 10.1103/PhysRevB.96.075448 (charged slabs)
    """
    if boundary == "molecule" and not settings.dipole_correction:
        return describe_uncorrected(atoms, charge=charge)
    told = {
        "molecule": "Periodic images: the potential is that of the molecule alone, with its charge and all its moments "
        "(assume_isolated = 'mt'), where each edge of the cell is at least twice as long as the density. Not "
        "corrected: what a smaller cell cuts.",
        "slab": f"Images along z: their field {'is' if settings.dipole_correction else 'is not'} taken out (dipfield).",
        "charged slab": "Images along z: the potential is cut between them (assume_isolated = '2D'); the cell has to "
        "be more than twice as high as the slab. The energy of a charged slab still depends on where zero is: do not "
        "compare it.",
    }
    if boundary == "bulk":
        return []
    if boundary == "molecule":
        return [told[boundary], *describe_dispersion(settings)]
    return [told["charged slab" if charge else boundary]]


def read_outputs(directory: Path) -> Answer:
    """What the output of pw.x says.

    The energy is the total energy, with dispersion, and with −TS where there is smearing. Moments are projections
    on spheres.

    Raises:
        InputError: if there is no output.
    """
    path = find_output(directory, names=(OUTPUT_FILE,), code="pw.x")
    text = path.read_text(encoding="utf-8", errors="replace")
    reason = _find_trouble(text)
    energy = find_last(r"^!\s+total energy\s+=\s+(-?[\d.]+) Ry", text)
    if energy is None:
        return Answer(status="unconverged", reason=reason or "there is no total energy in the output")
    atoms = read(path, index=-1, format="espresso-out")
    if not isinstance(atoms, Atoms):
        raise TypeError(path)
    dispersion = find_last(r"DFT-D3 Dispersion\s+=\s+(-?[\d.]+) Ry", text)
    cycles = find_last(r"convergence has been achieved in\s+(\d+) iterations", text)
    steps = find_last(r"bfgs converged in\s+\d+ scf cycles and\s+(\d+) bfgs steps", text)
    version = find_last(r"Program PWSCF v\.(\S+)", text)
    cutoff = find_last(r"kinetic-energy cutoff\s+=\s+([\d.]+)\s+Ry", text)
    request = find_request(directory)
    settings = {} if request is None else request[0].settings
    forces = atoms.calc.results.get("forces")
    return Answer(
        status="unconverged" if reason else "done",
        reason=reason,
        energy_eV=float(energy.group(1)) * Ry,
        dispersion_eV=None if dispersion is None else float(dispersion.group(1)) * Ry,
        forces_eV_per_A=None if forces is None else np.asarray(forces).tolist(),
        spins=_read_moments(text, n_atoms=len(atoms)),
        method={
            "code": "espresso",
            "version": "" if version is None else version.group(1),
            **({} if request is None else {"functional": settings["xc"], "dispersion": settings["dispersion"]}),
            "resolution": {"cutoff_eV": None if cutoff is None else round(float(cutoff.group(1)) * Ry, 3)},
            "cell_A": [round(float(length), 4) for length in atoms.cell.lengths()],
        },
        n_scf=0 if cycles is None else int(cycles.group(1)),
        n_steps=0 if steps is None else int(steps.group(1)),
    )


def _read_moments(text: str, *, n_atoms: int) -> list[float] | None:
    """Moments of the last SCF; ASE takes the column after them, the constraint, as the moment."""
    found = re.findall(r"^\s*atom:?\s+\d+.*\bmagn[:=]\s*(-?[\d.]+)", text, flags=re.MULTILINE)
    return [float(moment) for moment in found[-n_atoms:]] if len(found) >= n_atoms else None


def _find_trouble(text: str) -> str:
    """Why the run did not get there; nothing if it did."""
    if "convergence NOT achieved" in text:
        return "the SCF did not converge"
    if "maximum number of steps has been reached" in text:
        return "forces were not below the tolerance after all steps"
    if "JOB DONE." not in text:
        return "the output is cut: the run was killed, or goes on"
    return ""
