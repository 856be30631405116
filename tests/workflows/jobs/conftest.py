"""A store of its own for every test, and the toy recipes as a user's plug-in (found by the workers as well)."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflows.jobs import registry
from workflows.jobs.store import Store

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.fixture(autouse=True)
def _toy_recipes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(tmp_path / "slots"))
    registry._all_recipes.cache_clear()
    yield
    registry._all_recipes.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")
