import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import MDAnalysis
import numpy as np
import psutil
import pytest
from ase import Atoms, units
from ase.io import read

from structures.errors import CalculationError, ConvergenceError, InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.trajectory_files import read_arrays, read_thermo
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome
from workflows.jobs.durable import read_sealed_json, seal, write_json
from workflows.jobs.segments import Segment
from workflows.jobs.store import Store
from workflows.recipes.molecular_dynamics import check_no_vacuum

SHORT = {
    "temperature_K": 60.0,
    "start_temperature_K": 20.0,
    "heat_steps": 40,
    "equilibrate_steps": 20,
    "production_steps": 40,
    "segment_steps": 20,
    "frame_every_steps": 10,
    "thermo_every_steps": 5,
}
DATE = re.compile(rb"20\d\d-\d\d-\d\d|(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)")
ENGINES = ("lammps", "ase")
Run = Callable[..., Outcome]


@pytest.fixture(params=ENGINES)
def spec(request: pytest.FixtureRequest) -> CalculatorSpec:
    found: CalculatorSpec = request.getfixturevalue(f"{request.param}_spec")
    return found


@pytest.fixture
def small(argon: Atoms) -> Atoms:
    """Half of the argon, for ASE's slower engine; thick enough for the cut-off."""
    return argon[argon.positions[:, 2] < 18]


def find_segments(store: Store, atoms: Atoms, spec: CalculatorSpec, **fields: Any) -> list[Segment]:  # noqa: ANN401
    options = {name: fields.pop(name) for name in ("ranks", "seed", "continue_from") if name in fields}
    chain = store.chain(Calculation("molecular_dynamics", atoms, spec, fields, **{"seed": 7, **options}))
    assert chain is not None
    return chain.committed()


def digest(segments: list[Segment]) -> dict[str, str]:
    return {
        f"{segment.number}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for segment in segments
        for path in sorted(segment.directory.iterdir())
        if path.name != "segment.json"
    }


def copy_blobs(source: Store, target: Store, spec: CalculatorSpec) -> None:
    for value in spec.models.values():
        target.add_blob(source.blob_path(value))


def joined(segments: list[Segment], name: str) -> np.ndarray:
    return np.concatenate([read_thermo(segment.directory / "thermo.csv")[name] for segment in segments])


def test_chain_taken_up_again_has_the_bytes_of_an_untouched_one(
    run: Run,
    small: Atoms,
    spec: CalculatorSpec,
    store: Store,
    tmp_path: Path,
) -> None:
    other = Store(tmp_path / "quite" / "another" / "place")
    copy_blobs(store, other, spec)
    whole: Outcome = run("molecular_dynamics", small, spec, **SHORT)
    untouched = digest(find_segments(store, small, spec, **SHORT))
    run("molecular_dynamics", small, spec, into=other, **SHORT | {"production_steps": 20})
    segments = find_segments(other, small, spec, **SHORT)
    (segments[2].directory / "thermo.csv").write_text("damaged")
    resumed: Outcome = run("molecular_dynamics", small, spec, into=other, **SHORT)
    assert digest(find_segments(other, small, spec, **SHORT)) == untouched
    assert len(untouched) >= 5 * 4
    assert {**resumed.values, "engine": 0} == {**whole.values, "engine": 0}


def test_no_path_and_no_date_enters_a_segment(run: Run, small: Atoms, spec: CalculatorSpec, store: Store) -> None:
    run("molecular_dynamics", small, spec, **SHORT)
    for segment in find_segments(store, small, spec, **SHORT):
        for path in segment.directory.iterdir():
            if path.name != "segment.json":
                content = path.read_bytes()
                assert b"/tmp" not in content
                assert b"pytest" not in content
                assert DATE.search(content) is None


