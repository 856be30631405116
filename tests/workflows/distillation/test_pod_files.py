"""What `fitpod` reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from structures.errors import InputError
from workflows.calculators.pod import read_pod_elements
from workflows.recipes.labelled_frames import Trajectory, with_labels
from workflows.recipes.pod_files import PodHyperparameters, write_descriptor, write_fit_files, write_fit_frames


def read_keywords(path: Path) -> dict[str, str]:
    lines = ((line.split()[0], line.split(maxsplit=1)[1]) for line in path.read_text().splitlines())
    return dict(lines)


def test_descriptor_names_elements_in_order_and_turns_quadruplets_off(tmp_path: Path) -> None:
    path = tmp_path / "potential.pod"
    write_descriptor(path, PodHyperparameters(cutoff_A=5.5), elements=["K", "Bi", "Sn", "Sb"])
    keywords = read_keywords(path)
    assert read_pod_elements(path) == ("K", "Bi", "Sn", "Sb")
    assert keywords["rcut"] == "5.5"
    assert keywords["threebody_angular_degree"] == "3"
    assert keywords["fourbody_number_radial_basis_functions"] == "0"
    assert keywords["fourbody_angular_degree"] == "0"


def test_fit_files_hold_a_file_a_kind_and_the_weights(tmp_path: Path, labelled_trajectories: list[Trajectory]) -> None:
    by_kind = {
        "dense": list(labelled_trajectories[0].frames),
        "loose": list(labelled_trajectories[5].frames),
        "none": [],
    }
    write_fit_files(
        tmp_path,
        by_kind,
        weights_by_kind={"dense": (10.0, 0.1), "absent": (1.0, 1.0)},
        energy_weight=100.0,
        force_weight=1.0,
        regularisation=1e-8,
    )
    assert sorted(path.name for path in (tmp_path / "training").iterdir()) == ["dense.xyz", "loose.xyz"]
    text = (tmp_path / "data.pod").read_text()
    assert 'path_to_training_data_set "training"' in text
    assert "fitting_weight_energy 100.0" in text
    assert "fitting_regularization_parameter 1e-08" in text
    assert text.splitlines()[-5:-3] == ["group_weights table", "dense 10.0 0.1"]
    assert (tmp_path / "fit.in").read_text() == "units metal\nfitpod potential.pod data.pod\n"


def test_a_table_of_weights_never_ends_the_file(tmp_path: Path, labelled_trajectories: list[Trajectory]) -> None:
    for name, weights in (("with", {"dense": (10.0, 0.1)}), ("without", {})):
        (tmp_path / name).mkdir()
        write_fit_files(
            tmp_path / name,
            {"dense": list(labelled_trajectories[0].frames)},
            weights_by_kind=weights,
            energy_weight=100.0,
            force_weight=1.0,
            regularisation=1e-8,
        )
    # fitpod reads a closed file otherwise, and crashes now and then
    assert (tmp_path / "with" / "data.pod").read_text().splitlines()[-3:] == ["file_format extxyz"] * 3
    assert "group_weights" not in (tmp_path / "without" / "data.pod").read_text()


def test_frames_are_written_with_energy_and_forces(tmp_path: Path, labelled_trajectories: list[Trajectory]) -> None:
    frame = labelled_trajectories[0].frames[0]
    write_fit_frames(tmp_path / "frames.xyz", [frame, frame])
    lines = (tmp_path / "frames.xyz").read_text().splitlines()
    assert len(lines) == 2 * (len(frame) + 2)
    assert lines[0] == str(len(frame))
    assert f"energy={frame.get_potential_energy():.9f}" in lines[1]
    numbers = np.array([line.split()[1:] for line in lines[2 : 2 + len(frame)]], dtype=float)
    np.testing.assert_allclose(numbers[:, :3], frame.positions, rtol=0, atol=1e-9)
    np.testing.assert_allclose(numbers[:, 3:], frame.get_forces(), rtol=0, atol=1e-9)


def test_an_empty_training_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the training set is empty: give at least one"):
        write_fit_files(
            tmp_path, {"alloy": []}, weights_by_kind={}, energy_weight=1.0, force_weight=1.0, regularisation=1e-8
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner_cutoff_A": 7.0}, r"inner_cutoff_A is 7, needs less than cutoff_A \(6\)"),
        ({"fourbody_radial": 6}, r"fourbody_radial is 6, needs at most threebody_radial \(5\)"),
        ({"fourbody_angular": 4}, r"fourbody_angular is 4, needs at most threebody_angular \(3\)"),
    ],
)
def test_impossible_sizes_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PodHyperparameters(**values)


def test_labels_survive_wrapping(labelled_trajectories: list[Trajectory]) -> None:
    frame = labelled_trajectories[0].frames[0]
    moved = frame.copy()
    moved.positions += 3 * frame.cell.array[0]
    again = with_labels(moved, energy_eV=1.0, forces_eV_per_A=frame.get_forces())
    np.testing.assert_allclose(again.positions, frame.positions, atol=1e-9)
