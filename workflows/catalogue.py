"""Finished results in an ase.db: a cache to search in, which can be rebuilt at any time.

Every result is first written as an entry of its own, a small file that needs no lock. Entries go into the database when
its lock can be had in time; one that could not is taken along by the next call, or by `rebuild`. A run never waits
longer than it was told to and never loses a result to the catalogue.
"""

import fcntl
import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.db import connect
from ase.io.jsonio import decode, encode

from analysis.results import Results, build_json_value, write_text_atomically
from analysis.tables import find_quantities
from structures.errors import InputError

DATABASE = "catalogue.db"
ENTRIES = "entries"
SCHEMA_VERSION = 1
# Of `analysis.crystal_order`, the worst first.
CRYSTAL_VERDICTS = ("lost", "disordering", "crystal")
LOCK_TIMEOUT_S = 10.0
_POLL_S = 0.1
_LOG = logging.getLogger(__name__)
_LOG.setLevel(logging.WARNING)  # Prefect, once imported, lets only errors of others through


def record(
    results: Results, *, structure: Atoms, results_path: Path, directory: Path, timeout_s: float = LOCK_TIMEOUT_S
) -> bool:
    """Add a result to the catalogue, or bring its row up to date.

    Args:
        results: what the run found out.
        structure: the structure to show and search by, e.g. the relaxed cell of the first case.
        results_path: where the results are; it identifies the run.
        directory: the catalogue's folder.
        timeout_s: longest time to wait for the database, in s.

    Returns:
        Whether the database holds it now; if not, its entry is kept and the next call takes it along.

    Raises:
        InputError: if the entry itself cannot be written.
    """
    run = str(Path(results_path).resolve())
    identity = hashlib.sha256(run.encode()).hexdigest()[:24]
    plain = Atoms(
        numbers=structure.get_atomic_numbers(),
        positions=structure.get_positions(),
        cell=structure.get_cell(),
        pbc=structure.get_pbc(),
    )
    entry = {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "key_values": build_key_values(results) | {"run": run, "run_id": f"r{identity}"},
        "data": {"contrast": build_json_value(results.observables.get("contrast"))},
        "atoms": encode(plain),
    }
    try:
        write_text_atomically(Path(directory) / ENTRIES / f"{identity}.json", text=json.dumps(entry))
    except OSError as error:
        raise InputError(
            f"{directory}: the catalogue cannot be written ({error.strerror}). The results in {run} are safe. "
            "Free space or rights there, or give another store."
        ) from error
    return _index(Path(directory), timeout_s=timeout_s)


def rebuild(directory: Path, *, timeout_s: float = LOCK_TIMEOUT_S) -> int:
    """Make the database again from its entries; it replaces the old one whole.

    Args:
        directory: the catalogue's folder.
        timeout_s: longest time to wait for the database, in s.

    Returns:
        Number of rows.

    Raises:
        InputError: if the database stays locked.
    """
    directory = Path(directory)
    with _lock(directory, timeout_s=timeout_s) as locked:
        if not locked:
            raise InputError(
                f"{directory / DATABASE} is in use for more than {timeout_s:g} s. Try again when other runs are done."
            )
        fresh = directory / f".rebuild-{os.getpid()}.db"
        try:
            entries = _read_entries(_list_entries(directory))
            _write_rows(fresh, entries=entries)
            fresh.replace(directory / DATABASE)
        finally:
            fresh.unlink(missing_ok=True)
    return len(entries)


def search(selection: str = "", *, directory: Path) -> list[dict[str, Any]]:
    """Rows that match an ASE selection, e.g. "flow=potassium-diffusion,temperature_K>300"; newest last.

    Args:
        selection: ASE's selection string; empty for all.
        directory: the catalogue's folder.

    Returns:
        Key-value pairs of each row, with its formula and number of atoms.
    """
    path = Path(directory) / DATABASE
    if not path.exists():
        return []
    rows = connect(str(path), use_lock_file=False).select(selection or None)
    return [{**row.key_value_pairs, "formula": row.formula, "n_atoms": row.natoms} for row in rows]


