"""Inputs of codes that run elsewhere (VASP, Quantum ESPRESSO, CP2K) for every species of `tfsi-adsorption`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structures.errors import InputError
from structures.reaction import Reaction
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
from workflows.adsorption_sums import find_host
from workflows.calculators.electronic import build_electronic_spec, find_method
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.tfsi_adsorption import ON, ElectronicCalculatorSection, TfsiAdsorptionConfig
from workflows.engines.input_files import check_is_written, write_input_files

REACTIONS_FILE = "reactions.txt"
WITH_CELL = ElectronicCalculatorSection(name="cp2k")  # boxes are as for it, whatever calculator the run has
SHAPES = {"vasp": "WAVELET", "espresso": "MT"}  # solver of CP2K that needs the same: a cube; twice the density


@dataclass(frozen=True)
class WrittenEnergy:
    """An energy of a sum, to be computed elsewhere.

    Attributes:
        folder: where its inputs go.
        number: how often it counts in ΔE, negative on the left side.
        species: in its cell.
        spec: of the code.
        moves: whether its atoms may move.
    """

    folder: str
    number: int
    species: Species
    spec: CalculatorSpec
    moves: bool


def write_all_inputs(
    config: TfsiAdsorptionConfig,
    *,
    code: str,
    protocol: str,
    overrides: Mapping[str, Any],
    directory: Path,
) -> dict[str, list[Path]]:
    """One folder of inputs for each energy that the reactions of a configuration need, and a file that sums them up.

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
    told, to_write = [], dict[str, WrittenEnergy]()
    for reaction in parse_reactions(config):
        energies = list_energies(
            reaction, config=config, species=species, code=code, protocol=protocol, overrides=overrides
        )
        told.append(describe_sum(reaction, energies=energies, config=config, species=species))
        to_write = {energy.folder: energy for energy in energies} | to_write
    paper = protocol if protocol in find_method(code).papers else ""
    written = {
        folder: write_energy(energy, directory=directory / folder, paper=paper) for folder, energy in to_write.items()
    }
    (directory / REACTIONS_FILE).write_text("\n".join(told), encoding="utf-8")
    return written


def write_energy(energy: WrittenEnergy, *, directory: Path, paper: str) -> list[Path]:
    """Write the inputs of one energy, by the protocol of a paper unless that is empty."""
    one = energy.species
    moments = one.atoms.get_initial_magnetic_moments()
    return write_input_files(
        directory,
        spec=energy.spec,
        atoms=one.atoms,
        charge=one.charge,
        multiplicity=one.multiplicity,
        relax=energy.moves,
        moments=moments.tolist() if moments.any() else None,
        paper=paper,
    )


def list_energies(
    reaction: Reaction,
    *,
    config: TfsiAdsorptionConfig,
    species: Mapping[str, Species],
    code: str,
    protocol: str,
    overrides: Mapping[str, Any],
) -> list[WrittenEnergy]:
    """The energies of a reaction.

    Where there is a slab, an ion is without its charge in the slab's cell; what the charge costs is the difference
    of two energies in open boundaries. The neutral form does not move, so that it is one in both cells and cancels.
    """
    names = [name for name in reaction.coefficients if name != ELECTRON]
    slabs, moves = list_slabs(names, species=species), config.geometry.relax
    own = find_slab_changes(config, code=code, protocol=protocol, name=slabs[0], species=species) if slabs else {}
    if "smearing_eV" in overrides:
        own.pop("smearing", None)  # the kind goes with the width
    changes = {**own, **overrides}
    open_changes = {**correct_ions(species), **changes, "k_points": (1, 1, 1)}
    spec, open_spec = (build_electronic_spec(code, protocol=protocol, overrides=one) for one in (changes, open_changes))
    open_cell = find_open_cell(config, spec=open_spec, species=species)
    if not slabs:
        return [
            WrittenEnergy(
                name_folder(name, host=""),
                reaction.coefficients[name],
                open_cell.place(species[name]),
                open_spec,
                moves,
            )
            for name in names
        ]
    cell, host = build_slab_cell(species[slabs[0]].atoms), slabs[0].rsplit(ON, maxsplit=1)[-1]
    energies = []
    for name in names:
        one, neutral, number = species[name], neutralise(species[name]), reaction.coefficients[name]
        folder, may_move = name_folder(neutral.name, host=host), moves and not one.charge
        energies.append(WrittenEnergy(folder, number, cell.place(neutral), spec, may_move))
        if one.charge:
            for part, count in ((neutral, -number), (one, number)):
                folder, may_move = name_folder(f"{part.name} in open boundaries", host=""), moves and part is one
                energies.append(WrittenEnergy(folder, count, open_cell.place(part), open_spec, may_move))
    return energies


def describe_sum(
    reaction: Reaction,
    *,
    energies: Sequence[WrittenEnergy],
    config: TfsiAdsorptionConfig,
    species: Mapping[str, Species],
) -> str:
    """The whole sum of a reaction: every folder with its number, and the electron with its energy."""
    lines = [reaction.text, f"  {reaction.statement}", "  ΔE is the sum of these energies, each times its number:"]
    lines += [f"    {energy.number:+d}  {energy.folder}" for energy in energies]
    if ELECTRON in reaction.coefficients:
        told = describe_electron(reaction, config=config, species=species)
        lines.append(f"    {reaction.coefficients[ELECTRON]:+d}  E({ELECTRON}) = {told}")
    has_slab = bool(list_slabs(reaction.coefficients, species=species))
    ions = [name for name in reaction.coefficients if has_slab and name != ELECTRON and species[name].charge]
    if ions:
        lines.append(
            f"  In the slab's cell {', '.join(ions)} has no charge; what the charge costs is the difference of two "
            "energies in open boundaries. The neutral form keeps one geometry in both cells."
        )
    on = [name for name in reaction.coefficients if ON in name]
    if on:
        lines.append(f"  {', '.join(on)}: the first pose of the search, which need not be the lowest.")
    return "\n".join(lines) + "\n"


def describe_electron(reaction: Reaction, *, config: TfsiAdsorptionConfig, species: Mapping[str, Species]) -> str:
    """The energy of an electron on the scale of the vacuum level, and how it is chosen."""
    electron = config.electron
    others = [name for name in ("vacuum", "work-function", "fermi-level", "lithium") if name != electron.reference]
    chosen = f"(electron.reference: {electron.reference}; others: {', '.join(others)})"
    if electron.energy_eV is None:
        host = name_folder(find_host(reaction, species=species), host="")
        return (
            f"Fermi level less vacuum level above the upper face in {host}, from the planar average of its "
            "electrostatic potential (VASP: LVHAR = .TRUE., LOCPOT; pw.x: pp.x with plot_num = 11; CP2K: "
            f"V_HARTREE_CUBE) {chosen}"
        )
    words = {
        "vacuum": "at rest in the vacuum",
        "work-function": "minus the work function that is given",
        "lithium": f"of an electrode at {electron.potential_V:g} V against Li/Li+",
    }[electron.reference]
    return f"{electron.energy_eV:.2f} eV: {words} {chosen}"


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
