"""Densities whose basins are known: planes, separate atoms, a naive loop over weights."""

import numpy as np
import pytest
from ase.build import bulk
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from analysis.bader import BaderCharges, compute_bader_charges, find_neighbours
from structures.errors import InputError

SKEW_A = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.0, 1.5, 10.0]])
CENTRES_A = np.array([[1.0, 1.0, 1.0], [5.0, 5.0, 5.0], [8.0, 6.0, 9.0]])
ELECTRONS = np.array([3.0, 8.0, 1.0])
WIDTHS_A = np.array([0.45, 0.50, 0.55])
PERIODIC = [True, True, True]


def put_gaussians(
    shape: tuple[int, int, int],
    *,
    cell_A: NDArray[np.float64],
    centres_A: NDArray[np.float64],
    electrons: NDArray[np.float64],
    widths_A: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum of normalised Gaussians and their images in the neighbouring cells."""
    fractions = np.stack(np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij"), axis=-1)
    density = np.zeros(shape)
    for centre, number, width in zip(centres_A, electrons, widths_A, strict=True):
        for image in np.ndindex(3, 3, 3):
            apart = (fractions - np.linalg.solve(cell_A.T, centre) - (np.array(image) - 1)) @ cell_A
            density += number * np.exp(-(apart**2).sum(axis=-1) / 2 / width**2) / (2 * np.pi * width**2) ** 1.5
    return density


def put_three_atoms(shape: tuple[int, int, int] = (36, 32, 40)) -> NDArray[np.float64]:
    return put_gaussians(shape, cell_A=SKEW_A, centres_A=CENTRES_A, electrons=ELECTRONS, widths_A=WIDTHS_A)


def partition(density: NDArray[np.float64], **changes: object) -> BaderCharges:
    arguments: dict[str, object] = {"cell_A": SKEW_A, "numbers": [3, 8, 1], "positions_A": CENTRES_A, "pbc": PERIODIC}
    return compute_bader_charges(density, **{**arguments, **changes})  # type: ignore[arg-type]


def test_separate_atoms_in_a_skew_cell_keep_their_electrons() -> None:
    found = partition(put_three_atoms(), numbers=[4, 8, 1])
    assert found.electrons == pytest.approx(ELECTRONS, abs=1e-3)
    assert found.charges_e == pytest.approx([1, 0, 0], abs=1e-3)
    assert found.n_other_maxima == 0
    # 0.00675 e/Å³ is reached at a radius that each Gaussian gives.
    peaks = ELECTRONS / (2 * np.pi * WIDTHS_A**2) ** 1.5
    radii_A = WIDTHS_A * np.sqrt(2 * np.log(peaks / 0.00675))
    assert found.volumes_A3 == pytest.approx(4 / 3 * np.pi * radii_A**3, rel=0.03)


def test_basins_that_planes_divide_hold_what_lies_between_the_planes() -> None:
    """ρ = f(x) + f(y) + h(z): the surfaces of zero flux are the planes where h is least, between points of the grid."""
    length_A = 6.0

    def h(z: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        turn = 2 * np.pi * np.asarray(z) / length_A
        return 5 + np.cos(2 * turn) + 0.9 * np.sin(turn) + 0.3 * np.cos(turn + 0.4)

    low = [minimize_scalar(h, bounds=b, method="bounded", options={"xatol": 1e-12}).x for b in ((0.5, 3), (3, 6))]
    peaks = [minimize_scalar(lambda z: -h(z), bounds=b, method="bounded").x for b in (tuple(low), (-1.5, 1.5))]
    errors = []
    for n in (12, 24, 48):
        z = np.arange(n) * length_A / n
        sideways = np.cos(2 * np.pi * np.arange(8) / 8)
        density = sideways[:, None, None] + sideways[None, :, None] + h(z)[None, None, :]  # type: ignore[index]
        found = compute_bader_charges(
            density,
            cell_A=np.diag([4.0, 4.0, length_A]),
            numbers=[1, 1],
            positions_A=np.array([[0, 0, peaks[0]], [0, 0, peaks[1] % length_A]]),
            pbc=PERIODIC,
        )
        exact = 16 * quad(h, *low)[0]
        assert found.electrons.sum() == pytest.approx(16 * 5 * length_A, rel=1e-9)
        errors.append(abs(found.electrons[0] - exact) / exact)
    assert errors[2] < 2e-3
    assert errors[2] < errors[0]


def test_equal_centres_share_equally() -> None:
    centres_A = np.array([[3.0, 3.0, 2.25], [3.0, 3.0, 3.75]])
    density = put_gaussians(
        (24, 24, 24), cell_A=np.eye(3) * 6, centres_A=centres_A, electrons=np.ones(2), widths_A=np.full(2, 0.5)
    )
    found = compute_bader_charges(density, cell_A=np.eye(3) * 6, numbers=[1, 1], positions_A=centres_A, pbc=PERIODIC)
    assert found.electrons == pytest.approx([1, 1], abs=1e-6)
    assert found.electrons[0] == pytest.approx(found.electrons[1], rel=1e-9)


def test_nothing_changes_when_cell_atoms_or_axes_are_moved() -> None:
    density = put_three_atoms()
    found = partition(density)
    steps_A = np.array([5, -7, 11]) / np.array(density.shape) @ SKEW_A
    shifted = partition(np.roll(density, (5, -7, 11), axis=(0, 1, 2)), positions_A=CENTRES_A + steps_A)
    assert shifted.electrons == pytest.approx(found.electrons, rel=1e-9)
    permuted = partition(density, numbers=[1, 3, 8], positions_A=CENTRES_A[[2, 0, 1]])
    assert permuted.charges_e == pytest.approx(found.charges_e[[2, 0, 1]], abs=1e-12)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = partition(density, cell_A=SKEW_A @ turn, positions_A=CENTRES_A @ turn)
    assert turned.electrons == pytest.approx(found.electrons, rel=1e-6)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
def test_the_solved_flow_is_a_loop_over_weights(pbc: tuple[bool, bool, bool]) -> None:
    """Each point's weights for all maxima, from high to low, as the method was published."""
    shape = (6, 7, 8)
    density = np.random.default_rng(1).uniform(0.1, 2.0, size=shape)
    steps_A = SKEW_A / np.array(shape)[:, None]
    offsets, conductances = find_neighbours(steps_A)
    maxima: list[tuple[int, ...]] = []
    weights: dict[tuple[int, ...], dict[int, float]] = {}
    points = sorted(np.ndindex(*shape), key=lambda point: -density[point])
    for point in points:
        flows: dict[tuple[int, ...], float] = {}
        for offset, conductance in zip(offsets, conductances, strict=True):
            target = np.array(point) + offset
            if any(not pbc[i] and not 0 <= target[i] < shape[i] for i in range(3)):
                continue
            other = tuple(int(value) for value in target % np.array(shape))
            if density[other] > density[point]:
                flows[other] = flows.get(other, 0.0) + conductance * (density[other] - density[point])
        weights[point] = {}
        if not flows:
            weights[point][len(maxima)] = 1.0
            maxima.append(point)
        for other, flow in flows.items():
            for basin, weight in weights[other].items():
                weights[point][basin] = weights[point].get(basin, 0.0) + weight * flow / sum(flows.values())
    voxel_A3 = np.linalg.det(SKEW_A) / density.size
    expected = [sum(weights[p].get(b, 0.0) * density[p] for p in points) * voxel_A3 for b in range(len(maxima))]
    assert len(maxima) > 3
    positions_A = np.array(maxima) / np.array(shape) @ SKEW_A
    found = partition(density, numbers=[1] * len(maxima), positions_A=positions_A, pbc=pbc)
    assert found.electrons == pytest.approx(expected, rel=1e-9)


def test_a_maximum_without_nucleus_is_counted_and_goes_to_the_nearest_atom() -> None:
    found = partition(put_three_atoms(), numbers=[3, 8], positions_A=CENTRES_A[:2])
    assert found.n_other_maxima == 1
    assert found.other_electrons == pytest.approx(1.0, abs=1e-3)
    assert found.electrons.sum() == pytest.approx(12.0, abs=1e-6)
    assert found.to_json()["n_other_maxima"] == 1


def test_faces_fill_the_cell_and_lattices_have_their_neighbours() -> None:
    for vectors, count in ((np.eye(3), 6), (bulk("Cu", a=2.0).cell.array, 12), (bulk("Li", a=2.0).cell.array, 14)):
        offsets, _ = find_neighbours(vectors)
        assert len(offsets) == count
    steps_A = SKEW_A / 10 + np.array([[0, 0, 0], [0, 0, 0], [0.9, 0.8, 0]])
    offsets, conductances = find_neighbours(steps_A)
    lengths_A = np.linalg.norm(offsets @ steps_A, axis=1)
    # Pyramids of height l/2 on faces of area a: V = Σ a l / 6.
    assert (conductances * lengths_A**2 / 6).sum() == pytest.approx(np.linalg.det(steps_A), rel=1e-9)


def test_wrong_input_is_refused() -> None:
    density = put_three_atoms((8, 8, 8))
    with pytest.raises(InputError, match=r"shape \(8, 8\), needs three axes"):
        partition(density[0])
    with pytest.raises(InputError, match="one position for each"):
        partition(density, numbers=[1])
    density[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="1 points that are not finite"):
        partition(density)
