"""Physics of the classical force field through the project's recipes: energy, restarts, regions, and the ion pair."""

import signal
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
import pytest
from ase import Atoms, units
from ase.io import read

from analysis.region_temperature import compute_region_temperatures
from structures.composition import find_volume_A3
from structures.electrode import build_electrode
from structures.electrolyte import pack_electrolyte
from structures.files import read_structure
from structures.interface_cell import build_interface_cell
from structures.species import Species, build_from_smiles, build_species
from tests.end_to_end.conftest import Argon, digest_segments, find_reasons, wait_for
from workflows.calculators.force_field import build_force_field_spec
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.trajectory_files import FINAL, THERMO, read_arrays, read_thermo
from workflows.force_fields.clp import type_molecule
from workflows.force_fields.topology import Topology, join_topologies
from workflows.force_fields.uff import type_with_uff
from workflows.jobs.attempt import list_attempts
from workflows.jobs.calculation import Calculation
from workflows.jobs.durable import compute_sha256
from workflows.jobs.store import Finished, Store

pytestmark = pytest.mark.slow

Boundary = Literal["bulk", "periodic", "vacuum"]
CUTOFF_A = 8.0
SEGMENT = 100
SHORT = {
    "timestep_fs": 1.0, "minimise": True, "start_temperature_K": 150.0, "temperature_K": 300.0,
    "heat_steps": SEGMENT, "equilibrate_steps": SEGMENT, "production_steps": 4 * SEGMENT, "segment_steps": SEGMENT,
    "frame_every_steps": 20, "thermo_every_steps": 10,
}  # fmt: skip
PARAMETERS = ("epsilon_eV", "sigma_A")
PAIR = Path(__file__).parents[2] / "structures" / "molecules" / "litfsi.xyz"


def list_molecules(*, n_pairs: int, n_solvents: int) -> list[tuple[Species, int]]:
    solvent = build_from_smiles("DME", smiles="COCCOC")
    return [(build_species("Li+"), n_pairs), (build_species("TFSI-"), n_pairs), (solvent, n_solvents)]


def build_bulk() -> tuple[Atoms, Topology]:
    """Four ion pairs in sixteen molecules of solvent."""
    molecules = list_molecules(n_pairs=4, n_solvents=16)
    edge_A = find_volume_A3(molecules, density_g_per_cm3=1.15) ** (1 / 3)
    atoms = pack_electrolyte(molecules, lateral_A=(edge_A, edge_A), heights_A=(0.0, edge_A), period_A=edge_A, seed=1)
    return atoms, join_topologies([(type_molecule(of), count) for of, count in molecules])


def build_slab(boundary: Literal["periodic", "vacuum"]) -> tuple[Atoms, Topology]:
    """Two ion pairs in four molecules of solvent on lithium; the solvent is a region of its own."""
    molecules = list_molecules(n_pairs=2, n_solvents=4)
    electrode = build_electrode("Li", facet=(1, 0, 0), lateral_A=(13.8, 13.8), n_layers=2)
    atoms = build_interface_cell(
        electrode, molecules=molecules, seed=1, density_g_per_cm3=0.9, boundary=boundary, vacuum_A=12.0
    ).atoms
    atoms.arrays["region"][atoms.arrays["species"] == "DME"] = "solvent"
    metal = atoms[atoms.arrays["region"] == "electrode"]
    rigid = type_with_uff(Atoms(metal.symbols, positions=metal.positions), bonded=False)
    return atoms, join_topologies([(rigid, 1), *((type_molecule(of), count) for of, count in molecules)])


@dataclass(frozen=True)
class Electrolyte(Argon):
    """Lithium TFSI in dimethoxyethane, driven as argon is."""

    engine: str = "force-field"
    settings: dict[str, Any] = field(default_factory=lambda: dict(SHORT))
    boundary: Boundary = "bulk"

    def calculation(self, recipe: str = "molecular_dynamics", **settings: Any) -> Calculation:  # noqa: ANN401
        atoms, topology = build_bulk() if self.boundary == "bulk" else build_slab(self.boundary)
        slab = 3.0 if self.boundary == "vacuum" else 0.0
        return Calculation(recipe, atoms, self.spec_of(topology, slab=slab), {**self.settings, **settings}, seed=7)

    def spec_of(self, topology: Topology, *, slab: float = 0.0, tail: bool = False) -> CalculatorSpec:
        return build_force_field_spec(
            topology, add_blob=self.store.add_blob, cutoff_A=CUTOFF_A, force_error=1e-4, slab=slab, tail=tail
        )


