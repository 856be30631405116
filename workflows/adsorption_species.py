"""The species of a run of `tfsi-adsorption`: molecules, slabs, adsorbates on them, checked against the reactions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, reference_states
from numpy.typing import NDArray

from analysis.adsorbed_state import NON_METALS
from structures.adsorption_sites import find_sites
from structures.box import orient_along_axes
from structures.cluster_sites import find_cluster_sites
from structures.errors import InputError
from structures.files import read_structure
from structures.orientations import build_orientations, compute_lateral_extent, reduce_orientations
from structures.poses import Pose, build_poses
from structures.reaction import Reaction, check_reaction, parse_reaction
from structures.species import (
    BUILT_IN,
    ELECTRON,
    Species,
    build_from_smiles,
    build_species,
    complete_species,
    read_species,
)
from structures.surface import Surface, build_surface
from structures.surface_checks import check_crystal, choose_repeats
from structures.surface_library import SUBSTRATES, build_crystal, build_substrate
from workflows.adsorption_checks import check_images
from workflows.configuration.adsorption_sections import SubstrateSection
from workflows.configuration.tfsi_adsorption import ON, SpeciesSection, TfsiAdsorptionConfig

MOMENTS_UB = {"Cr": 1.0, "Mn": 2.0, "Fe": 2.3, "Co": 1.7, "Ni": 0.7}  # starts, near those of the metals
BOND_ROOM_A = 2.5  # between a surface and the lowest atom of what lies on it


def build_all_species(config: TfsiAdsorptionConfig) -> dict[str, Species]:
    """Every species of the reactions by name: molecules along the axes, slabs, adsorbates in their first pose.

    Raises:
        InputError: if one is unknown or wrong, or a reaction does not balance.
    """
    names = list_parts(config)
    species = {name: build_molecule(name, config=config) for name in names if not is_slab(name, config=config)}
    for name in names:
        if is_slab(name, config=config):
            guests = [species[guest].atoms for guest, host in list_pairs(config).values() if host == name]
            species[name] = build_slab(name, config=config, guests=guests)
    for name in list_pairs(config):
        poses = build_all_poses(name, config=config, species=species)
        guest, host = list_pairs(config)[name]
        check_images(poses, guest=guest, host=host, section=config.substrates.get(host, SubstrateSection()))
        species[name] = build_adsorbed(name, poses[0].atoms, config=config, species=species)
    unused = [name for name in (*config.species, *config.substrates) if name not in species]
    if unused:
        section = "species" if unused[0] in config.species else "substrates"
        raise InputError(f"{section}.{unused[0]} is in none of the reactions. Take it out, or name it in one.")
    for reaction in parse_reactions(config):
        check_reaction(reaction, species=species)
        check_cells(reaction, species=species)
    return species


def parse_reactions(config: TfsiAdsorptionConfig) -> list[Reaction]:
    """The reactions of a run."""
    return [parse_reaction(text) for text in config.all_reactions]


def list_pairs(config: TfsiAdsorptionConfig) -> dict[str, tuple[str, str]]:
    """Name of each adsorbate on a substrate → the adsorbate and the substrate.

    Raises:
        InputError: if a name has more than one of the signs that stand for "on".
    """
    pairs = {}
    for name in config.species_names:
        guest, *hosts = name.split(ON)
        if len(hosts) > 1 or (hosts and not (guest and hosts[0])):
            raise InputError(f"{name!r} has {len(hosts)} {ON}, needs adsorbate{ON}substrate, e.g. CO{ON}Cu(111).")
        if hosts:
            pairs[name] = guest, hosts[0]
    return pairs


def list_parts(config: TfsiAdsorptionConfig) -> list[str]:
    """Every molecule and slab of the reactions, those that only lie on each other included."""
    pairs = list_pairs(config)
    return list(dict.fromkeys(part for name in config.species_names for part in pairs.get(name, (name,))))


def is_slab(name: str, *, config: TfsiAdsorptionConfig) -> bool:
    """Whether a name stands for a slab."""
    return name in config.substrates or (name in SUBSTRATES and name not in config.species)


def is_shipped(name: str, *, config: TfsiAdsorptionConfig) -> bool:
    """Whether a species' geometry is one that alkaliflow brings."""
    return name in BUILT_IN and (name not in config.species or config.species[name].is_known)


