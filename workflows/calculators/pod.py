"""The embedded potential: proper orthogonal descriptors, evaluated by LAMMPS.

Source: Nguyen and Rohskopf, J. Comput. Phys. 480 (2023) 112030, doi:10.1016/j.jcp.2023.112030.
"""

from pathlib import Path

from structures.errors import InputError
from workflows.calculators.lammps_potential import BlobPath, LammpsPotential
from workflows.calculators.spec import CalculatorSpec

DESCRIPTOR_FILE = "potential.pod"
COEFFICIENTS_FILE = "coefficients.pod"
DOMAIN_FILE = "domain.npz"
FILES_BY_ROLE = {"descriptor": DESCRIPTOR_FILE, "coefficients": COEFFICIENTS_FILE, "domain": DOMAIN_FILE}


def read_pod_elements(descriptor: Path) -> tuple[str, ...]:
    """Elements of a potential, in the order of its descriptor file.

    Raises:
        InputError: if the file is no descriptor file.
    """
    try:
        for line in descriptor.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[:1] == ["species"] and len(words) > 1:
                return tuple(words[1:])
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The descriptor file {descriptor} cannot be read: {error}") from error
    raise InputError(f"The descriptor file {descriptor} has no line 'species …': it is no POD potential.")


def build_pod_potential(spec: CalculatorSpec, *, blob_path: BlobPath) -> LammpsPotential:
    """The potential whose files the spec names by role.

    All species are atom types, in the file's order: `pair_style pod` numbers the names that it meets and looks none of
    them up, so that a shorter or reordered list silently gives other elements' parameters.

    Raises:
        InputError: if a file is missing.
    """
    missing = sorted({"descriptor", "coefficients"} - set(spec.models))
    if missing:
        raise InputError(f"calculator pod lacks its {' and '.join(missing)} file; give a potential's folder or name.")
    files = {FILES_BY_ROLE[role]: blob_path(spec.models[role]) for role in ("descriptor", "coefficients")}
    elements = read_pod_elements(files[DESCRIPTOR_FILE])
    coefficients = f"pair_coeff * * ${{models}}/{DESCRIPTOR_FILE} ${{models}}/{COEFFICIENTS_FILE} {' '.join(elements)}"
    return LammpsPotential(elements, ("pair_style pod", coefficients), files)
