"""Which energies a reaction needs, and where its species stand in their cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111

from structures.errors import InputError
from structures.ghosts import find_ghosts
from structures.reaction import Reaction, parse_reaction
from structures.species import Species
from workflows.adsorption_calculation import AdsorptionRun
from workflows.adsorption_cells import list_open_checks
from workflows.adsorption_species import build_all_species
from workflows.adsorption_steps import Step, find_fragments, list_energies, list_steps
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import PRESETS, TfsiAdsorptionConfig
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_key
from workflows.jobs.store import Finished
from workflows.tfsi_adsorption import open_run_facts, relax_parts

WATER = Atoms("OH2", [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)])
SLAB = fcc111("Cu", (2, 2, 2), vacuum=7.0)
SLAB.pbc = (True, True, False)
COVERED = SLAB + Atoms("Li", [SLAB.positions[-1] + (0, 0, 2.4)])
SPECIES = {
    "Li+": Species("Li+", Atoms("Li"), charge=1),
    "H2O": Species("H2O", WATER),
    "LiOH2+": Species("LiOH2+", Atoms("OH2Li", [*WATER.positions, (-1.3, -1.3, 0)]), charge=1),
    "H": Species("H", Atoms("H"), multiplicity=2),
    "H2": Species("H2", Atoms("H2", [(0, 0, 0), (0, 0, 0.75)])),
    "Li": Species("Li", Atoms("Li"), multiplicity=2),
    "Cu(111)": Species("Cu(111)", SLAB),
    "Li@Cu(111)": Species("Li@Cu(111)", COVERED),
}
JOINING = parse_reaction("Li+ + H2O -> LiOH2+")
CONFIG = TfsiAdsorptionConfig()
SETTINGS = dict(build_electronic_spec("gpaw", protocol="moderate", overrides={}).overrides)


def steps_of(reaction: Reaction, *, config: TfsiAdsorptionConfig = CONFIG, **changes: object) -> dict[str, Step]:
    settings: dict[str, Any] = {**SETTINGS, **changes}
    return {one.kind: one for one in list_steps(reaction, config=config, settings=settings, species=SPECIES)}


def test_reactants_are_found_whole_in_the_product() -> None:
    fragments = find_fragments(JOINING, species=SPECIES)
    assert [(one.reactant, one.part) for one in fragments] == [("Li+", slice(3, 4)), ("H2O", slice(0, 3))]
    assert fragments[1].name == "H2O in LiOH2+"


def test_falling_apart_is_joining_with_the_other_sign() -> None:
    apart = parse_reaction("LiOH2+ -> Li+ + H2O")
    joined, broken = steps_of(JOINING), steps_of(apart)
    assert list(joined) == list(broken) == ["joining", "deformation"]
    for kind, step in joined.items():
        assert [(term.name, -term.number) for term in step.terms] == [(t.name, t.number) for t in broken[kind].terms]
        assert step.list_energies().keys() == broken[kind].list_energies().keys()


def test_parts_of_an_adsorbed_species_are_known_even_if_they_are_equal() -> None:
    pair = Species("H2O@H2O", WATER + WATER)
    several = Species("F-@HF", Atoms("HFF", [(0, 0, 0), (0, 0, 0.9), (0, 0, -1.4)]), charge=-1)
    species = {
        **SPECIES,
        "H2O@H2O": pair,
        "F-@HF": several,
        "HF": Species("HF", Atoms("HF")),
        "F-": Species("F-", Atoms("F"), charge=-1),
    }
    two = find_fragments(parse_reaction("2 H2O -> H2O@H2O"), species=species)
    assert [(one.name, one.part) for one in two] == [
        ("H2O in H2O@H2O", slice(0, 3)),
        ("H2O (2) in H2O@H2O", slice(3, 6)),
    ]
    ion = find_fragments(parse_reaction("HF + F- -> F-@HF"), species=species)
    assert [(one.reactant, one.part) for one in ion] == [("HF", slice(0, 2)), ("F-", slice(2, 3))]
    steps = list_steps(parse_reaction("2 H2O -> H2O@H2O"), config=CONFIG, settings=SETTINGS, species=species)
    assert [(term.name, term.number) for term in steps[1].terms] == [
        ("H2O in H2O@H2O, bent", 1),
        ("H2O in H2O@H2O, relaxed", -1),
        ("H2O (2) in H2O@H2O, bent", 1),
        ("H2O (2) in H2O@H2O, relaxed", -1),
    ]


@pytest.mark.parametrize("text", ["2 H -> H2", "LiOH2+ -> Li+ + 2 H", "H + H2O -> LiOH2+"])
def test_what_does_not_join_is_a_plain_sum(text: str) -> None:
    assert find_fragments(parse_reaction(text), species=SPECIES) == []
    (step,) = steps_of(parse_reaction(text)).values()
    assert step.kind == "sum"
    assert {term.name: term.number for term in step.terms} == dict(parse_reaction(text).coefficients)
    assert all(term.frame is None for term in step.terms)


def test_joined_reactants_are_computed_where_they_lie_in_the_product() -> None:
    steps = steps_of(JOINING)
    assert list(steps) == ["joining", "deformation"]
    placed = {name: one.species for name, one in steps["joining"].list_energies().items()}
    assert [name for name in placed if "check" not in name] == ["Li+ in LiOH2+", "H2O in LiOH2+", "LiOH2+"]
    product = placed["LiOH2+"].atoms
    parts = [placed[name] for name in ("H2O in LiOH2+", "Li+ in LiOH2+")]
    np.testing.assert_array_equal(np.vstack([part.atoms.positions for part in parts]), product.positions)
    assert [part.charge for part in parts] == [0, 1]
    assert all((part.atoms.cell.array == product.cell.array).all() for part in parts)
    smaller = placed["LiOH2+, box check"].atoms
    assert (smaller.cell.lengths() < product.cell.lengths()).all()


def test_in_orbitals_each_part_is_computed_in_the_basis_of_the_whole_too() -> None:
    steps = steps_of(JOINING, mode="lcao")
    assert list(steps) == ["joining", "deformation", "counterpoise"]
    correction = steps["counterpoise"]
    numbers = {term.name: term.number for term in correction.terms}
    assert numbers == {
        "Li+ in LiOH2+": 1,
        "Li+ in LiOH2+, in its basis": -1,
        "H2O in LiOH2+": 1,
        "H2O in LiOH2+, in its basis": -1,
    }
    energies = correction.list_energies()
    whole = energies["H2O in LiOH2+, in its basis"].species
    assert find_ghosts(whole.atoms).tolist() == [False, False, False, True]
    assert (whole.n_electrons, whole.charge) == (10, 0)
    # Those without ghosts are those of the joining: computed once.
    joined = steps["joining"].list_energies()
    np.testing.assert_array_equal(
        energies["Li+ in LiOH2+"].species.atoms.positions, joined["Li+ in LiOH2+"].species.atoms.positions
    )
    assert energies["Li+ in LiOH2+"].analyses == joined["Li+ in LiOH2+"].analyses


def test_on_a_slab_in_orbitals_substrate_and_adsorbate_are_corrected() -> None:
    steps = steps_of(parse_reaction("Cu(111) + Li -> Li@Cu(111)"), mode="lcao")
    assert list(steps) == ["adsorption", "counterpoise", "shapes"]
    ghosts = {name: find_ghosts(one.species.atoms).sum() for name, one in steps["counterpoise"].list_energies().items()}
    assert ghosts == {
        "Li as in Li@Cu(111)": 0,
        "Li as in Li@Cu(111), in its basis": len(SLAB),
        "Cu(111) as in Li@Cu(111)": 0,
        "Cu(111) as in Li@Cu(111), in its basis": 1,
    }


def test_bending_costs_what_its_two_shapes_differ_in() -> None:
    step = steps_of(JOINING)["deformation"]
    assert {term.name: term.number for term in step.terms} == {"H2O in LiOH2+, bent": 1, "H2O in LiOH2+, relaxed": -1}
    energies = step.list_energies()
    assert all(one.changes["mode"] == "pw" and one.species.atoms.pbc.all() for one in energies.values())
    assert energies["H2O in LiOH2+, bent, deformation check"].changes["cutoff_eV"] < SETTINGS["cutoff_eV"]


def test_the_demo_joins() -> None:
    config = TfsiAdsorptionConfig.model_validate(PRESETS["demo"], strict=False)
    species = build_all_species(config)
    (reaction,) = (parse_reaction(text) for text in config.all_reactions)
    assert {one.reactant for one in find_fragments(reaction, species=species)} == {"Li+", "TFSI-"}


def test_each_numerical_parameter_is_made_worse_once() -> None:
    variants, unchecked = list_open_checks(CONFIG, settings=SETTINGS)
    assert [variant.name for variant in variants] == ["grid", "box"]
    assert variants[0].settings == {"spacing_A": pytest.approx(0.22)}
    assert unchecked == []
    with pytest.raises(InputError, match="energies need open boundaries"):
        list_open_checks(CONFIG, settings=SETTINGS | {"mode": "pw"})


def test_everything_on_a_slab_is_in_its_cell_by_one_method() -> None:
    reaction = parse_reaction("Cu(111) + Li -> Li@Cu(111)")
    steps = list_steps(reaction, config=CONFIG, settings=SETTINGS, species=SPECIES)
    assert [step.kind for step in steps] == ["adsorption", "shapes"]
    assert [step.counts for step in steps] == [True, False]
    energies = steps[0].list_energies()
    base = [energies[name] for name in ("Cu(111)", "Li in the cell of Cu(111)", "Li@Cu(111)")]
    assert {str(one.changes) for one in base} == {str({"mode": "pw", "k_points": [5, 5, 1], "smearing_eV": 0.1})}
    for one in base:
        np.testing.assert_array_equal(one.species.atoms.cell.array, SLAB.cell.array)
        assert one.species.atoms.pbc.tolist() == [True, True, False]
    assert [check.name for check in steps[0].checks] == ["cut-off", "vacuum", "k-points"]
    assert energies["Cu(111), k-points check"].changes["k_points"] == [6, 6, 1]
    lower, upper = (energies[f"Li@Cu(111){check}"].species.atoms for check in (", vacuum check", ""))
    assert upper.cell.array[2, 2] - lower.cell.array[2, 2] == pytest.approx(2.0, rel=1e-12)
    assert upper.positions[0, 2] - lower.positions[0, 2] == pytest.approx(1.0, rel=1e-12)


def test_an_ion_on_a_slab_is_a_neutral_cell_and_an_electron() -> None:
    steps = steps_of(parse_reaction("Cu(111) + Li+ + e- -> Li@Cu(111)"))
    assert list(steps) == ["adsorption", "charging", "shapes"]
    neutral = steps["adsorption"].terms[1]
    assert (neutral.species.charge, neutral.species.multiplicity) == (0, 2)
    charging = {term.name: (term.number, term.species.charge) for term in steps["charging"].terms}
    assert charging == {"Li+": (-1, 1), "Li+ made neutral": (1, 0)}
    assert not steps["charging"].is_slab


def test_a_code_without_cells_refuses_slabs() -> None:
    config = TfsiAdsorptionConfig.model_validate({"calculator": {"name": "pyscf"}}, strict=False)
    settings = dict(build_electronic_spec("pyscf", protocol="moderate", overrides={}).overrides)
    with pytest.raises(InputError, match="knows no periodic cells"):
        list_steps(
            parse_reaction("Cu(111) -> Cu(111)2"),
            config=config,
            settings=settings,
            species={
                "Cu(111)": SPECIES["Cu(111)"],
                "Cu(111)2": SPECIES["Cu(111)"],
            },
        )


def test_energies_that_two_steps_share_are_listed_once() -> None:
    steps = [
        list_steps(parse_reaction(text), config=CONFIG, settings=SETTINGS, species=SPECIES)
        for text in ("2 H -> H2",) * 2
    ]
    assert list(list_energies(steps)) == list(list_energies(steps[:1]))


def test_a_molecule_is_relaxed_once_for_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[dict[str, str]] = []

    def note(_: AdsorptionRun, calculations: list[Calculation]) -> list[Finished]:
        keys.append({calculation.label: compute_key(calculation) for calculation in calculations})
        raise StopIteration

    monkeypatch.setattr(AdsorptionRun, "compute", note)
    for number, reaction in enumerate(["Li+ + TFSI- -> LiTFSI", "CF3- + e- -> CF2- + F-", "TFSI- + Li -> LiTFSI + e-"]):
        config = TfsiAdsorptionConfig.model_validate({"reactions": [reaction]}, strict=False)
        run = open_run_facts(config.model_dump(mode="json"), workdir=str(tmp_path / str(number)), store=str(tmp_path))
        with pytest.raises(StopIteration):
            relax_parts(run, species=build_all_species(config))
    assert keys[0] == keys[2]
    assert set(keys[0]) == {"relax TFSI-", "relax LiTFSI"}
    assert set(keys[1]) == {"relax CF3-", "relax CF2-"}