def build_molecule(name: str, *, config: TfsiAdsorptionConfig) -> Species:
    """A molecule or ion of the user's, or a built-in one."""
    section = config.species.get(name)
    if section is None or section.is_known:
        built = set_charge_and_spin(build_known(name), section=section)
    elif section.smiles is not None:
        built = build_from_smiles(name, smiles=section.smiles, charge=section.charge, multiplicity=section.multiplicity)
    else:
        path, charge = Path(str(section.file)), section.charge or 0
        built = read_species(name, path=path, charge=charge, multiplicity=section.multiplicity)
    return replace(built, atoms=orient_along_axes(built.atoms))


def build_known(name: str) -> Species:
    """A built-in molecule.

    Raises:
        InputError: if there is neither a molecule nor a slab of that name.
    """
    try:
        return build_species(name)
    except InputError as error:
        raise InputError(f"{error} Slabs are {', '.join(SUBSTRATES)}, or your own under substrates.") from None


def set_charge_and_spin(one: Species, *, section: SpeciesSection | None) -> Species:
    """The species with the charge and the multiplicity that the user asks for, if any."""
    if section is None:
        return one
    charge = one.charge if section.charge is None else section.charge
    multiplicity = section.multiplicity
    if multiplicity is None and charge == one.charge:
        multiplicity = one.multiplicity
    if (charge, multiplicity) != (one.charge, one.multiplicity):
        one = replace(one, starting_moments={})
    return complete_species(replace(one, charge=charge), multiplicity=multiplicity)


def build_slab(name: str, *, config: TfsiAdsorptionConfig, guests: Sequence[Atoms]) -> Species:
    """A slab that is wide enough for its adsorbates, with room for them above and vacuum on both sides.

    Raises:
        InputError: if the slab cannot be cut, or an adsorbate does not fit.
    """
    section = config.substrates.get(name, SubstrateSection())
    narrow = cut_slab(name, section=section, repeats=(1, 1))
    extent_A = max((compute_lateral_extent(guest) for guest in guests), default=0.0)
    repeats = section.repeats
    if repeats is None:
        repeats = choose_repeats(narrow, extent_A=extent_A, clearance_A=section.clearance_A)
    surface = cut_slab(name, section=section, repeats=repeats)
    room_A = extent_A + BOND_ROOM_A if guests else 0.0
    moments = find_moments(surface.atoms, section=section)
    if any(moments):
        surface.atoms.set_initial_magnetic_moments(moments)
    words = f"{surface.source}; {surface.n_layers} planes, {repeats[0]} x {repeats[1]} cells"
    faces = "equal" if surface.is_symmetric else "different"
    polar = "; polar" if surface.is_polar else ""
    spins = f"; starts from {sum(moments):g} μB" if any(moments) else ""
    return Species(
        name,
        frame_slab(surface.atoms, room_A=room_A, vacuum_A=section.vacuum_A),
        source=f"{words}, termination {surface.termination}, faces {faces}{polar}{spins}",
    )


def find_moments(atoms: Atoms, *, section: SubstrateSection) -> list[float]:
    """Moment of each atom to start from, in μB: the section's, or those of magnetic metals.

    Raises:
        InputError: if the section names an element that is not in the slab.
    """
    chosen = MOMENTS_UB if section.moments_uB is None else section.moments_uB
    absent = set(section.moments_uB or ()) - set(atoms.symbols)
    if absent:
        raise InputError(f"moments_uB names {min(absent)}, which is not in the slab of {atoms.symbols.formula}.")
    return [chosen.get(symbol, 0.0) for symbol in atoms.symbols]


