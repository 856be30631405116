"""What the electrons of adsorbed species say."""

import pytest
from ase import Atoms
from ase.build import fcc111

from structures.reaction import parse_reaction
from structures.species import Species
from workflows.adsorption_analyses import judge_adsorbed_ions
from workflows.adsorption_steps import list_steps
from workflows.adsorption_sums import FoundEnergies
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig

SLAB = fcc111("Cu", (2, 2, 2), vacuum=7.0)
SLAB.pbc = (True, True, False)
SPECIES = {
    "F-": Species("F-", Atoms("F"), charge=-1),
    "F": Species("F", Atoms("F"), multiplicity=2),
    "Cu(111)": Species("Cu(111)", SLAB),
    "F@Cu(111)": Species("F@Cu(111)", SLAB + Atoms("F", [SLAB.positions[-1] + (0, 0, 2.0)])),
}


def find(reaction: str) -> FoundEnergies:
    settings = dict(build_electronic_spec("gpaw", protocol="moderate", overrides={}).overrides)
    steps = list_steps(parse_reaction(reaction), config=TfsiAdsorptionConfig(), settings=settings, species=SPECIES)
    return FoundEnergies(species=SPECIES, spins={}, searches={}, steps=[steps], energies={})


@pytest.mark.parametrize(("charge_e", "is_red"), [(-0.6, False), (-0.3, False), (-0.1, True), (0.2, True)])
def test_an_ion_that_lost_its_charge_on_the_slab_is_told(charge_e: float, is_red: bool) -> None:  # noqa: FBT001 (a case)
    found = find("Cu(111) + F- -> F@Cu(111) + e-")
    warnings = judge_adsorbed_ions(found, charges={"F@Cu(111)": {"hirshfeld_e": charge_e}})
    assert [warning.severity for warning in warnings] == ["red"] * is_red
    assert all("no ion there" in warning.text for warning in warnings)


def test_an_atom_may_have_any_charge_on_a_slab() -> None:
    found = find("Cu(111) + F -> F@Cu(111)")
    assert judge_adsorbed_ions(found, charges={"F@Cu(111)": {"hirshfeld_e": 0.0}}) == []
