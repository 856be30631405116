"""How reaction energies move with a parameter: a series from the results of runs."""

from pathlib import Path

import pytest

from analysis.convergence import ConvergenceSeries, read_series, write_series
from analysis.report.plots.convergence import build_convergence_plots
from analysis.results import Results, write_results
from structures.errors import InputError


def build_series(*energies_eV: float) -> ConvergenceSeries:
    values = tuple(str(number) for number in range(len(energies_eV)))
    return ConvergenceSeries("cut-off", "A -> B", values, energies_eV)


def write_run(directory: Path, *, energy_eV: float, name: str = "A -> B") -> Path:
    directory.mkdir()
    observables = {"reactions": {name: {"energy": {"value": energy_eV}}}}
    results = Results(flow="tfsi-adsorption", status="completed", config={}, observables=observables)
    write_results(results, directory=directory)
    return directory


@pytest.mark.parametrize(
    ("energies_eV", "converged_at"),
    [
        ((-1.0, -1.5, -1.55, -1.56), "1"),
        ((-1.0, -1.5, -1.2, -1.56), None),
        ((-1.56, -1.0, -1.5, -1.56), "2"),  # near by chance, and then away again
        ((-1.5, -1.5), "0"),
    ],
)
def test_converged_is_what_stays_near_the_last(energies_eV: tuple[float, ...], converged_at: str | None) -> None:
    series = build_series(*energies_eV)
    assert series.converged_at == converged_at
    assert series.shifts_eV[-1] == 0.0
    assert ("from cut-off =" in series.sentence) == (converged_at is not None)


def test_a_series_is_read_from_runs_and_written_as_a_table(tmp_path: Path) -> None:
    runs = {f"{300 + 50 * n}": write_run(tmp_path / str(n), energy_eV=-1.0 - 0.1 * n) for n in range(3)}
    (series,) = read_series("cutoff_eV", directories=runs)
    assert series.values == ("300", "350", "400")
    assert series.energies_eV == (-1.0, -1.1, -1.2)
    lines = write_series([series], path=tmp_path / "table.csv").read_text().splitlines()
    assert lines[0] == "parameter,value,reaction,energy_eV,less_the_last_eV"
    assert lines[1] == "cutoff_eV,300,A -> B,-1.000000,0.200000"


def test_runs_of_different_reactions_are_not_one_series(tmp_path: Path) -> None:
    runs = {"1": write_run(tmp_path / "a", energy_eV=0.0), "2": write_run(tmp_path / "b", energy_eV=0.0, name="C -> D")}
    with pytest.raises(InputError, match="has the reactions C -> D, needs A -> B"):
        read_series("x", directories=runs)


def test_each_parameter_gets_a_plot() -> None:
    series = [build_series(-1.0, -1.5, -1.52).to_json()]
    (plot,) = build_convergence_plots({"convergence": series})
    assert plot.title == "Convergence with cut-off"
    assert plot.figures[0].data[0]["y"] == pytest.approx([0.52, 0.02, 0.0])
    assert build_convergence_plots({}) == []
