"""Metal slabs fitted to a lateral size."""

import math
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bcc110, bulk, fcc111
from ase.io import write
from ase.neighborlist import neighbor_list

from structures.crystal_planes import Miller
from structures.electrode import build_electrode
from structures.errors import InputError
from structures.lateral_fit import find_rectangular_vectors, fit_repeats

LITHIUM_A = 3.51


def test_the_papers_electrode_is_two_planes_of_eight_by_eight() -> None:
    electrode = build_electrode("Li", lateral_A=(28.22, 28.22), n_layers=2)
    assert len(electrode.atoms) == 2 * 8 * 8
    assert electrode.lateral_A == pytest.approx((28.22, 28.22), rel=1e-12)
    assert electrode.repeats == (8, 8)
    assert electrode.strain == pytest.approx([28.22 / 28.08 - 1] * 2, rel=1e-9)
    assert electrode.thickness_A == pytest.approx(LITHIUM_A / 2, rel=1e-9)
    atoms = electrode.atoms
    assert set(atoms.arrays["region"]) == set(atoms.arrays["species"]) == {"electrode"}
    assert not atoms.arrays["molecule"].any()
    assert atoms.positions[:, 2].min() == 0
    assert atoms.pbc.tolist() == [True, True, False]
    assert "Nadler" in electrode.source


@pytest.mark.parametrize(
    ("facet", "edges_A", "per_plane"),
    [
        ((1, 0, 0), (LITHIUM_A, LITHIUM_A), 1),
        ((1, 1, 0), (LITHIUM_A, LITHIUM_A * math.sqrt(2)), 2),
        ((1, 1, 1), (LITHIUM_A * math.sqrt(2), LITHIUM_A * math.sqrt(6)), 2),
    ],
)
def test_facets_have_their_rectangular_cells(facet: Miller, edges_A: tuple[float, float], per_plane: int) -> None:
    lateral_A = (6 * edges_A[0], 4 * edges_A[1])
    electrode = build_electrode("Li", facet=facet, lateral_A=lateral_A, n_layers=3)
    assert electrode.repeats == (6, 4)
    assert electrode.strain == pytest.approx((0, 0), abs=1e-9)
    assert len(electrode.atoms) == 3 * 24 * per_plane
    thick = build_electrode("Li", facet=facet, lateral_A=lateral_A, n_layers=9).atoms
    counts = np.bincount(neighbor_list("i", thick, LITHIUM_A * 0.9), minlength=len(thick))
    middle = np.abs(thick.positions[:, 2] - np.ptp(thick.positions[:, 2]) / 2) < 0.1
    assert set(counts[middle]) == {8}  # body-centred cubic


@pytest.mark.parametrize(
    ("element", "facet", "theirs"),
    [
        ("Li", (1, 1, 0), bcc110("Li", (4, 6, 3), a=3.51, orthogonal=True)),
        ("Al", (1, 1, 1), fcc111("Al", (6, 4, 3), a=4.05, orthogonal=True)),
    ],
)
def test_slabs_are_those_that_ase_builds(element: str, facet: Miller, theirs: Atoms) -> None:
    lateral_A = tuple(theirs.cell.lengths()[:2])
    ours = build_electrode(element, facet=facet, lateral_A=lateral_A, n_layers=3)
    assert ours.strain == pytest.approx((0, 0), abs=1e-9)
    theirs.pbc = (True, True, False)
    theirs.cell[2] = (0, 0, 30)
    padded = ours.atoms.copy()
    padded.cell[2] = (0, 0, 30)
    distances_A = [np.sort(one.get_all_distances(mic=True), axis=None) for one in (padded, theirs)]
    np.testing.assert_allclose(distances_A[0], distances_A[1], rtol=0, atol=1e-6)


def test_the_lattice_can_be_kept() -> None:
    strained = build_electrode("Li", lateral_A=(28.22, 20.0), max_strain=0.06)
    kept = build_electrode("Li", lateral_A=(28.22, 20.0), keep_lattice=True)
    assert kept.lateral_A == pytest.approx((8 * LITHIUM_A, 6 * LITHIUM_A), rel=1e-12)
    assert kept.strain == (0, 0)
    assert strained.lateral_A == pytest.approx((28.22, 20.0), rel=1e-12)
    assert strained.strain == pytest.approx((28.22 / 28.08 - 1, 20 / 21.06 - 1), rel=1e-9)
    np.testing.assert_allclose(
        strained.atoms.positions[:, :2] / strained.lateral_A, kept.atoms.positions[:, :2] / kept.lateral_A, atol=1e-9
    )


def test_hexagonal_and_other_metals_have_rectangular_cells() -> None:
    for element, facet, nearest_A in (("Mg", (0, 0, 1), 3.197), ("K", (1, 1, 0), 4.614), ("Cu", (1, 1, 1), 2.556)):
        electrode = build_electrode(element, facet=facet, lateral_A=(30, 25), n_layers=4, keep_lattice=True)
        padded = electrode.atoms.copy()
        padded.cell[2] = (0, 0, 60)
        distances_A = neighbor_list("d", padded, nearest_A + 0.3)
        assert distances_A.min() == pytest.approx(nearest_A, abs=2e-3)


