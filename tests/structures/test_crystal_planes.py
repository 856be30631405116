"""Planes of crystals: spacings, areas, hands, primitive cells."""

import itertools
import math

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from scipy.spatial.transform import Rotation

from structures.crystal_planes import build_stacking, reduce_to_primitive
from structures.errors import InputError

TRICLINIC_A = np.array([[3.0, 0.2, 0.1], [0.4, 4.0, -0.3], [0.5, -0.2, 5.0]])
CHIRAL = Atoms("HCNOF", positions=np.random.default_rng(0).random((5, 3)) / 2 @ TRICLINIC_A, cell=TRICLINIC_A, pbc=True)
INDICES = [hkl for hkl in itertools.product(range(-2, 3), repeat=3) if math.gcd(*hkl) == 1][::4]


@pytest.mark.parametrize(
    ("kind", "n_primitive", "factor"),
    [("sc", 1, {}), ("fcc", 1, {(1, 1, 0): 2, (0, 0, 1): 2}), ("bcc", 1, {(0, 0, 1): 2, (1, 1, 1): 2})],
)
def test_cubic_spacings_and_areas_are_those_of_the_closed_form(
    kind: str, n_primitive: int, factor: dict[tuple[int, int, int], int]
) -> None:
    a_A = 3.6
    crystal = bulk("Cu", kind, a=a_A, cubic=True)
    for hkl in [(0, 0, 1), (1, 1, 0), (1, 1, 1)]:
        stacking = build_stacking(crystal, miller=hkl)
        spacing_A = a_A / math.sqrt(sum(n * n for n in hkl)) / factor.get(hkl, 1)
        assert stacking.period_A == pytest.approx(spacing_A, rel=1e-9)
        area_A2 = np.linalg.det(stacking.unit.cell.array[:2, :2])
        assert area_A2 == pytest.approx(a_A**3 / len(crystal) / spacing_A, rel=1e-9)
        assert len(stacking.unit) == n_primitive
        assert stacking.n_planes == 1


@pytest.mark.parametrize("hkl", INDICES)
def test_the_crystal_is_neither_mirrored_nor_turned_over(hkl: tuple[int, int, int]) -> None:
    stacking = build_stacking(CHIRAL, miller=hkl)
    unit = stacking.unit[np.argsort(stacking.unit.numbers)]
    crystal = CHIRAL[np.argsort(CHIRAL.numbers)]
    normal = np.linalg.inv(CHIRAL.cell.array) @ np.array(hkl)
    period_A = 1 / np.linalg.norm(normal)
    assert stacking.period_A == pytest.approx(period_A, rel=1e-9)
    heights = crystal.positions @ normal - unit.positions[:, 2] / period_A
    np.testing.assert_allclose((heights - heights[0] + 0.5) % 1, 0.5, rtol=0, atol=1e-9)
    # The lattice vectors of one are lattice vectors of the other after a proper rotation, which also moves the atoms.
    whole = unit.cell.array
    vectors = np.array(list(itertools.product(range(-5, 6), repeat=3))) @ CHIRAL.cell.array
    rotation = _find_rotation(whole, vectors=vectors, sites=(unit.positions, crystal.positions), crystal=crystal)
    assert rotation is not None
    mirror = np.array([-1, 1, 1])  # the proof can tell a mirror image
    assert (
        _find_rotation(
            whole * mirror, vectors=vectors, sites=(unit.positions * mirror, crystal.positions), crystal=crystal
        )
        is None
    )


def _find_rotation(
    cell: np.ndarray, *, vectors: np.ndarray, sites: tuple[np.ndarray, np.ndarray], crystal: Atoms
) -> np.ndarray | None:
    """A proper rotation of one crystal onto the other, by trial of all lattice vectors of the right lengths."""
    lengths = np.linalg.norm(vectors, axis=1)
    alike = [vectors[np.abs(lengths - np.linalg.norm(row)) < 1e-6] for row in cell]
    inverse = np.linalg.inv(crystal.cell.array)
    for image in itertools.product(*alike):
        rotation = np.linalg.solve(cell, np.array(image))
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-6 or np.linalg.det(rotation) < 0:
            continue
        away = (sites[0] @ rotation - sites[1]) @ inverse
        if np.abs((away - away[0] + 0.5) % 1 - 0.5).max() < 1e-6:
            return rotation
    return None


