"""What is refused or told of before a run: settings without effect, species in pieces, a check that checks nothing."""

from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.io import write

from structures.errors import InputError
from workflows.adsorption_plan import check_code, plan
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig

PYSCF = {"name": "pyscf", "protocol": "fast"}


def read(**sections: object) -> TfsiAdsorptionConfig:
    return TfsiAdsorptionConfig.model_validate({"reactions": ["Li+ + F- -> LiF"], **sections}, strict=False)


@pytest.mark.parametrize("code", ["pyscf", "xtb", "cp2k"])
def test_analyses_need_the_code_that_makes_them(code: str) -> None:
    check_code(read(analyses=["bader"]))
    with pytest.raises(InputError, match=f"analyses is bader, which calculator {code} does not give here"):
        check_code(read(analyses=["bader"], calculator={"name": code}))


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"geometry": {"relax": False, "calculator": {"name": "xtb"}}}, "geometry.calculator (xtb) is not used"),
        ({"calculator": {"overrides": {"k_points": [4, 4, 4]}}}, "k_points [4, 4, 4] is not used: no species"),
    ],
)
def test_settings_without_effect_are_told(sections: dict[str, Any], said: str) -> None:
    assert any(said in note for note in plan(read(**sections), cores=1).warnings)


def test_settings_with_effect_are_not_told() -> None:
    used = read(geometry={"calculator": {"name": "xtb"}}, calculator={"overrides": {"k_points": [1, 1, 1]}})
    assert not any("not used" in note for note in plan(used, cores=1).warnings)


def test_u_of_an_element_that_is_not_there_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"calculator\.overrides\.hubbard_U_eV\.Fe is for an element .* one of F, Li\."
    ):
        plan(read(calculator={"overrides": {"hubbard_U_eV": {"Fe": 4.0}}}), cores=1)


def test_a_species_in_pieces_is_told(tmp_path: Path) -> None:
    notes = {}
    for distance_A in (0.74, 12.0):
        write(tmp_path / "h2.xyz", Atoms("H2", [(0, 0, 0), (0, 0, distance_A)]))
        species = {"X": {"file": str(tmp_path / "h2.xyz")}, "H": {"smiles": "[H]"}}
        config = read(reactions=["2 H -> X"], species=species, calculator=PYSCF)
        notes[distance_A] = [note for note in plan(config, cores=1).warnings if "fragments" in note]
    assert notes[0.74] == []
    assert notes[12.0] == ["X is in 2 fragments that no bond joins: is its geometry as you mean it?"]


@pytest.mark.parametrize(
    ("calculator", "checks", "basis"),
    [
        (PYSCF, {}, "def2-svp"),
        (PYSCF, {"basis": "sto-3g"}, "sto-3g"),
        ({"name": "pyscf"}, {}, "def2-svpd"),
        ({"name": "pyscf", "overrides": {"basis": "def2-svpd"}}, {}, "def2-svp"),
        ({"name": "gpaw", "protocol": "fast"}, {}, "def2-svpd"),
    ],
)
def test_the_basis_is_checked_by_a_smaller_one(calculator: dict[str, Any], checks: dict[str, Any], basis: str) -> None:
    assert read(calculator=calculator, checks=checks).checks.basis == basis


def test_a_fast_run_of_pyscf_has_an_error_of_the_basis() -> None:
    assert not any("basis" in note for note in plan(read(calculator=PYSCF), cores=1).warnings)


def test_a_larger_basis_is_no_check() -> None:
    said = r"checks\.basis is 'def2-qzvpd' with \d+ functions for F, Li, needs fewer than the \d+ of def2-svpd"
    with pytest.raises(InputError, match=said):
        plan(read(calculator=PYSCF, checks={"basis": "def2-qzvpd"}), cores=1)
