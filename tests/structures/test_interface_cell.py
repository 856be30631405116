"""Cells of electrode, layer and liquid: order, charge, heights, boundaries."""

import math

import numpy as np
import pytest
from ase import Atoms
from ase.data.vdw_alvarez import vdw_radii

from structures.accessible_volume import compute_excluded_volume_A3
from structures.electrode import Electrode, build_electrode
from structures.errors import InputError
from structures.interface_cell import Boundary, InterfaceCell, build_interface_cell
from structures.labels import compute_smallest_contact
from structures.layer import Layer, build_layer
from structures.species import build_species

LITHIUM, TFSI, NODE = build_species("Li+"), build_species("TFSI-"), build_species("NH2-MIL-node")
LATERAL_A = (14.04, 17.55)
PAIRS = [(LITHIUM, 14), (TFSI, 14)]
ELECTRODE = build_electrode("Li", lateral_A=LATERAL_A)
LAYER = build_layer(NODE, lateral_A=LATERAL_A)
BOUNDARIES: tuple[Boundary, ...] = ("periodic", "vacuum", "wall", "second-electrode")


def build(
    layer: Layer | None = None, *, boundary: Boundary = "periodic", seed: int = 1, density: float = 1.5
) -> InterfaceCell:
    return build_interface_cell(
        ELECTRODE, molecules=PAIRS, seed=seed, layer=layer, density_g_per_cm3=density, boundary=boundary
    )


@pytest.mark.parametrize("layer", [None, LAYER])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_order_labels_charge_and_contacts(layer: Layer | None, boundary: Boundary) -> None:
    cell = build(layer, boundary=boundary)
    atoms = cell.atoms
    n_electrode = len(ELECTRODE.atoms) * (2 if boundary == "second-electrode" else 1)
    n_layer = 0 if layer is None else 105
    assert atoms.arrays["region"].tolist() == (
        ["electrode"] * n_electrode + ["layer"] * n_layer + ["electrolyte"] * 14 * 16
    )
    first = 1 if layer is None else 2
    expected = [*[0] * n_electrode, *[1] * n_layer, *range(first, first + 14)]
    assert atoms.arrays["molecule"].tolist() == expected + np.repeat(range(first + 14, first + 28), 15).tolist()
    names, counts = np.unique(atoms.arrays["species"], return_counts=True)
    found = dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert found.pop("NH2-MIL-node", 0) == n_layer
    assert found == {"electrode": n_electrode, "Li+": 14, "TFSI-": 14 * 15}
    assert sum(species.charge * count for species, count in cell.molecules) == 0
    assert compute_smallest_contact(atoms)[0] == pytest.approx(cell.smallest_contact_A)
    assert cell.smallest_contact_A >= 2.0 - 1e-3
    assert (atoms.positions[:, 2] >= 0).all()
    assert (atoms.positions[:, 2] <= atoms.cell.lengths()[2] + 1e-9).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_boundaries(boundary: Boundary) -> None:
    cell = build(boundary=boundary)
    atoms, top_A = cell.atoms, cell.atoms.cell.lengths()[2]
    is_liquid = atoms.arrays["region"] == "electrolyte"
    liquid_z_A = atoms.positions[is_liquid, 2]
    assert liquid_z_A.min() >= cell.surface_z_A + 2.0
    assert liquid_z_A.max() <= cell.high_z_A - 1.0
    assert atoms.pbc.tolist() == [True, True, boundary == "periodic"]
    if boundary == "periodic":
        assert top_A == pytest.approx(cell.high_z_A)
        assert ELECTRODE.thickness_A + 2.0 + cell.height_A == pytest.approx(top_A)
        assert (cell.vacuum_A, cell.wall_z_A) == (0, None)
    elif boundary == "vacuum":
        assert top_A - cell.high_z_A == pytest.approx(20.0)
        assert (cell.vacuum_A, cell.wall_z_A) == (20.0, None)
    elif boundary == "wall":
        assert cell.wall_z_A == pytest.approx(top_A)
        assert cell.wall_z_A == pytest.approx(cell.high_z_A + 1.0)
    else:
        metal_z_A = atoms.positions[~is_liquid, 2]
        middle_A = (cell.low_z_A + cell.high_z_A) / 2
        np.testing.assert_allclose(np.sort(metal_z_A), np.sort(2 * middle_A - metal_z_A), rtol=0, atol=1e-9)
        assert cell.wall_z_A == pytest.approx(metal_z_A[metal_z_A > middle_A].min())
        assert top_A - metal_z_A.max() == pytest.approx(20.0)


