"""What is swept: keys of a configuration with their values, from a user's file and from options."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structures.errors import InputError
from workflows.configuration.commented import show_yaml
from workflows.configuration.yaml_files import parse_yaml, read_yaml_file

SECTION = "sweep"
OPTION = "--sweep"
MAX_MEMBERS = 1000
_RANGE = re.compile(r"^([-+]?[0-9]+)\.\.([-+]?[0-9]+)$")
_EXAMPLE = "dynamics.temperature_K"


@dataclass(frozen=True)
class Axis:
    """A key of the configuration and the values that it takes in turn.

    Attributes:
        key: dotted, as in `--set`.
        values: plain data, each once.
        origin: where it was asked for, e.g. `--sweep` or a file's name.
    """

    key: str
    values: tuple[Any, ...]
    origin: str


def find_axes(path: Path | None, *, options: Sequence[str] = ()) -> list[Axis]:
    """What a user's file and the options ask to be swept; nothing if they ask for one run.

    Args:
        path: the user's file.
        options: texts of the form `key=value,value` or `key=1..5`.

    Raises:
        InputError: if a key stands twice or within another, or a list is empty, too long or unreadable.
    """
    document = read_yaml_file(path) if path is not None else {}
    axes = read_axes(document[SECTION], origin=f"{path}: {SECTION}") if SECTION in document else []
    axes += [parse_axis(text) for text in options]
    check_apart(axes)
    return axes


def read_axes(section: object, *, origin: str) -> list[Axis]:
    """The axes in the section `sweep` of a file: key → list of values or `A..B`.

    Raises:
        InputError: if it is no mapping, or a key has no list.
    """
    if not isinstance(section, Mapping) or not section:
        raise InputError(f"{origin} holds no keys, needs e.g. {_EXAMPLE}: [260, 280, 300]. Add one, or take it out.")
    axes = []
    for key, values in section.items():
        if isinstance(values, Mapping):
            whole = f"{key}.{next(iter(values), 'temperature_K')}"
            raise InputError(
                f"{origin}: {key} is a section, needs a list of values. Write the whole key, e.g. {whole}: [1, 2]."
            )
        items = values if isinstance(values, list) else [values]
        if not isinstance(values, list) and not _is_range(values):
            raise InputError(
                f"{origin}: {key} is {show_yaml(values)}, needs a list or a range. Write e.g. "
                f"{key}: [{show_yaml(values)}], or {key}: 1..5."
            )
        axes.append(_build_axis(str(key), items=items, origin=origin))
    return axes


def parse_axis(text: str, *, option: str = OPTION) -> Axis:
    """The axis of an option `key=value,value`; a comma inside brackets, braces or quotes is part of a value.

    Raises:
        InputError: if there is no key or no value, or a value is no YAML.
    """
    key, separator, right = text.partition("=")
    if not separator or not all(key.strip().split(".")):
        raise InputError(f"{option} {text}: needs the form key=value,value. Write e.g. {option} {_EXAMPLE}=260,280,300")
    items = [parse_yaml(one, name=f"{option} {text}") for one in split_values(right)]
    return _build_axis(key.strip(), items=items, origin=option)


def split_values(text: str) -> tuple[str, ...]:
    """Values between commas, none of them empty; what is in brackets, braces or quotes stays whole."""
    values, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        depth += 0 if quote else {"[": 1, "{": 1, "]": -1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0 and not quote:
            values.append("")
        else:
            values[-1] += letter
    return tuple(value.strip() for value in values if value.strip())


def _build_axis(key: str, *, items: Iterable[Any], origin: str) -> Axis:
    values: list[Any] = []
    for item in items:
        values += _expand_range(item, key=key, origin=origin) if _is_range(item) else [item]
    if not values:
        raise InputError(
            f"{origin}: {key} has no values, needs at least one. Write e.g. {key}: [1, 2], or take it out."
        )
    plain = json.loads(json.dumps(values, default=str))
    shown = [show_yaml(value) for value in plain]
    twice = next((text for number, text in enumerate(shown) if text in shown[:number]), None)
    if twice is not None:
        raise InputError(f"{origin}: {key} has {twice} twice, needs each value once. Take one out.")
    return Axis(key, tuple(plain), origin)


def _is_range(item: object) -> bool:
    return isinstance(item, str) and _RANGE.match(item.strip()) is not None


def _expand_range(text: str, *, key: str, origin: str) -> range:
    """The whole numbers from A to B, both included."""
    match = _RANGE.match(text.strip())
    first, last = (int(part) for part in match.groups()) if match is not None else (0, -1)
    if first > last:
        raise InputError(f"{origin}: {key} is {text}, needs the smaller number first. Write {key}: {last}..{first}.")
    if last - first >= MAX_MEMBERS:
        raise InputError(
            f"{origin}: {key} is {text}, {last - first + 1} values, at most {MAX_MEMBERS} runs are one sweep. "
            "Take fewer."
        )
    return range(first, last + 1)


def check_apart(axes: Sequence[Axis], *, sets: Sequence[str] = ()) -> None:
    """Check that no key is given twice, by the axes or by `--set`, and that none lies within another.

    Raises:
        InputError: names both places.
    """
    given = [(axis.key, axis.origin) for axis in axes] + [(text.partition("=")[0].strip(), "--set") for text in sets]
    for number, (key, origin) in enumerate(given):
        for other, before in given[:number]:
            if "--set" == origin == before:
                continue
            if key == other:
                raise InputError(
                    f"{key} is given twice ({before} and {origin}), needs one list of values. Take one of them out."
                )
            if f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}."):
                raise InputError(
                    f"{other} ({before}) and {key} ({origin}) lie within each other, need to be apart. Take one out."
                )


def build_product(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Key → value for each combination of the values, that of the last axis changing first.

    Raises:
        InputError: if there are more than `MAX_MEMBERS`.
    """
    n_members = math.prod(len(axis.values) for axis in axes)
    if n_members > MAX_MEMBERS:
        sizes = " × ".join(str(len(axis.values)) for axis in axes)
        raise InputError(
            f"sweep: {sizes} values are {n_members} runs, at most {MAX_MEMBERS} are one sweep. Take fewer values, or "
            "several sweeps; they share what is equal."
        )
    keys = [axis.key for axis in axes]
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*(axis.values for axis in axes))]
