"""Reading YAML that a person wrote: plain data only, size limited, duplicate keys and aliases refused."""

import re
from pathlib import Path
from typing import Any

import yaml

from structures.errors import InputError

MAX_BYTES = 1_000_000


class _PlainLoader(yaml.SafeLoader):
    """YAML as people expect it: 1e-5 is a number, only true and false are booleans, a key stands once."""

    # own table: the one of SafeLoader is shared by every user of PyYAML in the process
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own shape)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases: a few lines of them unfold to gigabytes."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not read here; write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (PyYAML's own signature)
        """Refuse a key that stands twice: the first would be lost in silence."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is not text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice; keep one", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


def parse_yaml(text: str, *, name: str) -> Any:  # noqa: ANN401 (YAML is any of seven types)
    """Plain data of a YAML text.

    Args:
        text: the YAML.
        name: what to call it in errors, e.g. the file's name.

    Returns:
        Mappings, lists, texts, numbers, booleans and None.

    Raises:
        InputError: if it is no YAML, has a key twice, an alias, or asks for Python objects.
    """
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 (a subclass of SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = error.problem or "cannot be read"
        raise InputError(f"{name}:{where} is not valid: {problem}. Write 'key: value', two spaces a level.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise InputError(f"{name}: is not valid YAML ({reason}). Write 'key: value', two spaces a level.") from None


def read_yaml_file(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file of a user.

    Args:
        path: the file.

    Returns:
        What it says; empty if it holds comments only.

    Raises:
        InputError: if it is missing, no file, too large, binary, empty or no mapping.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file{_beside(path)}. Write one with: alkaliflow init FLOW")
    if not path.is_file():
        raise InputError(f"{path}: is a folder, needs a YAML file. Name the file in it.")
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_BYTES:
            raise InputError(f"{path}: has {n_bytes} bytes, at most {MAX_BYTES} are read. Is it the right file?")
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text (UTF-8), needs a YAML file. Is it the right file?") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check who may read it.") from None
    if not text.strip():
        raise InputError(f"{path}: is empty. Write one with: alkaliflow init FLOW > {path.name}")
    data = parse_yaml(text, name=str(path))
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(f"{path}: holds no sections, needs e.g. 'dynamics:'. See alkaliflow init FLOW.")
    return data


def _beside(path: Path) -> str:
    folder = path.parent
    names = sorted(p.name for p in folder.glob("*.y*ml")) if folder.is_dir() else []
    return f" (beside it: {', '.join(names[:5])})" if names else ""
