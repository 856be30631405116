from pathlib import Path

import pytest

from analysis.thermodynamics import read_thermodynamics
from analysis.thermodynamics_columns import COLUMNS
from structures.errors import InputError


def write_table(path: Path, *, times: list[float]) -> Path:
    rows = [",".join(COLUMNS)]
    rows += [",".join(str(value) for value in (t, round(t * 1000), 300 + t, 0.1, 0.2, -10.0, 1.0, -9.0)) for t in times]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_segments_are_read_as_one_table(tmp_path: Path) -> None:
    paths = [write_table(tmp_path / f"{i}.csv", times=t) for i, t in enumerate(([0, 1.0, 2.0], [2.0, 3.0], []))]
    table = read_thermodynamics(paths)
    assert table.time_ps.tolist() == [0, 1, 2, 3]
    values = table.to_json(max_points=2)
    assert values["time_ps"] == [0.0, 2.0]
    assert values["temperature_K"] == [300.0, 302.0]
    assert {"pressure_GPa", "potential_energy_eV", "conserved_eV"} <= set(values)


def test_bad_tables_are_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.csv"
    damaged.write_text(",".join(COLUMNS) + "\n1,2,3\n", encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_text("time_ps,step\n", encoding="utf-8")
    for paths, message in (
        ([tmp_path / "no.csv"], "does not exist"),
        ([damaged], "damaged"),
        ([other], "lacks the columns temperature_K"),
        ([write_table(tmp_path / "empty.csv", times=[])], "have no rows"),
    ):
        with pytest.raises(InputError, match=message):
            read_thermodynamics(paths)
