"""Surface energies against closed forms of a crystal with bonds between neighbours."""

import json
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from analysis.surface_energy import J_PER_M2, SurfaceEnergy, add_checks, add_relaxation, compute_surface_energy
from structures.errors import InputError
from structures.surface import build_surface
from structures.surface_library import build_substrate

NITRIDE: dict[str, Any] = {
    "name": "TiN(111)-N",
    "counts": {"Ti": 3, "N": 4},
    "formula": {"Ti": 1, "N": 1},
    "area_A2": 8.0,
    "is_symmetric": True,
    "bulk_energy_per_formula_eV": -20.0,
    "reservoir": "N",
    "reference_energy_eV": -8.0,
}


def test_an_electronvolt_per_square_angstrom_in_joules() -> None:
    assert pytest.approx(16.0218, rel=1e-5) == J_PER_M2


@pytest.mark.parametrize(
    ("miller", "broken"), [((1, 1, 1), 3), ((0, 0, 1), 4)]
)  # bonds that an atom of an fcc surface lacks
def test_copper_with_bonds_of_one_strength(miller: tuple[int, int, int], broken: int) -> None:
    surface = build_surface(
        bulk("Cu", cubic=True, a=3.615), name="Cu", miller=miller, n_layers=5, vacuum_A=10, fixed_layers=0
    )
    bond_eV = -0.58
    n_bonds = len(neighbor_list("i", surface.atoms, 3.0)) / 2
    result = compute_surface_energy(
        n_bonds * bond_eV,
        name="Cu",
        counts=surface.atoms.symbols.formula.count(),
        formula={"Cu": 1},
        area_A2=surface.area_A2,
        is_symmetric=surface.is_symmetric,
        bulk_energy_per_formula_eV=6 * bond_eV,
    )
    np.testing.assert_allclose(result.gamma_eV_per_A2, -broken / 2 * bond_eV / surface.area_A2, rtol=1e-9)
    assert result.slope_per_A2 == 0
    assert result.allowed_delta_mu_eV is None


def test_an_excess_gives_a_straight_line_with_the_slope_of_gibbs() -> None:
    delta_mu_eV = np.linspace(-3.5, 0, 8)
    result = compute_surface_energy(-60.0 - 8.0 + 1.6, **NITRIDE, delta_mu_eV=delta_mu_eV, formation_energy_eV=-3.5)
    assert result.excess == 1
    np.testing.assert_allclose(result.gamma_eV_per_A2, 0.1 - delta_mu_eV / 16.0, rtol=1e-12)
    np.testing.assert_allclose(np.diff(result.gamma_eV_per_A2) / 0.5, result.slope_per_A2, rtol=1e-12)
    np.testing.assert_allclose(result.gamma_J_per_m2, result.gamma_eV_per_A2 * J_PER_M2, rtol=1e-12)
    assert result.allowed_delta_mu_eV == (-3.5, 0.0)


def test_the_two_terminations_sum_to_a_constant() -> None:
    """Excess and lack of nitrogen on surfaces that are the two sides of one cut: γ(Ti) + γ(N) does not depend on Δμ."""
    delta_mu_eV = np.linspace(-3, 0, 5)
    nitrogen = compute_surface_energy(-66.4, **NITRIDE, delta_mu_eV=delta_mu_eV)
    titanium = compute_surface_energy(
        -70.0, **(NITRIDE | {"counts": {"Ti": 4, "N": 3}, "name": "TiN(111)-Ti"}), delta_mu_eV=delta_mu_eV
    )
    total = nitrogen.gamma_eV_per_A2 + titanium.gamma_eV_per_A2
    np.testing.assert_allclose(total, (-66.4 - 70.0 + 7 * 20.0) / 16, rtol=1e-12)
    assert titanium.excess == -1


def test_either_element_may_be_the_reservoir() -> None:
    """At Δμ(Ti) + Δμ(N) = ΔH both accounts of one slab agree, if the references differ by the crystal's energy."""
    formation_eV, mu_n_eV, mu_ti_eV = -3.4, -8.3, -8.3
    common = NITRIDE | {"bulk_energy_per_formula_eV": mu_n_eV + mu_ti_eV + formation_eV, "reference_energy_eV": mu_n_eV}
    by_nitrogen = compute_surface_energy(-66.0, **common, delta_mu_eV=[-1.0])
    swapped = common | {"reservoir": "Ti", "reference_energy_eV": mu_ti_eV}
    by_titanium = compute_surface_energy(-66.0, **swapped, delta_mu_eV=[formation_eV + 1.0])
    np.testing.assert_allclose(by_titanium.gamma_eV_per_A2, by_nitrogen.gamma_eV_per_A2, rtol=1e-12)


def test_formula_units_with_several_atoms() -> None:
    result = compute_surface_energy(
        -100.0,
        name="CaF2",
        counts={"Ca": 3, "F": 4},
        formula={"Ca": 1, "F": 2},
        area_A2=10.0,
        is_symmetric=True,
        bulk_energy_per_formula_eV=-30.0,
        reservoir="F",
        reference_energy_eV=-2.0,
        delta_mu_eV=[-1.0],
        formation_energy_eV=-12.0,
    )
    assert result.excess == -2
    np.testing.assert_allclose(result.gamma_eV_per_A2, (-100 + 90 - 6) / 20, rtol=1e-12)
    assert result.allowed_delta_mu_eV == (-6.0, 0.0)


