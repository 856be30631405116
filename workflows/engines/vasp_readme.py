"""What the README beside inputs of VASP says: how to make POTCAR, and what to know before the run."""

from collections.abc import Mapping

from ase import Atoms

from workflows.calculators.written_settings import VaspSettings
from workflows.engines.written_inputs import Boundary, describe_dispersion, describe_uncorrected


def describe(
    atoms: Atoms, *, titles: Mapping[str, str], settings: VaspSettings, charge: int, boundary: Boundary
) -> str:
    """The README.

    Args:
        atoms: in their cell.
        titles: of the PAW data of each element, in the order of POSCAR.
        settings: of VASP.
        charge: in e.
        boundary: of the structure.
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
