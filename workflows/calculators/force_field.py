"""Classical force fields of molecules, ions and rigid layers, as LAMMPS runs them; flows make their topologies."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structures.errors import InputError
from workflows.calculators.lammps_potential import BlobPath, LammpsPotential
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.molecular_files import write_interactions
from workflows.force_fields.topology import Topology, read_topology, write_topology
from workflows.jobs.durable import write_canonical_json

OVERRIDES = {
    "cutoff_A": "of Lennard-Jones and of the direct part of the Coulomb sum, in Å",
    "force_error": "of the Coulomb forces, relative to that of two unit charges 1 Å apart",
    "slab": "factor of empty space along z with which Coulomb forces of images along z are taken out; 0: periodic",
    "tail": "whether energy and pressure count Lennard-Jones beyond the cut-off, which only a uniform liquid allows",
}
TOPOLOGY = "topology"


def build_force_field_spec(
    topology: Topology,
    *,
    add_blob: Callable[[Path], str],
    cutoff_A: float,
    force_error: float,
    slab: float = 0.0,
    tail: bool = False,
) -> CalculatorSpec:
    """The spec of a calculator for the atoms of a topology, which goes to the store as a file.

    Args:
        topology: of all atoms, in their order.
        add_blob: stores a file and gives its SHA-256.
        cutoff_A: of Lennard-Jones and of the direct part of the Coulomb sum, in Å.
        force_error: of the Coulomb forces, relative to that of two unit charges 1 Å apart.
        slab: see `OVERRIDES`.
        tail: see `OVERRIDES`; the density of a bulk liquid at a pressure needs it.
    """
    with tempfile.TemporaryDirectory(prefix="alkaliflow-") as scratch:
        path = Path(scratch) / "topology.json"
        path.write_text(write_canonical_json(write_topology(topology)), encoding="utf-8")
        digest = add_blob(path)
    overrides: dict[str, Any] = {"cutoff_A": cutoff_A, "force_error": force_error}
    # What is off is not named, so that it does not enter a key.
    overrides |= ({"slab": slab} if slab else {}) | ({"tail": True} if tail else {})
    return CalculatorSpec("force-field", overrides=overrides, models={TOPOLOGY: digest})


def read_topology_of(spec: CalculatorSpec, *, blob_path: BlobPath) -> Topology:
    """The topology of a calculator.

    Raises:
        InputError: if it has none.
    """
    if TOPOLOGY not in spec.models:
        raise InputError("calculator force-field has no topology: flows make it, see alkaliflow run --help.")
    return read_topology(json.loads(blob_path(spec.models[TOPOLOGY]).read_text(encoding="utf-8")))


def build_force_field_potential(spec: CalculatorSpec, *, blob_path: BlobPath) -> LammpsPotential:
    """Commands of LAMMPS for a topology.

    Raises:
        InputError: if the spec has no topology.
    """
    topology = read_topology_of(spec, blob_path=blob_path)
    slab = float(spec.overrides.get("slab", 0.0))
    commands = write_interactions(
        topology,
        cutoff_A=float(spec.overrides["cutoff_A"]),
        kspace_accuracy=float(spec.overrides["force_error"]),
        slab=slab or None,
        tail=bool(spec.overrides.get("tail", False)),
    )
    return LammpsPotential(
        type_elements=tuple(of.element for of in topology.atom_types),
        # Molecules move faster than atoms of a crystal, and Lennard-Jones costs little within a wider skin.
        commands=("neighbor 2.0 bin", "neigh_modify every 1 delay 4 check yes", *commands),
        files={},
        topology=topology,
        boundary="p p f" if slab else "p p p",
    )