def cut_slab(name: str, *, section: SubstrateSection, repeats: tuple[int, int]) -> Surface:
    """The slab of a section, or the built-in one."""
    if section.file is None and section.element is None:
        if name not in SUBSTRATES:
            raise InputError(
                f"substrates.{name} has neither file nor element, and is not built in ({', '.join(SUBSTRATES)}). Set "
                "one of them, e.g. element: Pt."
            )
        changed = {"miller": section.miller, "termination": section.termination}
        for key, value in changed.items():
            if value is not None:
                raise InputError(
                    f"substrates.{name}.{key} is {value}, but {name} is built in. Take it out, or give a file or an "
                    "element under another name."
                )
        return build_substrate(
            name,
            n_layers=section.layers,
            repeats=repeats,
            vacuum_A=2 * section.vacuum_A,
            fixed_layers=section.fixed_layers,
        )
    n_layers = section.layers or 4
    miller = section.miller or (0, 0, 1)
    return build_surface(
        build_bulk(name, section=section),
        name=name,
        miller=miller,
        n_layers=n_layers,
        repeats=repeats,
        vacuum_A=2 * section.vacuum_A,
        fixed_layers=n_layers // 2 if section.fixed_layers is None else section.fixed_layers,
        termination=section.termination,
        source=f"{section.element} with ASE's lattice" if section.file is None else Path(section.file).name,
    )


def build_bulk(name: str, *, section: SubstrateSection) -> Atoms:
    """The crystal that a slab is cut from, in the cell that it comes in."""
    if section.file is not None:
        return read_crystal(name, path=section.file)
    return build_crystal(SUBSTRATES[name].crystal) if section.element is None else build_metal(section.element)


def read_crystal(name: str, *, path: str) -> Atoms:
    """The bulk crystal of a file.

    Raises:
        InputError: if it cannot be read, or is a slab or a molecule with vacuum around it.
    """
    crystal = read_structure(path)
    if crystal.cell.rank == 3:  # noqa: PLR2004 (three axes; a file without is refused where slabs are cut)
        check_crystal(crystal, name=f"substrates.{name}.file")
    return crystal


def build_metal(symbol: str) -> Atoms:
    """Crystal of an element with the lattice that ASE knows.

    Raises:
        InputError: if it knows none, or the element has no simple lattice.
    """
    lattice = (reference_states[atomic_numbers[symbol]] or {}) if symbol in atomic_numbers else {}
    if lattice.get("symmetry") not in ("fcc", "bcc", "hcp", "diamond"):
        raise InputError(
            f"element is {symbol!r}, needs one with a lattice of kind fcc, bcc, hcp or diamond, e.g. Pt. Or give the "
            "crystal as file."
        )
    crystal: Atoms = bulk(symbol, cubic=lattice["symmetry"] != "hcp")
    return crystal


def frame_slab(atoms: Atoms, *, room_A: float, vacuum_A: float) -> Atoms:
    """The slab in a cell with vacuum below, and room for an adsorbate and as much vacuum above."""
    framed: Atoms = atoms.copy()
    heights_A = framed.positions[:, 2]
    cell = framed.cell.array.copy()
    cell[2] = (0.0, 0.0, float(np.ptp(heights_A)) + room_A + 2 * vacuum_A)
    framed.positions[:, 2] += vacuum_A - heights_A.min()
    framed.set_cell(cell)
    framed.pbc = (True, True, False)
    return framed


def build_all_poses(name: str, *, config: TfsiAdsorptionConfig, species: Mapping[str, Species]) -> list[Pose]:
    """Every pose of an adsorbate on its substrate: sites by symmetry, orientations evenly over rotations, seeded.

    Raises:
        InputError: if there are no sites, or none is without overlaps.
    """
    guest, host = (species[part] for part in list_pairs(config)[name])
    section = config.poses
    sites = find_sites(host.atoms) if host.atoms.pbc.any() else find_cluster_sites(host.atoms)
    rotations = build_orientations(section.orientations, seed=section.seed)
    rotations = rotations[reduce_orientations(guest.atoms, rotations)]
    return build_poses(
        host.atoms,
        guest.atoms,
        sites=sites,
        rotations=rotations,
        seed=section.seed,
        distance_scale=section.distance_scale,
        limit=section.most,
    )


