"""Inputs of VASP 5.4 to 6, and what its outputs say; POTCAR is the user's own, named in POTCAR.spec."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.vasp.create_input import format_kpoints
from ase.calculators.vasp.setups import get_default_setups
from ase.io import read
from ase.io.vasp import write_vasp
from ase.io.vasp_parsers.incar_writer import write_incar
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.calculators.written_settings import VaspSettings
from workflows.engines.electronic_files import Answer
from workflows.engines.vasp_readme import describe
from workflows.engines.written_inputs import (
    README_FILE,
    check_spin,
    count_valence_electrons,
    find_boundary,
    find_fixed,
    find_hubbard_shell,
    find_last,
    find_output,
    find_request,
    find_start_moments,
    has_free_moment,
    is_cube,
    keep_request,
)

FILES = ("INCAR", "KPOINTS", "POSCAR", "POTCAR.spec", README_FILE)
_GGA = {"PBE": "PE", "revPBE": "RE", "RPBE": "RP"}
_SMEARING = {"gaussian": 0, "fermi-dirac": -1, "methfessel-paxton": 1}
_DISPERSION = {"d3zero": 11, "d3bj": 12}
_RELAXATION = {"conjugate-gradients": 2, "quasi-newton": 1}
_MAX_SCF = 200
_LMAXMIX = {"p": 2, "d": 4, "f": 6}
_NO_U = -1
_SHELLS = {"p": 1, "d": 2, "f": 3}


def write_inputs(
    directory: Path,
    *,
    atoms: Atoms,
    charge: int,
    multiplicity: int,
    settings: VaspSettings,
    relax: bool,
    moments: Sequence[float] | None = None,
    paper: str = "",
) -> list[Path]:
    """Write INCAR, KPOINTS, POSCAR, POTCAR.spec and a README into a directory.

    POSCAR is sorted by element; `read_outputs` gives forces and moments in the order of `atoms` again.

    Args:
        directory: made if it is not there.
        atoms: in a cell, open along all axes (a molecule), z (a slab) or none; FixAtoms becomes selective dynamics.
        charge: in e; other than 0, NELECT is set.
        multiplicity: 2 S + 1; NUPDOWN is 2 S in a calculation with spins, unless the moment is free.
        settings: of VASP.
        relax: whether the atoms move.
        moments: start moments of the atoms, in μB; None: unpaired electrons spread evenly.
        paper: one of `VASP_PAPERS` whose protocol the settings are from, for the README; empty: nobody's.

    Returns:
        The files.

    Raises:
        InputError: if cell, spin, a constraint or a shell cannot be written, NELECT is not known, or the energy of a
            charged molecule would not be corrected since its cell is no cube.
    """
    boundary = find_boundary(atoms, settings=settings)
    check_spin(atoms, charge=charge, multiplicity=multiplicity, moments=moments)
    find_fixed(atoms)  # refuses what cannot be written
    order = sort_by_element(atoms)
    ordered = atoms[order]
    ordered.set_pbc(True)
    ordered.arrays.pop("momenta", None)  # would be written as velocities
    start = find_start_moments(atoms, multiplicity=multiplicity, moments=moments)
    is_free = has_free_moment(atoms, multiplicity=multiplicity, moments=moments)
    titles = find_titles(ordered, settings=settings)
    tags = {
        "SYSTEM": atoms.symbols.formula.format("hill"),
        **build_tags(settings, relax=relax),
        **_build_spin_tags(None if start is None else start[order], multiplicity=multiplicity, is_free=is_free),
        **_build_charge_tags(ordered, charge=charge, titles=titles, settings=settings),
        **_build_dipole_tags(ordered, charge=charge, boundary=boundary, settings=settings),
        **_build_hubbard_tags(list(titles), settings=settings),
    }
    directory.mkdir(parents=True, exist_ok=True)
    write_incar(directory, tags)
    (directory / "KPOINTS").write_text(format_kpoints(settings.k_points, ordered, gamma=True), encoding="utf-8")
    write_vasp(directory / "POSCAR", ordered)
    (directory / "POTCAR.spec").write_text("\n".join(titles.values()) + "\n", encoding="utf-8")
    readme = describe(
        ordered, titles=titles, settings=settings, charge=charge, boundary=boundary, tags=tags, paper=paper
    )
    (directory / README_FILE).write_text(readme, encoding="utf-8")
    keep_request(
        directory, code="vasp", atoms=atoms, charge=charge, multiplicity=multiplicity, settings=settings, relax=relax
    )
    return [directory / name for name in FILES]


def sort_by_element(atoms: Atoms) -> NDArray[np.int64]:
    """Indices that bring the atoms into the order of POSCAR: elements in alphabetical order, else as they were."""
    return np.argsort(np.array(atoms.get_chemical_symbols()), kind="stable")


def find_titles(atoms: Atoms, *, settings: VaspSettings) -> dict[str, str]:
    """Title of the PAW data of each element, in the order of the atoms."""
    suffixes = get_default_setups()["recommended"]
    elements = dict.fromkeys(atoms.get_chemical_symbols())
    return {element: settings.titles.get(element, element + suffixes.get(element, "")) for element in elements}


def build_tags(settings: VaspSettings, *, relax: bool) -> dict[str, Any]:
    """Tags of INCAR that are the same for all structures."""
    tags: dict[str, Any] = {
        "GGA": _GGA[settings.xc],
        "PREC": settings.precision,
        "ENCUT": settings.cutoff_eV,
        "EDIFF": settings.energy_tolerance_eV,
        "NELM": _MAX_SCF,
        "ISMEAR": _SMEARING[settings.smearing],
        "SIGMA": settings.smearing_eV,
        "LASPH": ".TRUE.",
        "LREAL": ".FALSE.",
        "LWAVE": ".FALSE.",
        "IBRION": _RELAXATION[settings.relaxation] if relax else -1,
        "NSW": settings.max_steps if relax else 0,
    }
    if relax:
        tags |= {"EDIFFG": -settings.force_tolerance_eV_per_A, "ISIF": 2}
    if settings.dispersion != "none":
        tags["IVDW"] = _DISPERSION[settings.dispersion]
    return tags


def _build_spin_tags(start: NDArray[np.float64] | None, *, multiplicity: int, is_free: bool) -> dict[str, Any]:
    if start is None:
        return {"ISPIN": 1}
    return {
        "ISPIN": 2,
        "MAGMOM": [f"{moment:.4f}" for moment in start],
        **({} if is_free else {"NUPDOWN": multiplicity - 1}),
        "LORBIT": 11,
    }


def _build_charge_tags(atoms: Atoms, *, charge: int, titles: dict[str, str], settings: VaspSettings) -> dict[str, Any]:
    """NELECT of a charged cell; VASP counts the electrons of a neutral one itself."""
    if charge == 0:
        return {}
    valence = {
        element: settings.valence_electrons.get(element) or count_valence_electrons(title)
        for element, title in titles.items()
    }
    return {"NELECT": sum(valence[element] for element in atoms.get_chemical_symbols()) - charge}


def _build_dipole_tags(atoms: Atoms, *, charge: int, boundary: str, settings: VaspSettings) -> dict[str, Any]:
    """Correction along z for a slab, along all axes for a molecule, around the centre of mass.

    LDIPOL corrects for a charge too, in cubes alone: VASP stops elsewhere. With LMONO beside it the dipole is left out.
    """
    if not settings.dipole_correction or boundary == "bulk" or (boundary == "slab" and charge):
        return {}
    if boundary == "molecule" and charge and not is_cube(atoms):
        edges = " x ".join(f"{length:g}" for length in atoms.cell.lengths())
        raise InputError(
            f"the cell of {atoms.symbols.formula} with charge {charge:+d} is {edges} Å, needs a cube: VASP corrects a "
            "charged molecule (LDIPOL) in no other cell. Put it in a cube."
        )
    centre = atoms.get_center_of_mass(scaled=True)
    direction = 3 if boundary == "slab" else 4
    return {"LDIPOL": ".TRUE.", "IDIPOL": direction, "DIPOL": [f"{share:.6f}" for share in centre]}


def _build_hubbard_tags(elements: Sequence[str], *, settings: VaspSettings) -> dict[str, Any]:
    """U of Dudarev and others (LDAUTYPE 2) for each element in the order of POSCAR."""
    shells = {element: find_hubbard_shell(element)[1] for element in elements if element in settings.hubbard_U_eV}
    if not shells:
        return {}
    return {
        "LDAU": ".TRUE.",
        "LDAUTYPE": 2,
        "LDAUL": [_SHELLS[shells[element]] if element in shells else _NO_U for element in elements],
        "LDAUU": [settings.hubbard_U_eV.get(element, 0.0) for element in elements],
        "LDAUJ": [0.0] * len(elements),
        "LMAXMIX": max(_LMAXMIX[shell] for shell in shells.values()),
    }


def read_outputs(directory: Path) -> Answer:
    """What vasprun.xml and OUTCAR say, or OUTCAR alone; atoms in the order that the inputs were written from.

    The energy is that of zero smearing width. Moments are projections on spheres, from OUTCAR.

    Raises:
        InputError: if there is neither.
    """
    path = find_output(directory, names=("vasprun.xml", "OUTCAR"), code="VASP")
    text = path.read_text(encoding="utf-8", errors="replace")
    atoms = _read_last(path)
    if atoms is None:
        return Answer(status="unconverged", reason=f"{path.name} is cut before the end of the first SCF")
    status, reason, n_scf, n_steps = (_judge_xml if path.suffix == ".xml" else _judge_outcar)(text)
    request = find_request(directory)
    order = np.arange(len(atoms)) if request is None else np.argsort(sort_by_element(request[1]))
    moments = _read_moments(directory / "OUTCAR")
    version = find_last(r'name="version" type="string">\s*([\d.]+)|^\s*vasp\.([\d.]+\d)', text)
    settings = {} if request is None else request[0].settings
    return Answer(
        status=status,
        reason=reason,
        energy_eV=float(atoms.get_potential_energy()),
        forces_eV_per_A=atoms.get_forces(apply_constraint=False)[order].tolist(),
        spins=None if moments is None else [float(moment) for moment in moments[order]],
        method={
            "code": "vasp",
            "version": "" if version is None else version.group(1) or version.group(2),
            **({} if request is None else {"functional": settings["xc"], "dispersion": settings["dispersion"]}),
            "resolution": {"cutoff_eV": _read_cutoff(text)},
            "cell_A": [round(float(length), 4) for length in atoms.cell.lengths()],
        },
        n_scf=n_scf,
        n_steps=n_steps,
    )


def _read_last(path: Path) -> Atoms | None:
    """The last step that has an energy; None if the file is cut before the first."""
    try:
        atoms = read(path, index=-1)
    except (ET.ParseError, ValueError, IndexError, KeyError, AttributeError):
        return None
    return atoms if isinstance(atoms, Atoms) and atoms.calc is not None else None


def _read_cutoff(text: str) -> float | None:
    found = find_last(r'name="EN(?:CUT|MAX)">\s*([\d.]+)|^\s*ENCUT\s*=\s*([\d.]+)\s*eV', text)
    return None if found is None else float(found.group(1) or found.group(2))


def _read_moments(path: Path) -> NDArray[np.float64] | None:
    """Moments of the atoms in the order of POSCAR; None without OUTCAR or without spin."""
    atoms = _read_last(path) if path.is_file() else None
    if atoms is None or "magmoms" not in atoms.calc.results:
        return None
    return np.asarray(atoms.calc.results["magmoms"], dtype=np.float64)


def _judge_xml(text: str) -> tuple[Any, str, int, int]:
    """Status, reason, SCF cycles of the last energy and ionic steps; converged is: fewer steps than allowed."""
    whole = text.rstrip().endswith("</modeling>")
    steps = text.split("<calculation>")[1:]
    limits = {
        name: int(found.group(1)) if (found := find_last(rf'name="{name}"\s*>\s*(-?\d+)', text)) else 0
        for name in ("NELM", "NSW")
    }
    return _judge(whole, n_scf=steps[-1].count("<scstep>"), n_steps=len(steps) - 1, limits=limits)


def _judge_outcar(text: str) -> tuple[Any, str, int, int]:
    cycles = find_last(r"Iteration\s+(\d+)\(\s*(\d+)\)", text)
    n_ionic, n_scf = (int(cycles.group(1)), int(cycles.group(2))) if cycles else (0, 0)
    limits = {
        name: int(found.group(1)) if (found := find_last(rf"^\s*{name}\s*=\s*(-?\d+)", text)) else 0
        for name in ("NELM", "NSW")
    }
    return _judge("General timing and accounting" in text, n_scf=n_scf, n_steps=n_ionic - 1, limits=limits)


def _judge(whole: bool, *, n_scf: int, n_steps: int, limits: dict[str, int]) -> tuple[Any, str, int, int]:  # noqa: FBT001
    reason = ""
    if not whole:
        reason = "the output is cut: the run was killed, or goes on"
    elif n_scf >= limits["NELM"]:
        reason = f"the SCF did not converge in {limits['NELM']} cycles"
    elif limits["NSW"] > 1 and n_steps + 1 >= limits["NSW"]:
        reason = f"forces were not below the tolerance after {limits['NSW']} steps"
    return ("unconverged" if reason else "done"), reason, n_scf, max(n_steps, 0)
