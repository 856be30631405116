"""The examples say what works: their configurations resolve, their scripts import what there is."""

import ast
import importlib
from pathlib import Path

import pytest

from workflows.configuration import resolve_config

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_configuration_resolves(path: Path) -> None:
    config = resolve_config(path).config
    assert config.replicas >= 1


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_imports_what_there_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module is not None]
    missing = [
        f"{node.module}.{alias.name}"
        for node in imported
        for alias in node.names
        if not hasattr(importlib.import_module(node.module or ""), alias.name)
    ]
    assert imported
    assert not missing
