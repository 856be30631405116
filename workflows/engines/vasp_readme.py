"""What the README beside inputs of VASP says: how to make POTCAR, and what to know before the run."""

from collections.abc import Mapping
from typing import Any

from ase import Atoms

from workflows.calculators.written_settings import VASP_PAPERS, VASP_PAPERS_STATE, VaspSettings
from workflows.engines.written_inputs import Boundary, describe_dispersion, describe_uncorrected

_OF_MOLECULES = 4  # IDIPOL


def describe(
    atoms: Atoms,
    *,
    titles: Mapping[str, str],
    settings: VaspSettings,
    charge: int,
    boundary: Boundary,
    tags: Mapping[str, Any],
    paper: str,
) -> str:
    """The README.

    Args:
        atoms: in their cell.
        titles: of the PAW data of each element, in the order of POSCAR.
        settings: of VASP.
        charge: in e.
        boundary: of the structure.
        tags: of INCAR.
        paper: one of `VASP_PAPERS`, or empty.
    """
    release = settings.potentials
    parts = " ".join(f"potpaw_{release}/{title}/POTCAR" for title in titles.values())
    lines = [
        f"POTCAR is under VASP's licence. Make it from your copy of potpaw_{release}, in the order of POSCAR:",
        f"  cat {parts} > POTCAR",
        f"Check that no ENMAX in it is above ENCUT = {settings.cutoff_eV:g} eV: grep ENMAX POTCAR",
    ]
    if charge:
        lines.append(
            "NELECT counts the valence electrons that the titles stand for. Check them: grep ZVAL POTCAR. "
            "The cell is made neutral by a uniform background."
        )
    lines += describe_images(atoms, settings=settings, charge=charge, boundary=boundary)
    if paper:
        lines += describe_paper(paper, settings=settings, titles=titles, tags=tags)
    lines.append("Then run VASP here, and read vasprun.xml and OUTCAR with: read_outputs(directory)")
    return "\n".join(lines) + "\n"


def describe_images(atoms: Atoms, *, settings: VaspSettings, charge: int, boundary: Boundary) -> list[str]:
    """What is done about periodic images, and what is not.

    Source: 10.1103/PhysRevB.51.4014 (molecules), 10.1103/PhysRevB.46.16067 (slabs), and VASP's manual.
    """
    if boundary == "bulk":
        return []
    if boundary == "slab" and charge:
        left = "Images along z: nothing is corrected, VASP knows no way for a charged slab (LDIPOL is for cubes then)."
        return [left, "Its energy depends on the height of the cell: do not compare it as it is."]
    if boundary == "slab":
        corrected = "Images along z: their field is taken out (LDIPOL, IDIPOL = 3)."
        left = "Images along z: their field is not taken out, which is no error where both faces of a slab are equal."
        return [corrected if settings.dipole_correction else left]
    if not settings.dipole_correction:
        return describe_uncorrected(atoms, charge=charge)
    felt = "charge and dipole" if charge else "the dipole"
    told = (
        f"Periodic images: what {felt} of the molecule feel of them is taken out of energy, potential and forces "
        "(LDIPOL, IDIPOL = 4). Do not add LMONO: it stops the correction of the dipole. Not corrected: higher moments "
        "(of the quadrupole an ion's trace is, in the energy), and density that reaches the walls. If the SCF is slow, "
        "converge it first with LDIPOL = .FALSE. and LWAVE = .TRUE."
    )
    anion = (
        "For anions VASP's manual trusts an extrapolation more: energies with the correction of 1/L alone, in boxes of "
        "several edges L, over 1/L^3. Write a larger box (geometry.vacuum_A) to see how far the energy moves."
    )
    return [told, *([anion] if charge < 0 else []), *describe_dispersion(settings)]


def describe_paper(
    paper: str, *, settings: VaspSettings, titles: Mapping[str, str], tags: Mapping[str, Any]
) -> list[str]:
    """What a paper's method section states, what is chosen here, and where the settings depart from its protocol."""
    source, stated = VASP_PAPERS_STATE[paper]
    chosen = [
        name if isinstance(value, list) else f"{name} = {value}"
        for name, value in tags.items()
        if name not in {"SYSTEM", *stated}
    ]
    k_points = [] if "KPOINTS" in stated else [f"{' x '.join(str(number) for number in settings.k_points)} k-points"]
    absent = [f"no {name}" for name in ("IVDW", "LDIPOL") if name not in tags]
    data = f"the PAW data ({settings.potentials}: {', '.join(titles.values())})"
    lines = [
        f"Protocol {paper}, {source}. It states {', '.join(stated)}, in these words or others.",
        f"Not stated there, chosen here: {', '.join([*chosen, *k_points, *absent, data])}, the cell.",
    ]
    asked = {
        name: value for name, value in settings.model_dump().items() if VASP_PAPERS[paper].get(name, value) != value
    }
    if asked:
        told = ", ".join(f"{name} is {value}, not {VASP_PAPERS[paper][name]}" for name, value in asked.items())
        lines.append(f"Otherwise than in the protocol {paper} here: {told}.")
    if "dipole_correction" in asked and tags.get("IDIPOL") == _OF_MOLECULES:
        lines.append("An ion is off by eVs without that, so all molecules of a run with ions have it.")
    return lines
