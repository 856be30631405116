"""Counts, concentrations and densities against closed forms."""

import numpy as np
import pytest
from ase import Atoms

from structures.composition import (
    Salt,
    Solvent,
    compute_concentration_mol_per_L,
    compute_density_g_per_cm3,
    compute_mass_u,
    count_molecules,
    find_height_A,
    find_volume_A3,
)
from structures.errors import InputError
from structures.species import Species, build_from_smiles, build_species

LITHIUM, TFSI = build_species("Li+"), build_species("TFSI-")
SALT = Salt("LiTFSI", ((LITHIUM, 1), (TFSI, 1)))
WATER = Species("H2O", Atoms("OH2", [(0, 0, 0), (0.76, 0.59, 0), (-0.76, 0.59, 0)]))
ETHER = Species("DME", Atoms("C4H10O2", np.arange(48).reshape(16, 3)))


def test_water_has_55_mol_in_a_litre_at_its_density() -> None:
    volume_A3 = find_volume_A3([(WATER, 100)], density_g_per_cm3=0.99705)
    assert volume_A3 / 100 == pytest.approx(30.0, rel=2e-3)
    assert compute_concentration_mol_per_L(100, volume_A3=volume_A3) == pytest.approx(55.34, abs=0.01)
    assert compute_density_g_per_cm3([(WATER, 100)], volume_A3=volume_A3) == pytest.approx(0.99705, rel=1e-12)


def test_mass_of_the_salt_is_that_of_its_formula() -> None:
    assert compute_mass_u([(LITHIUM, 2), (TFSI, 2)]) == pytest.approx(2 * 287.09, rel=1e-4)


def test_height_of_the_papers_cell_by_hand() -> None:
    # 100 × 287.09 u at 1.7 g/cm³ over 28.22² Å²; 1 u/Å³ is 1.66054 g/cm³.
    pairs = [(LITHIUM, 100), (TFSI, 100)]
    height_A = find_height_A(pairs, density_g_per_cm3=1.7, area_A2=28.22**2)
    assert height_A == pytest.approx(100 * 287.09 * 1.66054 / 1.7 / 28.22**2, rel=1e-4)
    more_A = find_height_A(pairs, density_g_per_cm3=1.7, area_A2=28.22**2, excluded_A3=28.22**2 * 5)
    assert more_A - height_A == pytest.approx(5, rel=1e-9)


def test_molar_lithium_salt_in_a_mixture_by_mole() -> None:
    volume_A3 = 1e5
    solution = count_molecules(
        [(SALT, 1.0)],
        solvents=[Solvent(WATER, 1), Solvent(ETHER, 3)],
        volume_A3=volume_A3,
        density_g_per_cm3=1.1,
    )
    counts = {species.name: count for species, count in solution.molecules}
    assert counts["Li+"] == counts["TFSI-"] == round(1e5 * 6.02214076e-4)
    assert counts["DME"] / counts["H2O"] == pytest.approx(3, rel=0.01)
    assert solution.concentrations_mol_per_L == {"LiTFSI": pytest.approx(1.0, rel=5e-3)}
    assert solution.shares == {"H2O": pytest.approx(0.25, abs=2e-3), "DME": pytest.approx(0.75, abs=2e-3)}
    assert sum(solution.shares.values()) == pytest.approx(1, rel=1e-12)
    assert solution.volume_A3 == pytest.approx(volume_A3, rel=2e-3)
    mass_u = compute_mass_u(solution.molecules)
    assert mass_u / solution.volume_A3 * 1.66053906660 == pytest.approx(1.1, rel=1e-6)


@pytest.mark.parametrize(
    ("share_by", "ratio"),
    [
        ("mole", 1.0),
        ("mass", 90.12 / 74.08),  # of moles of DOL to those of DME
        ("volume", (1.060 / 74.08) / (0.8683 / 90.12)),
    ],
)
def test_shares_by_mass_and_volume(share_by: str, ratio: float) -> None:
    dioxolane = build_from_smiles("DOL", smiles="C1COCO1")
    dimethoxyethane = build_from_smiles("DME", smiles="COCCOC")
    solution = count_molecules(
        [(SALT, 1.0)],
        solvents=[Solvent(dioxolane, 1, 1.060), Solvent(dimethoxyethane, 1, 0.8683)],
        volume_A3=1e6,
        density_g_per_cm3=1.1,
        share_by=share_by,  # type: ignore[arg-type]
    )
    counts = {species.name: count for species, count in solution.molecules}
    assert counts["DOL"] / counts["DME"] == pytest.approx(ratio, rel=2e-3)
    assert solution.shares["DOL"] == pytest.approx(0.5, abs=1e-3)


def test_ions_shared_by_salts_add_up() -> None:
    other = Salt("Li2X", ((LITHIUM, 2), (Species("X2-", Atoms("O"), charge=-2), 1)))
    solution = count_molecules([(SALT, 1.0), (other, 0.5)], solvents=[], volume_A3=1e5, density_g_per_cm3=0.5)
    counts = {species.name: count for species, count in solution.molecules}
    assert counts == {"Li+": 60 + 2 * 30, "TFSI-": 60, "X2-": 30}
    assert sum(species.charge * count for species, count in solution.molecules) == 0
    assert solution.shares == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"salts": [(SALT, 0.0)]}, r"0 mol/L of LiTFSI in 10000 Å³ is 0\.00 formula units"),
        ({"salts": [(SALT, 0.05)]}, r"is 0\.30 formula units, needs at least 1\. Take 33211 Å³ or more"),
        ({"salts": [(Salt("Li", ((LITHIUM, 1),)), 1.0)]}, r"ions of Li add up to \+1 e"),
        ({"salts": [(SALT, 8.0)]}, "heavier than the solution"),
        ({"density_g_per_cm3": 0.0}, "needs both above 0"),
        ({"solvents": [Solvent(WATER, 0)]}, "share of H2O is 0"),
        ({"share_by": "volume"}, "density_g_per_cm3 of pure H2O is not given"),
        ({"solvents": [Solvent(WATER, 1), Solvent(ETHER, 1e-4)]}, "0 molecules of DME, needs 1"),
    ],
)
def test_impossible_solutions_are_refused(changes: dict[str, object], said: str) -> None:
    request: dict[str, object] = {
        "salts": [(SALT, 1.0)],
        "solvents": [Solvent(WATER, 1)],
        "volume_A3": 1e4,
        "density_g_per_cm3": 1.1,
    }
    request |= changes
    with pytest.raises(InputError, match=said):
        count_molecules(request.pop("salts"), **request)  # type: ignore[arg-type]


def test_a_density_of_zero_has_no_height() -> None:
    with pytest.raises(InputError, match="density_g_per_cm3 is 0, needs more than 0"):
        find_height_A([(WATER, 1)], density_g_per_cm3=0, area_A2=100)