def build_key_values(results: Results) -> dict[str, str | int | float | bool]:
    """Key-value pairs of a row: flow, status, main settings, what became of the crystal, and final quantities."""
    pairs: dict[str, Any] = {"flow": results.flow, "status": results.status, "n_warnings": len(results.warnings)}
    contrast = results.observables.get("contrast") or {}
    pairs["resolved"] = bool(contrast.get("resolved"))
    pairs["crystal_order"] = _find_worst_order(results.observables.get("cases") or {})
    pairs["created"] = results.provenance.created
    pairs |= {"replicas": results.config.get("replicas"), "seed": results.config.get("seed")}
    for section, names in {
        "structure": ("alloy",),
        "calculator": ("name", "potential"),
        "dynamics": ("temperature_K", "production_ps", "ensemble"),
    }.items():
        settings = results.config.get(section) or {}
        # ase.db keeps the word "calculator" for itself.
        pairs |= {("method" if name == "name" else name): settings.get(name) for name in names}
    own_alloy = results.system.get("alloy") or {}
    if "file" in own_alloy:
        pairs |= {"alloy": own_alloy["formula"], "alloy_file": own_alloy["file"]}
    for path, quantity in find_quantities(build_json_value(contrast)):
        pairs[f"contrast_{'_'.join(path)}"] = quantity["value"]
    return _clean(pairs)


def _find_worst_order(cases: Mapping[str, Any]) -> str | None:
    """The worst verdict on the crystal of any case; None if nothing was said of one."""
    verdicts = [(case.get("crystal_order") or {}).get("verdict") for case in cases.values()]
    return next((verdict for verdict in CRYSTAL_VERDICTS if verdict in verdicts), None)


def _clean(pairs: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """What ASE takes: plain keys; numbers, truths and words that do not look like numbers."""
    clean: dict[str, str | int | float | bool] = {}
    for key, value in pairs.items():
        if value is None or value == "":
            continue
        name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in key)
        if isinstance(value, bool | int | float):
            clean[name] = value
            continue
        text = json.dumps(value) if isinstance(value, dict | list) else str(value)
        clean[name] = f"_{text}" if _looks_numeric(text) else text
    return clean


def _looks_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in {"True", "False"}
    return True


def _index(directory: Path, *, timeout_s: float) -> bool:
    """Take all entries that wait into the database; False if that is not possible now."""
    started = time.monotonic()
    path = directory / DATABASE
    try:
        with _lock(directory, timeout_s=timeout_s) as locked:
            if not locked or not _is_free(path, timeout_s=timeout_s - (time.monotonic() - started)):
                _LOG.warning("%s is in use; the result is kept and indexed later", path)
                return False
            present = _read_tokens(path)
            waiting = {token: entry for token, entry in _list_entries(directory).items() if token not in present}
            _write_rows(path, entries=_read_entries(waiting))
    except (sqlite3.Error, OSError) as error:
        _LOG.warning("%s: %s; the result is kept and indexed later", path, error)
        return False
    return True


def _write_rows(path: Path, *, entries: Mapping[str, dict[str, Any]]) -> None:
    """Write entries in one transaction; a row of the same run is replaced."""
    with connect(str(path), use_lock_file=False) as database:
        for token, entry in entries.items():
            pairs = entry["key_values"] | {"entry": token}
            known = [row.id for row in database.select(run_id=pairs["run_id"])]
            if known:
                database.delete(known)
            try:
                database.write(decode(entry["atoms"]), data=entry["data"], **pairs)
            except ValueError as error:  # ase.db refuses some words as keys; one entry must not stop the others
                _LOG.warning("the catalogue cannot take %s (%s); its results are safe", pairs.get("run"), error)


def _read_tokens(path: Path) -> set[str]:
    """Which entries the database holds."""
    if not path.exists():
        return set()
    rows = connect(str(path), use_lock_file=False).select(include_data=False)
    return {str(row.key_value_pairs.get("entry")) for row in rows}


def _list_entries(directory: Path) -> dict[str, Path]:
    """Entries, oldest first, by a token that changes when an entry is written anew."""
    found = [(path.stat().st_mtime_ns, path) for path in (directory / ENTRIES).glob("*.json")]
    return {f"{path.stem}-{time_ns}": path for time_ns, path in sorted(found)}


def _read_entries(paths: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Entries that can be read; one that cannot is left where it is and told."""
    entries: dict[str, dict[str, Any]] = {}
    for token, path in paths.items():
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            _LOG.warning("%s cannot be read (%s); run the analysis of that run again to renew it", path, error)
            continue
        if entry.get("schema_version", 0) > SCHEMA_VERSION:
            _LOG.warning("%s is of a newer alkaliflow; update to index it", path)
            continue
        entries[token] = entry
    return entries


def _is_free(path: Path, *, timeout_s: float) -> bool:
    """Whether SQLite gives the right to write in time; a file that a killed writer left is no obstacle."""
    if not path.exists():
        return True
    connection = sqlite3.connect(path, timeout=max(timeout_s, 0.0), isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


@contextmanager
def _lock(directory: Path, *, timeout_s: float) -> Iterator[bool]:
    """A lock that its process takes to the grave: the system frees it when the process ends, however it ends."""
    directory.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_s
    with (directory / ".lock").open("a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(min(_POLL_S, max(timeout_s, 0.0) or _POLL_S))
            else:
                yield True
                return
