"""Observables as CSV: nothing is left out, nothing is bent."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.results import Results
from analysis.tables import find_columns, find_quantities, format_csv, write_tables

QUANTITY = {"value": 1.0, "uncertainty": 0.1, "low": 0.9, "high": 1.1, "unit": "Å", "method": "m, n", "verdict": "ok"}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def observables() -> dict[str, Any]:
    return {
        "cases": {
            "control": {
                "label": "control",
                "penetration": {
                    "time_ps": np.array([0.0, 1.0]),
                    "depth_A": np.array([0.0, np.nan]),
                    "by_region": {"core": {"depth_A": [0.0, 2.0]}},
                    "final": QUANTITY,
                },
                "rdf": [
                    {"pair": "K-Bi", "region": "all", "r_A": [1, 2, 3], "g": [0, 1, 2], "coordination_number": None}
                ],
                "density_map": {
                    "x_A": [0, 1, 2],
                    "y_A": [0, 1],
                    "density_per_A3": [[1, 2, 3], [4, 5, 6]],
                    "core_positions_A": [[1, 1]],
                },
                "core": {"time_ps": [0, 1], "positions_A": [[[0, 1], [2, 3]], [[4, 5], [6, None]]]},
            }
        },
        "contrast": {"estimate": 1.0, "control_depth_A": QUANTITY},
    }


def test_every_quantity_is_a_row(observables: dict[str, Any], tmp_path: Path) -> None:
    paths = write_tables(Results("x", "completed", observables=observables), directory=tmp_path)
    assert paths[0].name == "quantities.csv"
    rows = read_csv(paths[0])
    assert [row["quantity"] for row in rows] == ["cases.control.penetration.final", "contrast.control_depth_A"]
    assert rows[0]["value"] == "1.0"
    assert rows[0]["method"] == "m, n"


def test_series_are_columns_and_nan_is_empty(observables: dict[str, Any], tmp_path: Path) -> None:
    write_tables(Results("x", "completed", observables=observables), directory=tmp_path)
    rows = read_csv(tmp_path / "tables" / "control_penetration.csv")
    assert rows == [{"time_ps": "0.0", "depth_A": "0.0"}, {"time_ps": "1.0", "depth_A": ""}]
    assert (tmp_path / "tables" / "control_penetration_by_region_core.csv").exists()
    assert read_csv(tmp_path / "tables" / "control_rdf_K-Bi-all.csv")[2] == {"r_A": "3", "g": "2"}


def test_a_map_has_one_row_a_point(observables: dict[str, Any], tmp_path: Path) -> None:
    write_tables(Results("x", "completed", observables=observables), directory=tmp_path)
    rows = read_csv(tmp_path / "tables" / "control_density_map.csv")
    assert [(row["x_A"], row["y_A"], row["density_per_A3"]) for row in rows] == [
        ("0", "0", "1"),
        ("1", "0", "2"),
        ("2", "0", "3"),
        ("0", "1", "4"),
        ("1", "1", "5"),
        ("2", "1", "6"),
    ]


def test_arrays_of_points_are_spread_over_columns(observables: dict[str, Any], tmp_path: Path) -> None:
    write_tables(Results("x", "completed", observables=observables), directory=tmp_path)
    rows = read_csv(tmp_path / "tables" / "control_core.csv")
    assert rows[1] == {
        "time_ps": "1",
        "core_1_x_A": "4",
        "core_1_y_A": "5",
        "core_2_x_A": "6",
        "core_2_y_A": "",
    }


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    observables = {"cases": {"../../evil": {"msd": {"time_ps": [1, 2]}}}}
    paths = write_tables(Results("x", "completed", observables=observables), directory=tmp_path)
    assert {path.parent for path in paths} == {tmp_path / "tables"}


def test_no_observables_give_an_empty_table(tmp_path: Path) -> None:
    paths = write_tables(Results("x", "failed"), directory=tmp_path)
    assert read_csv(paths[0]) == []


def test_quantities_hide_nothing_inside() -> None:
    assert list(find_quantities(QUANTITY)) == [((), QUANTITY)]
    assert list(find_columns(QUANTITY)) == []


def test_csv_quotes_what_needs_it() -> None:
    assert format_csv({"a,b": ['x"y', None]}) == '"a,b"\n"x""y"\n""\n'


def test_words_alone_make_no_table() -> None:
    assert list(find_columns({"contrast": {"doubts": ["it melted"]}})) == []
    ((_, columns),) = find_columns({"series": {"name": ["a", "b"], "value_A": [1.0, None]}})
    assert columns == {"name": ["a", "b"], "value_A": [1.0, None]}
