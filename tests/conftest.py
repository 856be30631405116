"""Every test runs apart from the user's own store, configuration and Prefect profile."""

from pathlib import Path

import pytest
from hypothesis import settings

# Same examples every time, and no clock: the machine may be busy.
settings.register_profile("alkaliflow", deadline=None, derandomize=True)
settings.load_profile("alkaliflow")


@pytest.fixture(autouse=True)
def _apart_from_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home: Path = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("ALKALIFLOW_STORE", str(home / "store"))
    monkeypatch.setenv("PREFECT_HOME", str(home / "prefect"))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
