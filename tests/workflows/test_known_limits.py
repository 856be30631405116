"""What a card says against a run is said before it starts."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from structures.alloy import ALLOYS, resolve_alloy
from workflows.calculators.resolve import find_potential_folder
from workflows.configuration.potassium_diffusion import PotassiumDiffusionConfig
from workflows.configuration.sections import CalculatorSection, DynamicsSection
from workflows.known_limits import compare_lattice, find_known_limits
from workflows.potassium_description import describe_sides
from workflows.potassium_plan import plan_warnings
from workflows.potential_card import format_card

ALLOY = ("K", "Bi", "Sn", "Sb")
NPT = DynamicsSection(ensemble="npt", fixed_regions=(), temperature_K=10.0, start_temperature_K=5.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A potential whose card the test writes."""
    for name in ("potential.pod", "coefficients.pod"):
        (tmp_path / name).write_text("")
    return tmp_path


def write_card(folder: Path, **facts: object) -> CalculatorSection:
    (folder / "card.json").write_text(json.dumps({"name": "mine", **facts}), encoding="utf-8")
    return CalculatorSection(potential=str(folder))


def compare(crystal: str, difference: float) -> dict[str, object]:
    constant = {"teacher": 4.0, "potential": 4.0 * (1 + difference), "relative_difference": difference}
    return {"crystal": crystal, "constants": {"a_A": constant}}


def test_a_free_cell_with_a_wrong_lattice_is_warned_of(folder: Path) -> None:
    lattices = [compare("BiSnSb", 0.078), compare("Bi", 0.009), compare("NaCl", 0.2)]
    calculator = write_card(folder, lattice_constants=lattices)
    (text,) = find_known_limits(calculator, dynamics=NPT, elements=ALLOY)
    assert "with a free cell mine goes to other lattices than its teacher, BiSnSb a +7.8 % (its card)" in text
    assert (
        find_known_limits(
            calculator, dynamics=DynamicsSection(temperature_K=10.0, start_temperature_K=5.0), elements=ALLOY
        )
        == []
    )
    assert find_known_limits(calculator, dynamics=NPT, elements=("K", "Bi")) == []
    good = write_card(folder, lattice_constants=[compare("BiSnSb", 0.01)])
    assert find_known_limits(good, dynamics=NPT, elements=ALLOY) == []


def test_a_temperature_at_which_the_crystal_was_lost_is_warned_of(folder: Path) -> None:
    seen = {"system": "a slab", "elements": ["Bi", "Sb", "Sn"], "time_ps": 12.0, "displacement_ratio": 0.34}
    orders = [
        seen | {"temperature_K": 300.0, "verdict": "lost"},
        seen | {"temperature_K": 100.0, "verdict": "lost"},
        seen | {"temperature_K": 50.0, "verdict": "crystal"},
    ]
    calculator = write_card(folder, crystal_order=orders)
    (text,) = find_known_limits(calculator, dynamics=DynamicsSection(temperature_K=150.0), elements=ALLOY)
    assert text.startswith("dynamics.temperature_K is 150: with mine the crystal order of a slab was lost at 100 K")
    assert find_known_limits(calculator, dynamics=DynamicsSection(temperature_K=60.0), elements=ALLOY) == []
    others = {"K", "Bi", "Sb"}
    assert find_known_limits(calculator, dynamics=DynamicsSection(temperature_K=150.0), elements=others) == []


def test_a_colder_run_is_advised_only_where_it_can_help(folder: Path) -> None:
    seen = {"system": "a slab", "elements": ["Sb"], "time_ps": 12.0, "displacement_ratio": 0.49, "verdict": "lost"}
    texts = []
    for relaxation in (0.12, 0.37):
        order = seen | {"temperature_K": 50.0, "relaxation_ratio": relaxation}
        calculator = write_card(folder, crystal_order=[order])
        texts += find_known_limits(calculator, dynamics=DynamicsSection(temperature_K=60.0), elements=ALLOY)
    warm, lost = texts
    assert warm.endswith("(its card). Use a colder run, or a potential that holds the crystal.")
    assert "The relaxation alone moved its atoms by 0.37, so a colder run does not help. Use a potential" in lost


def test_a_plan_says_it_before_the_run() -> None:
    sets = {"structure": {"repeats": [6, 3, 1], "metal_thickness_A": 8.0}}
    config = PotassiumDiffusionConfig.model_validate_json(json.dumps(sets))
    atoms = Atoms("KBiSnSb", positions=[[4.0 * n, 0, 0] for n in range(4)])
    warnings = plan_warnings(config, atoms=atoms)
    card = json.loads((find_potential_folder("k-bi-sn-sb") / "card.json").read_text(encoding="utf-8"))
    seen = [entry for entry in card["crystal_order"] if entry["verdict"] == "lost"]
    assert len([text for text in warnings if "was lost at" in text]) == bool(seen)


