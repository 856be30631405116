"""The cells of the flow `electrolyte-interface`, built from its configuration."""

from io import StringIO
from pathlib import Path

from ase import Atoms
from ase.io import write

from analysis.results import write_text_atomically
from structures.electrode import Electrode, build_electrode
from structures.interface_cell import InterfaceCell, build_interface_cell
from structures.layer import Layer, build_layer
from structures.species import build_species
from workflows.configuration.electrolyte_interface import Case, ElectrolyteInterfaceConfig
from workflows.electrolyte_run import CELLS_FOLDER, SPECIES_COLUMN, InterfaceRun, Replica
from workflows.electrolyte_topology import LAYER_SPECIES, list_species


def build_bare_electrode(config: ElectrolyteInterfaceConfig) -> Electrode:
    """The metal slab, strained to exactly the size asked for."""
    section = config.structure.electrode
    return build_electrode(
        section.element,
        facet=section.facet,
        lateral_A=section.lateral_A,
        n_layers=section.n_layers,
        max_strain=section.max_strain,
    )


def build_cover(config: ElectrolyteInterfaceConfig, *, electrode: Electrode) -> Layer:
    """The layer of the case `layer`."""
    section = config.structure.layer
    return build_layer(build_species(LAYER_SPECIES), lateral_A=electrode.lateral_A, orientation=section.orientation)


def build_cell(config: ElectrolyteInterfaceConfig, *, case: Case, seed: int) -> InterfaceCell:
    """One packing of one case.

    Raises:
        InputError: if something in the configuration cannot be built.
    """
    structure = config.structure
    electrode = build_bare_electrode(config)
    species = list_species(config)
    return build_interface_cell(
        electrode,
        molecules=[(species[name], number) for name, number in structure.electrolyte.counts.items()],
        seed=seed,
        layer=build_cover(config, electrode=electrode) if case == "layer" else None,
        density_g_per_cm3=structure.electrolyte.density_g_per_cm3,
        boundary=structure.boundary,
        vacuum_A=structure.vacuum_A,
        layer_gap_A=structure.layer.gap_A,
    )


def build_cells(run: InterfaceRun) -> list[Replica]:
    """Pack each replica of each case anew, each in a file of the run's directory; what is there is not packed again."""
    replicas = []
    for seed in run.config.seeds:
        for case in run.config.structure.cases:
            path = run.workdir / CELLS_FOLDER / f"{case}-{seed}.extxyz"
            if not path.is_file():
                keep_cell(build_cell(run.config, case=case, seed=seed).atoms, path=path)
            replicas.append(Replica(case, seed, path))
    return replicas


def keep_cell(atoms: Atoms, *, path: Path) -> None:
    """Write a cell, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named: Atoms = atoms.copy()
    named.set_array(SPECIES_COLUMN, named.arrays.pop("species"))
    text = StringIO()
    write(text, named, format="extxyz")
    write_text_atomically(path, text=text.getvalue())