@pytest.mark.parametrize("hkl", INDICES)
@pytest.mark.parametrize("crystal", [CHIRAL, bulk("CaF2", "fluorite", a=5.46, cubic=True)])
def test_the_lateral_cell_is_as_short_and_upright_as_can_be(crystal: Atoms, hkl: tuple[int, int, int]) -> None:
    cell = build_stacking(crystal, miller=hkl).unit.cell
    assert 60 - 1e-6 <= cell.angles()[2] <= 90 + 1e-6
    first, second = cell.array[:2]
    points = np.array([n for n in itertools.product(range(-4, 5), repeat=2) if any(n)]) @ cell.array[:2]
    lengths = np.sort(np.linalg.norm(points, axis=1))
    assert min(cell.lengths()[:2]) == pytest.approx(lengths[0], rel=1e-9)
    # The area of the two is fixed, so that no other pair is shorter if they meet at 60 to 90° and one is the shortest.
    np.testing.assert_allclose([first[1], first[2], second[2]], 0, rtol=0, atol=1e-12)
    if crystal is not CHIRAL:
        assert cell.lengths()[0] <= cell.lengths()[1] + 1e-9


def test_a_turned_and_enlarged_cell_gives_the_same_planes() -> None:
    crystal = bulk("CaF2", "fluorite", a=5.46, cubic=True)
    turned = crystal.copy()
    turned.set_cell(turned.cell.array @ Rotation.random(rng=np.random.default_rng(3)).as_matrix(), scale_atoms=True)
    for hkl in [(1, 1, 1), (2, 1, 0)]:
        first, second = (build_stacking(one, miller=hkl) for one in (crystal, turned))
        np.testing.assert_allclose(
            second.unit.cell.cellpar()[[0, 1, 5]], first.unit.cell.cellpar()[[0, 1, 5]], rtol=1e-9
        )
        assert second.formulas == first.formulas
        np.testing.assert_allclose(second.gaps_A, first.gaps_A, rtol=1e-9)
    larger = build_stacking(crystal.repeat((2, 1, 1)), miller=(2, 1, 1))  # the same plane in a doubled cell
    np.testing.assert_allclose(larger.gaps_A, build_stacking(crystal, miller=(1, 1, 1)).gaps_A, rtol=1e-9)


@pytest.mark.parametrize("name", ["rocksalt", "fluorite", "diamond", "hcp", "bcc"])
def test_skew_supercells_reduce_to_the_primitive_cell(name: str) -> None:
    formula = {"rocksalt": "NaCl", "fluorite": "CaF2", "diamond": "C", "hcp": "Mg", "bcc": "Li"}[name]
    primitive = bulk(formula, name, a=4.0, c=6.5 if name == "hcp" else None)
    skew = make_supercell(primitive, [[2, 1, 0], [0, 1, 0], [1, -1, 2]])
    skew.positions += np.random.default_rng(1).normal(size=skew.positions.shape, scale=1e-3)
    reduced = reduce_to_primitive(skew)
    assert reduced.symbols.formula.count() == primitive.symbols.formula.count()
    assert reduced.get_volume() == pytest.approx(primitive.get_volume(), rel=5e-3)
    assert np.linalg.det(reduced.cell.array) > 0


def test_an_alloy_has_no_smaller_cell() -> None:
    alloy = bulk("Cu", cubic=True).repeat(2)
    alloy.symbols[np.random.default_rng(2).permutation(len(alloy))[:9]] = "Au"
    assert len(reduce_to_primitive(alloy)) == len(alloy)


@pytest.mark.parametrize("hkl", [(0, 0, 0), (1, 1), (0.5, 1, 0)])
def test_indices_that_name_no_plane_are_refused(hkl: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="needs three whole numbers"):
        build_stacking(bulk("Cu"), miller=hkl)


def test_planes_too_close_to_tell_are_refused() -> None:
    with pytest.raises(InputError, match=r"at most 0\.29 Å apart.*lower indices"):
        build_stacking(bulk("Cu", cubic=True), miller=(9, 7, 5))


def test_a_molecule_is_no_crystal() -> None:
    with pytest.raises(InputError, match="rank 0"):
        build_stacking(Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]]), miller=(0, 0, 1))
