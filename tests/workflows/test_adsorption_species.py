"""Which energies a reaction needs, and where its species stand in the box."""

import numpy as np
import pytest
from ase import Atoms

from structures.errors import InputError
from structures.reaction import parse_reaction
from structures.species import Species
from workflows.adsorption_species import build_all_species, find_fragments, list_terms, list_variants
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import PRESETS, TfsiAdsorptionConfig

WATER = Atoms("OH2", [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)])
SPECIES = {
    "Li+": Species("Li+", Atoms("Li"), charge=1),
    "H2O": Species("H2O", WATER),
    "LiOH2+": Species("LiOH2+", Atoms("OH2Li", [*WATER.positions, (-1.3, -1.3, 0)]), charge=1),
    "H": Species("H", Atoms("H"), multiplicity=2),
    "H2": Species("H2", Atoms("H2", [(0, 0, 0), (0, 0, 0.75)])),
}
JOINING = parse_reaction("Li+ + H2O -> LiOH2+")


def test_reactants_are_found_whole_in_the_product() -> None:
    fragments = find_fragments(JOINING, species=SPECIES)
    assert [(one.reactant, one.part) for one in fragments] == [("Li+", slice(3, 4)), ("H2O", slice(0, 3))]
    assert fragments[1].name == "H2O in LiOH2+"


@pytest.mark.parametrize("text", ["2 H -> H2", "LiOH2+ -> Li+ + H2O", "H + H2O -> LiOH2+"])
def test_what_does_not_join_is_a_plain_sum(text: str) -> None:
    assert find_fragments(parse_reaction(text), species=SPECIES) == []


def test_joined_reactants_are_computed_where_they_lie_in_the_product() -> None:
    terms = list_terms([JOINING], species=SPECIES)
    assert list(terms) == ["Li+ in LiOH2+", "H2O in LiOH2+", "LiOH2+"]
    lengths_A = np.array([10.0, 10.0, 10.0])
    product = terms["LiOH2+"].place(lengths_A=lengths_A).atoms
    parts = [terms[name].place(lengths_A=lengths_A) for name in ("H2O in LiOH2+", "Li+ in LiOH2+")]
    np.testing.assert_array_equal(np.vstack([part.atoms.positions for part in parts]), product.positions)
    assert [part.charge for part in parts] == [0, 1]
    assert all((part.atoms.cell.array == product.cell.array).all() for part in parts)


def test_plain_sums_need_each_species_alone() -> None:
    terms = list_terms([parse_reaction("2 H -> H2"), JOINING], species=SPECIES)
    assert list(terms) == ["H", "H2", "Li+ in LiOH2+", "H2O in LiOH2+", "LiOH2+"]
    assert terms["H"].frame is None


def test_the_demo_joins() -> None:
    config = TfsiAdsorptionConfig.model_validate(PRESETS["demo"], strict=False)
    species = build_all_species(config)
    (reaction,) = (parse_reaction(text) for text in config.reactions)
    assert {one.reactant for one in find_fragments(reaction, species=species)} == {"Li+", "TFSI-"}


def test_each_numerical_parameter_is_made_worse_once() -> None:
    config = TfsiAdsorptionConfig()
    settings = dict(build_electronic_spec("gpaw", protocol="moderate", overrides={}).overrides)
    variants, unchecked = list_variants(config, settings=settings)
    assert [variant.name for variant in variants] == ["", "grid", "box"]
    assert variants[1].settings == {"spacing_A": pytest.approx(0.22)}
    assert unchecked == []
    with pytest.raises(InputError, match="energies need open boundaries"):
        list_variants(config, settings=settings | {"mode": "pw"})
