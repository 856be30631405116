"""Ions, solvents and salts of battery electrolytes by name, beside the built-in species of reactions."""

from __future__ import annotations

import difflib

from ase import Atoms

from structures.composition import Salt
from structures.errors import InputError
from structures.species import BUILT_IN, Species, build_from_smiles, build_species, check_species

CATIONS = ("Li", "Na", "K")
ANIONS = {
    "TFSI": "",  # built in
    "FSI": "FS(=O)(=O)[N-]S(=O)(=O)F",
    "PF6": "F[P-](F)(F)(F)(F)F",
    "BF4": "F[B-](F)(F)F",
    "NO3": "[O-][N+](=O)[O-]",
}
SOLVENTS = {
    "DME": "COCCOC",
    "DOL": "C1COCO1",
    "diglyme": "COCCOCCOC",
    "EC": "C1COC(=O)O1",
    "PC": "CC1COC(=O)O1",
    "DMC": "COC(=O)OC",
    "EMC": "CCOC(=O)OC",
    "DEC": "CCOC(=O)OCC",
}
_NAMES = [*(f"{cation}+" for cation in CATIONS), *(f"{anion}-" for anion in ANIONS), *SOLVENTS]


def build_electrolyte_species(name: str) -> Species:
    """An ion or a solvent by name: Li+, PF6-, DME and so on, or any built-in species.

    Geometries from SMILES are those of the UFF force field, whose bonds of nitrate and of hypervalent sulfur and
    phosphorus are up to 0.15 Å too long: starting points of dynamics, no result.

    Raises:
        InputError: if there is none of that name; names the nearest.
        SetupError: if it needs RDKit, which is not installed.
    """
    if name in BUILT_IN:
        return build_species(name)
    if name[:-1] in CATIONS and name.endswith("+"):
        return check_species(Species(name, Atoms(name[:-1]), charge=1, source="an atom"))
    smiles = SOLVENTS.get(name) or (ANIONS.get(name[:-1]) if name.endswith("-") else None)
    if smiles is None:
        near = difflib.get_close_matches(name, [*_NAMES, *BUILT_IN], n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InputError(
            f"There is no ion or solvent {name!r}, needs one of {', '.join(_NAMES)}.{hint} Or give a SMILES or a file."
        )
    return build_from_smiles(name, smiles=smiles)


def build_salt(name: str) -> Salt:
    """A salt of one cation and one anion by its formula: LiTFSI, KFSI, LiNO3 and so on.

    Raises:
        InputError: if it is no such formula.
        SetupError: if an ion needs RDKit, which is not installed.
    """
    for cation in CATIONS:
        anion = name.removeprefix(cation)
        if anion != name and anion in ANIONS:
            ions = (build_electrolyte_species(f"{cation}+"), build_electrolyte_species(f"{anion}-"))
            return Salt(name, tuple((ion, 1) for ion in ions))
    raise InputError(
        f"There is no salt {name!r}, needs one of {', '.join(CATIONS)} and one of {', '.join(ANIONS)}, e.g. LiTFSI. Or "
        "give its ions as species."
    )
