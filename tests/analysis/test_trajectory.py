from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read
from MDAnalysis import Universe
from scipy.io import netcdf_file

from analysis.trajectory import (
    build_universe,
    get_elements,
    read_trajectory,
    read_universe,
    spread_frames,
    write_trajectory,
)
from structures.errors import InputError

CELL = np.array([[16.0, 0, 0], [3.0, 15.0, 0], [0, 0, 20.0]])


def build_topology() -> Atoms:
    rng = np.random.default_rng(0)
    atoms = Atoms("Bi6K4", positions=rng.uniform(0, 15, (10, 3)), cell=CELL, pbc=True)
    atoms.set_array("region", np.array(["anchor"] * 2 + ["alloy"] * 4 + ["potassium"] * 4))
    return atoms


def write_segment(path: Path, *, times: list[float], n_atoms: int = 10, start: np.ndarray | None = None) -> Path:
    lengths, angles = [16, np.hypot(3, 15), 20], [90, 90, np.degrees(np.arctan2(15, 3))]
    with netcdf_file(path, "w", version=2) as file:
        file.Conventions, file.ConventionVersion = "AMBER", "1.0"
        for name, size in (("frame", None), ("atom", n_atoms), ("spatial", 3)):
            file.createDimension(name, size)
        kinds = {"time": ("frame",), "cell_lengths": ("frame", "spatial"), "cell_angles": ("frame", "spatial")}
        variables = {name: file.createVariable(name, "f8", shape) for name, shape in kinds.items()}
        coordinates = file.createVariable("coordinates", "f4", ("frame", "atom", "spatial"))
        for i, time in enumerate(times):
            variables["time"][i], variables["cell_lengths"][i], variables["cell_angles"][i] = time, lengths, angles
            coordinates[i] = (0 if start is None else start) + time * np.ones((n_atoms, 3))
    return path


def test_segments_are_one_continuous_trajectory(tmp_path: Path) -> None:
    topology = build_topology()
    paths = [
        write_segment(tmp_path / "0.nc", times=[0.0, 0.5, 1.0], start=topology.positions),
        write_segment(tmp_path / "1.nc", times=[], start=topology.positions),
        write_segment(tmp_path / "2.nc", times=[1.0, 1.5], start=topology.positions),
    ]
    universe = read_trajectory(paths, topology=topology)
    assert [timestep.time for timestep in universe.trajectory] == [0.0, 0.5, 1.0, 1.5]
    assert universe.trajectory.dt == 0.5
    assert universe.trajectory[-1].frame == 3
    np.testing.assert_allclose(universe.atoms.positions, topology.positions + 1.5, rtol=1e-6)
    np.testing.assert_allclose(universe.trajectory.ts.triclinic_dimensions, CELL, atol=1e-5)
    assert universe.select_atoms("segid potassium").n_atoms == 4
    assert list(get_elements(universe)) == topology.get_chemical_symbols()
    assert [t.time for t in universe.trajectory[1::2]] == [0.5, 1.5]
    assert len(universe.copy().trajectory) == 4


def test_bad_segments_are_refused(tmp_path: Path) -> None:
    topology = build_topology()
    good = write_segment(tmp_path / "0.nc", times=[0.0, 1.0])
    cut = tmp_path / "cut.nc"
    cut.write_bytes(good.read_bytes()[:-200])
    empty = tmp_path / "empty.nc"
    empty.touch()
    for paths, message in (
        ([], "no files"),
        ([tmp_path / "no.nc"], "does not exist"),
        ([cut], "cut or damaged"),
        ([empty], "cut or damaged"),
        ([good, write_segment(tmp_path / "back.nc", times=[0.2])], "ends at 1.0 ps"),
        ([good, write_segment(tmp_path / "other.nc", times=[2.0], n_atoms=9)], "9 atoms, the files before it 10"),
        ([write_segment(tmp_path / "few.nc", times=[0.0], n_atoms=9)], "9 atoms, the structure 10"),
        ([write_segment(tmp_path / "none.nc", times=[])], "hold no frame"),
    ):
        with pytest.raises(InputError, match=message):
            read_trajectory(paths, topology=topology)


def test_export_opens_in_ase_and_mdanalysis(tmp_path: Path) -> None:
    topology = build_topology()
    segment = write_segment(tmp_path / "0.nc", times=[0.0, 0.5, 1.0], start=topology.positions)
    universe = read_trajectory([segment], topology=topology)
    path = write_trajectory(universe, path=tmp_path / "trajectory.lammpsdump", frames=[0, 2])
    assert [p.name for p in tmp_path.iterdir() if "dump" in p.name] == ["trajectory.lammpsdump"]

    frames = read(path, format="lammps-dump-text", index=":")
    assert isinstance(frames, list)
    assert all(isinstance(frame, Atoms) for frame in frames)
    assert [frame.get_chemical_symbols() for frame in frames] == [topology.get_chemical_symbols()] * 2
    np.testing.assert_allclose(frames[1].positions, topology.positions + 1.0, atol=2e-5)
    np.testing.assert_allclose(frames[1].cell.array, CELL, atol=1e-5)

    opened = Universe(str(path), dt=0.001)
    assert [timestep.time for timestep in opened.trajectory] == pytest.approx([0.0, 1.0])
    assert list(opened.atoms.elements) == topology.get_chemical_symbols()
    opened.trajectory[1]
    np.testing.assert_allclose(opened.atoms.positions, topology.positions + 1.0, atol=2e-5)
    np.testing.assert_allclose(opened.trajectory.ts.triclinic_dimensions, CELL, atol=1e-4)


def test_users_own_files_open_or_say_why_not(tmp_path: Path) -> None:
    universe = build_universe(build_topology())
    path = write_trajectory(universe, path=tmp_path / "own.lammpsdump")
    assert read_universe(path, step_ps=0.001).atoms.n_atoms == 10
    with pytest.raises(InputError, match="does not exist"):
        read_universe(tmp_path / "no.pdb")
    (tmp_path / "broken.xyz").write_text("nonsense\n")
    with pytest.raises(InputError, match="MDAnalysis cannot read"):
        read_universe(tmp_path / "broken.xyz")


def test_universe_without_elements_says_what_to_add() -> None:
    with pytest.raises(InputError, match="add_TopologyAttr"):
        get_elements(Universe.empty(3, trajectory=True))


def test_frames_are_spread_from_first_to_last() -> None:
    assert spread_frames(0, 101, most=3) == [0, 50, 100]
    assert spread_frames(4, 7, most=10) == [4, 5, 6]
    assert spread_frames(0, 1, most=5) == [0]


def test_molecules_become_residues_that_bear_the_name_of_their_species() -> None:
    atoms = Atoms("Li2OH2OH2", positions=np.arange(24).reshape(8, 3), cell=np.eye(3) * 30, pbc=True)
    atoms.arrays["region"] = np.array(["electrode"] * 2 + ["electrolyte"] * 6)
    atoms.arrays["molecule"] = np.array([0, 0, 1, 1, 1, 2, 2, 2])
    atoms.arrays["species"] = np.array(["electrode"] * 2 + ["H2O"] * 6)
    universe = build_universe(atoms)
    assert universe.residues.resnames.tolist() == ["electrode", "H2O", "H2O"]
    assert universe.select_atoms("resname H2O and element O").indices.tolist() == [2, 5]
    assert universe.select_atoms("segid electrode").indices.tolist() == [0, 1]
    atoms.arrays["molecule"][2] = 0
    with pytest.raises(InputError, match="molecule 0 has the regions electrode and electrolyte, needs one"):
        build_universe(atoms)
