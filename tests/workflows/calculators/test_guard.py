from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.calculators.guard import (
    TrainedDomain,
    compute_domain_check,
    compute_pod_descriptors,
    find_close_pairs,
    judge_frames,
    read_domain,
)
from workflows.calculators.registry import build_lammps_potential
from workflows.calculators.resolve import build_calculator_spec, find_potential_folder, list_shipped_potentials
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.lammps_evaluation import evaluate_structures

SHIPPED = "k-bi-sn-sb"


def make_domain() -> TrainedDomain:
    """Two descriptors; K is trained around 0 with unit variance, Bi around (5, 5) with variance 4."""
    return TrainedDomain(
        elements=("K", "Bi"),
        mean=np.array([[0.0, 0.0], [5.0, 5.0]]),
        inverse_covariance=np.array([np.eye(2), np.eye(2) / 4]),
        threshold=np.array([3.0, 2.0]),
        smallest_distance_A=np.array([[3.0, 2.5], [2.5, np.nan]]),
        outside_fraction_limit=0.25,
        distance_factor=0.9,
    )


def make_frame(distance_A: float = 4.0) -> Atoms:
    return Atoms("K3Bi", positions=[[0, 0, 0], [6, 0, 0], [6, 6, 0], [0, 0, distance_A]], cell=[12] * 3, pbc=True)


def test_distance_of_an_atom_is_the_closed_form() -> None:
    descriptors = np.array([[0.0, 3.0], [3.0, 4.0], [0.0, 0.0], [5.0, 9.0]])
    ratios = make_domain().compute_distance_ratios(make_frame(), descriptors)
    np.testing.assert_allclose(ratios, [1.0, 5 / 3, 0.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize(("distance_A", "expected"), [(2.0, 2.0 / 2.25), (2.2, 2.2 / 2.25)])
def test_close_pair_is_held_against_the_trained_distance(distance_A: float, expected: float) -> None:
    assert make_domain().compute_closest_ratio(make_frame(distance_A)) == pytest.approx(expected, rel=1e-12)


def test_pair_never_seen_in_training_is_outside_when_near() -> None:
    frame = Atoms("Bi2", positions=[[0, 0, 0], [0, 0, 4.0]], cell=[12] * 3, pbc=True)
    assert make_domain().compute_closest_ratio(frame) == pytest.approx(4.0 / (0.9 * 4.5), rel=1e-12)


def test_frames_outside_are_counted() -> None:
    inside, far = np.zeros((4, 2)), np.full((4, 2), 9.0)
    for descriptors in (inside, far):
        descriptors[3] = 5.0
    one_atom = inside.copy()
    one_atom[0] = 9.0
    frames = [make_frame(), make_frame(), make_frame(), make_frame(2.0)]
    check = judge_frames(frames, descriptors=iter([inside, far, one_atom, inside]), domain=make_domain(), limit=0.4)
    assert check.outside == (1, 3)
    assert check.fraction == 0.5
    assert not check.is_trustworthy
    assert check.to_json()["sentence"] == (
        "2 of 4 frames lie outside what the potential was trained on (50.0%), more than the limit of 40.0%: "
        "do not trust this result."
    )
    np.testing.assert_allclose(check.atom_fractions, [0, 0.75, 0.25, 0], rtol=1e-12)


@pytest.mark.parametrize("cutoff_A", [2.0, 5.0, 10.9])
def test_close_pairs_agree_with_ase_in_a_tilted_cell(cutoff_A: float) -> None:
    cell = [[7.0, 0, 0], [-3.4, 6.0, 0], [1.0, 2.0, 9.0]]
    positions = np.random.default_rng(2).random((30, 3)) * 40 - 20
    atoms = Atoms("K30", positions=positions, cell=cell, pbc=True)
    expected = sorted(zip(*neighbor_list("ijd", atoms, cutoff_A), strict=True))
    found = sorted(zip(*find_close_pairs(atoms, cutoff_A=cutoff_A), strict=True))
    assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
    np.testing.assert_allclose([pair[2] for pair in found], [pair[2] for pair in expected], rtol=1e-9)


def write_domain(path: Path, **changes: NDArray[np.generic] | int) -> None:
    domain = make_domain()
    names = ("mean", "inverse_covariance", "threshold", "smallest_distance_A")
    content = {name: getattr(domain, name) for name in names}
    np.savez(path, **{"schema_version": 1, "elements": np.array(domain.elements), **content, **changes})


def test_domain_is_read_with_its_defaults(tmp_path: Path) -> None:
    write_domain(tmp_path / "domain.npz")
    domain = read_domain(tmp_path / "domain.npz")
    assert domain.elements == ("K", "Bi")
    assert (domain.outside_fraction_limit, domain.distance_factor) == (0.01, 0.95)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"text"])
