"""Several spin arrangements of one species: the lowest is kept, and all are told."""

from pathlib import Path

import pytest
from ase import Atoms

from structures.errors import InputError
from structures.species import Species
from workflows.adsorption_calculation import AdsorptionRun
from workflows.adsorption_spins import check_moments_possible, settle_spins, start_with
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.jobs.store import Store

APART = Species(
    "H2",
    Atoms("H2", [(0, 0, 0), (0, 0, 3.0)]),
    starting_moments={"closed": (0.0, 0.0), "up-down": (1.0, -1.0)},
)


def test_an_arrangement_is_where_the_code_starts() -> None:
    assert start_with(APART, arrangement="up-down").atoms.get_initial_magnetic_moments().tolist() == [1.0, -1.0]


def test_antiparallel_spins_need_a_code_that_takes_them() -> None:
    joined = Species("H@CH3", Atoms("H2", [(0, 0, 0), (0, 0, 3.0)], magmoms=[1.0, -1.0]))
    for name, one in (("H2", APART), ("H@CH3", joined)):
        with pytest.raises(InputError, match=f"{name} has antiparallel spins, which calculator xtb cannot") as caught:
            check_moments_possible("xtb", species={name: one})
        assert f"species.{name}.multiplicity: 3" in str(caught.value)
        for code in ("gpaw", "cp2k", "pyscf"):
            check_moments_possible(code, species={name: one})
    check_moments_possible("xtb", species={"H": Species("H", Atoms("H", magmoms=[1.0]), multiplicity=2)})


@pytest.mark.slow
def test_a_stretched_bond_has_antiparallel_spins(tmp_path: Path) -> None:
    config = TfsiAdsorptionConfig.model_validate(
        {"calculator": {"name": "gpaw", "protocol": "fast", "overrides": {"spacing_A": 0.25}}}, strict=False
    )
    run = AdsorptionRun(
        config=config,
        workdir=tmp_path,
        store=Store(tmp_path / "store"),
        calculator=build_electronic_spec("gpaw", protocol="fast", overrides={"spacing_A": 0.25}),
    )
    settled, searches = settle_spins(run, species={"H2": APART})
    found = searches["H2"]
    assert found.best == "up-down"
    assert settled["H2"].atoms.get_initial_magnetic_moments().tolist() == [1.0, -1.0]
    arrangements = found.to_json()["arrangements"]
    # one electron a proton, in place of half of each spin on both: eV apart at this distance
    assert arrangements["closed"]["above_lowest_eV"] > 1.0
    assert arrangements["up-down"]["spins"][0] == pytest.approx(-arrangements["up-down"]["spins"][1], abs=1e-3)
    assert abs(arrangements["up-down"]["spins"][0]) > 0.2
