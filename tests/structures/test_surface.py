"""Slabs against closed forms, and their terminations."""

import io
import math
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.io import read, write
from ase.neighborlist import neighbor_list
from scipy.spatial.transform import Rotation

from structures.crystal_planes import Miller
from structures.errors import InputError
from structures.faces import has_equal_faces
from structures.surface import Surface, build_surface, list_terminations

LITHIUM = bulk("Li", "bcc", a=3.51, cubic=True)
COPPER = bulk("Cu", "fcc", a=3.615, cubic=True)
NITRIDE = bulk("TiN", "rocksalt", a=4.24, cubic=True)
FLUORITE = bulk("CaF2", "fluorite", a=5.46, cubic=True)
DIAMOND = bulk("C", "diamond", a=3.57, cubic=True)


def build(bulk_atoms: Atoms, *, miller: Miller, n_layers: int, termination: str | None = None) -> Surface:
    return build_surface(
        bulk_atoms,
        name="test",
        miller=miller,
        n_layers=n_layers,
        vacuum_A=20.0,
        fixed_layers=0,
        termination=termination,
    )


@pytest.mark.parametrize(
    ("crystal", "miller", "spacing_A", "area_A2"),
    [
        (LITHIUM, (0, 0, 1), 3.51 / 2, 3.51**2),
        (LITHIUM, (1, 1, 0), 3.51 / math.sqrt(2), 3.51**2 / math.sqrt(2)),
        (LITHIUM, (1, 1, 1), 3.51 / math.sqrt(12), 3.51**2 * math.sqrt(3)),
        (COPPER, (1, 1, 1), 3.615 / math.sqrt(3), 3.615**2 * math.sqrt(3) / 4),
        (COPPER, (0, 0, 1), 3.615 / 2, 3.615**2 / 2),
        (NITRIDE, (0, 0, 1), 4.24 / 2, 4.24**2 / 2),
        (NITRIDE, (1, 1, 1), 4.24 / math.sqrt(12), 4.24**2 * math.sqrt(3) / 4),
    ],
)
@pytest.mark.parametrize("n_layers", [1, 4, 7])
def test_spacing_area_and_number_of_atoms(
    crystal: Atoms, miller: Miller, spacing_A: float, area_A2: float, n_layers: int
) -> None:
    surface = build(crystal, miller=miller, n_layers=n_layers)
    assert surface.area_A2 == pytest.approx(area_A2, rel=1e-9)
    per_plane = len(crystal) * spacing_A * area_A2 / crystal.get_volume()
    assert len(surface.atoms) == pytest.approx(per_plane * n_layers, rel=1e-9)
    heights_A = [surface.atoms.positions[surface.atoms.arrays["layer"] == layer, 2] for layer in range(n_layers)]
    np.testing.assert_allclose([np.ptp(one) for one in heights_A], 0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.diff([one.mean() for one in heights_A]), spacing_A, rtol=1e-9)
    assert surface.thickness_A == pytest.approx((n_layers - 1) * spacing_A, rel=1e-9, abs=1e-9)
    # Each plane counts half a spacing to both of its sides: the slab is as dense as the crystal.
    slab_g_per_cm3 = surface.atoms.get_masses().sum() / (surface.area_A2 * n_layers * spacing_A)
    crystal_g_per_cm3 = crystal.get_masses().sum() / crystal.get_volume()
    if surface.is_stoichiometric:
        assert slab_g_per_cm3 == pytest.approx(crystal_g_per_cm3, rel=1e-9)


def test_lithium_has_its_measured_density() -> None:
    surface = build(LITHIUM, miller=(0, 0, 1), n_layers=8)
    mass_g = surface.atoms.get_masses().sum() * units._amu * 1000
    volume_cm3 = surface.area_A2 * 8 * 3.51 / 2 * 1e-24
    assert mass_g / volume_cm3 == pytest.approx(0.534, rel=5e-3)  # CRC Handbook


