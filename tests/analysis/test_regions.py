import numpy as np
import pytest

from analysis.regions import Region, check_cell, compute_line_distance, compute_visible_share, is_near_lines
from structures.errors import InputError

TILTED = np.array([[30.0, 0, 0], [7.0, 28.0, 0], [0, 0, 40.0]])


def test_line_distance_is_that_to_the_nearest_of_many_images() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-60, 60, (200, 3))
    lines = np.array([[1.0, 2.0], [20.0, 15.0]])
    shifts = np.array([[i, j] for i in range(-6, 7) for j in range(-6, 7)]) @ TILTED[:2, :2]
    images = (lines[:, None] + shifts).reshape(-1, 2)
    naive = np.array([np.linalg.norm(images - point[:2], axis=1).min() for point in points])
    np.testing.assert_allclose(compute_line_distance(points, lines_A=lines, cell_A=TILTED), naive, rtol=1e-12)
    for radius in (5.0, 12.0, 15.0):
        near = is_near_lines(points, lines_A=lines, radius_A=radius, cell_A=TILTED)
        np.testing.assert_array_equal(near, naive < radius)


def test_volumes_are_closed_form() -> None:
    area = 30 * 28.0
    assert Region().volume_A3(cell_A=TILTED) == pytest.approx(area * 40, rel=1e-12)
    assert Region("s", 3, 13).volume_A3(cell_A=TILTED) == pytest.approx(area * 10, rel=1e-12)
    core = Region("core", 3, 13, ((1.0, 2.0), (16.0, 16.0)), 5.0)
    lens = 2 * 25 * np.arccos(0.6) - 6 / 2 * np.sqrt(4 * 25 - 36)
    overlapping = Region("core", 3, 13, ((1.0, 2.0), (7.0, 2.0)), 5.0)
    assert overlapping.volume_A3(cell_A=TILTED) == pytest.approx((2 * np.pi * 25 - lens) * 10, rel=2e-3)
    wide = Region("core", 3, 13, ((1.0, 2.0),), 50.0)
    assert wide.volume_A3(cell_A=TILTED) == pytest.approx(area * 10, rel=1e-9)
    rest = Region("crystal", 3, 13, core.lines_A, 5.0, near_lines=False)
    assert core.volume_A3(cell_A=TILTED) == pytest.approx(2 * np.pi * 25 * 10, rel=1e-12)
    assert core.volume_A3(cell_A=TILTED) + rest.volume_A3(cell_A=TILTED) == pytest.approx(area * 10, rel=1e-12)


def test_slab_spans_the_boundary_and_counts_images() -> None:
    region = Region("wrap", 35, 45)
    z = np.array([[0, 0, 36.0], [0, 0, 4.0], [0, 0, 6.0], [0, 0, 76.0], [0, 0, -3.0]])
    assert region.contains(z, cell_A=TILTED).tolist() == [True, True, False, True, True]
    assert Region("whole", 0, 100).contains(z, cell_A=TILTED).all()


def test_shift_moves_faces_and_lines() -> None:
    region = Region("core", 0, 10, ((1.0, 2.0),), 5.0).shifted(z_A=2.0, lines_A=[[3, 4]])
    assert (region.z_low_A, region.z_high_A, region.lines_A) == (2, 12, ((3.0, 4.0),))
    assert Region("s", 0, 10).shifted(lines_A=[[3, 4]]).lines_A == ()


def test_share_of_a_sphere_in_a_slab_is_the_cap_formula() -> None:
    # A centre at height h in a slab sees min(1, (h + r)/2r) − (…): the zone between the faces, by Archimedes.
    heights = np.array([0.0, 2.0, 5.0])
    radii = np.linspace(0.5, 9, 12)
    centres = np.stack([np.zeros(3), np.zeros(3), heights], axis=1)
    exact = np.mean([np.minimum(radii, 10 - h) + np.minimum(radii, h) for h in heights], axis=0) / (2 * radii)
    found = compute_visible_share(np.repeat(centres, 400, 0), region=Region("s", 0, 10), cell_A=TILTED, radii_A=radii)
    np.testing.assert_allclose(found, exact, atol=0.02)
    np.testing.assert_array_equal(compute_visible_share(centres, region=Region(), cell_A=TILTED, radii_A=radii), 1.0)


def test_bad_regions_and_cells_are_refused() -> None:
    with pytest.raises(InputError, match="low must be below high"):
        Region("x", 5, 5)
    with pytest.raises(InputError, match="one face"):
        Region("x", 5, None)
    with pytest.raises(InputError, match=r"radius_A 0\.0"):
        Region("x", 0, 5, ((0.0, 0.0),))
    with pytest.raises(InputError, match="leans"):
        check_cell([[10, 0, 0], [0, 10, 0], [3, 0, 10]])
    with pytest.raises(InputError, match="span a volume"):
        check_cell(np.zeros((3, 3)))