def test_the_shipped_card_and_its_text_agree() -> None:
    folder = find_potential_folder("k-bi-sn-sb")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert (folder / "card.md").read_text(encoding="utf-8") == format_card(card)


def test_a_card_without_these_facts_and_other_calculators_say_nothing(folder: Path) -> None:
    assert find_known_limits(write_card(folder), dynamics=NPT, elements=ALLOY) == []
    assert find_known_limits(CalculatorSection(name="chgnet"), dynamics=NPT, elements=ALLOY) == []


def test_an_alloy_that_is_built_off_the_potentials_own_lattice_is_warned_of_in_every_ensemble(folder: Path) -> None:
    constants = {"a_A": {"teacher": 4.4, "potential": 4.76}, "c_A": {"teacher": 10.8, "potential": 11.3}}
    for constant in constants.values():
        constant["relative_difference"] = 0.0
    calculator = write_card(folder, lattice_constants=[{"crystal": "Sb", "constants": constants}])
    for dynamics in (DynamicsSection(), NPT):
        (text,) = find_known_limits(calculator, dynamics=dynamics, elements=("K", "Sb"), alloy=ALLOYS["Sb"])
        assert "built with a = 4.307 Å and c = 11.273 Å, but with mine such a crystal relaxes to a = 4.760 Å" in text
        # 4.307 / 4.76 - 1 and 11.273 / 11.3 - 1
        assert "strains it by -9.5 % along a and -0.2 % along c" in text
        assert text.endswith("--set structure.a_A=4.760 --set structure.c_A=11.300.")
    for record in (resolve_alloy("Sb", a_A=4.76, c_A=11.3), ALLOYS["Bi"], ALLOYS["M-BiSnSb"]):
        assert find_known_limits(calculator, dynamics=NPT, elements=ALLOY, alloy=record) == []


def test_a_composition_is_known_by_its_shares(folder: Path) -> None:
    constants = {name: {"potential": 5.0} for name in ("a_A", "c_A")}
    calculator = write_card(folder, lattice_constants=[{"crystal": "Bi2Sb", "constants": constants}])
    same, other = resolve_alloy({"Sb": 2, "Bi": 4}), resolve_alloy({"Bi": 1, "Sb": 1})
    assert compare_lattice(calculator, alloy=same)["strain"]["a"] == pytest.approx(same.a_A / 5 - 1, rel=1e-12)
    assert compare_lattice(calculator, alloy=other) == {}


def test_the_words_on_a_free_cell_do_not_call_a_fixed_one_a_cure(folder: Path) -> None:
    calculator = write_card(folder, lattice_constants=[compare("BiSnSb", 0.078)])
    (text,) = find_known_limits(calculator, dynamics=NPT, elements=ALLOY)
    assert "Use ensemble: nvt" not in text
    assert "nvt keeps the shape that was built, and the strain with it" in text


def test_a_plan_warns_of_antimony_on_the_shipped_potential() -> None:
    config = PotassiumDiffusionConfig.model_validate_json(json.dumps({"structure": {"alloy": "Sb"}}))
    atoms = Atoms("KSb", positions=[[0, 0, 0], [4.0, 0, 0]])
    (text,) = [text for text in plan_warnings(config, atoms=atoms) if "--set structure.a_A=4.761" in text]
    assert "-9.5 % along a" in text


def test_a_report_tells_the_lattice_that_was_used() -> None:
    sets = {"structure": {"alloy": "Sb", "a_A": 4.3}}
    config = PotassiumDiffusionConfig.model_validate_json(json.dumps(sets))
    atoms = Atoms("KSb", positions=[[0, 0, 0], [4.0, 0, 0]])
    atoms.set_array("region", np.array(["potassium", "alloy"]))
    alloy = describe_sides(config, atoms=atoms)["alloy"]
    assert (alloy["lattice"]["a_A"], alloy["lattice"]["c_A"], alloy["lattice"]["z"]) == (4.3, 11.273, 0.2336)
    assert alloy["lattice"]["source"].startswith("a_A = 4.3 given by the user; the rest: Barrett")
    assert alloy["lattice"]["beside_potential"]["strain"]["a"] == pytest.approx(4.3 / 4.760967542923276 - 1, rel=1e-9)
    assert "a = 4.3 Å, c = 11.273 Å, z = 0.2336 (a_A = 4.3 given by the user" in alloy["origin"]
