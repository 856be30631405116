"""One real Slurm for all tests here. They are left out unless `make test-cluster` asks for them, which installs it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.one_node import OneNodeSlurm, list_missing
from workflows.configuration.clusters import ClusterProfile
from workflows.jobs import registry
from workflows.jobs.queues import QueueExecutor, QueueWatch
from workflows.jobs.slurm import Slurm
from workflows.jobs.store import Store

ASKED_FOR = "ALKALIFLOW_TEST_CLUSTER"
PLUGINS = Path(__file__).parents[1] / "plugins"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(ASKED_FOR) == "1":
        return
    here = Path(__file__).parent
    reason = "starts a Slurm of its own as root, on a machine that may be thrown away: make test-cluster"
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNodeSlurm]:
    missing = list_missing()
    assert not missing, f"missing: {', '.join(missing)}; apt-get install slurm-wlm munge"
    cluster = OneNodeSlurm(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(autouse=True)
def _in_the_cluster(slurm: OneNodeSlurm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.syspath_prepend(str(PLUGINS))
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGINS), str(root)]))
    monkeypatch.setenv("ALKALIFLOW_SLOTS", str(tmp_path / "slots"))
    registry._all_recipes.cache_clear()
    slurm.heal()
    yield
    registry._all_recipes.cache_clear()
    slurm.run("scancel", "--me")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def build_queue(store: Store, **profile: object) -> QueueExecutor:
    """The one-node Slurm as an executor, impatient as tests are."""
    own: dict[str, object] = {"time_min": 2, "memory_GB": 1.0, "poll_s": 0.5}
    return QueueExecutor(
        "throwaway",
        ClusterProfile.model_validate({**own, **profile}, strict=False),
        store=store.root,
        watch=QueueWatch(Slurm(timeout_s=5), poll_s=0.5, grace_s=3),
    )
