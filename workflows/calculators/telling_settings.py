"""Which settings decide on the energy of a structure: what keys are made of."""

from collections.abc import Mapping
from typing import Any

from ase import Atoms

from structures.species import has_antiparallel_moments


def keep_telling_settings(settings: Mapping[str, Any], *, atoms: Atoms) -> dict[str, Any]:
    """The settings that decide on an energy of a structure, which is what its key is made of.

    Those that another mode of GPAW would use are left out, since they would set equal energies apart. Core potentials
    and antiparallel moments are named for PySCF: both follow from the structure, but earlier releases knew neither.
    """
    unused = {"fd": ("cutoff_eV", "basis"), "lcao": ("cutoff_eV",), "pw": ("spacing_A", "basis")}
    left_out = (
        *unused.get(str(settings.get("mode")), ()),
        *(() if settings.get("hubbard_U_eV") else ("hubbard_U_eV",)),
    )
    telling = {name: value for name, value in settings.items() if name not in left_out}
    if "grid_level" in settings:
        from workflows.engines.pyscf_basis import count_core_electrons

        cores = count_core_electrons(settings["basis"], elements=set(atoms.symbols))
        telling |= {"core_potentials": cores} if cores else {}
        is_turned = has_antiparallel_moments(atoms.get_initial_magnetic_moments())
        telling |= {"starts_from_moments": True} if is_turned else {}
    return telling