def test_the_slab_stands_in_the_middle_of_its_vacuum() -> None:
    surface = build_surface(
        COPPER, name="Cu(111)", miller=(1, 1, 1), n_layers=4, repeats=(3, 2), vacuum_A=14.0, fixed_layers=2
    )
    atoms = surface.atoms
    assert atoms.pbc.tolist() == [True, True, False]
    assert atoms.cell.array[2, 2] - np.ptp(atoms.positions[:, 2]) == pytest.approx(14.0, rel=1e-9)
    assert atoms.positions[:, 2].min() == pytest.approx(7.0, rel=1e-9)
    np.testing.assert_allclose(atoms.cell.array[2, :2], 0, rtol=0, atol=1e-12)
    assert len(atoms) == 4 * 6
    assert surface.area_A2 == pytest.approx(6 * 3.615**2 * math.sqrt(3) / 4, rel=1e-9)
    assert atoms.arrays["layer"].tolist() == sorted(atoms.arrays["layer"])
    (constraint,) = atoms.constraints
    assert (atoms.arrays["layer"][constraint.index] < 2).all()
    assert len(constraint.index) == 2 * 6


def test_extended_xyz_gives_the_slab_back() -> None:
    surface = build_surface(
        NITRIDE, name="TiN(111)", miller=(1, 1, 1), n_layers=5, repeats=(2, 2), vacuum_A=14.0, fixed_layers=2
    )
    text = io.StringIO()
    write(text, surface.atoms, format="extxyz")
    text.seek(0)
    again = read(text, format="extxyz")
    np.testing.assert_allclose(again.positions, surface.atoms.positions, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(again.arrays["layer"], surface.atoms.arrays["layer"])
    np.testing.assert_array_equal(again.constraints[0].index, surface.atoms.constraints[0].index)
    assert set(again.arrays) == {"numbers", "positions", "layer"}


@pytest.mark.parametrize(
    ("crystal", "miller", "cutoff_A", "of_surface", "of_bulk"),
    [
        (COPPER, (1, 1, 1), 3.0, 9, 12),
        (COPPER, (0, 0, 1), 3.0, 8, 12),
        (LITHIUM, (0, 0, 1), 3.3, 4, 8),
        (LITHIUM, (1, 1, 0), 3.3, 6, 8),
        (NITRIDE, (0, 0, 1), 2.5, 5, 6),
        (NITRIDE, (1, 1, 1), 2.5, 3, 6),
    ],
)
def test_coordination_at_the_surface(
    crystal: Atoms, miller: Miller, cutoff_A: float, of_surface: int, of_bulk: int
) -> None:
    atoms = build(crystal, miller=miller, n_layers=7).atoms
    counts = np.bincount(neighbor_list("i", atoms, cutoff_A), minlength=len(atoms))
    layers = atoms.arrays["layer"]
    assert set(counts[(layers == 0) | (layers == 6)]) == {of_surface}
    assert set(counts[layers == 3]) == {of_bulk}


def test_copper_is_the_slab_that_ase_builds() -> None:
    ours = build_surface(COPPER, name="Cu", miller=(1, 1, 1), n_layers=4, repeats=(3, 3), vacuum_A=20, fixed_layers=0)
    theirs = fcc111("Cu", (3, 3, 4), a=3.615, vacuum=10)
    np.testing.assert_allclose(ours.atoms.cell.cellpar(), theirs.cell.cellpar(), rtol=1e-9)
    distances = [np.sort(one.get_all_distances(mic=True), axis=None) for one in (ours.atoms, theirs)]
    np.testing.assert_allclose(distances[0], distances[1], rtol=0, atol=1e-9)


def test_the_crystals_own_orientation_does_not_matter() -> None:
    turned = FLUORITE.copy()
    turn = Rotation.random(rng=np.random.default_rng(5)).as_matrix()
    turned.set_cell(turned.cell.array @ turn, scale_atoms=True)
    turned.positions += (0.3, 1.1, -0.7)
    first, second = (build(one, miller=(1, 1, 1), n_layers=6) for one in (FLUORITE, turned))
    assert second.termination == first.termination
    np.testing.assert_allclose(second.atoms.cell.cellpar(), first.atoms.cell.cellpar(), rtol=1e-9)
    np.testing.assert_allclose(second.atoms.positions[:, 2], first.atoms.positions[:, 2], rtol=0, atol=1e-9)
    distances = [np.sort(one.atoms.repeat((3, 3, 1)).get_all_distances(mic=True), axis=None) for one in (first, second)]
    np.testing.assert_allclose(distances[0], distances[1], rtol=0, atol=1e-9)


def test_the_primitive_cell_has_indices_of_its_own() -> None:
    primitive = bulk("Cu", "fcc", a=3.615)  # (1, 1, 1) of the cube is (1, 1, 1) of its rhombohedron as well
    assert build(primitive, miller=(1, 1, 1), n_layers=4).area_A2 == pytest.approx(
        3.615**2 * math.sqrt(3) / 4, rel=1e-9
    )


@pytest.mark.parametrize("termination", ["Ti", "N"])
def test_nitride_111_is_symmetric_or_stoichiometric(termination: str) -> None:
    other = {"Ti": "N", "N": "Ti"}[termination]
    odd = build(NITRIDE, miller=(1, 1, 1), n_layers=7, termination=termination)
    assert odd.atoms.symbols.formula.count() == {termination: 4, other: 3}
    assert (odd.is_symmetric, odd.is_polar, odd.is_stoichiometric, odd.tasker_type) == (True, False, False, 3)
    assert odd.atoms.symbols[0] == odd.atoms.symbols[-1] == termination
    even = build(NITRIDE, miller=(1, 1, 1), n_layers=6, termination=termination)
    assert even.atoms.symbols.formula.count() == {termination: 3, other: 3}
    assert (even.is_symmetric, even.is_polar, even.is_stoichiometric) == (False, True, True)
    assert even.atoms.symbols[0] == other
    assert even.atoms.symbols[-1] == termination


def test_neutral_planes_are_not_polar() -> None:
    for n_layers in (4, 5):
        surface = build(NITRIDE, miller=(0, 0, 1), n_layers=n_layers)
        flags = (surface.is_symmetric, surface.is_polar, surface.is_stoichiometric, surface.tasker_type)
        assert flags == (True, False, True, 1)


def test_metals_are_never_polar() -> None:
    surface = build(LITHIUM, miller=(1, 1, 1), n_layers=6)
    assert not surface.is_polar
    assert surface.tasker_type is None


def test_charges_given_by_the_user_decide() -> None:
    spinel = bulk("NiMn", "cesiumchloride", a=3.0)
    common: dict[str, Any] = {"miller": (0, 0, 1), "n_layers": 4, "vacuum_A": 10.0, "fixed_layers": 0, "name": "alloy"}
    assert not build_surface(spinel, **common).is_polar
    assert build_surface(spinel, **common, charges={"Ni": 1, "Mn": -1}).is_polar


def test_fluorite_is_cut_between_its_triple_layers() -> None:
    assert list_terminations(FLUORITE, miller=(1, 1, 1)) == ["F over Ca 0.79 Å", "F over F 1.58 Å", "Ca"]
    best = build(FLUORITE, miller=(1, 1, 1), n_layers=6, termination="F")
    assert best.termination == "F over Ca 0.79 Å"
    assert (best.is_symmetric, best.is_polar, best.is_stoichiometric, best.tasker_type) == (True, False, True, 2)
    cut_elsewhere = build(FLUORITE, miller=(1, 1, 1), n_layers=6, termination="F over F 1.58 Å")
    assert cut_elsewhere.is_polar
    spacings_A = np.diff(best.atoms.positions[:, 2])
    quarter_A = 5.46 / math.sqrt(3) / 4
    np.testing.assert_allclose(spacings_A, [quarter_A, quarter_A, 2 * quarter_A, quarter_A, quarter_A], rtol=1e-9)


def test_terminations_of_one_element_are_told_by_what_lies_below() -> None:
    short_A, long_A = 3.57 / math.sqrt(3) / 4, 3.57 * math.sqrt(3) / 4
    expected = [f"C over C {short_A:.2f} Å", f"C over C {long_A:.2f} Å"]
    assert list_terminations(DIAMOND, miller=(1, 1, 1)) == expected
    atoms = build(DIAMOND, miller=(1, 1, 1), n_layers=6, termination=expected[0]).atoms
    counts = np.bincount(neighbor_list("i", atoms, 1.7))
    assert counts.tolist() == [3, 4, 4, 4, 4, 3]  # one broken bond an atom, not three


@pytest.mark.parametrize(("crystal", "expected"), [(LITHIUM, ["Li"]), (NITRIDE, ["TiN"]), (FLUORITE, ["F", "Ca"])])
def test_terminations_of_the_cube_face(crystal: Atoms, expected: list[str]) -> None:
    assert list_terminations(crystal, miller=(0, 0, 1)) == expected


def test_a_termination_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InputError, match=r"no termination 'O', needs one of: N; Ti"):
        build(NITRIDE, miller=(1, 1, 1), n_layers=5, termination="O")


