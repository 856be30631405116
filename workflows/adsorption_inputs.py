"""Inputs of codes that run elsewhere (VASP, Quantum ESPRESSO, CP2K) for every species of `tfsi-adsorption`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from structures.errors import InputError
from structures.species import ELECTRON, Species
from workflows.adsorption_cells import Cell, build_slab_cell, find_box, find_slab_settings
from workflows.adsorption_species import (
    build_adsorbed,
    build_all_species,
    list_pairs,
    list_slabs,
    neutralise,
    parse_reactions,
)
from workflows.adsorption_spins import start_with
from workflows.calculators.electronic import build_electronic_spec, find_method
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.tfsi_adsorption import ON, ElectronicCalculatorSection, TfsiAdsorptionConfig
from workflows.engines.input_files import check_is_written, write_input_files

REACTIONS_FILE = "reactions.txt"
WITH_CELL = ElectronicCalculatorSection(name="cp2k")  # boxes are as for it, whatever calculator the run has
SHAPES = {"vasp": "WAVELET", "espresso": "MT"}  # solver of CP2K that needs the same: a cube; twice the density


def write_all_inputs(
    config: TfsiAdsorptionConfig,
    *,
    code: str,
    protocol: str,
    overrides: Mapping[str, Any],
    directory: Path,
) -> dict[str, list[Path]]:
    """One folder of inputs for each energy that the reactions of a configuration need.

    Slabs, and what lies on them, are in the cell of the slab; molecules in that cell, or in one box without images,
    or with the code's correction for them.

    Args:
        config: of the flow; its calculator is not used.
        code: vasp, espresso or cp2k.
        protocol: fast, moderate, precise, or a paper's.
        overrides: settings of the code to have otherwise.
        directory: new, or empty.

    Returns:
        Folder's name → its files.

    Raises:
        InputError: if something cannot be built or written, or the directory holds files.
    """
    check_is_written(code)
    if directory.exists() and any(directory.iterdir()):
        raise InputError(f"{directory}: holds files, needs a new or empty directory. Choose another with -o.")
    species = choose_spins(build_all_species(config), config=config)
    open_spec = build_electronic_spec(
        code,
        protocol=protocol,
        overrides={**correct_ions(species), **overrides, "k_points": (1, 1, 1)},
    )
    open_cell = find_open_cell(config, spec=open_spec, species=species)
    written, lines = {}, []
    for reaction in parse_reactions(config):
        slabs = list_slabs(reaction.coefficients, species=species)
        cell, spec = open_cell, open_spec
        if slabs:
            cell = build_slab_cell(species[slabs[0]].atoms)
            own = find_slab_changes(config, code=code, protocol=protocol, name=slabs[0], species=species)
            if "smearing_eV" in overrides:
                own.pop("smearing", None)  # the kind goes with the width
            spec = build_electronic_spec(code, protocol=protocol, overrides={**own, **overrides})
        names = []
        for name in reaction.coefficients:
            if name == ELECTRON:
                continue
            one = neutralise(species[name]) if slabs else species[name]
            folder = name_folder(one.name, host=slabs[0].rsplit(ON, maxsplit=1)[-1] if slabs else "")
            names.append(folder)
            if folder not in written:
                placed = cell.place(one)
                moments = placed.atoms.get_initial_magnetic_moments()
                written[folder] = write_input_files(
                    directory / folder,
                    spec=spec,
                    atoms=placed.atoms,
                    charge=placed.charge,
                    multiplicity=placed.multiplicity,
                    relax=config.geometry.relax,
                    moments=moments.tolist() if moments.any() else None,
                )
        lines.append(f"{reaction.text}\n  {reaction.statement}\n  folders: {', '.join(names)}\n")
    (directory / REACTIONS_FILE).write_text("\n".join(lines), encoding="utf-8")
    return written


def find_open_cell(config: TfsiAdsorptionConfig, *, spec: CalculatorSpec, species: Mapping[str, Species]) -> Cell:
    """The box that all molecules share, in the shape that the code needs to part them from their images."""
    with_cell = config.model_copy(update={"calculator": WITH_CELL})
    solver = spec.overrides.get("poisson_solver", SHAPES.get(spec.name))
    return Cell(find_box(with_cell, species=species, settings={"poisson_solver": solver}))


def correct_ions(species: Mapping[str, Species]) -> dict[str, Any]:
    """The correction for images where there is an ion, whatever a paper's protocol says; it is off by eVs without."""
    return {"dipole_correction": True} if any(one.charge for one in species.values()) else {}


def find_slab_changes(
    config: TfsiAdsorptionConfig, *, code: str, protocol: str, name: str, species: Mapping[str, Species]
) -> dict[str, Any]:
    """k-points and smearing of a slab, unless the protocol is a paper's, which says them itself."""
    if protocol in find_method(code).papers:
        return {}
    settings = {"mode": "pw", "k_points": (1, 1, 1), "smearing_eV": 0.0}
    has_kinds = "smearing" in find_method(code).settings.model_fields
    return {
        **find_slab_settings(config, name=name, settings=settings, species=species),
        **({"smearing": "fermi-dirac"} if has_kinds else {}),
    }


def choose_spins(species: Mapping[str, Species], *, config: TfsiAdsorptionConfig) -> dict[str, Species]:
    """The species with the first of their spin arrangements, which stays where something lies on a cluster."""
    chosen = {
        name: start_with(one, arrangement=next(iter(one.starting_moments))) if one.starting_moments else one
        for name, one in species.items()
    }
    for name in list_pairs(config):
        if not chosen[name].atoms.pbc.any():
            chosen[name] = build_adsorbed(name, chosen[name].atoms, config=config, species=chosen)
    return chosen


def name_folder(name: str, *, host: str) -> str:
    """Name of a folder that every file system takes."""
    words = name if not host or ON in name or name == host else f"{name} in the cell of {host}"
    kept = {"+": "plus", "-": "-", "@": "-on-", " ": "-"}
    text = "".join(kept.get(letter, letter if letter.isalnum() else "_") for letter in words)
    return f"{text[:-1]}minus" if text.endswith("-") else text
