"""CSV tables of all observables: one file for each group of columns, and one of all single quantities."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from analysis.results import Results, build_json_value, write_text_atomically

TABLES_FOLDER = "tables"
POSITIONS, AXES = "positions_A", "xyz"
QUANTITY_COLUMNS = ("value", "uncertainty", "low", "high", "unit", "n_independent", "method", "verdict")


def is_quantity(node: object) -> bool:
    """Whether a JSON object is a quantity: a value with its unit."""
    return isinstance(node, dict) and "value" in node and "unit" in node


def find_quantities(node: object, *, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Walk JSON observables and yield (path, quantity) of each quantity, in order."""
    if isinstance(node, dict):
        if is_quantity(node):
            yield path, node
            return
        for key, item in node.items():
            yield from find_quantities(item, path=(*path, str(key)))
    elif isinstance(node, list):
        for number, item in enumerate(node):
            if isinstance(item, dict):
                yield from find_quantities(item, path=(*path, name_list_item(item, number=number)))


def name_list_item(item: dict[str, Any], *, number: int) -> str:
    """Name of an entry in a list of observables: what it is of, its pair and region, or its number."""
    if isinstance(item.get("about"), str):
        return f"{item['label']} about {item['about']}"
    words = [str(item[key]) for key in ("pair", "species", "region", "label") if isinstance(item.get(key), str)]
    return "-".join(words) if words else str(number)


def find_columns(node: object, *, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """Walk JSON observables and yield (name, columns) of each group of arrays of one length.

    Arrays of more than one dimension become several columns, positions one for each thing and axis (`core_1_x_A`); a
    map with `x_A` and `y_A` becomes one row for each of its points. Lists of words alone are no columns.
    """
    if isinstance(node, list):
        for number, item in enumerate(node):
            if isinstance(item, dict):
                yield from find_columns(item, path=(*path, name_list_item(item, number=number)))
        return
    if not isinstance(node, dict) or is_quantity(node):
        return
    arrays = {key: item for key, item in node.items() if isinstance(item, list) and _is_array(item)}
    owner = path[-1] if path else ""
    columns = _flatten_map(arrays) if _is_map(arrays) else _flatten_series(arrays, owner=owner)
    if any(isinstance(value, int | float) for items in columns.values() for value in items):
        yield "_".join(part for part in path if part != "cases"), columns
    for key, item in node.items():
        if key not in arrays:
            yield from find_columns(item, path=(*path, str(key)))


def format_csv(columns: dict[str, list[Any]]) -> str:
    """Columns as CSV text with a header line; a missing value is an empty field."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def write_tables(results: Results, *, directory: Path) -> list[Path]:
    """Write every observable as CSV into the folder `tables/` of a directory.

    Args:
        results: what the run found out.
        directory: the run's directory, where results and report are.

    Returns:
        Paths of the files; `quantities.csv` is the first.
    """
    observables = build_json_value(results.observables)
    rows = [
        {"quantity": ".".join(path), **{key: quantity.get(key) for key in QUANTITY_COLUMNS}}
        for path, quantity in find_quantities(observables)
    ]
    summary = {key: [row[key] for row in rows] for key in ("quantity", *QUANTITY_COLUMNS)}
    folder = Path(directory) / TABLES_FOLDER
    paths = [write_text_atomically(folder / "quantities.csv", text=format_csv(summary))]
    for name, columns in find_columns(observables):
        safe = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name) or "observables"
        paths.append(write_text_atomically(folder / f"{safe}.csv", text=format_csv(columns)))
    return paths


def _is_array(item: list[Any]) -> bool:
    return bool(item) and not any(isinstance(entry, dict) for entry in item)


def _is_map(arrays: dict[str, list[Any]]) -> bool:
    return "x_A" in arrays and "y_A" in arrays and len(_map_names(arrays)) > 0


def _map_names(arrays: dict[str, list[Any]]) -> list[str]:
    shape = (len(arrays["y_A"]), len(arrays["x_A"]))
    return [name for name, item in arrays.items() if np.shape(np.array(item, dtype=object)) == shape]


def _flatten_map(arrays: dict[str, list[Any]]) -> dict[str, list[Any]]:
    n_x, n_y = len(arrays["x_A"]), len(arrays["y_A"])
    columns: dict[str, list[Any]] = {"x_A": list(arrays["x_A"]) * n_y}
    columns["y_A"] = [y for y in arrays["y_A"] for _ in range(n_x)]
    for name in _map_names(arrays):
        columns[name] = [value for row in arrays[name] for value in row]
    return columns


def _flatten_series(arrays: dict[str, list[Any]], *, owner: str) -> dict[str, list[Any]]:
    lengths = [len(item) for item in arrays.values()]
    n_rows = max(lengths, default=0, key=lambda length: (lengths.count(length), length))
    columns: dict[str, list[Any]] = {}
    for name, item in arrays.items():
        if len(item) != n_rows:
            continue
        whole = np.array(item, dtype=object)
        flat = whole.reshape(n_rows, -1)
        for column, values in zip(_name_columns(name, owner=owner, shape=whole.shape), flat.T, strict=True):
            columns[column] = values.tolist()
    return columns


def _name_columns(name: str, *, owner: str, shape: tuple[int, ...]) -> list[str]:
    """Names of the columns of an array whose first dimension is the rows."""
    n_columns = math.prod(shape[1:])
    if name == POSITIONS and len(shape) == len(("rows", "things", "axes")) and shape[2] <= len(AXES):
        return [f"{owner}_{thing + 1}_{axis}_A" for thing in range(shape[1]) for axis in AXES[: shape[2]]]
    return [name] if n_columns == 1 else [f"{name}_{number}" for number in range(n_columns)]
