"""Settings of electronic methods: protocols, the user's over them, and what is refused before anything starts."""

import re

import pytest

from structures.errors import InputError
from workflows.calculators.electronic import (
    ELECTRONIC_METHODS,
    build_electronic_spec,
    check_elements_and_basis,
    find_method,
)


@pytest.mark.parametrize("name", list(ELECTRONIC_METHODS))
def test_every_protocol_is_written_out_whole(name: str) -> None:
    specs = [
        build_electronic_spec(name, protocol=protocol, overrides={}) for protocol in ("fast", "moderate", "precise")
    ]
    assert all(set(spec.overrides) == set(find_method(name).settings.model_fields) for spec in specs)
    assert len({str(spec.overrides) for spec in specs}) == 3


def test_the_user_has_the_last_word() -> None:
    spec = build_electronic_spec("gpaw", protocol="precise", overrides={"spacing_A": 0.25, "xc": "RPBE"})
    assert (spec.overrides["spacing_A"], spec.overrides["xc"], spec.overrides["mode"]) == (0.25, "RPBE", "fd")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"spacing": 0.2}, "calculator.overrides.spacing is not a setting of gpaw"),
        ({"spacing": 0.2}, "Did you mean spacing_A?"),
        ({"xc": "PBEsol"}, "calculator.overrides.xc is 'PBEsol': input should be 'pbe', 'revpbe', 'rpbe' or 'lda'"),
        ({"spacing_A": 0}, "calculator.overrides.spacing_A is 0: input should be greater than 0.05"),
        ({"spacing_A": "fine"}, "calculator.overrides.spacing_A is 'fine'"),
    ],
)
def test_wrong_settings_are_named(overrides: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        build_electronic_spec("gpaw", protocol="moderate", overrides=overrides)


def test_elements_without_data_are_named() -> None:
    gpaw = build_electronic_spec("gpaw", protocol="moderate", overrides={})
    check_elements_and_basis(gpaw, elements=["Li", "F", "S"])
    with pytest.raises(InputError, match="no PAW data of Am for PBE"):
        check_elements_and_basis(gpaw, elements=["Li", "Am"])


def test_a_basis_that_does_not_exist_is_named() -> None:
    for basis, element in (("def2-tzvpq", "Li"), ("cc-pvdz", "Am")):
        spec = build_electronic_spec("pyscf", protocol="moderate", overrides={"basis": basis})
        with pytest.raises(InputError, match=f"basis is '{basis}', which PySCF does not have for {element}"):
            check_elements_and_basis(spec, elements=[element])


def test_near_names_of_codes_are_offered() -> None:
    with pytest.raises(InputError, match="Did you mean gpaw"):
        find_method("gpow")