def test_broken_domain_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "domain.npz").write_bytes(content)
    with pytest.raises(InputError, match="no readable trained domain"):
        read_domain(tmp_path / "domain.npz")


def test_domain_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    write_domain(tmp_path / "domain.npz", schema_version=2)
    with pytest.raises(InputError, match="schema version 2, this alkaliflow knows 1"):
        read_domain(tmp_path / "domain.npz")


def test_calculator_without_a_domain_is_not_checked() -> None:
    assert compute_domain_check([make_frame()], spec=CalculatorSpec("chgnet"), blob_path=Path) is None


needs_potential = pytest.mark.skipif(
    SHIPPED not in list_shipped_potentials(), reason=f"the potential {SHIPPED} is not there: distil it"
)


@needs_potential
def test_shipped_potential_knows_potassium_and_not_a_crushed_one() -> None:
    spec = build_calculator_spec("pod", potential=SHIPPED, add_blob=str)
    crystal = bulk("K", "bcc", a=5.328, cubic=True).repeat(3)
    crystal.rattle(0.1, seed=1)
    crushed = crystal.copy()
    crushed.set_cell(crystal.cell * 0.5, scale_atoms=True)
    check = compute_domain_check([crystal, crushed], spec=spec, blob_path=Path)
    assert check is not None
    assert check.outside == (1,)


@needs_potential
def test_energy_does_not_depend_on_which_elements_are_present(tmp_path: Path) -> None:
    """LAMMPS numbers the names of a pod potential as they come: a list of only those present gives wrong elements."""
    spec = build_calculator_spec("pod", potential=SHIPPED, add_blob=str)
    alloy = bulk("Bi", "rhombohedral", a=4.75, alpha=57.2).repeat(2)
    alloy.set_cell([25.0, 25.0, 60.0])
    guest = Atoms("K2", positions=[[0.0, 0.0, 40.0], [0.0, 0.0, 44.0]], cell=alloy.cell, pbc=True)
    with_guest = alloy + guest
    potential = build_lammps_potential(spec, elements=["Bi", "K"], blob_path=Path)
    energies_eV = [
        result.energy_eV
        for result in evaluate_structures([alloy, guest, with_guest], potential=potential, directory=tmp_path)
    ]
    assert energies_eV[2] == pytest.approx(energies_eV[0] + energies_eV[1], rel=1e-9)


@needs_potential
def test_descriptors_do_not_depend_on_orientation_or_order() -> None:
    folder = find_potential_folder(SHIPPED)
    atoms = bulk("Bi", "rhombohedral", a=4.75, alpha=57.2).repeat(2)
    atoms.symbols[::3] = "Sb"
    atoms.rattle(0.1, seed=4)
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    order = np.random.default_rng(1).permutation(len(atoms))
    first, second, third = compute_pod_descriptors(
        [atoms, turned, atoms[order]],
        descriptor=folder / "potential.pod",
        coefficients=folder / "coefficients.pod",
    )
    np.testing.assert_allclose(second, first, rtol=0, atol=1e-8 * np.abs(first).max())
    np.testing.assert_allclose(third, first[order], rtol=0, atol=1e-8 * np.abs(first).max())
