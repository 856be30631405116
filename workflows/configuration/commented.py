"""A commented user file, written from the descriptions of its model."""

import json
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workflows.configuration.messages import show_value, unit_of

COMMENT_COLUMN = 44
LINE_LENGTH = 118


def write_commented_yaml(config: BaseModel, *, flow: str, preset: str, notes: Mapping[str, str]) -> str:
    """A user file with every key, its value, its unit and what it is for.

    Args:
        config: the values to write.
        flow: name of the flow.
        preset: name of the preset that the values come from.
        notes: preset → what it is for; listed at the top.

    Returns:
        YAML that resolves to `config` again.
    """
    head = [
        f"# {flow}: {_sentence(type(config))}",
        "#",
        f"#   alkaliflow run {flow} config.yaml --dry-run     builds and checks everything, starts nothing",
        f"#   alkaliflow run {flow} config.yaml",
        "#",
        f"# Values of preset {preset}. A key that you take out goes back to its default. Presets:",
        *(f"#   {name:<10} {note}" for name, note in notes.items()),
        "",
    ]
    return "\n".join([*head, *_lines(config, depth=0)]) + "\n"


def _lines(section: BaseModel, *, depth: int) -> Iterator[str]:
    indent = "  " * depth
    after_section = False
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if depth == 0 and (after_section or isinstance(value, BaseModel)):
            yield ""
        after_section = isinstance(value, BaseModel)
        if isinstance(value, BaseModel):
            yield from _with_comment(f"{indent}{name}:", comment=describe(name, field=field))
            yield from _lines(value, depth=depth + 1)
        elif isinstance(value, Mapping) and len(show_yaml(value)) > LINE_LENGTH // 2:
            yield from _with_comment(f"{indent}{name}:", comment=describe(name, field=field))
            yield from (f"{indent}  {key}: {show_yaml(item)}" for key, item in value.items())
        else:
            yield from _with_comment(f"{indent}{name}: {show_yaml(value)}", comment=describe(name, field=field))


def show_yaml(value: object) -> str:
    """A value on one line of YAML."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show_yaml(item) for item in value) + "]"
    if isinstance(value, str):
        plain = value.replace("-", "").replace("_", "").replace("/", "").replace(".", "")
        is_word = plain.isalnum() and plain[0].isalpha() and value.lower() not in {"true", "false", "null"}
        return value if is_word else json.dumps(value, ensure_ascii=False)
    return show_value(value)


def describe_keys(model: type[BaseModel], *, prefix: str = "") -> Iterator[str]:
    """One line for each key of a model: name, default, what it is and its unit."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, BaseModel):
            yield from describe_keys(type(default), prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}={show_yaml(default)}: {describe(name, field=field)}"


def describe(name: str, *, field: FieldInfo) -> str:
    """The comment of a key: what it is, its unit and its choices."""
    unit = unit_of(name)
    text = (field.description or "") + (f" [{unit}]" if unit else "")
    if isinstance(field.json_schema_extra, dict) and (other := field.json_schema_extra.get("unused_with")):
        text += f" (not with {other})"
    choices = choices_in(field.annotation)
    hidden = [choice for choice in choices if choice not in text]
    return f"{text} ({' | '.join(choices)})" if hidden else text


def choices_in(annotation: Any) -> list[str]:  # noqa: ANN401 (annotations have no type of their own)
    """Words that a key may be set to."""
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return [str(choice) for choice in typing.get_args(annotation)]
    if origin in {typing.Union, types.UnionType, tuple, Annotated}:
        return list(dict.fromkeys(choice for part in typing.get_args(annotation) for choice in choices_in(part)))
    return []


def _with_comment(text: str, *, comment: str) -> Iterator[str]:
    """A comment stands at the end of its line, or above it if it is long."""
    line = f"{text:<{COMMENT_COLUMN - 1}} # {comment}" if comment else text
    if len(line) <= LINE_LENGTH:
        yield line
        return
    indent = " " * (len(text) - len(text.lstrip()))
    for part in textwrap.wrap(comment, width=LINE_LENGTH - len(indent) - 2):
        yield f"{indent}# {part}"
    yield text


def _sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]
