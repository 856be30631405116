"""The command analyse: of a run, or of anybody's trajectory."""

import hashlib
import json
import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structures.errors import InputError
from workflows.cli.options import JsonOption, QuietOption

if TYPE_CHECKING:
    from MDAnalysis import Universe

    from analysis.selection import SelectionAnalysis

_CELL_NUMBERS = (3, 6)
_MOST_SELECTIONS = 2


def analyse(
    directory: Annotated[
        Path | None, typer.Argument(help="Directory of the run; none with --topology, which is for other trajectories.")
    ] = None,
    *,
    topology: Annotated[
        Path | None, typer.Option("--topology", help="File with the atoms: LAMMPS data, PSF, PDB, GRO, TPR, prmtop …")
    ] = None,
    trajectory: Annotated[
        list[Path] | None,
        typer.Option("--trajectory", help="File with frames: dump, DCD, XTC, TRR, NetCDF … May be repeated, in order."),
    ] = None,
    selection: Annotated[
        list[str] | None,
        typer.Option("--selection", help="Atoms, in MDAnalysis' language. Twice: centres, then their neighbours."),
    ] = None,
    surface: Annotated[
        str | None,
        typer.Option("--surface", help="Atoms of an electrode across z: distances and profiles from it too."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write to. Default: NAME-analysis beside you.")
    ] = None,
    cutoff_A: Annotated[
        float | None, typer.Option("--cutoff-A", help="Neighbours are nearer. Default: first minimum of g(r).")
    ] = None,
    r_max_A: Annotated[float, typer.Option("--r-max-A", help="Largest distance of g(r).")] = 10.0,
    bin_A: Annotated[float, typer.Option("--bin-A", help="Width of its bins.")] = 0.05,
    accessible_A: Annotated[
        float | None,
        typer.Option("--accessible-A", help="With a vacuum or walls: thickness of what lies above the surface."),
    ] = None,
    cell_A: Annotated[
        str | None, typer.Option("--cell-A", help="Cell of files without one: 30,30,40, or with three angles.")
    ] = None,
    step_ps: Annotated[
        float | None, typer.Option("--step-ps", help="Time of a step, for formats that hold none.")
    ] = None,
    frames: Annotated[str | None, typer.Option("--frames", help="Which frames: START:STOP:STEP, from 0.")] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Analyse anew: the report of a run from its stored trajectories, or any trajectory from its files.

    With --topology: radial distribution, coordination number and contacts of one or two selections of atoms, and with
    --surface their distances and density profiles from it, as JSON, CSV and SVG.
    """
    if topology is None:
        others = {"--trajectory": trajectory, "--selection": selection, "--surface": surface, "--output": output}
        if given := [name for name, value in others.items() if value]:
            raise InputError(f"{given[0]} is given without --topology, the file with the atoms. Add it.")
        if directory is None:
            raise InputError("analyse needs the directory of a run, or --topology with --selection. See --help.")
        from workflows.cli import running

        running.analyse(directory, quiet=quiet, as_json=as_json)
        return
    if directory is not None:
        raise InputError(f"{directory} is given beside --topology {topology}; leave one of them out.")
    chosen = _check_selections(selection or [])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        universe = _open(topology, trajectory=trajectory or [], cell_A=cell_A, step_ps=step_ps)
        from analysis.selection import analyse_selections

        found = analyse_selections(
            universe, first=chosen[0], second=chosen[-1], surface=surface, r_max_A=r_max_A, bin_A=bin_A,
            cutoff_A=cutoff_A, accessible_A=accessible_A, frames=_read_frames(frames, universe=universe),
        )  # fmt: skip
    notes = list(
        dict.fromkeys(str(one.message).splitlines()[0] for one in caught if issubclass(one.category, UserWarning))
    )
    settings = {
        "topology": str(topology), "trajectory": [str(path) for path in trajectory or []], "selection": list(chosen),
        "surface": surface, "cutoff_A": cutoff_A, "r_max_A": r_max_A, "bin_A": bin_A, "accessible_A": accessible_A,
        "cell_A": cell_A, "step_ps": step_ps, "frames": frames,
    }  # fmt: skip
    folder = output if output is not None else Path(f"{(trajectory or [topology])[0].stem}-analysis")
    places = _write(found, universe=universe, settings=settings, folder=folder, notes=notes)
    if as_json:
        answer = {"answer": found.sentence, "warnings": notes, **places, "observables": found.to_json()}
        typer.echo(json.dumps(answer, indent=1))
        return
    lines = [*(f"warning: {note}" for note in notes), *(f"{name:<8} {place}" for name, place in places.items())]
    typer.echo("\n".join([found.sentence, *([] if quiet else lines)]))


def _check_selections(selections: list[str]) -> tuple[str, ...]:
    """One or two selections."""
    if not 0 < len(selections) <= _MOST_SELECTIONS:
        raise InputError(
            f"--selection is given {len(selections)} times, needs once or twice: centres, then their neighbours, e.g. "
            "--selection 'element Li' --selection 'element O'."
        )
    return tuple(selections)


def _open(topology: Path, *, trajectory: list[Path], cell_A: str | None, step_ps: float | None) -> "Universe":
    """The files as a universe, with the cell that was given."""
    from analysis.trajectory import read_universe

    universe = read_universe(topology, trajectory=trajectory, step_ps=step_ps)
    if cell_A is not None:
        universe.trajectory.add_transformations(_build_cell(cell_A))
    if universe.trajectory.ts.dimensions is None:
        raise InputError(
            f"{(trajectory or [topology])[0]} has no cell in its first frame, needs a periodic box. Give it, e.g. "
            "--cell-A 30,30,40 (and angles, if they are not 90 degrees)"
        )
    return universe


def _build_cell(text: str) -> Any:  # noqa: ANN401 - a transformation of MDAnalysis
    """A transformation that gives every frame this cell."""
    from MDAnalysis.transformations import set_dimensions

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in _CELL_NUMBERS or min(numbers) <= 0:
        raise InputError(f"--cell-A is {text}, needs three lengths in Å, or also three angles, e.g. 30,30,40.")
    return set_dimensions([*numbers, 90.0, 90.0, 90.0][:6])


def _read_frames(text: str | None, *, universe: "Universe") -> slice | None:
    """The frames as a slice of those that are there."""
    if text is None:
        return None
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        chosen = slice(*parts) if len(parts) > 1 else None
        n_chosen = 0 if chosen is None else len(range(*chosen.indices(len(universe.trajectory))))
    except (ValueError, TypeError):
        n_chosen, chosen = 0, None
    if chosen is None or n_chosen == 0 or (chosen.step or 1) < 0:
        raise InputError(
            f"--frames is {text}, needs START:STOP:STEP that chooses some of the {len(universe.trajectory)} frames, "
            "e.g. 100: or ::10."
        )
    return chosen


def _write(
    found: "SelectionAnalysis", *, universe: "Universe", settings: dict[str, Any], folder: Path, notes: list[str]
) -> dict[str, str]:
    """Write results, tables and figures; gives their places."""
    from analysis.results import Provenance, Results, ResultWarning, write_results, write_text_atomically
    from analysis.selection_figures import draw_figures
    from analysis.tables import TABLES_FOLDER, write_tables
    from workflows.jobs.worker import collect_versions

    files = [settings["topology"], *settings["trajectory"]]
    provenance = Provenance(
        versions=collect_versions(),
        checksums={name: _compute_checksum(Path(name)) for name in files},
        command=shlex.join(["alkaliflow", *sys.argv[1:]]),
    )
    system = {"n_atoms": universe.atoms.n_atoms, "n_frames": len(found.time_ps), "time_ps": found.time_ps[[0, -1]]}
    observables = {"answer": found.sentence, **found.to_json()}
    results = Results(
        flow="trajectory", status="completed", config=settings, system=system, observables=observables,
        warnings=tuple(ResultWarning("amber", note) for note in notes), provenance=provenance,
    )  # fmt: skip
    for name, figure in draw_figures(found).items():
        write_text_atomically(folder / f"{name}.svg", text=figure)
    write_tables(results, directory=folder)
    path = write_results(results, directory=folder)
    return {"results": str(path), "tables": str(folder / TABLES_FOLDER), "figures": str(folder)}


def _compute_checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
