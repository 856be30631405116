"""The flow `tfsi-adsorption` with CP2K: boxes, checks, cost and what is refused before anything starts."""

from typing import Any

import numpy as np
import pytest

from structures.errors import InputError
from workflows.adsorption_cells import find_box, find_slab_settings, list_open_checks, list_slab_checks
from workflows.adsorption_plan import check_code
from workflows.adsorption_species import build_all_species
from workflows.calculators.electronic import build_electronic_spec
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig

PAIR: dict[str, Any] = {"reactions": ["Li+ + TFSI- -> LiTFSI"]}


def build_config(*, calculator: dict[str, Any] | None = None, **sections: object) -> TfsiAdsorptionConfig:
    section = {"name": "cp2k", **(calculator or {})}
    return TfsiAdsorptionConfig.model_validate({**PAIR, "calculator": section, **sections}, strict=False)


def find_settings(config: TfsiAdsorptionConfig) -> dict[str, Any]:
    section = config.calculator
    return dict(build_electronic_spec("cp2k", protocol=section.protocol, overrides=section.overrides).overrides)


def find_edges_A(config: TfsiAdsorptionConfig, *, less_vacuum_A: float = 0.0) -> Any:  # noqa: ANN401 (an array)
    settings, species = find_settings(config), build_all_species(config)
    lattice_A = find_box(config, species=species, settings=settings, less_vacuum_A=less_vacuum_A)
    assert lattice_A is not None
    return np.diag(lattice_A)


def test_a_box_is_a_cube_with_the_vacuum_along_the_longest_molecule() -> None:
    config = build_config()
    edges_A = find_edges_A(config)
    species = build_all_species(config)
    longest_A = max(np.ptp(one.atoms.positions, axis=0).max() for one in species.values())
    assert len(set(edges_A)) == 1
    assert longest_A + 10 <= edges_A[0] < longest_A + 10.5
    assert find_edges_A(config, less_vacuum_A=1.0)[0] == pytest.approx(edges_A[0] - 2)


def test_truncated_interactions_get_a_box_twice_as_long_as_the_density() -> None:
    edges_A = find_edges_A(build_config(calculator={"overrides": {"poisson_solver": "MT"}}))
    cube_A = find_edges_A(build_config())[0]
    assert edges_A.max() == pytest.approx(2 * (cube_A - 5))
    assert len(set(edges_A)) > 1


def test_the_cut_off_is_made_worse_by_the_square_of_the_grids_factor() -> None:
    config = build_config()
    variants, unchecked = list_open_checks(config, settings=find_settings(config))
    assert {one.name: dict(one.settings) for one in variants} == {
        "cut-off": {"density_cutoff_Ry": round(500 / 1.1**2, 1)},
        "box": {},
    }
    assert unchecked == ["basis"]
    config = build_config(checks={"grid_factor": 1, "box_A": 0, "basis": "SZV-MOLOPT-SR-GTH"})
    variants, unchecked = list_open_checks(config, settings=find_settings(config))
    assert [dict(one.settings) for one in variants] == [{"basis": "SZV-MOLOPT-SR-GTH"}]
    assert unchecked == ["cut-off", "box"]


def test_slabs_have_k_points_smearing_and_checks_of_their_own() -> None:
    config = build_config(reactions=["Li(001) + Li -> Li@Li(001)"])
    settings, species = find_settings(config), build_all_species(config)
    own = find_slab_settings(config, name="Li(001)", settings=settings, species=species)
    assert set(own) == {"k_points", "smearing_eV"}
    assert own["smearing_eV"] == 0.1
    variants, unchecked = list_slab_checks(config, name="Li(001)", settings={**settings, **own})
    assert [one.name for one in variants] == ["cut-off", "vacuum", "k-points"]
    assert unchecked == ["layers", "lateral size", "basis"]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"analyses": ["bader"]}, r"analyses is bader, which calculator cp2k does not give here"),
        ({"resources": {"ranks": 2}}, r"resources\.ranks is 2, needs 1 .* Set resources\.threads: 2"),
        ({"electron": {"reference": "fermi-level"}}, r"electron\.reference is fermi-level, which calculator cp2k"),
    ],
)
def test_what_cp2k_does_not_give_is_refused(sections: dict[str, Any], said: str) -> None:
    check_code(build_config())
    with pytest.raises(InputError, match=said):
        check_code(build_config(**sections))
