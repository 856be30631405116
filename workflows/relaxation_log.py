"""How fast the energy still fell when a relaxation ended, from the log that its engine left in the store."""

from collections.abc import Iterable

from workflows.jobs.store import Finished

LOG = "engine/relax.log"
_SPAN_STEPS = 100


def find_energy_fall_eV(relaxation: Finished) -> float | None:
    """Fall of the energy in the last 100 steps of a relaxation, in eV; None if no log tells.

    Args:
        relaxation: the result of a relaxation; only LAMMPS writes such a log.
    """
    path = relaxation.files["relaxed"].parent / LOG
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", errors="replace") as lines:
        return compute_energy_fall_eV(lines)


def compute_energy_fall_eV(lines: Iterable[str]) -> float | None:
    """Fall of the energy per 100 steps at the end of the last minimisation in a LAMMPS log.

    Args:
        lines: of the log, with tables whose first columns are step and potential energy (eV).

    Returns:
        Energy 100 steps before the end (or at the start of a shorter one) less that at the end, per 100 steps, in eV;
        None if there is no table of two rows.
    """
    tables: list[list[tuple[float, float]]] = []
    is_table = False
    for line in lines:
        words = line.split()
        if words[:1] == ["Step"]:
            tables.append([])
            is_table = True
        elif words[:2] == ["Loop", "time"]:
            is_table = False
        elif is_table and words[:1] and words[0].isdigit() and len(words) > 1:
            tables[-1].append((float(words[0]), float(words[1])))
    table = next((rows for rows in reversed(tables) if len(rows) > 1), None)
    if table is None:
        return None
    last_step, last_eV = table[-1]
    step, energy_eV = next((row for row in reversed(table) if row[0] <= last_step - _SPAN_STEPS), table[0])
    return _SPAN_STEPS * (energy_eV - last_eV) / (last_step - step)
