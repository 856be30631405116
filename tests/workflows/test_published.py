"""Results are made again when anything that they depend on is another, and only then."""

from pathlib import Path

import pytest

from workflows import published
from workflows.published import is_published, note_published

MADE_FROM = {"keys": {"relax": "ab"}, "config": {"analysis": {"quantile": 0.99}}}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in ("results.json", "report.html", "tables/quantities.csv", "trajectories/control-1.lammpsdump"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "state.json").write_text("{}")
    note_published(tmp_path, made_from=MADE_FROM)
    return tmp_path


def test_the_same_is_not_made_again(directory: Path) -> None:
    (directory / "state.json").write_text("another state")
    assert is_published(directory, made_from=MADE_FROM)


@pytest.mark.parametrize("made_from", [{}, MADE_FROM | {"keys": {"relax": "cd"}}, MADE_FROM | {"config": {}}])
def test_other_calculations_and_settings_are(directory: Path, made_from: dict[str, object]) -> None:
    assert not is_published(directory, made_from=made_from)


@pytest.mark.parametrize(
    "name", ["results.json", "report.html", "tables/quantities.csv", "trajectories/control-1.lammpsdump"]
)
@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_is_gone_or_was_changed_is(directory: Path, name: str, *, gone: bool) -> None:
    (directory / name).unlink()
    if not gone:
        (directory / name).write_text("edited")
    assert not is_published(directory, made_from=MADE_FROM)


def test_other_code_makes_it_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "compute_code_sha256", lambda: "other")
    assert not is_published(directory, made_from=MADE_FROM)


def test_nothing_noted_is_nothing_published(tmp_path: Path) -> None:
    assert not is_published(tmp_path, made_from=MADE_FROM)
