"""analyse with trajectories from files of other programs."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from MDAnalysis import Universe, Writer
from MDAnalysis.analysis.rdf import InterRDF
from typer.testing import CliRunner, Result

from analysis.results import read_results
from analysis.trajectory import write_trajectory
from structures.errors import InputError
from tests.analysis.electrolyte import build_system, draw_frames
from workflows.cli import app
from workflows.cli.analysing import analyse

FEW = {"n_anions": 30, "n_cations": 25}
PAIR = ("--selection", "resname LI and name Li", "--selection", "resname TFSI and name O")
FORMATS = [("pdb", "dcd"), ("gro", "xtc"), ("pdb", "ncdf"), ("gro", "trr"), ("data", "lammpsdump")]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["analyse", *arguments])


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def build_ions(*, n_frames: int = 6, seed: int = 0) -> Universe:
    universe = build_system(draw_frames(n_frames=n_frames, seed=seed, **FEW), **FEW)
    names = {"TFSI-": "TFSI", "Li+": "LI", "electrode": "ELE"}
    universe.add_TopologyAttr("resids", np.arange(len(universe.residues)) + 1)
    universe.residues.resnames = [names[name] for name in universe.residues.resnames]
    return universe


def format_data(universe: Universe) -> str:
    """LAMMPS data with atom_style full, types 1 to 4 for Li, N, S and O."""
    kinds, masses = {"Li": 1, "N": 2, "S": 3, "O": 4}, (6.94, 14.007, 32.06, 15.999)
    rows = [
        f"{atom.index + 1} {atom.resindex + 1} {kinds[atom.name]} 0.0 {' '.join(f'{x:.5f}' for x in atom.position)}"
        for atom in universe.atoms
    ]
    lines = ["made for a test", "", f"{len(rows)} atoms", "4 atom types", "", "0 26 xlo xhi", "0 25 ylo yhi"]
    lines += ["0 40 zlo zhi", "5 0 0 xy xz yz", "", "Masses", ""]
    lines += [f"{kind} {mass}" for kind, mass in enumerate(masses, start=1)]
    return "\n".join([*lines, "", "Atoms # full", "", *rows, ""])


def write_files(universe: Universe, *, topology: str, trajectory: str) -> tuple[str, str]:
    """Files as another program would have left them."""
    paths = (f"system.{topology}", f"run.{trajectory}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe.trajectory[0]
        if topology == "data":
            Path(paths[0]).write_text(format_data(universe))
        else:
            universe.atoms.write(paths[0])
        if trajectory == "lammpsdump":
            write_trajectory(universe, path=Path(paths[1]))
        else:
            with Writer(paths[1], universe.atoms.n_atoms) as writer:
                for _ in universe.trajectory:
                    writer.write(universe.atoms)
    return paths


@pytest.mark.parametrize(("topology", "trajectory"), FORMATS)
def test_files_of_other_programs_give_what_mdanalysis_gives(topology: str, trajectory: str) -> None:
    universe = build_ions()
    li, o = universe.select_atoms("resname LI"), universe.select_atoms("resname TFSI and name O")
    theirs = InterRDF(li, o, nbins=100, range=(0, 10)).run().results
    files = write_files(universe, topology=topology, trajectory=trajectory)
    pair = PAIR if topology != "data" else ("--selection", "type 1 and index 260:284", "--selection", "type 4")
    result = call(
        "--topology", files[0], "--trajectory", files[1], *pair, "--bin-A", "0.1", "--cutoff-A", "4", "--json"
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)["observables"]
    # Rounding of positions to 0.01 or 0.001 Å moves a pair in a hundred to the next bin of 0.1 Å.
    counts = np.cumsum(theirs.count) / theirs.count.sum()
    ours = np.array(found["rdf"]["coordination"])
    np.testing.assert_allclose(ours / ours[-1], counts, atol=0.006)
    far = np.arange(100) > 30
    np.testing.assert_allclose(np.array(found["rdf"]["g"])[far].mean(), theirs.rdf[far].mean(), rtol=0.01)
    assert found["rdf"]["cutoff_A"] == 4
    assert sum(found["contacts"]["n_contacts"]) == pytest.approx(
        found["rdf"]["coordination_number"]["value"] * 25 * 6, abs=2
    )
    shares = np.array(found["coordination_shares"]["share"])
    assert shares.sum() == pytest.approx(1, rel=1e-4)
    assert shares @ np.arange(shares.size) * 25 * 6 == pytest.approx(sum(found["contacts"]["n_contacts"]), rel=1e-3)


def test_folder_holds_results_tables_and_figures() -> None:
    files = write_files(build_ions(), topology="pdb", trajectory="dcd")
    surface = ("--surface", "resname ELE", "--output", "out", "--cutoff-A", "4")
    result = call("--topology", files[0], "--trajectory", files[1], *PAIR, *surface, "--frames", "1:")
    assert result.exit_code == 0, result.output
    assert result.output.startswith('"resname TFSI and name O" about "resname LI and name Li": g(r) has ')
    names = {path.name for path in Path("out").iterdir()}
    assert names == {
        "results.json", "tables", "rdf.svg", "contacts.svg", "survival.svg", "surface-rdf.svg", "surface-profile.svg",
    }  # fmt: skip
    results = read_results(Path("out"))
    assert results.system["n_frames"] == 5
    assert set(results.provenance.checksums) == set(files)
    assert "surface" in results.observables
    tables = {path.name for path in (Path("out") / "tables").iterdir()}
    assert {"quantities.csv", "rdf.csv", "contacts.csv"} <= tables
    header = (Path("out") / "tables" / "rdf.csv").read_text().splitlines()[0]
    assert header.startswith("r_A,g,")
    for path in Path("out").glob("*.svg"):
        assert path.read_text().rstrip().endswith("</svg>")


def test_an_atom_is_no_neighbour_of_itself() -> None:
    universe = build_ions(n_frames=2)
    files = write_files(universe, topology="pdb", trajectory="dcd")
    result = call("--topology", files[0], "--trajectory", files[1], "--selection", "resname LI", "--json")
    assert result.exit_code == 0, result.output
    rdf = json.loads(result.output)["observables"]["rdf"]
    assert rdf["coordination"][0] == 0
    li = universe.select_atoms("resname LI")
    other = InterRDF(li, li, nbins=200, range=(0, 10), exclusion_block=(1, 1)).run().results
    np.testing.assert_allclose(rdf["coordination"], np.cumsum(other.count) / 50, atol=0.041)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "analyse needs the directory of a run, or --topology with --selection"),
        (["--selection", "all"], "--selection is given without --topology"),
        (["runs/one", "--topology", "system.pdb"], "runs/one is given beside --topology system.pdb"),
        (["--topology", "system.pdb"], "--selection is given 0 times, needs once or twice"),
        (["--topology", "gone.pdb", "--selection", "all"], "gone.pdb does not exist"),
        (["--topology", "system.pdb", "--selection", "element F"], 'selection "element F" matches 0 of 285 atoms'),
        (["--topology", "system.pdb", "--selection", "resname PF6"], "resname TFSI (30), LI (25), ELE (1)"),
        (["--topology", "system.pdb", "--selection", "resnam LI"], 'selection "resnam LI" cannot be read'),
        (["--topology", "system.pdb", "--selection", "all", "--frames", "9:"], "--frames is 9:, needs START:STOP:STEP"),
        (["--topology", "system.pdb", "--selection", "all", "--frames", "x"], "chooses some of the 1 frames"),
        (["--topology", "system.pdb", "--selection", "all", "--r-max-A", "13"], "radius is 13.0 Å, needs 0 < radius"),
        (["--topology", "system.pdb", "--selection", "all", "--cell-A", "30"], "--cell-A is 30, needs three lengths"),
        (["--topology", "free.xyz", "--selection", "all"], "free.xyz has no cell in its first frame"),
        (
            ["--topology", "small.xyz", "--trajectory", "run.dcd", "--selection", "all"],
            "small.xyz has 2 atoms, run.dcd",
        ),
        (["--topology", "broken.pdb", "--selection", "all"], "MDAnalysis cannot read broken.pdb"),
        (["--topology", "system.pdb", "--trajectory", "run.what", "--selection", "all"], "cannot read system.pdb, run"),
        (
            ["--topology", "system.pdb", "--selection", "all", "--surface", "name Q"],
            'selection "name Q" matches 0 of 285 atoms',
        ),
    ],
)
def test_mistakes_are_explained_and_write_nothing(arguments: list[str], part: str) -> None:
    write_files(build_ions(n_frames=1), topology="pdb", trajectory="dcd")
    Path("free.xyz").write_text("3\n\nLi 0 0 0\nO 2 0 0\nO 0 2 0\n")
    Path("small.xyz").write_text("2\n\nLi 0 0 0\nO 2 0 0\n")
    Path("broken.pdb").write_text("")
    Path("run.what").write_text("nothing\n")
    before = set(Path().iterdir())
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert part in result.output
    assert "Traceback" not in result.output
    assert {path for path in Path().iterdir() if not path.name.startswith(".")} == before


def test_files_without_a_cell_are_given_one() -> None:
    Path("free.xyz").write_text("3\n\nLi 0 0 0\nO 2 0 0\nO 0 9.5 0\n")
    options = ("--cell-A", "12,12,12", "--r-max-A", "5", "--cutoff-A", "3")
    result = call("--topology", "free.xyz", "--selection", "name Li", "--selection", "name O", *options, "--json")
    assert result.exit_code == 0, result.output
    # One O at 2 Å; the other at 2.5 Å through the boundary.
    assert json.loads(result.output)["observables"]["rdf"]["coordination_number"]["value"] == 2


def test_the_function_refuses_what_the_command_does() -> None:
    with pytest.raises(InputError, match="needs the directory of a run"):
        analyse(None)
