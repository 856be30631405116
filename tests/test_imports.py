"""Imports go one way, workflows → analysis → structures, and Prefect stays in flow modules."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "structures": {"structures"},
    "analysis": {"analysis", "structures"},
    "workflows": {"workflows", "analysis", "structures"},
}
MODULES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def find_imports(path: Path) -> set[str]:
    """Absolute names of all that a module imports, at any depth; `from a import b` counts as a and a.b."""
    folder = path.relative_to(ROOT).parent.parts
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(folder[: len(folder) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def imports_prefect(path: Path) -> bool:
    return any(name.split(".")[0] == "prefect" for name in find_imports(path))


def is_flow_module(path: Path) -> bool:
    """A flow module lies directly in workflows/ and declares a flow; prefect_stage runs the stages of all of them."""
    if path.parent != ROOT / "workflows":
        return False
    if path.name == "prefect_stage.py":
        return True
    functions = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    ]
    return any("flow" in ast.unparse(decorator) for node in functions for decorator in node.decorator_list)


def test_there_are_modules_to_look_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrow(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    imported = {name.split(".")[0] for name in find_imports(path)} & {*MAY_IMPORT, "tests", "benchmarks"}
    assert imported <= MAY_IMPORT[package], f"{path} may import {MAY_IMPORT[package]}, imports {imported}"


def test_prefect_is_imported_in_flow_modules_only() -> None:
    wrong = [str(path.relative_to(ROOT)) for path in MODULES if imports_prefect(path) and not is_flow_module(path)]
    assert not wrong, f"these import Prefect and declare no flow: {wrong}"


def test_relative_imports_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "analysis" / "report" / "page.py"
    module.parent.mkdir(parents=True)
    module.write_text("from ..results import Results\nfrom . import plots\nimport numpy.linalg\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert find_imports(module) == {
        "analysis.results",
        "analysis.results.Results",
        "analysis.report",
        "analysis.report.plots",
        "numpy.linalg",
    }
