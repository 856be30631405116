"""Input of CP2K (QUICKSTEP), and what its output says."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree

from workflows.calculators.written_settings import Cp2kSettings
from workflows.engines.cp2k_sections import (
    UNATTENDED,
    Section,
    build_dft,
    build_motion,
    build_subsystem,
    check_basis,
    find_open_solver,
    find_periodic,
    label_atoms,
    render,
)
from workflows.engines.electronic_files import Answer
from workflows.engines.written_inputs import (
    README_FILE,
    Boundary,
    check_spin,
    find_boundary,
    find_fixed,
    find_last,
    find_output,
    find_request,
    find_start_moments,
    has_free_moment,
    keep_request,
    round_multiplicity,
)

INPUT_FILE = "cp2k.inp"
OUTPUT_FILE = "cp2k.out"
FILES = (INPUT_FILE, README_FILE)
_PROJECT = "cp2k"
_RUN_TYPES = {"energy": "ENERGY", "forces": "ENERGY_FORCE", "relax": "GEO_OPT"}
RESTART_FILES = (f"{_PROJECT}-RESTART.wfn", f"{_PROJECT}-RESTART.kp")
_NUMBER = r"-?\d+\.\d+(?:[EeD][+-]?\d+)?"


def write_inputs(
    directory: Path,
    *,
    atoms: Atoms,
    charge: int,
    multiplicity: int,
    settings: Cp2kSettings,
    relax: bool,
    moments: Sequence[float] | None = None,
) -> list[Path]:
    """Write the input of CP2K and a README into a directory.

    Args:
        directory: made if it is not there.
        atoms: in a cell; open along all axes (a molecule), along z (a slab) or none. FixAtoms becomes FIXED_ATOMS.
        charge: in e (CHARGE).
        multiplicity: 2 S + 1 (MULTIPLICITY); UKS in a calculation with spins. A free moment starts from the moments.
        settings: of CP2K.
        relax: whether the atoms move.
        moments: start moments of the atoms, in μB; None: CP2K spreads unpaired electrons. Atoms of one element with
            different moments become kinds of their own.

    Returns:
        The files.

    Raises:
        InputError: if cell, spin, a constraint, a shell or a basis cannot be written.
    """
    text = build_input(
        atoms,
        charge=charge,
        multiplicity=multiplicity,
        settings=settings,
        run="relax" if relax else "forces",
        moments=moments,
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / INPUT_FILE).write_text(text, encoding="utf-8")
    boundary = find_boundary(atoms, settings=settings)
    solver = find_open_solver(atoms, settings=settings)
    is_free = has_free_moment(atoms, multiplicity=multiplicity, moments=moments)
    (directory / README_FILE).write_text(
        _describe(boundary, charge=charge, settings=settings, solver=solver, has_start=is_free), encoding="utf-8"
    )
    keep_request(
        directory, code="cp2k", atoms=atoms, charge=charge, multiplicity=multiplicity, settings=settings, relax=relax
    )
    return [directory / name for name in FILES]


def build_input(
    atoms: Atoms,
    *,
    charge: int,
    multiplicity: int,
    settings: Cp2kSettings,
    run: Literal["energy", "forces", "relax"],
    moments: Sequence[float] | None = None,
    stage: int = UNATTENDED,
    is_restart: bool = False,
    is_first: bool = False,
) -> str:
    """The input of CP2K.

    Args:
        atoms: in a cell, as for `write_inputs`.
        charge: in e.
        multiplicity: 2 S + 1.
        settings: of CP2K.
        run: the energy alone, with forces, or a relaxation.
        moments: start moments of the atoms, in μB, or None.
        stage: how much help the SCF gets (`SCF_HELP`), 0 for none.
        is_restart: whether it starts from the wave function of an earlier run.
        is_first: roughly and without a slab's dipole correction, for another run to start from. CP2K refuses the
            correction where a density in the making is not small in the vacuum.

    Raises:
        InputError: if cell, spin, a constraint, a shell or a basis cannot be written.
    """
    boundary = find_boundary(atoms, settings=settings)
    check_spin(atoms, charge=charge, multiplicity=multiplicity, moments=moments)
    check_basis(atoms, settings=settings)
    fixed = find_fixed(atoms)
    periodic = find_periodic(boundary, charge=charge, settings=settings)
    start = find_start_moments(atoms, multiplicity=multiplicity, moments=moments)
    labels = label_atoms(atoms, moments=moments)
    if moments is not None and has_free_moment(atoms, multiplicity=multiplicity, moments=moments):
        multiplicity = round_multiplicity(atoms, charge=charge, moment=sum(moments))  # a start, with smearing
    root: Section = {
        "GLOBAL": {"PROJECT": _PROJECT, "RUN_TYPE": _RUN_TYPES[run], "PRINT_LEVEL": "MEDIUM"},
        "FORCE_EVAL": {
            "METHOD": "QUICKSTEP",
            "DFT": build_dft(
                atoms,
                charge=charge,
                multiplicity=multiplicity,
                is_polarised=start is not None,
                settings=settings,
                periodic=periodic,
                stage=stage,
                is_restart=is_restart,
                is_first=is_first,
            ),
            "SUBSYS": build_subsystem(atoms, labels=labels, moments=moments, settings=settings, periodic=periodic),
            "PRINT": {"FORCES ON": {}},
        },
        **({"MOTION": build_motion(fixed, settings=settings)} if run == "relax" else {}),
    }
    return "\n".join(render(root)) + "\n"


def _describe(boundary: Boundary, *, charge: int, settings: Cp2kSettings, solver: str, has_start: bool) -> str:
    lines = [f"Run here: cp2k.psmp -i {INPUT_FILE} -o {OUTPUT_FILE}"]
    if boundary == "molecule":
        needs = (
            "a density that is zero at the walls of the cell"
            if solver == "WAVELET"
            else "a cell at least twice as long as the density along each edge"
        )
        lines.append(
            f"Periodic images: there are none, the boundaries are open (POISSON_SOLVER {solver}), so nothing is to be "
            f"corrected, for a charge neither. It needs {needs}."
        )
    if boundary != "molecule" and has_start:
        lines.append(
            "The moment of the cell starts from MULTIPLICITY and follows the Fermi level where there are k-points; at "
            "Γ alone check in the output that it is not held."
        )
    if boundary == "slab" and charge:
        lines.append(
            "Images along z: there are none (PERIODIC XY). The energy of a charged slab still depends on where zero "
            "is: do not compare it."
        )
    if boundary == "slab" and not charge:
        state = (
            "their field is taken out (SURFACE_DIPOLE_CORRECTION)" if settings.dipole_correction else "there are none"
        )
        lines.append(f"Images along z: {state}.")
    if boundary == "slab" and not charge and settings.dipole_correction:
        lines.append(
            "If CP2K stops because the dipole correction needs more vacuum, there is noise in a density that is not "
            "converged: run it first with SURFACE_DIPOLE_CORRECTION F and EPS_SCF 1e-3, then as "
            "it is with SCF_GUESS RESTART."
        )
    return "\n".join(lines) + "\n"


def read_outputs(directory: Path) -> Answer:
    """What the output of CP2K says.

    The energy has dispersion in it, and −TS where there is smearing. Charges and spins are Hirshfeld's. Forces on
    fixed atoms are zero, as CP2K prints them.

    Raises:
        InputError: if there is no output.
    """
    path = find_output(directory, names=(OUTPUT_FILE,), code="CP2K")
    text = path.read_text(encoding="utf-8", errors="replace")
    reason = _find_trouble(text)
    energy = find_last(rf"^ ENERGY\| Total FORCE_EVAL \( QS \) energy \[(?:a\.u\.|hartree)\]:?\s+({_NUMBER})", text)
    if energy is None:
        return Answer(status="unconverged", reason=reason or "there is no total energy in the output")
    dispersion = find_last(rf"^\s*Dispersion energy:\s+({_NUMBER})", text)
    outer = find_last(r"outer SCF loop converged in\s+\d+ iterations or\s+(\d+) steps", text)
    cycles = outer or find_last(r"SCF run converged in\s+(\d+) steps", text)
    steps = find_last(r"(?:Information\w* at step =|OPT\| Step number)\s+(\d+)", text)
    version = find_last(r"CP2K\| version string:\s+CP2K version (\S+)", text)
    request = find_request(directory)
    charges, spins = _read_hirshfeld(text)
    settings = {} if request is None else request[0].settings
    return Answer(
        status="unconverged" if reason else "done",
        reason=reason,
        energy_eV=float(energy.group(1)) * Hartree,
        dispersion_eV=None if dispersion is None else float(dispersion.group(1)) * Hartree,
        forces_eV_per_A=_read_forces(text),
        charges_e=charges,
        spins=spins,
        method={
            "code": "cp2k",
            "version": "" if version is None else version.group(1),
            **({} if request is None else {name: settings[name] for name in ("dispersion", "basis")}),
            **({} if request is None else {"functional": settings["xc"]}),
            "resolution": {"density_cutoff_Ry": _read_cutoff(text)},
            "cell_A": _read_cell(text),
        },
        n_scf=0 if cycles is None else int(cycles.group(1)),
        n_steps=0 if steps is None else int(steps.group(1)),
    )


def _find_trouble(text: str) -> str:
    """Why the run did not get there; nothing if it did."""
    last = find_last(r"SCF run (NOT )?converged|outer SCF loop (FAILED to )?converge", text)
    if last is not None and (last.group(1) or last.group(2)):
        return "the SCF did not converge"
    if "MAXIMUM NUMBER OF OPTIMIZATION STEPS REACHED" in text:
        return "forces were not below the tolerance after all steps"
    if "PROGRAM ENDED AT" not in text:
        return "the output is cut: the run was killed, or goes on"
    return ""


def _read_forces(text: str) -> list[list[float]] | None:
    """Forces of the last block, in eV/Å; releases of 2024 and later mark its lines with `FORCES|`."""
    blocks = re.split(r"ATOMIC FORCES in \[a\.u\.\]|FORCES\| Atomic forces \[hartree/bohr\]", text)
    if len(blocks) == 1:
        return None
    end = re.split(r"SUM OF ATOMIC FORCES|FORCES\|\s+Sum", blocks[-1])[0]
    line = rf"^(?: FORCES\|)?\s+\d+(?:\s+\d+\s+[A-Z][a-z]?)?\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})"
    rows = [[float(value) for value in row] for row in re.findall(line, end, flags=re.MULTILINE)]
    return [[float(value) for value in row] for row in np.array(rows) * Hartree / Bohr]


def _read_hirshfeld(text: str) -> tuple[list[float] | None, list[float] | None]:
    """Net charges and, with two spins, moments of the last Hirshfeld analysis."""
    blocks = text.split("Hirshfeld Charges")
    if len(blocks) == 1:
        return None, None
    block = blocks[-1].split("Total Charge")[0]
    rows = re.findall(rf"^\s+\d+\s+[A-Z][a-z]?\s+\d+((?:\s+{_NUMBER})+)\s*$", block, flags=re.MULTILINE)
    values = [[float(value) for value in row.split()] for row in rows]
    is_polarised = "Spin moment" in block
    return [row[-1] for row in values], [row[-2] for row in values] if is_polarised else None


def _read_cutoff(text: str) -> float | None:
    """Cutoff of the density's grid, printed in hartree, in Ry."""
    found = find_last(r"QS\| Density cutoff \[a\.u\.\]:\s+([\d.]+)", text)
    return None if found is None else 2 * float(found.group(1))


def _read_cell(text: str) -> list[float]:
    """Edges of the cell, in Å."""
    return [
        float(found.group(1))
        for axis in "abc"
        if (found := find_last(rf"CELL\| Vector {axis} \[angstrom\]:?.*\|{axis}\|\s+=\s+([\d.]+)", text))
    ]