def test_a_slab_composed_as_its_crystal_needs_no_reservoir() -> None:
    surface = build_substrate("TiN(001)")
    result = compute_surface_energy(
        -95.0,
        name=surface.name,
        counts=surface.atoms.symbols.formula.count(),
        formula={"Ti": 1, "N": 1},
        area_A2=surface.area_A2,
        is_symmetric=surface.is_symmetric,
        bulk_energy_per_formula_eV=-20.0,
        energy_errors_eV=(0.01, -0.002),
    )
    np.testing.assert_allclose(result.gamma_eV_per_A2, 5 / (4.24**2), rtol=1e-9)
    assert result.uncertainty_eV_per_A2 == pytest.approx(0.02 / 4.24**2, rel=1e-9)


def test_json_holds_all() -> None:
    result = compute_surface_energy(-66.4, **NITRIDE, delta_mu_eV=[-1.0, 0.0], formation_energy_eV=-3.5)
    read = json.loads(json.dumps(result.to_json()))
    assert read["gamma_eV_per_A2"] == result.gamma_eV_per_A2.tolist()
    assert read["allowed_delta_mu_eV"] == [-3.5, 0.0]
    assert read["uncertainty_eV_per_A2"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_symmetric": False}, "two different faces"),
        ({"area_A2": 0.0}, "area_A2 of .* is 0"),
        ({"reservoir": None}, "needs a reservoir: name one of Ti, N"),
        ({"reservoir": "O"}, "reservoir is 'O', needs one of two elements"),
        ({"reference_energy_eV": None}, r"has \+1 N in excess, needs reference_energy_eV"),
        ({"counts": {"Ti": 3}}, "needs the same elements"),
        ({"counts": {"Ti": 3, "N": 3, "O": 1}}, "needs the same elements"),
        ({"formation_energy_eV": 1.0}, "formation_energy_eV is 1, needs less than 0"),
    ],
)
def test_what_has_no_surface_energy_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compute_surface_energy(-60.0, **(NITRIDE | change))


def build_line(energy_eV: float = -66.4, **changes: object) -> SurfaceEnergy:
    return compute_surface_energy(energy_eV, **(NITRIDE | {"delta_mu_eV": [-3.0, 0.0]} | changes))


def test_what_one_face_gains_by_relaxing_is_not_shared_with_the_other() -> None:
    """A slab of which both faces gain 0.4 eV has the same γ as one of which one face gains 0.2 eV."""
    as_cut = build_line()
    one = add_relaxation(as_cut, energy_change_eV=-0.2, n_relaxed=1)
    both = add_relaxation(as_cut, energy_change_eV=-0.4, n_relaxed=2)
    np.testing.assert_allclose(one.gamma_eV_per_A2, as_cut.gamma_eV_per_A2 - 0.2 / 8, rtol=1e-12)
    np.testing.assert_allclose(both.gamma_eV_per_A2, one.gamma_eV_per_A2, rtol=1e-12)
    np.testing.assert_allclose(both.gamma_eV_per_A2, build_line(-66.8).gamma_eV_per_A2, rtol=1e-12)
    with pytest.raises(InputError, match="n_relaxed is 3, needs 1 or 2"):
        add_relaxation(as_cut, energy_change_eV=-0.2, n_relaxed=3)


def test_the_error_is_the_sum_of_the_sizes_of_the_shifts() -> None:
    answer = build_line()
    worse = [
        ("cut-off", "plane waves up to 330 eV", build_line(-66.4 + 0.16, reference_energy_eV=-8.0 - 0.32)),
        ("vacuum", "1 Å less vacuum", build_line(-66.4 - 0.016)),
    ]
    checked = add_checks(answer, worse=worse)
    assert [shift.shift_eV_per_A2 for shift in checked.shifts] == pytest.approx([(0.16 + 0.32) / 16, -0.001], rel=1e-9)
    assert checked.uncertainty_eV_per_A2 == pytest.approx(0.031, rel=1e-9)
    assert checked.to_json()["errors"][1]["change"] == "1 Å less vacuum"
    np.testing.assert_array_equal(checked.gamma_eV_per_A2, answer.gamma_eV_per_A2)
    assert add_checks(answer, worse=[]).uncertainty_eV_per_A2 is None
    with pytest.raises(InputError, match="delta_mu_eV of the vacuum check"):
        add_checks(answer, worse=[("vacuum", "", build_line(delta_mu_eV=[-2.0, 0.0]))])


def test_a_crystal_of_three_elements_has_surfaces_composed_as_it() -> None:
    result = compute_surface_energy(
        -98.0,
        name="LiCoO2",
        counts={"Li": 4, "Co": 4, "O": 8},
        formula={"Li": 1, "Co": 1, "O": 2},
        area_A2=10.0,
        is_symmetric=True,
        bulk_energy_per_formula_eV=-25.0,
    )
    np.testing.assert_allclose(result.gamma_eV_per_A2, 0.1, rtol=1e-12)
    with pytest.raises(InputError, match="needs one of two elements"):
        compute_surface_energy(
            -98.0,
            name="LiCoO2",
            counts={"Li": 4, "Co": 4, "O": 9},
            formula={"Li": 1, "Co": 1, "O": 2},
            area_A2=10.0,
            is_symmetric=True,
            bulk_energy_per_formula_eV=-25.0,
            reservoir="O",
            reference_energy_eV=-4.0,
        )
