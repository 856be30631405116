"""Molecules, slabs and adsorbates of a configuration, built and checked before anything runs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.io import write

from structures.errors import InputError
from structures.species import Species
from workflows.adsorption_species import build_all_poses, build_all_species, build_metal, join_moments, neutralise
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig

SMALL_COPPER = {"Cu(111)": {"layers": 2, "fixed_layers": 1, "repeats": [2, 2], "vacuum_A": 6.0}}


def build(**changes: object) -> dict[str, Species]:
    return build_all_species(TfsiAdsorptionConfig.model_validate(changes, strict=False))


def test_adsorbate_and_substrate_are_short_for_a_reaction() -> None:
    config = TfsiAdsorptionConfig.model_validate(
        {"adsorbate": "CO", "substrate": "Cu(111)", "substrates": SMALL_COPPER}, strict=False
    )
    assert config.all_reactions == ("Cu(111) + CO -> CO@Cu(111)",)
    species = build_all_species(config)
    assert list(species) == ["CO", "Cu(111)", "CO@Cu(111)"]
    both = config.model_copy(update={"reactions": ("Li+ + F- -> LiF",)})
    assert both.all_reactions == ("Li+ + F- -> LiF", "Cu(111) + CO -> CO@Cu(111)")


def test_an_adsorbate_lies_in_the_cell_of_its_slab_with_vacuum_around() -> None:
    species = build(adsorbate="CO", substrate="Cu(111)", substrates=SMALL_COPPER)
    slab, adsorbed = species["Cu(111)"].atoms, species["CO@Cu(111)"].atoms
    np.testing.assert_array_equal(adsorbed.cell.array, slab.cell.array)
    np.testing.assert_array_equal(adsorbed.positions[: len(slab)], slab.positions)
    assert len(adsorbed) == len(slab) + 2
    assert adsorbed.pbc.tolist() == [True, True, False]
    assert slab.positions[:, 2].min() == pytest.approx(6.0, abs=1e-9)
    assert adsorbed.cell.array[2, 2] - adsorbed.positions[:, 2].max() >= 6.0
    assert sorted(adsorbed.constraints[0].index) == sorted(np.flatnonzero(slab.positions[:, 2] < 6.5))


def test_the_surface_cell_grows_until_the_adsorbate_fits() -> None:
    species = build(adsorbate="LiTFSI", substrate="Li(001)", substrates={"Li(001)": {"layers": 2, "fixed_layers": 1}})
    atoms = species["LiTFSI@Li(001)"].atoms
    extent_A = species["LiTFSI"].atoms.get_all_distances().max()
    assert atoms.cell.lengths()[:2].min() >= extent_A + 4.0


def test_poses_of_a_rod_on_copper_are_few_and_named() -> None:
    config = TfsiAdsorptionConfig.model_validate(
        {"adsorbate": "CO", "substrate": "Cu(111)", "substrates": SMALL_COPPER, "poses": {"orientations": 3}},
        strict=False,
    )
    poses = build_all_poses("CO@Cu(111)", config=config, species=build_all_species(config))
    assert {pose.name.split(",")[0] for pose in poses} == {"top", "bridge", "fcc hollow", "hcp hollow"}
    again = build_all_poses("CO@Cu(111)", config=config, species=build_all_species(config))
    assert [pose.atoms.positions.tolist() for pose in again] == [pose.atoms.positions.tolist() for pose in poses]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adsorbate": "TFSI-", "substrate": "Li(001)"}, "Write the neutral cell, with the electron from the slab"),
        ({"adsorbate": "CO", "substrate": "Cu(1111)"}, "Slabs are"),
        ({"reactions": ["CO@Cu(111)@Cu(111) -> CO + Cu(111)"]}, "needs adsorbate@substrate"),
        (
            {"reactions": ["CO@Cu(111) + Li(001) -> CO@Li(001) + Cu(111)"], "substrates": SMALL_COPPER},
            "have different cells",
        ),
        ({"adsorbate": "CO", "substrate": "mine", "substrates": {"mine": {}}}, "has neither file nor element"),
        (
            {"adsorbate": "CO", "substrate": "mine", "substrates": {"mine": {"element": "Pu", "miller": [1, 0, 0]}}},
            "element is 'Pu'",
        ),
        (
            {"adsorbate": "CO", "substrate": "Cu(111)", "substrates": {"Cu(111)": {"miller": [1, 0, 0]}}},
            "but Cu(111) is built in",
        ),
        ({"adsorbate": "CO", "substrate": "TiN(111)-Ti", "substrates": SMALL_COPPER}, "is in none of the reactions"),
        ({"adsorbate": "CO", "substrate": "Cu(111)", "substrates": {"Cu(111)": {"layers": 2, "fixed_layers": 2}}}, "2"),
        (
            {"adsorbate": "LiTFSI", "substrate": "Cu(111)", "substrates": SMALL_COPPER},
            "would touch its own images",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        build(**changes)
    assert said in str(caught.value)


def build_on_copper(**section: object) -> dict[str, Species]:
    substrates = {"Cu(111)": {"layers": 2, "fixed_layers": 1, "vacuum_A": 6.0, **section}}
    return build(adsorbate="LiTFSI", substrate="Cu(111)", substrates=substrates, poses={"orientations": 12})


def test_adsorbates_near_their_own_images_are_refused() -> None:
    said = r"repeats is \[3, 3\], with which LiTFSI comes within 2\.\d Å of its own image, needs at least 3 Å. "
    with pytest.raises(InputError, match=f"{said}Set repeats: ") as caught:
        build_on_copper(repeats=[3, 3])
    build_on_copper(repeats=[int(one) for one in re.findall(r"\d+", str(caught.value).split("Set repeats")[1])])
    with pytest.raises(InputError, match=r"Cu\(111\)\.clearance_A is 1, with which .*Set it, e\.g\. clearance_A: 3\."):
        build(
            adsorbate="H",
            substrate="Cu(111)",
            species={"H": {"smiles": "[H]"}},
            substrates={"Cu(111)": {"clearance_A": 1}},
        )


def test_a_slab_is_not_cut_from_a_slab(tmp_path: Path) -> None:
    write(tmp_path / "slab.cif", fcc111("Cu", (1, 1, 3), vacuum=8, periodic=True))
    section = {"file": str(tmp_path / "slab.cif"), "miller": [0, 0, 1]}
    with pytest.raises(InputError, match=r"substrates\.S\.file: its cell has a gap of 16\.0 Å"):
        build(reactions=["S + CO -> CO@S"], substrates={"S": section})


def test_metals_come_with_the_lattice_that_is_known() -> None:
    assert build_metal("Pt").cell.lengths().tolist() == pytest.approx([3.92] * 3)
    with pytest.raises(InputError, match="element is 'Xx'"):
        build_metal("Xx")


def test_spins_of_parts_join_to_that_of_the_whole() -> None:
    host = Species("Fe", Atoms("Fe", magmoms=[5.0]), multiplicity=6)
    guest = Species("H", Atoms("H"), multiplicity=2)
    assert join_moments(host, guest, multiplicity=7) == [5.0, 1.0]
    assert join_moments(host, guest, multiplicity=5) == [5.0, -1.0]
    assert join_moments(host, guest, multiplicity=1) is None
    closed = Species("He", Atoms("He"))
    assert join_moments(closed, closed, multiplicity=1) is None


def test_an_ion_made_neutral_has_no_charge_and_an_open_shell() -> None:
    neutral = neutralise(Species("Li+", Atoms("Li"), charge=1))
    assert (neutral.name, neutral.charge, neutral.multiplicity) == ("Li+ made neutral", 0, 2)


def test_charge_and_spin_of_a_known_species_can_be_set() -> None:
    species = build(
        reactions=["CoPc + e- -> CoPc-"], species={"CoPc": {"multiplicity": 4}, "CoPc-": {"multiplicity": 3}}
    )
    assert (species["CoPc"].multiplicity, species["CoPc"].starting_moments) == (4, {})
    assert (species["CoPc-"].charge, species["CoPc-"].multiplicity) == (-1, 3)


def test_slabs_of_magnetic_metals_and_radicals_on_slabs_start_from_moments() -> None:
    iron = {"Fe(110)": {"element": "Fe", "miller": [1, 1, 0], "layers": 2, "repeats": [2, 2]}}
    species = build(adsorbate="CO", substrate="Fe(110)", substrates=iron)
    slab, adsorbed = (species[name].atoms.get_initial_magnetic_moments() for name in ("Fe(110)", "CO@Fe(110)"))
    assert set(slab) == {2.3}
    assert adsorbed.tolist() == [*slab, 0.0, 0.0]
    assert "starts from" in species["Fe(110)"].source
    calm = build(adsorbate="CO", substrate="Fe(110)", substrates={"Fe(110)": {**iron["Fe(110)"], "moments_uB": {}}})
    assert not calm["CO@Fe(110)"].atoms.get_initial_magnetic_moments().any()
    quenched = build(reactions=["Cu(111) + F -> F@Cu(111)"], substrates=SMALL_COPPER)
    assert not quenched["F@Cu(111)"].atoms.get_initial_magnetic_moments().any()
    sheet = {"graphene": {"repeats": [3, 3]}}
    radical = build(reactions=["graphene + F -> F@graphene"], substrates=sheet)
    assert not radical["graphene"].atoms.get_initial_magnetic_moments().any()
    assert radical["F@graphene"].atoms.get_initial_magnetic_moments()[-1] == 1.0
    with pytest.raises(InputError, match="moments_uB names Co"):
        build(adsorbate="CO", substrate="Fe(110)", substrates={"Fe(110)": {**iron["Fe(110)"], "moments_uB": {"Co": 1}}})
