"""What surface energies of clean slabs need, and what comes of energies that are sums in closed form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from analysis.surface_energy import J_PER_M2
from structures.errors import InputError
from structures.species import Species
from workflows.adsorption_calculation import build_calculation
from workflows.adsorption_methods import describe_surface_energies
from workflows.adsorption_plan import plan
from workflows.adsorption_species import build_all_species
from workflows.adsorption_steps import Wanted, list_all_steps, list_energies
from workflows.adsorption_sums import FoundEnergies
from workflows.adsorption_surface_sums import (
    check_methods,
    describe_surface,
    find_formation_energy,
    sum_up_surface,
    sum_up_surfaces,
)
from workflows.adsorption_surfaces import CleanSurface, build_reservoirs, list_surfaces
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.jobs.key import compute_key
from workflows.jobs.store import Finished
from workflows.tfsi_adsorption import compute_energies, open_run_facts

NITRIDE: dict[str, Any] = {
    "reactions": ["TiN(111)-Ti + Li -> Li@TiN(111)-Ti", "TiN(111)-N + Li -> Li@TiN(111)-N"],
    "substrates": {name: {"layers": 5, "fixed_layers": 2} for name in ("TiN(111)-Ti", "TiN(111)-N")},
    "analyses": ["surface-energy"],
}
LITHIUM: dict[str, Any] = {
    "reactions": ["Li(001) + H -> H@Li(001)"],
    "species": {"H": {"smiles": "[H]"}},
    "analyses": ["surface-energy"],
}
METHOD = {
    "code": "gpaw",
    "version": "25",
    "functional": "PBE",
    "mode": "pw",
    "resolution": {"cutoff_eV": 400.0},
    "setups": {},
}


def build_config(sections: Mapping[str, Any], **changes: object) -> TfsiAdsorptionConfig:
    return TfsiAdsorptionConfig.model_validate({**sections, **changes}, strict=False)


def find_settings(config: TfsiAdsorptionConfig) -> dict[str, Any]:
    section = config.calculator
    return dict(build_electronic_spec("gpaw", protocol=section.protocol, overrides=section.overrides).overrides)


def build_all(config: TfsiAdsorptionConfig) -> dict[str, Species]:
    return {**build_all_species(config), **build_reservoirs(config)}


def build_surfaces(config: TfsiAdsorptionConfig) -> dict[str, CleanSurface]:
    species = build_all(config)
    found = list_surfaces(config, settings=find_settings(config), species=species, start=species)
    return {one.name: one for one in found}


def list_wanted(surface: CleanSurface) -> dict[str, Wanted]:
    return list_energies([surface.steps])


def finish(energies_eV: Mapping[str, float]) -> dict[str, Finished]:
    values = {"method": METHOD, "dispersion_eV": None}
    return {name: Finished(name, {"energy_eV": energy, **values}, {}) for name, energy in energies_eV.items()}


def add_up(surface: CleanSurface, *, of_atoms_eV: Mapping[str, float], binding_eV: float = 0.0) -> dict[str, float]:
    """Energies that are sums over atoms, and each titanium atom that has nitrogen binds."""
    energies = {}
    for name, one in list_wanted(surface).items():
        counts = one.species.atoms.symbols.formula.count()
        energies[name] = sum(number * of_atoms_eV[element] for element, number in counts.items())
        if len(counts) > 1:
            energies[name] += binding_eV * counts["Ti"]
    return energies


def test_both_terminations_of_the_nitride_exchange_nitrogen() -> None:
    surfaces = build_surfaces(build_config(NITRIDE))
    for name, ratio in (("TiN(111)-Ti", (3, 2)), ("TiN(111)-N", (2, 3))):
        one = surfaces[name]
        counts = one.slab.terms[0].species.atoms.symbols.formula.count()
        n_cells = len(one.slab.terms[0].species.atoms) // 5
        assert (counts["Ti"], counts["N"]) == (ratio[0] * n_cells, ratio[1] * n_cells)
        assert one.area_A2 == pytest.approx(n_cells * 4.24**2 * np.sqrt(3) / 4, rel=1e-9)
        assert (one.formula, one.reservoir, one.n_relaxed) == ({"Ti": 1, "N": 1}, "N", 1)
        assert set(one.references) == {"Ti", "N"}
        found = sum_up_surface(one, energies=finish(add_up(one, of_atoms_eV={"Ti": -7.0, "N": -8.0}, binding_eV=-3.4)))
        assert found.excess == (1 if name.endswith("-N") else -1) * n_cells
        np.testing.assert_allclose(found.delta_mu_eV[[0, -1]], [-3.4, 0.0], atol=1e-9)
        # all titanium binds: nothing but the excess nitrogen costs anything, at Δμ
        np.testing.assert_allclose(
            found.gamma_eV_per_A2, -found.excess * found.delta_mu_eV / (2 * one.area_A2), atol=1e-12
        )


def test_a_slab_that_is_so_many_crystals_has_no_surface_energy() -> None:
    (one,) = build_surfaces(build_config(LITHIUM)).values()
    assert (one.formula, one.reservoir, dict(one.references)) == ({"Li": 1}, None, {})
    found = sum_up_surface(one, energies=finish(add_up(one, of_atoms_eV={"Li": -1.9})))
    np.testing.assert_allclose(found.gamma_eV_per_A2, [0.0], atol=1e-12)
    assert [shift.name for shift in found.shifts] == ["cut-off", "vacuum", "k-points"]
    assert found.uncertainty_eV_per_A2 == pytest.approx(0.0, abs=1e-12)


def test_relaxation_of_one_face_and_the_checks_reach_the_answer() -> None:
    (one,) = build_surfaces(build_config(LITHIUM)).values()
    energies = add_up(one, of_atoms_eV={"Li": -1.9})
    energies["Li(001) as cut"] += 0.8
    energies["Li(001)"] += 0.8 - 0.1
    energies["Li(001), vacuum check"] += 0.8 - 0.1 + 0.02
    energies["Li(001), k-points check"] += 0.8 - 0.1
    energies["Li(001), cut-off check"] += 0.8 - 0.1
    energies["crystal of Li, cut-off check"] += 0.006  # two atoms
    found = sum_up_surface(one, energies=finish(energies))
    n_atoms = len(one.slab.terms[0].species.atoms)
    np.testing.assert_allclose(found.gamma_eV_per_A2, [0.4 / one.area_A2 - 0.1 / one.area_A2], rtol=1e-9)
    shifts = {shift.name: shift.shift_eV_per_A2 * 2 * one.area_A2 for shift in found.shifts}
    assert shifts == pytest.approx({"cut-off": -n_atoms * 0.003, "vacuum": 0.02, "k-points": 0.0}, abs=1e-9)
    document = describe_surface(one, surface=found, energies=finish(energies))
    assert document["gamma"]["value"] == pytest.approx(0.3 / one.area_A2 * J_PER_M2, rel=1e-9)
    assert document["relaxation_eV"] == pytest.approx(-0.1)
    assert document["verdict"] == "layers not varied"


def test_without_relaxation_the_slab_is_computed_once_and_is_as_cut() -> None:
    (one,) = build_surfaces(build_config(LITHIUM, geometry={"relax": False})).values()
    assert "Li(001) as cut" not in list_wanted(one)
    energies = add_up(one, of_atoms_eV={"Li": -1.9})
    energies["Li(001)"] += 0.8
    found = sum_up_surface(one, energies=finish(energies))
    np.testing.assert_allclose(found.gamma_eV_per_A2, [0.4 / one.area_A2], rtol=1e-9)


def test_all_are_by_one_method_with_the_k_points_that_their_cells_need() -> None:
    surface = build_surfaces(build_config(NITRIDE))["TiN(111)-N"]
    wanted = list_wanted(surface)
    common = {(one.changes["mode"], one.changes["smearing_eV"]) for one in wanted.values()}
    assert common == {("pw", 0.1)}
    base = {name: one for name, one in wanted.items() if "check" not in name}
    assert list(base) == [
        "TiN(111)-N",
        "TiN(111)-N as cut",
        "crystal of TiN",
        "crystal of Ti (ASE's lattice)",
        "N2 of the reservoir",
    ]
    for name in ("crystal of TiN", "crystal of Ti (ASE's lattice)"):
        one = base[name]
        assert one.species.atoms.pbc.all()
        planes_A = 1 / np.linalg.norm(one.species.atoms.cell.reciprocal().array, axis=1)
        assert (planes_A * one.changes["k_points"] >= 20).all()
        assert (planes_A * (np.array(one.changes["k_points"]) - 1) < 20).all()
        assert wanted[f"{name}, k-points check"].changes["k_points"] == [k + 1 for k in one.changes["k_points"]]
    nitrogen = base["N2 of the reservoir"]
    assert nitrogen.species.atoms.pbc.all()
    assert nitrogen.changes["k_points"] == [1, 1, 1]
    assert nitrogen.species.atoms.cell.lengths().min() > 10
    assert "N2 of the reservoir, k-points check" not in wanted
    assert wanted["N2 of the reservoir, cut-off check"].changes["cutoff_eV"] < 400


def test_the_crystal_is_shared_and_what_is_computed_without_it_keeps_its_keys(tmp_path: Path) -> None:
    keys = {}
    for analyses in ([], ["surface-energy"]):
        config = build_config(NITRIDE, analyses=analyses)
        species = build_all(config)
        steps = list_all_steps(config, settings=find_settings(config), species=species)
        run = open_run_facts(config.model_dump(mode="json"), workdir=str(tmp_path / "run"), store=str(tmp_path / "st"))
        surfaces = build_surfaces(config)
        wanted = {**list_energies(steps), **list_energies([one.steps for one in surfaces.values()])}
        keys[bool(analyses)] = {
            name: compute_key(
                build_calculation(run, one.species, label=name, changes=one.changes, analyses=one.analyses)
            )
            for name, one in wanted.items()
        }
    assert keys[True].items() > keys[False].items()
    new = {name: key for name, key in keys[True].items() if name not in keys[False]}
    assert len([name for name in new if "check" not in name]) == 5  # two slabs as cut, one crystal, two elements
    crystals = {key for name, key in new.items() if "as cut" not in name}
    assert len(crystals) == len(new) - 2
    assert crystals.isdisjoint(keys[False].values())


def test_slabs_of_one_file_share_its_crystal_and_oxygen_is_a_triplet() -> None:
    faces = {name: {"file": "mgo.cif", "miller": [1, 1, 1], "termination": name, "layers": 5} for name in ("O", "Mg")}
    config = build_config(
        {
            "reactions": [f"{name} + Li -> Li@{name}" for name in faces],
            "substrates": faces,
            "analyses": ["surface-energy"],
        }
    )
    (oxygen,) = build_reservoirs(config).values()
    assert (oxygen.multiplicity, oxygen.n_electrons) == (3, 16)
    assert {one.bulk.terms[0].name for one in build_surfaces(config).values()} == {"crystal of O"}


@pytest.fixture(autouse=True)
def in_folder_of_crystals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("mgo.cif", bulk("MgO", "rocksalt", a=4.21, cubic=True))
    write("tic.cif", bulk("TiC", "rocksalt", a=4.33, cubic=True))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"reactions": ["Li+ + F- -> LiF"]},
            "surface-energy, but no reaction has a",
        ),
        (
            {
                "reactions": ["mine + Li -> Li@mine"],
                "substrates": {"mine": {"file": "tic.cif", "miller": [1, 1, 1], "layers": 5}},
            },
            "mine is not composed as its crystal, and there is no reference of C here, needs one of H, N, O, F, Cl",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_is_known(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan(build_config({"analyses": ["surface-energy"], **changes}))


def test_different_faces_and_a_sheet_give_a_note_and_no_number() -> None:
    config = build_config(
        {
            "reactions": ["TiN(111)-N + Li -> Li@TiN(111)-N", "graphene + Li -> Li@graphene"],
            "substrates": {"TiN(111)-N": {"layers": 4, "fixed_layers": 2}},
            "analyses": ["surface-energy"],
        }
    )
    assert build_surfaces(config) == {}
    notes = " ".join(plan(config).warnings)
    assert "TiN(111)-N: no surface energy: its faces differ" in notes
    assert "graphene: no surface energy: one plane" in notes
    found, warnings = sum_up_surfaces(config, surfaces=[], energies={})
    assert found == {}
    assert len(warnings) == 2


def test_the_dry_run_counts_what_is_computed_besides() -> None:
    without, with_them = (plan(build_config(NITRIDE, analyses=analyses)) for analyses in ([], ["surface-energy"]))
    crystals = 2 * 3 + 2  # each crystal and its two checks, the molecule and one
    assert with_them.n_calculations - without.n_calculations == 2 + crystals
    assert with_them.core_hours > without.core_hours
    assert any("crystal of TiN, 5 x 5 x 5 k-points" in line for line in with_them.boxes)


def test_energies_of_two_functionals_or_above_the_elements_are_told_and_give_no_number() -> None:
    config = build_config(NITRIDE)
    one = build_surfaces(config)["TiN(111)-N"]
    sound = finish(add_up(one, of_atoms_eV={"Ti": -7.0, "N": -8.0}, binding_eV=-3.4))
    check_methods(one, energies=sound)
    assert find_formation_energy(one, energies=sound) == pytest.approx(-3.4)
    other = {**sound["crystal of TiN"].values, "method": {**METHOD, "functional": "RPBE"}}
    with pytest.raises(InputError, match="functional"):
        check_methods(one, energies={**sound, "crystal of TiN": Finished("x", other, {})})
    unbound = finish(add_up(one, of_atoms_eV={"Ti": -7.0, "N": -8.0}, binding_eV=0.1))
    found, warnings = sum_up_surfaces(config, surfaces=[one], energies=unbound)
    assert found == {}
    assert "formation energy of its crystal comes out at 0.100 eV" in warnings[0].text


def test_a_slab_that_relaxes_upwards_and_a_magnet_are_told() -> None:
    config = build_config(
        {
            "reactions": ["Fe(110) + Li -> Li@Fe(110)"],
            "substrates": {"Fe(110)": {"element": "Fe", "miller": [1, 1, 0], "layers": 3, "fixed_layers": 1}},
            "analyses": ["surface-energy"],
        }
    )
    (one,) = build_surfaces(config).values()
    energies = add_up(one, of_atoms_eV={"Fe": -8.0})
    energies["Fe(110)"] += 0.2
    found, warnings = sum_up_surfaces(config, surfaces=[one], energies=finish(energies))
    assert list(found) == ["Fe(110)"]
    assert "lies 0.200 eV above the slab as cut" in warnings[0].text
    assert "without magnetism, which Fe may have" in warnings[1].text


def test_a_negative_surface_energy_is_told() -> None:
    config = build_config(LITHIUM)
    (one,) = build_surfaces(config).values()
    energies = add_up(one, of_atoms_eV={"Li": -1.9})
    energies["Li(001) as cut"] -= 0.2 * one.area_A2
    energies["Li(001)"] -= 0.2 * one.area_A2
    _, warnings = sum_up_surfaces(config, surfaces=[one], energies=finish(energies))
    assert [warning.severity for warning in warnings] == ["amber"]
    assert "goes down to -1.60 J/m²; below 0 the crystal would fall into slabs" in warnings[0].text


def test_the_methods_say_what_was_computed_and_how_one_face_relaxed() -> None:
    config = build_config(NITRIDE)
    found = FoundEnergies({}, {}, {}, [], {}, surfaces=list(build_surfaces(config).values()))
    text = describe_surface_energies(config, found=found)
    assert "4.24 x 4.24 x 4.24 Å, crystal of TiN, 5 x 5 x 5 k-points; 2.95 x 2.95" in text
    assert "molecules in a periodic box (N2) and metals with ASE's lattice and lattice constant (Ti)" in text
    assert "(E_relaxed − E_cut) / A of the upper face" in text
    unrelaxed = build_config(NITRIDE, geometry={"relax": False})
    assert "E_relaxed" not in describe_surface_energies(unrelaxed, found=found)


@pytest.mark.slow
def test_lithium_costs_what_it_does_in_print(tmp_path: Path) -> None:
    """Published for PBE: 0.46 J/m² (10.1038/sdata.2016.80); here three planes in a small basis on a coarse grid."""
    config = build_config(
        LITHIUM,
        substrates={"Li(001)": {"layers": 3, "fixed_layers": 1, "repeats": [1, 1], "vacuum_A": 5.0}},
        calculator={"name": "gpaw", "protocol": "fast", "overrides": {"spacing_A": 0.29, "basis": "szp(dzp)"}},
        geometry={"relax": False},
        checks={"grid_factor": 1.0, "box_A": 0.0, "k_points": False},
        resources={"cores": 1},
    )
    run = open_run_facts(config.model_dump(mode="json"), workdir=str(tmp_path / "run"), store=str(tmp_path / "store"))
    surfaces = build_surfaces(config)
    energies = compute_energies(run, wanted=list_wanted(surfaces["Li(001)"]))
    found, warnings = sum_up_surfaces(config, surfaces=list(surfaces.values()), energies=energies)
    gamma = found["Li(001)"]["gamma"]
    assert 0.2 < gamma["value"] < 1.0
    assert (gamma["uncertainty"], gamma["verdict"]) == (None, "numerical error not estimated")
    assert warnings == []
