"""What `tfsi-adsorption` refuses before it starts, or tells of: adsorbates too near, and settings without effect."""

import math
from collections.abc import Sequence

from structures.errors import InputError
from structures.orientations import compute_lateral_extent
from structures.poses import Pose
from structures.surface_checks import SMALLEST_IMAGE_DISTANCE_A, choose_repeats, compute_image_distance
from workflows.configuration.adsorption_sections import SubstrateSection


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
