"""Files cut short or with a flipped bit: seen, moved to quarantine, computed again to the same bytes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Argon, observe
from workflows.jobs.durable import compute_sha256
from workflows.jobs.store import Finished, Store

Untouched = Callable[[Argon], dict[str, Any]]


def cut_short(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


DAMAGES = [cut_short, flip_a_bit, Path.unlink]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Argon], Finished]:
    """Finished dynamics in the store of the test: computed once an engine, then copied."""
    computed: dict[str, Path] = {}

    def provide(argon: Argon) -> Finished:
        if argon.engine not in computed:
            apart = Argon(Store(tmp_path_factory.mktemp("finished")), argon.engine)
            apart.run()
            computed[argon.engine] = apart.store.root
        shutil.rmtree(argon.store.root)
        shutil.copytree(computed[argon.engine], argon.store.root)
        return argon.run()

    return provide


def list_quarantine(argon: Argon) -> list[Path]:
    return list((argon.store.root / "quarantine").glob("*"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_of_a_segment_is_watched(
    argon: Argon, finished: Callable[[Argon], Finished], damage: Callable[[Path], None]
) -> None:
    result = finished(argon)
    names = sorted(path.name for path in result.segments[0].iterdir())
    assert len(names) > 4
    for name in names:
        finished(argon)
        damage(result.segments[0] / name)
        assert argon.store.result(result.key) is None, name
        assert len(list_quarantine(argon)) == 2, name  # the segment, and the result that stands on it


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_segments_are_computed_again(
    argon: Argon, untouched: Untouched, finished: Callable[[Argon], Finished], damage: Callable[[Path], None]
) -> None:
    result = finished(argon)
    checkpoint = next(path.name for path in result.segments[0].iterdir() if path.name.startswith("checkpoint"))
    names = ("segment.json", checkpoint, "trajectory.nc", "thermo.csv", "final.npz")
    for segment, name in zip(result.segments[1:], names, strict=True):
        damage(segment / name)
    again = argon.run()
    assert observe(again) == untouched(argon)
    assert not again.reused
    segments = [path for path in list_quarantine(argon) if path.is_dir()]
    assert len(segments) == len(names)


@pytest.mark.parametrize("engine", ["lammps"])
def test_nothing_is_computed_from_a_damaged_checkpoint(
    argon: Argon, untouched: Untouched, finished: Callable[[Argon], Finished]
) -> None:
    result = finished(argon)
    flip_a_bit(result.segments[1] / "thermo.csv")
    flip_a_bit(result.segments[2] / "checkpoint.restart")
    for segment in result.segments[3:]:
        shutil.rmtree(segment)
    assert observe(argon.run()) == untouched(argon)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_made_again_from_the_segments(
    argon: Argon, untouched: Untouched, finished: Callable[[Argon], Finished], damage: Callable[[Path], None]
) -> None:
    result = finished(argon)
    before = {path: path.stat().st_mtime_ns for segment in result.segments for path in segment.iterdir()}
    damage(argon.store.job_directory(result.key) / "result.json")
    again = argon.run()
    assert observe(again) == untouched(argon)
    assert not again.reused
    assert before == {path: path.stat().st_mtime_ns for segment in again.segments for path in segment.iterdir()}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_a_relaxation_is_computed_again(argon: Argon, damage: Callable[[Path], None]) -> None:
    calculation = argon.calculation("relaxation", max_steps=20)
    result = argon.run(calculation)
    expected = compute_sha256(result.files["relaxed"])
    damage(result.files["relaxed"])
    again = argon.run(calculation)
    assert compute_sha256(again.files["relaxed"]) == expected
    assert dict(again.values) == dict(result.values)
    assert again.executions == 2