@pytest.mark.parametrize(
    ("crystal", "miller", "n_layers"),
    [(NITRIDE, (1, 1, 1), 5), (NITRIDE, (0, 0, 1), 4), (LITHIUM, (1, 1, 1), 6), (FLUORITE, (1, 1, 1), 6)],
)
def test_equal_faces_come_upon_each_other_by_inversion(crystal: Atoms, miller: Miller, n_layers: int) -> None:
    surface = build(crystal, miller=miller, n_layers=n_layers)
    assert surface.is_symmetric
    atoms = surface.atoms.repeat((2, 2, 1))
    inverted = atoms.copy()
    inverted.positions = -atoms.positions
    lowest, partners = atoms.positions[0], inverted.positions[inverted.symbols == atoms.symbols[0]]
    assert any(_lies_on(inverted, atoms, shift=lowest - partner) for partner in partners)


def _lies_on(moved: Atoms, fixed: Atoms, *, shift: np.ndarray) -> bool:
    """Every atom has one of its element at its place, tried one by one."""
    for number, position in zip(moved.numbers, moved.positions + shift, strict=True):
        away = fixed.positions[fixed.numbers == number] - position
        fractions = away @ np.linalg.inv(fixed.cell.array)
        fractions[:, :2] -= np.round(fractions[:, :2])
        if np.linalg.norm(fractions @ fixed.cell.array, axis=1).min() > 1e-6:
            return False
    return True


