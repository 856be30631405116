"""Numbers as a reader sees them."""

from typing import Any

import pytest

from analysis.report.formatting import (
    drop_noise,
    flatten,
    format_interval,
    format_label,
    format_number,
    format_pair,
    format_quantity,
    format_unit,
    join_words,
    keep_together,
    split_unit,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (-3.25, "−3.25"),
        (1354, "1354"),
        (1_000_000, "1\u202f000\u202f000"),
        (1.23456e-9, "1.235 × 10⁻⁹"),
        (123456.0, "1.235 × 10⁵"),
        ("text", "text"),
        (True, "True"),
    ],
)
def test_numbers(value: object, expected: str) -> None:
    assert format_number(value) == expected


@pytest.mark.parametrize(
    ("value", "uncertainty", "unit", "expected"),
    [
        (14.2, 2.1, "Å", "14.20 ± 2.10\u202fÅ"),
        (14.2, 2.1, "A", "14.20 ± 2.10\u202fÅ"),
        (0.0012, 0.0002, "Å", "0.00120 ± 0.00020\u202fÅ"),
        (1.5223, 0.2, "1", "1.52 ± 0.20"),
        (312.4, 14.0, "K", "312 ± 14\u202fK"),
        (1234.0, 140.0, "K", "1230 ± 140\u202fK"),
        (-0.5, 0.013, "eV/A", "−0.500 ± 0.013\u202feV/Å"),
        (2.5e-9, 3e-10, "m²/s", "(2.5 × 10⁻⁹ ± 3 × 10⁻¹⁰)\u202fm²/s"),
        (14.2, None, "Å", "14.20\u202fÅ"),
        (14.2, float("nan"), "Å", "14.20\u202fÅ"),
        (14.21, None, "K", "14.2\u202fK"),
        (0.0, 0.0, "Å", "0\u202fÅ"),
        (-0.001, 0.2, "Å", "0.00 ± 0.20\u202fÅ"),
        (None, 0.1, "Å", "–"),
    ],
)
def test_quantities(value: float | None, uncertainty: float | None, unit: str, expected: str) -> None:
    assert format_quantity({"value": value, "uncertainty": uncertainty, "unit": unit}) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.4, 1.8, "1.40 – 1.80"),
        (12.1, 16.3, "12.1 – 16.3"),
        (-1.0, 3.0, "−1.0 – 3.0"),
        (None, 1.0, "–"),
        (2, 2, "2 – 2"),
    ],
)
def test_intervals(low: float | None, high: float | None, expected: str) -> None:
    assert format_interval({"low": low, "high": high}) == expected


@pytest.mark.parametrize(
    ("name", "stem", "unit"),
    [
        ("temperature_K", "temperature", "K"),
        ("force_rmse_meV_per_A", "force_rmse", "meV/Å"),
        ("density_per_A3", "density", "Å⁻³"),
        ("n_atoms", "n_atoms", ""),
        ("K", "K", ""),
    ],
)
def test_units_in_names(name: str, stem: str, unit: str) -> None:
    assert split_unit(name) == (stem, unit)


def test_labels_units_pairs_and_lists() -> None:
    assert format_label("frame_every_steps") == "frame every steps"
    assert format_unit(None) == ""
    assert format_unit("parsec") == "parsec"
    assert format_pair("K-Bi") == "K–Bi"
    assert [join_words(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_a_line_never_ends_between_number_and_unit() -> None:
    kept = keep_together("reached 14.2 ± 2.1 Å after 30 ps (5 replicas, 300 K): 95 % of 3 Knights")
    assert kept == (
        "reached 14.2\u00a0±\u00a02.1\u00a0Å after 30\u00a0ps (5\u00a0replicas, 300\u00a0K): 95\u00a0% of 3 Knights"
    )


def test_nested_settings_become_rows() -> None:
    node: dict[str, Any] = {
        "timestep_fs": 3.0,
        "cases": ["a", "b"],
        "cell_A": [[1.0, 0, 0], [0, 2, 0], [0, 0, 3]],
        "deep": {"depth_A": {"value": 1.0, "uncertainty": 0.1, "unit": "Å"}, "none": None, "on": True},
        "long": list(range(40)),
        "empty": [],
        "gap_A": "scan",
    }
    assert flatten(node) == [
        ("timestep", "3\u202ffs"),
        ("cases", "a, b"),
        ("cell", "1, 0, 0; 0, 2, 0; 0, 0, 3\u202fÅ"),
        ("deep · depth", "1.00 ± 0.10\u202fÅ"),
        ("deep · none", "–"),
        ("deep · on", "yes"),
        ("long", "40 entries (in results.json)"),
        ("empty", "–"),
        ("gap", "scan"),
    ]


def test_rounding_errors_are_zero_and_small_numbers_are_not() -> None:
    node = {"strain": [0.012, -9.909e-17, 1e-9], "cell_A": [[45.0, 3e-15], [-7e-16, 30.0]], "n": 3, "name": "x"}
    clean = {"strain": [0.012, 0.0, 1e-9], "cell_A": [[45.0, 0.0], [0.0, 30.0]], "n": 3, "name": "x"}
    assert drop_noise(node) == clean
    assert next(text for _, text in flatten(drop_noise(node))) == "0.012, 0, 1 × 10⁻⁹"