def test_another_seed_gives_another_trajectory(
    run: Run,
    small: Atoms,
    spec: CalculatorSpec,
    store: Store,
) -> None:
    settings = {**SHORT, "minimise": False, "heat_steps": 0, "equilibrate_steps": 0, "production_steps": 20}
    finals = []
    for seed in (1, 2):
        run("molecular_dynamics", small, spec, seed=seed, **settings)
        (segment,) = find_segments(store, small, spec, seed=seed, **settings)
        finals.append(read_arrays(segment.directory / "final.npz")["positions_A"])
    assert np.abs(finals[0] - finals[1]).max() > 1e-3


def test_trajectory_is_continuous_and_opens_in_mdanalysis(
    run: Run,
    small: Atoms,
    spec: CalculatorSpec,
    store: Store,
) -> None:
    run("molecular_dynamics", small, spec, **SHORT)
    segments = find_segments(store, small, spec, **SHORT)
    universe = MDAnalysis.Universe.empty(len(small), trajectory=True)
    universe.load_new([str(segment.directory / "trajectory.nc") for segment in segments], format="NCDF")
    times_ps = [frame.time for frame in universe.trajectory]
    np.testing.assert_allclose(times_ps, np.arange(11) * 0.03, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(universe.dimensions, small.cell.cellpar(), rtol=1e-6)
    last = read_arrays(segments[-1].directory / "final.npz")["positions_A"]
    np.testing.assert_allclose(universe.atoms.positions, last, rtol=0, atol=2e-6)
    steps = [frame.positions.copy() for frame in universe.trajectory]
    assert max(np.abs(b - a).max() for a, b in pairwise(steps)) < 0.5  # unwrapped: no jumps


def test_thermodynamics_has_each_step_once(run: Run, small: Atoms, spec: CalculatorSpec, store: Store) -> None:
    run("molecular_dynamics", small, spec, **SHORT)
    segments = find_segments(store, small, spec, **SHORT)
    np.testing.assert_array_equal(joined(segments, "step"), np.arange(0, 101, 5))
    header = (segments[0].directory / "thermo.csv").read_text().splitlines()[0]
    assert header == (
        "time_ps,step,temperature_K,pressure_GPa,pressure_zz_GPa,potential_energy_eV,kinetic_energy_eV,conserved_eV"
    )
    assert joined(segments, "temperature_K")[0] == pytest.approx(20.0, rel=1e-6)


def test_nve_conserves_energy_to_second_order(run: Run, small: Atoms, spec: CalculatorSpec, store: Store) -> None:
    errors = []
    for factor in (1, 2):
        settings = {
            "minimise": False,
            "ensemble": "nve",
            "heat_steps": 0,
            "equilibrate_steps": 0,
            "production_steps": 40 // factor,
            "segment_steps": 40 // factor,
            "frame_every_steps": 40 // factor,
            "thermo_every_steps": 2 // factor,
            "timestep_fs": 6.0 * factor,
            "temperature_K": 60.0,
        }
        run("molecular_dynamics", small, spec, **settings)
        conserved_eV = joined(find_segments(store, small, spec, **settings), "conserved_eV")
        errors.append(np.ptp(conserved_eV))
    assert errors[1] / errors[0] == pytest.approx(4.0, rel=0.4)


def test_both_engines_make_the_same_nve_trajectory(
    run: Run,
    small: Atoms,
    lammps_spec: CalculatorSpec,
    ase_spec: CalculatorSpec,
    store: Store,
) -> None:
    small.set_momenta(np.random.default_rng(3).normal(scale=0.3, size=(len(small), 3)))
    settings = {**SHORT, "minimise": False, "ensemble": "nve", "heat_steps": 0, "equilibrate_steps": 0}
    finals = []
    for spec in (lammps_spec, ase_spec):
        run("molecular_dynamics", small, spec, **settings)
        finals.append(read_arrays(find_segments(store, small, spec, **settings)[-1].directory / "final.npz"))
    for name in ("positions_A", "velocities_A_per_fs"):
        scale = np.abs(finals[0][name]).max()
        np.testing.assert_allclose(finals[1][name], finals[0][name], rtol=0, atol=1e-6 * scale)


def test_fixed_regions_stay_and_the_others_reach_the_temperature(
    run: Run,
    small: Atoms,
    spec: CalculatorSpec,
    store: Store,
) -> None:
    settings = {**SHORT, "fixed_regions": ["anchor"], "thermostat": "langevin", "minimise": False}
    settings |= {"equilibrate_steps": 200, "thermostat_damping_fs": 30.0}
    outcome: Outcome = run("molecular_dynamics", small, spec, **settings)
    segments = find_segments(store, small, spec, **settings)
    fixed = small.arrays["region"] == "anchor"
    final = read_arrays(segments[-1].directory / "final.npz")
    np.testing.assert_allclose(final["positions_A"][fixed], small.positions[fixed], rtol=0, atol=1e-9)
    assert np.abs(final["velocities_A_per_fs"][fixed]).max() == 0
    kinetic_eV = joined(segments, "kinetic_energy_eV")[-1]
    temperature_K = 2 * kinetic_eV / (3 * (~fixed).sum() * units.kB)
    assert outcome.values["final_temperature_K"] == pytest.approx(temperature_K, rel=1e-5)  # the codes' kB differ
    assert joined(segments, "temperature_K")[-30:].mean() == pytest.approx(60.0, rel=0.15)


def test_only_thermostatted_regions_are_heated(run: Run, small: Atoms, spec: CalculatorSpec, store: Store) -> None:
    settings = {**SHORT, "thermostatted_regions": ["potassium"], "thermostat": "langevin", "minimise": False}
    settings |= {"thermostat_damping_fs": 20.0, "start_temperature_K": 1.0, "temperature_K": 200.0}
    run("molecular_dynamics", small, spec, **settings)
    velocities = read_arrays(find_segments(store, small, spec, **settings)[2].directory / "final.npz")
    speeds = np.linalg.norm(velocities["velocities_A_per_fs"], axis=1)
    hot = small.arrays["region"] == "potassium"
    assert speeds[hot].mean() > 2 * speeds[small.arrays["region"] == "anchor"].mean()


def test_npt_relaxes_the_stress_along_z(
    run: Run,
    argon: Atoms,
    lammps_spec: CalculatorSpec,
    store: Store,
) -> None:
    cell = argon.cell.array.copy()
    cell[2, 2] *= 0.97
    argon.set_cell(cell, scale_atoms=True)
    settings = {**SHORT, "ensemble": "npt", "barostat_damping_fs": 150.0, "minimise": False}
    settings |= {"equilibrate_steps": 400, "production_steps": 200, "segment_steps": 100, "heat_steps": 100}
    run("molecular_dynamics", argon, lammps_spec, **settings)
    segments = find_segments(store, argon, lammps_spec, **settings)
    pressure_GPa = joined(segments, "pressure_zz_GPa")
    assert pressure_GPa[:10].mean() > 0.1
    assert abs(pressure_GPa[-60:].mean()) < 0.03
    final = read_arrays(segments[-1].directory / "final.npz")
    assert final["cell_A"][2, 2] > cell[2, 2] + 0.1
    np.testing.assert_allclose(final["cell_A"][:2], cell[:2], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("barostat", ["isotropic", "anisotropic"])
def test_npt_of_a_bulk_crystal_changes_what_its_barostat_says(
    run: Run, argon: Atoms, lammps_spec: CalculatorSpec, store: Store, barostat: str
) -> None:
    cell = argon.cell.array.copy() * 0.97
    argon.set_cell(cell, scale_atoms=True)
    settings = {**SHORT, "ensemble": "npt", "barostat": barostat, "barostat_damping_fs": 150.0, "minimise": False}
    run("molecular_dynamics", argon, lammps_spec, **settings)
    final = read_arrays(find_segments(store, argon, lammps_spec, **settings)[-1].directory / "final.npz")
    ratios = np.diag(final["cell_A"]) / np.diag(cell)
    assert ratios.min() > 1.001
    assert len(set(ratios.round(9))) == {"isotropic": 1, "anisotropic": 3}[barostat]


@pytest.mark.parametrize("axis", [0, 2])
def test_a_barostat_on_all_axes_refuses_vacuum_along_any(argon: Atoms, axis: int) -> None:
    argon.center(vacuum=8.0, axis=axis)
    with pytest.raises(InputError, match=f"of vacuum along {'xyz'[axis]}, more than 8 Å"):
        check_no_vacuum(argon, barostat="isotropic")


def test_dynamics_goes_on_from_other_dynamics(run: Run, small: Atoms, spec: CalculatorSpec, store: Store) -> None:
    run("molecular_dynamics", small, spec, **SHORT)
    last = find_segments(store, small, spec, **SHORT)[-1]
    settings = {**SHORT, "heat_steps": 0, "equilibrate_steps": 0, "ensemble": "nve", "production_steps": 20}
    run("molecular_dynamics", small, spec, continue_from="a" * 64, previous=last.directory, **settings)
    segments = find_segments(store, small, spec, continue_from="a" * 64, **settings)
    before = read_thermo(last.directory / "thermo.csv")
    after = read_thermo(segments[0].directory / "thermo.csv")
    for name in ("potential_energy_eV", "kinetic_energy_eV"):
        assert after[name][0] == pytest.approx(before[name][-1], rel=1e-9)


def test_last_structure_keeps_regions_and_momenta(run: Run, small: Atoms, spec: CalculatorSpec) -> None:
    outcome: Outcome = run("molecular_dynamics", small, spec, **SHORT)
    final = read(outcome.files["final"])
    assert list(final.arrays["region"]) == list(small.arrays["region"])
    assert final.get_temperature() == pytest.approx(outcome.values["final_temperature_K"], rel=0.02)


def test_dynamics_that_blows_up_says_where(run: Run, small: Atoms, spec: CalculatorSpec) -> None:
    settings = {**SHORT, "minimise": False, "heat_steps": 0, "temperature_K": 200.0, "max_temperature_K": 150.0}
    with pytest.raises(ConvergenceError, match=r"at step 0 .*temperature is 200 K, limit 150 K.*timestep_fs \(now 3\)"):
        run("molecular_dynamics", small, spec, **settings)


def test_error_of_lammps_is_shown_with_the_step(run: Run, argon: Atoms, lammps_spec: CalculatorSpec) -> None:
    settings = {**SHORT, "minimise": False, "timestep_fs": 20.0, "heat_steps": 0, "temperature_K": 2000.0}
    with pytest.raises(ConvergenceError, match=r"(?s)blew up after step \d+ .*ERROR: Lost atoms.*Log: "):
        run("molecular_dynamics", argon, lammps_spec, **settings)


def test_region_that_is_not_there_is_refused(run: Run, small: Atoms, spec: CalculatorSpec) -> None:
    with pytest.raises(InputError, match="fixed_regions names 'anchr', but the structure's regions are: alloy, anchor"):
        run("molecular_dynamics", small, spec, **SHORT, fixed_regions=["anchr"])


def test_barostat_on_a_slab_in_vacuum_is_refused(run: Run, argon: Atoms, lammps_spec: CalculatorSpec) -> None:
    argon.center(vacuum=8.0, axis=2)
    with pytest.raises(
        InputError, match=r"ensemble is npt, but the cell has 16\.\d Å of vacuum along z, more than 8 Å"
    ):
        run("molecular_dynamics", argon, lammps_spec, **SHORT, ensemble="npt")


def test_no_segment_is_started_that_cannot_be_finished(
    run: Run,
    small: Atoms,
    lammps_spec: CalculatorSpec,
    store: Store,
) -> None:
    run("molecular_dynamics", small, lammps_spec, **SHORT | {"production_steps": 20})
    with pytest.raises(CalculationError, match=r"limit too short for a segment of \d+ s: 0 s are left"):
        run("molecular_dynamics", small, lammps_spec, time_left_s=lambda: 0.001, **SHORT)
    assert len(find_segments(store, small, lammps_spec, **SHORT)) == 4
    clock, longer = iter([1e9, 0.001]), SHORT | {"production_steps": 400}
    with pytest.raises(CalculationError, match=r"0 s are left, segment 5 needs about .* 5 segments are stored"):
        run("molecular_dynamics", small, lammps_spec, time_left_s=lambda: next(clock), **longer)
    assert len(find_segments(store, small, lammps_spec, **SHORT)) == 5


@pytest.mark.parametrize("name", ["engine_version", "engine_sha256", "cpu"])
def test_chain_refuses_another_engine_or_processor_unless_told_to_go_on(
    run: Run,
    small: Atoms,
    lammps_spec: CalculatorSpec,
    store: Store,
    name: str,
) -> None:
    run("molecular_dynamics", small, lammps_spec, **SHORT | {"production_steps": 20})
    path = find_segments(store, small, lammps_spec, **SHORT)[-1].directory / "segment.json"
    record = read_sealed_json(path)
    assert record is not None
    write_json(path, seal({**record, name: "another"}))
    with pytest.raises(
        CalculationError, match=rf"4 segments\) was made with {name} another, now .*resume RUN_DIRECTORY --accept-break"
    ):
        run("molecular_dynamics", small, lammps_spec, **SHORT)
    run("molecular_dynamics", small, lammps_spec, **SHORT | {"production_steps": 20})  # nothing is left to compute
    outcome: Outcome = run("molecular_dynamics", small, lammps_spec, accept_break=True, **SHORT)
    assert [text.partition(":")[0] for text in outcome.values["breaks"]] == [
        "from segment 3 on",
        "from segment 4 on",
    ]
    assert f"{name} another, now {record[name]}" in outcome.values["breaks"][1]


def test_two_ranks_give_the_same_bytes_twice(
    run: Run,
    small: Atoms,
    lammps_spec: CalculatorSpec,
    store: Store,
    tmp_path: Path,
) -> None:
    other = Store(tmp_path / "other")
    copy_blobs(store, other, lammps_spec)
    digests = []
    for into in (store, other):
        run("molecular_dynamics", small, lammps_spec, into=into, ranks=2, **SHORT)
        digests.append(digest(find_segments(into, small, lammps_spec, ranks=2, **SHORT)))
    assert digests[0] == digests[1]


WORKER = """
import sys
from pathlib import Path
from workflows.jobs.contract import Workspace
from workflows.jobs.store import Store
from workflows.recipes import RECIPES
store, directory = Store(Path(sys.argv[1])), Path(sys.argv[3])
calculation = store.load(sys.argv[2])
def report(**fields):
    print(fields["segment"], flush=True)
workspace = Workspace(directory, store, store.chain(calculation), report_progress=report)
RECIPES[calculation.recipe].run(calculation, workspace)
"""


def test_killed_worker_takes_lammps_with_it_and_the_chain_goes_on_alike(
    run: Run,
    argon: Atoms,
    lammps_spec: CalculatorSpec,
    store: Store,
    tmp_path: Path,
) -> None:
    settings = {**SHORT, "heat_steps": 4000, "equilibrate_steps": 2000, "production_steps": 2000}
    settings |= {"segment_steps": 2000, "frame_every_steps": 500, "thermo_every_steps": 100}
    key = store.create(Calculation("molecular_dynamics", argon, lammps_spec, settings, seed=7))
    atoms = store.load(key).structure
    assert atoms is not None
    command = [sys.executable, "-c", WORKER, str(store.root), key, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert any(line.strip() == "1" for line in worker.stdout)
        (engine,) = psutil.Process(worker.pid).children()
        os.kill(worker.pid, signal.SIGKILL)
    assert psutil.wait_procs([engine], timeout=10)[1] == []
    assert len(find_segments(store, atoms, lammps_spec, **settings)) == 1
    run("molecular_dynamics", atoms, lammps_spec, **settings)
    untouched = Store(tmp_path / "untouched")
    copy_blobs(store, untouched, lammps_spec)
    run("molecular_dynamics", atoms, lammps_spec, into=untouched, **settings)
    resumed = digest(find_segments(store, atoms, lammps_spec, **settings))
    assert resumed == digest(find_segments(untouched, atoms, lammps_spec, **settings))
    assert len(resumed) == 4 * 5 + 1
