"""The structure that a run of LAMMPS starts from, written as its potential needs it."""

from pathlib import Path

from ase import Atoms

from workflows.calculators.lammps_potential import LammpsPotential
from workflows.engines.lammps_files import StandardFrame, build_standard_frame, write_lammps_data
from workflows.engines.molecular_files import close_slab, write_topology_data


def orient_structure(atoms: Atoms, *, potential: LammpsPotential) -> StandardFrame:
    """The structure in LAMMPS's orientation; a slab between fixed boundaries counts as periodic.

    Raises:
        InputError: see `build_standard_frame` and `close_slab`.
    """
    return build_standard_frame(close_slab(atoms) if potential.boundary.endswith("f") else atoms)


def write_structure(path: Path, atoms: Atoms, *, potential: LammpsPotential) -> None:
    """Write a data file.

    Args:
        path: of the file.
        atoms: in the orientation of `build_standard_frame`; momenta become velocities.
        potential: tells types, and bonds if it has a topology.

    Raises:
        InputError: if the topology is of other atoms.
    """
    if potential.topology is None:
        write_lammps_data(path, atoms, type_elements=potential.type_elements)
    else:
        write_topology_data(path, atoms, topology=potential.topology)
