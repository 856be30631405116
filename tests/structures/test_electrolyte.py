"""Packed electrolytes: counts, densities, distances and determinism."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances

from structures.composition import (
    find_height_A,
)
from structures.electrolyte import pack_electrolyte
from structures.errors import CalculationError, InputError, SetupError
from structures.labels import check_smallest_contact, compute_smallest_contact, join_labelled, label_atoms
from structures.species import Species, build_species

LITHIUM, TFSI = build_species("Li+"), build_species("TFSI-")
WATER = Species("H2O", Atoms("OH2", [(0, 0, 0), (0.76, 0.59, 0), (-0.76, 0.59, 0)]))
NODE = build_species("NH2-MIL-node")
LATERAL_A = (14.04, 14.04)
PAIRS = [(LITHIUM, 12), (TFSI, 12)]


def pack(seed: int = 1, *, density: float = 1.6, tolerance_A: float = 2.0) -> Atoms:
    height_A = find_height_A(PAIRS, density_g_per_cm3=density, area_A2=LATERAL_A[0] * LATERAL_A[1])
    return pack_electrolyte(
        PAIRS, lateral_A=LATERAL_A, heights_A=(0, height_A), period_A=height_A, seed=seed, tolerance_A=tolerance_A
    )


def measure_naively(atoms: Atoms) -> float:
    """Smallest distance between molecules by a loop over all pairs of them, minimum images by ASE."""
    molecules = atoms.arrays["molecule"]
    smallest = np.inf
    for first in np.unique(molecules):
        for second in np.unique(molecules[molecules > first]):
            parts = [atoms.positions[molecules == number] for number in (first, second)]
            smallest = min(smallest, get_distances(parts[0], parts[1], cell=atoms.cell, pbc=atoms.pbc)[1].min())
    return float(smallest)


def test_counts_order_and_labels() -> None:
    atoms = pack()
    assert len(atoms) == 12 + 12 * 15
    assert atoms.symbols[:12].formula.count() == {"Li": 12}
    assert atoms.arrays["molecule"].tolist() == [*range(12), *np.repeat(range(12, 24), 15)]
    assert atoms.arrays["species"].tolist() == ["Li+"] * 12 + ["TFSI-"] * 180
    assert set(atoms.arrays["region"]) == {"electrolyte"}
    np.testing.assert_array_equal(atoms.numbers[12:].reshape(12, 15), np.tile(TFSI.atoms.numbers, (12, 1)))


def test_molecules_keep_their_geometry_and_are_whole() -> None:
    template_A = TFSI.atoms.get_all_distances()
    for molecule in pack().positions[12:].reshape(12, 15, 3):
        found_A = np.linalg.norm(molecule[:, None] - molecule, axis=-1)
        np.testing.assert_allclose(found_A, template_A, rtol=0, atol=2e-5)  # six digits in Packmol's file
        # A mirror image has the same distances: the volume of a tetrahedron tells it.
        volumes = [np.linalg.det(places[[1, 4, 7]] - places[11]) for places in (molecule, TFSI.atoms.positions)]
        assert volumes[0] == pytest.approx(volumes[1], rel=1e-3)


@pytest.mark.parametrize("tolerance_A", [1.8, 2.0])
def test_no_pair_is_closer_than_the_tolerance(tolerance_A: float) -> None:
    atoms = pack(tolerance_A=tolerance_A)
    smallest_A, first, second = compute_smallest_contact(atoms)
    assert smallest_A == pytest.approx(measure_naively(atoms), rel=1e-9)
    assert smallest_A >= tolerance_A
    assert atoms.arrays["molecule"][first] != atoms.arrays["molecule"][second]
    assert atoms.get_distance(first, second, mic=True) == pytest.approx(smallest_A, rel=1e-9)


def test_a_contact_across_the_boundary_counts() -> None:
    pair = label_atoms(Atoms("Li2", [(0.2, 5, 5), (9.1, 5, 5)], cell=[10] * 3, pbc=True), region="x", species="Li")
    assert compute_smallest_contact(pair)[0] == np.inf
    pair.arrays["molecule"][1] = 1
    assert compute_smallest_contact(pair)[0] == pytest.approx(1.1, rel=1e-9)
    pair.pbc = (False, True, True)
    assert compute_smallest_contact(pair)[0] == np.inf


def test_density_is_the_one_asked_for() -> None:
    atoms = pack(density=1.6)
    density = atoms.get_masses().sum() * 1.66053906660 / atoms.get_volume()
    assert density == pytest.approx(1.6, rel=1e-6)
    assert np.ptp(atoms.positions[:, 2]) == pytest.approx(atoms.cell.lengths()[2] - 2.0, abs=1.0)


def test_same_seed_same_bytes_other_seed_other_places() -> None:
    first, again, other = pack(3), pack(3), pack(4)
    assert first.positions.tobytes() == again.positions.tobytes()
    assert np.abs(first.positions - other.positions).max() > 1


def test_thousands_of_atoms_pack() -> None:
    molecules = [(WATER, 900)]
    height_A = find_height_A(molecules, density_g_per_cm3=0.9, area_A2=30.0**2)
    atoms = pack_electrolyte(molecules, lateral_A=(30, 30), heights_A=(0, height_A), period_A=height_A, seed=1)
    assert len(atoms) == 2700
    assert compute_smallest_contact(atoms)[0] >= 2.0


def test_a_fixed_body_is_kept_clear() -> None:
    body = label_atoms(
        Atoms("Li", [(7, 7, 8)], cell=[14, 14, 16], pbc=(True, True, False)), region="layer", species="Li"
    )
    packed = pack_electrolyte([(WATER, 40)], lateral_A=(14, 14), heights_A=(0, 16), seed=2, fixed=body)
    assert len(packed) == 120
    whole = join_labelled([body, packed])
    assert whole.arrays["molecule"].max() == 40
    distances_A = get_distances(body.positions, packed.positions, cell=packed.cell, pbc=packed.pbc)[1]
    assert distances_A.min() >= 2.0


def test_a_fixed_body_that_leaves_no_room_is_told() -> None:
    places = np.stack(np.meshgrid(*[np.arange(5) * 2.4] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    solid = label_atoms(Atoms("C125", places, cell=[12] * 3, pbc=(True, True, False)), region="layer", species="C")
    with pytest.raises(
        InputError, match=r"\(5 H2O\) find no place at 0\.\d+ g/cm³ .* beside 125 fixed atoms\. With nothing"
    ):
        pack_electrolyte([(WATER, 5)], lateral_A=(12, 12), heights_A=(0, 10.6), seed=1, fixed=solid)


def test_a_molecule_that_overlaps_a_fixed_layer_is_named() -> None:
    cell = {"cell": [12, 12, 20], "pbc": (True, True, False)}
    layer = label_atoms(Atoms("C", [(0.3, 6, 5)], **cell), region="layer", species="sheet")
    liquid = label_atoms(Atoms("O", [(11.6, 6, 6)], **cell), region="electrolyte", species="H2O")
    whole = join_labelled([layer, liquid])
    said = (
        r"atom 0 \(C of sheet, layer\) and atom 1 \(O of H2O, electrolyte\) are 1\.22 Å apart, needs at least 1\.50 Å"
    )
    with pytest.raises(InputError, match=said):
        check_smallest_contact(whole, minimum_A=1.5)
    assert check_smallest_contact(whole, minimum_A=1.2) == pytest.approx(math.hypot(0.7, 1.0))


@pytest.mark.parametrize(
    ("molecules", "said"),
    [
        (
            [(LITHIUM, 3), (TFSI, 2)],
            r"to \+1 e, needs exactly 0: \+3 e \(3 Li\+\) -2 e \(2 TFSI-\)\. Set Li\+: 2 or",
        ),
        ([(TFSI, 1)], r"add up to -1 e.* Set TFSI-: 0"),
        ([(WATER, 0)], "0 molecules, needs at least 1"),
        ([(WATER, -1)], "-1 molecules of H2O"),
    ],
)
def test_charged_and_empty_electrolytes_are_refused(molecules: list[tuple[Species, int]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        pack_electrolyte(molecules, lateral_A=LATERAL_A, heights_A=(0, 10), seed=1)


def test_a_density_that_cannot_be_packed_is_explained_with_one_that_can() -> None:
    few = [(LITHIUM, 4), (TFSI, 4)]
    with pytest.raises(InputError, match=r"4 TFSI-\) find no place at 3\.20 g/cm³ .* fit at 2\.\d+") as caught:
        pack_electrolyte(
            few, lateral_A=(12, 12), heights_A=(0, find_height_A(few, density_g_per_cm3=3.2, area_A2=144)), seed=1
        )
    fitting = 0.9 * float(str(caught.value).split("they fit at ")[1].split()[0])
    height_A = find_height_A(few, density_g_per_cm3=fitting, area_A2=144)
    assert len(pack_electrolyte(few, lateral_A=(12, 12), heights_A=(0, height_A), period_A=height_A, seed=1)) == 64


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"tolerance_A": 0.1}, "tolerance_A is 0.1"),
        ({"heights_A": (0, 2)}, r"height is 2\.00 Å, needs more than 2\.20 Å"),
        ({"lateral_A": (8, 30)}, r"TFSI- is 7\.\d Å long .* 8\.00 × 30\.00 Å, needs at least 9\.\d"),
    ],
)
def test_impossible_requests_are_refused(settings: dict[str, object], said: str) -> None:
    request: dict[str, object] = {"lateral_A": LATERAL_A, "heights_A": (0, 20), "seed": 1} | settings
    with pytest.raises(InputError, match=said):
        pack_electrolyte([(LITHIUM, 1), (TFSI, 1)], **request)  # type: ignore[arg-type]


def test_a_packmol_that_is_missing_or_breaks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="pip install packmol"):
        pack()
    broken = tmp_path / "packmol"
    broken.write_text("#!/bin/sh\necho no room for arrays\nexit 7\n")
    broken.chmod(0o755)
    with pytest.raises(CalculationError, match=r"status 7:\nno room for arrays"):
        pack()