def test_a_file_may_hold_a_crystal_or_a_slab(tmp_path: Path) -> None:
    write(tmp_path / "li.cif", bulk("Li", "bcc", a=LITHIUM_A, cubic=True))
    from_crystal = build_electrode(tmp_path / "li.cif", facet=(1, 1, 0), lateral_A=(28.08, 29.78))
    named = build_electrode("Li", facet=(1, 1, 0), lateral_A=(28.08, 29.78))
    assert from_crystal.source == "li.cif"
    np.testing.assert_allclose(
        np.sort(from_crystal.atoms.get_all_distances(mic=True), axis=None),
        np.sort(named.atoms.get_all_distances(mic=True), axis=None),
        atol=1e-5,
    )
    slab = bcc110("Li", (2, 2, 3), a=LITHIUM_A, vacuum=10, orthogonal=True)
    slab.pbc = True
    slab.positions[:, 2] += 9  # across the boundary
    slab.wrap()
    write(tmp_path / "slab.vasp", slab)
    taken = build_electrode(tmp_path / "slab.vasp", lateral_A=(28.08, 29.78))
    assert taken.facet is None
    assert len(taken.atoms) == 8 * 6 * 2 * 3
    assert taken.thickness_A == pytest.approx(2 * LITHIUM_A / math.sqrt(2), abs=1e-6)
    with pytest.raises(InputError, match=r"n_layers 2, but slab.vasp holds a slab"):
        build_electrode(tmp_path / "slab.vasp", n_layers=2)


def test_a_leaning_slab_is_refused(tmp_path: Path) -> None:
    slab = fcc111("Al", (2, 2, 3), a=4.05, vacuum=10)
    slab.cell[2, 0] = 3.0
    write(tmp_path / "leaning.vasp", slab)
    with pytest.raises(InputError, match=r"leans by 3\.00 Å"):
        build_electrode(tmp_path / "leaning.vasp")


def test_too_much_strain_names_sizes_that_need_none() -> None:
    with pytest.raises(InputError, match=r"-5\.2 % along y .* limit 3 %.* 28\.08 or 31\.59 Å .* 24\.82 or 29\.78 Å"):
        build_electrode("Li", facet=(1, 1, 0))
    for size_A in (24.82, 29.78):
        assert build_electrode("Li", facet=(1, 1, 0), lateral_A=(28.22, size_A)).lateral_A[1] == size_A


@pytest.mark.parametrize(
    ("crystal", "settings", "said"),
    [
        ("Xx", {}, "electrode is 'Xx', needs the symbol of a metal"),
        ("Bi", {}, "electrode is 'Bi', needs the symbol of a metal"),
        ("Li", {"n_layers": 0}, "n_layers is 0"),
        ("Li", {"lateral_A": (3.0, 28.0)}, "needs at least 6 Å"),
        ("Li", {"lateral_A": (float("nan"), 28.0)}, "needs at least 6 Å"),
        ("Li", {"max_strain": -1}, "max_strain is -1"),
        ("Li", {"facet": (0, 0, 0)}, "miller is"),
    ],
)
def test_bad_numbers_are_refused(crystal: str, settings: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        build_electrode(crystal, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lattice_A", "edges_A"),
    [
        ([[1, 0], [0.5, math.sqrt(3) / 2]], (1, math.sqrt(3))),
        ([[1, 0], [0.5, 2]], (1, 4)),
        ([[1, 0], [3, 1.5]], (1, 1.5)),
        ([[2, 1], [-1, 2]], (math.sqrt(5), math.sqrt(5))),
    ],
)
def test_rectangular_cells_of_plane_lattices(lattice_A: list[list[float]], edges_A: tuple[float, float]) -> None:
    vectors_A = find_rectangular_vectors(np.array(lattice_A)) @ np.array(lattice_A)
    assert np.linalg.norm(vectors_A, axis=1) == pytest.approx(edges_A, rel=1e-9)
    assert vectors_A[0] @ vectors_A[1] == pytest.approx(0, abs=1e-9)
    assert np.linalg.det(vectors_A) > 0


def test_a_plane_without_right_angles_is_refused() -> None:
    with pytest.raises(InputError, match=r"at 7\d\.\d°; no two"):
        find_rectangular_vectors(np.array([[1.0, 0], [0.37, 1.23]]))


def test_a_rectangle_is_turned_where_that_fits_better() -> None:
    fit = fit_repeats((3.0, 5.0), lateral_A=(20.0, 27.0))
    assert (fit.is_turned, fit.repeats, fit.strain) == (True, (4, 9), (0.0, 0.0))
