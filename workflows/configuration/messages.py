"""What is wrong with a user's file, in three parts: value, expectation, fix."""

import difflib
import json
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails

UNITS = {
    "_eV_per_atom": "eV/atom",
    "_meV_per_atom": "meV/atom",
    "_eV_per_A": "eV/Å",
    "_meV_per_A": "meV/Å",
    "_per_A3": "1/Å³",
    "_per_nm2": "1/nm²",
    "_A": "Å",
    "_K": "K",
    "_fs": "fs",
    "_ps": "ps",
    "_GPa": "GPa",
    "_eV": "eV",
    "_GB": "GB",
}
_TYPES = {
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a section with keys of its own",
    "string_type": "text",
    "tuple_type": "a list",
}

# Keys that are no longer there, and what to use in their place.
REMOVED = {"analysis.quantile": "analysis.areal_density_per_nm2, atoms beyond the depth on each nm² of the interface"}

Location = tuple[str | int, ...]


def unit_of(name: str) -> str:
    """Unit that a name wears at its end, or an empty text."""
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


def explain_errors(
    errors: Sequence[ErrorDetails], *, model: type[BaseModel], origins: Mapping[Location, str]
) -> list[str]:
    """One line for each key that is wrong.

    Args:
        errors: what pydantic found.
        model: the model that was asked for.
        origins: where each key was set (a file's name, `--set`, a preset).

    Returns:
        Lines such as `c.yaml: dynamics.temperature_K is -5, needs a value above 0 K. Set it, e.g. temperature_K: 300.`
    """
    lines = []
    for location, group in _grouped(errors, model=model).items():
        text = _explain(location, group, model=model)
        lines.append(f"{_origin(location, origins, text=text)}: {text}")
    return lines


def show_value(value: object) -> str:
    """A value as a person would write it in YAML, cut to a readable length."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.12g}"
    if isinstance(value, list | tuple):
        text = f"[{', '.join(show_value(item) for item in value)}]"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 (what fits a terminal's line)


def _show_plain(value: object) -> str:
    """As `show_value`, words without quotes, as YAML has them."""
    return show_value(value).replace('"', "")


def nearest_names(wrong: str, *, known: Sequence[str]) -> list[str]:
    """Known names that look like a wrong one, best first."""
    lower = {name.lower(): name for name in known}
    return [lower[name] for name in difflib.get_close_matches(wrong.lower(), list(lower), n=3, cutoff=0.6)]


def _grouped(errors: Sequence[ErrorDetails], *, model: type[BaseModel]) -> dict[Location, list[ErrorDetails]]:
    """Errors by key: the branches of a union are one mistake, and a deeper one says more."""
    groups: dict[Location, list[ErrorDetails]] = {}
    for error in errors:
        field_location, rest = _split(error["loc"], model=model)
        inner = tuple(part for part in rest if not _is_branch(part))
        groups.setdefault(field_location + inner, []).append(error)
    for location in list(groups):
        deeper = [other for other in groups if len(other) > len(location) and other[: len(location)] == location]
        branches = all(_split(error["loc"], model=model)[1] for error in groups[location])
        if deeper and branches:
            del groups[location]
    return groups


def _is_branch(part: str | int) -> bool:
    """Whether a part of a location names a branch of a union or pydantic's own step, not a key of the user."""
    return isinstance(part, str) and (
        part in {"str", "float", "int", "constrained-float", "constrained-int", "constrained-str", "[key]"}
        or part.startswith(("dict[", "literal[", "tuple[", "list["))
    )


def _split(location: Location, *, model: type[BaseModel]) -> tuple[Location, Location]:
    """Part of a location that walks through fields, and the rest."""
    current: type[BaseModel] | None = model
    for depth, part in enumerate(location):
        if current is None:
            return location[:depth], location[depth:]
        field = current.model_fields.get(str(part))
        if field is None:
            return location[: depth + 1], location[depth + 1 :]
        current = model_in(field.annotation)
    return location, ()


