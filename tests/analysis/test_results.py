"""Results go to disk and come back whole, or say why not."""

import json
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from analysis.results import (
    SCHEMA_VERSION,
    Provenance,
    Reference,
    Results,
    ResultWarning,
    build_json_value,
    build_results_schema,
    read_results,
    write_results,
    write_text_atomically,
)
from structures.errors import InputError


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x_A: float
    values: tuple[int, ...]


@pytest.fixture
def results() -> Results:
    return Results(
        flow="potassium-diffusion",
        status="completed",
        config={"dynamics": {"temperature_K": 300.0}, "replicas": 1},
        system={"n_atoms": 12},
        observables={"depth_A": np.array([0.0, 1.5]), "ratio": float("nan")},
        warnings=(ResultWarning("amber", "read this"),),
        references=(Reference("A paper", doi="10.1000/1"),),
        provenance=Provenance(versions={"ase": "3"}, seeds={"replicas": [1, 2]}, command="alkaliflow run x"),
    )


def test_round_trip_keeps_everything(results: Results, tmp_path: Path) -> None:
    path = write_results(results, directory=tmp_path / "run")
    assert path == tmp_path / "run" / "results.json"
    again = read_results(path)
    assert again == replace(results, observables={"depth_A": [0.0, 1.5], "ratio": None})
    assert read_results(tmp_path / "run") == again


def test_writing_twice_gives_the_same_bytes(results: Results, tmp_path: Path) -> None:
    first = write_results(results, directory=tmp_path).read_bytes()
    again = write_results(read_results(tmp_path), directory=tmp_path).read_bytes()
    assert first == again


def test_nan_and_infinity_become_null() -> None:
    value = {"a": np.array([[1.0, np.nan], [np.inf, -2.0]]), "b": float("-inf"), "c": np.float32("nan")}
    assert build_json_value(value) == {"a": [[1.0, None], [None, -2.0]], "b": None, "c": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.array(1) > 0, True),
        (True, True),
        ({2, 1}, [1, 2]),
        (Path("a/b"), "a/b"),
        (Colour.RED, "red"),
        (Point(1.0, (1, 2)), {"x_A": 1.0, "values": [1, 2]}),
        ({1: None}, {"1": None}),
    ],
)
def test_json_values(value: object, expected: object) -> None:
    assert build_json_value(value) == expected


def test_what_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="object"):
        build_json_value({"a": object()})


def test_newer_schema_says_what_to_do(results: Results, tmp_path: Path) -> None:
    path = write_results(replace(results, schema_version=SCHEMA_VERSION + 1), directory=tmp_path)
    with pytest.raises(InputError, match=rf"schema_version is {SCHEMA_VERSION + 1}.*Update alkaliflow"):
        read_results(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no JSON"),
        ('{"schema_version": 1, "flow": "x"', "is no JSON"),
        ("[1]", "needs an object"),
        ("{}", "schema_version is None"),
        ('{"schema_version": 1}', "flow: "),
        ('{"schema_version": 1, "flow": "x", "status": "fine"}', "status: "),
        ('{"schema_version": 1, "flow": "x", "status": "failed", "extra": 1}', "extra: "),
    ],
)
def test_broken_files_are_explained(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_results(path)


def test_binary_and_missing_files_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(InputError, match="does not exist"):
        read_results(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no JSON"):
        read_results(path)


def test_schema_accepts_what_is_written_and_refuses_else(results: Results, tmp_path: Path) -> None:
    schema = build_results_schema()
    data = json.loads(write_results(results, directory=tmp_path).read_text(encoding="utf-8"))
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError, match="'flow' is a required property"):
        jsonschema.validate({key: value for key, value in data.items() if key != "flow"}, schema)


def test_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = write_text_atomically(tmp_path / "a.txt", text="old")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, text="\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