def build_adsorbed(name: str, atoms: Atoms, *, config: TfsiAdsorptionConfig, species: Mapping[str, Species]) -> Species:
    """An adsorbate on its substrate as a species: charges add up, spins couple to the lowest, unless the user says.

    On a slab, which gives and takes electrons, the moment is free. It starts from those of both parts, parallel; on a
    slab with metals but without moments, which quenches the spin of most adsorbates, from none.
    """
    guest, host = (species[part] for part in list_pairs(config)[name])
    section = config.species.get(name)
    bare: Atoms = atoms.copy()
    for array in set(bare.arrays) - {"numbers", "positions"}:
        del bare.arrays[array]
    charge = guest.charge + host.charge
    if section is not None and section.charge is not None and section.charge != charge:
        raise InputError(f"species.{name}.charge is {section.charge:+d}, needs that of its parts, {charge:+d}.")
    adsorbed = Species(name, bare, charge=charge, source=f"{guest.name} on {host.name}")
    asked = None if section is None else section.multiplicity
    if bare.pbc.any():
        of_host = host.atoms.get_initial_magnetic_moments()
        parallel = np.concatenate([of_host, spread(guest)])
        is_quenching = not of_host.any() and bool(set(host.atoms.symbols) - NON_METALS)
        if parallel.any() and not is_quenching:
            bare.set_initial_magnetic_moments(parallel)
        return replace(adsorbed, multiplicity=host.multiplicity if asked is None else asked)
    lowest = abs(guest.multiplicity - host.multiplicity) + 1
    multiplicity = lowest if asked is None else asked
    moments = join_moments(host, guest, multiplicity=multiplicity)
    if moments is not None:
        bare.set_initial_magnetic_moments(moments)
    return complete_species(adsorbed, multiplicity=multiplicity)


def join_moments(host: Species, guest: Species, *, multiplicity: int) -> list[float] | None:
    """Moments to start an adsorbed species from: those of its parts, the guest's turned if that gives the spin.

    Returns:
        Moment of each atom, the host's first, in μB; None if no such sum gives the multiplicity, or no spin is open.
    """
    ours, theirs = (spread(part) for part in (host, guest))
    for sign in (1, -1):
        joined = np.concatenate([ours, sign * theirs])
        if joined.any() and np.isclose(joined.sum(), multiplicity - 1, atol=1e-6):
            return [float(value) for value in joined]
    return None


def spread(one: Species) -> NDArray[np.float64]:
    """Moment of each atom: as the structure has it, or the unpaired electrons evenly."""
    moments = one.atoms.get_initial_magnetic_moments()
    return moments if moments.any() else np.full(len(one.atoms), (one.multiplicity - 1) / len(one.atoms))


def list_slabs(names: Iterable[str], *, species: Mapping[str, Species]) -> list[str]:
    """Those of the names that are periodic: slabs, and adsorbates on them."""
    return [name for name in names if name != ELECTRON and species[name].atoms.pbc.any()]


def check_cells(reaction: Reaction, *, species: Mapping[str, Species]) -> None:
    """Check that all periodic species of a reaction have one cell and no charge.

    Raises:
        InputError: names the species, and the ways to have an ion on a slab.
    """
    names = list_slabs(reaction.coefficients, species=species)
    for name in names:
        if species[name].charge:
            guest, host = name.split(ON) if ON in name else (name, name)
            raise InputError(
                f"{name} has a charge of {species[name].charge:+d} e in a cell that repeats: its energy would be that "
                f"of a background, not of an ion. Write the neutral cell, with the electron from the slab: {host} + "
                f"{guest} -> {guest.rstrip('+-')}{ON}{host} + e-; or the neutral pair, e.g. LiTFSI{ON}{host}; or take "
                "a cluster in place of the slab."
            )
    cells = [species[name].atoms.cell.array for name in names]
    for name, cell in zip(names[1:], cells[1:], strict=True):
        if not np.allclose(cell, cells[0], rtol=0, atol=1e-6):
            raise InputError(
                f"reaction {reaction.text!r}: {names[0]} and {name} have different cells, so their energies cannot be "
                "subtracted. Write one reaction for each slab, or set repeats and vacuum_A alike."
            )


def neutralise(one: Species) -> Species:
    """The same atoms without charge, with the lowest spin."""
    if not one.charge:
        return one
    atoms = one.atoms.copy()
    atoms.set_initial_magnetic_moments(None)
    neutral = replace(one, name=f"{one.name} made neutral", atoms=atoms, charge=0, starting_moments={})
    return complete_species(neutral, multiplicity=None)
