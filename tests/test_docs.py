"""What a page of the documents shows as Python runs, on a system as small as its functions allow."""

import re
from pathlib import Path

import MDAnalysis
import numpy as np
import pytest
from ase import Atoms

from analysis.trajectory import build_universe
from workflows.engines.trajectory_files import write_trajectory
from workflows.flows import FLOWS
from workflows.plan import show_duration

PAGE = Path(__file__).parents[1] / "docs" / "analysis-from-python.md"
N_FRAMES, CELL_A = 40, (16.0, 16.0, 40.0)


def build_slab() -> Atoms:
    """Bismuth below potassium, each on a grid of its own."""
    solid = np.stack(np.meshgrid(*[np.arange(1.0, 16, 4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    metal = solid + np.array([1.5, 1.5, 16])
    atoms = Atoms(f"Bi{len(solid)}K{len(metal)}", positions=np.vstack([solid, metal]), cell=CELL_A, pbc=True)
    atoms.positions += np.random.default_rng(1).normal(scale=0.2, size=(len(atoms), 3))
    return atoms


def write_frames(atoms: Atoms, *, path: Path) -> None:
    """Potassium that walks and sinks over bismuth that stays, a frame every 0.5 ps."""
    rng, universe = np.random.default_rng(2), build_universe(atoms)
    is_metal = (atoms.symbols == "K")[:, None]
    way = np.cumsum(rng.normal(scale=0.5, size=(N_FRAMES, len(atoms), 3)) - [0, 0, 0.1], axis=0) * is_metal
    with MDAnalysis.Writer(str(path), n_atoms=len(atoms)) as writer:
        for number, step in enumerate(way):
            universe.atoms.positions = atoms.positions + step
            universe.trajectory.ts.time = 0.5 * number
            writer.write(universe.atoms)


def find_snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_readme_tells_how_long_its_run_of_the_default_takes() -> None:
    config = FLOWS["potassium-diffusion"].resolve().config
    expected = show_duration(FLOWS["potassium-diffusion"].load().plan(config, cores=2).expected_s)
    readme = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"run potassium-diffusion config.yaml             # as written: {expected} on two idle cores" in readme


def test_the_snippets_of_the_analysis_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    atoms = build_slab()
    atoms.write(tmp_path / "slab.extxyz")
    write_frames(atoms, path=tmp_path / "run.xtc")
    for number, times in enumerate(([0.0, 0.5, 1.0], [1.5, 2.0])):
        (tmp_path / "segments" / f"{number:06d}").mkdir(parents=True)
        path = tmp_path / "segments" / f"{number:06d}" / "trajectory.nc"
        frames, cells_A = [atoms.positions] * len(times), [atoms.cell.array] * len(times)
        write_trajectory(path, positions_A=frames, cells_A=cells_A, times_ps=times, n_atoms=len(atoms))
    monkeypatch.chdir(tmp_path)
    snippets = find_snippets()
    assert len(snippets) == 8
    names: dict[str, object] = {}
    for snippet in snippets:
        exec(compile(snippet, str(PAGE), "exec"), names)  # noqa: S102 (our own page)
    told = capsys.readouterr().out
    assert "K-Bi " in told
    assert re.search(r"0\.00 Å at 0 ps, \d+\.\d\d Å at 19\.5 ps", told)
    assert "'unit': 'm²/s'" in told
    assert told.count("5 frames") == 2