def test_cells_with_and_without_a_layer_are_comparable() -> None:
    without, with_layer = build(), build(LAYER)
    assert without.density_g_per_cm3 == pytest.approx(1.5, rel=1e-9)
    assert with_layer.density_g_per_cm3 == pytest.approx(1.5, rel=1e-9)
    assert with_layer.free_height_A == pytest.approx(without.free_height_A, rel=1e-9)
    taken_A = with_layer.excluded_A3 / with_layer.area_A2
    assert with_layer.height_A - without.height_A == pytest.approx(taken_A, rel=1e-9)
    # Between the van der Waals volume of the node, about 20 Å³ for each atom that is no hydrogen, and its box.
    assert 79 * 10 < with_layer.excluded_A3 < 11.0 * 11.4 * 11.8
    assert without.excluded_A3 == without.free_share_beside_layer == without.filled_share_beside_layer == 0
    metals = [cell.atoms[cell.atoms.arrays["region"] == "electrode"] for cell in (without, with_layer)]
    np.testing.assert_array_equal(metals[0].positions, metals[1].positions)


def test_room_beside_the_layer_is_filled() -> None:
    cell = build(LAYER, boundary="wall", density=1.2)
    assert cell.layer_top_A is not None
    beside_A3 = (cell.layer_top_A - cell.low_z_A) * cell.area_A2 - cell.excluded_A3
    assert cell.free_share_beside_layer == pytest.approx(beside_A3 / (cell.free_height_A * cell.area_A2), rel=1e-9)
    assert 0.2 < cell.free_share_beside_layer < 0.5
    heights_A = [cell.atoms.positions[cell.atoms.arrays["molecule"] == number, 2].mean() for number in range(2, 2 + 28)]
    assert cell.filled_share_beside_layer == pytest.approx(np.mean(np.array(heights_A) < cell.layer_top_A))
    # Of the share 0.85, 0.6 or 0.35 is asked for; middles of molecules lie near their middle atoms.
    assert cell.filled_share_beside_layer > 0.3 * cell.free_share_beside_layer


def test_a_free_height_gives_its_density() -> None:
    cell = build_interface_cell(ELECTRODE, molecules=PAIRS, seed=1, free_height_A=20.0)
    assert cell.height_A == pytest.approx(20.0)
    volume_A3 = math.prod(LATERAL_A) * 20
    mass_u = 14 * sum(one.atoms.get_masses().sum() for one in (LITHIUM, TFSI))
    assert cell.density_g_per_cm3 == pytest.approx(mass_u / volume_A3 * 1.66053906660, rel=1e-6)


