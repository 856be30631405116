"""The key of a calculation: SHA-256 of what decides its result, and of nothing else."""

import hashlib
from typing import Any

from pydantic import ValidationError

from structures.errors import InputError
from workflows.jobs.calculation import Calculation, compute_structure_fingerprint, normalise_structure
from workflows.jobs.durable import write_canonical_json
from workflows.jobs.registry import find_recipe

KEY_VERSION = 1


def resolve_settings(calculation: Calculation) -> dict[str, Any]:
    """The settings that differ from the recipe's defaults, checked and in canonical form.

    Raises:
        InputError: if a setting is unknown or has a wrong value.
    """
    try:
        model = find_recipe(calculation.recipe).settings.model_validate(dict(calculation.settings))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{calculation.recipe}: setting {where or '(all)'} is {first['input']!r}: {first['msg']}."
        raise InputError(message) from error
    return model.model_dump(mode="json", exclude_defaults=True)


def describe_calculation(calculation: Calculation, *, without_length: bool = False) -> dict[str, Any]:
    """The identity of a calculation as JSON values; fields at their default are left out.

    Args:
        calculation: what is described; its structure may be in any form.
        without_length: leave out how long the dynamics lasts, which gives the identity of the chain of segments.
    """
    recipe = find_recipe(calculation.recipe)
    settings = resolve_settings(calculation)
    if without_length and recipe.length_field is not None:
        settings.pop(recipe.length_field, None)
    document: dict[str, Any] = {
        "key_version": KEY_VERSION,
        "recipe": recipe.name,
        "recipe_version": recipe.version,
        "settings": settings,
    }
    if calculation.structure is not None:
        document["structure"] = compute_structure_fingerprint(normalise_structure(calculation.structure))
    if calculation.calculator is not None:
        document["calculator"] = calculation.calculator.to_json()
    if recipe.length_field is not None:
        document["layout"] = {"ranks": calculation.ranks, "threads": calculation.threads}
    if calculation.charge:
        document["charge"] = calculation.charge
    for name in ("seed", "multiplicity", "continue_from"):
        if getattr(calculation, name) is not None:
            document[name] = getattr(calculation, name)
    if calculation.inputs:
        document["inputs"] = dict(calculation.inputs)
    if calculation.salt:
        document["salt"] = calculation.salt
    return document


def compute_key(calculation: Calculation) -> str:
    """SHA-256 of the canonical JSON of the calculation's identity, as 64 hexadecimal digits."""
    return _hash(describe_calculation(calculation))


def compute_chain_key(calculation: Calculation) -> str:
    """Key of the chain of segments, which dynamics of any length share."""
    return _hash(describe_calculation(calculation, without_length=True))


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(write_canonical_json(document).encode()).hexdigest()
