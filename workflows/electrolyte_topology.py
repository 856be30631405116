"""What the force field makes of a cell of the flow `electrolyte-interface`: electrode, layer, ions and solvents."""

from itertools import groupby
from pathlib import Path

import numpy as np
from ase import Atoms

from analysis.interface_case import Ions
from structures.electrolyte_species import build_electrolyte_species
from structures.errors import InputError
from structures.labels import ELECTRODE, ELECTROLYTE, LAYER
from structures.species import Species, build_from_smiles, build_species, read_species
from workflows.configuration.electrolyte_interface import ElectrolyteInterfaceConfig
from workflows.force_fields.charge_equilibration import compute_qeq_charges
from workflows.force_fields.clp import type_molecule
from workflows.force_fields.topology import Topology, join_topologies
from workflows.force_fields.uff import type_with_uff

LAYER_SPECIES = "NH2-MIL-node"
_NEUTRAL_E = 1e-6


def list_species(config: ElectrolyteInterfaceConfig) -> dict[str, Species]:
    """The ions and solvents by name, in the order of their counts.

    Raises:
        InputError: if one is not known, or has no sound geometry.
    """
    electrolyte = config.structure.electrolyte
    unused = sorted(set(electrolyte.species) - set(electrolyte.counts))
    if unused:
        raise InputError(
            f"structure.electrolyte.species defines {unused[0]}, which counts does not name. Give it a "
            "count, or take it out."
        )
    found = {}
    for name in electrolyte.counts:
        own = electrolyte.species.get(name)
        if own is None:
            found[name] = build_electrolyte_species(name)
        elif own.smiles is not None:
            found[name] = build_from_smiles(name, smiles=own.smiles, charge=own.charge)
        elif own.file is not None:
            found[name] = read_species(name, path=Path(own.file), charge=own.charge or 0)
    return found


def build_topology(config: ElectrolyteInterfaceConfig, *, atoms: Atoms) -> Topology:
    """Types, charges and terms of all atoms of a cell, in their order.

    Electrode and layer are rigid: they have Lennard-Jones parameters of UFF and charges, and no bonds.

    Raises:
        InputError: if an atom has no type, a term has no parameters, or the charges do not add up to zero.
    """
    section = config.force_field
    regions = atoms.arrays["region"]
    electrode = Atoms(atoms.symbols[regions == ELECTRODE], positions=atoms.positions[regions == ELECTRODE])
    parts = [(type_with_uff(electrode, charges_e=np.zeros(len(electrode)), bonded=False), 1)]
    if n_layer := int((regions == LAYER).sum()):
        unit = build_species(LAYER_SPECIES).atoms
        charges_e = compute_qeq_charges(unit) if section.layer_charges == "equilibrated" else np.zeros(len(unit))
        parts.append((type_with_uff(unit, charges_e=charges_e, bonded=False), n_layer // len(unit)))
    species = list_species(config)
    of_electrolyte = atoms.arrays["species"][regions == ELECTROLYTE]
    for name, group in groupby(of_electrolyte):
        one = species[str(name)]
        scale = section.charge_scale if one.charge else 1.0
        parts.append((type_molecule(one, charge_scale=scale), len(list(group)) // len(one.atoms)))
    topology = join_topologies(parts)
    total_e = float(topology.charges_e.sum())
    if abs(total_e) > _NEUTRAL_E * max(1.0, len(topology) ** 0.5):
        raise InputError(
            f"The charges of the cell add up to {total_e:+.4f} e, needs 0: mend structure.electrolyte.counts so that "
            "the ions' charges cancel."
        )
    return topology


def find_ions(config: ElectrolyteInterfaceConfig) -> Ions:
    """The anion that is followed, the element of it that binds cations, and the cation of which there are most.

    Raises:
        InputError: if there is no anion or no cation, or the one asked for is none of the electrolyte.
    """
    counts, species, asked = config.structure.electrolyte.counts, list_species(config), config.analysis.anion
    by_count = sorted(species, key=lambda name: -counts[name])
    anions = [name for name in by_count if species[name].charge < 0]
    cations = [name for name in by_count if species[name].charge > 0]
    if not anions or not cations:
        raise InputError(
            f"structure.electrolyte.counts names {', '.join(species)}, needs an anion and a cation. Add them, e.g. "
            "{Li+: 20, TFSI-: 20}."
        )
    if asked is not None and asked not in anions:
        raise InputError(f"analysis.anion is {asked}, needs one of {', '.join(anions)}. Set it, or null.")
    anion = anions[0] if asked is None else asked
    elements = species[anion].atoms.symbols
    binding = next(element for element in ("O", "N", "F", str(elements[0])) if element in elements)
    return Ions(anion=anion, binding=binding, cation=cations[0])