def test_same_seed_same_bytes_other_seed_other_places() -> None:
    first, again, other = (build(LAYER, seed=seed, density=1.2) for seed in (5, 5, 6))
    assert first.atoms.positions.tobytes() == again.atoms.positions.tobytes()
    is_liquid = first.atoms.arrays["region"] == "electrolyte"
    assert np.abs(first.atoms.positions - other.atoms.positions)[is_liquid].max() > 1
    np.testing.assert_array_equal(first.atoms.positions[~is_liquid], other.atoms.positions[~is_liquid])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"molecules": [(LITHIUM, 2), (TFSI, 1)]}, r"add up to \+1 e, needs exactly 0"),
        ({"boundary": "open"}, "boundary is 'open', needs one of periodic, vacuum, wall, second-electrode"),
        ({"free_height_A": 20.0}, "density_g_per_cm3 is 1.5 and free_height_A 20.0, needs exactly one"),
        ({"density_g_per_cm3": None}, "density_g_per_cm3 is None and free_height_A None, needs exactly one"),
        ({"layer": LAYER, "layer_gap_A": 0.5}, "layer_gap_A is 0.5, needs at least 1.5"),
        ({"vacuum_A": -1}, "vacuum_A is -1"),
        ({"layer": build_layer(NODE, lateral_A=(20, 20))}, r"20\.00 × 20\.00 Å large, the electrode 14\.04 × 17\.55"),
        (
            {"layer": LAYER, "molecules": [(LITHIUM, 1), (TFSI, 1)]},
            r"layer reaches up to 17\.\d Å, the liquid to 9\.0 Å",
        ),
    ],
)
def test_cells_that_cannot_be_are_refused(changes: dict[str, object], said: str) -> None:
    request: dict[str, object] = {"molecules": PAIRS, "seed": 1, "density_g_per_cm3": 1.5} | changes
    with pytest.raises(InputError, match=said):
        build_interface_cell(ELECTRODE, **request)  # type: ignore[arg-type]


def test_excluded_volume_of_spheres() -> None:
    one_A3 = 4 / 3 * math.pi * vdw_radii[6] ** 3
    for places, n_spheres in (([(3, 4, 6)], 1), ([(3, 4, 6), (9.5, 10, 6)], 2), ([(0, 0, 6)], 1)):
        body = Atoms(f"C{len(places)}", places, cell=[14, 15, 5])
        assert compute_excluded_volume_A3(body, floor_A=0) == pytest.approx(n_spheres * one_A3, rel=0.05)
    finer = compute_excluded_volume_A3(Atoms("C", [(3, 4, 6)], cell=[14, 15, 5]), floor_A=0, spacing_A=0.1)
    assert finer == pytest.approx(one_A3, rel=0.03)


def test_half_a_sphere_above_the_floor_and_the_groove_at_its_foot_are_excluded() -> None:
    radius_A, probe_A = vdw_radii[6], 1.4
    body = Atoms("C", [(7, 7, 3)], cell=[14, 14, 5])
    # Rolled round the sphere on the floor, the probe touches it at height p (R - p … ): the body of revolution below
    # the torus of the probe's centre, by Pappus: integrate the radius of its surface from the floor to the pole.
    heights_A = np.linspace(0, radius_A, 20_001)
    circle_A = math.sqrt((radius_A + probe_A) ** 2 - probe_A**2)
    touch_A = radius_A * probe_A / (radius_A + probe_A)
    groove_A = circle_A - np.sqrt(np.maximum(probe_A**2 - (heights_A - probe_A) ** 2, 0))
    sphere_A = np.sqrt(np.maximum(radius_A**2 - heights_A**2, 0))
    outline_A = np.where(heights_A < touch_A, groove_A, sphere_A)
    expected_A3 = float(np.trapezoid(math.pi * outline_A**2, heights_A))
    assert compute_excluded_volume_A3(body, floor_A=3.0, spacing_A=0.12) == pytest.approx(expected_A3, rel=0.05)


def test_excluded_volume_does_not_depend_on_where_the_body_lies() -> None:
    values = []
    for shift_A in ((0, 0), (3.3, 5.1), (-8, 2.2)):
        moved = LAYER.atoms.copy()
        moved.positions += (*shift_A, 4.0)
        values.append(compute_excluded_volume_A3(moved, floor_A=2.0))
    np.testing.assert_allclose(values, values[0], rtol=0.02)


def test_an_element_without_a_radius_is_refused() -> None:
    with pytest.raises(InputError, match="Po has no van der Waals radius"):
        compute_excluded_volume_A3(Atoms("Po", [(1, 1, 1)], cell=[5, 5, 5]), floor_A=0)


def test_electrode_is_left_as_it_was() -> None:
    before = ELECTRODE.atoms.positions.copy()
    build(LAYER, boundary="second-electrode")
    np.testing.assert_array_equal(ELECTRODE.atoms.positions, before)
    assert isinstance(ELECTRODE, Electrode)
