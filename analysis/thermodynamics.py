"""Thermodynamics of a run: reading and thinning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.thermodynamics_columns import COLUMNS
from analysis.uncertainty import Quantity, compute_replica_mean, to_list
from structures.errors import InputError

_REPORTED = ("time_ps", "temperature_K", "pressure_GPa", "pressure_zz_GPa", "potential_energy_eV", "conserved_eV")
_FINAL_SHARE = 0.1


@dataclass(frozen=True)
class Thermodynamics:
    """Columns of the thermodynamics of one run.

    Attributes:
        columns: by name (`COLUMNS`).
        replica: which replica this is, from 1.
        n_replicas: replicas that there are.
    """

    columns: dict[str, NDArray[np.float64]]
    replica: int = 1
    n_replicas: int = 1

    @property
    def time_ps(self) -> NDArray[np.float64]:
        """Time in ps."""
        return self.columns["time_ps"]

    def to_json(self, *, max_points: int = 500) -> dict[str, Any]:
        """The columns of the report as JSON values, every n-th row so that at most `max_points` are left."""
        stride = max(1, -(-self.time_ps.size // max_points))
        columns = {name: to_list(self.columns[name][::stride], digits=9) for name in _REPORTED}
        return {**columns, "replica": self.replica, "replicas": self.n_replicas}


def find_worst_thermodynamics(runs: Sequence[Thermodynamics]) -> Thermodynamics:
    """The replica whose conserved energy moved most in the second half of the run; before that, heating does work."""
    moves = []
    for run in runs:
        late_eV = run.columns["conserved_eV"][run.time_ps.size // 2 :]
        moves.append(abs(float(late_eV[-1] - late_eV[0])))
    worst = int(np.argmax(moves))
    return replace(runs[worst], replica=worst + 1, n_replicas=len(runs))


def read_thermodynamics(paths: Sequence[Path]) -> Thermodynamics:
    """Read the tables of a run's segments as one; a row that a segment repeats from the one before is left out.

    Args:
        paths: CSV files with the columns `COLUMNS`, in the order of time.

    Returns:
        The columns.

    Raises:
        InputError: if a file is missing or damaged, or there are no rows.
    """
    tables = [_read_table(Path(path)) for path in paths]
    rows = np.vstack(tables) if tables else np.empty((0, len(COLUMNS)))
    if rows.shape[0] == 0:
        raise InputError(
            f"{len(paths)} thermodynamics files have no rows; write thermodynamics more often or run longer"
        )
    times = rows[:, 0]
    latest = np.maximum.accumulate(np.concatenate([[-np.inf], times[:-1]]))
    rows = rows[times > latest + 1e-9]
    return Thermodynamics({name: rows[:, column] for column, name in enumerate(COLUMNS)})


def compute_energy_released(runs: Sequence[Thermodynamics]) -> Quantity:
    """Energy that a reaction sets free from the start of dynamics to the end.

    Q = U(0) − (U − K), the last two averaged over the last tenth of the rows: in a solid, vibrations hold as much
    potential as kinetic energy (equipartition). The start is at rest; only where its relaxation was finished is it in a
    minimum. Else what the relaxation left undone is part of Q, as is the energy of a crystal that is lost:
    `mark_energy_released` says so.

    Args:
        runs: tables of the replicas; potential and kinetic energy in eV.

    Returns:
        Energy in eV, above zero if it was released; interval over replicas.

    Raises:
        InputError: if there are no runs.
    """
    if not runs:
        raise InputError("the energy released needs the thermodynamics of at least one run; got none")
    released = []
    for run in runs:
        potential, kinetic = (run.columns[name] for name in ("potential_energy_eV", "kinetic_energy_eV"))
        last = max(1, round(_FINAL_SHARE * potential.size))
        released.append(float(potential[0] - (potential - kinetic)[-last:].mean()))
    mean = compute_replica_mean(released, unit="eV")
    method = f"fall of the potential energy from the relaxed cell on, less that of vibrations; {mean.method}"
    return replace(mean, method=method)


def mark_energy_released(released: Quantity, *, includes: Sequence[str]) -> Quantity:
    """The energy released with what else it holds, in its verdict."""
    if not includes:
        return released
    return replace(released, verdict=f"includes {' and '.join(includes)}; {released.verdict}")


def _read_table(path: Path) -> NDArray[np.float64]:
    """Rows of one table in the order of `COLUMNS`."""
    if not path.is_file():
        raise InputError(f"thermodynamics file {path} does not exist; give the thermo.csv of finished segments")
    lines = path.read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",") if lines else []
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(f"thermodynamics file {path} lacks the columns {', '.join(missing)}")
    try:
        rows = [[float(value) for value in line.split(",")] for line in lines[1:]]
        table = np.array(rows, dtype=float).reshape(len(rows), len(header))
    except ValueError as error:
        raise InputError(f"thermodynamics file {path} is damaged: {error}") from error
    return table[:, [header.index(name) for name in COLUMNS]]
