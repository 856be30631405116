"""What `tfsi-adsorption` refuses before it starts, or tells of: adsorbates too near, and settings without effect."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ase.neighborlist import natural_cutoffs, neighbor_list
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from structures.errors import InputError
from structures.orientations import compute_lateral_extent
from structures.poses import Pose
from structures.species import Species
from structures.surface_checks import SMALLEST_IMAGE_DISTANCE_A, choose_repeats, compute_image_distance
from workflows.configuration.adsorption_sections import SubstrateSection
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig

_LONGEST_BOND = 1.3  # times the sum of covalent radii


def check_images(poses: Sequence[Pose], *, guest: str, host: str, section: SubstrateSection) -> None:
    """Check that an adsorbate keeps clear of its own images on a slab, in every pose.

    Args:
        poses: of the adsorbate.
        guest: its name.
        host: name of the slab, or of a cluster, which has no images.
        section: the slab's.

    Raises:
        InputError: names the distance, the limit and what to set.
    """
    if not poses[0].atoms.pbc.any():
        return
    guests = [pose.atoms[pose.atoms.arrays["is_adsorbate"]] for pose in poses]
    lateral_A = poses[0].atoms.cell.array[:2]
    distance_A = min(compute_image_distance(one, lateral_A=lateral_A) for one in guests)
    if distance_A >= SMALLEST_IMAGE_DISTANCE_A:
        return
    limit_A = math.ceil(SMALLEST_IMAGE_DISTANCE_A)
    where, value, fix = "clearance_A", f"{section.clearance_A:g}", f"Set it, e.g. clearance_A: {limit_A}"
    if section.repeats is not None:
        more = choose_repeats(lateral_A, extent_A=compute_lateral_extent(guests[0]), clearance_A=limit_A)
        total = [now * times for now, times in zip(section.repeats, more, strict=True)]
        where, value, fix = "repeats", f"{list(section.repeats)}", f"Set repeats: {total}, or leave repeats out"
    raise InputError(
        f"substrates.{host}.{where} is {value}, with which {guest} comes within {distance_A:.1f} Å of its own image, "
        f"needs at least {SMALLEST_IMAGE_DISTANCE_A:g} Å. {fix}."
    )


def check_elements_of_u(config: TfsiAdsorptionConfig, *, elements: Collection[str]) -> None:
    """Check that a U is for an element that there is.

    Raises:
        InputError: names the element.
    """
    moving = config.geometry.calculator if config.geometry.relax else None
    for where, section in (("calculator", config.calculator), ("geometry.calculator", moving)):
        for element in section.overrides.get("hubbard_U_eV", {}) if section is not None else {}:
            if element not in elements:
                raise InputError(
                    f"{where}.overrides.hubbard_U_eV.{element} is for an element that is in no species, needs one of "
                    f"{', '.join(sorted(elements))}. Take it out."
                )


def check_smaller_basis(
    all_changes: Iterable[Mapping[str, Any]], *, settings: Mapping[str, Any], elements: Collection[str]
) -> None:
    """Check that the basis of PySCF's check is smaller than that of the answer: the error is what the step costs.

    Args:
        all_changes: settings that differ, of each energy.
        settings: of the calculator.
        elements: of all species, which both bases know.

    Raises:
        InputError: names both, and the number of their functions.
    """
    if "grid_level" not in settings:
        return
    from workflows.engines.pyscf_basis import count_functions

    for other in {str(changes["basis"]) for changes in all_changes if "basis" in changes}:
        own, number = (count_functions(name, elements=elements) for name in (settings["basis"], other))
        if number >= own:
            raise InputError(
                f"checks.basis is {other!r} with {number} functions for {', '.join(sorted(elements))}, needs fewer "
                f"than the {own} of {settings['basis']}. Set a smaller one, e.g. def2-svp, or take {other} as "
                "calculator.overrides.basis."
            )


def list_notes(config: TfsiAdsorptionConfig, *, species: Mapping[str, Species]) -> list[str]:
    """What to read before a run starts: settings without effect, and species that are in pieces."""
    notes = []
    if config.geometry.calculator is not None and not config.geometry.relax:
        notes.append(f"geometry.calculator ({config.geometry.calculator.name}) is not used: geometry.relax is false")
    divisions = tuple(config.calculator.overrides.get("k_points", (1, 1, 1)))
    if divisions != (1, 1, 1) and not any(one.atoms.pbc.any() for one in species.values()):
        notes.append(f"calculator.overrides.k_points {list(divisions)} is not used: no species is periodic")
    for name, section in config.species.items():
        n_fragments = 1 if section.is_known else count_fragments(species[name])
        if n_fragments > 1:
            notes.append(f"{name} is in {n_fragments} fragments that no bond joins: is its geometry as you mean it?")
    return notes


def count_fragments(one: Species) -> int:
    """Number of groups of atoms that no bond joins."""
    first, second = neighbor_list("ij", one.atoms, natural_cutoffs(one.atoms, mult=_LONGEST_BOND))
    n_atoms = len(one.atoms)
    bonded = coo_matrix(([1] * len(first), (first, second)), shape=(n_atoms, n_atoms))
    return int(connected_components(bonded, directed=False, return_labels=False))
