from pathlib import Path

import numpy as np
import pytest

from analysis.thermodynamics import (
    Thermodynamics,
    compute_energy_released,
    find_worst_thermodynamics,
    read_thermodynamics,
)
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


def build_run(*, fall_eV: float, conserved_eV: float = 0.0) -> Thermodynamics:
    """A solid of 10 eV kinetic energy at its end, whose potential energy falls by a reaction."""
    share = np.linspace(0, 1, 100).clip(0, 0.5) * 2
    columns = {name: np.zeros(100) for name in COLUMNS}
    columns["kinetic_energy_eV"] = 10 * share
    columns["potential_energy_eV"] = -500 + 10 * share - fall_eV * share
    columns["conserved_eV"] = conserved_eV * np.linspace(0, 1, 100)
    return Thermodynamics(columns)


def test_energy_released_leaves_the_vibrations_out() -> None:
    found = compute_energy_released([build_run(fall_eV=fall) for fall in (30.0, 32.0)])
    assert found.value == pytest.approx(31, rel=1e-12)
    assert found.n_independent == 2
    assert compute_energy_released([build_run(fall_eV=0.0)]).value == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError, match="at least one run"):
        compute_energy_released([])


def test_the_replica_that_conserves_worst_is_shown() -> None:
    worst = find_worst_thermodynamics([build_run(fall_eV=0, conserved_eV=moved) for moved in (0.1, -2.0, 1.0)])
    assert (worst.replica, worst.n_replicas) == (2, 3)
    assert worst.to_json()["replica"] == 2


def test_the_work_of_heating_does_not_make_a_replica_the_worst() -> None:
    calm, restless = build_run(fall_eV=0), build_run(fall_eV=0)
    calm.columns["conserved_eV"][:30] = -6.0
    restless.columns["conserved_eV"][90:] = 0.01
    assert find_worst_thermodynamics([calm, restless]).replica == 2
