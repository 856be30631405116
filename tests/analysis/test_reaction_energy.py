"""Sums of energies that mean something, and refusals of those that do not."""

import re
from dataclasses import replace
from typing import Any

import pytest

from analysis.reaction_energy import (
    Electron,
    ReactionEnergy,
    SpeciesEnergy,
    build_reaction_energy,
    check_one_method,
    compute_reaction_energy,
    join_steps,
)
from structures.errors import InputError
from structures.reaction import parse_reaction

METHOD: dict[str, Any] = {"code": "gpaw", "functional": "PBE", "cell_A": [8.0, 8.0, 8.0], "setups": {}}
PAIR = parse_reaction("Li+ + F- -> LiF")


def energy(value: float, **changes: Any) -> SpeciesEnergy:  # noqa: ANN401 (values of a method)
    return SpeciesEnergy(value, method=METHOD | changes)


def test_products_less_reactants() -> None:
    energies = {"Li+": energy(5.0), "F-": energy(-4.0), "LiF": energy(-7.0)}
    assert compute_reaction_energy(PAIR, energies=energies) == pytest.approx(-8.0, rel=1e-15)
    twice = parse_reaction("2 Li+ + 2 F- -> 2 LiF")
    assert compute_reaction_energy(twice, energies=energies) == pytest.approx(-16.0, rel=1e-15)


def test_the_electron_counts_with_the_energy_that_was_chosen() -> None:
    reaction = parse_reaction("Li+ + e- -> Li")
    energies = {"Li+": energy(5.3), "Li": energy(-0.3)}
    assert compute_reaction_energy(reaction, energies=energies, electron_eV=0.0) == pytest.approx(-5.6, rel=1e-12)
    assert compute_reaction_energy(reaction, energies=energies, electron_eV=-2.9) == pytest.approx(-2.7, rel=1e-12)
    with pytest.raises(InputError, match=r"electron, whose energy is a choice: set electron\.reference"):
        compute_reaction_energy(reaction, energies=energies)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"functional": "RPBE"}, "the functional of Li+ is PBE and that of LiF is RPBE"),
        ({"cell_A": [9.0, 8.0, 8.0]}, "Put both in one cell"),
        ({"code": "pyscf"}, "Compute both with one code"),
        ({"dispersion": "d3bj"}, "the dispersion of Li+ is None and that of LiF is d3bj"),
    ],
)
def test_mixed_methods_are_refused(changes: dict[str, Any], said: str) -> None:
    energies = {"Li+": energy(5.0), "F-": energy(-4.0), "LiF": energy(-7.0, **changes)}
    with pytest.raises(InputError, match=re.escape(said)):
        compute_reaction_energy(PAIR, energies=energies)


def test_paw_data_must_agree_for_each_element_only() -> None:
    methods = {
        "Li+": METHOD | {"setups": {"Li": "a"}},
        "F-": METHOD | {"setups": {"F": "b"}},
        "LiF": METHOD | {"setups": {"Li": "a", "F": "b"}},
    }
    check_one_method(methods, reaction="r")
    methods["LiF"] = METHOD | {"setups": {"Li": "a", "F": "c"}}
    with pytest.raises(InputError, match="F- and LiF use different PAW data of F"):
        check_one_method(methods, reaction="r")


def test_the_error_is_the_sum_of_the_shifts() -> None:
    base = {"Li+": energy(5.0), "F-": energy(-4.0), "LiF": energy(-7.0)}
    coarse = {name: replace(one, energy_eV=one.energy_eV + (name == "LiF") * 0.06) for name, one in base.items()}
    small = {name: replace(one, energy_eV=one.energy_eV - (name == "F-") * 0.02) for name, one in base.items()}
    found = build_reaction_energy(PAIR, energies=base, variants=[("grid", "coarser", coarse), ("box", "less", small)])
    assert [error.shift_eV for error in found.errors] == pytest.approx([0.06, 0.02], rel=1e-9)
    assert found.uncertainty_eV == pytest.approx(0.08, rel=1e-9)
    assert found.verdict.startswith("converged")
    assert found.sentence == "Li⁺ + F⁻ → LiF: ΔE = −8.00 ± 0.08 eV"
    far = build_reaction_energy(PAIR, energies=base, variants=[("grid", "coarser", coarse)] * 2, unchecked=("box",))
    assert far.verdict == "not converged: numerical error 0.12 eV, aim 0.1 eV; box not varied"


