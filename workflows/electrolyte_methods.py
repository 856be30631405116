"""What a run of `electrolyte-interface` simulated and how, in numbers and in words."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

from analysis.interface_case import InterfaceCase
from structures.labels import ELECTRODE, LAYER
from workflows.configuration.electrolyte_interface import (
    SLAB_FACTOR,
    ElectrolyteDynamicsSection,
    ElectrolyteInterfaceConfig,
)
from workflows.configuration.sections import FS_PER_PS
from workflows.electrolyte_cells import build_bare_electrode
from workflows.electrolyte_topology import LAYER_SPECIES, build_topology


def describe_system(config: ElectrolyteInterfaceConfig, *, cells: Mapping[str, Atoms]) -> dict[str, Any]:
    """What was simulated, for the results and the report."""
    electrode = build_bare_electrode(config)
    system: dict[str, Any] = {
        "electrode": f"{electrode.source}; {electrode.repeats[0]} x {electrode.repeats[1]} cells",
        "electrode_strain": list(electrode.strain),
        "n_atoms": max(len(atoms) for atoms in cells.values()),
    }
    topologies = {case: build_topology(config, atoms=atoms) for case, atoms in cells.items()}
    for case, atoms in cells.items():
        regions, topology = atoms.arrays["region"], topologies[case]
        system[case] = {
            "n_atoms": len(atoms),
            "atoms_by_region": dict(Counter(str(region) for region in regions)),
            "periodic_along": "".join(axis for axis, repeats in zip("xyz", atoms.pbc, strict=True) if repeats),
            "cell_A": atoms.cell.lengths().round(3).tolist(),
            "electrode_top_A": round(float(atoms.positions[regions == ELECTRODE, 2].max()), 3),
            "highest_atom_A": round(float(atoms.positions[:, 2].max()), 3),
            "charge_e": round(float(topology.charges_e.sum()), 6),
            "layer_charge_e": round(float(topology.charges_e[regions == LAYER].sum()), 6),
        }
    types: dict[str, dict[str, Any]] = {}
    largest = max(cells, key=lambda case: len(cells[case]))
    topology, of_regions = topologies[largest], cells[largest].arrays["region"]
    for of, charge_e, region in zip(topology.types_of_atoms, topology.charges_e, of_regions, strict=True):
        row = types.setdefault(
            f"{of.name} ({region})",
            {
                "element": of.element,
                "sigma_A": round(of.sigma_A, 4),
                "epsilon_meV": round(1000 * of.epsilon_eV, 4),
                "charges_e": [],
            },
        )
        row["charges_e"].append(float(charge_e))
    for row in types.values():
        charges = np.array(row.pop("charges_e"))
        charges_from = {"charge_from_e": round(charges.min(), 4), "charge_to_e": round(charges.max(), 4)}
        row |= {"n_atoms": charges.size, **charges_from}
    return system | {
        "force_field": {
            "name": "CL&P and OPLS for ions and solvents, UFF and UFF4MOF for electrode and layer",
            "lacks": list_limits(config, cells=cells),
            "cutoff_A": config.force_field.cutoff_A,
            "notes": list(topology.notes),
            "types": types,
        }
    }


def list_limits(config: ElectrolyteInterfaceConfig, *, cells: Mapping[str, Atoms]) -> list[str]:
    """What the force field leaves out that could change the numbers."""
    fixed = [
        region for region in config.dynamics.fixed_regions if any(region in a.arrays["region"] for a in cells.values())
    ]
    limits = ["no polarisation: charges are fixed", "the metal is uncharged and has no image charges"]
    return limits + ([f"{' and '.join(fixed)} do not move"] if fixed else [])


def show_ps(dynamics: ElectrolyteDynamicsSection, steps: int) -> str:
    """A stage as it runs, in whole segments."""
    return f"{steps * dynamics.timestep_fs / FS_PER_PS:g} ps"


def describe_methods(
    config: ElectrolyteInterfaceConfig, *, cells: Mapping[str, Atoms], cases: Mapping[str, InterfaceCase]
) -> tuple[str, ...]:
    """Paragraphs for a method section."""
    structure, dynamics, section = config.structure, config.dynamics, config.force_field
    electrode, counts = structure.electrode, structure.electrolyte.counts
    facet = "".join(str(index) for index in electrode.facet)
    size = " × ".join(f"{length:.2f}" for length in next(iter(cells.values())).cell.lengths()[:2])
    listed = ", ".join(f"{number} {name}" for name, number in counts.items())
    charges = "by charge equilibration (QEq)" if section.layer_charges == "equilibrated" else "zero"
    layer = (
        f" In the case with a layer, {LAYER_SPECIES} molecules lie {structure.layer.orientation} on it, "
        f"{structure.layer.gap_A:g} Å above; their charges are {charges}."
        if "layer" in cells
        else ""
    )
    anneal = (
        f"annealed for {show_ps(dynamics, dynamics.anneal_steps)} at {dynamics.anneal_temperature_K:g} K, cooled "
        f"within {show_ps(dynamics, dynamics.heat_steps)}"
        if dynamics.anneal_steps
        else f"heated within {show_ps(dynamics, dynamics.heat_steps)}"
    )
    end = (
        "up to the other face of the electrode in a periodic cell"
        if structure.boundary == "periodic"
        else "with a free surface to vacuum above: the normal stress is zero, and the liquid finds its own density"
    )
    slab = (
        f" and the correction for slabs (empty space to {SLAB_FACTOR:g} times the height)" if config.slab_factor else ""
    )
    cell = (
        f"The cell is {size} Å wide: {electrode.n_layers} layers of {electrode.element}({facet}), which do not move, "
        f"below {listed}, packed at random to {structure.electrolyte.density_g_per_cm3:g} g/cm³ in the volume that is "
        f"free for them, {end}.{layer}"
    )
    forces = (
        "Molecules and ions have the parameters of CL&P, which are those of OPLS for neutral solvents, charges of ions "
        f"scaled by {section.charge_scale:g}; electrode and layer have Lennard-Jones parameters of UFF and UFF4MOF. "
        f"Unlike types mix geometrically. Lennard-Jones and the direct Coulomb sum end at {section.cutoff_A:g} Å; the "
        f"rest of the Coulomb sum is PPPM with a force error of {section.force_error:g} (relative to two unit charges "
        f"1 Å apart){slab}."
    )
    count = "1 replica" if config.replicas == 1 else f"{config.replicas} replicas"
    held, production = (show_ps(dynamics, one) for one in (dynamics.equilibrate_steps, dynamics.production_steps))
    followed = (
        f"Each replica was packed anew, relaxed, {anneal}, equilibrated for {held} and followed for {production} at "
        f"{dynamics.temperature_K:g} K ({dynamics.ensemble.upper()}, {dynamics.thermostat}, time step "
        f"{dynamics.timestep_fs:g} fs); {count} of each case."
    )
    defined = [
        f"{part.label.capitalize()}: {part.coordination.definition}." for part in cases.values() if part.coordination
    ]
    return (cell, forces, followed, *defined)
