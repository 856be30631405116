"""The examples say what works: their configurations resolve, their scripts import what there is."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflows.flows import FLOWS
from workflows.run_directory import find_differences

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_configuration_can_be_planned(path: Path) -> None:
    entry = next((entry for entry in FLOWS.values() if path.stem.startswith(entry.name)), FLOWS["potassium-diffusion"])
    config = entry.resolve(path).config
    assert entry.load().plan(config, cores=1).core_hours > 0


@pytest.mark.parametrize("path", sorted((EXAMPLES / "results").glob("tfsi-*.json")), ids=lambda path: path.stem)
def test_stored_results_are_those_of_their_configuration_and_of_the_page(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    config = FLOWS["tfsi-adsorption"].resolve(EXAMPLES / f"{path.stem}.yaml").config
    as_now = type(config).model_validate(stored["config"], strict=False)  # keys that came later have their defaults
    assert find_differences(as_now.model_dump(mode="json"), config.model_dump(mode="json")) == {}
    page = (EXAMPLES.parent / "docs" / "tfsi-adsorption.md").read_text(encoding="utf-8")
    for reaction in stored["observables"]["reactions"].values():
        energy = reaction["energy"]
        assert f"{energy['value']:.2f} ± {energy['uncertainty']:.2f}".replace("-", "−") in page


def run_from_python(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "XDG_CACHE_HOME": str(folder / "cache")}
    environment["ALKALIFLOW_SLOTS"] = str(folder / "slots")
    command = [sys.executable, str(EXAMPLES / "run_from_python.py"), *overrides]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_mistake_in_a_key_is_told_without_a_traceback(tmp_path: Path) -> None:
    told = run_from_python(tmp_path, "dynamics.temprature_K=300")
    assert told.returncode == 1
    assert told.stderr == "--set: dynamics.temprature_K is not a known key. Did you mean temperature_K?\n"


@pytest.mark.slow
def test_the_flow_runs_from_python_with_one_case_too(tmp_path: Path) -> None:
    small = [
        *("structure.repeats=[6, 3, 1]", "structure.metal_thickness_A=8", "structure.anchor_thickness_A=2"),
        *("structure.cases=[control]", "analysis.interface_width_A=2", "dynamics.segment_ps=0.15"),
        *("dynamics.heat_ps=0.15", "dynamics.equilibrate_ps=0", "dynamics.production_ps=0.15"),
        "dynamics.frame_every_ps=0.03",
    ]
    told = run_from_python(tmp_path, *small)
    assert told.returncode == 0, told.stderr
    assert "within 0.3 ps from the relaxed cell on, for this decoration (1 replica, 50 K)" in told.stdout
    assert "control, depth, all K: " in told.stdout


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
