"""Energies of a typed system term by term, by LAMMPS, for comparison with another engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from structures.errors import CalculationError
from workflows.engines.lammps_files import read_binary_dump
from workflows.engines.lammps_process import run_lammps
from workflows.engines.molecular_files import write_interactions, write_topology_data

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from workflows.force_fields.topology import Topology

TERMS = ("bond", "angle", "dihedral", "improper", "van_der_Waals", "Coulomb")
_THERMO = ("ebond", "eangle", "edihed", "eimp", "evdwl", "ecoul", "elong")


@dataclass(frozen=True, eq=False)
class EnergyTerms:
    """What an engine says of one structure.

    Attributes:
        energies_eV: of each of `TERMS`.
        forces_eV_per_A: shape (n_atoms, 3).
    """

    energies_eV: Mapping[str, float]
    forces_eV_per_A: NDArray[np.float64]


def compute_energy_terms_lammps(
    topology: Topology,
    *,
    atoms: Atoms,
    directory: Path,
    cutoff_A: float,
    kspace_accuracy: float = 1e-4,
    slab: float | None = None,
    tail: bool = False,
) -> EnergyTerms:
    """Energies term by term and forces; files are left where they are.

    Args:
        topology: what acts.
        atoms: of the topology, in a cell.
        directory: scratch.
        cutoff_A: see `write_interactions`.
        kspace_accuracy: see there.
        slab: see there.
        tail: see there.

    Raises:
        InputError: if topology and atoms do not fit, or a value is out of range.
        ConvergenceError: if LAMMPS refuses it.
        CalculationError: if LAMMPS was killed or gave no numbers.
    """
    directory.mkdir(parents=True, exist_ok=True)
    resting = atoms.copy()
    resting.arrays.pop("momenta", None)
    frame = write_topology_data(directory / "molecules.data", resting, topology=topology)
    lines = ["units metal", "atom_style full", f"boundary p p {'p' if slab is None else 'f'}", "box tilt large"]
    lines += ["read_data molecules.data"]
    lines += write_interactions(topology, cutoff_A=cutoff_A, kspace_accuracy=kspace_accuracy, slab=slab, tail=tail)
    lines += [
        f"thermo_style custom {' '.join(_THERMO)}",
        "thermo_modify norm no line one format float %.15g",
        "dump result all custom 1 forces.bin id fx fy fz",
        "dump_modify result sort id",
        "run 0 post no",
    ]
    (directory / "terms.in").write_text("\n".join(lines) + "\n", encoding="utf-8")
    output: list[str] = []
    run_lammps(directory, input_name="terms.in", log=directory / "terms.log", on_line=output.append)
    heading = next((i for i, line in enumerate(output) if line.split()[:1] == ["E_bond"]), None)
    words = output[heading + 1].split() if heading is not None and heading + 1 < len(output) else []
    if len(words) != len(_THERMO):
        raise CalculationError(f"LAMMPS gave no energies, needs one row of {len(_THERMO)}; see {directory}/terms.log")
    *bonded, vdw, direct, reciprocal = map(float, words)
    (dump,) = read_binary_dump(directory / "forces.bin")
    values = (*bonded, vdw, direct + reciprocal)
    return EnergyTerms(dict(zip(TERMS, values, strict=True)), frame.back(dump.take("fx", "fy", "fz")))
