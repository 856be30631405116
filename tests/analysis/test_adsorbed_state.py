"""Each state from a displacement made on purpose."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111, molecule
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from analysis.adsorbed_state import name_state
from structures.errors import InputError
from structures.species import build_species


def build_covered(adsorbate: Atoms, *, height_A: float, size: tuple[int, int, int] = (5, 5, 2)) -> Atoms:
    """The adsorbate with its lowest atom so far above the middle of a slab of copper."""
    slab = fcc111("Cu", size, vacuum=10.0)
    slab.pbc = (True, True, False)
    placed = adsorbate.copy()
    middle_A = (slab.cell.array[0] + slab.cell.array[1]) / 2
    placed.positions += middle_A - placed.positions.mean(axis=0)
    placed.positions[:, 2] += slab.positions[:, 2].max() + height_A - placed.positions[:, 2].min()
    atoms = slab + placed
    atoms.set_array("is_adsorbate", np.arange(len(atoms)) >= len(slab))
    return atoms


@pytest.fixture
def covered() -> Atoms:
    return build_covered(build_species("TFSI-").atoms, height_A=2.4)


def get_mask(atoms: Atoms) -> NDArray[np.bool_]:
    return atoms.arrays["is_adsorbate"]


def test_small_motion_leaves_it_adsorbed(covered: Atoms) -> None:
    after = covered.copy()
    after.rattle(0.02, seed=1)
    found = name_state(covered, after, is_adsorbate=get_mask(covered))
    assert found.state == "adsorbed"
    mask = get_mask(covered)
    apart_A = after.positions[mask][:, None] - after.positions[~mask][None]
    assert found.closest_A == pytest.approx(np.linalg.norm(apart_A, axis=-1).min(), rel=1e-12)
    assert found.fragments == ("C2F6NO4S2",)
    assert found.displacement_A < 0.12
    assert found.reason.startswith(f"closest contact {found.closest_A:.2f} Å")


@pytest.mark.parametrize(("height_A", "state"), [(4.15 - 0.3, "adsorbed"), (4.15 + 0.3, "left")])
def test_it_has_left_beyond_van_der_waals_contact(height_A: float, state: str) -> None:
    """A carbon atom over one of copper: 1.77 + 2.38 Å."""
    before = build_covered(Atoms("C"), height_A=2.0, size=(4, 4, 2))
    before.positions[-1, :2] = before.positions[-2, :2]  # over an atom of the upper layer
    after = before.copy()
    after.positions[-1, 2] += height_A - 2.0
    found = name_state(before, after, is_adsorbate=get_mask(before))
    assert found.state == state
    assert found.closest_A == pytest.approx(height_A, rel=1e-9)
    if state == "left":
        assert found.reason.endswith("0.30 Å beyond van-der-Waals contact")


def test_a_broken_molecule_is_dissociated_even_if_it_left(covered: Atoms) -> None:
    mask = get_mask(covered)
    fluorine = int(np.flatnonzero(mask & (covered.symbols == "F"))[0])
    carbon = min(np.flatnonzero(covered.symbols == "C"), key=lambda c: covered.get_distance(fluorine, c))
    for lift_A in (0.0, 6.0):
        after = covered.copy()
        after.positions[mask] += (0, 0, lift_A)
        bond = after.positions[fluorine] - after.positions[carbon]
        after.positions[fluorine] += 1.6 * bond / np.linalg.norm(bond)
        found = name_state(covered, after, is_adsorbate=mask)
        assert found.state == "dissociated"
        assert found.fragments == ("C2F5NO4S2", "F")
        [broken] = found.adsorbate.broken
        assert broken.atoms == tuple(sorted((int(carbon), fluorine)))
        assert "pieces C2F5NO4S2, F" in found.reason


def test_a_ring_that_opens_is_dissociated_though_it_holds_together() -> None:
    before = build_covered(molecule("C6H6"), height_A=2.6)
    mask = get_mask(before)
    first = int(np.flatnonzero(mask)[0])
    after = before.copy()
    after.positions[mask] = molecule("C6H6").positions  # a chain: each carbon with its hydrogen, stretched along x
    for atom in range(6):
        after.positions[first + atom] = before.positions[first] + (1.4 * atom - 3.5, 0, 0)
        after.positions[first + 6 + atom] = after.positions[first + atom] + (0, 0, 1.09)
    found = name_state(before, after, is_adsorbate=mask)
    assert found.fragments == ("C6H6",)
    assert found.state == "dissociated"
    assert [one.elements for one in found.adsorbate.broken] == [("C", "C")]


def test_lithium_may_give_up_one_contact_of_two_but_not_both() -> None:
    before = build_covered(build_species("LiTFSI").atoms, height_A=2.4, size=(6, 6, 2))
    mask = get_mask(before)
    lithium = len(before) - 1
    oxygens = [i for i in np.flatnonzero(before.symbols == "O") if before.get_distance(lithium, i) < 2.3]
    assert len(oxygens) == 2
    axis = before.positions[oxygens[0]] - before.positions[oxygens[1]]
    start_A = before.positions[oxygens[0]] + 1.9 * axis / np.linalg.norm(axis)
    after = before.copy()
    after.positions[lithium] = start_A
    found = name_state(before, after, is_adsorbate=mask)
    assert [one.elements for one in found.adsorbate.broken] == [("O", "Li")]
    assert (found.state, found.fragments) == ("adsorbed", ("C2F6LiNO4S2",))
    after.positions[lithium] += 3 * axis / np.linalg.norm(axis)
    found = name_state(before, after, is_adsorbate=mask)
    assert (found.state, found.fragments) == ("dissociated", ("C2F6NO4S2", "Li"))


def test_a_bond_within_the_slack_holds() -> None:
    before = build_covered(molecule("CO"), height_A=2.2)
    after = before.copy()
    after.set_distance(len(before) - 2, len(before) - 1, 1.8, fix=1)  # 1.2 sums are 1.70 Å, with the slack 1.96 Å
    found = name_state(before, after, is_adsorbate=get_mask(before))
    assert (found.state, found.fragments) == ("adsorbed", ("CO",))
    after.set_distance(len(before) - 2, len(before) - 1, 2.0, fix=1)
    assert name_state(before, after, is_adsorbate=get_mask(before)).state == "dissociated"


@pytest.mark.parametrize(("shift_A", "state"), [(0.4, "adsorbed"), (1.2, "reconstructed")])
def test_an_atom_that_moves_far_is_a_reconstruction(covered: Atoms, shift_A: float, state: str) -> None:
    after = covered.copy()
    top = int(np.flatnonzero(covered.arrays["tags"] == 1)[0])
    after.positions[top, 2] += shift_A
    found = name_state(covered, after, is_adsorbate=get_mask(covered))
    assert found.state == state
    assert found.displacement_A == pytest.approx(shift_A, rel=1e-9)
    if state == "reconstructed":
        assert "moved 1.20 Å, limit 1.00 Å" in found.reason
        wider = name_state(covered, after, is_adsorbate=get_mask(covered), displacement_limit_A=2.0)
        assert wider.state == "adsorbed"  # its bonds to the lower layer are 3.6 Å, within the slack


def test_a_broken_substrate_is_a_reconstruction() -> None:
    pair = Atoms("O2Li", positions=[(0, 0, 0), (1.25, 0, 0), (0.6, 2.0, 0)])
    after = pair.copy()
    after.positions[1] = (1.9, 0, 0)
    found = name_state(pair, after, is_adsorbate=[False, False, True])
    assert found.state == "reconstructed"
    assert found.displacement_A < 1.0
    assert found.reason.startswith("broken: O–O 1.25 → 1.90 Å")


def test_the_motion_of_the_whole_does_not_count(covered: Atoms) -> None:
    shifted = covered.copy()
    shifted.positions += (0.9, 0.8, 0.7)
    found = name_state(covered, shifted, is_adsorbate=get_mask(covered))
    assert found.state == "adsorbed"
    assert found.displacement_A == pytest.approx(0, abs=1e-9)
    cluster = molecule("C6H6") + Atoms("Li", positions=[(0, 0, 2.0)])
    turned = cluster.copy()
    turned.positions = turned.positions @ Rotation.from_rotvec([0.3, 0.9, -0.4]).as_matrix().T + (5, 0, 1)
    found = name_state(cluster, turned, is_adsorbate=cluster.symbols == "Li")
    assert found.state == "adsorbed"
    assert found.displacement_A == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (2, 3)])
def test_a_molecule_across_the_boundary_is_whole(covered: Atoms, shift: tuple[int, int]) -> None:
    mask = get_mask(covered)
    vector_A = shift[0] * covered.cell.array[0] + shift[1] * covered.cell.array[1]
    split_up, moved = covered.copy(), covered.copy()
    split_up.positions[np.flatnonzero(mask)[::2]] += vector_A  # every other atom in another cell
    moved.positions[mask] += vector_A
    still = name_state(covered, covered, is_adsorbate=mask)
    for other in (split_up, moved):
        for before, after in ((covered, other), (other, covered)):
            found = name_state(before, after, is_adsorbate=mask)
            assert (found.state, found.fragments) == ("adsorbed", ("C2F6NO4S2",))
            assert found.closest_A == pytest.approx(still.closest_A, rel=1e-9)


def test_values_are_those_of_json(covered: Atoms) -> None:
    found = name_state(covered, covered, is_adsorbate=get_mask(covered))
    told = json.loads(json.dumps(found.to_json()))
    assert told["state"] == "adsorbed"
    assert told["fragments"] == ["C2F6NO4S2"]
    assert set(told["bonds"]) == {"adsorbate", "substrate", "between"}


def test_a_mask_without_adsorbate_is_refused(covered: Atoms) -> None:
    with pytest.raises(InputError, match="is_adsorbate marks 0 of"):
        name_state(covered, covered, is_adsorbate=np.zeros(len(covered), dtype=bool))
    with pytest.raises(InputError, match="same atoms in the same order"):
        name_state(covered, covered[::-1], is_adsorbate=get_mask(covered))
