"""What speaks against a number of `tfsi-adsorption`."""

from ase import Atoms
from ase.build import molecule

from structures.reaction import parse_reaction
from structures.species import Species
from workflows.adsorption_steps import list_steps
from workflows.adsorption_sums import FoundEnergies
from workflows.adsorption_warnings import judge_relaxations, judge_sum
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig

PEROXIDE = molecule("H2O2")


def find(built: Atoms, relaxed: Atoms) -> FoundEnergies:
    return FoundEnergies(
        species={"X": Species("X", relaxed)},
        spins={},
        searches={},
        steps=[],
        energies={},
        built={"X": Species("X", built)},
    )


def test_a_molecule_that_fell_apart_is_told_and_one_that_bent_is_not() -> None:
    apart, bent = PEROXIDE.copy(), PEROXIDE.copy()
    apart.positions[[1, 3]] += apart.positions[1] - apart.positions[0]
    bent.rattle(0.02, seed=1)
    (warning,) = judge_relaxations(find(PEROXIDE, apart))
    assert warning.severity == "red"
    assert "X fell apart while it was relaxed (O–O 1." in warning.text
    assert judge_relaxations(find(PEROXIDE, bent)) == []


def test_parts_that_are_not_found_in_a_whole_are_told() -> None:
    water = [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)]
    species = {
        "Li+": Species("Li+", Atoms("Li"), charge=1),
        "H2O": Species("H2O", Atoms("OH2", water)),
        "mixed": Species("mixed", Atoms("OLiHH", [water[0], (-1.3, -1.3, 0), *water[1:]]), charge=1),
        "sorted": Species("sorted", Atoms("OHHLi", [*water, (-1.3, -1.3, 0)]), charge=1),
    }
    settings = dict(build_electronic_spec("gpaw", protocol="fast", overrides={}).overrides)
    said = {}
    for text in ("Li+ + H2O -> mixed", "mixed -> H2O + Li+", "Li+ + H2O -> sorted", "mixed -> sorted"):
        reaction = parse_reaction(text)
        steps = list_steps(reaction, config=TfsiAdsorptionConfig(), settings=settings, species=species)
        said[text] = [warning.text for warning in judge_sum(reaction, steps=steps, settings=settings)]
    assert [len(texts) for texts in said.values()] == [1, 1, 0, 0]
    assert "no counterpoise correction was made" in said["Li+ + H2O -> mixed"][0]