@pytest.fixture
def bulk(tmp_path: Path) -> Electrolyte:
    return Electrolyte(Store(tmp_path / "store"))


def read_column(result: Finished, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    first = int(result.values["first_production_segment"])
    return np.concatenate([read_thermo(segment / THERMO)[name] for segment in result.segments[first:]])


def observe(result: Finished) -> dict[str, Any]:
    return {
        "segments": digest_segments(result),
        "values": dict(result.values),
        "final": compute_sha256(result.files["final"]),
    }


def run_nve(bulk: Electrolyte, *, settled: str, timestep_fs: float, time_ps: float) -> Finished:
    steps = 50 * round(20 * time_ps / timestep_fs)
    free: dict[str, Any] = {
        "ensemble": "nve",
        "minimise": False,
        "heat_steps": 0,
        "equilibrate_steps": 0,
        "production_steps": steps,
    }
    rows: dict[str, Any] = {
        "segment_steps": steps,
        "frame_every_steps": steps,
        "thermo_every_steps": round(8 / timestep_fs),
    }
    wanted = bulk.calculation(timestep_fs=timestep_fs, **free, **rows)
    return bulk.run(replace(wanted, continue_from=settled))


def test_energy_is_conserved_and_its_error_falls_with_the_square_of_the_step(bulk: Electrolyte) -> None:
    long: dict[str, Any] = {"segment_steps": 500, "heat_steps": 500, "equilibrate_steps": 1000, "production_steps": 500}
    settled = bulk.run(bulk.calculation(**long)).key
    thermal_meV, fast_meV = 1500 * units.kB * 300, {}
    for timestep_fs in (0.8, 1.6):
        result = run_nve(bulk, settled=settled, timestep_fs=timestep_fs, time_ps=2.0)
        energy_meV = 1000 * read_column(result, "conserved_eV") / result.values["n_atoms"]
        assert abs(np.polyfit(read_column(result, "time_ps"), energy_meV, 1)[0]) < 0.05  # meV/atom/ps
        assert np.ptp(energy_meV) < 0.02 * thermal_meV
        # Over a few steps: what comes and goes at the cut-off adds up to more over longer times.
        fast_meV[timestep_fs] = np.diff(energy_meV).std()
    assert fast_meV[1.6] / fast_meV[0.8] == pytest.approx(4, rel=0.25)


def test_energy_and_pressure_of_what_lies_beyond_the_cutoff_are_those_of_a_uniform_liquid(bulk: Electrolyte) -> None:
    atoms, topology = build_bulk()
    with_tail, without = (
        bulk.run(Calculation("single_point", atoms, bulk.spec_of(topology, tail=tail))).values for tail in (True, False)
    )
    epsilon_eV, sigma_A = (np.array([getattr(of, name) for of in topology.types_of_atoms]) for name in PARAMETERS)
    epsilon_eV, sigma_A = np.sqrt(np.outer(epsilon_eV, epsilon_eV)), np.sqrt(np.outer(sigma_A, sigma_A))
    six, twelve = (sigma_A / CUTOFF_A) ** 6, (sigma_A / CUTOFF_A) ** 12
    volume_A3 = atoms.get_volume()
    energy_eV = 8 * np.pi * CUTOFF_A**3 / volume_A3 * (epsilon_eV * (twelve / 9 - six / 3)).sum()
    pressure_GPa = 16 * np.pi * CUTOFF_A**3 / volume_A3**2 * (epsilon_eV * (2 * twelve / 9 - six / 3)).sum() / units.GPa
    assert with_tail["energy_eV"] - without["energy_eV"] == pytest.approx(energy_eV, rel=1e-3)
    change_GPa = np.array(with_tail["stress_GPa"]) - without["stress_GPa"]
    np.testing.assert_allclose(change_GPa, -pressure_GPa * np.array([1, 1, 1, 0, 0, 0]), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("boundary", ["bulk", "vacuum"])
def test_a_chain_that_was_killed_and_taken_up_again_has_the_same_bytes(tmp_path: Path, boundary: Boundary) -> None:
    regions = {"fixed_regions": ["electrode"], "thermostatted_regions": ["solvent"]} if boundary == "vacuum" else {}
    settings = {**SHORT, **regions}
    untouched = Electrolyte(Store(tmp_path / "untouched" / "store"), settings=settings, boundary=boundary)
    killed = Electrolyte(Store(tmp_path / "killed" / "store"), settings=settings, boundary=boundary)
    calculation = killed.calculation()
    with killed.drive(calculation, kill_at="segment-computed:2", retries=0) as driver:
        driver.communicate(timeout=240)
    n_committed = len(list((killed.store.chain(calculation).directory / "segments").glob("[0-9]*")))
    assert (driver.returncode, n_committed) == (1, 1)
    assert observe(killed.run(calculation)) == observe(untouched.run())
    assert len(list_attempts(killed.job(calculation))) == 2


def find_engine(bulk: Electrolyte, calculation: Calculation, *, segment: int) -> psutil.Process | None:
    worker, chain = bulk.find_worker(calculation), bulk.store.chain(calculation)
    if worker is None or len(list((chain.directory / "segments").glob("[0-9]*"))) < segment:
        return None
    return next((child for child in worker.children() if "segment.in" in child.cmdline()), None)


def test_an_engine_killed_in_the_middle_of_a_segment_changes_no_byte(tmp_path: Path) -> None:
    bulk, apart = (Electrolyte(Store(tmp_path / name / "store")) for name in ("killed", "untouched"))
    calculation = bulk.calculation()
    with bulk.drive(calculation) as driver:
        engine = wait_for(partial(find_engine, bulk, calculation, segment=2), what="an engine", driver=driver)
        engine.send_signal(signal.SIGKILL)
        assert driver.wait(timeout=240) == 0
    assert "ended by signal SIGKILL" in find_reasons(bulk.job(calculation))[0]
    assert observe(bulk.run(calculation)) == observe(apart.run())


@pytest.mark.parametrize("boundary", ["periodic", "vacuum"])
def test_what_is_fixed_rests_and_what_is_thermostatted_is_as_warm_as_asked(tmp_path: Path, boundary: Boundary) -> None:
    regions = {"fixed_regions": ["electrode"], "thermostatted_regions": ["solvent"]}
    lengths = {"heat_steps": 500, "equilibrate_steps": 1500, "production_steps": 1500, "segment_steps": 50}
    slab = Electrolyte(
        Store(tmp_path / "store"), settings={**SHORT, **regions, **lengths, "frame_every_steps": 50}, boundary=boundary
    )
    calculation = slab.calculation()
    result = slab.run(calculation)
    start = calculation.structure
    finals = [read_arrays(segment / FINAL) for segment in result.segments[-30:]]
    fixed = start.arrays["region"] == "electrode"
    for state in finals:
        np.testing.assert_allclose(state["positions_A"][fixed], start.positions[fixed], rtol=0, atol=1e-6)
        assert not state["velocities_A_per_fs"][fixed].any()
    assert abs(result.values["drift_eV_per_atom_per_ps"]) < 5e-4
    end = read_structure(result.files["final"])
    moved_A = np.linalg.norm(end.positions - start.positions, axis=1)
    assert moved_A[~fixed].min() > 0.01
    warmth = compute_region_temperatures(
        [[state["velocities_A_per_fs"] for state in finals]],
        masses_u=start.get_masses(), regions=start.arrays["region"], time_ps=np.arange(30.0), set_K=300.0,
    )  # fmt: skip
    assert "electrode" not in warmth
    assert warmth["solvent"].temperature_K.mean() == pytest.approx(300, abs=40)  # from 150 K
    assert warmth["electrolyte"].temperature_K.mean() > 200


def test_lithium_lies_between_two_oxygens_a_fifth_of_an_angstrom_beyond_where_density_functionals_put_it(
    bulk: Electrolyte,
) -> None:
    by_dft = read(PAIR)
    assert isinstance(by_dft, Atoms)
    anion = Species("TFSI-", by_dft[:15], charge=-1)
    topology = join_topologies([(type_molecule(anion), 1), (type_molecule(build_species("Li+")), 1)])
    boxed = Atoms(by_dft.numbers, positions=by_dft.positions, cell=[40.0] * 3, pbc=True)
    spec = build_force_field_spec(topology, add_blob=bulk.store.add_blob, cutoff_A=15.0, force_error=1e-6)
    settings = {"algorithm": "cg", "force_tolerance_eV_per_A": 0.002, "max_steps": 3000}
    result = bulk.run(Calculation("relaxation", boxed, spec, settings))
    assert result.values["converged"]
    oxygens = [i for i, symbol in enumerate(by_dft.symbols) if symbol == "O"]
    near_A, by_dft_A = (
        np.sort(atoms.get_distances(15, oxygens))[:2] for atoms in (read_structure(result.files["relaxed"]), by_dft)
    )
    np.testing.assert_allclose(by_dft_A, [1.832, 1.852], atol=5e-4)  # PBE, gas phase
    np.testing.assert_allclose(near_A, [2.019, 2.019], atol=5e-3)
