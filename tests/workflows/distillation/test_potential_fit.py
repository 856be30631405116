"""A real fit of a small set from a cheap teacher: the potential imitates it, and forces are right."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from structures.errors import InputError
from workflows.calculators.lammps_potential import LammpsPotential
from workflows.calculators.pod import build_pod_potential
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.lammps_evaluation import evaluate_structures
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Workspace
from workflows.jobs.store import Finished
from workflows.recipes.labelled_frames import Trajectory, read_trajectories, write_trajectories
from workflows.recipes.potential_fit import (
    PotentialFitSettings,
    check_coverage,
    collect_trajectories,
    count_coefficients,
    run_potential_fit,
)

HYPERPARAMETERS = {"cutoff_A": 5.5, "twobody_radial": 6, "threebody_radial": 3, "threebody_angular": 2}
SETTINGS = {"elements": ["K", "Bi"], "hyperparameters": HYPERPARAMETERS, "held_out_fraction": 0.2}


@pytest.fixture
def labelled_inputs(
    workspace: Workspace, labelled_trajectories: list[Trajectory], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """The trajectories as two finished calculations."""
    results = {}
    for name, members in (("first", labelled_trajectories[:5]), ("second", labelled_trajectories[5:])):
        path = tmp_path / f"{name}.extxyz"
        write_trajectories(path, members)
        results[name] = Finished(key=name, values={}, files={"labelled": path})
    monkeypatch.setattr(workspace.store, "result", results.get)
    return {"first": "first", "second": "second"}


@pytest.fixture
def fitted(workspace: Workspace, labelled_inputs: dict[str, str]) -> Outcome:
    calculation = Calculation(recipe="potential_fit", settings=SETTINGS, seed=1, inputs=labelled_inputs)
    return run_potential_fit(calculation, workspace)


def open_potential(directory: Path) -> LammpsPotential:
    files = {"descriptor": directory / "potential.pod", "coefficients": directory / "coefficients.pod"}
    return build_pod_potential(
        CalculatorSpec("pod", models={role: role for role in files}), blob_path=files.__getitem__
    )


def test_fit_imitates_the_teacher_on_trajectories_it_has_not_seen(fitted: Outcome, workspace: Workspace) -> None:
    everything = {entry["kind"]: entry for entry in fitted.values["errors"]["held_out"]}
    assert set(everything) == {"dense", "loose", "all"}
    assert everything["all"]["n_trajectories"] == 2
    assert everything["all"]["energy_rmse_meV_per_atom"] < 12.0
    assert everything["all"]["relative_force_error"] < 0.2
    training = {entry["kind"]: entry for entry in fitted.values["errors"]["training"]}
    assert training["all"]["n_trajectories"] == 8
    assert len(fitted.values["held_out"]) == 2
    # one-body term, pairs and triplets of each of two elements
    assert fitted.values["n_coefficients"] == 2 * (1 + 6 * 2 + 3 * 3 * 3)
    for name in fitted.files.values():
        assert (workspace.directory / name).is_file()


@pytest.mark.usefixtures("fitted")
def test_forces_are_the_gradient_of_the_energy(workspace: Workspace, labelled_trajectories: list[Trajectory]) -> None:
    frame = labelled_trajectories[1].frames[0]
    step_A = 1e-4
    shifted = [frame.copy(), frame.copy()]
    shifted[0].positions[3, 1] += step_A
    shifted[1].positions[3, 1] -= step_A
    up, down, here = evaluate_structures(
        [*shifted, frame], potential=open_potential(workspace.directory), directory=workspace.directory / "gradient"
    )
    slope = (up.energy_eV - down.energy_eV) / (2 * step_A)
    np.testing.assert_allclose(here.forces_eV_per_A[3, 1], -slope, rtol=1e-4, atol=1e-5)


def test_a_repeated_fit_has_equal_bytes(fitted: Outcome, workspace: Workspace, labelled_inputs: dict[str, str]) -> None:
    first = {name: (workspace.directory / file).read_bytes() for name, file in fitted.files.items()}
    shutil.rmtree(workspace.directory)
    workspace.directory.mkdir()
    calculation = Calculation(recipe="potential_fit", settings=SETTINGS, seed=1, inputs=labelled_inputs)
    again = run_potential_fit(calculation, workspace)
    assert {name: (workspace.directory / file).read_bytes() for name, file in again.files.items()} == first
    assert again.values == fitted.values


def test_trajectories_come_back_from_files_as_they_went(
    tmp_path: Path, labelled_trajectories: list[Trajectory]
) -> None:
    write_trajectories(tmp_path / "set.extxyz", labelled_trajectories[:3])
    back = read_trajectories(tmp_path / "set.extxyz")
    assert [(t.name, t.kind, len(t.frames)) for t in back] == [(t.name, t.kind, 4) for t in labelled_trajectories[:3]]
    np.testing.assert_allclose(
        back[1].frames[2].get_forces(), labelled_trajectories[1].frames[2].get_forces(), rtol=0, atol=1e-7
    )
    assert len(read(tmp_path / "set.extxyz", index=":")) == 12


def test_missing_inputs_and_elements_are_named(workspace: Workspace, labelled_trajectories: list[Trajectory]) -> None:
    with pytest.raises(InputError, match=r"the input a \(0{12}\) is no finished calculation with labelled frames"):
        collect_trajectories({"a": "0" * 64}, store=workspace.store)
    with pytest.raises(InputError, match=r"no training frame has Sb; add configurations that do"):
        check_coverage(labelled_trajectories, elements=["K", "Bi", "Sb"])
    with pytest.raises(InputError, match=r"training frames have Bi, which elements \['K'\] leaves out; add it"):
        check_coverage([Trajectory("a", "b", labelled_trajectories[0].frames)], elements=["K"])


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="held_out_fraction"):
        PotentialFitSettings(elements=("K",), held_out_fraction=1.0)


def test_coefficients_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "coefficients.pod"
    path.write_text("model_coefficients: 2 0 0\n1.0\nnan\n")
    with pytest.raises(Exception, match=r"not finite; raise regularisation"):
        count_coefficients(path)