def model_in(annotation: object) -> type[BaseModel] | None:
    """The section's model in an annotation, if it is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        found = [m for m in map(model_in, typing.get_args(annotation)) if m is not None]
        return found[0] if found else None
    return None


def _origin(location: Location, origins: Mapping[Location, str], *, text: str) -> str:
    """Where a mistake was made; one between several keys, at the key that its text names first."""
    for depth in range(len(location), 0, -1):
        if location[:depth] in origins:
            return origins[location[:depth]]
    inside = [key for key in origins if key[: len(location)] == location]
    found = ((re.search(rf"\b{re.escape(str(key[-1]))}\b", text), key) for key in inside)
    named = [key for _, key in sorted((match.start(), key) for match, key in found if match is not None)]
    return origins[(named or inside)[0]] if inside else "configuration"


def _explain(location: Location, errors: list[ErrorDetails], *, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in location)
    first = errors[0]
    if first["type"] == "extra_forbidden":
        return _explain_unknown(location, model=model)
    if first["type"] == "value_error":
        return (f"{key}." if key else "") + str(first.get("ctx", {}).get("error", first["msg"]))
    name = next((part for part in reversed(location) if isinstance(part, str)), "")
    if first["type"] == "missing" and isinstance(location[-1], int):
        location = location[:-1]
        return f"{'.'.join(map(str, location))} is too short, needs more values.{_fix(location, errors, model=model)}"
    if first["type"] == "missing":
        return f"{key} is not set, needs a value. Add it."
    expected = " or ".join(dict.fromkeys(_expectation(error, unit=unit_of(name)) for error in errors))
    return f"{key} is {show_value(first['input'])}, needs {expected}.{_fix(location, errors, model=model)}"


def _expectation(error: ErrorDetails, *, unit: str) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    unit = f" {unit}" if unit else ""
    words = {
        "greater_than": f"a value above {show_value(limits.get('gt'))}{unit}",
        "greater_than_equal": f"a value of at least {show_value(limits.get('ge'))}{unit}",
        "less_than": f"a value below {show_value(limits.get('lt'))}{unit}",
        "less_than_equal": f"a value of at most {show_value(limits.get('le'))}{unit}",
        "literal_error": str(limits.get("expected", "")),
        "too_short": f"at least {limits.get('min_length')} of them",
        "too_long": f"at most {limits.get('max_length')} of them",
        "string_too_short": f"at least {limits.get('min_length')} character",
    }
    if kind in _TYPES:
        return _TYPES[kind] + (f" in {unit.strip()}" if unit and "number" in _TYPES[kind] else "")
    return words.get(kind) or error["msg"]


def _fix(location: Location, errors: list[ErrorDetails], *, model: type[BaseModel]) -> str:
    if errors[0]["type"] == "literal_error":
        near = nearest_names(str(errors[0]["input"]), known=_choices(errors[0]))
        if near:
            return f" Did you mean {near[0]}?"
    field_location, _ = _split(location, model=model)
    default = _default(field_location, model=model)
    if default is None:
        return " Correct it, or take it out for the default."
    return f" Set it, e.g. {field_location[-1]}: {_show_plain(default)}."


def _choices(error: ErrorDetails) -> list[str]:
    return [word.strip(" '") for word in str(error.get("ctx", {}).get("expected", "")).replace(" or ", ",").split(",")]


def _default(location: Location, *, model: type[BaseModel]) -> object:
    """Default of a field as plain data; None if it has none or is a section."""
    value: object = None
    current: type[BaseModel] | None = model
    for part in location:
        field = current.model_fields.get(str(part)) if current is not None else None
        if field is None:
            return None
        value = field.get_default(call_default_factory=True, validated_data={})
        current = model_in(field.annotation)
    return (
        None
        if isinstance(value, BaseModel) or not isinstance(value, str | int | float | bool | tuple | list)
        else value
    )


def _explain_unknown(location: Location, *, model: type[BaseModel]) -> str:
    """An unknown key: the nearest right name, here or in another section."""
    *sections, wrong = location
    key = ".".join(str(part) for part in location)
    if key in REMOVED:
        return f"{key} was removed. Use {REMOVED[key]}."
    current: type[BaseModel] | None = model
    for part in sections:
        field = current.model_fields.get(str(part)) if current is not None else None
        current = model_in(field.annotation) if field is not None else None
    here = list(current.model_fields) if current is not None else []
    near = nearest_names(str(wrong), known=here)
    if near:
        return f"{key} is not a known key. Did you mean {near[0]}?"
    deepest_first = sorted(known_keys(model), key=lambda path: -path.count("."))
    elsewhere = {path.rsplit(".", 1)[-1]: path for path in deepest_first}
    near = nearest_names(str(wrong), known=list(elsewhere))
    if near:
        return f"{key} is not a known key. Did you mean {elsewhere[near[0]]}?"
    if not here:
        return f"{key} is not a known key: nothing can be set here. Take it out."
    return f"{key} is not a known key. Known here: {', '.join(here)}. Take it out or correct it."


def known_keys(model: type[BaseModel], *, prefix: str = "") -> list[str]:
    """Dotted names of all keys of a model, sections included."""
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        section = model_in(field.annotation)
        if section is not None:
            keys += known_keys(section, prefix=f"{prefix}{name}.")
    return keys
