"""From a preset, a user's file and `--set` overrides to one checked configuration."""

import copy
import hashlib
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from structures.errors import InputError
from workflows.configuration.messages import Location, explain_errors, model_in, nearest_names
from workflows.configuration.yaml_files import parse_yaml, read_yaml_file

Model = TypeVar("Model", bound=BaseModel)
Origins = dict[Location, str]
ON_COMMAND_LINE = frozenset({"--set", "--sweep"})


@dataclass(frozen=True)
class ResolvedConfig(Generic[Model]):
    """A checked configuration and where it came from.

    Attributes:
        config: the model, every value filled in.
        preset: the preset it started from, None for the defaults.
        path: the user's file, None without one.
        sets: the `--set` overrides as typed.
        origins: dotted key → where it was set, for the keys that someone set.
        swept: dotted key → value, of a member of a sweep.
    """

    config: Model
    preset: str | None = None
    path: Path | None = None
    sets: tuple[str, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    swept: dict[str, Any] = field(default_factory=dict)

    def provenance(self) -> dict[str, Any]:
        """Where the configuration came from, as JSON values."""
        return {
            "preset": self.preset,
            "file": None if self.path is None else str(self.path.resolve()),
            "set": list(self.sets),
            "sha256": config_sha256(self.config),
            "origins": self.origins,
            **({"sweep": self.swept} if self.swept else {}),
        }


def config_sha256(config: BaseModel, *, known: Mapping[str, Any] | None = None) -> str:
    """Checksum of the resolved configuration; equal ones have equal checksums, wherever their structure files lie.

    Args:
        config: resolved.
        known: plain data of an earlier version, which may lack keys that were added since; these are left out.
    """
    document = config.model_dump(mode="json")
    for location, path in find_structure_files(config).items():
        replace_value(document, location, value=hashlib.sha256(path.read_bytes()).hexdigest())
    if known is not None:
        document = _keep_known(document, known)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _keep_known(document: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The document without keys that the other lacks, at every depth."""
    kept = {}
    for key, value in document.items():
        if key in known:
            both = isinstance(value, dict) and isinstance(known[key], Mapping)
            kept[key] = _keep_known(value, known[key]) if both else value
    return kept


def write_yaml(config: BaseModel | Mapping[str, Any]) -> str:
    """The resolved configuration as YAML, every value written out."""
    document = config.model_dump(mode="json") if isinstance(config, BaseModel) else dict(config)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None)


def find_input_files(config: BaseModel) -> dict[str, str]:
    """Files that a configuration names → SHA-256."""
    files = _find_files(config, kinds={"path", "path-or-name"}).values()
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def find_structure_files(config: BaseModel) -> dict[Location, Path]:
    """Where a configuration names a file that stands for itself, a structure → that file; a potential may name more."""
    return _find_files(config, kinds={"path"})


def _find_files(config: BaseModel, *, kinds: set[str]) -> dict[Location, Path]:
    found: dict[Location, Path] = {}
    document = config.model_dump(mode="json")
    for location, kind in _find_path_fields(type(config), data=document):
        value: object = document
        for key in location:
            value = value.get(key) if isinstance(value, dict) else None
        if kind in kinds and isinstance(value, str) and Path(value).is_absolute() and Path(value).is_file():
            found[location] = Path(value)
    return found


def replace_value(document: dict[str, Any], location: Location, *, value: object) -> None:
    """Put a value in place in a configuration that is plain data."""
    for key in location[:-1]:
        document = document[str(key)]
    document[str(location[-1])] = value


def resolve(
    model: type[Model],
    *,
    presets: Mapping[str, Mapping[str, Any]],
    path: Path | None = None,
    preset: str | None = None,
    sets: Sequence[str] = (),
    swept: Mapping[str, tuple[Any, str]] | None = None,
) -> ResolvedConfig[Model]:
    """One checked configuration: defaults, then the preset, then the file, then `--set`, then the values of a sweep.

    Args:
        model: the flow's configuration model.
        presets: name → what it sets.
        path: the user's file.
        preset: name of the preset; None: the defaults.
        sets: overrides of the form `section.key=value`, values in YAML.
        swept: dotted key → value and where it was asked for, if this is a member of a sweep.

    Returns:
        The configuration with its origins.

    Raises:
        InputError: with a line for each mistake in preset, file and overrides together.
    """
    data: dict[str, Any] = {}
    origins: Origins = {}
    if preset is not None:
        if preset not in presets:
            near = nearest_names(preset, known=list(presets))
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"--preset is {preset}, needs one of {', '.join(presets)}.{hint}")
        _merge(data, copy.deepcopy(dict(presets[preset])), model=model, origins=origins, origin=f"preset {preset}")
    if path is not None:
        _merge(data, _read_file(path, is_swept=swept is not None), model=model, origins=origins, origin=str(path))
    problems = [problem for text in sets if (problem := _apply_set(data, text, origins=origins)) is not None]
    for key, (value, origin) in (swept or {}).items():
        problem = _put(data, key, value=copy.deepcopy(value), origins=origins, origin=origin)
        problems += [problem] if problem is not None else []
    _drop_unused(data, model=model, origins=origins)
    config = _validate(data, model=model, origins=origins, problems=problems, folder=_folder(path))
    named = {".".join(map(str, key)): origin for key, origin in origins.items()}
    values = {key: value for key, (value, _) in (swept or {}).items()}
    return ResolvedConfig(config=config, preset=preset, path=path, sets=tuple(sets), origins=named, swept=values)


def _read_file(path: Path, *, is_swept: bool) -> dict[str, Any]:
    """The user's file; what it sweeps is left out where a sweep is made of it, and refused elsewhere."""
    document = read_yaml_file(path)
    if "sweep" in document and not is_swept:
        raise InputError(
            f"{path}: sweep asks for several runs, which only alkaliflow run makes; one is needed here. Take it out."
        )
    return {key: value for key, value in document.items() if key != "sweep"}


def check_values(model: type[Model], *, values: Mapping[str, Any], origin: str, sets: Sequence[str] = ()) -> Model:
    """A model of plain values that come from one place, e.g. the options of a command, and of `--set` overrides.

    Raises:
        InputError: with a line for each mistake.
    """
    data: dict[str, Any] = {}
    origins: Origins = {}
    _merge(data, values, model=model, origins=origins, origin=origin)
    problems = [problem for text in sets if (problem := _apply_set(data, text, origins=origins)) is not None]
    return _validate(data, model=model, origins=origins, problems=problems, folder=Path.cwd())


def collect_sets(sets: Sequence[str]) -> dict[str, Any]:
    """What `--set` overrides say, as nested mappings.

    Raises:
        InputError: with a line for each mistake.
    """
    data: dict[str, Any] = {}
    problems = [problem for text in sets if (problem := _apply_set(data, text, origins={})) is not None]
    if problems:
        raise InputError("\n".join(problems))
    return data


def _folder(path: Path | None) -> Path:
    return Path.cwd() if path is None else path.resolve().parent


def _validate(
    data: dict[str, Any], *, model: type[Model], origins: Origins, problems: list[str], folder: Path
) -> Model:
    problems = problems + list(_resolve_paths(data, model=model, origins=origins, folder=folder))
    try:
        # JSON mode: lists become tuples and whole numbers floats, while the types stay strict
        config = model.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        problems += explain_errors(error.errors(include_url=False), model=model, origins=origins)
        raise InputError("\n".join(problems)) from None
    if problems:
        raise InputError("\n".join(problems))
    return config


def _merge(
    data: dict[str, Any],
    new: Mapping[str, Any],
    *,
    model: type[BaseModel] | None,
    origins: Origins,
    origin: str,
    at: Location = (),
) -> None:
    """Lay one source over the others: sections are merged, every other value is replaced as a whole."""
    for key, value in new.items():
        here = (*at, key)
        section = _section(model, key)
        if section is not None and isinstance(value, dict):
            target = data.get(key)
            if not isinstance(target, dict):
                target = data[key] = {}
            _merge(target, value, model=section, origins=origins, origin=origin, at=here)
        elif section is not None and value is None:
            continue  # 'dynamics:' with nothing below it sets nothing
        else:
            data[key] = value
            origins[here] = origin


def _drop_unused(data: dict[str, Any], *, model: type[BaseModel], origins: Origins, at: Location = ()) -> None:
    """Take out what only a preset set and another key, which a person set, makes meaningless."""
    for name, found in model.model_fields.items():
        extra = found.json_schema_extra
        other = extra.get("unused_with") if isinstance(extra, dict) else None
        if other is not None and data.get(str(other)) and origins.get((*at, name), "").startswith("preset "):
            data.pop(name, None)
            origins.pop((*at, name))
        section = model_in(found.annotation)
        if section is not None and isinstance(data.get(name), dict):
            _drop_unused(data[name], model=section, origins=origins, at=(*at, name))


def _section(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    found = model.model_fields.get(key) if model is not None else None
    return model_in(found.annotation) if found is not None else None


def parse_set(text: str) -> tuple[str, Any]:
    """Key and value of a `--set` override.

    Raises:
        InputError: if it has no key or no value, or the value is no YAML.
    """
    name, separator, value_text = text.partition("=")
    if not separator or not all(name.strip().split(".")):
        raise InputError(f"--set {text}: needs the form section.key=value. Write e.g. --set dynamics.temperature_K=300")
    return name.strip(), parse_yaml(value_text, name=f"--set {text}")


def _apply_set(data: dict[str, Any], text: str, *, origins: Origins) -> str | None:
    """Put one `--set` override in place; what is wrong with it, if anything."""
    try:
        name, value = parse_set(text)
    except InputError as error:
        return str(error)
    return _put(data, name, value=value, origins=origins, origin="--set")


def _put(data: dict[str, Any], name: str, *, value: object, origins: Origins, origin: str) -> str | None:
    """Put a value in place by its dotted key; what is wrong with it, if anything."""
    keys = name.split(".")
    target = data
    for depth, key in enumerate(keys[:-1]):
        inner = target.setdefault(key, {})
        if not isinstance(inner, dict):
            whole = ".".join(keys[: depth + 1])
            return f"{origin} {name}: {whole} is a value, no section. Set it as a whole, e.g. --set {whole}=..."
        target = inner
    target[keys[-1]] = value
    origins[tuple(keys)] = origin
    return None


def _resolve_paths(data: dict[str, Any], *, model: type[BaseModel], origins: Origins, folder: Path) -> Iterator[str]:
    """Make paths absolute, so that the run can be resumed from anywhere, and name the files that are missing."""
    for location, kind in list(_find_path_fields(model, data=data)):
        target: object = data
        for key in location[:-1]:
            target = target.get(key) if isinstance(target, dict) else None
        value = target.get(location[-1]) if isinstance(target, dict) else None
        if not isinstance(target, dict) or not isinstance(value, str) or not value:
            continue
        origin = origins.get(location, "")
        path = Path.cwd() / value if origin in ON_COMMAND_LINE else folder / value
        if path.exists():
            target[location[-1]] = str(path)
        elif kind == "path":
            name = ".".join(map(str, location))
            yield f"{origin}: {name} is {value}, needs a file that exists ({path} does not). Correct the path."


def _find_path_fields(model: type[BaseModel], *, data: object, at: Location = ()) -> Iterator[tuple[Location, str]]:
    """Where paths may stand; in a mapping of sections, below each of its keys."""
    values = data if isinstance(data, dict) else {}
    for name, found in model.model_fields.items():
        extra = found.json_schema_extra
        if isinstance(extra, dict) and extra.get("format") in {"path", "path-or-name"}:
            yield (*at, name), str(extra["format"])
        section, inner = model_in(found.annotation), values.get(name)
        if section is not None:
            yield from _find_path_fields(section, data=inner, at=(*at, name))
        elif typing.get_origin(found.annotation) is dict:
            member = model_in(typing.get_args(found.annotation)[1])
            if member is not None and isinstance(inner, dict):
                for key, one in inner.items():
                    yield from _find_path_fields(member, data=one, at=(*at, name, key))
