import dataclasses
import gc
import math
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from structures.alloy import resolve_alloy
from structures.dislocation import compute_bond_vectors
from structures.displacement_field import (
    BISMUTH,
    MEAN_OF_BI_AND_SB,
    Pair,
    StrohModes,
    TrigonalElasticity,
    compute_periodic_displacement,
    compute_stiffness,
    compute_stroh_modes,
)
from structures.errors import InputError

BURGERS_A = np.array([4.4, 0.0, 0.0])
LENGTH_A, HEIGHT_A = 52.8, 46.8
PAIR = Pair(x_first_A=14.3, x_second_A=14.3 + LENGTH_A / 2, y_A=23.4)


@pytest.fixture(scope="module")
def modes() -> StrohModes:
    return compute_stroh_modes(MEAN_OF_BI_AND_SB, burgers_vector_A=BURGERS_A)


def displace(points: list[list[float]], modes: StrohModes, *pairs: Pair) -> NDArray[np.float64]:
    displacement, _ = compute_periodic_displacement(
        np.array(points), modes=modes, pairs=pairs or (PAIR,), length_A=LENGTH_A, height_A=HEIGHT_A
    )
    return displacement


def test_single_dislocation_is_atommans(modes: StrohModes) -> None:
    """Differences between points on one side of the cut, as atomman's branch differs by a constant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a package that atomman imports leaves a file open
        atomman = pytest.importorskip("atomman", reason="pip install atomman")
        gc.collect()
    axes = np.array([[-1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    elastic = MEAN_OF_BI_AND_SB
    constants = atomman.ElasticConstants(
        C11=elastic.c11_GPa,
        C12=elastic.c12_GPa,
        C13=elastic.c13_GPa,
        C14=elastic.c14_GPa,
        C33=elastic.c33_GPa,
        C44=elastic.c44_GPa,
    )
    solution = atomman.defect.Stroh(constants, axes.T @ BURGERS_A, transform=axes)
    points = np.random.default_rng(0).uniform(0.5, 9, (20, 2))
    ours = np.array([(np.log(x + modes.roots * y) @ modes.weights_A).real for x, y in points])
    theirs = np.array([solution.displacement([x, y, 0.0]) for x, y in points])
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-7, atol=1e-9)


def test_sign_of_c14_is_that_of_stretched_bonds() -> None:
    """Springs along the bonds of A7 alone give C_ijkl ~ Σ n_i n_j n_k n_l: the one component that tells +y from −y."""
    stiffness = compute_stiffness(BISMUTH)
    bonds_A = np.array(compute_bond_vectors(resolve_alloy("Bi")))
    n = bonds_A / np.linalg.norm(bonds_A, axis=1)[:, None]
    springs = np.einsum("bi,bj,bk,bl->ijkl", n, n, n, n)
    assert springs[0, 0, 1, 2] == pytest.approx(-springs[2, 2, 1, 2])  # the symmetry of C14
    assert np.sign(stiffness[0, 0, 1, 2]) == np.sign(springs[0, 0, 1, 2]) == 1
    assert stiffness[0, 0, 1, 2] == pytest.approx(BISMUTH.c14_GPa)
    assert stiffness[2, 2, 1, 2] == pytest.approx(-BISMUTH.c14_GPa)


def test_isotropic_edge_is_the_textbooks() -> None:
    """Hirth and Lothe, eq. 3-45: u_x = b/2π [atan(y/x) + xy / (2 (1 − ν) r²)]."""
    lame, shear = 60.0, 30.000001  # equal roots of exact isotropy have no eigenvectors
    nearly = TrigonalElasticity(
        c11_GPa=lame + 2 * shear,
        c12_GPa=lame,
        c13_GPa=lame,
        c14_GPa=1e-4,
        c33_GPa=lame + 2.0004 * shear,
        c44_GPa=shear,
        source="made up",
    )
    modes = compute_stroh_modes(nearly, burgers_vector_A=BURGERS_A)
    poisson = lame / (2 * (lame + shear))
    points = np.random.default_rng(1).uniform(0.5, 9, (20, 2))
    x, y = points.T
    expected = BURGERS_A[0] / (2 * math.pi) * (np.arctan2(y, x) + x * y / (2 * (1 - poisson) * (x**2 + y**2)))
    ours = np.array([(np.log(a + modes.roots * b) @ modes.weights_A).real[0] for a, b in points])
    np.testing.assert_allclose(ours - ours[0], expected - expected[0], atol=2e-3)


def test_field_is_periodic_but_for_the_tilt(modes: StrohModes) -> None:
    points = np.random.default_rng(2).uniform(0, 40, (30, 2))
    right_A, up_A = np.array([LENGTH_A, 0]), np.array([0, HEIGHT_A])
    both = np.vstack([points, points + right_A, points + up_A, points - up_A])
    displacement, tilt = compute_periodic_displacement(
        both, modes=modes, pairs=(PAIR,), length_A=LENGTH_A, height_A=HEIGHT_A
    )
    here, right, above, below = np.split(displacement, 4)
    np.testing.assert_allclose(right, here, atol=1e-9)
    np.testing.assert_allclose(above - here, np.broadcast_to(tilt, here.shape), atol=1e-9)
    np.testing.assert_allclose(here - below, np.broadcast_to(tilt, here.shape), atol=1e-9)
    np.testing.assert_allclose(tilt, -BURGERS_A / 2, atol=1e-9)


def test_jump_across_the_slip_plane_is_the_burgers_vector(modes: StrohModes) -> None:
    tiny = 1e-7
    between = displace([[27.0, 23.4 + tiny], [27.0, 23.4 - tiny]], modes)
    outside = displace([[2.0, 23.4 + tiny], [2.0, 23.4 - tiny]], modes)
    np.testing.assert_allclose(between[0] - between[1], -BURGERS_A, atol=1e-5)
    np.testing.assert_allclose(outside[0] - outside[1], 0, atol=1e-5)


@pytest.mark.parametrize(("start", "sign"), [(PAIR.x_first_A, 1), (PAIR.x_second_A, -1)])
def test_circuit_of_the_field_gives_the_burgers_vector(modes: StrohModes, start: float, sign: int) -> None:
    """∮ du counter-clockwise, the jump left out by ending the circle where it began, on the other side of the cut."""
    toward = 0.0 if sign == 1 else math.pi
    ends = [toward + 1e-6, toward + 2 * math.pi - 1e-6]
    circle = displace([[start + 5 * math.cos(t), PAIR.y_A + 5 * math.sin(t)] for t in ends], modes)
    np.testing.assert_allclose(circle[1] - circle[0], sign * BURGERS_A, atol=1e-4)


def test_opposite_pairs_need_no_tilt(modes: StrohModes) -> None:
    other = dataclasses.replace(PAIR, y_A=0.0, sign=-1)
    _, tilt = compute_periodic_displacement(
        np.zeros((1, 2)) + 5.0, modes=modes, pairs=(PAIR, other), length_A=LENGTH_A, height_A=HEIGHT_A
    )
    np.testing.assert_allclose(tilt, 0, atol=1e-9)


def test_flat_cells_do_not_overflow() -> None:
    modes = compute_stroh_modes(MEAN_OF_BI_AND_SB, burgers_vector_A=BURGERS_A)
    displacement, _ = compute_periodic_displacement(
        np.array([[1.0, 2.0], [3.0, 2900.0]]),
        modes=modes,
        pairs=(Pair(x_first_A=5.0, x_second_A=15.0, y_A=1500.0),),
        length_A=20.0,
        height_A=3000.0,
    )
    assert np.isfinite(displacement).all()


def test_unstable_crystals_are_refused() -> None:
    with pytest.raises(InputError, match="no stable crystal"):
        compute_stroh_modes(dataclasses.replace(MEAN_OF_BI_AND_SB, c14_GPa=90.0), burgers_vector_A=BURGERS_A)