def test_unequal_faces_are_told_apart() -> None:
    atoms = build(COPPER, miller=(1, 1, 1), n_layers=4).atoms
    assert has_equal_faces(atoms)
    atoms.positions[-1, 2] += 0.2
    assert not has_equal_faces(atoms)
    atoms = build(COPPER, miller=(1, 1, 1), n_layers=4).atoms
    atoms.symbols[0] = "Au"
    assert not has_equal_faces(atoms)
    zinc_blende = bulk("ZnS", "zincblende", a=5.41, cubic=True)
    assert not build(zinc_blende, miller=(1, 1, 1), n_layers=3).is_symmetric
    assert build(zinc_blende, miller=(1, 1, 0), n_layers=3).is_symmetric


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_layers": 0}, "n_layers is 0, needs at least 1"),
        ({"n_layers": -3}, "n_layers is -3, needs at least 1"),
        ({"fixed_layers": 4}, "fixed_layers is 4, needs 0 to 3"),
        ({"fixed_layers": -1}, "fixed_layers is -1, needs 0 to 3"),
        ({"repeats": (1, 0)}, r"repeats is \(1, 0\), needs at least 1"),
        ({"vacuum_A": 0.0}, "vacuum_A is 0, needs at least 6 Å"),
        ({"vacuum_A": math.nan}, "vacuum_A is nan, needs at least 6 Å"),
        ({"miller": (0, 0, 0)}, r"miller is \(0, 0, 0\), needs three whole numbers"),
    ],
)
def test_numbers_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"name": "Li", "miller": (0, 0, 1), "n_layers": 4, "vacuum_A": 15.0, "fixed_layers": 2}
    with pytest.raises(InputError, match=message):
        build_surface(LITHIUM, **(good | change))
