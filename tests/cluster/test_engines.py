"""Engines with MPI inside a job, and the flow's command through a queue: the same bytes as on this machine."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from structures.errors import CalculationError
from tests.cluster.conftest import build_queue
from tests.end_to_end.conftest import Argon, digest_segments
from workflows.drive import run_calculations
from workflows.jobs.durable import read_sealed_json, seal, write_json
from workflows.jobs.store import Store


@pytest.mark.parametrize("ranks", [1, 2])
def test_dynamics_through_the_queue_has_the_bytes_of_dynamics_here(store: Store, tmp_path: Path, ranks: int) -> None:
    argon, here = Argon(store, "lammps"), Argon(Store(tmp_path / "here"), "lammps")
    (queued,) = run_calculations([replace(argon.calculation(), ranks=ranks)], store=store, executor=build_queue(store))
    (local,) = run_calculations([replace(here.calculation(), ranks=ranks)], store=here.store)
    assert digest_segments(queued) == digest_segments(local)
    assert queued.executions == 1


def test_a_chain_of_another_engine_is_refused_in_the_queue_as_it_is_here(store: Store) -> None:
    argon = Argon(store, "lammps")
    whole = argon.calculation()
    short = argon.calculation(
        production_steps=int(whole.settings["production_steps"]) - argon.settings["segment_steps"]
    )
    begun = argon.run(short)
    path = begun.segments[-1] / "segment.json"
    record = read_sealed_json(path)
    assert record is not None
    write_json(path, seal({**record, "engine_version": "another"}))
    with pytest.raises(CalculationError, match=r"was made with engine_version another, now .* --accept-break"):
        run_calculations([whole], store=store, executor=build_queue(store), retries=0)
    write_json(path, seal(record))
    (queued,) = run_calculations([whole], store=store, executor=build_queue(store))
    here = Argon(Store(store.root.with_name("here")), "lammps")
    assert digest_segments(queued) == digest_segments(here.run())


def test_doctor_sends_a_probe_and_says_what_keeps_it_from_coming_back(tmp_path: Path) -> None:
    config = tmp_path / "config" / "alkaliflow" / "clusters.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(
        "clusters:\n"
        "  good: {time_min: 2, memory_GB: 0.5}\n"
        "  wrong: {partition: nowhere, memory_GB: 0.5}\n"
        "  bare: {python: /usr/bin/python3, memory_GB: 0.5, setup: ['unset PYTHONPATH']}\n"
    )
    found = {}
    for name in ("good", "wrong", "bare"):
        command = [sys.executable, "-P", "-m", "workflows.cli", "doctor", "--cluster", name, "--json"]
        ended = subprocess.run([*command, "--store", str(tmp_path / "s")], capture_output=True, text=True, check=False)
        found[name] = ended.returncode, {one["name"]: one for one in json.loads(ended.stdout)}
    assert found["good"][0] == 0
    assert found["good"][1]["versions"]["detail"] == "the same as here"
    assert found["wrong"][0] == found["bare"][0] == 1
    assert "sbatch refuses the job" in found["wrong"][1]["probe"]["detail"]
    assert "sinfo lists them" in found["wrong"][1]["probe"]["fix"]
    assert "No module named" in found["bare"][1]["probe"]["detail"]
    assert "set python: of the profile" in found["bare"][1]["probe"]["fix"]