def test_nothing_varied_is_no_small_error() -> None:
    base = {"Li+": energy(5.0), "F-": energy(-4.0), "LiF": energy(-7.0)}
    found = build_reaction_energy(PAIR, energies=base)
    assert found.uncertainty_eV is None
    assert found.verdict == "numerical error not estimated"
    assert "±" not in found.sentence


def test_dispersion_is_a_part_of_the_answer() -> None:
    base = {
        name: SpeciesEnergy(value, METHOD, part)
        for name, value, part in (("Li+", 5.0, 0.0), ("F-", -4.0, -0.01), ("LiF", -7.0, -0.05))
    }
    assert build_reaction_energy(PAIR, energies=base).dispersion_eV == pytest.approx(-0.04, rel=1e-9)


def test_steps_add_up_with_their_errors_and_the_electron() -> None:
    reaction = parse_reaction("slab + X- -> X@slab + e-")
    base = {"slab": energy(-30.0), "X": energy(-2.0), "X@slab": energy(-33.0)}
    worse = base | {"X@slab": energy(-32.95)}
    binding = build_reaction_energy(
        parse_reaction("slab + X -> X@slab"),
        energies=base,
        variants=[("cut-off", "lower", worse)],
        unchecked=("layers",),
    )
    alone = {"X-": energy(-5.0, cell_A=[12.0] * 3), "X": energy(-2.0, cell_A=[12.0] * 3)}
    charging = build_reaction_energy(parse_reaction("X- -> X"), energies=alone)
    electron = Electron("Fermi level of slab", -2.9, is_computed=True)
    found = join_steps(reaction, steps={"adsorption": binding, "charging": charging}, electron=electron)
    assert found.energy_eV == pytest.approx(-33.0 + 30.0 + 5.0 - 2.9, rel=1e-12)
    assert [error.name for error in found.errors] == ["cut-off"]
    assert found.errors[0].shift_eV == pytest.approx(0.05, rel=1e-9)
    assert found.errors[0].energy_eV == pytest.approx(found.energy_eV + 0.05, rel=1e-12)
    assert found.unchecked == ("layers", "work function")
    assert found.sentence.endswith("eV with E(e⁻) = −2.90 eV (Fermi level of slab)")
    assert found.to_json()["electron"]["energy_eV"] == -2.9
    with pytest.raises(InputError, match="is a choice"):
        join_steps(reaction, steps={"adsorption": binding, "charging": charging})
    bent = build_reaction_energy(parse_reaction("A -> B"), energies={"A": energy(0.0), "B": energy(0.2)})
    assert join_steps(parse_reaction("A -> B"), steps={"deformation": bent}).deformation_eV == pytest.approx(0.2)


def test_one_parameter_changed_in_two_steps_is_one_error() -> None:
    reaction = parse_reaction("A -> B")

    def step(difference_eV: float, *, worse_eV: float) -> ReactionEnergy:
        energies, worse = ({"A": energy(0.0), "B": energy(value)} for value in (difference_eV, worse_eV))
        return build_reaction_energy(reaction, energies=energies, variants=[("basis", "smaller", worse)])

    found = join_steps(reaction, steps={"joining": step(-6.0, worse_eV=-6.3), "counterpoise": step(0.1, worse_eV=0.35)})
    assert found.energy_eV == pytest.approx(-5.9, rel=1e-12)
    assert found.counterpoise_eV == pytest.approx(0.1, rel=1e-12)
    assert [error.shift_eV for error in found.errors] == pytest.approx([-0.05], rel=1e-9)
    assert found.errors[0].energy_eV == pytest.approx(-5.95, rel=1e-12)
